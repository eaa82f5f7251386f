package types

import (
	"time"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
)

// NewPosition is a position with nothing in it.
func NewPosition() Position {
	return Position{Bonded: math.ZeroInt()}
}

// Value is the live amount, zero without an operation.
func (o *Operation) Value() math.Int {
	if o == nil {
		return math.ZeroInt()
	}
	return o.Amount
}

// Merge returns one operation for both: the amounts add up, the earliest request counts.
func (o *Operation) Merge(other Operation) *Operation {
	if o == nil {
		return &other
	}
	merged := Operation{Amount: o.Amount.Add(other.Amount), RequestedAt: o.RequestedAt}
	if other.RequestedAt.Before(merged.RequestedAt) {
		merged.RequestedAt = other.RequestedAt
	}
	return &merged
}

// withAmount returns the operation with another amount, none if that is zero.
func (o *Operation) withAmount(amount math.Int) *Operation {
	if o == nil || amount.IsZero() {
		return nil
	}
	return &Operation{Amount: amount, RequestedAt: o.RequestedAt}
}

// NewOperation is an operation requested at the given time.
func NewOperation(amount math.Int, at time.Time) Operation {
	return Operation{Amount: amount, RequestedAt: at}
}

// PendingStake is the stake that is not bonded yet, queued or in flight.
func (p Position) PendingStake() math.Int { return p.QueuedStake.Value().Add(p.SentStake.Value()) }

// PendingUnstake is the bonded stake that is about to leave, queued or in flight.
func (p Position) PendingUnstake() math.Int {
	return p.QueuedUnstake.Value().Add(p.SentUnstake.Value())
}

// Unstakeable is the bonded stake that is not about to leave already.
func (p Position) Unstakeable() math.Int { return p.Bonded.Sub(p.PendingUnstake()) }

// Resulting is what the position becomes when everything pending is accepted.
func (p Position) Resulting() math.Int { return p.Unstakeable().Add(p.PendingStake()) }

// Queued is true if an operation waits to be sent.
func (p Position) Queued() bool { return p.QueuedStake != nil || p.QueuedUnstake != nil }

// Operations counts the queued operations.
func (p Position) Operations() int {
	n := 0
	if p.QueuedStake != nil {
		n++
	}
	if p.QueuedUnstake != nil {
		n++
	}
	return n
}

// Sent is true if an operation is in flight.
func (p Position) Sent() bool { return p.SentStake != nil || p.SentUnstake != nil }

// EarliestRequest is when the oldest of the operations was requested, nil without any.
func (p Position) EarliestRequest() *time.Time {
	var earliest *time.Time
	for _, op := range []*Operation{p.QueuedStake, p.QueuedUnstake, p.SentStake, p.SentUnstake} {
		if op != nil && (earliest == nil || op.RequestedAt.Before(*earliest)) {
			earliest = &op.RequestedAt
		}
	}
	return earliest
}

// Staked is true if anything is bonded or pending; unbonding entries are kept apart.
func (p Position) Staked() bool { return !p.Bonded.IsZero() || p.Queued() || p.Sent() }

// Empty is true if nothing is bonded, pending or to be withdrawn; unbonding entries are kept apart.
func (p Position) Empty() bool { return !p.Staked() && len(p.Rewards) == 0 }

// Accrue books what the position has earned since it last did.
func (p *Position) Accrue(pool Pool) {
	p.bookRewards(pool)
	p.trimRewards()
}

// Commit changes the bonded stake of the position and its pool by delta; what was earned up to now is booked first, and
// new stake earns from now on.
func (p *Position) Commit(pool *Pool, delta math.Int) {
	p.bookRewards(*pool)
	p.Bonded = p.Bonded.Add(delta)
	pool.Bonded = pool.Bonded.Add(delta)
	p.trimRewards()
}

// lowerUnsettled lowers bonded stake that a slash by fraction has not reached yet.
func (p *Position) lowerUnsettled(pool *Pool, amount math.Int, fraction math.LegacyDec) {
	p.bookRewards(*pool)
	pool.takeUnsettled(amount, fraction)
	p.Bonded = p.Bonded.Sub(amount)
	p.trimRewards()
	pool.Distribute()
}

// CommitSlashed makes amount of stake that was in flight at a slash by fraction bonded and returns what the slash takes of
// it: what remains is rounded down.
func (p *Position) CommitSlashed(pool *Pool, amount math.Int, fraction math.LegacyDec) (lost math.Int) {
	kept := Kept(amount, fraction)
	p.Commit(pool, kept)
	p.Hit = true
	return amount.Sub(kept)
}

// TakeRewards returns what is accrued and books it as paid.
func (p *Position) TakeRewards() sdk.Coins {
	coins := sdk.Coins{}
	for i := range p.Rewards {
		if p.Rewards[i].Accrued.IsPositive() {
			coins = coins.Add(sdk.NewCoin(p.Rewards[i].Denom, p.Rewards[i].Accrued))
			p.Rewards[i].Accrued = math.ZeroInt()
		}
	}
	p.trimRewards()
	return coins
}

// Owed is what can be withdrawn now.
func (p Position) Owed(pool Pool) sdk.Coins {
	p.Accrue(pool)
	return p.TakeRewards()
}

// bookRewards moves every denom of the pool up to its present index. While stake is bonded every denom the pool had at
// its last change is listed, so one that is not listed yet starts at zero.
func (p *Position) bookRewards(pool Pool) {
	rewards := make([]PositionReward, 0, len(pool.Rewards))
	for _, r := range pool.Rewards {
		own := PositionReward{Denom: r.Denom, Start: math.ZeroInt(), Accrued: math.ZeroInt()}
		for _, listed := range p.Rewards {
			if listed.Denom == r.Denom {
				own = listed
			}
		}
		own.Accrued = own.Accrued.Add(Accrued(p.Bonded, own.Start, r.Index))
		own.Start = r.Index
		rewards = append(rewards, own)
	}
	p.Rewards = rewards
}

// trimRewards forgets denoms with nothing accrued once nothing is bonded: their start no longer matters.
func (p *Position) trimRewards() {
	if !p.Bonded.IsZero() {
		return
	}
	var rewards []PositionReward
	for _, r := range p.Rewards {
		if r.Accrued.IsPositive() {
			rewards = append(rewards, r)
		}
	}
	p.Rewards = rewards
}
