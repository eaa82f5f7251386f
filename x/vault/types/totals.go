package types

import (
	"cosmossdk.io/errors"
	"cosmossdk.io/math"
)

// NewTotals returns the totals of a chain on which nothing was lost.
func NewTotals() Totals {
	return Totals{Lost: math.ZeroInt(), Burned: math.ZeroInt(), Pooled: math.ZeroInt()}
}

// Owed is what was lost and not taken yet: the sum of all debts.
func (t Totals) Owed() math.Int { return t.Lost.Sub(t.Burned).Sub(t.Pooled) }

// Validate returns ErrInvalidAmount unless all of them are there and not negative, and no more was taken than lost.
func (t Totals) Validate() error {
	for _, total := range []struct {
		name   string
		amount math.Int
	}{{"lost", t.Lost}, {"burned", t.Burned}, {"pooled", t.Pooled}} {
		if total.amount.IsNil() || total.amount.IsNegative() {
			return errors.Wrapf(ErrInvalidAmount, "%s: must be there and not negative", total.name)
		}
	}
	taken, err := t.Burned.SafeAdd(t.Pooled)
	if err != nil || taken.GT(t.Lost) {
		return errors.Wrapf(ErrInvalidAmount, "lost: %s, less than burned %s and pooled %s", t.Lost, t.Burned, t.Pooled)
	}
	return nil
}
