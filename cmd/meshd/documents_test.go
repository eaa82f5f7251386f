package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/mesh-security/mesh/app"
)

var (
	codeBlock = regexp.MustCompile("(?ms)^ *```\n(.*?)^ *```$")
	comment   = regexp.MustCompile(`\s+#.*`)
	word      = regexp.MustCompile(`"[^"]*"|\S+`)
)

// Every command of meshd in a code block of a document exists, with its flags and so many arguments.
func TestDocumentedCommandsExist(t *testing.T) {
	root := documentedRoot()
	commands := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "build" || d.Name() == ".git") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".md") {
			return nil
		}
		bz, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, line := range documentedCommands(string(bz)) {
			commands++
			if err := exists(root, line); err != nil {
				t.Errorf("%s: %q: %s", path, line, err)
			}
		}
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, commands, 30)
}

func TestCommandsThatDoNotExistAreFound(t *testing.T) {
	root := documentedRoot()
	for _, line := range []string{
		"meshd tx externalstaking stak 1 v 1uprov",
		"meshd tx externalstaking stake 1 v 1uprov --no-such-flag",
		"meshd tx externalstaking stake 1",
		"meshd query externalstaking consumer",
		"meshd query externalstaking",
	} {
		require.Error(t, exists(root, line), line)
	}
	require.NoError(t, exists(root, "meshd tx externalstaking stake 1 v 1uprov --from alice PROVIDER"))
}

// documentedRoot is the root command with the flag that svrcmd.Execute adds.
func documentedRoot() *cobra.Command {
	root := newRootCmd(defaultPrefix)
	root.PersistentFlags().String(flags.FlagHome, "", "")
	return root
}

// documentedCommands returns the lines of the document's code blocks that begin with meshd, continued lines joined.
func documentedCommands(document string) (lines []string) {
	for _, block := range codeBlock.FindAllStringSubmatch(document, -1) {
		for _, line := range strings.Split(strings.ReplaceAll(block[1], "\\\n", " "), "\n") {
			line = strings.TrimSpace(comment.ReplaceAllString(line, ""))
			if strings.HasPrefix(line, app.Name+" ") {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// exists fails if the command does not parse. The words that documents put for the flags of a chain are left out, and so is where
// the output goes.
func exists(root *cobra.Command, line string) error {
	line, _, _ = strings.Cut(line, " > ")
	var args []string
	for _, w := range word.FindAllString(line, -1)[1:] {
		if w != "PROVIDER" && w != "CONSUMER" {
			args = append(args, strings.Trim(w, `"`))
		}
	}
	cmd, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		return err
	}
	if !cmd.Runnable() || cmd.HasSubCommands() {
		return cobra.NoArgs(cmd, append(cmd.Flags().Args(), "a command is missing"))
	}
	return nil
}
