package pipeline

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/report"
	"github.com/keywright/keywright/scan/rules"
)

// These tests hold reports from the cache against fresh ones, byte for byte.
// KEYWRIGHT_EVOLVE=5000 sets the number of steps of TestEvolution,
// KEYWRIGHT_EVOLVE_SEED the first of its seeds.

const (
	evolveSteps   = 220 // by default
	stepsPerRepo  = 22
	fastAtLeast   = 2 // of ten comparisons in which there was something to remember
	secretsOfRepo = 12
)

// leveledRules recognise the same values with different confidence, so that what
// is known of a secret changes with each place. Parts are public and not.
func leveledRules() []*scan.Rule {
	const value = `(?P<secret>[a-z0-9]{24})\b`
	all := []*scan.Rule{
		{ID: "strong", Confidence: scan.High, Expr: `\bstrong=` + value,
			Partners: []scan.Partner{{Role: "id", Expr: `\bident=([a-z]{4,9})`, Within: 100}}, Public: []string{"id"}},
		{ID: "guess", Generic: true, Confidence: scan.Medium, Expr: `\bguess=` + value,
			Partners: []scan.Partner{{Role: "name", Expr: `\bname=([a-z]{4,9})`, Within: 100}}},
		{ID: "faint", Confidence: scan.Low, Expr: `\bfaint=` + value},
		{ID: "file", Confidence: scan.High, Path: &scan.Path{Globs: []string{"*.key*", "z", "e"}}, Check: func(c scan.Candidate) scan.Evidence {
			switch text := c.Secret(); {
			case bytes.Contains(text, []byte("plain")):
				return scan.Fails("plain")
			case bytes.Contains(text, []byte("beta")):
				return scan.Rejected
			}
			return scan.Evidence{}
		}},
	}
	for _, r := range rules.All() {
		if r.ID == "github-pat" || r.ID == "aws-access-key" || r.ID == "pypi-token" {
			all = append(all, r)
		}
	}
	return all
}

// TestEvolution lets repositories evolve by random steps, and compares the report
// with a cache that has seen some of the steps with one without.
func TestEvolution(t *testing.T) {
	steps, seed := evolveSteps, uint64(1)
	if testing.Short() {
		steps /= 4
	}
	for name, set := range map[string]func(n int){
		"KEYWRIGHT_EVOLVE":      func(n int) { steps = n },
		"KEYWRIGHT_EVOLVE_SEED": func(n int) { seed = uint64(n) },
	} {
		if s := os.Getenv(name); s != "" {
			n, err := strconv.Atoi(s)
			if err != nil {
				t.Fatal(err)
			}
			set(n)
		}
	}
	var sum evolved
	for left := steps; left > 0 && !t.Failed(); left -= stepsPerRepo {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			newEvolution(t, seed, &sum).run(min(left, stepsPerRepo))
		})
		seed++
	}
	t.Logf("%d comparisons: %d fresh, %d whole again, %d advanced, %d unchanged", sum.all(), sum.empty, sum.whole, sum.advanced, sum.same)
	if used := sum.advanced + sum.same; !t.Failed() && 10*used < fastAtLeast*(used+sum.whole) || sum.advanced < sum.all()/12 {
		t.Errorf("what is remembered was hardly used")
	}
}

// evolved counts how reports were made with a cache.
type evolved struct{ empty, whole, advanced, same int }

func (e *evolved) all() int { return e.empty + e.whole + e.advanced + e.same }

// evolution is one repository that evolves.
type evolution struct {
	*testRepo
	rng     *rand.Rand
	cache   string
	other   *testRepo // to fetch from
	rules   []*scan.Rule
	values  []string
	paths   []string
	log     []string
	count   int
	removed []file // object files that were taken away
	sum     *evolved
}

func newEvolution(t *testing.T, seed uint64, sum *evolved) *evolution {
	e := &evolution{testRepo: newTestRepo(t), rng: rand.New(rand.NewPCG(seed, 7)), cache: t.TempDir(), rules: leveledRules(), sum: sum,
		paths: []string{"a", "b.txt", "dir/c", "dir/sub/d.env", "tests/e", "go.sum", "dir.x/f", "g\xff", "id.key", "dir/id.key2"}}
	g := scan.NewGen(seed)
	for range secretsOfRepo {
		e.values = append(e.values, g.String("abcdefghijklmnopqrstuvwxyz0123456789", 24))
	}
	e.other = e.in(filepath.Join(t.TempDir(), "other"))
	if err := os.MkdirAll(e.other.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	e.other.git("init", "-q", "-b", "side")
	e.commit()
	if e.rng.IntN(4) == 0 { // most of it is packed, as in a clone
		for range 5 {
			e.commit()
		}
		e.git("repack", "-adq")
	}
	if e.rng.IntN(6) == 0 {
		e.clone()
	}
	return e
}

// clone goes on in a shallow clone of the repository so far.
func (e *evolution) clone() {
	for range 4 {
		e.commit()
	}
	dir := filepath.Join(e.t.TempDir(), "shallow")
	e.git("clone", "-q", "--depth", "2", "file://"+e.dir, dir)
	e.testRepo = e.in(dir)
}

func (e *evolution) run(steps int) {
	e.compare()
	for range steps {
		step := evolutionSteps[e.rng.IntN(len(evolutionSteps))]
		for range step.weight - 1 { // common steps come in rows
			if e.rng.IntN(3) > 0 {
				break
			}
			step.do(e)
		}
		e.log = append(e.log, step.name)
		step.do(e)
		if e.rng.IntN(5) > 0 {
			e.compare()
		}
		if e.t.(*testing.T).Failed() {
			e.t.Logf("steps: %s", strings.Join(e.log, ", "))
			return
		}
	}
}

// compare scans with and without the cache.
func (e *evolution) compare() {
	e.t.Helper()
	o := Options{Path: e.dir, Builtin: e.rules, Level: scan.Medium, NoIgnore: e.rng.IntN(8) == 0}
	if e.rng.IntN(3) == 0 {
		o.Level = scan.Low
	}
	if e.rng.IntN(2) == 0 {
		o.Mode = HistoryOnly
	}
	if e.rng.IntN(6) == 0 {
		o.Exclude = []string{e.paths[e.rng.IntN(4)]}
	}
	want, wantErr := e.scan(o)
	o.CacheDir = e.cache
	got, gotErr := e.scan(o)
	if !bytes.Equal(got, want) || fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
		e.t.Errorf("mode %d, level %v, exclude %q, no ignore %v: the report differs (%v, %v)\n%s", o.Mode, o.Level, o.Exclude, o.NoIgnore, gotErr, wantErr, lineDiff(want, got))
	}
}

func (e *evolution) scan(o Options) ([]byte, error) {
	e.t.Helper()
	r := newRun(o)
	rep, err := r.once(e.t.Context())
	stale := errors.Is(err, errStale)
	loaded := r.knownSalt != nil
	if stale {
		r = newRun(o)
		r.forget = true
		rep, err = r.once(e.t.Context())
	}
	if err != nil {
		return nil, err
	}
	switch {
	case o.CacheDir == "":
	case r.past != nil && r.memory.inventory != nil:
		e.sum.advanced++
	case r.past != nil:
		e.sum.same++
	case loaded:
		e.sum.whole++
	default:
		e.sum.empty++
	}
	var b bytes.Buffer
	if err := report.Write(&b, report.JSON, rep, report.Options{}); err != nil {
		e.t.Fatal(err)
	}
	return b.Bytes(), nil
}

// lineDiff shows the first lines that differ.
func lineDiff(want, got []byte) string {
	a, b := strings.Split(string(want), "\n"), strings.Split(string(got), "\n")
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	window := func(s []string) string { return strings.Join(s[min(len(s), max(0, i-12)):min(len(s), i+25)], "\n") }
	return fmt.Sprintf("line %d, want:\n%s\ngot:\n%s", i+1, window(a), window(b))
}

// try runs git where failing is one of the things that happen.
func (e *evolution) try(args ...string) (string, bool) { return e.tryInput("", args...) }

func (e *evolution) tryInput(input string, args ...string) (string, bool) {
	cmd := exec.Command("git", append([]string{"-c", "gc.auto=0", "-c", "core.autocrlf=false", "-c", "advice.detachedHead=false", "-c", "protocol.file.allow=always",
		"-c", "maintenance.auto=false", "-c", "core.logAllRefUpdates=true"}, args...)...)
	cmd.Dir, cmd.Stdin = e.dir, strings.NewReader(input)
	cmd.Env = append(os.Environ(), "GIT_EDITOR=true", fmt.Sprintf("GIT_COMMITTER_DATE=%d +0200", 1700000000+e.rng.IntN(3)))
	out, err := cmd.Output()
	return strings.TrimSuffix(string(out), "\n"), err == nil
}

func (e *evolution) pick(s []string) string {
	if len(s) == 0 {
		return "HEAD"
	}
	return s[e.rng.IntN(len(s))]
}

func (e *evolution) path() string { return e.pick(e.paths) }

// text is a line or two, mostly with a secret.
func (e *evolution) text() string {
	e.count++
	v := e.pick(e.values)
	switch e.rng.IntN(12) {
	case 0, 1:
		return fmt.Sprintf("plain %d\n", e.count)
	case 2, 3:
		return "faint=" + v + "\n"
	case 4, 5:
		return "guess=" + v + "\n"
	case 6:
		return "name=alpha guess=" + v + "\nname=beta\n"
	case 7:
		return "strong=" + v + " // keywright:allow\n"
	case 8:
		return "ident=gamma strong=" + v + "\n"
	case 9:
		r := e.rules[4+e.rng.IntN(len(e.rules)-4)]
		s := r.Samples(scan.NewGen(uint64(e.rng.IntN(5))))
		return e.pick(append(s.Match, s.Failed...)) + "\n"
	case 10:
		return "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize " + fmt.Sprint(e.rng.IntN(4)) + "\n"
	}
	return "strong=" + v + "\n" + "faint=" + e.pick(e.values) + "\n"
}

// content keeps some of what a path holds.
func (e *evolution) content(path string) []byte {
	old, _ := os.ReadFile(filepath.Join(e.dir, filepath.FromSlash(path)))
	switch e.rng.IntN(3) {
	case 0:
		return append(old, e.text()...)
	case 1:
		return append([]byte(e.text()), old...)
	}
	return []byte(e.text())
}

func (e *evolution) edit() string {
	path := e.path()
	name := filepath.Join(e.dir, filepath.FromSlash(path))
	_ = os.MkdirAll(filepath.Dir(name), 0o755)
	_ = os.WriteFile(name, e.content(path), 0o644)
	return path
}

func (e *evolution) message() string {
	if e.rng.IntN(5) == 0 {
		return e.text()
	}
	return fmt.Sprint("change ", e.rng.IntN(40))
}

func (e *evolution) commit() {
	e.edit()
	if e.rng.IntN(3) == 0 {
		e.edit()
	}
	e.try("add", "-A")
	e.try("commit", "-q", "--allow-empty", "-m", e.message())
}

// refs lists references below a prefix; objects all ids of a type.
func (e *evolution) refs(prefix string) []string {
	out, _ := e.try("for-each-ref", "--format=%(refname)", prefix)
	return strings.Fields(out)
}

func (e *evolution) objects(kind string) (ids []string) {
	out, _ := e.try("cat-file", "--batch-all-objects", "--batch-check=%(objecttype) %(objectname)")
	for line := range strings.Lines(out) {
		if k, id, _ := strings.Cut(strings.TrimSpace(line), " "); k == kind || kind == "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// looseFiles lists the files of loose objects, packFiles those of packs.
func (e *evolution) looseFiles() (names []string) {
	names, _ = filepath.Glob(filepath.Join(e.gitDir(), "objects", "[0-9a-f][0-9a-f]", "*"))
	return names
}

func (e *evolution) packFiles() (names []string) {
	names, _ = filepath.Glob(filepath.Join(e.gitDir(), "objects", "pack", "*.pack"))
	return names
}

func (e *evolution) gitDir() string { return filepath.Join(e.dir, ".git") }

func (e *evolution) writeObject(kind, content string) string {
	id, _ := e.tryInput(content, "hash-object", "-w", "--stdin", "--literally", "-t", kind)
	return id
}

// settle ends a merge, a revert or whatever else stands in the way.
func (e *evolution) settle() {
	e.try("merge", "--abort")
	e.try("revert", "--abort")
	e.try("reset", "-q", "--hard")
}

type evolutionStep struct {
	name   string
	weight int // how often in a row, at most
	do     func(*evolution)
}

// evolutionSteps is what happens to a repository. Those that are named several
// times happen more often.
var evolutionSteps = slices.Concat(
	slices.Repeat([]evolutionStep{{"commit", 4, (*evolution).commit}}, 12),
	slices.Repeat([]evolutionStep{
		{"edit", 2, func(e *evolution) { e.edit() }},
		{"add", 2, func(e *evolution) { e.try("add", "--", e.edit()) }},
		{"branch", 1, func(e *evolution) { e.try("checkout", "-q", "-b", fmt.Sprint("topic", e.rng.IntN(5))) }},
		{"checkout", 1, func(e *evolution) {
			e.try("checkout", "-q", "-f", strings.TrimPrefix(e.pick(e.refs("refs/heads")), "refs/heads/"))
		}},
		{"merge", 1, func(e *evolution) {
			e.settle()
			e.try("merge", "-q", "--no-ff", "-m", e.message(), "-X", e.pick([]string{"ours", "theirs"}), e.pick(e.refs("refs/heads")))
		}},
		{"amend", 1, func(e *evolution) { e.edit(); e.try("commit", "-q", "-a", "--amend", "-m", e.message()) }},
		{"rename", 1, func(e *evolution) { e.try("mv", "-f", e.path(), e.path()); e.try("commit", "-q", "-a", "-m", "rename") }},
		{"remove", 1, func(e *evolution) { e.try("rm", "-q", "-f", e.path()); e.try("commit", "-q", "-m", "remove") }},
		{"move directory", 1, func(e *evolution) { e.try("mv", "-k", "dir", "moved"); e.try("commit", "-q", "-a", "-m", "move") }},
		{"revert", 1, func(e *evolution) { e.try("revert", "--no-edit", "HEAD"); e.try("revert", "--abort") }},
		{"stash", 1, func(e *evolution) { e.edit(); e.try("stash", "-q") }},
	}, 2),
	[]evolutionStep{
		{"merge in conflict", 1, func(e *evolution) { e.try("merge", "-q", e.pick(e.refs("refs/heads"))) }},
		{"octopus", 1, func(e *evolution) {
			e.try("merge", "-q", "-s", "ours", "-m", "many", e.pick(e.refs("refs/heads")), e.pick(e.refs("refs/heads")), e.pick(e.objects("commit")))
		}},
		{"settle", 1, (*evolution).settle},
		{"stash pop", 1, func(e *evolution) { e.try("stash", "pop", "-q") }},
		{"stash drop", 1, func(e *evolution) { e.try("stash", "drop", "-q") }},
		{"delete branch", 1, func(e *evolution) {
			e.try("branch", "-q", "-D", strings.TrimPrefix(e.pick(e.refs("refs/heads")), "refs/heads/"))
		}},
		{"branch anywhere", 1, func(e *evolution) {
			e.try("branch", "-f", fmt.Sprint("any", e.rng.IntN(3)), e.pick(e.objects("commit")))
		}},
		{"reset", 1, func(e *evolution) {
			e.try("reset", "-q", "--hard", e.pick([]string{"HEAD~1", "HEAD~2", "HEAD@{2}", "ORIG_HEAD"}))
		}},
		{"detach", 1, func(e *evolution) { e.try("checkout", "-q", "-f", "--detach", e.pick(e.objects("commit"))) }},
		{"orphan", 1, func(e *evolution) {
			e.try("checkout", "-q", "-f", "--orphan", fmt.Sprint("orphan", e.count))
			e.commit()
		}},
		{"tag", 1, func(e *evolution) {
			e.try("tag", "-f", "-m", e.message(), fmt.Sprint("t", e.rng.IntN(5)), e.pick(e.objects("commit")))
		}},
		{"tag anything", 1, func(e *evolution) { e.try("tag", "-f", "-m", e.message(), "any", e.pick(e.objects(""))) }},
		{"light tag", 1, func(e *evolution) { e.try("tag", "-f", fmt.Sprint("t", e.rng.IntN(5)), e.pick(e.objects(""))) }},
		{"delete tag", 1, func(e *evolution) { e.try("tag", "-d", strings.TrimPrefix(e.pick(e.refs("refs/tags")), "refs/tags/")) }},
		{"dangling tag", 1, func(e *evolution) {
			e.tryInput("object "+e.pick(e.objects("commit"))+"\ntype commit\ntag x\ntagger A <a> 1 +0000\n\n"+e.text(), "mktag")
		}},
		{"note", 1, func(e *evolution) { e.try("notes", "add", "-f", "-m", e.text(), e.pick(e.objects("commit"))) }},
		{"branch at notes", 1, func(e *evolution) { e.try("branch", "-f", "notes", "refs/notes/commits") }},
		{"notes at branch", 1, func(e *evolution) { e.try("update-ref", "refs/notes/other", e.pick(e.objects("commit"))) }},
		{"unstage", 1, func(e *evolution) { e.try("rm", "-q", "--cached", "-r", "--ignore-unmatch", e.path()) }},
		{"clear index", 1, func(e *evolution) { e.try("read-tree", "--empty") }},
		{"write-tree", 1, func(e *evolution) { e.try("add", "--", e.edit()); e.try("write-tree") }},
		{"index of anything", 1, func(e *evolution) {
			e.try("update-index", "--add", "--cacheinfo", "100644,"+e.pick(e.objects("blob"))+",index")
		}},
		{"index of nothing", 1, func(e *evolution) {
			id, _ := e.tryInput(e.text(), "hash-object", "--stdin")
			e.try("update-index", "--add", "--cacheinfo", "100644,"+id+",absent")
		}},
		{"blob", 2, func(e *evolution) { e.writeObject("blob", e.text()) }},
		{"tree", 1, func(e *evolution) { e.tryInput("100644 blob "+e.pick(e.objects("blob"))+"\t"+e.path()+"x\n", "mktree") }},
		{"dangling commit", 2, func(e *evolution) {
			args := []string{"commit-tree", e.pick(e.objects("tree")), "-m", e.message()}
			for range e.rng.IntN(3) {
				args = append(args, "-p", e.pick(e.objects("commit")))
			}
			if id, ok := e.try(args...); ok && e.rng.IntN(2) == 0 {
				e.try("update-ref", fmt.Sprint("refs/heads/plumbed", e.rng.IntN(3)), id)
			}
		}},
		{"odd tree", 1, func(e *evolution) {
			entry := func(mode, name, id string) string {
				var raw []byte
				fmt.Sscanf(id, "%x", &raw)
				return mode + " " + name + "\x00" + string(raw)
			}
			entries := []string{entry("100644", "a", e.pick(e.objects("blob"))), entry("40000", "a", e.pick(e.objects("tree"))),
				entry("100644", "z", e.pick(e.objects("blob"))), entry("100644", "b", e.pick(e.objects("blob")))}
			tree := e.writeObject("tree", strings.Join(entries[e.rng.IntN(3):], ""))
			if id, ok := e.try("commit-tree", tree, "-p", "HEAD", "-m", "odd"); ok {
				e.try("update-ref", "refs/heads/odd", id)
			}
		}},
		{"repack", 1, func(e *evolution) { e.try("repack", "-adq") }},
		{"repack new", 1, func(e *evolution) { e.try("repack", "-dq") }},
		{"repack, keep loose", 1, func(e *evolution) { e.try("repack", "-q") }},
		{"prune", 1, func(e *evolution) { e.try("gc", "-q", "--prune=now") }},
		{"expire and prune", 1, func(e *evolution) {
			e.try("reflog", "expire", "--expire=now", "--all")
			e.try("gc", "-q", "--prune=now")
		}},
		{"expire", 1, func(e *evolution) { e.try("reflog", "expire", "--expire=now", "--all") }},
		{"pack refs", 1, func(e *evolution) { e.try("pack-refs", "--all") }},
		{"unpack", 1, func(e *evolution) { e.unpack(false) }},
		{"unpack beside the pack", 1, func(e *evolution) { e.unpack(true) }},
		{"touch pack", 1, func(e *evolution) {
			for _, name := range e.packFiles() {
				_ = os.Chtimes(name, time.Time{}, time.Now().Add(time.Duration(e.count)*time.Second))
			}
		}},
		{"fetch", 2, (*evolution).fetch},
		{"deepen", 1, func(e *evolution) { e.try("fetch", "-q", "--deepen", "1", "origin") }},
		{"unshallow", 1, func(e *evolution) { e.try("fetch", "-q", "--unshallow", "origin") }},
		{"replace", 1, func(e *evolution) { e.try("replace", "-f", e.pick(e.objects("commit")), e.pick(e.objects("commit"))) }},
		{"replace blob", 1, func(e *evolution) { e.try("replace", "-f", e.pick(e.objects("blob")), e.pick(e.objects("blob"))) }},
		{"unreplace", 3, func(e *evolution) {
			e.try("replace", "-d", strings.TrimPrefix(e.pick(e.refs("refs/replace")), "refs/replace/"))
		}},
		{"graft", 1, func(e *evolution) {
			line := e.pick(e.objects("commit")) + " " + e.pick(e.objects("commit")) + "\n"
			_ = os.WriteFile(filepath.Join(e.gitDir(), "info", "grafts"), []byte(line), 0o644)
		}},
		{"no graft", 1, func(e *evolution) { _ = os.Remove(filepath.Join(e.gitDir(), "info", "grafts")) }},
		{"worktree", 1, func(e *evolution) {
			dir := filepath.Join(e.t.TempDir(), "linked")
			if _, ok := e.try("worktree", "add", "-q", "-f", "--detach", dir, e.pick(e.objects("commit"))); ok {
				linked := *e
				linked.testRepo = e.in(dir)
				linked.commit()
				e.count = linked.count
			}
		}},
		{"worktree removed", 1, func(e *evolution) {
			if all, _ := filepath.Glob(filepath.Join(e.gitDir(), "worktrees", "*")); len(all) > 0 {
				_ = os.RemoveAll(e.pick(all))
			}
		}},
		{"submodule", 1, func(e *evolution) {
			e.try("update-index", "--add", "--cacheinfo", "160000,"+e.pick(e.objects(""))+",module")
			e.try("commit", "-q", "-m", "submodule")
		}},
		{"lose an object", 1, func(e *evolution) {
			if all := e.looseFiles(); len(all) > 0 {
				name := e.pick(all)
				data, _ := os.ReadFile(name)
				e.removed = append(e.removed, file{name, data})
				_ = os.Remove(name)
			}
		}},
		{"damage an object", 1, func(e *evolution) {
			if all := e.looseFiles(); len(all) > 0 {
				name := e.pick(all)
				data, _ := os.ReadFile(name)
				e.removed = append(e.removed, file{name, data})
				_ = os.Remove(name)
				_ = os.WriteFile(name, data[:len(data)/2], 0o444)
			}
		}},
		{"mend", 2, (*evolution).mend},
		{"mend again", 2, (*evolution).mend},
		{"mend at last", 2, (*evolution).mend},
		{"repository id", 1, func(e *evolution) { e.configure(fmt.Sprintf("repository_id = \"id-%d\"\n", e.rng.IntN(2))) }},
		{"no configuration", 1, func(e *evolution) { e.configure("") }},
		{"custom rule", 1, func(e *evolution) {
			public := e.pick([]string{"", "public = [\"id\"]\n"})
			e.configure("[[rule]]\nid = \"custom\"\ntitle = \"custom\"\nexpr = '''\\b(?P<id>faint)=(?P<secret>[a-z0-9]{24})\\b'''\nconfidence = \"medium\"\n" + public)
		}},
		{"ignore", 1, (*evolution).ignoreOne},
		{"pseudo reference", 1, func(e *evolution) {
			_ = os.WriteFile(filepath.Join(e.gitDir(), "FETCH_HEAD"), []byte(e.pick(e.objects("commit"))+"\t\tbranch 'x' of y\n"), 0o644)
		}},
	},
)

// unpack makes loose objects of a pack's.
func (e *evolution) unpack(keep bool) {
	for _, name := range e.packFiles() {
		data, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		base := strings.TrimSuffix(name, ".pack")
		away, _ := filepath.Glob(base + ".*")
		for _, f := range away {
			_ = os.Rename(f, filepath.Join(e.gitDir(), filepath.Base(f)))
		}
		e.tryInput(string(data), "unpack-objects", "-q")
		for _, f := range away {
			if keep {
				_ = os.Rename(filepath.Join(e.gitDir(), filepath.Base(f)), f)
			} else {
				_ = os.Remove(filepath.Join(e.gitDir(), filepath.Base(f)))
			}
		}
	}
}

// fetch takes over what another repository has done.
func (e *evolution) fetch() {
	other := *e
	other.testRepo = e.other
	for range 1 + e.rng.IntN(2) {
		other.commit()
	}
	e.count = other.count
	limit := e.pick([]string{"1", "1000"}) // packed or loose
	e.try("-c", "fetch.unpackLimit="+limit, "fetch", "-q", e.other.dir, "+refs/heads/*:refs/remotes/other/*")
}

// mend brings back what was lost or damaged.
func (e *evolution) mend() {
	for _, f := range e.removed {
		_ = os.Remove(f.path)
		_ = os.WriteFile(f.path, f.data, 0o444)
	}
	e.removed = nil
}

func (e *evolution) configure(text string) {
	_ = os.WriteFile(filepath.Join(e.dir, ".keywright.toml"), []byte(text), 0o644)
}

// ignoreOne writes the fingerprint of some finding into the ignore file.
func (e *evolution) ignoreOne() {
	rep, err := Run(e.t.Context(), Options{Path: e.dir, Builtin: e.rules, Level: scan.Medium})
	if err == nil && len(rep.Findings) > 0 {
		f := rep.Findings[e.rng.IntN(len(rep.Findings))]
		_ = os.WriteFile(filepath.Join(e.dir, ".keywrightignore"), []byte(f.Fingerprint+"\n"), 0o644)
	}
}
