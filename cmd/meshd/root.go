package main

import (
	"os"

	"cosmossdk.io/client/v2/autocli"
	"cosmossdk.io/log"
	confixcmd "cosmossdk.io/tools/confix/cmd"
	cmtcfg "github.com/cometbft/cometbft/config"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/config"
	"github.com/cosmos/cosmos-sdk/client/debug"
	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/client/keys"
	"github.com/cosmos/cosmos-sdk/client/pruning"
	"github.com/cosmos/cosmos-sdk/client/rpc"
	"github.com/cosmos/cosmos-sdk/client/snapshot"
	addresscodec "github.com/cosmos/cosmos-sdk/codec/address"
	"github.com/cosmos/cosmos-sdk/server"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/tx/signing"
	authcmd "github.com/cosmos/cosmos-sdk/x/auth/client/cli"
	"github.com/cosmos/cosmos-sdk/x/auth/tx"
	txmodule "github.com/cosmos/cosmos-sdk/x/auth/tx/config"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	genutilcli "github.com/cosmos/cosmos-sdk/x/genutil/client/cli"
	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesh-security/mesh/app"
)

// newRootCmd builds the whole command tree for one address prefix, which must be set in the SDK's config.
func newRootCmd(prefix string) *cobra.Command {
	// An application without state, for its codecs and the modules' commands. Its home must not be the node's: an
	// application looks for a pending upgrade there.
	scratch, err := os.MkdirTemp("", app.Name)
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(scratch)
	options := viper.New()
	options.Set(flags.FlagHome, scratch)
	template := app.New(log.NewNopLogger(), dbm.NewMemDB(), nil, true, options)

	clientCtx := client.Context{}.
		WithCodec(template.AppCodec()).
		WithInterfaceRegistry(template.InterfaceRegistry()).
		WithLegacyAmino(template.LegacyAmino()).
		WithTxConfig(template.TxConfig()).
		WithInput(os.Stdin).
		WithAccountRetriever(authtypes.AccountRetriever{}).
		WithHomeDir(app.DefaultNodeHome()).
		WithViper("MESHD")

	root := &cobra.Command{
		Use:           app.Name,
		Short:         "A Cosmos SDK chain with Mesh Security: provider, consumer or both",
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SetOut(cmd.OutOrStdout())
			cmd.SetErr(cmd.ErrOrStderr())
			ctx, err := readClientContext(cmd, clientCtx)
			if err != nil {
				return err
			}
			if err := client.SetCmdClientContextHandler(ctx, cmd); err != nil {
				return err
			}
			configTemplate, fileConfig := appConfig(cmd, prefix)
			return server.InterceptConfigsPreRunHandler(cmd, configTemplate, fileConfig, cmtcfg.DefaultConfig())
		},
	}
	home := app.DefaultNodeHome()
	server.AddCommands(root, home, newApp, exportApp, func(*cobra.Command) {})
	root.AddCommand(
		initCmd(template.BasicManager, home, prefix),
		debug.Cmd(),
		confixcmd.ConfigCommand(),
		pruning.Cmd(newApp, home),
		snapshot.Cmd(newApp),
		server.StatusCommand(),
		server.QueryBlockResultsCmd(),
		genutilcli.Commands(template.TxConfig(), template.BasicManager, home),
		keys.Commands(),
		txCmd(),
		queryCmd(),
		inspectCmd(),
		meshStatusCmd(),
		observeCmd(),
	)
	autoCLI := autoCLIOptions(template, clientCtx)
	if err := autoCLI.EnhanceRootCommand(root); err != nil {
		panic(err)
	}
	return root
}

// readClientContext completes the client context from flags and client.toml. Online, transactions can also be signed
// in the textual mode, which asks the node for coin metadata.
func readClientContext(cmd *cobra.Command, ctx client.Context) (client.Context, error) {
	ctx, err := client.ReadPersistentCommandFlags(ctx.WithCmdContext(cmd.Context()), cmd.Flags())
	if err != nil {
		return ctx, err
	}
	if ctx, err = config.ReadFromClientConfig(ctx); err != nil {
		return ctx, err
	}
	if ctx.Offline {
		return ctx, nil
	}
	textual, err := tx.NewTxConfigWithOptions(ctx.Codec, tx.ConfigOptions{
		EnabledSignModes:           append(tx.DefaultSignModes, signing.SignMode_SIGN_MODE_TEXTUAL),
		TextualCoinMetadataQueryFn: txmodule.NewGRPCCoinMetadataQueryFn(ctx),
	})
	if err != nil {
		return ctx, err
	}
	return ctx.WithTxConfig(textual), nil
}

func autoCLIOptions(template *app.App, ctx client.Context) autocli.AppOptions {
	options := template.AutoCLIOptions()
	cfg := sdk.GetConfig()
	options.AddressCodec = addresscodec.NewBech32Codec(cfg.GetBech32AccountAddrPrefix())
	options.ValidatorAddressCodec = addresscodec.NewBech32Codec(cfg.GetBech32ValidatorAddrPrefix())
	options.ConsensusAddressCodec = addresscodec.NewBech32Codec(cfg.GetBech32ConsensusAddrPrefix())
	// Only its interface registry is used. Reading client.toml here would fix the default home's for good, since the
	// context's viper remembers the first folder.
	options.ClientCtx = ctx
	return options
}

func queryCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:                        "query",
		Aliases:                    []string{"q"},
		Short:                      "Querying subcommands",
		SuggestionsMinimumDistance: 2,
		RunE:                       client.ValidateCmd,
	}
	cmd.AddCommand(
		rpc.ValidatorCommand(),
		server.QueryBlockCmd(),
		server.QueryBlocksCmd(),
		authcmd.QueryTxsByEventsCmd(),
		authcmd.QueryTxCmd(),
	)
	return cmd
}

func txCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:                        "tx",
		Short:                      "Transactions subcommands",
		SuggestionsMinimumDistance: 2,
		RunE:                       client.ValidateCmd,
	}
	cmd.AddCommand(
		authcmd.GetSignCommand(),
		authcmd.GetSignBatchCommand(),
		authcmd.GetMultiSignCommand(),
		authcmd.GetMultiSignBatchCmd(),
		authcmd.GetValidateSignaturesCommand(),
		authcmd.GetBroadcastCommand(),
		authcmd.GetEncodeCommand(),
		authcmd.GetDecodeCommand(),
		authcmd.GetSimulateCmd(),
	)
	return cmd
}
