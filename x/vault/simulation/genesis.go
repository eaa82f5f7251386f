// Package simulation drives the vault with random messages of random users, for the SDK's simulation of a whole chain.
package simulation

import (
	"math/rand"

	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/types/module"

	"github.com/mesh-security/mesh/x/vault/types"
)

// RandomizedGenState is an empty vault with random params.
func RandomizedGenState(state *module.SimulationState) {
	genesis := types.DefaultGenesis()
	genesis.Params = RandomParams(state.Rand)
	state.GenState[types.ModuleName] = state.Cdc.MustMarshalJSON(genesis)
}

// RandomParams are valid params, of which some are tight.
func RandomParams(r *rand.Rand) types.Params {
	params := types.DefaultParams()
	params.MaxCollateralUse = math.LegacyNewDecWithPrec(int64(r.Intn(100)+1), 2)
	params.MaxConsumersPerUser = uint32(r.Intn(types.MaxLiensPerUser) + 1)
	params.MaxValidatorsPerStakingAccount = uint32(r.Intn(8) + 1)
	params.MaxSettlementsPerBlock = uint32(r.Intn(100) + 1)
	params.LocalStakingEnabled = r.Intn(8) > 0
	if r.Intn(2) == 0 {
		params.SlashDestination = types.SlashDestinationCommunityPool
	}
	return params
}
