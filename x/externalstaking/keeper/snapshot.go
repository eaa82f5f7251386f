package keeper

import (
	"context"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// A snapshot tells a consumer all totals anew: after its channel was opened again, when its total differs from what it
// accepted, and when it asks. It is sent once no batch is in flight, and nothing else is sent until it has arrived.

// wantSnapshot has a snapshot sent, not before the interval after the last one on this channel is over. The caller stores
// the outbox.
func (k *Keeper) wantSnapshot(ctx sdk.Context, consumerID uint64, outbox *types.OutboxState, reason string) error {
	if outbox.Snapshot != nil {
		return nil
	}
	outbox.Snapshot = &types.Snapshot{}
	if err := k.makeReady(ctx, consumerID); err != nil {
		return err
	}
	return emit(ctx, &types.EventSnapshotWanted{ConsumerID: consumerID, Reason: reason})
}

// resetRequested has a snapshot sent because the consumer asks for one.
func (k *Keeper) resetRequested(ctx sdk.Context, consumerID uint64) error {
	outbox, err := k.loadOutbox(ctx, consumerID)
	if err != nil {
		return err
	}
	if err := k.wantSnapshot(ctx, consumerID, &outbox, "asked for by the consumer"); err != nil {
		return err
	}
	return k.Outboxes.Set(ctx, consumerID, outbox)
}

// nextChunk fills the batch with the next chunk of a snapshot; ready is false if it has to wait.
func (k *Keeper) nextChunk(ctx sdk.Context, params types.Params, consumer types.Consumer, outbox *types.OutboxState, batch *types.Batch) (ready bool, err error) {
	snapshot := outbox.Snapshot
	if snapshot.Sent || snapshot.Refused {
		// Its chunks are in flight.
		return false, nil
	}
	if snapshot.NextChunk == 0 {
		inFlight, err := k.hasBatches(ctx, consumer.ID)
		if err != nil || inFlight {
			return false, err
		}
	}
	keys, more, err := k.poolsAfter(ctx, consumer.ID, snapshot.After)
	if err != nil {
		return false, err
	}
	room := packetRoom
	for _, key := range keys {
		size := entrySize(key.K2())
		if len(batch.Entries) == int(params.MaxEntriesPerPacket) || size > room {
			more = true
			break
		}
		if err := k.addToChunk(ctx, consumer, key, batch); err != nil {
			return false, err
		}
		room -= size
		snapshot.After = key.K2()
	}
	batch.Snapshot, batch.Last = true, !more
	snapshot.Sent = !more
	return true, nil
}

// poolsAfter lists pools of a consumer in order, at most maxScanPerChunk; more is true if there are others.
func (k *Keeper) poolsAfter(ctx context.Context, consumerID uint64, after string) (keys []validatorKey, more bool, err error) {
	from := new(collections.Range[validatorKey]).StartExclusive(collections.Join(consumerID, after))
	err = k.Pools.Walk(ctx, from, func(key validatorKey, _ types.Pool) (bool, error) {
		if key.K1() != consumerID {
			return true, nil
		}
		more = len(keys) == maxScanPerChunk
		if !more {
			keys = append(keys, key)
		}
		return more, nil
	})
	return keys, more, err
}

// addToChunk adds a validator's total to a chunk. One without anything of which the consumer has accepted nothing is not
// listed, which makes the consumer count nothing for it.
func (k *Keeper) addToChunk(ctx sdk.Context, consumer types.Consumer, key validatorKey, batch *types.Batch) error {
	if err := k.Dirty.Remove(ctx, key); err != nil {
		return err
	}
	pool, err := k.loadPool(ctx, key.K1(), key.K2())
	if err != nil {
		return err
	}
	v, err := k.loadValidator(ctx, key.K1(), key.K2())
	if err != nil {
		return err
	}
	total := pool.Bonded
	if v.Ended() || consumer.Retired {
		total = math.ZeroInt()
	}
	if total.IsZero() && pool.Synced.IsZero() {
		// Operations that wait are looked at when the snapshot has arrived.
		return k.markDirty(ctx, key.K1(), key.K2(), pool)
	}
	pool.BatchID = batch.ID
	batch.Entries = append(batch.Entries, control.StakeEntry{Validator: key.K2(), Stake: total})
	return k.savePool(ctx, key.K1(), key.K2(), pool)
}

// chunkEnded follows up the end of a chunk: one of an earlier channel means nothing, a refused one makes the snapshot start
// over, and with the last one accepted it has arrived. What it rejects is no validator of the consumer any more, so that
// its stake can leave without a packet.
func (k *Keeper) chunkEnded(ctx sdk.Context, consumer types.Consumer, batch types.Batch, result types.BatchResult, outbox *types.OutboxState) error {
	if outbox.Snapshot == nil || batch.ChannelID != consumer.ChannelID || result.Outcome == outcomeUndecided {
		return nil
	}
	if result.Refused != "" {
		outbox.Snapshot.Refused = true
	}
	if result.Ack != nil {
		if err := k.endRejected(ctx, consumer, batch, *result.Ack); err != nil {
			return err
		}
	}
	inFlight, err := k.hasBatches(ctx, consumer.ID)
	if err != nil || inFlight {
		return err
	}
	switch {
	case outbox.Snapshot.Refused:
		outbox.Snapshot = &types.Snapshot{}
		return nil
	case outbox.Snapshot.Sent:
		params, err := k.Params.Get(ctx)
		if err != nil {
			return err
		}
		outbox.SnapshotArrived(ctx.BlockHeight(), params.ResyncInterval)
		return emit(ctx, &types.EventSnapshotApplied{ConsumerID: consumer.ID})
	}
	return nil
}

// endRejected ends the validators whose total the consumer rejects in a snapshot: it says that they are tombstoned or gone.
func (k *Keeper) endRejected(ctx sdk.Context, consumer types.Consumer, batch types.Batch, ack control.StakeSyncAck) error {
	if len(ack.Rejected) == 0 {
		return nil
	}
	client, err := k.tendermintClient(ctx, consumer.ClientID)
	if err != nil {
		return err
	}
	sent := make(map[string]bool, len(batch.Entries))
	for _, entry := range batch.Entries {
		sent[entry.Validator] = true
	}
	for _, rejection := range ack.Rejected {
		if !sent[rejection.Validator] {
			continue
		}
		v, err := k.loadValidator(ctx, consumer.ID, rejection.Validator)
		if err != nil {
			return err
		}
		if !v.Known() || v.Ended() {
			continue
		}
		status := control.StatusRemoved
		if rejection.Reason == control.RejectTombstoned {
			status = control.StatusTombstoned
		}
		if err := k.endValidator(ctx, consumer.ID, v, status, client.LatestHeight); err != nil {
			return err
		}
	}
	return nil
}

// endValidator notes that a validator is tombstoned or removed, as learned otherwise than by a report of it.
func (k *Keeper) endValidator(ctx sdk.Context, consumerID uint64, v types.Validator, status control.ValidatorStatus, latest clienttypes.Height) error {
	return k.setValidator(ctx, consumerID, v, v.Apply(types.Report{
		Status: status, At: latest, Time: ctx.BlockTime(), Height: ctx.BlockHeight(), Round: v.SeenRound,
	}))
}
