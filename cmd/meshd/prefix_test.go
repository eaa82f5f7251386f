package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestResolvePrefix(t *testing.T) {
	initialised := homeWith(t, "[mesh]\nbech32-prefix = \"prov\"\n")
	open := homeWith(t, "[mesh]\nbech32-prefix = \"\"\n")
	broken := homeWith(t, "[mesh]\nbech32-prefix = \"A B\"\n")
	for _, tc := range []struct {
		name string
		args []string
		env  string
		want string
		err  string
	}{
		{name: "nothing", args: []string{"status", "--home", t.TempDir()}, want: "mesh"},
		{name: "environment", args: []string{"status", "--home", t.TempDir()}, env: "cons", want: "cons"},
		{name: "home made by another command", args: []string{"status", "--home", open}, env: "cons", want: "cons"},
		{name: "initialised home", args: []string{"start", "--home=" + initialised}, want: "prov"},
		{name: "both agree", args: []string{"start", "--home=" + initialised}, env: "prov", want: "prov"},
		{name: "both disagree", args: []string{"start", "--home=" + initialised}, env: "cons", err: `initialised with prefix "prov" but MESHD_BECH32_PREFIX=cons`},
		{name: "init", args: []string{"--home", t.TempDir(), "init", "me", "--bech32-prefix", "osmo"}, want: "osmo"},
		{name: "init again", args: []string{"init", "me", "--bech32-prefix=osmo", "--home", initialised}, env: "cons", want: "osmo"},
		{name: "flag of another command", args: []string{"status", "--bech32-prefix", "osmo", "--home", initialised}, want: "prov"},
		{name: "bad flag", args: []string{"init", "me", "--bech32-prefix", "Mesh"}, err: `--bech32-prefix "Mesh" is not a bech32 prefix`},
		{name: "bad environment", args: []string{"status"}, env: "1mesh", err: `MESHD_BECH32_PREFIX="1mesh" is not a bech32 prefix`},
		{name: "bad file", args: []string{"status", "--home", broken}, err: "is not a bech32 prefix"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := resolvePrefix(tc.args, func(key string) string {
				require.Equal(t, prefixEnv, key)
				return tc.env
			})
			if tc.err != "" {
				require.ErrorContains(t, err, tc.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
}

func homeWith(t *testing.T, appToml string) string {
	t.Helper()
	home := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(home, "config"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(home, "config", "app.toml"), []byte(appToml), 0o600))
	return home
}
