package converter

import (
	errorsmod "cosmossdk.io/errors"
	sdk "github.com/cosmos/cosmos-sdk/types"
	capabilitytypes "github.com/cosmos/ibc-go/modules/capability/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	porttypes "github.com/cosmos/ibc-go/v8/modules/core/05-port/types"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"

	"github.com/mesh-security/mesh/x/converter/keeper"
	"github.com/mesh-security/mesh/x/converter/types"
)

var _ porttypes.IBCModule = IBCModule{}

// IBCModule is the consumer's end of the control channel. It is not upgradable: the version is settled at the handshake.
type IBCModule struct{ keeper *keeper.Keeper }

// NewIBCModule returns the IBC callbacks around k.
func NewIBCModule(k *keeper.Keeper) IBCModule { return IBCModule{keeper: k} }

// OnChanOpenInit starts a handshake; only this end does.
func (im IBCModule) OnChanOpenInit(
	ctx sdk.Context, order channeltypes.Order, hops []string, portID, channelID string,
	capability *capabilitytypes.Capability, counterparty channeltypes.Counterparty, version string,
) (string, error) {
	return im.keeper.OpenInit(ctx, keeper.ChannelEnd{
		Order: order, Hops: hops, Port: portID, ChannelID: channelID, CounterpartyPort: counterparty.PortId,
	}, capability, version)
}

// OnChanOpenTry is refused: the provider does not start handshakes.
func (IBCModule) OnChanOpenTry(
	_ sdk.Context, _ channeltypes.Order, _ []string, portID, _ string,
	_ *capabilitytypes.Capability, _ channeltypes.Counterparty, _ string,
) (string, error) {
	return "", errorsmod.Wrapf(types.ErrHandshake, "a handshake starts with ChannelOpenInit on %s", portID)
}

// OnChanOpenAck verifies the provider's answer and binds the channel.
func (im IBCModule) OnChanOpenAck(ctx sdk.Context, portID, channelID, _, counterpartyVersion string) error {
	return im.keeper.OpenAck(ctx, portID, channelID, counterpartyVersion)
}

// OnChanOpenConfirm is refused: it belongs to the end that did not start the handshake.
func (IBCModule) OnChanOpenConfirm(_ sdk.Context, portID, _ string) error {
	return errorsmod.Wrapf(types.ErrHandshake, "a handshake on %s ends with ChannelOpenAck", portID)
}

// OnChanCloseInit is refused: stake counted here must not be let go by anybody's message.
func (IBCModule) OnChanCloseInit(_ sdk.Context, portID, channelID string) error {
	return errorsmod.Wrapf(types.ErrChannelClose, "%s on %s", channelID, portID)
}

// OnChanCloseConfirm follows the closure of the other end.
func (im IBCModule) OnChanCloseConfirm(ctx sdk.Context, portID, channelID string) error {
	im.keeper.Guard(ctx, "close confirm", func(ctx sdk.Context) error {
		return im.keeper.ChannelClosed(ctx, portID, channelID, "closed by the provider")
	})
	return nil
}

// OnRecvPacket answers every packet.
func (im IBCModule) OnRecvPacket(ctx sdk.Context, packet channeltypes.Packet, _ sdk.AccAddress) exported.Acknowledgement {
	return im.keeper.ReceivePacket(ctx, packet)
}

// OnAcknowledgementPacket never fails.
func (im IBCModule) OnAcknowledgementPacket(ctx sdk.Context, packet channeltypes.Packet, ack []byte, _ sdk.AccAddress) error {
	im.keeper.Guard(ctx, "acknowledgement", func(ctx sdk.Context) error {
		return im.keeper.ReportAcknowledged(ctx, packet, ack)
	})
	return nil
}

// OnTimeoutPacket never fails. The channel is ordered, so it has been closed by then.
func (im IBCModule) OnTimeoutPacket(ctx sdk.Context, packet channeltypes.Packet, _ sdk.AccAddress) error {
	im.keeper.Guard(ctx, "timeout", func(ctx sdk.Context) error {
		return im.keeper.ChannelClosed(ctx, packet.SourcePort, packet.SourceChannel, "a packet timed out")
	})
	return nil
}
