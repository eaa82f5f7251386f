package simulation_test

import (
	"math/rand"
	"testing"

	"cosmossdk.io/math"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/virtualstaking/simulation"
)

func TestRandomParamsAreValid(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for range 1000 {
		params := simulation.RandomParams(r, math.NewInt(1_000_000))
		require.NoError(t, params.Validate())
		require.LessOrEqual(t, params.TotalMaxCap.Int64(), int64(3_000_000))
	}
	require.NoError(t, simulation.RandomParams(r, math.ZeroInt()).Validate(), "a chain without bonded stake")
}
