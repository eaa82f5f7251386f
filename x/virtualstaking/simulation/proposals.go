package simulation

import (
	"math/rand"
	"time"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	"github.com/cosmos/cosmos-sdk/x/simulation"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// Weights of the proposals, and their names among the params of a simulation.
const (
	weightSetMaxCap      = 40
	weightUpdateParams   = 20
	opWeightSetMaxCap    = "op_weight_msg_virtualstaking_set_max_cap"
	opWeightUpdateParams = "op_weight_msg_virtualstaking_update_params"
)

// RandomParams are valid params with short epochs; the total cap is up to three times bonded.
func RandomParams(r *rand.Rand, bonded math.Int) types.Params {
	params := types.DefaultParams()
	params.EpochLength = int64(r.Intn(10) + 1)
	params.TotalMaxCap = simtypes.RandomAmount(r, bonded.MulRaw(3))
	params.MaxSources = uint32(r.Intn(4) + 1)
	params.MaxSilence = time.Duration(r.Intn(14*24)+1) * time.Hour
	return params
}

func (m Module) proposalMsgs() []simtypes.WeightedProposalMsg {
	return []simtypes.WeightedProposalMsg{
		simulation.NewWeightedProposalMsg(opWeightSetMaxCap, weightSetMaxCap, m.setMaxCap),
		simulation.NewWeightedProposalMsg(opWeightUpdateParams, weightUpdateParams, m.updateParams),
	}
}

// setMaxCap raises, lowers or takes away the cap of any source; nil without one.
func (m Module) setMaxCap(r *rand.Rand, ctx sdk.Context, _ []simtypes.Account) sdk.Msg {
	var sources []uint64
	err := m.keeper.Sources.Walk(ctx, nil, func(id uint64, _ types.Source) (bool, error) {
		sources = append(sources, id)
		return false, nil
	})
	if err != nil {
		panic(err)
	}
	if len(sources) == 0 {
		return nil
	}
	params, err := m.keeper.Params.Get(ctx)
	if err != nil {
		panic(err)
	}
	denom, err := m.staking.BondDenom(ctx)
	if err != nil {
		panic(err)
	}
	weight := math.LegacyNewDecWithPrec(int64(r.Intn(101)), 2)
	return &types.MsgSetMaxCap{
		Authority: authority(), ConverterID: sources[r.Intn(len(sources))],
		MaxCap: sdk.NewCoin(denom, simtypes.RandomAmount(r, params.TotalMaxCap)), GovernanceWeight: &weight,
	}
}

func (m Module) updateParams(r *rand.Rand, ctx sdk.Context, _ []simtypes.Account) sdk.Msg {
	bonded, err := m.staking.TotalBondedTokens(ctx)
	if err != nil {
		panic(err)
	}
	return &types.MsgUpdateParams{Authority: authority(), Params: RandomParams(r, bonded)}
}

func authority() string { return authtypes.NewModuleAddress(govtypes.ModuleName).String() }
