package types

import "cosmossdk.io/math"

// MaxRewardBits bounds everything ever received of one denom for one consumer, so that the index arithmetic fits into
// 256 bits: an index grows by at most received x 10^18 < 2^188 in total, and what a position is owed is at most what
// its pool received.
const MaxRewardBits = 128

// indexScale is the precision of reward indexes: 18 decimals.
var indexScale = math.NewIntWithDecimal(1, 18)

// GrowIndex distributes amount over bonded stake: the index (rewards per unit since the start, times 10^18) grows by
// (amount x 10^18 + remainder) / bonded, rounded down, and the rest of the division is carried to the next growth.
// bonded must be positive.
func GrowIndex(index, remainder, amount, bonded math.Int) (newIndex, newRemainder math.Int) {
	units := amount.Mul(indexScale).Add(remainder)
	growth := units.Quo(bonded)
	return index.Add(growth), units.Sub(growth.Mul(bonded))
}

// Accrued is what bonded stake earned while the index went from start to index, in base units, rounded down.
func Accrued(bonded, start, index math.Int) math.Int {
	return bonded.Mul(index.Sub(start)).Quo(indexScale)
}
