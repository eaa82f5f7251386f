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
	account, _, err := k.load(ctx, user)
	return account, err
}

// load is Account that also returns the params it was derived with.
func (k *Keeper) load(ctx context.Context, user sdk.AccAddress) (types.Account, types.Params, error) {
	params, err := k.Params.Get(ctx)
	if err != nil {
		return types.Account{}, types.Params{}, err
	}
	collateral, err := k.collateralOf(ctx, user)
	if err != nil {
		return types.Account{}, types.Params{}, err
	}
	account, err := k.account(ctx, user, collateral, params)
	return account, params, err
}

// account is Account for a caller who has read the collateral and the params already.
func (k *Keeper) account(ctx context.Context, user sdk.AccAddress, collateral math.Int, params types.Params) (types.Account, error) {
	name, err := k.addresses.BytesToString(user)
	if err != nil {
		return types.Account{}, err
	}
	liens, err := k.liensOf(ctx, user)
	if err != nil {
		return types.Account{}, err
	}
	return types.NewAccount(name, collateral, liens, params.MaxCollateralUse), nil
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
	return types.Lien{Holder: holder, Amount: record.Amount, SlashFraction: record.SlashFraction}
}
