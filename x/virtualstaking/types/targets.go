package types

import (
	"cosmossdk.io/math"

	"github.com/mesh-security/mesh/internal/apportion"
)

// ValidateTargets checks that targets are sorted by validator, each at most once, and none is negative.
func ValidateTargets(targets []Target) error {
	for i, t := range targets {
		if t.Amount.IsNil() || t.Amount.IsNegative() {
			return ErrInvalidTarget.Wrapf("%s of validator %s, must be 0 or more", t.Amount, t.Validator)
		}
		if i > 0 && targets[i-1].Validator >= t.Validator {
			return ErrInvalidTarget.Wrapf("validator %s after %s, must be sorted and unique", t.Validator, targets[i-1].Validator)
		}
	}
	return nil
}

// ScaleToCap scales targets down in proportion when their sum is above limit, so that the sum becomes exactly limit:
// rounded down, then one unit each to the largest remainders, equal ones in order of the validators. Targets must be
// valid and limit not negative.
func ScaleToCap(targets []Target, limit math.Int) []Target {
	amounts := make([]math.Int, len(targets))
	for i, t := range targets {
		amounts[i] = t.Amount
	}
	scaled := make([]Target, len(targets))
	for i, amount := range apportion.Scale(amounts, limit) {
		scaled[i] = Target{Validator: targets[i].Validator, Amount: amount}
	}
	return scaled
}
