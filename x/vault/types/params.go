package types

import (
	"cosmossdk.io/errors"
	"cosmossdk.io/math"
)

// MaxLiensPerUser is the largest max_consumers_per_user governance can set. It bounds every loop over one user's liens.
const MaxLiensPerUser = 256

// DefaultParams returns the params of a new chain.
func DefaultParams() Params {
	return Params{MaxCollateralUse: math.LegacyOneDec(), MaxConsumersPerUser: 32}
}

// Validate returns ErrInvalidParams naming the field that is out of bounds.
func (p Params) Validate() error {
	use := p.MaxCollateralUse
	if use.IsNil() || !use.IsPositive() || use.GT(math.LegacyOneDec()) {
		return errors.Wrapf(ErrInvalidParams, "max_collateral_use is %s, must be above 0 and at most 1", decString(use))
	}
	if n := p.MaxConsumersPerUser; n < 1 || n > MaxLiensPerUser {
		return errors.Wrapf(ErrInvalidParams, "max_consumers_per_user is %d, must be between 1 and %d", n, MaxLiensPerUser)
	}
	return nil
}

// decString is d's text; a Dec that was never set has none of its own.
func decString(d math.LegacyDec) string {
	if d.IsNil() {
		return "missing"
	}
	return d.String()
}
