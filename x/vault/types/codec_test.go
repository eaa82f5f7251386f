package types_test

import (
	"testing"

	"cosmossdk.io/math"
	"cosmossdk.io/x/tx/signing/aminojson"
	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/codec/testutil"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/msgservice"
	"github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"
	protov2 "google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/mesh-security/mesh/x/vault/types"
)

var (
	user     = sdk.AccAddress("user________________").String()
	operator = sdk.ValAddress("user________________").String()
	messages = []sdk.Msg{
		&types.MsgDeposit{User: user, Amount: sdk.NewInt64Coin("stake", 5)},
		&types.MsgWithdraw{User: user, Amount: sdk.NewInt64Coin("stake", 5)},
		&types.MsgDepositDelegation{User: user, Validator: operator, Amount: sdk.NewInt64Coin("stake", 5)},
		&types.MsgWithdrawDelegation{User: user, Validator: operator, Amount: sdk.NewInt64Coin("stake", 5)},
		&types.MsgStakeLocal{User: user, Validator: operator, Amount: sdk.NewInt64Coin("stake", 5)},
		&types.MsgUnstakeLocal{User: user, Validator: operator, Amount: sdk.NewInt64Coin("stake", 5)},
		&types.MsgRestakeLocal{User: user, ValidatorSrc: operator, ValidatorDst: operator, Amount: sdk.NewInt64Coin("stake", 5)},
		&types.MsgWithdrawLocalRewards{User: user, Validator: operator},
		&types.MsgWithdrawLocalRewards{User: user},
		&types.MsgUpdateParams{Authority: user, Params: types.Params{MaxCollateralUse: math.LegacyNewDecWithPrec(5, 1), MaxConsumersPerUser: 7}},
		&types.MsgUpdateParams{Authority: user, Params: types.DefaultParams()},
	}
)

// Hardware wallets sign the amino JSON; the two encoders of the SDK must agree on it.
func TestAminoJSON(t *testing.T) {
	legacy := codec.NewLegacyAmino()
	types.RegisterLegacyAminoCodec(legacy)
	resolver, err := proto.MergedRegistry()
	require.NoError(t, err)
	encoder := aminojson.NewEncoder(aminojson.EncoderOptions{FileResolver: resolver, TypeResolver: dynamicpb.NewTypes(resolver)})
	for _, msg := range messages {
		want, err := legacy.MarshalJSON(msg)
		require.NoError(t, err)
		bz, err := proto.Marshal(msg)
		require.NoError(t, err)
		descriptor, err := resolver.FindDescriptorByName(protoreflect.FullName(proto.MessageName(msg)))
		require.NoError(t, err)
		dynamic := dynamicpb.NewMessage(descriptor.(protoreflect.MessageDescriptor))
		require.NoError(t, protov2.Unmarshal(bz, dynamic))
		got, err := encoder.Marshal(dynamic)
		require.NoError(t, err)
		require.JSONEq(t, string(want), string(got))
	}
}

func TestMessagesHaveSigners(t *testing.T) {
	registry := testutil.CodecOptions{}.NewInterfaceRegistry()
	types.RegisterInterfaces(registry)
	files, err := proto.MergedRegistry()
	require.NoError(t, err)
	require.NoError(t, msgservice.ValidateProtoAnnotations(files))
	cdc := codec.NewProtoCodec(registry)
	for _, msg := range messages {
		signers, _, err := cdc.GetMsgV1Signers(msg)
		require.NoError(t, err)
		require.Equal(t, [][]byte{[]byte("user________________")}, signers)
	}
}
