package externalstaking_test

import (
	"testing"

	msgv1 "cosmossdk.io/api/cosmos/msg/v1"
	"cosmossdk.io/client/v2/autocli"
	"cosmossdk.io/core/appmodule"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec/address"
	sdk "github.com/cosmos/cosmos-sdk/types"
	moduletestutil "github.com/cosmos/cosmos-sdk/types/module/testutil"
	"github.com/cosmos/cosmos-sdk/types/msgservice"
	"github.com/cosmos/gogoproto/proto"
	ibctm "github.com/cosmos/ibc-go/v8/modules/light-clients/07-tendermint"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
	protov2 "google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mesh-security/mesh/x/externalstaking"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// The commands of the module as a chain's binary builds them, generated and written by hand together: each with an example
// of itself.
func TestCommands(t *testing.T) {
	enc := moduletestutil.MakeTestEncodingConfig(externalstaking.AppModuleBasic{})
	am := externalstaking.NewAppModule(enc.Codec, nil)
	options := autocli.AppOptions{
		Modules:               map[string]appmodule.AppModule{types.ModuleName: am},
		AddressCodec:          address.NewBech32Codec(sdk.GetConfig().GetBech32AccountAddrPrefix()),
		ValidatorAddressCodec: address.NewBech32Codec(sdk.GetConfig().GetBech32ValidatorAddrPrefix()),
		ConsensusAddressCodec: address.NewBech32Codec(sdk.GetConfig().GetBech32ConsensusAddrPrefix()),
		ClientCtx:             client.Context{}.WithInterfaceRegistry(enc.InterfaceRegistry),
	}
	root := &cobra.Command{Use: "meshd"}
	query, tx := &cobra.Command{Use: "query"}, &cobra.Command{Use: "tx"}
	root.AddCommand(query, tx)
	require.NoError(t, options.EnhanceRootCommand(root))

	commands := func(parent *cobra.Command) (names []string) {
		module, _, err := parent.Find([]string{types.ModuleName})
		require.NoError(t, err)
		require.Equal(t, types.ModuleName, module.Name())
		for _, c := range module.Commands() {
			names = append(names, c.Name())
			require.Contains(t, c.Example, types.ModuleName+" "+c.Name(), "example of %s", c.Name())
			require.NotEmpty(t, c.Short, c.Name())
		}
		return names
	}
	require.Subset(t, commands(tx), []string{"stake", "unstake", "withdraw-rewards", "submit-double-voting", "submit-misbehaviour", "cancel-stake", "pause-consumer"})
	queries := commands(query)
	require.Subset(t, queries, []string{"slashes", "sweeps", "simulate-slash", "positions", "unbondings"})
	require.Len(t, queries, service(t, "Query").Methods().Len(), "one for each method")
}

func service(t *testing.T, name string) protoreflect.ServiceDescriptor {
	t.Helper()
	d, err := proto.HybridResolver.FindDescriptorByName(protoreflect.FullName("mesh.externalstaking.v1." + name))
	require.NoError(t, err)
	return d.(protoreflect.ServiceDescriptor)
}

// Nobody but the account in a message can act for that account: it is the one who signs. Without that, anybody could
// unstake for others.
func TestMessagesAreSignedByWhomTheyActFor(t *testing.T) {
	enc := moduletestutil.MakeTestEncodingConfig(externalstaking.AppModuleBasic{})
	files, err := proto.MergedRegistry()
	require.NoError(t, err)
	require.NoError(t, msgservice.ValidateProtoAnnotations(files))
	user := sdk.AccAddress("user________________")
	actor := user.String()
	named := []sdk.Msg{
		&types.MsgRegisterConsumer{Sender: actor}, &types.MsgUpdateConsumer{Sender: actor}, &types.MsgUpdateAdmin{Sender: actor},
		&types.MsgStake{User: actor}, &types.MsgUnstake{User: actor}, &types.MsgWithdrawRewards{User: actor},
		&types.MsgSubmitDoubleVoting{Submitter: actor}, &types.MsgSubmitMisbehaviour{Submitter: actor}, &types.MsgUpdateParams{Authority: actor},
		&types.MsgCancelStake{User: actor}, &types.MsgPauseConsumer{Sender: actor}, &types.MsgEndorseConsumer{Authority: actor},
		&types.MsgRetireConsumer{Authority: actor}, &types.MsgCloseChannel{Authority: actor},
	}
	for _, msg := range named {
		signers, _, err := enc.Codec.GetMsgV1Signers(msg)
		require.NoError(t, err)
		require.Equal(t, [][]byte{user}, signers, sdk.MsgTypeURL(msg))
	}
	// No message has another signer than the account it names first.
	for i := range service(t, "Msg").Methods().Len() {
		input := service(t, "Msg").Methods().Get(i).Input()
		signer := protov2.GetExtension(input.Options(), msgv1.E_Signer)
		require.Equal(t, []string{string(input.Fields().ByNumber(1).Name())}, signer, input.Name())
		require.Contains(t, []protoreflect.Name{"sender", "user", "submitter", "authority"}, input.Fields().ByNumber(1).Name())
	}
}

func TestDefaultGenesisIsValid(t *testing.T) {
	enc := moduletestutil.MakeTestEncodingConfig(externalstaking.AppModuleBasic{}, ibctm.AppModuleBasic{})
	basic := externalstaking.AppModuleBasic{}
	require.NoError(t, basic.ValidateGenesis(enc.Codec, nil, basic.DefaultGenesis(enc.Codec)))
	require.Error(t, basic.ValidateGenesis(enc.Codec, nil, []byte(`{"params":`)))
}
