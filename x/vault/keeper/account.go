package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/vault/types"
)

// Account returns the user's account as stored, with the derived figures; all zero for who never deposited. Settle
// first for what holds now.
func (k *Keeper) Account(ctx context.Context, user sdk.AccAddress) (types.Account, error) {
	l, err := k.open(ctx, user)
	if err != nil {
		return types.Account{}, err
	}
	account, _, err := k.account(ctx, l)
	return account, err
}

// settledAccount settles the user and returns the account, and the params it was derived with.
func (k *Keeper) settledAccount(ctx context.Context, user sdk.AccAddress) (types.Account, types.Params, error) {
	l, err := k.settled(ctx, user)
	if err != nil {
		return types.Account{}, types.Params{}, err
	}
	return k.account(ctx, l)
}

// account returns the account of a ledger, and the params it was derived with.
func (k *Keeper) account(ctx context.Context, l *ledger) (types.Account, types.Params, error) {
	params, err := k.Params.Get(ctx)
	if err != nil {
		return types.Account{}, types.Params{}, err
	}
	stakingAccount, err := k.addresses.BytesToString(types.StakingAccountAddress(l.user))
	if err != nil {
		return types.Account{}, types.Params{}, err
	}
	return types.Account{
		User: l.name, StakingAccount: stakingAccount, Collateral: l.collateral, Liens: l.liens, Debt: l.debt.Amount,
	}.Derived(params.MaxCollateralUse), params, nil
}

// collateralOf returns the user's collateral, zero if there is none.
func (k *Keeper) collateralOf(ctx context.Context, user sdk.AccAddress) (math.Int, error) {
	collateral, err := k.Collateral.Get(ctx, user)
	if errors.Is(err, collections.ErrNotFound) {
		return math.ZeroInt(), nil
	}
	return collateral, err
}

// setCollateral stores the user's collateral; an account with none is not kept.
func (k *Keeper) setCollateral(ctx context.Context, user sdk.AccAddress, collateral math.Int) error {
	if collateral.IsZero() {
		return k.Collateral.Remove(ctx, user)
	}
	return k.Collateral.Set(ctx, user, collateral)
}

// liensOf returns the user's liens in the order of their holders. Their number is bounded when liens are added.
func (k *Keeper) liensOf(ctx context.Context, user sdk.AccAddress) ([]types.Lien, error) {
	var liens []types.Lien
	err := k.Liens.Walk(ctx, collections.NewPrefixedPairRange[sdk.AccAddress, string](user),
		func(key collections.Pair[sdk.AccAddress, string], record types.LienRecord) (bool, error) {
			liens = append(liens, newLien(key.K2(), record))
			return false, nil
		})
	return liens, err
}

func newLien(holder string, record types.LienRecord) types.Lien {
	return types.Lien{Holder: holder, Amount: record.Amount, SlashFraction: record.SlashFraction, SettledAt: record.SettledAt}
}
