package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/internal/isolate"
	"github.com/mesh-security/mesh/x/vault/types"
)

// collect takes the coins of what a saved ledger has lost: liquid ones at once. Those of local stake are a debt first, so
// that no odd state of x/staking can make a settle fail; as a rule it is paid on the spot.
func (k *Keeper) collect(ctx context.Context, l *ledger) error {
	sdkCtx := sdk.UnwrapSDKContext(ctx)
	if lost := l.lostLiquid.Add(l.lostLocal); lost.IsPositive() {
		if err := k.addTotals(ctx, func(t *types.Totals) { t.Lost = t.Lost.Add(lost) }); err != nil {
			return err
		}
	}
	if l.lostLiquid.IsPositive() {
		if err := k.dispose(sdkCtx, l, types.ModuleName, l.lostLiquid); err != nil {
			return err
		}
	}
	l.debt.Amount = l.debt.Amount.Add(l.lostLocal)
	l.lostLiquid, l.lostLocal = math.ZeroInt(), math.ZeroInt()
	var reason error
	if l.debt.Amount.IsPositive() {
		var taken math.Int
		taken, reason = k.takeLocal(sdkCtx, l, l.debt.Amount)
		l.debt.Amount = l.debt.Amount.Sub(taken)
	}
	return k.saveDebt(sdkCtx, l, reason)
}

// saveDebt writes the debt if it has changed. What is left is tried again at every settle, and by the sweep after a
// back-off. reason is why something is left.
func (k *Keeper) saveDebt(ctx sdk.Context, l *ledger, reason error) error {
	if l.debt.Amount.IsZero() {
		if l.storedDebt.IsZero() {
			return nil
		}
		return k.Debts.Remove(ctx, l.user)
	}
	due := ctx.BlockHeight() >= l.debt.RetryHeight
	if !due && l.debt.Amount.Equal(l.storedDebt) {
		return nil
	}
	if due {
		l.debt.Fail(ctx.BlockHeight())
		if err := k.Pending.Set(ctx, collections.Join(l.debt.RetryHeight, l.user)); err != nil {
			return err
		}
	}
	if err := k.Debts.Set(ctx, l.user, l.debt); err != nil {
		return err
	}
	return ctx.EventManager().EmitTypedEvent(&types.EventDebtRecorded{
		User: l.name, Debt: l.debt.Amount.String(), Reason: reason.Error(), RetryHeight: l.debt.RetryHeight,
	})
}

// dispose takes lost coins from a module's account: it burns them, or gives them to the community pool if that is what
// the params say and no restriction of the chain stands against it.
func (k *Keeper) dispose(ctx sdk.Context, l *ledger, module string, amount math.Int) error {
	params, err := k.Params.Get(ctx)
	if err != nil {
		return err
	}
	denom, err := k.Denom.Get(ctx)
	if err != nil {
		return err
	}
	coins, destination := sdk.NewCoins(sdk.NewCoin(denom, amount)), types.SlashDestinationBurn
	if params.SlashDestination == types.SlashDestinationCommunityPool {
		err := isolate.Try(ctx, func(ctx sdk.Context) error {
			return k.distribution.FundCommunityPool(ctx, coins, k.accounts.GetModuleAddress(module))
		})
		if err == nil {
			destination = types.SlashDestinationCommunityPool
		}
	}
	if destination == types.SlashDestinationBurn {
		if err := k.bank.BurnCoins(ctx, module, coins); err != nil {
			return err
		}
	}
	err = k.addTotals(ctx, func(t *types.Totals) {
		if destination == types.SlashDestinationBurn {
			t.Burned = t.Burned.Add(amount)
		} else {
			t.Pooled = t.Pooled.Add(amount)
		}
	})
	if err != nil {
		return err
	}
	return ctx.EventManager().EmitTypedEvent(&types.EventCollateralBurned{User: l.name, Amount: amount.String(), Destination: destination})
}

// debtOf returns what of the user's losses was not taken yet.
func (k *Keeper) debtOf(ctx context.Context, user sdk.AccAddress) (types.Debt, error) {
	debt, err := k.Debts.Get(ctx, user)
	if errors.Is(err, collections.ErrNotFound) {
		return types.NewDebt(), nil
	}
	return debt, err
}

// addTotals changes the totals.
func (k *Keeper) addTotals(ctx context.Context, add func(*types.Totals)) error {
	totals, err := k.Totals.Get(ctx)
	if err != nil {
		return err
	}
	add(&totals)
	return k.Totals.Set(ctx, totals)
}
