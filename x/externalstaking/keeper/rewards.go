package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/telemetry"
	sdk "github.com/cosmos/cosmos-sdk/types"
	transfertypes "github.com/cosmos/ibc-go/v8/modules/apps/transfer/types"

	"github.com/mesh-security/mesh/internal/isolate"
	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// CreditRewards shares a reward transfer that has arrived in the consumer's reward receiver among its pools; the
// entries add up to amount. The share of a validator this chain does not know is kept unassigned, so that one bad name
// blocks nobody. sender is the consumer's account it came from. It is refused beyond 2^128 in total per denom, and for a denom too many.
func (k *Keeper) CreditRewards(ctx sdk.Context, consumer types.Consumer, sender string, amount sdk.Coin, entries []control.RewardEntry) error {
	totals, err := k.rewardTotals(ctx, consumer, sender, amount.Denom)
	if err != nil {
		return err
	}
	totals.Received = totals.Received.Add(amount.Amount)
	if totals.Received.BigInt().BitLen() > types.MaxRewardBits {
		return types.ErrRewardRefused.Wrapf("%s with what came before is above 2^%d", amount, types.MaxRewardBits)
	}
	k.passOnUnassigned(ctx, consumer.ID, &totals)
	unassigned := math.ZeroInt()
	for _, entry := range entries {
		credited, err := k.creditPool(ctx, consumer.ID, entry.Validator, sdk.NewCoin(amount.Denom, entry.Amount))
		if err != nil {
			return err
		}
		if !credited {
			unassigned = unassigned.Add(entry.Amount)
		}
	}
	totals.Unassigned = totals.Unassigned.Add(unassigned)
	if consumer.Retired {
		// There may be no next transfer.
		k.passOnUnassigned(ctx, consumer.ID, &totals)
	}
	if err := k.RewardTotals.Set(ctx, collections.Join(consumer.ID, amount.Denom), totals); err != nil {
		return err
	}
	telemetry.IncrCounter(1, types.ModuleName, "rewards")
	return emit(ctx, &types.EventRewardsReceived{
		ConsumerID: consumer.ID, Denom: amount.Denom, Amount: amount.Amount.String(), Unassigned: unassigned.String(),
	})
}

// rewardTotals returns the account of one denom. Over each transfer channel a denom has another name, so each has
// max_reward_denoms places of its own, one of them for the consumer's bond denom. Anybody on the consumer can send tokens
// with a reward memo: the other places are for what the converter itself sends, so that nobody can fill them with junk.
func (k *Keeper) rewardTotals(ctx context.Context, consumer types.Consumer, sender, denom string) (types.RewardTotals, error) {
	totals, err := k.RewardTotals.Get(ctx, collections.Join(consumer.ID, denom))
	if !errors.Is(err, collections.ErrNotFound) {
		return totals, err
	}
	if bondDenom := BondVoucher(consumer); denom != bondDenom {
		if !types.IsConverter(consumer.CounterpartyPort, sender) {
			return totals, types.ErrRewardRefused.Wrapf("denom %s from %s: only %s may come from anybody but %s", denom, sender, bondDenom, consumer.CounterpartyPort)
		}
		if err := k.checkRewardDenoms(ctx, consumer, denom, bondDenom); err != nil {
			return totals, err
		}
	}
	return types.RewardTotals{
		Denom: denom, Received: math.ZeroInt(), Paid: math.ZeroInt(), Unassigned: math.ZeroInt(), TransferChannel: consumer.TransferChannel,
	}, nil
}

// checkRewardDenoms checks that one of the places for other denoms than the bond denom is free on the transfer channel.
func (k *Keeper) checkRewardDenoms(ctx context.Context, consumer types.Consumer, denom, bondDenom string) error {
	params, err := k.Params.Get(ctx)
	if err != nil {
		return err
	}
	places := int(params.MaxRewardDenoms) - 1
	err = k.RewardTotals.Walk(ctx, collections.NewPrefixedPairRange[uint64, string](consumer.ID), func(_ validatorKey, t types.RewardTotals) (bool, error) {
		if t.TransferChannel == consumer.TransferChannel && t.Denom != bondDenom {
			places--
		}
		return places <= 0, nil
	})
	if err == nil && places <= 0 {
		return types.ErrRewardRefused.Wrapf("denom %s: at most %d denoms are possible, one of them for %s", denom, params.MaxRewardDenoms, bondDenom)
	}
	return err
}

// checkRewardChannels bounds the transfer channels a consumer's rewards ever came over, and so their denoms.
func (k *Keeper) checkRewardChannels(ctx context.Context, consumerID uint64, next string) error {
	channels := map[string]bool{next: true}
	err := k.RewardTotals.Walk(ctx, collections.NewPrefixedPairRange[uint64, string](consumerID), func(_ validatorKey, t types.RewardTotals) (bool, error) {
		channels[t.TransferChannel] = true
		return false, nil
	})
	if err == nil && len(channels) > types.MaxRewardChannels {
		return types.ErrInvalidTransferChannel.Wrapf("%s: rewards of consumer %d came over %d other channels already; go back to one of them", next, consumerID, types.MaxRewardChannels)
	}
	return err
}

// BondVoucher is the denom in which the consumer's bond denom arrives here.
func BondVoucher(consumer types.Consumer) string {
	path := transfertypes.GetPrefixedDenom(transfertypes.PortID, consumer.TransferChannel, consumer.Denom)
	return transfertypes.ParseDenomTrace(path).IBCDenom()
}

// passOnUnassigned gives what earlier transfers left unassigned to the community pool. If that cannot be done now, it
// stays for the next transfer.
func (k *Keeper) passOnUnassigned(ctx sdk.Context, consumerID uint64, totals *types.RewardTotals) {
	if !totals.Unassigned.IsPositive() {
		return
	}
	coins := sdk.NewCoins(sdk.NewCoin(totals.Denom, totals.Unassigned))
	err := isolate.Try(ctx, func(ctx sdk.Context) error {
		return k.distrKeeper.FundCommunityPool(ctx, coins, types.RewardReceiver(consumerID))
	})
	if err != nil {
		k.reportSkipped(ctx, consumerID, "", "community pool: "+err.Error())
		return
	}
	totals.Paid = totals.Paid.Add(totals.Unassigned)
	totals.Unassigned = math.ZeroInt()
}

// creditPool credits one validator's share. It is false if the validator is not known, or has ended with nobody left to
// earn it.
func (k *Keeper) creditPool(ctx context.Context, consumerID uint64, validator string, reward sdk.Coin) (bool, error) {
	pool, err := k.loadPool(ctx, consumerID, validator)
	if err != nil {
		return false, err
	}
	// A pool with positions is that of a known validator, and may always be credited.
	if pool.Positions == 0 {
		if v, err := k.loadValidator(ctx, consumerID, validator); err != nil || v.Ended() {
			return false, err
		}
	}
	pool.Credit(reward.Denom, reward.Amount)
	return true, k.savePool(ctx, consumerID, validator, pool)
}

// WithdrawRewards pays out what the user has earned on one validator, or with an empty name on all of the consumer's,
// and returns it; nothing earned is not an error.
func (k *Keeper) WithdrawRewards(ctx context.Context, user sdk.AccAddress, consumerID uint64, validator string) (sdk.Coins, error) {
	if _, err := k.GetConsumer(ctx, consumerID); err != nil {
		return nil, err
	}
	if err := k.vault.Settle(ctx, user); err != nil {
		return nil, err
	}
	keys := []positionKey{collections.Join3(user, consumerID, validator)}
	if validator == "" {
		var err error
		if keys, err = k.userPositions(ctx, user, consumerID); err != nil {
			return nil, err
		}
	}
	earned := sdk.Coins{}
	for _, key := range keys {
		coins, err := k.takeRewards(ctx, key)
		if err != nil {
			return nil, err
		}
		earned = earned.Add(coins...)
	}
	return earned, k.payRewards(ctx, user, consumerID, earned)
}

// userPositions lists the user's positions on the consumer, of which there are at most
// max_positions_per_user_and_consumer.
func (k *Keeper) userPositions(ctx context.Context, user sdk.AccAddress, consumerID uint64) ([]positionKey, error) {
	var keys []positionKey
	err := k.Positions.Walk(ctx, collections.NewSuperPrefixedTripleRange[sdk.AccAddress, uint64, string](user, consumerID),
		func(key positionKey, _ types.Position) (bool, error) {
			keys = append(keys, key)
			return false, nil
		})
	return keys, err
}

// takeRewards books everything earned on a position as paid and returns it.
func (k *Keeper) takeRewards(ctx context.Context, key positionKey) (sdk.Coins, error) {
	position, isNew, err := k.loadPosition(ctx, key)
	if err != nil {
		return nil, err
	}
	if isNew {
		return nil, types.ErrUnknownPosition.Wrapf("nothing is staked on validator %q of consumer %d; query your positions", key.K3(), key.K2())
	}
	pool, err := k.loadPool(ctx, key.K2(), key.K3())
	if err != nil {
		return nil, err
	}
	position.Accrue(pool)
	coins := position.TakeRewards()
	if coins.IsZero() {
		return coins, nil
	}
	positions := pool.Positions
	if err := k.saveRewards(ctx, key, position, &pool); err != nil {
		return nil, err
	}
	if pool.Positions != positions {
		if err := k.savePool(ctx, key.K2(), key.K3(), pool); err != nil {
			return nil, err
		}
	}
	address, err := k.accountKeeper.AddressCodec().BytesToString(key.K1())
	if err != nil {
		return nil, err
	}
	return coins, emit(ctx, &types.EventRewardsWithdrawn{
		User: address, ConsumerID: key.K2(), Validator: key.K3(), Amount: coins.String(),
	})
}

// payRewards pays out of the consumer's reward receiver, which nothing else drains but the community pool's share.
func (k *Keeper) payRewards(ctx context.Context, user sdk.AccAddress, consumerID uint64, coins sdk.Coins) error {
	for _, coin := range coins {
		key := collections.Join(consumerID, coin.Denom)
		totals, err := k.RewardTotals.Get(ctx, key)
		if err != nil {
			return err
		}
		totals.Paid = totals.Paid.Add(coin.Amount)
		if err := k.RewardTotals.Set(ctx, key, totals); err != nil {
			return err
		}
	}
	if coins.IsZero() {
		return nil
	}
	return k.bankKeeper.SendCoins(ctx, types.RewardReceiver(consumerID), user, coins)
}
