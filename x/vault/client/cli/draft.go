package cli

import (
	"fmt"

	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/version"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mesh-security/mesh/internal/draft"
	"github.com/mesh-security/mesh/x/vault/types"
)

const (
	flagMaxCollateralUse    = "max-collateral-use"
	flagMaxConsumersPerUser = "max-consumers-per-user"
)

// newDraftUpdateParamsCmd prints a proposal. The message replaces all params, so those not named by a flag are read
// from the chain.
func newDraftUpdateParamsCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "draft-update-params",
		Short: "Print a governance proposal that changes the vault's params; params without a flag keep their value",
		Example: fmt.Sprintf("%s tx %s draft-update-params --max-collateral-use 0.9 --deposit 10000000stake > proposal.json",
			version.AppName, types.ModuleName),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			clientCtx, err := client.GetClientQueryContext(cmd)
			if err != nil {
				return err
			}
			res, err := types.NewQueryClient(clientCtx).Params(cmd.Context(), &types.QueryParamsRequest{})
			if err != nil {
				return err
			}
			if err := override(&res.Params, cmd.Flags()); err != nil {
				return err
			}
			return draft.Print(cmd, clientCtx, &types.MsgUpdateParams{Authority: draft.Authority(), Params: res.Params})
		},
	}
	cmd.Flags().String(flagMaxCollateralUse, "", "share of the collateral that liens may use, above 0 and at most 1")
	cmd.Flags().Uint32(flagMaxConsumersPerUser, 0, "most liens one account may have")
	draft.AddFlags(cmd, "Change the vault's params")
	flags.AddQueryFlagsToCmd(cmd)
	return cmd
}

// override sets the params whose flag was given, and checks the result so that a proposal that must fail is not drafted.
func override(params *types.Params, set *pflag.FlagSet) error {
	if set.Changed(flagMaxCollateralUse) {
		text, err := set.GetString(flagMaxCollateralUse)
		if err != nil {
			return err
		}
		if params.MaxCollateralUse, err = math.LegacyNewDecFromStr(text); err != nil {
			return fmt.Errorf("--%s %q: %w", flagMaxCollateralUse, text, err)
		}
	}
	if set.Changed(flagMaxConsumersPerUser) {
		n, err := set.GetUint32(flagMaxConsumersPerUser)
		if err != nil {
			return err
		}
		params.MaxConsumersPerUser = n
	}
	return params.Validate()
}
