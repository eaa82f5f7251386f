package keeper

import (
	"context"
	"time"

	"cosmossdk.io/errors"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/vault/types"
)

// settle brings everything of the user up to date: slashes that have not reached the account yet, and stake that has
// matured. It comes before everything that touches the account, so that nobody acts on collateral that is lost already.
// However long it waited, the result is that of settling after every single slash.
func (k *Keeper) settle(ctx context.Context, user sdk.AccAddress) error {
	_, err := k.settled(ctx, user)
	return err
}

// settled is settle that also returns the user's ledger, saved.
func (k *Keeper) settled(ctx context.Context, user sdk.AccAddress) (*ledger, error) {
	l, err := k.open(ctx, user)
	if err != nil {
		return nil, err
	}
	if l.last, err = k.LastLoss.Get(ctx); err != nil {
		return nil, err
	}
	if err := k.settleLocal(ctx, l); err != nil {
		return nil, err
	}
	if err := k.settleExternal(ctx, l); err != nil {
		return nil, err
	}
	if err := k.save(ctx, l); err != nil {
		return nil, err
	}
	return l, k.collect(ctx, l)
}

// settleLocal charges the user with what local stake has lost in x/staking, whatever the reason, and takes in what has
// finished unbonding.
func (k *Keeper) settleLocal(ctx context.Context, l *ledger) error {
	if l.local().IsZero() && l.debt.Amount.IsZero() {
		return nil // at most dust of rounding is left there, which is nobody's
	}
	held, err := k.holdings(ctx, l.user)
	if err != nil {
		return err
	}
	l.pieces += held.pieces
	if short := l.local().Add(l.debt.Amount).Sub(held.total()); short.IsPositive() {
		if err := k.loseLocal(ctx, l, short); err != nil {
			return err
		}
		if err := k.passOn(ctx, l.user); err != nil {
			return err
		}
	}
	return k.matureLocal(ctx, l, held.paid)
}

// matureLocal takes in what x/staking has paid out. A debt is paid first: its coins are lost already.
func (k *Keeper) matureLocal(ctx context.Context, l *ledger, arrived math.Int) error {
	if arrived.IsZero() {
		return nil
	}
	if err := k.takeMatured(ctx, l.user, arrived); err != nil {
		return err
	}
	if owed := math.MinInt(l.debt.Amount, arrived); owed.IsPositive() {
		if err := k.dispose(sdk.UnwrapSDKContext(ctx), l, types.ModuleName, owed); err != nil {
			return err
		}
		l.debt.Amount = l.debt.Amount.Sub(owed)
		arrived = arrived.Sub(owed)
	}
	// More than the lien can only be dust of rounding. It stays in the module account.
	matured := math.MinInt(arrived, l.local())
	if matured.IsZero() {
		return nil
	}
	if err := l.liens[l.index(types.LocalHolder)].Lower(matured); err != nil {
		return err
	}
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&types.EventLocalMatured{User: l.name, Amount: matured.String()})
}

// settleExternal lets the slashes of all holders reach their liens, earliest first, and releases what has matured.
func (k *Keeper) settleExternal(ctx context.Context, l *ledger) error {
	holders, err := k.externals(l)
	if err != nil || len(holders) == 0 {
		return err
	}
	pending := make([]*types.PendingLoss, len(holders))
	for i, h := range holders {
		if pending[i], err = k.nextLoss(ctx, l, h); err != nil {
			return err
		}
	}
	for {
		i := earliest(pending)
		if i < 0 {
			break
		}
		h, loss := holders[i], *pending[i]
		// What was released before the slash is not hit, and does not count when limits are restored after it.
		if err := k.mature(ctx, l, holders, loss.Time); err != nil {
			return err
		}
		lost, err := h.holder.ApplyLoss(ctx, l.user, h.id, loss.Sequence)
		if err != nil {
			return errors.Wrapf(err, "loss %d of lien %s", loss.Sequence, l.liens[h.index].Holder)
		}
		l.pieces++
		if err := k.lose(ctx, l, h.index, loss.Sequence, lost); err != nil {
			return err
		}
		if pending[i], err = k.nextLoss(ctx, l, h); err != nil {
			return err
		}
	}
	return k.mature(ctx, l, holders, sdk.UnwrapSDKContext(ctx).BlockTime())
}

// nextLoss asks the holder for the next loss of the lien, nil if there is none. A lien that the last loss of all has reached
// need not be asked about.
func (k *Keeper) nextLoss(ctx context.Context, l *ledger, h external) (*types.PendingLoss, error) {
	lien := l.liens[h.index]
	if lien.SettledAt >= l.last {
		return nil, nil
	}
	loss, found, err := h.holder.NextLoss(ctx, l.user, h.id, lien.SettledAt)
	if err != nil {
		return nil, errors.Wrapf(err, "next loss of lien %s", lien.Holder)
	}
	if !found {
		return nil, nil
	}
	// Sequences that grow and end make the settle end.
	if loss.Sequence <= lien.SettledAt || loss.Sequence > l.last {
		return nil, errors.Wrapf(types.ErrInvalidSequence, "%s has loss %d, must be above %d and at most %d", lien.Holder, loss.Sequence, lien.SettledAt, l.last)
	}
	return &loss, nil
}

// earliest returns the index of the loss with the smallest sequence, the first of equal ones, or -1 if there is none.
func earliest(pending []*types.PendingLoss) int {
	first := -1
	for i, loss := range pending {
		if loss != nil && (first < 0 || loss.Sequence < pending[first].Sequence) {
			first = i
		}
	}
	return first
}

// mature lowers the external liens by what is due at a time.
func (k *Keeper) mature(ctx context.Context, l *ledger, holders []external, at time.Time) error {
	for _, h := range holders {
		lien := &l.liens[h.index]
		released, err := h.holder.Mature(ctx, l.user, h.id, at)
		if err != nil {
			return errors.Wrapf(err, "mature lien %s", lien.Holder)
		}
		if released.IsZero() {
			continue
		}
		if err := lien.Lower(released); err != nil {
			return err
		}
		if err := k.released(ctx, l.user, *lien, released); err != nil {
			return err
		}
	}
	return nil
}
