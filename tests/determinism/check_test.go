// Package determinism_test finds Go code that can make two nodes disagree: whatever runs inside a
// block must give the same result everywhere.
package determinism_test

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strconv"
	"strings"
)

// offence is one place that must not be in state code.
type offence struct {
	pos  token.Position
	what string
}

func (o offence) String() string { return fmt.Sprintf("%s: %s", o.pos, o.what) }

var (
	forbiddenImports = []string{"math/rand", "math/rand/v2", "crypto/rand", "unsafe"}
	clockFuncs       = []string{"Now", "Since", "Until", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer", "Sleep"}
	mapIterators     = []string{"All", "Keys", "Values"}

	// What goes into metrics never comes back into state, and metrics take floats and clocks.
	metricsPackages = []string{"github.com/cosmos/cosmos-sdk/telemetry", "github.com/hashicorp/go-metrics"}
)

// check returns the offences of one type-checked package, in the order of the source.
func check(fset *token.FileSet, files []*ast.File, info *types.Info) []offence {
	var found []offence
	for _, file := range files {
		if ast.IsGenerated(file) {
			continue
		}
		c := checker{fset: fset, info: info}
		for _, spec := range file.Imports {
			if path, err := strconv.Unquote(spec.Path.Value); err == nil && slices.Contains(forbiddenImports, path) {
				c.report(spec, "import of "+path)
			}
		}
		ast.Inspect(file, c.visit)
		found = append(found, c.found...)
	}
	slices.SortStableFunc(found, func(a, b offence) int {
		return cmp.Or(strings.Compare(a.pos.Filename, b.pos.Filename), cmp.Compare(a.pos.Line, b.pos.Line))
	})
	return found
}

type checker struct {
	fset  *token.FileSet
	info  *types.Info
	found []offence
}

func (c *checker) report(at ast.Node, what string) {
	o := offence{c.fset.Position(at.Pos()), what}
	// One line may hold several expressions of the same offence.
	if !slices.ContainsFunc(c.found, func(f offence) bool { return f.pos.Line == o.pos.Line && f.what == what }) {
		c.found = append(c.found, o)
	}
}

// visit reports what the node itself does and says whether to look inside it.
func (c *checker) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GoStmt:
		c.report(n, "go statement")
	case *ast.SelectStmt:
		c.report(n, "select statement")
	case *ast.RangeStmt:
		if c.isMap(n.X) {
			c.report(n, "range over a map")
		}
	case *ast.CallExpr:
		if pkg, _ := c.callee(n); slices.Contains(metricsPackages, pkg) || c.isSortedKeys(n) {
			return false
		}
	case *ast.Ident:
		if fn, ok := c.info.Uses[n].(*types.Func); ok && fn.Pkg() != nil {
			switch path, name := fn.Pkg().Path(), fn.Name(); {
			case path == "time" && fn.Signature().Recv() == nil && slices.Contains(clockFuncs, name):
				c.report(n, "time."+name)
			case path == "maps" && slices.Contains(mapIterators, name):
				c.report(n, "range over a map")
			}
		}
	}
	if expr, ok := n.(ast.Expr); ok && c.isFloat(expr) {
		c.report(n, "floating point")
	}
	return true
}

// callee returns the package path and the name of the function a call names, if it names one.
func (c *checker) callee(call *ast.CallExpr) (pkg, name string) {
	id, ok := ast.Unparen(call.Fun).(*ast.Ident)
	if sel, isSel := ast.Unparen(call.Fun).(*ast.SelectorExpr); isSel {
		id, ok = sel.Sel, true
	}
	if !ok {
		return "", ""
	}
	if fn, isFunc := c.info.Uses[id].(*types.Func); isFunc && fn.Pkg() != nil {
		return fn.Pkg().Path(), fn.Name()
	}
	return "", ""
}

// isSortedKeys recognises slices.Sorted(maps.Keys(m)), the way to go through a map in order.
func (c *checker) isSortedKeys(call *ast.CallExpr) bool {
	if pkg, name := c.callee(call); pkg != "slices" || name != "Sorted" || len(call.Args) != 1 {
		return false
	}
	inner, ok := call.Args[0].(*ast.CallExpr)
	if !ok {
		return false
	}
	pkg, name := c.callee(inner)
	return pkg == "maps" && name == "Keys"
}

func (c *checker) isMap(expr ast.Expr) bool {
	t := c.info.TypeOf(expr)
	if t == nil {
		return false
	}
	_, is := t.Underlying().(*types.Map)
	return is
}

// isFloat says whether the expression is, or names, a floating point or complex type.
func (c *checker) isFloat(expr ast.Expr) bool {
	t := c.info.TypeOf(expr)
	if t == nil {
		return false
	}
	basic, is := t.Underlying().(*types.Basic)
	return is && basic.Info()&(types.IsFloat|types.IsComplex) != 0
}
