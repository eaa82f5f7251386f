package types

// Restart begins the full report again, with the packet of sequence next or later, after a back-off from height on.
func (c *SyncCursor) Restart(height int64, next uint64) {
	failures := min(c.Failures+1, maxFailures)
	*c = SyncCursor{Failures: failures, RetryHeight: height + Backoff(failures), FirstSequence: next}
}

// RetryAt is the block of a retry in a state that was imported at height: one further away than any back-off was made
// on a chain that was higher, and is due at once.
func RetryAt(retry, height int64) int64 {
	if retry > height+maxBackoff {
		return height
	}
	return retry
}
