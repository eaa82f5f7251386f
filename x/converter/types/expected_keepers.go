package types

import (
	"context"
	"time"

	"cosmossdk.io/core/address"
	sdk "github.com/cosmos/cosmos-sdk/types"
	capabilitytypes "github.com/cosmos/ibc-go/modules/capability/types"
	transfertypes "github.com/cosmos/ibc-go/v8/modules/apps/transfer/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	connectiontypes "github.com/cosmos/ibc-go/v8/modules/core/03-connection/types"
	channeltypes "github.com/cosmos/ibc-go/v8/modules/core/04-channel/types"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"

	"github.com/mesh-security/mesh/x/control"
	virtualstakingtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

// AccountKeeper makes the converters' accounts.
type AccountKeeper interface {
	AddressCodec() address.Codec
	GetAccount(ctx context.Context, addr sdk.AccAddress) sdk.AccountI
	NewAccountWithAddress(ctx context.Context, addr sdk.AccAddress) sdk.AccountI
	SetAccount(ctx context.Context, acc sdk.AccountI)
}

// BankKeeper is only asked by invariants and genesis.
type BankKeeper interface {
	GetBalance(ctx context.Context, addr sdk.AccAddress, denom string) sdk.Coin
}

// StakingKeeper knows what the handshake and the reports tell the provider.
type StakingKeeper interface {
	BondDenom(ctx context.Context) (string, error)
	UnbondingTime(ctx context.Context) (time.Duration, error)
}

// DistributionKeeper receives the creation fee.
type DistributionKeeper interface {
	FundCommunityPool(ctx context.Context, amount sdk.Coins, sender sdk.AccAddress) error
}

// ClientKeeper tells whether the provider can be reached.
type ClientKeeper interface {
	GetClientState(ctx sdk.Context, clientID string) (exported.ClientState, bool)
	GetClientStatus(ctx sdk.Context, clientState exported.ClientState, clientID string) exported.Status
}

// ConnectionKeeper resolves a connection to its client.
type ConnectionKeeper interface {
	GetConnection(ctx sdk.Context, connectionID string) (connectiontypes.ConnectionEnd, bool)
}

// ChannelKeeper is the IBC channel the reports are sent on.
type ChannelKeeper interface {
	GetChannel(ctx sdk.Context, portID, channelID string) (channeltypes.Channel, bool)
	ChanCloseInit(ctx sdk.Context, portID, channelID string, channelCap *capabilitytypes.Capability) error
	GetNextSequenceSend(ctx sdk.Context, portID, channelID string) (uint64, bool)
	GetNextSequenceAck(ctx sdk.Context, portID, channelID string) (uint64, bool)
	SendPacket(
		ctx sdk.Context, channelCap *capabilitytypes.Capability, sourcePort, sourceChannel string,
		timeoutHeight clienttypes.Height, timeoutTimestamp uint64, data []byte,
	) (uint64, error)
}

// PortKeeper binds one port per converter.
type PortKeeper interface {
	IsBound(ctx sdk.Context, portID string) bool
	BindPort(ctx sdk.Context, portID string) *capabilitytypes.Capability
}

// ScopedKeeper holds the module's capabilities.
type ScopedKeeper interface {
	GetCapability(ctx sdk.Context, name string) (*capabilitytypes.Capability, bool)
	ClaimCapability(ctx sdk.Context, capability *capabilitytypes.Capability, name string) error
}

// TransferKeeper sends rewards.
type TransferKeeper interface {
	Transfer(ctx context.Context, msg *transfertypes.MsgTransfer) (*transfertypes.MsgTransferResponse, error)
}

// VirtualStaking delegates what the converter counts, and knows this chain's validators.
type VirtualStaking interface {
	// CreateSource makes the virtual staking source of converter id; its rewards go to rewardAccount.
	CreateSource(ctx context.Context, id uint64, rewardAccount sdk.AccAddress) error
	// CappedSources returns the ids of all sources with a cap, in rising order; governance bounds their number.
	CappedSources(ctx context.Context) ([]uint64, error)
	// ValidatorChanges returns up to limit validators whose last change has a sequence above after, in its order.
	ValidatorChanges(ctx context.Context, after uint64, limit int) ([]virtualstakingtypes.ValidatorRecord, error)
	// ValidatorStatus is unspecified for a validator that was never reported.
	ValidatorStatus(ctx context.Context, operator string) (control.ValidatorStatus, error)
	// Applied is the last batch reflected in the source's delegations, nil before the first.
	Applied(ctx context.Context, id uint64) (*control.Applied, error)
	// ResetEpoch is the block of the next epoch that needs a snapshot of all stake, 0 while none is needed.
	ResetEpoch(ctx context.Context, id uint64) (int64, error)
	// Heard is told that a snapshot of all stake counts.
	Heard(ctx context.Context, id uint64) error
}
