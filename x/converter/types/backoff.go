package types

const (
	firstBackoff = 10
	maxBackoff   = 10_000
)

// Backoff is the number of blocks to wait after so many failures in a row: 10, doubled by each further failure, at
// most 10,000.
func Backoff(failures uint32) int64 {
	if failures == 0 {
		return 0
	}
	wait := int64(firstBackoff)
	for i := uint32(1); i < failures && wait < maxBackoff; i++ {
		wait *= 2
	}
	return min(wait, maxBackoff)
}
