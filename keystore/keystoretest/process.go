package keystoretest

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/keystore"
)

// Rerun is a command that runs the calling test alone in a copy of the test binary:
// with env added to the environment, and under another program if one is given with
// its arguments. By a variable in env the test knows that it is the copy. What the
// copy leaves running holds nobody up.
func Rerun(t *testing.T, env []string, under ...string) *exec.Cmd {
	parts := strings.Split(t.Name(), "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	args := append(under, os.Args[0], "-test.run="+strings.Join(parts, "/"), "-test.count=1", "-test.v")
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), args[0], args[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = time.Second
	return cmd
}

// sharedItem tells a copy which item all processes write.
const sharedItem = "KEYWRIGHT_TEST_SHARED_ITEM"

// Processes checks that several processes may use a store at once. It runs the
// calling test again in each, where everything before this call happens, too: env
// tells the copies which store to open. Call it as the last thing in a test.
func Processes(t *testing.T, env []string, open func(t *testing.T) keystore.Items) {
	if shared := os.Getenv(sharedItem); shared != "" {
		items := open(t)
		own := newName(t, items)
		write(t, items, shared, own)
		read(t, items, shared)
		return
	}
	items := open(t)
	shared := newName(t, items)
	put(t, items, shared, content(100))
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			out, err := Rerun(t, append(env, sharedItem+"="+shared)).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "--- PASS") {
				t.Errorf("a process failed: %v\n%s", err, out)
			}
		})
	}
	read(t, items, shared)
	all.Wait()
	read(t, items, shared)
}
