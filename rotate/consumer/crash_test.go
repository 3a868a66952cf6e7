package consumer

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/keywright/keywright/internal/durable"
	"github.com/keywright/keywright/internal/durable/durabletest"
	"github.com/keywright/keywright/rotate"
	"github.com/keywright/keywright/secret"
)

// What crash tests deliver: values over several sectors of the simulated disk.
func crashPair(n string) map[string]secret.Value {
	return pair("id-"+n, strings.Repeat("s"+n, 100))
}

func (f form) crashText(n string) string { return f.text("id-"+n, strings.Repeat("s"+n, 100)) }

// faulty is a disk of which one operation fails: the one whose number is at, from 1. Of a
// write, half is made.
type faulty struct {
	durable.Machine
	at, n int
	late  bool // a file is renamed all the same
	err   error
}

func (d *faulty) fails() bool {
	d.n++
	return d.n == d.at
}

func (d *faulty) CreateTemp(dir, pattern string) (durable.Handle, error) {
	if d.fails() {
		return nil, d.err
	}
	h, err := d.Machine.CreateTemp(dir, pattern)
	return faultyHandle{h, d}, err
}

func (d *faulty) Rename(from, to string) error {
	if !d.fails() {
		return d.Machine.Rename(from, to)
	}
	if d.late {
		if err := d.Machine.Rename(from, to); err != nil {
			return err
		}
	}
	return d.err
}

func (d *faulty) SyncDir(path string) error {
	if d.fails() {
		return d.err
	}
	return d.Machine.SyncDir(path)
}

type faultyHandle struct {
	durable.Handle
	disk *faulty
}

func (h faultyHandle) Write(p []byte) (int, error) {
	if h.disk.fails() {
		n, _ := h.Handle.Write(p[:len(p)/2])
		return n, h.disk.err
	}
	return h.Handle.Write(p)
}

func (h faultyHandle) Chmod(perm fs.FileMode) error {
	if h.disk.fails() {
		return h.disk.err
	}
	return h.Handle.Chmod(perm)
}

func (h faultyHandle) Sync() error {
	if h.disk.fails() {
		return h.disk.err
	}
	return h.Handle.Sync()
}

func (h faultyHandle) Close() error {
	err := h.Handle.Close()
	if h.disk.fails() {
		return h.disk.err
	}
	return err
}

// only fails if there is anything but the file in its directory.
func only(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("left over: %v, %v", entries, err)
	}
}

// Whatever operation fails, the file is the old one or the new one, nothing is left
// over, and the next attempt succeeds.
func TestFileFaults(t *testing.T) {
	broken := errors.New("no space left on device")
	for i, f := range slices.Concat(forms(), forms()) {
		late, failed, written := i >= len(forms()), 0, 0
		for at := 1; ; at++ {
			path := filepath.Join(t.TempDir(), "file")
			write(t, path, f.crashText("1"))
			disk := &faulty{at: at, late: late, err: broken}
			err := opens(t, durable.On(disk), f.spec(path)).Deliver(t.Context(), crashPair("1"), crashPair("2"))
			if disk.n < at {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
			failed++
			var ours *Error
			if !errors.As(err, &ours) || !errors.Is(err, broken) || strings.Contains(err.Error(), "s1s1") || strings.Contains(err.Error(), "s2s2") {
				t.Errorf("%s: operation %d: %v", f.name, at, err)
			}
			got := read(t, path)
			if got != f.crashText("1") && got != f.crashText("2") {
				t.Errorf("%s: operation %d left %q", f.name, at, got)
			}
			if said := errors.As(err, new(*rotate.Untouched)); said != (got == f.crashText("1")) {
				t.Errorf("%s: operation %d left %q, and that nothing has changed is said: %v", f.name, at, got, said)
			}
			if got == f.crashText("2") {
				written++
			}
			only(t, path)
			if err := opens(t, durable.Disk{}, f.spec(path)).Deliver(t.Context(), crashPair("1"), crashPair("2")); err != nil {
				t.Errorf("%s: after operation %d: %v", f.name, at, err)
			}
			if got := read(t, path); got != f.crashText("2") {
				t.Errorf("%s: after operation %d: %q", f.name, at, got)
			}
		}
		if want := map[bool]int{false: 1, true: 2}[late]; written != want { // the directory; and the name
			t.Errorf("%s: %d operations failed that had written it, want %d", f.name, written, want)
		}
		if failed < 6 { // create, mode, write, synchronise, close, rename, directory
			t.Errorf("%s: only %d operations", f.name, failed)
		}
	}
}

// After a power cut at any moment the file is the old one or the new one, and the new one
// once Deliver has returned.
func TestFilePowerLoss(t *testing.T) {
	f := forms()[0]
	root := t.TempDir()
	path := filepath.Join(root, "file")
	write(t, path, f.crashText("1"))
	disk, err := durabletest.NewRecorder(root)
	if err != nil {
		t.Fatal(err)
	}
	begin := disk.Len()
	if err := opens(t, durable.On(disk), f.spec(path)).Deliver(t.Context(), crashPair("1"), crashPair("2")); err != nil {
		t.Fatal(err)
	}
	wrong := func(deaf durabletest.Site) (n int) {
		for at := begin; at <= disk.Len(); at++ {
			for way := range uint64(60) {
				node, there := disk.Lose(at, way, deaf)["file"]
				got := string(node.Data)
				if !there || got != f.crashText("2") && (got != f.crashText("1") || at == disk.Len()) {
					n++
				}
			}
		}
		return n
	}
	if n := wrong(""); n > 0 {
		t.Errorf("%d losses leave something else", n)
	}
	for _, site := range disk.Sites() {
		if wrong(site) == 0 {
			t.Errorf("without %s nothing is missed", site)
		}
	}
}

// TestFileKill kills a process at each of its changes of the disk. The file is the old one
// or the new one, and what is left beside it goes with the next delivery, in whichever
// direction.
func TestFileKill(t *testing.T) {
	const variable = "CONSUMER_TEST_KILL"
	f := forms()[0]
	if v := os.Getenv(variable); v != "" {
		number, path, _ := strings.Cut(v, ":")
		at, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		disk := durable.On(durabletest.NewKiller(at))
		if err := opens(t, disk, f.spec(path)).Deliver(t.Context(), crashPair("1"), crashPair("2")); err != nil {
			t.Fatal(err)
		}
		return
	}
	kills, left := 0, 0
	for _, way := range []string{"on", "back"} {
		for at := 1; ; at++ {
			path := filepath.Join(t.TempDir(), "file")
			write(t, path, f.crashText("1"))
			c := exec.Command(os.Args[0], "-test.run=^TestFileKill$")
			c.Env = append(os.Environ(), variable+"="+strconv.Itoa(at)+":"+path)
			out, err := c.CombinedOutput()
			if err == nil {
				break
			}
			if strings.Contains(string(out), "FAIL") {
				t.Fatalf("%s", out)
			}
			kills++
			left += len(durable.Leftovers(path))
			got := read(t, path)
			if got != f.crashText("1") && got != f.crashText("2") {
				t.Errorf("killed at %d: %q", at, got)
			}
			from, to, want := crashPair("1"), crashPair("2"), f.crashText("2")
			if way == "back" {
				from, to, want = to, from, f.crashText("1")
			}
			if err := opens(t, durable.Disk{}, f.spec(path)).Deliver(t.Context(), from, to); err != nil {
				t.Errorf("killed at %d: %v", at, err)
			}
			if got := read(t, path); got != want {
				t.Errorf("killed at %d: %q", at, got)
			}
			only(t, path)
		}
	}
	if kills < 12 || left == 0 {
		t.Errorf("only %d kills, which left %d files", kills, left)
	}
	t.Logf("%d kills, which left %d files", kills, left)
}
