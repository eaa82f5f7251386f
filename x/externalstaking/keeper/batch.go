package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/telemetry"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/internal/isolate"
	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// How a batch ends.
const (
	outcomeAccepted = "accepted"
	outcomeRefused  = "refused"
	outcomeTimedOut = "timed out"
	// outcomeUndecided: the answer was lost with its channel; the next one told whether the consumer has processed it.
	outcomeUndecided = "undecided"
)

// AckBatch ends a batch the consumer has processed. A channel's acknowledgement must never fail, so neither does this:
// whatever cannot be done is an event.
func (k *Keeper) AckBatch(ctx sdk.Context, channelID string, sequence uint64, ack control.StakeSyncAck) {
	k.endBatch(ctx, channelID, sequence, types.BatchResult{Outcome: outcomeAccepted, Ack: &ack})
}

// RefuseBatch ends a batch the consumer answered with an error, or with something this protocol does not know: nothing
// of it counts there.
func (k *Keeper) RefuseBatch(ctx sdk.Context, channelID string, sequence uint64, reason string) {
	k.endBatch(ctx, channelID, sequence, types.BatchResult{Outcome: outcomeRefused, Refused: reason})
}

// TimeoutBatch ends a batch that is proven never to have been received.
func (k *Keeper) TimeoutBatch(ctx sdk.Context, channelID string, sequence uint64) {
	k.endBatch(ctx, channelID, sequence, types.BatchResult{Outcome: outcomeTimedOut, Refused: outcomeTimedOut})
}

func (k *Keeper) endBatch(ctx sdk.Context, channelID string, sequence uint64, result types.BatchResult) {
	key, err := k.BatchBySequence.Get(ctx, collections.Join(channelID, sequence))
	if errors.Is(err, collections.ErrNotFound) {
		k.Logger(ctx).Info("no batch in flight for this packet", "channel", channelID, "sequence", sequence, "outcome", result.Outcome)
		return
	}
	if err == nil {
		err = isolate.Try(ctx, func(ctx sdk.Context) error { return k.resolveBatch(ctx, key, result) })
	}
	if err != nil {
		// The channel will not say it again.
		k.keepResult(ctx, key, result, err)
	}
}

// resolveBatch books how a batch has ended.
func (k *Keeper) resolveBatch(ctx sdk.Context, key batchKey, result types.BatchResult) error {
	batch, err := k.Batches.Get(ctx, key)
	if err != nil {
		return err
	}
	consumer, err := k.GetConsumer(ctx, key.K1())
	if err != nil {
		return err
	}
	outbox, err := k.loadOutbox(ctx, key.K1())
	if err != nil {
		return err
	}
	if err := k.removeBatch(ctx, key, batch); err != nil {
		return err
	}
	rejected := k.rejections(ctx, batch, consumer.ID, result.Ack)
	users, err := k.sentUsers(ctx, key)
	if err != nil {
		return err
	}
	unsettled := k.settleUsers(ctx, batch, users)
	for _, entry := range batch.Entries {
		r, err := k.newResolution(ctx, consumer, entry.Validator)
		if err != nil {
			return err
		}
		r.batchID, r.entryBatchID, r.refused = batch.ID, batch.ID, result.Refused
		if result.BatchID != 0 {
			r.entryBatchID = result.BatchID
		}
		if reason, ok := rejected[entry.Validator]; ok && !batch.Snapshot {
			// In a snapshot it ends the validator instead; what counts for that is at most what was sent.
			r.refused = reason
		}
		if err := k.resolveEntry(ctx, r, entry, users[entry.Validator], unsettled, &outbox); err != nil {
			return err
		}
	}
	switch {
	case result.Outcome == outcomeUndecided:
		// It says nothing about the channel that is open now.
	case result.Refused != "" || len(rejected) > 0:
		outbox.BackOff(ctx.BlockHeight())
	default:
		outbox.Failures, outbox.RetryHeight = 0, 0
	}
	if batch.Snapshot {
		if err := k.chunkEnded(ctx, consumer, batch, result, &outbox); err != nil {
			return err
		}
	}
	if result.Ack != nil && len(rejected) == 0 {
		if err := k.detectDrift(ctx, consumer.ID, &outbox, result.Ack.Total); err != nil {
			return err
		}
	}
	if err := k.Outboxes.Set(ctx, consumer.ID, outbox); err != nil {
		return err
	}
	if err := k.makeReady(ctx, consumer.ID); err != nil {
		return err
	}
	if err := k.lookAtRetirement(ctx, consumer.ID); err != nil {
		return err
	}
	telemetry.IncrCounter(1, types.ModuleName, "batches", "resolved")
	return emit(ctx, &types.EventBatchResolved{
		ConsumerID: consumer.ID, BatchID: batch.ID, Outcome: result.Outcome, Rejected: uint32(len(rejected)),
	})
}

// removeBatch deletes a batch with its places in the indexes.
func (k *Keeper) removeBatch(ctx context.Context, key batchKey, batch types.Batch) error {
	if err := k.Batches.Remove(ctx, key); err != nil {
		return err
	}
	if batch.Result != nil {
		return k.Unresolved.Remove(ctx, collections.Join(batch.Result.RetryHeight, key))
	}
	return k.BatchBySequence.Remove(ctx, collections.Join(batch.ChannelID, batch.Sequence))
}

// rejections maps the validators whose entry was not applied to the reason. A name that was not sent is reported and
// ignored.
func (k *Keeper) rejections(ctx sdk.Context, batch types.Batch, consumerID uint64, ack *control.StakeSyncAck) map[string]string {
	if ack == nil || len(ack.Rejected) == 0 {
		return nil
	}
	sent := make(map[string]bool, len(batch.Entries))
	for _, entry := range batch.Entries {
		sent[entry.Validator] = true
	}
	rejected := make(map[string]string)
	for _, r := range ack.Rejected {
		if !sent[r.Validator] {
			k.reportSkipped(ctx, consumerID, r.Validator, "rejected but not in the batch")
			continue
		}
		rejected[r.Validator] = "rejected: " + r.Reason.String()
	}
	return rejected
}

// sentUsers lists the users with operations in a batch, by validator.
func (k *Keeper) sentUsers(ctx sdk.Context, key batchKey) (map[string][]sdk.AccAddress, error) {
	users := make(map[string][]sdk.AccAddress)
	err := k.SentOps.Walk(ctx, collections.NewSuperPrefixedTripleRange[uint64, uint64, collections.Pair[string, sdk.AccAddress]](key.K1(), key.K2()),
		func(sent sentKey) (bool, error) {
			validator := sent.K3().K1()
			users[validator] = append(users[validator], sent.K3().K2())
			return false, nil
		})
	return users, err
}

// settleUsers settles every user with operations in a batch, and returns for whom that failed.
func (k *Keeper) settleUsers(ctx sdk.Context, batch types.Batch, users map[string][]sdk.AccAddress) map[string]error {
	failed := make(map[string]error)
	for _, entry := range batch.Entries {
		for _, user := range users[entry.Validator] {
			if _, done := failed[string(user)]; done {
				continue
			}
			_, failed[string(user)] = k.vault.TrySettle(ctx, user)
		}
	}
	return failed
}

// resolveEntry ends one validator's entry of a batch with all operations it carried. unsettled holds an error for each
// user who could not be settled.
func (k *Keeper) resolveEntry(
	ctx sdk.Context, r resolution, entry control.StakeEntry, users []sdk.AccAddress, unsettled map[string]error, outbox *types.OutboxState,
) error {
	pool, err := k.loadPool(ctx, r.consumer.ID, entry.Validator)
	if err != nil {
		return err
	}
	for _, user := range users {
		key, resolved := collections.Join3(user, r.consumer.ID, entry.Validator), pool
		err := unsettled[string(user)]
		if err == nil {
			err = isolate.Try(ctx, func(ctx sdk.Context) error { return k.resolveSent(ctx, r, key, &resolved) })
		}
		if err == nil {
			pool = resolved
			continue
		}
		// One user's odd state never stops another's.
		err = isolate.Try(ctx, func(ctx sdk.Context) error { return k.keepOutcome(ctx, r, key, err) })
		if err != nil {
			return err
		}
	}
	if r.refused == "" {
		outbox.Synced = outbox.Synced.Add(entry.Stake).Sub(pool.Synced)
		pool.Synced = entry.Stake
	}
	pool.BatchID = 0
	return k.saveResolved(ctx, r.consumer.ID, entry.Validator, pool)
}

// resolveSent ends the operations of a position that are in flight.
func (k *Keeper) resolveSent(ctx sdk.Context, r resolution, key positionKey, pool *types.Pool) error {
	position, _, err := k.loadPosition(ctx, key)
	if err != nil || !position.Sent() {
		// Nothing is left of them, maybe not even the position: the collateral behind them is gone.
		return err
	}
	stake, unstake := position.SentStake, position.SentUnstake
	position.SentStake, position.SentUnstake = nil, nil
	if err := k.SentOps.Remove(ctx, collections.Join3(key.K2(), r.batchID, collections.Join(key.K3(), key.K1()))); err != nil {
		return err
	}
	return k.resolve(ctx, r, key, position, pool, stake, unstake)
}

// detectDrift compares the consumer's total with the sum of what it accepted, and asks for a snapshot if they differ. That
// is only possible while nothing is in flight and no snapshot is under way.
func (k *Keeper) detectDrift(ctx sdk.Context, consumerID uint64, outbox *types.OutboxState, reported math.Int) error {
	inFlight, err := k.hasBatches(ctx, consumerID)
	if err != nil || inFlight || outbox.Snapshot != nil {
		return err
	}
	if outbox.Synced.Equal(reported) {
		if outbox.Resyncs == 0 {
			return nil
		}
		params, err := k.Params.Get(ctx)
		outbox.Agreed(ctx.BlockHeight(), params.ResyncInterval)
		return err
	}
	telemetry.IncrCounter(1, types.ModuleName, "drift")
	if err := emit(ctx, &types.EventDriftDetected{ConsumerID: consumerID, Expected: outbox.Synced.String(), Reported: reported.String()}); err != nil {
		return err
	}
	return k.wantSnapshot(ctx, consumerID, outbox, "totals differ")
}

// hasBatches is true if a batch of the consumer has not been booked yet.
func (k *Keeper) hasBatches(ctx context.Context, consumerID uint64) (bool, error) {
	found := false
	err := k.Batches.Walk(ctx, collections.NewPrefixedPairRange[uint64, uint64](consumerID), func(batchKey, types.Batch) (bool, error) {
		found = true
		return true, nil
	})
	return found, err
}
