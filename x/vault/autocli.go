package vault

import (
	"fmt"

	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"
	"github.com/cosmos/cosmos-sdk/version"

	"github.com/mesh-security/mesh/x/vault/types"
)

// AutoCLIOptions describes the query commands. The transactions have Coin arguments, which autocli cannot read without
// generated pulsar types, so client/cli has them.
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
			},
		},
		Tx: &autocliv1.ServiceCommandDescriptor{
			Service:              "mesh.vault.v1.Msg",
			EnhanceCustomCommand: true,
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{RpcMethod: "Deposit", Skip: true},
				{RpcMethod: "Withdraw", Skip: true},
				{RpcMethod: "UpdateParams", Skip: true},
			},
		},
	}
}
