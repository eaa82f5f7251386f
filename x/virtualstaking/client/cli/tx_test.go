package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"testing"
	"time"

	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/client"
	moduletestutil "github.com/cosmos/cosmos-sdk/types/module/testutil"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/mesh-security/mesh/internal/draft"
	"github.com/mesh-security/mesh/x/virtualstaking"
	"github.com/mesh-security/mesh/x/virtualstaking/client/cli"
	"github.com/mesh-security/mesh/x/virtualstaking/types"
)

type paramsServer struct {
	types.UnimplementedQueryServer
}

func (*paramsServer) Params(context.Context, *types.QueryParamsRequest) (*types.QueryParamsResponse, error) {
	return &types.QueryParamsResponse{Params: types.Params{
		EpochLength: 77, TotalMaxCap: math.NewInt(5), MaxSources: 3, EpochGas: types.MinEpochGas, MaxSilence: time.Hour,
	}}, nil
}

// run executes `tx virtualstaking <args>` against a chain that has paramsServer's params, and returns what it printed.
func run(t *testing.T, args ...string) (string, error) {
	listener := bufconn.Listen(1 << 16)
	server := grpc.NewServer()
	types.RegisterQueryServer(server, &paramsServer{})
	go func() { _ = server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///virtualstaking", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(); server.Stop() })

	enc := moduletestutil.MakeTestEncodingConfig(virtualstaking.AppModule{})
	clientCtx := client.Context{}.WithCodec(enc.Codec).WithInterfaceRegistry(enc.InterfaceRegistry).WithGRPCClient(conn)
	var out bytes.Buffer
	cmd := cli.NewTxCmd()
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SilenceUsage = true
	cmd.SetArgs(args)
	err = cmd.ExecuteContext(context.WithValue(context.Background(), client.ClientContextKey, &clientCtx))
	return out.String(), err
}

// message returns the one message of a printed proposal.
func message(t *testing.T, out string) map[string]any {
	var proposal struct {
		Title, Deposit string
		Messages       []map[string]any
	}
	require.NoError(t, json.Unmarshal([]byte(out), &proposal), out)
	require.NotEmpty(t, proposal.Title)
	require.Equal(t, "7stake", proposal.Deposit)
	require.Len(t, proposal.Messages, 1)
	require.Equal(t, draft.Authority(), proposal.Messages[0]["authority"])
	return proposal.Messages[0]
}

func TestDraftSetMaxCap(t *testing.T) {
	out, err := run(t, "draft-set-max-cap", "4", "1000stake", "0.25", "--deposit", "7stake")
	require.NoError(t, err)
	msg := message(t, out)
	require.Equal(t, "/mesh.virtualstaking.v1.MsgSetMaxCap", msg["@type"])
	require.Equal(t, "4", msg["converter_id"])
	require.Equal(t, map[string]any{"denom": "stake", "amount": "1000"}, msg["max_cap"])
	require.Equal(t, "0.250000000000000000", msg["governance_weight"])

	_, err = run(t, "draft-set-max-cap", "four", "1000stake", "1")
	require.ErrorContains(t, err, `converter "four" is not a number`)
	_, err = run(t, "draft-set-max-cap", "4", "1000", "1")
	require.ErrorContains(t, err, `cap "1000" is not an amount`)
	_, err = run(t, "draft-set-max-cap", "4", "1000stake", "half")
	require.ErrorContains(t, err, `governance weight "half" is not a number`)
	_, err = run(t, "draft-set-max-cap", "4", "1000stake", "1.1")
	require.ErrorIs(t, err, types.ErrInvalidWeight)
	_, err = run(t, "draft-set-max-cap", "4", "1000stake")
	require.ErrorContains(t, err, "accepts 3 arg(s)")
}

func TestDraftUpdateParamsKeepsWhatIsNotNamed(t *testing.T) {
	out, err := run(t, "draft-update-params", "--total-max-cap", "900", "--deposit", "7stake")
	require.NoError(t, err)
	msg := message(t, out)
	require.Equal(t, "/mesh.virtualstaking.v1.MsgUpdateParams", msg["@type"])
	require.Equal(t, map[string]any{
		"epoch_length": "77", "total_max_cap": "900", "max_sources": float64(3), "epoch_gas": "10000000", "max_silence": "3600s",
	}, msg["params"])

	out, err = run(t, "draft-update-params", "--epoch-length", "5", "--max-sources", "9", "--epoch-gas", "20000000", "--max-silence", "48h", "--deposit", "7stake")
	require.NoError(t, err)
	require.Equal(t, map[string]any{
		"epoch_length": "5", "total_max_cap": "5", "max_sources": float64(9), "epoch_gas": "20000000", "max_silence": "172800s",
	}, message(t, out)["params"])

	_, err = run(t, "draft-update-params", "--epoch-length", "0")
	require.ErrorIs(t, err, types.ErrInvalidParams)
	_, err = run(t, "draft-update-params", "--total-max-cap", "much")
	require.ErrorContains(t, err, `"much" is not a number`)
	_, err = run(t, "draft-update-params", "--max-silence", "0s")
	require.ErrorIs(t, err, types.ErrInvalidParams)
}
