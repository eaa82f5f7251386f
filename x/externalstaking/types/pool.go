package types

import (
	"sort"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
)

// NewPool is the pool of a validator nobody has staked to.
func NewPool() Pool {
	return Pool{Bonded: math.ZeroInt(), Synced: math.ZeroInt()}
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

// Credit adds a reward and distributes it if anything is bonded; otherwise it is held over.
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

// Distribute shares what is held over among the bonded stake; without any it stays.
func (p *Pool) Distribute() {
	if !p.Bonded.IsPositive() {
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
