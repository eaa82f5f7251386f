package tests

import (
	"flag"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// setRapid sets one of rapid's flags unless the command line did.
func setRapid(t *testing.T, name, value string) {
	t.Helper()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	if given {
		return
	}
	before := flag.Lookup(name).Value.String()
	require.NoError(t, flag.Lookup(name).Value.Set(value))
	t.Cleanup(func() { require.NoError(t, flag.Lookup(name).Value.Set(before)) })
}

// uniform draws from 0 to n-1 alike; rapid's own ranges prefer small values.
func uniform(n int) *rapid.Generator[int] {
	return rapid.Custom(func(r *rapid.T) int {
		v := 0
		// Three bits more than needed, so that the remainder below hardly prefers anything.
		for top := 1; top < 8*n; top <<= 1 {
			v <<= 1
			if rapid.Bool().Draw(r, "bit") {
				v |= 1
			}
		}
		return v % n
	})
}
