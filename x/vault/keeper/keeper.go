// Package keeper holds the vault's state: who put up how much collateral, and who has which lien on it.
package keeper

import (
	"context"
	"time"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/address"
	corestore "cosmossdk.io/core/store"
	"cosmossdk.io/log"
	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/mesh-security/mesh/x/vault/types"
)

// Keeper is the vault. It never reads its module account's balance to decide anything, so coins sent there by others
// change nothing for anyone.
type Keeper struct {
	accounts     types.AccountKeeper
	bank         types.BankKeeper
	staking      types.StakingKeeper
	slashing     types.SlashingKeeper
	distribution types.DistributionKeeper
	addresses    address.Codec
	authority    string
	// module is the account that physically holds the liquid collateral: deposits fund it, withdrawals drain it.
	module sdk.AccAddress
	// feeCollector takes rewards of users who cannot be paid while a loss is taken from them.
	feeCollector sdk.AccAddress

	// holders are the lien holders by prefix, filled at wiring time and only ever looked up. prefixes are theirs, sorted.
	holders  map[string]types.LienHolder
	prefixes []string

	Schema collections.Schema
	// Params are changed by governance.
	Params collections.Item[types.Params]
	// Denom is the one denom of all collateral, fixed at genesis.
	Denom collections.Item[string]
	// Collateral is what each user has put up, positive base units of Denom; no entry is none.
	Collateral collections.Map[sdk.AccAddress, math.Int]
	// Liens are the claims on a user's collateral by (user, "local" or "<prefix>/<id>"), never zero.
	Liens collections.Map[collections.Pair[sdk.AccAddress, string], types.LienRecord]
	// StakingAccounts: staking account -> user, from the user's first local stake on, for ever.
	StakingAccounts collections.Map[sdk.AccAddress, []byte]
	// LocalUsers: (validator, user) for whom a slash of the validator may matter: the staking account has a delegation, an
	// unbonding entry, or a redelegation away from it. Derived at import.
	LocalUsers collections.KeySet[collections.Pair[sdk.ValAddress, sdk.AccAddress]]
	// Maturities: (completion time, user) of unbonding local stake. Derived at import.
	Maturities collections.KeySet[collections.Pair[time.Time, sdk.AccAddress]]
	// Sweeps: slashed validator whose users are being settled -> how far.
	Sweeps collections.Map[sdk.ValAddress, types.SweepRecord]
	// LastSwept is the validator whose sweep had the last turn.
	LastSwept collections.Item[[]byte]
	// Pending: (height, user) to be settled by the sweep from that height on.
	Pending collections.KeySet[collections.Pair[int64, sdk.AccAddress]]
	// Debts are losses the vault could not take out of local stake yet.
	Debts collections.Map[sdk.AccAddress, types.Debt]
	// Losses: (user, sequence, holder), the latest ones of each user.
	Losses collections.Map[collections.Triple[sdk.AccAddress, uint64, string], types.Loss]
	// LastLoss is the sequence of the last loss of any holder.
	LastLoss collections.Item[uint64]
	// Totals accounts for what holders' slashes took.
	Totals collections.Item[types.Totals]
}

// NewKeeper panics on a wiring mistake: no vault module account, no fee collector, or an authority that is no address. It
// appends its own restriction to bank's, which keeps the staking accounts' books right; see redirect.
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
	module := accounts.GetModuleAddress(types.ModuleName)
	if module == nil {
		panic("the vault module account has not been set: add it to the account keeper's permissions, as burner")
	}
	feeCollector := accounts.GetModuleAddress(authtypes.FeeCollectorName)
	if feeCollector == nil {
		panic("the fee collector's module account has not been set: add it to the account keeper's permissions")
	}
	if _, err := accounts.AddressCodec().StringToBytes(authority); err != nil {
		panic("the vault's authority is not an address: " + err.Error())
	}
	sb := collections.NewSchemaBuilder(storeService)
	k := &Keeper{
		accounts:     accounts,
		bank:         bank,
		staking:      staking,
		slashing:     slashing,
		distribution: distribution,
		addresses:    accounts.AddressCodec(),
		authority:    authority,
		module:       module,
		feeCollector: feeCollector,
		holders:      make(map[string]types.LienHolder),

		Params:     collections.NewItem(sb, types.ParamsKey, "params", codec.CollValue[types.Params](cdc)),
		Denom:      collections.NewItem(sb, types.DenomKey, "denom", collections.StringValue),
		Collateral: collections.NewMap(sb, types.CollateralKey, "collateral", sdk.AccAddressKey, sdk.IntValue),
		Liens: collections.NewMap(sb, types.LiensKey, "liens",
			collections.PairKeyCodec(sdk.AccAddressKey, collections.StringKey), codec.CollValue[types.LienRecord](cdc)),
		StakingAccounts: collections.NewMap(sb, types.StakingAccountsKey, "staking_accounts", sdk.AccAddressKey, collections.BytesValue),
		LocalUsers: collections.NewKeySet(sb, types.LocalUsersKey, "local_users",
			collections.PairKeyCodec(sdk.ValAddressKey, sdk.AccAddressKey)),
		Maturities: collections.NewKeySet(sb, types.MaturitiesKey, "maturities",
			collections.PairKeyCodec(sdk.TimeKey, sdk.AccAddressKey)),
		Sweeps:    collections.NewMap(sb, types.SweepsKey, "sweeps", sdk.ValAddressKey, codec.CollValue[types.SweepRecord](cdc)),
		LastSwept: collections.NewItem(sb, types.LastSweptKey, "last_swept", collections.BytesValue),
		Pending: collections.NewKeySet(sb, types.PendingKey, "pending",
			collections.PairKeyCodec(collections.Int64Key, sdk.AccAddressKey)),
		Debts: collections.NewMap(sb, types.DebtsKey, "debts", sdk.AccAddressKey, codec.CollValue[types.Debt](cdc)),
		Losses: collections.NewMap(sb, types.LossesKey, "losses",
			collections.TripleKeyCodec(sdk.AccAddressKey, collections.Uint64Key, collections.StringKey), codec.CollValue[types.Loss](cdc)),
		LastLoss: collections.NewItem(sb, types.LastLossKey, "last_loss", collections.Uint64Value),
		Totals:   collections.NewItem(sb, types.TotalsKey, "totals", codec.CollValue[types.Totals](cdc)),
	}
	schema, err := sb.Build()
	if err != nil {
		panic(err)
	}
	k.Schema = schema
	bank.AppendSendRestriction(k.redirect)
	return k
}

// Authority returns the address that may change the params.
func (k *Keeper) Authority() string { return k.authority }

func (k *Keeper) logger(ctx context.Context) log.Logger {
	return sdk.UnwrapSDKContext(ctx).Logger().With("module", "x/"+types.ModuleName)
}
