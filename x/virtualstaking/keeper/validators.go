package keeper

import (
	"bytes"
	"context"
	"errors"

	"cosmossdk.io/collections"
	storetypes "cosmossdk.io/store/types"
	"github.com/cosmos/cosmos-sdk/crypto/keys/ed25519"
	"github.com/cosmos/cosmos-sdk/telemetry"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/mesh-security/mesh/internal/isolate"
	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

const (
	// readsPerBlock bounds the validators read in one block, once for the dirty ones and once for the review.
	readsPerBlock = 200
	// readGas bounds the reading of one validator.
	readGas storetypes.Gas = 1_000_000
)

// ValidatorChanges returns up to limit records that changed after sequence after, oldest change first. From 0 on it is the
// full list of validators.
func (k *Keeper) ValidatorChanges(ctx context.Context, after uint64, limit int) ([]types.ValidatorRecord, error) {
	it, err := k.Changes.Iterate(ctx, new(collections.Range[uint64]).StartExclusive(after))
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var records []types.ValidatorRecord
	for ; it.Valid() && len(records) < limit; it.Next() {
		operator, err := it.Value()
		if err != nil {
			return nil, err
		}
		record, err := k.Validators.Get(ctx, operator)
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	return records, nil
}

// ValidatorStatus returns the last known status of a validator; unspecified for one that was never bonded.
func (k *Keeper) ValidatorStatus(ctx context.Context, operator string) (control.ValidatorStatus, error) {
	record, err := k.Validators.Get(ctx, operator)
	if errors.Is(err, collections.ErrNotFound) {
		return control.StatusUnspecified, nil
	}
	return record.Update.Status, err
}

// readDirty reads marked validators again, in order of their addresses. What does not fit stays marked.
func (k *Keeper) readDirty(ctx context.Context) {
	operators, err := firstKeys(ctx, k.Dirty, readsPerBlock)
	if err != nil {
		k.logger(ctx).Error("changed validators cannot be listed", "error", err)
		return
	}
	for _, operator := range operators {
		err := isolate.WithGas(sdk.UnwrapSDKContext(ctx), readGas, func(ctx sdk.Context) error {
			if err := k.readValidator(ctx, operator); err != nil {
				return err
			}
			return k.Dirty.Remove(ctx, operator)
		})
		if err != nil {
			k.logger(ctx).Error("a changed validator cannot be read", "validator", operator, "error", err)
		}
	}
}

func firstKeys(ctx context.Context, set collections.KeySet[string], n int) ([]string, error) {
	it, err := set.Iterate(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var keys []string
	for ; it.Valid() && len(keys) < n; it.Next() {
		key, err := it.Key()
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// review reads validators again that were last inactive or jailed, once per epoch length: some of their changes fire no
// hook, like leaving jail without enough stake to be bonded.
func (k *Keeper) review(ctx context.Context) {
	sdkCtx := sdk.UnwrapSDKContext(ctx)
	err := isolate.Try(sdkCtx, func(ctx sdk.Context) error {
		params, err := k.Params.Get(ctx)
		if err != nil {
			return err
		}
		cursor, err := k.ReviewCursor.Get(ctx)
		switch {
		case err == nil:
			return k.reviewFrom(ctx, new(collections.Range[string]).StartExclusive(cursor))
		case !errors.Is(err, collections.ErrNotFound):
			return err
		case ctx.BlockHeight()%params.EpochLength == 0:
			return k.reviewFrom(ctx, new(collections.Range[string]))
		default:
			return nil
		}
	})
	if err != nil {
		k.logger(ctx).Error("inactive validators could not be reviewed", "error", err)
	}
}

func (k *Keeper) reviewFrom(ctx sdk.Context, from *collections.Range[string]) error {
	it, err := k.Validators.Iterate(ctx, from)
	if err != nil {
		return err
	}
	var operators []string
	cursor, seen := "", 0
	for ; it.Valid() && seen < readsPerBlock; it.Next() {
		kv, err := it.KeyValue()
		if err != nil {
			return errors.Join(err, it.Close())
		}
		cursor, seen = kv.Key, seen+1
		if s := kv.Value.Update.Status; s == control.StatusInactive || s == control.StatusJailed {
			operators = append(operators, kv.Key)
		}
	}
	done := !it.Valid()
	if err := it.Close(); err != nil {
		return err
	}
	for _, operator := range operators {
		err := isolate.WithGas(ctx, readGas, func(ctx sdk.Context) error { return k.readValidator(ctx, operator) })
		if err != nil {
			k.logger(ctx).Error("an inactive validator cannot be read", "validator", operator, "error", err)
		}
	}
	if done {
		return k.ReviewCursor.Remove(ctx)
	}
	return k.ReviewCursor.Set(ctx, cursor)
}

// readValidator reads the true state of a validator and, if it differs from its record, gives the record a new sequence.
func (k *Keeper) readValidator(ctx context.Context, operator string) error {
	record, err := k.Validators.Get(ctx, operator)
	known := err == nil
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return err
	}
	update, found, err := k.currentState(ctx, operator, record)
	if err != nil || !found {
		return err
	}
	if known {
		if record.Update.Status == update.Status && bytes.Equal(record.Update.ConsPubkey, update.ConsPubkey) {
			return nil
		}
		if err := k.Changes.Remove(ctx, record.Sequence); err != nil {
			return err
		}
	}
	return k.recordChange(ctx, update)
}

// recordChange stores update under the next sequence.
func (k *Keeper) recordChange(ctx context.Context, update control.ValidatorUpdate) error {
	last, err := k.lastSequence(ctx)
	if err != nil {
		return err
	}
	sequence := last + 1
	if err := k.LastSequence.Set(ctx, sequence); err != nil {
		return err
	}
	if err := k.Validators.Set(ctx, update.Validator, types.ValidatorRecord{Update: update, Sequence: sequence}); err != nil {
		return err
	}
	if err := k.Changes.Set(ctx, sequence, update.Validator); err != nil {
		return err
	}
	telemetry.IncrCounter(1, types.ModuleName, "validator_changes")
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&types.EventValidatorChanged{
		Validator: update.Validator, Status: update.Status, Sequence: sequence,
	})
}

func (k *Keeper) lastSequence(ctx context.Context) (uint64, error) {
	last, err := k.LastSequence.Get(ctx)
	if errors.Is(err, collections.ErrNotFound) {
		return 0, nil
	}
	return last, err
}

// currentState works out what to record of a validator; found is false if it stays as it is. A validator is recorded when
// it is first bonded, and again after it was removed, which may be with another key. Tombstones are final, also when the
// operator comes back with another key.
func (k *Keeper) currentState(ctx context.Context, operator string, record types.ValidatorRecord) (update control.ValidatorUpdate, found bool, err error) {
	status := record.Update.Status
	if status == control.StatusTombstoned {
		return update, false, nil
	}
	// Asked by the recorded key first: the validator may be gone by now, or have another one.
	if key := record.Update.ConsPubkey; len(key) == ed25519.PubKeySize {
		if k.slashing.IsTombstoned(ctx, sdk.ConsAddress((&ed25519.PubKey{Key: key}).Address())) {
			update = record.Update
			update.Status = control.StatusTombstoned
			return update, true, nil
		}
	}
	counted := status != control.StatusUnspecified && status != control.StatusRemoved
	validator, err := k.validator(ctx, operator)
	if errors.Is(err, stakingtypes.ErrNoValidatorFound) {
		update = record.Update
		update.Status = control.StatusRemoved
		return update, counted, nil
	}
	if err != nil {
		return update, false, err
	}
	if !counted && !validator.IsBonded() {
		return update, false, nil
	}
	key, err := validator.ConsPubKey()
	if err != nil {
		return update, false, err
	}
	// Evidence can only be verified for ed25519 keys, so a validator with another one is never reported, and an operator
	// who came back with one is gone.
	if _, ok := key.(*ed25519.PubKey); !ok || len(key.Bytes()) != ed25519.PubKeySize {
		update = record.Update
		update.Status = control.StatusRemoved
		return update, counted, nil
	}
	update = control.ValidatorUpdate{Validator: operator, ConsPubkey: key.Bytes()}
	update.Status, err = k.currentStatus(ctx, operator, validator)
	return update, true, err
}

func (k *Keeper) currentStatus(ctx context.Context, operator string, validator stakingtypes.Validator) (control.ValidatorStatus, error) {
	tombstoned, err := k.tombstoned(ctx, operator, validator)
	switch {
	case err != nil:
		return control.StatusUnspecified, err
	case tombstoned:
		return control.StatusTombstoned, nil
	case validator.IsJailed():
		return control.StatusJailed, nil
	case validator.IsBonded():
		return control.StatusActive, nil
	default:
		return control.StatusInactive, nil
	}
}

// tombstoned reports whether a validator's key is tombstoned now or its operator was with an earlier key.
func (k *Keeper) tombstoned(ctx context.Context, operator string, validator stakingtypes.Validator) (bool, error) {
	status, err := k.ValidatorStatus(ctx, operator)
	if err != nil || status == control.StatusTombstoned {
		return status == control.StatusTombstoned, err
	}
	addr, err := validator.GetConsAddr()
	if err != nil {
		return false, err
	}
	return k.slashing.IsTombstoned(ctx, addr), nil
}
