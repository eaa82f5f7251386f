package keeper

import (
	"context"
	"errors"
	"math"
	"sort"
	"time"

	"cosmossdk.io/collections"
	sdkmath "cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/telemetry"
	sdk "github.com/cosmos/cosmos-sdk/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// slashOf returns the slash of a validator that reaches what left with a batch: of those that were to hit it the one
// proven first.
func (k *Keeper) slashOf(ctx context.Context, consumerID uint64, validator string, batchID uint64) (slash types.Slash, found bool, err error) {
	upTo := new(collections.Range[slashKey]).StartInclusive(collections.Join3(consumerID, validator, uint64(0))).
		EndInclusive(collections.Join3(consumerID, validator, batchID)).Descending()
	err = k.Slashes.Walk(ctx, upTo, func(_ slashKey, s types.Slash) (bool, error) {
		slash, found = s, true
		return true, nil
	})
	return slash, found, err
}

// firstSlash returns the slash of a validator that was proven first and hits all its stake.
func (k *Keeper) firstSlash(ctx context.Context, consumerID uint64, validator string) (types.Slash, bool, error) {
	return k.slashOf(ctx, consumerID, validator, math.MaxUint64)
}

// lastSlash returns the slash of a validator that was proven last, which is of the lowest height.
func (k *Keeper) lastSlash(ctx context.Context, consumerID uint64, validator string) (slash types.Slash, found bool, err error) {
	err = k.Slashes.Walk(ctx, collections.NewSuperPrefixedTripleRange[uint64, string, uint64](consumerID, validator), func(_ slashKey, s types.Slash) (bool, error) {
		slash, found = s, true
		return true, nil
	})
	return slash, found, err
}

// slashesOf returns all slashes of a validator, the one proven last first.
func (k *Keeper) slashesOf(ctx context.Context, validator validatorKey) ([]types.Slash, error) {
	var slashes []types.Slash
	err := k.Slashes.Walk(ctx, collections.NewSuperPrefixedTripleRange[uint64, string, uint64](validator.K1(), validator.K2()), func(_ slashKey, s types.Slash) (bool, error) {
		slashes = append(slashes, s)
		return false, nil
	})
	return slashes, err
}

// setSlash writes a slash, and that its sequence is the last of the consumer if it is.
func (k *Keeper) setSlash(ctx context.Context, validator validatorKey, slash types.Slash) error {
	last, err := k.LastSlashes.Get(ctx, validator.K1())
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return err
	}
	if err := k.LastSlashes.Set(ctx, validator.K1(), max(last, slash.Sequence)); err != nil {
		return err
	}
	return k.Slashes.Set(ctx, collections.Join3(validator.K1(), validator.K2(), slash.FromBatch), slash)
}

// newSlash returns the slash that follows from a proven offence at a height, without a sequence. Its cost does not depend
// on how many have staked. ErrAlreadySlashed unless the validator was never slashed, or the offence is at a lower height than
// any proven before and so reaches an unbonding entry that none of those does: an offender could else shield stake that
// is leaving by proving a later offence first.
func (k *Keeper) newSlash(ctx sdk.Context, consumer types.Consumer, validator string, height clienttypes.Height) (types.Slash, error) {
	last, slashed, err := k.lastSlash(ctx, consumer.ID, validator)
	if err != nil {
		return types.Slash{}, err
	}
	if slashed && height.GTE(last.Height) {
		return types.Slash{}, types.ErrAlreadySlashed.Wrapf("%s of consumer %d for an offence at %s; only one at a lower height can add to it", validator, consumer.ID, last.Height)
	}
	from, err := k.firstCounted(ctx, consumer.ID, height)
	if err != nil {
		return types.Slash{}, err
	}
	pool, err := k.loadPool(ctx, consumer.ID, validator)
	if err != nil {
		return types.Slash{}, err
	}
	slash := types.Slash{FromBatch: from, Height: height, Fraction: consumer.SlashFraction, Time: ctx.BlockTime().UTC(), Bonded: pool.Bonded}
	if !slashed {
		return slash, nil
	}
	slash.Bonded = sdkmath.ZeroInt()
	release, found, err := k.unbondedBefore(ctx, consumer.ID, validator, from, last.FromBatch)
	if err != nil {
		return types.Slash{}, err
	}
	if !found || !release.After(slash.Time) {
		return types.Slash{}, types.ErrAlreadySlashed.Wrapf("%s of consumer %d for an offence at %s; one at %s reaches no unbonding stake that was not hit", validator, consumer.ID, last.Height, height)
	}
	return slash, nil
}

// firstCounted returns the first batch that the consumer has not confirmed to have stopped to count before a height:
// stake that left with it or a later one, or without any, answers for an offence at that height. The heights of the
// confirmations rise with their batches.
func (k *Keeper) firstCounted(ctx context.Context, consumerID uint64, height clienttypes.Height) (uint64, error) {
	outbox, err := k.loadOutbox(ctx, consumerID)
	if err != nil {
		return 0, err
	}
	var failed error
	i := sort.Search(int(outbox.LastBatchID), func(i int) bool {
		applied, found, err := k.appliedAt(ctx, consumerID, uint64(i)+1)
		failed = errors.Join(failed, err)
		return !found || applied.GTE(height)
	})
	return uint64(i) + 1, failed
}

// appliedAt returns the last height at which what a batch removed could still sign, if the consumer has confirmed it.
func (k *Keeper) appliedAt(ctx context.Context, consumerID, batchID uint64) (height clienttypes.Height, found bool, err error) {
	err = k.AppliedRecords.Walk(ctx, collections.NewPrefixedPairRange[uint64, uint64](consumerID).StartInclusive(batchID),
		func(_ batchKey, record types.AppliedRecord) (bool, error) {
			height, found = record.Applied.Height, true
			return true, nil
		})
	return height, found, err
}

// unbondedBefore returns when the last entries are released that left a validator with a batch in [from, before). Later
// batches are released later, so if those are not due nothing else need be looked at.
func (k *Keeper) unbondedBefore(ctx context.Context, consumerID uint64, validator string, from, before uint64) (release time.Time, found bool, err error) {
	batches := new(collections.Range[slashKey]).StartInclusive(collections.Join3(consumerID, validator, from)).
		EndExclusive(collections.Join3(consumerID, validator, before)).Descending()
	err = k.UnbondedBatches.Walk(ctx, batches, func(_ slashKey, at time.Time) (bool, error) {
		release, found = at, true
		return true, nil
	})
	return release, found, err
}

// forgottenPerBatch is how many due batches are forgotten for each one that is noted: more than one, so that they get fewer.
const forgottenPerBatch = 2

// forgetDueBatches forgets some of a validator's batches whose entries no slash can reach any more. Those whose entries
// are released have gone with them; what is left here are batches whose entries joined later ones, or lost everything.
func (k *Keeper) forgetDueBatches(ctx context.Context, consumerID uint64, validator string) error {
	now := sdk.UnwrapSDKContext(ctx).BlockTime()
	due := make([]slashKey, 0, forgottenPerBatch)
	err := k.UnbondedBatches.Walk(ctx, collections.NewSuperPrefixedTripleRange[uint64, string, uint64](consumerID, validator),
		func(key slashKey, release time.Time) (bool, error) {
			if len(due) == forgottenPerBatch || release.After(now) {
				return true, nil
			}
			due = append(due, key)
			return false, nil
		})
	if err != nil {
		return err
	}
	for _, key := range due {
		if err := k.UnbondedBatches.Remove(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// forgetUnbondedBatches forgets batches in a range of validators without positions, whose entries are all gone, in the order
// of their keys. It returns how much of the limit is left: 0 if there may be more.
func (k *Keeper) forgetUnbondedBatches(ctx context.Context, of collections.Ranger[slashKey], limit int) (left int, err error) {
	var gone []slashKey
	err = k.UnbondedBatches.Walk(ctx, of, func(key slashKey, _ time.Time) (bool, error) {
		gone = append(gone, key)
		return len(gone) >= limit, nil
	})
	if err != nil {
		return 0, err
	}
	for _, key := range gone {
		if err := k.UnbondedBatches.Remove(ctx, key); err != nil {
			return 0, err
		}
	}
	return limit - len(gone), nil
}

// recordSlash makes a slash take effect: the validator is tombstoned, its stake is unsettled, and the sweep starts. What it
// costs each user is worked out when that user is settled.
func (k *Keeper) recordSlash(ctx sdk.Context, consumerID uint64, validator string, slash types.Slash) error {
	_, again, err := k.lastSlash(ctx, consumerID, validator)
	if err != nil {
		return err
	}
	key := collections.Join(consumerID, validator)
	if !again {
		pool, err := k.loadPool(ctx, consumerID, validator)
		if err != nil {
			return err
		}
		pool.Slash(slash.Fraction)
		if err := k.Pools.Set(ctx, key, pool); err != nil {
			return err
		}
	}
	if err := k.setSlash(ctx, key, slash); err != nil {
		return err
	}
	if err := k.Sweeps.Set(ctx, key, []byte{}); err != nil {
		return err
	}
	if err := k.tombstone(ctx, consumerID, validator); err != nil {
		return err
	}
	telemetry.IncrCounter(1, types.ModuleName, "slashes")
	return emit(ctx, &types.EventValidatorSlashed{
		ConsumerID: consumerID, Validator: validator, Sequence: slash.Sequence, Height: slash.Height.String(),
		Fraction: slash.Fraction.String(), Bonded: slash.Bonded.String(),
	})
}

// tombstone ends a validator for ever, as if the consumer had reported it; nothing changes if it has.
func (k *Keeper) tombstone(ctx sdk.Context, consumerID uint64, validator string) error {
	before, err := k.GetValidator(ctx, consumerID, validator)
	if err != nil {
		return err
	}
	return k.setValidator(ctx, consumerID, before, before.Apply(types.Report{
		Status: control.StatusTombstoned, Time: ctx.BlockTime(), Height: ctx.BlockHeight(), Round: before.SeenRound,
	}))
}
