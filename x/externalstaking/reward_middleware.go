package externalstaking

import (
	"fmt"

	sdk "github.com/cosmos/cosmos-sdk/types"
	transfertypes "github.com/cosmos/ibc-go/v8/modules/apps/transfer/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	porttypes "github.com/cosmos/ibc-go/v8/modules/core/05-port/types"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"

	"github.com/mesh-security/mesh/internal/isolate"
	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/keeper"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

var (
	_ porttypes.IBCModule             = RewardMiddleware{}
	_ porttypes.UpgradableModule      = RewardMiddleware{}
	_ porttypes.PacketDataUnmarshaler = RewardMiddleware{}
)

// RewardMiddleware stands above the transfer app and credits rewards. It touches only transfers to a consumer's reward
// receiver; everything else is the app's alone.
type RewardMiddleware struct {
	porttypes.IBCModule
	keeper *keeper.Keeper
}

// NewRewardMiddleware wraps the transfer app, or what already wraps it.
func NewRewardMiddleware(app porttypes.IBCModule, k *keeper.Keeper) RewardMiddleware {
	return RewardMiddleware{IBCModule: app, keeper: k}
}

// OnRecvPacket lets the app below take the tokens, then credits them. If anything is wrong with a reward transfer the
// answer is an error, which discards what the app below wrote, so that the sender is refunded.
func (m RewardMiddleware) OnRecvPacket(ctx sdk.Context, packet channeltypes.Packet, relayer sdk.AccAddress) exported.Acknowledgement {
	data, consumer, isReward := m.rewardTransfer(ctx, packet)
	if !isReward {
		return m.IBCModule.OnRecvPacket(ctx, packet, relayer)
	}
	ack, err := m.receive(ctx, packet, relayer, data, consumer)
	if err != nil {
		m.keeper.Logger(ctx).Info("reward transfer refused", "consumer", consumer, "reason", err.Error())
		return control.ErrorAck(err)
	}
	return ack
}

// rewardTransfer reads an ICS20 packet whose receiver is a reward receiver. Receivers are compared as accounts, not as
// text, which has more than one spelling.
func (m RewardMiddleware) rewardTransfer(ctx sdk.Context, packet channeltypes.Packet) (data transfertypes.FungibleTokenPacketData, consumerID uint64, ok bool) {
	if err := transfertypes.ModuleCdc.UnmarshalJSON(packet.GetData(), &data); err != nil {
		return data, 0, false
	}
	consumerID, ok = m.keeper.RewardConsumer(ctx, data.Receiver)
	return data, consumerID, ok
}

// receive runs the app below and credits the reward. A panic becomes an error, except for running out of gas: a relayer
// with too little of it must not be able to have a reward refused.
func (m RewardMiddleware) receive(
	ctx sdk.Context, packet channeltypes.Packet, relayer sdk.AccAddress, data transfertypes.FungibleTokenPacketData, consumerID uint64,
) (ack exported.Acknowledgement, err error) {
	defer func() {
		if failed := isolate.Recovered(recover()); failed != nil {
			err = types.ErrRewardRefused.Wrap(failed.Error())
		}
	}()
	ack = m.IBCModule.OnRecvPacket(ctx, packet, relayer)
	if ack == nil || !ack.Success() {
		return ack, nil
	}
	return ack, m.keeper.ReceiveReward(ctx, consumerID, packet, data)
}

// OnChanUpgradeInit implements porttypes.UpgradableModule for the app below.
func (m RewardMiddleware) OnChanUpgradeInit(
	ctx sdk.Context, portID, channelID string, order channeltypes.Order, hops []string, version string,
) (string, error) {
	app, err := m.upgradable()
	if err != nil {
		return "", err
	}
	return app.OnChanUpgradeInit(ctx, portID, channelID, order, hops, version)
}

// OnChanUpgradeTry implements porttypes.UpgradableModule for the app below.
func (m RewardMiddleware) OnChanUpgradeTry(
	ctx sdk.Context, portID, channelID string, order channeltypes.Order, hops []string, counterpartyVersion string,
) (string, error) {
	app, err := m.upgradable()
	if err != nil {
		return "", err
	}
	return app.OnChanUpgradeTry(ctx, portID, channelID, order, hops, counterpartyVersion)
}

// OnChanUpgradeAck implements porttypes.UpgradableModule for the app below.
func (m RewardMiddleware) OnChanUpgradeAck(ctx sdk.Context, portID, channelID, counterpartyVersion string) error {
	app, err := m.upgradable()
	if err != nil {
		return err
	}
	return app.OnChanUpgradeAck(ctx, portID, channelID, counterpartyVersion)
}

// OnChanUpgradeOpen implements porttypes.UpgradableModule for the app below.
func (m RewardMiddleware) OnChanUpgradeOpen(
	ctx sdk.Context, portID, channelID string, order channeltypes.Order, hops []string, version string,
) {
	if app, err := m.upgradable(); err == nil {
		app.OnChanUpgradeOpen(ctx, portID, channelID, order, hops, version)
	}
}

// UnmarshalPacketData implements porttypes.PacketDataUnmarshaler for the app below.
func (m RewardMiddleware) UnmarshalPacketData(bz []byte) (any, error) {
	app, ok := m.IBCModule.(porttypes.PacketDataUnmarshaler)
	if !ok {
		return nil, fmt.Errorf("%T cannot unmarshal packet data", m.IBCModule)
	}
	return app.UnmarshalPacketData(bz)
}

func (m RewardMiddleware) upgradable() (porttypes.UpgradableModule, error) {
	app, ok := m.IBCModule.(porttypes.UpgradableModule)
	if !ok {
		return nil, porttypes.ErrInvalidRoute.Wrapf("%T does not support channel upgrades", m.IBCModule)
	}
	return app, nil
}
