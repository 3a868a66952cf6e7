package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/keywright/keywright"

// mayImport lists every package of the module, and which others of the module it
// may import. What is not here is not allowed: an arrow is added on purpose, with
// docs/design.md, and almost none is ever worth adding upwards.
var mayImport = map[string][]string{
	".":   {"cmd"},
	"cmd": {"internal/edit", "audit", "config", "keystore", "keystore/agefile", "keystore/backup", "keystore/keychain", "internal/harden", "internal/launch", "provider", "provider/approle", "provider/aws", "provider/bearer", "provider/binance", "provider/bybit", "provider/cloudflare", "provider/deploykey", "provider/deribit", "provider/gcp", "provider/github", "provider/gitlab", "provider/guided", "provider/kucoin", "provider/local", "provider/mysql", "provider/okta", "provider/okx", "provider/openai", "provider/postgres", "provider/rabbitmq", "provider/redis", "provider/sendgrid", "provider/sshkey", "provider/twilio", "rotate", "rotate/consumer", "scan", "scan/cache", "scan/files", "scan/gitrepo", "scan/held", "scan/match", "scan/pipeline", "scan/report", "scan/rules", "secret", "internal/durable"},

	"scan":             {"secret"},
	"scan/held":        {"scan", "scan/proof", "secret"},
	"scan/match":       {"scan", "scan/held"},
	"scan/proof":       {"scan"},
	"scan/rules":       {"scan", "scan/proof"},
	"scan/files":       {"scan"},
	"scan/packfile":    {"scan"},
	"scan/gitrepo":     {"scan", "scan/packfile"},
	"scan/fingerprint": {"scan", "secret"},
	"scan/cache":       {"scan", "secret", "internal/durable"},
	"scan/report":      {"scan", "secret"},
	"scan/pipeline":    {"config", "scan", "scan/cache", "scan/files", "scan/fingerprint", "scan/gitrepo", "scan/held", "scan/match", "scan/packfile", "secret", "internal/durable"},

	"keystore":              {"secret", "internal/durable"},
	"keystore/keystoretest": {"keystore", "secret"},
	"keystore/keychain":     {"keystore", "secret", "internal/durable"},
	"keystore/agefile":      {"keystore", "secret", "internal/durable"},
	"keystore/backup":       {"keystore", "secret"},
	"audit":                 {"secret", "internal/durable"},

	"provider":              {"secret"},
	"provider/local":        {"provider", "secret"},
	"provider/mysql":        {"provider", "provider/server", "secret"},
	"provider/postgres":     {"provider", "provider/server", "secret"},
	"provider/rabbitmq":     {"provider", "provider/server", "provider/web", "secret"},
	"provider/redis":        {"provider", "provider/server", "secret"},
	"provider/sshkey":       {"provider", "secret"},
	"provider/binance":      {"provider", "provider/exchange", "provider/web", "secret"},
	"provider/bybit":        {"provider", "provider/exchange", "provider/web", "secret"},
	"provider/github":       {"provider", "provider/web", "secret"},
	"provider/deribit":      {"provider", "provider/exchange", "provider/web", "secret"},
	"provider/kucoin":       {"provider", "provider/exchange", "provider/web", "secret"},
	"provider/okx":          {"provider", "provider/exchange", "provider/web", "secret"},
	"provider/aws":          {"provider", "provider/web", "secret"},
	"provider/gcp":          {"provider", "provider/web", "secret"},
	"provider/gitlab":       {"provider", "provider/web", "secret"},
	"provider/deploykey":    {"provider", "provider/web", "secret"},
	"provider/cloudflare":   {"provider", "provider/web", "secret"},
	"provider/sendgrid":     {"provider", "provider/web", "secret"},
	"provider/twilio":       {"provider", "provider/web", "secret"},
	"provider/openai":       {"provider", "provider/web", "secret"},
	"provider/approle":      {"provider", "provider/web", "secret"},
	"provider/bearer":       {"provider", "provider/web", "secret"},
	"provider/guided":       {"provider", "provider/web", "secret"},
	"provider/okta":         {"provider", "provider/web", "secret"},
	"provider/exchange":     {"provider", "provider/web", "secret"},
	"provider/server":       {"provider", "secret"},
	"provider/web":          {"provider", "secret"},
	"provider/providertest": {"provider", "secret"},
	"rotate":                {"provider", "secret"},
	"rotate/consumer":       {"provider", "provider/web", "rotate", "rotate/consumer/aws", "rotate/consumer/gh", "rotate/consumer/gitlab", "rotate/consumer/k8s", "rotate/consumer/vault", "secret", "internal/durable", "internal/edit"},

	// Services, which are talked to as providers are.
	"rotate/consumer/aws":    {"provider", "provider/web", "secret"},
	"rotate/consumer/gh":     {"provider", "provider/web", "rotate", "secret"},
	"rotate/consumer/gitlab": {"provider", "provider/web", "rotate", "secret"},
	"rotate/consumer/k8s":    {"provider", "provider/web", "secret"},
	"rotate/consumer/vault":  {"provider", "provider/web", "secret"},

	"rotate/consumer/consumertest": {"provider", "rotate", "secret"},
	// Servers that tests start, and fakes of some.
	"provider/approle/approletest":       {"provider", "provider/providertest", "secret"},
	"provider/providertest/daemon":       {},
	"provider/providertest/mysqlserver":  {"provider", "provider/providertest/daemon", "secret"},
	"provider/providertest/pgserver":     {"provider/providertest/daemon"},
	"provider/providertest/rabbitserver": {"provider", "provider/providertest/daemon", "secret"},
	"provider/providertest/redisserver":  {"provider", "provider/providertest/daemon", "secret"},
	"provider/providertest/sshserver":    {"provider", "provider/providertest/daemon", "secret"},

	"config":                       {"scan", "secret", "internal/durable"},
	"secret":                       {},
	"internal/durable":             {"secret"},
	"internal/durable/durabletest": {"internal/durable"},
	"internal/launch":              {"secret"},
	"internal/edit":                {"secret", "internal/durable"},
	"internal/harden":              {},

	// Programs for building and measuring, which nothing imports.
	"internal/tools/manual":  {"cmd"},
	"internal/tools/profile": {"cmd"},
}

// source is a Go file of the module.
type source struct {
	pkg  string // directory, slash-separated, "." for the top
	name string
	file *ast.File
}

func (s source) test() bool { return strings.HasSuffix(s.name, "_test.go") }

func exists(path string) bool {
	_, err := os.Stat(filepath.FromSlash(path))
	return err == nil
}

// sources parses every Go file, for whatever platform.
func sources(t *testing.T, mode parser.Mode) []source {
	t.Helper()
	var all []source
	set := token.NewFileSet()
	err := fs.WalkDir(os.DirFS("."), ".", func(p string, d fs.DirEntry, err error) error {
		switch name := path.Base(p); {
		case err != nil:
			return err
		case d.IsDir() && p != "." && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "dist"):
			return fs.SkipDir
		case d.IsDir() && p != "." && exists(path.Join(p, "go.mod")):
			return fs.SkipDir // another module
		case d.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		f, err := parser.ParseFile(set, filepath.FromSlash(p), nil, mode)
		if err != nil {
			return err
		}
		all = append(all, source{path.Dir(p), path.Base(p), f})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestImportGraph(t *testing.T) {
	for _, s := range sources(t, parser.ImportsOnly) {
		allowed, listed := mayImport[s.pkg]
		if !listed {
			t.Errorf("%s/%s: package %s is not in the table of packages", s.pkg, s.name, s.pkg)
			continue
		}
		if s.test() {
			continue // tests may reach for what they need
		}
		for _, spec := range s.file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			ours, ok := strings.CutPrefix(imported, module+"/")
			if ok && !slices.Contains(allowed, ours) {
				t.Errorf("%s/%s: %s may not import %s", s.pkg, s.name, s.pkg, ours)
			}
		}
	}
}

// Nothing happens before main, and nothing but main ends the process.
func TestNoHiddenControlFlow(t *testing.T) {
	for _, s := range sources(t, parser.SkipObjectResolution) {
		if s.test() {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Name.Name == "init" && n.Recv == nil {
					t.Errorf("%s/%s: has an init function", s.pkg, s.name)
				}
			case *ast.SelectorExpr:
				x, _ := n.X.(*ast.Ident)
				exits := x != nil && (x.Name == "os" && n.Sel.Name == "Exit" || x.Name == "log" && strings.HasPrefix(n.Sel.Name, "Fatal"))
				if exits && s.file.Name.Name != "main" {
					t.Errorf("%s/%s: %s.%s outside main", s.pkg, s.name, x.Name, n.Sel.Name)
				}
			}
			return true
		})
	}
}

// A fuzz target without seeds passes without running: each must add some in code,
// or have committed ones. That added seeds really arrive is checked by .ci/run.
func TestFuzzTargetsHaveSeeds(t *testing.T) {
	for _, s := range sources(t, parser.SkipObjectResolution) {
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !s.test() || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Fuzz") {
				continue
			}
			committed, _ := os.ReadDir(filepath.Join(filepath.FromSlash(s.pkg), "testdata", "fuzz", f.Name.Name))
			if !callsAdd(f) && len(committed) == 0 {
				t.Errorf("%s/%s: %s has no seeds", s.pkg, s.name, f.Name.Name)
			}
		}
	}
}

// callsAdd reports whether a fuzz target calls its parameter's Add, or hands the
// parameter to a function that may.
func callsAdd(f *ast.FuncDecl) bool {
	if len(f.Type.Params.List) != 1 || len(f.Type.Params.List[0].Names) != 1 {
		return false
	}
	param, found := f.Type.Params.List[0].Names[0].Name, false
	ast.Inspect(f.Body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if sel, ok := call.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Add" {
			x, _ := sel.X.(*ast.Ident)
			found = found || x != nil && x.Name == param
		}
		for _, arg := range call.Args {
			x, _ := arg.(*ast.Ident)
			found = found || x != nil && x.Name == param
		}
		return true
	})
	return found
}
