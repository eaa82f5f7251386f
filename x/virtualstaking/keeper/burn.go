package keeper

import (
	"context"

	storetypes "cosmossdk.io/store/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/internal/isolate"
	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// burnGas bounds the burn of one source at the end of a block.
const burnGas storetypes.Gas = 2_000_000

// EndBlock burns the unbondings that x/staking's EndBlock has just paid, and reads the validators again that changed. It
// never fails: what goes wrong is tried again in the next block.
func (k *Keeper) EndBlock(ctx context.Context) error {
	k.burnMatured(ctx)
	k.readDirty(ctx)
	k.review(ctx)
	return nil
}

// burnMatured goes through the sources that have an epoch: others have nothing that could mature.
func (k *Keeper) burnMatured(ctx context.Context) {
	scheduled, err := k.scheduled(ctx)
	if err != nil {
		k.logger(ctx).Error("nothing is burned, the queue cannot be read", "error", err)
		return
	}
	for _, epoch := range scheduled {
		err := isolate.WithGas(sdk.UnwrapSDKContext(ctx), burnGas, func(ctx sdk.Context) error { return k.burnPaid(ctx, epoch.K2()) })
		if err != nil {
			k.logger(ctx).Error("matured virtual stake could not be burned", "source", epoch.K2(), "error", err)
		}
	}
}

// burnPaid burns all bond denom that the account of source id holds: nobody but x/staking can pay it. A source with
// nothing left has no more epochs.
func (k *Keeper) burnPaid(ctx context.Context, id uint64) error {
	source, err := k.Sources.Get(ctx, id)
	if err != nil {
		return err
	}
	denom, err := k.staking.BondDenom(ctx)
	if err != nil {
		return err
	}
	account := types.VirtualAccount(id)
	balance := k.bank.GetBalance(ctx, account, denom)
	if balance.IsPositive() {
		coins := sdk.NewCoins(balance)
		if err := k.bank.SendCoinsFromAccountToModule(ctx, account, types.ModuleName, coins); err != nil {
			return err
		}
		if err := k.burn(ctx, id, coins); err != nil {
			return err
		}
		source.Burned = source.Burned.Add(balance.Amount)
	}
	needed, err := k.needsEpochs(ctx, source)
	if err != nil {
		return err
	}
	if !needed {
		if err := k.unschedule(ctx, &source); err != nil {
			return err
		}
	}
	if needed && !balance.IsPositive() {
		return nil
	}
	return k.Sources.Set(ctx, id, source)
}

// burn burns coins of the bond denom that the module account holds for source id.
func (k *Keeper) burn(ctx context.Context, id uint64, coins sdk.Coins) error {
	if err := k.bank.BurnCoins(ctx, types.ModuleName, coins); err != nil {
		return err
	}
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&types.EventVirtualBurned{
		Source: id, Amount: coins[0].Amount.String(),
	})
}
