package keeper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"
	"github.com/cosmos/cosmos-sdk/telemetry"
	sdk "github.com/cosmos/cosmos-sdk/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"

	"github.com/mesh-security/mesh/internal/isolate"
	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

const (
	// evictionLookahead bounds how many candidates are looked at to make room for one validator.
	evictionLookahead = 20
	// evictionForgets bounds how many records of a candidate's former unstakes are forgotten at once; with more it makes room
	// at a later attempt.
	evictionForgets = 100
)

// receiveValidatorSync applies a validator report: the raised unbonding period, each validator, what was applied on
// the consumer, and after the last chunk of a full report the removal of every validator it did not name. At last come
// the entries again whose key was another validator's, which may have given it up in this packet.
func (k *Keeper) receiveValidatorSync(ctx sdk.Context, consumer types.Consumer, sync control.ValidatorSync) error {
	client, err := k.tendermintClient(ctx, consumer.ClientID)
	if err != nil {
		return err
	}
	latest := client.LatestHeight
	if sync.Height.GT(latest) {
		return errorsmod.Wrapf(types.ErrFutureHeight, "report of %s, light client %s is at %s", sync.Height, consumer.ClientID, latest)
	}
	state, err := k.beginReport(ctx, consumer.ID, sync.Reset_)
	if err != nil {
		return err
	}
	if err := k.raiseUnbondingPeriod(ctx, consumer, sync.UnbondingPeriod); err != nil {
		return err
	}
	waiting := k.reportValidators(ctx, consumer.ID, state.Round, latest, sync.Validators)
	if sync.Applied != nil {
		if err := k.recordApplied(ctx, consumer, latest, *sync.Applied); err != nil {
			return err
		}
	}
	if sync.NeedReset {
		if err := k.resetRequested(ctx, consumer.ID); err != nil {
			return err
		}
	}
	if sync.Reset_ != nil && sync.Reset_.Last {
		if err := k.removeUnseen(ctx, consumer.ID, state.Round, latest); err != nil {
			return err
		}
	}
	for _, update := range waiting {
		if err := k.tryReport(ctx, consumer.ID, state.Round, latest, update); err != nil {
			k.reportSkipped(ctx, consumer.ID, update.Validator, "report: "+err.Error())
		}
	}
	telemetry.IncrCounter(1, types.ModuleName, "validator_syncs")
	return nil
}

// reportValidators applies the entries of a report one by one. It returns those whose key another validator still has:
// the rest of the packet may free it. Any other entry that cannot be applied is skipped with an event.
func (k *Keeper) reportValidators(
	ctx sdk.Context, consumerID, round uint64, latest clienttypes.Height, updates []control.ValidatorUpdate,
) (waiting []control.ValidatorUpdate) {
	named := make(map[string]struct{}, len(updates))
	for _, update := range updates {
		if _, again := named[update.Validator]; again {
			k.reportSkipped(ctx, consumerID, update.Validator, "report: named twice in one packet")
			continue
		}
		named[update.Validator] = struct{}{}
		err := k.tryReport(ctx, consumerID, round, latest, update)
		if err == nil {
			continue
		}
		if errors.Is(err, types.ErrKeyTaken) {
			waiting = append(waiting, update)
		} else {
			k.reportSkipped(ctx, consumerID, update.Validator, "report: "+err.Error())
		}
		if err := isolate.Try(ctx, func(ctx sdk.Context) error { return k.markSeen(ctx, consumerID, round, update.Validator) }); err != nil {
			k.reportSkipped(ctx, consumerID, update.Validator, "report: "+err.Error())
		}
	}
	return waiting
}

func (k *Keeper) tryReport(ctx sdk.Context, consumerID, round uint64, latest clienttypes.Height, update control.ValidatorUpdate) error {
	return isolate.Try(ctx, func(ctx sdk.Context) error { return k.reportValidator(ctx, consumerID, round, latest, update) })
}

// markSeen notes that a report named a validator although the entry could not be applied: it exists, so the end of a
// full report must not remove it.
func (k *Keeper) markSeen(ctx context.Context, consumerID, round uint64, operator string) error {
	v, err := k.Validators.Get(ctx, collections.Join(consumerID, operator))
	if errors.Is(err, collections.ErrNotFound) {
		return nil
	}
	if err != nil || v.SeenRound == round {
		return err
	}
	v.SeenRound = round
	return k.Validators.Set(ctx, collections.Join(consumerID, operator), v)
}

// beginReport moves the full report on by one chunk. Chunk 0 always starts a new round; any other chunk than the
// expected one is refused, and since a round that is not completed removes nothing, it leaves no trace. A plain report
// (reset nil) changes nothing.
func (k *Keeper) beginReport(ctx context.Context, consumerID uint64, reset *control.Reset) (types.SyncState, error) {
	state, err := k.syncState(ctx, consumerID)
	if err != nil || reset == nil {
		return state, err
	}
	switch {
	case reset.Chunk == 0:
		state.Round++
	case reset.Chunk != state.NextChunk:
		return state, errorsmod.Wrapf(types.ErrChunkOutOfSequence, "chunk %d came, %d is expected; start again with 0", reset.Chunk, state.NextChunk)
	}
	state.NextChunk = reset.Chunk + 1
	if reset.Last {
		state.NextChunk, state.Complete = 0, true
	}
	return state, k.Syncs.Set(ctx, consumerID, state)
}

// restartSync forgets the chunks of an unfinished report: a channel starts with a full one.
func (k *Keeper) restartSync(ctx context.Context, consumerID uint64) error {
	state, err := k.syncState(ctx, consumerID)
	if err != nil {
		return err
	}
	state.NextChunk, state.Complete = 0, false
	return k.Syncs.Set(ctx, consumerID, state)
}

// syncState is set when a consumer is registered.
func (k *Keeper) syncState(ctx context.Context, consumerID uint64) (types.SyncState, error) {
	return k.Syncs.Get(ctx, consumerID)
}

// raiseUnbondingPeriod follows the consumer's own unbonding period upwards, for entries made from now on. A retired consumer
// has no say any more in when its stakers are free.
func (k *Keeper) raiseUnbondingPeriod(ctx sdk.Context, consumer types.Consumer, period time.Duration) error {
	if period <= consumer.UnbondingPeriod || consumer.Retired {
		return nil
	}
	if err := types.ValidateUnbondingPeriod(period); err != nil {
		k.reportSkipped(ctx, consumer.ID, "", "unbonding period: "+err.Error())
		return nil
	}
	consumer.UnbondingPeriod = period
	return k.updateConsumer(ctx, consumer)
}

// GetValidator returns a consumer validator, or ErrUnknownValidator.
func (k *Keeper) GetValidator(ctx context.Context, consumerID uint64, operator string) (types.Validator, error) {
	validator, err := k.Validators.Get(ctx, collections.Join(consumerID, operator))
	if errors.Is(err, collections.ErrNotFound) {
		return types.Validator{}, errorsmod.Wrapf(types.ErrUnknownValidator, "%q of consumer %d; the query validators lists the known ones", operator, consumerID)
	}
	return validator, err
}

// reportValidator applies one entry of a report. A removed validator that nobody knows leaves no trace.
func (k *Keeper) reportValidator(ctx sdk.Context, consumerID, round uint64, latest clienttypes.Height, update control.ValidatorUpdate) error {
	if err := update.Validate(); err != nil {
		return err
	}
	before, err := k.Validators.Get(ctx, collections.Join(consumerID, update.Validator))
	known := err == nil
	switch {
	case errors.Is(err, collections.ErrNotFound):
		if update.Status == control.StatusRemoved {
			return nil
		}
		before = types.NewValidator(update.Validator)
	case err != nil:
		return err
	}
	report := types.Report{
		Status: update.Status, Key: update.ConsPubkey,
		At: latest, Time: ctx.BlockTime(), Height: ctx.BlockHeight(), Round: round,
	}
	if before.ConsidersKey(report) {
		if report.Acquire, err = k.keyAvailable(ctx, consumerID, update.Validator, update.ConsPubkey, latest); err != nil {
			return err
		}
	}
	if report.HasPieces, err = k.hasPieces(ctx, consumerID, update.Validator); err != nil {
		return err
	}
	if !known {
		if room, err := k.makeRoom(ctx, consumerID, update.Validator); err != nil || !room {
			return err
		}
	}
	if before.Status == control.StatusTombstoned && update.Status != control.StatusTombstoned {
		k.reportSkipped(ctx, consumerID, update.Validator, fmt.Sprintf("report: %s, but it is tombstoned for ever", update.Status))
	}
	return k.setValidator(ctx, consumerID, before, before.Apply(report))
}

// setValidator replaces before by next with everything that follows from it: counts, indexes, key owners, what its
// stake has to do, and the event.
func (k *Keeper) setValidator(ctx sdk.Context, consumerID uint64, before, next types.Validator) error {
	if err := k.Validators.Set(ctx, collections.Join(consumerID, next.Address), next); err != nil {
		return err
	}
	if !before.Known() {
		if err := k.countValidators(ctx, consumerID, 1); err != nil {
			return err
		}
	}
	if !before.Changed(next) {
		return nil
	}
	for _, key := range next.Keys[len(before.Keys):] {
		if err := k.KeyOwners.Set(ctx, collections.Join(consumerID, ownerKey(keyAddress(key.ConsPubkey), key.From)), next.Address); err != nil {
			return err
		}
	}
	if err := k.indexEvictable(ctx, consumerID, before, next); err != nil {
		return err
	}
	if before.Ended() != next.Ended() {
		move := k.validatorRevived
		if next.Ended() {
			move = k.validatorEnded
		}
		if err := move(ctx, consumerID, next.Address); err != nil {
			return err
		}
	}
	return ctx.EventManager().EmitTypedEvent(&types.EventValidatorUpdated{
		ConsumerID: consumerID, Validator: next.Address, Status: next.Status, KeyConflict: next.KeyConflict(),
	})
}

// removeUnseen ends every validator a complete report did not name. Tombstoned ones stay tombstoned. The number of
// validators is bounded by a param.
func (k *Keeper) removeUnseen(ctx sdk.Context, consumerID, round uint64, latest clienttypes.Height) error {
	var unseen []types.Validator
	err := k.Validators.Walk(ctx, collections.NewPrefixedPairRange[uint64, string](consumerID), func(_ validatorKey, v types.Validator) (bool, error) {
		if v.SeenRound != round && v.Status != control.StatusRemoved && v.Status != control.StatusTombstoned {
			unseen = append(unseen, v)
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	for _, v := range unseen {
		if err := k.endValidator(ctx, consumerID, v, control.StatusRemoved, latest); err != nil {
			return err
		}
	}
	return nil
}

// makeRoom lets one more validator in, but none to a retired consumer, where nobody will stake to it: at the bound, the one that has not been active for longest and that nothing is
// left on is forgotten. False, with an event, if there is none among the oldest few; not an error, because what was
// learned about those few is kept for the next attempt.
func (k *Keeper) makeRoom(ctx sdk.Context, consumerID uint64, newcomer string) (bool, error) {
	consumer, err := k.GetConsumer(ctx, consumerID)
	if err != nil || consumer.Retired {
		return false, err
	}
	params, err := k.Params.Get(ctx)
	if err != nil {
		return false, err
	}
	count, err := k.validatorCount(ctx, consumerID)
	if err != nil {
		return false, err
	}
	if count < uint64(params.MaxValidatorsPerConsumer) {
		return true, nil
	}
	candidates, err := k.oldestEvictable(ctx, consumerID)
	if err != nil {
		return false, err
	}
	for _, candidate := range candidates {
		forgotten, err := k.evict(ctx, consumerID, candidate)
		if err != nil || forgotten {
			return forgotten, err
		}
	}
	k.reportSkipped(ctx, consumerID, newcomer, fmt.Sprintf("report: %d validators are known, at most %d are possible, and none of the oldest can make room", count, params.MaxValidatorsPerConsumer))
	return false, nil
}

func (k *Keeper) oldestEvictable(ctx context.Context, consumerID uint64) ([]types.Validator, error) {
	iter, err := k.Evictable.Iterate(ctx, collections.NewPrefixedTripleRange[uint64, int64, string](consumerID))
	if err != nil {
		return nil, err
	}
	defer iter.Close()
	var candidates []types.Validator
	for ; iter.Valid() && len(candidates) < evictionLookahead; iter.Next() {
		key, err := iter.Key()
		if err != nil {
			return nil, err
		}
		validator, err := k.Validators.Get(ctx, collections.Join(consumerID, key.K3()))
		if err != nil {
			return nil, err
		}
		candidates = append(candidates, validator)
	}
	return candidates, nil
}

// evict forgets a validator if nothing of it is left: no position and no total the consumer counts. A reward that waits
// for somebody to stake is passed on, since anybody can send one. A validator with positions leaves the index until it
// is empty (poolEmptied), so that no candidate is looked at for nothing twice.
func (k *Keeper) evict(ctx sdk.Context, consumerID uint64, v types.Validator) (bool, error) {
	key := collections.Join(consumerID, v.Address)
	pool, err := k.loadPool(ctx, consumerID, v.Address)
	if err != nil {
		return false, err
	}
	if pool.Positions > 0 {
		return false, k.Evictable.Remove(ctx, collections.Join3(consumerID, v.ReportedAt, v.Address))
	}
	dirty, err := k.Dirty.Has(ctx, key)
	if err != nil || dirty || !pool.Empty() {
		return false, err
	}
	left, err := k.forgetUnbondedBatches(ctx, collections.NewSuperPrefixedTripleRange[uint64, string, uint64](consumerID, v.Address), evictionForgets)
	if err != nil || left == 0 {
		return false, err
	}
	return true, k.forgetValidator(ctx, consumerID, v)
}

// forgetValidator deletes a validator without positions and everything known about it; its unbonded batches were forgotten
// before. What is held over for it is passed on.
func (k *Keeper) forgetValidator(ctx sdk.Context, consumerID uint64, v types.Validator) error {
	key := collections.Join(consumerID, v.Address)
	if err := k.unassignHeldOver(ctx, key); err != nil {
		return err
	}
	for _, owned := range v.Keys {
		if err := k.KeyOwners.Remove(ctx, collections.Join(consumerID, ownerKey(keyAddress(owned.ConsPubkey), owned.From))); err != nil {
			return err
		}
	}
	if err := k.Evictable.Remove(ctx, collections.Join3(consumerID, v.ReportedAt, v.Address)); err != nil {
		return err
	}
	// A slashed validator is tombstoned: it makes no room, so these are there only when the consumer is cleared. Each was
	// proven by evidence of its own.
	ofValidator := collections.NewSuperPrefixedTripleRange[uint64, string, uint64](consumerID, v.Address)
	if err := k.Slashes.Clear(ctx, ofValidator); err != nil {
		return err
	}
	if err := k.Sweeps.Remove(ctx, key); err != nil {
		return err
	}
	for _, set := range []collections.KeySet[validatorKey]{k.Dirty, k.Resolving} {
		if err := set.Remove(ctx, key); err != nil {
			return err
		}
	}
	if err := k.Pools.Remove(ctx, key); err != nil {
		return err
	}
	if err := k.Validators.Remove(ctx, key); err != nil {
		return err
	}
	return k.countValidators(ctx, consumerID, -1)
}

// indexEvictable keeps the index of what may make room in step with a changed validator.
func (k *Keeper) indexEvictable(ctx context.Context, consumerID uint64, before, next types.Validator) error {
	if before.Known() && (before.ReportedAt != next.ReportedAt || !next.Evictable()) {
		if err := k.Evictable.Remove(ctx, collections.Join3(consumerID, before.ReportedAt, before.Address)); err != nil {
			return err
		}
	}
	if !next.Evictable() {
		return nil
	}
	return k.Evictable.Set(ctx, collections.Join3(consumerID, next.ReportedAt, next.Address))
}

func (k *Keeper) validatorCount(ctx context.Context, consumerID uint64) (uint64, error) {
	count, err := k.ValidatorCounts.Get(ctx, consumerID)
	if errors.Is(err, collections.ErrNotFound) {
		return 0, nil
	}
	return count, err
}

// countValidators adds delta, 1 or -1; it never falls below zero because only counted validators are forgotten.
func (k *Keeper) countValidators(ctx context.Context, consumerID uint64, delta int64) error {
	count, err := k.validatorCount(ctx, consumerID)
	if err != nil {
		return err
	}
	return k.ValidatorCounts.Set(ctx, consumerID, uint64(int64(count)+delta))
}
