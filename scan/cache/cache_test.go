package cache

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"
)

type entry struct {
	Text    string
	Numbers []int
}

func open(t *testing.T, dir string) *Cache {
	t.Helper()
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEntries(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "if need be")
	want := entry{"text", []int{1, 2, 3}}
	if err := open(t, dir).Save("a name", want); err != nil {
		t.Fatal(err)
	}
	var got entry
	if c := open(t, dir); !c.Load("a name", &got) || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	} else if c.Load("another name", &got) {
		t.Error("an entry under a name that none was saved under")
	}
	for _, f := range files(t, dir) {
		info, err := os.Stat(f)
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: mode %v, %v", f, info.Mode(), err)
		}
	}
}

// TestDamage changes each byte of an entry, and cuts it everywhere: none may be
// taken for what was saved.
func TestDamage(t *testing.T) {
	c := open(t, t.TempDir())
	if err := c.Save("name", entry{"text", []int{1, 2, 3}}); err != nil {
		t.Fatal(err)
	}
	path := c.path("name")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(data []byte, what string) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if c.Load("name", new(entry)) {
			t.Errorf("%s: loaded", what)
		}
	}
	for i := range whole {
		changed := append([]byte{}, whole...)
		changed[i] ^= 0x10
		refused(changed, fmt.Sprintf("byte %d changed", i))
		refused(whole[:i], fmt.Sprintf("cut at %d", i))
	}
	refused(append(whole[:len(whole):len(whole)], 0), "one byte more")
	if err := os.WriteFile(c.path("other"), whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if c.Load("other", new(entry)) {
		t.Error("loaded under another's name")
	}
}

// TestKey: a cache that was made by many at once has one key, and a key that is
// none is replaced.
func TestKey(t *testing.T) {
	dir := t.TempDir()
	for _, damage := range []func() error{
		func() error { return nil },
		func() error { return os.Truncate(filepath.Join(dir, keyFile), 7) },
		func() error { return os.Remove(filepath.Join(dir, keyFile)) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		caches := make([]*Cache, 8)
		var all sync.WaitGroup
		for i := range caches {
			all.Go(func() { caches[i], _ = Open(dir) })
		}
		all.Wait()
		last := open(t, dir)
		for _, c := range caches {
			if c == nil || c.Key("x") != last.Key("x") {
				t.Fatal("two keys, or none")
			}
		}
		if last.Key("x") == last.Key("y") {
			t.Error("one key for two purposes")
		}
	}
}

func TestSweep(t *testing.T) {
	c := open(t, t.TempDir())
	old := time.Now().Add(-2 * staleTemp)
	for i := range 5 {
		f, err := os.Create(c.path(fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Truncate(maxBytes / 4); err != nil { // takes no room
			t.Fatal(err)
		}
		f.Close()
		if err := os.Chtimes(f.Name(), old, old.Add(time.Duration(i)*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	left, used := filepath.Join(c.dir, ".left"+temp), filepath.Join(c.dir, ".used"+temp)
	for _, name := range []string{left, used} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(left, old, old); err != nil {
		t.Fatal(err)
	}
	if err := c.Save("new", entry{}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{c.path("0"): false, c.path("1"): false, c.path("2"): true, c.path("4"): true, c.path("new"): true, left: false, used: true} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func files(t *testing.T, dir string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	return paths
}
