package keeper_test

import (
	"strings"
	"testing"

	sdk "github.com/cosmos/cosmos-sdk/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

func TestHandshakeBindsTheChannelAndAnswers(t *testing.T) {
	f := newProvider(t)
	f.register(nil)
	channelID, version, err := f.try(1, nil)
	require.NoError(t, err)
	require.Equal(t, types.ConsumerRegistered, f.consumer(1).Status, "Try binds nothing")

	answer, err := control.ParseMetadata(version)
	require.NoError(t, err)
	require.NoError(t, control.VerifyAnswer(f.proposal(), answer))
	require.Equal(t, uint64(1), answer.ConsumerID)
	require.Equal(t, types.RewardReceiver(1).String(), answer.RewardReceiver)

	events := f.during(func() { require.NoError(t, f.confirm(1, channelID)) })
	f.hasEvent(events, &types.EventChannelOpened{ConsumerID: 1, ChannelID: channelID})
	consumer := f.consumer(1)
	require.Equal(t, types.ConsumerOpen, consumer.Status)
	require.Equal(t, channelID, consumer.ChannelID)
	require.Equal(t, "uother", consumer.Denom)
	f.holds()
}

func TestHS01OnlyTheConsumerStartsAndOnlyOrdered(t *testing.T) {
	f := newProvider(t)
	f.register(nil)
	f.refused(types.ErrInvalidHandshake, func() error {
		_, err := f.module.OnChanOpenInit(f.ctx, channeltypes.ORDERED, []string{"connection-0"}, types.Port(1), "channel-9", nil,
			channeltypes.NewCounterparty(converter, ""), "")
		return err
	})
	f.refused(types.ErrInvalidHandshake, func() error {
		return f.module.OnChanOpenAck(f.ctx, types.Port(1), "channel-9", "channel-1", "")
	})
	f.refused(types.ErrInvalidHandshake, func() error {
		_, _, err := f.try(1, func(h *handshake) { h.order = channeltypes.UNORDERED })
		return err
	})
}

func TestHS02Versions(t *testing.T) {
	encode := func(change func(*control.Metadata)) string {
		m := control.NewProposal("uother", unbonding, 0)
		change(&m)
		version, err := m.Encode()
		require.NoError(t, err)
		return version
	}
	good := encode(func(*control.Metadata) {})
	for _, tc := range []struct {
		name, version string
		want          error
	}{
		{name: "other protocol", version: encode(func(m *control.Metadata) { m.Protocol = "ics20-1" }), want: control.ErrVersion},
		{name: "major 2", version: encode(func(m *control.Metadata) { m.Version = "2.0.0" }), want: control.ErrVersion},
		{name: "empty", version: "", want: control.ErrMalformed},
		{name: "not JSON", version: "mesh", want: control.ErrMalformed},
		{name: "too long", version: strings.Repeat(" ", control.MaxVersionBytes) + good, want: control.ErrTooLong},
		{name: "bad denom", version: encode(func(m *control.Metadata) { m.Denom = "" }), want: control.ErrVersion},
		{name: "unbonds longer than registered", version: encode(func(m *control.Metadata) { m.UnbondingPeriod = unbonding + 1 }), want: types.ErrInvalidUnbondingPeriod},
		{name: "has processed batches that were never sent", version: encode(func(m *control.Metadata) { m.LastBatchID = 1 }), want: types.ErrInvalidHandshake},
		{name: "unknown extra fields", version: strings.Replace(good, "{", `{"colour":"blue","nested":{"a":[1]},`, 1)},
		{name: "higher minor", version: encode(func(m *control.Metadata) { m.Version = "1.7.3" })},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newProvider(t)
			f.register(nil)
			propose := func(h *handshake) { h.version = tc.version }
			if tc.want != nil {
				f.refused(tc.want, func() error {
					_, _, err := f.try(1, propose)
					return err
				})
				return
			}
			_, version, err := f.try(1, propose)
			require.NoError(t, err)
			answer, err := control.ParseMetadata(version)
			require.NoError(t, err)
			require.Equal(t, control.Version, answer.Version, "never above what is spoken here")
		})
	}
}

func TestHS03OnlyTheRegisteredConnectionAndPort(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*handshake)
		want   error
	}{
		{name: "other connection", change: func(h *handshake) { h.hops = []string{"connection-1"} }, want: types.ErrInvalidHandshake},
		{name: "multi-hop", change: func(h *handshake) { h.hops = []string{"connection-0", "connection-1"} }, want: types.ErrInvalidHandshake},
		{name: "no hop", change: func(h *handshake) { h.hops = nil }, want: types.ErrInvalidHandshake},
		{name: "other counterparty port", change: func(h *handshake) { h.counterpartyPort = "converter.2" }, want: types.ErrInvalidHandshake},
		{name: "unregistered consumer", change: func(h *handshake) { h.port = "externalstaking.2" }, want: types.ErrUnknownConsumer},
		{name: "foreign port", change: func(h *handshake) { h.port = "externalstaking.01" }, want: control.ErrInvalidPort},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newProvider(t)
			f.register(nil)
			f.refused(tc.want, func() error {
				_, _, err := f.try(1, tc.change)
				return err
			})
		})
	}
}

func TestHS04OneOfSeveralHandshakesIsBound(t *testing.T) {
	f := newProvider(t)
	f.register(nil)
	stranger, _, err := f.try(1, nil)
	require.NoError(t, err)
	winner, _, err := f.try(1, nil)
	require.NoError(t, err, "a half-open handshake blocks nothing")
	loser, _, err := f.try(1, nil)
	require.NoError(t, err)

	require.NoError(t, f.confirm(1, winner))
	for _, late := range []string{loser, stranger} {
		f.refused(types.ErrChannelBound, func() error { return f.confirm(1, late) })
	}
	f.refused(types.ErrChannelBound, func() error {
		_, _, err := f.try(1, nil)
		return err
	})
	require.Equal(t, winner, f.consumer(1).ChannelID)
	require.True(t, f.report(1, fullReport(active(valA, keyA))).Success())
	require.False(t, f.receive(types.Port(1), loser, nil).Success())
}

func TestHS05TheAnswerKeepsTheProposal(t *testing.T) {
	f := newProvider(t)
	f.register(nil)
	_, version, err := f.try(1, func(h *handshake) {
		// A proposal that fills in the provider's part itself.
		h.version = strings.Replace(h.version, "{", `{"consumer_id":"77","reward_receiver":"cosmos1thief",`, 1)
	})
	if err != nil {
		require.ErrorIs(t, err, control.ErrMalformed, "named twice")
		return
	}
	answer, err := control.ParseMetadata(version)
	require.NoError(t, err)
	require.Equal(t, uint64(1), answer.ConsumerID)
	require.Equal(t, types.RewardReceiver(1).String(), answer.RewardReceiver)
}

func TestHS06NoMessageClosesTheChannel(t *testing.T) {
	f, consumer := newConnected(t)
	f.refused(types.ErrCloseRefused, func() error {
		return f.module.OnChanCloseInit(f.ctx, types.Port(1), consumer.ChannelID)
	})
}

func TestCloseConfirmClosesTheBoundChannelOnly(t *testing.T) {
	f := newProvider(t)
	f.register(nil)
	halfOpen, _, err := f.try(1, nil)
	require.NoError(t, err)
	bound := f.open(1)
	require.NoError(t, f.module.OnChanCloseConfirm(f.ctx, types.Port(1), halfOpen))
	require.Equal(t, types.ConsumerOpen, f.consumer(1).Status)

	events := f.during(func() { require.NoError(t, f.module.OnChanCloseConfirm(f.ctx, types.Port(1), bound)) })
	require.Equal(t, types.ConsumerClosed, f.consumer(1).Status)
	f.hasEvent(events, &types.EventChannelClosed{ConsumerID: 1, ChannelID: bound, Reason: "closed by the consumer"})
	_, _, err = f.try(1, nil)
	require.NoError(t, err, "it can be opened again")
}

func TestATimeoutClosesTheChannelAndRollsTheStakeBack(t *testing.T) {
	f, consumer := newConnected(t)
	f.stake(alice, 1, valA, 100)
	f.nextBlock(0)
	packets := f.ibc.inFlight(f.ctx)
	require.Len(t, packets, 1)
	events := f.during(func() { f.timeout(packets[0]) })
	f.hasEvent(events, &types.EventChannelClosed{ConsumerID: 1, ChannelID: consumer.ChannelID, Reason: "a packet timed out"})
	require.Equal(t, types.ConsumerClosed, f.consumer(1).Status)
	account, err := f.vault.Account(f.ctx, alice)
	require.NoError(t, err)
	require.Equal(t, int64(100), account.Free.Int64())
	f.holds()

	f.refusedMsg(types.ErrChannelNotUsable, &types.MsgStake{User: alice.String(), ConsumerID: 1, Validator: valA, Amount: sdk.NewInt64Coin(denom, 100)})
	// The same timeout again, from a second relayer: nothing is in flight any more.
	before := f.state()
	require.NoError(t, f.module.OnTimeoutPacket(f.ctx, packets[0], carol))
	require.Equal(t, before, f.state())
}

func TestPK05AcknowledgementsNeverFail(t *testing.T) {
	for name, ack := range map[string][]byte{
		"empty":              {},
		"empty result":       []byte(`{"result":""}`),
		"unknown result":     []byte(`{"result":"AQ=="}`),
		"non-canonical JSON": []byte("{ \"result\" :\n \"e30=\" }"),
		"long error":         []byte(`{"error":"` + strings.Repeat("x", 60_000) + `"}`),
		"too long":           []byte(strings.Repeat("x", 1<<20)),
		"not JSON":           {0xff, 0x00},
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := newConnected(t)
			f.stake(alice, 1, valA, 100)
			f.nextBlock(0)
			packets := f.ibc.inFlight(f.ctx)
			require.Len(t, packets, 1)
			f.acknowledge(packets[0], ack)
			f.holds()
			require.Equal(t, types.ConsumerOpen, f.consumer(1).Status)
			account, err := f.vault.Account(f.ctx, alice)
			require.NoError(t, err)
			require.Equal(t, int64(100), account.Free.Int64(), "nothing of it counts on the consumer")
		})
	}
}

func TestAcknowledgementsOfUnknownPortsAndPacketsAreIgnored(t *testing.T) {
	f, consumer := newConnected(t)
	before := f.state()
	for _, port := range []string{"externalstaking.7", "other", types.Port(1)} {
		packet := channeltypes.Packet{SourcePort: port, SourceChannel: consumer.ChannelID, Sequence: 99}
		require.NoError(t, f.module.OnAcknowledgementPacket(f.ctx, packet, []byte(`{"result":"AQ=="}`), carol))
	}
	for _, packet := range []channeltypes.Packet{
		{SourcePort: "externalstaking.7", SourceChannel: consumer.ChannelID, Sequence: 1},
		{SourcePort: types.Port(1), SourceChannel: "channel-77", Sequence: 1},
	} {
		require.NoError(t, f.module.OnTimeoutPacket(f.ctx, packet, carol))
	}
	require.Equal(t, before, f.state())
}
