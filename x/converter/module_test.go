package converter_test

import (
	"testing"

	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	moduletestutil "github.com/cosmos/cosmos-sdk/types/module/testutil"
	"github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/converter"
	"github.com/mesh-security/mesh/x/converter/types"
)

func TestMessagesAreRegistered(t *testing.T) {
	enc := moduletestutil.MakeTestEncodingConfig(converter.AppModuleBasic{})
	for _, msg := range []sdk.Msg{
		&types.MsgCreateConverter{}, &types.MsgUpdateConverter{}, &types.MsgUpdateAdmin{}, &types.MsgSetPrice{}, &types.MsgUpdateParams{},
	} {
		_, err := enc.InterfaceRegistry.Resolve(sdk.MsgTypeURL(msg))
		require.NoError(t, err, proto.MessageName(msg))
	}
	amino := codec.NewLegacyAmino()
	require.NotPanics(t, func() { converter.AppModuleBasic{}.RegisterLegacyAminoCodec(amino) })
}

func TestDefaultGenesisIsValid(t *testing.T) {
	enc := moduletestutil.MakeTestEncodingConfig(converter.AppModuleBasic{})
	basic := converter.AppModuleBasic{}
	require.Equal(t, "converter", basic.Name())
	require.NoError(t, basic.ValidateGenesis(enc.Codec, nil, basic.DefaultGenesis(enc.Codec)))
}

// Every method of both services has a command, by autocli or by hand, and every command an example.
func TestEveryServiceMethodHasACommand(t *testing.T) {
	options := converter.AppModule{}.AutoCLIOptions()
	queries := map[string]bool{}
	for _, c := range options.Query.RpcCommandOptions {
		queries[c.RpcMethod] = true
		require.NotEmpty(t, c.Example, c.RpcMethod)
	}
	require.Len(t, queries, 6)
	require.True(t, options.Tx.EnhanceCustomCommand)
	names := map[string]bool{}
	for _, c := range (converter.AppModuleBasic{}).GetTxCmd().Commands() {
		names[c.Name()] = true
		require.Contains(t, c.Example, c.Name())
	}
	require.Equal(t, map[string]bool{
		"create-converter": true, "update-converter": true, "update-admin": true, "set-price": true, "draft-close-channel": true,
		"draft-update-params": true,
	}, names)
}
