package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/converter/types"
)

// ApplyStakeSync counts what the provider says it stands behind: absolute totals in provider base units. Only an
// increase can be rejected, for a validator that is unknown or tombstoned here; its counted stake then stays. The batch
// ids of a provider rise, whatever channel they come by. sequence is the packet's.
func (k *Keeper) ApplyStakeSync(ctx sdk.Context, c types.Converter, sequence uint64, sync control.StakeSync) (control.StakeSyncAck, error) {
	if sync.BatchID <= c.LastBatchID {
		return control.StakeSyncAck{}, errorsmod.Wrapf(types.ErrBatchOrder, "batch %d; the last one is %d", sync.BatchID, c.LastBatchID)
	}
	rejected, err := k.applyEntries(ctx, &c, sequence, sync)
	if err != nil {
		return control.StakeSyncAck{}, err
	}
	if c.TotalStake.BigInt().BitLen() > control.MaxAmountBits {
		return control.StakeSyncAck{}, errorsmod.Wrapf(types.ErrStakeTotal, "batch %d would count %s; below 2^%d is possible", sync.BatchID, c.TotalStake, control.MaxAmountBits)
	}
	if err := k.Converters.Set(ctx, c.ID, c); err != nil {
		return control.StakeSyncAck{}, err
	}
	count("stake_syncs")
	err = emit(ctx, &types.EventStakeSynced{
		ConverterID: c.ID, BatchID: sync.BatchID, Entries: uint32(len(sync.Entries)), Rejected: uint32(len(rejected)),
		Total: c.TotalStake.String(),
	})
	return control.StakeSyncAck{Rejected: rejected, Height: clienttypes.GetSelfHeight(ctx), Total: c.TotalStake}, err
}

// applyEntries applies the entries or stages them, and moves the converter's total and last batch in c.
func (k *Keeper) applyEntries(ctx sdk.Context, c *types.Converter, sequence uint64, sync control.StakeSync) ([]control.Rejection, error) {
	if sync.Reset_ != nil {
		return k.stageChunk(ctx, c, sequence, sync)
	}
	// The provider carried on without finishing its snapshot.
	if err := k.dropSnapshot(ctx, c.ID); err != nil {
		return nil, err
	}
	var rejected []control.Rejection
	for _, e := range sync.Entries {
		counted, reason, err := k.judge(ctx, c.ID, e)
		if err != nil {
			return nil, err
		}
		if reason != control.RejectUnspecified {
			rejected = append(rejected, control.Rejection{Validator: e.Validator, Reason: reason})
			continue
		}
		if err := k.setStake(ctx, c.ID, e); err != nil {
			return nil, err
		}
		c.TotalStake = c.TotalStake.Sub(counted).Add(e.Stake)
	}
	c.LastBatchID = sync.BatchID
	return rejected, nil
}

// stageChunk stages one chunk of a snapshot; the last one replaces all counted stake by what is staged. Chunks follow
// each other in consecutive packets: one that does not is refused, and because the refusal of any packet in between
// breaks that sequence too, what was staged is as good as dropped although a refusal cannot write. Chunk 0 always starts
// over. Rejections are told in the acknowledgement of the chunk with the entry. The last batch moves with the last
// chunk only, so that a batch called processed is one that counts.
func (k *Keeper) stageChunk(ctx sdk.Context, c *types.Converter, sequence uint64, sync control.StakeSync) ([]control.Rejection, error) {
	var snapshot types.Snapshot
	if chunk := sync.Reset_.Chunk; chunk == 0 {
		if err := k.dropSnapshot(ctx, c.ID); err != nil {
			return nil, err
		}
	} else {
		var err error
		snapshot, err = k.Snapshots.Get(ctx, c.ID)
		if err != nil && !errors.Is(err, collections.ErrNotFound) {
			return nil, err
		}
		if snapshot.NextChunk != chunk || snapshot.NextSequence != sequence || sync.BatchID < snapshot.BatchID {
			return nil, errorsmod.Wrapf(types.ErrSnapshot, "chunk %d of batch %d in packet %d; expected is chunk 0, or chunk %d of batch %d or later in packet %d",
				chunk, sync.BatchID, sequence, snapshot.NextChunk, snapshot.BatchID, snapshot.NextSequence)
		}
	}
	snapshot.Entries += uint32(len(sync.Entries))
	if snapshot.Entries > types.MaxSnapshotEntries {
		return nil, errorsmod.Wrapf(types.ErrSnapshot, "%d entries; at most %d are possible", snapshot.Entries, types.MaxSnapshotEntries)
	}
	var rejected []control.Rejection
	for _, e := range sync.Entries {
		key := collections.Join(c.ID, e.Validator)
		twice, err := k.Staged.Has(ctx, key)
		if err != nil {
			return nil, err
		}
		if twice {
			return nil, errorsmod.Wrapf(types.ErrSnapshot, "validator %s is in two chunks", e.Validator)
		}
		counted, reason, err := k.judge(ctx, c.ID, e)
		if err != nil {
			return nil, err
		}
		stake := e.Stake
		if reason != control.RejectUnspecified {
			rejected = append(rejected, control.Rejection{Validator: e.Validator, Reason: reason})
			stake = counted
		}
		if stake.IsPositive() {
			if err := k.Staged.Set(ctx, key, stake); err != nil {
				return nil, err
			}
		}
	}
	if sync.Reset_.Last {
		c.LastBatchID = sync.BatchID
		return rejected, k.applySnapshot(ctx, c)
	}
	snapshot.NextChunk, snapshot.NextSequence, snapshot.BatchID = sync.Reset_.Chunk+1, sequence+1, sync.BatchID
	return rejected, k.Snapshots.Set(ctx, c.ID, snapshot)
}

// applySnapshot replaces all counted stake by what is staged. If the source's virtual stake was taken away because the
// provider was silent, its next epoch may bond again.
func (k *Keeper) applySnapshot(ctx sdk.Context, c *types.Converter) error {
	staged, err := k.entries(ctx, k.Staged, c.ID)
	if err != nil {
		return err
	}
	if err := k.Stake.Clear(ctx, collections.NewPrefixedPairRange[uint64, string](c.ID)); err != nil {
		return err
	}
	c.TotalStake = math.ZeroInt()
	for _, e := range staged {
		if err := k.setStake(ctx, c.ID, e); err != nil {
			return err
		}
		c.TotalStake = c.TotalStake.Add(e.Stake)
	}
	if err := k.dropSnapshot(ctx, c.ID); err != nil {
		return err
	}
	return k.virtualStaking.Heard(ctx, c.ID)
}

// judge returns what counts for the entry's validator now, and why the entry must be rejected, if it must.
func (k *Keeper) judge(ctx sdk.Context, id uint64, e control.StakeEntry) (math.Int, control.RejectReason, error) {
	counted, err := k.counted(ctx, id, e.Validator)
	if err != nil || e.Stake.LTE(counted) {
		return counted, control.RejectUnspecified, err
	}
	status, err := k.virtualStaking.ValidatorStatus(ctx, e.Validator)
	if err != nil {
		return math.Int{}, control.RejectUnspecified, err
	}
	reason := control.RejectUnspecified
	switch status {
	case control.StatusUnspecified, control.StatusRemoved:
		reason = control.RejectUnknownValidator
	case control.StatusTombstoned:
		reason = control.RejectTombstoned
	default:
		return counted, reason, nil
	}
	count("stake_rejected")
	return counted, reason, emit(ctx, &types.EventStakeRejected{ConverterID: id, Validator: e.Validator, Stake: e.Stake.String(), Reason: reason})
}

func (k *Keeper) counted(ctx context.Context, id uint64, validator string) (math.Int, error) {
	stake, err := k.Stake.Get(ctx, collections.Join(id, validator))
	if errors.Is(err, collections.ErrNotFound) {
		return math.ZeroInt(), nil
	}
	return stake, err
}

func (k *Keeper) setStake(ctx context.Context, id uint64, e control.StakeEntry) error {
	key := collections.Join(id, e.Validator)
	if e.Stake.IsZero() {
		return k.Stake.Remove(ctx, key)
	}
	return k.Stake.Set(ctx, key, e.Stake)
}

// entries lists a converter's part of a stake map, in rising order of the validators.
func (k *Keeper) entries(ctx context.Context, m collections.Map[collections.Pair[uint64, string], math.Int], id uint64) ([]control.StakeEntry, error) {
	var entries []control.StakeEntry
	err := m.Walk(ctx, collections.NewPrefixedPairRange[uint64, string](id), func(key collections.Pair[uint64, string], stake math.Int) (bool, error) {
		entries = append(entries, control.StakeEntry{Validator: key.K2(), Stake: stake})
		return false, nil
	})
	return entries, err
}
