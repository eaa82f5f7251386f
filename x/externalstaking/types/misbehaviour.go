package types

import (
	cdctypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"
)

var _ cdctypes.UnpackInterfacesMessage = (*MsgSubmitMisbehaviour)(nil)

// UnpackInterfaces unpacks the misbehaviour.
func (m *MsgSubmitMisbehaviour) UnpackInterfaces(unpacker cdctypes.AnyUnpacker) error {
	var message exported.ClientMessage
	return unpacker.UnpackAny(m.Misbehaviour, &message)
}
