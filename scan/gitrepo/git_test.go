package gitrepo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
)

// testRepo is a repository that real git makes.
type testRepo struct {
	t    testing.TB
	dir  string
	tick int // seconds since the first commit
}

func newTestRepo(t testing.TB, args ...string) *testRepo {
	t.Helper()
	isolate(t)
	g := &testRepo{t: t, dir: filepath.Join(t.TempDir(), "repo")}
	g.gitIn(filepath.Dir(g.dir), append([]string{"init", "-q", "-b", "main", g.dir}, args...)...)
	return g
}

// isolate keeps the machine's configuration out, from git and from the code.
func isolate(t testing.TB) {
	if t, ok := t.(*testing.T); ok {
		t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
		t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
		t.Setenv("XDG_CONFIG_HOME", t.TempDir())
		for _, name := range []string{"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES"} {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
}

func (g *testRepo) gitIn(dir string, args ...string) string {
	g.t.Helper()
	g.tick++
	date := fmt.Sprintf("%d +0200", 1700000000+g.tick*60)
	return g.gitEnv(dir, []string{"GIT_AUTHOR_DATE=" + date, "GIT_COMMITTER_DATE=" + date}, args...)
}

func (g *testRepo) gitEnv(dir string, env []string, args ...string) string {
	g.t.Helper()
	out, err := g.command(dir, env, args...).Output()
	if err != nil {
		stderr := ""
		if e, ok := err.(*exec.ExitError); ok {
			stderr = string(e.Stderr)
		}
		g.t.Fatalf("git %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr)
	}
	return strings.TrimSuffix(string(out), "\n")
}

func (g *testRepo) command(dir string, env []string, args ...string) *exec.Cmd {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull,
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.org",
		"GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.org")
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

func (g *testRepo) git(args ...string) string {
	g.t.Helper()
	return g.gitIn(g.dir, args...)
}

// write makes files: name and content in turn.
func (g *testRepo) write(pairs ...string) {
	g.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		writeFile(g.t, filepath.Join(g.dir, filepath.FromSlash(pairs[i])), pairs[i+1])
	}
}

func writeFile(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// commit writes files, adds everything and commits.
func (g *testRepo) commit(pairs ...string) ID {
	g.t.Helper()
	g.write(pairs...)
	g.git("add", "-A")
	g.git("commit", "-q", "--allow-empty", "-m", "a commit")
	return g.id("HEAD")
}

func (g *testRepo) id(rev string) ID {
	g.t.Helper()
	return mustID(g.t, g.git("rev-parse", "--verify", rev))
}

func mustID(t testing.TB, s string) ID {
	t.Helper()
	var id ID
	if !decodeID([]byte(s), &id) {
		t.Fatalf("not an id: %q", s)
	}
	return id
}

func (g *testRepo) open() *Repo { g.t.Helper(); return mustOpen(g.t, g.dir) }

func mustOpen(t testing.TB, dir string) *Repo {
	t.Helper()
	r, err := Open(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustStore(t testing.TB, r *Repo) *Store {
	t.Helper()
	s, err := r.Store()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func lines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}

// sameSet compares two lists, order and repetition apart.
func sameSet(t testing.TB, what string, got, want []string) {
	t.Helper()
	clean := func(list []string) []string {
		list = slices.Clone(list)
		sort.Strings(list)
		return slices.Compact(list)
	}
	got, want = clean(got), clean(want)
	for _, s := range got {
		if _, ok := slices.BinarySearch(want, s); !ok {
			t.Errorf("%s: unexpected %q", what, s)
		}
	}
	for _, s := range want {
		if _, ok := slices.BinarySearch(got, s); !ok {
			t.Errorf("%s: missing %q", what, s)
		}
	}
}

// testRand is a source of random numbers, the same for the same seed.
func testRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// randomFiles changes some files of a small set of paths.
func (g *testRepo) randomFiles(r *rand.Rand) {
	g.t.Helper()
	dirs := []string{"", "a/", "a/b/", "a.b/", "a-/", "c/d/e/", "f/"}
	for range 1 + r.IntN(4) {
		path := dirs[r.IntN(len(dirs))] + string(rune('p'+r.IntN(6)))
		full := filepath.Join(g.dir, filepath.FromSlash(path))
		switch r.IntN(6) {
		case 0:
			os.RemoveAll(full)
		case 1: // rename
			to := dirs[r.IntN(len(dirs))] + string(rune('p'+r.IntN(6)))
			os.MkdirAll(filepath.Dir(filepath.Join(g.dir, to)), 0o755)
			os.Rename(full, filepath.Join(g.dir, to))
		default:
			var text strings.Builder
			for range r.IntN(12) {
				fmt.Fprintf(&text, "line %d\n", r.IntN(30))
			}
			writeFile(g.t, full, text.String())
		}
	}
}
