package determinism_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// listed is what `go list` says about a package.
type listed struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
	DepOnly                 bool
}

// loader type-checks packages from source against the compiler's export data of everything
// they import, which the build cache has anyway.
type loader struct {
	fset     *token.FileSet
	importer types.Importer
	packages []listed
}

// load lists the packages that match the patterns, from the module's root.
func load(root string, patterns ...string) (*loader, error) {
	cmd := exec.Command("go", append([]string{"list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles,DepOnly"}, patterns...)...)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, stderr.String())
	}
	l := &loader{fset: token.NewFileSet()}
	exports := map[string]string{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		exports[p.ImportPath] = p.Export
		if !p.DepOnly {
			l.packages = append(l.packages, p)
		}
	}
	l.importer = importer.ForCompiler(l.fset, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(exports[path])
	})
	return l, nil
}

// offences type-checks the files of one package and checks them.
func (l *loader) offences(path, dir string, names []string) ([]offence, error) {
	files := make([]*ast.File, len(names))
	for i, name := range names {
		var err error
		if files[i], err = parser.ParseFile(l.fset, filepath.Join(dir, name), nil, parser.ParseComments); err != nil {
			return nil, err
		}
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: l.importer}
	if _, err := config.Check(path, l.fset, files, info); err != nil {
		return nil, err
	}
	return check(l.fset, files, info), nil
}
