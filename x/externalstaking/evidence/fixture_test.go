package evidence_test

import (
	"strconv"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/crypto/tmhash"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/proto/tendermint/version"
	cmttypes "github.com/cometbft/cometbft/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	ibctm "github.com/cosmos/ibc-go/v8/modules/light-clients/07-tendermint"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/externalstaking/evidence"
)

const (
	chainID  = "consumer-2"
	revision = uint64(2)
	clientID = "07-tendermint-0"
)

var (
	// client has seen heights up to 1000, keys are known from 10 on.
	client    = evidence.Client{ID: clientID, ChainID: chainID, Latest: clienttypes.NewHeight(revision, 1000)}
	keysFrom  = clienttypes.NewHeight(revision, 10)
	blockTime = time.Date(2024, 5, 6, 7, 8, 9, 10, time.UTC)
)

// privKey is the i-th test key, always the same.
func privKey(i int) ed25519.PrivKey {
	return ed25519.GenPrivKeyFromSecret([]byte("validator " + strconv.Itoa(i)))
}

func pubKey(i int) ed25519.PubKey { return privKey(i).PubKey().(ed25519.PubKey) }

func valoper(i int) string { return "consvaloper" + strconv.Itoa(i) }

// history is a key history: entries of a key ordered by height.
type history map[string][]evidence.Key

func (h history) KeyAt(address cmttypes.Address, height clienttypes.Height) (evidence.Key, bool, error) {
	entries := h[string(address)]
	if len(entries) == 0 {
		return evidence.Key{}, false, nil
	}
	at := entries[0]
	for _, entry := range entries[1:] {
		if entry.From.LTE(height) {
			at = entry
		}
	}
	return at, true, nil
}

func (h history) add(key ed25519.PubKey, validator string, from clienttypes.Height) {
	address := string(key.Address())
	h[address] = append(h[address], evidence.Key{Validator: validator, PubKey: key, From: from})
}

// newHistory gives keys 0 to n-1 to the validators of the same numbers.
func newHistory(n int) history {
	h := history{}
	for i := range n {
		h.add(pubKey(i), valoper(i), keysFrom)
	}
	return h
}

// key is what newHistory has for validator i.
func key(i int) evidence.Key {
	return evidence.Key{Validator: valoper(i), PubKey: pubKey(i), From: keysFrom}
}

func blockID(seed string) cmtproto.BlockID {
	return cmtproto.BlockID{
		Hash:          tmhash.Sum([]byte(seed)),
		PartSetHeader: cmtproto.PartSetHeader{Total: 1, Hash: tmhash.Sum([]byte("parts of " + seed))},
	}
}

// newVote is a precommit of validator 0 at height 100, not signed.
func newVote(block string) *cmtproto.Vote {
	return &cmtproto.Vote{
		Type: cmtproto.PrecommitType, Height: 100, Round: 1, BlockID: blockID(block), Timestamp: blockTime,
		ValidatorAddress: pubKey(0).Address(), ValidatorIndex: 3,
	}
}

// sign signs a vote, unless its block id is such that CometBFT has no bytes for it to sign.
func sign(signer ed25519.PrivKey, chainID string, vote *cmtproto.Vote) {
	if _, err := cmttypes.BlockIDFromProto(&vote.BlockID); err != nil {
		return
	}
	signature, err := signer.Sign(cmttypes.VoteSignBytes(chainID, vote))
	if err != nil {
		panic(err)
	}
	vote.Signature = signature
}

// evidenceOf puts the votes into CometBFT's order.
func evidenceOf(a, b *cmtproto.Vote) *cmtproto.DuplicateVoteEvidence {
	if blockKey(a) > blockKey(b) {
		a, b = b, a
	}
	return &cmtproto.DuplicateVoteEvidence{VoteA: a, VoteB: b, TotalVotingPower: 100, ValidatorPower: 10, Timestamp: blockTime}
}

func blockKey(vote *cmtproto.Vote) string {
	id, err := cmttypes.BlockIDFromProto(&vote.BlockID)
	if err != nil {
		panic(err)
	}
	return id.Key()
}

// doubleVote is valid evidence against validator 0, after changes to both votes before they are signed.
func doubleVote(changes ...func(a, b *cmtproto.Vote)) *cmtproto.DuplicateVoteEvidence {
	a, b := newVote("a"), newVote("b")
	for _, change := range changes {
		change(a, b)
	}
	sign(privKey(0), chainID, a)
	sign(privKey(0), chainID, b)
	return evidenceOf(a, b)
}

// ballot is what one validator did about a header.
type ballot int

const (
	absent ballot = iota
	forNil
	forBlock
	// forged is a vote for the block with a signature of somebody else.
	forged
)

// headerSpec is a header with what its validators did; validator i has key i.
type headerSpec struct {
	chainID string
	height  int64
	round   int32
	// app and block are what the app hash and the transactions are made from.
	app, block string
	// first is the number of the first validator; ballots has one entry for each.
	first   int
	ballots []ballot
}

// spec is a header of height 100 that all n validators signed.
func spec(block string, n int) headerSpec {
	s := headerSpec{chainID: chainID, height: 100, block: block, app: "state", ballots: make([]ballot, n)}
	for i := range s.ballots {
		s.ballots[i] = forBlock
	}
	return s
}

// validators are n validators of equal power.
func validators(t require.TestingT, first, n int) (*cmttypes.ValidatorSet, *cmtproto.ValidatorSet) {
	vals := make([]*cmttypes.Validator, n)
	for i := range vals {
		vals[i] = cmttypes.NewValidator(pubKey(first+i), 10)
	}
	set := cmttypes.NewValidatorSet(vals)
	pb, err := set.ToProto()
	require.NoError(t, err)
	return set, pb
}

func (s headerSpec) build(t require.TestingT) *ibctm.Header {
	set, setProto := validators(t, s.first, len(s.ballots))
	header := cmttypes.Header{
		Version: version.Consensus{Block: 11, App: 1}, ChainID: s.chainID, Height: s.height, Time: blockTime,
		LastBlockID:    cmttypes.BlockID{Hash: tmhash.Sum([]byte("last")), PartSetHeader: cmttypes.PartSetHeader{Total: 1, Hash: tmhash.Sum([]byte("parts"))}},
		LastCommitHash: tmhash.Sum([]byte("last commit")), DataHash: tmhash.Sum([]byte(s.block)), ValidatorsHash: set.Hash(),
		NextValidatorsHash: set.Hash(), ConsensusHash: tmhash.Sum([]byte("consensus")), AppHash: tmhash.Sum([]byte(s.app)),
		LastResultsHash: tmhash.Sum([]byte("results")), EvidenceHash: tmhash.Sum([]byte("evidence")), ProposerAddress: set.Proposer.Address,
	}
	commit := &cmttypes.Commit{
		Height: s.height, Round: s.round,
		BlockID: cmttypes.BlockID{Hash: header.Hash(), PartSetHeader: cmttypes.PartSetHeader{Total: 1, Hash: tmhash.Sum([]byte("parts"))}},
	}
	commit.Signatures = make([]cmttypes.CommitSig, len(s.ballots))
	for i := range s.ballots {
		s.vote(commit, set, i)
	}
	signed := cmttypes.SignedHeader{Header: &header, Commit: commit}
	return &ibctm.Header{
		SignedHeader: signed.ToProto(), ValidatorSet: setProto,
		TrustedHeight: clienttypes.NewHeight(clienttypes.ParseChainID(s.chainID), 1), TrustedValidators: setProto,
	}
}

// vote casts the i-th ballot.
func (s headerSpec) vote(commit *cmttypes.Commit, set *cmttypes.ValidatorSet, i int) {
	signer, flag := privKey(s.first+i), cmttypes.BlockIDFlagCommit
	address := pubKey(s.first + i).Address()
	at, _ := set.GetByAddress(address)
	switch s.ballots[i] {
	case absent:
		commit.Signatures[at] = cmttypes.NewCommitSigAbsent()
		return
	case forNil:
		flag = cmttypes.BlockIDFlagNil
	case forged:
		signer = privKey(1000 + i)
	}
	commit.Signatures[at] = cmttypes.CommitSig{BlockIDFlag: flag, ValidatorAddress: address, Timestamp: blockTime}
	signature, err := signer.Sign(commit.VoteSignBytes(s.chainID, at))
	if err != nil {
		panic(err)
	}
	commit.Signatures[at].Signature = signature
}

func misbehaviourOf(t require.TestingT, first, second headerSpec) *ibctm.Misbehaviour {
	return ibctm.NewMisbehaviour(clientID, first.build(t), second.build(t))
}

// lastIn is the number of the validator whose signature comes last in a commit of n: the light client has seen enough
// before it gets there.
func lastIn(t require.TestingT, n int) int {
	set, _ := validators(t, 0, n)
	for i := range n {
		if at, _ := set.GetByAddress(pubKey(i).Address()); int(at) == n-1 {
			return i
		}
	}
	panic("no last validator")
}
