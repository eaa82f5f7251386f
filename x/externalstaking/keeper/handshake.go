package keeper

import (
	"slices"

	errorsmod "cosmossdk.io/errors"
	"github.com/cosmos/cosmos-sdk/telemetry"
	sdk "github.com/cosmos/cosmos-sdk/types"
	capabilitytypes "github.com/cosmos/ibc-go/modules/capability/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	host "github.com/cosmos/ibc-go/v8/modules/core/24-host"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// Handshake is what a relayer brings to Try.
type Handshake struct {
	Order            channeltypes.Order
	ConnectionHops   []string
	Port             string
	ChannelID        string
	Capability       *capabilitytypes.Capability
	CounterpartyPort string
	// Version is the consumer's proposal.
	Version string
}

// TryChannel answers a consumer's proposal. It binds nothing: several handshakes may be started, and the first that
// reaches Confirm wins, so that a stranger's half-open one blocks nobody.
func (k *Keeper) TryChannel(ctx sdk.Context, h Handshake) (string, error) {
	consumer, err := k.consumerOfPort(ctx, h.Port)
	if err != nil {
		return "", err
	}
	switch {
	case h.Order != channeltypes.ORDERED:
		return "", errorsmod.Wrapf(types.ErrInvalidHandshake, "channel is %s, it must be ordered", h.Order)
	case !slices.Equal(h.ConnectionHops, []string{consumer.ConnectionID}):
		return "", errorsmod.Wrapf(types.ErrInvalidHandshake, "channel runs over %v, consumer %d is registered for %s alone", h.ConnectionHops, consumer.ID, consumer.ConnectionID)
	case h.CounterpartyPort != consumer.CounterpartyPort:
		return "", errorsmod.Wrapf(types.ErrInvalidHandshake, "counterparty port is %q, consumer %d is registered for %s", h.CounterpartyPort, consumer.ID, consumer.CounterpartyPort)
	}
	if err := canBind(consumer); err != nil {
		return "", err
	}
	answer, err := k.answer(ctx, consumer, h.Version)
	if err != nil {
		return "", err
	}
	return answer, k.scopedKeeper.ClaimCapability(ctx, h.Capability, host.ChannelCapabilityPath(h.Port, h.ChannelID))
}

func (k *Keeper) answer(ctx sdk.Context, consumer types.Consumer, version string) (string, error) {
	proposal, err := control.ParseMetadata(version)
	if err != nil {
		return "", err
	}
	if proposal.UnbondingPeriod > consumer.UnbondingPeriod {
		return "", errorsmod.Wrapf(types.ErrInvalidUnbondingPeriod, "the consumer unbonds in %s, consumer %d is registered with %s; raise it with update-consumer first",
			proposal.UnbondingPeriod, consumer.ID, consumer.UnbondingPeriod)
	}
	outbox, err := k.Outboxes.Get(ctx, consumer.ID)
	if err != nil {
		return "", err
	}
	if proposal.LastBatchID > outbox.LastBatchID {
		return "", errorsmod.Wrapf(types.ErrInvalidHandshake, "the consumer has processed batch %d, consumer %d was sent %d at most; its converter has served another registration",
			proposal.LastBatchID, consumer.ID, outbox.LastBatchID)
	}
	receiver, err := k.accountKeeper.AddressCodec().BytesToString(types.RewardReceiver(consumer.ID))
	if err != nil {
		return "", err
	}
	answer, err := control.Answer(proposal, consumer.ID, receiver)
	if err != nil {
		return "", err
	}
	return answer.Encode()
}

// ConfirmChannel binds a channel to its consumer, whose full validator report is awaited from then on. It fails if
// another channel was bound since Try.
func (k *Keeper) ConfirmChannel(ctx sdk.Context, port, channelID string) error {
	consumer, err := k.consumerOfPort(ctx, port)
	if err != nil {
		return err
	}
	if err := canBind(consumer); err != nil {
		return err
	}
	channel, found := k.channelKeeper.GetChannel(ctx, port, channelID)
	if !found {
		return errorsmod.Wrapf(types.ErrInvalidHandshake, "channel %s does not exist on port %s", channelID, port)
	}
	// Our own answer: what it holds was checked at Try.
	agreed, err := control.ParseMetadata(channel.Version)
	if err != nil {
		return err
	}
	if consumer.Status == types.ConsumerClosed {
		if err := k.reopen(ctx, consumer, agreed.LastBatchID); err != nil {
			return err
		}
	}
	consumer.Status, consumer.ChannelID, consumer.Denom = types.ConsumerOpen, channelID, agreed.Denom
	if err := k.Consumers.Set(ctx, consumer.ID, consumer); err != nil {
		return err
	}
	if err := k.makeReady(ctx, consumer.ID); err != nil {
		return err
	}
	if err := k.restartSync(ctx, consumer.ID); err != nil {
		return err
	}
	telemetry.IncrCounter(1, types.ModuleName, "channels", "opened")
	return ctx.EventManager().EmitTypedEvent(&types.EventChannelOpened{ConsumerID: consumer.ID, ChannelID: channelID})
}

// canBind tells whether a control channel can be bound to the consumer: it has none, or one that has closed.
func canBind(consumer types.Consumer) error {
	switch {
	case consumer.Retired:
		return errorsmod.Wrapf(types.ErrRetired, "consumer %d gets no control channel any more", consumer.ID)
	case consumer.Status == types.ConsumerOpen:
		return errorsmod.Wrapf(types.ErrChannelBound, "consumer %d has %s and is %s", consumer.ID, consumer.ChannelID, consumer.Status)
	}
	return nil
}

// reopen decides what was in flight when the former channel closed, by the last batch that the consumer has processed, and
// begins anew with a snapshot. The id of a batch that is never sent lies between both: a consumer that says it has applied
// a later one has applied the snapshot.
func (k *Keeper) reopen(ctx sdk.Context, consumer types.Consumer, lastProcessed uint64) error {
	outbox, err := k.loadOutbox(ctx, consumer.ID)
	if err != nil {
		return err
	}
	outbox.LastBatchID++
	outbox.Reopened()
	if err := k.decideInFlight(ctx, consumer.ID, lastProcessed, outbox.LastBatchID); err != nil {
		return err
	}
	if err := k.Outboxes.Set(ctx, consumer.ID, outbox); err != nil {
		return err
	}
	return emit(ctx, &types.EventSnapshotWanted{ConsumerID: consumer.ID, Reason: "channel opened again"})
}

// CloseChannel notes that the consumer's end has closed.
func (k *Keeper) CloseChannel(ctx sdk.Context, port, channelID string) error {
	consumer, err := k.consumerOfPort(ctx, port)
	if err != nil {
		return err
	}
	return k.closeChannel(ctx, consumer, channelID, "closed by the consumer")
}
