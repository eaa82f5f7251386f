package keeper

import (
	"context"

	"cosmossdk.io/collections"
	storetypes "cosmossdk.io/store/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/internal/isolate"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

const (
	// resultRetry is after how many blocks it is tried again to book a batch whose booking failed.
	resultRetry = 100
	// bookGas bounds the work to book one operation or entry of a batch, far above what any needs. The batch counts, not the
	// params: those may have been lowered since it was sent.
	bookGas = 1_000_000
)

// keepResult keeps how a batch has ended, because it cannot be booked now; EndBlock tries again.
func (k *Keeper) keepResult(ctx sdk.Context, key batchKey, result types.BatchResult, cause error) {
	err := isolate.Try(ctx, func(ctx sdk.Context) error {
		batch, err := k.Batches.Get(ctx, key)
		if err != nil {
			return err
		}
		return k.setResult(ctx, key, batch, result, ctx.BlockHeight()+resultRetry)
	})
	if err != nil {
		k.Logger(ctx).Error("the end of a batch is lost", "consumer", key.K1(), "batch", key.K2(), "error", err)
	}
	k.emitOrLog(ctx, &types.EventBatchKept{ConsumerID: key.K1(), BatchID: key.K2(), Reason: shorten(cause.Error(), maxReasonBytes)})
}

// setResult has EndBlock book a batch from a height on. Its packet is of no interest any more.
func (k *Keeper) setResult(ctx context.Context, key batchKey, batch types.Batch, result types.BatchResult, height int64) error {
	if err := k.removeBatch(ctx, key, batch); err != nil {
		return err
	}
	result.RetryHeight = height
	batch.Result = &result
	if err := k.Unresolved.Set(ctx, collections.Join(height, key)); err != nil {
		return err
	}
	return k.Batches.Set(ctx, key, batch)
}

// resolveKept books the batches whose turn it is, about budget operations and entries of them: at least one batch.
func (k *Keeper) resolveKept(ctx sdk.Context, budget int) error {
	for budget > 0 {
		key, found, err := k.nextUnresolved(ctx)
		if err != nil || !found {
			return err
		}
		batch, err := k.Batches.Get(ctx, key)
		if err != nil {
			return err
		}
		users, err := k.sentUsers(ctx, key)
		if err != nil {
			return err
		}
		pieces := len(batch.Entries)
		for _, entry := range batch.Entries {
			pieces += len(users[entry.Validator])
		}
		err = isolate.WithGas(ctx, packetGas+storetypes.Gas(pieces)*bookGas, func(ctx sdk.Context) error {
			return k.resolveBatch(ctx, key, *batch.Result)
		})
		if err != nil {
			k.keepResult(ctx, key, *batch.Result, err)
		}
		budget -= max(pieces, 1)
	}
	return nil
}

// nextUnresolved finds the next batch that may be booked now.
func (k *Keeper) nextUnresolved(ctx sdk.Context) (key batchKey, found bool, err error) {
	err = k.Unresolved.Walk(ctx, nil, func(next collections.Pair[int64, batchKey]) (bool, error) {
		key, found = next.K2(), next.K1() <= ctx.BlockHeight()
		return true, nil
	})
	return key, found, err
}

// decideInFlight decides the batches whose answer was lost with their channel: the consumer has processed all up to
// lastProcessed and none after. EndBlock books them. What is unstaked with them carries the batch id of the snapshot that
// follows, since single entries may have been rejected.
func (k *Keeper) decideInFlight(ctx sdk.Context, consumerID, lastProcessed, snapshotID uint64) error {
	var batches []types.Batch
	err := k.Batches.Walk(ctx, collections.NewPrefixedPairRange[uint64, uint64](consumerID), func(_ batchKey, b types.Batch) (bool, error) {
		if b.Result == nil {
			batches = append(batches, b)
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	for _, b := range batches {
		result := types.BatchResult{Outcome: outcomeUndecided, BatchID: snapshotID}
		if b.ID > lastProcessed {
			result.Refused = "not processed when the channel closed"
		}
		if err := k.setResult(ctx, collections.Join(consumerID, b.ID), b, result, ctx.BlockHeight()); err != nil {
			return err
		}
	}
	return nil
}
