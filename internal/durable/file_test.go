package durable_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/keywright/keywright/internal/durable"
)

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

// check fails unless the directory of path holds path alone, with this content.
func check(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s holds %q, %v; want %q", path, got, err, want)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("left over: %v, %v", entries, err)
	}
}

func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, content := range []string{"one", "", "three\x00\n", strings.Repeat("4", 1<<20)} {
		if err := durable.WriteFile(path, text(content), 0o600); err != nil {
			t.Fatal(err)
		}
		check(t, path, content)
	}
	if err := durable.WriteFile(path, func(io.Writer) error { return nil }, 0o600); err != nil {
		t.Fatal(err)
	}
	check(t, path, "")
}

func TestPermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such permissions")
	}
	path := filepath.Join(t.TempDir(), "file")
	for _, perm := range []fs.FileMode{0o600, 0o666, 0o640, 0o400} {
		if err := durable.WriteFile(path, text("x"), perm); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != perm {
			t.Errorf("permissions %v, %v; want %v", info.Mode(), err, perm)
		}
	}
}

func TestFailedWriteKeepsTheOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := durable.WriteFile(path, text("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	for _, write := range []func(io.Writer) error{
		func(io.Writer) error { return broken },
		func(w io.Writer) error { return errors.Join(text("half")(w), broken) },
	} {
		if err := durable.WriteFile(path, write, 0o600); !errors.Is(err, broken) || !strings.Contains(err.Error(), path) {
			t.Errorf("error %v", err)
		}
		check(t, path, "old")
	}
}

func TestPanicKeepsTheOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := durable.WriteFile(path, text("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("the panic was swallowed")
		}
		check(t, path, "old")
	}()
	_ = durable.WriteFile(path, func(w io.Writer) error {
		_ = text("half")(w)
		panic("stop")
	}, 0o600)
}

func TestCreateIsLazy(t *testing.T) {
	dir := t.TempDir()
	f := durable.Create(filepath.Join(dir, "file"), 0o600)
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("there already: %v, %v", entries, err)
	}
	f.Discard()
	f.Discard()
	if _, err := f.Write([]byte("x")); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("writing after Discard gives %v", err)
	}
	if err := f.Commit(); err == nil {
		t.Error("committed after Discard")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left over: %v, %v", entries, err)
	}
}

func TestDiscardAfterCommit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	f := durable.Create(path, 0o600)
	if err := errors.Join(text("new")(f), f.Commit()); err != nil {
		t.Fatal(err)
	}
	f.Discard()
	check(t, path, "new")
	if err := f.Commit(); err == nil {
		t.Error("committed twice")
	}
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys.age")
	kept := []string{"keys.age", ".keys.age.x.tmp", ".keys.age..tmp", ".keys.age.1", "keys.age.1.tmp", ".keys.1.tmp", ".other.1.tmp"}
	for _, name := range kept {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, ".keys.age.123.tmp"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	durable.Disk{}.Sweep(path)
	durable.Disk{}.Sweep(filepath.Join(dir, "none", "x"))
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(kept) {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestRefused(t *testing.T) {
	dir := t.TempDir()
	for name, path := range map[string]string{
		"a directory":    dir,
		"no directory":   filepath.Join(dir, "none", "file"),
		"no such device": os.DevNull,
	} {
		if err := durable.WriteFile(path, text("x"), 0o600); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left over: %v, %v", entries, err)
	}
}

// /dev/stdout may be a file that others write to, too: it is not replaced.
func TestDescriptorIsNotReplaced(t *testing.T) {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("no names of descriptors here")
	}
	dir := t.TempDir()
	f, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("of others"); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "stdout")
	if err := os.Symlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), fmt.Sprintf("/dev/fd/%d", f.Fd())} {
		if err := durable.WriteFile(path, text("x"), 0o600); err == nil {
			t.Errorf("%s: no error", path)
		}
		if got, err := os.ReadFile(filepath.Join(dir, "log")); err != nil || string(got) != "of others" {
			t.Errorf("%s: it holds %q, %v", path, got, err)
		}
	}
}

func TestSymbolicLink(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := os.WriteFile(target, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	if err := durable.WriteFile(link, text("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
	if got, err := os.ReadFile(target); err != nil || string(got) != "new" {
		t.Errorf("the target holds %q, %v", got, err)
	}
}

// A reader sees one version or another, whatever writers do.
func TestReadersSeeWholeVersions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	version := func(n int) string { return strings.Repeat(fmt.Sprint(n%10), 100_000) }
	if err := durable.WriteFile(path, text(version(0)), 0o600); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for w := range 3 {
		writers.Go(func() {
			for i := range 10 {
				// Windows refuses to replace a file that is being read.
				if err := durable.WriteFile(path, text(version(w+i)), 0o600); err != nil && runtime.GOOS != "windows" {
					t.Error(err)
				}
			}
		})
	}
	for range 100 {
		got, err := os.ReadFile(path)
		if err != nil && runtime.GOOS == "windows" {
			continue
		}
		if err != nil || len(got) != 100_000 || strings.Trim(string(got), string(got[:1])) != "" {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	}
	writers.Wait()
}

const killed = "KEYWRIGHT_TEST_DURABLE_PATH"

// TestKill stops a writer before its commit, as a crash would.
func TestKill(t *testing.T) {
	if path := os.Getenv(killed); path != "" {
		f := durable.Create(path, 0o600)
		if err := text("half")(f); err != nil {
			t.Fatal(err)
		}
		fmt.Println("written")
		select {}
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := durable.WriteFile(path, text("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(os.Args[0], "-test.run=^TestKill$")
	c.Env = append(os.Environ(), killed+"="+path)
	out, err := c.StdoutPipe()
	if err := errors.Join(err, c.Start()); err != nil {
		t.Fatal(err)
	}
	_, err = out.Read(make([]byte, 7))
	if err := errors.Join(err, c.Process.Kill()); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // it was killed
	if got, err := os.ReadFile(path); err != nil || string(got) != "old" {
		t.Errorf("the file holds %q, %v", got, err)
	}
	if err := durable.WriteFile(path, text("new"), 0o600); err != nil {
		t.Error(err)
	}
}

// What was left by who was killed is known by its name.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, ".env")
	f := durable.Create(path, 0o600)
	defer f.Discard()
	if _, err := f.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".env", "..env.tmp", "..env..tmp", "..env.1x.tmp", ".env.1.tmp", "..env2.1.tmp"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	left := durable.Leftovers(path)
	if len(left) != 1 {
		t.Fatalf("got %q", left)
	}
	if data, err := os.ReadFile(left[0]); err != nil || string(data) != "x" {
		t.Errorf("%s: %q, %v", left[0], data, err)
	}
}
