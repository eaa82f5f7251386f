package types

import (
	"cosmossdk.io/math"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
)

// TokensOf returns what removing shares from the validator would return, in base units: x/staking rounds down.
func TokensOf(validator stakingtypes.Validator, shares math.LegacyDec) math.Int {
	if validator.DelegatorShares.IsZero() {
		return math.ZeroInt()
	}
	return validator.TokensFromShares(shares).TruncateInt()
}

// SharesFor returns the shares to remove from held so that amount base units leave: rounded up, because x/staking rounds
// what it returns down and leaves the rest to the other delegators; all of held for what it is worth or more.
func SharesFor(validator stakingtypes.Validator, held math.LegacyDec, amount math.Int) math.LegacyDec {
	if amount.GTE(TokensOf(validator, held)) {
		return held
	}
	shares := validator.DelegatorShares.MulInt(amount).QuoRoundUp(math.LegacyNewDecFromInt(validator.Tokens))
	return math.LegacyMinDec(shares, held)
}
