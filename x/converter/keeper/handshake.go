package keeper

import (
	"context"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"
	sdk "github.com/cosmos/cosmos-sdk/types"
	capabilitytypes "github.com/cosmos/ibc-go/modules/capability/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	host "github.com/cosmos/ibc-go/v8/modules/core/24-host"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/converter/types"
)

// ChannelEnd is what a handshake says about this chain's end of a channel.
type ChannelEnd struct {
	Order            channeltypes.Order
	Hops             []string
	Port             string
	ChannelID        string
	CounterpartyPort string
}

// OpenInit accepts the start of a handshake and returns the version the converter proposes. A version proposed by the
// relayer may be empty; otherwise it must be of this protocol and major version, and is replaced all the same. Nothing
// is stored, so strangers may leave as many handshakes half open as they like.
func (k *Keeper) OpenInit(ctx sdk.Context, end ChannelEnd, capability *capabilitytypes.Capability, version string) (string, error) {
	c, err := k.byPort(ctx, end.Port)
	if err != nil {
		return "", err
	}
	if err := k.validateEnd(ctx, c, end); err != nil {
		return "", err
	}
	if version != "" {
		if _, err := control.ParseMetadata(version); err != nil {
			return "", err
		}
	}
	proposal, err := k.proposal(ctx, c)
	if err != nil {
		return "", err
	}
	if err := k.scopedKeeper.ClaimCapability(ctx, capability, host.ChannelCapabilityPath(end.Port, end.ChannelID)); err != nil {
		return "", err
	}
	return proposal.Encode()
}

// OpenAck verifies the provider's answer and binds the channel. ibc-go has already replaced the channel's version by the
// counterparty's, so the proposal is made again from state: if anything it says has moved since Init, above all the last
// batch, the handshake must be started again. The first handshake to get here wins; an error keeps the others from
// opening.
func (k *Keeper) OpenAck(ctx sdk.Context, port, channelID, version string) error {
	c, err := k.byPort(ctx, port)
	if err != nil {
		return err
	}
	channel, found := k.channelKeeper.GetChannel(ctx, port, channelID)
	if !found {
		return errorsmod.Wrapf(types.ErrHandshake, "channel %s does not exist on port %s", channelID, port)
	}
	end := ChannelEnd{
		Order: channel.Ordering, Hops: channel.ConnectionHops, Port: port, ChannelID: channelID,
		CounterpartyPort: channel.Counterparty.PortId,
	}
	if err := k.validateEnd(ctx, c, end); err != nil {
		return err
	}
	proposal, err := k.proposal(ctx, c)
	if err != nil {
		return err
	}
	answer, err := control.ParseMetadata(version)
	if err != nil {
		return err
	}
	if err := control.VerifyAnswer(proposal, answer); err != nil {
		return err
	}
	registration, err := types.ValidateCounterpartyPort(c.CounterpartyPort)
	if err != nil {
		return err
	}
	if answer.ConsumerID != registration {
		return errorsmod.Wrapf(types.ErrHandshake, "consumer id %d was answered from %s", answer.ConsumerID, c.CounterpartyPort)
	}
	return k.bind(ctx, c, channelID, answer)
}

// validateEnd accepts only an ordered channel over the converter's own connection to the port its admin allowed, and
// only while the converter has no live channel.
func (k *Keeper) validateEnd(ctx sdk.Context, c types.Converter, end ChannelEnd) error {
	switch {
	case end.Order != channeltypes.ORDERED:
		return errorsmod.Wrapf(types.ErrHandshake, "the channel is %s; it must be %s", end.Order, channeltypes.ORDERED)
	case len(end.Hops) != 1 || end.Hops[0] != c.ConnectionID:
		return errorsmod.Wrapf(types.ErrHandshake, "the channel runs over %v; converter %d accepts %s only", end.Hops, c.ID, c.ConnectionID)
	case c.CounterpartyPort == "":
		return errorsmod.Wrapf(types.ErrHandshake, "converter %d allows no counterparty port yet; its admin sets it with update-converter", c.ID)
	case end.CounterpartyPort != c.CounterpartyPort:
		return errorsmod.Wrapf(types.ErrHandshake, "counterparty port %q; converter %d accepts %s only", end.CounterpartyPort, c.ID, c.CounterpartyPort)
	case k.live(ctx, c):
		return errorsmod.Wrapf(types.ErrChannelInUse, "converter %d is bound to %s, which is not closed", c.ID, c.ChannelID)
	}
	return nil
}

// live reports whether the bound channel's own end is anything but closed.
func (k *Keeper) live(ctx sdk.Context, c types.Converter) bool {
	if !c.Bound() {
		return false
	}
	channel, found := k.channelKeeper.GetChannel(ctx, c.Port(), c.ChannelID)
	return found && channel.State != channeltypes.CLOSED
}

func (k *Keeper) proposal(ctx context.Context, c types.Converter) (control.Metadata, error) {
	denom, err := k.stakingKeeper.BondDenom(ctx)
	if err != nil {
		return control.Metadata{}, err
	}
	unbonding, err := k.stakingKeeper.UnbondingTime(ctx)
	if err != nil {
		return control.Metadata{}, err
	}
	return control.NewProposal(denom, unbonding, c.LastBatchID), nil
}

// bind makes channelID the converter's control channel. The provider is told of all validators anew.
func (k *Keeper) bind(ctx sdk.Context, c types.Converter, channelID string, answer control.Metadata) error {
	if err := k.dropSnapshot(ctx, c.ID); err != nil {
		return err
	}
	c.Status, c.ChannelID = types.ConverterOpen, channelID
	c.ConsumerID, c.RewardReceiver = answer.ConsumerID, answer.RewardReceiver
	if err := k.Converters.Set(ctx, c.ID, c); err != nil {
		return err
	}
	if err := k.OpenConverters.Set(ctx, c.ID); err != nil {
		return err
	}
	if err := k.SyncCursors.Set(ctx, c.ID, types.SyncCursor{}); err != nil {
		return err
	}
	count("channels_opened")
	return emit(ctx, &types.EventChannelOpened{ConverterID: c.ID, ChannelID: channelID, ConsumerID: c.ConsumerID})
}

// CloseControlChannel closes this chain's end of a converter's control channel and returns its id. A channel can be opened
// again only when both ends are closed, and that must not depend on what relayers remember.
func (k *Keeper) CloseControlChannel(ctx sdk.Context, id uint64) (string, error) {
	c, err := k.GetConverter(ctx, id)
	if err != nil {
		return "", err
	}
	if c.Status != types.ConverterOpen {
		return "", errorsmod.Wrapf(types.ErrWrongChannel, "converter %d is %s; only an open control channel can be closed", id, c.Status)
	}
	path := host.ChannelCapabilityPath(c.Port(), c.ChannelID)
	capability, found := k.scopedKeeper.GetCapability(ctx, path)
	if !found {
		return "", errorsmod.Wrap(channeltypes.ErrChannelCapabilityNotFound, path)
	}
	if err := k.channelKeeper.ChanCloseInit(ctx, c.Port(), c.ChannelID, capability); err != nil {
		return "", err
	}
	return c.ChannelID, k.ChannelClosed(ctx, c.Port(), c.ChannelID, "closed by the authority")
}

// ChannelClosed records that the control channel closed, as by a timeout or with its other end: nothing is sent until it
// is opened again, a snapshot under way is dropped, and all counted stake stays. Any other channel is not of interest.
func (k *Keeper) ChannelClosed(ctx sdk.Context, port, channelID, reason string) error {
	c, err := k.byPort(ctx, port)
	if err != nil {
		return err
	}
	if c.Status != types.ConverterOpen || c.ChannelID != channelID {
		return nil
	}
	if err := k.dropSnapshot(ctx, c.ID); err != nil {
		return err
	}
	c.Status = types.ConverterClosed
	if err := k.Converters.Set(ctx, c.ID, c); err != nil {
		return err
	}
	if err := k.OpenConverters.Remove(ctx, c.ID); err != nil {
		return err
	}
	count("channels_closed")
	return emit(ctx, &types.EventChannelClosed{ConverterID: c.ID, ChannelID: channelID, Reason: reason})
}

// dropSnapshot forgets the staged chunks of a reset, at most types.MaxSnapshotEntries.
func (k *Keeper) dropSnapshot(ctx context.Context, id uint64) error {
	if err := k.Staged.Clear(ctx, collections.NewPrefixedPairRange[uint64, string](id)); err != nil {
		return err
	}
	return k.Snapshots.Remove(ctx, id)
}
