// Package isolate runs a piece of work so that its failure stays its own: on an error or a panic none of its writes
// and events remain, and the caller carries on.
package isolate

import (
	"fmt"

	storetypes "cosmossdk.io/store/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
)

// Try runs fn in a cached context and keeps its writes and events only if it returns nil. A panic becomes an error.
// Running out of the caller's gas is passed on: whoever pays too little gas must not be able to turn that into a
// failure of the work itself.
func Try(ctx sdk.Context, fn func(sdk.Context) error) (err error) {
	defer func() {
		if failed := Recovered(recover()); failed != nil {
			err = failed
		}
	}()
	cached, write := ctx.CacheContext()
	if err := fn(cached); err != nil {
		return err
	}
	write()
	return nil
}

// Recovered turns what recover returned into an error, nil if there was no panic. Running out of gas it passes on.
func Recovered(r any) error {
	if r == nil {
		return nil
	}
	if isGas(r) {
		panic(r)
	}
	return fmt.Errorf("panic: %v", r)
}

// WithGas is Try under a gas meter of its own, for Begin- and EndBlock, where the block's meter is infinite. Running
// out of that gas is an ordinary error.
func WithGas(ctx sdk.Context, limit storetypes.Gas, fn func(sdk.Context) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			if !isGas(r) {
				panic(r)
			}
			err = fmt.Errorf("out of gas: limit %d", limit)
		}
	}()
	return Try(ctx.WithGasMeter(storetypes.NewGasMeter(limit)), fn)
}

func isGas(r any) bool {
	switch r.(type) {
	case storetypes.ErrorOutOfGas, storetypes.ErrorGasOverflow:
		return true
	}
	return false
}
