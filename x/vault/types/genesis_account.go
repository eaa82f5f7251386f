package types

import "cosmossdk.io/errors"

// validate checks everything but the address. lastLoss is the sequence of the last loss of all. Its error starts with the
// field's name.
func (a GenesisAccount) validate(lastLoss uint64) error {
	if err := a.validateCollateral(); err != nil {
		return errors.Wrap(err, "collateral")
	}
	if err := a.validateLiens(lastLoss); err != nil {
		return err
	}
	if err := CheckCovered(a.Collateral, a.Liens); err != nil {
		return errors.Wrap(err, "liens")
	}
	if a.Debt != nil {
		if err := ValidateAmount(a.Debt.Amount); err != nil {
			return errors.Wrap(err, "debt.amount")
		}
		if !a.Staking {
			return errors.Wrap(ErrInvalidGenesis, "debt: there is no staking account to take it from")
		}
	}
	return a.validateLosses(lastLoss)
}

// validateCollateral allows none for who has anything else to remember.
func (a GenesisAccount) validateCollateral() error {
	if !a.Collateral.IsNil() && a.Collateral.IsZero() && (a.Staking || len(a.Losses) > 0) {
		return nil
	}
	return ValidateAmount(a.Collateral)
}

func (a GenesisAccount) validateLiens(lastLoss uint64) error {
	external := 0
	seen := make(map[string]bool, len(a.Liens))
	for i, l := range a.Liens {
		if err := l.Validate(); err != nil {
			return errors.Wrapf(err, "liens[%d]", i)
		}
		if seen[l.Holder] {
			return errors.Wrapf(ErrInvalidHolder, "liens[%d].holder: duplicate %s", i, l.Holder)
		}
		seen[l.Holder] = true
		if l.SettledAt > lastLoss {
			return errors.Wrapf(ErrInvalidSequence, "liens[%d].settled_at: %d, the last loss is %d", i, l.SettledAt, lastLoss)
		}
		if l.Holder != LocalHolder {
			external++
		} else if !a.Staking {
			return errors.Wrapf(ErrInvalidGenesis, "liens[%d]: there is no staking account behind it", i)
		}
	}
	if external > MaxLiensPerUser {
		return errors.Wrapf(ErrTooManyLiens, "liens: %d, at most %d", external, MaxLiensPerUser)
	}
	return nil
}

func (a GenesisAccount) validateLosses(lastLoss uint64) error {
	if len(a.Losses) > MaxLosses {
		return errors.Wrapf(ErrInvalidGenesis, "losses: %d, at most %d", len(a.Losses), MaxLosses)
	}
	type key struct {
		sequence uint64
		holder   string
	}
	seen := make(map[key]bool, len(a.Losses))
	for i, l := range a.Losses {
		if err := ValidateHolder(l.Holder); err != nil {
			return errors.Wrapf(err, "losses[%d].holder", i)
		}
		if l.Amount.IsNil() || !l.Amount.IsPositive() {
			return errors.Wrapf(ErrInvalidAmount, "losses[%d].amount: must be positive", i)
		}
		if l.Sequence > lastLoss {
			return errors.Wrapf(ErrInvalidSequence, "losses[%d].sequence: %d, the last loss is %d", i, l.Sequence, lastLoss)
		}
		k := key{sequence: l.Sequence, holder: l.Holder}
		if seen[k] {
			return errors.Wrapf(ErrInvalidGenesis, "losses[%d]: duplicate %d of %s", i, l.Sequence, l.Holder)
		}
		seen[k] = true
	}
	return nil
}
