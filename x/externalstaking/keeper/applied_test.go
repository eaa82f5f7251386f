package keeper_test

import (
	"testing"
	"time"

	"cosmossdk.io/collections"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

func (f *fixture) applied(batch, height uint64) map[string]string {
	f.t.Helper()
	sync := plainReport()
	sync.Applied = &control.Applied{BatchID: batch, Height: clienttypes.NewHeight(1, height)}
	return f.skipped(f.during(func() { require.True(f.t, f.report(1, sync).Success()) }))
}

func (f *fixture) appliedBatches() []uint64 {
	f.t.Helper()
	var ids []uint64
	require.NoError(f.t, f.k.AppliedRecords.Walk(f.ctx, nil, func(key collections.Pair[uint64, uint64], _ types.AppliedRecord) (bool, error) {
		ids = append(ids, key.K2())
		return false, nil
	}))
	return ids
}

func TestAppliedRecordsOnlyMoveForward(t *testing.T) {
	f, _ := newConnected(t)
	for range 3 {
		f.stake(alice, 1, valA, 10)
		f.accept(1)
	}
	require.Contains(t, f.applied(4, 50), "", "a batch that was never sent")
	require.Contains(t, f.applied(1, 101), "", "a height nobody has seen")
	require.Empty(t, f.appliedBatches())
	require.Empty(t, f.applied(2, 50))
	require.Contains(t, f.applied(2, 51), "")
	require.Contains(t, f.applied(1, 51), "")
	require.Contains(t, f.applied(3, 49), "")
	require.Empty(t, f.applied(3, 50))
	require.Equal(t, []uint64{2, 3}, f.appliedBatches())
	record, err := f.k.AppliedRecords.Get(f.ctx, collections.Join(uint64(1), uint64(3)))
	require.NoError(t, err)
	require.Equal(t, f.ctx.BlockTime(), record.ReceivedAt)
}

func TestAppliedRecordsAreKeptForOneUnbondingPeriod(t *testing.T) {
	f, _ := newConnected(t)
	send := func() {
		f.stake(alice, 1, valA, 10)
		f.accept(1)
	}
	for batch := uint64(1); batch <= 9; batch++ {
		send()
		require.Empty(t, f.applied(batch, 10+batch))
	}
	f.nextBlock(unbonding)
	send()
	require.Empty(t, f.applied(10, 20))
	require.Len(t, f.appliedBatches(), 5+1-1, "a bounded number at a time")
	f.nextBlock(time.Second)
	send()
	require.Empty(t, f.applied(11, 21))
	require.Equal(t, []uint64{9, 10, 11}, f.appliedBatches(), "the last old one goes with the next report")
}
