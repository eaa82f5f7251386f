// Package keeper holds the provider's side of cross-staking: consumers, their validators, users' positions, the
// outbox of the control channel and rewards.
package keeper

import (
	"time"

	"cosmossdk.io/collections"
	collcodec "cosmossdk.io/collections/codec"
	corestore "cosmossdk.io/core/store"
	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/externalstaking/types"
)

type (
	// validatorKey is (consumer, validator).
	validatorKey = collections.Pair[uint64, string]
	// positionKey is (user, consumer, validator).
	positionKey = collections.Triple[sdk.AccAddress, uint64, string]
	// entryKey is (position, release time).
	entryKey = collections.Pair[positionKey, time.Time]
	// batchKey is (consumer, batch).
	batchKey = collections.Pair[uint64, uint64]
	// stakerKey is (consumer, validator, user).
	stakerKey = collections.Triple[uint64, string, sdk.AccAddress]
	// slashKey is (consumer, validator, batch).
	slashKey = collections.Triple[uint64, string, uint64]
	// outcomeKey is (height, position).
	outcomeKey = collections.Pair[int64, positionKey]
	// sentKey is (consumer, batch, (validator, user)).
	sentKey = collections.Triple[uint64, uint64, collections.Pair[string, sdk.AccAddress]]
)

// Keeper is the provider's side of cross-staking.
type Keeper struct {
	cdc              codec.Codec
	accountKeeper    types.AccountKeeper
	bankKeeper       types.BankKeeper
	distrKeeper      types.DistributionKeeper
	clientKeeper     types.ClientKeeper
	connectionKeeper types.ConnectionKeeper
	channelKeeper    types.ChannelKeeper
	portKeeper       types.PortKeeper
	scopedKeeper     types.ScopedKeeper
	vault            types.Vault
	// authority may change params and whatever an admin could; usually x/gov.
	authority string

	Schema collections.Schema
	Params collections.Item[types.Params]
	// NextConsumerID is the id of the next registration, from 1; ids are never reused.
	NextConsumerID collections.Sequence
	Consumers      collections.Map[uint64, types.Consumer]
	Outboxes       collections.Map[uint64, types.OutboxState]
	Syncs          collections.Map[uint64, types.SyncState]
	Validators     collections.Map[validatorKey, types.Validator]
	// KeyOwners: (consumer, address of a consensus key and the height it is valid from, see ownerKey) -> validator. The owner
	// at a height is the last entry of the key at or below it. Derived at import.
	KeyOwners collections.Map[collections.Pair[uint64, []byte], string]
	// ValidatorCounts: consumer -> number of its validators. Derived at import.
	ValidatorCounts collections.Map[uint64, uint64]
	// Evictable: (consumer, reported_at, validator) holds every validator that may make room at the bound, oldest
	// first; among them some that still have a position, which leave it when met. Derived at import.
	Evictable collections.KeySet[collections.Triple[uint64, int64, string]]
	// Pools exist once a position, a total or a reward does; a missing one is types.NewPool().
	Pools     collections.Map[validatorKey, types.Pool]
	Positions collections.Map[positionKey, types.Position]
	// Unbondings holds each entry by itself, so that a position with many of them makes a new one no dearer.
	Unbondings collections.Map[entryKey, types.UnbondingEntry]
	// UnbondingQueue wakes a position up at a time: one key for each entry's release time. Derived at import.
	UnbondingQueue collections.KeySet[collections.Pair[time.Time, positionKey]]
	// Queue: (consumer, validator, place) -> user with queued operations, in order of request. Derived at import.
	Queue         collections.Map[collections.Triple[uint64, string, uint64], []byte]
	QueueSequence collections.Sequence
	// SentOps names the positions with operations in each batch in flight. Derived at import.
	SentOps collections.KeySet[sentKey]
	Batches collections.Map[batchKey, types.Batch]
	// BatchBySequence: (channel, packet sequence) -> batch in flight. Derived at import.
	BatchBySequence collections.Map[collections.Pair[string, uint64], batchKey]
	// Dirty holds the validators whose total may have to be sent; one with a batch in flight is not in it.
	Dirty collections.KeySet[validatorKey]
	// Ready holds the consumers that EndBlock looks at: a dirty validator, and nothing known to be in the way of sending.
	// Derived at import.
	Ready collections.KeySet[uint64]
	// WakeUps: (height, consumer) makes a consumer ready again that cannot be sent to before. Derived at import.
	WakeUps collections.KeySet[collections.Pair[int64, uint64]]
	// Resolving holds ended validators that still have queued operations.
	Resolving      collections.KeySet[validatorKey]
	AppliedRecords collections.Map[batchKey, types.AppliedRecord]
	// RewardTotals: (consumer, denom).
	RewardTotals collections.Map[validatorKey, types.RewardTotals]
	// RewardReceivers: account -> consumer, set when the consumer is registered. Derived at import.
	RewardReceivers collections.Map[[]byte, uint64]
	// SendCursor is the consumer whose outbox was served last.
	SendCursor collections.Item[uint64]
	// Stakers: (consumer, validator, user) of every position, for the sweep. Derived at import.
	Stakers collections.KeySet[stakerKey]
	// Slashes: (consumer, validator, first batch hit). The one proven first has the highest batch and hits all stake; each
	// later one is of a lower height, has a lower batch and hits only entries.
	Slashes collections.Map[slashKey, types.Slash]
	// LastSlashes: consumer -> sequence of its last slash. Derived at import.
	LastSlashes collections.Map[uint64, uint64]
	// UnbondedBatches: (consumer, validator, batch) -> release time of the entries of the batch, until they are due. Derived
	// at import.
	UnbondedBatches collections.Map[slashKey, time.Time]
	// Sweeps: slashed validator -> user settled last (empty at the start).
	Sweeps collections.Map[validatorKey, []byte]
	// SweepConsumer is the consumer on which the sweep worked last.
	SweepConsumer collections.Item[uint64]
	// Outcomes says how operations in flight have ended that cannot be booked yet.
	Outcomes collections.Map[positionKey, types.Outcome]
	// OutcomeQueue: (height, position) of the next attempt to book an outcome. Derived at import.
	OutcomeQueue collections.KeySet[outcomeKey]
	// ForcedQueue: (time, position) of the next look at operations that may be too old. Derived at import.
	ForcedQueue collections.KeySet[collections.Pair[time.Time, positionKey]]
	// Unresolved: (height, batch) of the next attempt to book a batch that has ended. Derived at import.
	Unresolved collections.KeySet[collections.Pair[int64, batchKey]]
	// Retirements: consumer -> how far it was left, until all of it but the registration is deleted.
	Retirements collections.Map[uint64, types.Retirement]
	// Retiring holds the retired consumers that EndBlock works on. Derived at import.
	Retiring collections.KeySet[uint64]
}

// NewKeeper returns the keeper; SetVault completes the wiring.
func NewKeeper(
	cdc codec.Codec,
	storeService corestore.KVStoreService,
	accountKeeper types.AccountKeeper,
	bankKeeper types.BankKeeper,
	distrKeeper types.DistributionKeeper,
	clientKeeper types.ClientKeeper,
	connectionKeeper types.ConnectionKeeper,
	channelKeeper types.ChannelKeeper,
	portKeeper types.PortKeeper,
	scopedKeeper types.ScopedKeeper,
	authority string,
) *Keeper {
	if _, err := accountKeeper.AddressCodec().StringToBytes(authority); err != nil {
		panic("externalstaking: authority is not an address: " + err.Error())
	}
	validatorKeys := collections.PairKeyCodec(collections.Uint64Key, collections.StringKey)
	positionKeys := collections.TripleKeyCodec(sdk.AccAddressKey, collections.Uint64Key, collections.StringKey)
	batchKeys := collections.PairKeyCodec(collections.Uint64Key, collections.Uint64Key)
	slashKeys := collections.TripleKeyCodec(collections.Uint64Key, collections.StringKey, collections.Uint64Key)

	sb := collections.NewSchemaBuilder(storeService)
	k := &Keeper{
		cdc:              cdc,
		accountKeeper:    accountKeeper,
		bankKeeper:       bankKeeper,
		distrKeeper:      distrKeeper,
		clientKeeper:     clientKeeper,
		connectionKeeper: connectionKeeper,
		channelKeeper:    channelKeeper,
		portKeeper:       portKeeper,
		scopedKeeper:     scopedKeeper,
		authority:        authority,

		Params:          collections.NewItem(sb, types.ParamsPrefix, "params", codec.CollValue[types.Params](cdc)),
		NextConsumerID:  collections.NewSequence(sb, types.NextConsumerIDPrefix, "next_consumer_id"),
		Consumers:       collections.NewMap(sb, types.ConsumersPrefix, "consumers", collections.Uint64Key, codec.CollValue[types.Consumer](cdc)),
		Outboxes:        collections.NewMap(sb, types.OutboxesPrefix, "outboxes", collections.Uint64Key, codec.CollValue[types.OutboxState](cdc)),
		Syncs:           collections.NewMap(sb, types.SyncsPrefix, "syncs", collections.Uint64Key, codec.CollValue[types.SyncState](cdc)),
		Validators:      collections.NewMap(sb, types.ValidatorsPrefix, "validators", validatorKeys, codec.CollValue[types.Validator](cdc)),
		KeyOwners:       collections.NewMap(sb, types.KeyOwnersPrefix, "key_owners", collections.PairKeyCodec(collections.Uint64Key, collections.BytesKey), collections.StringValue),
		ValidatorCounts: collections.NewMap(sb, types.ValidatorCountsPrefix, "validator_counts", collections.Uint64Key, collections.Uint64Value),
		Evictable:       collections.NewKeySet(sb, types.EvictablePrefix, "evictable", collections.TripleKeyCodec(collections.Uint64Key, collections.Int64Key, collections.StringKey)),
		Pools:           collections.NewMap(sb, types.PoolsPrefix, "pools", validatorKeys, codec.CollValue[types.Pool](cdc)),
		Positions:       collections.NewMap(sb, types.PositionsPrefix, "positions", positionKeys, codec.CollValue[types.Position](cdc)),
		Unbondings:      collections.NewMap(sb, types.UnbondingsPrefix, "unbondings", collections.PairKeyCodec(positionKeys, sdk.TimeKey), codec.CollValue[types.UnbondingEntry](cdc)),
		UnbondingQueue:  collections.NewKeySet(sb, types.UnbondingQueuePrefix, "unbonding_queue", collections.PairKeyCodec(sdk.TimeKey, positionKeys)),
		Queue:           collections.NewMap(sb, types.QueuePrefix, "queue", slashKeys, collections.BytesValue),
		QueueSequence:   collections.NewSequence(sb, types.QueueSequencePrefix, "queue_sequence"),
		SentOps:         collections.NewKeySet(sb, types.SentOpsPrefix, "sent_ops", collections.TripleKeyCodec(collections.Uint64Key, collections.Uint64Key, collections.PairKeyCodec(collections.StringKey, sdk.AccAddressKey))),
		Batches:         collections.NewMap(sb, types.BatchesPrefix, "batches", batchKeys, codec.CollValue[types.Batch](cdc)),
		BatchBySequence: collections.NewMap(sb, types.BatchBySequencePrefix, "batch_by_sequence", collections.PairKeyCodec(collections.StringKey, collections.Uint64Key), collcodec.KeyToValueCodec(batchKeys)),
		Dirty:           collections.NewKeySet(sb, types.DirtyPrefix, "dirty", validatorKeys),
		Ready:           collections.NewKeySet(sb, types.ReadyPrefix, "ready", collections.Uint64Key),
		WakeUps:         collections.NewKeySet(sb, types.WakeUpsPrefix, "wake_ups", collections.PairKeyCodec(collections.Int64Key, collections.Uint64Key)),
		Resolving:       collections.NewKeySet(sb, types.ResolvingPrefix, "resolving", validatorKeys),
		AppliedRecords:  collections.NewMap(sb, types.AppliedRecordsPrefix, "applied_records", batchKeys, codec.CollValue[types.AppliedRecord](cdc)),
		RewardTotals:    collections.NewMap(sb, types.RewardTotalsPrefix, "reward_totals", validatorKeys, codec.CollValue[types.RewardTotals](cdc)),
		RewardReceivers: collections.NewMap(sb, types.RewardReceiversPrefix, "reward_receivers", collections.BytesKey, collections.Uint64Value),
		SendCursor:      collections.NewItem(sb, types.SendCursorPrefix, "send_cursor", collections.Uint64Value),
		Stakers:         collections.NewKeySet(sb, types.StakersPrefix, "stakers", collections.TripleKeyCodec(collections.Uint64Key, collections.StringKey, sdk.AccAddressKey)),
		Slashes:         collections.NewMap(sb, types.SlashesPrefix, "slashes", slashKeys, codec.CollValue[types.Slash](cdc)),
		LastSlashes:     collections.NewMap(sb, types.LastSlashesPrefix, "last_slashes", collections.Uint64Key, collections.Uint64Value),
		UnbondedBatches: collections.NewMap(sb, types.UnbondedBatchesPrefix, "unbonded_batches", slashKeys, collcodec.KeyToValueCodec(sdk.TimeKey)),
		Sweeps:          collections.NewMap(sb, types.SweepsPrefix, "sweeps", validatorKeys, collections.BytesValue),
		SweepConsumer:   collections.NewItem(sb, types.SweepConsumerPrefix, "sweep_consumer", collections.Uint64Value),
		Outcomes:        collections.NewMap(sb, types.OutcomesPrefix, "outcomes", positionKeys, codec.CollValue[types.Outcome](cdc)),
		OutcomeQueue:    collections.NewKeySet(sb, types.OutcomeQueuePrefix, "outcome_queue", collections.PairKeyCodec(collections.Int64Key, positionKeys)),
		ForcedQueue:     collections.NewKeySet(sb, types.ForcedQueuePrefix, "forced_queue", collections.PairKeyCodec(sdk.TimeKey, positionKeys)),
		Unresolved:      collections.NewKeySet(sb, types.UnresolvedPrefix, "unresolved", collections.PairKeyCodec(collections.Int64Key, batchKeys)),
		Retirements:     collections.NewMap(sb, types.RetirementsPrefix, "retirements", collections.Uint64Key, codec.CollValue[types.Retirement](cdc)),
		Retiring:        collections.NewKeySet(sb, types.RetiringPrefix, "retiring", collections.Uint64Key),
	}
	schema, err := sb.Build()
	if err != nil {
		panic(err)
	}
	k.Schema = schema
	return k
}

// SetVault gives the keeper its handle on the vault, once, at wiring.
func (k *Keeper) SetVault(vault types.Vault) {
	if k.vault != nil {
		panic("externalstaking: vault set twice")
	}
	k.vault = vault
}
