package keeper

import (
	"context"
	"errors"
	"slices"
	"time"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/telemetry"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	transfertypes "github.com/cosmos/ibc-go/v8/modules/apps/transfer/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// Registration is what is asked for when a consumer is registered.
type Registration struct {
	Admin            sdk.AccAddress
	Name             string
	ConnectionID     string
	CounterpartyPort string
	TransferChannel  string
	UnbondingPeriod  time.Duration
	SlashFraction    math.LegacyDec
	MinStake         math.Int
}

// ConsumerUpdate is a change of a consumer; a nil field stays as it is.
type ConsumerUpdate struct {
	Name            *string
	TransferChannel *string
	MinStake        *math.Int
	// UnbondingPeriod can only rise; existing entries keep their time.
	UnbondingPeriod *time.Duration
}

// GetConsumer returns a registered consumer, or ErrUnknownConsumer.
func (k *Keeper) GetConsumer(ctx context.Context, id uint64) (types.Consumer, error) {
	consumer, err := k.Consumers.Get(ctx, id)
	if errors.Is(err, collections.ErrNotFound) {
		return types.Consumer{}, errorsmod.Wrapf(types.ErrUnknownConsumer, "%d; the query consumers lists them", id)
	}
	return consumer, err
}

// RegisterConsumer registers a consumer chain for a fee to the community pool, binds its port and creates the account
// that receives its rewards. The chain id is what the light client behind the connection says.
func (k *Keeper) RegisterConsumer(ctx sdk.Context, payer sdk.AccAddress, r Registration) (types.Consumer, error) {
	consumer, err := k.newConsumer(ctx, r)
	if err != nil {
		return types.Consumer{}, err
	}
	params, err := k.Params.Get(ctx)
	if err != nil {
		return types.Consumer{}, err
	}
	if !params.RegistrationFee.IsZero() {
		if err := k.distrKeeper.FundCommunityPool(ctx, params.RegistrationFee, payer); err != nil {
			return types.Consumer{}, errorsmod.Wrapf(err, "registration fee %s", params.RegistrationFee)
		}
	}
	if consumer.ID, err = k.NextConsumerID.Next(ctx); err != nil {
		return types.Consumer{}, err
	}
	if err := consumer.Validate(); err != nil {
		return types.Consumer{}, err
	}
	if err := k.bindPort(ctx, consumer.ID); err != nil {
		return types.Consumer{}, err
	}
	if err := k.createRewardReceiver(ctx, consumer.ID); err != nil {
		return types.Consumer{}, err
	}
	if err := k.Consumers.Set(ctx, consumer.ID, consumer); err != nil {
		return types.Consumer{}, err
	}
	if err := k.Outboxes.Set(ctx, consumer.ID, types.NewOutboxState()); err != nil {
		return types.Consumer{}, err
	}
	if err := k.Syncs.Set(ctx, consumer.ID, types.SyncState{}); err != nil {
		return types.Consumer{}, err
	}
	telemetry.IncrCounter(1, types.ModuleName, "consumers", "registered")
	return consumer, ctx.EventManager().EmitTypedEvent(&types.EventConsumerRegistered{
		ConsumerID: consumer.ID, Admin: consumer.Admin, ChainID: consumer.ChainID,
		ConnectionID: consumer.ConnectionID, CounterpartyPort: consumer.CounterpartyPort,
	})
}

// newConsumer checks r against the connection, the light client and the transfer channel.
func (k *Keeper) newConsumer(ctx sdk.Context, r Registration) (types.Consumer, error) {
	admin, err := k.accountKeeper.AddressCodec().BytesToString(r.Admin)
	if err != nil {
		return types.Consumer{}, err
	}
	if err := types.ValidateUnbondingPeriod(r.UnbondingPeriod); err != nil {
		return types.Consumer{}, err
	}
	clientID, client, err := k.connectionClient(ctx, r.ConnectionID)
	if err != nil {
		return types.Consumer{}, err
	}
	if r.UnbondingPeriod < client.UnbondingPeriod {
		return types.Consumer{}, errorsmod.Wrapf(types.ErrInvalidUnbondingPeriod,
			"%s is below the %s of light client %s; at least that is possible", r.UnbondingPeriod, client.UnbondingPeriod, clientID)
	}
	if err := k.validateTransferChannel(ctx, r.TransferChannel, r.ConnectionID); err != nil {
		return types.Consumer{}, err
	}
	return types.Consumer{
		Name:             r.Name,
		Admin:            admin,
		ConnectionID:     r.ConnectionID,
		ClientID:         clientID,
		ChainID:          client.ChainId,
		CounterpartyPort: r.CounterpartyPort,
		TransferChannel:  r.TransferChannel,
		UnbondingPeriod:  r.UnbondingPeriod,
		SlashFraction:    r.SlashFraction,
		MinStake:         r.MinStake,
		Status:           types.ConsumerRegistered,
	}, nil
}

// validateTransferChannel accepts an open, unordered channel of the transfer port over the consumer's connection.
func (k *Keeper) validateTransferChannel(ctx sdk.Context, channelID, connectionID string) error {
	channel, found := k.channelKeeper.GetChannel(ctx, transfertypes.PortID, channelID)
	switch {
	case !found:
		return errorsmod.Wrapf(types.ErrInvalidTransferChannel, "%q does not exist on port %s", channelID, transfertypes.PortID)
	case channel.State != channeltypes.OPEN:
		return errorsmod.Wrapf(types.ErrInvalidTransferChannel, "%s is %s, it must be open", channelID, channel.State)
	case channel.Ordering != channeltypes.UNORDERED:
		return errorsmod.Wrapf(types.ErrInvalidTransferChannel, "%s is %s, it must be unordered", channelID, channel.Ordering)
	case !slices.Equal(channel.ConnectionHops, []string{connectionID}):
		return errorsmod.Wrapf(types.ErrInvalidTransferChannel, "%s runs over %v, it must run over the consumer's %s", channelID, channel.ConnectionHops, connectionID)
	}
	return nil
}

// createRewardReceiver makes sure that a plain account without vesting receives the consumer's rewards. The address is
// known beforehand, so somebody may have created another kind of account there: it is replaced and keeps its number.
func (k *Keeper) createRewardReceiver(ctx sdk.Context, consumerID uint64) error {
	addr := types.RewardReceiver(consumerID)
	switch account := k.accountKeeper.GetAccount(ctx, addr).(type) {
	case nil:
		k.accountKeeper.SetAccount(ctx, k.accountKeeper.NewAccountWithAddress(ctx, addr))
	case *authtypes.BaseAccount:
	default:
		k.accountKeeper.SetAccount(ctx, authtypes.NewBaseAccount(addr, nil, account.GetAccountNumber(), account.GetSequence()))
	}
	return k.RewardReceivers.Set(ctx, addr, consumerID)
}

// UpdateConsumer changes what may change after registration; sender must be the admin or the authority.
func (k *Keeper) UpdateConsumer(ctx sdk.Context, sender sdk.AccAddress, id uint64, u ConsumerUpdate) (types.Consumer, error) {
	consumer, err := k.authorisedConsumer(ctx, sender, id)
	if err != nil {
		return types.Consumer{}, err
	}
	if u == (ConsumerUpdate{}) {
		return types.Consumer{}, errorsmod.Wrap(types.ErrInvalidRequest, "nothing to change; name, transfer channel, minimum stake and unbonding period are possible")
	}
	if u.Name != nil {
		consumer.Name = *u.Name
	}
	if u.MinStake != nil {
		consumer.MinStake = *u.MinStake
	}
	if u.TransferChannel != nil {
		if err := k.validateTransferChannel(ctx, *u.TransferChannel, consumer.ConnectionID); err != nil {
			return types.Consumer{}, err
		}
		if err := k.checkRewardChannels(ctx, id, *u.TransferChannel); err != nil {
			return types.Consumer{}, err
		}
		consumer.TransferChannel = *u.TransferChannel
	}
	if u.UnbondingPeriod != nil {
		if *u.UnbondingPeriod < consumer.UnbondingPeriod {
			return types.Consumer{}, errorsmod.Wrapf(types.ErrInvalidUnbondingPeriod, "%s is below the present %s; it can only rise", *u.UnbondingPeriod, consumer.UnbondingPeriod)
		}
		consumer.UnbondingPeriod = *u.UnbondingPeriod
	}
	return consumer, k.updateConsumer(ctx, consumer)
}

// UpdateAdmin passes the admin's rights on, or renounces them if next is empty: then only the authority has them.
func (k *Keeper) UpdateAdmin(ctx sdk.Context, sender sdk.AccAddress, id uint64, next sdk.AccAddress) error {
	consumer, err := k.authorisedConsumer(ctx, sender, id)
	if err != nil {
		return err
	}
	consumer.Admin = ""
	if len(next) > 0 {
		if consumer.Admin, err = k.accountKeeper.AddressCodec().BytesToString(next); err != nil {
			return err
		}
	}
	return k.updateConsumer(ctx, consumer)
}

// authorisedConsumer returns a consumer that sender may change.
func (k *Keeper) authorisedConsumer(ctx context.Context, sender sdk.AccAddress, id uint64) (types.Consumer, error) {
	consumer, err := k.GetConsumer(ctx, id)
	if err != nil {
		return types.Consumer{}, err
	}
	name, err := k.accountKeeper.AddressCodec().BytesToString(sender)
	if err != nil {
		return types.Consumer{}, err
	}
	if name != k.authority && (consumer.Admin == "" || name != consumer.Admin) {
		return types.Consumer{}, errorsmod.Wrapf(types.ErrUnauthorized, "%s may not change consumer %d; its admin %q and the authority %s may", name, id, consumer.Admin, k.authority)
	}
	return consumer, nil
}

// updateConsumer stores a changed consumer and tells about it.
func (k *Keeper) updateConsumer(ctx sdk.Context, consumer types.Consumer) error {
	if err := consumer.Validate(); err != nil {
		return err
	}
	if err := k.Consumers.Set(ctx, consumer.ID, consumer); err != nil {
		return err
	}
	return ctx.EventManager().EmitTypedEvent(&types.EventConsumerUpdated{ConsumerID: consumer.ID, Consumer: consumer})
}

// consumerOfPort returns the consumer whose port it is.
func (k *Keeper) consumerOfPort(ctx context.Context, port string) (types.Consumer, error) {
	id, err := control.ParsePortID(control.ExternalStakingPortPrefix, port)
	if err != nil {
		return types.Consumer{}, err
	}
	return k.GetConsumer(ctx, id)
}
