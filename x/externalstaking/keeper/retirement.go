package keeper

import (
	"context"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/internal/isolate"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// setRetirement makes EndBlock leave a retired consumer, from where it has come to.
func (k *Keeper) setRetirement(ctx context.Context, id uint64, retirement types.Retirement) error {
	if err := k.Retirements.Set(ctx, id, retirement); err != nil {
		return err
	}
	return k.Retiring.Set(ctx, id)
}

// retire leaves retired consumers, at most about budget positions or validators in one block: first all stake begins to
// unbond, and once the last position is gone all that is left is deleted. Between the two nothing is looked at.
func (k *Keeper) retire(ctx sdk.Context, budget int) error {
	var ids []uint64
	err := k.Retiring.Walk(ctx, nil, func(id uint64) (bool, error) {
		ids = append(ids, id)
		return len(ids) >= budget, nil
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		if budget <= 0 {
			break
		}
		spent := 0
		err := isolate.Try(ctx, func(ctx sdk.Context) (err error) {
			spent, err = k.retireNext(ctx, id, budget)
			return err
		})
		if err != nil {
			k.Logger(ctx).Error("retirement", "consumer", id, "error", err)
		}
		budget -= max(spent, 1)
	}
	return nil
}

// retireNext leaves one retired consumer a bit further and returns how many positions or records that were.
func (k *Keeper) retireNext(ctx sdk.Context, id uint64, budget int) (int, error) {
	retirement, err := k.Retirements.Get(ctx, id)
	if err != nil {
		return 0, err
	}
	if retirement.Unbonding {
		return k.clear(ctx, id, budget)
	}
	return k.leave(ctx, id, retirement, budget)
}

// leave makes the stake of further positions unbond, about budget pieces of it, and returns how many pieces that were.
// One that fails is on the queue of forced operations from then on.
func (k *Keeper) leave(ctx sdk.Context, id uint64, retirement types.Retirement, budget int) (int, error) {
	next, err := k.consumerStakers(ctx, id, retirement, budget)
	if err != nil {
		return 0, err
	}
	retirement.Unbonding = len(next) == 0
	spent := 0
	for _, staker := range next {
		if spent >= budget {
			break
		}
		pieces, err := k.tryForce(ctx, collections.Join3(staker.K3(), id, staker.K2()))
		if err != nil {
			return spent, err
		}
		spent += max(pieces, 1)
		retirement.Validator = staker.K2()
		if retirement.User, err = k.accountKeeper.AddressCodec().BytesToString(staker.K3()); err != nil {
			return spent, err
		}
	}
	return spent, k.Retirements.Set(ctx, id, retirement)
}

// consumerStakers lists up to limit positions on the consumer after the one that the retirement has come to.
func (k *Keeper) consumerStakers(ctx context.Context, id uint64, retirement types.Retirement, limit int) ([]stakerKey, error) {
	var user sdk.AccAddress
	if retirement.User != "" {
		addr, err := k.accountKeeper.AddressCodec().StringToBytes(retirement.User)
		if err != nil {
			return nil, err
		}
		user = addr
	}
	var stakers []stakerKey
	from := new(collections.Range[stakerKey]).StartExclusive(collections.Join3(id, retirement.Validator, user))
	err := k.Stakers.Walk(ctx, from, func(key stakerKey) (bool, error) {
		if key.K1() != id || len(stakers) >= limit {
			return true, nil
		}
		stakers = append(stakers, key)
		return false, nil
	})
	return stakers, err
}

// lookAtRetirement makes EndBlock look at a consumer if it is retired: the last position may have left it, or the last batch.
func (k *Keeper) lookAtRetirement(ctx context.Context, id uint64) error {
	if retires, err := k.Retirements.Has(ctx, id); err != nil || !retires {
		return err
	}
	return k.Retiring.Set(ctx, id)
}

// clear deletes what is left of a consumer without positions, at most budget records at a time, and returns how many. Its
// registration stays: ids and ports are never used again. While there are positions the consumer is not looked at: the last
// one that goes has it looked at again.
func (k *Keeper) clear(ctx sdk.Context, id uint64, budget int) (int, error) {
	stakers, err := k.consumerStakers(ctx, id, types.Retirement{}, 1)
	if err != nil {
		return 0, err
	}
	if len(stakers) > 0 {
		return 0, k.Retiring.Remove(ctx, id)
	}
	left, err := k.leaveChannel(ctx, id)
	if err != nil || !left {
		return 0, err
	}
	return k.clearRecords(ctx, id, budget)
}

// leaveChannel is true once nothing more is to be told or heard on the control channel: all that counted was taken back, or
// the consumer cannot be reached, and then what it may say later is of no interest.
func (k *Keeper) leaveChannel(ctx sdk.Context, id uint64) (bool, error) {
	consumer, err := k.GetConsumer(ctx, id)
	if err != nil || consumer.Status != types.ConsumerOpen {
		return err == nil, err
	}
	if k.channelUsable(ctx, consumer) != nil {
		return true, k.closeChannel(ctx, consumer, consumer.ChannelID, retired)
	}
	outbox, err := k.loadOutbox(ctx, id)
	if err != nil || outbox.Synced.IsPositive() {
		return false, err
	}
	inFlight, err := k.hasBatches(ctx, id)
	return !inFlight, err
}

// clearRecords deletes up to budget records and returns how many. With the last one the retirement is over.
func (k *Keeper) clearRecords(ctx sdk.Context, id uint64, budget int) (int, error) {
	spent := 0
	for _, part := range []func(sdk.Context, uint64, int) (int, error){k.clearBatches, k.clearUnbonded, k.clearValidators, k.clearApplied} {
		if spent >= budget {
			return spent, nil
		}
		n, err := part(ctx, id, budget-spent)
		if err != nil {
			return spent, err
		}
		spent += n
	}
	if spent >= budget {
		return spent, nil
	}
	if err := k.clearRewards(ctx, id); err != nil {
		return spent, err
	}
	if err := k.LastSlashes.Remove(ctx, id); err != nil {
		return spent, err
	}
	outbox, err := k.loadOutbox(ctx, id)
	if err != nil {
		return spent, err
	}
	outbox.Synced, outbox.Snapshot = math.ZeroInt(), nil
	if err := k.Outboxes.Set(ctx, id, outbox); err != nil {
		return spent, err
	}
	if err := k.Retirements.Remove(ctx, id); err != nil {
		return spent, err
	}
	if err := k.Retiring.Remove(ctx, id); err != nil {
		return spent, err
	}
	return spent, emit(ctx, &types.EventConsumerCleared{ConsumerID: id})
}

func (k *Keeper) clearUnbonded(ctx sdk.Context, id uint64, budget int) (int, error) {
	left, err := k.forgetUnbondedBatches(ctx, collections.NewPrefixedTripleRange[uint64, string, uint64](id), budget)
	return budget - left, err
}

func (k *Keeper) clearValidators(ctx sdk.Context, id uint64, budget int) (int, error) {
	var validators []types.Validator
	err := k.Validators.Walk(ctx, collections.NewPrefixedPairRange[uint64, string](id), func(_ validatorKey, v types.Validator) (bool, error) {
		validators = append(validators, v)
		return len(validators) >= budget, nil
	})
	if err != nil {
		return 0, err
	}
	for _, v := range validators {
		if err := k.forgetValidator(ctx, id, v); err != nil {
			return 0, err
		}
	}
	return len(validators), nil
}

func (k *Keeper) clearBatches(ctx sdk.Context, id uint64, budget int) (int, error) {
	var batches []types.Batch
	err := k.Batches.Walk(ctx, collections.NewPrefixedPairRange[uint64, uint64](id), func(_ batchKey, b types.Batch) (bool, error) {
		batches = append(batches, b)
		return len(batches) >= budget, nil
	})
	if err != nil {
		return 0, err
	}
	for _, b := range batches {
		for _, entry := range b.Entries {
			pool, err := k.loadPool(ctx, id, entry.Validator)
			if err != nil {
				return 0, err
			}
			pool.BatchID = 0
			if err := k.savePool(ctx, id, entry.Validator, pool); err != nil {
				return 0, err
			}
		}
		if err := k.removeBatch(ctx, collections.Join(id, b.ID), b); err != nil {
			return 0, err
		}
	}
	return len(batches), nil
}

func (k *Keeper) clearApplied(ctx sdk.Context, id uint64, budget int) (int, error) {
	var applied []batchKey
	err := k.AppliedRecords.Walk(ctx, collections.NewPrefixedPairRange[uint64, uint64](id), func(key batchKey, _ types.AppliedRecord) (bool, error) {
		applied = append(applied, key)
		return len(applied) >= budget, nil
	})
	if err != nil {
		return 0, err
	}
	for _, key := range applied {
		if err := k.AppliedRecords.Remove(ctx, key); err != nil {
			return 0, err
		}
	}
	return len(applied), nil
}

// clearRewards passes what was received and is owed to nobody on to the community pool. A param bounds the denoms.
func (k *Keeper) clearRewards(ctx sdk.Context, id uint64) error {
	var all []types.RewardTotals
	err := k.RewardTotals.Walk(ctx, collections.NewPrefixedPairRange[uint64, string](id), func(_ validatorKey, totals types.RewardTotals) (bool, error) {
		all = append(all, totals)
		return false, nil
	})
	if err != nil {
		return err
	}
	for _, totals := range all {
		if rest := totals.Received.Sub(totals.Paid); rest.IsPositive() {
			coins := sdk.NewCoins(sdk.NewCoin(totals.Denom, rest))
			if err := k.distrKeeper.FundCommunityPool(ctx, coins, types.RewardReceiver(id)); err != nil {
				return err
			}
		}
		if err := k.RewardTotals.Remove(ctx, collections.Join(id, totals.Denom)); err != nil {
			return err
		}
	}
	return nil
}
