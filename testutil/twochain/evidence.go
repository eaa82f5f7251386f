package twochain

import (
	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/crypto/tmhash"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	ibctm "github.com/cosmos/ibc-go/v8/modules/light-clients/07-tendermint"
	"github.com/stretchr/testify/require"
)

// DoubleSign makes the next block report a duplicate vote of v in the last block: it is slashed, jailed and tombstoned.
func (c *Chain) DoubleSign(v *Validator) { c.DoubleSignAt(v, c.App.LastBlockHeight()) }

// DoubleSignAt is DoubleSign of an earlier block that v signed.
func (c *Chain) DoubleSignAt(v *Validator, height int64) {
	set := c.signersOf(height)
	_, val := set.GetByAddress(v.ConsAddress.Bytes())
	require.NotNil(c.TB, val, "%s did not sign block %d", v.Address, height)
	c.misbehaviour = append(c.misbehaviour, abci.Misbehavior{
		Type:             abci.MisbehaviorType_DUPLICATE_VOTE,
		Validator:        abci.Validator{Address: val.Address, Power: val.VotingPower},
		Height:           height,
		Time:             c.times[height],
		TotalVotingPower: set.TotalVotingPower(),
	})
}

// Signed tells whether v was in the set that signed the block of a height; false if the block is not known.
func (c *Chain) Signed(v *Validator, height int64) bool {
	set, found := c.history[height-1]
	return found && set.HasAddress(v.ConsAddress.Bytes())
}

// DoubleVote proves that v signed two blocks of one height, whether or not it was asked to sign any: two precommits
// signed with its key under the chain's id, in CometBFT's order. changes are made to both votes before they are signed.
func (c *Chain) DoubleVote(v *Validator, height int64, changes ...func(a, b *cmtproto.Vote)) *cmtproto.DuplicateVoteEvidence {
	set := c.signersOf(height)
	index, val := set.GetByAddress(v.ConsAddress.Bytes())
	ev := &cmtproto.DuplicateVoteEvidence{TotalVotingPower: set.TotalVotingPower(), Timestamp: c.times[height]}
	if val != nil {
		ev.ValidatorPower = val.VotingPower
	}
	vote := func(block string) *cmtproto.Vote {
		return &cmtproto.Vote{
			Type: cmtproto.PrecommitType, Height: height, BlockID: blockID([]byte(block)), Timestamp: c.times[height],
			ValidatorAddress: v.ConsAddress, ValidatorIndex: max(index, 0),
		}
	}
	a, b := vote("one block"), vote("another block")
	for _, change := range changes {
		change(a, b)
	}
	require.NoError(c.TB, v.key.SignVote(c.ChainID, a))
	require.NoError(c.TB, v.key.SignVote(c.ChainID, b))
	if blockKey(a) > blockKey(b) {
		a, b = b, a
	}
	ev.VoteA, ev.VoteB = a, b
	return ev
}

func blockKey(vote *cmtproto.Vote) string {
	id := cmttypes.BlockID{Hash: vote.BlockID.Hash, PartSetHeader: cmttypes.PartSetHeader{
		Total: vote.BlockID.PartSetHeader.Total, Hash: vote.BlockID.PartSetHeader.Hash,
	}}
	return id.Key()
}

func blockID(block []byte) cmtproto.BlockID {
	return cmtproto.BlockID{
		Hash:          tmhash.Sum(block),
		PartSetHeader: cmtproto.PartSetHeader{Total: 1, Hash: tmhash.Sum([]byte("parts"))},
	}
}

// signersOf is who signs the block of a height.
func (c *Chain) signersOf(height int64) *cmttypes.ValidatorSet {
	set := c.history[height-1]
	require.NotNil(c.TB, set, "who signs block %d of %s is not known", height, c.ChainID)
	return set
}

// Fork is one of two conflicting headers.
type Fork struct {
	// Signers sign the header; all validators if there are none.
	Signers []*Validator
	// Round of their votes.
	Round int32
	// AppHash is the state the header claims, the true one if empty.
	AppHash []byte
	// Data tells blocks of the same state apart.
	Data string
}

// Attack is a light-client attack of a chain on its client on the other chain: two conflicting headers of a new block.
// The client believes both if more than two thirds of the power have signed each.
func (n *Network) Attack(of *Chain, one, other Fork) *ibctm.Misbehaviour {
	of.NextBlock()
	clientID := n.Connection.EndpointA.ClientID
	if of == n.Provider {
		clientID = n.Connection.EndpointB.ClientID
	}
	trusted := of.counterparty.GetClientState(clientID).GetLatestHeight().(clienttypes.Height)
	return ibctm.NewMisbehaviour(clientID, of.forged(trusted, one), of.forged(trusted, other))
}

// forged is the last block's header, changed and signed.
func (c *Chain) forged(trusted clienttypes.Height, fork Fork) *ibctm.Header {
	header, err := cmttypes.HeaderFromProto(c.LastHeader.GetHeader())
	require.NoError(c.TB, err)
	header.DataHash = tmhash.Sum([]byte(fork.Data))
	if len(fork.AppHash) > 0 {
		header.AppHash = fork.AppHash
	}
	signs := make(map[string]bool)
	for _, v := range fork.Signers {
		signs[v.ConsAddress.String()] = true
	}
	set := c.signersOf(header.Height)
	commit := &cmttypes.Commit{Height: header.Height, Round: fork.Round, BlockID: cmttypes.BlockID{
		Hash: header.Hash(), PartSetHeader: cmttypes.PartSetHeader{Total: 1, Hash: tmhash.Sum([]byte("parts"))},
	}}
	for i, val := range set.Validators {
		if len(signs) > 0 && !signs[sdk.ConsAddress(val.Address).String()] {
			commit.Signatures = append(commit.Signatures, cmttypes.NewCommitSigAbsent())
			continue
		}
		commit.Signatures = append(commit.Signatures, cmttypes.CommitSig{
			BlockIDFlag: cmttypes.BlockIDFlagCommit, ValidatorAddress: val.Address, Timestamp: header.Time,
		})
		key := c.Signers[val.Address.String()].(cmttypes.MockPV).PrivKey
		commit.Signatures[i].Signature, err = key.Sign(commit.VoteSignBytes(c.ChainID, int32(i)))
		require.NoError(c.TB, err)
	}
	vals, err := withProposer(set).ToProto()
	require.NoError(c.TB, err)
	trustedVals, err := withProposer(c.signersOf(int64(trusted.RevisionHeight) + 1)).ToProto()
	require.NoError(c.TB, err)
	return &ibctm.Header{
		SignedHeader:      &cmtproto.SignedHeader{Header: header.ToProto(), Commit: commit.ToProto()},
		ValidatorSet:      vals,
		TrustedHeight:     trusted,
		TrustedValidators: trustedVals,
	}
}

// withProposer is the same set with one of its own as proposer: after a change it still names the former one.
func withProposer(set *cmttypes.ValidatorSet) *cmttypes.ValidatorSet {
	return cmttypes.NewValidatorSet(set.Copy().Validators)
}
