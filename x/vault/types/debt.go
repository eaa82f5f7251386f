package types

import "cosmossdk.io/math"

const (
	// firstBackOff and maxBackOff are the blocks between attempts to take a debt: they double with each failure.
	firstBackOff = int64(10)
	maxBackOff   = int64(10_240)
)

// NewDebt returns no debt.
func NewDebt() Debt { return Debt{Amount: math.ZeroInt()} }

// Fail counts an attempt at height that could not take all of the debt and sets when the next one is due.
func (d *Debt) Fail(height int64) {
	wait := firstBackOff
	for i := uint32(0); i < d.Failures && wait < maxBackOff; i++ {
		wait *= 2
	}
	if wait < maxBackOff {
		d.Failures++ // counting stops where it makes no difference any more
	}
	d.RetryHeight = height + wait
}

// Adopt makes the debt, exported at some height, one of a chain at the given height.
func (d *Debt) Adopt(height int64) { d.RetryHeight = AdoptHeight(d.RetryHeight, height) }

// AdoptHeight is when the vault tries again, for a retry that was imported at a height: one further away than any back-off
// was set on a chain that was higher, and is due at once.
func AdoptHeight(retry, height int64) int64 {
	if retry > height+maxBackOff {
		return height
	}
	return retry
}
