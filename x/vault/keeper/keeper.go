// Package keeper holds the vault's state: who put up how much collateral, and who has which lien on it.
package keeper

import (
	"cosmossdk.io/collections"
	"cosmossdk.io/core/address"
	corestore "cosmossdk.io/core/store"
	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mesh-security/mesh/x/vault/types"
)

// Keeper is the vault. It never reads its module account's balance to decide anything, so coins sent there by others
// change nothing for anyone.
type Keeper struct {
	accounts  types.AccountKeeper
	bank      types.BankKeeper
	staking   types.StakingKeeper
	addresses address.Codec
	// module is the account that physically holds the liquid collateral: deposits fund it, withdrawals drain it.
	module    sdk.AccAddress
	authority string

	// holders are the lien holders by prefix, filled at wiring time and only ever looked up.
	holders map[string]types.LienHolder

	Schema collections.Schema
	// Params are changed by governance.
	Params collections.Item[types.Params]
	// Denom is the one denom of all collateral, fixed at genesis.
	Denom collections.Item[string]
	// Collateral is what each user has put up, positive base units of Denom; no entry is none.
	Collateral collections.Map[sdk.AccAddress, math.Int]
	// Liens are the claims on a user's collateral by (user, "<prefix>/<id>"), never zero.
	Liens collections.Map[collections.Pair[sdk.AccAddress, string], types.LienRecord]
}

// NewKeeper panics on a wiring mistake: no vault module account, or an authority that is no address.
func NewKeeper(
	cdc codec.Codec,
	storeService corestore.KVStoreService,
	accounts types.AccountKeeper,
	bank types.BankKeeper,
	staking types.StakingKeeper,
	authority string,
) *Keeper {
	module := accounts.GetModuleAddress(types.ModuleName)
	if module == nil {
		panic("the vault module account has not been set: add it to the account keeper's permissions, with none")
	}
	if _, err := accounts.AddressCodec().StringToBytes(authority); err != nil {
		panic("the vault's authority is not an address: " + err.Error())
	}
	sb := collections.NewSchemaBuilder(storeService)
	k := &Keeper{
		accounts:  accounts,
		bank:      bank,
		staking:   staking,
		addresses: accounts.AddressCodec(),
		module:    module,
		authority: authority,
		holders:   make(map[string]types.LienHolder),

		Params:     collections.NewItem(sb, types.ParamsKey, "params", codec.CollValue[types.Params](cdc)),
		Denom:      collections.NewItem(sb, types.DenomKey, "denom", collections.StringValue),
		Collateral: collections.NewMap(sb, types.CollateralKey, "collateral", sdk.AccAddressKey, sdk.IntValue),
		Liens: collections.NewMap(sb, types.LiensKey, "liens",
			collections.PairKeyCodec(sdk.AccAddressKey, collections.StringKey), codec.CollValue[types.LienRecord](cdc)),
	}
	schema, err := sb.Build()
	if err != nil {
		panic(err)
	}
	k.Schema = schema
	return k
}

// Authority returns the address that may change the params.
func (k *Keeper) Authority() string { return k.authority }
