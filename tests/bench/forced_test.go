package bench

import (
	"testing"
	"time"

	storetypes "cosmossdk.io/store/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
	externaltypes "github.com/mesh-security/mesh/x/externalstaking/types"
)

// forcedPerBlock is the default max_forced_per_block.
const forcedPerBlock = 500

// due makes the operations of users, one on a position each, too old, and returns the block that ends the first of them.
func (w *world) due(users []twochain.Account) sdk.Context {
	w.Helper()
	for _, user := range users {
		w.Provider.Queue(user, w.stake(user, w.validator(0), 1_000))
	}
	w.block(w.Provider)
	ctx, _ := w.Provider.Ctx().CacheContext()
	delay := w.Config().Consumer.UnbondingTime
	return ctx.WithBlockTime(ctx.BlockTime().Add(delay + time.Hour)).WithEventManager(sdk.NewEventManager()).
		WithGasMeter(storetypes.NewInfiniteGasMeter())
}

// forced counts the positions whose operations were ended.
func forced(ctx sdk.Context) int {
	return len(twochain.Events[externaltypes.EventOperationForced](ctx.EventManager().ABCIEvents()))
}

// TestForcedStepIsBounded: however many operations are too old, one block ends max_forced_per_block pieces at most, which
// BenchmarkForced measures.
func TestForcedStepIsBounded(t *testing.T) {
	w := newWorld(t, 1, longEpoch)
	ctx := w.due(w.newUsers(w.Provider, forcedPerBlock+100))
	began := time.Now()
	w.Provider.App.ExternalStakingKeeper.EndBlock(ctx)
	t.Logf("%d positions in %s", forced(ctx), time.Since(began))
	require.Equal(t, forcedPerBlock, forced(ctx))
	again := ctx.WithEventManager(sdk.NewEventManager())
	w.Provider.App.ExternalStakingKeeper.EndBlock(again)
	require.Equal(t, 100, forced(again))
}

// BenchmarkForced is the end of one block in which a full step of operations became too old.
func BenchmarkForced(b *testing.B) {
	w := newWorld(b, 1, longEpoch)
	due := w.due(w.newUsers(w.Provider, forcedPerBlock))
	positions := 0
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		ctx, _ := due.CacheContext()
		ctx = ctx.WithEventManager(sdk.NewEventManager())
		b.StartTimer()
		w.Provider.App.ExternalStakingKeeper.EndBlock(ctx)
		b.StopTimer()
		positions += forced(ctx)
		b.StartTimer()
	}
	require.Equal(b, b.N*forcedPerBlock, positions)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(positions), "ns/position")
}
