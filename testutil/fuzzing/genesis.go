// Package fuzzing holds what fuzz targets of several modules share.
package fuzzing

import (
	"testing"

	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"
)

// Genesis fuzzes a module's genesis state, beginning with seed: whatever JSON arrives, validate returns, and a state that it
// accepts is the same after another round through JSON.
func Genesis[T proto.Message](f *testing.F, seed T, empty func() T, validate func(T) error) {
	cdc := codec.NewProtoCodec(codectypes.NewInterfaceRegistry())
	bz, err := cdc.MarshalJSON(seed)
	require.NoError(f, err)
	f.Add(bz)
	f.Fuzz(func(t *testing.T, bz []byte) {
		state := empty()
		if cdc.UnmarshalJSON(bz, state) != nil || validate(state) != nil {
			return
		}
		again, err := cdc.MarshalJSON(state)
		require.NoError(t, err)
		twice := empty()
		require.NoError(t, cdc.UnmarshalJSON(again, twice))
		require.NoError(t, validate(twice))
		thrice, err := cdc.MarshalJSON(twice)
		require.NoError(t, err)
		require.Equal(t, string(again), string(thrice))
	})
}
