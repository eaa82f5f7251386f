package types

import (
	"cosmossdk.io/errors"
	"cosmossdk.io/math"
)

// ValidateSlashFraction returns ErrInvalidSlashFraction unless f is in [0, 1].
func ValidateSlashFraction(f math.LegacyDec) error {
	if f.IsNil() || f.IsNegative() || f.GT(math.LegacyOneDec()) {
		return errors.Wrapf(ErrInvalidSlashFraction, "%s, must be between 0 and 1", decString(f))
	}
	return nil
}

// ValidateAmount returns ErrInvalidAmount unless a is positive and below 2^MaxCollateralBits.
func ValidateAmount(a math.Int) error {
	switch {
	case a.IsNil():
		return errors.Wrap(ErrInvalidAmount, "missing, must be a positive whole number of base units")
	case !a.IsPositive():
		return errors.Wrapf(ErrInvalidAmount, "%s, must be positive", a)
	case a.BigInt().BitLen() > MaxCollateralBits:
		return errors.Wrapf(ErrInvalidAmount, "%s, must be below 2^%d", a, MaxCollateralBits)
	}
	return nil
}

// Validate returns the registered error of the field that is malformed. Holder must be "<prefix>/<id>".
func (l Lien) Validate() error {
	if _, _, err := ParseHolder(l.Holder); err != nil {
		return err
	}
	if err := ValidateAmount(l.Amount); err != nil {
		return err
	}
	return ValidateSlashFraction(l.SlashFraction)
}

// NewAccount returns user's account with its derived figures. use is the param max_collateral_use.
func NewAccount(user string, collateral math.Int, liens []Lien, use math.LegacyDec) Account {
	return Account{
		User:       user,
		Collateral: collateral,
		Liquid:     Liquid(collateral, liens),
		Free:       Free(collateral, liens, use),
		MaxLien:    MaxLien(liens),
		Slashable:  Slashable(liens),
		Liens:      liens,
	}
}
