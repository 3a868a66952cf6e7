package cmd

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/keystore/keystoretest"
	"github.com/keywright/keywright/secret"
)

const plantedValue = "Qx7vT-2mWz9LkP"

// plant stores a key in memory, and returns that and a file that holds its value.
func plant(t *testing.T) (m *keystoretest.Memory, file string) {
	t.Helper()
	t.Setenv(envHome, t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	m = keystoretest.NewMemory()
	scr := newScreen()
	scr.items = inMemory(m)
	scr.in = strings.NewReader(plantedValue)
	if code := run(t.Context(), &scr.terminal, []string{"set", "prod/BOT"}); code != exitOK {
		t.Fatal(scr.stderr.String())
	}
	file = filepath.Join(t.TempDir(), "a.txt")
	if err := os.WriteFile(file, []byte("note: "+plantedValue+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return m, file
}

func inMemory(m keystore.Items) func(string, asking) (keystore.Items, error) {
	return func(string, asking) (keystore.Items, error) { return m, nil }
}

// deaf is a backend that answers when its channel is closed, whatever the context says.
type deaf struct {
	keystore.Items
	until chan struct{}
}

func (d deaf) Get(ctx context.Context, name string) (secret.Value, error) {
	<-d.until
	return d.Items.Get(ctx, name)
}

// silentBus makes the session bus one that takes connections and never says anything.
func silentBus(t *testing.T) {
	t.Helper()
	dir, err := os.MkdirTemp("", "kw") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "bus"))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var all []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				break
			}
			all = append(all, c)
		}
		for _, c := range all {
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+filepath.Join(dir, "bus"))
}

// TestScanWaitsLittle: a scan that gets no answer from where keys are kept ends soon all
// the same, says what was left out, and finds nothing of theirs.
func TestScanWaitsLittle(t *testing.T) {
	const (
		less  = time.Second // than this it takes longer,
		tries = 5           // once: other programs may have the machine
	)
	m, file := plant(t)
	scan := func(t *testing.T, open func(string, asking) (keystore.Items, error)) (scr *screen, code int, took time.Duration) {
		t.Helper()
		scr = newScreen()
		scr.items = open
		begun := time.Now()
		code = run(t.Context(), &scr.terminal, []string{"scan", "--no-cache", file})
		return scr, code, time.Since(begun)
	}
	scr, code, usual := scan(t, inMemory(m))
	if code != exitFindings || !strings.Contains(scr.stdout.String(), "this is prod/BOT") {
		t.Fatalf("exit %d: %s", code, scr.stdout.String())
	}
	check := func(t *testing.T, open func(string, asking) (keystore.Items, error)) {
		t.Helper()
		for try := 1; ; try++ {
			scr, code, took := scan(t, open)
			if out := strings.Join(strings.Fields(scr.stdout.String()), " "); code != exitOK || !strings.Contains(out, "left out: held keys not looked for: where they are kept did not answer in time (1)") {
				t.Errorf("exit %d: %s%s", code, out, scr.stderr.String())
			}
			if took < maxWaitForKeys || took > usual+less && try == tries {
				t.Errorf("it took %v; with an answer %v", took, usual)
			}
			if took <= usual+less || try == tries {
				break
			}
		}
	}
	t.Run("until it is given up", func(t *testing.T) {
		m.SetHook(func(ctx context.Context, _ keystoretest.Moment) error { <-ctx.Done(); return ctx.Err() })
		defer m.SetHook(nil)
		check(t, inMemory(m))
	})
	t.Run("for ever", func(t *testing.T) {
		until := make(chan struct{})
		defer close(until)
		check(t, inMemory(deaf{m, until}))
	})
	t.Run("a keychain", func(t *testing.T) {
		if runtime.GOOS != "linux" {
			t.Skip("only there a keychain is a service on a socket")
		}
		silentBus(t)
		t.Setenv(envKeystore, "keychain")
		check(t, nil)
	})
}

// TestScanNotesInTime: where keys are kept may fall silent when a scan has found one: that
// it is not noted is said, and the report is there.
func TestScanNotesInTime(t *testing.T) {
	m, file := plant(t)
	m.SetHook(func(ctx context.Context, at keystoretest.Moment) error {
		if at.Op != keystoretest.Put {
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	})
	scr := newScreen()
	scr.items = inMemory(m)
	begun := time.Now()
	code := run(t.Context(), &scr.terminal, []string{"scan", "--no-cache", file})
	if took := time.Since(begun); code != exitFindings || took > 2*quickly {
		t.Errorf("exit %d after %v", code, took)
	}
	if !strings.Contains(scr.stdout.String(), "this is prod/BOT") || !strings.Contains(scr.stderr.String(), "where keys were met is not noted") {
		t.Errorf("%s%s", scr.stdout.String(), scr.stderr.String())
	}
}
