package virtualstaking

import (
	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// AutoCLIOptions describes the queries; the messages are sent by governance, so they have draft commands instead.
func (AppModule) AutoCLIOptions() *autocliv1.ModuleOptions {
	converter := []*autocliv1.PositionalArgDescriptor{{ProtoField: "converter_id"}}
	return &autocliv1.ModuleOptions{
		Query: &autocliv1.ServiceCommandDescriptor{
			Service: types.Query_serviceDesc.ServiceName,
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{
					RpcMethod: "Params", Use: "params", Short: "Show the params",
					Example: "meshd query virtualstaking params",
				},
				{
					RpcMethod: "Sources", Use: "sources", Short: "List the sources of virtual stake",
					Example: "meshd query virtualstaking sources --page-limit 10",
				},
				{
					RpcMethod: "Source", Use: "source [converter]", PositionalArgs: converter,
					Short:   "Show cap, stake and epochs of one converter's virtual stake",
					Example: "meshd query virtualstaking source 1",
				},
				{
					RpcMethod: "Delegations", Use: "delegations [converter]", PositionalArgs: converter,
					Short:   "List one converter's virtual stake by validator",
					Example: "meshd query virtualstaking delegations 1",
				},
				{
					RpcMethod: "Supply", Use: "supply",
					Short:   "Show the supply of the bond denom: total, virtual and native",
					Example: "meshd query virtualstaking supply",
				},
				{
					RpcMethod: "Exposure", Use: "exposure",
					Short:   "Show each source's share of voting power and rewards, and warn of epochs that are too long",
					Example: "meshd query virtualstaking exposure",
				},
			},
		},
		Tx: &autocliv1.ServiceCommandDescriptor{
			Service: types.Msg_serviceDesc.ServiceName,
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{RpcMethod: "SetMaxCap", Skip: true},
				{RpcMethod: "UpdateParams", Skip: true},
			},
			EnhanceCustomCommand: true,
		},
	}
}
