// Package documents_test holds the documents to what they say about the code.
package documents_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.."

var (
	testName = regexp.MustCompile("`(Test[A-Za-z0-9_]+|Fuzz[A-Za-z0-9_]+|Benchmark[A-Za-z0-9_]+)`")
	testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)[A-Za-z0-9_]+)\(`)
	link     = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
)

// walk calls visit for every file of the repository with one of the endings.
func walk(t *testing.T, visit func(path string, content string), endings ...string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "build" || d.Name() == ".git") {
			return filepath.SkipDir
		}
		for _, ending := range endings {
			if !d.IsDir() && strings.HasSuffix(path, ending) {
				bz, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				visit(path, string(bz))
			}
		}
		return nil
	})
	require.NoError(t, err)
}

// Every test that a document names exists.
func TestNamedTestsExist(t *testing.T) {
	exists := map[string]bool{}
	walk(t, func(_, content string) {
		for _, m := range testFunc.FindAllStringSubmatch(content, -1) {
			exists[m[1]] = true
		}
	}, "_test.go")
	require.NotEmpty(t, exists)
	named := 0
	walk(t, func(path, content string) {
		for _, m := range testName.FindAllStringSubmatch(content, -1) {
			named++
			if !exists[m[1]] {
				t.Errorf("%s names %s, which does not exist", path, m[1])
			}
		}
	}, ".md")
	require.NotZero(t, named)
}

// Every link from one document to a file of the repository leads somewhere.
func TestLinksLeadSomewhere(t *testing.T) {
	links := 0
	walk(t, func(path, content string) {
		for _, m := range link.FindAllStringSubmatch(content, -1) {
			links++
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s links to %s: %s", path, m[1], err)
			}
		}
	}, ".md")
	require.NotZero(t, links)
}
