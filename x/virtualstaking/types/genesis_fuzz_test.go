package types_test

import (
	"testing"

	"github.com/mesh-security/mesh/testutil/fuzzing"
	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

func FuzzGenesis(f *testing.F) {
	fuzzing.Genesis(f, types.DefaultGenesisState(), func() *types.GenesisState { return &types.GenesisState{} },
		func(gs *types.GenesisState) error { return gs.Validate() })
}
