package keeper_test

import (
	"strconv"
	"testing"

	storetypes "cosmossdk.io/store/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// An epoch's gas, next to its time: when only rewards are withdrawn, and when every delegation changes.
func BenchmarkEpoch(b *testing.B) {
	for _, n := range []int{1, 10, 50} {
		for _, tc := range []struct {
			name  string
			delta int64
		}{{"rewards", 0}, {"all changed", 1}} {
			b.Run(tc.name+"/"+strconv.Itoa(n), func(b *testing.B) {
				f := newFixture(b, n)
				f.setParams(func(p *types.Params) { p.EpochLength, p.EpochGas = 1, types.MaxEpochGas })
				f.addSource(1, 900_000_000)
				amounts := map[string]int64{}
				targets := func(round int64) {
					for i, v := range f.vals {
						amounts[v.operator] = 10_000_000 + tc.delta*(round%2)*int64(1000-2000*(i%2))
					}
					f.hooks.set(1, amounts)
				}
				targets(0)
				f.epoch(1)
				var gas storetypes.Gas
				b.ResetTimer()
				for i := range b.N {
					b.StopTimer()
					targets(int64(i + 1))
					f.end()
					f.upstream(unbondingTime)
					before := f.ctx.GasMeter().GasConsumed()
					b.StartTimer()
					require.NoError(b, f.k.BeginBlock(f.ctx))
					gas += f.ctx.GasMeter().GasConsumed() - before
				}
				b.StopTimer()
				require.Equal(b, f.ctx.BlockHeight(), f.source(1).LastEpoch)
				require.Empty(b, f.source(1).LastFailure)
				b.ReportMetric(float64(gas)/float64(b.N), "gas/op")
			})
		}
	}
}
