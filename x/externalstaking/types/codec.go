package types

import (
	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/codec/legacy"
	cdctypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/msgservice"
)

// RegisterLegacyAminoCodec registers the messages under the names that hardware wallets sign.
func RegisterLegacyAminoCodec(cdc *codec.LegacyAmino) {
	legacy.RegisterAminoMsg(cdc, &MsgRegisterConsumer{}, "mesh/xs/MsgRegisterConsumer")
	legacy.RegisterAminoMsg(cdc, &MsgUpdateConsumer{}, "mesh/xs/MsgUpdateConsumer")
	legacy.RegisterAminoMsg(cdc, &MsgUpdateAdmin{}, "mesh/xs/MsgUpdateAdmin")
	legacy.RegisterAminoMsg(cdc, &MsgStake{}, "mesh/xs/MsgStake")
	legacy.RegisterAminoMsg(cdc, &MsgUnstake{}, "mesh/xs/MsgUnstake")
	legacy.RegisterAminoMsg(cdc, &MsgWithdrawRewards{}, "mesh/xs/MsgWithdrawRewards")
	legacy.RegisterAminoMsg(cdc, &MsgSubmitDoubleVoting{}, "mesh/xs/MsgSubmitDoubleVoting")
	legacy.RegisterAminoMsg(cdc, &MsgSubmitMisbehaviour{}, "mesh/xs/MsgSubmitMisbehaviour")
	legacy.RegisterAminoMsg(cdc, &MsgCancelStake{}, "mesh/xs/MsgCancelStake")
	legacy.RegisterAminoMsg(cdc, &MsgPauseConsumer{}, "mesh/xs/MsgPauseConsumer")
	legacy.RegisterAminoMsg(cdc, &MsgEndorseConsumer{}, "mesh/xs/MsgEndorseConsumer")
	legacy.RegisterAminoMsg(cdc, &MsgRetireConsumer{}, "mesh/xs/MsgRetireConsumer")
	legacy.RegisterAminoMsg(cdc, &MsgCloseChannel{}, "mesh/xs/MsgCloseChannel")
	legacy.RegisterAminoMsg(cdc, &MsgUpdateParams{}, "mesh/xs/MsgUpdateParams")
	cdc.RegisterConcrete(&Params{}, "mesh/xs/Params", nil)
}

// RegisterInterfaces registers the messages and their service.
func RegisterInterfaces(registry cdctypes.InterfaceRegistry) {
	registry.RegisterImplementations((*sdk.Msg)(nil),
		&MsgRegisterConsumer{}, &MsgUpdateConsumer{}, &MsgUpdateAdmin{},
		&MsgStake{}, &MsgUnstake{}, &MsgWithdrawRewards{},
		&MsgSubmitDoubleVoting{}, &MsgSubmitMisbehaviour{},
		&MsgCancelStake{}, &MsgPauseConsumer{}, &MsgEndorseConsumer{}, &MsgRetireConsumer{}, &MsgCloseChannel{}, &MsgUpdateParams{},
	)
	msgservice.RegisterMsgServiceDesc(registry, &_Msg_serviceDesc)
}
