package twochain

import (
	"context"
	"fmt"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/client"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	cryptocodec "github.com/cosmos/cosmos-sdk/crypto/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	capabilitykeeper "github.com/cosmos/ibc-go/modules/capability/keeper"
	ibckeeper "github.com/cosmos/ibc-go/v8/modules/core/keeper"
	ibctesting "github.com/cosmos/ibc-go/v8/testing"
	ibctestingtypes "github.com/cosmos/ibc-go/v8/testing/types"

	"github.com/mesh-security/mesh/app"
)

var _ ibctesting.TestingApp = (*node)(nil)

// node stands between ibctesting and the application and completes the blocks.
type node struct {
	*app.App
	chain *Chain
}

// FinalizeBlock adds what CometBFT would: transactions, the proposer, who signed the last block, misbehaviour.
func (n *node) FinalizeBlock(req *abci.RequestFinalizeBlock) (*abci.ResponseFinalizeBlock, error) {
	c := n.chain
	req.Txs = c.queue
	req.ProposerAddress = c.Vals.GetProposer().Address
	req.DecidedLastCommit = c.lastCommit()
	req.Misbehavior = c.misbehaviour
	c.record(req)
	res, err := n.App.FinalizeBlock(req)
	if err != nil {
		return nil, err
	}
	c.queue, c.queued, c.misbehaviour = nil, make(map[string]uint64), nil
	c.lastVals, c.history[req.Height], c.times[req.Height] = c.Vals.Copy(), c.NextVals.Copy(), req.Time
	c.Last = res
	c.hashes = append(c.hashes, res.AppHash)
	c.follow(blockEvents(res))
	return res, nil
}

// Commit tells the chain's observer that a block was committed.
func (n *node) Commit() (*abci.ResponseCommit, error) {
	res, err := n.App.Commit()
	if err == nil && n.chain.Observe != nil {
		n.chain.Observe(n.chain.Last)
	}
	return res, err
}

func (c *Chain) lastCommit() abci.CommitInfo {
	var info abci.CommitInfo
	if c.lastVals == nil {
		return info
	}
	down := make(map[string]bool)
	for _, v := range c.Validators {
		down[v.ConsAddress.String()] = v.down
	}
	for _, v := range c.lastVals.Validators {
		flag := cmtproto.BlockIDFlagCommit
		if down[sdk.ConsAddress(v.Address).String()] {
			flag = cmtproto.BlockIDFlagAbsent
		}
		info.Votes = append(info.Votes, abci.VoteInfo{
			Validator: abci.Validator{Address: v.Address, Power: v.VotingPower}, BlockIdFlag: flag,
		})
	}
	return info
}

// GetHistoricalInfo is who signs the block after a height. It comes from the blocks themselves: x/staking's own record
// shows tokens that were already slashed in the same block.
func (n *node) GetHistoricalInfo(_ context.Context, height int64) (stakingtypes.HistoricalInfo, error) {
	set, found := n.chain.history[height]
	if !found {
		return stakingtypes.HistoricalInfo{}, fmt.Errorf("no block %d", height)
	}
	var info stakingtypes.HistoricalInfo
	for _, v := range set.Validators {
		validator, err := stakingValidator(v)
		if err != nil {
			return info, err
		}
		info.Valset = append(info.Valset, validator)
	}
	return info, nil
}

func stakingValidator(v *cmttypes.Validator) (stakingtypes.Validator, error) {
	pubKey, err := cryptocodec.FromCmtPubKeyInterface(v.PubKey)
	if err != nil {
		return stakingtypes.Validator{}, err
	}
	anyKey, err := codectypes.NewAnyWithValue(pubKey)
	return stakingtypes.Validator{
		ConsensusPubkey: anyKey,
		Status:          stakingtypes.Bonded,
		Tokens:          sdk.TokensFromConsensusPower(v.VotingPower, sdk.DefaultPowerReduction),
	}, err
}

// GetBaseApp implements ibctesting.TestingApp, as do the following.
func (n *node) GetBaseApp() *baseapp.BaseApp { return n.App.BaseApp }

func (n *node) GetStakingKeeper() ibctestingtypes.StakingKeeper { return n }

func (n *node) GetIBCKeeper() *ibckeeper.Keeper { return n.App.IBCKeeper }

func (n *node) GetScopedIBCKeeper() capabilitykeeper.ScopedKeeper { return n.App.ScopedIBCKeeper }

func (n *node) GetTxConfig() client.TxConfig { return n.App.TxConfig() }
