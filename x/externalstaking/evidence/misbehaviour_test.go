package evidence_test

import (
	"errors"
	"testing"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	ibctm "github.com/cosmos/ibc-go/v8/modules/light-clients/07-tendermint"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mesh-security/mesh/x/externalstaking/evidence"
)

// guilty are the validators of the verdict.
func guilty(verdict evidence.Verdict) []string {
	var validators []string
	for _, key := range verdict.Guilty {
		validators = append(validators, key.Validator)
	}
	return validators
}

func valopers(numbers ...int) []string {
	var validators []string
	for _, i := range numbers {
		validators = append(validators, valoper(i))
	}
	return validators
}

func TestSL09WhoIsGuiltyOfAnAttack(t *testing.T) {
	last := lastIn(t, 4)
	others := func() []string {
		var validators []string
		for i := range 4 {
			if i != last {
				validators = append(validators, valoper(i))
			}
		}
		return validators
	}()
	for name, tc := range map[string]struct {
		change   func(a, b *headerSpec)
		expected []string
		skipped  error
	}{
		"everybody signed both in one round":             {func(_, _ *headerSpec) {}, valopers(0, 1, 2, 3), nil},
		"one voted nil on the second":                    {func(_, b *headerSpec) { b.ballots[last] = forNil }, others, nil},
		"one voted nil on the first":                     {func(a, _ *headerSpec) { a.ballots[last] = forNil }, others, nil},
		"one was absent from the second":                 {func(_, b *headerSpec) { b.ballots[last] = absent }, others, nil},
		"an innocent one's vote is forged on the second": {func(_, b *headerSpec) { b.ballots[last] = forged }, others, evidence.ErrInvalidSignature},
		"an innocent one's vote is forged on the first":  {func(a, _ *headerSpec) { a.ballots[last] = forged }, others, evidence.ErrInvalidSignature},
		"another state in one round":                     {func(_, b *headerSpec) { b.app = "forged state" }, valopers(0, 1, 2, 3), nil},
		"another state in another round":                 {func(_, b *headerSpec) { b.app, b.round = "forged state", 5 }, valopers(0, 1, 2, 3), nil},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := spec("a", 4), spec("b", 4)
			tc.change(&a, &b)
			verdict, err := evidence.VerifyMisbehaviour(client, misbehaviourOf(t, a, b), newHistory(4))
			require.NoError(t, err)
			require.ElementsMatch(t, tc.expected, guilty(verdict))
			require.Equal(t, clienttypes.NewHeight(revision, 100), verdict.Height)
			if tc.skipped == nil {
				require.Empty(t, verdict.Skipped)
				return
			}
			require.Len(t, verdict.Skipped, 1)
			require.Equal(t, pubKey(last).Address(), verdict.Skipped[0].Address)
			require.ErrorIs(t, verdict.Skipped[0].Reason, tc.skipped)
		})
	}
}

func TestSL09NobodyIsGuilty(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(a, b *headerSpec)
		keys   history
	}{
		"amnesia: another round, the same state": {func(_, b *headerSpec) { b.round = 1 }, newHistory(4)},
		"nobody signed both":                     {func(_, b *headerSpec) { b.first = 4 }, newHistory(8)},
		"nobody's key is known":                  {func(_, _ *headerSpec) {}, history{}},
		"all keys came later":                    {func(a, b *headerSpec) { a.height, b.height = 9, 9 }, newHistory(4)},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := spec("a", 4), spec("b", 4)
			tc.change(&a, &b)
			_, err := evidence.VerifyMisbehaviour(client, misbehaviourOf(t, a, b), tc.keys)
			require.ErrorIs(t, err, evidence.ErrNobodyGuilty)
		})
	}
}

func TestMisbehaviourOfSomeUnknownKeys(t *testing.T) {
	keys := newHistory(2)
	keys.add(pubKey(2), valoper(2), clienttypes.NewHeight(revision, 101))
	verdict, err := evidence.VerifyMisbehaviour(client, misbehaviourOf(t, spec("a", 4), spec("b", 4)), keys)
	require.NoError(t, err)
	require.ElementsMatch(t, valopers(0, 1), guilty(verdict))
	require.Len(t, verdict.Skipped, 2)
	for _, skipped := range verdict.Skipped {
		expected := evidence.ErrUnknownKey
		if skipped.Address.String() == pubKey(2).Address().String() {
			expected = evidence.ErrKeyNotYetValid
		}
		require.ErrorIs(t, skipped.Reason, expected)
	}
}

// Headers above the light client's latest height prove themselves to it. If they did not count, whoever freezes the
// client with them first would go free.
func TestMisbehaviourAboveTheClient(t *testing.T) {
	a, b := spec("a", 4), spec("b", 4)
	a.height, b.height = 5000, 5000
	verdict, err := evidence.VerifyMisbehaviour(client, misbehaviourOf(t, a, b), newHistory(4))
	require.NoError(t, err)
	require.Equal(t, clienttypes.NewHeight(revision, 5000), verdict.Height)
}

func TestMisbehaviourInAnEarlierRevision(t *testing.T) {
	a, b := spec("a", 4), spec("b", 4)
	a.chainID, b.chainID = "consumer-1", "consumer-1"
	keys := history{}
	keys.add(pubKey(0), valoper(0), clienttypes.NewHeight(1, 1))
	verdict, err := evidence.VerifyMisbehaviour(client, misbehaviourOf(t, a, b), keys)
	require.NoError(t, err)
	require.Equal(t, clienttypes.NewHeight(1, 100), verdict.Height)
	require.Equal(t, valopers(0), guilty(verdict))
}

func TestSL10MisbehaviourThatIsNone(t *testing.T) {
	change := func(change func(*ibctm.Misbehaviour)) *ibctm.Misbehaviour {
		m := misbehaviourOf(t, spec("a", 4), spec("b", 4))
		change(m)
		return m
	}
	specs := func(change func(a, b *headerSpec)) *ibctm.Misbehaviour {
		a, b := spec("a", 4), spec("b", 4)
		change(&a, &b)
		return misbehaviourOf(t, a, b)
	}
	for name, tc := range map[string]struct {
		misbehaviour *ibctm.Misbehaviour
		expected     error
	}{
		"nothing":                {nil, evidence.ErrMalformed},
		"no headers":             {&ibctm.Misbehaviour{ClientId: clientID}, evidence.ErrMalformed},
		"empty headers":          {ibctm.NewMisbehaviour(clientID, &ibctm.Header{}, &ibctm.Header{}), evidence.ErrMalformed},
		"no second header":       {change(func(m *ibctm.Misbehaviour) { m.Header2 = nil }), evidence.ErrMalformed},
		"no commit":              {change(func(m *ibctm.Misbehaviour) { m.Header2.Commit = nil }), evidence.ErrMalformed},
		"no validators":          {change(func(m *ibctm.Misbehaviour) { m.Header1.ValidatorSet = nil }), evidence.ErrMalformed},
		"no trusted validators":  {change(func(m *ibctm.Misbehaviour) { m.Header1.TrustedValidators = nil }), evidence.ErrMalformed},
		"no trusted height":      {change(func(m *ibctm.Misbehaviour) { m.Header1.TrustedHeight = clienttypes.ZeroHeight() }), evidence.ErrMalformed},
		"a validator missing":    {change(func(m *ibctm.Misbehaviour) { m.Header1.ValidatorSet.Validators[1] = nil }), evidence.ErrMalformed},
		"powers that overflow":   {change(func(m *ibctm.Misbehaviour) { overflow(m.Header1) }), evidence.ErrMalformed},
		"other validators":       {change(func(m *ibctm.Misbehaviour) { m.Header2.ValidatorSet.Validators[0].VotingPower++ }), evidence.ErrMalformed},
		"another client":         {change(func(m *ibctm.Misbehaviour) { m.ClientId = "07-tendermint-1" }), evidence.ErrWrongClient},
		"another chain":          {specs(func(a, b *headerSpec) { a.chainID, b.chainID = "other-2", "other-2" }), evidence.ErrWrongChain},
		"a chain id too far":     {change(func(m *ibctm.Misbehaviour) { m.Header1.Header.ChainID = "consumer-99999999999999999999" }), evidence.ErrWrongChain},
		"a chain id as overflow": {change(func(m *ibctm.Misbehaviour) { m.Header1.Header.ChainID = "consumer-18446744073709551615" }), evidence.ErrWrongChain},
		"no revision":            {change(func(m *ibctm.Misbehaviour) { m.Header1.Header.ChainID = "consumer" }), evidence.ErrWrongChain},
		"different revisions":    {specs(func(a, _ *headerSpec) { a.chainID = "consumer-1" }), evidence.ErrMalformed},
		"unequal heights":        {specs(func(a, _ *headerSpec) { a.height++ }), evidence.ErrNoConflict},
		"the same header":        {specs(func(_, b *headerSpec) { b.block = "a" }), evidence.ErrNoConflict},
		"a header of a minority": {specs(func(_, b *headerSpec) { b.ballots = []ballot{forBlock, forBlock, absent, forNil} }), evidence.ErrMalformed},
		"a forged majority":      {specs(func(_, b *headerSpec) { b.ballots = []ballot{forged, forged, forged, forged} }), evidence.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := evidence.VerifyMisbehaviour(client, tc.misbehaviour, newHistory(4))
			require.ErrorIs(t, err, tc.expected)
		})
	}
}

func overflow(header *ibctm.Header) {
	for _, validator := range header.ValidatorSet.Validators {
		validator.VotingPower = cmttypes.MaxTotalVotingPower
	}
}

func TestMisbehaviourSignaturesAreKnownBefore(t *testing.T) {
	m := misbehaviourOf(t, spec("a", 4), spec("b", 4))
	signatures, err := evidence.MisbehaviourSignatures(m)
	require.NoError(t, err)
	require.Equal(t, uint64(3*(4+4)), signatures)

	_, err = evidence.MisbehaviourSignatures(nil)
	require.ErrorIs(t, err, evidence.ErrMalformed)

	large := make([]*cmtproto.Validator, cmttypes.MaxVotesCount+1)
	for name, enlarge := range map[string]func(*ibctm.Header){
		"signatures":         func(h *ibctm.Header) { h.Commit.Signatures = make([]cmtproto.CommitSig, len(large)) },
		"validators":         func(h *ibctm.Header) { h.ValidatorSet.Validators = large },
		"trusted validators": func(h *ibctm.Header) { h.TrustedValidators.Validators = large },
	} {
		m := misbehaviourOf(t, spec("a", 1), spec("b", 1))
		enlarge(m.Header2)
		_, err := evidence.MisbehaviourSignatures(m)
		require.ErrorIs(t, err, evidence.ErrTooLarge, name)
		_, err = evidence.VerifyMisbehaviour(client, m, newHistory(1))
		require.ErrorIs(t, err, evidence.ErrTooLarge, name)
	}
}

func TestMisbehaviourWithAKeyHistoryThatFails(t *testing.T) {
	broken := errors.New("store is broken")
	_, err := evidence.VerifyMisbehaviour(client, misbehaviourOf(t, spec("a", 1), spec("b", 1)), lookup{err: broken})
	require.ErrorIs(t, err, broken)
}

// A header whose validator set is made up can name a validator twice. It must not be guilty twice.
func TestAValidatorListedTwiceIsGuiltyOnce(t *testing.T) {
	m := misbehaviourOf(t, spec("a", 1), spec("b", 1))
	for _, header := range []*ibctm.Header{m.Header1, m.Header2} {
		listTwice(t, header)
	}
	verdict, err := evidence.VerifyMisbehaviour(client, m, newHistory(1))
	require.NoError(t, err)
	require.Equal(t, valopers(0), guilty(verdict))
}

// listTwice lists the header's only validator twice and signs the header again.
func listTwice(t *testing.T, header *ibctm.Header) {
	set := header.ValidatorSet
	set.Validators = append(set.Validators, set.Validators[0])
	validators, err := cmttypes.ValidatorSetFromProto(set)
	require.NoError(t, err)
	header.Header.ValidatorsHash = validators.Hash()
	signed, err := cmttypes.SignedHeaderFromProto(header.SignedHeader)
	require.NoError(t, err)
	commit := signed.Commit
	commit.BlockID.Hash = signed.Header.Hash()
	commit.Signatures[0].Signature, err = privKey(0).Sign(commit.VoteSignBytes(chainID, 0))
	require.NoError(t, err)
	commit.Signatures = append(commit.Signatures, commit.Signatures[0])
	header.SignedHeader = signed.ToProto()
}

// Whatever the validators did, exactly those are guilty who signed both blocks, unless it was amnesia.
func TestWhoeverSignedBothIsGuilty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const n = 7
		a, b := spec("a", n), spec("b", n)
		b.round = rapid.Int32Range(0, 1).Draw(t, "round")
		b.app = rapid.SampledFrom([]string{"state", "forged state"}).Draw(t, "app")
		known := rapid.IntRange(0, n).Draw(t, "known keys")
		// The light client checks two thirds; what is beyond them may be anything.
		set, _ := validators(t, 0, n)
		for i := range n {
			if at, _ := set.GetByAddress(pubKey(i).Address()); at >= 5 {
				a.ballots[i] = rapid.SampledFrom([]ballot{absent, forNil, forBlock, forged}).Draw(t, "first")
				b.ballots[i] = rapid.SampledFrom([]ballot{absent, forNil, forBlock, forged}).Draw(t, "second")
			}
		}
		var expected []string
		for i := range known {
			if a.ballots[i] == forBlock && b.ballots[i] == forBlock && (b.round == 0 || b.app != "state") {
				expected = append(expected, valoper(i))
			}
		}
		verdict, err := evidence.VerifyMisbehaviour(client, misbehaviourOf(t, a, b), newHistory(known))
		if len(expected) == 0 {
			require.ErrorIs(t, err, evidence.ErrNobodyGuilty)
			return
		}
		require.NoError(t, err)
		require.ElementsMatch(t, expected, guilty(verdict))
	})
}
