package keeper

import (
	"context"
	stderrors "errors"

	"cosmossdk.io/collections"
	"cosmossdk.io/errors"
	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/telemetry"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/vault/types"
)

// lose takes a loss out of an external lien and the collateral, and restores the limits. The lien's coins are taken
// later, by collect.
func (k *Keeper) lose(ctx context.Context, l *ledger, index int, sequence uint64, amount math.Int) error {
	lien, liquid := &l.liens[index], l.liquid()
	lien.SettledAt = sequence
	if amount.IsZero() {
		return nil
	}
	if err := lien.Lower(amount); err != nil {
		return err
	}
	// A lien never exceeds the collateral, so there is enough.
	l.collateral = l.collateral.Sub(amount)
	if err := k.recordLoss(ctx, l, lien.Holder, sequence, amount); err != nil {
		return err
	}
	if err := k.restore(ctx, l); err != nil {
		return err
	}
	fromLiquid := liquid.Sub(l.liquid())
	l.lostLiquid = l.lostLiquid.Add(fromLiquid)
	l.lostLocal = l.lostLocal.Add(amount.Sub(fromLiquid))
	return nil
}

// loseLocal takes what local stake has lost in x/staking out of the local lien and the collateral, and restores the
// limits of the others. What the lien does not cover was lost of a debt: x/staking has burned it instead of the vault.
func (k *Keeper) loseLocal(ctx context.Context, l *ledger, short math.Int) error {
	loss := math.MinInt(short, l.local())
	if burned := short.Sub(loss); burned.IsPositive() {
		l.debt.Amount = l.debt.Amount.Sub(burned)
		if err := k.addTotals(ctx, func(t *types.Totals) { t.Burned = t.Burned.Add(burned) }); err != nil {
			return err
		}
	}
	if loss.IsZero() {
		return nil
	}
	if err := l.liens[l.index(types.LocalHolder)].Lower(loss); err != nil {
		return err
	}
	l.collateral = l.collateral.Sub(loss)
	// x/staking does not tell its slashes apart here, so all that come after one loss of a holder are one.
	if err := k.recordLoss(ctx, l, types.LocalHolder, l.last, loss); err != nil {
		return err
	}
	return k.restore(ctx, l)
}

// restore brings the liens back within their limits. Holders have to follow; what the local lien falls by is taken out
// of local stake by collect.
func (k *Keeper) restore(ctx context.Context, l *ledger) error {
	for i, restored := range types.RestoreLimits(l.collateral, l.liens) {
		by := l.liens[i].Amount.Sub(restored.Amount)
		if by.IsZero() {
			continue
		}
		l.liens[i].Amount = restored.Amount
		if err := k.reduce(ctx, l, restored.Holder, by); err != nil {
			return err
		}
		err := sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&types.EventLienReduced{
			User: l.name, Holder: restored.Holder, Amount: by.String(), Lien: restored.Amount.String(),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// reduce has the holder lower the pieces behind its lien.
func (k *Keeper) reduce(ctx context.Context, l *ledger, name string, by math.Int) error {
	if name == types.LocalHolder {
		return nil
	}
	holder, id, err := k.holder(name)
	if err != nil {
		return err
	}
	return errors.Wrapf(holder.Reduce(ctx, l.user, id, by), "reduce lien %s", name)
}

// recordLoss adds to the user's losses and forgets the oldest ones.
func (k *Keeper) recordLoss(ctx context.Context, l *ledger, holder string, sequence uint64, amount math.Int) error {
	sdkCtx := sdk.UnwrapSDKContext(ctx)
	key := collections.Join3(l.user, sequence, holder)
	loss := types.Loss{Sequence: sequence, Holder: holder, Amount: amount, Height: sdkCtx.BlockHeight(), Time: sdkCtx.BlockTime()}
	switch earlier, err := k.Losses.Get(ctx, key); {
	case err == nil: // stake that was in flight is hit when it arrives; slashes of this chain's validators add up
		loss.Amount = loss.Amount.Add(earlier.Amount)
	case !stderrors.Is(err, collections.ErrNotFound):
		return err
	}
	if err := k.Losses.Set(ctx, key, loss); err != nil {
		return err
	}
	if err := k.forgetLosses(ctx, l.user); err != nil {
		return err
	}
	telemetry.IncrCounter(1, types.ModuleName, "losses")
	return sdkCtx.EventManager().EmitTypedEvent(&types.EventLost{
		User: l.name, Holder: holder, Sequence: sequence, Amount: amount.String(), Collateral: l.collateral.String(),
	})
}

// forgetLosses deletes the user's losses before the latest MaxLosses.
func (k *Keeper) forgetLosses(ctx context.Context, user sdk.AccAddress) error {
	iter, err := k.Losses.Iterate(ctx, collections.NewPrefixedTripleRange[sdk.AccAddress, uint64, string](user))
	if err != nil {
		return err
	}
	keys, err := iter.Keys()
	if err != nil {
		return err
	}
	for i := 0; i < len(keys)-types.MaxLosses; i++ {
		if err := k.Losses.Remove(ctx, keys[i]); err != nil {
			return err
		}
	}
	return nil
}

// nextLossSequence counts a loss.
func (k *Keeper) nextLossSequence(ctx context.Context) (uint64, error) {
	last, err := k.LastLoss.Get(ctx)
	if err != nil {
		return 0, err
	}
	return last + 1, k.LastLoss.Set(ctx, last+1)
}
