package types

import "cosmossdk.io/math"

// maxBackOff bounds the blocks an outbox waits after failures.
const maxBackOff = 128

// NewOutboxState is the outbox of a consumer nothing was sent to.
func NewOutboxState() OutboxState {
	return OutboxState{Synced: math.ZeroInt()}
}

// BackOff counts a failure at the given height: the outbox waits for 2, 4, 8, … blocks, at most maxBackOff.
func (o *OutboxState) BackOff(height int64) {
	wait := int64(1)
	if o.Failures < maxBackOff {
		o.Failures++
	}
	for i := uint32(0); i < o.Failures && wait < maxBackOff; i++ {
		wait *= 2
	}
	o.RetryHeight = height + wait
}

// Adopt makes the outbox, exported at some height, one of a chain at the given height: a retry further away than any
// back-off was set on a chain that was higher, and is due at once.
func (o *OutboxState) Adopt(height int64) {
	if o.RetryHeight > height+maxBackOff {
		o.RetryHeight = height
	}
}
