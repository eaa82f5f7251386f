package types_test

import (
	"testing"
	"time"

	"cosmossdk.io/math"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

func TestBackOffDoublesUpToABound(t *testing.T) {
	o := types.NewOutboxState()
	for _, want := range []int64{2, 4, 8, 16, 32, 64, 128, 128} {
		o.BackOff(1_000)
		require.Equal(t, 1_000+want, o.RetryHeight)
	}
	for range 1_000 {
		o.BackOff(1_000)
	}
	require.Equal(t, uint32(128), o.Failures)
}

func TestSnapshotsInARowAreEverRarer(t *testing.T) {
	o := types.NewOutboxState()
	o.Reopened()
	require.True(t, o.Resyncing(0))
	for i := range 20 {
		o.SnapshotArrived(50, 10)
		require.False(t, o.Resyncing(1<<40))
		require.Equal(t, int64(50+10<<min(i, 10)), o.ResyncHeight)
		require.Equal(t, uint32(i+1), o.Resyncs)
		o.Snapshot = &types.Snapshot{}
		require.False(t, o.Resyncing(o.ResyncHeight-1))
		require.True(t, o.Resyncing(o.ResyncHeight))
	}
	o.Agreed(100, 10)
	require.Equal(t, []int64{0, 110}, []int64{int64(o.Resyncs), o.ResyncHeight})
	o.Agreed(10_000, 10)
	require.Equal(t, int64(110), o.ResyncHeight, "never later")
	o.BackOff(5)
	o.Reopened()
	require.Equal(t, types.OutboxState{Synced: math.ZeroInt(), Snapshot: &types.Snapshot{}}, o)
}

func TestOutboxOfAHigherChainIsDueAtOnce(t *testing.T) {
	o := types.OutboxState{RetryHeight: 5_000_128, ResyncHeight: 5_000_100, Synced: math.ZeroInt()}
	same := o
	same.Adopt(5_000_000)
	require.Equal(t, o, same)
	o.Adopt(1)
	require.Equal(t, []int64{1, 1}, []int64{o.RetryHeight, o.ResyncHeight})
	// One that the totals of many snapshots have differed of may wait longer.
	o = types.OutboxState{ResyncHeight: 5_000_100, Resyncs: 6, Synced: math.ZeroInt()}
	o.Adopt(1)
	require.Equal(t, int64(5_000_100), o.ResyncHeight)
}

func TestSendable(t *testing.T) {
	require.False(t, types.Snapshot{}.Sendable(), "batches may be in flight")
	require.True(t, types.Snapshot{NextChunk: 1}.Sendable())
	require.False(t, types.Snapshot{NextChunk: 2, Sent: true}.Sendable())
	require.False(t, types.Snapshot{NextChunk: 1, Refused: true}.Sendable())
}

func TestForceDelayFollowsTheConsumerUnlessItIsSet(t *testing.T) {
	params, consumer := types.DefaultParams(), types.Consumer{UnbondingPeriod: 14 * 24 * time.Hour}
	require.Equal(t, consumer.UnbondingPeriod, params.ForceDelay(consumer))
	params.ForcedUnstakeDelay = types.MinForcedDelay
	require.NoError(t, params.Validate())
	require.Equal(t, types.MinForcedDelay, params.ForceDelay(consumer))
	for _, delay := range []time.Duration{-1, 1, types.MinForcedDelay - 1, types.MaxForcedDelay + 1} {
		params.ForcedUnstakeDelay = delay
		require.ErrorContains(t, params.Validate(), "forced_unstake_delay")
	}
}

func TestEarliestRequest(t *testing.T) {
	at := func(seconds int64) *types.Operation {
		op := types.NewOperation(math.OneInt(), time.Unix(seconds, 0))
		return &op
	}
	require.Nil(t, types.NewPosition().EarliestRequest())
	for _, p := range []types.Position{
		{QueuedStake: at(1), QueuedUnstake: at(2), SentStake: at(3), SentUnstake: at(4)},
		{QueuedStake: at(4), QueuedUnstake: at(3), SentStake: at(2), SentUnstake: at(1)},
		{SentStake: at(1)},
	} {
		require.Equal(t, time.Unix(1, 0), *p.EarliestRequest())
	}
}

func TestGenesisOfEndedBatchesAndRetirements(t *testing.T) {
	valid := func() types.GenesisState {
		gs := *types.DefaultGenesis()
		gs.NextConsumerID = 2
		gs.Consumers = []types.GenesisConsumer{{
			Consumer: types.Consumer{
				ID: 1, ConnectionID: "connection-0", ClientID: "client", ChainID: "chain", CounterpartyPort: "converter.1", TransferChannel: "channel-0",
				UnbondingPeriod: time.Hour, SlashFraction: math.LegacyOneDec(), MinStake: math.OneInt(), Status: types.ConsumerClosed, ChannelID: "channel-1", Retired: true,
			},
			Outbox: types.OutboxState{LastBatchID: 1, Synced: math.ZeroInt()},
			Batches: []types.Batch{{
				ID: 1, ChannelID: "channel-1", Sequence: 1,
				Result: &types.BatchResult{Outcome: "accepted", Ack: &control.StakeSyncAck{Total: math.ZeroInt()}},
			}},
			Retirement: &types.Retirement{},
		}}
		return gs
	}
	require.NoError(t, valid().Validate())
	for want, change := range map[string]func(c *types.GenesisConsumer){
		"result: batch_id":     func(c *types.GenesisConsumer) { c.Batches[0].Result.BatchID = 2 },
		"result: retry_height": func(c *types.GenesisConsumer) { c.Batches[0].Result.RetryHeight = -1 },
		"ack.total":            func(c *types.GenesisConsumer) { c.Batches[0].Result.Ack.Total = math.Int{} },
		"retirement: set":      func(c *types.GenesisConsumer) { c.Consumer.Retired = false },
		"retirement.user":      func(c *types.GenesisConsumer) { c.Retirement.User = "nobody" },
	} {
		gs := valid()
		change(&gs.Consumers[0])
		err := gs.Validate()
		require.ErrorIs(t, err, types.ErrInvalidGenesis)
		require.ErrorContains(t, err, want)
	}
}
