package evidence_test

import (
	"strings"
	"testing"

	cmtjson "github.com/cometbft/cometbft/libs/json"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	ibctm "github.com/cosmos/ibc-go/v8/modules/light-clients/07-tendermint"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/externalstaking/evidence"
)

func newCodec() codec.Codec {
	registry := codectypes.NewInterfaceRegistry()
	ibctm.RegisterInterfaces(registry)
	return codec.NewProtoCodec(registry)
}

// cometJSON is how a CometBFT node shows the evidence.
func cometJSON(t *testing.T, ev *cmtproto.DuplicateVoteEvidence) []byte {
	decoded, err := cmttypes.DuplicateVoteEvidenceFromProto(ev)
	require.NoError(t, err)
	bz, err := cmtjson.Marshal(cmttypes.Evidence(decoded))
	require.NoError(t, err)
	return bz
}

func TestParseDoubleVotingTakesBothForms(t *testing.T) {
	cdc := newCodec()
	for name, ev := range map[string]*cmtproto.DuplicateVoteEvidence{
		"two blocks":      doubleVote(),
		"a block and nil": doubleVote(func(a, _ *cmtproto.Vote) { a.BlockID = cmtproto.BlockID{} }),
	} {
		t.Run(name, func(t *testing.T) {
			parsed, err := evidence.ParseDoubleVoting(cdc, cometJSON(t, ev))
			require.NoError(t, err)
			require.Equal(t, ev.String(), parsed.String())

			bz, err := cdc.MarshalJSON(ev)
			require.NoError(t, err)
			parsed, err = evidence.ParseDoubleVoting(cdc, bz)
			require.NoError(t, err)
			require.Equal(t, ev.String(), parsed.String())
			_, err = evidence.VerifyDoubleVoting(client, revision, parsed, newHistory(1))
			require.NoError(t, err)
		})
	}
}

func TestParseDoubleVotingRefuses(t *testing.T) {
	attack, err := cmtjson.Marshal(cmttypes.Evidence(&cmttypes.LightClientAttackEvidence{}))
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		json     string
		expected error
	}{
		"nothing":               {"", evidence.ErrMalformed},
		"no object":             {"[]", evidence.ErrMalformed},
		"an unknown field":      {`{"vote_c":{}}`, evidence.ErrMalformed},
		"an unknown type":       {`{"type":"tendermint/Other","value":{}}`, evidence.ErrMalformed},
		"a light-client attack": {string(attack), evidence.ErrMalformed},
		"no votes":              {`{"type":"tendermint/DuplicateVoteEvidence","value":{}}`, evidence.ErrMalformed},
		"no value":              {`{"type":"tendermint/DuplicateVoteEvidence"}`, evidence.ErrMalformed},
		"too long":              {strings.Repeat(" ", evidence.MaxDoubleVotingJSON+1), evidence.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := evidence.ParseDoubleVoting(newCodec(), []byte(tc.json))
			require.ErrorIs(t, err, tc.expected)
		})
	}
}

func TestParseMisbehaviour(t *testing.T) {
	cdc := newCodec()
	m := misbehaviourOf(t, spec("a", 4), spec("b", 4))
	bz, err := cdc.MarshalInterfaceJSON(m)
	require.NoError(t, err)
	parsed, err := evidence.ParseMisbehaviour(cdc, bz)
	require.NoError(t, err)
	require.Equal(t, m.String(), parsed.String())
	_, err = evidence.VerifyMisbehaviour(client, parsed, newHistory(4))
	require.NoError(t, err)

	header, err := cdc.MarshalInterfaceJSON(m.Header1)
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		json     string
		expected error
	}{
		"nothing":         {"", evidence.ErrMalformed},
		"no type":         {"{}", evidence.ErrMalformed},
		"an unknown type": {`{"@type":"/ibc.Other"}`, evidence.ErrMalformed},
		"a header":        {string(header), evidence.ErrMalformed},
		"too long":        {strings.Repeat(" ", evidence.MaxMisbehaviourJSON+1), evidence.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := evidence.ParseMisbehaviour(cdc, []byte(tc.json))
			require.ErrorIs(t, err, tc.expected)
		})
	}
}
