package app

import (
	"context"

	storetypes "cosmossdk.io/store/types"
	upgradetypes "cosmossdk.io/x/upgrade/types"
	"github.com/cosmos/cosmos-sdk/types/module"
)

// chainUpgrade is one planned change of the running chain: at its height the node switches to this binary, which adds and
// deletes stores and runs the modules' migrations.
type chainUpgrade struct {
	name   string
	stores storetypes.StoreUpgrades
}

// upgrades this binary can carry out; none yet.
var upgrades []chainUpgrade

// registerUpgradeHandlers registers all upgrades, and, if the node stands right at one, makes the stores follow it.
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
