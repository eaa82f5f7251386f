// Package invariant names checks over a module's whole state, for property tests and for operators.
package invariant

import (
	"context"
	"errors"
	"fmt"
)

// Named is one invariant of the design: Check only reads, and returns nil while it holds.
type Named struct {
	// ID is the design's name of it, for instance "V1".
	ID    string
	Check func(context.Context) error
}

// CheckAll runs all of them and returns every breach, each prefixed with its ID; nil if all hold.
func CheckAll(ctx context.Context, all []Named) error {
	var breaches error
	for _, inv := range all {
		if err := inv.Check(ctx); err != nil {
			breaches = errors.Join(breaches, fmt.Errorf("%s: %w", inv.ID, err))
		}
	}
	return breaches
}
