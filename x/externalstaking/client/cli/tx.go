// Package cli holds the commands that autocli cannot express.
package cli

import (
	"fmt"
	"strconv"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/client/tx"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/version"
	"github.com/spf13/cobra"

	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// NewTxCmd returns `tx externalstaking`.
func NewTxCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:                        types.ModuleName,
		Short:                      "Lend your collateral to validators of other chains",
		SuggestionsMinimumDistance: 2,
		RunE:                       client.ValidateCmd,
	}
	cmd.AddCommand(
		newStakeCmd(), newUnstakeCmd(),
		newRegisterConsumerCmd(), newUpdateConsumerCmd(), newUpdateAdminCmd(),
		newSubmitDoubleVotingCmd(), newSubmitMisbehaviourCmd(),
		newDraftPauseConsumerCmd(), newDraftEndorseConsumerCmd(), newDraftRetireConsumerCmd(), newDraftCloseChannelCmd(), newDraftUpdateParamsCmd(),
	)
	return cmd
}

// newTxCmd completes a transaction command: newMsg reads arguments and flags.
func newTxCmd(cmd *cobra.Command, example string, newMsg func(cmd *cobra.Command, sender string, args []string) (sdk.Msg, error)) *cobra.Command {
	cmd.Example = fmt.Sprintf("%s tx %s %s --from mykey", version.AppName, types.ModuleName, example)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		clientCtx, err := client.GetClientTxContext(cmd)
		if err != nil {
			return err
		}
		msg, err := newMsg(cmd, clientCtx.GetFromAddress().String(), args)
		if err != nil {
			return err
		}
		return tx.GenerateOrBroadcastTxCLI(clientCtx, cmd.Flags(), msg)
	}
	flags.AddTxFlagsToCmd(cmd)
	return cmd
}

func newStakeCmd() *cobra.Command {
	return newTxCmd(&cobra.Command{
		Use:   "stake [consumer] [validator] [amount]",
		Short: "Lend collateral to a validator of a consumer chain",
		Args:  cobra.ExactArgs(3),
	}, "stake 1 othervaloper1… 1000000stake", func(_ *cobra.Command, sender string, args []string) (sdk.Msg, error) {
		consumer, amount, err := parseStake(args)
		return &types.MsgStake{User: sender, ConsumerID: consumer, Validator: args[1], Amount: amount}, err
	})
}

func newUnstakeCmd() *cobra.Command {
	return newTxCmd(&cobra.Command{
		Use:   "unstake [consumer] [validator] [amount]",
		Short: "Take stake back from a validator of a consumer chain; the collateral is free after the unbonding period",
		Args:  cobra.ExactArgs(3),
	}, "unstake 1 othervaloper1… 1000000stake", func(_ *cobra.Command, sender string, args []string) (sdk.Msg, error) {
		consumer, amount, err := parseStake(args)
		return &types.MsgUnstake{User: sender, ConsumerID: consumer, Validator: args[1], Amount: amount}, err
	})
}

func parseStake(args []string) (uint64, sdk.Coin, error) {
	consumer, err := parseConsumer(args[0])
	if err != nil {
		return 0, sdk.Coin{}, err
	}
	amount, err := sdk.ParseCoinNormalized(args[2])
	if err != nil {
		return 0, sdk.Coin{}, fmt.Errorf("amount %q, must be a whole number and a denom like 1000000stake: %w", args[2], err)
	}
	return consumer, amount, nil
}

func parseConsumer(arg string) (uint64, error) {
	id, err := strconv.ParseUint(arg, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("consumer %q, must be the number that `query %s consumers` shows", arg, types.ModuleName)
	}
	return id, nil
}
