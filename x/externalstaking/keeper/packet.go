package keeper

import (
	"context"
	"errors"

	errorsmod "cosmossdk.io/errors"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/internal/isolate"
	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// ReceivePacket applies a packet of a consumer's bound control channel: all of it, but for single bad entries that are
// skipped with an event, or nothing and an error. The error is always a registered one, so that every node answers the
// same; a panic, too, becomes one. Only running out of gas is passed on.
func (k *Keeper) ReceivePacket(ctx sdk.Context, port, channelID string, data []byte) error {
	err := isolate.Try(ctx, func(ctx sdk.Context) error {
		consumer, err := k.boundConsumer(ctx, port, channelID)
		if err != nil {
			return err
		}
		sync, err := control.DecodeValidatorSync(data)
		if err != nil {
			return err
		}
		return k.receiveValidatorSync(ctx, consumer, sync)
	})
	if err == nil {
		return nil
	}
	k.Logger(ctx).Info("packet refused", "port", port, "channel", channelID, "reason", err.Error())
	var registered *errorsmod.Error
	if !errors.As(err, &registered) {
		return errorsmod.Wrap(types.ErrPacketFailed, err.Error())
	}
	return err
}

// boundConsumer returns the consumer whose live control channel it is.
func (k *Keeper) boundConsumer(ctx context.Context, port, channelID string) (types.Consumer, error) {
	consumer, err := k.consumerOfPort(ctx, port)
	if err != nil {
		return types.Consumer{}, err
	}
	if consumer.Status != types.ConsumerOpen || consumer.ChannelID != channelID {
		return types.Consumer{}, errorsmod.Wrapf(types.ErrForeignChannel, "%s; consumer %d has %q and is %s", channelID, consumer.ID, consumer.ChannelID, consumer.Status)
	}
	return consumer, nil
}

// AcknowledgePacket ends the batch that a packet of ours carried. An answer this protocol does not know counts as a
// refusal: whatever the consumer did with the packet, its next report of the total shows. The consumer writes the text
// of a refusal, so only its beginning is kept.
func (k *Keeper) AcknowledgePacket(ctx sdk.Context, channelID string, sequence uint64, bz []byte) {
	ack, refused, err := control.ParseStakeSyncAck(bz)
	if err != nil {
		refused = "unknown acknowledgement: " + err.Error()
	}
	k.isolated(ctx, "acknowledgement", channelID, func(ctx sdk.Context) error {
		if refused != "" {
			k.RefuseBatch(ctx, channelID, sequence, shorten(refused, maxRefusalBytes))
		} else {
			k.AckBatch(ctx, channelID, sequence, ack)
		}
		return nil
	})
}

// TimeoutPacket ends the batch that a packet of ours carried, and notes that the channel has closed, each even if the
// other fails. A late timeout of an old channel finds its batch by channel and sequence.
func (k *Keeper) TimeoutPacket(ctx sdk.Context, port, channelID string, sequence uint64) {
	k.isolated(ctx, "closure", channelID, func(ctx sdk.Context) error {
		consumer, err := k.consumerOfPort(ctx, port)
		if err != nil {
			return err
		}
		return k.closeChannel(ctx, consumer, channelID, "a packet timed out")
	})
	k.isolated(ctx, "timeout", channelID, func(ctx sdk.Context) error {
		k.TimeoutBatch(ctx, channelID, sequence)
		return nil
	})
}

// isolated runs what follows from an acknowledgement or a timeout: an error there would jam an ordered channel for
// ever, so it is only logged. Running out of gas is passed on.
func (k *Keeper) isolated(ctx sdk.Context, what, channelID string, fn func(sdk.Context) error) {
	if err := isolate.Try(ctx, fn); err != nil {
		k.Logger(ctx).Error("packet could not be ended", "what", what, "channel", channelID, "reason", err.Error())
	}
}
