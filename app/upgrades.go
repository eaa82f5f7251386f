package app

import (
	"context"

	storetypes "cosmossdk.io/store/types"
	upgradetypes "cosmossdk.io/x/upgrade/types"
	"github.com/cosmos/cosmos-sdk/types/module"

	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	externaltypes "github.com/mesh-security/mesh/x/externalstaking/types"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
	virtualtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

// Names of the upgrades, for proposals.
const (
	// UpgradeMesh adds the mesh modules to a chain that has everything else.
	UpgradeMesh = "v1-mesh"
	// UpgradeExits makes stake leave without the other chain's answer, and unwinds stake of silent providers.
	UpgradeExits = "v2-exits"
)

// chainUpgrade is one planned change of the running chain: at its height the node switches to this binary, which adds and
// deletes stores and runs the modules' migrations.
type chainUpgrade struct {
	name   string
	stores storetypes.StoreUpgrades
}

// upgrades this binary can carry out. None is ever taken off: a node that replays the chain needs them all, and x/upgrade
// refuses a binary that does not know the last one.
var upgrades = []chainUpgrade{
	{name: UpgradeMesh, stores: storetypes.StoreUpgrades{Added: []string{
		vaulttypes.StoreKey, externaltypes.StoreKey, virtualtypes.StoreKey, convertertypes.StoreKey,
	}}},
	{name: UpgradeExits},
}

// registerUpgradeHandlers registers all upgrades, and, if the node stands right at one, makes the stores follow it. The
// migrations begin new modules with their default genesis.
func (app *App) registerUpgradeHandlers() {
	for _, u := range upgrades {
		app.UpgradeKeeper.SetUpgradeHandler(u.name,
			func(ctx context.Context, _ upgradetypes.Plan, from module.VersionMap) (module.VersionMap, error) {
				return app.ModuleManager.RunMigrations(ctx, app.configurator, from)
			})
	}
	info, err := app.UpgradeKeeper.ReadUpgradeInfoFromDisk()
	if err != nil {
		panic(err)
	}
	for _, u := range upgrades {
		if info.Name == u.name && !app.UpgradeKeeper.IsSkipHeight(info.Height) {
			app.SetStoreLoader(upgradetypes.UpgradeStoreLoader(info.Height, &u.stores))
		}
	}
}
