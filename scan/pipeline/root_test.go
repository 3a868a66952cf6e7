package pipeline

import (
	"fmt"
	"testing"

	"github.com/keywright/keywright/scan"
)

// TestFirstCommitRemembered compares the fingerprints of scans that remember where
// the line of first parents begins with those of scans that do not.
func TestFirstCommitRemembered(t *testing.T) {
	g := newTestRepo(t)
	g.write(file{"a", []byte("strong=0123456789abcdefghijklmn\n")})
	made := 0
	commit := func(n int) {
		t.Helper()
		for range n {
			made++
			g.git("commit", "-q", "--allow-empty", "-m", fmt.Sprint(made))
		}
	}
	cache := t.TempDir()
	fingerprint := func(cache string) string {
		t.Helper()
		o := Options{Path: g.dir, Mode: NoHistory, Builtin: leveledRules(), Level: scan.Medium, CacheDir: cache}
		r := mustRun(t, o)
		if len(r.Findings) != 1 {
			t.Fatalf("%d findings", len(r.Findings))
		}
		return fmt.Sprint(r.Findings[0].Fingerprint, r.LocalScope)
	}
	same := func(what string) string {
		t.Helper()
		want := fingerprint("")
		for range 2 {
			if got := fingerprint(cache); got != want {
				t.Errorf("%s: %s, want %s", what, got, want)
			}
		}
		return want
	}
	same("no commit")
	commit(1)
	first := same("one commit")
	commit(2)
	root := g.git("rev-list", "--max-parents=0", "HEAD")
	if again := same("three commits"); again != first {
		t.Errorf("%s after two more commits, was %s", again, first)
	}
	g.git("checkout", "-q", "--orphan", "other")
	commit(1)
	if other := same("another root"); other == first {
		t.Error("two roots, one fingerprint")
	}
	g.git("checkout", "-q", "main")
	if again := same("back"); again != first {
		t.Errorf("%s on the first branch, was %s", again, first)
	}
	g.git("replace", "--graft", g.git("rev-parse", "HEAD~1"), "other")
	if bent := same("replaced"); bent == first {
		t.Error("a replaced parent leads to the same root")
	}
	g.git("replace", "-d", g.git("rev-parse", "HEAD~1"))
	g.write(file{".git/shallow", []byte(root + "\n")})
	same("shallow")
}
