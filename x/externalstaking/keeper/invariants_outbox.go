package keeper

import (
	"context"
	"errors"
	"time"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// InvariantE3 checks that the batches in flight are the packet commitments of the open channel, one to one; a sent
// operation belongs to exactly the batch that carries its validator; a validator is in one batch at most, and its total
// in it is what is committed and what the batch carries; queued operations have their place in the queue; what the
// consumer accepted adds up; a consumer that can be sent something is looked at, now or after a wait; no operation waits
// for ever.
func (k *Keeper) InvariantE3(ctx context.Context) error {
	if err := k.checkBatches(ctx); err != nil {
		return err
	}
	if err := k.checkOperations(ctx); err != nil {
		return err
	}
	if err := k.checkForced(ctx); err != nil {
		return err
	}
	if err := k.checkSynced(ctx); err != nil {
		return err
	}
	return k.checkReady(ctx)
}

func (k *Keeper) checkBatches(ctx context.Context) error {
	inFlight := make(map[uint64]map[uint64]bool)
	carried := make(map[string]uint64)
	err := k.Batches.Walk(ctx, nil, func(key batchKey, b types.Batch) (bool, error) {
		consumer, err := k.GetConsumer(ctx, key.K1())
		if err != nil {
			return true, err
		}
		if b.Result == nil && b.ChannelID == consumer.ChannelID {
			if inFlight[consumer.ID] == nil {
				inFlight[consumer.ID] = make(map[uint64]bool)
			}
			inFlight[consumer.ID][b.Sequence] = true
		}
		if err := k.checkFound(ctx, key, b); err != nil {
			return true, err
		}
		for _, entry := range b.Entries {
			carried[validatorName(key.K1(), entry.Validator)] = b.ID
			pool, err := k.loadPool(ctx, key.K1(), entry.Validator)
			if err != nil || pool.BatchID != b.ID {
				return true, errors.Join(err, breachf("validator %s is in batch %d, its pool says %d", entry.Validator, b.ID, pool.BatchID))
			}
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	err = k.Pools.Walk(ctx, nil, func(key validatorKey, pool types.Pool) (bool, error) {
		if pool.BatchID != carried[validatorName(key.K1(), key.K2())] {
			return true, breachf("pool of validator %s says it is in batch %d, which does not carry it", key.K2(), pool.BatchID)
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	sdkCtx := sdk.UnwrapSDKContext(ctx)
	return k.Consumers.Walk(ctx, nil, func(id uint64, c types.Consumer) (bool, error) {
		if c.Status != types.ConsumerOpen {
			return false, nil
		}
		commitments := k.channelKeeper.GetAllPacketCommitmentsAtChannel(sdkCtx, types.Port(id), c.ChannelID)
		if len(commitments) != len(inFlight[id]) {
			return true, breachf("consumer %d has %d batches in flight, its channel %d packets", id, len(inFlight[id]), len(commitments))
		}
		for _, commitment := range commitments {
			if !inFlight[id][commitment.Sequence] {
				return true, breachf("packet %d of consumer %d carries no batch", commitment.Sequence, id)
			}
		}
		return false, nil
	})
}

// checkFound checks that a batch in flight is found by its packet, and one that has ended by its turn to be booked.
func (k *Keeper) checkFound(ctx context.Context, key batchKey, b types.Batch) error {
	if b.Result != nil {
		waits, err := k.Unresolved.Has(ctx, collections.Join(b.Result.RetryHeight, key))
		if err != nil || !waits {
			return errors.Join(err, breachf("batch %d of consumer %d has ended and will never be booked", b.ID, key.K1()))
		}
		return nil
	}
	found, err := k.BatchBySequence.Get(ctx, collections.Join(b.ChannelID, b.Sequence))
	if err != nil || found.K1() != key.K1() || found.K2() != key.K2() {
		return errors.Join(err, breachf("batch %d of consumer %d is not found by its packet", b.ID, key.K1()))
	}
	return nil
}

// checkForced checks that every operation is looked at when it has become too old, by one place in the queue.
func (k *Keeper) checkForced(ctx context.Context) error {
	places := 0
	err := k.Positions.Walk(ctx, nil, func(key positionKey, p types.Position) (bool, error) {
		if p.ForcedAt == nil {
			if p.Queued() || p.Sent() {
				return true, breachf("position %s has operations that may wait for ever", positionName(key))
			}
			return false, nil
		}
		places++
		waits, err := k.ForcedQueue.Has(ctx, collections.Join(*p.ForcedAt, key))
		if err != nil || !waits {
			return true, errors.Join(err, breachf("position %s is not looked at when it says", positionName(key)))
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	err = k.ForcedQueue.Walk(ctx, nil, func(collections.Pair[time.Time, positionKey]) (bool, error) { places--; return false, nil })
	if err != nil || places != 0 {
		return errors.Join(err, breachf("the queue of operations that become too old differs from the positions by %d", places))
	}
	return nil
}

func (k *Keeper) checkOperations(ctx context.Context) error {
	queued, sent := 0, 0
	err := k.Positions.Walk(ctx, nil, func(key positionKey, p types.Position) (bool, error) {
		for _, op := range []*types.Operation{p.QueuedStake, p.QueuedUnstake, p.SentStake, p.SentUnstake} {
			if op != nil && !op.Amount.IsPositive() {
				return true, breachf("position %s has an operation of %s", positionName(key), op.Amount)
			}
		}
		if p.Queued() != (p.QueueSequence != 0) {
			return true, breachf("position %s has place %d in the queue", positionName(key), p.QueueSequence)
		}
		if p.Queued() {
			queued++
			user, err := k.Queue.Get(ctx, collections.Join3(key.K2(), key.K3(), p.QueueSequence))
			if err != nil || string(user) != string(key.K1()) {
				return true, errors.Join(err, breachf("position %s does not hold place %d", positionName(key), p.QueueSequence))
			}
		}
		if p.Sent() {
			sent++
			pool, err := k.loadPool(ctx, key.K2(), key.K3())
			if err != nil {
				return true, err
			}
			carried, err := k.SentOps.Has(ctx, collections.Join3(key.K2(), pool.BatchID, collections.Join(key.K3(), key.K1())))
			if err != nil {
				return true, err
			}
			kept, err := k.Outcomes.Has(ctx, key)
			if err != nil || carried == kept {
				return true, errors.Join(err, breachf("position %s has operations in flight: carried by batch %d: %t, ended: %t", positionName(key), pool.BatchID, carried, kept))
			}
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	err = k.Queue.Walk(ctx, nil, func(collections.Triple[uint64, string, uint64], []byte) (bool, error) { queued--; return false, nil })
	if err != nil {
		return err
	}
	err = k.SentOps.Walk(ctx, nil, func(sentKey) (bool, error) { sent--; return false, nil })
	if err != nil {
		return err
	}
	err = k.Outcomes.Walk(ctx, nil, func(positionKey, types.Outcome) (bool, error) { sent--; return false, nil })
	if err != nil {
		return err
	}
	if queued != 0 || sent != 0 {
		return breachf("the queue differs from the positions by %d, the operations in flight by %d", queued, sent)
	}
	return nil
}

func (k *Keeper) checkSynced(ctx context.Context) error {
	synced := make(map[uint64]math.Int)
	err := k.Pools.Walk(ctx, nil, func(key validatorKey, pool types.Pool) (bool, error) {
		if _, known := synced[key.K1()]; !known {
			synced[key.K1()] = math.ZeroInt()
		}
		synced[key.K1()] = synced[key.K1()].Add(pool.Synced)
		return false, nil
	})
	if err != nil {
		return err
	}
	return k.Outboxes.Walk(ctx, nil, func(id uint64, outbox types.OutboxState) (bool, error) {
		want, known := synced[id]
		if !known {
			want = math.ZeroInt()
		}
		if !outbox.Synced.Equal(want) {
			return true, breachf("consumer %d has accepted %s, its pools say %s", id, outbox.Synced, want)
		}
		return false, nil
	})
}

// checkReady finds consumers that would never be sent what is dirty.
func (k *Keeper) checkReady(ctx context.Context) error {
	waits := make(map[uint64]bool)
	err := k.WakeUps.Walk(ctx, nil, func(key collections.Pair[int64, uint64]) (bool, error) { waits[key.K2()] = true; return false, nil })
	if err != nil {
		return err
	}
	err = k.Outboxes.Walk(ctx, nil, func(id uint64, outbox types.OutboxState) (bool, error) {
		consumer, err := k.GetConsumer(ctx, id)
		if err != nil || outbox.Snapshot == nil || consumer.Status != types.ConsumerOpen || waits[id] {
			return err != nil, err
		}
		ready, err := k.Ready.Has(ctx, id)
		if err != nil || !ready {
			return true, errors.Join(err, breachf("consumer %d waits for a snapshot, nobody looks at it", id))
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	return k.Dirty.Walk(ctx, nil, func(key validatorKey) (bool, error) {
		consumer, err := k.GetConsumer(ctx, key.K1())
		if err != nil || consumer.Status != types.ConsumerOpen || waits[key.K1()] {
			return err != nil, err
		}
		ready, err := k.Ready.Has(ctx, key.K1())
		if err != nil || !ready {
			return true, errors.Join(err, breachf("validator %s of consumer %d is dirty, nobody looks at it", key.K2(), key.K1()))
		}
		return false, nil
	})
}
