package app

import (
	"encoding/json"
	"maps"
	"slices"

	corestore "cosmossdk.io/core/store"
	"cosmossdk.io/log"
	storetypes "cosmossdk.io/store/types"
	"cosmossdk.io/x/circuit"
	circuitkeeper "cosmossdk.io/x/circuit/keeper"
	circuittypes "cosmossdk.io/x/circuit/types"
	"cosmossdk.io/x/evidence"
	evidencekeeper "cosmossdk.io/x/evidence/keeper"
	evidencetypes "cosmossdk.io/x/evidence/types"
	"cosmossdk.io/x/feegrant"
	feegrantkeeper "cosmossdk.io/x/feegrant/keeper"
	feegrantmodule "cosmossdk.io/x/feegrant/module"
	"cosmossdk.io/x/upgrade"
	upgradekeeper "cosmossdk.io/x/upgrade/keeper"
	upgradetypes "cosmossdk.io/x/upgrade/types"
	abci "github.com/cometbft/cometbft/abci/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/runtime"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/x/auth"
	authcodec "github.com/cosmos/cosmos-sdk/x/auth/codec"
	authkeeper "github.com/cosmos/cosmos-sdk/x/auth/keeper"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/auth/vesting"
	vestingtypes "github.com/cosmos/cosmos-sdk/x/auth/vesting/types"
	"github.com/cosmos/cosmos-sdk/x/authz"
	authzkeeper "github.com/cosmos/cosmos-sdk/x/authz/keeper"
	authzmodule "github.com/cosmos/cosmos-sdk/x/authz/module"
	"github.com/cosmos/cosmos-sdk/x/bank"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	"github.com/cosmos/cosmos-sdk/x/consensus"
	consensuskeeper "github.com/cosmos/cosmos-sdk/x/consensus/keeper"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"
	distr "github.com/cosmos/cosmos-sdk/x/distribution"
	distrkeeper "github.com/cosmos/cosmos-sdk/x/distribution/keeper"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	"github.com/cosmos/cosmos-sdk/x/gov"
	govkeeper "github.com/cosmos/cosmos-sdk/x/gov/keeper"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	"github.com/cosmos/cosmos-sdk/x/mint"
	mintkeeper "github.com/cosmos/cosmos-sdk/x/mint/keeper"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	"github.com/cosmos/cosmos-sdk/x/slashing"
	slashingkeeper "github.com/cosmos/cosmos-sdk/x/slashing/keeper"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	"github.com/cosmos/cosmos-sdk/x/staking"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/cosmos/ibc-go/modules/capability"
	capabilitykeeper "github.com/cosmos/ibc-go/modules/capability/keeper"
	capabilitytypes "github.com/cosmos/ibc-go/modules/capability/types"
	"github.com/cosmos/ibc-go/v8/modules/apps/transfer"
	ibctransferkeeper "github.com/cosmos/ibc-go/v8/modules/apps/transfer/keeper"
	ibctransfertypes "github.com/cosmos/ibc-go/v8/modules/apps/transfer/types"
	ibc "github.com/cosmos/ibc-go/v8/modules/core"
	porttypes "github.com/cosmos/ibc-go/v8/modules/core/05-port/types"
	ibcexported "github.com/cosmos/ibc-go/v8/modules/core/exported"
	ibckeeper "github.com/cosmos/ibc-go/v8/modules/core/keeper"
	ibctm "github.com/cosmos/ibc-go/v8/modules/light-clients/07-tendermint"

	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
	virtualtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

// MeshStores are the stores of the mesh modules, which are also their names.
var MeshStores = upgrades[0].stores.Added

// Before is the application of a chain before it got the mesh modules: everything else there is, and nothing that knows
// of them.
type Before struct {
	*baseapp.BaseApp
	Manager       *module.Manager
	UpgradeKeeper *upgradekeeper.Keeper
	encoding      EncodingConfig
}

// NewBefore builds the earlier application over a database; home is where it notes the upgrade it stopped at.
func NewBefore(db dbm.DB, home string, options ...func(*baseapp.BaseApp)) *Before {
	encoding := MakeEncodingConfig()
	cdc := encoding.Codec
	base := baseapp.NewBaseApp(Name, log.NewNopLogger(), db, encoding.TxConfig.TxDecoder(), options...)
	base.SetInterfaceRegistry(encoding.InterfaceRegistry)
	keys := storetypes.NewKVStoreKeys(slices.DeleteFunc(storeKeys(), func(key string) bool { return slices.Contains(MeshStores, key) })...)
	memKeys := storetypes.NewMemoryStoreKeys(capabilitytypes.MemStoreKey)
	store := func(key string) corestore.KVStoreService { return runtime.NewKVStoreService(keys[key]) }
	authority := authtypes.NewModuleAddress(govtypes.ModuleName).String()
	config := sdk.GetConfig()
	accounts := moduleAccounts()
	maps.DeleteFunc(accounts, func(name string, _ []string) bool {
		return name == vaulttypes.ModuleName || name == virtualtypes.ModuleName
	})

	consensusKeeper := consensuskeeper.NewKeeper(cdc, store(consensustypes.StoreKey), authority, runtime.EventService{})
	base.SetParamStore(consensusKeeper.ParamsStore)
	accountKeeper := authkeeper.NewAccountKeeper(
		cdc, store(authtypes.StoreKey), authtypes.ProtoBaseAccount, accounts,
		authcodec.NewBech32Codec(config.GetBech32AccountAddrPrefix()), config.GetBech32AccountAddrPrefix(), authority,
	)
	bankKeeper := bankkeeper.NewBaseKeeper(cdc, store(banktypes.StoreKey), accountKeeper, nil, authority, log.NewNopLogger())
	stakingKeeper := stakingkeeper.NewKeeper(
		cdc, store(stakingtypes.StoreKey), accountKeeper, bankKeeper, authority,
		authcodec.NewBech32Codec(config.GetBech32ValidatorAddrPrefix()), authcodec.NewBech32Codec(config.GetBech32ConsensusAddrPrefix()),
	)
	distrKeeper := distrkeeper.NewKeeper(
		cdc, store(distrtypes.StoreKey), accountKeeper, bankKeeper, stakingKeeper, authtypes.FeeCollectorName, authority,
	)
	slashingKeeper := slashingkeeper.NewKeeper(cdc, encoding.Amino, store(slashingtypes.StoreKey), stakingKeeper, authority)
	stakingKeeper.SetHooks(stakingtypes.NewMultiStakingHooks(distrKeeper.Hooks(), slashingKeeper.Hooks()))
	mintKeeper := mintkeeper.NewKeeper(
		cdc, store(minttypes.StoreKey), stakingKeeper, accountKeeper, bankKeeper, authtypes.FeeCollectorName, authority,
	)
	evidenceKeeper := evidencekeeper.NewKeeper(
		cdc, store(evidencetypes.StoreKey), stakingKeeper, slashingKeeper, accountKeeper.AddressCodec(), runtime.ProvideCometInfoService(),
	)
	feeGrantKeeper := feegrantkeeper.NewKeeper(cdc, store(feegrant.StoreKey), accountKeeper)
	authzKeeper := authzkeeper.NewKeeper(store(authzkeeper.StoreKey), cdc, base.MsgServiceRouter(), accountKeeper)
	circuitKeeper := circuitkeeper.NewKeeper(cdc, store(circuittypes.StoreKey), authority, accountKeeper.AddressCodec())
	upgradeKeeper := upgradekeeper.NewKeeper(nil, store(upgradetypes.StoreKey), cdc, home, base, authority)
	govKeeper := govkeeper.NewKeeper(
		cdc, store(govtypes.StoreKey), accountKeeper, bankKeeper, stakingKeeper, distrKeeper,
		base.MsgServiceRouter(), govtypes.DefaultConfig(), authority,
	)
	capabilityKeeper := capabilitykeeper.NewKeeper(cdc, keys[capabilitytypes.StoreKey], memKeys[capabilitytypes.MemStoreKey])
	ibcKeeper := ibckeeper.NewKeeper(
		cdc, keys[ibcexported.StoreKey], nil, stakingKeeper, upgradeKeeper, capabilityKeeper.ScopeToModule(ibcexported.ModuleName), authority,
	)
	transferKeeper := ibctransferkeeper.NewKeeper(
		cdc, keys[ibctransfertypes.StoreKey], nil, ibcKeeper.ChannelKeeper, ibcKeeper.ChannelKeeper, ibcKeeper.PortKeeper,
		accountKeeper, bankKeeper, capabilityKeeper.ScopeToModule(ibctransfertypes.ModuleName), authority,
	)
	ibcKeeper.SetRouter(porttypes.NewRouter().AddRoute(ibctransfertypes.ModuleName, transfer.NewIBCModule(transferKeeper)))

	manager := module.NewManager(
		auth.NewAppModule(cdc, accountKeeper, nil, nil),
		vesting.NewAppModule(accountKeeper, bankKeeper),
		bank.NewAppModule(cdc, bankKeeper, accountKeeper, nil),
		staking.NewAppModule(cdc, stakingKeeper, accountKeeper, bankKeeper, nil),
		slashing.NewAppModule(cdc, slashingKeeper, accountKeeper, bankKeeper, stakingKeeper, nil, encoding.InterfaceRegistry),
		mint.NewAppModule(cdc, mintKeeper, accountKeeper, nil, nil),
		distr.NewAppModule(cdc, distrKeeper, accountKeeper, bankKeeper, stakingKeeper, nil),
		gov.NewAppModule(cdc, govKeeper, accountKeeper, bankKeeper, nil),
		upgrade.NewAppModule(upgradeKeeper, accountKeeper.AddressCodec()),
		evidence.NewAppModule(*evidenceKeeper),
		feegrantmodule.NewAppModule(cdc, accountKeeper, bankKeeper, feeGrantKeeper, encoding.InterfaceRegistry),
		authzmodule.NewAppModule(cdc, authzKeeper, accountKeeper, bankKeeper, encoding.InterfaceRegistry),
		circuit.NewAppModule(cdc, circuitKeeper),
		consensus.NewAppModule(cdc, consensusKeeper),
		capability.NewAppModule(cdc, *capabilityKeeper, false),
		ibc.NewAppModule(ibcKeeper),
		ibctm.NewAppModule(),
		transfer.NewAppModule(transferKeeper),
	)
	basics := module.NewBasicManagerFromManager(manager, nil)
	basics.RegisterLegacyAminoCodec(encoding.Amino)
	basics.RegisterInterfaces(encoding.InterfaceRegistry)
	manager.SetOrderPreBlockers(upgradetypes.ModuleName)
	manager.SetOrderInitGenesis(
		capabilitytypes.ModuleName, authtypes.ModuleName, banktypes.ModuleName, distrtypes.ModuleName, stakingtypes.ModuleName,
		slashingtypes.ModuleName, govtypes.ModuleName, minttypes.ModuleName, ibcexported.ModuleName, evidencetypes.ModuleName,
		authz.ModuleName, feegrant.ModuleName, upgradetypes.ModuleName, vestingtypes.ModuleName, circuittypes.ModuleName,
		ibctransfertypes.ModuleName,
	)
	if err := manager.RegisterServices(module.NewConfigurator(cdc, base.MsgServiceRouter(), base.GRPCQueryRouter())); err != nil {
		panic(err)
	}
	base.MountKVStores(keys)
	base.MountMemoryStores(memKeys)
	base.SetInitChainer(func(ctx sdk.Context, req *abci.RequestInitChain) (*abci.ResponseInitChain, error) {
		var genesis GenesisState
		if err := json.Unmarshal(req.AppStateBytes, &genesis); err != nil {
			return nil, err
		}
		if err := upgradeKeeper.SetModuleVersionMap(ctx, manager.GetVersionMap()); err != nil {
			return nil, err
		}
		return manager.InitGenesis(ctx, cdc, genesis)
	})
	base.SetPreBlocker(func(ctx sdk.Context, _ *abci.RequestFinalizeBlock) (*sdk.ResponsePreBlock, error) {
		return manager.PreBlock(ctx)
	})
	base.SetBeginBlocker(manager.BeginBlock)
	base.SetEndBlocker(manager.EndBlock)
	if err := base.LoadLatestVersion(); err != nil {
		panic(err)
	}
	return &Before{BaseApp: base, Manager: manager, UpgradeKeeper: upgradeKeeper, encoding: encoding}
}
