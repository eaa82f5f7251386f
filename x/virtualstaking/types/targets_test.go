package types_test

import (
	"fmt"
	"testing"

	"cosmossdk.io/math"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

func targets(amounts ...int64) []types.Target {
	out := make([]types.Target, len(amounts))
	for i, a := range amounts {
		out[i] = types.Target{Validator: fmt.Sprintf("v%03d", i), Amount: math.NewInt(a)}
	}
	return out
}

func sum(targets []types.Target) math.Int {
	total := math.ZeroInt()
	for _, t := range targets {
		total = total.Add(t.Amount)
	}
	return total
}

func TestScaleToCap(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   []types.Target
		cap  int64
		want []types.Target
	}{
		{name: "below the cap", in: targets(3, 4), cap: 8, want: targets(3, 4)},
		{name: "at the cap", in: targets(3, 4), cap: 7, want: targets(3, 4)},
		{name: "equal remainders go to the first", in: targets(1, 1, 1), cap: 2, want: targets(1, 1, 0)},
		{name: "largest remainder first", in: targets(5, 3, 2), cap: 7, want: targets(4, 2, 1)},
		{name: "to nothing", in: targets(5, 3, 2), cap: 0, want: targets(0, 0, 0)},
		{name: "a zero target stays zero", in: targets(0, 10, 10), cap: 3, want: targets(0, 2, 1)},
		{name: "none", in: nil, cap: 3, want: nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, fmt.Sprint(tc.want), fmt.Sprint(types.ScaleToCap(tc.in, math.NewInt(tc.cap))))
		})
	}
}

func TestScaleToCapProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 60).Draw(t, "n")
		in := make([]types.Target, n)
		for i := range in {
			amount := math.NewIntFromUint64(rapid.Uint64().Draw(t, "amount"))
			if rapid.Bool().Draw(t, "huge") {
				amount = amount.Mul(amount).Mul(amount)
			}
			in[i] = types.Target{Validator: fmt.Sprintf("v%03d", i), Amount: amount}
		}
		limit := math.NewIntFromUint64(rapid.Uint64().Draw(t, "cap"))
		if rapid.Bool().Draw(t, "tight") {
			limit = limit.ModRaw(100)
		}

		out := types.ScaleToCap(in, limit)
		require.Len(t, out, n)
		require.True(t, sum(out).Equal(math.MinInt(limit, sum(in))), "the sum is exact")
		require.NoError(t, types.ValidateTargets(out))
		for i := range in {
			if sum(in).LTE(limit) {
				require.True(t, out[i].Amount.Equal(in[i].Amount))
				continue
			}
			floor := in[i].Amount.BigInt()
			floor.Mul(floor, limit.BigInt()).Quo(floor, sum(in).BigInt())
			over := out[i].Amount.Sub(math.NewIntFromBigInt(floor))
			require.True(t, over.IsZero() || over.Equal(math.OneInt()), "each is its share, rounded")
		}
	})
}

func TestValidateTargets(t *testing.T) {
	require.NoError(t, types.ValidateTargets(targets(1, 0, 2)))
	for name, bad := range map[string][]types.Target{
		"negative": targets(-1),
		"nil":      {{Validator: "v"}},
		"twice":    {targets(1)[0], targets(1)[0]},
		"unsorted": {targets(1, 1)[1], targets(1)[0]},
	} {
		require.ErrorIs(t, types.ValidateTargets(bad), types.ErrInvalidTarget, name)
	}
}
