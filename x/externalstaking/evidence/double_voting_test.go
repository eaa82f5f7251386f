package evidence_test

import (
	"errors"
	"testing"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mesh-security/mesh/x/externalstaking/evidence"
)

// both applies a change to both votes.
func both(change func(*cmtproto.Vote)) func(a, b *cmtproto.Vote) {
	return func(a, b *cmtproto.Vote) { change(a); change(b) }
}

func at(height int64) func(a, b *cmtproto.Vote) {
	return both(func(v *cmtproto.Vote) { v.Height = height })
}

func TestSL01DoubleVotesThatProveAnOffence(t *testing.T) {
	for name, tc := range map[string]struct {
		evidence *cmtproto.DuplicateVoteEvidence
		height   uint64
	}{
		"two precommits":  {doubleVote(), 100},
		"two prevotes":    {doubleVote(both(func(v *cmtproto.Vote) { v.Type = cmtproto.PrevoteType })), 100},
		"a block and nil": {doubleVote(func(a, _ *cmtproto.Vote) { a.BlockID = cmtproto.BlockID{} }), 100},
		"one block in other parts": {doubleVote(func(a, b *cmtproto.Vote) {
			b.BlockID.Hash, b.BlockID.PartSetHeader.Total = a.BlockID.Hash, 2
		}), 100},
		"signed at different times":      {doubleVote(func(a, _ *cmtproto.Vote) { a.Timestamp = blockTime.Add(time.Hour) }), 100},
		"at the first height of the key": {doubleVote(at(10)), 10},
		"at the client's latest height":  {doubleVote(at(1000)), 1000},
		"in round zero":                  {doubleVote(both(func(v *cmtproto.Vote) { v.Round = 0 })), 100},
	} {
		t.Run(name, func(t *testing.T) {
			verdict, err := evidence.VerifyDoubleVoting(client, revision, tc.evidence, newHistory(2))
			require.NoError(t, err)
			require.Equal(t, evidence.Verdict{
				Height: clienttypes.NewHeight(revision, tc.height), Guilty: []evidence.Key{key(0)},
			}, verdict)
		})
	}
}

func TestSL01DoubleVotesThatProveNothing(t *testing.T) {
	valid := doubleVote()
	// A vote of which nothing is left but the change is signed properly, so that only the change can be wrong.
	for name, tc := range map[string]struct {
		evidence *cmtproto.DuplicateVoteEvidence
		expected error
	}{
		"nothing":                          {nil, evidence.ErrMalformed},
		"no votes":                         {&cmtproto.DuplicateVoteEvidence{}, evidence.ErrMalformed},
		"one vote missing":                 {&cmtproto.DuplicateVoteEvidence{VoteA: valid.VoteA}, evidence.ErrMalformed},
		"votes swapped":                    {&cmtproto.DuplicateVoteEvidence{VoteA: valid.VoteB, VoteB: valid.VoteA}, evidence.ErrMalformed},
		"one vote twice":                   {&cmtproto.DuplicateVoteEvidence{VoteA: valid.VoteA, VoteB: valid.VoteA}, evidence.ErrMalformed},
		"the same block":                   {doubleVote(func(a, b *cmtproto.Vote) { b.BlockID = a.BlockID; b.Timestamp = blockTime.Add(1) }), evidence.ErrMalformed},
		"nil twice":                        {doubleVote(both(func(v *cmtproto.Vote) { v.BlockID = cmtproto.BlockID{} })), evidence.ErrMalformed},
		"half a block id":                  {doubleVote(func(a, _ *cmtproto.Vote) { a.BlockID.PartSetHeader = cmtproto.PartSetHeader{} }), evidence.ErrMalformed},
		"proposals":                        {doubleVote(both(func(v *cmtproto.Vote) { v.Type = cmtproto.ProposalType })), evidence.ErrMalformed},
		"an unknown type":                  {doubleVote(both(func(v *cmtproto.Vote) { v.Type = 99 })), evidence.ErrMalformed},
		"height zero":                      {doubleVote(at(0)), evidence.ErrMalformed},
		"a negative height":                {doubleVote(at(-1)), evidence.ErrMalformed},
		"a negative round":                 {doubleVote(both(func(v *cmtproto.Vote) { v.Round = -1 })), evidence.ErrMalformed},
		"a short address":                  {doubleVote(both(func(v *cmtproto.Vote) { v.ValidatorAddress = v.ValidatorAddress[:19] })), evidence.ErrMalformed},
		"different heights":                {doubleVote(func(a, _ *cmtproto.Vote) { a.Height++ }), evidence.ErrDifferentVotes},
		"another round of the same height": {doubleVote(func(a, _ *cmtproto.Vote) { a.Round++ }), evidence.ErrDifferentVotes},
		"a prevote and a precommit":        {doubleVote(func(a, _ *cmtproto.Vote) { a.Type = cmtproto.PrevoteType }), evidence.ErrDifferentVotes},
		"two validators":                   {doubleVote(func(a, _ *cmtproto.Vote) { a.ValidatorAddress = pubKey(1).Address() }), evidence.ErrDifferentVotes},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := evidence.VerifyDoubleVoting(client, revision, tc.evidence, newHistory(2))
			require.ErrorIs(t, err, tc.expected)
		})
	}
}

// A signature is checked with the stored key and under the consumer's own chain id, whatever else the votes say.
func TestSL03OnlyStoredKeysProveAnything(t *testing.T) {
	forge := func(change func(a, b *cmtproto.Vote)) *cmtproto.DuplicateVoteEvidence {
		ev := doubleVote()
		change(ev.VoteA, ev.VoteB)
		return ev
	}
	other := func(i int) func(a, b *cmtproto.Vote) {
		return both(func(v *cmtproto.Vote) { v.ValidatorAddress = pubKey(i).Address(); sign(privKey(i), chainID, v) })
	}
	for name, tc := range map[string]struct {
		evidence *cmtproto.DuplicateVoteEvidence
		expected error
	}{
		"a key nobody has reported":     {forge(other(7)), evidence.ErrUnknownKey},
		"a stored key":                  {forge(other(1)), nil},
		"another key signed both":       {forge(both(func(v *cmtproto.Vote) { sign(privKey(1), chainID, v) })), evidence.ErrInvalidSignature},
		"another key signed the first":  {forge(func(a, _ *cmtproto.Vote) { sign(privKey(1), chainID, a) }), evidence.ErrInvalidSignature},
		"another key signed the second": {forge(func(_, b *cmtproto.Vote) { sign(privKey(1), chainID, b) }), evidence.ErrInvalidSignature},
		"signed for another chain":      {forge(both(func(v *cmtproto.Vote) { sign(privKey(0), "other-2", v) })), evidence.ErrInvalidSignature},
		"signed for another revision":   {forge(both(func(v *cmtproto.Vote) { sign(privKey(0), "consumer-1", v) })), evidence.ErrInvalidSignature},
		"changed after signing":         {forge(func(a, _ *cmtproto.Vote) { a.Timestamp = blockTime.Add(time.Nanosecond) }), evidence.ErrInvalidSignature},
		"no signature":                  {forge(func(a, _ *cmtproto.Vote) { a.Signature = nil }), evidence.ErrMalformed},
		"a truncated signature":         {forge(func(a, _ *cmtproto.Vote) { a.Signature = a.Signature[:63] }), evidence.ErrInvalidSignature},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := evidence.VerifyDoubleVoting(client, revision, tc.evidence, newHistory(2))
			require.ErrorIs(t, err, tc.expected)
		})
	}
}

func TestSL04HeightsOutsideWhatIsKnown(t *testing.T) {
	for name, tc := range map[string]struct {
		height   int64
		revision uint64
		expected error
	}{
		"just below the key's first height":    {9, 2, evidence.ErrKeyNotYetValid},
		"just above the client's latest":       {1001, 2, evidence.ErrAboveClient},
		"a revision that is yet to come":       {100, 3, evidence.ErrAboveClient},
		"a revision far beyond":                {100, 1<<64 - 1, evidence.ErrAboveClient},
		"a revision before the key":            {100, 1, evidence.ErrKeyNotYetValid},
		"a revision that chain ids never name": {100, 0, evidence.ErrKeyNotYetValid},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := evidence.VerifyDoubleVoting(client, tc.revision, doubleVote(at(tc.height)), newHistory(1))
			require.ErrorIs(t, err, tc.expected)
		})
	}
}

func TestDoubleVotingInAnEarlierRevision(t *testing.T) {
	keys := history{}
	keys.add(pubKey(0), valoper(0), clienttypes.NewHeight(1, 50))
	old := doubleVote()
	sign(privKey(0), "consumer-1", old.VoteA)
	sign(privKey(0), "consumer-1", old.VoteB)

	verdict, err := evidence.VerifyDoubleVoting(client, 1, old, keys)
	require.NoError(t, err)
	require.Equal(t, clienttypes.NewHeight(1, 100), verdict.Height)

	_, err = evidence.VerifyDoubleVoting(client, 2, old, keys)
	require.ErrorIs(t, err, evidence.ErrInvalidSignature)
}

func TestDoubleVotingOnAChainWithoutRevisions(t *testing.T) {
	plain := evidence.Client{ID: clientID, ChainID: "consumer", Latest: clienttypes.NewHeight(0, 1000)}
	keys := history{}
	keys.add(pubKey(0), valoper(0), clienttypes.NewHeight(0, 50))
	ev := doubleVote()
	sign(privKey(0), "consumer", ev.VoteA)
	sign(privKey(0), "consumer", ev.VoteB)

	_, err := evidence.VerifyDoubleVoting(plain, 0, ev, keys)
	require.NoError(t, err)

	// A client whose heights have revisions that its chain id has not: there is no chain id to verify under.
	plain.Latest = clienttypes.NewHeight(5, 1)
	_, err = evidence.VerifyDoubleVoting(plain, 4, ev, keys)
	require.ErrorIs(t, err, evidence.ErrUnknownRevision)
}

// SL-06: only the owner of the key at the height answers.
func TestSL06AKeyThatPassedOn(t *testing.T) {
	keys := history{}
	keys.add(pubKey(0), "first", clienttypes.NewHeight(revision, 50))
	keys.add(pubKey(0), "second", clienttypes.NewHeight(revision, 200))
	for height, owner := range map[int64]string{50: "first", 199: "first", 200: "second", 201: "second"} {
		verdict, err := evidence.VerifyDoubleVoting(client, revision, doubleVote(at(height)), keys)
		require.NoError(t, err)
		require.Equal(t, owner, verdict.Guilty[0].Validator, "height %d", height)
	}
	_, err := evidence.VerifyDoubleVoting(client, revision, doubleVote(at(49)), keys)
	require.ErrorIs(t, err, evidence.ErrKeyNotYetValid)
}

func TestUnsignedFieldsNeverMatter(t *testing.T) {
	keys := newHistory(1)
	expected, err := evidence.VerifyDoubleVoting(client, revision, doubleVote(), keys)
	require.NoError(t, err)
	rapid.Check(t, func(t *rapid.T) {
		ev := doubleVote()
		ev.TotalVotingPower = rapid.Int64().Draw(t, "total")
		ev.ValidatorPower = rapid.Int64().Draw(t, "power")
		ev.Timestamp = time.Unix(rapid.Int64().Draw(t, "time"), 0)
		for _, vote := range []*cmtproto.Vote{ev.VoteA, ev.VoteB} {
			vote.ValidatorIndex = rapid.Int32().Draw(t, "index")
			vote.Extension = rapid.SliceOf(rapid.Byte()).Draw(t, "extension")
			vote.ExtensionSignature = rapid.SliceOf(rapid.Byte()).Draw(t, "extension signature")
		}
		verdict, err := evidence.VerifyDoubleVoting(client, revision, ev, keys)
		require.NoError(t, err)
		require.Equal(t, expected, verdict)
	})
}

// lookup answers for every address with the same.
type lookup struct {
	key evidence.Key
	err error
}

func (l lookup) KeyAt(cmttypes.Address, clienttypes.Height) (evidence.Key, bool, error) {
	return l.key, true, l.err
}

func TestAKeyHistoryThatFailsOrIsOff(t *testing.T) {
	broken := errors.New("store is broken")
	_, err := evidence.VerifyDoubleVoting(client, revision, doubleVote(), lookup{err: broken})
	require.ErrorIs(t, err, broken)

	for name, key := range map[string]evidence.Key{
		"of another address": key(1),
		"of another length":  {Validator: valoper(0), PubKey: pubKey(0)[:31], From: keysFrom},
		"missing":            {},
	} {
		_, err := evidence.VerifyDoubleVoting(client, revision, doubleVote(), lookup{key: key})
		require.ErrorIs(t, err, evidence.ErrUnknownKey, name)
	}
}
