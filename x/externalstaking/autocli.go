package externalstaking

import (
	"fmt"

	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"
	"github.com/cosmos/cosmos-sdk/version"

	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// AutoCLIOptions describes the commands. Those with Coin or Duration arguments, which autocli cannot read without
// generated pulsar types, are in client/cli.
func (AppModule) AutoCLIOptions() *autocliv1.ModuleOptions {
	return &autocliv1.ModuleOptions{Query: queryCommands(), Tx: txCommands()}
}

func queryCommands() *autocliv1.ServiceCommandDescriptor {
	example := func(args string) string {
		return fmt.Sprintf("%s query %s %s", version.AppName, types.ModuleName, args)
	}
	consumer := &autocliv1.PositionalArgDescriptor{ProtoField: "consumer_id"}
	validator := &autocliv1.PositionalArgDescriptor{ProtoField: "validator"}
	user := &autocliv1.PositionalArgDescriptor{ProtoField: "user"}
	type args = []*autocliv1.PositionalArgDescriptor
	return &autocliv1.ServiceCommandDescriptor{
		Service: "mesh.externalstaking.v1.Query",
		RpcCommandOptions: []*autocliv1.RpcCommandOptions{
			{
				RpcMethod: "Params", Use: "params",
				Short:   "The params",
				Example: example("params"),
			},
			{
				RpcMethod: "Consumers", Use: "consumers",
				Short:   "All registered consumers",
				Example: example("consumers --page-limit 20"),
			},
			{
				RpcMethod: "Consumer", Use: "consumer [id]", PositionalArgs: args{consumer},
				Short:   "One consumer with its channel, light client, outbox and totals",
				Example: example("consumer 1"),
			},
			{
				RpcMethod: "Validators", Use: "validators [consumer]", PositionalArgs: args{consumer},
				Short:   "A consumer's validators with the stake on each",
				Example: example("validators 1"),
			},
			{
				RpcMethod: "Validator", Use: "validator [consumer] [validator]", PositionalArgs: args{consumer, validator},
				Short:   "One validator of a consumer with the stake on it",
				Example: example("validator 1 othervaloper1…"),
			},
			{
				RpcMethod: "InFlight", Use: "in-flight [consumer]", PositionalArgs: args{consumer},
				Short:   "The batches a consumer has not answered",
				Example: example("in-flight 1"),
			},
			{
				RpcMethod: "Positions", Use: "positions [user]", PositionalArgs: args{user},
				Short:   "Everything a user has staked, with what is pending and unbonding",
				Example: example("positions mesh1…"),
			},
			{
				RpcMethod: "Position", Use: "position [user] [consumer] [validator]", PositionalArgs: args{user, consumer, validator},
				Short:   "One position of a user",
				Example: example("position mesh1… 1 othervaloper1…"),
			},
			{
				RpcMethod: "Unbondings", Use: "unbondings [user]", PositionalArgs: args{user},
				Short:   "A user's unbonding entries with the time they still take",
				Example: example("unbondings mesh1…"),
			},
			{
				RpcMethod: "Rewards", Use: "rewards [user]", PositionalArgs: args{user},
				Short:   "What a user can withdraw now",
				Example: example("rewards mesh1…"),
			},
			{
				RpcMethod: "Slashes", Use: "slashes [consumer]", PositionalArgs: args{consumer},
				Short:   "The proven offences of a consumer's validators",
				Example: example("slashes 1"),
			},
			{
				RpcMethod: "Sweeps", Use: "sweeps",
				Short:   "The slashed validators whose users are being settled",
				Example: example("sweeps"),
			},
			{
				RpcMethod: "SimulateSlash", Use: "simulate-slash [user] [consumer] [validator]", PositionalArgs: args{user, consumer, validator},
				Short:   "What a double sign of a validator now would cost a user, and which liens it would shrink",
				Example: example("simulate-slash mesh1… 1 othervaloper1…"),
			},
		},
	}
}

func txCommands() *autocliv1.ServiceCommandDescriptor {
	return &autocliv1.ServiceCommandDescriptor{
		Service:              "mesh.externalstaking.v1.Msg",
		EnhanceCustomCommand: true,
		RpcCommandOptions: []*autocliv1.RpcCommandOptions{
			{RpcMethod: "RegisterConsumer", Skip: true},
			{RpcMethod: "UpdateConsumer", Skip: true},
			{RpcMethod: "UpdateAdmin", Skip: true},
			{RpcMethod: "Stake", Skip: true},
			{RpcMethod: "Unstake", Skip: true},
			{
				RpcMethod: "WithdrawRewards", Use: "withdraw-rewards [consumer] [validator]",
				PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "consumer_id"}, {ProtoField: "validator", Optional: true}},
				Short:          "Withdraw your rewards from one validator of a consumer, or from all without naming one",
				Example:        fmt.Sprintf("%s tx %s withdraw-rewards 1 --from mykey", version.AppName, types.ModuleName),
			},
			{RpcMethod: "SubmitDoubleVoting", Skip: true},
			{RpcMethod: "SubmitMisbehaviour", Skip: true},
			{
				RpcMethod: "CancelStake", Use: "cancel-stake [consumer] [validator]",
				PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "consumer_id"}, {ProtoField: "validator"}},
				Short:          "Take back stake that was not sent to the consumer yet",
				Example:        fmt.Sprintf("%s tx %s cancel-stake 1 othervaloper1… --from mykey", version.AppName, types.ModuleName),
			},
			{
				RpcMethod: "PauseConsumer", Use: "pause-consumer [consumer] [paused]",
				PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "consumer_id"}, {ProtoField: "paused"}},
				Short:          "Stop new stake on a consumer (true), or allow it again (false), as its admin; unstaking goes on",
				Example:        fmt.Sprintf("%s tx %s pause-consumer 1 true --from mykey", version.AppName, types.ModuleName),
			},
			// Governance proposals; each command prints the message for `tx gov submit-proposal`.
			{RpcMethod: "EndorseConsumer", Skip: true},
			{RpcMethod: "RetireConsumer", Skip: true},
			{RpcMethod: "CloseChannel", Skip: true},
			{RpcMethod: "UpdateParams", Skip: true},
		},
	}
}
