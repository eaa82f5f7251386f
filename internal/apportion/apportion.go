// Package apportion scales amounts down to a smaller sum, in proportion.
package apportion

import (
	"math/big"
	"sort"

	"cosmossdk.io/math"
)

// Scale scales amounts down in proportion, so that their sum becomes exactly total. Each is rounded down, then the units
// left over go one each to the largest remainders, of equal ones to the first. A sum at or below total is returned
// unchanged. Neither the amounts nor total may be negative.
func Scale(amounts []math.Int, total math.Int) []math.Int {
	// Plain big integers: an amount times the total may have more bits than math.Int allows.
	sum, limit := new(big.Int), total.BigInt()
	for _, a := range amounts {
		sum.Add(sum, a.BigInt())
	}
	if sum.Cmp(limit) <= 0 {
		return amounts
	}

	scaled, remainders, order := make([]math.Int, len(amounts)), make([]*big.Int, len(amounts)), make([]int, len(amounts))
	left := new(big.Int).Set(limit)
	for i, a := range amounts {
		share := new(big.Int).Mul(a.BigInt(), limit)
		remainders[i] = new(big.Int)
		share.QuoRem(share, sum, remainders[i])
		left.Sub(left, share)
		scaled[i] = math.NewIntFromBigInt(share)
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return remainders[order[a]].Cmp(remainders[order[b]]) > 0 })
	// The remainders sum to left × sum and each is below sum, so fewer units are left than there are amounts.
	for i := int64(0); i < left.Int64(); i++ {
		scaled[order[i]] = scaled[order[i]].AddRaw(1)
	}
	return scaled
}
