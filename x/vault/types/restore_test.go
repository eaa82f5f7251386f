package types_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"cosmossdk.io/math"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mesh-security/mesh/x/vault/types"
)

func TestSL14RestoreLimitsVectors(t *testing.T) {
	bz, err := os.ReadFile("testdata/restore-limits.json")
	require.NoError(t, err)
	var vectors struct {
		Cases []struct {
			Name       string   `json:"name"`
			Collateral math.Int `json:"collateral"`
			Liens      []struct {
				Holder        string         `json:"holder"`
				Amount        math.Int       `json:"amount"`
				SlashFraction math.LegacyDec `json:"slash_fraction"`
			} `json:"liens"`
			Want []math.Int `json:"want"`
		} `json:"cases"`
	}
	require.NoError(t, json.Unmarshal(bz, &vectors))
	require.NotEmpty(t, vectors.Cases)
	for _, tc := range vectors.Cases {
		t.Run(tc.Name, func(t *testing.T) {
			var liens []types.Lien
			for _, l := range tc.Liens {
				liens = append(liens, types.Lien{Holder: l.Holder, Amount: l.Amount, SlashFraction: l.SlashFraction})
			}
			require.Len(t, tc.Want, len(liens))
			all := types.RestoreLimits(tc.Collateral, liens)
			require.Len(t, all, len(liens))
			for i, restored := range all {
				require.Equal(t, tc.Want[i].String(), restored.Amount.String(), restored.Holder)
			}
		})
	}
}

func TestRM18StepBLowersByTheSmallestAmount(t *testing.T) {
	liens := make([]types.Lien, 20)
	for i := range liens {
		liens[i] = types.Lien{Holder: fmt.Sprintf("external/%d", i), Amount: math.NewInt(1001), SlashFraction: math.LegacyNewDecWithPrec(5, 2)}
	}
	for _, restored := range types.RestoreLimits(math.NewInt(1001), liens) {
		require.Equal(t, int64(1000), restored.Amount.Int64())
	}
}

func TestRestoreLimitsOfNothing(t *testing.T) {
	require.Empty(t, types.RestoreLimits(math.NewInt(5), nil))
	lost := []types.Lien{
		{Holder: types.LocalHolder, Amount: math.NewInt(7), SlashFraction: math.LegacyOneDec()},
		{Holder: "external/1", Amount: math.NewInt(5), SlashFraction: math.LegacyOneDec()},
	}
	for _, restored := range types.RestoreLimits(math.ZeroInt(), lost) {
		require.True(t, restored.Amount.IsZero())
	}
	require.Equal(t, int64(7), lost[0].Amount.Int64(), "what was passed in is left alone")
}

// Whatever the account, afterwards both limits hold, local stake was only clipped, and step B took as little as it could.
func TestPropertyRestoreLimits(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		collateral, liens := drawAccount(rt)
		restored := types.RestoreLimits(collateral, liens)
		require.Len(rt, restored, len(liens))
		require.NoError(rt, types.CheckCovered(collateral, restored))

		clipped := make([]types.Lien, len(liens))
		lowered := math.ZeroInt() // what B took off each external lien that had as much
		for i, l := range liens {
			clipped[i] = l
			clipped[i].Amount = math.MinInt(l.Amount, collateral)
			require.Equal(rt, l.Holder, restored[i].Holder)
			require.True(rt, l.SlashFraction.Equal(restored[i].SlashFraction))
			require.False(rt, restored[i].Amount.IsNegative())
			if l.Holder == types.LocalHolder {
				require.Equal(rt, clipped[i].Amount.String(), restored[i].Amount.String(), "B touched local stake")
				continue
			}
			lowered = math.MaxInt(lowered, clipped[i].Amount.Sub(restored[i].Amount))
		}
		for i, l := range restored {
			if l.Holder != types.LocalHolder {
				want := math.MaxInt(math.ZeroInt(), clipped[i].Amount.Sub(lowered))
				require.Equal(rt, want.String(), l.Amount.String(), "B lowers all external liens by the same amount")
			}
		}
		if lowered.IsPositive() {
			for i, l := range clipped {
				if l.Holder != types.LocalHolder {
					clipped[i].Amount = math.MaxInt(math.ZeroInt(), l.Amount.Sub(lowered).AddRaw(1))
				}
			}
			require.True(rt, types.Slashable(clipped).GT(collateral), "one less would have been enough")
		}
		require.Equal(rt, amounts(restored), amounts(types.RestoreLimits(collateral, restored)), "idempotent")
	})
}

// drawAccount draws 1 to 8 liens, at times one of them local, and collateral between nothing and all they need.
func drawAccount(rt *rapid.T) (math.Int, []types.Lien) {
	amount := func(label string) math.Int {
		digits := rapid.IntRange(0, 30).Draw(rt, label+" digits")
		base := math.NewIntWithDecimal(1, digits)
		return math.MinInt(base.MulRaw(rapid.Int64Range(1, 10).Draw(rt, label)).AddRaw(rapid.Int64Range(0, 3).Draw(rt, label+" rest")), math.NewIntWithDecimal(1, 30))
	}
	var liens []types.Lien
	for i := range rapid.IntRange(1, 8).Draw(rt, "liens") {
		l := types.Lien{Holder: fmt.Sprintf("external/%d", i), Amount: amount("lien")}
		if i == 0 && rapid.Bool().Draw(rt, "local") {
			l.Holder = types.LocalHolder
		}
		l.SlashFraction = math.LegacyNewDecFromIntWithPrec(math.NewInt(rapid.Int64Range(0, 1e18).Draw(rt, "fraction")), 18)
		if rapid.Bool().Draw(rt, "round fraction") {
			l.SlashFraction = math.LegacyMustNewDecFromStr(rapid.SampledFrom([]string{"0", "0.05", "0.1", "0.5", "1"}).Draw(rt, "fraction"))
		}
		liens = append(liens, l)
	}
	needed := math.MaxInt(types.MaxLien(liens), types.Slashable(liens))
	percent := rapid.Int64Range(0, 110).Draw(rt, "collateral percent")
	return needed.MulRaw(percent).QuoRaw(100), liens
}

func amounts(liens []types.Lien) (all []string) {
	for _, l := range liens {
		all = append(all, l.Amount.String())
	}
	return all
}
