package tests

import (
	"encoding/json"
	"testing"

	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	ibctesting "github.com/cosmos/ibc-go/v8/testing"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	externalstakingtypes "github.com/mesh-security/mesh/x/externalstaking/types"
)

// allowed is two chains that have everything but the control channel.
func allowed(t *testing.T) *world {
	t.Helper()
	w := unconnected(t)
	w.Connect()
	w.OpenTransfer()
	w.CreateConverter()
	w.RegisterConsumer()
	w.AllowCounterparty()
	return w
}

// attempt is one more try at the control channel.
func (w *world) attempt(version string) *ibctesting.Path {
	return w.NewChannelPath(externalstakingtypes.Port(w.ConsumerID), convertertypes.PortID(w.ConverterID), channeltypes.ORDERED, version)
}

func TestHS01OnlyTheConsumerOpensAndOnlyOrdered(t *testing.T) {
	w := allowed(t)

	unordered := w.attempt("")
	unordered.EndpointB.ChannelConfig.Order = channeltypes.UNORDERED
	require.ErrorIs(t, unordered.EndpointB.ChanOpenInit(), convertertypes.ErrHandshake)

	byProvider := w.attempt("")
	require.ErrorIs(t, byProvider.EndpointA.ChanOpenInit(), externalstakingtypes.ErrInvalidHandshake)

	// The converter's end never answers: not even a channel some other application of the provider has begun.
	foreign := w.NewChannelPath(ibctesting.TransferPort, convertertypes.PortID(w.ConverterID), channeltypes.UNORDERED, "ics20-1")
	require.NoError(t, foreign.EndpointA.ChanOpenInit())
	foreign.EndpointB.ChannelConfig.Order = channeltypes.UNORDERED
	require.ErrorIs(t, foreign.EndpointB.ChanOpenTry(), convertertypes.ErrHandshake)

	w.OpenControl()
	require.NoError(t, w.Relay())
	require.NoError(t, w.check())
}

func TestHS02Versions(t *testing.T) {
	for name, tc := range map[string]struct {
		version string
		refused bool
	}{
		"another protocol": {version: `{"protocol":"ics20","version":"1.0.0"}`, refused: true},
		"another major":    {version: `{"protocol":"mesh-security","version":"2.0.0"}`, refused: true},
		"not json":         {version: `mesh-security`, refused: true},
		"empty":            {version: ""},
		"unknown fields":   {version: `{"protocol":"mesh-security","version":"1.0.0","colour":"green","nested":{"a":[1]}}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := allowed(t)
			path := w.attempt(tc.version)
			err := path.EndpointB.ChanOpenInit()
			if tc.refused {
				require.Error(t, err)
				require.NotErrorIs(t, err, channeltypes.ErrInvalidChannel)
				return
			}
			require.NoError(t, err)
			w.Control = path
			require.NoError(t, path.EndpointA.ChanOpenTry())
			require.NoError(t, path.EndpointB.ChanOpenAck())
			require.NoError(t, path.EndpointA.ChanOpenConfirm())
			require.NoError(t, w.Relay())
			metadata, err := control.ParseMetadata(path.EndpointB.GetChannel().Version)
			require.NoError(t, err)
			require.Equal(t, w.ConsumerID, metadata.ConsumerID)
			require.Equal(t, w.Consumer.Denom, metadata.Denom)
			require.True(t, w.consumerInfo().SyncComplete)
		})
	}
}

func TestHS03OnlyTheRegisteredEndsTry(t *testing.T) {
	w := allowed(t)
	port := externalstakingtypes.Port(w.ConsumerID)

	// A second converter whose admin allows the registration of the first one.
	first := w.Control
	w.CreateConverter()
	stranger := w.Control
	stranger.EndpointA.ChannelConfig.PortID = port
	w.AllowCounterparty()
	require.NoError(t, stranger.EndpointB.ChanOpenInit())
	require.ErrorIs(t, stranger.EndpointA.ChanOpenTry(), externalstakingtypes.ErrInvalidHandshake)

	// The right ports over another connection.
	registered := w.Connection
	w.Connect()
	w.OpenTransfer()
	w.CreateConverter()
	elsewhere := w.Control
	elsewhere.EndpointA.ChannelConfig.PortID = port
	w.AllowCounterparty()
	require.NoError(t, elsewhere.EndpointB.ChanOpenInit())
	require.ErrorIs(t, elsewhere.EndpointA.ChanOpenTry(), externalstakingtypes.ErrInvalidHandshake)

	// More than one hop.
	relayer := w.Consumer.Relayer
	msg := channeltypes.NewMsgChannelOpenInit(
		first.EndpointB.ChannelConfig.PortID, "", channeltypes.ORDERED,
		[]string{registered.EndpointB.ConnectionID, w.Connection.EndpointB.ConnectionID}, port, relayer.String(),
	)
	_, err := w.Consumer.Deliver(relayer, msg)
	require.Error(t, err)
}

func TestHS04OnlyTheFirstOfSeveralHandshakesIsBound(t *testing.T) {
	w := allowed(t)
	abandoned, winner, loser := w.attempt(""), w.attempt(""), w.attempt("")
	for _, path := range []*ibctesting.Path{abandoned, loser, winner} {
		require.NoError(t, path.EndpointB.ChanOpenInit())
	}
	for _, path := range []*ibctesting.Path{loser, winner} {
		require.NoError(t, path.EndpointA.ChanOpenTry())
	}
	require.NoError(t, winner.EndpointB.ChanOpenAck())
	require.ErrorIs(t, loser.EndpointB.ChanOpenAck(), convertertypes.ErrChannelInUse)
	require.Error(t, loser.EndpointA.ChanOpenConfirm())
	require.NoError(t, winner.EndpointA.ChanOpenConfirm())
	require.Equal(t, channeltypes.OPEN, winner.EndpointA.GetChannel().State)
	require.NotEqual(t, channeltypes.OPEN, loser.EndpointA.GetChannel().State)
	require.NotEqual(t, channeltypes.OPEN, loser.EndpointB.GetChannel().State)
	require.ErrorIs(t, abandoned.EndpointA.ChanOpenTry(), externalstakingtypes.ErrChannelBound)

	w.Control = winner
	w.SetPrice()
	require.NoError(t, w.setMaxCap(w.Config().MaxCap, w.Config().GovernanceWeight))
	require.NoError(t, w.Relay())
	require.Equal(t, winner.EndpointA.ChannelID, w.consumerInfo().Consumer.ChannelID)
	w.staked(t, w.Provider.Users[1], w.validator(0), 1_000)
	w.requireQuiet(t)
}

func TestHS05TamperedAnswersAreRefused(t *testing.T) {
	for name, tamper := range map[string]func(*control.Metadata){
		"version above the proposal": func(m *control.Metadata) { m.Version = "1.7.0" },
		"no reward receiver":         func(m *control.Metadata) { m.RewardReceiver = "" },
		"no consumer id":             func(m *control.Metadata) { m.ConsumerID = 0 },
		"another consumer id":        func(m *control.Metadata) { m.ConsumerID += 7 },
		"another denom":              func(m *control.Metadata) { m.Denom = "uother" },
		"another batch":              func(m *control.Metadata) { m.LastBatchID = 9 },
	} {
		t.Run(name, func(t *testing.T) {
			w := allowed(t)
			path := w.attempt("")
			require.NoError(t, path.EndpointB.ChanOpenInit())
			require.NoError(t, path.EndpointA.ChanOpenTry())

			// A byzantine provider changes its answer after the fact.
			end := path.EndpointA.GetChannel()
			metadata, err := control.ParseMetadata(end.Version)
			require.NoError(t, err)
			tamper(&metadata)
			bz, err := json.Marshal(metadata)
			require.NoError(t, err)
			end.Version = string(bz)
			if encoded, err := metadata.Encode(); err == nil {
				end.Version = encoded
			}
			w.Provider.App.IBCKeeper.ChannelKeeper.SetChannel(w.Provider.GetContext(), path.EndpointA.ChannelConfig.PortID, path.EndpointA.ChannelID, end)
			path.EndpointA.ChannelConfig.Version = end.Version
			w.Provider.NextBlock()
			require.NoError(t, path.EndpointB.UpdateClient())
			err = path.EndpointB.ChanOpenAck()
			require.Error(t, err)
			require.NotErrorIs(t, err, clienttypes.ErrFailedChannelStateVerification)
			require.Equal(t, channeltypes.INIT, path.EndpointB.GetChannel().State)
			require.Equal(t, convertertypes.ConverterCreated, w.converter().Converter.Status)
		})
	}
}

func TestHS06NobodyClosesALiveChannel(t *testing.T) {
	w := newWorld(t)
	w.staked(t, w.Provider.Users[1], w.validator(0), 1_000)
	require.ErrorIs(t, w.Control.EndpointA.ChanCloseInit(), externalstakingtypes.ErrCloseRefused)
	require.ErrorIs(t, w.Control.EndpointB.ChanCloseInit(), convertertypes.ErrChannelClose)
	require.Equal(t, channeltypes.OPEN, w.Control.EndpointA.GetChannel().State)
	require.Equal(t, channeltypes.OPEN, w.Control.EndpointB.GetChannel().State)
	w.staked(t, w.Provider.Users[2], w.validator(1), 1_000)
	w.requireQuiet(t)
}

func TestHS07StakeBetweenAckAndConfirm(t *testing.T) {
	w := allowed(t)
	path := w.attempt("")
	require.NoError(t, path.EndpointB.ChanOpenInit())
	require.NoError(t, path.EndpointA.ChanOpenTry())
	require.NoError(t, path.EndpointB.ChanOpenAck())
	// The relayer is gone. The consumer already reports its validators into the open half.
	w.Consumer.Blocks(3)

	user := w.Provider.Users[1]
	require.NoError(t, w.deposit(user, 1_000))
	require.ErrorIs(t, w.stake(user, w.validator(0), 1_000), externalstakingtypes.ErrChannelNotUsable)
	require.Equal(t, "1000", w.account(user).Free.String())

	require.NoError(t, path.EndpointA.UpdateClient())
	require.NoError(t, path.EndpointA.ChanOpenConfirm())
	w.Control = path
	// Open, but the validators are not known yet.
	require.ErrorIs(t, w.stake(user, w.validator(0), 1_000), externalstakingtypes.ErrChannelNotUsable)
	require.NoError(t, w.Relay())
	require.NoError(t, w.stake(user, w.validator(0), 1_000))
	w.requireQuiet(t)
	require.Equal(t, "1000", w.position(user, w.validator(0)).Bonded.String())
}
