package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cometbft/cometbft/crypto/tmhash"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/privval"
	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	cmttypes "github.com/cometbft/cometbft/types"
)

// doubleVote makes a validator of the consumer vote for a second block: beside the vote that is in the chain's commit of
// the height there is then another one, signed with the same key. CometBFT's own signer refuses that, so the key of the
// node is used directly. It fails if the validator has no vote in that commit.
func (c *chain) doubleVote(ctx context.Context, n *node, rpc *rpchttp.HTTP, height int64) (*cmttypes.DuplicateVoteEvidence, error) {
	bz, err := os.ReadFile(filepath.Join(n.home, "config", "priv_validator_key.json"))
	if err != nil {
		return nil, err
	}
	var key privval.FilePVKey
	if err := cmtjson.Unmarshal(bz, &key); err != nil {
		return nil, err
	}
	block, err := rpc.Commit(ctx, &height)
	if err != nil {
		return nil, err
	}
	signers, err := rpc.Validators(ctx, &height, nil, nil)
	if err != nil {
		return nil, err
	}
	set, err := cmttypes.ValidatorSetFromExistingValidators(signers.Validators)
	if err != nil {
		return nil, err
	}
	index, _ := set.GetByAddress(key.Address)
	if index < 0 || block.Commit.Signatures[index].BlockIDFlag != cmttypes.BlockIDFlagCommit {
		return nil, fmt.Errorf("%s has not signed block %d", n.moniker, height)
	}
	first := block.Commit.GetVote(index)
	second := first.Copy()
	second.BlockID = cmttypes.BlockID{
		Hash:          tmhash.Sum([]byte("another block")),
		PartSetHeader: cmttypes.PartSetHeader{Total: 1, Hash: tmhash.Sum([]byte("its parts"))},
	}
	if second.Signature, err = key.PrivKey.Sign(cmttypes.VoteSignBytes(c.id, second.ToProto())); err != nil {
		return nil, err
	}
	return cmttypes.NewDuplicateVoteEvidence(first, second, block.Time, set)
}
