package keeper_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"cosmossdk.io/math"
	storetypes "cosmossdk.io/store/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/converter/types"
)

// fixedFeed is a price feed that always answers the same.
type fixedFeed struct {
	price math.LegacyDec
	err   error
}

func (p fixedFeed) Price(context.Context, uint64, string) (math.LegacyDec, time.Time, error) {
	return p.price, start, p.err
}

func syncOf(batch uint64, entries []control.StakeEntry) control.StakeSync {
	return control.StakeSync{BatchID: batch, Entries: entries}
}

func resetOf(batch uint64, chunk uint32, last bool, entries []control.StakeEntry) control.StakeSync {
	return control.StakeSync{BatchID: batch, Reset_: &control.Reset{Chunk: chunk, Last: last}, Entries: entries}
}

func TestStakeSync(t *testing.T) {
	f := newFixture(t)
	id, channelID := f.open()
	f.virtual.change(val1, control.StatusActive)
	f.virtual.change(val2, control.StatusJailed)
	f.virtual.change(val3, control.StatusTombstoned)
	f.clear()

	ack, refused := f.sync(id, channelID, syncOf(3, stake(val1, 100, val2, 50, val3, 10, "consvaloper1unknown", 5)))
	require.Empty(t, refused)
	require.Equal(t, []control.Rejection{
		{Validator: val3, Reason: control.RejectTombstoned},
		{Validator: "consvaloper1unknown", Reason: control.RejectUnknownValidator},
	}, ack.Rejected)
	require.Equal(t, "150", ack.Total.String())
	require.Equal(t, uint64(100), ack.Height.RevisionHeight)
	require.Equal(t, uint64(1), ack.Height.RevisionNumber)
	require.Equal(t, map[string]int64{val1: 100, val2: 50}, f.counted(id))
	require.Equal(t, []*types.EventStakeSynced{{ConverterID: id, BatchID: 3, Entries: 4, Rejected: 2, Total: "150"}}, events(f, &types.EventStakeSynced{}))
	require.Len(t, events(f, &types.EventStakeRejected{}), 2)
	last, err := f.k.LastBatchID(f.ctx, id)
	require.NoError(t, err)
	require.Equal(t, uint64(3), last)

	// Totals are absolute: the same again changes nothing, less and zero always apply.
	f.virtual.change(val1, control.StatusRemoved)
	ack, refused = f.sync(id, channelID, syncOf(4, stake(val1, 100, val2, 0)))
	require.Empty(t, refused)
	require.Empty(t, ack.Rejected)
	require.Equal(t, "100", ack.Total.String())
	require.Equal(t, map[string]int64{val1: 100}, f.counted(id))
	ack, _ = f.sync(id, channelID, syncOf(5, stake(val1, 101)))
	require.Equal(t, control.RejectUnknownValidator, ack.Rejected[0].Reason)
	require.Equal(t, map[string]int64{val1: 100}, f.counted(id))

	// Batch ids rise.
	for _, batch := range []uint64{1, 5} {
		before := f.exported()
		f.clear()
		_, refused = f.sync(id, channelID, syncOf(batch, stake(val1, 1)))
		require.Contains(t, refused, "ABCI error: converter/19")
		require.Equal(t, before, f.exported())
		require.Len(t, events(f, &types.EventStakeSyncRefused{}), 1)
	}
}

func TestRM06TombstonedValidatorLeavesOnce(t *testing.T) {
	f := newFixture(t)
	id, channelID := f.open()
	f.virtual.change(val1, control.StatusActive)
	_, refused := f.sync(id, channelID, syncOf(1, stake(val1, 100)))
	require.Empty(t, refused)
	f.virtual.change(val1, control.StatusTombstoned)
	require.NoError(t, f.app.EndBlock(f.ctx))
	require.Len(t, f.reports(), 1)

	ack, refused := f.sync(id, channelID, syncOf(2, stake(val1, 0)))
	require.Empty(t, refused)
	require.Empty(t, ack.Rejected)
	require.Empty(t, f.counted(id))
	for range 3 {
		f.pass(1, time.Second)
		require.NoError(t, f.app.EndBlock(f.ctx))
	}
	require.Empty(t, f.reports())
}

func TestSnapshot(t *testing.T) {
	f := newFixture(t)
	id, channelID := f.open()
	for _, v := range []string{val1, val2, val3} {
		f.virtual.change(v, control.StatusActive)
	}
	_, refused := f.sync(id, channelID, syncOf(1, stake(val1, 100, val2, 200)))
	require.Empty(t, refused)
	f.virtual.change(val2, control.StatusTombstoned)

	// Nothing moves before the last chunk, which replaces everything; what an entry may not raise stays.
	ack, refused := f.sync(id, channelID, resetOf(2, 0, false, stake(val2, 300)))
	require.Empty(t, refused)
	require.Equal(t, []control.Rejection{{Validator: val2, Reason: control.RejectTombstoned}}, ack.Rejected)
	require.Equal(t, "300", ack.Total.String())
	require.Equal(t, uint64(1), f.converter(id).LastBatchID)
	ack, refused = f.sync(id, channelID, resetOf(3, 1, true, stake(val3, 7)))
	require.Empty(t, refused)
	require.Equal(t, "207", ack.Total.String())
	require.Equal(t, map[string]int64{val2: 200, val3: 7}, f.counted(id))
	require.Equal(t, uint64(3), f.converter(id).LastBatchID)

	// One chunk is a whole snapshot; an empty one clears.
	_, refused = f.sync(id, channelID, resetOf(4, 0, true, nil))
	require.Empty(t, refused)
	require.Empty(t, f.counted(id))
}

func TestSnapshotOutOfSequence(t *testing.T) {
	chunk := func(batch uint64, n uint32, last bool, entries ...any) control.StakeSync {
		return resetOf(batch, n, last, stake(entries...))
	}
	for _, tc := range []struct {
		name string
		// before are accepted or refused; then is refused.
		before []control.StakeSync
		then   control.StakeSync
	}{
		{"chunk 1 first", nil, chunk(2, 1, true, val1, 1)},
		{"a chunk left out", []control.StakeSync{chunk(2, 0, false, val1, 1)}, chunk(3, 2, true, val2, 1)},
		{"a chunk twice", []control.StakeSync{chunk(2, 0, false, val1, 1), chunk(3, 1, false, val2, 1)}, chunk(4, 1, true, val3, 1)},
		{"a refused chunk in between", []control.StakeSync{chunk(2, 0, false, val1, 1), chunk(3, 5, false, val2, 1)}, chunk(4, 1, true, val2, 1)},
		{"a batch in between", []control.StakeSync{chunk(2, 0, false, val1, 1), syncOf(3, stake(val2, 1))}, chunk(4, 1, true, val3, 1)},
		{"an older batch", []control.StakeSync{chunk(5, 0, false, val1, 1)}, chunk(4, 1, true, val2, 1)},
		{"a processed batch", nil, chunk(1, 0, true, val1, 1)},
		{"a validator in two chunks", []control.StakeSync{chunk(2, 0, false, val1, 1)}, chunk(3, 1, true, val1, 2)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			id, channelID := f.open()
			for _, v := range []string{val1, val2, val3} {
				f.virtual.change(v, control.StatusActive)
			}
			_, refused := f.sync(id, channelID, syncOf(1, stake(val3, 9)))
			require.Empty(t, refused)
			for _, s := range tc.before {
				f.sync(id, channelID, s)
			}
			before := f.counted(id)
			_, refused = f.sync(id, channelID, tc.then)
			require.NotEmpty(t, refused)
			require.Equal(t, before, f.counted(id))
			// Starting over always works.
			_, refused = f.sync(id, channelID, chunk(9, 0, true, val1, 4))
			require.Empty(t, refused)
			require.Equal(t, map[string]int64{val1: 4}, f.counted(id))
		})
	}
}

func TestSnapshotIsBounded(t *testing.T) {
	f := newFixture(t)
	id, channelID := f.open()
	var entries []control.StakeEntry
	for i := range 500 {
		entries = append(entries, control.StakeEntry{Validator: fmt.Sprintf("v%03d", i), Stake: math.NewInt(1)})
	}
	for n := uint32(0); n < types.MaxSnapshotEntries/500; n++ {
		_, refused := f.sync(id, channelID, resetOf(uint64(n)+1, n, false, entries))
		require.Empty(t, refused)
	}
	_, refused := f.sync(id, channelID, resetOf(100, types.MaxSnapshotEntries/500, true, entries[:1]))
	require.Contains(t, refused, "ABCI error: converter/20")
}

func TestTotalIsBounded(t *testing.T) {
	f := newFixture(t)
	id, channelID := f.open()
	f.virtual.change(val1, control.StatusActive)
	f.virtual.change(val2, control.StatusActive)
	most := types.MaxRewardAmount
	_, refused := f.sync(id, channelID, syncOf(1, []control.StakeEntry{{Validator: val1, Stake: most}}))
	require.Empty(t, refused)
	_, refused = f.sync(id, channelID, syncOf(2, stake(val2, 1)))
	require.Contains(t, refused, "ABCI error: converter/21")
	_, refused = f.sync(id, channelID, syncOf(3, []control.StakeEntry{{Validator: val1, Stake: most.SubRaw(1)}, {Validator: val2, Stake: math.OneInt()}}))
	require.Empty(t, refused)
	_, err := f.msgs.SetPrice(f.ctx, &types.MsgSetPrice{Sender: alice.String(), ConverterID: id, Price: types.MaxPrice})
	require.NoError(t, err)
	targets, _, err := f.k.Targets(f.ctx, id)
	require.NoError(t, err)
	require.Equal(t, types.MaxTarget, targets[0].Amount)
}

func TestPK02Payloads(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000)
	entry := func(validator, stake string) string {
		return fmt.Sprintf(`{"validator":%q,"stake":%q}`, validator, stake)
	}
	sync := func(entries ...string) string {
		return fmt.Sprintf(`{"stake_sync":{"batch_id":"1","entries":[%s]}}`, strings.Join(entries, ","))
	}
	for name, data := range map[string]string{
		"random":              "\x00\xff\x17 not json",
		"empty":               "",
		"truncated":           `{"stake_sync":{"batch_id":"1","ent`,
		"1 MB":                sync(entry(val1, strings.Repeat("1", 1<<20))),
		"deep":                deep,
		"other direction":     `{"validator_sync":{"height":{"revision_height":"1"}}}`,
		"no packet":           `{}`,
		"batch 0":             `{"stake_sync":{"entries":[]}}`,
		"2^256":               sync(entry(val1, math.NewIntFromUint64(1<<63).Mul(math.NewIntFromUint64(1<<63)).String()+strings.Repeat("0", 60))),
		"2^128":               sync(entry(val1, types.MaxRewardAmount.AddRaw(1).String())),
		"negative":            sync(entry(val1, "-1")),
		"not a number":        sync(entry(val1, "ten")),
		"no stake":            `{"stake_sync":{"batch_id":"1","entries":[{"validator":"a"}]}}`,
		"duplicate validator": sync(entry(val1, "1"), entry(val1, "2")),
		"empty validator":     sync(entry("", "1")),
		"long validator":      sync(entry(strings.Repeat("v", 129), "1")),
		"zero byte":           sync(`{"validator":"a\u0000b","stake":"1"}`),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			id, channelID := f.open()
			f.virtual.change(val1, control.StatusActive)
			before := f.exported()
			first := f.receive(id, channelID, []byte(data))
			require.False(t, first.Success())
			require.Equal(t, first.Acknowledgement(), f.receive(id, channelID, []byte(data)).Acknowledgement())
			require.Contains(t, string(first.Acknowledgement()), "ABCI error: meshcontrol/")
			require.Equal(t, before, f.exported())

			_, refused := f.sync(id, channelID, syncOf(1, stake(val1, 100)))
			require.Empty(t, refused)
		})
	}
}

func TestReceiveOnlyOnTheBoundChannel(t *testing.T) {
	f := newFixture(t)
	id, _ := f.open()
	data, err := control.EncodeStakeSync(syncOf(1, nil))
	require.NoError(t, err)
	ack := f.receive(id, "channel-55", data)
	require.Contains(t, string(ack.Acknowledgement()), "ABCI error: converter/18")
	require.Contains(t, string(f.receive(9, "channel-1", data).Acknowledgement()), "ABCI error: converter/2")
}

func TestPK03PanicInTheStakingCall(t *testing.T) {
	f := newFixture(t)
	id, channelID := f.open()
	f.virtual.change(val1, control.StatusActive)
	_, refused := f.sync(id, channelID, syncOf(1, stake(val1, 5)))
	require.Empty(t, refused)
	before := f.exported()
	f.clear()
	f.virtual.panics = true
	_, refused = f.sync(id, channelID, syncOf(2, stake(val1, 3, val2, 5)))
	require.Contains(t, refused, "ABCI error: undefined/1")
	require.Equal(t, before, f.exported())
	require.Equal(t, channeltypes.OPEN, f.ibc.channel(types.PortID(id), channelID).State)
	require.Len(t, events(f, &types.EventStakeSyncRefused{}), 1)

	f.virtual.panics = false
	_, refused = f.sync(id, channelID, syncOf(2, stake(val1, 3)))
	require.Empty(t, refused)
	require.Equal(t, map[string]int64{val1: 3}, f.counted(id))
}

func TestOutOfGasIsPassedOn(t *testing.T) {
	f := newFixture(t)
	id, channelID := f.open()
	f.virtual.change(val1, control.StatusActive)
	data, err := control.EncodeStakeSync(syncOf(1, stake(val1, 5)))
	require.NoError(t, err)
	ctx := f.ctx.WithGasMeter(storetypes.NewGasMeter(5_000))
	require.Panics(t, func() {
		f.module.OnRecvPacket(ctx, channeltypes.Packet{DestinationPort: types.PortID(id), DestinationChannel: channelID, Sequence: 1, Data: data}, nil)
	})
}
