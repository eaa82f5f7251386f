// Package keeper holds virtual staking: who may have how much virtual stake, the epochs that bring it to its targets, and
// what changed in this chain's validator set.
package keeper

import (
	"context"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/address"
	corestore "cosmossdk.io/core/store"
	"cosmossdk.io/log"
	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"

	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

// Keeper mints, delegates, unbonds and burns virtual stake for its sources, and watches the validators of this chain.
type Keeper struct {
	accounts     types.AccountKeeper
	bank         types.BankKeeper
	staking      types.StakingKeeper
	slashing     types.SlashingKeeper
	distribution types.DistributionKeeper
	addresses    address.Codec
	authority    string

	// distributionModule pays rewards and feeCollector takes those meant for a virtual account; see SendRestriction.
	distributionModule sdk.AccAddress
	feeCollector       sdk.AccAddress

	// hooks belong to the owner of the sources, set once at wiring time.
	hooks types.SourceHooks

	Schema collections.Schema
	// Params are changed by governance.
	Params collections.Item[types.Params]
	// Sources by id; an id is never reused.
	Sources collections.Map[uint64, types.Source]
	// Accounts finds the source of a virtual account; derived from Sources.
	Accounts collections.Map[sdk.AccAddress, uint64]
	// Epochs is the queue of next epochs by (height, source): one for each source with a cap or outstanding stake, so its
	// length is bounded by what governance authorised. Derived from Sources.
	Epochs collections.KeySet[collections.Pair[int64, uint64]]
	// Validators are the last known states by operator address, of every validator that was ever bonded.
	Validators collections.Map[string, types.ValidatorRecord]
	// Changes finds the validator of a sequence, one entry per record; derived from Validators.
	Changes collections.Map[uint64, string]
	// LastSequence of a validator change, from 1.
	LastSequence collections.Item[uint64]
	// Dirty are the operator addresses whose state must be read again.
	Dirty collections.KeySet[string]
	// ReviewCursor is the validator that was reviewed last; absent while no review is under way.
	ReviewCursor collections.Item[string]
}

// NewKeeper panics on a wiring mistake: no module account, or an authority that is no address.
func NewKeeper(
	cdc codec.Codec,
	storeService corestore.KVStoreService,
	accounts types.AccountKeeper,
	bank types.BankKeeper,
	staking types.StakingKeeper,
	slashing types.SlashingKeeper,
	distribution types.DistributionKeeper,
	authority string,
) *Keeper {
	if accounts.GetModuleAddress(types.ModuleName) == nil {
		panic("the virtualstaking module account has not been set: add it to the account keeper's permissions, as minter and burner")
	}
	if _, err := accounts.AddressCodec().StringToBytes(authority); err != nil {
		panic("virtualstaking's authority is not an address: " + err.Error())
	}
	sb := collections.NewSchemaBuilder(storeService)
	k := &Keeper{
		accounts:           accounts,
		bank:               bank,
		staking:            staking,
		slashing:           slashing,
		distribution:       distribution,
		addresses:          accounts.AddressCodec(),
		authority:          authority,
		distributionModule: accounts.GetModuleAddress(distrtypes.ModuleName),
		feeCollector:       accounts.GetModuleAddress(authtypes.FeeCollectorName),

		Params:   collections.NewItem(sb, types.ParamsKey, "params", codec.CollValue[types.Params](cdc)),
		Sources:  collections.NewMap(sb, types.SourcesKey, "sources", collections.Uint64Key, codec.CollValue[types.Source](cdc)),
		Accounts: collections.NewMap(sb, types.AccountsKey, "accounts", sdk.AccAddressKey, collections.Uint64Value),
		Epochs: collections.NewKeySet(sb, types.EpochsKey, "epochs",
			collections.PairKeyCodec(collections.Int64Key, collections.Uint64Key)),
		Validators: collections.NewMap(sb, types.ValidatorsKey, "validators",
			collections.StringKey, codec.CollValue[types.ValidatorRecord](cdc)),
		Changes:      collections.NewMap(sb, types.ChangesKey, "changes", collections.Uint64Key, collections.StringValue),
		LastSequence: collections.NewItem(sb, types.LastSequenceKey, "last_sequence", collections.Uint64Value),
		Dirty:        collections.NewKeySet(sb, types.DirtyKey, "dirty", collections.StringKey),
		ReviewCursor: collections.NewItem(sb, types.ReviewCursorKey, "review_cursor", collections.StringValue),
	}
	schema, err := sb.Build()
	if err != nil {
		panic(err)
	}
	k.Schema = schema
	return k
}

// SetHooks names the owner of the sources; once, at wiring time.
func (k *Keeper) SetHooks(hooks types.SourceHooks) {
	if k.hooks != nil {
		panic("virtualstaking: source hooks are set twice")
	}
	k.hooks = hooks
}

// Authority returns the address that may set caps and params.
func (k *Keeper) Authority() string { return k.authority }

func (k *Keeper) logger(ctx context.Context) log.Logger {
	return sdk.UnwrapSDKContext(ctx).Logger().With("module", "x/"+types.ModuleName)
}
