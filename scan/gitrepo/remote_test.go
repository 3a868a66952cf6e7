package gitrepo

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// TestOnRemoteAgainstGit compares with git branch -r --contains, in histories with merges.
func TestOnRemoteAgainstGit(t *testing.T) {
	for seed := range uint64(4) {
		g := newTestRepo(t)
		g.randomHistory(seed, 30)
		all := lines(g.git("rev-list", "--all"))
		check := func(what string) (pushed int) {
			t.Helper()
			r := g.open()
			got, err := r.OnRemote(t.Context(), all)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range all {
				want := g.git("branch", "-r", "--contains", id) != ""
				one, err := r.OnRemote(t.Context(), []string{id})
				if err != nil || got[id] != want || one[id] != want {
					t.Fatalf("seed %d, %s, %s: %v among all, %v alone (%v), want %v", seed, what, id, got[id], one[id], err, want)
				}
				if want {
					pushed++
				}
			}
			return pushed
		}
		if n := check("no remote"); n != 0 {
			t.Errorf("%d commits are on a remote and there is none", n)
		}
		rand := testRand(seed)
		g.git("update-ref", "refs/remotes/origin/main", all[rand.IntN(len(all))])
		g.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
		check("one branch")
		g.git("update-ref", "refs/remotes/fork/x/y", all[rand.IntN(len(all))])
		g.git("tag", "-f", "v1", all[0]) // a tag is no branch of a remote
		g.git("pack-refs", "--all")
		check("two branches, packed")
		g.git("update-ref", "-d", "refs/remotes/origin/main")
		check("a branch is gone")
	}
}

// TestOnRemoteBounds: a shallow boundary, a branch of what is not there, a remote of which
// nothing can be read, and an end that is asked for.
func TestOnRemoteBounds(t *testing.T) {
	g := newTestRepo(t)
	first := g.commit("a", "1")
	second := g.commit("a", "2")
	g.git("update-ref", "refs/remotes/origin/main", second.String())
	writeFile(t, g.dir+"/.git/refs/remotes/origin/lost", strings.Repeat("1", 40)+"\n")
	writeFile(t, g.dir+"/.git/refs/remotes/origin/odd", "what\n")
	g.git("replace", "--graft", second.String()) // here alone it has no parents
	third := g.commit("a", "3")
	r := g.open()
	got, err := r.OnRemote(t.Context(), []string{first.String(), second.String(), third.String(), "", "no id"})
	if err != nil || !got[first.String()] || !got[second.String()] || len(got) != 2 {
		t.Errorf("%v, %v", got, err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.OnRemote(done, []string{first.String()}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
