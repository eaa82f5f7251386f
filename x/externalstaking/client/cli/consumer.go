package cli

import (
	"fmt"
	"time"

	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mesh-security/mesh/x/externalstaking/types"
)

const (
	flagAdmin           = "admin"
	flagMinStake        = "min-stake"
	flagName            = "name"
	flagTransferChannel = "transfer-channel"
	flagUnbondingPeriod = "unbonding-period"
	flagRenounce        = "renounce"
)

func newRegisterConsumerCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "register-consumer [connection] [counterparty-port] [transfer-channel] [unbonding-period] [slash-fraction]",
		Short: "Register a consumer chain; anyone may, for the registration fee",
		Args:  cobra.ExactArgs(5),
	}
	cmd.Flags().String(flagAdmin, "", "account that may change the consumer later (default: the sender)")
	cmd.Flags().String(flagMinStake, "1", "smallest position, in base units")
	cmd.Flags().String(flagName, "", "name to show")
	return newTxCmd(cmd, "register-consumer connection-0 converter.1 channel-0 504h 0.05 --name Osmosis", registerConsumer)
}

func registerConsumer(cmd *cobra.Command, sender string, args []string) (sdk.Msg, error) {
	msg := &types.MsgRegisterConsumer{Sender: sender, ConnectionID: args[0], CounterpartyPort: args[1], TransferChannel: args[2]}
	var err error
	if msg.UnbondingPeriod, err = parsePeriod(args[3]); err != nil {
		return nil, err
	}
	if msg.SlashFraction, err = math.LegacyNewDecFromStr(args[4]); err != nil {
		return nil, fmt.Errorf("slash fraction %q, must be a number like 0.05: %w", args[4], err)
	}
	if msg.Admin, err = cmd.Flags().GetString(flagAdmin); err != nil {
		return nil, err
	}
	if msg.Name, err = cmd.Flags().GetString(flagName); err != nil {
		return nil, err
	}
	minStake, err := minStakeFlag(cmd.Flags())
	if err != nil {
		return nil, err
	}
	msg.MinStake = *minStake
	return msg, nil
}

func newUpdateConsumerCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "update-consumer [consumer]",
		Short: "Change a consumer; its admin or the authority may, and only what a flag names is changed",
		Args:  cobra.ExactArgs(1),
	}
	cmd.Flags().String(flagName, "", "name to show")
	cmd.Flags().String(flagTransferChannel, "", "this chain's end of the ICS20 channel that rewards arrive on")
	cmd.Flags().String(flagMinStake, "", "smallest position, in base units")
	cmd.Flags().String(flagUnbondingPeriod, "", "unbonding period of new entries; it can only rise")
	return newTxCmd(cmd, "update-consumer 1 --min-stake 1000 --unbonding-period 672h", updateConsumer)
}

func updateConsumer(cmd *cobra.Command, sender string, args []string) (sdk.Msg, error) {
	consumer, err := parseConsumer(args[0])
	if err != nil {
		return nil, err
	}
	msg := &types.MsgUpdateConsumer{Sender: sender, ConsumerID: consumer}
	if msg.Name, err = cmd.Flags().GetString(flagName); err != nil {
		return nil, err
	}
	if msg.TransferChannel, err = cmd.Flags().GetString(flagTransferChannel); err != nil {
		return nil, err
	}
	if cmd.Flags().Changed(flagMinStake) {
		if msg.MinStake, err = minStakeFlag(cmd.Flags()); err != nil {
			return nil, err
		}
	}
	if cmd.Flags().Changed(flagUnbondingPeriod) {
		text, err := cmd.Flags().GetString(flagUnbondingPeriod)
		if err != nil {
			return nil, err
		}
		period, err := parsePeriod(text)
		if err != nil {
			return nil, err
		}
		msg.UnbondingPeriod = &period
	}
	return msg, nil
}

func newUpdateAdminCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "update-admin [consumer] [new-admin]",
		Short: "Pass a consumer's admin rights on, or give them up with --renounce",
		Args:  cobra.RangeArgs(1, 2),
	}
	cmd.Flags().Bool(flagRenounce, false, "give the rights up: from then on only the chain's authority has them")
	return newTxCmd(cmd, "update-admin 1 --renounce", updateAdmin)
}

func updateAdmin(cmd *cobra.Command, sender string, args []string) (sdk.Msg, error) {
	consumer, err := parseConsumer(args[0])
	if err != nil {
		return nil, err
	}
	renounce, err := cmd.Flags().GetBool(flagRenounce)
	if err != nil {
		return nil, err
	}
	if renounce == (len(args) == 2) {
		return nil, fmt.Errorf("name either a new admin or --%s", flagRenounce)
	}
	msg := &types.MsgUpdateAdmin{Sender: sender, ConsumerID: consumer}
	if !renounce {
		msg.NewAdmin = args[1]
	}
	return msg, nil
}

func minStakeFlag(set *pflag.FlagSet) (*math.Int, error) {
	text, err := set.GetString(flagMinStake)
	if err != nil {
		return nil, err
	}
	amount, ok := math.NewIntFromString(text)
	if !ok {
		return nil, fmt.Errorf("--%s %q, must be a whole number of base units", flagMinStake, text)
	}
	return &amount, nil
}

func parsePeriod(text string) (time.Duration, error) {
	period, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("unbonding period %q, must be like 504h: %w", text, err)
	}
	return period, nil
}
