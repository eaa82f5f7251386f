package keeper_test

import (
	"errors"
	"testing"

	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/converter/types"
)

func (f *fixture) silent(id uint64) bool {
	f.t.Helper()
	silent, err := f.k.ProviderSilent(f.ctx, id)
	require.NoError(f.t, err)
	return silent
}

func TestProviderSilent(t *testing.T) {
	f := newFixture(t)
	id := f.create()
	require.False(t, f.silent(id), "nothing counts yet")
	channelID := f.reopen(id)
	require.False(t, f.silent(id))
	for _, status := range []exported.Status{exported.Expired, exported.Frozen, exported.Unknown} {
		f.ibc.status = status
		require.True(t, f.silent(id), status)
	}
	f.ibc.status = exported.Active
	f.timeOut(id, channelID)
	require.True(t, f.silent(id))
	_, _, err := f.init(id) // half open is not open
	require.NoError(t, err)
	require.True(t, f.silent(id))
	f.reopen(id)
	require.False(t, f.silent(id))
	_, err = f.k.ProviderSilent(f.ctx, 9)
	require.ErrorIs(t, err, types.ErrConverterNotFound)
}

func TestRM20_AResetIsAskedForUntilItCame(t *testing.T) {
	f := newFixture(t)
	f.virtual.change(val1, control.StatusActive)
	f.virtual.change(val2, control.StatusActive)
	id, channelID := f.open()
	require.Len(t, f.endBlock(), 1)
	_, refused := f.sync(id, channelID, syncOf(1, stake(val1, 100)))
	require.Empty(t, refused)
	require.Empty(t, f.endBlock())

	// Unwound while the client was down: nothing can be asked then, and it is asked at once when it is back.
	f.virtual.reset[id] = 700
	f.ibc.status = exported.Expired
	require.Empty(t, f.endBlock())
	f.ibc.status = exported.Active
	asked := func() bool {
		t.Helper()
		reports := f.endBlock()
		require.LessOrEqual(t, len(reports), 1)
		return len(reports) == 1 && reports[0].NeedReset
	}
	require.True(t, asked(), "although there is nothing else to tell")
	require.False(t, asked(), "once per epoch")
	f.virtual.change(val1, control.StatusJailed)
	require.False(t, asked())
	f.virtual.reset[id] = 1_300
	f.virtual.change(val1, control.StatusActive)
	reports := f.endBlock()
	require.Len(t, reports, 1)
	require.True(t, reports[0].NeedReset, "together with what else there is")
	require.Len(t, reports[0].Validators, 1)
	require.Nil(t, reports[0].Reset_)

	// Refused: it comes again with the full report.
	require.NoError(t, f.module.OnAcknowledgementPacket(f.ctx, channeltypes.Packet{
		SourcePort: types.PortID(id), SourceChannel: channelID, Sequence: 4,
	}, control.ErrorAck(control.ErrInvalidPacket).Acknowledgement(), nil))
	f.pass(types.Backoff(1), 0)
	reports = f.endBlock()
	require.Len(t, reports, 1)
	require.True(t, reports[0].NeedReset && reports[0].Reset_ != nil)

	// Changes and the first chunk of a snapshot are not the snapshot.
	_, refused = f.sync(id, channelID, syncOf(2, stake(val1, 90)))
	require.Empty(t, refused)
	_, refused = f.sync(id, channelID, resetOf(3, 0, false, stake(val1, 80)))
	require.Empty(t, refused)
	require.Zero(t, f.virtual.heard[id])
	f.virtual.reset[id] = 1_900
	require.True(t, asked())
	_, refused = f.sync(id, channelID, resetOf(4, 1, true, stake(val2, 70)))
	require.Empty(t, refused)
	require.Equal(t, 1, f.virtual.heard[id])
	require.False(t, asked())
	require.Equal(t, map[string]int64{val1: 80, val2: 70}, f.counted(id))
}

func TestRM20_AResetIsAskedForAfterTheChannelIsOpenAgain(t *testing.T) {
	f := newFixture(t)
	id, channelID := f.open()
	f.endBlock()
	f.virtual.reset[id] = 700
	f.timeOut(id, channelID)
	require.Empty(t, f.endBlock())
	f.reopen(id)
	reports := f.endBlock()
	require.Len(t, reports, 1)
	require.True(t, reports[0].NeedReset)
	require.Equal(t, &control.Reset{Last: true}, reports[0].Reset_)
	require.Empty(t, f.endBlock())

	// Another closure before the snapshot came: once more.
	f.timeOut(id, f.converter(id).ChannelID)
	f.reopen(id)
	reports = f.endBlock()
	require.Len(t, reports, 1)
	require.True(t, reports[0].NeedReset)
}

// A snapshot that cannot be taken over as a whole changes nothing, also not who was heard.
func TestASnapshotThatFailsWasNotHeard(t *testing.T) {
	f := newFixture(t)
	f.virtual.change(val1, control.StatusActive)
	id, channelID := f.open()
	f.virtual.fail = errors.New("index")
	before := f.exported()
	_, refused := f.sync(id, channelID, resetOf(1, 0, true, stake(val1, 80)))
	require.NotEmpty(t, refused)
	require.Equal(t, before, f.exported())
	f.virtual.fail = nil
	_, refused = f.sync(id, channelID, resetOf(1, 0, true, stake(val1, 80)))
	require.Empty(t, refused)
	require.Equal(t, 1, f.virtual.heard[id])
}

func TestCloseChannel(t *testing.T) {
	f := newFixture(t)
	id, channelID := f.open()
	f.virtual.change(val1, control.StatusActive)
	f.virtual.change(val2, control.StatusActive)
	_, refused := f.sync(id, channelID, syncOf(1, stake(val1, 100)))
	require.Empty(t, refused)
	_, refused = f.sync(id, channelID, resetOf(2, 0, false, stake(val2, 50)))
	require.Empty(t, refused)

	f.clear()
	res, err := f.msgs.CloseChannel(f.ctx, &types.MsgCloseChannel{Authority: authority.String(), ConverterID: id})
	require.NoError(t, err)
	require.Equal(t, &types.MsgCloseChannelResponse{ChannelID: channelID}, res)
	require.Equal(t, channeltypes.CLOSED, f.ibc.channel(types.PortID(id), channelID).State)
	require.Equal(t, []*types.EventChannelClosed{{ConverterID: id, ChannelID: channelID, Reason: "closed by the authority"}}, events(f, &types.EventChannelClosed{}))
	require.Equal(t, types.ConverterClosed, f.converter(id).Status)
	require.Equal(t, map[string]int64{val1: 100}, f.counted(id))
	gs := mustExport(f)
	require.Nil(t, gs.Converters[0].Snapshot)
	require.Empty(t, gs.Converters[0].Staged)

	// What core says of the same closure later changes nothing, and the channel can be opened again.
	fresh := f.reopen(id)
	require.NoError(t, f.module.OnChanCloseConfirm(f.ctx, types.PortID(id), channelID))
	f.timeOut(id, channelID)
	require.Equal(t, types.ConverterOpen, f.converter(id).Status)
	require.Equal(t, fresh, f.converter(id).ChannelID)
}

func TestGV01OnlyTheAuthorityClosesAndOnlyAnOpenChannel(t *testing.T) {
	f := newFixture(t)
	id, channelID := f.open()
	created := f.create()
	closed, other := f.open()
	f.timeOut(closed, other)
	for _, tc := range []struct {
		name   string
		sender string
		id     uint64
		err    error
		says   string
	}{
		{"the admin", alice.String(), id, types.ErrUnauthorized, "only the authority " + authority.String()},
		{"a stranger", bob.String(), id, types.ErrUnauthorized, ""},
		{"nobody", "", id, types.ErrUnauthorized, ""},
		{"no such converter", authority.String(), 99, types.ErrConverterNotFound, "99"},
		{"never opened", authority.String(), created, types.ErrWrongChannel, "only an open control channel can be closed"},
		{"closed", authority.String(), closed, types.ErrWrongChannel, "only an open control channel can be closed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := f.exported()
			_, err := f.msgs.CloseChannel(f.ctx, &types.MsgCloseChannel{Authority: tc.sender, ConverterID: tc.id})
			require.ErrorIs(t, err, tc.err)
			require.ErrorContains(t, err, tc.says)
			require.Equal(t, before, f.exported())
			require.Equal(t, channeltypes.OPEN, f.ibc.channel(types.PortID(id), channelID).State)
		})
	}
}
