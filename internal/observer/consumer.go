package observer

import (
	"context"
	"fmt"

	"github.com/cometbft/cometbft/light/provider"
	lighthttp "github.com/cometbft/cometbft/light/provider/http"
	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	cmttypes "github.com/cometbft/cometbft/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	ibctm "github.com/cosmos/ibc-go/v8/modules/light-clients/07-tendermint"
)

// Consumer is a node of the consumer chain.
type Consumer struct {
	// ChainID is the node's, at its present revision.
	ChainID string

	rpc    *rpchttp.HTTP
	blocks provider.Provider
}

// NewConsumer asks a node which chain it is of. The connection should bound the time of a request.
func NewConsumer(ctx context.Context, rpc *rpchttp.HTTP) (*Consumer, error) {
	status, err := rpc.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s does not answer: %w", rpc.Remote(), err)
	}
	chainID := status.NodeInfo.Network
	return &Consumer{ChainID: chainID, rpc: rpc, blocks: lighthttp.NewWithClient(chainID, rpc)}, nil
}

// height is a height of the chain's present revision.
func (c *Consumer) height(height int64) clienttypes.Height {
	return clienttypes.NewHeight(clienttypes.ParseChainID(c.ChainID), uint64(height))
}

// heights are the first and the last block the node has.
func (c *Consumer) heights(ctx context.Context) (first, last int64, err error) {
	status, err := c.rpc.Status(ctx)
	if err != nil {
		return 0, 0, err
	}
	return status.SyncInfo.EarliestBlockHeight, status.SyncInfo.LatestBlockHeight, nil
}

// evidence is what the block of a height holds.
func (c *Consumer) evidence(ctx context.Context, height int64) (cmttypes.EvidenceList, error) {
	res, err := c.rpc.Block(ctx, &height)
	if err != nil {
		return nil, err
	}
	return res.Block.Evidence.Evidence, nil
}

// header is a block's header as a light client takes it that trusts an earlier height of the same revision.
func (c *Consumer) header(ctx context.Context, block *cmttypes.LightBlock, trusted clienttypes.Height) (*ibctm.Header, error) {
	validators, err := block.ValidatorSet.ToProto()
	if err != nil {
		return nil, err
	}
	// The client knows the hash of the validators that sign the block after the one it trusts.
	next, err := c.blocks.LightBlock(ctx, int64(trusted.RevisionHeight)+1)
	if err != nil {
		return nil, fmt.Errorf("validators after the trusted height %s: %w", trusted, err)
	}
	trustedValidators, err := next.ValidatorSet.ToProto()
	if err != nil {
		return nil, err
	}
	return &ibctm.Header{
		SignedHeader: block.SignedHeader.ToProto(), ValidatorSet: validators,
		TrustedHeight: trusted, TrustedValidators: trustedValidators,
	}, nil
}
