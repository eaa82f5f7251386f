package evidence

import (
	"encoding/json"

	errorsmod "cosmossdk.io/errors"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/ibc-go/v8/modules/core/exported"
	ibctm "github.com/cosmos/ibc-go/v8/modules/light-clients/07-tendermint"
)

// Bounds of evidence files: more than the JSON of any evidence that fits into a transaction.
const (
	MaxDoubleVotingJSON = 1 << 20
	MaxMisbehaviourJSON = 16 << 20
)

// ParseDoubleVoting reads duplicate vote evidence from JSON: either CometBFT's, as a node shows it in a block and takes it
// to broadcast, or protobuf's, as transactions show it.
//
// Errors: ErrTooLarge, ErrMalformed.
func ParseDoubleVoting(cdc codec.JSONCodec, bz []byte) (*cmtproto.DuplicateVoteEvidence, error) {
	if len(bz) > MaxDoubleVotingJSON {
		return nil, errorsmod.Wrapf(ErrTooLarge, "%d bytes of JSON, at most %d", len(bz), MaxDoubleVotingJSON)
	}
	if !fromCometBFT(bz) {
		parsed := &cmtproto.DuplicateVoteEvidence{}
		if err := cdc.UnmarshalJSON(bz, parsed); err != nil {
			return nil, errorsmod.Wrapf(ErrMalformed, "neither CometBFT's nor protobuf JSON of duplicate vote evidence: %s", err)
		}
		return parsed, nil
	}
	var parsed cmttypes.Evidence
	if err := cmtjson.Unmarshal(bz, &parsed); err != nil {
		return nil, errorsmod.Wrapf(ErrMalformed, "evidence in CometBFT's JSON: %s", err)
	}
	votes, ok := parsed.(*cmttypes.DuplicateVoteEvidence)
	if !ok {
		return nil, errorsmod.Wrapf(ErrMalformed, "%T instead of duplicate vote evidence", parsed)
	}
	if err := votes.ValidateBasic(); err != nil {
		return nil, errorsmod.Wrap(ErrMalformed, err.Error())
	}
	return votes.ToProto(), nil
}

// ParseMisbehaviour reads the misbehaviour of a 07-tendermint client from protobuf JSON with its "@type".
//
// Errors: ErrTooLarge, ErrMalformed.
func ParseMisbehaviour(cdc codec.Codec, bz []byte) (*ibctm.Misbehaviour, error) {
	if len(bz) > MaxMisbehaviourJSON {
		return nil, errorsmod.Wrapf(ErrTooLarge, "%d bytes of JSON, at most %d", len(bz), MaxMisbehaviourJSON)
	}
	var parsed exported.ClientMessage
	if err := cdc.UnmarshalInterfaceJSON(bz, &parsed); err != nil {
		return nil, errorsmod.Wrapf(ErrMalformed, "protobuf JSON of a light client's misbehaviour: %s", err)
	}
	m, ok := parsed.(*ibctm.Misbehaviour)
	if !ok {
		return nil, errorsmod.Wrapf(ErrMalformed, "%T instead of the misbehaviour of a 07-tendermint client", parsed)
	}
	return m, nil
}

// fromCometBFT tells whether the JSON names its type as CometBFT does: the protobuf form has no such field.
func fromCometBFT(bz []byte) bool {
	var named struct {
		Type string `json:"type"`
	}
	return json.Unmarshal(bz, &named) == nil && named.Type != ""
}
