package rules

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/match"
)

const seeds = 20 // samples are random: every rule is tried with this many seeds

// TestSamples asks all rules about each rule's own samples: each must be found by
// the right rule, once, and what must not match must stay silent.
func TestSamples(t *testing.T) {
	all := All()
	e, err := match.New(all)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		t.Run(r.ID, func(t *testing.T) {
			for seed := range uint64(seeds) {
				if s := samples(r, seed); !checkSamples(t, e, r, s) {
					return
				}
			}
		})
	}
}

func samples(r *scan.Rule, seed uint64) scan.Samples {
	g := scan.NewGen(seed)
	if r.Samples != nil {
		return r.Samples(g)
	}
	return scan.Samples{Match: []string{"\n" + g.Expr(r.Expr) + "\n"}}
}

func checkSamples(t *testing.T, e *match.Engine, r *scan.Rule, s scan.Samples) bool {
	t.Helper()
	if len(s.Match) == 0 && r.Path == nil {
		t.Error("no text that must match")
	}
	for _, text := range s.Match {
		v := verdicts(e, text)
		if len(v) != 1 || v[0].Rule.ID != r.ID || v[0].Confidence <= scan.Low {
			t.Errorf("must match once, above low:\n%s\ngot %s", text, describe(v))
		}
	}
	for _, text := range s.Failed {
		v := verdicts(e, text)
		if len(v) != 1 || v[0].Rule.ID != r.ID || v[0].Proof != scan.Failed || v[0].Confidence != scan.Low {
			t.Errorf("proof must fail:\n%s\ngot %s", text, describe(v))
		}
	}
	for _, text := range s.NoMatch {
		for _, v := range verdicts(e, text) {
			if v.Rule.ID == r.ID && v.Confidence > scan.Low {
				t.Errorf("must not match:\n%s\ngot %s", text, describe([]scan.Verdict{v}))
			}
		}
	}
	return !t.Failed()
}

func verdicts(e *match.Engine, text string) []scan.Verdict {
	var s match.Scratch
	return e.Whole(&s, []byte(text)).Verdicts()
}

func describe(vs []scan.Verdict) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d verdicts", len(vs))
	for _, v := range vs {
		fmt.Fprintf(&b, "\n  %s %s %s %v %v", v.Rule.ID, v.Confidence, v.Proof, v.Parts, v.Reasons)
	}
	return b.String()
}

// TestMetadata keeps every rule presentable.
func TestMetadata(t *testing.T) {
	id := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	for _, r := range All() {
		for what, ok := range map[string]bool{
			"id is not kebab-case":                    id.MatchString(r.ID),
			"no provider":                             id.MatchString(r.Provider),
			"no title, or one with a full stop":       r.Title != "" && !strings.HasSuffix(r.Title, "."),
			"why is not a sentence":                   strings.HasSuffix(r.Why, "."),
			"fix is not a sentence":                   strings.HasSuffix(r.Fix, "."),
			"reference is not an https address":       strings.HasPrefix(r.Reference, "https://"),
			"confidence is not low, medium or high":   r.Confidence >= scan.Low && r.Confidence <= scan.High,
			"a run or a needed proof without a check": r.Check != nil || r.Run == nil && !r.NeedsProof,
		} {
			if !ok {
				t.Errorf("%s: %s", r.ID, what)
			}
		}
	}
}

// TestRegistered fails when a family is written and not listed: every function
// of this package that returns rules must be called by All.
func TestRegistered(t *testing.T) {
	written := map[string]bool{}
	listed := map[string]bool{}
	for _, f := range sources(t) {
		for _, decl := range f.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Type.Params.NumFields() == 0 && returnsRules(d.Type) {
					written[d.Name.Name] = true
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if v, ok := spec.(*ast.ValueSpec); ok && v.Names[0].Name == "families" {
						for _, e := range v.Values[0].(*ast.CompositeLit).Elts {
							listed[e.(*ast.Ident).Name] = true
						}
					}
				}
			}
		}
	}
	for name := range written {
		if !listed[name] {
			t.Errorf("family %s is written and not listed in families", name)
		}
	}
}

// sources are the parsed files of this package, without tests.
func sources(t *testing.T) (files []*ast.File) {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

func returnsRules(f *ast.FuncType) bool {
	if f.Results.NumFields() != 1 {
		return false
	}
	a, ok := f.Results.List[0].Type.(*ast.ArrayType)
	if !ok {
		return false
	}
	sel, ok := a.Elt.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "Rule"
}
