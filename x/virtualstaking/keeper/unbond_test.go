package keeper_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// With an epoch in every block, an unbonding period has any number of unbondings.
func TestUnbondingEntriesGrewWithoutBound(t *testing.T) {
	f := newFixture(t, 2)
	f.unchecked = true
	const period = 1_000 * time.Second
	sp, err := f.staking.GetParams(f.ctx)
	require.NoError(t, err)
	sp.UnbondingTime = period
	require.NoError(t, f.staking.SetParams(f.ctx, sp))
	f.setParams(func(p *types.Params) { p.EpochLength = 1 })
	f.addSource(1, 30_000_000)
	v := f.vals[0]
	stake := int64(9_000_000)
	f.hooks.set(1, map[string]int64{v.operator: stake})
	f.epoch(1)
	most, first := 0, f.ctx.BlockHeight()
	for range 600 {
		stake -= 1_000
		f.hooks.set(1, map[string]int64{v.operator: stake})
		f.epoch(1)
		ubd, err := f.staking.GetUnbondingDelegation(f.ctx, types.VirtualAccount(1), v.address)
		require.NoError(t, err)
		most = max(most, len(ubd.Entries))
		for _, e := range ubd.Entries {
			require.False(t, e.CompletionTime.After(f.ctx.BlockTime().Add(period+period/100)))
		}
	}
	require.Equal(t, "600000", f.info(1).Unbonding.String())
	require.Greater(t, most, types.MaxExactEntries)
	require.LessOrEqual(t, most, 2*types.MaxExactEntries+1)

	// Every part stays slashable for what it was there for: all of them for a fault before the first one.
	f.slash(v, first, "0.1")
	require.Equal(t, "540000", f.info(1).Unbonding.String())
	// The latest unbonding is slashable for a fault at its own height.
	f.slash(v, f.ctx.BlockHeight()-1, "0.1")
	require.Less(t, f.info(1).Unbonding.Int64(), int64(540_000))

	f.setCap(1, 0)
	f.block(time.Second)
	f.unchecked = false
	f.block(period + period/100)
	f.block(time.Second)
	require.Equal(t, "0", f.info(1).Unbonding.String(), "all of it is burned")
	require.Zero(t, f.source(1).NextEpoch)
	f.end()
}
