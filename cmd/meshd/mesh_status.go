package main

import (
	"fmt"
	"time"

	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/spf13/cobra"
)

const (
	flagProvider   = "provider"
	flagConsumer   = "consumer"
	flagConsumerID = "consumer-id"
)

// meshStatusCmd shows both ends of cross-staking at once. The two chains may have other prefixes than this binary.
func meshStatusCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "mesh-status",
		Short: "Show both ends of cross-staking: channel, client, stake by validator, caps, rewards, epochs",
		Long: `Show both ends of cross-staking, as the two chains' own nodes report them: channel, light clients, what is in
flight, stake by validator on each side and the difference, cap and last epoch, rewards. Registrations and converters
are paired by their ports.

What needs a person is said in a line each, with the runbook of docs/runbooks to follow, and the exit status is not zero
then: a light client that has expired, is frozen or will expire soon, a closed channel, a packet that waits long, ends that count
differently, epochs, reports or rewards that fail, virtual stake that was taken away.`,
		Args:    cobra.NoArgs,
		Example: "meshd mesh-status --provider tcp://localhost:26657 --consumer tcp://localhost:36657",
		RunE: func(cmd *cobra.Command, _ []string) error {
			clientCtx := client.GetClientContextFromCmd(cmd)
			provider, err := dial(cmd, clientCtx, flagProvider)
			if err != nil {
				return err
			}
			consumer, err := dial(cmd, clientCtx, flagConsumer)
			if err != nil {
				return err
			}
			only, err := cmd.Flags().GetUint64(flagConsumerID)
			if err != nil {
				return err
			}
			status, err := readStatus(cmd.Context(), provider, consumer, only)
			if err != nil {
				return err
			}
			cmd.SilenceUsage = true
			if output, _ := cmd.Flags().GetString(flags.FlagOutput); output == flags.OutputFormatJSON {
				err = status.printJSON(cmd.OutOrStdout())
			} else {
				err = status.print(cmd.OutOrStdout())
			}
			if err != nil {
				return err
			}
			return status.attention()
		},
	}
	cmd.Flags().String(flagProvider, "tcp://localhost:26657", "CometBFT RPC of a provider node")
	cmd.Flags().String(flagConsumer, "", "CometBFT RPC of a consumer node")
	cmd.Flags().Uint64(flagConsumerID, 0, "show only this registration; 0 for all of the consumer chain")
	cmd.Flags().StringP(flags.FlagOutput, "o", flags.OutputFormatText, "output format (text|json)")
	if err := cmd.MarkFlagRequired(flagConsumer); err != nil {
		panic(err)
	}
	return cmd
}

// node is one end: its queries go over the RPC as ABCI queries.
type node struct {
	client.Context
	ChainID string
	Height  int64
	// Time of the last block.
	Time time.Time
}

// connect prepares for questions to the node a flag names. None takes longer than rpcTimeout.
func connect(cmd *cobra.Command, flag string) (*rpchttp.HTTP, error) {
	address, err := cmd.Flags().GetString(flag)
	if err != nil {
		return nil, err
	}
	rpc, err := rpchttp.NewWithTimeout(address, "/websocket", uint(rpcTimeout.Seconds()))
	if err != nil {
		return nil, fmt.Errorf("--%s %s: %w", flag, address, err)
	}
	return rpc, nil
}

// dial connects to the node a flag names, and asks it which chain it is of.
func dial(cmd *cobra.Command, clientCtx client.Context, flag string) (node, error) {
	rpc, err := connect(cmd, flag)
	if err != nil {
		return node{}, err
	}
	status, err := rpc.Status(cmd.Context())
	if err != nil {
		return node{}, fmt.Errorf("--%s %s does not answer: %w", flag, rpc.Remote(), err)
	}
	return node{
		Context: clientCtx.WithClient(rpc).WithGRPCClient(nil).WithNodeURI(rpc.Remote()),
		ChainID: status.NodeInfo.Network,
		Height:  status.SyncInfo.LatestBlockHeight,
		Time:    status.SyncInfo.LatestBlockTime,
	}, nil
}
