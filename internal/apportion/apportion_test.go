package apportion_test

import (
	"math/big"
	"testing"

	"cosmossdk.io/math"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mesh-security/mesh/internal/apportion"
)

func ints(values ...int64) []math.Int {
	amounts := make([]math.Int, len(values))
	for i, v := range values {
		amounts[i] = math.NewInt(v)
	}
	return amounts
}

func TestScale(t *testing.T) {
	for _, tc := range []struct {
		name     string
		amounts  []math.Int
		total    int64
		expected []math.Int
	}{
		{"nothing", nil, 0, nil},
		{"at the total", ints(1, 2), 3, ints(1, 2)},
		{"below the total", ints(1, 2), 4, ints(1, 2)},
		{"exact", ints(10, 20, 30), 30, ints(5, 10, 15)},
		{"largest remainder first", ints(5, 3, 2), 7, ints(4, 2, 1)},
		{"equal remainders in order", ints(1, 1, 1), 2, ints(1, 1, 0)},
		{"to nothing", ints(1, 0, 3), 0, ints(0, 0, 0)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			scaled := apportion.Scale(tc.amounts, math.NewInt(tc.total))
			require.Len(t, scaled, len(tc.expected))
			for i := range scaled {
				require.Equal(t, tc.expected[i].String(), scaled[i].String())
			}
		})
	}
}

func TestScaleTakesLessThanOneUnitTooMuchOfAny(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := rapid.Custom(func(t *rapid.T) math.Int {
			bits := rapid.IntRange(0, 190).Draw(t, "bits")
			return math.NewIntFromUint64(rapid.Uint64().Draw(t, "value")).Mul(math.NewIntFromBigInt(new(big.Int).Lsh(big.NewInt(1), uint(bits)))).Quo(math.NewInt(1 << 32))
		})
		amounts := rapid.SliceOfN(amount, 1, 8).Draw(t, "amounts")
		sum := math.ZeroInt()
		for _, a := range amounts {
			sum = sum.Add(a)
		}
		total := sum.Quo(math.NewInt(rapid.Int64Range(1, 1<<40).Draw(t, "divisor")))
		scaled, scaledSum := apportion.Scale(amounts, total), math.ZeroInt()
		for i, s := range scaled {
			scaledSum = scaledSum.Add(s)
			require.False(t, s.IsNegative() || s.GT(amounts[i]))
			// |s - amount × total / sum| < 1
			exact := new(big.Int).Mul(amounts[i].BigInt(), total.BigInt())
			diff := new(big.Int).Sub(new(big.Int).Mul(s.BigInt(), sum.BigInt()), exact)
			require.True(t, sum.IsZero() || diff.CmpAbs(sum.BigInt()) < 0)
		}
		require.Equal(t, total.String(), scaledSum.String())
	})
}
