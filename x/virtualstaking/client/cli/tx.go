// Package cli has the commands of virtual staking that autocli cannot express.
package cli

import (
	"fmt"
	"strconv"

	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/flags"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/spf13/cobra"

	"github.com/mesh-security/mesh/internal/draft"
	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

const (
	flagEpochLength = "epoch-length"
	flagTotalMaxCap = "total-max-cap"
	flagMaxSources  = "max-sources"
	flagEpochGas    = "epoch-gas"
	flagMaxSilence  = "max-silence"
)

// NewTxCmd returns the draft commands: both messages are sent by governance.
func NewTxCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:                        types.ModuleName,
		Short:                      "Virtual staking transactions",
		DisableFlagParsing:         true,
		SuggestionsMinimumDistance: 2,
		RunE:                       client.ValidateCmd,
	}
	cmd.AddCommand(newDraftSetMaxCapCmd(), newDraftUpdateParamsCmd())
	return cmd
}

func newDraftSetMaxCapCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "draft-set-max-cap [converter] [cap] [governance-weight]",
		Short: "Print a governance proposal that lets a converter have virtual stake up to a cap",
		Long: `Print a governance proposal that lets a converter have virtual stake up to a cap. The governance weight says how much
of that stake counts in votes, with its validators: from 0 (security only) to 1 (votes like native stake).`,
		Example: `meshd tx virtualstaking draft-set-max-cap 1 5000000stake 0 --deposit 10000000stake > proposal.json
meshd tx gov submit-proposal proposal.json --from alice`,
		Args: cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			clientCtx, err := client.GetClientQueryContext(cmd)
			if err != nil {
				return err
			}
			id, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return fmt.Errorf("converter %q is not a number: %w", args[0], err)
			}
			maxCap, err := sdk.ParseCoinNormalized(args[1])
			if err != nil {
				return fmt.Errorf("cap %q is not an amount of the bond denom: %w", args[1], err)
			}
			weight, err := math.LegacyNewDecFromStr(args[2])
			if err != nil {
				return fmt.Errorf("governance weight %q is not a number from 0 to 1: %w", args[2], err)
			}
			if err := types.ValidateWeight(weight); err != nil {
				return err
			}
			return draft.Print(cmd, clientCtx, &types.MsgSetMaxCap{
				Authority: draft.Authority(), ConverterID: id, MaxCap: maxCap, GovernanceWeight: &weight,
			})
		},
	}
	draft.AddFlags(cmd, "Set the max cap and governance weight of a converter")
	flags.AddQueryFlagsToCmd(cmd)
	return cmd
}

func newDraftUpdateParamsCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "draft-update-params",
		Short: "Print a governance proposal that changes params; those not named keep their present value",
		Example: `meshd tx virtualstaking draft-update-params --total-max-cap 20000000 --deposit 10000000stake > proposal.json
meshd tx gov submit-proposal proposal.json --from alice`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			clientCtx, err := client.GetClientQueryContext(cmd)
			if err != nil {
				return err
			}
			resp, err := types.NewQueryClient(clientCtx).Params(cmd.Context(), &types.QueryParamsRequest{})
			if err != nil {
				return err
			}
			params, err := changedParams(cmd, resp.Params)
			if err != nil {
				return err
			}
			return draft.Print(cmd, clientCtx, &types.MsgUpdateParams{Authority: draft.Authority(), Params: params})
		},
	}
	cmd.Flags().Int64(flagEpochLength, 0, "blocks from one epoch to the next")
	cmd.Flags().String(flagTotalMaxCap, "", "most of all caps together, in bond denom base units")
	cmd.Flags().Uint32(flagMaxSources, 0, "most converters with a cap")
	cmd.Flags().Uint64(flagEpochGas, 0, "gas that one converter's epoch may use")
	cmd.Flags().Duration(flagMaxSilence, 0, "how long a provider may be out of reach, at most the unbonding period, for instance 168h")
	draft.AddFlags(cmd, "Change the params of virtual staking")
	flags.AddQueryFlagsToCmd(cmd)
	return cmd
}

// changedParams applies the flags that were given.
func changedParams(cmd *cobra.Command, params types.Params) (types.Params, error) {
	set := cmd.Flags()
	var err error
	if set.Changed(flagEpochLength) {
		if params.EpochLength, err = set.GetInt64(flagEpochLength); err != nil {
			return params, err
		}
	}
	if set.Changed(flagTotalMaxCap) {
		text, err := set.GetString(flagTotalMaxCap)
		if err != nil {
			return params, err
		}
		amount, ok := math.NewIntFromString(text)
		if !ok {
			return params, fmt.Errorf("total max cap %q is not a number of base units", text)
		}
		params.TotalMaxCap = amount
	}
	if set.Changed(flagMaxSources) {
		if params.MaxSources, err = set.GetUint32(flagMaxSources); err != nil {
			return params, err
		}
	}
	if set.Changed(flagEpochGas) {
		if params.EpochGas, err = set.GetUint64(flagEpochGas); err != nil {
			return params, err
		}
	}
	if set.Changed(flagMaxSilence) {
		if params.MaxSilence, err = set.GetDuration(flagMaxSilence); err != nil {
			return params, err
		}
	}
	return params, params.Validate()
}
