// Package keeper holds the converters of this chain: what each provider's stake counts, and what is owed to it.
package keeper

import (
	"cosmossdk.io/collections"
	"cosmossdk.io/core/address"
	corestore "cosmossdk.io/core/store"
	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/converter/types"
)

// Keeper is the converter module's state and its collaborators.
type Keeper struct {
	accountKeeper      types.AccountKeeper
	bankKeeper         types.BankKeeper
	stakingKeeper      types.StakingKeeper
	distributionKeeper types.DistributionKeeper
	clientKeeper       types.ClientKeeper
	connectionKeeper   types.ConnectionKeeper
	channelKeeper      types.ChannelKeeper
	portKeeper         types.PortKeeper
	scopedKeeper       types.ScopedKeeper
	transferKeeper     types.TransferKeeper
	virtualStaking     types.VirtualStaking

	// authority may change the params, and whatever an admin may.
	authority string
	addresses address.Codec
	// feeds is filled at wiring and only looked up, never ranged over.
	feeds map[string]types.PriceFeed

	Schema collections.Schema
	Params collections.Item[types.Params]

	NextConverterID collections.Sequence
	Converters      collections.Map[uint64, types.Converter]
	// OpenConverters are those with an open control channel.
	OpenConverters collections.KeySet[uint64]

	// Stake is what counts per (converter, validator), in provider base units, never zero.
	Stake collections.Map[collections.Pair[uint64, string], math.Int]
	// Snapshots are resets short of their last chunk; Staged is what their chunks listed, per (converter, validator).
	Snapshots collections.Map[uint64, types.Snapshot]
	Staged    collections.Map[collections.Pair[uint64, string], math.Int]

	// SyncCursors is how far each provider has been told of validator changes.
	SyncCursors collections.Map[uint64, types.SyncCursor]
	// LastReported is the open converter that was looked at last, for the round robin.
	LastReported collections.Item[uint64]

	// Prices are the built-in feed's, per converter.
	Prices collections.Map[uint64, types.Price]

	// Backlog is rewards not sent, per (converter, denom, validator), never zero. It lies in the converter's account.
	Backlog collections.Map[collections.Triple[uint64, string, string], math.Int]
	// RewardStates has an entry once a converter had rewards.
	RewardStates collections.Map[uint64, types.RewardState]
	// RewardQueue are the converters with a backlog.
	RewardQueue collections.KeySet[uint64]
	// RewardTransfers are in flight, per (transfer channel, packet sequence).
	RewardTransfers collections.Map[collections.Pair[string, uint64], types.RewardTransfer]
	// LastRewarded is the converter of the reward queue that was looked at last, for the round robin.
	LastRewarded collections.Item[uint64]
}

// NewKeeper returns the keeper with the built-in price feed registered. authority is a bech32 address, usually x/gov's.
// It panics on a wiring mistake.
func NewKeeper(
	cdc codec.Codec, storeService corestore.KVStoreService,
	accountKeeper types.AccountKeeper, bankKeeper types.BankKeeper, stakingKeeper types.StakingKeeper,
	distributionKeeper types.DistributionKeeper, clientKeeper types.ClientKeeper, connectionKeeper types.ConnectionKeeper,
	channelKeeper types.ChannelKeeper, portKeeper types.PortKeeper, scopedKeeper types.ScopedKeeper,
	transferKeeper types.TransferKeeper, virtualStaking types.VirtualStaking, authority string,
) *Keeper {
	addresses := accountKeeper.AddressCodec()
	if bz, err := addresses.StringToBytes(authority); err != nil {
		panic("converter: authority: " + err.Error())
	} else if authority, err = addresses.BytesToString(bz); err != nil {
		panic("converter: authority: " + err.Error())
	}
	stakeKey := collections.PairKeyCodec(collections.Uint64Key, collections.StringKey)
	backlogKey := collections.TripleKeyCodec(collections.Uint64Key, collections.StringKey, collections.StringKey)
	transferKey := collections.PairKeyCodec(collections.StringKey, collections.Uint64Key)
	sb := collections.NewSchemaBuilder(storeService)
	k := &Keeper{
		accountKeeper: accountKeeper, bankKeeper: bankKeeper, stakingKeeper: stakingKeeper,
		distributionKeeper: distributionKeeper, clientKeeper: clientKeeper, connectionKeeper: connectionKeeper,
		channelKeeper: channelKeeper, portKeeper: portKeeper, scopedKeeper: scopedKeeper,
		transferKeeper: transferKeeper, virtualStaking: virtualStaking,
		authority: authority, addresses: addresses, feeds: map[string]types.PriceFeed{},

		Params:          collections.NewItem(sb, types.ParamsKey, "params", codec.CollValue[types.Params](cdc)),
		NextConverterID: collections.NewSequence(sb, types.NextConverterIDKey, "next_converter_id"),
		Converters:      collections.NewMap(sb, types.ConvertersKey, "converters", collections.Uint64Key, codec.CollValue[types.Converter](cdc)),
		OpenConverters:  collections.NewKeySet(sb, types.OpenConvertersKey, "open_converters", collections.Uint64Key),
		Stake:           collections.NewMap(sb, types.StakeKey, "stake", stakeKey, sdk.IntValue),
		Snapshots:       collections.NewMap(sb, types.SnapshotsKey, "snapshots", collections.Uint64Key, codec.CollValue[types.Snapshot](cdc)),
		Staged:          collections.NewMap(sb, types.StagedKey, "staged", stakeKey, sdk.IntValue),
		SyncCursors:     collections.NewMap(sb, types.SyncCursorsKey, "sync_cursors", collections.Uint64Key, codec.CollValue[types.SyncCursor](cdc)),
		LastReported:    collections.NewItem(sb, types.LastReportedKey, "last_reported", collections.Uint64Value),
		Prices:          collections.NewMap(sb, types.PricesKey, "prices", collections.Uint64Key, codec.CollValue[types.Price](cdc)),
		Backlog:         collections.NewMap(sb, types.BacklogKey, "backlog", backlogKey, sdk.IntValue),
		RewardStates:    collections.NewMap(sb, types.RewardStatesKey, "reward_states", collections.Uint64Key, codec.CollValue[types.RewardState](cdc)),
		RewardQueue:     collections.NewKeySet(sb, types.RewardQueueKey, "reward_queue", collections.Uint64Key),
		RewardTransfers: collections.NewMap(sb, types.RewardTransfersKey, "reward_transfers", transferKey, codec.CollValue[types.RewardTransfer](cdc)),
		LastRewarded:    collections.NewItem(sb, types.LastRewardedKey, "last_rewarded", collections.Uint64Value),
	}
	schema, err := sb.Build()
	if err != nil {
		panic(err)
	}
	k.Schema = schema
	k.RegisterPriceFeed(types.GovFeed, govFeed{k})
	return k
}

// Authority is the address that may change the params, and whatever an admin may.
func (k *Keeper) Authority() string { return k.authority }
