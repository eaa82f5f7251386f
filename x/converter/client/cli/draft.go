package cli

import (
	"fmt"
	"time"

	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/flags"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/version"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mesh-security/mesh/internal/draft"
	"github.com/mesh-security/mesh/x/converter/types"
)

const (
	flagCreationFee        = "creation-fee"
	flagPacketTimeout      = "packet-timeout"
	flagRewardDenoms       = "reward-denoms"
	flagMaxPacketsPerBlock = "max-packets-per-block"
	flagMaxPriceAge        = "max-price-age"
	flagMaxPriceChange     = "max-price-change"
	flagPriceInterval      = "price-interval"
)

func newDraftCloseChannelCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "draft-close-channel [converter]",
		Short: "Print a governance proposal that closes this chain's end of a converter's control channel, so that it can be opened again",
		Example: fmt.Sprintf("%s tx %s draft-close-channel 1 --deposit 10000000stake > proposal.json",
			version.AppName, types.ModuleName),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			clientCtx, err := client.GetClientQueryContext(cmd)
			if err != nil {
				return err
			}
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			return draft.Print(cmd, clientCtx, &types.MsgCloseChannel{Authority: draft.Authority(), ConverterID: id})
		},
	}
	draft.AddFlags(cmd, "Close a control channel")
	flags.AddQueryFlagsToCmd(cmd)
	return cmd
}

// newDraftUpdateParamsCmd prints a proposal. The message replaces all params, so those not named by a flag are read
// from the chain.
func newDraftUpdateParamsCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "draft-update-params",
		Short: "Print a governance proposal that changes the converter's params; params without a flag keep their value",
		Example: fmt.Sprintf("%s tx %s draft-update-params --max-price-age 48h --deposit 10000000stake > proposal.json",
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
	cmd.Flags().String(flagCreationFee, "", "fee of create-converter, for instance 1000000stake; empty for none")
	cmd.Flags().Duration(flagPacketTimeout, 0, "timeout of packets and reward transfers, at least 24h")
	cmd.Flags().StringSlice(flagRewardDenoms, nil, "denoms that travel to the provider; empty for the bond denom alone")
	cmd.Flags().Uint32(flagMaxPacketsPerBlock, 0, "most validator reports, and most reward transfers, per block")
	cmd.Flags().Duration(flagMaxPriceAge, 0, "how old a price may be to allow increases")
	cmd.Flags().String(flagMaxPriceChange, "", "largest factor between two prices of one interval, at least 1")
	cmd.Flags().Duration(flagPriceInterval, 0, "interval that bounds price changes")
	draft.AddFlags(cmd, "Change the converter's params")
	flags.AddQueryFlagsToCmd(cmd)
	return cmd
}

// override sets the params whose flag was given, and checks the result so that a proposal that must fail is not drafted.
func override(params *types.Params, set *pflag.FlagSet) (err error) {
	for flag, to := range map[string]*time.Duration{
		flagPacketTimeout: &params.PacketTimeout, flagMaxPriceAge: &params.MaxPriceAge, flagPriceInterval: &params.PriceInterval,
	} {
		if set.Changed(flag) {
			if *to, err = set.GetDuration(flag); err != nil {
				return err
			}
		}
	}
	if set.Changed(flagCreationFee) {
		text, err := set.GetString(flagCreationFee)
		if err != nil {
			return err
		}
		if params.CreationFee, err = sdk.ParseCoinsNormalized(text); err != nil {
			return fmt.Errorf("--%s %q: %w", flagCreationFee, text, err)
		}
	}
	if set.Changed(flagRewardDenoms) {
		if params.RewardDenoms, err = set.GetStringSlice(flagRewardDenoms); err != nil {
			return err
		}
	}
	if set.Changed(flagMaxPacketsPerBlock) {
		if params.MaxPacketsPerBlock, err = set.GetUint32(flagMaxPacketsPerBlock); err != nil {
			return err
		}
	}
	if set.Changed(flagMaxPriceChange) {
		text, err := set.GetString(flagMaxPriceChange)
		if err != nil {
			return err
		}
		if params.MaxPriceChange, err = math.LegacyNewDecFromStr(text); err != nil {
			return fmt.Errorf("--%s %q: %w", flagMaxPriceChange, text, err)
		}
	}
	return params.Validate()
}
