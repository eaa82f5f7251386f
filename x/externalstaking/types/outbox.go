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
