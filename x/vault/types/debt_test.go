package types_test

import (
	"testing"

	"cosmossdk.io/math"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mesh-security/mesh/x/vault/types"
)

// The wait doubles from 10 blocks to 10,240 and stays there, however often it fails.
func TestBackOffOfADebt(t *testing.T) {
	debt := types.NewDebt()
	require.Equal(t, types.Debt{Amount: math.ZeroInt()}, debt)
	height := int64(1_000)
	for i, wait := range []int64{10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 5_120, 10_240, 10_240, 10_240} {
		debt.Fail(height)
		require.Equal(t, height+wait, debt.RetryHeight, "failure %d", i+1)
		height = debt.RetryHeight
	}
	// The count stops with the doubling, so it can neither overflow nor make a failure dearer than the last.
	require.Equal(t, uint32(10), debt.Failures)
	require.True(t, debt.Amount.IsZero(), "an attempt changes when, not how much")
}

// A retry is never later than a back-off allows, on whichever chain the debt goes on.
func TestDebtAdoptedAtAnotherHeight(t *testing.T) {
	for _, tc := range []struct {
		name                string
		retry, height, want int64
	}{
		{"the same chain goes on", 1_500, 1_490, 1_500},
		{"due already", 1_500, 2_000, 1_500},
		{"as far as a back-off can be", 10_241, 1, 10_241},
		{"a chain that starts over", 10_242, 1, 1},
		{"a chain that starts over after years", 9_000_000, 1, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			debt := types.Debt{Amount: math.NewInt(7), Failures: 3, RetryHeight: tc.retry}
			debt.Adopt(tc.height)
			require.Equal(t, types.Debt{Amount: math.NewInt(7), Failures: 3, RetryHeight: tc.want}, debt)
			require.Equal(t, tc.want, types.AdoptHeight(tc.retry, tc.height))
		})
	}
}

func TestPropertyBackOffIsBoundedAndGrows(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		debt := types.Debt{Amount: math.OneInt(), Failures: rapid.Uint32().Draw(rt, "failures, also from a forged genesis")}
		height := rapid.Int64Range(0, 1<<40).Draw(rt, "height")
		last := int64(0)
		for range rapid.IntRange(1, 20).Draw(rt, "attempts") {
			debt.Fail(height)
			wait := debt.RetryHeight - height
			require.GreaterOrEqual(rt, wait, max(last, 10))
			require.LessOrEqual(rt, wait, int64(10_240))
			// What is exported right now goes on where it was.
			adopted := debt
			adopted.Adopt(height)
			require.Equal(rt, debt, adopted)
			last, height = wait, debt.RetryHeight
		}
	})
}
