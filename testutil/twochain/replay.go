package twochain

import (
	"encoding/json"
	"fmt"

	"cosmossdk.io/log"
	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/baseapp"
	simtestutil "github.com/cosmos/cosmos-sdk/testutil/sims"

	"github.com/mesh-security/mesh/app"
)

// appOver is the application over a database.
func (c *Chain) appOver(db dbm.DB) *app.App {
	options := simtestutil.NewAppOptionsWithFlagHome(c.TB.TempDir())
	a := app.New(log.NewNopLogger(), db, nil, true, options, smallCache)
	baseapp.SetChainID(c.cfg.ChainID)(a.BaseApp)
	return a
}

// emptyApp is the application over an empty database.
func (c *Chain) emptyApp() *app.App { return c.appOver(dbm.NewMemDB()) }

// Reboot stops the node and starts it again over its database: nothing is left but what was committed.
func (c *Chain) Reboot() {
	c.use(c.appOver(c.db))
	c.NextBlock()
}

// Adopt makes an application over a database the chain's node that has gone on from the chain's exported state by itself.
func (c *Chain) Adopt(a *app.App, db dbm.DB) {
	c.use(a)
	c.db = db
	c.recorded, c.hashes, c.genesis = nil, nil, nil
	c.CurrentHeader.Height, c.CurrentHeader.AppHash = a.LastBlockHeight()+1, a.LastCommitID().Hash
	c.NextBlock()
}

// use makes an application that has the chain's state its node.
func (c *Chain) use(a *app.App) {
	c.App = a
	c.TestChain.App = &node{App: a, chain: c}
	c.QueryServer, c.TxConfig, c.Codec = a.IBCKeeper, a.TxConfig(), a.AppCodec()
}

// record keeps what a replica needs to follow.
func (c *Chain) record(req *abci.RequestFinalizeBlock) {
	bz, err := req.Marshal()
	if err != nil {
		c.TB.Fatal(err)
	}
	c.recorded = append(c.recorded, bz)
}

// Recording is the genesis and all blocks since, for replicas. Only what went through blocks is in it: a test must not have
// written to the state by hand.
func (c *Chain) Recording() (genesis *abci.RequestInitChain, blocks []*abci.RequestFinalizeBlock, err error) {
	for _, bz := range c.recorded {
		req := new(abci.RequestFinalizeBlock)
		if err := req.Unmarshal(bz); err != nil {
			return nil, nil, err
		}
		blocks = append(blocks, req)
	}
	return c.genesis, blocks, nil
}

// Replay runs all blocks since genesis on a fresh application and returns the app hash after each.
func (c *Chain) Replay() ([][]byte, error) {
	genesis, blocks, err := c.Recording()
	if err != nil {
		return nil, err
	}
	replica := c.emptyApp()
	if _, err := replica.InitChain(genesis); err != nil {
		return nil, err
	}
	var hashes [][]byte
	for i, req := range blocks {
		res, err := replica.FinalizeBlock(req)
		if err != nil {
			return nil, fmt.Errorf("block %d: %w", i, err)
		}
		if _, err := replica.Commit(); err != nil {
			return nil, err
		}
		hashes = append(hashes, res.AppHash)
	}
	return hashes, nil
}

// Hashes are the app hashes of all blocks since genesis.
func (c *Chain) Hashes() [][]byte { return c.hashes }

// ExportGenesis is the whole state of the last block, as a genesis.
func (c *Chain) ExportGenesis() (app.GenesisState, error) {
	exported, err := c.App.ExportAppStateAndValidators(false, nil, nil)
	if err != nil {
		return nil, err
	}
	var genesis app.GenesisState
	return genesis, json.Unmarshal(exported.AppState, &genesis)
}

// Restart replaces the application by a fresh one that starts with the exported state, at the height after the last
// block. The chain and everything connected to it go on.
func (c *Chain) Restart() error {
	exported, err := c.App.ExportAppStateAndValidators(false, nil, nil)
	if err != nil {
		return err
	}
	db := dbm.NewMemDB()
	fresh := c.appOver(db)
	req := *c.genesis
	req.AppStateBytes, req.InitialHeight, req.Time = exported.AppState, exported.Height, c.CurrentHeader.Time
	if _, err := fresh.InitChain(&req); err != nil {
		return err
	}
	c.use(fresh)
	c.db = db
	c.recorded, c.hashes, c.genesis = nil, nil, &req
	c.NextBlock()
	return nil
}

// Import starts a fresh application with a genesis, as of the next block, without going on: the state can be read
// through an uncached context.
func (c *Chain) Import(genesis app.GenesisState) (*app.App, error) {
	bz, err := json.Marshal(genesis)
	if err != nil {
		return nil, err
	}
	fresh := c.emptyApp()
	ctx := fresh.BaseApp.NewUncachedContext(false, cmtproto.Header{
		ChainID: c.ChainID, Height: c.CurrentHeader.Height, Time: c.CurrentHeader.Time,
	})
	_, err = fresh.InitChainer(ctx, &abci.RequestInitChain{ChainId: c.ChainID, AppStateBytes: bz})
	return fresh, err
}
