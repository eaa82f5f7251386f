package types

// OutcomeRetry is after how many blocks an outcome that cannot be booked is tried again.
const OutcomeRetry = 100

// Adopt returns the outcome, exported at some height, on a chain at the given height: an attempt further away than any
// wait was planned on a chain that was higher, and is due at once.
func (o Outcome) Adopt(height int64) Outcome {
	if o.RetryHeight > height+OutcomeRetry {
		o.RetryHeight = height
	}
	return o
}
