package externalstaking

import (
	errorsmod "cosmossdk.io/errors"
	sdk "github.com/cosmos/cosmos-sdk/types"
	capabilitytypes "github.com/cosmos/ibc-go/modules/capability/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	porttypes "github.com/cosmos/ibc-go/v8/modules/core/05-port/types"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/keeper"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

var _ porttypes.IBCModule = IBCModule{}

// IBCModule is the provider's end of the control channel.
type IBCModule struct {
	keeper *keeper.Keeper
}

// NewIBCModule returns the module's route for the IBC router.
func NewIBCModule(k *keeper.Keeper) IBCModule { return IBCModule{keeper: k} }

// OnChanOpenInit refuses: the consumer starts the handshake.
func (IBCModule) OnChanOpenInit(
	_ sdk.Context, _ channeltypes.Order, _ []string, port, _ string, _ *capabilitytypes.Capability, _ channeltypes.Counterparty, _ string,
) (string, error) {
	return "", errorsmod.Wrapf(types.ErrInvalidHandshake, "a control channel starts at the consumer's converter, not at %s", port)
}

// OnChanOpenTry answers the consumer's proposal.
func (m IBCModule) OnChanOpenTry(
	ctx sdk.Context, order channeltypes.Order, connectionHops []string, port, channelID string,
	channelCap *capabilitytypes.Capability, counterparty channeltypes.Counterparty, version string,
) (string, error) {
	return m.keeper.TryChannel(ctx, keeper.Handshake{
		Order: order, ConnectionHops: connectionHops, Port: port, ChannelID: channelID,
		Capability: channelCap, CounterpartyPort: counterparty.PortId, Version: version,
	})
}

// OnChanOpenAck refuses: only the end that started the handshake gets here.
func (IBCModule) OnChanOpenAck(_ sdk.Context, port, _, _, _ string) error {
	return errorsmod.Wrapf(types.ErrInvalidHandshake, "a control channel starts at the consumer's converter, not at %s", port)
}

// OnChanOpenConfirm binds the channel.
func (m IBCModule) OnChanOpenConfirm(ctx sdk.Context, port, channelID string) error {
	return m.keeper.ConfirmChannel(ctx, port, channelID)
}

// OnChanCloseInit refuses: closing would strand what is in flight, so no message may do it.
func (IBCModule) OnChanCloseInit(_ sdk.Context, port, channelID string) error {
	return errorsmod.Wrapf(types.ErrCloseRefused, "%s on %s; it closes only by a timeout", channelID, port)
}

// OnChanCloseConfirm notes that the consumer's end has closed.
func (m IBCModule) OnChanCloseConfirm(ctx sdk.Context, port, channelID string) error {
	return m.keeper.CloseChannel(ctx, port, channelID)
}

// OnRecvPacket is total: every packet gets an acknowledgement and nothing panics. Running out of gas is passed on, so
// that a relayer with too little of it cannot forge a failure.
func (m IBCModule) OnRecvPacket(ctx sdk.Context, packet channeltypes.Packet, _ sdk.AccAddress) exported.Acknowledgement {
	if err := m.keeper.ReceivePacket(ctx, packet.DestinationPort, packet.DestinationChannel, packet.Data); err != nil {
		return control.ErrorAck(err)
	}
	return control.ValidatorSyncResult()
}

// OnAcknowledgementPacket never fails: an error would jam the ordered channel for ever.
func (m IBCModule) OnAcknowledgementPacket(ctx sdk.Context, packet channeltypes.Packet, ack []byte, _ sdk.AccAddress) error {
	m.keeper.AcknowledgePacket(ctx, packet.SourceChannel, packet.Sequence, ack)
	return nil
}

// OnTimeoutPacket never fails. The channel has closed by then, as every timeout closes an ordered channel.
func (m IBCModule) OnTimeoutPacket(ctx sdk.Context, packet channeltypes.Packet, _ sdk.AccAddress) error {
	m.keeper.TimeoutPacket(ctx, packet.SourcePort, packet.SourceChannel, packet.Sequence)
	return nil
}
