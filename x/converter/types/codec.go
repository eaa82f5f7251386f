package types

import (
	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/codec/legacy"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/msgservice"
)

// RegisterLegacyAminoCodec registers the messages under the names hardware wallets sign.
func RegisterLegacyAminoCodec(cdc *codec.LegacyAmino) {
	cdc.RegisterConcrete(&Params{}, "mesh/converter/Params", nil)
	legacy.RegisterAminoMsg(cdc, &MsgCreateConverter{}, "mesh/converter/MsgCreateConverter")
	legacy.RegisterAminoMsg(cdc, &MsgUpdateConverter{}, "mesh/converter/MsgUpdateConverter")
	legacy.RegisterAminoMsg(cdc, &MsgUpdateAdmin{}, "mesh/converter/MsgUpdateAdmin")
	legacy.RegisterAminoMsg(cdc, &MsgSetPrice{}, "mesh/converter/MsgSetPrice")
	legacy.RegisterAminoMsg(cdc, &MsgCloseChannel{}, "mesh/converter/MsgCloseChannel")
	legacy.RegisterAminoMsg(cdc, &MsgUpdateParams{}, "mesh/converter/MsgUpdateParams")
}

// RegisterInterfaces registers the messages as sdk.Msg.
func RegisterInterfaces(registry codectypes.InterfaceRegistry) {
	registry.RegisterImplementations((*sdk.Msg)(nil),
		&MsgCreateConverter{}, &MsgUpdateConverter{}, &MsgUpdateAdmin{}, &MsgSetPrice{}, &MsgCloseChannel{}, &MsgUpdateParams{})
	msgservice.RegisterMsgServiceDesc(registry, &_Msg_serviceDesc)
}
