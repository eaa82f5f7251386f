// Package cli holds the converter's commands that autocli cannot express.
package cli

import (
	"fmt"
	"strconv"

	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/client/tx"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/version"
	"github.com/spf13/cobra"

	"github.com/mesh-security/mesh/x/converter/types"
)

const (
	flagAdmin            = "admin"
	flagCounterpartyPort = "counterparty-port"
	flagDiscount         = "discount"
	flagPriceFeed        = "price-feed"
	flagTransferChannel  = "transfer-channel"
	flagRenounce         = "renounce"
)

// NewTxCmd returns `tx converter`.
func NewTxCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:                        types.ModuleName,
		Short:                      "Turn a provider's stake into virtual stake on this chain",
		SuggestionsMinimumDistance: 2,
		RunE:                       client.ValidateCmd,
	}
	cmd.AddCommand(newCreateConverterCmd(), newUpdateConverterCmd(), newUpdateAdminCmd(), newSetPriceCmd(),
		newDraftCloseChannelCmd(), newDraftUpdateParamsCmd())
	return cmd
}

func newCreateConverterCmd() *cobra.Command {
	var feed, admin string
	cmd := newTxCmd("create-converter [connection] [provider-denom] [discount] [transfer-channel]",
		"Create a converter for a provider; the response names its id and port",
		"create-converter connection-0 uprov 0.1 channel-0 --price-feed gov", cobra.ExactArgs(4),
		func(cmd *cobra.Command, sender string, args []string) (sdk.Msg, error) {
			discount, err := parseDec("discount", args[2])
			if err != nil {
				return nil, err
			}
			return &types.MsgCreateConverter{
				Sender: sender, Admin: admin, ConnectionID: args[0], ProviderDenom: args[1], Discount: discount,
				PriceFeed: feed, TransferChannel: args[3],
			}, nil
		})
	cmd.Flags().StringVar(&feed, flagPriceFeed, types.GovFeed, "price feed to use")
	cmd.Flags().StringVar(&admin, flagAdmin, "", "account that may change the converter (default: the sender)")
	return cmd
}

func newUpdateConverterCmd() *cobra.Command {
	var port, discount, feed, channel string
	cmd := newTxCmd("update-converter [converter]",
		"Change a converter; what has no flag stays as it is",
		"update-converter 1 --counterparty-port externalstaking.1", cobra.ExactArgs(1),
		func(cmd *cobra.Command, sender string, args []string) (sdk.Msg, error) {
			id, err := parseID(args[0])
			if err != nil {
				return nil, err
			}
			msg := &types.MsgUpdateConverter{
				Sender: sender, ConverterID: id, CounterpartyPort: port, PriceFeed: feed, TransferChannel: channel,
			}
			if cmd.Flags().Changed(flagDiscount) {
				d, err := parseDec("discount", discount)
				if err != nil {
					return nil, err
				}
				msg.Discount = &d
			}
			return msg, nil
		})
	cmd.Flags().StringVar(&port, flagCounterpartyPort, "", "port of the registration on the provider, externalstaking.<consumer>")
	cmd.Flags().StringVar(&discount, flagDiscount, "", "share of the stake's worth that does not count, 0 or more and below 1")
	cmd.Flags().StringVar(&feed, flagPriceFeed, "", "price feed to use")
	cmd.Flags().StringVar(&channel, flagTransferChannel, "", "ICS20 channel rewards leave on")
	return cmd
}

func newUpdateAdminCmd() *cobra.Command {
	var renounce bool
	cmd := newTxCmd("update-admin [converter] [new-admin]",
		"Pass the admin's rights on, or give them up for good with --renounce",
		"update-admin 1 --renounce", cobra.RangeArgs(1, 2),
		func(cmd *cobra.Command, sender string, args []string) (sdk.Msg, error) {
			id, err := parseID(args[0])
			if err != nil {
				return nil, err
			}
			if renounce == (len(args) == 2) {
				return nil, fmt.Errorf("name a new admin or give --%s, one of the two", flagRenounce)
			}
			msg := &types.MsgUpdateAdmin{Sender: sender, ConverterID: id}
			if !renounce {
				msg.NewAdmin = args[1]
			}
			return msg, nil
		})
	cmd.Flags().BoolVar(&renounce, flagRenounce, false, "leave the converter without an admin; only the chain's authority can change it then")
	return cmd
}

func newSetPriceCmd() *cobra.Command {
	return newTxCmd("set-price [converter] [price]",
		"Set the price of the built-in feed, in consumer base units per provider base unit",
		"set-price 1 0.5", cobra.ExactArgs(2),
		func(_ *cobra.Command, sender string, args []string) (sdk.Msg, error) {
			id, err := parseID(args[0])
			if err != nil {
				return nil, err
			}
			price, err := parseDec("price", args[1])
			if err != nil {
				return nil, err
			}
			return &types.MsgSetPrice{Sender: sender, ConverterID: id, Price: price}, nil
		})
}

// newTxCmd returns a transaction command around a function that makes its message.
func newTxCmd(
	use, short, example string, args cobra.PositionalArgs,
	newMsg func(cmd *cobra.Command, sender string, args []string) (sdk.Msg, error),
) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: args,
		Example: fmt.Sprintf("%s tx %s %s --from mykey", version.AppName, types.ModuleName, example),
		RunE: func(cmd *cobra.Command, args []string) error {
			clientCtx, err := client.GetClientTxContext(cmd)
			if err != nil {
				return err
			}
			msg, err := newMsg(cmd, clientCtx.GetFromAddress().String(), args)
			if err != nil {
				return err
			}
			return tx.GenerateOrBroadcastTxCLI(clientCtx, cmd.Flags(), msg)
		},
	}
	flags.AddTxFlagsToCmd(cmd)
	return cmd
}

func parseID(text string) (uint64, error) {
	id, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("converter %q, must be a number: %w", text, err)
	}
	return id, nil
}

func parseDec(what, text string) (math.LegacyDec, error) {
	d, err := math.LegacyNewDecFromStr(text)
	if err != nil {
		return d, fmt.Errorf("%s %q, must be a decimal number like 0.5: %w", what, text, err)
	}
	return d, nil
}
