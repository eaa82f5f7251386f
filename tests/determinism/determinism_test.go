package determinism_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// stateCode is what runs inside blocks.
var stateCode = []string{"./x/...", "./internal/..."}

// outsideBlocks packages run in the command line, or draw the messages of a simulation, and never inside a block.
func outsideBlocks(importPath string) bool {
	return strings.Contains(importPath, "/client/") || strings.HasSuffix(importPath, "/simulation") ||
		strings.HasSuffix(importPath, "/internal/draft") || strings.HasSuffix(importPath, "/internal/observer")
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(root, "go.mod"))
	return root
}

// TestEP06StateCodeIsDeterministic: no map iteration, floats, clocks, randomness or goroutines in state code.
func TestEP06StateCodeIsDeterministic(t *testing.T) {
	root := moduleRoot(t)
	l, err := load(root, stateCode...)
	require.NoError(t, err)
	require.NotEmpty(t, l.packages)
	for _, p := range l.packages {
		if outsideBlocks(p.ImportPath) {
			continue
		}
		found, err := l.offences(p.ImportPath, p.Dir, p.GoFiles)
		require.NoError(t, err, p.ImportPath)
		for _, o := range found {
			o.pos.Filename, err = filepath.Rel(root, o.pos.Filename)
			require.NoError(t, err)
			t.Error(o)
		}
	}
}

// TestEP06PlantedOffencesAreFound: the check above is worth something only if it finds what it
// looks for. Every line of the planted file that says so, and no other, must be reported.
func TestEP06PlantedOffencesAreFound(t *testing.T) {
	const planted = "planted.go.txt"
	l, err := load(moduleRoot(t), "maps", "math/rand", "slices", "time", "github.com/cosmos/cosmos-sdk/telemetry")
	require.NoError(t, err)
	found, err := l.offences("planted", "testdata", []string{planted})
	require.NoError(t, err)
	var got []string
	for _, o := range found {
		got = append(got, fmt.Sprintf("%d: %s", o.pos.Line, o.what))
	}

	file, err := os.Open(filepath.Join("testdata", planted))
	require.NoError(t, err)
	defer file.Close()
	var want []string
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		if _, what, marked := strings.Cut(lines.Text(), "// offence: "); marked {
			want = append(want, fmt.Sprintf("%d: %s", n, what))
		}
	}
	require.NoError(t, lines.Err())
	require.NotEmpty(t, want)
	require.Equal(t, want, got)
}
