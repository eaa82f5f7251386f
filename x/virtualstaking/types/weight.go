package types

import (
	"math/big"

	"cosmossdk.io/math"
)

// ValidateWeight checks a governance weight: from 0 (security only) to 1 (votes like native stake).
func ValidateWeight(weight math.LegacyDec) error {
	if weight.IsNil() {
		return ErrInvalidWeight.Wrap("governance_weight is missing, must be given: 0 (security only) to 1 (votes like native stake)")
	}
	if weight.IsNegative() || weight.GT(math.LegacyOneDec()) {
		return ErrInvalidWeight.Wrapf("governance_weight is %s, must be 0 (security only) to 1 (votes like native stake)", weight)
	}
	return nil
}

// Uncounted is the part of shares that does not vote under weight. It is rounded down, so it never exceeds shares.
func Uncounted(shares, weight math.LegacyDec) math.LegacyDec {
	return shares.MulTruncate(math.LegacyOneDec().Sub(weight))
}

// Counted returns what votes of a validator's tokens and shares when uncounted of its shares do not. Each share left is
// worth what it was: the tokens are tokens × left / shares, rounded down to a base unit, so that all who vote with the
// validator together lose less than one unit, and never more tokens vote than there are. Both are zero if no share is
// left, or if the shares are worth nothing.
func Counted(tokens math.Int, shares, uncounted math.LegacyDec) (math.Int, math.LegacyDec) {
	left := shares.Sub(uncounted)
	if !left.IsPositive() || !tokens.IsPositive() {
		return math.ZeroInt(), math.LegacyZeroDec()
	}
	// Plain big integers: the product may have more bits than math.Int allows.
	counted := new(big.Int).Mul(tokens.BigInt(), left.BigInt())
	return math.NewIntFromBigInt(counted.Quo(counted, shares.BigInt())), left
}
