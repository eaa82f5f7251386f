package isolate_test

import (
	"errors"
	"testing"

	storetypes "cosmossdk.io/store/types"
	"github.com/cosmos/cosmos-sdk/testutil"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/internal/isolate"
)

var key = storetypes.NewKVStoreKey("isolate")

func set(ctx sdk.Context, v string) { ctx.KVStore(key).Set([]byte("k"), []byte(v)) }
func get(ctx sdk.Context) string    { return string(ctx.KVStore(key).Get([]byte("k"))) }

func newContext() sdk.Context {
	return testutil.DefaultContext(key, storetypes.NewTransientStoreKey("t")).WithEventManager(sdk.NewEventManager())
}

func TestTryKeepsWritesOnlyOnSuccess(t *testing.T) {
	boom := errors.New("boom")
	for _, tc := range []struct {
		name string
		fn   func(sdk.Context) error
		err  string
		want string
	}{
		{name: "success", fn: func(c sdk.Context) error { set(c, "new"); return nil }, want: "new"},
		{name: "error", fn: func(c sdk.Context) error { set(c, "new"); return boom }, err: "boom", want: "old"},
		{name: "panic", fn: func(c sdk.Context) error { set(c, "new"); panic("bang") }, err: "panic: bang", want: "old"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx := newContext()
			set(ctx, "old")
			err := isolate.Try(ctx, func(c sdk.Context) error {
				c.EventManager().EmitEvent(sdk.NewEvent("e"))
				return tc.fn(c)
			})
			if tc.err != "" {
				require.EqualError(t, err, tc.err)
				require.Empty(t, ctx.EventManager().Events())
			} else {
				require.NoError(t, err)
				require.Len(t, ctx.EventManager().Events(), 1)
			}
			require.Equal(t, tc.want, get(ctx))
		})
	}
}

func TestTryPassesOutOfGasOn(t *testing.T) {
	ctx := newContext().WithGasMeter(storetypes.NewGasMeter(10))
	require.Panics(t, func() {
		_ = isolate.Try(ctx, func(c sdk.Context) error { c.GasMeter().ConsumeGas(11, "work"); return nil })
	})
}

func TestWithGasTurnsOutOfGasIntoAnError(t *testing.T) {
	ctx := newContext()
	set(ctx, "old")
	err := isolate.WithGas(ctx, 50_000, func(c sdk.Context) error {
		set(c, "new")
		c.GasMeter().ConsumeGas(1_000_000, "work")
		return nil
	})
	require.EqualError(t, err, "out of gas: limit 50000")
	require.Equal(t, "old", get(ctx))
}
