package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/virtualstaking/keeper"
	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// Without max_silence every provider would count as silent for too long at once, and all virtual stake unwind.
func TestGN03UpgradeSetsMaxSilence(t *testing.T) {
	f := newChain(t)
	params := types.DefaultParams()
	params.EpochLength = 17
	first := params
	first.MaxSilence = 0
	require.NoError(t, f.k.Params.Set(f.ctx, first))
	require.NoError(t, keeper.NewMigrator(f.k).Migrate1to2(f.ctx))
	got, err := f.k.Params.Get(f.ctx)
	require.NoError(t, err)
	require.Equal(t, params, got)
}
