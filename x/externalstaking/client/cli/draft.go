package cli

import (
	"fmt"
	"time"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/flags"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/version"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mesh-security/mesh/internal/draft"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

const (
	flagRegistrationFee = "registration-fee"
	flagPacketTimeout   = "packet-timeout"
	flagForcedDelay     = "forced-unstake-delay"
)

// newDraftUpdateParamsCmd prints a proposal. The message replaces all params, so those not named by a flag are read
// from the chain.
func newDraftUpdateParamsCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "draft-update-params",
		Short: "Print a governance proposal that changes the module's params; params without a flag keep their value",
		Example: fmt.Sprintf("%s tx %s draft-update-params --packet-timeout 336h --deposit 10000000stake > proposal.json",
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
	cmd.Flags().String(flagRegistrationFee, "", "coins that registering a consumer costs; \"0stake\" for none")
	cmd.Flags().Duration(flagPacketTimeout, 0, "how long a packet may take, at least 24h")
	cmd.Flags().Duration(flagForcedDelay, 0, "after how long an operation ends without the consumer's answer, at least 168h; 0 for the consumer's unbonding period")
	for _, c := range counts(&types.Params{}) {
		cmd.Flags().Uint32(c.flag, 0, c.usage)
	}
	draft.AddFlags(cmd, "Change the params of external staking")
	flags.AddQueryFlagsToCmd(cmd)
	return cmd
}

type count struct {
	flag, usage string
	value       *uint32
}

// counts lists the params that are plain numbers.
func counts(p *types.Params) []count {
	return []count{
		{"max-entries-per-packet", "most validators in one packet", &p.MaxEntriesPerPacket},
		{"max-ops-per-packet", "most operations one packet carries", &p.MaxOpsPerPacket},
		{"max-packets-per-block", "most packets in one block, over all consumers", &p.MaxPacketsPerBlock},
		{"max-positions-per-user-and-consumer", "most validators of one consumer an account may stake to", &p.MaxPositionsPerUserAndConsumer},
		{"max-entries-per-position", "most unbonding entries of one position", &p.MaxEntriesPerPosition},
		{"max-validators-per-consumer", "most validators known of one consumer", &p.MaxValidatorsPerConsumer},
		{"max-reward-denoms", "most denoms rewards of one consumer arrive in", &p.MaxRewardDenoms},
		{"max-releases-per-block", "most entries released in one block", &p.MaxReleasesPerBlock},
		{"max-forced-per-block", "most positions whose operations end without an answer in one block", &p.MaxForcedPerBlock},
		{"resync-interval", "fewest blocks between two snapshots of an open channel", &p.ResyncInterval},
	}
}

// override sets the params whose flag was given, and checks the result so that a proposal that must fail is not drafted.
func override(params *types.Params, set *pflag.FlagSet) error {
	if set.Changed(flagRegistrationFee) {
		text, err := set.GetString(flagRegistrationFee)
		if err != nil {
			return err
		}
		fee, err := sdk.ParseCoinsNormalized(text)
		if err != nil {
			return fmt.Errorf("--%s %q: %w", flagRegistrationFee, text, err)
		}
		params.RegistrationFee = fee
	}
	for _, d := range []struct {
		flag  string
		value *time.Duration
	}{{flagPacketTimeout, &params.PacketTimeout}, {flagForcedDelay, &params.ForcedUnstakeDelay}} {
		if !set.Changed(d.flag) {
			continue
		}
		value, err := set.GetDuration(d.flag)
		if err != nil {
			return err
		}
		*d.value = value
	}
	for _, c := range counts(params) {
		if !set.Changed(c.flag) {
			continue
		}
		n, err := set.GetUint32(c.flag)
		if err != nil {
			return err
		}
		*c.value = n
	}
	return params.Validate()
}
