package app

import (
	"fmt"

	"github.com/cosmos/cosmos-sdk/runtime"
	sdk "github.com/cosmos/cosmos-sdk/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	capabilitykeeper "github.com/cosmos/ibc-go/modules/capability/keeper"

	"github.com/mesh-security/mesh/internal/invariant"
	converterkeeper "github.com/mesh-security/mesh/x/converter/keeper"
	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	externalkeeper "github.com/mesh-security/mesh/x/externalstaking/keeper"
	externaltypes "github.com/mesh-security/mesh/x/externalstaking/types"
	vaultkeeper "github.com/mesh-security/mesh/x/vault/keeper"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
	virtualkeeper "github.com/mesh-security/mesh/x/virtualstaking/keeper"
	virtualtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

// ExternalHolder is the prefix of the liens that cross-staking puts on collateral: "external/<consumer>".
const ExternalHolder = "external"

// MeshKeepers are the keepers of the mesh modules. A provider needs the first two, a consumer the last two.
type MeshKeepers struct {
	VaultKeeper           *vaultkeeper.Keeper
	ExternalStakingKeeper *externalkeeper.Keeper
	VirtualStakingKeeper  *virtualkeeper.Keeper
	ConverterKeeper       *converterkeeper.Keeper
}

// addStakes builds the keepers that hold stake in x/staking for others: the vault for its users, virtual staking for
// providers. x/mint and x/gov see x/staking through these, so they come first.
func (k *Keepers) addStakes(app *App, authority string) {
	cdc := app.encoding.Codec
	k.VaultKeeper = vaultkeeper.NewKeeper(
		cdc, runtime.NewKVStoreService(app.keys[vaulttypes.StoreKey]),
		k.AccountKeeper, k.BankKeeper, k.StakingKeeper, k.SlashingKeeper, k.DistrKeeper, authority,
	)
	k.VirtualStakingKeeper = virtualkeeper.NewKeeper(
		cdc, runtime.NewKVStoreService(app.keys[virtualtypes.StoreKey]),
		k.AccountKeeper, k.BankKeeper, k.StakingKeeper, k.SlashingKeeper, k.DistrKeeper, authority,
	)
}

// mintStaking is x/staking for x/mint: inflation takes no notice of virtual stake.
func (k *Keepers) mintStaking() minttypes.StakingKeeper {
	return virtualkeeper.NewMintStaking(k.StakingKeeper, k.VirtualStakingKeeper)
}

// govStaking is x/staking for x/gov: virtual stake counts by the weight of its source, and what a voter stakes through the
// vault is the voter's own. The order of the two does not matter.
func (k *Keepers) govStaking() govtypes.StakingKeeper {
	return vaultkeeper.NewGovStaking(virtualkeeper.NewGovStaking(k.StakingKeeper, k.VirtualStakingKeeper), k.VaultKeeper)
}

// addProvider completes the provider's side: cross-staking is one holder of liens in the vault.
func (k *Keepers) addProvider(app *App, scoped capabilitykeeper.ScopedKeeper, authority string) {
	cdc := app.encoding.Codec
	k.ExternalStakingKeeper = externalkeeper.NewKeeper(
		cdc, runtime.NewKVStoreService(app.keys[externaltypes.StoreKey]),
		k.AccountKeeper, k.BankKeeper, k.DistrKeeper, k.IBCKeeper.ClientKeeper, k.IBCKeeper.ConnectionKeeper,
		k.IBCKeeper.ChannelKeeper, k.IBCKeeper.PortKeeper, scoped, authority,
	)
	k.ExternalStakingKeeper.SetVault(k.VaultKeeper.RegisterHolder(ExternalHolder, k.ExternalStakingKeeper))
}

// addConsumer completes the consumer's side: the converter says what virtual staking shall hold. Nobody may send coins to
// the accounts that hold virtual stake.
func (k *Keepers) addConsumer(app *App, scoped capabilitykeeper.ScopedKeeper, authority string) {
	cdc := app.encoding.Codec
	k.ConverterKeeper = converterkeeper.NewKeeper(
		cdc, runtime.NewKVStoreService(app.keys[convertertypes.StoreKey]),
		k.AccountKeeper, k.BankKeeper, k.StakingKeeper, k.DistrKeeper, k.IBCKeeper.ClientKeeper,
		k.IBCKeeper.ConnectionKeeper, k.IBCKeeper.ChannelKeeper, k.IBCKeeper.PortKeeper, scoped, k.TransferKeeper,
		k.VirtualStakingKeeper, authority,
	)
	k.VirtualStakingKeeper.SetHooks(k.ConverterKeeper)
	k.BankKeeper.AppendSendRestriction(k.VirtualStakingKeeper.SendRestriction)
}

// Invariants are all invariants of the mesh modules.
func (app *App) Invariants() []invariant.Named {
	var all []invariant.Named
	all = append(all, app.VaultKeeper.Invariants()...)
	all = append(all, app.ExternalStakingKeeper.Invariants()...)
	all = append(all, app.VirtualStakingKeeper.Invariants()...)
	return append(all, app.ConverterKeeper.Invariants()...)
}

// LastContext reads the last committed state of a stopped node, at its height and time, which some invariants need.
func (app *App) LastContext() (sdk.Context, error) {
	ctx := app.NewContext(true)
	last, err := app.StakingKeeper.GetHistoricalInfo(ctx, app.LastBlockHeight())
	if err != nil {
		return ctx, fmt.Errorf("the time of block %d (staking keeps no historical entries): %w", app.LastBlockHeight(), err)
	}
	return ctx.WithBlockHeader(last.Header), nil
}
