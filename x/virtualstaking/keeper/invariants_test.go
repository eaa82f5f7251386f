package keeper_test

import (
	"testing"
	"time"

	"cosmossdk.io/math"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// A source that lived long was allowed a part of all it ever minted as dust, and less than it should have was never seen.
func TestK2_ALeakHidInTheDustOfALifetime(t *testing.T) {
	f := newFixture(t, 2)
	f.addSource(1, 30_000_000)
	f.hooks.set(1, map[string]int64{f.vals[0].operator: 9_000_000})
	f.epoch(1)
	leak := func(change func(*types.Source)) error {
		cached, _ := f.ctx.CacheContext()
		s := f.source(1)
		change(&s)
		require.NoError(t, f.k.Sources.Set(cached, 1, s))
		return f.k.InvariantK2(cached)
	}
	life := math.NewInt(1_000_000_000_000)
	lived := func(s *types.Source) { s.Minted, s.Burned = s.Minted.Add(life), s.Burned.Add(life) }
	require.NoError(t, leak(lived))
	require.ErrorIs(t, leak(func(s *types.Source) { lived(s); s.Burned = s.Burned.AddRaw(5_000) }), types.ErrInvariant, "burned less than was booked")

	// A slash is no leak.
	f.slash(f.vals[0], f.ctx.BlockHeight(), "0.1")
	f.hooks.stale = true
	f.epoch(1)
	require.InDelta(t, 900_000, f.source(1).Slashed.Int64(), 1)
	require.NoError(t, f.k.InvariantK2(f.ctx))
	require.Empty(t, f.source(1).LastFailure)
	f.hooks.stale = false
	f.epoch(1)
	require.InDelta(t, 900_000, f.source(1).Slashed.Int64(), 1)
	f.block(time.Second)

	// An epoch that loses what it unbonds says so.
	f.staking.loseUnbonded = true
	f.hooks.set(1, map[string]int64{f.vals[0].operator: 1_000_000})
	for f.ctx.BlockHeight() < f.source(1).NextEpoch-1 {
		f.block(time.Second)
	}
	f.end()
	f.upstream(time.Second)
	require.NoError(t, f.k.BeginBlock(f.ctx))
	require.Contains(t, f.source(1).LastFailure, "K2")
}
