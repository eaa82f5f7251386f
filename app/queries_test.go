package app_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cosmos/cosmos-sdk/types/query"
	"github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/app"
	"github.com/mesh-security/mesh/testutil/twochain"
	convertertypes "github.com/mesh-security/mesh/x/converter/types"
	externaltypes "github.com/mesh-security/mesh/x/externalstaking/types"
	vaulttypes "github.com/mesh-security/mesh/x/vault/types"
	virtualtypes "github.com/mesh-security/mesh/x/virtualstaking/types"
)

// question is a query by its path, and its response.
type question struct {
	path              string
	request, response proto.Message
}

// questions are about everything that blocks change, with pages as large as they come.
func questions(n *twochain.Network, c *twochain.Chain) []question {
	page := &query.PageRequest{Limit: 1_000_000, CountTotal: true}
	if c == n.Consumer {
		return []question{
			{"/mesh.converter.v1.Query/Converters", &convertertypes.QueryConvertersRequest{Pagination: page}, new(convertertypes.QueryConvertersResponse)},
			{"/mesh.converter.v1.Query/Converter", &convertertypes.QueryConverterRequest{ConverterId: 1}, new(convertertypes.QueryConverterResponse)},
			{"/mesh.converter.v1.Query/RemoteStake", &convertertypes.QueryRemoteStakeRequest{ConverterId: 1, Pagination: page}, new(convertertypes.QueryRemoteStakeResponse)},
			{"/mesh.virtualstaking.v1.Query/Sources", &virtualtypes.QuerySourcesRequest{Pagination: page}, new(virtualtypes.QuerySourcesResponse)},
			{"/mesh.virtualstaking.v1.Query/Delegations", &virtualtypes.QueryDelegationsRequest{ConverterId: 1, Pagination: page}, new(virtualtypes.QueryDelegationsResponse)},
			{"/mesh.virtualstaking.v1.Query/Exposure", &virtualtypes.QueryExposureRequest{Pagination: page}, new(virtualtypes.QueryExposureResponse)},
		}
	}
	user := n.Provider.Users[1].String()
	return []question{
		{"/mesh.vault.v1.Query/Accounts", &vaulttypes.QueryAccountsRequest{Pagination: page}, new(vaulttypes.QueryAccountsResponse)},
		{"/mesh.vault.v1.Query/Account", &vaulttypes.QueryAccountRequest{User: user}, new(vaulttypes.QueryAccountResponse)},
		{"/mesh.externalstaking.v1.Query/Consumer", &externaltypes.QueryConsumerRequest{ConsumerId: 1}, new(externaltypes.QueryConsumerResponse)},
		{"/mesh.externalstaking.v1.Query/Positions", &externaltypes.QueryPositionsRequest{User: user, Pagination: page}, new(externaltypes.QueryPositionsResponse)},
		{"/mesh.externalstaking.v1.Query/Validators", &externaltypes.QueryValidatorsRequest{ConsumerId: 1, Pagination: page}, new(externaltypes.QueryValidatorsResponse)},
		{"/mesh.externalstaking.v1.Query/InFlight", &externaltypes.QueryInFlightRequest{ConsumerId: 1, Pagination: page}, new(externaltypes.QueryInFlightResponse)},
	}
}

// Queries with pages run beside each other and beside the transactions of blocks. `make test-race`
// looks for races between them. Only the commit itself has the state for itself, as CometBFT's lock of its local
// application gives it: the stores below do not promise more.
func TestEP08QueriesDuringBlocks(t *testing.T) {
	n := staked(t)
	for range 20 {
		n.Provider.NextBlock()
		n.Consumer.NextBlock()
	}
	for _, c := range []*twochain.Chain{n.Provider, n.Consumer} {
		r := newReplica(t, c)
		r.start()
		last := int64(len(r.blocks))
		r.follow(last - 30) // everything asked for is there

		var asked atomic.Int64
		var stop atomic.Bool
		var commit sync.RWMutex
		failures := make(chan error, 4)
		var clients sync.WaitGroup
		for client := range 4 {
			clients.Add(1)
			go func() {
				defer clients.Done()
				for i := client; !stop.Load(); i++ {
					all := questions(n, c)
					commit.RLock()
					err := ask(r.App, all[i%len(all)])
					commit.RUnlock()
					if err != nil {
						failures <- err
						return
					}
					asked.Add(1)
				}
			}()
		}
		for height := last - 29; height <= last; height++ {
			_, err := r.FinalizeBlock(r.blocks[height-1])
			require.NoError(t, err)
			commit.Lock()
			_, err = r.Commit()
			commit.Unlock()
			require.NoError(t, err)
		}
		stop.Store(true)
		clients.Wait()
		close(failures)
		for err := range failures {
			require.NoError(t, err, c.ChainID)
		}
		require.Positive(t, asked.Load())
		require.Equal(t, c.Hashes()[last-1], r.LastCommitID().Hash, "queries change nothing")
	}
}

// ask asks the node, through the interface that RPC and gRPC use, about the last committed state.
func ask(node *app.App, q question) error {
	data, err := proto.Marshal(q.request)
	if err != nil {
		return err
	}
	res, err := node.Query(context.Background(), &abci.RequestQuery{Path: q.path, Data: data})
	if err != nil {
		return fmt.Errorf("%s: %w", q.path, err)
	}
	if res.Code != abci.CodeTypeOK {
		return fmt.Errorf("%s: %s", q.path, res.Log)
	}
	return proto.Unmarshal(res.Value, q.response)
}
