package gitrepo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keywright/keywright/scan/packfile"
)

func TestRoots(t *testing.T) {
	g := newTestRepo(t)
	first := g.commit("a", "1")
	g.commit("a", "2")
	amended := g.id("HEAD")
	g.write("a", "3")
	g.git("commit", "-q", "-a", "--amend", "-m", "x")
	g.git("tag", "-a", "-m", "x", "v1")
	g.git("notes", "add", "-m", "note")
	g.write("a", "stashed")
	g.git("stash", "-q")
	stash := g.id("stash")
	g.write("a", "stashed again")
	g.git("stash", "-q")
	g.git("update-ref", "refs/pull/7/head", first.String())
	g.git("update-ref", "refs/remotes/origin/x", first.String())
	g.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/x")
	g.git("pack-refs", "--all")
	g.git("checkout", "-q", "-b", "late")
	late := g.commit("late", "1")
	linked := filepath.Join(filepath.Dir(g.dir), "linked")
	g.git("worktree", "add", "-q", "--detach", linked, "HEAD~1")
	writeFile(t, filepath.Join(linked, "only-staged"), "staged in the linked work tree")
	g.gitIn(linked, "add", "-A")
	g.gitIn(linked, "update-ref", "refs/worktree/mine", first.String())
	g.gitIn(linked, "commit", "-q", "-m", "detached")
	detached := mustID(t, g.gitIn(linked, "rev-parse", "HEAD"))
	g.git("replace", first.String(), late.String())
	writeFile(t, filepath.Join(g.dir, ".git/info/grafts"), "# comment\n"+late.String()+" "+first.String()+"\n")
	writeFile(t, filepath.Join(g.dir, ".git/CHERRY_PICK_HEAD"), first.String()+"\n")
	writeFile(t, filepath.Join(g.dir, ".git/FETCH_HEAD"), first.String()+"\t\tbranch 'x' of y\n"+late.String()+"\tnot-for-merge\tz\n")
	os.Remove(filepath.Join(g.dir, ".git/refs/heads/garbage.lock"))
	writeFile(t, filepath.Join(g.dir, ".git/refs/heads/broken"), "\x00\x00\n")
	writeFile(t, filepath.Join(g.dir, ".git/refs/heads/x.lock"), "")
	reflog, err := os.OpenFile(filepath.Join(g.dir, ".git/logs/HEAD"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(reflog, "not a line of a reflog")
	reflog.Close()

	r := g.open()
	roots, gaps, err := r.Roots(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	has := func(kind RootKind, name, worktree string, id ID) {
		t.Helper()
		for _, root := range roots {
			if root.Kind == kind && root.Name == name && root.Worktree == worktree && root.ID == id {
				return
			}
		}
		t.Errorf("no root %s %s %q %s", kind, name, worktree, id)
	}
	has(RootRef, "refs/heads/main", "", g.id("main"))
	has(RootRef, "refs/heads/late", "", late)
	has(RootRef, "refs/tags/v1", "", g.id("v1"))
	has(RootRef, "refs/stash", "", g.id("stash"))
	has(RootRef, "refs/notes/commits", "", g.id("refs/notes/commits"))
	has(RootRef, "refs/pull/7/head", "", first)
	has(RootRef, "refs/remotes/origin/x", "", first)
	has(RootReplace, "refs/replace/"+first.String(), "", late)
	has(RootRef, "refs/worktree/mine", "linked", first)
	has(RootHead, "HEAD", "", late)
	has(RootHead, "HEAD", "linked", detached)
	has(RootReflog, "HEAD", "", amended)
	has(RootReflog, "refs/heads/main", "", amended)
	has(RootReflog, "refs/stash", "", stash)
	has(RootReflog, "HEAD", "linked", detached)
	has(RootPseudo, "CHERRY_PICK_HEAD", "", first)
	has(RootPseudo, "FETCH_HEAD", "", first)
	has(RootPseudo, "FETCH_HEAD", "", late)
	has(RootGraft, late.String(), "", first)
	has(RootIndex, "late", "", g.id("late:late"))
	has(RootIndex, "only-staged", "linked", objectID(packfile.Blob, []byte("staged in the linked work tree")))
	for _, root := range roots {
		if root.ID.IsZero() {
			t.Errorf("%+v", root)
		}
	}
	var what []string
	for _, gap := range gaps {
		what = append(what, gap.What)
	}
	sameSet(t, "gaps", what, []string{"reference refs/heads/broken", filepath.Join(r.CommonDir, "logs/HEAD")})

	tips, err := r.Tips()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tip := range tips {
		names = append(names, strings.TrimSpace(tip.Name+" "+tip.Worktree)+" "+tip.ID.String())
	}
	sameSet(t, "tips", names, []string{"refs/heads/main " + g.id("main").String(), "refs/heads/late " + late.String(),
		"refs/remotes/origin/x " + first.String(), "HEAD linked " + detached.String()})
	if len(roots) != len(mustRoots(t, r)) {
		t.Error("the roots differ from run to run")
	}
}

func mustRoots(t *testing.T, r *Repo) []Root {
	t.Helper()
	roots, _, err := r.Roots(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return roots
}

func TestRootsOfNothing(t *testing.T) {
	g := newTestRepo(t, "--bare")
	roots, gaps, err := g.open().Roots(context.Background())
	if err != nil || len(roots) != 0 || len(gaps) != 0 {
		t.Errorf("got %v, %v, %v", roots, gaps, err)
	}
}

func TestRootsDamagedIndex(t *testing.T) {
	g := newTestRepo(t)
	g.commit("a", "1")
	writeFile(t, filepath.Join(g.dir, ".git/index"), "DIRC and no more than that, to be sure")
	_, gaps, err := g.open().Roots(context.Background())
	if err != nil || len(gaps) != 1 || gaps[0].What != filepath.Join(g.dir, ".git/index") {
		t.Errorf("got %v, %v", gaps, err)
	}
}
