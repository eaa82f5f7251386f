package types

import (
	"sort"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
)

// NewPool is the pool of a validator nobody has staked to.
func NewPool() Pool {
	return Pool{Bonded: math.ZeroInt(), Synced: math.ZeroInt(), Unsettled: math.ZeroInt()}
}

// Empty is true if nothing is staked, counted or in flight. Something may still be held over.
func (p Pool) Empty() bool {
	return p.Positions == 0 && p.Bonded.IsZero() && p.Synced.IsZero() && p.BatchID == 0
}

// HeldOver is what waits for stake to be distributed to.
func (p Pool) HeldOver() sdk.Coins {
	coins := sdk.Coins{}
	for _, r := range p.Rewards {
		if r.HeldOver.IsPositive() {
			coins = coins.Add(sdk.NewCoin(r.Denom, r.HeldOver))
		}
	}
	return coins
}

// Credit adds a reward and distributes it if that is possible; otherwise it is held over.
func (p *Pool) Credit(denom string, amount math.Int) {
	i := sort.Search(len(p.Rewards), func(i int) bool { return p.Rewards[i].Denom >= denom })
	if i == len(p.Rewards) || p.Rewards[i].Denom != denom {
		grown := make([]PoolReward, 0, len(p.Rewards)+1)
		grown = append(grown, p.Rewards[:i]...)
		grown = append(grown, PoolReward{Denom: denom, Index: math.ZeroInt(), Remainder: math.ZeroInt(), HeldOver: math.ZeroInt()})
		p.Rewards = append(grown, p.Rewards[i:]...)
	}
	p.Rewards[i].HeldOver = p.Rewards[i].HeldOver.Add(amount)
	p.Distribute()
}

// Slash makes all that is bonded unsettled. From now on it is worth what the slash leaves of the sum; what is lost to
// rounding in each position shows as they settle.
func (p *Pool) Slash(fraction math.LegacyDec) {
	p.Unsettled, p.Bonded = p.Bonded, Kept(p.Bonded, fraction)
}

// takeUnsettled takes stake of one position, as it was before the slash, out of what is unsettled. As two sums rounded
// down are at most the sum of both rounded down, the pool is never worth less than its positions.
func (p *Pool) takeUnsettled(amount math.Int, fraction math.LegacyDec) {
	settled := p.Bonded.Sub(Kept(p.Unsettled, fraction))
	p.Unsettled = p.Unsettled.Sub(amount)
	p.Bonded = settled.Add(Kept(p.Unsettled, fraction))
}

// Distribute shares what is held over among the bonded stake. It stays while nothing is bonded, or while something is
// unsettled: the rounding of positions that is still to come would take a part of it.
func (p *Pool) Distribute() {
	if !p.Bonded.IsPositive() || p.Unsettled.IsPositive() {
		return
	}
	for i := range p.Rewards {
		r := &p.Rewards[i]
		if r.HeldOver.IsPositive() {
			r.Index, r.Remainder = GrowIndex(r.Index, r.Remainder, r.HeldOver, p.Bonded)
			r.HeldOver = math.ZeroInt()
		}
	}
}

// TakeHeldOver empties what is held over and returns it.
func (p *Pool) TakeHeldOver() sdk.Coins {
	coins := p.HeldOver()
	for i := range p.Rewards {
		p.Rewards[i].HeldOver = math.ZeroInt()
	}
	return coins
}
