package types

import (
	"cosmossdk.io/errors"
	"cosmossdk.io/math"
)

const (
	// MaxLiensPerUser is the largest max_consumers_per_user governance can set. It bounds every loop over one user's liens.
	MaxLiensPerUser = 256
	// MaxStakingValidators is the largest max_validators_per_staking_account governance can set. It bounds every loop over
	// one user's local stake.
	MaxStakingValidators = 100
	// MaxSettlements is the largest max_settlements_per_block governance can set.
	MaxSettlements = 10_000
	// MaxLosses is how many losses of one user are kept, the latest ones.
	MaxLosses = 64
)

// DefaultParams returns the params of a new chain.
func DefaultParams() Params {
	return Params{
		MaxCollateralUse:               math.LegacyOneDec(),
		MaxConsumersPerUser:            32,
		MaxValidatorsPerStakingAccount: 32,
		MaxSettlementsPerBlock:         500,
		LocalStakingEnabled:            true,
		SlashDestination:               SlashDestinationBurn,
	}
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
	if n := p.MaxValidatorsPerStakingAccount; n < 1 || n > MaxStakingValidators {
		return errors.Wrapf(ErrInvalidParams, "max_validators_per_staking_account is %d, must be between 1 and %d", n, MaxStakingValidators)
	}
	if n := p.MaxSettlementsPerBlock; n < 1 || n > MaxSettlements {
		return errors.Wrapf(ErrInvalidParams, "max_settlements_per_block is %d, must be between 1 and %d", n, MaxSettlements)
	}
	switch p.SlashDestination {
	case SlashDestinationBurn, SlashDestinationCommunityPool:
		return nil
	}
	return errors.Wrapf(ErrInvalidParams, "slash_destination is %s, must be %s or %s", p.SlashDestination, SlashDestinationBurn, SlashDestinationCommunityPool)
}

// decString is d's text; a Dec that was never set has none of its own.
func decString(d math.LegacyDec) string {
	if d.IsNil() {
		return "missing"
	}
	return d.String()
}
