package types

import (
	"cosmossdk.io/math"

	"github.com/mesh-security/mesh/internal/apportion"
)

// Pieces are all that a user has on one validator: the position and its unbonding entries.
type Pieces struct {
	Position
	Unbonding
}

// Value is the lien behind the pieces: what is bonded, what is about to be, and what is unbonding.
func (p Pieces) Value() math.Int {
	value := math.ZeroInt()
	for _, amount := range p.amounts() {
		value = value.Add(amount)
	}
	return value
}

// amounts lists the pieces, what is bonded first; a stake that is sent keeps its place.
func (p Pieces) amounts() []math.Int {
	amounts := []math.Int{p.Bonded, p.SentStake.Value(), p.QueuedStake.Value()}
	for _, e := range p.Entries {
		amounts = append(amounts, e.Amount)
	}
	return amounts
}

// ReducedAmounts returns what each of the pieces falls to when all together fall by amount, in proportion: rounded down,
// the units left over to the largest remainders, equal ones in the order of the pieces. amount is at most their value.
func ReducedAmounts(pieces []Pieces, amount math.Int) [][]math.Int {
	var all []math.Int
	value := math.ZeroInt()
	for _, p := range pieces {
		all = append(all, p.amounts()...)
		value = value.Add(p.Value())
	}
	scaled := apportion.Scale(all, value.Sub(amount))
	reduced := make([][]math.Int, len(pieces))
	for i, p := range pieces {
		n := len(p.amounts())
		reduced[i], scaled = scaled[:n], scaled[n:]
	}
	return reduced
}

// Reduce lowers the pieces and their pool to amounts of ReducedAmounts. Unstakes are clipped to what is still bonded, the
// newest first. Entries with nothing left stay, with zero. slash is the one that has not reached the bonded stake yet, if
// there is one.
func (p *Pieces) Reduce(amounts []math.Int, pool *Pool, slash *Slash) {
	lowered := p.Bonded.Sub(amounts[0])
	if slash != nil && !p.Hit {
		p.lowerUnsettled(pool, lowered, slash.Fraction)
	} else {
		p.Commit(pool, lowered.Neg())
	}
	p.SentStake, p.QueuedStake = p.SentStake.withAmount(amounts[1]), p.QueuedStake.withAmount(amounts[2])
	p.SentUnstake = p.SentUnstake.withAmount(math.MinInt(p.SentUnstake.Value(), p.Bonded))
	p.QueuedUnstake = p.QueuedUnstake.withAmount(math.MinInt(p.QueuedUnstake.Value(), p.Bonded.Sub(p.SentUnstake.Value())))
	entries := make([]UnbondingEntry, len(p.Entries))
	for i, e := range p.Entries {
		e.Amount = amounts[3+i]
		entries[i] = e
	}
	p.Entries = entries
}

// HitBonded lets a slash reach the bonded stake, which is not settled in its pool: what remains is rounded down, as is
// each unstake that is under way. What was earned up to now is booked first.
func (p *Pieces) HitBonded(pool *Pool, slash Slash) {
	p.bookRewards(*pool)
	pool.takeUnsettled(p.Bonded, slash.Fraction)
	p.Bonded, p.Hit = Kept(p.Bonded, slash.Fraction), true
	pool.Bonded = pool.Bonded.Add(p.Bonded)
	p.SentUnstake = p.SentUnstake.withAmount(Kept(p.SentUnstake.Value(), slash.Fraction))
	p.QueuedUnstake = p.QueuedUnstake.withAmount(Kept(p.QueuedUnstake.Value(), slash.Fraction))
	p.trimRewards()
	pool.Distribute()
}
