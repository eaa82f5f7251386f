package main

import (
	"fmt"
	"net/url"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/client/tx"
	"github.com/cosmos/cosmos-sdk/server"
	"github.com/spf13/cobra"

	"github.com/mesh-security/mesh/internal/observer"
)

const (
	flagStartHeight = "start-height"
	flagPoll        = "poll-interval"
	flagStateFile   = "state-file"
)

// observeCmd carries evidence from a consumer to the provider. The process has the provider's address prefix; the
// consumer's is never needed.
func observeCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "observe",
		Short: "Carry evidence of double signing from a consumer chain to the provider, until stopped",
		Long: `Follow the blocks of a consumer chain and submit every duplicate vote and light-client attack in them to the provider,
so that the validators' stake lent there is slashed. Where the consumer's light client is behind, it is updated in the
same transaction. What fails is tried again, and the height to resume from is kept in a file.

Anyone can run this, and several may: evidence the provider already knows costs nothing. The key belongs to an account
on the provider that pays the transaction fees; nothing else is asked of it.`,
		Args: cobra.NoArgs,
		Example: `meshd observe --consumer tcp://localhost:36657 --provider tcp://localhost:26657 --consumer-id 1 --from observer \
  --gas-prices 0.01uprov --home ./provider`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SilenceUsage = true
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			cmd.SetContext(ctx)
			o, err := newObserver(cmd)
			if err != nil {
				return err
			}
			o.Run(ctx)
			return nil
		},
	}
	cmd.Flags().String(flagProvider, "tcp://localhost:26657", "CometBFT RPC of a provider node")
	cmd.Flags().String(flagConsumer, "", "CometBFT RPC of a consumer node")
	cmd.Flags().Uint64(flagConsumerID, 0, "the consumer's registration on the provider")
	cmd.Flags().Int64(flagStartHeight, 0, "first consumer block to look at; 0 to resume, or to begin with the present one")
	cmd.Flags().Duration(flagPoll, time.Second, "time between two looks at the consumer's height, and before the first retry")
	cmd.Flags().String(flagStateFile, "", "file with the height to resume from (default: in the folder observer of the home)")
	cmd.Flags().String(flags.FlagFrom, "", "name or address of the key that pays on the provider")
	cmd.Flags().String(flags.FlagFees, "", "fees of every transaction, for instance 10uprov")
	cmd.Flags().String(flags.FlagGasPrices, "", "price of gas the fees are computed from, for instance 0.1uprov")
	cmd.Flags().Float64(flags.FlagGasAdjustment, 1.3, "factor on the gas a simulation used")
	cmd.Flags().String(flags.FlagFeeGranter, "", "account that pays the fees instead")
	flags.AddKeyringFlags(cmd.Flags())
	for _, required := range []string{flagConsumer, flagConsumerID, flags.FlagFrom} {
		if err := cmd.MarkFlagRequired(required); err != nil {
			panic(err)
		}
	}
	return cmd
}

// newObserver reads the flags and connects to both nodes.
func newObserver(cmd *cobra.Command) (*observer.Observer, error) {
	consumerID, err := cmd.Flags().GetUint64(flagConsumerID)
	if err != nil {
		return nil, err
	}
	rpc, err := connect(cmd, flagConsumer)
	if err != nil {
		return nil, err
	}
	consumer, err := observer.NewConsumer(cmd.Context(), rpc)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flagConsumer, err)
	}
	clientCtx, err := client.GetClientTxContext(cmd)
	if err != nil {
		return nil, err
	}
	provider, err := dial(cmd, clientCtx, flagProvider)
	if err != nil {
		return nil, err
	}
	clientCtx = provider.WithChainID(provider.ChainID)
	txs, err := tx.NewFactoryCLI(clientCtx, cmd.Flags())
	if err != nil {
		return nil, err
	}
	cfg := observer.Config{}
	if cfg.StartHeight, err = cmd.Flags().GetInt64(flagStartHeight); err != nil {
		return nil, err
	}
	if cfg.Poll, err = cmd.Flags().GetDuration(flagPoll); err != nil {
		return nil, err
	}
	if cfg.Poll <= 0 || cfg.StartHeight < 0 {
		return nil, fmt.Errorf("--%s must be positive and --%s not negative", flagPoll, flagStartHeight)
	}
	if cfg.StateFile, err = cmd.Flags().GetString(flagStateFile); err != nil {
		return nil, err
	}
	if cfg.StateFile == "" {
		name := clientCtx.ChainID + "_" + consumer.ChainID + "_" + strconv.FormatUint(consumerID, 10) + ".json"
		cfg.StateFile = filepath.Join(clientCtx.HomeDir, "observer", url.PathEscape(name))
	}
	logger := server.GetServerContextFromCmd(cmd).Logger
	return observer.New(cmd.Context(), cfg, consumer, observer.NewProvider(clientCtx, txs, consumerID), logger)
}
