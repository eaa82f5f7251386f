package keeper_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/converter/types"
)

func (f *fixture) endBlock() []control.ValidatorSync {
	f.t.Helper()
	f.pass(1, time.Second)
	require.NoError(f.t, f.app.EndBlock(f.ctx))
	return f.reports()
}

func TestReportsFullThenChanges(t *testing.T) {
	f := newFixture(t)
	f.virtual.change(val1, control.StatusActive)
	f.virtual.change(val2, control.StatusJailed)
	id, channelID := f.open()
	f.clear()

	reports := f.endBlock()
	require.Len(t, reports, 1)
	require.Equal(t, control.ValidatorSync{
		Height: clienttypes.NewHeight(1, 101), Reset_: &control.Reset{Last: true}, UnbondingPeriod: 21 * 24 * time.Hour,
		Validators: []control.ValidatorUpdate{f.virtual.records[0].Update, f.virtual.records[1].Update},
	}, reports[0])
	require.Equal(t, uint64(f.ctx.BlockTime().Add(28*24*time.Hour).UnixNano()), f.ibc.sent[0].TimeoutTimestamp)
	require.Equal(t, []*types.EventValidatorsReported{{ConverterID: id, Sequence: 1, Validators: 2, Full: true}}, events(f, &types.EventValidatorsReported{}))
	require.Empty(t, f.endBlock())

	f.virtual.change(val1, control.StatusTombstoned)
	reports = f.endBlock()
	require.Len(t, reports, 1)
	require.Nil(t, reports[0].Reset_)
	require.Equal(t, []control.ValidatorUpdate{f.virtual.records[1].Update}, reports[0].Validators)
	require.Empty(t, f.endBlock())

	// A changed unbonding period alone is told, and so is an applied batch, once, if it is one that counts here.
	f.staking.unbonding *= 2
	reports = f.endBlock()
	require.Len(t, reports, 1)
	require.Equal(t, f.staking.unbonding, reports[0].UnbondingPeriod)
	f.virtual.applied[id] = control.Applied{BatchID: 5, Height: clienttypes.NewHeight(1, 90)}
	require.Empty(t, f.endBlock())
	_, refused := f.sync(id, channelID, syncOf(5, nil))
	require.Empty(t, refused)
	reports = f.endBlock()
	require.Len(t, reports, 1)
	require.Equal(t, &control.Applied{BatchID: 5, Height: clienttypes.NewHeight(1, 90)}, reports[0].Applied)
	require.Empty(t, reports[0].Validators)
	require.Empty(t, f.endBlock())
}

func TestPK11FullReportInChunks(t *testing.T) {
	f := newFixture(t)
	for i := range 500 {
		f.virtual.change(fmt.Sprintf("consvaloper1%0116d", i), control.StatusActive)
	}
	f.open()
	seen, chunk := map[string]bool{}, uint32(0)
	for last := false; !last; chunk++ {
		if chunk == 1 {
			// Changed while the report is under way: comes again at the end.
			f.virtual.change(fmt.Sprintf("consvaloper1%0116d", 0), control.StatusJailed)
		}
		reports := f.endBlock()
		require.Len(t, reports, 1)
		require.Equal(t, chunk, reports[0].Reset_.Chunk)
		require.LessOrEqual(t, len(f.ibc.sent[len(f.ibc.sent)-1].Data), control.MaxPacketBytes)
		for _, v := range reports[0].Validators {
			seen[v.Validator] = true
		}
		last = reports[0].Reset_.Last
		if last {
			require.Equal(t, control.StatusJailed, reports[0].Validators[len(reports[0].Validators)-1].Status)
		}
	}
	require.Equal(t, uint32(4), chunk)
	require.Len(t, seen, 500)
	require.Empty(t, f.endBlock())
}

func TestReportsWaitUntilTheyCanBeSent(t *testing.T) {
	f := newFixture(t)
	f.virtual.change(val1, control.StatusActive)
	id, channelID := f.open()
	port := types.PortID(id)
	open := f.ibc.channel(port, channelID)

	f.ibc.status = exported.Expired
	require.Empty(t, f.endBlock())
	f.ibc.status = exported.Active
	closed := open
	closed.State = channeltypes.CLOSED
	f.ibc.set(port, channelID, closed)
	require.Empty(t, f.endBlock())
	f.ibc.set(port, channelID, open)
	require.Empty(t, events(f, &types.EventSendFailed{}))

	f.ibc.fail = errors.New("send")
	require.Empty(t, f.endBlock())
	require.Equal(t, []*types.EventSendFailed{{ConverterID: id, Kind: "validators", Reason: "send"}}, events(f, &types.EventSendFailed{}))
	f.ibc.fail = nil
	require.Len(t, f.endBlock(), 1)

	// Without a relayer only so many packets pile up; the changes coalesce and arrive when it is back.
	for i := range 3 * types.MaxReportsInFlight {
		f.virtual.change(val1, control.StatusActive+control.ValidatorStatus(i%2))
		f.endBlock()
	}
	require.Len(t, f.ibc.sent, types.MaxReportsInFlight)
	f.virtual.change(val1, control.StatusTombstoned)
	f.ibc.acked[port+"/"+channelID] = types.MaxReportsInFlight
	reports := f.endBlock()
	require.Len(t, reports, 1)
	require.Len(t, reports[0].Validators, 1)
	require.Equal(t, control.StatusTombstoned, reports[0].Validators[0].Status)
}

func TestRM14ReportsAreBoundedAndFair(t *testing.T) {
	f := newFixture(t)
	params := types.DefaultParams()
	params.MaxPacketsPerBlock = 3
	require.NoError(t, f.k.Params.Set(f.ctx, params))
	const converters = 2*types.MaxExamined + 5
	for range converters {
		f.open()
	}
	blocks, served := 0, map[string]int{}
	for ; len(served) < converters; blocks++ {
		require.LessOrEqual(t, len(f.endBlock()), 3)
		for _, p := range f.ibc.sent {
			served[p.SourcePort]++
		}
		require.Less(t, blocks, converters)
	}
	require.Equal(t, (converters+2)/3, blocks)
	require.Len(t, f.ibc.sent, converters)

	// With nothing to tell, only so many are looked at; a change still reaches everybody.
	require.Empty(t, f.endBlock())
	f.virtual.change(val1, control.StatusActive)
	for range blocks {
		f.endBlock()
	}
	require.GreaterOrEqual(t, len(f.ibc.sent), 2*converters-6)
}

func TestCappedConvertersAreToldFirst(t *testing.T) {
	f := newFixture(t)
	params := types.DefaultParams()
	params.MaxPacketsPerBlock = 2
	require.NoError(t, f.k.Params.Set(f.ctx, params))
	for range 10 {
		f.open()
	}
	f.virtual.capped[9] = true
	told := map[string]int{}
	for range 9 {
		f.virtual.change(val1, control.StatusActive)
		f.endBlock()
	}
	for _, p := range f.ibc.sent {
		told[p.SourcePort]++
	}
	// The one with a cap every block, the others in turn.
	require.Equal(t, 9, told["converter.9"])
	require.Len(t, told, 10)
}

// Converters cost nothing to create: a hundred with news in every block do not delay one with a cap.
func TestJunkConvertersDelayedOnesWithACap(t *testing.T) {
	f := newFixture(t)
	params := types.DefaultParams()
	params.MaxPacketsPerBlock = 2
	require.NoError(t, f.k.Params.Set(f.ctx, params))
	for range 3 * types.MaxExamined {
		f.open()
	}
	f.virtual.capped[100], f.virtual.capped[101], f.virtual.capped[102] = true, true, true
	told := map[string]int{}
	for range 6 {
		f.virtual.change(val1, control.StatusActive)
		f.endBlock()
	}
	for _, p := range f.ibc.sent {
		told[p.SourcePort]++
	}
	require.Equal(t, map[string]int{"converter.100": 4, "converter.101": 4, "converter.102": 4}, told, "too few places are shared")
}

// What a refused report said does not come again by itself.
func TestRefusedReportsWereLost(t *testing.T) {
	f := newFixture(t)
	id, channelID := f.open()
	f.virtual.change(val1, control.StatusActive)
	require.Len(t, f.endBlock(), 1)
	answer := func(sequence uint64, ack []byte) {
		require.NoError(t, f.module.OnAcknowledgementPacket(f.ctx, channeltypes.Packet{SourcePort: types.PortID(id), SourceChannel: channelID, Sequence: sequence}, ack, nil))
	}
	no, yes := control.ErrorAck(control.ErrInvalidPacket).Acknowledgement(), control.ValidatorSyncResult().Acknowledgement()
	answer(1, yes)

	f.virtual.change(val2, control.StatusTombstoned)
	require.Len(t, f.endBlock(), 1)
	f.virtual.change(val3, control.StatusActive)
	require.Len(t, f.endBlock(), 1)
	answer(2, no)
	// The one behind it was refused too, which is the same failure.
	answer(3, no)
	wait := int64(10)
	for sequence := uint64(4); sequence < 9; sequence++ {
		f.pass(wait-2, time.Second)
		require.Empty(t, f.endBlock(), "not before %d blocks", wait)
		reports := f.endBlock()
		require.Len(t, reports, 1)
		require.Equal(t, &control.Reset{Chunk: 0, Last: true}, reports[0].Reset_)
		require.Len(t, reports[0].Validators, 3)
		if sequence == 8 {
			answer(sequence, yes)
			break
		}
		answer(sequence, no)
		wait *= 2
	}
	// Accepted as a whole: the next refusal waits ten blocks again.
	f.virtual.change(val1, control.StatusJailed)
	require.Len(t, f.endBlock(), 1)
	answer(9, no)
	f.pass(9, time.Second)
	require.Len(t, f.endBlock(), 1)
}

func TestFailingConverterDoesNotStopTheOthers(t *testing.T) {
	f := newFixture(t)
	first, channelID := f.open()
	second, _ := f.open()
	// The first one's capability is gone: it fails on sending, every block.
	capability, found := f.scoped.GetCapability(f.ctx, "capabilities/ports/"+types.PortID(first)+"/channels/"+channelID)
	require.True(t, found)
	require.NoError(t, f.scoped.ReleaseCapability(f.ctx, capability))
	for range 3 {
		f.clear()
		f.virtual.change(val1, control.StatusActive)
		f.endBlock()
		require.Len(t, events(f, &types.EventSendFailed{}), 1)
		reported := events(f, &types.EventValidatorsReported{})
		require.Len(t, reported, 1)
		require.Equal(t, second, reported[0].ConverterID)
	}
}

func TestReportAcknowledgements(t *testing.T) {
	f := newFixture(t)
	id, channelID := f.open()
	acknowledge := func(ack []byte) []*types.EventReportRefused {
		f.clear()
		require.NoError(t, f.module.OnAcknowledgementPacket(f.ctx, channeltypes.Packet{SourcePort: types.PortID(id), SourceChannel: channelID, Sequence: 4}, ack, nil))
		return events(f, &types.EventReportRefused{})
	}
	require.Empty(t, acknowledge(control.ValidatorSyncResult().Acknowledgement()))
	refused := acknowledge(control.ErrorAck(control.ErrInvalidPacket).Acknowledgement())
	require.Len(t, refused, 1)
	require.Equal(t, uint64(4), refused[0].Sequence)
	require.Contains(t, refused[0].Reason, "meshcontrol/4")
	for name, ack := range map[string][]byte{
		"empty": nil, "not JSON": []byte("{"), "no response": []byte("{}"), "64 KB": make([]byte, 64*1024+1),
		"64 KB error": []byte(fmt.Sprintf(`{"error":%q}`, make([]byte, 8*1024))),
	} {
		refused := acknowledge(ack)
		require.Len(t, refused, 1, name)
		require.LessOrEqual(t, len(refused[0].Reason), 256, name)
	}
}

func TestEndBlockSurvivesBrokenState(t *testing.T) {
	f := newFixture(t)
	f.open()
	f.virtual.fail = errors.New("index")
	require.Empty(t, f.endBlock())
	require.Len(t, events(f, &types.EventSendFailed{}), 1)
	params, err := f.k.Params.Get(f.ctx)
	require.NoError(t, err)
	require.NoError(t, f.k.Params.Remove(f.ctx))
	require.Empty(t, f.endBlock())
	require.NoError(t, f.app.BeginBlock(f.ctx))
	require.NoError(t, f.k.Params.Set(f.ctx, params))
}

// Ten thousand changes of validators while the channel is down, or while nobody relays: the provider is told of each
// validator once, as it is now, and of the one that was tombstoned in between.
func TestTO08TenThousandChangesWhileTheChannelIsDown(t *testing.T) {
	for name, down := range map[string]bool{"closed": true, "not relayed": false} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			const validators = 200
			operator := func(i int) string { return fmt.Sprintf("consvaloper1%0116d", i) }
			for i := range validators {
				f.virtual.change(operator(i), control.StatusActive)
			}
			id, channelID := f.open()
			require.Len(t, f.endBlock(), 1)
			require.Len(t, f.endBlock(), 1)
			if down {
				f.timeOut(id, channelID)
			}
			tombstoned := false
			for n := range 10_000 {
				switch i := n % validators; {
				case i == 7 && n > validators:
					// Final, so it never changes again.
				case i == 7:
					f.virtual.change(operator(i), control.StatusTombstoned)
				default:
					f.virtual.change(operator(i), control.StatusActive+control.ValidatorStatus(n/validators%2))
				}
				if n%10 != 0 {
					continue
				}
				for _, report := range f.endBlock() {
					for _, v := range report.Validators {
						tombstoned = tombstoned || v.Validator == operator(7) && v.Status == control.StatusTombstoned
					}
				}
			}
			require.Equal(t, !down, tombstoned)
			if down {
				require.Len(t, f.ibc.sent, 2)
				f.reopen(id)
			} else {
				require.Len(t, f.ibc.sent, types.MaxReportsInFlight)
				f.ibc.acked[types.PortID(id)+"/"+channelID] = types.MaxReportsInFlight
			}
			told := map[string]control.ValidatorStatus{}
			packets := 0
			for reports := f.endBlock(); len(reports) > 0; reports = f.endBlock() {
				packets++
				for _, v := range reports[0].Validators {
					require.NotContains(t, told, v.Validator)
					told[v.Validator] = v.Status
				}
			}
			require.Equal(t, 2, packets)
			if down {
				require.Equal(t, control.StatusTombstoned, told[operator(7)])
			}
			for _, r := range f.virtual.records {
				if v := r.Update.Validator; down || v != operator(7) {
					require.Equal(t, r.Update.Status, told[v], v)
				}
			}
		})
	}
}
