package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	transfertypes "github.com/cosmos/ibc-go/v8/modules/apps/transfer/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	host "github.com/cosmos/ibc-go/v8/modules/core/24-host"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"

	"github.com/mesh-security/mesh/x/control"
	"github.com/mesh-security/mesh/x/converter/types"
)

// NewConverter is what its creator chooses about a converter.
type NewConverter struct {
	// Admin may change the converter later.
	Admin           sdk.AccAddress
	ConnectionID    string
	ProviderDenom   string
	Discount        math.LegacyDec
	PriceFeed       string
	TransferChannel string
}

// CreateConverter makes a converter with its port, account and virtual staking source. The creator pays the creation
// fee to the community pool: ports are permanent.
func (k *Keeper) CreateConverter(ctx sdk.Context, creator sdk.AccAddress, n NewConverter) (types.Converter, error) {
	admin, err := k.addresses.BytesToString(n.Admin)
	if err != nil {
		return types.Converter{}, errorsmod.Wrapf(types.ErrInvalidAddress, "admin: %s", err)
	}
	if err := k.validateConnection(ctx, n.ConnectionID); err != nil {
		return types.Converter{}, err
	}
	if err := k.validateTransferChannel(ctx, n.TransferChannel, n.ConnectionID); err != nil {
		return types.Converter{}, err
	}
	if err := sdk.ValidateDenom(n.ProviderDenom); err != nil {
		return types.Converter{}, errorsmod.Wrapf(types.ErrInvalidDenom, "provider denom: %s", err)
	}
	if err := types.ValidateDiscount(n.Discount); err != nil {
		return types.Converter{}, err
	}
	if n.PriceFeed == "" {
		n.PriceFeed = types.GovFeed
	}
	if _, err := k.feed(n.PriceFeed); err != nil {
		return types.Converter{}, err
	}
	params, err := k.Params.Get(ctx)
	if err != nil {
		return types.Converter{}, err
	}
	if !params.CreationFee.IsZero() {
		if err := k.distributionKeeper.FundCommunityPool(ctx, params.CreationFee, creator); err != nil {
			return types.Converter{}, errorsmod.Wrapf(err, "the creation fee is %s", params.CreationFee)
		}
	}
	id, err := k.NextConverterID.Next(ctx)
	if err != nil {
		return types.Converter{}, err
	}
	c := types.Converter{
		ID: id, Admin: admin, ConnectionID: n.ConnectionID, ProviderDenom: n.ProviderDenom, Discount: n.Discount,
		PriceFeed: n.PriceFeed, TransferChannel: n.TransferChannel,
		Status: types.ConverterCreated, TotalStake: math.ZeroInt(),
	}
	if err := k.bindPort(ctx, c.Port()); err != nil {
		return types.Converter{}, err
	}
	k.ensureAccount(ctx, c.Account())
	if err := k.Converters.Set(ctx, id, c); err != nil {
		return types.Converter{}, err
	}
	if err := k.virtualStaking.CreateSource(ctx, id, c.Account()); err != nil {
		return types.Converter{}, err
	}
	count("converters_created")
	return c, emit(ctx, &types.EventConverterCreated{ConverterID: id, Admin: c.Admin, ConnectionID: c.ConnectionID})
}

// Update is a change to a converter; an empty field stays as it is.
type Update struct {
	CounterpartyPort string
	Discount         *math.LegacyDec
	PriceFeed        string
	TransferChannel  string
}

// UpdateConverter changes a converter for its admin or the authority. The counterparty port is the provider's
// registration that may open the channel. It is fixed once a channel has been bound: all stake counted here and the
// numbering of its batches belong to that registration.
func (k *Keeper) UpdateConverter(ctx sdk.Context, sender sdk.AccAddress, id uint64, u Update) error {
	c, err := k.administered(ctx, sender, id)
	if err != nil {
		return err
	}
	if u == (Update{}) {
		return errorsmod.Wrap(types.ErrNothingToUpdate, "counterparty port, discount, price feed and transfer channel can change")
	}
	if u.CounterpartyPort != "" && u.CounterpartyPort != c.CounterpartyPort {
		if _, err := types.ValidateCounterpartyPort(u.CounterpartyPort); err != nil {
			return err
		}
		if c.Bound() {
			return errorsmod.Wrapf(types.ErrChannelInUse, "channel %s has been opened with %s; another registration needs a converter of its own", c.ChannelID, c.CounterpartyPort)
		}
		c.CounterpartyPort = u.CounterpartyPort
	}
	if u.Discount != nil {
		if err := types.ValidateDiscount(*u.Discount); err != nil {
			return err
		}
		c.Discount = *u.Discount
	}
	if u.PriceFeed != "" {
		if _, err := k.feed(u.PriceFeed); err != nil {
			return err
		}
		c.PriceFeed = u.PriceFeed
	}
	if u.TransferChannel != "" && u.TransferChannel != c.TransferChannel {
		if err := k.validateTransferChannel(ctx, u.TransferChannel, c.ConnectionID); err != nil {
			return err
		}
		c.TransferChannel = u.TransferChannel
		if err := k.retryRewards(ctx, id); err != nil {
			return err
		}
	}
	return k.updated(ctx, c)
}

// UpdateAdmin passes the admin's rights on; an empty newAdmin renounces them, after which only the authority has them.
func (k *Keeper) UpdateAdmin(ctx sdk.Context, sender sdk.AccAddress, id uint64, newAdmin sdk.AccAddress) error {
	c, err := k.administered(ctx, sender, id)
	if err != nil {
		return err
	}
	if c.Admin, err = k.addresses.BytesToString(newAdmin); err != nil {
		return errorsmod.Wrapf(types.ErrInvalidAddress, "new admin: %s", err)
	}
	return k.updated(ctx, c)
}

func (k *Keeper) updated(ctx context.Context, c types.Converter) error {
	if err := k.Converters.Set(ctx, c.ID, c); err != nil {
		return err
	}
	return emit(ctx, &types.EventConverterUpdated{ConverterID: c.ID, Converter: c})
}

// GetConverter returns a converter or ErrConverterNotFound.
func (k *Keeper) GetConverter(ctx context.Context, id uint64) (types.Converter, error) {
	c, err := k.Converters.Get(ctx, id)
	if errors.Is(err, collections.ErrNotFound) {
		return types.Converter{}, errorsmod.Wrapf(types.ErrConverterNotFound, "id %d", id)
	}
	return c, err
}

// byPort returns the converter that owns port.
func (k *Keeper) byPort(ctx context.Context, port string) (types.Converter, error) {
	id, err := control.ParsePortID(control.ConverterPortPrefix, port)
	if err != nil {
		return types.Converter{}, errorsmod.Wrap(types.ErrInvalidPort, err.Error())
	}
	return k.GetConverter(ctx, id)
}

// administered returns the converter if sender is its admin or the authority.
func (k *Keeper) administered(ctx context.Context, sender sdk.AccAddress, id uint64) (types.Converter, error) {
	c, err := k.GetConverter(ctx, id)
	if err != nil {
		return types.Converter{}, err
	}
	who, err := k.addresses.BytesToString(sender)
	if err != nil {
		return types.Converter{}, errorsmod.Wrapf(types.ErrInvalidAddress, "sender: %s", err)
	}
	switch {
	case who != "" && (who == c.Admin || who == k.authority):
		return c, nil
	case c.Admin == "":
		return types.Converter{}, errorsmod.Wrapf(types.ErrUnauthorized, "%s may not change converter %d; its admin's rights were renounced, only the authority %s may", who, id, k.authority)
	}
	return types.Converter{}, errorsmod.Wrapf(types.ErrUnauthorized, "%s may not change converter %d; its admin %s and the authority %s may", who, id, c.Admin, k.authority)
}

// validateConnection accepts an existing connection whose client is active.
func (k *Keeper) validateConnection(ctx sdk.Context, connectionID string) error {
	connection, found := k.connectionKeeper.GetConnection(ctx, connectionID)
	if !found {
		return errorsmod.Wrapf(types.ErrInvalidConnection, "%q does not exist", connectionID)
	}
	if status := k.clientStatus(ctx, connection.ClientId); status != exported.Active {
		return errorsmod.Wrapf(types.ErrInvalidConnection, "client %s of %s is %s; it must be %s", connection.ClientId, connectionID, status, exported.Active)
	}
	return nil
}

func (k *Keeper) clientStatus(ctx sdk.Context, clientID string) exported.Status {
	state, found := k.clientKeeper.GetClientState(ctx, clientID)
	if !found {
		return exported.Unknown
	}
	return k.clientKeeper.GetClientStatus(ctx, state, clientID)
}

// reachable reports whether packets over the connection can be sent and proven now.
func (k *Keeper) reachable(ctx sdk.Context, connectionID string) bool {
	connection, found := k.connectionKeeper.GetConnection(ctx, connectionID)
	return found && k.clientStatus(ctx, connection.ClientId) == exported.Active
}

// validateTransferChannel accepts an open, unordered ICS20 channel that leads to the provider over the very connection
// the control channel uses: only then can the provider know whose rewards arrive.
func (k *Keeper) validateTransferChannel(ctx sdk.Context, channelID, connectionID string) error {
	channel, found := k.channelKeeper.GetChannel(ctx, transfertypes.PortID, channelID)
	switch {
	case !found:
		return errorsmod.Wrapf(types.ErrInvalidTransfer, "%q does not exist on port %s", channelID, transfertypes.PortID)
	case channel.State != channeltypes.OPEN:
		return errorsmod.Wrapf(types.ErrInvalidTransfer, "%s is %s; it must be %s", channelID, channel.State, channeltypes.OPEN)
	case channel.Ordering != channeltypes.UNORDERED:
		return errorsmod.Wrapf(types.ErrInvalidTransfer, "%s is %s; it must be %s", channelID, channel.Ordering, channeltypes.UNORDERED)
	case len(channel.ConnectionHops) != 1 || channel.ConnectionHops[0] != connectionID:
		return errorsmod.Wrapf(types.ErrInvalidTransfer, "%s runs over %v; it must run over %s", channelID, channel.ConnectionHops, connectionID)
	}
	return nil
}

// bindPort binds a converter's port unless this module owns it already, as after an import that kept the capabilities.
func (k *Keeper) bindPort(ctx sdk.Context, port string) error {
	path := host.PortPath(port)
	if _, owned := k.scopedKeeper.GetCapability(ctx, path); owned {
		return nil
	}
	if k.portKeeper.IsBound(ctx, port) {
		return errorsmod.Wrapf(types.ErrInvalidPort, "%s is bound by another module", port)
	}
	return k.scopedKeeper.ClaimCapability(ctx, k.portKeeper.BindPort(ctx, port), path)
}

// ensureAccount makes addr a plain account. The address is predictable, so somebody may have made an account there
// first, for instance a vesting one that would lock all rewards: it is replaced, keeping its number and coins.
func (k *Keeper) ensureAccount(ctx context.Context, addr sdk.AccAddress) {
	account := k.accountKeeper.GetAccount(ctx, addr)
	switch account.(type) {
	case *authtypes.BaseAccount:
		return
	case nil:
		account = k.accountKeeper.NewAccountWithAddress(ctx, addr)
	default:
		account = authtypes.NewBaseAccount(addr, nil, account.GetAccountNumber(), account.GetSequence())
	}
	k.accountKeeper.SetAccount(ctx, account)
}
