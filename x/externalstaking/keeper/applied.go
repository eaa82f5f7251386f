package keeper

import (
	"fmt"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// appliedPruneLimit bounds how many old records one report removes; a report adds one at most.
const appliedPruneLimit = 5

// recordApplied keeps that all batches up to applied.BatchID are reflected in the consumer's voting power, and the last
// height at which what they removed could still sign. Records only move forward. One that claims a batch that was never
// sent or a height nobody can know yet is skipped with an event: it would date unbonding stake before its time.
func (k *Keeper) recordApplied(ctx sdk.Context, consumer types.Consumer, latest clienttypes.Height, applied control.Applied) error {
	outbox, err := k.Outboxes.Get(ctx, consumer.ID)
	if err != nil {
		return err
	}
	last, found, err := k.lastApplied(ctx, consumer.ID)
	if err != nil {
		return err
	}
	reason := ""
	switch {
	case applied.BatchID > outbox.LastBatchID:
		reason = fmt.Sprintf("batch %d was never sent, the last one is %d", applied.BatchID, outbox.LastBatchID)
	case applied.Height.GT(latest):
		reason = fmt.Sprintf("height %s is above the light client's %s", applied.Height, latest)
	case found && applied.BatchID <= last.Applied.BatchID:
		reason = fmt.Sprintf("batch %d after batch %d", applied.BatchID, last.Applied.BatchID)
	case found && applied.Height.LT(last.Applied.Height):
		reason = fmt.Sprintf("height %s after height %s", applied.Height, last.Applied.Height)
	}
	if reason != "" {
		k.reportSkipped(ctx, consumer.ID, "", "applied: "+reason)
		return nil
	}
	if err := k.pruneApplied(ctx, consumer); err != nil {
		return err
	}
	return k.AppliedRecords.Set(ctx, collections.Join(consumer.ID, applied.BatchID), types.AppliedRecord{Applied: applied, ReceivedAt: ctx.BlockTime().UTC()})
}

func (k *Keeper) lastApplied(ctx sdk.Context, consumerID uint64) (types.AppliedRecord, bool, error) {
	iter, err := k.AppliedRecords.Iterate(ctx, collections.NewPrefixedPairRange[uint64, uint64](consumerID).Descending())
	if err != nil {
		return types.AppliedRecord{}, false, err
	}
	defer iter.Close()
	if !iter.Valid() {
		return types.AppliedRecord{}, false, nil
	}
	record, err := iter.Value()
	return record, err == nil, err
}

// pruneApplied forgets the oldest records that are older than one unbonding period: every entry they could speak for
// has been released. The last one stays, since it is what keeps the records monotone.
func (k *Keeper) pruneApplied(ctx sdk.Context, consumer types.Consumer) error {
	var old []batchKey
	err := k.AppliedRecords.Walk(ctx, collections.NewPrefixedPairRange[uint64, uint64](consumer.ID), func(key batchKey, record types.AppliedRecord) (bool, error) {
		if len(old) > appliedPruneLimit || !record.ReceivedAt.Add(consumer.UnbondingPeriod).Before(ctx.BlockTime()) {
			return true, nil
		}
		old = append(old, key)
		return false, nil
	})
	if err != nil {
		return err
	}
	for _, key := range old[:max(len(old)-1, 0)] {
		if err := k.AppliedRecords.Remove(ctx, key); err != nil {
			return err
		}
	}
	return nil
}
