package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/report"
	"github.com/keywright/keywright/scan/rules"
)

// keepAll are settings under which gc packs, and throws nothing away.
var keepAll = []string{"-c", "gc.reflogExpire=never", "-c", "gc.reflogExpireUnreachable=never", "-c", "gc.pruneExpire=never"}

// fewPlanted is a repository with samples of some rules in every place.
func fewPlanted(t *testing.T, every int) *plantedRepo {
	t.Helper()
	var some []*scan.Rule
	for i, r := range rules.All() {
		if i%every == 0 || r.Path != nil {
			some = append(some, r)
		}
	}
	b := newPlantedRepo(t, some, 2)
	b.plant()
	return b
}

// asJSON is the report of a scan as JSON, all confidences included.
func asJSON(t *testing.T, o Options) []byte {
	t.Helper()
	r := mustRun(t, o)
	var out bytes.Buffer
	if err := report.Write(&out, report.JSON, r, report.Options{}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestSameReport: a report does not depend on the number of cores, on how the
// repository is packed, or on the cache, byte for byte.
func TestSameReport(t *testing.T) {
	every := 24
	if testing.Short() {
		every = 80
	}
	b := fewPlanted(t, every)
	for _, mode := range []Mode{Everything, HistoryOnly} {
		o := builtin(b.repo.dir, mode)
		o.Level = scan.Low
		want := asJSON(t, o)
		if n := bytes.Count(want, []byte(`"fingerprint"`)); n < len(b.want)/3 {
			t.Fatalf("only %d findings", n)
		}
		same := func(what string) {
			t.Helper()
			if got := asJSON(t, o); !bytes.Equal(got, want) {
				t.Errorf("mode %d: the report differs %s:\n%s", mode, what, firstDifference(got, want))
			}
		}
		cores := runtime.GOMAXPROCS(0)
		for _, n := range []int{1, 4} {
			runtime.GOMAXPROCS(n)
			same("with other cores")
		}
		runtime.GOMAXPROCS(cores)
		o.CacheDir = t.TempDir()
		same("with an empty cache")
		same("from the cache")
		if mode == HistoryOnly {
			continue // the work tree's part does not depend on packs
		}
		b.repo.git(append(keepAll, "repack", "-adfq")...)
		same("from the cache after repack -adf")
		o.CacheDir = ""
		same("after repack -adf")
		b.repo.git(append(keepAll, "gc", "-q", "--aggressive")...)
		same("after gc --aggressive")
		b.unpack()
		same("unpacked")
	}
}

// unpack turns all packs of the repository into loose objects.
func (b *plantedRepo) unpack() {
	b.t.Helper()
	packs, err := filepath.Glob(filepath.Join(b.repo.dir, ".git", "objects", "pack", "pack-*.pack"))
	if err != nil || len(packs) == 0 {
		b.t.Fatal("no packs", err)
	}
	for _, pack := range packs {
		data, err := os.ReadFile(pack)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, name := range []string{pack, strings.TrimSuffix(pack, ".pack") + ".idx"} {
			if err := os.Remove(name); err != nil {
				b.t.Fatal(err)
			}
		}
		b.repo.gitInput(data, "unpack-objects", "-q")
	}
}

func firstDifference(a, b []byte) string {
	la, lb := strings.Split(string(a), "\n"), strings.Split(string(b), "\n")
	for i := range min(len(la), len(lb)) {
		if la[i] != lb[i] {
			around := func(lines []string) string { return strings.Join(lines[max(0, i-12):min(len(lines), i+20)], "\n") }
			return "got\n" + around(la) + "\nwant\n" + around(lb)
		}
	}
	return "one is longer"
}

// TestConcurrentPacking: whatever git does to the packs meanwhile changes no
// finding and leaves no gap.
func TestConcurrentPacking(t *testing.T) {
	scans := 12
	if testing.Short() {
		scans = 3
	}
	b := fewPlanted(t, 100)
	o := builtin(b.repo.dir, Everything)
	want := asJSON(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.repack(ctx)
	}()
	cache := t.TempDir()
	for i := range scans {
		if o.CacheDir = ""; i%2 == 1 {
			o.CacheDir = cache
		}
		if got := asJSON(t, o); !bytes.Equal(got, want) {
			t.Errorf("the report differs:\n%s", firstDifference(got, want))
			break
		}
	}
	cancel()
	<-done
}

// repack packs and unpacks until ctx is done, and ends what it has begun.
func (b *plantedRepo) repack(ctx context.Context) {
	commands := [][]string{
		{"repack", "-adq"}, {"gc", "-q"}, {"repack", "-Adfq", "--depth=3"}, {"-c", "pack.packSizeLimit=1m", "repack", "-adfq"}, {"prune-packed"},
	}
	for i := 0; ctx.Err() == nil; i++ {
		// Not ended with ctx: what git had started would go on writing.
		cmd := exec.Command("git", slices.Concat(keepAll, commands[i%len(commands)])...)
		cmd.Dir = b.repo.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			b.repo.t.Errorf("git %v: %v\n%s", commands[i%len(commands)], err, out)
			return
		}
	}
}

// TestCacheAsFresh: whatever happens to a repository between scans, a scan that
// goes on from the cache reports what one without a cache does. KEYWRIGHT_CACHE sets
// the number of repositories.
func TestCacheAsFresh(t *testing.T) {
	seeds, steps := uint64(4), 14
	if testing.Short() {
		seeds = 1
	}
	if n, err := strconv.ParseUint(os.Getenv("KEYWRIGHT_CACHE"), 10, 64); err == nil {
		seeds, steps = n, 40
	}
	m := newMaker()
	for seed := range seeds {
		g := &cacheRepo{newTestRepo(t), rand.New(rand.NewPCG(seed, 11)), m, 0}
		cache := t.TempDir()
		var done []string
		for range steps {
			done = append(done, g.step())
			o := builtin(g.dir, HistoryOnly)
			o.Level = []scan.Confidence{scan.Low, scan.Medium, scan.Certain}[g.r.IntN(3)]
			if g.r.IntN(4) == 0 {
				o.Mode = Everything
			}
			if g.r.IntN(4) == 0 {
				o.Exclude = []string{"f1"}
			}
			o.NoIgnore = g.r.IntN(4) == 0
			want := asJSON(t, o)
			o.CacheDir = cache
			if got := asJSON(t, o); !bytes.Equal(got, want) {
				t.Errorf("seed %d after %v: the report from the cache differs:\n%s", seed, done, firstDifference(got, want))
				break
			}
		}
	}
}

// cacheRepo is a repository to which things happen.
type cacheRepo struct {
	*testRepo
	r     *rand.Rand
	m     *maker
	count int
}

// step does something to the repository and says what.
func (g *cacheRepo) step() string {
	g.t.Helper()
	g.count++
	name := fmt.Sprintf("n%d", g.count)
	try := func(args ...string) string {
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "\x00", "")
		}
		cmd := exec.Command("git", append([]string{"-c", "gc.auto=0"}, args...)...)
		cmd.Dir = g.dir
		_ = cmd.Run() // nothing to stash, a conflict: those are states, too
		return strings.Join(args, " ")
	}
	if g.count == 1 {
		return g.change()
	}
	switch g.r.IntN(17) {
	case 0:
		return try("switch", "-q", "-c", name)
	case 1:
		return try("switch", "-q", "main")
	case 2:
		return g.change() + try("merge", "-q", "-X", "ours", "-m", g.m.piece(g.r)+name, "-")
	case 3:
		return try("reset", "-q", "--hard", "HEAD~1")
	case 4:
		return try("tag", "-a", "-m", g.m.piece(g.r)+name, name)
	case 5:
		return try("notes", "add", "-f", "-m", g.m.piece(g.r))
	case 6:
		g.edit()
		return try("stash", "push", "-q", "-u")
	case 7:
		return try("stash", "drop", "-q")
	case 8:
		return try("repack", "-adfq")
	case 9:
		return try("-c", "gc.reflogExpire=now", "-c", "gc.reflogExpireUnreachable=now", "gc", "-q", "--prune=now")
	case 10:
		return try("reflog", "expire", "--expire=now", "--all")
	case 11:
		return try("commit", "-q", "--amend", "-m", g.m.piece(g.r)+name)
	case 12:
		g.edit()
		return "edit and " + try("add", "-A")
	case 13:
		return try("branch", "-q", "-D", fmt.Sprintf("n%d", g.r.IntN(g.count)))
	case 14:
		return try("revert", "--no-edit", "HEAD")
	case 15:
		return try("mv", "f0", "f1")
	}
	return g.change()
}

func (g *cacheRepo) edit() {
	for range 1 + g.r.IntN(2) {
		name := fmt.Sprintf("f%d", g.r.IntN(3))
		old, _ := os.ReadFile(filepath.Join(g.dir, name)) // it may not be there
		g.write(file{name, g.m.edit(g.r, append(old, g.m.piece(g.r)...), old)})
	}
}

func (g *cacheRepo) change() string {
	g.edit()
	g.git("add", "-A")
	g.git("commit", "-q", "--allow-empty", "--allow-empty-message", "-m", strings.ReplaceAll(g.m.piece(g.r), "\x00", ""))
	return "change"
}
