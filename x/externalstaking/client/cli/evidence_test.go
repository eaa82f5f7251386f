package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/crypto/tmhash"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/flags"
	sdk "github.com/cosmos/cosmos-sdk/types"
	moduletestutil "github.com/cosmos/cosmos-sdk/types/module/testutil"
	ibc "github.com/cosmos/ibc-go/v8/modules/core"
	ibctm "github.com/cosmos/ibc-go/v8/modules/light-clients/07-tendermint"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/externalstaking"
	"github.com/mesh-security/mesh/x/externalstaking/client/cli"
	"github.com/mesh-security/mesh/x/externalstaking/evidence"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

var user = sdk.AccAddress("user________________")

func encoding() moduletestutil.TestEncodingConfig {
	return moduletestutil.MakeTestEncodingConfig(externalstaking.AppModuleBasic{}, ibc.AppModuleBasic{}, ibctm.AppModuleBasic{})
}

// generate is the message of `tx externalstaking <args>` for user, which is not sent.
func generate(t *testing.T, args ...string) (sdk.Msg, error) {
	t.Helper()
	enc := encoding()
	var out bytes.Buffer
	clientCtx := client.Context{}.WithCodec(enc.Codec).WithInterfaceRegistry(enc.InterfaceRegistry).WithTxConfig(enc.TxConfig).
		WithLegacyAmino(enc.Amino).WithOutput(&out).WithFromAddress(user).WithFrom(user.String())
	cmd := cli.NewTxCmd()
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SilenceUsage = true
	cmd.SetArgs(append(args, "--"+flags.FlagGenerateOnly, "--"+flags.FlagFrom, user.String(), "--"+flags.FlagOffline,
		"--"+flags.FlagAccountNumber, "1", "--"+flags.FlagSequence, "1"))
	if err := cmd.ExecuteContext(context.WithValue(context.Background(), client.ClientContextKey, &clientCtx)); err != nil {
		return nil, err
	}
	tx, err := enc.TxConfig.TxJSONDecoder()(out.Bytes())
	require.NoError(t, err, out.String())
	require.Len(t, tx.GetMsgs(), 1)
	return tx.GetMsgs()[0], nil
}

func file(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "evidence.json")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}

// doubleVote is well-formed evidence that nobody signed.
func doubleVote(t *testing.T) *cmttypes.DuplicateVoteEvidence {
	t.Helper()
	vote := func(block string) *cmttypes.Vote {
		return &cmttypes.Vote{
			Type: cmtproto.PrecommitType, Height: 7, Timestamp: time.Unix(1_700_000_000, 0).UTC(), Signature: []byte{1},
			ValidatorAddress: ed25519.GenPrivKeyFromSecret([]byte("v")).PubKey().Address(),
			BlockID: cmttypes.BlockID{
				Hash: tmhash.Sum([]byte(block)), PartSetHeader: cmttypes.PartSetHeader{Total: 1, Hash: tmhash.Sum([]byte("parts"))},
			},
		}
	}
	a, b := vote("one"), vote("other")
	if a.BlockID.Key() > b.BlockID.Key() {
		a, b = b, a
	}
	return &cmttypes.DuplicateVoteEvidence{VoteA: a, VoteB: b, Timestamp: a.Timestamp}
}

func TestSubmitDoubleVotingReadsBothForms(t *testing.T) {
	ev := doubleVote(t)
	comet, err := cmtjson.Marshal(cmttypes.Evidence(ev))
	require.NoError(t, err)
	plain, err := encoding().Codec.MarshalJSON(ev.ToProto())
	require.NoError(t, err)
	for form, content := range map[string][]byte{"CometBFT": comet, "protobuf": plain} {
		msg, err := generate(t, "submit-double-voting", "3", file(t, content))
		require.NoError(t, err, form)
		require.Equal(t, &types.MsgSubmitDoubleVoting{Submitter: user.String(), ConsumerID: 3, Evidence: ev.ToProto()}, msg, form)
	}
	msg, err := generate(t, "submit-double-voting", "3", file(t, comet), "--revision", "4")
	require.NoError(t, err)
	require.Equal(t, uint64(4), msg.(*types.MsgSubmitDoubleVoting).Revision)
}

func TestSubmitMisbehaviourReadsProtobufJSON(t *testing.T) {
	misbehaviour := &ibctm.Misbehaviour{ClientId: "07-tendermint-3", Header1: &ibctm.Header{}, Header2: &ibctm.Header{}}
	content, err := encoding().Codec.MarshalInterfaceJSON(misbehaviour)
	require.NoError(t, err)
	msg, err := generate(t, "submit-misbehaviour", "3", file(t, content))
	require.NoError(t, err)
	submitted := msg.(*types.MsgSubmitMisbehaviour)
	require.Equal(t, uint64(3), submitted.ConsumerID)
	require.Equal(t, user.String(), submitted.Submitter)
	require.Equal(t, "07-tendermint-3", submitted.Misbehaviour.GetCachedValue().(*ibctm.Misbehaviour).ClientId)
}

func TestEvidenceFilesAreRefusedWithAReason(t *testing.T) {
	header, err := encoding().Codec.MarshalInterfaceJSON(&ibctm.Header{})
	require.NoError(t, err)
	attack, err := cmtjson.Marshal(cmttypes.Evidence(&cmttypes.LightClientAttackEvidence{}))
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		args   []string
		reason string
	}{
		"no such consumer id":            {[]string{"submit-double-voting", "one", file(t, nil)}, "must be the number"},
		"no such file":                   {[]string{"submit-double-voting", "1", filepath.Join(t.TempDir(), "none.json")}, "no such file"},
		"no JSON":                        {[]string{"submit-double-voting", "1", file(t, []byte("votes"))}, evidence.ErrMalformed.Error()},
		"an attack as a double vote":     {[]string{"submit-double-voting", "1", file(t, attack)}, "instead of duplicate vote evidence"},
		"too large":                      {[]string{"submit-double-voting", "1", file(t, make([]byte, evidence.MaxDoubleVotingJSON+1))}, evidence.ErrTooLarge.Error()},
		"no misbehaviour":                {[]string{"submit-misbehaviour", "1", file(t, []byte("{}"))}, evidence.ErrMalformed.Error()},
		"a header as a misbehaviour":     {[]string{"submit-misbehaviour", "1", file(t, header)}, "instead of the misbehaviour"},
		"a misbehaviour without a file":  {[]string{"submit-misbehaviour", "1"}, "accepts 2 arg(s)"},
		"a double vote without the file": {[]string{"submit-double-voting", "1"}, "accepts 2 arg(s)"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := generate(t, tc.args...)
			require.ErrorContains(t, err, tc.reason)
		})
	}
}

// A user of the help finds the commands with an example, in which all flags exist.
func TestEvidenceCommandsHaveExamples(t *testing.T) {
	for _, name := range []string{"submit-double-voting", "submit-misbehaviour"} {
		cmd, _, err := cli.NewTxCmd().Find([]string{name})
		require.NoError(t, err)
		require.Contains(t, cmd.Example, name+" 1 ")
		require.NotEmpty(t, cmd.Long)
	}
}

// What a query shows is what the message takes: evidence printed as JSON comes back the same.
func TestDoubleVotesSurviveJSON(t *testing.T) {
	ev := doubleVote(t)
	bz, err := encoding().Codec.MarshalJSON(&types.MsgSubmitDoubleVoting{Submitter: user.String(), ConsumerID: 1, Evidence: ev.ToProto()})
	require.NoError(t, err)
	var shown struct {
		Evidence json.RawMessage `json:"evidence"`
	}
	require.NoError(t, json.Unmarshal(bz, &shown))
	parsed, err := evidence.ParseDoubleVoting(encoding().Codec, shown.Evidence)
	require.NoError(t, err)
	require.Equal(t, ev.ToProto(), parsed)
}
