package keeper

import (
	errorsmod "cosmossdk.io/errors"
	"github.com/cosmos/cosmos-sdk/telemetry"
	sdk "github.com/cosmos/cosmos-sdk/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	host "github.com/cosmos/ibc-go/v8/modules/core/24-host"

	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// PauseConsumer stops new stake on a consumer, or allows it again; sender must be the admin or the authority.
func (k *Keeper) PauseConsumer(ctx sdk.Context, sender sdk.AccAddress, id uint64, paused bool) error {
	consumer, err := k.authorisedConsumer(ctx, sender, id)
	if err != nil {
		return err
	}
	consumer.Paused = paused
	return k.updateConsumer(ctx, consumer)
}

// EndorseConsumer marks a consumer for front ends, or takes that back. Nothing here depends on it: IBC does not verify the
// parameters a light client was created with, so somebody must look at them.
func (k *Keeper) EndorseConsumer(ctx sdk.Context, id uint64, endorsed bool) error {
	consumer, err := k.GetConsumer(ctx, id)
	if err != nil {
		return err
	}
	consumer.Endorsed = endorsed
	return k.updateConsumer(ctx, consumer)
}

// CloseControlChannel closes this chain's end of a consumer's control channel and returns its id. A channel can be opened
// again only when both ends are closed, and that must not depend on what relayers remember. What counts is core IBC's state:
// a retired consumer is left without closing the channel while its light client is not active. Core IBC closes none before
// that is.
func (k *Keeper) CloseControlChannel(ctx sdk.Context, id uint64) (string, error) {
	consumer, err := k.GetConsumer(ctx, id)
	if err != nil {
		return "", err
	}
	port := types.Port(id)
	channel, found := k.channelKeeper.GetChannel(ctx, port, consumer.ChannelID)
	if !found || channel.State != channeltypes.OPEN {
		return "", errorsmod.Wrapf(types.ErrChannelNotUsable, "control channel %q of consumer %d is %s; only an open one can be closed", consumer.ChannelID, id, channel.State)
	}
	capability, found := k.scopedKeeper.GetCapability(ctx, host.ChannelCapabilityPath(port, consumer.ChannelID))
	if !found {
		return "", types.ErrChannelNotUsable.Wrapf("no capability for channel %s", consumer.ChannelID)
	}
	if err := k.channelKeeper.ChanCloseInit(ctx, port, consumer.ChannelID, capability); err != nil {
		return "", err
	}
	return consumer.ChannelID, k.closeChannel(ctx, consumer, consumer.ChannelID, "closed by the authority")
}

// RetireConsumer leaves a consumer for good: from now on all stake on it counts for nothing, and EndBlock makes it unbond.
func (k *Keeper) RetireConsumer(ctx sdk.Context, id uint64) error {
	consumer, err := k.GetConsumer(ctx, id)
	if err != nil {
		return err
	}
	if consumer.Retired {
		return errorsmod.Wrapf(types.ErrRetired, "consumer %d was retired before", id)
	}
	consumer.Retired = true
	if err := k.updateConsumer(ctx, consumer); err != nil {
		return err
	}
	if err := k.setRetirement(ctx, id, types.Retirement{}); err != nil {
		return err
	}
	telemetry.IncrCounter(1, types.ModuleName, "consumers", "retired")
	return emit(ctx, &types.EventConsumerRetired{ConsumerID: id})
}

// checkTakesStake refuses new stake on a consumer that is paused or retired.
func checkTakesStake(consumer types.Consumer) error {
	switch {
	case consumer.Retired:
		return errorsmod.Wrapf(types.ErrRetired, "consumer %d takes no stake any more; what you have there unbonds", consumer.ID)
	case consumer.Paused:
		return errorsmod.Wrapf(types.ErrPaused, "consumer %d takes no stake until its admin or the authority allows it again; unstaking goes on", consumer.ID)
	}
	return nil
}

// onlyAuthority refuses everybody but the authority; what says what was asked.
func (k *Keeper) onlyAuthority(sender, what string) error {
	if sender != k.authority {
		return errorsmod.Wrapf(types.ErrUnauthorized, "%s may not %s, only %s may: make a governance proposal", sender, what, k.authority)
	}
	return nil
}
