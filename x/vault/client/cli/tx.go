// Package cli holds the vault's commands that autocli cannot express.
package cli

import (
	"fmt"
	"strings"

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
		Short:                      "Put up collateral, stake it on this chain and take it back",
		SuggestionsMinimumDistance: 2,
		RunE:                       client.ValidateCmd,
	}
	cmd.AddCommand(
		newDepositCmd(), newWithdrawCmd(), newDepositDelegationCmd(), newWithdrawDelegationCmd(),
		newStakeLocalCmd(), newUnstakeLocalCmd(), newRestakeLocalCmd(), newDraftUpdateParamsCmd(),
	)
	return cmd
}

func newDepositCmd() *cobra.Command {
	return newCoinCmd("deposit [amount]", "Add coins to your collateral; vesting coins are welcome",
		func(user string, _ []string, amount sdk.Coin) sdk.Msg {
			return &types.MsgDeposit{User: user, Amount: amount}
		})
}

func newWithdrawCmd() *cobra.Command {
	return newCoinCmd("withdraw [amount]", "Take free collateral out",
		func(user string, _ []string, amount sdk.Coin) sdk.Msg {
			return &types.MsgWithdraw{User: user, Amount: amount}
		})
}

func newDepositDelegationCmd() *cobra.Command {
	return newCoinCmd("deposit-delegation [validator] [amount]", "Move a delegation of yours into the vault; it stays staked with the validator",
		func(user string, args []string, amount sdk.Coin) sdk.Msg {
			return &types.MsgDepositDelegation{User: user, Validator: args[0], Amount: amount}
		})
}

func newWithdrawDelegationCmd() *cobra.Command {
	return newCoinCmd("withdraw-delegation [validator] [amount]", "Take free local stake out of the vault as a delegation of yours",
		func(user string, args []string, amount sdk.Coin) sdk.Msg {
			return &types.MsgWithdrawDelegation{User: user, Validator: args[0], Amount: amount}
		})
}

func newStakeLocalCmd() *cobra.Command {
	return newCoinCmd("stake-local [validator] [amount]", "Stake liquid collateral with a validator of this chain",
		func(user string, args []string, amount sdk.Coin) sdk.Msg {
			return &types.MsgStakeLocal{User: user, Validator: args[0], Amount: amount}
		})
}

func newUnstakeLocalCmd() *cobra.Command {
	return newCoinCmd("unstake-local [validator] [amount]", "Unbond local stake; it is liquid collateral again after the unbonding period",
		func(user string, args []string, amount sdk.Coin) sdk.Msg {
			return &types.MsgUnstakeLocal{User: user, Validator: args[0], Amount: amount}
		})
}

func newRestakeLocalCmd() *cobra.Command {
	return newCoinCmd("restake-local [src-validator] [dst-validator] [amount]", "Redelegate local stake to another validator",
		func(user string, args []string, amount sdk.Coin) sdk.Msg {
			return &types.MsgRestakeLocal{User: user, ValidatorSrc: args[0], ValidatorDst: args[1], Amount: amount}
		})
}

// newCoinCmd returns a transaction command whose last argument is a coin and whose others are validators. newMsg gets the
// arguments before the coin.
func newCoinCmd(use, short string, newMsg func(user string, args []string, amount sdk.Coin) sdk.Msg) *cobra.Command {
	placeholders := strings.Fields(use)[1:]
	last := len(placeholders) - 1
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.ExactArgs(len(placeholders)),
		RunE: func(cmd *cobra.Command, args []string) error {
			clientCtx, err := client.GetClientTxContext(cmd)
			if err != nil {
				return err
			}
			amount, err := sdk.ParseCoinNormalized(args[last])
			if err != nil {
				return fmt.Errorf("amount %q, must be a whole number and a denom like 1000000stake: %w", args[last], err)
			}
			return tx.GenerateOrBroadcastTxCLI(clientCtx, cmd.Flags(), newMsg(clientCtx.GetFromAddress().String(), args[:last], amount))
		},
	}
	cmd.Example = fmt.Sprintf("%s tx %s %s %s1000000stake --from mykey",
		version.AppName, types.ModuleName, cmd.Name(), strings.Repeat("meshvaloper1… ", last))
	flags.AddTxFlagsToCmd(cmd)
	return cmd
}
