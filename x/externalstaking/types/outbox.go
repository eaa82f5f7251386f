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
	if o.ResyncHeight > height+int64(MaxResyncInterval)<<min(o.Resyncs, maxResyncDoublings) {
		o.ResyncHeight = height
	}
}

// maxResyncDoublings bounds how often the interval between snapshots doubles: 1,024 times the param.
const maxResyncDoublings = 10

// Resyncing is true while nothing but a snapshot may be sent: it has begun, or may begin at the given height.
func (o OutboxState) Resyncing(height int64) bool {
	return o.Snapshot != nil && height >= o.ResyncHeight
}

// SnapshotArrived ends a snapshot. The next one on the same channel may begin after an interval (blocks), which doubles
// until the consumer's total is what it accepted.
func (o *OutboxState) SnapshotArrived(height int64, interval uint32) {
	o.Snapshot = nil
	o.ResyncHeight = height + int64(interval)<<min(o.Resyncs, maxResyncDoublings)
	o.Resyncs++
}

// Agreed ends a row of snapshots after which the totals differed: the next one need wait for no more than an interval (blocks).
func (o *OutboxState) Agreed(height int64, interval uint32) {
	o.Resyncs, o.ResyncHeight = 0, min(o.ResyncHeight, height+int64(interval))
}

// Reopened makes the outbox begin anew on another channel, with a snapshot.
func (o *OutboxState) Reopened() {
	o.Failures, o.RetryHeight = 0, 0
	o.Snapshot, o.ResyncHeight, o.Resyncs = &Snapshot{}, 0, 0
}

// Sendable is false while chunks are in flight, or what must come before the first one.
func (s Snapshot) Sendable() bool { return s.NextChunk > 0 && !s.Sent && !s.Refused }
