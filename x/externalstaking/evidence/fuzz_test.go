package evidence_test

import (
	stded25519 "crypto/ed25519"
	"testing"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
	ibctm "github.com/cosmos/ibc-go/v8/modules/light-clients/07-tendermint"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/externalstaking/evidence"
)

// signedBy checks a vote without any code of this package or of CometBFT's keys.
func signedBy(key evidence.Key, chainID string, vote *cmtproto.Vote) bool {
	return stded25519.Verify(key.PubKey, cmttypes.VoteSignBytes(chainID, vote), vote.Signature)
}

// FuzzDoubleVoting decodes arbitrary bytes as evidence: nothing panics, and nothing is accepted unless one known key
// signed two different votes of one height, round and type.
func FuzzDoubleVoting(f *testing.F) {
	keys := newHistory(2)
	nilVote := func(a, _ *cmtproto.Vote) { a.BlockID = cmtproto.BlockID{} }
	for _, ev := range []*cmtproto.DuplicateVoteEvidence{
		doubleVote(), doubleVote(nilVote), doubleVote(at(9)), doubleVote(at(1001)),
		doubleVote(both(func(v *cmtproto.Vote) { v.Type, v.ValidatorIndex = cmtproto.PrevoteType, -1 })),
		doubleVote(func(a, _ *cmtproto.Vote) { a.Round++ }),
		{VoteA: newVote("a"), VoteB: newVote("b")},
		{VoteA: newVote("a")},
	} {
		seed, err := ev.Marshal()
		require.NoError(f, err)
		f.Add(seed, revision)
	}
	f.Fuzz(func(t *testing.T, bz []byte, revision uint64) {
		var ev cmtproto.DuplicateVoteEvidence
		if ev.Unmarshal(bz) != nil {
			return
		}
		verdict, err := evidence.VerifyDoubleVoting(client, revision, &ev, keys)
		if err != nil {
			return
		}
		a, b := ev.VoteA, ev.VoteB
		require.Len(t, verdict.Guilty, 1)
		require.True(t, signedBy(verdict.Guilty[0], chainID, a))
		require.True(t, signedBy(verdict.Guilty[0], chainID, b))
		require.Equal(t, []any{a.Height, a.Round, a.Type}, []any{b.Height, b.Round, b.Type})
		require.NotEqual(t, a.BlockID, b.BlockID)
		require.True(t, verdict.Height.GTE(keysFrom) && verdict.Height.LTE(client.Latest))
	})
}

// FuzzMisbehaviour decodes arbitrary bytes as misbehaviour: nothing panics, and nobody is guilty without having signed two
// different blocks of one height.
func FuzzMisbehaviour(f *testing.F) {
	keys := newHistory(4)
	for _, change := range []func(a, b *headerSpec){
		func(_, _ *headerSpec) {},
		func(_, b *headerSpec) { b.round = 1 },
		func(_, b *headerSpec) { b.round, b.app = 1, "forged state" },
		func(_, b *headerSpec) { b.ballots = []ballot{forBlock, forged, forBlock, forNil} },
		func(a, _ *headerSpec) { a.height++ },
		func(a, b *headerSpec) { a.chainID, b.chainID = "consumer-1", "consumer-1" },
	} {
		a, b := spec("a", 4), spec("b", 4)
		change(&a, &b)
		seed, err := misbehaviourOf(f, a, b).Marshal()
		require.NoError(f, err)
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, bz []byte) {
		var m ibctm.Misbehaviour
		if m.Unmarshal(bz) != nil {
			return
		}
		verdict, err := evidence.VerifyMisbehaviour(client, &m, keys)
		if err != nil {
			return
		}
		require.NotEmpty(t, verdict.Guilty)
		require.Equal(t, m.Header1.Header.Height, m.Header2.Header.Height)
		require.NotEqual(t, m.Header1.Commit.BlockID.Hash, m.Header2.Commit.BlockID.Hash)
		for _, key := range verdict.Guilty {
			require.True(t, signedHeader(t, key, m.Header1) && signedHeader(t, key, m.Header2))
		}
	})
}

// signedHeader tells whether any signature for the header's block is the key's.
func signedHeader(t *testing.T, key evidence.Key, header *ibctm.Header) bool {
	commit, err := cmttypes.CommitFromProto(header.Commit)
	require.NoError(t, err)
	for i, signature := range commit.Signatures {
		if signature.BlockIDFlag == cmttypes.BlockIDFlagCommit && signedBy(key, chainID, commit.GetVote(int32(i)).ToProto()) {
			return true
		}
	}
	return false
}
