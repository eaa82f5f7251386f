package keeper

import (
	errorsmod "cosmossdk.io/errors"
	"github.com/cosmos/cosmos-sdk/telemetry"
	sdk "github.com/cosmos/cosmos-sdk/types"
	connectiontypes "github.com/cosmos/ibc-go/v8/modules/core/03-connection/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	host "github.com/cosmos/ibc-go/v8/modules/core/24-host"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"
	ibctm "github.com/cosmos/ibc-go/v8/modules/light-clients/07-tendermint"

	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// channelUsable returns nil if a packet can be sent to the consumer now: its control channel is bound and open, and
// the light client is active. Otherwise ErrChannelNotUsable says what is missing.
func (k *Keeper) channelUsable(ctx sdk.Context, consumer types.Consumer) error {
	if consumer.Status != types.ConsumerOpen {
		return errorsmod.Wrapf(types.ErrChannelNotUsable, "consumer %d is %s; stake once its control channel is open", consumer.ID, consumer.Status)
	}
	channel, found := k.channelKeeper.GetChannel(ctx, types.Port(consumer.ID), consumer.ChannelID)
	if !found || channel.State != channeltypes.OPEN {
		return errorsmod.Wrapf(types.ErrChannelNotUsable, "control channel %s of consumer %d is %s", consumer.ChannelID, consumer.ID, channel.State)
	}
	if status := k.clientStatus(ctx, consumer.ClientID); status != exported.Active {
		return errorsmod.Wrapf(types.ErrChannelNotUsable, "light client %s of consumer %d is %s", consumer.ClientID, consumer.ID, status)
	}
	return nil
}

// clientStatus is Unknown for a client that does not exist.
func (k *Keeper) clientStatus(ctx sdk.Context, clientID string) exported.Status {
	client, found := k.clientKeeper.GetClientState(ctx, clientID)
	if !found {
		return exported.Unknown
	}
	return k.clientKeeper.GetClientStatus(ctx, client, clientID)
}

// connectionClient returns the active tendermint client behind an open connection.
func (k *Keeper) connectionClient(ctx sdk.Context, connectionID string) (string, *ibctm.ClientState, error) {
	connection, found := k.connectionKeeper.GetConnection(ctx, connectionID)
	if !found {
		return "", nil, errorsmod.Wrapf(types.ErrInvalidConnection, "%q does not exist", connectionID)
	}
	if connection.State != connectiontypes.OPEN {
		return "", nil, errorsmod.Wrapf(types.ErrInvalidConnection, "%s is %s, it must be open", connectionID, connection.State)
	}
	client, err := k.tendermintClient(ctx, connection.ClientId)
	if err != nil {
		return "", nil, err
	}
	if status := k.clientKeeper.GetClientStatus(ctx, client, connection.ClientId); status != exported.Active {
		return "", nil, errorsmod.Wrapf(types.ErrInvalidConnection, "light client %s is %s, it must be active", connection.ClientId, status)
	}
	return connection.ClientId, client, nil
}

// tendermintClient returns a light client's state; only tendermint clients tell an unbonding period.
func (k *Keeper) tendermintClient(ctx sdk.Context, clientID string) (*ibctm.ClientState, error) {
	state, found := k.clientKeeper.GetClientState(ctx, clientID)
	if !found {
		return nil, errorsmod.Wrapf(types.ErrInvalidConnection, "light client %s does not exist", clientID)
	}
	client, ok := state.(*ibctm.ClientState)
	if !ok {
		return nil, errorsmod.Wrapf(types.ErrInvalidConnection, "light client %s is a %s, it must be a %s", clientID, state.ClientType(), exported.Tendermint)
	}
	return client, nil
}

// bindPort binds the consumer's port unless this module has it already.
func (k *Keeper) bindPort(ctx sdk.Context, consumerID uint64) error {
	path := host.PortPath(types.Port(consumerID))
	if _, bound := k.scopedKeeper.GetCapability(ctx, path); bound {
		return nil
	}
	return k.scopedKeeper.ClaimCapability(ctx, k.portKeeper.BindPort(ctx, types.Port(consumerID)), path)
}

// closeChannel notes that the consumer's control channel has closed; a channel that is not the bound one is ignored.
func (k *Keeper) closeChannel(ctx sdk.Context, consumer types.Consumer, channelID, reason string) error {
	if consumer.Status != types.ConsumerOpen || consumer.ChannelID != channelID {
		return nil
	}
	consumer.Status = types.ConsumerClosed
	if err := k.Consumers.Set(ctx, consumer.ID, consumer); err != nil {
		return err
	}
	if err := k.lookAtRetirement(ctx, consumer.ID); err != nil {
		return err
	}
	telemetry.IncrCounter(1, types.ModuleName, "channels", "closed")
	return ctx.EventManager().EmitTypedEvent(&types.EventChannelClosed{ConsumerID: consumer.ID, ChannelID: channelID, Reason: reason})
}
