package keeper

import (
	"context"
	"time"

	"cosmossdk.io/collections"
	"github.com/cosmos/cosmos-sdk/telemetry"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/internal/isolate"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

const (
	// forceGas bounds the work to end one position's operations.
	forceGas = 10_000_000
	// forceRetry is how long a position waits whose operations could not be ended, so that it cannot hold up the others.
	forceRetry = time.Hour
	// tooOld and retired are why stakes roll back without the consumer's answer.
	tooOld  = "not sent in time"
	retired = "consumer is retired"
)

// forceAt makes EndBlock look at the position's operations at a time; the caller writes the position.
func (k *Keeper) forceAt(ctx context.Context, key positionKey, position *types.Position, at time.Time) error {
	if err := k.unforce(ctx, key, position); err != nil {
		return err
	}
	at = at.UTC()
	position.ForcedAt = &at
	return k.ForcedQueue.Set(ctx, collections.Join(at, key))
}

// unforce takes the position off the queue; the caller writes the position.
func (k *Keeper) unforce(ctx context.Context, key positionKey, position *types.Position) error {
	if position.ForcedAt == nil {
		return nil
	}
	at := *position.ForcedAt
	position.ForcedAt = nil
	return k.ForcedQueue.Remove(ctx, collections.Join(at, key))
}

// forceDelay is how old an operation on the consumer becomes at most.
func (k *Keeper) forceDelay(ctx context.Context, consumer types.Consumer) (time.Duration, error) {
	params, err := k.Params.Get(ctx)
	return params.ForceDelay(consumer), err
}

// forceDue ends the operations that have waited too long for the consumer, at most about budget positions, and returns
// what is left of the budget. Whatever a consumer or a relayer does, nobody's collateral waits longer than this.
func (k *Keeper) forceDue(ctx sdk.Context, budget int) (int, error) {
	var due []positionKey
	err := k.ForcedQueue.Walk(ctx, nil, func(next collections.Pair[time.Time, positionKey]) (bool, error) {
		if len(due) >= budget || next.K1().After(ctx.BlockTime()) {
			return true, nil
		}
		due = append(due, next.K2())
		return false, nil
	})
	if err != nil {
		return budget, err
	}
	for _, key := range due {
		if budget <= 0 {
			break
		}
		pieces, err := k.tryForce(ctx, key)
		if err != nil {
			return budget, err
		}
		budget -= max(pieces, 1)
	}
	return budget, nil
}

// tryForce settles the user and ends what is due of a position. If that fails it waits.
func (k *Keeper) tryForce(ctx sdk.Context, key positionKey) (pieces int, err error) {
	pieces, err = k.vault.TrySettle(ctx, key.K1())
	if err == nil {
		err = isolate.WithGas(ctx, forceGas, func(ctx sdk.Context) error { return k.force(ctx, key) })
	}
	if err == nil {
		return pieces, nil
	}
	k.reportSkipped(ctx, key.K2(), key.K3(), "operations of "+key.K1().String()+": "+err.Error())
	return pieces, k.postponeForce(ctx, key)
}

// postponeForce has the position looked at again later; it may have gone with the end of another of its user's.
func (k *Keeper) postponeForce(ctx sdk.Context, key positionKey) error {
	position, isNew, err := k.loadPosition(ctx, key)
	if err != nil || isNew {
		return err
	}
	if err := k.forceAt(ctx, key, &position, ctx.BlockTime().Add(forceRetry)); err != nil {
		return err
	}
	return k.Positions.Set(ctx, key, position)
}

// force ends what is too old of a position's operations, or on a retired consumer all of its stake, in the direction that
// is safe for the consumer: what was sent counts as accepted, what was not sent rolls back, and what leaves becomes an
// unbonding entry without a batch, which a slash reaches whatever its height. A batch in flight ends later without them. An
// answer that was kept counts, and is booked first.
func (k *Keeper) force(ctx sdk.Context, key positionKey) error {
	if err := k.bookOutcome(ctx, key); err != nil {
		return err
	}
	position, isNew, err := k.loadPosition(ctx, key)
	if err != nil || isNew {
		// The settle has left nothing of it.
		return err
	}
	consumer, err := k.GetConsumer(ctx, key.K2())
	if err != nil {
		return err
	}
	delay, err := k.forceDelay(ctx, consumer)
	if err != nil {
		return err
	}
	r, err := k.newResolution(ctx, consumer, key.K3())
	if err != nil {
		return err
	}
	if err := k.unforce(ctx, key, &position); err != nil {
		return err
	}
	take := func(op **types.Operation) *types.Operation {
		taken := *op
		if taken == nil || !consumer.Retired && taken.RequestedAt.Add(delay).After(ctx.BlockTime()) {
			return nil
		}
		*op = nil
		return taken
	}
	forced := false
	end := func(r resolution, stake, unstake *types.Operation) error {
		if stake == nil && unstake == nil {
			return nil
		}
		forced = true
		position, err = k.endForced(ctx, r, key, position, stake, unstake)
		return err
	}

	refused := r
	refused.refused = tooOld
	if consumer.Retired {
		refused.refused = retired
	}
	if err := end(refused, take(&position.QueuedStake), nil); err != nil {
		return err
	}
	stake, unstake := take(&position.SentStake), take(&position.SentUnstake)
	if queued := take(&position.QueuedUnstake); queued != nil {
		unstake = unstake.Merge(*queued)
	}
	if err := end(r, stake, unstake); err != nil {
		return err
	}
	if left := position.Unstakeable(); consumer.Retired && left.IsPositive() {
		op := types.NewOperation(left, ctx.BlockTime())
		if err := end(r, nil, &op); err != nil {
			return err
		}
	}
	if err := k.forceLater(ctx, key, position, delay, forced); err != nil || !forced {
		return err
	}
	telemetry.IncrCounter(1, types.ModuleName, "forced")
	user, err := k.accountKeeper.AddressCodec().BytesToString(key.K1())
	if err != nil {
		return err
	}
	return emit(ctx, &types.EventOperationForced{User: user, ConsumerID: key.K2(), Validator: key.K3()})
}

// endForced ends operations that were taken out of the position, and returns what the position has become.
func (k *Keeper) endForced(
	ctx sdk.Context, r resolution, key positionKey, position types.Position, stake, unstake *types.Operation,
) (types.Position, error) {
	pool, err := k.loadPool(ctx, key.K2(), key.K3())
	if err != nil {
		return position, err
	}
	if !position.Queued() && position.QueueSequence != 0 {
		if err := k.dequeue(ctx, key, &position); err != nil {
			return position, err
		}
	}
	if !position.Sent() {
		if err := k.forgetSent(ctx, key, pool); err != nil {
			return position, err
		}
	}
	if err := k.resolve(ctx, r, key, position, &pool, stake, unstake); err != nil {
		return position, err
	}
	if err := k.saveResolved(ctx, key.K2(), key.K3(), pool); err != nil {
		return position, err
	}
	position, _, err = k.loadPosition(ctx, key)
	return position, err
}

// forceLater makes EndBlock look again at the operations that are left, once the earliest of them is due. saved is true if
// the position was written since it left the queue.
func (k *Keeper) forceLater(ctx sdk.Context, key positionKey, position types.Position, delay time.Duration, saved bool) error {
	earliest := position.EarliestRequest()
	if earliest == nil && saved {
		return nil
	}
	if earliest == nil {
		return k.Positions.Set(ctx, key, position)
	}
	if err := k.forceAt(ctx, key, &position, earliest.Add(delay)); err != nil {
		return err
	}
	return k.Positions.Set(ctx, key, position)
}
