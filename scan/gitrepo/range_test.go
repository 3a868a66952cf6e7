package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// randomHistory makes branches and merges of random files, with dates that jump.
func (g *testRepo) randomHistory(seed uint64, commits int) []string {
	g.t.Helper()
	r := testRand(seed)
	g.commit("start", "1\n")
	branches := []string{"main"}
	for i := range commits {
		date := fmt.Sprintf("%d +0000", 1700000000+i*600+r.IntN(5000)-2500)
		env := []string{"GIT_AUTHOR_DATE=" + date, "GIT_COMMITTER_DATE=" + date}
		branch := branches[r.IntN(len(branches))]
		g.git("checkout", "-q", "-f", branch)
		switch other := branches[r.IntN(len(branches))]; {
		case r.IntN(5) == 0:
			name := fmt.Sprintf("b%d", i)
			g.git("checkout", "-q", "-b", name)
			branches = append(branches, name)
		case r.IntN(3) == 0 && other != branch:
			cmd := g.command(g.dir, env, "merge", "-q", "--no-edit", other)
			if cmd.Run() != nil {
				g.randomFiles(r)
				g.git("add", "-A")
				g.gitEnv(g.dir, env, "commit", "-q", "--allow-empty", "-m", "merge")
			}
			continue
		}
		g.randomFiles(r)
		g.git("add", "-A")
		g.gitEnv(g.dir, env, "commit", "-q", "--allow-empty", "-m", fmt.Sprint("commit ", i))
	}
	return branches
}

func ids(list []ID) []string {
	var all []string
	for _, id := range list {
		all = append(all, id.String())
	}
	return all
}

func TestRangeAgainstGit(t *testing.T) {
	ctx := context.Background()
	for seed := range uint64(3) {
		g := newTestRepo(t)
		branches := g.randomHistory(seed, 30)
		if seed == 1 {
			g.git("repack", "-adfq")
		}
		r := g.open()
		s := mustStore(t, r)
		for i, a := range branches {
			b := branches[(i+1)%len(branches)]
			for _, text := range []string{a + ".." + b, a + "..." + b} {
				rng, err := r.ParseRange(s, text)
				if err != nil {
					t.Fatal(err)
				}
				got, gaps, err := rng.Commits(ctx, s)
				if err != nil || len(gaps) != 0 {
					t.Fatal(gaps, err)
				}
				sameSet(t, text, ids(got), lines(g.git("rev-list", a+".."+b)))
				checkOrder(t, s, got)
			}
		}
		for _, hex := range lines(g.git("rev-list", "--all")) {
			checkChanges(t, g, s, hex)
		}
	}
}

// checkOrder makes sure that no parent comes before its child.
func checkOrder(t *testing.T, s *Store, list []ID) {
	t.Helper()
	for i, id := range list {
		c, err := s.Commit(id)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range c.Parents {
			if at := slices.Index(list, p); at >= 0 && at < i {
				t.Errorf("%s comes before its child %s", p, id)
			}
		}
	}
}

// checkChanges compares one commit with what git says against each parent: a file
// counts when it differs from all of them and is no rename from any.
func checkChanges(t *testing.T, g *testRepo, s *Store, hex string) {
	t.Helper()
	c, err := s.Commit(mustID(t, hex))
	if err != nil {
		t.Fatal(err)
	}
	changes, _, err := s.CommitChanges(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, ch := range changes {
		got = append(got, ch.Path+" "+ch.New.String())
	}
	parents := []string{emptyTree.String()}
	if len(c.Parents) > 0 {
		parents = ids(c.Parents)
	}
	count := map[string]int{}
	renamed := map[string]bool{}
	for _, p := range parents {
		out := g.git("diff-tree", "-r", "--raw", "-z", "--no-abbrev", "--no-renames", p, hex)
		all := rawDiff(out)
		kept := dropRenamed(out, all)
		for _, line := range all {
			f := strings.Fields(line)
			key := f[0] + " " + f[2]
			count[key]++
			if !slices.Contains(kept, line) {
				renamed[key] = true
			}
		}
	}
	var overReported []string
	for key, n := range count {
		if n != len(parents) {
			continue
		}
		if renamed[key] {
			overReported = append(overReported, key)
			continue
		}
		want = append(want, key)
	}
	if len(parents) > 1 { // a rename against one parent alone may be missed
		got = slices.DeleteFunc(got, func(s string) bool { return slices.Contains(overReported, s) })
	}
	sameSet(t, "changes of "+hex, got, want)
}

func TestRangeEmptyAndErrors(t *testing.T) {
	g := newTestRepo(t)
	g.commit("a", "1")
	g.commit("a", "2")
	r := g.open()
	s := mustStore(t, r)
	rng, err := r.ParseRange(s, "HEAD..")
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := rng.Commits(context.Background(), s); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
	var bad *RevisionError
	for _, text := range []string{"HEAD", "nothing..HEAD", "HEAD..nothing", "HEAD~9..HEAD"} {
		if _, err := r.ParseRange(s, text); !errors.As(err, &bad) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestRangeOctopusAndGraft(t *testing.T) {
	g := newTestRepo(t)
	base := g.commit("f", "1\n")
	for _, b := range []string{"x", "y", "z"} {
		g.git("checkout", "-q", "-b", b, base.String())
		g.commit(b, "1\n")
	}
	g.git("checkout", "-q", "main")
	g.git("merge", "-q", "--no-edit", "x", "y", "z")
	g.write("f", "evil\n")
	g.git("commit", "-q", "-a", "--amend", "--no-edit")
	r := g.open()
	s := mustStore(t, r)
	c, err := s.Commit(g.id("HEAD"))
	if err != nil {
		t.Fatal(err)
	}
	changes, _, err := s.CommitChanges(context.Background(), c)
	if err != nil || len(changes) != 1 || changes[0].Path != "f" || len(changes[0].Old) != 1 {
		t.Errorf("got %+v, %v", changes, err)
	}
	// A graft makes the merge an ordinary commit on top of x.
	writeFile(t, filepath.Join(g.dir, ".git/info/grafts"), g.id("HEAD").String()+" "+g.id("x").String()+"\n")
	r = g.open()
	s = mustStore(t, r)
	rng, err := r.ParseRange(s, base.String()+"..HEAD")
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := rng.Commits(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	sameSet(t, "grafted", ids(got), lines(g.git("rev-list", base.String()+"..HEAD")))
	if len(got) != 2 {
		t.Errorf("%d commits, want 2", len(got))
	}
}

func TestRangeReplace(t *testing.T) {
	g := newTestRepo(t)
	base := g.commit("f", "1\n")
	g.commit("f", "2\n")
	g.git("checkout", "-q", "-b", "other", base.String())
	other := g.commit("secret", "2\n")
	g.git("checkout", "-q", "main")
	g.git("replace", "main", "other")
	r := g.open()
	s := mustStore(t, r)
	rng, err := r.ParseRange(s, base.String()+"..main")
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := rng.Commits(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	sameSet(t, "replaced", ids(got), lines(g.git("rev-list", base.String()+"..main")))
	c, err := s.Commit(g.id("main"))
	if err != nil {
		t.Fatal(err)
	}
	o, err := s.Commit(other)
	if err != nil || c.Tree != o.Tree {
		t.Errorf("the replacement is not used: %v", err)
	}
	t.Setenv("GIT_NO_REPLACE_OBJECTS", "1")
	s = mustStore(t, g.open())
	if c, err = s.Commit(g.id("main")); err != nil || c.Tree == o.Tree {
		t.Errorf("the replacement is used: %v", err)
	}
}

func TestRangeShallow(t *testing.T) {
	g := newTestRepo(t)
	for i := range 6 {
		g.commit("f", fmt.Sprint(i))
	}
	old := g.id("HEAD~4")
	clone := filepath.Join(t.TempDir(), "clone")
	g.git("clone", "-q", "--depth", "3", "file://"+filepath.ToSlash(g.dir), clone)
	r := mustOpen(t, clone)
	s := mustStore(t, r)
	inside, err := r.ParseRange(s, "HEAD~2..HEAD")
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := inside.Commits(context.Background(), s); err != nil || len(got) != 2 {
		t.Errorf("inside the boundary: %v, %v", got, err)
	}
	for _, text := range []string{old.String() + "..HEAD", "HEAD~3..HEAD", "HEAD~2^..HEAD"} {
		_, err := r.ParseRange(s, text)
		var shallow *ShallowError
		if !errors.As(err, &shallow) || shallow.Hint() == "" {
			t.Errorf("%s: %v", text, err)
		}
	}
	// An unrelated A does not exclude the boundary.
	g.gitIn(clone, "checkout", "-q", "--orphan", "alone")
	g.gitIn(clone, "commit", "-q", "-m", "alone")
	rng, err := r.ParseRange(s, "alone..main")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := rng.Commits(context.Background(), s); !IsShallow(err) {
		t.Errorf("across the boundary: %v", err)
	}
	_, gaps, err := r.Since(context.Background(), s, []Root{{ID: g.id("HEAD")}}, time.Unix(0, 0))
	if err != nil || len(gaps) != 1 || gaps[0].Hint == "" {
		t.Errorf("since: %v, %v", gaps, err)
	}
}

func TestRangeMissingCommit(t *testing.T) {
	g := newTestRepo(t)
	for i := range 5 {
		g.commit("f", fmt.Sprint(i))
	}
	lost := g.id("HEAD~1")
	if err := os.Remove(LooseFile(filepath.Join(g.dir, ".git/objects"), lost)); err != nil {
		t.Fatal(err)
	}
	s := mustStore(t, g.open())
	w := Range{Text: "x", A: ID{}, B: g.id("HEAD")}
	got, gaps, err := w.Commits(context.Background(), s)
	if err != nil || len(got) != 1 || len(gaps) != 1 || !strings.Contains(gaps[0].What, lost.String()) {
		t.Errorf("got %v, %v, %v", got, gaps, err)
	}
}

func TestSinceAgainstGit(t *testing.T) {
	g := newTestRepo(t)
	g.randomHistory(9, 40)
	r := g.open()
	s := mustStore(t, r)
	roots, _, err := r.Roots(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	since := time.Unix(1700000000+20*600, 0)
	got, gaps, err := r.Since(context.Background(), s, roots, since)
	if err != nil || len(gaps) != 0 {
		t.Fatal(gaps, err)
	}
	var want []string
	for _, line := range lines(g.git("log", "--all", "--reflog", "--format=%H %ct")) {
		hex, secs, _ := strings.Cut(line, " ")
		if secs >= fmt.Sprint(since.Unix()) {
			want = append(want, hex)
		}
	}
	sameSet(t, "since", ids(got), want)
}
