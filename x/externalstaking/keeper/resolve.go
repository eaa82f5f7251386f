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
	// refused says why the consumer did not take them; empty if it did.
	refused string
}

// resolve ends a stake and an unstake operation of one position, either of them nil. It is the only place where
// operations end:
//
//	stake    accepted: bonded             refused: rolled back, its lien released
//	unstake  accepted: an unbonding entry refused: queued again with its request time; on an ended validator, which
//	                                      counts for nothing any more, an unbonding entry at once
//
// The lien of a stake was taken when it was requested and that of an unstake stays until its entry is released, so
// nothing here can fail for lack of collateral. The caller has removed the operations from the position, and saves
// position and pool.
func (k *Keeper) resolve(
	ctx context.Context, r resolution, key positionKey, position *types.Position, pool *types.Pool, stake, unstake *types.Operation,
) error {
	user, err := k.accountKeeper.AddressCodec().BytesToString(key.K1())
	if err != nil {
		return err
	}
	if stake != nil {
		if r.refused == "" {
			err = k.commitStake(ctx, r, user, position, pool, stake.Amount)
		} else {
			err = k.rollBackStake(ctx, r, key.K1(), user, stake.Amount)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case unstake == nil:
		return nil
	case r.refused == "":
		return k.commitUnstake(ctx, r, key, user, position, pool, unstake.Amount)
	case r.validator.Ended():
		r.batchID = 0
		return k.commitUnstake(ctx, r, key, user, position, pool, unstake.Amount)
	default:
		return k.requeueUnstake(ctx, r, key, user, position, *unstake)
	}
}

func (k *Keeper) commitStake(
	ctx context.Context, r resolution, user string, position *types.Position, pool *types.Pool, amount math.Int,
) error {
	position.Commit(pool, amount)
	return emit(ctx, &types.EventStakeCommitted{
		User: user, ConsumerID: r.consumer.ID, Validator: r.validator.Address, Amount: amount.String(),
	})
}

func (k *Keeper) rollBackStake(ctx context.Context, r resolution, addr sdk.AccAddress, user string, amount math.Int) error {
	if err := k.vault.Release(ctx, addr, types.LienID(r.consumer.ID), amount); err != nil {
		return err
	}
	return emit(ctx, &types.EventStakeRolledBack{
		User: user, ConsumerID: r.consumer.ID, Validator: r.validator.Address, Amount: amount.String(), Reason: r.refused,
	})
}

func (k *Keeper) commitUnstake(
	ctx context.Context, r resolution, key positionKey, user string, position *types.Position, pool *types.Pool, amount math.Int,
) error {
	position.Commit(pool, amount.Neg())
	now := sdk.UnwrapSDKContext(ctx).BlockTime()
	release, err := k.addUnbonding(ctx, key, types.UnbondingEntry{
		Amount: amount, ReleaseTime: r.releaseTime(now), BatchID: r.batchID, CommittedAt: now.UTC(), UnbondingPeriod: r.consumer.UnbondingPeriod,
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
	if r.batchID == 0 && r.validator.Status == control.StatusTombstoned && r.validator.EndedAt != nil {
		start = *r.validator.EndedAt
	}
	return start.Add(r.consumer.UnbondingPeriod)
}
