package types

import "cosmossdk.io/math"

// Native is what is left of total, in base units, without its virtual part. Virtual stake is rounded to the nearest unit
// for each validator, so it may exceed a total that has hardly anything else: then nothing is left.
func Native(total, virtual math.Int) math.Int {
	return math.MaxInt(total.Sub(virtual), math.ZeroInt())
}

// BondedRatio is bonded as a part of supply, from 0 to 1; 0 without any supply.
func BondedRatio(bonded, supply math.Int) math.LegacyDec {
	if !supply.IsPositive() {
		return math.LegacyZeroDec()
	}
	return math.LegacyMinDec(math.LegacyNewDecFromInt(bonded).QuoInt(supply), math.LegacyOneDec())
}
