package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSettingsReplaceOnlyTheNamedKeys(t *testing.T) {
	const file = `# about
moniker = "a"

[rpc]
# where to listen
laddr = "tcp://127.0.0.1:26657"

[p2p]
laddr = "tcp://0.0.0.0:26656"
`
	got, err := settings{{"p2p", "laddr", `"tcp://127.0.0.1:1"`}, {"", "moniker", `"b"`}}.apply(file)
	require.NoError(t, err)
	require.Equal(t, `# about
moniker = "b"

[rpc]
# where to listen
laddr = "tcp://127.0.0.1:26657"

[p2p]
laddr = "tcp://127.0.0.1:1"
`, got)

	_, err = settings{{"rpc", "moniker", `"b"`}}.apply(file)
	require.EqualError(t, err, `no key "moniker" in section "rpc"`)
}

func TestGenesisKeepsNumbersAndRefusesUnknownParams(t *testing.T) {
	file := filepath.Join(t.TempDir(), "genesis.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"height":12345678901234567890,"app_state":{"gov":{"params":{"voting_period":"1s"}}}}`), 0o600))

	require.NoError(t, editGenesis(file, func(g *genesis) { g.set("gov.params.voting_period", seconds(6*time.Second)) }))
	bz, err := os.ReadFile(file)
	require.NoError(t, err)
	require.JSONEq(t, `{"height":12345678901234567890,"app_state":{"gov":{"params":{"voting_period":"6s"}}}}`, string(bz))
	require.Contains(t, string(bz), "12345678901234567890")

	for _, path := range []string{"gov.params.missing", "missing.params.voting_period", "gov.params.voting_period.deeper"} {
		require.ErrorContains(t, editGenesis(file, func(g *genesis) { g.set(path, 1) }), "genesis has no "+path)
	}
}

func TestFlowIsToldInOrderAndWhole(t *testing.T) {
	f, err := readFlow("../tests/testdata/cross-stake-flow.json")
	require.NoError(t, err)

	_, err = f.take("unstake ")
	require.EqualError(t, err, `the vector's step 1 is not "unstake "`)
	for _, do := range []string{
		"deposit ", "stake-local ", "stake 80000000 on an unknown validator", "stake 80000000 on validator 1", "consumer epoch",
		"unstake ", "consumer epoch", "unbonding period passes", "withdraw ",
	} {
		_, err := f.take(do)
		require.NoError(t, err)
	}
	amount, err := f.last().amount()
	require.NoError(t, err)
	require.EqualValues(t, 30_000_000, amount)
	require.ErrorContains(t, f.done(), "has not been told")
	_, err = f.take("consumer epoch, relay, withdraw-rewards")
	require.NoError(t, err)
	require.NoError(t, f.done())
}

func TestComplaintIsTheErrorWithoutUsage(t *testing.T) {
	for name, stderr := range map[string]string{
		"before usage": "gas estimate: 5\nError: no such thing\nUsage:\n  meshd tx\n",
		"after usage":  "Usage:\n  meshd tx\n\nError: no such thing\n",
		"alone":        "no such thing\n",
	} {
		want := "Error: no such thing"
		if name == "alone" {
			want = "no such thing"
		}
		require.Equal(t, want, complaint(stderr), name)
	}
}

func TestRunReportsWhatTheProgramSaid(t *testing.T) {
	_, err := run(context.Background(), "sh", "-c", "echo 'Error: refused' >&2; exit 3")
	reason, refused := refusal(err)
	require.True(t, refused)
	require.Equal(t, "Error: refused", reason)

	t.Setenv("MESHD_HOME", "/nowhere")
	out, err := run(context.Background(), "sh", "-c", `echo "home=$MESHD_HOME"`)
	require.NoError(t, err)
	require.Equal(t, "home=\n", string(out))

	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err = run(ctx, "sleep", "60")
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestStopEndsTheWholeGroup(t *testing.T) {
	dir := t.TempDir()
	// The child outlives the shell unless the group is ended.
	p, err := startProcess("shell", filepath.Join(dir, "log"), "sh", "-c", "sleep 60 & echo $! > "+dir+"/child; wait")
	require.NoError(t, err)
	require.NoError(t, p.exited())
	require.Eventually(t, func() bool {
		bz, err := os.ReadFile(filepath.Join(dir, "child"))
		return err == nil && len(bz) > 0
	}, 5*time.Second, 10*time.Millisecond)
	p.stop()
	require.ErrorContains(t, p.exited(), "shell ended by itself")
	require.True(t, runs(os.Getpid(), filepath.Dir(os.Args[0])))
	require.False(t, runs(os.Getpid(), dir))
}

func TestWaitEndsWithTheReason(t *testing.T) {
	fine := func() error { return nil }
	notYet := errors.New("height 1, waiting for 2")
	err := within(context.Background(), time.Millisecond, fine, func() error { return notYet })
	require.ErrorIs(t, err, notYet)

	dead := errors.New("node ended by itself")
	require.ErrorIs(t, within(context.Background(), time.Minute, func() error { return dead }, fine), dead)

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err = within(ctx, time.Minute, fine, func() error { return notYet })
	require.True(t, interrupted(err))
}

func TestPlainOutputIsOneLinePerStep(t *testing.T) {
	var out bytes.Buffer
	ui := &console{out: &out, start: time.Now()}
	ui.chapter("1  Title", "About it.")
	require.NoError(t, ui.step("works", func() (string, error) { return "well", nil }))
	broken := errors.New("broken")
	require.ErrorIs(t, ui.step("fails", func() (string, error) { return "", broken }), broken)
	require.Regexp(t, `^\n1  Title\nAbout it\.\n  ✓ works +well \(0\.0s\)\n  ✗ fails +failed \(0\.0s\)\n$`, out.String())
}

func TestRefusalIsOneSentence(t *testing.T) {
	require.Equal(t, "“validator x is not known”", firstSentence(
		"Error: rpc error: code = Unknown desc = failed to execute message; message index: 0: validator x is not known [sdk/baseapp.go:1] with gas used: '5'"))
}
