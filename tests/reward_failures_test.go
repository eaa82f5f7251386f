package tests

import (
	"testing"

	"cosmossdk.io/math"
	transfertypes "github.com/cosmos/ibc-go/v8/modules/apps/transfer/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	externalstakingtypes "github.com/mesh-security/mesh/x/externalstaking/types"
)

// rewardState is the sending side of the rewards.
func (w *world) rewardState(t require.TestingT) convertertypes.RewardState {
	state, err := w.Consumer.App.ConverterKeeper.RewardStates.Get(w.Consumer.Ctx(), w.ConverterID)
	require.NoError(t, err)
	return state
}

// waiting is the backlog together with what is in flight.
func (w *world) waiting(t require.TestingT) math.Int {
	totals := w.rewardState(t).Totals
	require.Len(t, totals, 1)
	return totals[0].Withdrawn.Sub(totals[0].Arrived)
}

// relayControl brings the control packets across, and leaves the rewards alone.
func (w *world) relayControl(t require.TestingT) {
	for range 10 {
		moved := 0
		for _, c := range []*twochain.Chain{w.Provider, w.Consumer} {
			unreceived := w.controlPackets(c.Unreceived())
			require.NoError(t, w.Receive(c, unreceived...))
			unacknowledged := w.controlPackets(c.Unacknowledged())
			require.NoError(t, w.Acknowledge(c, unacknowledged...))
			moved += len(unreceived) + len(unacknowledged)
		}
		if moved == 0 {
			return
		}
	}
	require.Fail(t, "control packets are still being sent")
}

// transfersOf are a chain's transfers among packets.
func transfersOf(packets []*twochain.Packet) []*twochain.Packet {
	var out []*twochain.Packet
	for _, p := range packets {
		if p.SourcePort == transfertypes.PortID {
			out = append(out, p)
		}
	}
	return out
}

// The provider refuses rewards for epochs, then nobody relays them until they time out, then the transfer channel closes for
// good. Not a unit is lost: when both sides name another channel, all of it arrives.
func TestRW03RewardsSurviveEveryFailureOfTheirChannel(t *testing.T) {
	w := newWorld(t)
	w.forceAfter(t, patient)
	user := w.Provider.Users[1]
	w.staked(t, user, w.validator(0), 10_000_000)
	old := w.Transfer
	w.OpenTransfer()
	fresh := w.Transfer

	// The provider already expects the new channel, so it refuses what comes over the old one.
	_, err := w.Provider.Deliver(w.ConsumerAdmin(), &externalstakingtypes.MsgUpdateConsumer{
		Sender: w.ConsumerAdmin().String(), ConsumerID: w.ConsumerID, TransferChannel: fresh.EndpointA.ChannelID,
	})
	require.NoError(t, err)
	last := math.ZeroInt()
	for range 5 {
		w.earn(t)
		require.NoError(t, w.CheckInvariants())
	}
	require.Positive(t, w.rewardState(t).Failures)
	require.True(t, w.waiting(t).GT(last))
	require.True(t, w.rewardState(t).Totals[0].Arrived.IsZero())
	require.True(t, w.owed(user).IsZero())

	// Nobody brings what is sent now, until it has timed out; the control channel is served.
	w.Consumer.Blocks(int(convertertypes.Backoff(w.rewardState(t).Failures)) + 1)
	w.epoch()
	w.Consumer.Blocks(2)
	lost := transfersOf(w.Consumer.Unreceived())
	require.NotEmpty(t, lost)
	last = w.waiting(t)
	for range 6 {
		require.NoError(t, w.Advance(5*day))
		w.relayControl(t)
	}
	require.NoError(t, w.UpdateClient(w.Consumer))
	require.NoError(t, w.Timeout(w.Consumer, lost...))
	require.NoError(t, w.CheckInvariants())
	require.True(t, w.waiting(t).GTE(last))
	w.requireOpen(t)

	// The transfer channel closes on both sides while something is in flight.
	w.SetPrice()
	w.Consumer.Blocks(int(convertertypes.Backoff(w.rewardState(t).Failures)) + 1)
	w.epoch()
	w.Consumer.Blocks(2)
	lost = transfersOf(w.Consumer.Unreceived())
	require.NotEmpty(t, lost)
	for c, end := range map[*twochain.Chain]string{w.Provider: old.EndpointA.ChannelID, w.Consumer: old.EndpointB.ChannelID} {
		channel, found := c.App.IBCKeeper.ChannelKeeper.GetChannel(c.GetContext(), transfertypes.PortID, end)
		require.True(t, found)
		channel.State = channeltypes.CLOSED
		c.App.IBCKeeper.ChannelKeeper.SetChannel(c.GetContext(), transfertypes.PortID, end, channel)
		c.NextBlock()
	}
	failed := 0
	for range 6 {
		w.epoch()
		for range 10 {
			w.Consumer.NextBlock()
			failed += len(twochain.Events[convertertypes.EventSendFailed](w.Consumer.LastEvents()))
		}
		w.relayControl(t)
		require.NoError(t, w.CheckInvariants())
	}
	require.LessOrEqual(t, failed, 6, "it tries with a back-off")
	require.NoError(t, w.TimeoutOnClose(w.Consumer, lost...))
	require.Zero(t, w.rewardState(t).InFlight)
	require.NoError(t, w.CheckInvariants())
	last = w.waiting(t)

	// The converter's admin names the channel that works: the backlog flows at once, whatever the back-off was.
	_, err = w.Consumer.Deliver(w.ConverterAdmin(), &convertertypes.MsgUpdateConverter{
		Sender: w.ConverterAdmin().String(), ConverterID: w.ConverterID, TransferChannel: fresh.EndpointB.ChannelID,
	})
	require.NoError(t, err)
	w.Consumer.NextBlock()
	require.Len(t, transfersOf(w.Consumer.Unreceived()), 1)
	require.NoError(t, w.Relay())
	require.True(t, w.rewardState(t).Totals[0].Arrived.GTE(last))
	require.Zero(t, w.rewardState(t).Failures)
	require.Equal(t, w.rewardState(t).Totals[0].Arrived, w.totals(t).Received)
	require.True(t, w.owed(user).GTE(last.SubRaw(1)))
	require.NoError(t, w.check())
	w.everybodyWithdraws(t)
}

// The transfer channel is closed in the block in which rewards would leave: they stay in the backlog.
func TestTO07TransferChannelClosesInTheBlockOfTheRewards(t *testing.T) {
	w := newWorld(t)
	user := w.Provider.Users[1]
	w.staked(t, user, w.validator(0), 10_000_000)
	w.epoch()
	w.Consumer.Blocks(2)
	require.NoError(t, w.Relay())
	for w.Consumer.App.LastBlockHeight() < w.source().Source.NextEpoch-1 {
		w.Consumer.NextBlock()
	}
	end := w.Transfer.EndpointB.ChannelID
	channels := w.Consumer.App.IBCKeeper.ChannelKeeper
	channel, _ := channels.GetChannel(w.Consumer.GetContext(), transfertypes.PortID, end)
	channel.State = channeltypes.CLOSED
	channels.SetChannel(w.Consumer.GetContext(), transfertypes.PortID, end, channel)
	w.Consumer.NextBlock()
	require.Len(t, twochain.Events[convertertypes.EventRewardsAdded](w.Consumer.LastEvents()), 1)
	failed := twochain.Events[convertertypes.EventSendFailed](w.Consumer.LastEvents())
	require.Len(t, failed, 1)
	require.Equal(t, "rewards", failed[0].Kind)
	require.Empty(t, transfersOf(w.Consumer.Unreceived()))
	require.True(t, w.waiting(t).IsPositive())
	require.NoError(t, w.check())
	channel.State = channeltypes.OPEN
	channels.SetChannel(w.Consumer.GetContext(), transfertypes.PortID, end, channel)
	w.Consumer.Blocks(int(convertertypes.Backoff(1)) + 1)
	require.NoError(t, w.Relay())
	require.True(t, w.owed(user).IsPositive())
	w.everybodyWithdraws(t)
}
