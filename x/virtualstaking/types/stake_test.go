package types_test

import (
	"testing"

	"cosmossdk.io/math"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

func TestStakeOfValidatorThatLostEverything(t *testing.T) {
	v := stakingtypes.Validator{Tokens: math.ZeroInt(), DelegatorShares: math.LegacyNewDec(5)}
	require.Equal(t, "0", types.TokensOf(v, math.LegacyNewDec(5)).String())
	require.True(t, types.SharesFor(v, math.LegacyNewDec(5), math.NewInt(1)).Equal(math.LegacyNewDec(5)), "all shares can go")
	none := stakingtypes.Validator{Tokens: math.ZeroInt(), DelegatorShares: math.LegacyZeroDec()}
	require.Equal(t, "0", types.TokensOf(none, math.LegacyZeroDec()).String())
}

// A delegation that is moved to a target must then be worth the target, or every epoch would move it again.
func TestRebalancedStakeIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		native := rapid.Int64Range(1, 1<<50).Draw(t, "native")
		v := stakingtypes.Validator{Tokens: math.NewInt(native), DelegatorShares: math.LegacyNewDec(native)}
		if slashed := rapid.Int64Range(0, native-1).Draw(t, "slashed"); slashed > 0 {
			v = v.RemoveTokens(math.NewInt(slashed))
		}
		first := math.NewInt(rapid.Int64Range(1, 1<<50).Draw(t, "bonded"))
		v, held := v.AddTokensFromDel(first)
		require.Equal(t, first.String(), types.TokensOf(v, held).String())

		target := math.NewInt(rapid.Int64Range(1, first.Int64()).Draw(t, "target"))
		if amount := first.Sub(target); amount.IsPositive() {
			shares := types.SharesFor(v, held, amount)
			require.True(t, shares.LTE(held))
			var returned math.Int
			v, returned = v.RemoveDelShares(shares)
			held = held.Sub(shares)
			require.Equal(t, amount.String(), returned.String(), "exactly what should leave leaves")
			require.Equal(t, target.String(), types.TokensOf(v, held).String())
		}
	})
}
