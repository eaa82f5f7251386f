package keeper

import (
	"context"
	"slices"

	"cosmossdk.io/errors"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/vault/types"
)

// ledger is one user's account in memory while an operation works on it: loaded once, saved once.
type ledger struct {
	user       sdk.AccAddress
	name       string
	collateral math.Int
	// liens are in the order of their holders. One that falls to zero stays until the ledger is saved.
	liens []types.Lien
	debt  types.Debt

	// lostLiquid and lostLocal are lost to slashes of holders, but their coins are still to be taken: out of the module
	// account and out of local stake.
	lostLiquid, lostLocal math.Int
	// last is the sequence of the last loss of anyone, known once the user is settled.
	last uint64
	// pieces of stake were gone through for it.
	pieces int

	storedCollateral math.Int
	storedLiens      []types.Lien
	storedDebt       math.Int
}

// open loads the user's ledger.
func (k *Keeper) open(ctx context.Context, user sdk.AccAddress) (*ledger, error) {
	name, err := k.addresses.BytesToString(user)
	if err != nil {
		return nil, err
	}
	collateral, err := k.collateralOf(ctx, user)
	if err != nil {
		return nil, err
	}
	liens, err := k.liensOf(ctx, user)
	if err != nil {
		return nil, err
	}
	debt, err := k.debtOf(ctx, user)
	if err != nil {
		return nil, err
	}
	return &ledger{
		user: user, name: name, collateral: collateral, liens: liens, debt: debt,
		lostLiquid: math.ZeroInt(), lostLocal: math.ZeroInt(), pieces: len(liens),
		storedCollateral: collateral, storedLiens: slices.Clone(liens), storedDebt: debt.Amount,
	}, nil
}

// save writes what has changed, and forgets liens that are gone. The debt is saved when what was lost is collected.
func (k *Keeper) save(ctx context.Context, l *ledger) error {
	if !l.collateral.Equal(l.storedCollateral) {
		if err := k.setCollateral(ctx, l.user, l.collateral); err != nil {
			return err
		}
		l.storedCollateral = l.collateral
	}
	for i, lien := range l.liens {
		stored := l.storedLiens[i]
		if lien.Amount.Equal(stored.Amount) && lien.SettledAt == stored.SettledAt {
			continue
		}
		if err := k.setLien(ctx, l.user, lien); err != nil {
			return err
		}
	}
	l.liens = slices.DeleteFunc(l.liens, func(lien types.Lien) bool { return lien.Amount.IsZero() })
	l.storedLiens = slices.Clone(l.liens)
	return nil
}

// liquid is the part of the collateral that sits in the vault's module account.
func (l *ledger) liquid() math.Int { return types.Liquid(l.collateral, l.liens) }

// local is the part of the collateral that is staked locally.
func (l *ledger) local() math.Int { return l.collateral.Sub(l.liquid()) }

// index returns where the holder's lien is, or -1.
func (l *ledger) index(holder string) int {
	return slices.IndexFunc(l.liens, func(lien types.Lien) bool { return lien.Holder == holder })
}

// external is a lien of a ledger that another module holds.
type external struct {
	// index is the lien's in the ledger.
	index  int
	id     string
	holder types.LienHolder
}

// externals returns the liens that other modules hold.
func (k *Keeper) externals(l *ledger) ([]external, error) {
	found := make([]external, 0, len(l.liens))
	for i, lien := range l.liens {
		if lien.Holder == types.LocalHolder {
			continue
		}
		holder, id, err := k.holder(lien.Holder)
		if err != nil {
			return nil, err
		}
		found = append(found, external{index: i, id: id, holder: holder})
	}
	return found, nil
}

// holder returns the module that holds the lien "<prefix>/<id>", and the id.
func (k *Keeper) holder(name string) (types.LienHolder, string, error) {
	prefix, id, err := types.ParseHolder(name)
	if err != nil {
		return nil, "", err
	}
	holder, registered := k.holders[prefix]
	if !registered {
		return nil, "", errors.Wrapf(types.ErrUnknownHolder, "%s, no module registered %q", name, prefix)
	}
	return holder, id, nil
}
