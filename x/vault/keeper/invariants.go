package keeper

import (
	"context"

	"cosmossdk.io/collections"
	"cosmossdk.io/errors"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/internal/invariant"
	"github.com/mesh-security/mesh/x/vault/types"
)

// Invariants returns the vault's invariants.
func (k *Keeper) Invariants() []invariant.Named {
	return []invariant.Named{
		{ID: "V1", Check: k.InvariantV1},
		{ID: "V2", Check: k.InvariantV2},
	}
}

// InvariantV1 checks that nobody's liquid collateral is negative and that the module account holds at least all of it.
func (k *Keeper) InvariantV1(ctx context.Context) error {
	liens, err := k.allLiens(ctx)
	if err != nil {
		return err
	}
	sum := math.ZeroInt()
	err = k.Collateral.Walk(ctx, nil, func(user sdk.AccAddress, collateral math.Int) (bool, error) {
		liquid := types.Liquid(collateral, liens[string(user)])
		if liquid.IsNegative() {
			return true, errors.Wrapf(types.ErrInvariant, "liquid collateral of %X is %s", []byte(user), liquid)
		}
		sum = sum.Add(liquid)
		return false, nil
	})
	if err != nil {
		return err
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

// InvariantV2 checks that every settled user's collateral covers the largest lien and what all of them can lose, that
// each lien has a registered holder and that none is zero. There is one lien per user and holder because that is its key.
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
		if prefix, _, err := types.ParseHolder(holder); err != nil || k.holders[prefix] == nil {
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
