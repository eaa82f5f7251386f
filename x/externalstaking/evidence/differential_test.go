package evidence_test

import (
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtevidence "github.com/cometbft/cometbft/evidence"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mesh-security/mesh/x/externalstaking/evidence"
)

// cometVerdict is what CometBFT says of the evidence, with a validator set of the known keys. Its checks of the powers,
// which we do not share, are made to pass.
func cometVerdict(ev *cmtproto.DuplicateVoteEvidence, chainID string, known int) error {
	decoded, err := cmttypes.DuplicateVoteEvidenceFromProto(ev)
	if err != nil {
		return err
	}
	vals := make([]*cmttypes.Validator, known)
	for i := range vals {
		vals[i] = cmttypes.NewValidator(pubKey(i), 10)
	}
	decoded.ValidatorPower, decoded.TotalVotingPower = 10, int64(10*known)
	return cmtevidence.VerifyDuplicateVote(decoded, chainID, cmttypes.NewValidatorSet(vals))
}

// changes are what can be different about a vote, drawn at random.
var changes = []struct {
	name   string
	change func(*rapid.T, *cmtproto.Vote)
}{
	{"type", func(t *rapid.T, v *cmtproto.Vote) {
		v.Type = rapid.SampledFrom([]cmtproto.SignedMsgType{
			cmtproto.UnknownType, cmtproto.PrevoteType, cmtproto.PrecommitType, cmtproto.ProposalType,
		}).Draw(t, "type")
	}},
	{"height", func(t *rapid.T, v *cmtproto.Vote) { v.Height = rapid.Int64Range(-1, 2).Draw(t, "height") }},
	{"round", func(t *rapid.T, v *cmtproto.Vote) { v.Round = rapid.Int32Range(-1, 2).Draw(t, "round") }},
	{"block", func(t *rapid.T, v *cmtproto.Vote) {
		v.BlockID = rapid.SampledFrom([]cmtproto.BlockID{{}, blockID("a"), blockID("b"), blockID("c")}).Draw(t, "block")
	}},
	{"parts", func(t *rapid.T, v *cmtproto.Vote) {
		v.BlockID.PartSetHeader.Total = rapid.Uint32Range(0, 2).Draw(t, "parts")
	}},
	{"hash", func(t *rapid.T, v *cmtproto.Vote) {
		v.BlockID.Hash = rapid.SliceOfN(rapid.Byte(), 0, 33).Draw(t, "hash")
	}},
	{"validator", func(t *rapid.T, v *cmtproto.Vote) {
		v.ValidatorAddress = pubKey(rapid.IntRange(0, 3).Draw(t, "validator")).Address()
	}},
	{"address", func(t *rapid.T, v *cmtproto.Vote) {
		v.ValidatorAddress = rapid.SliceOfN(rapid.Byte(), 0, 21).Draw(t, "address")
	}},
	{"time", func(t *rapid.T, v *cmtproto.Vote) {
		v.Timestamp = blockTime.Add(time.Duration(rapid.Int64Range(-2, 2).Draw(t, "time")))
	}},
	{"signer", func(t *rapid.T, v *cmtproto.Vote) { sign(privKey(rapid.IntRange(0, 3).Draw(t, "signer")), chainID, v) }},
	{"signed chain", func(t *rapid.T, v *cmtproto.Vote) {
		sign(privKey(0), rapid.SampledFrom([]string{"consumer-1", "consumer-2", "other", ""}).Draw(t, "chain"), v)
	}},
	{"signature", func(t *rapid.T, v *cmtproto.Vote) {
		v.Signature = rapid.SliceOfN(rapid.Byte(), 0, 97).Draw(t, "signature")
	}},
	{"signature bit", func(t *rapid.T, v *cmtproto.Vote) {
		if len(v.Signature) > 0 {
			v.Signature[rapid.IntRange(0, len(v.Signature)-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		}
	}},
}

// mutated is valid evidence after some changes to one or both votes, most often signed again by somebody.
func mutated(t *rapid.T) *cmtproto.DuplicateVoteEvidence {
	ev := doubleVote()
	for range rapid.IntRange(0, 3).Draw(t, "changes") {
		change := rapid.SampledFrom(changes).Draw(t, "change").change
		which := rapid.SampledFrom([]string{"a", "b", "both"}).Draw(t, "vote")
		if which != "b" {
			change(t, ev.VoteA)
		}
		if which != "a" {
			change(t, ev.VoteB)
		}
	}
	for _, vote := range []*cmtproto.Vote{ev.VoteA, ev.VoteB} {
		if rapid.IntRange(0, 3).Draw(t, "sign again") > 0 {
			sign(privKey(rapid.SampledFrom([]int{0, 0, 0, 1, 3}).Draw(t, "with")), chainID, vote)
		}
	}
	if rapid.IntRange(0, 9).Draw(t, "missing") == 0 {
		ev.VoteB = nil
	} else if rapid.IntRange(0, 3).Draw(t, "order") > 0 {
		return inOrder(ev)
	}
	return ev
}

// inOrder orders the votes as CometBFT does, if they can be decoded.
func inOrder(ev *cmtproto.DuplicateVoteEvidence) *cmtproto.DuplicateVoteEvidence {
	for _, vote := range []*cmtproto.Vote{ev.VoteA, ev.VoteB} {
		if _, err := cmttypes.VoteFromProto(vote); err != nil {
			return ev
		}
	}
	return evidenceOf(ev.VoteA, ev.VoteB)
}

// On the rules both have, CometBFT and this package agree about every evidence, valid or spoiled: all but powers, heights
// and what is not signed.
func TestDoubleVotingAgreesWithCometBFT(t *testing.T) {
	const known = 3
	keys := history{}
	for i := range known {
		keys.add(pubKey(i), valoper(i), clienttypes.NewHeight(revision, 1))
	}
	verdicts := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		ev := mutated(t)
		theirs := cometVerdict(ev, chainID, known)
		verdict, ours := evidence.VerifyDoubleVoting(client, revision, ev, keys)
		require.Equal(t, theirs == nil, ours == nil, "CometBFT: %v, ours: %v", theirs, ours)
		verdicts[ours == nil]++
		if ours == nil {
			require.Equal(t, cmttypes.Address(ev.VoteA.ValidatorAddress), ed25519.PubKey(verdict.Guilty[0].PubKey).Address())
		}
	})
	require.NotZero(t, verdicts[true], "nothing was accepted")
	require.NotZero(t, verdicts[false], "nothing was refused")
}
