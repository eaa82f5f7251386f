package cli

import (
	"fmt"
	"strconv"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/flags"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/version"
	"github.com/spf13/cobra"

	"github.com/mesh-security/mesh/internal/draft"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// newDraftCmd completes a command that prints a proposal about one consumer, its first argument.
func newDraftCmd(cmd *cobra.Command, example, title string, newMsg func(consumer uint64, args []string) (sdk.Msg, error)) *cobra.Command {
	cmd.Example = fmt.Sprintf("%s tx %s %s --deposit 10000000stake > proposal.json", version.AppName, types.ModuleName, example)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		clientCtx, err := client.GetClientQueryContext(cmd)
		if err != nil {
			return err
		}
		consumer, err := parseConsumer(args[0])
		if err != nil {
			return err
		}
		msg, err := newMsg(consumer, args[1:])
		if err != nil {
			return err
		}
		return draft.Print(cmd, clientCtx, msg)
	}
	draft.AddFlags(cmd, title)
	flags.AddQueryFlagsToCmd(cmd)
	return cmd
}

func newDraftPauseConsumerCmd() *cobra.Command {
	return newDraftCmd(&cobra.Command{
		Use:   "draft-pause-consumer [consumer] [paused]",
		Short: "Print a governance proposal that stops new stake on a consumer (true), or allows it again (false)",
		Args:  cobra.ExactArgs(2),
	}, "draft-pause-consumer 1 true", "Pause a consumer", func(consumer uint64, args []string) (sdk.Msg, error) {
		paused, err := parseBool("paused", args[0])
		return &types.MsgPauseConsumer{Sender: draft.Authority(), ConsumerID: consumer, Paused: paused}, err
	})
}

func newDraftEndorseConsumerCmd() *cobra.Command {
	return newDraftCmd(&cobra.Command{
		Use:   "draft-endorse-consumer [consumer] [endorsed]",
		Short: "Print a governance proposal that endorses a consumer for front ends (true), or takes that back (false)",
		Args:  cobra.ExactArgs(2),
	}, "draft-endorse-consumer 1 true", "Endorse a consumer", func(consumer uint64, args []string) (sdk.Msg, error) {
		endorsed, err := parseBool("endorsed", args[0])
		return &types.MsgEndorseConsumer{Authority: draft.Authority(), ConsumerID: consumer, Endorsed: endorsed}, err
	})
}

func newDraftRetireConsumerCmd() *cobra.Command {
	return newDraftCmd(&cobra.Command{
		Use:   "draft-retire-consumer [consumer]",
		Short: "Print a governance proposal that leaves a consumer for good: all stake on it unbonds",
		Args:  cobra.ExactArgs(1),
	}, "draft-retire-consumer 1", "Retire a consumer", func(consumer uint64, _ []string) (sdk.Msg, error) {
		return &types.MsgRetireConsumer{Authority: draft.Authority(), ConsumerID: consumer}, nil
	})
}

func newDraftCloseChannelCmd() *cobra.Command {
	return newDraftCmd(&cobra.Command{
		Use:   "draft-close-channel [consumer]",
		Short: "Print a governance proposal that closes this chain's end of a consumer's control channel, so that it can be opened again",
		Args:  cobra.ExactArgs(1),
	}, "draft-close-channel 1", "Close a control channel", func(consumer uint64, _ []string) (sdk.Msg, error) {
		return &types.MsgCloseChannel{Authority: draft.Authority(), ConsumerID: consumer}, nil
	})
}

func parseBool(name, arg string) (bool, error) {
	value, err := strconv.ParseBool(arg)
	if err != nil {
		return false, fmt.Errorf("%s %q, must be true or false", name, arg)
	}
	return value, nil
}
