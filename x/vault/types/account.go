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

// Validate returns the registered error of the field that is malformed. Holder must be "local" or "<prefix>/<id>".
func (l Lien) Validate() error {
	if err := ValidateHolder(l.Holder); err != nil {
		return err
	}
	if err := ValidateAmount(l.Amount); err != nil {
		return err
	}
	return ValidateSlashFraction(l.SlashFraction)
}

// Lower takes amount off the lien, or returns ErrInvalidAmount or ErrLienTooSmall.
func (l *Lien) Lower(amount math.Int) error {
	if err := ValidateAmount(amount); err != nil {
		return err
	}
	if amount.GT(l.Amount) {
		return errors.Wrapf(ErrLienTooSmall, "asked to take %s off %s, which is %s", amount, l.Holder, l.Amount)
	}
	l.Amount = l.Amount.Sub(amount)
	return nil
}

// Derived returns the account with the figures that follow from its collateral, liens and debt. While there is a debt,
// nothing is free. use is the param max_collateral_use.
func (a Account) Derived(use math.LegacyDec) Account {
	a.Liquid = Liquid(a.Collateral, a.Liens)
	a.Free = math.ZeroInt()
	if a.Debt.IsZero() {
		a.Free = Free(a.Collateral, a.Liens, use)
	}
	a.MaxLien = MaxLien(a.Liens)
	a.Slashable = Slashable(a.Liens)
	return a
}
