package keeper_test

import (
	"fmt"
	"testing"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

func (l *ledger) outbox() types.OutboxState {
	l.t.Helper()
	outbox, err := l.k.Outboxes.Get(l.ctx, 1)
	require.NoError(l.t, err)
	return outbox
}

// RM-14: a total that lies in every answer costs a snapshot at ever greater intervals.
func TestRM14ALyingTotalInEveryAnswerMakesSnapshotsEverRarer(t *testing.T) {
	l := newOpenLedger(t)
	l.bond(ann, "val1", 100)
	lie, err := control.StakeSyncResult(control.StakeSyncAck{Total: math.NewInt(7), Height: clienttypes.NewHeight(1, 5)})
	require.NoError(t, err)
	require.NoError(t, l.stake(ann, "val2", 50))
	l.endBlock()
	l.hasTyped(l.ack(lie), &types.EventDriftDetected{ConsumerID: 1, Expected: "150", Reported: "7"})
	var sent []int64
	for len(sent) < 14 {
		outbox := l.outbox()
		require.NotNil(t, outbox.Snapshot)
		if outbox.ResyncHeight > l.ctx.BlockHeight() {
			// Until then all goes on, stake too.
			require.NoError(t, l.stake(ann, "val2", 10))
			l.endBlock()
			l.ack(lie)
			require.Empty(t, l.packets(1))
			l.ctx = l.ctx.WithBlockHeight(outbox.ResyncHeight)
		}
		require.ErrorIs(t, l.stake(ann, "val2", 10), types.ErrChannelNotUsable)
		l.endBlock()
		require.Len(t, l.packets(1), 1)
		require.Equal(t, &control.Reset{Last: true}, l.packets(1)[0].sync.Reset_)
		sent = append(sent, l.ctx.BlockHeight())
		l.ack(lie)
	}
	interval := int64(types.DefaultParams().ResyncInterval)
	for i := 2; i < len(sent); i++ {
		want := interval << min(i-1, 10)
		require.InDelta(t, want, sent[i]-sent[i-1], 5, "snapshot %d", i)
	}
	// The truth ends it.
	l.ctx = l.ctx.WithBlockHeight(l.outbox().ResyncHeight)
	l.endBlock()
	l.ack(l.accept())
	require.Nil(t, l.outbox().Snapshot)
	require.Zero(t, l.outbox().Resyncs)
	require.LessOrEqual(t, l.outbox().ResyncHeight, l.ctx.BlockHeight()+interval)
}

func TestAConsumerThatAlwaysAsksForAResetGetsOneInAnInterval(t *testing.T) {
	l := newOpenLedger(t)
	l.bond(ann, "val1", 100)
	snapshots := 0
	for range 1_000 {
		l.deliver1(control.ValidatorSync{NeedReset: true})
		l.k.EndBlock(l.ctx)
		for len(l.packets(1)) > 0 {
			if l.packets(1)[0].sync.Reset_ != nil {
				snapshots++
			}
			l.ack(l.accept())
		}
		l.pass(0)
	}
	require.LessOrEqual(t, snapshots, 11)
	require.GreaterOrEqual(t, snapshots, 9)
	l.holds()
}

func TestARefusedChunkStartsTheSnapshotOver(t *testing.T) {
	l := newOpenLedger(t)
	l.report(1, control.StatusActive, "val3")
	for _, v := range []string{"val1", "val2", "val3"} {
		l.bond(ann, v, 100)
	}
	params := types.DefaultParams()
	params.MaxEntriesPerPacket, params.MaxPacketsPerBlock = 1, 2
	require.NoError(t, l.k.Params.Set(l.ctx, params))
	l.deliver1(control.ValidatorSync{NeedReset: true})
	require.NoError(t, l.unstake(ann, "val2", 30))
	l.endBlock()
	l.endBlock()
	chunks := l.packets(1)
	require.Len(t, chunks, 3)
	for i, p := range chunks {
		require.Equal(t, &control.Reset{Chunk: uint32(i), Last: i == 2}, p.sync.Reset_)
		require.Equal(t, "100", p.sync.Entries[0].Stake.String(), "what is queued waits")
	}
	l.ack(l.accept())
	l.ack(refusal)
	require.True(t, l.outbox().Snapshot.Refused)
	l.endBlock()
	require.Len(t, l.packets(1), 1, "not before all its chunks have ended")
	l.ack(refusal)
	require.Equal(t, &types.Snapshot{}, l.outbox().Snapshot)
	for l.outbox().Snapshot != nil {
		l.endBlock()
		l.acceptAll(1)
	}
	for range 3 {
		l.endBlock()
		l.acceptAll(1)
	}
	require.Equal(t, "270", l.outbox().Synced.String())
	l.want(ann, "val2", 70, 0, 0, 300)
}

// Many validators with nothing on them fill no chunk, and none of them costs a place in one.
func TestSnapshotOverManyEmptyValidators(t *testing.T) {
	l := newOpenLedger(t)
	params := types.DefaultParams()
	params.MaxEntriesPerPacket, params.MaxOpsPerPacket, params.MaxPacketsPerBlock = 1, 1, 100
	require.NoError(t, l.k.Params.Set(l.ctx, params))
	for i := range 700 {
		name := fmt.Sprintf("empty%04d", i)
		l.report(1, control.StatusActive, name)
		l.reward(share(name, 1))
	}
	l.bond(ann, "val1", 100)
	l.deliver1(control.ValidatorSync{NeedReset: true})
	ctx := l.ctx.WithEventManager(sdk.NewEventManager())
	l.k.EndBlock(ctx)
	chunks := l.packets(1)
	require.Len(t, chunks, 4)
	entries := 0
	for i, p := range chunks {
		require.Equal(t, &control.Reset{Chunk: uint32(i), Last: i == 3}, p.sync.Reset_)
		entries += len(p.sync.Entries)
	}
	require.Equal(t, 1, entries)
	l.acceptAll(1)
	require.Nil(t, l.outbox().Snapshot)
}

func TestTO08TenThousandChangesWhileTheChannelIsDown(t *testing.T) {
	l := newOpenLedger(t)
	l.bond(ann, "val1", 1_000)
	l.bond(ben, "val2", 1_000)
	require.NoError(t, l.k.CloseChannel(l.ctx, types.Port(1), controlChannel))
	for range 500 {
		require.NoError(t, l.unstake(ann, "val1", 1))
		require.NoError(t, l.unstake(ben, "val2", 1))
	}
	res, err := l.query.Consumer(l.ctx, &types.QueryConsumerRequest{ConsumerId: 1})
	require.NoError(t, err)
	require.Equal(t, uint64(2), res.Dirty)
	version, err := control.NewProposal("ucon", ledgerUnbonding, 2).Encode()
	require.NoError(t, err)
	l.ibc.version = version
	require.NoError(t, l.k.ConfirmChannel(l.ctx, types.Port(1), "channel-7"))
	for range 4 {
		l.endBlock()
		l.acceptAll(1)
	}
	require.Equal(t, "1000", l.outbox().Synced.String())
}
