package app

import (
	"cosmossdk.io/x/circuit"
	circuittypes "cosmossdk.io/x/circuit/types"
	"cosmossdk.io/x/evidence"
	evidencetypes "cosmossdk.io/x/evidence/types"
	"cosmossdk.io/x/feegrant"
	feegrantmodule "cosmossdk.io/x/feegrant/module"
	"cosmossdk.io/x/upgrade"
	upgradetypes "cosmossdk.io/x/upgrade/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/x/auth"
	authsimulation "github.com/cosmos/cosmos-sdk/x/auth/simulation"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/auth/vesting"
	vestingtypes "github.com/cosmos/cosmos-sdk/x/auth/vesting/types"
	"github.com/cosmos/cosmos-sdk/x/authz"
	authzmodule "github.com/cosmos/cosmos-sdk/x/authz/module"
	"github.com/cosmos/cosmos-sdk/x/bank"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	"github.com/cosmos/cosmos-sdk/x/consensus"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"
	distr "github.com/cosmos/cosmos-sdk/x/distribution"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	"github.com/cosmos/cosmos-sdk/x/genutil"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"
	"github.com/cosmos/cosmos-sdk/x/gov"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	"github.com/cosmos/cosmos-sdk/x/mint"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	"github.com/cosmos/cosmos-sdk/x/slashing"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	"github.com/cosmos/cosmos-sdk/x/staking"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	"github.com/cosmos/ibc-go/modules/capability"
	capabilitytypes "github.com/cosmos/ibc-go/modules/capability/types"
	"github.com/cosmos/ibc-go/v8/modules/apps/transfer"
	ibctransfertypes "github.com/cosmos/ibc-go/v8/modules/apps/transfer/types"
	ibc "github.com/cosmos/ibc-go/v8/modules/core"
	ibcexported "github.com/cosmos/ibc-go/v8/modules/core/exported"
	ibctm "github.com/cosmos/ibc-go/v8/modules/light-clients/07-tendermint"

	"github.com/mesh-security/mesh/x/converter"
	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	"github.com/mesh-security/mesh/x/externalstaking"
	externaltypes "github.com/mesh-security/mesh/x/externalstaking/types"
	"github.com/mesh-security/mesh/x/vault"
	vaultsimulation "github.com/mesh-security/mesh/x/vault/simulation"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
	"github.com/mesh-security/mesh/x/virtualstaking"
	virtualsimulation "github.com/mesh-security/mesh/x/virtualstaking/simulation"
	virtualtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

// setModules builds the module managers. The legacy params subspaces are nil: they serve only migrations from versions
// older than this chain.
func (app *App) setModules() {
	cdc := app.encoding.Codec
	app.ModuleManager = module.NewManager(
		genutil.NewAppModule(app.AccountKeeper, app.StakingKeeper, app, app.encoding.TxConfig),
		auth.NewAppModule(cdc, app.AccountKeeper, nil, nil),
		vesting.NewAppModule(app.AccountKeeper, app.BankKeeper),
		bank.NewAppModule(cdc, app.BankKeeper, app.AccountKeeper, nil),
		staking.NewAppModule(cdc, app.StakingKeeper, app.AccountKeeper, app.BankKeeper, nil),
		slashing.NewAppModule(
			cdc, app.SlashingKeeper, app.AccountKeeper, app.BankKeeper, app.StakingKeeper, nil, app.encoding.InterfaceRegistry,
		),
		mint.NewAppModule(cdc, app.MintKeeper, app.AccountKeeper, nil, nil),
		distr.NewAppModule(cdc, app.DistrKeeper, app.AccountKeeper, app.BankKeeper, app.StakingKeeper, nil),
		gov.NewAppModule(cdc, app.GovKeeper, app.AccountKeeper, app.BankKeeper, nil),
		upgrade.NewAppModule(app.UpgradeKeeper, app.AccountKeeper.AddressCodec()),
		evidence.NewAppModule(*app.EvidenceKeeper),
		feegrantmodule.NewAppModule(
			cdc, app.AccountKeeper, app.BankKeeper, app.FeeGrantKeeper, app.encoding.InterfaceRegistry,
		),
		authzmodule.NewAppModule(
			cdc, app.AuthzKeeper, app.AccountKeeper, app.BankKeeper, app.encoding.InterfaceRegistry,
		),
		circuit.NewAppModule(cdc, *app.CircuitKeeper),
		consensus.NewAppModule(cdc, app.ConsensusKeeper),
		capability.NewAppModule(cdc, *app.CapabilityKeeper, false),
		ibc.NewAppModule(app.IBCKeeper),
		ibctm.NewAppModule(),
		transfer.NewAppModule(app.TransferKeeper),
		vault.NewAppModule(cdc, app.VaultKeeper),
		externalstaking.NewAppModule(cdc, app.ExternalStakingKeeper),
		virtualstaking.NewAppModule(cdc, app.VirtualStakingKeeper),
		converter.NewAppModule(cdc, app.ConverterKeeper),
	)
	app.BasicManager = module.NewBasicManagerFromManager(app.ModuleManager, map[string]module.AppModuleBasic{
		genutiltypes.ModuleName: genutil.NewAppModuleBasic(genutiltypes.DefaultMessageValidator),
		govtypes.ModuleName:     gov.NewAppModuleBasic(nil),
	})
	app.BasicManager.RegisterLegacyAminoCodec(app.encoding.Amino)
	app.BasicManager.RegisterInterfaces(app.encoding.InterfaceRegistry)
	app.setModuleOrder()
	app.simulation = module.NewSimulationManagerFromAppModules(app.ModuleManager.Modules, map[string]module.AppModuleSimulation{
		authtypes.ModuleName: auth.NewAppModule(cdc, app.AccountKeeper, authsimulation.RandomGenesisAccounts, nil),
		vaulttypes.ModuleName: vaultsimulation.NewModule(
			app.VaultKeeper, app.AccountKeeper, app.BankKeeper, app.StakingKeeper,
		),
		virtualtypes.ModuleName: virtualsimulation.NewModule(app.VirtualStakingKeeper, app.StakingKeeper),
	})
	app.simulation.RegisterStoreDecoders()
}

// setModuleOrder fixes who runs when.
func (app *App) setModuleOrder() {
	app.ModuleManager.SetOrderPreBlockers(upgradetypes.ModuleName)
	app.ModuleManager.SetOrderBeginBlockers(
		capabilitytypes.ModuleName, // makes the capabilities known that everything in IBC needs
		minttypes.ModuleName,       // mints what distribution allocates
		distrtypes.ModuleName,      // before slashing, so that a validator's rewards are its own up to this block
		slashingtypes.ModuleName,
		evidencetypes.ModuleName,
		stakingtypes.ModuleName,
		ibcexported.ModuleName,
		virtualtypes.ModuleName,   // epochs, once everything above has settled who signs and what was earned
		convertertypes.ModuleName, // sends the rewards the epochs withdrew
		ibctransfertypes.ModuleName,
		genutiltypes.ModuleName,
		authz.ModuleName,
	)
	app.ModuleManager.SetOrderEndBlockers(
		govtypes.ModuleName,
		stakingtypes.ModuleName,
		vaulttypes.ModuleName,
		externaltypes.ModuleName,  // releases what is due before it sends
		virtualtypes.ModuleName,   // burns what staking released, and sees the new validator set
		convertertypes.ModuleName, // reports that set
		ibcexported.ModuleName,
		ibctransfertypes.ModuleName,
		capabilitytypes.ModuleName,
		genutiltypes.ModuleName,
		feegrant.ModuleName,
	)
	genesis := []string{
		capabilitytypes.ModuleName, // before anyone binds a port
		authtypes.ModuleName,
		banktypes.ModuleName,
		distrtypes.ModuleName, // its hooks must know the validators that staking creates
		stakingtypes.ModuleName,
		slashingtypes.ModuleName,
		govtypes.ModuleName,
		minttypes.ModuleName,
		ibcexported.ModuleName,
		evidencetypes.ModuleName,
		authz.ModuleName,
		feegrant.ModuleName,
		upgradetypes.ModuleName,
		vestingtypes.ModuleName,
		consensustypes.ModuleName,
		circuittypes.ModuleName,
		ibctransfertypes.ModuleName,
		vaulttypes.ModuleName,
		externaltypes.ModuleName,
		virtualtypes.ModuleName,
		convertertypes.ModuleName,
		genutiltypes.ModuleName, // last: it delivers the genesis transactions, which may use any module
	}
	app.ModuleManager.SetOrderInitGenesis(genesis...)
	app.ModuleManager.SetOrderExportGenesis(genesis...)
}
