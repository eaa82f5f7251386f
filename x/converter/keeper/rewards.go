package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	transfertypes "github.com/cosmos/ibc-go/v8/modules/apps/transfer/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"

	"github.com/mesh-security/mesh/internal/isolate"
	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/converter/types"
)

// AddRewards takes over rewards of one validator that virtual staking has paid into the converter's account. Travelling
// denoms wait in the validator's backlog for the next transfer. The rest stays in the account, attributed to nobody: anyone
// can add any number of worthless denoms to a validator's rewards, so nothing here may cost more with each of them.
func (k *Keeper) AddRewards(ctx context.Context, id uint64, validator string, rewards sdk.Coins) error {
	if rewards.Empty() {
		return nil
	}
	if _, err := k.GetConverter(ctx, id); err != nil {
		return err
	}
	if err := control.ValidateName(validator); err != nil {
		return errorsmod.Wrap(types.ErrInvalidRewards, err.Error())
	}
	if err := rewards.Validate(); err != nil {
		return errorsmod.Wrap(types.ErrInvalidRewards, err.Error())
	}
	params, err := k.Params.Get(ctx)
	if err != nil {
		return err
	}
	bondDenom, err := k.stakingKeeper.BondDenom(ctx)
	if err != nil {
		return err
	}
	var travelling, kept sdk.Coins
	for _, coin := range rewards {
		if params.Travels(coin.Denom, bondDenom) {
			travelling = append(travelling, coin)
		} else {
			kept = append(kept, coin)
		}
	}
	if !travelling.Empty() {
		state, err := k.rewardState(ctx, id)
		if err != nil {
			return err
		}
		for _, coin := range travelling {
			state.Add(coin.Denom, coin.Amount, math.ZeroInt())
			if err := k.addBacklog(ctx, id, coin.Denom, validator, coin.Amount); err != nil {
				return err
			}
		}
		if err := k.RewardStates.Set(ctx, id, state); err != nil {
			return err
		}
	}
	count("rewards_added")
	return emit(ctx, &types.EventRewardsAdded{
		ConverterID: id, Validator: validator, Amount: travelling.String(), Kept: shorten(kept.String()),
	})
}

// BeginBlock sends rewards: at most max_packets_per_block transfers, round robin over the converters with a backlog. What
// cannot be sent waits; it never fails the block.
func (k *Keeper) BeginBlock(ctx context.Context) error {
	sdkCtx := sdk.UnwrapSDKContext(ctx)
	k.Guard(sdkCtx, "reward transfers", k.sendRewards)
	return nil
}

func (k *Keeper) sendRewards(ctx sdk.Context) error {
	params, err := k.Params.Get(ctx)
	if err != nil {
		return err
	}
	ids, err := robin(ctx, k.RewardQueue, k.LastRewarded, types.MaxExamined)
	if err != nil || len(ids) == 0 {
		return err
	}
	last := ids[0]
	for budget, i := params.MaxPacketsPerBlock, 0; budget > 0 && i < len(ids); i++ {
		last = ids[i]
		sent, err := k.sendRewardsOf(ctx, last, budget)
		if err != nil {
			return err
		}
		budget -= sent
	}
	return serve(ctx, k.LastRewarded, last)
}

// sendRewardsOf sends at most one transfer per denom, and at most budget, of one converter's backlog. A transfer that
// cannot be made leaves the backlog as it is and makes the converter wait, longer each time.
func (k *Keeper) sendRewardsOf(ctx sdk.Context, id uint64, budget uint32) (sent uint32, err error) {
	c, err := k.GetConverter(ctx, id)
	if err != nil {
		return 0, err
	}
	state, err := k.rewardState(ctx, id)
	if err != nil {
		return 0, err
	}
	if c.RewardReceiver == "" || ctx.BlockHeight() < state.RetryHeight || !k.reachable(ctx, c.ConnectionID) {
		return 0, nil
	}
	var failure error
	for _, totals := range state.Totals {
		if sent == budget || state.InFlight >= types.MaxTransfersInFlight {
			break
		}
		more := false
		err := isolate.WithGas(ctx, types.TransferGas, func(ctx sdk.Context) (err error) {
			more, err = k.sendTransfer(ctx, c, totals.Denom)
			return err
		})
		if err != nil {
			k.sendFailed(ctx, id, "rewards", err)
			failure = err
		} else if more {
			sent++
			state.InFlight++
		}
	}
	if failure != nil {
		state.Failed(ctx.BlockHeight())
	}
	if err := k.RewardStates.Set(ctx, id, state); err != nil {
		return 0, err
	}
	return sent, k.leaveQueue(ctx, id)
}

// sendTransfer sends the backlog of up to types.EntriesPerTransfer validators in one denom; false if there is none.
func (k *Keeper) sendTransfer(ctx sdk.Context, c types.Converter, denom string) (bool, error) {
	entries, err := k.takeBacklog(ctx, c.ID, denom)
	if err != nil || len(entries) == 0 {
		return false, err
	}
	memo, err := control.EncodeRewardMemo(control.RewardMemo{ConsumerID: c.ConsumerID, Entries: entries})
	if err != nil {
		return false, err
	}
	transfer := types.RewardTransfer{ConverterID: c.ID, ChannelID: c.TransferChannel, Denom: denom, Entries: entries}
	sender, err := k.addresses.BytesToString(c.Account())
	if err != nil {
		return false, err
	}
	timeout, err := k.packetTimeout(ctx)
	if err != nil {
		return false, err
	}
	coin := sdk.NewCoin(denom, transfer.Total())
	msg := transfertypes.NewMsgTransfer(transfertypes.PortID, c.TransferChannel, coin, sender, c.RewardReceiver, clienttypes.ZeroHeight(), timeout, memo)
	// The keeper does not check what the message's own validation would, the length of the memo for one.
	if err := msg.ValidateBasic(); err != nil {
		return false, err
	}
	res, err := k.transferKeeper.Transfer(ctx, msg)
	if err != nil {
		return false, err
	}
	transfer.Sequence = res.Sequence
	if err := k.RewardTransfers.Set(ctx, collections.Join(transfer.ChannelID, transfer.Sequence), transfer); err != nil {
		return false, err
	}
	count("reward_transfers_sent")
	return true, emit(ctx, &types.EventRewardsSent{
		ConverterID: c.ID, ChannelID: transfer.ChannelID, Sequence: transfer.Sequence, Amount: coin.String(),
	})
}

// takeBacklog removes up to types.EntriesPerTransfer entries of one denom from the backlog and returns them. What one
// entry of a memo cannot carry stays.
func (k *Keeper) takeBacklog(ctx context.Context, id uint64, denom string) ([]control.RewardEntry, error) {
	var entries, left []control.RewardEntry
	err := k.Backlog.Walk(ctx, collections.NewSuperPrefixedTripleRange[uint64, string, string](id, denom),
		func(key collections.Triple[uint64, string, string], amount math.Int) (bool, error) {
			entry := control.RewardEntry{Validator: key.K3(), Amount: math.MinInt(amount, types.MaxRewardAmount)}
			entries = append(entries, entry)
			left = append(left, control.RewardEntry{Validator: key.K3(), Amount: amount.Sub(entry.Amount)})
			return len(entries) == types.EntriesPerTransfer, nil
		})
	if err != nil {
		return nil, err
	}
	for _, e := range left {
		key := collections.Join3(id, denom, e.Validator)
		if e.Amount.IsZero() {
			err = k.Backlog.Remove(ctx, key)
		} else {
			err = k.Backlog.Set(ctx, key, e.Amount)
		}
		if err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// TransferResolved settles a transfer that was acknowledged or timed out; refused says why it came back, and is empty
// when the provider took it. By then the transfer module has refunded the converter's account. A packet that is not a
// reward transfer of ours is ignored.
func (k *Keeper) TransferResolved(ctx sdk.Context, channelID string, sequence uint64, refused string) error {
	key := collections.Join(channelID, sequence)
	t, err := k.RewardTransfers.Get(ctx, key)
	if errors.Is(err, collections.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := k.RewardTransfers.Remove(ctx, key); err != nil {
		return err
	}
	state, err := k.rewardState(ctx, t.ConverterID)
	if err != nil {
		return err
	}
	if state.InFlight > 0 {
		state.InFlight--
	}
	amount := sdk.NewCoin(t.Denom, t.Total())
	if refused == "" {
		state.Succeeded()
		state.Add(t.Denom, math.ZeroInt(), amount.Amount)
		count("reward_transfers_arrived")
		err = emit(ctx, &types.EventRewardsArrived{ConverterID: t.ConverterID, ChannelID: channelID, Sequence: sequence, Amount: amount.String()})
	} else {
		state.Failed(ctx.BlockHeight())
		for _, e := range t.Entries {
			if err := k.addBacklog(ctx, t.ConverterID, t.Denom, e.Validator, e.Amount); err != nil {
				return err
			}
		}
		count("reward_transfers_returned")
		err = emit(ctx, &types.EventRewardsReturned{
			ConverterID: t.ConverterID, ChannelID: channelID, Sequence: sequence, Amount: amount.String(), Reason: shorten(refused),
		})
	}
	if err != nil {
		return err
	}
	return k.RewardStates.Set(ctx, t.ConverterID, state)
}

// retryRewards lets a converter's backlog go at once: what failed before was another channel's failure.
func (k *Keeper) retryRewards(ctx context.Context, id uint64) error {
	state, err := k.rewardState(ctx, id)
	if err != nil || state.Failures == 0 {
		return err
	}
	state.Succeeded()
	return k.RewardStates.Set(ctx, id, state)
}

// rewardState is empty before a converter's first rewards.
func (k *Keeper) rewardState(ctx context.Context, id uint64) (types.RewardState, error) {
	state, err := k.RewardStates.Get(ctx, id)
	if errors.Is(err, collections.ErrNotFound) {
		return types.RewardState{}, nil
	}
	return state, err
}

func (k *Keeper) addBacklog(ctx context.Context, id uint64, denom, validator string, amount math.Int) error {
	key := collections.Join3(id, denom, validator)
	waiting, err := k.Backlog.Get(ctx, key)
	if errors.Is(err, collections.ErrNotFound) {
		waiting = math.ZeroInt()
	} else if err != nil {
		return err
	}
	if err := k.Backlog.Set(ctx, key, waiting.Add(amount)); err != nil {
		return err
	}
	return k.RewardQueue.Set(ctx, id)
}

// leaveQueue takes a converter without backlog from the queue.
func (k *Keeper) leaveQueue(ctx context.Context, id uint64) error {
	waiting := false
	err := k.Backlog.Walk(ctx, collections.NewPrefixedTripleRange[uint64, string, string](id),
		func(collections.Triple[uint64, string, string], math.Int) (bool, error) {
			waiting = true
			return true, nil
		})
	if err != nil || waiting {
		return err
	}
	return k.RewardQueue.Remove(ctx, id)
}
