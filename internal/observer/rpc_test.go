package observer_test

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtbytes "github.com/cometbft/cometbft/libs/bytes"
	cmtlog "github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/p2p"
	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	ctypes "github.com/cometbft/cometbft/rpc/core/types"
	rpcserver "github.com/cometbft/cometbft/rpc/jsonrpc/server"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/testutil/twochain"
)

// errNoBlock is what a CometBFT node says of a block it does not have; its own light-client provider looks for the words.
var errNoBlock = errors.New("height 1 must be less than or equal to the current blockchain height 0")

// rpcNode offers a chain over CometBFT's RPC, as far as it is asked for here. A transaction makes a block at once.
type rpcNode struct {
	// mu guards both chains, which share their clock.
	mu    *sync.Mutex
	chain *twochain.Chain
	url   string

	blocks   map[int64]*cmttypes.LightBlock
	evidence map[int64]cmttypes.EvidenceList
	results  map[string]*abci.ExecTxResult
	// txs are the transactions that came in, in order.
	txs [][]byte
	// first is the first block that is not pruned.
	first int64
	// failures is how many requests fail before the node answers again.
	failures int
}

func serve(t *testing.T, mu *sync.Mutex, chain *twochain.Chain) *rpcNode {
	n := &rpcNode{
		mu: mu, chain: chain, first: 1, blocks: make(map[int64]*cmttypes.LightBlock),
		evidence: make(map[int64]cmttypes.EvidenceList), results: make(map[string]*abci.ExecTxResult),
	}
	mux := http.NewServeMux()
	rpcserver.RegisterRPCFuncs(mux, map[string]*rpcserver.RPCFunc{
		"status":            rpcserver.NewRPCFunc(n.status, ""),
		"block":             rpcserver.NewRPCFunc(n.block, "height"),
		"commit":            rpcserver.NewRPCFunc(n.commit, "height"),
		"validators":        rpcserver.NewRPCFunc(n.validators, "height,page,per_page"),
		"abci_query":        rpcserver.NewRPCFunc(n.abciQuery, "path,data,height,prove"),
		"broadcast_tx_sync": rpcserver.NewRPCFunc(n.broadcastTxSync, "tx"),
		"tx":                rpcserver.NewRPCFunc(n.tx, "hash,prove"),
	}, cmtlog.NewNopLogger())
	server := httptest.NewServer(n.guard(mux))
	t.Cleanup(server.Close)
	n.url = server.URL
	// A block's header is complete only once the next block begins.
	chain.Observe = func(*abci.ResponseFinalizeBlock) { n.remember() }
	n.remember()
	return n
}

// guard lets one request at a time through, or refuses it.
func (n *rpcNode) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.failures > 0 {
			n.failures--
			http.Error(w, "node is down", http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (n *rpcNode) connect(t *testing.T) *rpchttp.HTTP {
	rpc, err := rpchttp.NewWithTimeout(n.url, "/websocket", 10)
	require.NoError(t, err)
	return rpc
}

// remember keeps the chain's last complete header.
func (n *rpcNode) remember() {
	last := n.chain.LastHeader
	if last == nil || last.SignedHeader == nil {
		return
	}
	header, err := cmttypes.SignedHeaderFromProto(last.SignedHeader)
	require.NoError(n.chain.TB, err)
	validators, err := cmttypes.ValidatorSetFromProto(last.ValidatorSet)
	require.NoError(n.chain.TB, err)
	n.blocks[header.Height] = &cmttypes.LightBlock{SignedHeader: header, ValidatorSet: validators}
}

func (n *rpcNode) at(height *int64) (*cmttypes.LightBlock, error) {
	n.remember()
	block := n.blocks[*height]
	if block == nil || *height < n.first {
		return nil, errNoBlock
	}
	return block, nil
}

func (n *rpcNode) status(*rpctypes.Context) (*ctypes.ResultStatus, error) {
	return &ctypes.ResultStatus{
		NodeInfo: p2p.DefaultNodeInfo{Network: n.chain.ChainID},
		SyncInfo: ctypes.SyncInfo{EarliestBlockHeight: n.first, LatestBlockHeight: n.chain.App.LastBlockHeight()},
	}, nil
}

func (n *rpcNode) block(_ *rpctypes.Context, height *int64) (*ctypes.ResultBlock, error) {
	if _, err := n.at(height); err != nil {
		return nil, err
	}
	block := &cmttypes.Block{Evidence: cmttypes.EvidenceData{Evidence: n.evidence[*height]}}
	return &ctypes.ResultBlock{Block: block}, nil
}

func (n *rpcNode) commit(_ *rpctypes.Context, height *int64) (*ctypes.ResultCommit, error) {
	block, err := n.at(height)
	if err != nil {
		return nil, err
	}
	return &ctypes.ResultCommit{SignedHeader: *block.SignedHeader, CanonicalCommit: true}, nil
}

func (n *rpcNode) validators(_ *rpctypes.Context, height *int64, _, _ *int) (*ctypes.ResultValidators, error) {
	block, err := n.at(height)
	if err != nil {
		return nil, err
	}
	all := block.ValidatorSet.Validators
	return &ctypes.ResultValidators{BlockHeight: *height, Validators: all, Count: len(all), Total: len(all)}, nil
}

func (n *rpcNode) abciQuery(_ *rpctypes.Context, path string, data cmtbytes.HexBytes, height int64, prove bool) (*ctypes.ResultABCIQuery, error) {
	res, err := n.chain.App.Query(context.Background(), &abci.RequestQuery{Path: path, Data: data, Height: height, Prove: prove})
	if err != nil {
		return nil, err
	}
	return &ctypes.ResultABCIQuery{Response: *res}, nil
}

func (n *rpcNode) broadcastTxSync(_ *rpctypes.Context, tx cmttypes.Tx) (*ctypes.ResultBroadcastTx, error) {
	res, err := n.chain.App.CheckTx(&abci.RequestCheckTx{Tx: tx, Type: abci.CheckTxType_New})
	if err != nil {
		return nil, err
	}
	if res.IsOK() {
		n.txs = append(n.txs, tx)
		n.chain.QueueSigned(tx)
		n.chain.NextBlock()
		n.results[hex.EncodeToString(tx.Hash())] = n.chain.Last.TxResults[len(n.chain.Last.TxResults)-1]
	}
	return &ctypes.ResultBroadcastTx{Code: res.Code, Log: res.Log, Codespace: res.Codespace, Hash: tx.Hash()}, nil
}

func (n *rpcNode) tx(_ *rpctypes.Context, hash []byte, _ bool) (*ctypes.ResultTx, error) {
	result, found := n.results[hex.EncodeToString(hash)]
	if !found {
		return nil, errors.New("tx not found")
	}
	return &ctypes.ResultTx{Hash: hash, Height: n.chain.App.LastBlockHeight(), TxResult: *result}, nil
}
