package simulation

import (
	"math/rand"

	sdk "github.com/cosmos/cosmos-sdk/types"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	"github.com/cosmos/cosmos-sdk/x/simulation"

	"github.com/mesh-security/mesh/x/vault/types"
)

// weightUpdateParams is the weight of a proposal to change the params, and opWeightUpdateParams its name among the params
// of a simulation.
const (
	weightUpdateParams   = 20
	opWeightUpdateParams = "op_weight_msg_vault_update_params"
)

// ProposalMsgs are what governance can be asked for.
func ProposalMsgs() []simtypes.WeightedProposalMsg {
	return []simtypes.WeightedProposalMsg{
		simulation.NewWeightedProposalMsg(opWeightUpdateParams, weightUpdateParams,
			func(r *rand.Rand, _ sdk.Context, _ []simtypes.Account) sdk.Msg {
				return &types.MsgUpdateParams{
					Authority: authtypes.NewModuleAddress(govtypes.ModuleName).String(), Params: RandomParams(r),
				}
			}),
	}
}
