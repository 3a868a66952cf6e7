package gitrepo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func (g *testRepo) stagedChanges() *Staged {
	g.t.Helper()
	r := g.open()
	st, err := r.Staged(context.Background(), mustStore(g.t, r))
	if err != nil {
		g.t.Fatal(err)
	}
	return st
}

// text writes changes as "path mode new old…".
func text(changes []Change) []string {
	var all []string
	for _, c := range changes {
		s := fmt.Sprintf("%s %06o %s", c.Path, c.Mode, c.New)
		for _, o := range c.Old {
			s += " " + o.String()
		}
		all = append(all, s)
	}
	return all
}

// rawDiff reads `--raw -z` output: the added and modified files.
func rawDiff(out string) []string {
	var all []string
	fields := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
	for i := 0; i+1 < len(fields); i += 2 {
		f := strings.Fields(strings.TrimPrefix(fields[i], ":"))
		path := fields[i+1]
		switch {
		case f[4][0] == 'R': // exact: nothing is added
			i++
			continue
		case f[4][0] == 'D' || f[1] == "160000" || f[2] == f[3]:
			continue
		}
		s := path + " " + f[1] + " " + f[3]
		if strings.Trim(f[2], "0") != "" && f[0] != "160000" {
			s += " " + f[2]
		}
		all = append(all, s)
	}
	return all
}

// dropRenamed leaves out the additions whose blob some deletion had: git pairs
// each deletion with one addition, and we need no pairs.
func dropRenamed(out string, changes []string) []string {
	gone := map[string]bool{}
	fields := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
	for i := 0; i+1 < len(fields); i += 2 {
		if f := strings.Fields(fields[i]); f[4] == "D" {
			gone[f[2]] = true
		}
	}
	var kept []string
	for _, c := range changes {
		tail := strings.Fields(c[strings.LastIndexByte(c[:len(c)-41], ' '):])
		isAdd := strings.Count(c, " ") == 2
		if !isAdd || !gone[tail[len(tail)-1]] {
			kept = append(kept, c)
		}
	}
	return kept
}

func TestStagedAgainstGit(t *testing.T) {
	g := newTestRepo(t)
	r := testRand(7)
	check := func(what string) {
		t.Helper()
		tree := "HEAD"
		if g.command(g.dir, nil, "rev-parse", "-q", "--verify", "HEAD").Run() != nil {
			tree = emptyTree.String()
		}
		out := g.git("diff-index", "--cached", "--raw", "-z", "--no-abbrev", "--no-renames", tree)
		want := dropRenamed(out, rawDiff(out))
		sameSet(t, what, text(g.stagedChanges().Changes), want)
	}
	check("nothing at all")
	for round := range 40 {
		g.randomFiles(r)
		g.git("add", "-A")
		check(fmt.Sprint("round ", round))
		switch round % 5 {
		case 0:
			g.git("commit", "-q", "--allow-empty", "-m", "x")
		case 1:
			g.git("write-tree") // makes the index know its trees
		case 2:
			g.git("read-tree", "HEAD")
			check("read-tree")
		}
	}
}

func TestStagedMerge(t *testing.T) {
	g := newTestRepo(t)
	g.conflict()
	st := g.stagedChanges()
	if len(st.Parents) != 2 {
		t.Fatalf("parents %v", st.Parents)
	}
	// Only the common base of "both" is new against both sides.
	if len(st.Changes) != 1 || st.Changes[0].Path != "both" || st.Changes[0].Stage != 1 || len(st.Changes[0].Old) != 2 {
		t.Errorf("in conflict: %+v", st.Changes)
	}
	g.write("both", "main\nside\nevil\n", "added", "side\n")
	g.git("add", "-A")
	st = g.stagedChanges()
	if len(st.Changes) != 1 || st.Changes[0].Path != "both" || len(st.Changes[0].Old) != 2 {
		t.Fatalf("resolved: %+v", st.Changes)
	}
	s := mustStore(t, g.open())
	var old [][]byte
	for _, id := range st.Changes[0].Old {
		_, data, err := s.Object(id)
		if err != nil {
			t.Fatal(err)
		}
		old = append(old, data)
	}
	_, data, err := s.Object(st.Changes[0].New)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(AddedLines(old, data)); got != "[{3 3}]" {
		t.Errorf("added lines %s", got)
	}
}

func TestStagedSpecial(t *testing.T) {
	g := newTestRepo(t)
	g.commit("in/a", "1", "out/a", "1", "out/b/c", "1", "top", "1")
	sub := newTestRepo(t)
	sub.commit("s", "1")
	g.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", sub.dir, "sub")
	g.write("later", "x")
	g.git("add", "-N", "later")
	st := g.stagedChanges()
	if st.Gitlinks != 1 || len(st.Changes) != 1 || st.Changes[0].Path != ".gitmodules" {
		t.Errorf("got %+v", st)
	}
	g.git("rm", "-q", "--cached", "later")
	g.commit()
	g.git("sparse-checkout", "init", "--cone", "--sparse-index")
	g.git("sparse-checkout", "set", "in")
	if st := g.stagedChanges(); len(st.Changes) != 0 || st.Gitlinks != 0 {
		t.Errorf("sparse: %+v", st)
	}
	g.git("reset", "-q", "--soft", "HEAD~1")
	g.git("-c", "advice.updateSparsePath=false", "commit", "-q", "--amend", "--allow-empty", "-m", "x", "--no-edit")
	if st := g.stagedChanges(); len(st.Changes) != 0 {
		t.Errorf("sparse: %+v", st)
	}
}

func TestStagedHookEnvironment(t *testing.T) {
	g := newTestRepo(t)
	g.commit("a", "1\n")
	g.write("a", "2\n")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	hook := filepath.Join(g.dir, ".git/hooks/pre-commit")
	writeFile(t, hook, "#!/bin/sh\nKEYWRIGHT_HOOK=1 exec '"+exe+"' -test.run=TestInsideHook -test.v >out 2>&1\n")
	if err := os.Chmod(hook, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := g.command(g.dir, nil, "commit", "-q", "-m", "x", "a").Run(); err != nil {
		out, _ := os.ReadFile(filepath.Join(g.dir, "out"))
		t.Fatalf("%v\n%s", err, out)
	}
	out, _ := os.ReadFile(filepath.Join(g.dir, "out"))
	if !strings.Contains(string(out), "staged: a") {
		t.Errorf("got %s", out)
	}
}

// TestInsideHook is run by git as a hook of TestStagedHookEnvironment, with the
// temporary index of `git commit PATH`.
func TestInsideHook(t *testing.T) {
	if os.Getenv("KEYWRIGHT_HOOK") == "" {
		t.Skip("runs inside a hook")
	}
	r := mustOpen(t, ".")
	st, err := r.Staged(context.Background(), mustStore(t, r))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range st.Changes {
		t.Logf("staged: %s", c.Path)
	}
}
