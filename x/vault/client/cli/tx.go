// Package cli holds the vault's commands that autocli cannot express.
package cli

import (
	"fmt"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/client/tx"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/version"
	"github.com/spf13/cobra"

	"github.com/mesh-security/mesh/x/vault/types"
)

// NewTxCmd returns `tx vault`.
func NewTxCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:                        types.ModuleName,
		Short:                      "Put up collateral and take it back",
		SuggestionsMinimumDistance: 2,
		RunE:                       client.ValidateCmd,
	}
	cmd.AddCommand(newDepositCmd(), newWithdrawCmd(), newDraftUpdateParamsCmd())
	return cmd
}

func newDepositCmd() *cobra.Command {
	return newCoinCmd("deposit", "Add coins to your collateral; vesting coins are welcome",
		func(user string, amount sdk.Coin) sdk.Msg { return &types.MsgDeposit{User: user, Amount: amount} })
}

func newWithdrawCmd() *cobra.Command {
	return newCoinCmd("withdraw", "Take free collateral out",
		func(user string, amount sdk.Coin) sdk.Msg { return &types.MsgWithdraw{User: user, Amount: amount} })
}

// newCoinCmd returns a transaction command whose one argument is a coin.
func newCoinCmd(name, short string, newMsg func(user string, amount sdk.Coin) sdk.Msg) *cobra.Command {
	cmd := &cobra.Command{
		Use:     name + " [amount]",
		Short:   short,
		Example: fmt.Sprintf("%s tx %s %s 1000000stake --from mykey", version.AppName, types.ModuleName, name),
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			clientCtx, err := client.GetClientTxContext(cmd)
			if err != nil {
				return err
			}
			amount, err := sdk.ParseCoinNormalized(args[0])
			if err != nil {
				return fmt.Errorf("amount %q, must be a whole number and a denom like 1000000stake: %w", args[0], err)
			}
			return tx.GenerateOrBroadcastTxCLI(clientCtx, cmd.Flags(), newMsg(clientCtx.GetFromAddress().String(), amount))
		},
	}
	flags.AddTxFlagsToCmd(cmd)
	return cmd
}
