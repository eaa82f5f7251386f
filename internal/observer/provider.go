package observer

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	errorsmod "cosmossdk.io/errors"
	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/tx"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"

	"github.com/mesh-security/mesh/x/externalstaking/evidence"
	externaltypes "github.com/mesh-security/mesh/x/externalstaking/types"
)

const (
	// inclusionTimeout is how long a transaction may take to get into a block, inclusionPoll how often that is looked at.
	inclusionTimeout = time.Minute
	inclusionPoll    = time.Second
)

// Provider is a node of the provider chain and the account that pays for transactions there.
type Provider struct {
	ctx        client.Context
	txs        tx.Factory
	consumerID uint64
}

// NewProvider takes a client context with a node, a chain id and the sender, and a factory with the way to pay.
func NewProvider(ctx client.Context, txs tx.Factory, consumerID uint64) *Provider {
	return &Provider{ctx: ctx, txs: txs.WithSimulateAndExecute(true), consumerID: consumerID}
}

// client is what the consumer's light client says.
func (p *Provider) client(ctx context.Context) (evidence.Client, error) {
	res, err := externaltypes.NewQueryClient(p.ctx).Consumer(ctx, &externaltypes.QueryConsumerRequest{ConsumerId: p.consumerID})
	if err != nil {
		return evidence.Client{}, err
	}
	return evidence.Client{ID: res.Consumer.ClientID, ChainID: res.ClientChainID, Latest: res.ClientHeight}, nil
}

// trustedHeight is the highest height at or below limit, of its revision, that the light client still knows.
func (p *Provider) trustedHeight(ctx context.Context, clientID string, limit clienttypes.Height) (clienttypes.Height, error) {
	var best clienttypes.Height
	page := &query.PageRequest{}
	for {
		res, err := clienttypes.NewQueryClient(p.ctx).ConsensusStateHeights(ctx, &clienttypes.QueryConsensusStateHeightsRequest{
			ClientId: clientID, Pagination: page,
		})
		if err != nil {
			return best, err
		}
		for _, height := range res.ConsensusStateHeights {
			if height.RevisionNumber == limit.RevisionNumber && height.LTE(limit) && height.GT(best) {
				best = height
			}
		}
		if len(res.Pagination.GetNextKey()) == 0 {
			break
		}
		page = &query.PageRequest{Key: res.Pagination.NextKey}
	}
	if best.IsZero() {
		return best, fmt.Errorf("light client %s knows no height at or below %s: bring it a header from before", clientID, limit)
	}
	return best, nil
}

// sender pays for the transactions.
func (p *Provider) sender() string { return p.ctx.GetFromAddress().String() }

// send signs the messages into one transaction and waits until it is in a block. It is simulated first, so what the
// chain refuses costs nothing. Refusals are the registered errors.
func (p *Provider) send(ctx context.Context, msgs ...sdk.Msg) (hash string, err error) {
	txs, err := p.txs.Prepare(p.ctx)
	if err != nil {
		return "", err
	}
	gas, err := p.simulate(ctx, txs, msgs)
	if err != nil {
		return "", err
	}
	txs = txs.WithGas(uint64(txs.GasAdjustment() * float64(gas)))
	builder, err := txs.BuildUnsignedTx(msgs...)
	if err != nil {
		return "", err
	}
	if err := tx.Sign(ctx, txs, p.ctx.FromName, builder, true); err != nil {
		return "", err
	}
	bz, err := p.ctx.TxConfig.TxEncoder()(builder.GetTx())
	if err != nil {
		return "", err
	}
	res, err := p.ctx.Client.BroadcastTxSync(ctx, bz)
	if err != nil {
		return "", err
	}
	if res.Code != abci.CodeTypeOK {
		return "", errorsmod.ABCIError(res.Codespace, res.Code, res.Log)
	}
	return res.Hash.String(), p.included(ctx, res.Hash)
}

// simulate returns the gas the messages need. The node's simulate query says which registered error refuses them; the
// gRPC service only has a text.
func (p *Provider) simulate(ctx context.Context, txs tx.Factory, msgs []sdk.Msg) (gas uint64, err error) {
	bz, err := txs.BuildSimTx(msgs...)
	if err != nil {
		return 0, err
	}
	res, err := p.ctx.Client.ABCIQuery(ctx, "/app/simulate", bz)
	if err != nil {
		return 0, err
	}
	if res.Response.IsErr() {
		return 0, errorsmod.ABCIError(res.Response.Codespace, res.Response.Code, res.Response.Log)
	}
	var simulated struct {
		GasInfo struct {
			GasUsed uint64 `json:"gas_used,string"`
		} `json:"gas_info"`
	}
	err = json.Unmarshal(res.Response.Value, &simulated)
	return simulated.GasInfo.GasUsed, err
}

// included waits for the transaction to be in a block and returns its error.
func (p *Provider) included(ctx context.Context, hash []byte) error {
	ctx, cancel := context.WithTimeout(ctx, inclusionTimeout)
	defer cancel()
	for {
		if res, err := p.ctx.Client.Tx(ctx, hash, false); err == nil {
			if res.TxResult.Code != abci.CodeTypeOK {
				return errorsmod.ABCIError(res.TxResult.Codespace, res.TxResult.Code, res.TxResult.Log)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("transaction %X is in no block yet: %w", hash, ctx.Err())
		case <-time.After(inclusionPoll):
		}
	}
}
