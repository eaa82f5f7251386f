package tests

import (
	"testing"
	"time"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	host "github.com/cosmos/ibc-go/v8/modules/core/24-host"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	"github.com/mesh-security/mesh/x/control"
	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	externalstakingtypes "github.com/mesh-security/mesh/x/externalstaking/types"
	virtualstakingtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

// entriesPerPacket makes the provider's packets small, so that snapshots have several chunks.
func (w *world) entriesPerPacket(t require.TestingT, n uint32) {
	params, err := w.Provider.App.ExternalStakingKeeper.Params.Get(w.Provider.Ctx())
	require.NoError(t, err)
	params.MaxEntriesPerPacket = n
	require.NoError(t, authority(w.Provider, &externalstakingtypes.MsgUpdateParams{Authority: twochain.Authority(), Params: params}))
	w.Provider.NextBlock()
}

// closeControl has the consumer's governance close its end, and a relayer tell the provider.
func (w *world) closeControl(t require.TestingT) {
	end := w.Control.EndpointB
	require.NoError(t, w.Consumer.Execute(&convertertypes.MsgCloseChannel{Authority: twochain.Authority(), ConverterID: w.ConverterID}))
	require.Equal(t, channeltypes.CLOSED, end.GetChannel().State)
	require.Equal(t, convertertypes.ConverterClosed, w.converter().Converter.Status)
	require.NoError(t, w.CloseConfirm(w.Consumer, end.ChannelConfig.PortID, end.ChannelID))
	require.Equal(t, externalstakingtypes.ConsumerClosed, w.consumerInfo().Consumer.Status)
}

// silenced is two chains on which a user stakes with two validators.
func silenced(t *testing.T) (w *world, counted map[string]math.Int) {
	t.Helper()
	w = newWorld(t)
	w.forceAfter(t, patient)
	w.entriesPerPacket(t, 1)
	user := w.Provider.Users[1]
	require.NoError(t, w.deposit(user, 10_000_000))
	require.NoError(t, w.stake(user, w.validator(0), 4_000_000))
	require.NoError(t, w.stake(user, w.validator(1), 2_000_000))
	w.requireQuiet(t)
	w.epoch()
	w.requireQuiet(t)
	counted = w.delegated()
	require.Len(t, counted, 2)
	return w, counted
}

// firstChunk relays until the consumer has taken one chunk of a snapshot that has more.
func (w *world) firstChunk(t require.TestingT) {
	for range 20 {
		for _, p := range w.controlPackets(w.Provider.Unreceived()) {
			require.NoError(t, w.Receive(w.Provider, p))
			if sync, err := control.DecodeStakeSync(p.Data); err == nil && sync.Reset_ != nil {
				require.False(t, sync.Reset_.Last, "the snapshot has two chunks")
				return
			}
		}
		_, err := w.RelayAcks(w.Provider, 0)
		require.NoError(t, err)
		w.Provider.NextBlock()
	}
	require.Fail(t, "no snapshot came")
}

func TestRM20ClosedChannelUnwindsAndAResetRestores(t *testing.T) {
	w, before := silenced(t)
	counted := w.remoteStake()
	w.closeControl(t)
	w.epoch()
	require.NotNil(t, w.source().Source.SilentSince)
	require.NoError(t, w.Advance(6*day))
	w.epoch()
	require.Equal(t, before, w.delegated(), "not yet")
	require.NoError(t, w.Advance(day))
	w.epoch()
	require.True(t, w.source().Source.Unwound)
	require.Empty(t, w.delegated())
	require.Equal(t, "2700000", w.source().Unbonding.String())
	require.Equal(t, counted, w.remoteStake(), "what counts stays")
	require.NoError(t, w.check())

	// Opened again: an epoch between the chunks of the snapshot bonds nothing, and unbonds nothing any more.
	require.NoError(t, w.ReopenControl())
	w.firstChunk(t)
	w.epoch()
	require.True(t, w.source().Source.Unwound)
	require.Nil(t, w.source().Source.SilentSince)
	require.Empty(t, w.delegated())
	require.Equal(t, "2700000", w.source().Unbonding.String())
	require.NoError(t, w.check())
	w.requireQuiet(t)
	require.False(t, w.source().Source.Unwound)
	w.SetPrice() // the old one is stale by now
	w.epoch()
	require.Equal(t, before, w.delegated())
	require.Empty(t, w.source().Source.LastFailure)
	w.requireQuiet(t)

	// What was unwound is burned in the end, and everybody gets everything back.
	require.NoError(t, w.Advance(22*day))
	w.Consumer.NextBlock()
	require.Equal(t, "0", w.source().Unbonding.String())
	w.everybodyWithdraws(t)
}

func TestRM20SnapshotInTwoChunksUnwindsNothing(t *testing.T) {
	w, before := silenced(t)
	w.closeControl(t)
	require.NoError(t, w.ReopenControl())
	w.firstChunk(t)
	for range 2 {
		w.epoch()
		require.Equal(t, before, w.delegated())
		require.Equal(t, "0", w.source().Unbonding.String())
	}
	require.NoError(t, w.check())
	w.requireQuiet(t)
	w.epoch()
	require.Equal(t, before, w.delegated())
	require.Equal(t, "0", w.source().Unbonding.String())
	w.everybodyWithdraws(t)
}

// The light client expires, while the channel stays open: nothing closes, so nobody but the consumer knows that it needs a
// snapshot.
func TestRM20ExpiredClientUnwindsAndTheConsumerAsksForAReset(t *testing.T) {
	w, before := silenced(t)
	w.Outage(15 * day)
	require.Equal(t, exported.Expired, w.ClientStatus(w.Consumer))
	w.epoch()
	require.NotNil(t, w.source().Source.SilentSince)
	require.Equal(t, before, w.delegated())
	w.Outage(7 * day)
	w.epoch()
	require.True(t, w.source().Source.Unwound)
	require.Empty(t, w.delegated())
	require.Equal(t, channeltypes.OPEN, w.Control.EndpointB.GetChannel().State)
	require.Empty(t, w.controlPackets(w.Consumer.Unreceived()), "nothing can be sent")
	require.NoError(t, w.check())

	require.NoError(t, w.RecoverClient(w.Provider))
	require.NoError(t, w.RecoverClient(w.Consumer))
	w.Consumer.NextBlock()
	asked := w.controlPackets(w.Consumer.Unreceived())
	require.Len(t, asked, 1)
	sync, err := control.DecodeValidatorSync(asked[0].Data)
	require.NoError(t, err)
	require.True(t, sync.NeedReset)
	w.requireQuiet(t)
	require.False(t, w.source().Source.Unwound)
	w.SetPrice() // the old one is stale by now
	w.epoch()
	require.Equal(t, before, w.delegated())
	w.everybodyWithdraws(t)
}

// A handshake that was left half open, a closure while the new one is under way, and another one right after it.
func TestHS09ClosuresInARowAndDuringAReopen(t *testing.T) {
	w, before := silenced(t)
	stale := w.attempt("")
	require.ErrorIs(t, stale.EndpointB.ChanOpenInit(), convertertypes.ErrChannelInUse, "its own end is not closed")
	w.closeControl(t)
	require.NoError(t, stale.EndpointB.ChanOpenInit())
	require.NoError(t, stale.EndpointA.ChanOpenTry())

	// The provider's end closes in the middle of the snapshot, and the consumer's follows: what was staged is dropped.
	require.NoError(t, w.ReopenControl())
	w.firstChunk(t)
	staged := func() int {
		gs, err := w.Consumer.App.ConverterKeeper.ExportGenesis(w.Consumer.Ctx())
		require.NoError(t, err)
		return len(gs.Converters[0].Staged)
	}
	require.Equal(t, 1, staged())
	require.NoError(t, w.Provider.Execute(&externalstakingtypes.MsgCloseChannel{Authority: twochain.Authority(), ConsumerID: w.ConsumerID}))
	second := w.attempt("")
	require.ErrorIs(t, second.EndpointB.ChanOpenInit(), convertertypes.ErrChannelInUse, "one end alone is not enough")
	require.NoError(t, w.CloseConfirm(w.Provider, w.Control.EndpointA.ChannelConfig.PortID, w.Control.EndpointA.ChannelID))
	require.Zero(t, staged())
	w.epoch()
	require.Equal(t, before, w.delegated())
	require.NoError(t, w.check())

	// Once more, and closed before anything was sent; then for good. The full report begins again each time.
	require.NoError(t, w.ReopenControl())
	w.closeControl(t)
	require.NoError(t, w.ReopenControl())
	w.Consumer.NextBlock()
	reports := w.controlPackets(w.Consumer.Unreceived())
	require.NotEmpty(t, reports)
	last, err := control.DecodeValidatorSync(reports[len(reports)-1].Data)
	require.NoError(t, err)
	require.Equal(t, &control.Reset{Last: true}, last.Reset_)
	require.Len(t, last.Validators, len(w.Consumer.Validators))

	// RM-10: the half-open one says a batch that is not the last one any more, and loses anyway.
	require.Error(t, stale.EndpointB.ChanOpenAck())
	require.Equal(t, w.Control.EndpointB.ChannelID, w.converter().Converter.ChannelID)
	w.requireQuiet(t)
	w.epoch()
	require.Equal(t, before, w.delegated())
	require.Equal(t, "0", w.source().Unbonding.String())
	w.everybodyWithdraws(t)
}

func TestRM10HalfOpenHandshakeWithAnOldBatchIsRefusedAtAck(t *testing.T) {
	w, before := silenced(t)
	w.closeControl(t)
	stale := w.attempt("")
	require.NoError(t, stale.EndpointB.ChanOpenInit())
	require.NoError(t, w.ReopenControl())
	w.requireQuiet(t)
	require.NoError(t, w.stake(w.Provider.Users[1], w.validator(0), 1_000))
	w.requireQuiet(t)
	w.closeControl(t)

	require.NoError(t, stale.EndpointA.ChanOpenTry())
	require.ErrorIs(t, stale.EndpointB.ChanOpenAck(), control.ErrVersion)
	require.Equal(t, convertertypes.ConverterClosed, w.converter().Converter.Status)
	require.Equal(t, "4001000", w.remoteStake()[w.validator(0)].Stake.String())
	require.NoError(t, w.check())
	require.NoError(t, w.ReopenControl())
	w.requireQuiet(t)
	w.epoch()
	require.Equal(t, before[w.validator(0)].AddRaw(450), w.delegated()[w.validator(0)])
	w.everybodyWithdraws(t)
}

// The channel closes in the very block in which an epoch runs, rewards leave and a validator is jailed.
func TestTO07ChannelClosesInTheBlockOfEverything(t *testing.T) {
	w, _ := silenced(t)
	w.earn(t)
	require.NoError(t, w.Provider.Execute(&externalstakingtypes.MsgCloseChannel{Authority: twochain.Authority(), ConsumerID: w.ConsumerID}))
	require.NoError(t, w.UpdateClient(w.Consumer))
	for w.Consumer.App.LastBlockHeight() < w.source().Source.NextEpoch-1 {
		w.Consumer.NextBlock()
	}
	provider := w.Control.EndpointA
	before := len(w.Consumer.Packets())
	proof, height := w.Provider.QueryProof(host.ChannelKey(provider.ChannelConfig.PortID, provider.ChannelID))
	require.NoError(t, w.Consumer.Jail(w.Consumer.Validators[1]))
	_, err := w.Consumer.Deliver(w.Consumer.Relayer, channeltypes.NewMsgChannelCloseConfirm(
		w.Control.EndpointB.ChannelConfig.PortID, w.Control.EndpointB.ChannelID, proof, height, w.Consumer.Relayer.String(),
	))
	require.NoError(t, err)
	require.Equal(t, w.Consumer.App.LastBlockHeight(), w.source().Source.LastEpoch)
	closed := twochain.Events[convertertypes.EventChannelClosed](w.Consumer.LastEvents())
	require.Len(t, closed, 1)
	require.Len(t, twochain.Events[convertertypes.EventRewardsSent](w.Consumer.LastEvents()), 1, "another channel")
	require.Len(t, twochain.Events[virtualstakingtypes.EventValidatorChanged](w.Consumer.LastEvents()), 1)
	sent := w.Consumer.Packets()[before:]
	require.Len(t, sent, 1)
	require.Empty(t, w.controlPackets(sent))
	require.NoError(t, w.check())

	// More of it while it is closed, then everything arrives.
	require.NoError(t, w.Consumer.Unjail(w.Consumer.Validators[1]))
	w.Consumer.DoubleSign(w.Consumer.Validators[2])
	w.Consumer.NextBlock()
	w.epoch()
	w.Outage(time.Minute)
	require.NoError(t, w.ReopenControl())
	w.requireQuiet(t)
	for i, want := range map[int]control.ValidatorStatus{1: control.StatusActive, 2: control.StatusTombstoned} {
		v, err := w.Provider.App.ExternalStakingKeeper.Validators.Get(w.Provider.Ctx(), collections.Join(w.ConsumerID, w.validator(i)))
		require.NoError(t, err)
		require.Equal(t, want, v.Status, "validator %d", i)
	}
	w.everybodyWithdraws(t)
}
