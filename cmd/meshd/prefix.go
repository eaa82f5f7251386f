package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/cosmos/cosmos-sdk/client/flags"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/spf13/viper"

	"github.com/mesh-security/mesh/app"
)

const (
	defaultPrefix = "mesh"
	prefixEnv     = "MESHD_BECH32_PREFIX"
	flagPrefix    = "bech32-prefix"
	// prefixKey is where app.toml keeps the prefix chosen at init.
	prefixKey = "mesh.bech32-prefix"
)

// validPrefix is what the SDK's config takes and people can read: letters and digits, beginning with a letter.
var validPrefix = regexp.MustCompile(`^[a-z][a-z0-9]{0,19}$`)

// resolvePrefix finds the chain's bech32 prefix from the raw arguments, before any command exists: at init the flag;
// else what the home folder was initialised with; else the environment, for clients that have no node; else "mesh". A
// home folder and an environment that disagree are an error, because the prefix is part of a chain's state.
func resolvePrefix(args []string, getenv func(string) string) (string, error) {
	env := getenv(prefixEnv)
	if env != "" && !validPrefix.MatchString(env) {
		return "", fmt.Errorf("%s=%q is not a bech32 prefix: lower case letters and digits, a letter first", prefixEnv, env)
	}
	if isCommand(args, "init") {
		if chosen, found := rawFlag(args, flagPrefix); found {
			if !validPrefix.MatchString(chosen) {
				return "", fmt.Errorf("--%s %q is not a bech32 prefix: lower case letters and digits, a letter first", flagPrefix, chosen)
			}
			return chosen, nil
		}
	}
	home, found := rawFlag(args, flags.FlagHome)
	if !found {
		home = app.DefaultNodeHome()
	}
	kept, err := keptPrefix(home)
	switch {
	case err != nil:
		return "", err
	case kept != "" && env != "" && kept != env:
		return "", fmt.Errorf("%s was initialised with prefix %q but %s=%s: unset it or name another --home", home, kept, prefixEnv, env)
	case kept != "":
		return kept, nil
	case env != "":
		return env, nil
	}
	return defaultPrefix, nil
}

// keptPrefix reads the prefix from a home folder's app.toml; empty if it was never initialised.
func keptPrefix(home string) (string, error) {
	config := viper.New()
	config.SetConfigFile(filepath.Join(home, "config", "app.toml"))
	if err := config.ReadInConfig(); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return "", nil
		}
		return "", err
	}
	kept := config.GetString(prefixKey)
	if kept != "" && !validPrefix.MatchString(kept) {
		return "", fmt.Errorf("%s in %s is not a bech32 prefix: %q", prefixKey, config.ConfigFileUsed(), kept)
	}
	return kept, nil
}

// setPrefix derives all address prefixes from one and seals the SDK's config.
func setPrefix(prefix string) {
	config := sdk.GetConfig()
	config.SetBech32PrefixForAccount(prefix, prefix+sdk.PrefixPublic)
	config.SetBech32PrefixForValidator(
		prefix+sdk.PrefixValidator+sdk.PrefixOperator, prefix+sdk.PrefixValidator+sdk.PrefixOperator+sdk.PrefixPublic,
	)
	config.SetBech32PrefixForConsensusNode(
		prefix+sdk.PrefixValidator+sdk.PrefixConsensus, prefix+sdk.PrefixValidator+sdk.PrefixConsensus+sdk.PrefixPublic,
	)
	config.Seal()
}

// rawFlag finds a string flag, "--name value" or "--name=value"; the last one counts, as in pflag.
func rawFlag(args []string, name string) (value string, found bool) {
	for i, arg := range args {
		if arg == "--" {
			break
		}
		if arg == "--"+name && i+1 < len(args) {
			value, found = args[i+1], true
		} else if v, ok := strings.CutPrefix(arg, "--"+name+"="); ok {
			value, found = v, true
		}
	}
	return value, found
}

// isCommand says whether the command line names the given top level command.
func isCommand(args []string, name string) bool {
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == name:
			return true
		case args[i] == "--"+flags.FlagHome || args[i] == "--log_level" || args[i] == "--log_format":
			i++ // skip the value
		case !strings.HasPrefix(args[i], "-"):
			return false
		}
	}
	return false
}
