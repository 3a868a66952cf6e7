package edit

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/keywright/keywright/internal/durable"
)

func write(t *testing.T, path, text string, perm fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), perm); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, perm); err != nil {
		t.Fatal(err)
	}
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, ".env")
	for _, perm := range []fs.FileMode{0o600, 0o644, 0o640, 0o660} {
		write(t, path, "A=1\n", perm)
		o, err := Open(path, 100)
		if err != nil {
			t.Fatal(err)
		}
		if err := o.Replace([]byte("A=2\n")); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		data, _ := os.ReadFile(path)
		if err != nil || string(data) != "A=2\n" || runtime.GOOS != "windows" && info.Mode().Perm() != perm {
			t.Errorf("%v: %q, %v, %v", perm, data, info.Mode(), err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left over: %v", left)
	}
}

// A file that is not what was read is left alone.
func TestReplaceChanged(t *testing.T) {
	for name, meanwhile := range map[string]func(t *testing.T, path string){
		"content":   func(t *testing.T, path string) { write(t, path, "A=2\n", 0o600) },
		"more":      func(t *testing.T, path string) { write(t, path, "A=1\nB=2\n", 0o600) },
		"other":     func(t *testing.T, path string) { os.Rename(path, path+".old"); write(t, path, "A=1\n", 0o600) },
		"gone":      func(t *testing.T, path string) { os.Remove(path) },
		"link":      func(t *testing.T, path string) { os.Rename(path, path+".old"); os.Symlink(path+".old", path) },
		"directory": func(t *testing.T, path string) { os.Remove(path); os.Mkdir(path, 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), ".env")
			write(t, path, "A=1\n", 0o600)
			o, err := Open(path, 100)
			if err != nil {
				t.Fatal(err)
			}
			meanwhile(t, path)
			before, _ := os.ReadFile(path)
			if err := o.Replace([]byte("A=3\n")); err == nil {
				t.Fatal("replaced")
			}
			if after, _ := os.ReadFile(path); string(after) != string(before) {
				t.Errorf("%q became %q", before, after)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	write(t, path, "A=1\n", 0o600)
	if _, err := Open(path, 3); !errors.Is(err, ErrLarge) {
		t.Errorf("a large file: %v", err)
	}
	if _, err := Open(dir, 100); !errors.Is(err, ErrSpecial) {
		t.Errorf("a directory: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "none"), 100); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := os.Symlink(path, path+".link"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path+".link", 100); !errors.Is(err, ErrLink) {
		t.Errorf("a link: %v", err)
	}
	if err := os.Link(path, path+".second"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, 100); !errors.Is(err, ErrNames) {
		t.Errorf("a second name: %v", err)
	}
}

// A file of somebody else stays theirs.
func TestReplaceOwner(t *testing.T) {
	if os.Geteuid() != 0 || runtime.GOOS == "windows" {
		t.Skip("only root can give files away")
	}
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "A=1\n", 0o640)
	if err := os.Chown(path, 1234, 2345); err != nil {
		t.Fatal(err)
	}
	before, _ := os.Stat(path)
	o, err := Open(path, 100)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Replace([]byte("A=2\n")); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(path)
	if err != nil || owner(after) != owner(before) || after.Mode() != before.Mode() {
		t.Errorf("%v, owner %v became %v, owner %v: %v", before.Mode(), owner(before), after.Mode(), owner(after), err)
	}
}

// What somebody left who was killed goes, and nothing else does.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	write(t, path, "A=1\n", 0o600)
	gone := map[string]string{".file.1.tmp": "A=2\n", ".file.22.tmp": "A=", ".file.3.tmp": ""}
	stay := map[string]string{".file.4.tmp": "A=3\n", ".file.5.tmp": "A=2\nB", ".file.x.tmp": "A=2\n", "file": "A=1\n"}
	for _, files := range []map[string]string{gone, stay} {
		for name, text := range files {
			write(t, filepath.Join(dir, name), text, 0o600)
		}
	}
	o, err := Open(path, 100)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Sweep([]byte("A=1\n"), []byte("A=2\n")); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != len(stay) {
		t.Errorf("%v, %v", left, err)
	}
	for _, e := range left {
		if _, ok := stay[e.Name()]; !ok {
			t.Errorf("%s stayed", e.Name())
		}
	}
}

// slow does something while a new version is made to last.
type slow struct {
	durable.Machine
	do func()
}

func (s slow) CreateTemp(dir, pattern string) (durable.Handle, error) {
	h, err := s.Machine.CreateTemp(dir, pattern)
	return slowly{h, s.do}, err
}

type slowly struct {
	durable.Handle
	do func()
}

func (s slowly) Sync() error {
	s.do()
	return s.Handle.Sync()
}

// TestReplaceSlowly: what somebody writes while the new version is made to last, which may
// take long, is not lost.
func TestReplaceSlowly(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".env")
	write(t, path, "A=1\n", 0o600)
	once := false
	o, err := OpenOn(durable.On(slow{do: func() {
		if !once {
			write(t, path, "A=1\nB=2\n", 0o600)
		}
		once = true
	}}), path, 100)
	if err != nil {
		t.Fatal(err)
	}
	err = o.Replace([]byte("A=3\n"))
	if after, _ := os.ReadFile(path); !errors.Is(err, ErrChanged) || string(after) != "A=1\nB=2\n" {
		t.Errorf("%q, %v", after, err)
	}
}
