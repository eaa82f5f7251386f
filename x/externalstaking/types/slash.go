package types

import "cosmossdk.io/math"

// Kept is what a slash by fraction leaves of amount: rounded down, against its owner. fraction is in (0, 1].
func Kept(amount math.Int, fraction math.LegacyDec) math.Int {
	one := math.LegacyOneDec()
	share := math.NewIntFromBigInt(one.Sub(fraction).BigInt())
	return amount.Mul(share).Quo(math.NewIntFromBigInt(one.BigInt()))
}

// HitBy is the entry after a slash has reached it.
func (e UnbondingEntry) HitBy(s Slash) UnbondingEntry {
	e.Amount, e.Hit = Kept(e.Amount, s.Fraction), true
	return e
}

// Reaches tells whether the slash can hit an entry: it was not due yet, and left without a packet, or with one that had
// not stopped to count.
func (s Slash) Reaches(e UnbondingEntry) bool {
	return e.ReleaseTime.After(s.Time) && (e.BatchID == 0 || e.BatchID >= s.FromBatch)
}
