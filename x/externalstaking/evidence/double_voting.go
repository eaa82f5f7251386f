package evidence

import (
	"bytes"

	errorsmod "cosmossdk.io/errors"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
	clienttypes "github.com/cosmos/ibc-go/v8/modules/core/02-client/types"
)

// DoubleVotingSignatures is how many signatures VerifyDoubleVoting checks at most.
const DoubleVotingSignatures = 2

// VerifyDoubleVoting proves that one validator signed two conflicting votes in the given revision of the consumer's
// chain: prevotes or precommits of the same height and round for different blocks, one of which may be nil. The height
// must be one that the light client has seen and at which the key belonged to the validator.
//
// Only what is signed counts. Validator index, vote extensions, powers and the evidence's time may be anything.
//
// Errors: ErrMalformed (also for votes that are not ordered by block id as CometBFT does, or are for the same block),
// ErrDifferentVotes, ErrAboveClient, ErrUnknownKey, ErrKeyNotYetValid, ErrUnknownRevision, ErrInvalidSignature.
func VerifyDoubleVoting(client Client, revision uint64, evidence *cmtproto.DuplicateVoteEvidence, keys Keys) (Verdict, error) {
	votes, err := signedVotes(evidence)
	if err != nil {
		return Verdict{}, err
	}
	a, b := votes.VoteA, votes.VoteB
	if a.Height != b.Height || a.Round != b.Round || a.Type != b.Type || !bytes.Equal(a.ValidatorAddress, b.ValidatorAddress) {
		return Verdict{}, errorsmod.Wrapf(ErrDifferentVotes,
			"height/round/type/validator are %d/%d/%d/%s and %d/%d/%d/%s",
			a.Height, a.Round, a.Type, a.ValidatorAddress, b.Height, b.Round, b.Type, b.ValidatorAddress)
	}
	height := clienttypes.NewHeight(revision, uint64(a.Height))
	if height.GT(client.Latest) {
		return Verdict{}, errorsmod.Wrapf(ErrAboveClient,
			"votes of %s, light client %s is at %s: update it first", height, client.ID, client.Latest)
	}
	key, err := keyAt(keys, a.ValidatorAddress, height)
	if err != nil {
		return Verdict{}, err
	}
	chainID, err := client.chainIDAt(revision)
	if err != nil {
		return Verdict{}, err
	}
	if !key.verifies(chainID, a) || !key.verifies(chainID, b) {
		return Verdict{}, errorsmod.Wrapf(ErrInvalidSignature,
			"votes of %s with the key of %s under chain id %s", a.ValidatorAddress, key.Validator, chainID)
	}
	return Verdict{Height: height, Guilty: []Key{key}}, nil
}

// signedVotes decodes the two votes, as far as they are signed. CometBFT's own check refuses missing, malformed and
// swapped votes and two for the same block; so that it cannot trip over anything that nobody signed, that is left out.
func signedVotes(evidence *cmtproto.DuplicateVoteEvidence) (*cmttypes.DuplicateVoteEvidence, error) {
	signed, err := cmttypes.DuplicateVoteEvidenceFromProto(&cmtproto.DuplicateVoteEvidence{
		VoteA: signedPart(evidence.GetVoteA()),
		VoteB: signedPart(evidence.GetVoteB()),
	})
	if err != nil {
		return nil, errorsmod.Wrapf(ErrMalformed,
			"%s (give the two votes for different blocks as a CometBFT node does, ordered by block id)", err)
	}
	return signed, nil
}

func signedPart(vote *cmtproto.Vote) *cmtproto.Vote {
	if vote == nil {
		return nil
	}
	return &cmtproto.Vote{
		Type: vote.Type, Height: vote.Height, Round: vote.Round, BlockID: vote.BlockID, Timestamp: vote.Timestamp,
		ValidatorAddress: vote.ValidatorAddress, Signature: vote.Signature,
	}
}
