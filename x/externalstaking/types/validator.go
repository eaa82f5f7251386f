package types

import "github.com/mesh-security/mesh/x/control"

// Ended is true while the validator takes no stake and counts for nothing on the consumer: tombstoned (final),
// removed, or reported with another consensus key than the one its stake was lent to.
func (v Validator) Ended() bool {
	return v.Status == control.StatusTombstoned || v.Status == control.StatusRemoved || len(v.PendingKey) > 0
}

// TakesStake is true if new stake can be lent to the validator.
func (v Validator) TakesStake() bool {
	return !v.Ended() && (v.Status == control.StatusActive || v.Status == control.StatusInactive)
}
