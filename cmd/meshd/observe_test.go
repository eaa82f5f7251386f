package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"cosmossdk.io/log"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/server"
	"github.com/spf13/viper"
	"github.com/stretchr/testify/require"
)

func observe(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := observeCmd()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(args)
	ctx := context.WithValue(context.Background(), client.ClientContextKey, &client.Context{})
	ctx = context.WithValue(ctx, server.ServerContextKey, server.NewContext(viper.New(), nil, log.NewNopLogger()))
	err := cmd.ExecuteContext(ctx)
	return out.String(), err
}

func TestHelpOfObserveHasAnExampleThatRuns(t *testing.T) {
	help, err := observe(t, "--help")
	require.NoError(t, err)
	cmd := observeCmd()
	require.Contains(t, help, cmd.Example)
	flags := 0
	for _, word := range strings.Fields(cmd.Example) {
		if name, found := strings.CutPrefix(word, "--"); found && name != "home" {
			flags++
			require.NotNil(t, cmd.Flags().Lookup(name), word)
		}
	}
	require.NotZero(t, flags)
	for _, required := range []string{"--consumer ", "--consumer-id ", "--from "} {
		require.Contains(t, cmd.Example, required)
	}
}

func TestObserveNamesWhatIsWrong(t *testing.T) {
	given := []string{"--consumer", "tcp://127.0.0.1:1", "--consumer-id", "1", "--from", "me"}
	for name, tc := range map[string]struct {
		args   []string
		reason string
	}{
		"nothing":            {nil, `required flag(s) "consumer", "consumer-id", "from" not set`},
		"no consumer node":   {given, "--consumer: "},
		"a bad consumer id":  {append(given, "--consumer-id", "first"), "--consumer-id"},
		"an argument":        {append(given, "now"), `unknown command "now"`},
		"a bad interval":     {append(given, "--poll-interval", "often"), "--poll-interval"},
		"an unknown option":  {append(given, "--once"), "unknown flag: --once"},
		"a bad start height": {append(given, "--start-height", "genesis"), "--start-height"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := observe(t, tc.args...)
			require.ErrorContains(t, err, tc.reason)
		})
	}
}
