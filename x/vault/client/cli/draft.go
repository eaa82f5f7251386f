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
	flagMaxCollateralUse               = "max-collateral-use"
	flagMaxConsumersPerUser            = "max-consumers-per-user"
	flagMaxValidatorsPerStakingAccount = "max-validators-per-staking-account"
	flagMaxSettlementsPerBlock         = "max-settlements-per-block"
	flagLocalStakingEnabled            = "local-staking-enabled"
	flagSlashDestination               = "slash-destination"
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
	cmd.Flags().Uint32(flagMaxConsumersPerUser, 0, "most consumers one account may secure")
	cmd.Flags().Uint32(flagMaxValidatorsPerStakingAccount, 0, "most validators one user may stake with locally")
	cmd.Flags().Uint32(flagMaxSettlementsPerBlock, 0, "most pieces of stake the sweep settles in one block")
	cmd.Flags().Bool(flagLocalStakingEnabled, true, "whether new local stake is taken")
	cmd.Flags().String(flagSlashDestination, "", "where lost collateral goes: burn or community-pool")
	draft.AddFlags(cmd, "Change the vault's params")
	flags.AddQueryFlagsToCmd(cmd)
	return cmd
}

// slashDestinations are the values of the flag.
var slashDestinations = map[string]types.SlashDestination{
	"burn":           types.SlashDestinationBurn,
	"community-pool": types.SlashDestinationCommunityPool,
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
	for flag, param := range map[string]*uint32{
		flagMaxConsumersPerUser:            &params.MaxConsumersPerUser,
		flagMaxValidatorsPerStakingAccount: &params.MaxValidatorsPerStakingAccount,
		flagMaxSettlementsPerBlock:         &params.MaxSettlementsPerBlock,
	} {
		if !set.Changed(flag) {
			continue
		}
		n, err := set.GetUint32(flag)
		if err != nil {
			return err
		}
		*param = n
	}
	if set.Changed(flagLocalStakingEnabled) {
		enabled, err := set.GetBool(flagLocalStakingEnabled)
		if err != nil {
			return err
		}
		params.LocalStakingEnabled = enabled
	}
	if set.Changed(flagSlashDestination) {
		text, err := set.GetString(flagSlashDestination)
		if err != nil {
			return err
		}
		destination, known := slashDestinations[text]
		if !known {
			return fmt.Errorf("--%s %q, must be burn or community-pool", flagSlashDestination, text)
		}
		params.SlashDestination = destination
	}
	return params.Validate()
}
