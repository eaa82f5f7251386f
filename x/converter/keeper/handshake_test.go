package keeper_test

import (
	"testing"
	"time"

	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/converter/types"
)

func TestHandshakeBindsTheChannel(t *testing.T) {
	f := newFixture(t)
	id := f.create()
	channelID, version, err := f.init(id)
	require.NoError(t, err)
	proposal, err := control.ParseMetadata(version)
	require.NoError(t, err)
	require.Equal(t, control.NewProposal(bondDenom, 21*24*time.Hour, 0), proposal)
	require.Equal(t, types.ConverterCreated, f.converter(id).Status)

	require.NoError(t, f.ack(id, channelID, f.answer(version)))
	c := f.converter(id)
	require.Equal(t, types.ConverterOpen, c.Status)
	require.Equal(t, channelID, c.ChannelID)
	require.Equal(t, uint64(7), c.ConsumerID)
	require.Equal(t, receiver, c.RewardReceiver)
	require.Equal(t, []*types.EventChannelOpened{{ConverterID: id, ChannelID: channelID, ConsumerID: 7}}, events(f, &types.EventChannelOpened{}))
}

func TestHS01OnlyAnOrderedInitFromThisEnd(t *testing.T) {
	f := newFixture(t)
	id := f.create()
	for name, try := range map[string]func() (string, string, error){
		"unordered": func() (string, string, error) {
			return f.initWith(id, channeltypes.UNORDERED, []string{connection}, provider, "")
		},
		"other connection": func() (string, string, error) {
			return f.initWith(id, channeltypes.ORDERED, []string{"connection-1"}, provider, "")
		},
		"multi-hop": func() (string, string, error) {
			return f.initWith(id, channeltypes.ORDERED, []string{connection, connection}, provider, "")
		},
		"other port": func() (string, string, error) {
			return f.initWith(id, channeltypes.ORDERED, []string{connection}, "externalstaking.8", "")
		},
		"empty other port": func() (string, string, error) {
			return f.initWith(id, channeltypes.ORDERED, []string{connection}, "", "")
		},
		"no such converter": func() (string, string, error) {
			return f.initWith(9, channeltypes.ORDERED, []string{connection}, provider, "")
		},
	} {
		_, _, err := try()
		require.Error(t, err, name)
	}
	_, err := f.module.OnChanOpenTry(f.ctx, channeltypes.ORDERED, []string{connection}, types.PortID(id), "channel-1", nil, channeltypes.NewCounterparty(provider, ""), "")
	require.ErrorIs(t, err, types.ErrHandshake)
	require.ErrorIs(t, f.module.OnChanOpenConfirm(f.ctx, types.PortID(id), "channel-1"), types.ErrHandshake)

	// A converter whose admin has not allowed a port yet accepts nobody.
	res, err := f.msgs.CreateConverter(f.ctx, newMsg())
	require.NoError(t, err)
	_, _, err = f.init(res.ConverterID)
	require.ErrorIs(t, err, types.ErrHandshake)
	_, _, err = f.initWith(res.ConverterID, channeltypes.ORDERED, []string{connection}, "", "")
	require.ErrorIs(t, err, types.ErrHandshake)
}

func TestHS02Version(t *testing.T) {
	f := newFixture(t)
	id := f.create()
	for _, tc := range []struct {
		name, version string
		err           error
	}{
		{"other protocol", `{"protocol":"ics20-1","version":"1.0.0"}`, control.ErrVersion},
		{"major 2", `{"protocol":"mesh-security","version":"2.0.0"}`, control.ErrVersion},
		{"not JSON", `ics20-1`, control.ErrMalformed},
		{"too long", string(make([]byte, control.MaxVersionBytes+1)), control.ErrTooLong},
		{"empty", ``, nil},
		{"unknown fields", `{"protocol":"mesh-security","version":"1.7.0","color":"green"}`, nil},
		{"own content", `{"protocol":"mesh-security","version":"1.0.0","denom":"evil","last_batch_id":"9"}`, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, version, err := f.initWith(id, channeltypes.ORDERED, []string{connection}, provider, tc.version)
			if tc.err != nil {
				require.ErrorIs(t, err, tc.err)
				return
			}
			require.NoError(t, err)
			written, err := control.ParseMetadata(version)
			require.NoError(t, err)
			require.Equal(t, control.NewProposal(bondDenom, 21*24*time.Hour, 0), written)
		})
	}
}

func TestHS04OneOfSeveralHandshakesWins(t *testing.T) {
	f := newFixture(t)
	id := f.create()
	first, version, err := f.init(id)
	require.NoError(t, err)
	second, _, err := f.init(id)
	require.NoError(t, err)
	_, _, err = f.init(id) // left half open for ever
	require.NoError(t, err)

	require.NoError(t, f.ack(id, second, f.answer(version)))
	require.ErrorIs(t, f.ack(id, first, f.answer(version)), types.ErrChannelInUse)
	require.Equal(t, second, f.converter(id).ChannelID)
	require.Equal(t, channeltypes.INIT, f.ibc.channel(types.PortID(id), first).State)
	_, _, err = f.init(id)
	require.ErrorIs(t, err, types.ErrChannelInUse)
}

func TestHS05TamperedAnswer(t *testing.T) {
	f := newFixture(t)
	id := f.create()
	channelID, version, err := f.init(id)
	require.NoError(t, err)
	for name, tamper := range map[string]func(*control.Metadata){
		"version above the proposal": func(m *control.Metadata) { m.Version = "1.0.1" },
		"no version":                 func(m *control.Metadata) { m.Version = "" },
		"protocol":                   func(m *control.Metadata) { m.Protocol = "ics20-1" },
		"denom":                      func(m *control.Metadata) { m.Denom = "other" },
		"unbonding period":           func(m *control.Metadata) { m.UnbondingPeriod++ },
		"last batch":                 func(m *control.Metadata) { m.LastBatchID = 3 },
		"no consumer id":             func(m *control.Metadata) { m.ConsumerID = 0 },
		"another consumer id":        func(m *control.Metadata) { m.ConsumerID = 8 },
		"no reward receiver":         func(m *control.Metadata) { m.RewardReceiver = "" },
		"long reward receiver":       func(m *control.Metadata) { m.RewardReceiver = string(make([]byte, 200)) },
	} {
		answer := f.answer(version)
		tamper(&answer)
		before := f.exported()
		require.Error(t, f.ack(id, channelID, answer), name)
		require.Equal(t, before, f.exported(), name)
	}
	port := types.PortID(id)
	require.Error(t, f.module.OnChanOpenAck(f.ctx, port, channelID, "channel-9", "{"))
	require.ErrorIs(t, f.module.OnChanOpenAck(f.ctx, port, "channel-77", "channel-9", version), types.ErrHandshake)
	require.NoError(t, f.ack(id, channelID, f.answer(version)))
}

func TestAckAfterTheAdminChangedThePort(t *testing.T) {
	f := newFixture(t)
	id := f.create()
	channelID, version, err := f.init(id)
	require.NoError(t, err)
	_, err = f.msgs.UpdateConverter(f.ctx, &types.MsgUpdateConverter{Sender: alice.String(), ConverterID: id, CounterpartyPort: "externalstaking.8"})
	require.NoError(t, err)
	require.ErrorIs(t, f.ack(id, channelID, f.answer(version)), types.ErrHandshake)
}

func TestHS06NobodyClosesTheChannel(t *testing.T) {
	f := newFixture(t)
	id, channelID := f.open()
	require.ErrorIs(t, f.module.OnChanCloseInit(f.ctx, types.PortID(id), channelID), types.ErrChannelClose)
	require.Equal(t, types.ConverterOpen, f.converter(id).Status)
}

func TestRM10HalfOpenInitWithAnOldBatch(t *testing.T) {
	f := newFixture(t)
	id := f.create()
	old, oldVersion, err := f.init(id)
	require.NoError(t, err)
	channelID := f.reopen(id)
	f.virtual.change(val1, control.StatusActive)
	_, refused := f.sync(id, channelID, syncOf(4, stake(val1, 100)))
	require.Empty(t, refused)
	f.timeOut(id, channelID)

	require.ErrorIs(t, f.ack(id, old, f.answer(oldVersion)), control.ErrVersion)
	require.Equal(t, types.ConverterClosed, f.converter(id).Status)
	require.Equal(t, map[string]int64{val1: 100}, f.counted(id))

	// A new one says where the counting stands.
	fresh, version, err := f.init(id)
	require.NoError(t, err)
	answer := f.answer(version)
	require.Equal(t, uint64(4), answer.LastBatchID)
	require.NoError(t, f.ack(id, fresh, answer))
	require.Equal(t, fresh, f.converter(id).ChannelID)
}

func TestClosure(t *testing.T) {
	for _, tc := range []struct {
		name   string
		reason string
		close  func(f *fixture, id uint64, channelID string)
	}{
		{"by a timeout", "a packet timed out", func(f *fixture, id uint64, channelID string) { f.timeOut(id, channelID) }},
		{"by the other end", "closed by the provider", func(f *fixture, id uint64, channelID string) {
			require.NoError(f.t, f.module.OnChanCloseConfirm(f.ctx, types.PortID(id), channelID))
			c := f.ibc.channel(types.PortID(id), channelID)
			c.State = channeltypes.CLOSED
			f.ibc.set(types.PortID(id), channelID, c)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			id, channelID := f.open()
			f.virtual.change(val1, control.StatusActive)
			f.virtual.change(val2, control.StatusActive)
			_, refused := f.sync(id, channelID, syncOf(1, stake(val1, 100)))
			require.Empty(t, refused)
			_, refused = f.sync(id, channelID, resetOf(2, 0, false, stake(val2, 50)))
			require.Empty(t, refused)
			require.NoError(t, f.app.EndBlock(f.ctx))
			require.Len(t, f.reports(), 1)

			// Another channel of the port is not of interest.
			require.NoError(t, f.module.OnChanCloseConfirm(f.ctx, types.PortID(id), "channel-66"))
			require.Equal(t, types.ConverterOpen, f.converter(id).Status)

			f.clear()
			tc.close(f, id, channelID)
			require.Equal(t, types.ConverterClosed, f.converter(id).Status)
			require.Equal(t, []*types.EventChannelClosed{{ConverterID: id, ChannelID: channelID, Reason: tc.reason}}, events(f, &types.EventChannelClosed{}))
			gs, err := f.k.ExportGenesis(f.ctx)
			require.NoError(t, err)
			require.Nil(t, gs.Converters[0].Snapshot)
			require.Empty(t, gs.Converters[0].Staged)
			require.Equal(t, map[string]int64{val1: 100}, f.counted(id))

			// Nothing is sent and nothing received until it is open again; later timeouts of the old channel change nothing.
			f.virtual.change(val1, control.StatusJailed)
			require.NoError(t, f.app.EndBlock(f.ctx))
			require.Empty(t, f.reports())
			_, refused = f.sync(id, channelID, syncOf(3, stake(val1, 1)))
			require.NotEmpty(t, refused)

			fresh := f.reopen(id)
			f.timeOut(id, channelID)
			require.Equal(t, types.ConverterOpen, f.converter(id).Status)
			require.NoError(t, f.app.EndBlock(f.ctx))
			reports := f.reports()
			require.Len(t, reports, 1)
			require.Equal(t, &control.Reset{Chunk: 0, Last: true}, reports[0].Reset_)
			require.Len(t, reports[0].Validators, 2)
			// The chunk staged before the closure is gone.
			_, refused = f.sync(id, fresh, resetOf(3, 1, true, stake(val1, 1)))
			require.NotEmpty(t, refused)
			_, refused = f.sync(id, fresh, resetOf(4, 0, true, stake(val1, 70)))
			require.Empty(t, refused)
			require.Equal(t, map[string]int64{val1: 70}, f.counted(id))
		})
	}
}

func TestHandlersOfUnknownPortsDoNotFail(t *testing.T) {
	f := newFixture(t)
	require.NoError(t, f.module.OnChanCloseConfirm(f.ctx, "converter.9", "channel-1"))
	require.NoError(t, f.module.OnTimeoutPacket(f.ctx, channeltypes.Packet{SourcePort: "transfer", SourceChannel: "channel-1"}, nil))
	require.NoError(t, f.module.OnAcknowledgementPacket(f.ctx, channeltypes.Packet{SourcePort: "nonsense"}, []byte("nonsense"), nil))
}
