package keeper

import (
	"context"
	"time"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// resolution is how operations on one validator end.
type resolution struct {
	consumer  types.Consumer
	validator types.Validator
	// batchID is the packet that carried the operations, 0 if none did.
	batchID uint64
	// entryBatchID is the batch that unbonding entries carry, 0 if the stake leaves without the consumer's confirmation.
	entryBatchID uint64
	// refused says why the consumer did not take them; empty if it did.
	refused string
	// slash is the one that hits all stake on the validator, nil if there is none.
	slash *types.Slash
}

// ended is true if stake on the validator counts for nothing any more, so that nothing has to be awaited.
func (r resolution) ended() bool { return r.validator.Ended() || r.consumer.Retired }

// newResolution is how operations on a validator end without a packet, all of them accepted.
func (k *Keeper) newResolution(ctx context.Context, consumer types.Consumer, validator string) (resolution, error) {
	v, err := k.loadValidator(ctx, consumer.ID, validator)
	if err != nil {
		return resolution{}, err
	}
	r := resolution{consumer: consumer, validator: v}
	if v.Status != control.StatusTombstoned {
		// Whoever is slashed is tombstoned.
		return r, nil
	}
	slash, slashed, err := k.firstSlash(ctx, consumer.ID, validator)
	if slashed {
		r.slash = &slash
	}
	return r, err
}

// resolve ends a stake and an unstake operation of one position, either of them nil, and saves the position. It is the
// only place where operations end:
//
//	stake    accepted: bonded, at what a slash that came meanwhile leaves of it
//	         refused: rolled back, its lien released
//	unstake  accepted: an unbonding entry
//	         refused: queued again with its request time; on an ended validator or a retired consumer, where it counts
//	         for nothing any more, an unbonding entry at once
//
// The lien of a stake was taken when it was requested and that of an unstake stays until its entry is released, so
// nothing here can fail for lack of collateral. The user is settled and the caller has removed the operations from the
// position. The caller saves the pool.
func (k *Keeper) resolve(
	ctx context.Context, r resolution, key positionKey, position types.Position, pool *types.Pool, stake, unstake *types.Operation,
) error {
	user, err := k.accountKeeper.AddressCodec().BytesToString(key.K1())
	if err != nil {
		return err
	}
	lost := math.ZeroInt()
	if stake != nil {
		if r.refused == "" {
			lost, err = k.commitStake(ctx, r, key, user, &position, pool, stake.Amount)
		} else {
			err = k.rollBackStake(ctx, r, key.K1(), user, stake.Amount)
		}
		if err != nil {
			return err
		}
	}
	if unstake != nil {
		if err := k.resolveUnstake(ctx, r, key, user, &position, pool, *unstake); err != nil {
			return err
		}
	}
	if err := k.savePosition(ctx, key, position, pool); err != nil || lost.IsZero() {
		return err
	}
	return k.lose(ctx, r, key, pool, lost)
}

// lose has the vault take the loss of stake that was in flight at a slash. As the vault may tell us to reduce any of the
// user's stake in turn, the pool is saved before and read again.
func (k *Keeper) lose(ctx context.Context, r resolution, key positionKey, pool *types.Pool, lost math.Int) (err error) {
	if err := k.savePool(ctx, key.K2(), key.K3(), *pool); err != nil {
		return err
	}
	if err := k.vault.Lose(ctx, key.K1(), types.LienID(key.K2()), r.slash.Sequence, lost); err != nil {
		return err
	}
	*pool, err = k.loadPool(ctx, key.K2(), key.K3())
	return err
}

// commitStake makes a stake bonded and returns what a slash that came meanwhile takes of it.
func (k *Keeper) commitStake(
	ctx context.Context, r resolution, key positionKey, user string, position *types.Position, pool *types.Pool, amount math.Int,
) (lost math.Int, err error) {
	lost = math.ZeroInt()
	if r.slash == nil {
		position.Commit(pool, amount)
	} else {
		lost = position.CommitSlashed(pool, amount, r.slash.Fraction)
	}
	if err := emit(ctx, &types.EventStakeCommitted{
		User: user, ConsumerID: r.consumer.ID, Validator: r.validator.Address, Amount: amount.String(),
	}); err != nil || r.slash == nil {
		return lost, err
	}
	return lost, k.emitSlashed(ctx, key, r.slash.Sequence, lost)
}

func (k *Keeper) rollBackStake(ctx context.Context, r resolution, addr sdk.AccAddress, user string, amount math.Int) error {
	if err := k.vault.Release(ctx, addr, types.LienID(r.consumer.ID), amount); err != nil {
		return err
	}
	return emit(ctx, &types.EventStakeRolledBack{
		User: user, ConsumerID: r.consumer.ID, Validator: r.validator.Address, Amount: amount.String(), Reason: r.refused,
	})
}

func (k *Keeper) resolveUnstake(
	ctx context.Context, r resolution, key positionKey, user string, position *types.Position, pool *types.Pool, unstake types.Operation,
) error {
	switch {
	case r.refused == "":
		return k.commitUnstake(ctx, r, key, user, position, pool, unstake.Amount)
	case r.ended():
		r.entryBatchID = 0
		return k.commitUnstake(ctx, r, key, user, position, pool, unstake.Amount)
	default:
		return k.requeueUnstake(ctx, r, key, user, position, unstake)
	}
}

func (k *Keeper) commitUnstake(
	ctx context.Context, r resolution, key positionKey, user string, position *types.Position, pool *types.Pool, amount math.Int,
) error {
	position.Commit(pool, amount.Neg())
	now := sdk.UnwrapSDKContext(ctx).BlockTime()
	release, err := k.addUnbonding(ctx, key, types.UnbondingEntry{
		Amount: amount, ReleaseTime: r.releaseTime(now), BatchID: r.entryBatchID, CommittedAt: now.UTC(), UnbondingPeriod: r.consumer.UnbondingPeriod,
		Hit: position.Hit,
	})
	if err != nil {
		return err
	}
	return emit(ctx, &types.EventUnstakeCommitted{
		User: user, ConsumerID: r.consumer.ID, Validator: r.validator.Address, Amount: amount.String(), ReleaseTime: release,
	})
}

func (k *Keeper) requeueUnstake(
	ctx context.Context, r resolution, key positionKey, user string, position *types.Position, unstake types.Operation,
) error {
	position.QueuedUnstake = position.QueuedUnstake.Merge(unstake)
	if err := k.enqueue(ctx, key, position); err != nil {
		return err
	}
	return emit(ctx, &types.EventUnstakeRequeued{
		User: user, ConsumerID: r.consumer.ID, Validator: r.validator.Address, Amount: unstake.Amount.String(), Reason: r.refused,
	})
}

// releaseTime of an entry made now: a full unbonding period, which for stake that leaves a tombstoned validator without
// a packet has been running since the tombstone was learned, as nothing could be signed with it since.
func (r resolution) releaseTime(now time.Time) time.Time {
	start := now
	if r.entryBatchID == 0 && r.validator.Status == control.StatusTombstoned && r.validator.EndedAt != nil {
		start = *r.validator.EndedAt
	}
	return start.Add(r.consumer.UnbondingPeriod)
}
