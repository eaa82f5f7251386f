// Package app wires the demo chain: the usual Cosmos SDK and IBC modules and the four mesh modules. One binary can be
// a provider, a consumer or both.
package app

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"
	reflectionv1 "cosmossdk.io/api/cosmos/reflection/v1"
	"cosmossdk.io/client/v2/autocli"
	"cosmossdk.io/core/appmodule"
	"cosmossdk.io/log"
	storetypes "cosmossdk.io/store/types"
	abci "github.com/cometbft/cometbft/abci/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/runtime"
	runtimeservices "github.com/cosmos/cosmos-sdk/runtime/services"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/types/msgservice"
	"github.com/cosmos/cosmos-sdk/version"
)

// Name is the name of the application and, with a dot, of its default home folder.
const Name = "meshd"

var (
	_ runtime.AppI            = (*App)(nil)
	_ servertypes.Application = (*App)(nil)
)

// DefaultNodeHome is $MESHD_HOME, or ~/.meshd.
func DefaultNodeHome() string {
	if home := os.Getenv("MESHD_HOME"); home != "" {
		return home
	}
	userHome, err := os.UserHomeDir()
	if err != nil {
		userHome = "."
	}
	return filepath.Join(userHome, "."+Name)
}

// App is the whole chain. Its keepers are exported for tests and tools; modules get only what they declare to need.
type App struct {
	*baseapp.BaseApp
	Keepers

	encoding EncodingConfig
	keys     map[string]*storetypes.KVStoreKey

	ModuleManager *module.Manager
	// BasicManager knows the modules' codecs, genesis and commands without their keepers.
	BasicManager module.BasicManager
	configurator module.Configurator
	simulation   *module.SimulationManager
}

// New builds the application over db. The bech32 prefixes must have been set in the SDK's config before. It panics if
// the wiring is wrong (see checkReceivers), because a chain must not start then.
func New(
	logger log.Logger, db dbm.DB, traceStore io.Writer, loadLatest bool, appOpts servertypes.AppOptions,
	baseAppOptions ...func(*baseapp.BaseApp),
) *App {
	return newApp(logger, db, traceStore, loadLatest, appOpts, BlockedAddresses(), baseAppOptions...)
}

func newApp(
	logger log.Logger, db dbm.DB, traceStore io.Writer, loadLatest bool, appOpts servertypes.AppOptions,
	blocked map[string]bool, baseAppOptions ...func(*baseapp.BaseApp),
) *App {
	encoding := MakeEncodingConfig()

	base := baseapp.NewBaseApp(Name, logger, db, encoding.TxConfig.TxDecoder(), baseAppOptions...)
	base.SetCommitMultiStoreTracer(traceStore)
	base.SetVersion(version.Version)
	base.SetInterfaceRegistry(encoding.InterfaceRegistry)
	base.SetTxEncoder(encoding.TxConfig.TxEncoder())

	app := &App{BaseApp: base, encoding: encoding, keys: storetypes.NewKVStoreKeys(storeKeys()...)}
	if err := base.RegisterStreamingServices(appOpts, app.keys); err != nil {
		panic(err)
	}
	app.Keepers = newKeepers(app, appOpts, blocked, logger)
	if err := app.checkReceivers(); err != nil {
		panic(err)
	}

	app.setModules()
	app.registerServices()
	app.registerUpgradeHandlers()

	app.MountKVStores(app.keys)
	app.MountMemoryStores(app.memKeys)
	app.SetInitChainer(app.InitChainer)
	app.SetPreBlocker(app.PreBlocker)
	app.SetBeginBlocker(app.BeginBlocker)
	app.SetEndBlocker(app.EndBlocker)
	app.setHandlers()

	if loadLatest {
		if err := app.LoadLatestVersion(); err != nil {
			panic(fmt.Errorf("loading the last version: %w", err))
		}
	}
	return app
}

// registerServices registers the modules' messages and queries, and the services that describe them to clients.
func (app *App) registerServices() {
	app.configurator = module.NewConfigurator(app.encoding.Codec, app.MsgServiceRouter(), app.GRPCQueryRouter())
	if err := app.ModuleManager.RegisterServices(app.configurator); err != nil {
		panic(err)
	}
	autocliv1.RegisterQueryServer(app.GRPCQueryRouter(), runtimeservices.NewAutoCLIQueryService(app.ModuleManager.Modules))
	reflection, err := runtimeservices.NewReflectionService()
	if err != nil {
		panic(err)
	}
	reflectionv1.RegisterReflectionServiceServer(app.GRPCQueryRouter(), reflection)

	if err := msgservice.ValidateProtoAnnotations(protoFiles()); err != nil {
		panic(err)
	}
}

// PreBlocker runs before every block.
func (app *App) PreBlocker(ctx sdk.Context, _ *abci.RequestFinalizeBlock) (*sdk.ResponsePreBlock, error) {
	return app.ModuleManager.PreBlock(ctx)
}

// BeginBlocker runs at the start of every block.
func (app *App) BeginBlocker(ctx sdk.Context) (sdk.BeginBlock, error) {
	return app.ModuleManager.BeginBlock(ctx)
}

// EndBlocker runs at the end of every block.
func (app *App) EndBlocker(ctx sdk.Context) (sdk.EndBlock, error) {
	return app.ModuleManager.EndBlock(ctx)
}

// LoadHeight loads the state of one height.
func (app *App) LoadHeight(height int64) error { return app.LoadVersion(height) }

// AppCodec is the protobuf codec.
func (app *App) AppCodec() codec.Codec { return app.encoding.Codec }

// LegacyAmino is the amino codec, for signing with hardware wallets.
func (app *App) LegacyAmino() *codec.LegacyAmino { return app.encoding.Amino }

// InterfaceRegistry resolves Any values.
func (app *App) InterfaceRegistry() codectypes.InterfaceRegistry {
	return app.encoding.InterfaceRegistry
}

// TxConfig encodes and signs transactions.
func (app *App) TxConfig() client.TxConfig { return app.encoding.TxConfig }

// EncodingConfig bundles the four above.
func (app *App) EncodingConfig() EncodingConfig { return app.encoding }

// SimulationManager drives the chain with random messages of all modules that need no other chain. Two chains that secure
// each other are driven by the property tests.
func (app *App) SimulationManager() *module.SimulationManager { return app.simulation }

// AutoCLIOptions are the modules' command line descriptors.
func (app *App) AutoCLIOptions() autocli.AppOptions {
	modules := make(map[string]appmodule.AppModule, len(app.ModuleManager.Modules))
	for name, m := range app.ModuleManager.Modules {
		if appModule, ok := m.(appmodule.AppModule); ok {
			modules[name] = appModule
		}
	}
	return autocli.AppOptions{
		Modules:       modules,
		ModuleOptions: runtimeservices.ExtractAutoCLIOptions(app.ModuleManager.Modules),
	}
}
