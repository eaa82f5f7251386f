package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"github.com/cosmos/cosmos-sdk/client"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/x/externalstaking/client/cli"
	"github.com/mesh-security/mesh/x/externalstaking/types"
)

// draft runs a command that prints a proposal and returns the message in it.
func draft(t *testing.T, args ...string) (sdk.Msg, error) {
	t.Helper()
	enc := encoding()
	var out bytes.Buffer
	clientCtx := client.Context{}.WithCodec(enc.Codec).WithInterfaceRegistry(enc.InterfaceRegistry).WithTxConfig(enc.TxConfig).WithOutput(&out)
	cmd := cli.NewTxCmd()
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SilenceUsage = true
	cmd.SetArgs(append(args, "--deposit", "10stake"))
	if err := cmd.ExecuteContext(context.WithValue(context.Background(), client.ClientContextKey, &clientCtx)); err != nil {
		return nil, err
	}
	var proposal struct {
		Messages []json.RawMessage `json:"messages"`
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &proposal), out.String())
	require.Len(t, proposal.Messages, 1)
	var msg sdk.Msg
	require.NoError(t, enc.Codec.UnmarshalInterfaceJSON(proposal.Messages[0], &msg))
	return msg, nil
}

func TestDraftsAboutAConsumer(t *testing.T) {
	authority := authtypes.NewModuleAddress(govtypes.ModuleName).String()
	for _, tc := range []struct {
		args []string
		want sdk.Msg
	}{
		{[]string{"draft-pause-consumer", "3", "true"}, &types.MsgPauseConsumer{Sender: authority, ConsumerID: 3, Paused: true}},
		{[]string{"draft-pause-consumer", "3", "false"}, &types.MsgPauseConsumer{Sender: authority, ConsumerID: 3}},
		{[]string{"draft-endorse-consumer", "3", "true"}, &types.MsgEndorseConsumer{Authority: authority, ConsumerID: 3, Endorsed: true}},
		{[]string{"draft-retire-consumer", "3"}, &types.MsgRetireConsumer{Authority: authority, ConsumerID: 3}},
		{[]string{"draft-close-channel", "3"}, &types.MsgCloseChannel{Authority: authority, ConsumerID: 3}},
	} {
		msg, err := draft(t, tc.args...)
		require.NoError(t, err, tc.args)
		require.Equal(t, tc.want, msg)
	}
	for _, args := range [][]string{
		{"draft-pause-consumer", "3", "maybe"},
		{"draft-pause-consumer", "3"},
		{"draft-endorse-consumer", "x", "true"},
		{"draft-retire-consumer", "-1"},
		{"draft-retire-consumer"},
		{"draft-close-channel", "1", "2"},
	} {
		_, err := draft(t, args...)
		require.Error(t, err, args)
	}
}
