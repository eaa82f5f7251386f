package types

import (
	"time"

	"cosmossdk.io/math"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
)

// TokensOf values shares of a validator in bond denom base units, rounded to the nearest unit: rounding down would show a
// fresh delegation as one unit short of what was bonded, and every epoch would bond that unit again.
func TokensOf(validator stakingtypes.Validator, shares math.LegacyDec) math.Int {
	if validator.DelegatorShares.IsZero() {
		return math.ZeroInt()
	}
	return validator.TokensFromShares(shares).RoundInt()
}

// SharesFor returns the shares to remove from held so that amount base units leave, rounded up: rounding down would
// return one unit less and leave its value with the other delegators. At most held; all of it if nothing has a value.
func SharesFor(validator stakingtypes.Validator, held math.LegacyDec, amount math.Int) math.LegacyDec {
	if validator.Tokens.IsZero() {
		return held
	}
	shares := validator.DelegatorShares.MulInt(amount).QuoRoundUp(math.LegacyNewDecFromInt(validator.Tokens))
	return math.LegacyMinDec(shares, held)
}

const (
	// MaxExactEntries is how many unbonding entries of one account and validator complete at their own time.
	MaxExactEntries = 100
	// bucketsPerPeriod is how many times there are in an unbonding period for those beyond.
	bucketsPerPeriod = 100
)

// RoundUp rounds a completion time up to the next bucket: a hundredth of the unbonding period, at least a second.
func RoundUp(completion time.Time, period time.Duration) time.Time {
	bucket := max(period/bucketsPerPeriod, time.Second)
	if rounded := completion.Truncate(bucket); rounded.Before(completion) {
		return rounded.Add(bucket)
	}
	return completion
}
