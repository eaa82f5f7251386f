package types

import (
	"math/big"
	"sort"

	"cosmossdk.io/math"
)

// ValidateTargets checks that targets are sorted by validator, each at most once, and none is negative.
func ValidateTargets(targets []Target) error {
	for i, t := range targets {
		if t.Amount.IsNil() || t.Amount.IsNegative() {
			return ErrInvalidTarget.Wrapf("%s of validator %s, must be 0 or more", t.Amount, t.Validator)
		}
		if i > 0 && targets[i-1].Validator >= t.Validator {
			return ErrInvalidTarget.Wrapf("validator %s after %s, must be sorted and unique", t.Validator, targets[i-1].Validator)
		}
	}
	return nil
}

// ScaleToCap scales targets down in proportion when their sum is above limit, so that the sum becomes exactly limit. Each
// is rounded down, then the units left over go one each to the largest remainders; equal remainders in order of the
// validators. A sum at or below limit is returned unchanged. Targets must be valid and limit not negative.
func ScaleToCap(targets []Target, limit math.Int) []Target {
	// Plain big integers: a target times a cap may have more bits than math.Int allows.
	sum, ceiling := new(big.Int), limit.BigInt()
	for _, t := range targets {
		sum.Add(sum, t.Amount.BigInt())
	}
	if sum.Cmp(ceiling) <= 0 {
		return targets
	}

	scaled, remainders, order := make([]Target, len(targets)), make([]*big.Int, len(targets)), make([]int, len(targets))
	left := new(big.Int).Set(ceiling)
	for i, t := range targets {
		share := new(big.Int).Mul(t.Amount.BigInt(), ceiling)
		remainders[i] = new(big.Int)
		share.QuoRem(share, sum, remainders[i])
		left.Sub(left, share)
		scaled[i] = Target{Validator: t.Validator, Amount: math.NewIntFromBigInt(share)}
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool {
		if c := remainders[order[a]].Cmp(remainders[order[b]]); c != 0 {
			return c > 0
		}
		return scaled[order[a]].Validator < scaled[order[b]].Validator
	})
	// The remainders sum to left × sum and each is below sum, so fewer units are left than there are targets.
	for i := int64(0); i < left.Int64(); i++ {
		scaled[order[i]].Amount = scaled[order[i]].Amount.AddRaw(1)
	}
	return scaled
}
