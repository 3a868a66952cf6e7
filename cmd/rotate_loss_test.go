package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keywright/keywright/internal/durable/durabletest"
)

// TestPowerLossInRotation loses power at the moments of a rotation, with the files that
// get the new secret on the same disk. Then it is resumed, or taken back: the store and
// every file hold the same secret, and nothing is left open.
func TestPowerLossInRotation(t *testing.T) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			l := newCrashLab(t, b.outside)
			root := l.newRoot(nil) // where what is left is put, too: consumers are named by their paths
			keptIn(t, root)
			env, config := filepath.Join(root, "app.env"), filepath.Join(root, "app.json")
			const first = "0123456789abcdef0123456789abcdef"
			for path, text := range map[string]string{env: "# mine\nKEY=" + first + "\n", config: `{"auth": {"key": "` + first + `"}, "x": 1}` + "\n"} {
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			r, err := durabletest.NewRecorder(root)
			if err != nil {
				t.Fatal(err)
			}
			i := items{r, map[string]string{}}
			do := func(stdin string, args ...string) {
				t.Helper()
				scr := l.screen(r, i, stdin)
				if code := run(t.Context(), &scr.terminal, args); code != exitOK {
					t.Fatalf("%v: exit %d\n%s", args, code, scr.stderr.String())
				}
			}
			do(first, "set", "dev/KEY", "--provider", "local", "--consumer", "env:"+env+",KEY", "--consumer", "json:"+config+",value=auth.key")
			begin := r.Len()
			do("", "rotate", "dev/KEY")
			count, moment, sites := 0, 0, 0
			for n := begin; n <= r.Len(); n++ {
				for way := range uint64(6) {
					if moment++; moment%every(97) != 0 {
						continue
					}
					after := [...]string{"resume", "abort"}[count%2]
					if err := l.goesOn(root, r.Lose(n, way, ""), itemsAt(r, n), after, env, config); err != nil {
						t.Fatalf("power lost at %d of %d in way %d, then %s: %v", n-begin, r.Len()-begin, way, after, err)
					}
					count++
				}
			}
			t.Logf("%d of %d losses of power", count, moment)
			if count < 5 {
				t.Error("the test does not test it")
			}
			if !b.outside {
				return
			}
			for _, site := range r.Sites() {
				if !strings.HasSuffix(string(site), filepath.Base(env)) && !strings.HasSuffix(string(site), filepath.Base(config)) {
					continue
				}
				missed := false
				for n := begin; n <= r.Len() && !missed; n++ {
					missed = l.goesOn(root, r.Lose(n, durabletest.Nothing, site), itemsAt(r, n), "resume", env, config) != nil
				}
				if !missed {
					t.Errorf("without %s nothing is missed", site)
				}
				sites++
			}
			if sites < 2 {
				t.Errorf("only %d calls make the files last", sites)
			}
		})
	}
}

// goesOn puts what a loss of power left in place, and goes on with the rotation.
func (l *crashLab) goesOn(root string, left durabletest.Tree, i items, after, env, config string) error {
	entries, err := os.ReadDir(root)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(root, e.Name())); err != nil {
			return err
		}
	}
	if err := left.Write(root); err != nil {
		return err
	}
	scr := l.screen(durabletest.Unsynced{}, i, "")
	if code := run(l.t.Context(), &scr.terminal, []string{"rotate", after}); code != exitOK {
		return fmt.Errorf("exit %d\n%s%s", code, scr.stdout.String(), scr.stderr.String())
	}
	scr = l.screen(durabletest.Unsynced{}, i, "")
	keys, err := openKeys(&scr.terminal, mayAsk)
	if err != nil {
		return err
	}
	return sameEverywhere(l.t, keys, env, config)
}
