package keeper

import (
	"context"
	"time"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/internal/isolate"
	"github.com/mesh-security/mesh/x/vault/types"
)

// scheduleMaturity has the user settled at the end of the block in which x/staking pays out an unbonding that completes at
// a time. Nothing about the amount is kept: what arrives is what there is.
func (k *Keeper) scheduleMaturity(ctx context.Context, completion time.Time, user sdk.AccAddress) error {
	return k.Maturities.Set(ctx, collections.Join(completion, user))
}

// takeMatured moves what x/staking has paid out to the user's staking account, positive base units, into the vault's module
// account. No restriction on sending coins can stand in its way.
func (k *Keeper) takeMatured(ctx context.Context, user sdk.AccAddress, arrived math.Int) error {
	denom, err := k.Denom.Get(ctx)
	if err != nil {
		return err
	}
	return k.bank.DelegateCoins(ctx, types.StakingAccountAddress(user), k.module, sdk.NewCoins(sdk.NewCoin(denom, arrived)))
}

// passOn sends the user what x/staking has paid out in another denom than the vault's: it does so with what was unbonding when
// the chain's bond denom changed. That is no collateral any more. It waits for the next loss if the user cannot be paid.
func (k *Keeper) passOn(ctx context.Context, user sdk.AccAddress) error {
	denom, err := k.Denom.Get(ctx)
	if err != nil {
		return err
	}
	bondDenom, err := k.staking.BondDenom(ctx)
	if err != nil || bondDenom == denom {
		return err
	}
	account := types.StakingAccountAddress(user)
	paid := k.bank.GetBalance(ctx, account, bondDenom)
	if !paid.IsPositive() {
		return nil
	}
	receiver, err := k.rewardReceiver(ctx, user)
	if err != nil {
		return err
	}
	err = isolate.Try(sdk.UnwrapSDKContext(ctx), func(ctx sdk.Context) error {
		return k.bank.SendCoins(ctx, account, receiver, sdk.NewCoins(paid))
	})
	if err != nil {
		k.logger(ctx).Error("coins of a new bond denom stay in a staking account", "user", user, "coins", paid, "error", err)
	}
	return nil
}
