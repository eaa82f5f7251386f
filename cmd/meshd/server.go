package main

import (
	"io"

	"cosmossdk.io/log"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/server"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"

	"github.com/mesh-security/mesh/app"
)

// newApp opens the node's state at its last height.
func newApp(
	logger log.Logger, db dbm.DB, traceStore io.Writer, options servertypes.AppOptions,
) servertypes.Application {
	return app.New(logger, db, traceStore, true, options, server.DefaultBaseappOptions(options)...)
}

// exportApp exports the state at a height, -1 for the last.
func exportApp(
	logger log.Logger, db dbm.DB, traceStore io.Writer, height int64, forZeroHeight bool, jailAllowed []string,
	options servertypes.AppOptions, modules []string,
) (servertypes.ExportedApp, error) {
	node := app.New(logger, db, traceStore, height == -1, options)
	if height != -1 {
		if err := node.LoadHeight(height); err != nil {
			return servertypes.ExportedApp{}, err
		}
	}
	return node.ExportAppStateAndValidators(forZeroHeight, jailAllowed, modules)
}
