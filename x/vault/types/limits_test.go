package types_test

import (
	"fmt"
	"math/big"
	"testing"

	"cosmossdk.io/math"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mesh-security/mesh/x/vault/types"
)

// lien returns the lien "external/<id>".
func lien(id int, amount int64, fraction string) types.Lien {
	return types.Lien{
		Holder: fmt.Sprintf("external/%d", id), Amount: math.NewInt(amount), SlashFraction: math.LegacyMustNewDecFromStr(fraction),
	}
}

// drawAmount reaches up to the largest amount the vault accepts.
func drawAmount(t *rapid.T, label string) math.Int {
	bits := rapid.IntRange(1, types.MaxCollateralBits).Draw(t, label+" bits")
	n := new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), types.MaxCollateralBits/8, types.MaxCollateralBits/8).Draw(t, label))
	n.Mod(n, new(big.Int).Lsh(big.NewInt(1), uint(bits)))
	if n.Sign() == 0 {
		n.SetInt64(1)
	}
	return math.NewIntFromBigInt(n)
}

// drawFraction has all 18 decimals; min counts the last of them.
func drawFraction(t *rapid.T, min int64, label string) math.LegacyDec {
	return math.LegacyNewDecWithPrec(rapid.Int64Range(min, 1_000_000_000_000_000_000).Draw(t, label), 18)
}

func drawLiens(t *rapid.T, most int) []types.Lien {
	n := rapid.IntRange(0, most).Draw(t, "liens")
	liens := make([]types.Lien, n)
	for i := range liens {
		liens[i] = types.Lien{
			Holder: fmt.Sprintf("external/%d", i), Amount: drawAmount(t, "amount"), SlashFraction: drawFraction(t, 0, "fraction"),
		}
	}
	return liens
}

func TestLimits(t *testing.T) {
	for _, tc := range []struct {
		name       string
		collateral int64
		liens      []types.Lien
		use        string
		maxLien    int64
		slashable  int64
		used       int64
		needed     int64
		free       int64
	}{
		{name: "no liens", collateral: 10, use: "1", free: 10},
		{name: "no liens, nothing", use: "1"},
		{name: "largest lien rules", collateral: 100, use: "1", liens: []types.Lien{lien(1, 60, "0.1"), lien(2, 40, "0.1")}, maxLien: 60, slashable: 10, used: 60, needed: 60, free: 40},
		{name: "slashable rules", collateral: 100, use: "1", liens: []types.Lien{lien(1, 60, "0.6"), lien(2, 60, "0.6")}, maxLien: 60, slashable: 72, used: 72, needed: 72, free: 28},
		{name: "each lien rounds up", collateral: 100, use: "1", liens: []types.Lien{lien(1, 1, "0.05"), lien(2, 1, "0.05"), lien(3, 21, "0.05")}, maxLien: 21, slashable: 4, used: 21, needed: 21, free: 79},
		{name: "fraction of zero", collateral: 5, use: "1", liens: []types.Lien{lien(1, 5, "0")}, maxLien: 5, used: 5, needed: 5},
		{name: "use rounds up", collateral: 100, use: "0.3", liens: []types.Lien{lien(1, 10, "0.1")}, maxLien: 10, slashable: 1, used: 10, needed: 34, free: 66},
		{name: "never below zero", collateral: 10, use: "0.5", liens: []types.Lien{lien(1, 10, "1")}, maxLien: 10, slashable: 10, used: 10, needed: 20},
	} {
		t.Run(tc.name, func(t *testing.T) {
			use := math.LegacyMustNewDecFromStr(tc.use)
			c := math.NewInt(tc.collateral)
			require.Equal(t, tc.maxLien, types.MaxLien(tc.liens).Int64(), "max lien")
			require.Equal(t, tc.slashable, types.Slashable(tc.liens).Int64(), "slashable")
			require.Equal(t, tc.used, types.Used(tc.liens).Int64(), "used")
			require.Equal(t, tc.needed, types.Needed(tc.liens, use).Int64(), "needed")
			require.Equal(t, tc.free, types.Free(c, tc.liens, use).Int64(), "free")
			require.Equal(t, c, types.Liquid(c, tc.liens), "liquid")
		})
	}
}

func TestLiquidIsWhatIsNotStakedLocally(t *testing.T) {
	liens := []types.Lien{lien(1, 90, "0.1"), {Holder: types.LocalHolder, Amount: math.NewInt(30), SlashFraction: math.LegacyOneDec()}}
	require.Equal(t, int64(70), types.Liquid(math.NewInt(100), liens).Int64())
}

// The rounding is the exact one: the smallest integer not below the rational result.
func TestPropertyLimitsRoundUpExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		liens := drawLiens(t, 5)
		use := drawFraction(t, 1, "use")

		sum := math.ZeroInt()
		for _, l := range liens {
			exact := new(big.Rat).Mul(new(big.Rat).SetInt(l.Amount.BigInt()), rat(l.SlashFraction))
			one := types.Slashable([]types.Lien{l})
			require.True(t, isCeil(one, exact))
			require.True(t, one.LTE(l.Amount), "no lien loses more than itself")
			sum = sum.Add(one)
		}
		require.Equal(t, sum.String(), types.Slashable(liens).String())

		exact := new(big.Rat).Quo(new(big.Rat).SetInt(types.Used(liens).BigInt()), rat(use))
		if types.Used(liens).BigInt().BitLen() <= types.MaxCollateralBits+1 {
			require.True(t, isCeil(types.Needed(liens, use), exact))
		}
	})
}

// Nothing that was free when withdrawn uncovers a lien, and not one unit more is free.
func TestPropertyFreeIsTheMostThatKeepsLiensCovered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		liens := drawLiens(t, 5)
		use := drawFraction(t, 1, "use")
		collateral := drawAmount(t, "collateral")
		if types.Used(liens).BigInt().BitLen() > types.MaxCollateralBits+1 {
			return
		}
		free := types.Free(collateral, liens, use)
		require.False(t, free.IsNegative())
		require.True(t, free.LTE(collateral))
		if !free.IsPositive() {
			return
		}
		left := collateral.Sub(free)
		require.NoError(t, types.CheckCovered(left, liens))
		require.True(t, types.Needed(liens, use).LTE(left))
		require.True(t, types.Needed(liens, use).GT(left.SubRaw(1)))
	})
}

// Splitting a lien over more holders never lowers what is used.
func TestPropertySplittingALienGainsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fraction := drawFraction(t, 0, "fraction")
		var parts []types.Lien
		whole := math.ZeroInt()
		for i := range rapid.IntRange(1, 32).Draw(t, "parts") {
			amount := math.NewInt(rapid.Int64Range(1, 1<<40).Draw(t, "amount"))
			parts = append(parts, types.Lien{Holder: fmt.Sprintf("external/%d", i), Amount: amount, SlashFraction: fraction})
			whole = whole.Add(amount)
		}
		one := []types.Lien{{Holder: "external/0", Amount: whole, SlashFraction: fraction}}
		require.True(t, types.Slashable(parts).GTE(types.Slashable(one)))
	})
}

func TestPropertyMergedFractionCoversItsParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawAmount(t, "a"), drawAmount(t, "b")
		fa, fb := drawFraction(t, 0, "fa"), drawFraction(t, 0, "fb")
		merged := types.MergeFraction(a, fa, b, fb)
		require.NoError(t, types.ValidateSlashFraction(merged))
		require.True(t, merged.GTE(math.LegacyMinDec(fa, fb)))
		require.True(t, merged.LTE(math.LegacyMaxDec(fa, fb)))

		exact := new(big.Rat).Mul(new(big.Rat).SetInt(a.BigInt()), rat(fa))
		exact.Add(exact, new(big.Rat).Mul(new(big.Rat).SetInt(b.BigInt()), rat(fb)))
		exact.Quo(exact, new(big.Rat).SetInt(a.Add(b).BigInt()))
		over := new(big.Rat).Sub(rat(merged), exact)
		require.True(t, over.Sign() >= 0 && over.Cmp(rat(math.LegacySmallestDec())) < 0, "rounded up, by less than the last decimal")
	})
}

// The largest account the vault accepts stays within math.Int, at the smallest max_collateral_use.
func TestLimitsDoNotOverflow(t *testing.T) {
	largest := math.NewIntFromBigInt(new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), types.MaxCollateralBits), big.NewInt(1)))
	require.NoError(t, types.ValidateAmount(largest))
	require.ErrorIs(t, types.ValidateAmount(largest.AddRaw(1)), types.ErrInvalidAmount)
	// A second lien is checked before anything more can be added.
	two := []types.Lien{
		{Holder: "external/1", Amount: largest, SlashFraction: math.LegacyOneDec()},
		{Holder: "external/2", Amount: largest, SlashFraction: math.LegacyOneDec()},
	}
	require.NotPanics(t, func() {
		require.True(t, types.Needed(two, math.LegacySmallestDec()).GT(largest))
	})
}

func rat(d math.LegacyDec) *big.Rat {
	return new(big.Rat).SetFrac(d.BigInt(), math.LegacyOneDec().BigInt())
}

func isCeil(n math.Int, exact *big.Rat) bool {
	over := new(big.Rat).Sub(new(big.Rat).SetInt(n.BigInt()), exact)
	return over.Sign() >= 0 && over.Cmp(big.NewRat(1, 1)) < 0
}
