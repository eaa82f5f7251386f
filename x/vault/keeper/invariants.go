package keeper

import (
	"bytes"
	"context"

	"cosmossdk.io/collections"
	"cosmossdk.io/errors"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/internal/invariant"
	"github.com/mesh-security/mesh/x/vault/types"
)

// Invariants returns the vault's invariants. They change nothing.
func (k *Keeper) Invariants() []invariant.Named {
	return []invariant.Named{
		{ID: "V1", Check: k.InvariantV1},
		{ID: "V2", Check: k.InvariantV2},
		{ID: "E7", Check: k.InvariantE7},
	}
}

// InvariantV1 checks that nobody's liquid collateral is negative, that the module account holds at least all of it, and
// that each staking account holds at least the local lien and the debt, but for slashes that the sweep will settle.
func (k *Keeper) InvariantV1(ctx context.Context) error {
	users, err := k.users(ctx)
	if err != nil {
		return err
	}
	sum := math.ZeroInt()
	for _, user := range users {
		l, err := k.open(ctx, user)
		if err != nil {
			return err
		}
		if liquid := l.liquid(); liquid.IsNegative() {
			return errors.Wrapf(types.ErrInvariant, "liquid collateral of %s is %s", l.name, liquid)
		}
		sum = sum.Add(l.liquid())
		if err := k.checkHoldings(ctx, l); err != nil {
			return err
		}
	}
	denom, err := k.Denom.Get(ctx)
	if err != nil {
		return err
	}
	if held := k.bank.GetBalance(ctx, k.module, denom); held.Amount.LT(sum) {
		return errors.Wrapf(types.ErrInvariant, "the module account holds %s, the users' liquid collateral is %s", held, sum)
	}
	return nil
}

// checkHoldings compares what a staking account holds. Less than it should be is a slash that the sweep will settle.
// x/staking rounds each piece down, so up to one unit of each can be missing without that.
func (k *Keeper) checkHoldings(ctx context.Context, l *ledger) error {
	if l.local().IsZero() && l.debt.Amount.IsZero() {
		return nil
	}
	held, err := k.holdings(ctx, l.user)
	if err != nil {
		return err
	}
	if held.total().AddRaw(int64(held.pieces)).GTE(l.local().Add(l.debt.Amount)) {
		return nil
	}
	if waits, err := k.onSweep(ctx, l.user); err != nil || waits {
		return err
	}
	return errors.Wrapf(types.ErrInvariant, "the staking account of %s holds %s, the local lien is %s and the debt %s, and no sweep is under way",
		l.name, held.total(), l.local(), l.debt.Amount)
}

// onSweep reports whether the user is still to be settled by the sweep.
func (k *Keeper) onSweep(ctx context.Context, user sdk.AccAddress) (waits bool, err error) {
	err = k.Pending.Walk(ctx, nil, func(key collections.Pair[int64, sdk.AccAddress]) (bool, error) {
		waits = key.K2().Equals(user)
		return waits, nil
	})
	if err != nil || waits {
		return waits, err
	}
	err = k.Sweeps.Walk(ctx, nil, func(validator sdk.ValAddress, sweep types.SweepRecord) (bool, error) {
		if bytes.Compare(user, sweep.Cursor) <= 0 && !sweep.Again {
			return false, nil // has been there
		}
		waits, err = k.LocalUsers.Has(ctx, collections.Join(validator, user))
		return waits, err
	})
	return waits, err
}

// InvariantV2 checks that every user's collateral covers the largest lien and what all of them can lose, that each lien has
// a registered holder and that none is zero. There is one lien per user and holder because that is its key.
func (k *Keeper) InvariantV2(ctx context.Context) error {
	liens, err := k.allLiens(ctx)
	if err != nil {
		return err
	}
	return k.Liens.Walk(ctx, nil, func(key collections.Pair[sdk.AccAddress, string], record types.LienRecord) (bool, error) {
		user, holder := key.K1(), key.K2()
		if err := newLien(holder, record).Validate(); err != nil {
			return true, errors.Wrapf(types.ErrInvariant, "lien %s of %X: %s", holder, []byte(user), err)
		}
		if _, _, err := k.holder(holder); err != nil && holder != types.LocalHolder {
			return true, errors.Wrapf(types.ErrInvariant, "lien %s of %X has no registered holder", holder, []byte(user))
		}
		all, pending := liens[string(user)]
		if !pending {
			return false, nil // covered at the user's first lien
		}
		delete(liens, string(user))
		collateral, err := k.collateralOf(ctx, user)
		if err != nil {
			return true, err
		}
		if err := types.CheckCovered(collateral, all); err != nil {
			return true, errors.Wrapf(types.ErrInvariant, "%X: %s", []byte(user), err)
		}
		return false, nil
	})
}

// allLiens returns every user's liens by address bytes, each user's in the order of the holders.
func (k *Keeper) allLiens(ctx context.Context) (map[string][]types.Lien, error) {
	liens := make(map[string][]types.Lien)
	err := k.Liens.Walk(ctx, nil, func(key collections.Pair[sdk.AccAddress, string], record types.LienRecord) (bool, error) {
		liens[string(key.K1())] = append(liens[string(key.K1())], newLien(key.K2(), record))
		return false, nil
	})
	return liens, err
}

// InvariantE7 checks that all that was lost to slashes of lien holders was burned, went to the community pool or is a
// debt, and that no debt is zero.
func (k *Keeper) InvariantE7(ctx context.Context) error {
	totals, err := k.Totals.Get(ctx)
	if err != nil {
		return err
	}
	debts := math.ZeroInt()
	err = k.Debts.Walk(ctx, nil, func(user sdk.AccAddress, debt types.Debt) (bool, error) {
		if err := types.ValidateAmount(debt.Amount); err != nil {
			return true, errors.Wrapf(types.ErrInvariant, "debt of %X: %s", []byte(user), err)
		}
		debts = debts.Add(debt.Amount)
		return false, nil
	})
	if err != nil {
		return err
	}
	if owed := totals.Owed(); !owed.Equal(debts) {
		return errors.Wrapf(types.ErrInvariant, "%s was lost, %s burned and %s pooled, but the debts are %s", totals.Lost, totals.Burned, totals.Pooled, debts)
	}
	return nil
}
