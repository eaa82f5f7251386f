package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"testing"

	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/flags"
	sdk "github.com/cosmos/cosmos-sdk/types"
	moduletestutil "github.com/cosmos/cosmos-sdk/types/module/testutil"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/mesh-security/mesh/internal/draft"
	"github.com/mesh-security/mesh/x/vault"
	"github.com/mesh-security/mesh/x/vault/client/cli"
	"github.com/mesh-security/mesh/x/vault/types"
)

var user = sdk.AccAddress("user________________")

// run executes `tx vault <args>` for user and returns what it printed, on either stream.
func run(t *testing.T, args ...string) (string, error) {
	enc := moduletestutil.MakeTestEncodingConfig(vault.AppModuleBasic{})
	var out bytes.Buffer
	clientCtx := client.Context{}.WithCodec(enc.Codec).WithInterfaceRegistry(enc.InterfaceRegistry).WithTxConfig(enc.TxConfig).
		WithLegacyAmino(enc.Amino).WithGRPCClient(serve(t)).WithOutput(&out).WithFromAddress(user).WithFrom(user.String())
	cmd := cli.NewTxCmd()
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SilenceUsage = true
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(context.WithValue(context.Background(), client.ClientContextKey, &clientCtx))
	return out.String(), err
}

// serve offers the params query of a vault whose params are not the default ones.
func serve(t *testing.T) *grpc.ClientConn {
	listener := bufconn.Listen(1 << 16)
	server := grpc.NewServer()
	types.RegisterQueryServer(server, &paramsServer{})
	go func() { _ = server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///vault", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(); server.Stop() })
	return conn
}

type paramsServer struct {
	types.UnimplementedQueryServer
}

func (*paramsServer) Params(context.Context, *types.QueryParamsRequest) (*types.QueryParamsResponse, error) {
	params := types.DefaultParams()
	params.MaxCollateralUse, params.MaxConsumersPerUser = math.LegacyNewDecWithPrec(75, 2), 9
	return &types.QueryParamsResponse{Denom: "stake", Params: params}, nil
}

func TestCoinCommands(t *testing.T) {
	const from, to = "cosmosvaloper1from", "cosmosvaloper1to"
	type fields struct {
		Type      string   `json:"@type"`
		User      string   `json:"user"`
		Validator string   `json:"validator"`
		Source    string   `json:"validator_src"`
		Target    string   `json:"validator_dst"`
		Amount    sdk.Coin `json:"amount"`
	}
	offline := []string{
		"--" + flags.FlagGenerateOnly, "--" + flags.FlagFrom, user.String(), "--" + flags.FlagOffline,
		"--" + flags.FlagAccountNumber, "1", "--" + flags.FlagSequence, "1",
	}
	for command, tc := range map[string]struct {
		args []string
		want fields
	}{
		"deposit":             {want: fields{Type: "MsgDeposit"}},
		"withdraw":            {want: fields{Type: "MsgWithdraw"}},
		"deposit-delegation":  {args: []string{from}, want: fields{Type: "MsgDepositDelegation", Validator: from}},
		"withdraw-delegation": {args: []string{from}, want: fields{Type: "MsgWithdrawDelegation", Validator: from}},
		"stake-local":         {args: []string{from}, want: fields{Type: "MsgStakeLocal", Validator: from}},
		"unstake-local":       {args: []string{from}, want: fields{Type: "MsgUnstakeLocal", Validator: from}},
		"restake-local":       {args: []string{from, to}, want: fields{Type: "MsgRestakeLocal", Source: from, Target: to}},
	} {
		t.Run(command, func(t *testing.T) {
			args := append([]string{command}, tc.args...)
			out, err := run(t, append(append(args, "100stake"), offline...)...)
			require.NoError(t, err)
			var tx struct {
				Body struct {
					Messages []fields `json:"messages"`
				} `json:"body"`
			}
			require.NoError(t, json.Unmarshal([]byte(out), &tx), out)
			tc.want.Type, tc.want.User, tc.want.Amount = "/mesh.vault.v1."+tc.want.Type, user.String(), sdk.NewInt64Coin("stake", 100)
			require.Equal(t, []fields{tc.want}, tx.Body.Messages)

			for _, bad := range []string{"100", "stake", "-5stake", ""} {
				args := append([]string{command, "--" + flags.FlagGenerateOnly, "--" + flags.FlagFrom, user.String(), "--"}, tc.args...)
				_, err := run(t, append(args, bad)...)
				require.ErrorContains(t, err, "must be a whole number and a denom", bad)
			}
			_, err = run(t, append(args, offline...)...)
			require.ErrorContains(t, err, "arg(s)")
		})
	}
}

func TestDraftUpdateParamsKeepsWhatIsNotChanged(t *testing.T) {
	out, err := run(t, "draft-update-params", "--max-consumers-per-user", "12", "--deposit", "7stake")
	require.NoError(t, err)
	var proposal struct {
		Messages []json.RawMessage `json:"messages"`
		Deposit  string            `json:"deposit"`
		Title    string            `json:"title"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &proposal), out)
	require.Equal(t, "7stake", proposal.Deposit)
	require.Equal(t, "Change the vault's params", proposal.Title)
	require.Len(t, proposal.Messages, 1)
	require.JSONEq(t, `{"@type":"/mesh.vault.v1.MsgUpdateParams","authority":"`+draft.Authority()+
		`","params":{"max_collateral_use":"0.750000000000000000","max_consumers_per_user":12,"max_validators_per_staking_account":32,`+
		`"max_settlements_per_block":500,"local_staking_enabled":true,"slash_destination":"SLASH_DESTINATION_BURN"}}`, string(proposal.Messages[0]))

	out, err = run(t, "draft-update-params", "--max-collateral-use", "0.5")
	require.NoError(t, err)
	require.Contains(t, out, `"max_collateral_use": "0.500000000000000000"`)
	require.Contains(t, out, `"max_consumers_per_user": 9`)

	out, err = run(t, "draft-update-params", "--local-staking-enabled=false", "--slash-destination", "community-pool",
		"--max-validators-per-staking-account", "7", "--max-settlements-per-block", "50")
	require.NoError(t, err)
	require.Contains(t, out, `"local_staking_enabled": false`)
	require.Contains(t, out, `"slash_destination": "SLASH_DESTINATION_COMMUNITY_POOL"`)
	require.Contains(t, out, `"max_validators_per_staking_account": 7`)
	require.Contains(t, out, `"max_settlements_per_block": 50`)
	require.Contains(t, out, `"max_consumers_per_user": 9`)

	for _, args := range [][]string{
		{"--max-collateral-use", "2"},
		{"--max-collateral-use", "0"},
		{"--max-consumers-per-user", "0"},
		{"--max-validators-per-staking-account", "0"},
		{"--max-settlements-per-block", "0"},
	} {
		_, err := run(t, append([]string{"draft-update-params"}, args...)...)
		require.ErrorIs(t, err, types.ErrInvalidParams)
	}
	_, err = run(t, "draft-update-params", "--max-collateral-use", "much")
	require.ErrorContains(t, err, `--max-collateral-use "much"`)
	_, err = run(t, "draft-update-params", "--slash-destination", "me")
	require.ErrorContains(t, err, `--slash-destination "me", must be burn or community-pool`)
}

func TestEveryCommandHasAnExample(t *testing.T) {
	for _, cmd := range cli.NewTxCmd().Commands() {
		require.NotEmpty(t, cmd.Example, cmd.Name())
	}
	options := vault.AppModule{}.AutoCLIOptions()
	for _, o := range options.Query.RpcCommandOptions {
		require.NotEmpty(t, o.Example, o.RpcMethod)
	}
	require.True(t, options.Tx.EnhanceCustomCommand)
}
