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
	legacy.RegisterAminoMsg(cdc, &MsgDeposit{}, "mesh/vault/MsgDeposit")
	legacy.RegisterAminoMsg(cdc, &MsgWithdraw{}, "mesh/vault/MsgWithdraw")
	legacy.RegisterAminoMsg(cdc, &MsgDepositDelegation{}, "mesh/vault/MsgDepositDelegation")
	legacy.RegisterAminoMsg(cdc, &MsgWithdrawDelegation{}, "mesh/vault/MsgWithdrawDelegation")
	legacy.RegisterAminoMsg(cdc, &MsgStakeLocal{}, "mesh/vault/MsgStakeLocal")
	legacy.RegisterAminoMsg(cdc, &MsgUnstakeLocal{}, "mesh/vault/MsgUnstakeLocal")
	legacy.RegisterAminoMsg(cdc, &MsgRestakeLocal{}, "mesh/vault/MsgRestakeLocal")
	legacy.RegisterAminoMsg(cdc, &MsgWithdrawLocalRewards{}, "mesh/vault/MsgWithdrawLocalRewards")
	legacy.RegisterAminoMsg(cdc, &MsgUpdateParams{}, "mesh/vault/MsgUpdateParams")
	cdc.RegisterConcrete(&Params{}, "mesh/vault/Params", nil)
}

// RegisterInterfaces registers the messages and their service.
func RegisterInterfaces(registry cdctypes.InterfaceRegistry) {
	registry.RegisterImplementations((*sdk.Msg)(nil),
		&MsgDeposit{}, &MsgWithdraw{}, &MsgDepositDelegation{}, &MsgWithdrawDelegation{}, &MsgStakeLocal{},
		&MsgUnstakeLocal{}, &MsgRestakeLocal{}, &MsgWithdrawLocalRewards{}, &MsgUpdateParams{},
	)
	msgservice.RegisterMsgServiceDesc(registry, &_Msg_serviceDesc)
}
