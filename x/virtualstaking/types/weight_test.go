package types_test

import (
	"math/big"
	"testing"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

func TestWeightIsFromZeroToOne(t *testing.T) {
	for _, text := range []string{"0", "0.000000000000000001", "0.5", "1"} {
		require.NoError(t, types.ValidateWeight(math.LegacyMustNewDecFromStr(text)), text)
	}
	for _, text := range []string{"-0.000000000000000001", "-1", "1.000000000000000001", "100"} {
		require.ErrorIs(t, types.ValidateWeight(math.LegacyMustNewDecFromStr(text)), types.ErrInvalidWeight, text)
	}
	require.ErrorIs(t, types.ValidateWeight(math.LegacyDec{}), types.ErrInvalidWeight)
}

// Written as a zero, a weight that was left out of a proposal would silently become security only.
func TestMissingWeightStaysMissingOnTheWire(t *testing.T) {
	bz, err := (&types.MsgSetMaxCap{ConverterID: 1, MaxCap: sdk.NewInt64Coin("ucons", 5)}).Marshal()
	require.NoError(t, err)
	var msg types.MsgSetMaxCap
	require.NoError(t, msg.Unmarshal(bz))
	require.Nil(t, msg.GovernanceWeight)
}

func TestCounted(t *testing.T) {
	for _, tc := range []struct {
		name              string
		tokens            int64
		shares, uncounted string
		wantTokens        int64
		wantShares        string
	}{
		{"all", 100, "100", "0", 100, "100"},
		{"half", 100, "100", "50", 50, "50"},
		{"none", 100, "100", "100", 0, "0"},
		{"less than nothing", 100, "100", "101", 0, "0"},
		{"slashed, rounded down", 50, "100", "33", 33, "67"},
		{"less than a unit", 1, "100", "1", 0, "99"},
		{"worth nothing", 0, "100", "50", 0, "0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dec := math.LegacyMustNewDecFromStr
			tokens, shares := types.Counted(math.NewInt(tc.tokens), dec(tc.shares), dec(tc.uncounted))
			require.Equal(t, tc.wantTokens, tokens.Int64())
			require.Equal(t, dec(tc.wantShares).String(), shares.String())
		})
	}
}

// Whatever is taken out, who is left has what they had, less one unit for all of them together.
func TestCountedKeepsTheWorthOfShares(t *testing.T) {
	dec := func(rt *rapid.T, name string, bits int) math.LegacyDec {
		b := rapid.SliceOfN(rapid.Byte(), 1, bits/8).Draw(rt, name)
		return math.LegacyNewDecFromBigIntWithPrec(new(big.Int).SetBytes(b), math.LegacyPrecision)
	}
	rapid.Check(t, func(rt *rapid.T) {
		native, virtual := dec(rt, "native", 180), dec(rt, "virtual", 180)
		weight := math.LegacyNewDecWithPrec(rapid.Int64Range(0, 1e18).Draw(rt, "weight"), math.LegacyPrecision)
		tokens := math.NewIntFromBigInt(new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 1, 15).Draw(rt, "tokens")))
		shares := native.Add(virtual)
		uncounted := types.Uncounted(virtual, weight)
		require.False(rt, uncounted.IsNegative())
		require.True(rt, uncounted.LTE(virtual))

		counted, left := types.Counted(tokens, shares, uncounted)
		require.False(rt, counted.IsNegative())
		require.True(rt, counted.LTE(tokens))
		if left.IsZero() {
			require.True(rt, counted.IsZero())
			return
		}
		require.True(rt, left.GTE(native), "nobody else's shares are taken")
		// counted / left is at most tokens / shares, and all that is left together lacks less than a unit.
		lost := new(big.Int).Mul(tokens.BigInt(), left.BigInt())
		lost.Sub(lost, new(big.Int).Mul(counted.BigInt(), shares.BigInt()))
		require.GreaterOrEqual(rt, lost.Sign(), 0)
		require.Negative(rt, lost.Cmp(shares.BigInt()))
	})
}

func TestNativeAndBondedRatioStayInBounds(t *testing.T) {
	require.Equal(t, "7", types.Native(math.NewInt(10), math.NewInt(3)).String())
	require.Equal(t, "0", types.Native(math.NewInt(10), math.NewInt(11)).String(), "virtual stake is rounded to the nearest unit")
	require.Equal(t, "0.300000000000000000", types.BondedRatio(math.NewInt(3), math.NewInt(10)).String())
	require.Equal(t, "1.000000000000000000", types.BondedRatio(math.NewInt(11), math.NewInt(10)).String())
	require.Equal(t, "0.000000000000000000", types.BondedRatio(math.NewInt(0), math.NewInt(0)).String())
	require.Equal(t, "0.000000000000000000", types.BondedRatio(math.NewInt(1), math.NewInt(0)).String())
}
