package types

import "cosmossdk.io/math"

// RestoreLimits returns the liens as they must be after the collateral behind them fell, in the same order, some perhaps
// zero. Nothing changes while they are covered.
//
//	A. No lien is larger than the collateral.
//	B. If they could still lose more than there is together, all liens but the local one fall by the same amount, clamped
//	   at zero: the smallest with which they cannot. There is one, because after A the local lien alone is covered.
func RestoreLimits(collateral math.Int, liens []Lien) []Lien {
	clipped := make([]Lien, len(liens))
	for i, l := range liens {
		l.Amount = math.MinInt(l.Amount, collateral)
		clipped[i] = l
	}
	if Slashable(clipped).LTE(collateral) {
		return clipped
	}
	// The search keeps: lowering by tooLittle is not enough, lowering by enough is.
	tooLittle, enough := math.ZeroInt(), MaxLien(clipped)
	for enough.Sub(tooLittle).GT(math.OneInt()) {
		middle := tooLittle.Add(enough).QuoRaw(2)
		if Slashable(lowered(clipped, middle)).LTE(collateral) {
			enough = middle
		} else {
			tooLittle = middle
		}
	}
	return lowered(clipped, enough)
}

// lowered returns the liens with all but the local one lowered by x, not below zero.
func lowered(liens []Lien, x math.Int) []Lien {
	lower := make([]Lien, len(liens))
	for i, l := range liens {
		if l.Holder != LocalHolder {
			l.Amount = math.MaxInt(math.ZeroInt(), l.Amount.Sub(x))
		}
		lower[i] = l
	}
	return lower
}
