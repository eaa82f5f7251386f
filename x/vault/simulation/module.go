package simulation

import (
	"context"

	"github.com/cosmos/cosmos-sdk/types/module"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"
	"github.com/cosmos/cosmos-sdk/x/simulation"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/vault/keeper"
	"github.com/mesh-security/mesh/x/vault/types"
)

var (
	_ module.AppModuleSimulation = Module{}
	_ module.HasProposalMsgs     = Module{}
)

// StakingKeeper shows who can be staked with, and what is staked.
type StakingKeeper interface {
	GetAllValidators(ctx context.Context) ([]stakingtypes.Validator, error)
	GetDelegatorDelegations(ctx context.Context, delegator sdk.AccAddress, maxRetrieve uint16) ([]stakingtypes.Delegation, error)
}

// Module is the vault in a chain's simulation manager.
type Module struct {
	keeper   *keeper.Keeper
	accounts simulation.AccountKeeper
	bank     simulation.BankKeeper
	staking  StakingKeeper
}

// NewModule returns the vault for a simulation manager.
func NewModule(k *keeper.Keeper, accounts simulation.AccountKeeper, bank simulation.BankKeeper, staking StakingKeeper) Module {
	return Module{keeper: k, accounts: accounts, bank: bank, staking: staking}
}

// GenerateGenesisState adds an empty vault with random params.
func (Module) GenerateGenesisState(state *module.SimulationState) { RandomizedGenState(state) }

// RegisterStoreDecoder shows where two stores of the vault differ.
func (m Module) RegisterStoreDecoder(decoders simtypes.StoreDecoderRegistry) {
	decoders[types.StoreKey] = simtypes.NewStoreDecoderFuncFromCollectionsSchema(m.keeper.Schema)
}

// ProposalMsgs are what governance can be asked for.
func (Module) ProposalMsgs(module.SimulationState) []simtypes.WeightedProposalMsg {
	return ProposalMsgs()
}
