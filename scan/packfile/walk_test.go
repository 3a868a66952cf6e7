package packfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keywright/keywright/scan"
)

// gitRepo is a repository that real git makes.
type gitRepo struct {
	t   testing.TB
	dir string
}

func newGitRepo(t testing.TB) *gitRepo {
	t.Helper()
	g := &gitRepo{t, filepath.Join(t.TempDir(), "r")}
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	g.git(nil, "init", "-q", "--bare", ".")
	return g
}

func (g *gitRepo) git(input []byte, args ...string) string {
	g.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = g.dir
	cmd.Stdin = bytes.NewReader(input)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatalf("git %v: %v\n%s", args, err, stderr.Bytes())
	}
	return strings.TrimSpace(string(out))
}

// history is a stream for git fast-import: a few files that change a little in
// every commit, in directories, with tags.
func history(commits int) []byte {
	var b bytes.Buffer
	texts := make([][]string, 5)
	for i := range texts {
		for line := range 60 {
			texts[i] = append(texts[i], fmt.Sprintf("file %d says %d on line %d", i, line*line*7919, line))
		}
	}
	for n := range commits {
		fmt.Fprintf(&b, "commit refs/heads/main\nmark :%d\ncommitter A <a@example.org> %d +0000\ndata 8\nnumber %d\n", n+1, 1700000000+n, n%10)
		i := n % len(texts)
		texts[i][n*13%60] = fmt.Sprintf("commit %d wrote this", n)
		switch n % 7 {
		case 3:
			texts[i] = append(texts[i][20:], texts[i][:20]...)
		case 5:
			texts[i] = append(texts[i], fmt.Sprintf("one more line %d", n))
		}
		data := strings.Join(texts[i], "\n")
		fmt.Fprintf(&b, "M 100644 inline d%d/sub/f%d\ndata %d\n%s\n", i%2, i, len(data), data)
		fmt.Fprintf(&b, "M 100644 inline d%d/n%d\ndata 0\n\n", i%2, n)
		if n%50 == 49 {
			fmt.Fprintf(&b, "tag v%d\nfrom :%d\ntagger A <a@example.org> %d +0000\ndata 3\ntag\n", n, n+1, 1700000000+n)
		}
	}
	b.WriteString("done\n")
	return b.Bytes()
}

// facts are what git says of the objects of a pack.
type facts struct {
	types map[ID]Type
	base  map[ID]ID // of deltas
}

func (g *gitRepo) facts(pack string) facts {
	f := facts{map[ID]Type{}, map[ID]ID{}}
	for line := range strings.Lines(g.git(nil, "verify-pack", "-v", pack)) {
		w := strings.Fields(line)
		id, err := ParseID(w[0])
		if err != nil {
			continue // the statistics at the end
		}
		if f.types[id], err = ParseType(w[1]); err != nil {
			g.t.Fatal(err)
		}
		if len(w) == 7 {
			if f.base[id], err = ParseID(w[6]); err != nil {
				g.t.Fatal(err)
			}
		}
	}
	return f
}

func (g *gitRepo) onlyPack() string {
	g.t.Helper()
	packs, err := filepath.Glob(filepath.Join(g.dir, "objects/pack/*.pack"))
	if err != nil || len(packs) != 1 {
		g.t.Fatalf("packs: %v, %v", packs, err)
	}
	return packs[0]
}

// packs writes packs of a history in every way that git has.
func (g *gitRepo) packs() map[string]string {
	g.git(history(300), "fast-import", "--quiet")
	out := map[string]string{"fast-import": copyPack(g.t, g.onlyPack())}
	for name, args := range map[string][]string{
		"repack":       {"repack", "-adfq"},
		"aggressive":   {"gc", "-q", "--aggressive", "--prune=now"},
		"ref deltas":   {"-c", "repack.useDeltaBaseOffset=false", "repack", "-adfq", "--depth=40"},
		"no deltas":    {"repack", "-adfq", "--depth=0"},
		"index v1":     {"-c", "pack.indexVersion=1", "repack", "-adfq"},
		"uncompressed": {"-c", "pack.compression=0", "repack", "-adfFq"},
	} {
		if name == "aggressive" {
			g.git(nil, "config", "gc.aggressiveDepth", "250")
		}
		g.git(nil, args...)
		out[name] = copyPack(g.t, g.onlyPack())
	}
	out["thin"] = g.thinPack()
	return out
}

// thinPack is the pack of a fetch: its bases lie elsewhere and are appended.
func (g *gitRepo) thinPack() string {
	g.t.Helper()
	half := newGitRepo(g.t)
	revs := []byte("main\n^main~150\n")
	half.git([]byte(g.raw([]byte("main~150\n"), "pack-objects", "-q", "--revs", "--stdout")), "index-pack", "--stdin")
	thin := g.raw(revs, "pack-objects", "-q", "--revs", "--thin", "--no-delta-base-offset", "--stdout")
	name := strings.Fields(half.git([]byte(thin), "index-pack", "--stdin", "--fix-thin"))[1]
	return copyPack(g.t, filepath.Join(half.dir, "objects/pack/pack-"+name+".pack"))
}

func (g *gitRepo) raw(input []byte, args ...string) string {
	g.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = g.dir
	cmd.Stdin = bytes.NewReader(input)
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatalf("git %v: %v", args, err)
	}
	return string(out)
}

func copyPack(t testing.TB, path string) string {
	t.Helper()
	pack, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	index, err := os.ReadFile(strings.TrimSuffix(path, ".pack") + ".idx")
	if err != nil {
		t.Fatal(err)
	}
	return writePack(t, t.TempDir(), pack, index)
}

// Every object of a pack that git made is visited once, with its content and its
// base, whatever the workers and the memory; and it can be read alone.
func TestWalk(t *testing.T) {
	g := newGitRepo(t)
	for name, path := range g.packs() {
		t.Run(name, func(t *testing.T) {
			want := g.facts(path)
			if name == "aggressive" && len(want.base) < 300 || name == "no deltas" && len(want.base) > 0 {
				t.Fatalf("%d objects, %d deltas: not the pack that was wanted", len(want.types), len(want.base))
			}
			p, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if err := p.Intact(); err != nil {
				t.Error(err)
			}
			workers, memories := []int{0, 1, 2, 3, 4}, []int64{0, 4 << 10, 1 << 20, 1 << 30}
			if testing.Short() {
				workers, memories = workers[3:4], memories[1:3]
			}
			for _, workers := range workers {
				for _, memory := range memories {
					checkWalk(t, p, Options{everything, workers, memory}, want)
				}
			}
			checkRead(t, p, want)
		})
	}
}

func checkWalk(t *testing.T, p *Pack, o Options, want facts) {
	t.Helper()
	r := walkOpen(t, p, o, true)
	if !maps.Equal(r.types, want.types) || !maps.Equal(r.base, want.base) || len(r.lost) > 0 {
		t.Errorf("%d workers, %d bytes: %d objects and %d bases, want %d and %d; %d lost",
			o.Workers, o.Memory, len(r.types), len(r.base), len(want.types), len(want.base), len(r.lost))
	}
	for id, n := range r.met {
		if n != 1 {
			t.Errorf("object %s: visited %d times", id, n)
		}
	}
}

func checkRead(t *testing.T, p *Pack, want facts) {
	t.Helper()
	if p.Len() != len(want.types) {
		t.Errorf("%d objects, want %d", p.Len(), len(want.types))
	}
	for id, kind := range want.types {
		i, ok := p.Find(id)
		if !ok || p.ID(i) != id {
			t.Fatalf("object %s is not found", id)
		}
		typ, data, err := p.Read(i)
		if err != nil || typ != kind || idOf(typ, data) != id {
			t.Errorf("object %s: wrong type %s or content, error %v", id, typ, err)
		}
		for _, digits := range []string{id.String(), id.String()[:9]} {
			if ids := p.FindPrefix(digits); len(ids) != 1 || ids[0] != id {
				t.Errorf("prefix %s: %v", digits, ids)
			}
		}
	}
	if _, ok := p.Find(ID{1, 2, 3}); ok {
		t.Error("found an id that is not there")
	}
}

// A walk of some types visits those only, and Count counts them.
func TestWalkTypes(t *testing.T) {
	g := newGitRepo(t)
	g.git(history(60), "fast-import", "--quiet")
	want := g.facts(g.onlyPack())
	p, err := Open(g.onlyPack())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	f, err := NewForest(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	for _, types := range []TypeSet{0, Types(Blob), Types(Tree), Types(Commit, Tag), everything} {
		r := newRecorder(t, 2)
		if err := Walk[visited](context.Background(), f, Options{types, 2, 1 << 20}, r); err != nil {
			t.Fatal(err)
		}
		n := 0
		for id, kind := range want.types {
			if types.Has(kind) {
				n++
			}
			if r.met[id] == 1 != types.Has(kind) {
				t.Errorf("types %b: %s %s is met %d times", types, kind, id, r.met[id])
			}
		}
		if f.Count(types) != n {
			t.Errorf("types %b: count %d, want %d", types, f.Count(types), n)
		}
	}
}

// stopper cancels its walk after some visits.
type stopper struct {
	counter
	after int64
	stop  context.CancelFunc
}

func (s *stopper) Visit(worker int, o Object, content []byte, base *struct{}, copies []scan.Copy) struct{} {
	if s.objects.Load() >= s.after {
		s.stop()
	}
	return s.counter.Visit(worker, o, content, base, copies)
}

// A walk that is cancelled ends soon, with an error.
func TestWalkCancelled(t *testing.T) {
	g := newGitRepo(t)
	g.git(history(100), "fast-import", "--quiet")
	p, err := Open(g.onlyPack())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	f, err := NewForest(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	for after := range 20 {
		ctx, cancel := context.WithCancel(context.Background())
		s := &stopper{after: int64(after * 20), stop: cancel}
		err := Walk[struct{}](ctx, f, Options{everything, 3, 4096}, s)
		if met := s.objects.Load(); met <= s.after || met > s.after+10 || !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled after %d of %d: %d visited, error %v", s.after, p.Len(), met, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := NewForest(ctx, p); !errors.Is(err, context.Canceled) {
		t.Errorf("a forest of a cancelled context: error %v", err)
	}
}
