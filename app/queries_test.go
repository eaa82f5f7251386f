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

// Queries run beside blocks, as those of a node's gRPC server do; `make test-race` looks for races between them.
func TestEP08QueriesDuringCommit(t *testing.T) {
	n := staked(t)
	user := n.Provider.Users[1]
	for _, c := range []*twochain.Chain{n.Provider, n.Consumer} {
		var asked atomic.Int64
		var stop atomic.Bool
		failures := make(chan error, 1)
		var clients sync.WaitGroup
		for client := range 4 {
			clients.Add(1)
			go func() {
				defer clients.Done()
				for i := client; !stop.Load(); i++ {
					all := questions(n, c)
					if err := ask(c, all[i%len(all)]); err != nil {
						select {
						case failures <- err:
						default:
						}
						return
					}
					asked.Add(1)
				}
			}()
		}
		for range 30 {
			if c == n.Provider {
				c.Queue(user,
					&vaulttypes.MsgDeposit{User: user.String(), Amount: c.Coin(10)},
					&externaltypes.MsgStake{User: user.String(), ConsumerID: n.ConsumerID, Validator: n.Consumer.Validators[1].Address, Amount: c.Coin(10)})
			}
			c.NextBlock()
		}
		stop.Store(true)
		clients.Wait()
		select {
		case err := <-failures:
			require.NoError(t, err, c.ChainID)
		default:
		}
		require.Greater(t, asked.Load(), int64(30))
	}
}

// ask asks the node, through the interface that RPC and gRPC use, about the last committed state.
func ask(c *twochain.Chain, q question) error {
	data, err := proto.Marshal(q.request)
	if err != nil {
		return err
	}
	res, err := c.App.Query(context.Background(), &abci.RequestQuery{Path: q.path, Data: data})
	if err != nil {
		return fmt.Errorf("%s: %w", q.path, err)
	}
	if res.Code != abci.CodeTypeOK {
		return fmt.Errorf("%s: %s", q.path, res.Log)
	}
	return proto.Unmarshal(res.Value, q.response)
}
