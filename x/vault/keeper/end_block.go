package keeper

import (
	"slices"
	"time"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/telemetry"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/internal/isolate"
	"github.com/mesh-security/mesh/internal/paging"
	"github.com/mesh-security/mesh/x/vault/types"
)

const (
	// settleGas bounds one settle in the EndBlock, far above what any account within the default params needs.
	settleGas = 500_000_000
	// retryInterval: failed settles are tried again in the next block whose height is a multiple of it, so that nobody is on
	// the queue more than once.
	retryInterval = 100
)

// queue is a source of users to be settled. settle settles until about budget pieces are settled, and returns how many
// were.
type queue struct {
	name   string
	settle func(ctx sdk.Context, budget int) (pieces int, err error)
}

// EndBlock settles users by themselves: whose local stake has finished unbonding, whose settle is tried again, and whom
// slashes hit, by x/staking and by the lien holders. All of them together settle about max_settlements_per_block pieces,
// each its share of it while all have work. It comes after x/staking's, which pays matured unbondings out. Nothing in it can
// stop the chain: what fails is reported and tried again.
func (k *Keeper) EndBlock(ctx sdk.Context) {
	params, err := k.Params.Get(ctx)
	if err != nil {
		k.logger(ctx).Error("end of block", "error", err)
		return
	}
	queues := []queue{
		{"matured", k.settleMatured},
		{"pending", k.settlePending},
		{"validators", k.sweepValidators},
	}
	for _, prefix := range k.prefixes {
		holder := k.holders[prefix]
		queues = append(queues, queue{prefix, func(ctx sdk.Context, budget int) (int, error) { return holder.Sweep(ctx, budget), nil }})
	}
	// Who comes first changes, so that none starves on a budget smaller than their number.
	first := int(ctx.BlockHeight() % int64(len(queues)))
	settled := k.share(ctx, slices.Concat(queues[first:], queues[:first]), int(params.MaxSettlementsPerBlock))
	k.observe(ctx, settled)
}

// share lets queues settle in equal shares. What some leave is shared by those that have more work. It returns how many
// pieces were settled.
func (k *Keeper) share(ctx sdk.Context, queues []queue, budget int) (settled int) {
	for left := budget; left > 0 && len(queues) > 0; left = budget - settled {
		var busy []queue
		for i, q := range queues {
			others := len(queues) - i
			part := (budget - settled + others - 1) / others
			if part <= 0 {
				break
			}
			pieces := 0
			err := isolate.Try(ctx, func(ctx sdk.Context) (err error) {
				pieces, err = q.settle(ctx, part)
				return err
			})
			if err != nil {
				k.logger(ctx).Error("end of block", "queue", q.name, "error", err)
				continue
			}
			settled += pieces
			if pieces >= part {
				busy = append(busy, q)
			}
		}
		queues = busy
	}
	return settled
}

// settleMatured settles users with unbondings that have completed.
func (k *Keeper) settleMatured(ctx sdk.Context, budget int) (pieces int, err error) {
	due := collections.NewPrefixUntilPairRange[time.Time, sdk.AccAddress](ctx.BlockTime())
	return settleDue(ctx, k, k.Maturities, due, budget)
}

// settlePending settles users whose settle failed a while ago, who have a debt, or who were slashed alone.
func (k *Keeper) settlePending(ctx sdk.Context, budget int) (pieces int, err error) {
	due := collections.NewPrefixUntilPairRange[int64, sdk.AccAddress](ctx.BlockHeight())
	return settleDue(ctx, k, k.Pending, due, budget)
}

// settleDue settles the first users of a queue, and takes them off it.
func settleDue[K any](ctx sdk.Context, k *Keeper, set collections.KeySet[collections.Pair[K, sdk.AccAddress]], due collections.Ranger[collections.Pair[K, sdk.AccAddress]], budget int) (pieces int, err error) {
	keys, err := first(ctx, set, due, budget)
	if err != nil {
		return 0, err
	}
	for _, key := range keys {
		if pieces >= budget {
			break
		}
		// Taken off first: a settle that fails puts the user on again.
		if err := set.Remove(ctx, key); err != nil {
			return pieces, err
		}
		settled, _ := k.trySettle(ctx, key.K2())
		pieces += settled
	}
	return pieces, nil
}

// trySettle settles the user in isolation. A settle that fails leaves no trace but an event, and is tried again later. It
// returns how many pieces it went through, at least 1, and why it failed.
func (k *Keeper) trySettle(ctx sdk.Context, user sdk.AccAddress) (pieces int, failure error) {
	pieces = 1
	failure = isolate.WithGas(ctx, settleGas, func(ctx sdk.Context) error {
		l, err := k.settled(ctx, user)
		if err == nil {
			pieces = max(pieces, l.pieces)
		}
		return err
	})
	if failure == nil {
		return pieces, nil
	}
	telemetry.IncrCounter(1, types.ModuleName, "settle", "failures")
	if err := k.retry(ctx, user, failure); err != nil {
		k.logger(ctx).Error("a failed settle is not tried again", "user", user, "error", err)
	}
	return pieces, failure
}

// retry puts a user whose settle failed on the queue.
func (k *Keeper) retry(ctx sdk.Context, user sdk.AccAddress, failure error) error {
	name, err := k.addresses.BytesToString(user)
	if err != nil {
		return err
	}
	height := (ctx.BlockHeight()/retryInterval + 1) * retryInterval
	if err := k.Pending.Set(ctx, collections.Join(height, user)); err != nil {
		return err
	}
	return ctx.EventManager().EmitTypedEvent(&types.EventSettleFailed{User: name, Reason: failure.Error(), RetryHeight: height})
}

// observe reports what the sweep did, how many slashed validators are left for it, and what the vault is owed.
func (k *Keeper) observe(ctx sdk.Context, settled int) {
	telemetry.SetGauge(float32(settled), types.ModuleName, "sweep", "pieces")
	backlog := 0
	err := k.Sweeps.Walk(ctx, nil, func(sdk.ValAddress, types.SweepRecord) (bool, error) {
		backlog++
		return backlog >= paging.MaxLimit, nil
	})
	if err != nil {
		return
	}
	telemetry.SetGauge(float32(backlog), types.ModuleName, "sweep", "backlog")
	totals, err := k.Totals.Get(ctx)
	if err != nil {
		return
	}
	telemetry.SetGauge(float32(math.LegacyNewDecFromInt(totals.Owed()).MustFloat64()), types.ModuleName, "debts")
}
