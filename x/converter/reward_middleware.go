package converter

import (
	errorsmod "cosmossdk.io/errors"
	sdk "github.com/cosmos/cosmos-sdk/types"
	transfertypes "github.com/cosmos/ibc-go/v8/modules/apps/transfer/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	porttypes "github.com/cosmos/ibc-go/v8/modules/core/05-port/types"

	"github.com/mesh-security/mesh/x/converter/keeper"
)

var (
	_ porttypes.IBCModule             = RewardMiddleware{}
	_ porttypes.UpgradableModule      = RewardMiddleware{}
	_ porttypes.PacketDataUnmarshaler = RewardMiddleware{}
)

// RewardMiddleware sits on the transfer stack, below the fee middleware if there is one, and learns how the converters'
// own reward transfers ended. It leaves everything else alone, never fails by itself, and is not in the way of sending:
// it wraps no ICS4Wrapper.
type RewardMiddleware struct {
	porttypes.IBCModule
	keeper *keeper.Keeper
}

// NewRewardMiddleware wraps app.
func NewRewardMiddleware(app porttypes.IBCModule, k *keeper.Keeper) RewardMiddleware {
	return RewardMiddleware{IBCModule: app, keeper: k}
}

// OnAcknowledgementPacket lets the app below refund first; then what came back waits again.
func (m RewardMiddleware) OnAcknowledgementPacket(ctx sdk.Context, packet channeltypes.Packet, acknowledgement []byte, relayer sdk.AccAddress) error {
	if err := m.IBCModule.OnAcknowledgementPacket(ctx, packet, acknowledgement, relayer); err != nil {
		return err
	}
	m.resolved(ctx, packet, func() (string, error) {
		var ack channeltypes.Acknowledgement
		if err := transfertypes.ModuleCdc.UnmarshalJSON(acknowledgement, &ack); err != nil {
			return "", err
		}
		if ack.Success() {
			return "", nil
		}
		return "refused: " + ack.GetError(), nil
	})
	return nil
}

// OnTimeoutPacket lets the app below refund first; then what came back waits again.
func (m RewardMiddleware) OnTimeoutPacket(ctx sdk.Context, packet channeltypes.Packet, relayer sdk.AccAddress) error {
	if err := m.IBCModule.OnTimeoutPacket(ctx, packet, relayer); err != nil {
		return err
	}
	m.resolved(ctx, packet, func() (string, error) { return "timed out", nil })
	return nil
}

func (m RewardMiddleware) resolved(ctx sdk.Context, packet channeltypes.Packet, refused func() (string, error)) {
	if packet.SourcePort != transfertypes.PortID {
		return
	}
	m.keeper.Guard(ctx, "reward transfer", func(ctx sdk.Context) error {
		why, err := refused()
		if err != nil {
			return err
		}
		return m.keeper.TransferResolved(ctx, packet.SourceChannel, packet.Sequence, why)
	})
}

// OnChanUpgradeInit forwards.
func (m RewardMiddleware) OnChanUpgradeInit(ctx sdk.Context, portID, channelID string, order channeltypes.Order, hops []string, version string) (string, error) {
	app, err := m.upgradable()
	if err != nil {
		return "", err
	}
	return app.OnChanUpgradeInit(ctx, portID, channelID, order, hops, version)
}

// OnChanUpgradeTry forwards.
func (m RewardMiddleware) OnChanUpgradeTry(ctx sdk.Context, portID, channelID string, order channeltypes.Order, hops []string, counterpartyVersion string) (string, error) {
	app, err := m.upgradable()
	if err != nil {
		return "", err
	}
	return app.OnChanUpgradeTry(ctx, portID, channelID, order, hops, counterpartyVersion)
}

// OnChanUpgradeAck forwards.
func (m RewardMiddleware) OnChanUpgradeAck(ctx sdk.Context, portID, channelID, counterpartyVersion string) error {
	app, err := m.upgradable()
	if err != nil {
		return err
	}
	return app.OnChanUpgradeAck(ctx, portID, channelID, counterpartyVersion)
}

// OnChanUpgradeOpen forwards; an app that cannot upgrade has refused the upgrade before.
func (m RewardMiddleware) OnChanUpgradeOpen(ctx sdk.Context, portID, channelID string, order channeltypes.Order, hops []string, version string) {
	if app, err := m.upgradable(); err == nil {
		app.OnChanUpgradeOpen(ctx, portID, channelID, order, hops, version)
	}
}

func (m RewardMiddleware) upgradable() (porttypes.UpgradableModule, error) {
	app, ok := m.IBCModule.(porttypes.UpgradableModule)
	if !ok {
		return nil, errorsmod.Wrap(porttypes.ErrInvalidRoute, "the application below cannot upgrade channels")
	}
	return app, nil
}

// UnmarshalPacketData forwards.
func (m RewardMiddleware) UnmarshalPacketData(bz []byte) (interface{}, error) {
	app, ok := m.IBCModule.(porttypes.PacketDataUnmarshaler)
	if !ok {
		return nil, errorsmod.Wrap(porttypes.ErrInvalidRoute, "the application below does not unmarshal packet data")
	}
	return app.UnmarshalPacketData(bz)
}
