package cli_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/flags"
	clitestutil "github.com/cosmos/cosmos-sdk/testutil/cli"
	sdk "github.com/cosmos/cosmos-sdk/types"
	moduletestutil "github.com/cosmos/cosmos-sdk/types/module/testutil"
	"github.com/stretchr/testify/require"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/mesh-security/mesh/internal/draft"
	"github.com/mesh-security/mesh/x/converter"
	"github.com/mesh-security/mesh/x/converter/client/cli"
	"github.com/mesh-security/mesh/x/converter/types"
)

// run runs a command offline with --generate-only, or against a node that answers params, and returns what it printed.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	enc := moduletestutil.MakeTestEncodingConfig(converter.AppModuleBasic{})
	answer, err := enc.Codec.Marshal(&types.QueryParamsResponse{Params: types.DefaultParams()})
	require.NoError(t, err)
	out := new(bytes.Buffer)
	clientCtx := client.Context{}.WithTxConfig(enc.TxConfig).WithCodec(enc.Codec).WithInterfaceRegistry(enc.InterfaceRegistry).
		WithClient(clitestutil.NewMockCometRPC(abci.ResponseQuery{Value: answer})).WithAccountRetriever(client.MockAccountRetriever{}).
		WithOutput(out).WithChainID("test")
	cmd := cli.NewTxCmd()
	cmd.SetOut(out)
	cmd.SetErr(new(bytes.Buffer))
	cmd.SetArgs(args)
	cmd.SilenceUsage = true
	err = cmd.ExecuteContext(context.WithValue(context.Background(), client.ClientContextKey, &clientCtx))
	return out.String(), err
}

func TestTxCommands(t *testing.T) {
	offline := []string{"--" + flags.FlagFrom, sdk.AccAddress("alice_______________").String(), "--" + flags.FlagGenerateOnly}
	for _, tc := range []struct {
		name string
		args []string
		want []string
		err  string
	}{
		{
			"create",
			[]string{"create-converter", "connection-0", "uprov", "0.1", "channel-0"},
			[]string{`"connection_id":"connection-0"`, `"discount":"0.100000000000000000"`, `"price_feed":"gov"`, `"transfer_channel":"channel-0"`},
			"",
		},
		{"create with a bad discount", []string{"create-converter", "connection-0", "uprov", "ten", "channel-0"}, nil, "must be a decimal number"},
		{
			"update",
			[]string{"update-converter", "1", "--counterparty-port", "externalstaking.1", "--discount", "0.2"},
			[]string{`"converter_id":"1"`, `"counterparty_port":"externalstaking.1"`, `"discount":"0.200000000000000000"`},
			"",
		},
		{"update nothing of the discount", []string{"update-converter", "1", "--price-feed", "gov"}, []string{`"discount":null`}, ""},
		{"update with a bad id", []string{"update-converter", "one"}, nil, "must be a number"},
		{"update with a bad discount", []string{"update-converter", "1", "--discount", "x"}, nil, "must be a decimal number"},
		{"admin", []string{"update-admin", "1", "cosmos1abc"}, []string{`"new_admin":"cosmos1abc"`}, ""},
		{"renounce", []string{"update-admin", "1", "--renounce"}, []string{`"new_admin":""`}, ""},
		{"renounce and name", []string{"update-admin", "1", "cosmos1abc", "--renounce"}, nil, "one of the two"},
		{"neither", []string{"update-admin", "1"}, nil, "one of the two"},
		{"admin with a bad id", []string{"update-admin", "x", "y"}, nil, "must be a number"},
		{"price", []string{"set-price", "1", "0.5"}, []string{`"price":"0.500000000000000000"`}, ""},
		{"price with a bad id", []string{"set-price", "x", "1"}, nil, "must be a number"},
		{"bad price", []string{"set-price", "1", "x"}, nil, "must be a decimal number"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, err := run(t, append(tc.args, offline...)...)
			if tc.err != "" {
				require.ErrorContains(t, err, tc.err)
				return
			}
			require.NoError(t, err)
			for _, want := range tc.want {
				require.Contains(t, out, want)
			}
		})
	}
}

func TestDraftCloseChannel(t *testing.T) {
	out, err := run(t, "draft-close-channel", "3", "--deposit", "7stake")
	require.NoError(t, err)
	for _, want := range []string{"/mesh.converter.v1.MsgCloseChannel", `"converter_id": "3"`, `"deposit": "7stake"`, draft.Authority()} {
		require.Contains(t, out, want)
	}
	_, err = run(t, "draft-close-channel", "three")
	require.ErrorContains(t, err, "must be a number")
	_, err = run(t, "draft-close-channel")
	require.ErrorContains(t, err, "accepts 1 arg(s)")
}

func TestDraftUpdateParams(t *testing.T) {
	out, err := run(t, "draft-update-params", "--creation-fee", "5stake", "--packet-timeout", "48h", "--reward-denoms", "uusd",
		"--max-packets-per-block", "3", "--max-price-age", "1h", "--max-price-change", "2", "--price-interval", "2h")
	require.NoError(t, err)
	for _, want := range []string{
		"/mesh.converter.v1.MsgUpdateParams", `"packet_timeout": "172800s"`, `"uusd"`, `"max_packets_per_block": 3`,
		`"max_price_age": "3600s"`, `"max_price_change": "2.000000000000000000"`, `"price_interval": "7200s"`, `"amount": "5"`,
	} {
		require.Contains(t, out, want)
	}
	// What has no flag keeps its value on the chain; what must fail is not drafted.
	out, err = run(t, "draft-update-params")
	require.NoError(t, err)
	require.Contains(t, out, `"max_packets_per_block": 10`)
	for _, args := range [][]string{
		{"--max-packets-per-block", "0"}, {"--creation-fee", "!"}, {"--max-price-change", "x"}, {"--max-price-change", "0.5"},
	} {
		_, err := run(t, append([]string{"draft-update-params"}, args...)...)
		require.Error(t, err)
	}
}
