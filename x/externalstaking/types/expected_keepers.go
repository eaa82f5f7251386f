package types

import (
	"context"

	"cosmossdk.io/core/address"
	"cosmossdk.io/math"
	storetypes "cosmossdk.io/store/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	capabilitytypes "github.com/cosmos/ibc-go/modules/capability/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	connectiontypes "github.com/cosmos/ibc-go/v8/modules/core/03-connection/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"

	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
)

// Vault is what this module does with collateral: it sees only its own liens, by consumer id (LienID).
type Vault interface {
	// Add settles the user and grows the lien if both limits allow it.
	Add(ctx context.Context, user sdk.AccAddress, id string, amount math.Int, slashFraction math.LegacyDec) error
	// Release shrinks the lien and deletes it at zero; it never settles.
	Release(ctx context.Context, user sdk.AccAddress, id string, amount math.Int) error
	// Lien is the present amount, zero if there is none.
	Lien(ctx context.Context, user sdk.AccAddress, id string) (math.Int, error)
	// Account settles the user and returns everything the vault knows about it.
	Account(ctx context.Context, user sdk.AccAddress) (vaulttypes.Account, error)
	// Free is the collateral the user can withdraw.
	Free(ctx context.Context, user sdk.AccAddress) (math.Int, error)
	// Settle brings everything of the user up to date.
	Settle(ctx context.Context, user sdk.AccAddress) error
	// TrySettle is Settle on its own: with its own gas and context, so that it can fail without harm. The vault then tries
	// again by itself. It returns how many pieces it has settled.
	TrySettle(ctx sdk.Context, user sdk.AccAddress) (pieces int, err error)
	// Lose takes a loss out of the lien and the collateral outside of a settle: that of stake in flight that was bonded after
	// the slash. The user is settled.
	Lose(ctx context.Context, user sdk.AccAddress, id string, sequence uint64, amount math.Int) error
	// NextLossSequence is the place of a new slash in the order of all slashes.
	NextLossSequence(ctx context.Context) (uint64, error)
	// Denom is the vault's only denom.
	Denom(ctx context.Context) (string, error)
}

// AccountKeeper creates the reward receivers.
type AccountKeeper interface {
	AddressCodec() address.Codec
	GetAccount(ctx context.Context, addr sdk.AccAddress) sdk.AccountI
	NewAccountWithAddress(ctx context.Context, addr sdk.AccAddress) sdk.AccountI
	SetAccount(ctx context.Context, acc sdk.AccountI)
}

// BankKeeper pays rewards out.
type BankKeeper interface {
	GetSupply(ctx context.Context, denom string) sdk.Coin
	GetBalance(ctx context.Context, addr sdk.AccAddress, denom string) sdk.Coin
	SendCoins(ctx context.Context, from, to sdk.AccAddress, amt sdk.Coins) error
	BlockedAddr(addr sdk.AccAddress) bool
}

// DistributionKeeper takes fees and unassigned rewards into the community pool.
type DistributionKeeper interface {
	FundCommunityPool(ctx context.Context, amount sdk.Coins, sender sdk.AccAddress) error
}

// ClientKeeper reads the light clients of consumers, and freezes those that were attacked.
type ClientKeeper interface {
	GetClientState(ctx sdk.Context, clientID string) (exported.ClientState, bool)
	GetClientStatus(ctx sdk.Context, clientState exported.ClientState, clientID string) exported.Status
	ClientStore(ctx sdk.Context, clientID string) storetypes.KVStore
	UpdateClient(ctx sdk.Context, clientID string, clientMsg exported.ClientMessage) error
}

// ConnectionKeeper finds the client behind a connection.
type ConnectionKeeper interface {
	GetConnection(ctx sdk.Context, connectionID string) (connectiontypes.ConnectionEnd, bool)
}

// ChannelKeeper sends on control channels.
type ChannelKeeper interface {
	GetChannel(ctx sdk.Context, portID, channelID string) (channeltypes.Channel, bool)
	SendPacket(ctx sdk.Context, channelCap *capabilitytypes.Capability, sourcePort, sourceChannel string,
		timeoutHeight clienttypes.Height, timeoutTimestamp uint64, data []byte) (uint64, error)
	ChanCloseInit(ctx sdk.Context, portID, channelID string, channelCap *capabilitytypes.Capability) error
	GetAllPacketCommitmentsAtChannel(ctx sdk.Context, portID, channelID string) []channeltypes.PacketState
}

// PortKeeper binds one port per consumer.
type PortKeeper interface {
	BindPort(ctx sdk.Context, portID string) *capabilitytypes.Capability
}

// ScopedKeeper holds the capabilities of ports and channels.
type ScopedKeeper interface {
	GetCapability(ctx sdk.Context, name string) (*capabilitytypes.Capability, bool)
	ClaimCapability(ctx sdk.Context, capability *capabilitytypes.Capability, name string) error
}
