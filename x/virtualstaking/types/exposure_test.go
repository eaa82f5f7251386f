package types_test

import (
	stdmath "math"
	"testing"
	"time"

	"cosmossdk.io/math"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

func TestSharesOfTheChain(t *testing.T) {
	for _, tc := range []struct {
		part, whole int64
		share       string
		third       bool
	}{
		{0, 0, "0", false},
		{0, 9, "0", false},
		{3, 10, "0.3", false},
		{1, 3, "0.333333333333333333", true},
		{333_333, 1_000_000, "0.333333", false},
		{2, 3, "0.666666666666666666", true},
		{9, 9, "1", true},
	} {
		part, whole := math.NewInt(tc.part), math.NewInt(tc.whole)
		require.Equal(t, math.LegacyMustNewDecFromStr(tc.share).String(), types.Share(math.LegacyNewDecFromInt(part), whole).String())
		require.Equal(t, tc.third, types.ReachesThird(part, whole), "%d of %d", tc.part, tc.whole)
	}
}

func TestEpochDurationDoesNotOverflow(t *testing.T) {
	require.Equal(t, time.Hour, types.EpochDuration(time.Minute, 10, 600))
	require.Equal(t, time.Duration(0), types.EpochDuration(0, 1, types.MaxEpochLength))
	require.Equal(t, time.Duration(stdmath.MaxInt64), types.EpochDuration(30*24*time.Hour, 1, types.MaxEpochLength))
}
