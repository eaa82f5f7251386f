package app_test

import (
	"bytes"
	"testing"
	"time"

	"cosmossdk.io/log"
	"cosmossdk.io/store/pruning/types"
	"cosmossdk.io/store/snapshots"
	snapshottypes "cosmossdk.io/store/snapshots/types"
	abci "github.com/cometbft/cometbft/abci/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/baseapp"
	simtestutil "github.com/cosmos/cosmos-sdk/testutil/sims"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/app"
	"github.com/mesh-security/mesh/testutil/twochain"
)

// replica is another node of a chain, which follows its blocks.
type replica struct {
	*app.App
	t       *testing.T
	chain   *twochain.Chain
	db      dbm.DB
	options []func(*baseapp.BaseApp)
	genesis *abci.RequestInitChain
	blocks  []*abci.RequestFinalizeBlock
}

// newReplica is a node with an empty database.
func newReplica(t *testing.T, c *twochain.Chain, options ...func(*baseapp.BaseApp)) *replica {
	t.Helper()
	genesis, blocks, err := c.Recording()
	require.NoError(t, err)
	require.Len(t, c.Hashes(), len(blocks))
	require.Greater(t, len(blocks), 40)
	r := &replica{t: t, chain: c, db: dbm.NewMemDB(), genesis: genesis, blocks: blocks}
	r.options = append(options, baseapp.SetChainID(c.ChainID))
	r.restart()
	return r
}

// restart leaves nothing of the node but its database.
func (r *replica) restart() {
	r.App = app.New(log.NewNopLogger(), r.db, nil, true, simtestutil.NewAppOptionsWithFlagHome(r.t.TempDir()), r.options...)
}

func (r *replica) start() {
	r.t.Helper()
	_, err := r.InitChain(r.genesis)
	require.NoError(r.t, err)
}

// follow runs the blocks after the last one up to a height, and asserts that it comes to the chain's own hashes.
func (r *replica) follow(height int64) {
	r.t.Helper()
	for next := r.LastBlockHeight() + 1; next <= height; next++ {
		res, err := r.FinalizeBlock(r.blocks[next-1])
		require.NoError(r.t, err)
		require.True(r.t, bytes.Equal(r.chain.Hashes()[next-1], res.AppHash), "block %d of %s", next, r.chain.ChainID)
		_, err = r.Commit()
		require.NoError(r.t, err)
	}
}

// eachReplica runs a test for a provider and a consumer in the middle of cross-staking.
func eachReplica(t *testing.T, run func(t *testing.T, c *twochain.Chain)) {
	t.Helper()
	n := staked(t)
	for range 20 {
		n.Provider.NextBlock()
		n.Consumer.NextBlock()
	}
	require.NoError(t, n.Relay())
	for _, c := range []*twochain.Chain{n.Provider, n.Consumer} {
		t.Run(c.ChainID, func(t *testing.T) { run(t, c) })
	}
}

// What a keeper holds in memory must not matter.
func TestNF02RestartsDoNotChangeTheHash(t *testing.T) {
	eachReplica(t, func(t *testing.T, c *twochain.Chain) {
		r := newReplica(t, c)
		r.start()
		for height := int64(10); height < int64(len(r.blocks)); height += 10 {
			r.follow(height)
			r.restart()
		}
		r.follow(int64(len(r.blocks)))
	})
}

func TestGN04PrunedNodeHasTheSameHash(t *testing.T) {
	eachReplica(t, func(t *testing.T, c *twochain.Chain) {
		r := newReplica(t, c, baseapp.SetPruning(types.NewCustomPruningOptions(2, 10)))
		r.start()
		last := int64(len(r.blocks))
		r.follow(last - 5)
		// Stores prune beside the blocks, and a store that was opened before knows nothing of it.
		require.Eventually(t, func() bool {
			_, err := r.CommitMultiStore().CacheMultiStoreWithVersion(last - 25)
			return err != nil
		}, time.Minute, 10*time.Millisecond, "nothing was pruned")
		r.restart()
		r.follow(last)
	})
}

func TestGN04RolledBackNodeHasTheSameHash(t *testing.T) {
	eachReplica(t, func(t *testing.T, c *twochain.Chain) {
		r := newReplica(t, c)
		r.start()
		last := int64(len(r.blocks))
		for _, height := range []int64{last - 20, last - 3, last} {
			r.follow(height)
			require.NoError(t, r.CommitMultiStore().RollbackToVersion(height-1))
			r.restart()
			require.Equal(t, height-1, r.LastBlockHeight())
		}
		r.follow(last)
	})
}

func TestGN04RestoredNodeHasTheSameHash(t *testing.T) {
	eachReplica(t, func(t *testing.T, c *twochain.Chain) {
		withSnapshots := func() func(*baseapp.BaseApp) {
			store, err := snapshots.NewStore(dbm.NewMemDB(), t.TempDir())
			require.NoError(t, err)
			return baseapp.SetSnapshot(store, snapshottypes.NewSnapshotOptions(0, 2))
		}
		source := newReplica(t, c, withSnapshots())
		source.start()
		last := int64(len(source.blocks))
		height := last - 15
		source.follow(height)
		_, err := source.SnapshotManager().Create(uint64(height))
		require.NoError(t, err)

		restored := newReplica(t, c, withSnapshots())
		list, err := source.ListSnapshots(&abci.RequestListSnapshots{})
		require.NoError(t, err)
		require.Len(t, list.Snapshots, 1)
		snapshot := list.Snapshots[0]
		offered, err := restored.OfferSnapshot(&abci.RequestOfferSnapshot{Snapshot: snapshot, AppHash: c.Hashes()[height-1]})
		require.NoError(t, err)
		require.Equal(t, abci.ResponseOfferSnapshot_ACCEPT, offered.Result)
		for chunk := range snapshot.Chunks {
			loaded, err := source.LoadSnapshotChunk(&abci.RequestLoadSnapshotChunk{Height: snapshot.Height, Format: snapshot.Format, Chunk: chunk})
			require.NoError(t, err)
			applied, err := restored.ApplySnapshotChunk(&abci.RequestApplySnapshotChunk{Index: chunk, Chunk: loaded.Chunk})
			require.NoError(t, err)
			require.Equal(t, abci.ResponseApplySnapshotChunk_ACCEPT, applied.Result)
		}
		info, err := restored.Info(&abci.RequestInfo{})
		require.NoError(t, err)
		require.Equal(t, height, info.LastBlockHeight)
		require.Equal(t, c.Hashes()[height-1], info.LastBlockAppHash)
		restored.follow(last - 5)
		restored.restart()
		restored.follow(last)
	})
}
