package evidence

import (
	"bytes"

	errorsmod "cosmossdk.io/errors"
	cmttypes "github.com/cometbft/cometbft/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
	ibctm "github.com/cosmos/ibc-go/v8/modules/light-clients/07-tendermint"
)

// signatureChecks is how often one signature of a header is looked at, at most: by the misbehaviour's own basic check, by
// the light client's, and with the stored key here.
const signatureChecks = 3

// MisbehaviourSignatures is how many signatures are checked for m at most, by VerifyMisbehaviour and by the light
// client together: known before any is checked, so that they can be paid for first. It is bounded by the validators
// a CometBFT chain can have.
//
// Errors: ErrMalformed if a header is missing, ErrTooLarge.
func MisbehaviourSignatures(m *ibctm.Misbehaviour) (uint64, error) {
	if m == nil {
		return 0, errorsmod.Wrap(ErrMalformed, "no misbehaviour")
	}
	signatures := 0
	for _, header := range []*ibctm.Header{m.Header1, m.Header2} {
		// ValidateBasic looks into both headers before it knows that they are there.
		if header == nil || header.SignedHeader.GetHeader() == nil || header.SignedHeader.GetCommit() == nil {
			return 0, errorsmod.Wrap(ErrMalformed, "a header or its commit is missing")
		}
		in := len(header.Commit.Signatures)
		largest := max(in, len(header.ValidatorSet.GetValidators()), len(header.TrustedValidators.GetValidators()))
		if largest > cmttypes.MaxVotesCount {
			return 0, errorsmod.Wrapf(ErrTooLarge, "%d validators or signatures in a header, at most %d", largest, cmttypes.MaxVotesCount)
		}
		signatures += in
	}
	return uint64(signatures) * signatureChecks, nil
}

// VerifyMisbehaviour proves who signed two conflicting headers of one height. It does not prove that the headers are
// an attack on the light client: that is for the client itself to say, with its VerifyClientMessage.
//
// Guilty is who has a signature for the block in both headers' commits that verifies with the stored key, if
//   - the commits are of the same round: nobody may sign two blocks in one round (equivocation), or
//   - the headers differ in what follows from the state before them: an honest validator computes that itself and
//     signs no header that says otherwise, in no round, so one of the two is a lie to whoever signed both. Without this an
//     attacker would forge the state in another round and go free.
//
// Of different rounds over the same state (amnesia) nothing follows for anybody: moving on to another block
// in a later round is allowed under conditions that a header does not show. Who voted nil signed no header.
//
// The height may be above what the light client has seen: the headers prove themselves to it, and a frozen client can no
// longer be updated.
//
// Errors: ErrWrongClient, ErrWrongChain, ErrTooLarge, ErrMalformed, ErrNoConflict, ErrNobodyGuilty.
func VerifyMisbehaviour(client Client, m *ibctm.Misbehaviour, keys Keys) (Verdict, error) {
	first, second, err := conflictingHeaders(client, m)
	if err != nil {
		return Verdict{}, err
	}
	if first.Commit.Round != second.Commit.Round && sameState(first.Header, second.Header) {
		return Verdict{}, errorsmod.Wrapf(ErrNobodyGuilty,
			"headers of rounds %d and %d agree on the state: signing both may have been honest", first.Commit.Round, second.Commit.Round)
	}
	verdict := Verdict{Height: clienttypes.NewHeight(clienttypes.ParseChainID(first.ChainID), uint64(first.Height))}
	for _, pair := range signedBoth(first.Commit, second.Commit) {
		key, err := keyAt(keys, pair[0].ValidatorAddress, verdict.Height)
		if err == nil && (!key.verifies(first.ChainID, pair[0]) || !key.verifies(second.ChainID, pair[1])) {
			err = errorsmod.Wrapf(ErrInvalidSignature, "with the key of %s under chain id %s", key.Validator, first.ChainID)
		}
		switch {
		case err == nil:
			verdict.Guilty = append(verdict.Guilty, key)
		case errorsmod.IsOf(err, ErrUnknownKey, ErrKeyNotYetValid, ErrInvalidSignature):
			verdict.Skipped = append(verdict.Skipped, Skipped{Address: pair[0].ValidatorAddress, Reason: err})
		default:
			return Verdict{}, err
		}
	}
	if len(verdict.Guilty) == 0 {
		return Verdict{}, errorsmod.Wrapf(ErrNobodyGuilty,
			"%d validators seem to have signed both headers, none of them is proven to", len(verdict.Skipped))
	}
	return verdict, nil
}

// conflictingHeaders are the two headers of m, if they are well-formed, different, and of one height of the client's chain.
func conflictingHeaders(client Client, m *ibctm.Misbehaviour) (first, second *cmttypes.SignedHeader, err error) {
	if _, err := MisbehaviourSignatures(m); err != nil {
		return nil, nil, err
	}
	if m.ClientId != client.ID {
		return nil, nil, errorsmod.Wrapf(ErrWrongClient, "misbehaviour names %q, the consumer's light client is %s", m.ClientId, client.ID)
	}
	for _, header := range []*ibctm.Header{m.Header1, m.Header2} {
		if err := client.follows(header.Header.ChainID); err != nil {
			return nil, nil, err
		}
	}
	if err := m.ValidateBasic(); err != nil {
		return nil, nil, errorsmod.Wrap(ErrMalformed, err.Error())
	}
	if !m.Header1.GetHeight().EQ(m.Header2.GetHeight()) {
		return nil, nil, errorsmod.Wrapf(ErrNoConflict, "headers of %s and %s: two of one height are needed", m.Header1.GetHeight(), m.Header2.GetHeight())
	}
	if bytes.Equal(m.Header1.Commit.BlockID.Hash, m.Header2.Commit.BlockID.Hash) {
		return nil, nil, errorsmod.Wrapf(ErrNoConflict, "both headers are of block %X", m.Header1.Commit.BlockID.Hash)
	}
	if first, err = cmttypes.SignedHeaderFromProto(m.Header1.SignedHeader); err == nil {
		second, err = cmttypes.SignedHeaderFromProto(m.Header2.SignedHeader)
	}
	return first, second, err
}

// sameState tells whether two headers of one height agree on everything that follows from the state before them, as
// CometBFT sees it.
func sameState(a, b *cmttypes.Header) bool {
	attack := cmttypes.LightClientAttackEvidence{ConflictingBlock: &cmttypes.LightBlock{SignedHeader: &cmttypes.SignedHeader{Header: b}}}
	return !attack.ConflictingHeaderIsInvalid(a)
}

// signedBoth pairs the votes for both blocks by validator, in the order of the first commit. Of a validator that is
// listed twice only the first vote counts.
func signedBoth(first, second *cmttypes.Commit) [][2]*cmttypes.Vote {
	votes := votesFor(second)
	byAddress := make(map[string]*cmttypes.Vote, len(votes))
	for _, vote := range votes {
		if _, found := byAddress[string(vote.ValidatorAddress)]; !found {
			byAddress[string(vote.ValidatorAddress)] = vote
		}
	}
	var pairs [][2]*cmttypes.Vote
	for _, vote := range votesFor(first) {
		if other, found := byAddress[string(vote.ValidatorAddress)]; found {
			delete(byAddress, string(vote.ValidatorAddress))
			pairs = append(pairs, [2]*cmttypes.Vote{vote, other})
		}
	}
	return pairs
}

// votesFor are the votes for the commit's own block; votes for nil are none.
func votesFor(commit *cmttypes.Commit) []*cmttypes.Vote {
	var votes []*cmttypes.Vote
	for i, signature := range commit.Signatures {
		if signature.BlockIDFlag == cmttypes.BlockIDFlagCommit {
			votes = append(votes, commit.GetVote(int32(i)))
		}
	}
	return votes
}
