package converter

import (
	"fmt"

	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"
	"github.com/cosmos/cosmos-sdk/version"

	"github.com/mesh-security/mesh/x/converter/types"
)

// AutoCLIOptions describes the query commands. The transactions have decimal arguments, which autocli would sign as they
// are typed instead of scaled, so client/cli has them.
func (AppModule) AutoCLIOptions() *autocliv1.ModuleOptions {
	example := func(args string) string {
		return fmt.Sprintf("%s query %s %s", version.AppName, types.ModuleName, args)
	}
	converter := []*autocliv1.PositionalArgDescriptor{{ProtoField: "converter_id"}}
	return &autocliv1.ModuleOptions{
		Query: &autocliv1.ServiceCommandDescriptor{
			Service: "mesh.converter.v1.Query",
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{
					RpcMethod: "Params", Use: "params",
					Short:   "The params",
					Example: example("params"),
				},
				{
					RpcMethod: "Converters", Use: "converters",
					Short:   "All converters",
					Example: example("converters --page-limit 20"),
				},
				{
					RpcMethod: "Converter", Use: "converter [id]", PositionalArgs: converter,
					Short:   "One converter with its port, account, channel, client and what it has sent",
					Example: example("converter 1"),
				},
				{
					RpcMethod: "RemoteStake", Use: "remote-stake [converter]", PositionalArgs: converter,
					Short:   "The provider's stake that counts per validator, and its worth here",
					Example: example("remote-stake 1"),
				},
				{
					RpcMethod: "Price", Use: "price [converter]", PositionalArgs: converter,
					Short:   "The price in use, and whether it is too old for increases",
					Example: example("price 1"),
				},
				{
					RpcMethod: "PendingRewards", Use: "pending-rewards [converter]", PositionalArgs: converter,
					Short:   "Rewards that have not been sent yet",
					Example: example("pending-rewards 1"),
				},
			},
		},
		Tx: &autocliv1.ServiceCommandDescriptor{
			Service:              "mesh.converter.v1.Msg",
			EnhanceCustomCommand: true,
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{RpcMethod: "CreateConverter", Skip: true},
				{RpcMethod: "UpdateConverter", Skip: true},
				{RpcMethod: "UpdateAdmin", Skip: true},
				{RpcMethod: "SetPrice", Skip: true},
				{RpcMethod: "CloseChannel", Skip: true},
				{RpcMethod: "UpdateParams", Skip: true},
			},
		},
	}
}
