package keeper

import (
	"context"
	"time"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/telemetry"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// Stake lends amount (base units of the vault's denom) of the user's collateral to a consumer validator and returns
// what is free afterwards. The lien grows now; the stake is bonded and earns once the consumer has accepted it. Refused
// while the consumer cannot be reached or the validator takes no stake, beyond the limits of the vault, below the
// consumer's minimum, beyond what totals can count, and beyond the number of positions.
func (k *Keeper) Stake(ctx context.Context, user sdk.AccAddress, consumerID uint64, validator string, amount sdk.Coin) (math.Int, error) {
	if err := k.checkAmount(ctx, amount); err != nil {
		return math.Int{}, err
	}
	consumer, err := k.GetConsumer(ctx, consumerID)
	if err != nil {
		return math.Int{}, err
	}
	if err := k.acceptsStake(ctx, consumer, validator); err != nil {
		return math.Int{}, err
	}
	if err := k.checkTotals(ctx, amount); err != nil {
		return math.Int{}, err
	}
	// Settles the user, so positions are read afterwards.
	if err := k.vault.Add(ctx, user, types.LienID(consumerID), amount.Amount, consumer.SlashFraction); err != nil {
		return math.Int{}, err
	}
	if err := k.queueStake(ctx, consumer, validator, user, amount.Amount); err != nil {
		return math.Int{}, err
	}
	telemetry.IncrCounter(1, types.ModuleName, "stake")
	return k.vault.Free(ctx, user)
}

// acceptsStake checks that new stake can reach the validator.
func (k *Keeper) acceptsStake(ctx context.Context, consumer types.Consumer, validator string) error {
	if err := checkTakesStake(consumer); err != nil {
		return err
	}
	if err := k.channelUsable(sdk.UnwrapSDKContext(ctx), consumer); err != nil {
		return err
	}
	sync, err := k.syncState(ctx, consumer.ID)
	if err != nil {
		return err
	}
	outbox, err := k.loadOutbox(ctx, consumer.ID)
	if err != nil {
		return err
	}
	if outbox.Resyncing(sdk.UnwrapSDKContext(ctx).BlockHeight()) {
		return types.ErrChannelNotUsable.Wrapf("consumer %d is being told all totals anew; try again in a few minutes", consumer.ID)
	}
	if !sync.Complete {
		return types.ErrChannelNotUsable.Wrapf("consumer %d has not reported its validators yet; try again once it has", consumer.ID)
	}
	v, err := k.GetValidator(ctx, consumer.ID, validator)
	if err != nil {
		return err
	}
	switch {
	case v.KeyConflict():
		return types.ErrValidatorEnded.Wrapf("consumer %d reports another consensus key for validator %s than the one known; choose another", consumer.ID, validator)
	case !v.TakesStake():
		return types.ErrValidatorEnded.Wrapf("validator %s of consumer %d is %s; choose an active or inactive one", validator, consumer.ID, v.Status)
	}
	return nil
}

func (k *Keeper) queueStake(ctx context.Context, consumer types.Consumer, validator string, user sdk.AccAddress, amount math.Int) error {
	key := collections.Join3(user, consumer.ID, validator)
	position, isNew, err := k.loadPosition(ctx, key)
	if err != nil {
		return err
	}
	pool, err := k.loadPool(ctx, consumer.ID, validator)
	if err != nil {
		return err
	}
	live, err := k.isLive(ctx, key, position)
	if err != nil {
		return err
	}
	if !live {
		if err := k.addPosition(ctx, key, isNew, &pool); err != nil {
			return err
		}
	}
	if resulting := position.Resulting().Add(amount); resulting.LT(consumer.MinStake) {
		return types.ErrBelowMinimum.Wrapf("staking %s would leave %s on validator %s; consumer %d asks for at least %s",
			amount, resulting, validator, consumer.ID, consumer.MinStake)
	}
	now := sdk.UnwrapSDKContext(ctx).BlockTime()
	position.QueuedStake = position.QueuedStake.Merge(types.NewOperation(amount, now))
	if err := k.queuePosition(ctx, consumer, key, position, pool); err != nil {
		return err
	}
	address, err := k.accountKeeper.AddressCodec().BytesToString(user)
	if err != nil {
		return err
	}
	return emit(ctx, &types.EventStakeRequested{
		User: address, ConsumerID: consumer.ID, Validator: validator, Amount: amount.String(),
	})
}

// addPosition counts a position that becomes live into its pool; a new one only if the user may have one more on the
// consumer.
func (k *Keeper) addPosition(ctx context.Context, key positionKey, isNew bool, pool *types.Pool) error {
	pool.LivePositions++
	if !isNew {
		return k.Pools.Set(ctx, collections.Join(key.K2(), key.K3()), *pool)
	}
	params, err := k.Params.Get(ctx)
	if err != nil {
		return err
	}
	room, err := k.hasRoomForPosition(ctx, key.K1(), key.K2(), params.MaxPositionsPerUserAndConsumer)
	if err != nil {
		return err
	}
	if !room {
		return types.ErrTooManyPositions.Wrapf("at most %d validators of consumer %d are possible for one account; add to one of yours, or leave one",
			params.MaxPositionsPerUserAndConsumer, key.K2())
	}
	if err := k.Stakers.Set(ctx, collections.Join3(key.K2(), key.K3(), key.K1())); err != nil {
		return err
	}
	pool.Positions++
	return k.Pools.Set(ctx, collections.Join(key.K2(), key.K3()), *pool)
}

// queuePosition writes a position with a new queued operation and has its validator looked at in EndBlock, and the
// operation when it has become too old.
func (k *Keeper) queuePosition(ctx context.Context, consumer types.Consumer, key positionKey, position types.Position, pool types.Pool) error {
	if err := k.enqueue(ctx, key, &position); err != nil {
		return err
	}
	if position.ForcedAt == nil {
		delay, err := k.forceDelay(ctx, consumer)
		if err != nil {
			return err
		}
		if err := k.forceAt(ctx, key, &position, position.EarliestRequest().Add(delay)); err != nil {
			return err
		}
	}
	if err := k.Positions.Set(ctx, key, position); err != nil {
		return err
	}
	return k.markDirty(ctx, key.K2(), key.K3(), pool)
}

// Unstake takes amount (base units) back from a consumer validator and returns the unbonding period that starts once
// the consumer has confirmed it, or at once if the validator has ended. It is always accepted, whatever the state of
// the channel, up to what is bonded and not on its way out: all of that, or so much that the consumer's minimum remains.
func (k *Keeper) Unstake(ctx context.Context, user sdk.AccAddress, consumerID uint64, validator string, amount sdk.Coin) (time.Duration, error) {
	if err := k.checkAmount(ctx, amount); err != nil {
		return 0, err
	}
	consumer, err := k.GetConsumer(ctx, consumerID)
	if err != nil {
		return 0, err
	}
	if err := k.vault.Settle(ctx, user); err != nil {
		return 0, err
	}
	key := collections.Join3(user, consumerID, validator)
	position, isNew, err := k.loadPosition(ctx, key)
	if err != nil {
		return 0, err
	}
	if isNew {
		return 0, types.ErrUnknownPosition.Wrapf("nothing is staked on validator %q of consumer %d; query your positions", validator, consumerID)
	}
	if err := checkUnstake(consumer, validator, position, amount.Amount); err != nil {
		return 0, err
	}
	if err := k.queueUnstake(ctx, consumer, key, position, amount.Amount); err != nil {
		return 0, err
	}
	telemetry.IncrCounter(1, types.ModuleName, "unstake")
	return consumer.UnbondingPeriod, nil
}

func checkUnstake(consumer types.Consumer, validator string, position types.Position, amount math.Int) error {
	possible := position.Unstakeable()
	if amount.GT(possible) {
		return types.ErrInsufficientStake.Wrapf("unstaking %s from validator %s of consumer %d: at most %s is possible (bonded %s, already leaving %s, not yet bonded %s)",
			amount, validator, consumer.ID, possible, position.Bonded, position.PendingUnstake(), position.PendingStake())
	}
	// Whatever the minimum is by now, and whatever is not bonded yet, all that is bonded can leave.
	if amount.Equal(possible) {
		return nil
	}
	if resulting := position.Resulting().Sub(amount); resulting.IsPositive() && resulting.LT(consumer.MinStake) {
		return types.ErrBelowMinimum.Wrapf("unstaking %s would leave %s on validator %s of consumer %d; leave at least %s, or nothing",
			amount, resulting, validator, consumer.ID, consumer.MinStake)
	}
	return nil
}

func (k *Keeper) queueUnstake(ctx context.Context, consumer types.Consumer, key positionKey, position types.Position, amount math.Int) error {
	pool, err := k.loadPool(ctx, key.K2(), key.K3())
	if err != nil {
		return err
	}
	r, err := k.newResolution(ctx, consumer, key.K3())
	if err != nil {
		return err
	}
	address, err := k.accountKeeper.AddressCodec().BytesToString(key.K1())
	if err != nil {
		return err
	}
	if err := emit(ctx, &types.EventUnstakeRequested{
		User: address, ConsumerID: consumer.ID, Validator: key.K3(), Amount: amount.String(),
	}); err != nil {
		return err
	}
	op := types.NewOperation(amount, sdk.UnwrapSDKContext(ctx).BlockTime())
	if !r.ended() {
		position.QueuedUnstake = position.QueuedUnstake.Merge(op)
		return k.queuePosition(ctx, consumer, key, position, pool)
	}
	// It counts for nothing on the consumer any more, so there is nothing to wait for. The consumer is told all the same: on a
	// retired one this may be the last stake with the validator.
	if err := k.resolve(ctx, r, key, position, &pool, nil, &op); err != nil {
		return err
	}
	if err := k.savePool(ctx, key.K2(), key.K3(), pool); err != nil {
		return err
	}
	return k.markDirty(ctx, key.K2(), key.K3(), pool)
}

// CancelStake takes back all of the user's stake on a consumer validator that was not sent yet and returns how much that
// was. It works whatever the state of the consumer; what is in flight is for the consumer to answer.
func (k *Keeper) CancelStake(ctx context.Context, user sdk.AccAddress, consumerID uint64, validator string) (math.Int, error) {
	consumer, err := k.GetConsumer(ctx, consumerID)
	if err != nil {
		return math.Int{}, err
	}
	if err := k.vault.Settle(ctx, user); err != nil {
		return math.Int{}, err
	}
	key := collections.Join3(user, consumerID, validator)
	position, _, err := k.loadPosition(ctx, key)
	if err != nil {
		return math.Int{}, err
	}
	stake := position.QueuedStake
	if stake == nil {
		return math.Int{}, types.ErrNothingToCancel.Wrapf("no stake on validator %q of consumer %d waits to be sent (in flight %s, bonded %s); what is bonded can be unstaked",
			validator, consumerID, position.SentStake.Value(), position.Bonded)
	}
	r, err := k.newResolution(ctx, consumer, validator)
	if err != nil {
		return math.Int{}, err
	}
	r.refused = "cancelled"
	pool, err := k.loadPool(ctx, consumerID, validator)
	if err != nil {
		return math.Int{}, err
	}
	position.QueuedStake = nil
	if !position.Queued() {
		if err := k.dequeue(ctx, key, &position); err != nil {
			return math.Int{}, err
		}
	}
	if err := k.resolve(ctx, r, key, position, &pool, stake, nil); err != nil {
		return math.Int{}, err
	}
	telemetry.IncrCounter(1, types.ModuleName, "cancel_stake")
	return stake.Amount, k.savePool(ctx, consumerID, validator, pool)
}

// checkTotals accepts amount if no sum of stake can exceed what the control channel carries, neither a validator's total
// nor a consumer's: what users lend to one consumer is at most their collateral, all of it together at most the supply.
func (k *Keeper) checkTotals(ctx context.Context, amount sdk.Coin) error {
	if supply := k.bankKeeper.GetSupply(ctx, amount.Denom); supply.Amount.BigInt().BitLen() > control.MaxAmountBits {
		return types.ErrInvalidAmount.Wrapf("the supply of %s is %s; stake can be counted while it is below 2^%d", amount.Denom, supply.Amount, control.MaxAmountBits)
	}
	return nil
}

// checkAmount accepts a positive amount of the vault's denom that the control channel can carry.
func (k *Keeper) checkAmount(ctx context.Context, amount sdk.Coin) error {
	denom, err := k.vault.Denom(ctx)
	if err != nil {
		return err
	}
	switch {
	case amount.Denom != denom:
		return types.ErrInvalidAmount.Wrapf("denom %q; collateral is in %s", amount.Denom, denom)
	case amount.Amount.IsNil() || !amount.Amount.IsPositive():
		return types.ErrInvalidAmount.Wrap("the amount must be at least 1")
	case amount.Amount.BigInt().BitLen() > control.MaxAmountBits:
		return types.ErrInvalidAmount.Wrapf("the amount must be below 2^%d", control.MaxAmountBits)
	}
	return nil
}
