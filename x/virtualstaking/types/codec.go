package types

import (
	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/codec/legacy"
	cdctypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/msgservice"
)

// RegisterLegacyAminoCodec registers the messages for signing with a ledger.
func RegisterLegacyAminoCodec(cdc *codec.LegacyAmino) {
	cdc.RegisterConcrete(Params{}, "mesh/virtualstaking/Params", nil)
	legacy.RegisterAminoMsg(cdc, &MsgSetMaxCap{}, "mesh/virtualstaking/MsgSetMaxCap")
	legacy.RegisterAminoMsg(cdc, &MsgUpdateParams{}, "mesh/virtualstaking/MsgUpdateParams")
}

// RegisterInterfaces registers the messages.
func RegisterInterfaces(registry cdctypes.InterfaceRegistry) {
	registry.RegisterImplementations((*sdk.Msg)(nil), &MsgSetMaxCap{}, &MsgUpdateParams{})
	msgservice.RegisterMsgServiceDesc(registry, &_Msg_serviceDesc)
}
