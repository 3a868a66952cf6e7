package pipeline

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/scan"
)

// TestCleanFiles changes files in ways that leave their sizes and times as they were,
// and compares scans that remember clean files with those that do not.
func TestCleanFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the system keeps no time of the last change that programs cannot set")
	}
	const clean, leak = "nothing=0123456789abcdefghijklmn\n", "strong=0123456789abcdefghijklmn \n"
	if len(clean) != len(leak) {
		t.Fatal("the two contents have different sizes")
	}
	g := newTestRepo(t)
	for _, name := range []string{"a", "b", "c", "d/f", "untracked"} {
		g.write(file{name, []byte(clean)})
	}
	g.write(file{"leak", []byte(leak)}, file{"large", []byte(strings.Repeat("x\n", 17<<20))},
		file{"large-leak", []byte(leak + strings.Repeat("y\n", 17<<20))})
	g.git("add", "--all", ":!untracked")
	g.git("commit", "-qm", "all")
	cache := t.TempDir()
	scanned := func(what string) {
		t.Helper()
		options := Options{Path: g.dir, Mode: NoHistory, Builtin: leveledRules(), Level: scan.Low}
		want := asJSON(t, options)
		options.CacheDir = cache
		for range 2 {
			if got := asJSON(t, options); !bytes.Equal(got, want) {
				t.Errorf("%s: not as without a cache:\n%s", what, lineDiff(want, got))
			}
		}
	}
	remembered := func() int {
		t.Helper()
		r := newRun(Options{Path: g.dir, Mode: NoHistory, Builtin: leveledRules(), CacheDir: cache})
		if err := r.prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer r.store.Close()
		return len(r.recallClean().before)
	}

	scanned("all files are new")
	written := time.Now() // later than they were
	for _, name := range []string{"a", "b", "c", "d/f", "untracked", "large", "large-leak", "leak"} {
		path := filepath.Join(g.dir, name)
		if err := os.Chmod(path, 0o600); err != nil { // a change, for the system
			t.Fatal(err)
		}
	}
	scanned("changed a moment ago")
	if n := remembered(); n != 0 && time.Since(written) < 2*time.Second {
		t.Errorf("%d files are remembered that may still change unseen", n)
	}
	time.Sleep(2100 * time.Millisecond) // longer than a file settles
	scanned("settled")
	if n := remembered(); n != 6 {
		t.Errorf("%d files are remembered, want 6", n)
	}

	// Each of these is seen by the time of the last change, or by which file it is.
	old := stat(t, filepath.Join(g.dir, "a")).ModTime()
	for _, name := range []string{"a", "d/f", "untracked"} {
		path := filepath.Join(g.dir, name)
		if err := os.WriteFile(path, []byte(leak), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	scanned("written, with the old times")
	for from, to := range map[string]string{"leak": "b", "c": "leak"} {
		if err := os.Rename(filepath.Join(g.dir, from), filepath.Join(g.dir, to)); err != nil {
			t.Fatal(err)
		}
	}
	scanned("renamed over one another")

	rules := leveledRules()
	rules[0].Expr = strings.ReplaceAll(rules[0].Expr, "strong=", "nothing=")
	for _, dir := range []string{cache, ""} {
		r := mustRun(t, Options{Path: g.dir, Mode: NoHistory, Builtin: rules, Level: scan.Low, CacheDir: dir})
		if len(r.Findings) != 1 {
			t.Errorf("other rules, cache %q: %d findings, want 1", dir, len(r.Findings))
		}
	}
}

func stat(t *testing.T, path string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}
