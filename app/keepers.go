package app

import (
	corestore "cosmossdk.io/core/store"
	"cosmossdk.io/log"
	storetypes "cosmossdk.io/store/types"
	circuitkeeper "cosmossdk.io/x/circuit/keeper"
	circuittypes "cosmossdk.io/x/circuit/types"
	evidencekeeper "cosmossdk.io/x/evidence/keeper"
	evidencetypes "cosmossdk.io/x/evidence/types"
	"cosmossdk.io/x/feegrant"
	feegrantkeeper "cosmossdk.io/x/feegrant/keeper"
	upgradekeeper "cosmossdk.io/x/upgrade/keeper"
	upgradetypes "cosmossdk.io/x/upgrade/types"
	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/runtime"
	"github.com/cosmos/cosmos-sdk/server"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authcodec "github.com/cosmos/cosmos-sdk/x/auth/codec"
	authkeeper "github.com/cosmos/cosmos-sdk/x/auth/keeper"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	authzkeeper "github.com/cosmos/cosmos-sdk/x/authz/keeper"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	consensuskeeper "github.com/cosmos/cosmos-sdk/x/consensus/keeper"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"
	distrkeeper "github.com/cosmos/cosmos-sdk/x/distribution/keeper"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	govkeeper "github.com/cosmos/cosmos-sdk/x/gov/keeper"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1beta1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1beta1"
	mintkeeper "github.com/cosmos/cosmos-sdk/x/mint/keeper"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	slashingkeeper "github.com/cosmos/cosmos-sdk/x/slashing/keeper"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	capabilitykeeper "github.com/cosmos/ibc-go/modules/capability/keeper"
	capabilitytypes "github.com/cosmos/ibc-go/modules/capability/types"
	ibctransferkeeper "github.com/cosmos/ibc-go/v8/modules/apps/transfer/keeper"
	ibctransfertypes "github.com/cosmos/ibc-go/v8/modules/apps/transfer/types"
	ibcexported "github.com/cosmos/ibc-go/v8/modules/core/exported"
	ibckeeper "github.com/cosmos/ibc-go/v8/modules/core/keeper"
	"github.com/spf13/cast"

	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	externaltypes "github.com/mesh-security/mesh/x/externalstaking/types"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
	virtualtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

// storeKeys names every persistent store.
func storeKeys() []string {
	return []string{
		authtypes.StoreKey, banktypes.StoreKey, stakingtypes.StoreKey, minttypes.StoreKey, distrtypes.StoreKey,
		slashingtypes.StoreKey, govtypes.StoreKey, upgradetypes.StoreKey, feegrant.StoreKey, evidencetypes.StoreKey,
		authzkeeper.StoreKey, consensustypes.StoreKey, circuittypes.StoreKey,
		capabilitytypes.StoreKey, ibcexported.StoreKey, ibctransfertypes.StoreKey,
		vaulttypes.StoreKey, externaltypes.StoreKey, virtualtypes.StoreKey, convertertypes.StoreKey,
	}
}

// Keepers are all keepers of the application.
type Keepers struct {
	AccountKeeper    authkeeper.AccountKeeper
	BankKeeper       bankkeeper.BaseKeeper
	StakingKeeper    *stakingkeeper.Keeper
	SlashingKeeper   slashingkeeper.Keeper
	MintKeeper       mintkeeper.Keeper
	DistrKeeper      distrkeeper.Keeper
	GovKeeper        *govkeeper.Keeper
	UpgradeKeeper    *upgradekeeper.Keeper
	EvidenceKeeper   *evidencekeeper.Keeper
	FeeGrantKeeper   feegrantkeeper.Keeper
	AuthzKeeper      authzkeeper.Keeper
	CircuitKeeper    *circuitkeeper.Keeper
	ConsensusKeeper  consensuskeeper.Keeper
	CapabilityKeeper *capabilitykeeper.Keeper
	IBCKeeper        *ibckeeper.Keeper
	TransferKeeper   ibctransferkeeper.Keeper

	MeshKeepers

	// ScopedIBCKeeper owns the ports' and channels' capabilities of core IBC.
	ScopedIBCKeeper capabilitykeeper.ScopedKeeper

	memKeys map[string]*storetypes.MemoryStoreKey
}

// newKeepers builds every keeper once, in order of need. The chain's authority is its governance account.
func newKeepers(app *App, appOpts servertypes.AppOptions, blocked map[string]bool, logger log.Logger) Keepers {
	var (
		k         = Keepers{memKeys: storetypes.NewMemoryStoreKeys(capabilitytypes.MemStoreKey)}
		cdc       = app.encoding.Codec
		authority = authtypes.NewModuleAddress(govtypes.ModuleName).String()
		config    = sdk.GetConfig()
		store     = func(key string) corestore.KVStoreService { return runtime.NewKVStoreService(app.keys[key]) }
	)

	k.ConsensusKeeper = consensuskeeper.NewKeeper(cdc, store(consensustypes.StoreKey), authority, runtime.EventService{})
	app.SetParamStore(k.ConsensusKeeper.ParamsStore)

	k.AccountKeeper = authkeeper.NewAccountKeeper(
		cdc, store(authtypes.StoreKey), authtypes.ProtoBaseAccount, moduleAccounts(),
		authcodec.NewBech32Codec(config.GetBech32AccountAddrPrefix()), config.GetBech32AccountAddrPrefix(), authority,
	)
	k.BankKeeper = bankkeeper.NewBaseKeeper(cdc, store(banktypes.StoreKey), k.AccountKeeper, blocked, authority, logger)
	k.StakingKeeper = stakingkeeper.NewKeeper(
		cdc, store(stakingtypes.StoreKey), k.AccountKeeper, k.BankKeeper, authority,
		authcodec.NewBech32Codec(config.GetBech32ValidatorAddrPrefix()),
		authcodec.NewBech32Codec(config.GetBech32ConsensusAddrPrefix()),
	)
	k.DistrKeeper = distrkeeper.NewKeeper(
		cdc, store(distrtypes.StoreKey), k.AccountKeeper, k.BankKeeper, k.StakingKeeper, authtypes.FeeCollectorName, authority,
	)
	k.SlashingKeeper = slashingkeeper.NewKeeper(
		cdc, app.encoding.Amino, store(slashingtypes.StoreKey), k.StakingKeeper, authority,
	)
	k.addStakes(app, authority)
	k.MintKeeper = mintkeeper.NewKeeper(
		cdc, store(minttypes.StoreKey), k.mintStaking(), k.AccountKeeper, k.BankKeeper, authtypes.FeeCollectorName, authority,
	)
	k.EvidenceKeeper = evidencekeeper.NewKeeper(
		cdc, store(evidencetypes.StoreKey), k.StakingKeeper, k.SlashingKeeper, k.AccountKeeper.AddressCodec(),
		runtime.ProvideCometInfoService(),
	)
	k.FeeGrantKeeper = feegrantkeeper.NewKeeper(cdc, store(feegrant.StoreKey), k.AccountKeeper)
	k.AuthzKeeper = authzkeeper.NewKeeper(store(authzkeeper.StoreKey), cdc, app.MsgServiceRouter(), k.AccountKeeper)
	circuit := circuitkeeper.NewKeeper(cdc, store(circuittypes.StoreKey), authority, k.AccountKeeper.AddressCodec())
	k.CircuitKeeper = &circuit
	app.SetCircuitBreaker(k.CircuitKeeper)

	skip := map[int64]bool{}
	for _, height := range cast.ToIntSlice(appOpts.Get(server.FlagUnsafeSkipUpgrades)) {
		skip[int64(height)] = true
	}
	k.UpgradeKeeper = upgradekeeper.NewKeeper(
		skip, store(upgradetypes.StoreKey), cdc, cast.ToString(appOpts.Get(flags.FlagHome)), app.BaseApp, authority,
	)

	k.GovKeeper = govkeeper.NewKeeper(
		cdc, store(govtypes.StoreKey), k.AccountKeeper, k.BankKeeper, k.govStaking(), k.DistrKeeper,
		app.MsgServiceRouter(), govtypes.DefaultConfig(), authority,
	)
	// Only text proposals of the old kind; everything else is a message.
	legacy := govv1beta1.NewRouter()
	legacy.AddRoute(govtypes.RouterKey, govv1beta1.ProposalHandler)
	k.GovKeeper.SetLegacyRouter(legacy)

	k.addIBC(app, authority)
	k.addHooks()
	return k
}

// addHooks registers who hears of changes in x/staking: distribution and slashing keep their books on it, the vault puts
// users of slashed validators on its sweep, virtual staking notes which validators to look at.
func (k *Keepers) addHooks() {
	k.StakingKeeper.SetHooks(stakingtypes.NewMultiStakingHooks(
		k.DistrKeeper.Hooks(), k.SlashingKeeper.Hooks(), k.VaultKeeper.Hooks(), k.VirtualStakingKeeper.Hooks(),
	))
}
