package keeper_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"cosmossdk.io/math"
	storetypes "cosmossdk.io/store/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	transfertypes "github.com/cosmos/ibc-go/v8/modules/apps/transfer/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	porttypes "github.com/cosmos/ibc-go/v8/modules/core/05-port/types"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/internal/invariant"
	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/converter"
	"github.com/mesh-security/mesh/x/converter/types"
)

// pay pays rewards as virtual staking does: into the account first.
func (f *fixture) pay(id uint64, validator string, coins ...sdk.Coin) {
	f.t.Helper()
	f.fund(types.ConverterAddress(id), coins...)
	require.NoError(f.t, f.k.AddRewards(f.ctx, id, validator, sdk.NewCoins(coins...)))
}

func (f *fixture) beginBlock() {
	f.t.Helper()
	f.pass(1, time.Second)
	require.NoError(f.t, f.app.BeginBlock(f.ctx))
	require.NoError(f.t, invariant.CheckAll(f.ctx, f.k.Invariants()))
}

// pending is a converter's backlog as "validator amount denom".
func (f *fixture) pending(id uint64) []string {
	f.t.Helper()
	res, err := f.queries.PendingRewards(f.ctx, &types.QueryPendingRewardsRequest{ConverterId: id})
	require.NoError(f.t, err)
	var list []string
	for _, r := range res.Rewards {
		list = append(list, r.Validator+" "+r.Amount.String()+r.Denom)
	}
	return list
}

func (f *fixture) state(id uint64) types.RewardState {
	f.t.Helper()
	state, err := f.k.RewardStates.Get(f.ctx, id)
	require.NoError(f.t, err)
	return state
}

// refuse and accept resolve the transfer of that sequence through the middleware.
func (f *fixture) refuse(sequence uint64) {
	f.t.Helper()
	ack := channeltypes.NewErrorAcknowledgement(errors.New("no"))
	require.NoError(f.t, f.rewards.OnAcknowledgementPacket(f.ctx, packet(sequence, f.transfer.sent[sequence-1]), ack.Acknowledgement(), nil))
	require.NoError(f.t, invariant.CheckAll(f.ctx, f.k.Invariants()))
}

func (f *fixture) accept(sequence uint64) {
	f.t.Helper()
	ack := channeltypes.NewResultAcknowledgement([]byte{1})
	require.NoError(f.t, f.rewards.OnAcknowledgementPacket(f.ctx, packet(sequence, f.transfer.sent[sequence-1]), ack.Acknowledgement(), nil))
	require.NoError(f.t, invariant.CheckAll(f.ctx, f.k.Invariants()))
}

func coin(amount int64) sdk.Coin { return sdk.NewInt64Coin(bondDenom, amount) }

func TestRewardsTravel(t *testing.T) {
	f := newFixture(t)
	id, _ := f.open()
	f.clear()
	f.pay(id, val1, coin(30), sdk.NewInt64Coin("junk", 4))
	f.pay(id, val2, coin(12))
	f.pay(id, val1, coin(3))
	require.NoError(t, f.k.AddRewards(f.ctx, id, val3, nil))
	require.Equal(t, []string{val1 + " 33ucons", val2 + " 12ucons"}, f.pending(id))
	require.Equal(t, &types.EventRewardsAdded{ConverterID: id, Validator: val1, Amount: "30ucons", Kept: "4junk"}, events(f, &types.EventRewardsAdded{})[0])
	require.Equal(t, "4junk", f.bank.GetBalance(f.ctx, types.ConverterAddress(id), "junk").String(), "attributed to nobody")

	// RW-11: a donation is nobody's reward.
	f.fund(types.ConverterAddress(id), coin(1_000))
	f.beginBlock()
	require.Len(t, f.transfer.sent, 1)
	msg := f.transfer.sent[0]
	memo, err := control.DecodeRewardMemo(msg.Memo)
	require.NoError(t, err)
	require.Equal(t, control.RewardMemo{ConsumerID: 7, Entries: []control.RewardEntry{
		{Validator: val1, Amount: math.NewInt(33)}, {Validator: val2, Amount: math.NewInt(12)},
	}}, memo)
	require.Equal(t, []string{transfertypes.PortID, transfer, receiver, "45ucons", types.ConverterAddress(id).String()},
		[]string{msg.SourcePort, msg.SourceChannel, msg.Receiver, msg.Token.String(), msg.Sender})
	require.Equal(t, uint64(f.ctx.BlockTime().Add(28*24*time.Hour).UnixNano()), msg.TimeoutTimestamp)
	require.Equal(t, []*types.EventRewardsSent{{ConverterID: id, ChannelID: transfer, Sequence: 1, Amount: "45ucons"}}, events(f, &types.EventRewardsSent{}))
	require.Empty(t, f.pending(id))
	require.Equal(t, uint32(1), f.state(id).InFlight)
	f.beginBlock()
	require.Len(t, f.transfer.sent, 1)

	f.accept(1)
	require.Equal(t, types.RewardState{Totals: []types.RewardTotals{{Denom: bondDenom, Withdrawn: math.NewInt(45), Arrived: math.NewInt(45)}}}, f.state(id))
	require.Equal(t, []*types.EventRewardsArrived{{ConverterID: id, ChannelID: transfer, Sequence: 1, Amount: "45ucons"}}, events(f, &types.EventRewardsArrived{}))
	// A second acknowledgement is no longer ours.
	f.accept(1)
	require.Equal(t, "45", f.state(id).Totals[0].Arrived.String())
}

func TestAddRewardsRefuses(t *testing.T) {
	f := newFixture(t)
	id, _ := f.open()
	before := f.exported()
	require.ErrorIs(t, f.k.AddRewards(f.ctx, 9, val1, sdk.NewCoins(coin(1))), types.ErrConverterNotFound)
	require.ErrorIs(t, f.k.AddRewards(f.ctx, id, "", sdk.NewCoins(coin(1))), types.ErrInvalidRewards)
	require.ErrorIs(t, f.k.AddRewards(f.ctx, id, val1, sdk.Coins{{Denom: bondDenom, Amount: math.NewInt(-1)}}), types.ErrInvalidRewards)
	require.Equal(t, before, f.exported())
}

// Anyone can add worthless denoms to the rewards of a validator: taking them over costs no more with many of them.
func TestEP07_JunkDenomsMadeRewardsExpensive(t *testing.T) {
	f := newFixture(t)
	id, _ := f.open()
	gas := func(n int) uint64 {
		rewards := sdk.NewCoins(coin(5))
		for i := range n {
			rewards = append(rewards, sdk.NewInt64Coin(fmt.Sprintf("vjunk%04d", i), 1))
		}
		f.fund(types.ConverterAddress(id), rewards...)
		ctx := f.ctx.WithGasMeter(storetypes.NewInfiniteGasMeter())
		require.NoError(t, f.k.AddRewards(ctx, id, val1, rewards))
		return ctx.GasMeter().GasConsumed()
	}
	gas(0)
	require.InDelta(t, gas(0), gas(500), 1_000)
	require.Equal(t, []string{val1 + " 15ucons"}, f.pending(id))
}

func TestRewardDenomsAreAParam(t *testing.T) {
	f := newFixture(t)
	id, _ := f.open()
	params := types.DefaultParams()
	params.RewardDenoms = []string{"uusd", bondDenom}
	require.NoError(t, f.k.Params.Set(f.ctx, params))
	f.pay(id, val1, coin(5), sdk.NewInt64Coin("uusd", 7), sdk.NewInt64Coin("junk", 1))
	// What was taken over still travels when the param changes.
	require.NoError(t, f.k.Params.Set(f.ctx, types.DefaultParams()))
	f.beginBlock()
	require.Len(t, f.transfer.sent, 2)
	require.Equal(t, "5ucons", f.transfer.sent[0].Token.String())
	require.Equal(t, "7uusd", f.transfer.sent[1].Token.String())
}

func TestRefusedRewardsReturnToTheirValidators(t *testing.T) {
	f := newFixture(t)
	id, _ := f.open()
	f.pay(id, val1, coin(30))
	f.pay(id, val2, coin(12))
	f.beginBlock()
	f.pay(id, val2, coin(1))
	f.clear()
	f.refuse(1)
	require.Equal(t, []string{val1 + " 30ucons", val2 + " 13ucons"}, f.pending(id))
	returned := events(f, &types.EventRewardsReturned{})
	require.Len(t, returned, 1)
	require.Equal(t, "42ucons", returned[0].Amount)
	require.Equal(t, uint32(1), f.state(id).Failures)

	// It waits, then goes again; a timeout is no different.
	f.beginBlock()
	require.Len(t, f.transfer.sent, 1)
	f.pass(types.Backoff(1), time.Minute)
	f.beginBlock()
	require.Len(t, f.transfer.sent, 2)
	require.NoError(t, f.rewards.OnTimeoutPacket(f.ctx, packet(2, f.transfer.sent[1]), nil))
	require.Equal(t, []string{val1 + " 30ucons", val2 + " 13ucons"}, f.pending(id))
	require.Equal(t, uint32(2), f.state(id).Failures)
	f.pass(types.Backoff(2), time.Minute)
	f.beginBlock()
	f.accept(3)
	require.Zero(t, f.state(id).Failures)
	require.Empty(t, f.pending(id))
}

func TestRW03TransferChannelClosedForEver(t *testing.T) {
	f := newFixture(t)
	id, _ := f.open()
	f.pay(id, val1, coin(30))
	f.transfer.fail = channeltypes.ErrInvalidChannelState
	f.clear()
	tries := 0
	for range 6_000 {
		before := len(events(f, &types.EventSendFailed{}))
		f.pass(1, time.Second)
		require.NoError(t, f.app.BeginBlock(f.ctx))
		if len(events(f, &types.EventSendFailed{})) > before {
			tries++
			f.clear()
		}
	}
	// 10, 20, 40 … blocks apart.
	require.Equal(t, 10, tries)
	require.Equal(t, []string{val1 + " 30ucons"}, f.pending(id))
	require.Equal(t, "30", f.bank.GetBalance(f.ctx, types.ConverterAddress(id), bondDenom).Amount.String())

	// While the client is down there is nothing to try.
	f.ibc.status = exported.Expired
	f.pass(20_000, time.Hour)
	f.clear()
	f.beginBlock()
	require.Empty(t, events(f, &types.EventSendFailed{}))
	// It works again.
	f.ibc.status, f.transfer.fail = exported.Active, nil
	f.beginBlock()
	require.Len(t, f.transfer.sent, 1)
}

func TestRewardsAreSentInBoundedPieces(t *testing.T) {
	f := newFixture(t)
	id, _ := f.open()
	other, _ := f.open()
	for i := range 2*types.EntriesPerTransfer + 1 {
		f.pay(id, fmt.Sprintf("consvaloper1%0116d", i), coin(1_000_000_000_000))
	}
	f.pay(other, val1, coin(5))
	params := types.DefaultParams()
	params.MaxPacketsPerBlock = 1
	require.NoError(t, f.k.Params.Set(f.ctx, params))
	for range 4 {
		f.beginBlock()
	}
	require.Len(t, f.transfer.sent, 4)
	entries := 0
	for _, msg := range f.transfer.sent {
		require.Less(t, len(msg.Memo), 24*1024)
		memo, err := control.DecodeRewardMemo(msg.Memo)
		require.NoError(t, err)
		total, err := memo.Total()
		require.NoError(t, err)
		require.Equal(t, msg.Token.Amount.String(), total.String())
		entries += len(memo.Entries)
	}
	require.Equal(t, 2*types.EntriesPerTransfer+2, entries)
	require.Empty(t, f.pending(id))
	// The other one did not have to wait for the end of the long backlog.
	require.Equal(t, types.ConverterAddress(other).String(), f.transfer.sent[1].Sender)
}

func TestTransfersInFlightAreBounded(t *testing.T) {
	f := newFixture(t)
	id, _ := f.open()
	for range 2 * types.MaxTransfersInFlight {
		f.pay(id, val1, coin(1))
		f.beginBlock()
	}
	require.Len(t, f.transfer.sent, types.MaxTransfersInFlight)
	f.accept(1)
	f.beginBlock()
	require.Len(t, f.transfer.sent, types.MaxTransfersInFlight+1)
	require.Equal(t, "32ucons", f.transfer.sent[types.MaxTransfersInFlight].Token.String())
}

func TestHugeRewardsGoInParts(t *testing.T) {
	f := newFixture(t)
	id, _ := f.open()
	f.pay(id, val1, sdk.NewCoin(bondDenom, types.MaxRewardAmount.AddRaw(5)))
	f.beginBlock()
	f.beginBlock()
	require.Len(t, f.transfer.sent, 2)
	require.Equal(t, types.MaxRewardAmount.String(), f.transfer.sent[0].Token.Amount.String())
	require.Equal(t, "5ucons", f.transfer.sent[1].Token.String())
}

func TestMiddlewareLeavesOtherTransfersAlone(t *testing.T) {
	f := newFixture(t)
	id, _ := f.open()
	f.pay(id, val1, coin(30))
	f.beginBlock()
	before := f.exported()
	msg := *f.transfer.sent[0]

	other := packet(2, &msg) // a user's transfer on the same channel
	require.NoError(t, f.rewards.OnAcknowledgementPacket(f.ctx, other, channeltypes.NewResultAcknowledgement([]byte{1}).Acknowledgement(), nil))
	elsewhere := packet(1, &msg)
	elsewhere.SourceChannel = "channel-33"
	require.NoError(t, f.rewards.OnAcknowledgementPacket(f.ctx, elsewhere, channeltypes.NewResultAcknowledgement([]byte{1}).Acknowledgement(), nil))
	port := packet(1, &msg)
	port.SourcePort = "other"
	require.NoError(t, f.rewards.OnAcknowledgementPacket(f.ctx, port, channeltypes.NewResultAcknowledgement([]byte{1}).Acknowledgement(), nil))
	require.Equal(t, before, f.exported())

	// What the app below refuses stays in flight: it will come again.
	app := &fakeTransferApp{bank: f.bank, fail: errors.New("below")}
	m := converter.NewRewardMiddleware(app, f.k)
	require.ErrorIs(t, m.OnAcknowledgementPacket(f.ctx, packet(1, &msg), channeltypes.NewResultAcknowledgement([]byte{1}).Acknowledgement(), nil), app.fail)
	require.ErrorIs(t, m.OnTimeoutPacket(f.ctx, packet(1, &msg), nil), app.fail)
	require.Equal(t, before, f.exported())
	require.Equal(t, 2, app.calls)
}

func TestMiddlewareForwardsOptionalInterfaces(t *testing.T) {
	f := newFixture(t)
	app := &fakeTransferApp{bank: f.bank}
	m := converter.NewRewardMiddleware(app, f.k)
	version, err := m.OnChanUpgradeInit(f.ctx, "transfer", transfer, channeltypes.UNORDERED, nil, "v")
	require.NoError(t, err)
	require.Equal(t, "v", version)
	version, err = m.OnChanUpgradeTry(f.ctx, "transfer", transfer, channeltypes.UNORDERED, nil, "w")
	require.NoError(t, err)
	require.Equal(t, "w", version)
	require.NoError(t, m.OnChanUpgradeAck(f.ctx, "transfer", transfer, "v"))
	m.OnChanUpgradeOpen(f.ctx, "transfer", transfer, channeltypes.UNORDERED, nil, "v")
	require.True(t, app.upgraded)
	data, err := m.UnmarshalPacketData([]byte("x"))
	require.NoError(t, err)
	require.Equal(t, "x", data)

	// An app below without them is refused as core IBC would.
	plain := converter.NewRewardMiddleware(f.module, f.k)
	_, err = plain.OnChanUpgradeInit(f.ctx, "transfer", transfer, channeltypes.UNORDERED, nil, "v")
	require.ErrorIs(t, err, porttypes.ErrInvalidRoute)
	_, err = plain.OnChanUpgradeTry(f.ctx, "transfer", transfer, channeltypes.UNORDERED, nil, "v")
	require.ErrorIs(t, err, porttypes.ErrInvalidRoute)
	require.ErrorIs(t, plain.OnChanUpgradeAck(f.ctx, "transfer", transfer, "v"), porttypes.ErrInvalidRoute)
	plain.OnChanUpgradeOpen(f.ctx, "transfer", transfer, channeltypes.UNORDERED, nil, "v")
	_, err = plain.UnmarshalPacketData(nil)
	require.ErrorIs(t, err, porttypes.ErrInvalidRoute)
}

// addTransferChannel opens one more ICS20 channel to the provider.
func (f *fixture) addTransferChannel(id string) {
	f.ibc.set(transfertypes.PortID, id, channeltypes.NewChannel(channeltypes.OPEN, channeltypes.UNORDERED,
		channeltypes.NewCounterparty(transfertypes.PortID, "channel-6"), []string{connection}, transfertypes.Version))
}

// The backlog of a converter whose transfer channel was closed for good waited out the back-off of the old channel, up to
// 10,000 blocks, although its admin had named one that works.
func TestRW03_BacklogWaitedAfterAnotherTransferChannelWasNamed(t *testing.T) {
	f := newFixture(t)
	id, _ := f.open()
	f.pay(id, val1, coin(30))
	f.transfer.fail = channeltypes.ErrInvalidChannelState
	for range 12 {
		f.pass(types.Backoff(1_000), time.Hour)
		require.NoError(t, f.app.BeginBlock(f.ctx))
	}
	require.Equal(t, uint32(12), f.state(id).Failures)
	f.addTransferChannel("channel-40")
	f.transfer.fail = nil

	// Naming the one that it has is no change.
	same := &types.MsgUpdateConverter{Sender: alice.String(), ConverterID: id, TransferChannel: transfer}
	_, err := f.msgs.UpdateConverter(f.ctx, same)
	require.NoError(t, err)
	f.beginBlock()
	require.Empty(t, f.transfer.sent)
	_, err = f.msgs.UpdateConverter(f.ctx, &types.MsgUpdateConverter{Sender: alice.String(), ConverterID: id, TransferChannel: "channel-40"})
	require.NoError(t, err)
	f.beginBlock()
	require.Len(t, f.transfer.sent, 1)
	require.Equal(t, "channel-40", f.transfer.sent[0].SourceChannel)
	require.Empty(t, f.pending(id))
	f.accept(1)
	require.Equal(t, "30", f.state(id).Totals[0].Arrived.String())
}

// Refusals and timeouts in turn, for long: never more than the back-off allows, never a unit lost.
func TestRW03_RefusedAndTimedOutInTurn(t *testing.T) {
	f := newFixture(t)
	id, _ := f.open()
	for round := range 30 {
		f.pay(id, val1, coin(3))
		f.pay(id, val2, coin(4))
		f.pass(types.Backoff(uint32(round))-1, time.Second)
		f.beginBlock()
		require.Len(t, f.transfer.sent, round+1)
		if round%2 == 0 {
			f.refuse(uint64(round) + 1)
		} else {
			require.NoError(t, f.rewards.OnTimeoutPacket(f.ctx, packet(uint64(round)+1, f.transfer.sent[round]), nil))
		}
		f.beginBlock()
		require.Len(t, f.transfer.sent, round+1, "it waits")
		require.Equal(t, []string{fmt.Sprintf("%s %ducons", val1, 3*(round+1)), fmt.Sprintf("%s %ducons", val2, 4*(round+1))}, f.pending(id))
		require.Equal(t, uint32(round+1), f.state(id).Failures)
		require.Zero(t, f.state(id).InFlight)
	}
	f.pass(types.Backoff(30), time.Second)
	f.beginBlock()
	f.accept(31)
	require.Equal(t, "210", f.state(id).Totals[0].Arrived.String())
	require.Empty(t, f.pending(id))
}

// What the old channel still has in flight comes back to the backlog and leaves on the new one.
func TestRW03_TransfersOfAChannelThatWasLeftComeBack(t *testing.T) {
	f := newFixture(t)
	id, _ := f.open()
	for _, amount := range []int64{30, 12} {
		f.pay(id, val1, coin(amount))
		f.beginBlock()
	}
	require.Len(t, f.transfer.sent, 2)
	f.addTransferChannel("channel-40")
	_, err := f.msgs.UpdateConverter(f.ctx, &types.MsgUpdateConverter{Sender: alice.String(), ConverterID: id, TransferChannel: "channel-40"})
	require.NoError(t, err)
	require.NoError(t, f.rewards.OnTimeoutPacket(f.ctx, packet(2, f.transfer.sent[1]), nil))
	f.accept(1)
	f.pass(types.Backoff(1), time.Second)
	f.beginBlock()
	require.Len(t, f.transfer.sent, 3)
	require.Equal(t, []string{"channel-40", "12ucons"}, []string{f.transfer.sent[2].SourceChannel, f.transfer.sent[2].Token.String()})
	f.accept(3)
	require.Equal(t, "42", f.state(id).Totals[0].Arrived.String())
}

// RW-09 on this side: the smallest and the largest reward, and an end of counting that is never reached.
func TestRW09_ExtremeRewards(t *testing.T) {
	f := newFixture(t)
	id, _ := f.open()
	huge, _ := math.NewIntFromString("1000000000000000000000000000000")
	for range 3 {
		f.pay(id, val1, sdk.NewCoin(bondDenom, huge))
		f.pay(id, val2, coin(1))
		f.beginBlock()
	}
	for sequence := uint64(1); sequence <= 3; sequence++ {
		f.accept(sequence)
	}
	require.Equal(t, huge.AddRaw(1).MulRaw(3).String(), f.state(id).Totals[0].Arrived.String())
	// More than all transfers together could carry waits its turn.
	f.pay(id, val1, sdk.NewCoin(bondDenom, types.MaxRewardAmount))
	f.pay(id, val1, sdk.NewCoin(bondDenom, types.MaxRewardAmount))
	f.beginBlock()
	f.beginBlock()
	require.Equal(t, types.MaxRewardAmount.String(), f.transfer.sent[3].Token.Amount.String())
	require.Equal(t, types.MaxRewardAmount.String(), f.transfer.sent[4].Token.Amount.String())
	require.Empty(t, f.pending(id))
}

// Junk in the accounts of the converter, by donation or as rewards, costs nothing in a block and does not travel.
func TestEP07_JunkDenomsInTheAccountCostNothing(t *testing.T) {
	f := newFixture(t)
	id, _ := f.open()
	f.pay(id, val1, coin(1))
	f.beginBlock()
	gas := func() uint64 {
		ctx := f.ctx.WithGasMeter(storetypes.NewInfiniteGasMeter())
		require.NoError(t, f.app.BeginBlock(ctx))
		require.NoError(t, f.app.EndBlock(ctx))
		return ctx.GasMeter().GasConsumed()
	}
	f.endBlock()
	before := gas()
	var junk sdk.Coins
	for i := range 2_000 {
		junk = append(junk, sdk.NewInt64Coin(fmt.Sprintf("vjunk%04d", i), 1))
	}
	f.fund(types.ConverterAddress(id), junk...)
	require.Equal(t, before, gas())
	require.Len(t, f.transfer.sent, 1)
	require.Len(t, f.state(id).Totals, 1)
}
