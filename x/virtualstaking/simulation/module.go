// Package simulation drives virtual staking with random proposals, for the SDK's simulation of a whole chain. Users have no
// messages for it; what it holds follows its sources.
package simulation

import (
	"context"

	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/types/module"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"

	"github.com/mesh-security/mesh/x/virtualstaking/keeper"
	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

var (
	_ module.AppModuleSimulation = Module{}
	_ module.HasProposalMsgs     = Module{}
)

// StakingKeeper says what caps are measured in and by.
type StakingKeeper interface {
	BondDenom(ctx context.Context) (string, error)
	TotalBondedTokens(ctx context.Context) (math.Int, error)
}

// Module is virtual staking in a chain's simulation manager.
type Module struct {
	keeper  *keeper.Keeper
	staking StakingKeeper
}

// NewModule returns virtual staking for a simulation manager.
func NewModule(k *keeper.Keeper, staking StakingKeeper) Module {
	return Module{keeper: k, staking: staking}
}

// GenerateGenesisState adds a state without sources, with random params.
func (Module) GenerateGenesisState(state *module.SimulationState) {
	genesis := types.DefaultGenesisState()
	genesis.Params = RandomParams(state.Rand, state.InitialStake.MulRaw(state.NumBonded))
	state.GenState[types.ModuleName] = state.Cdc.MustMarshalJSON(genesis)
}

// RegisterStoreDecoder shows where two stores of the module differ.
func (m Module) RegisterStoreDecoder(decoders simtypes.StoreDecoderRegistry) {
	decoders[types.StoreKey] = simtypes.NewStoreDecoderFuncFromCollectionsSchema(m.keeper.Schema)
}

// WeightedOperations are none.
func (Module) WeightedOperations(module.SimulationState) []simtypes.WeightedOperation { return nil }

// ProposalMsgs are what governance can be asked for.
func (m Module) ProposalMsgs(module.SimulationState) []simtypes.WeightedProposalMsg {
	return m.proposalMsgs()
}
