package simulation_test

import (
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/vault/simulation"
	"github.com/mesh-security/mesh/x/vault/types"
)

func TestRandomParamsAreValid(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	destinations, off := make(map[types.SlashDestination]int), 0
	for range 1000 {
		params := simulation.RandomParams(r)
		require.NoError(t, params.Validate())
		destinations[params.SlashDestination]++
		if !params.LocalStakingEnabled {
			off++
		}
	}
	require.Len(t, destinations, 2)
	require.Positive(t, off)
}
