package pipeline

import (
	"bytes"
	"context"
	"os"
	"path"
	"path/filepath"
	"testing"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/files"
	"github.com/keywright/keywright/scan/gitrepo"
	"github.com/keywright/keywright/scan/match"
	"github.com/keywright/keywright/scan/rules"
)

func TestNames(t *testing.T) {
	globs := func(id string, globs ...string) *scan.Rule { return &scan.Rule{ID: id, Path: &scan.Path{Globs: globs}} }
	n := newNames(map[string]*scan.Rule{
		"content": {ID: "content", Expr: "abc"},
		"exact":   globs("exact", "hsm_secret", "wallet.dat"),
		"between": globs("between", "wallet-*.dat", "*.kdbx"),
		"class":   globs("class", "id_[0-9]", `odd\*`),
	})
	for name, want := range map[string]string{
		"hsm_secret": "exact", "wallet.dat": "exact", "wallet-.dat": "between", "wallet-a b.dat": "between", ".kdbx": "between",
		"id_7": "class", "odd*": "class", "wallet-\xff.dat": "between",
		"": "", "x": "", "hsm_secre": "", "hsm_secret2": "", "xhsm_secret": "", "wallet.data": "", "mywallet.dat": "", "Wallet.dat": "",
		"kdbx": "", ".kdbx.txt": "", "id_x": "", "id_77": "", "oddx": "", "dat": "", "t": "",
	} {
		got := ""
		for _, r := range n.rules(name) {
			got += r.ID
		}
		if got != want || n.match([]byte(name)) != (want != "") {
			t.Errorf("%q is a name of %q, match %v, want %q", name, got, n.match([]byte(name)), want)
		}
	}
	if none := newNames(nil); none.match([]byte("wallet.dat")) {
		t.Error("a name matches though no rule asks for any")
	}
}

// The globs of the rules are well-formed.
func TestNamesOfRules(t *testing.T) {
	asked := 0
	for _, r := range rules.All() {
		if r.Path == nil {
			continue
		}
		asked++
		for _, g := range r.Path.Globs {
			if _, err := path.Match(g, ""); err != nil || g == "" {
				t.Errorf("%s: %q: %v", r.ID, g, err)
			}
		}
	}
	if asked < 3 {
		t.Errorf("%d rules ask for names", asked)
	}
}

// A file that is read in chunks is the same finding as its blob.
func TestNamesInChunks(t *testing.T) {
	dir := t.TempDir()
	g := scan.NewGen(5)
	data := []byte(namedContent(&scan.Rule{ID: "bitcoin-core-wallet"}, g))
	data = append(data, bytes.Repeat(g.Bytes(1<<10), 3<<10)...)
	for _, name := range []string{"wallet.dat", "wallet-2.dat", "other.dat"} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	e, err := match.NewWith(rules.All(), rules.Table())
	if err != nil {
		t.Fatal(err)
	}
	r := &run{collect: newCollector(e, [32]byte{}), names: newNames(e.Rules())}
	want := r.named("wallet.dat", gitrepo.BlobID(data), data)
	if len(want) != 1 || want[0].rec.confidence != scan.Medium {
		t.Fatalf("the file as a whole: %v", want)
	}
	named, chunks, seen := &namedFiles{r, make([]namedFile, 1)}, 0, 0
	_, err = files.Walk(context.Background(), dir, files.Options{Workers: 1, Whole: 1 << 10, Chunk: 1 << 10}, func(d files.Document) error {
		chunks++
		for _, s := range named.see(&d) {
			seen++
			if s != want[0] || !d.Last {
				t.Errorf("%s: %v at %d, want %v at the end", d.Path, s, d.Offset, want[0])
			}
		}
		return nil
	})
	if err != nil || seen != 2 || chunks < 12 {
		t.Errorf("%d findings in %d chunks (%v), want 2 in many", seen, chunks, err)
	}
}

// A rule that asks for a name finds it in history also when no content is asked for,
// and whatever else the blob is called.
func TestNamesAlone(t *testing.T) {
	g := newTestRepo(t)
	seed := scan.NewGen(9).Bytes(32)
	g.write(file{"notes/seed.txt", seed})
	g.git("add", ".")
	g.git("commit", "-q", "-m", "under another name")
	o := Options{Path: g.dir, Mode: HistoryOnly, Level: scan.Medium, CacheDir: t.TempDir()}
	for _, r := range rules.All() {
		if r.ID == "lightning-hsm-secret" {
			o.Builtin = append(o.Builtin, r)
		}
	}
	if r := mustRun(t, o); len(r.Findings) != 0 {
		t.Errorf("a finding before there is one: %v", r.Findings)
	}
	g.write(file{"node/hsm_secret", seed})
	g.git("add", ".")
	g.git("commit", "-q", "-m", "the same blob")
	for range 2 {
		r := mustRun(t, o)
		if len(r.Findings) != 1 || len(r.Findings[0].Places) != 1 {
			t.Fatalf("findings %v, want one with one place", r.Findings)
		}
		if p := r.Findings[0].Places[0]; p.Path != "node/hsm_secret" || !p.AtTip || p.Author != "Ada" || p.Commit != g.git("rev-parse", "HEAD") ||
			p.Line != 0 || p.Column != 0 || p.Versions != 1 {
			t.Errorf("place %+v", p)
		}
	}
	g.git("mv", "node/hsm_secret", "hsm_secret")
	g.git("commit", "-q", "-m", "moved")
	cached := mustRun(t, o)
	o.CacheDir = ""
	fresh := mustRun(t, o)
	for _, r := range []*scan.Report{cached, fresh} {
		if len(r.Findings) != 1 || len(r.Findings[0].Places) != 2 || !r.Findings[0].Places[0].AtTip || r.Findings[0].Places[1].AtTip {
			t.Errorf("findings %+v, want one with a place at the tip and one in history only", r.Findings)
		}
	}
	if cached.Findings[0].Fingerprint != fresh.Findings[0].Fingerprint {
		t.Error("the fingerprint differs with the cache")
	}
}

// A file in a tree that no commit holds is found, and where a commit brings it as
// soon as one does, with the cache and without.
func TestNamesInStrayTree(t *testing.T) {
	g := newTestRepo(t)
	g.write(file{"README", []byte("nothing\n")})
	g.git("add", ".")
	g.git("commit", "-q", "-m", "one")
	blob := g.gitInput(scan.NewGen(10).Bytes(32), "hash-object", "-w", "--stdin")
	tree := g.gitInput([]byte("100644 blob "+blob+"\thsm_secret\n"), "mktree")
	other := g.gitInput([]byte("100644 blob "+blob+"\tother\n"), "mktree")
	cache := t.TempDir()
	check := func(what, commit string, unreachable bool) {
		t.Helper()
		for _, dir := range []string{cache, ""} {
			o := builtin(g.dir, HistoryOnly)
			o.CacheDir = dir
			r := mustRun(t, o)
			if len(r.Findings) != 1 || len(r.Findings[0].Places) != 1 {
				t.Fatalf("%s, cache %q: findings %+v, want one with one place", what, dir, r.Findings)
			}
			if p := r.Findings[0].Places[0]; p.Path != "hsm_secret" || p.Commit != commit || p.Unreachable != unreachable {
				t.Errorf("%s, cache %q: place %+v", what, dir, p)
			}
		}
	}
	check("stray", "", true)
	g.git("update-ref", "refs/heads/other", g.git("commit-tree", other, "-p", "HEAD", "-m", "under another name"))
	check("held under another name", "", true)
	commit := g.git("commit-tree", tree, "-p", "HEAD", "-m", "under its name")
	g.git("update-ref", "refs/heads/main", commit)
	check("held", commit, false)
}

func BenchmarkNames(b *testing.B) {
	n := newNames(map[string]*scan.Rule{"r": {ID: "r", Path: &scan.Path{Globs: []string{"wallet.dat", "wallet-*.dat", "hsm_secret", "*.kdbx", "*.kdb"}}}})
	names := [][]byte{[]byte("main.c"), []byte("Makefile"), []byte("t1000-test.sh"), []byte("README.txt"), []byte("object-store.h"), []byte("expect")}
	for b.Loop() {
		for _, name := range names {
			n.match(name)
		}
	}
}
