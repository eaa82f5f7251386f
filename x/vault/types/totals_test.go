package types_test

import (
	"math/big"
	"testing"

	"cosmossdk.io/math"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/vault/types"
)

func TestTotals(t *testing.T) {
	none := types.NewTotals()
	require.NoError(t, none.Validate())
	require.True(t, none.Owed().IsZero())

	totals := func(lost, burned, pooled int64) types.Totals {
		return types.Totals{Lost: math.NewInt(lost), Burned: math.NewInt(burned), Pooled: math.NewInt(pooled)}
	}
	for _, tc := range []struct {
		name   string
		totals types.Totals
		owed   int64
		err    string
	}{
		{name: "all of it burned", totals: totals(10, 10, 0)},
		{name: "all of it pooled", totals: totals(10, 0, 10)},
		{name: "some of it owed", totals: totals(10, 3, 5), owed: 2},
		{name: "all of it owed", totals: totals(10, 0, 0), owed: 10},
		{name: "more taken than lost", totals: totals(10, 6, 5), err: "lost: 10, less than burned 6 and pooled 5: invalid amount"},
		{name: "lost is negative", totals: totals(-1, 0, 0), err: "lost: must be there and not negative: invalid amount"},
		{name: "burned is negative", totals: totals(1, -1, 1), err: "burned: must be there and not negative: invalid amount"},
		{name: "pooled is negative", totals: totals(1, 1, -1), err: "pooled: must be there and not negative: invalid amount"},
		{name: "lost is missing", totals: types.Totals{Burned: math.ZeroInt(), Pooled: math.ZeroInt()}, err: "lost: must be there and not negative: invalid amount"},
		{name: "burned is missing", totals: types.Totals{Lost: math.ZeroInt(), Pooled: math.ZeroInt()}, err: "burned: must be there and not negative: invalid amount"},
		{name: "pooled is missing", totals: types.Totals{Lost: math.ZeroInt(), Burned: math.ZeroInt()}, err: "pooled: must be there and not negative: invalid amount"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := tc.totals.Validate()
			if tc.err != "" {
				require.ErrorIs(t, err, types.ErrInvalidAmount)
				require.EqualError(t, err, tc.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.owed, tc.totals.Owed().Int64())
		})
	}
}

// A forged genesis may hold the largest numbers there are.
func TestTotalsThatOverflowAreRefused(t *testing.T) {
	most := math.NewIntFromBigInt(new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), math.MaxBitLen), big.NewInt(1)))
	require.ErrorIs(t, types.Totals{Lost: most, Burned: most, Pooled: most}.Validate(), types.ErrInvalidAmount)
	require.NoError(t, types.Totals{Lost: most, Burned: most, Pooled: math.ZeroInt()}.Validate())
}
