package cmd

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/audit"
	"github.com/keywright/keywright/internal/durable/durabletest"
	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/keystore/keystoretest"
)

// TestPowerLossInBeginAnew loses power while something is given up: what was in order
// stays, and it can be given up again.
func TestPowerLossInBeginAnew(t *testing.T) {
	home := homeIn("")
	for name, lost := range map[string]struct {
		files []string
		keys  bool // are still there
		cites bool // the new log cites the old one
	}{
		"metadata": {[]string{"metadata"}, false, false},
		"log":      {[]string{filepath.Join("audit", "entries")}, true, true},
		"all":      {[]string{"metadata", "audit", filepath.Join("audit", "entries"), filepath.Join("audit", "hashes")}, false, true},
	} {
		for _, b := range backends {
			t.Run(name+" "+b.name, func(t *testing.T) {
				l := newCrashLab(t, b.outside)
				s := l.tell()
				at := s.steps[0].end
				first, tree := itemsAt(s.disk, at), s.disk.Lose(at, durabletest.All, "")
				for _, file := range lost.files {
					delete(tree, filepath.Join(home, file))
				}
				root := l.newRoot(tree)
				r, err := durabletest.NewRecorder(root)
				if err != nil {
					t.Fatal(err)
				}
				begin := r.Len()
				keptIn(t, root)
				scr := l.screen(r, items{r, maps.Clone(first.held)}, "")
				if code := run(t.Context(), &scr.terminal, []string{"doctor", "--begin-anew", "--yes"}); code != exitOK {
					t.Fatalf("exit %d\n%s", code, scr.stderr.String())
				}
				count, step := 0, every(23)
				for i := 0; i < 6*(r.Len()-begin+1); i += step {
					n, way := begin+i/6, uint64(i%6)
					again := l.newRoot(r.Lose(n, way, ""))
					if err := l.begunAnew(again, first.and(r.Notes(n)), s.steps[0], lost.keys, lost.cites); err != nil {
						t.Errorf("power lost at %d of %d in way %d: %v", n-begin, r.Len()-begin, way, err)
					}
					os.RemoveAll(again)
					count++
				}
				t.Logf("%d of %d losses of power", count, 6*(r.Len()-begin+1))
			})
		}
	}
}

// begunAnew begins anew, perhaps once more, and wants all to be well.
func (l *crashLab) begunAnew(root string, i items, s step, kept, cites bool) error {
	keptIn(l.t, root)
	want := holdings{}
	if kept {
		want = s.after
	}
	scr := l.screen(durabletest.Unsynced{}, i, "")
	if code := run(l.t.Context(), &scr.terminal, []string{"doctor", "--begin-anew", "--yes"}); code != exitOK {
		return fmt.Errorf("again: exit %d\n%s", code, scr.stderr.String())
	}
	keys, err := openKeys(&scr.terminal, mayAsk)
	if err != nil {
		return err
	}
	got, err := keys.holdings(l.t.Context())
	if err != nil {
		return err
	}
	if !maps.Equal(got, want) {
		return fmt.Errorf("there is %v, not %v", got, want)
	}
	recorded, cited := false, false
	for e, err := range keys.log.Entries(l.t.Context(), audit.Filter{}) {
		if err != nil {
			return err
		}
		recorded = recorded || e.Verb == "begin-anew"
		cited = cited || strings.HasPrefix(e.Follows, "keywright-audit-")
	}
	if !recorded || cited != cites {
		return fmt.Errorf("recorded: %v, the old log is cited: %v", recorded, cited)
	}
	return l.recover(i, got)
}

// Another directory on the same keychain is refused until it takes the keychain over.
func TestSecondDirectory(t *testing.T) {
	dir, there := useKeychain(t)
	if !there {
		return
	}
	ends := func(want int, v verb) string {
		t.Helper()
		scr := newScreen()
		scr.in = strings.NewReader(v.stdin)
		if code := run(t.Context(), &scr.terminal, v.args); code != want {
			t.Errorf("%v: exit %d, want %d\n%s", v.args, code, want, scr.stderr.String())
		}
		return scr.stderr.String()
	}
	ends(exitOK, setting("prod/A", "first").verb)
	t.Setenv(envHome, filepath.Join(dir, "second"))
	if said := ends(exitFailed, setting("prod/A", "second").verb); !strings.Contains(said, "--begin-anew") {
		t.Errorf("refused without a way on: %s", said)
	}
	ends(exitOK, verb{args: []string{"doctor", "--begin-anew", "--yes"}})
	ends(exitOK, setting("prod/A", "second").verb)
	if got, err := openReal(t).holdings(t.Context()); err != nil || got["prod/A"].current != "second" {
		t.Errorf("%v, %v", got, err)
	}
	if err := content(t, openReal(t)); err != nil {
		t.Error(err)
	}
	t.Setenv(envHome, filepath.Join(dir, "home"))
	if _, err := openReal(t).holdings(t.Context()); err == nil {
		t.Error("the first directory is not given up")
	}
}

// That a clock was set back is said where the log is verified, and is no fault.
func TestClockWasSetBack(t *testing.T) {
	m := keystoretest.NewMemory()
	keptIn(t, t.TempDir())
	tell := func(want int, args ...string) string {
		t.Helper()
		scr := on(durabletest.Unsynced{}, "value")
		scr.items = func(string, asking) (keystore.Items, error) { return m, nil }
		if code := run(t.Context(), &scr.terminal, args); code != want {
			t.Fatalf("%v: exit %d, want %d\n%s", args, code, want, scr.stderr.String())
		}
		return scr.stdout.String()
	}
	tell(exitOK, "set", "dev/A")
	if said := tell(exitOK, "audit", "verify"); said != "1 entry, all as written\n" {
		t.Errorf("verify says %q", said)
	}
	scr := on(durabletest.Unsynced{}, "")
	scr.items = func(string, asking) (keystore.Items, error) { return m, nil }
	keys, err := openKeys(&scr.terminal, mayAsk)
	if err != nil {
		t.Fatal(err)
	}
	e := entryFor("get", audit.Granted, keystore.Name{Env: "dev", Key: "A"})
	e.Time = time.Now().Add(-48 * time.Hour)
	if _, err := keys.log.Append(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	tell(exitOK, "get", "dev/A")
	for _, args := range [][]string{{"audit", "verify"}, {"doctor"}} {
		if said := tell(exitOK, args...); !strings.Contains(said, "entry 1 is 48h0m") || !strings.Contains(said, "the clock was set back") {
			t.Errorf("%v says %q", args, said)
		}
	}
}
