package vault

import (
	"fmt"

	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"
	"github.com/cosmos/cosmos-sdk/version"

	"github.com/mesh-security/mesh/x/vault/types"
)

// AutoCLIOptions describes the query commands, and the one transaction without a Coin argument: autocli cannot read these
// without generated pulsar types, so client/cli has the others.
func (AppModule) AutoCLIOptions() *autocliv1.ModuleOptions {
	example := func(args string) string {
		return fmt.Sprintf("%s query %s %s", version.AppName, types.ModuleName, args)
	}
	user := []*autocliv1.PositionalArgDescriptor{{ProtoField: "user"}}
	return &autocliv1.ModuleOptions{
		Query: &autocliv1.ServiceCommandDescriptor{
			Service: "mesh.vault.v1.Query",
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{
					RpcMethod: "Params", Use: "params",
					Short:   "The params and the collateral denom",
					Example: example("params"),
				},
				{
					RpcMethod: "Account", Use: "account [user]", PositionalArgs: user,
					Short:   "One user's collateral, what of it is free, and the liens on it",
					Example: example("account mesh1…"),
				},
				{
					RpcMethod: "Accounts", Use: "accounts",
					Short:   "All accounts, as they were last touched",
					Example: example("accounts --page-limit 20"),
				},
				{
					RpcMethod: "Liens", Use: "liens [user]", PositionalArgs: user,
					Short:   "The liens on one user's collateral",
					Example: example("liens mesh1…"),
				},
				{
					RpcMethod: "LocalStake", Use: "local-stake [user]", PositionalArgs: user,
					Short:   "One user's local stake by validator: what is staked, unbonding and earned",
					Example: example("local-stake mesh1…"),
				},
				{
					RpcMethod: "Losses", Use: "losses [user]", PositionalArgs: user,
					Short:   "What slashes cost one user, the latest ones",
					Example: example("losses mesh1…"),
				},
				{
					RpcMethod: "Sweeps", Use: "sweeps",
					Short:   "Slashed validators of this chain whose users are being settled, and users whose settle is tried again",
					Example: example("sweeps"),
				},
				{
					RpcMethod: "Totals", Use: "totals",
					Short:   "What all users have lost to slashes of lien holders, and what became of it",
					Example: example("totals"),
				},
			},
		},
		Tx: &autocliv1.ServiceCommandDescriptor{
			Service:              "mesh.vault.v1.Msg",
			EnhanceCustomCommand: true,
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{RpcMethod: "Deposit", Skip: true},
				{RpcMethod: "Withdraw", Skip: true},
				{RpcMethod: "DepositDelegation", Skip: true},
				{RpcMethod: "WithdrawDelegation", Skip: true},
				{RpcMethod: "StakeLocal", Skip: true},
				{RpcMethod: "UnstakeLocal", Skip: true},
				{RpcMethod: "RestakeLocal", Skip: true},
				{
					RpcMethod: "WithdrawLocalRewards", Use: "withdraw-local-rewards [validator]",
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "validator", Optional: true}},
					Short:          "Have the rewards of your local stake paid out, from one validator or from all without naming one",
					Example:        fmt.Sprintf("%s tx %s withdraw-local-rewards --from mykey", version.AppName, types.ModuleName),
				},
				{RpcMethod: "UpdateParams", Skip: true},
			},
		},
	}
}
