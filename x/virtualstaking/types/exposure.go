package types

import (
	stdmath "math"
	"time"

	"cosmossdk.io/math"
)

// MaxEpochDuration is how far apart epochs should be at most: until the next one, the chain relies on stake that may have
// left the provider, and owes rewards to stake that came.
const MaxEpochDuration = 24 * time.Hour

// Share is part of whole, rounded down; 0 without a whole.
func Share(part math.LegacyDec, whole math.Int) math.LegacyDec {
	if !whole.IsPositive() {
		return math.LegacyZeroDec()
	}
	return part.QuoTruncate(math.LegacyNewDecFromInt(whole))
}

// ReachesThird reports whether part is a third of whole or more. CometBFT makes no block when so much power is absent.
func ReachesThird(part, whole math.Int) bool {
	return whole.IsPositive() && part.MulRaw(3).GTE(whole)
}

// EpochDuration is what length blocks take when the last blocks, at least one, took elapsed; at most the longest time that
// can be written.
func EpochDuration(elapsed time.Duration, blocks, length int64) time.Duration {
	pace := elapsed / time.Duration(blocks)
	if pace > stdmath.MaxInt64/time.Duration(length) {
		return stdmath.MaxInt64
	}
	return pace * time.Duration(length)
}
