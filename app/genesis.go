package app

import (
	"encoding/json"

	abci "github.com/cometbft/cometbft/abci/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
)

// GenesisState is the genesis of every module by its name.
type GenesisState map[string]json.RawMessage

// DefaultGenesis is every module's default genesis, in the SDK's default bond denom.
func (app *App) DefaultGenesis() GenesisState {
	return app.BasicManager.DefaultGenesis(app.encoding.Codec)
}

// InitChainer starts the chain from a genesis.
func (app *App) InitChainer(ctx sdk.Context, req *abci.RequestInitChain) (*abci.ResponseInitChain, error) {
	var genesis GenesisState
	if err := json.Unmarshal(req.AppStateBytes, &genesis); err != nil {
		return nil, err
	}
	if err := app.UpgradeKeeper.SetModuleVersionMap(ctx, app.ModuleManager.GetVersionMap()); err != nil {
		return nil, err
	}
	return app.ModuleManager.InitGenesis(ctx, app.encoding.Codec, genesis)
}
