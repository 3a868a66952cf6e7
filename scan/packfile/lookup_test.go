package packfile

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
)

// packedRepo makes a repository with one pack of several hundred objects, deltas
// among them, and returns the pack's path and every id with its type.
func packedRepo(t *testing.T, args ...string) (pack string, objects map[string]string) {
	t.Helper()
	dir := t.TempDir()
	git := func(args ...string) string {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull,
			"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@x", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@x")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	git("init", "-q")
	var text strings.Builder
	for i := range 400 {
		fmt.Fprintf(&text, "line %d of a file that grows and grows\n", i*i)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%d", i)), []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git("add", ".")
	git("commit", "-q", "-m", "all")
	git("tag", "-a", "-m", "a tag", "v1")
	git(append(args, "repack", "-adfq")...)
	objects = map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(git("cat-file", "--batch-all-objects", "--batch-check")), "\n") {
		f := strings.Fields(line)
		objects[f[0]] = f[1]
	}
	packs, err := filepath.Glob(filepath.Join(dir, ".git/objects/pack/*.pack"))
	if err != nil || len(packs) != 1 {
		t.Fatalf("packs: %v %v", packs, err)
	}
	return packs[0], objects
}

func TestLookup(t *testing.T) {
	for name, config := range map[string][]string{
		"offset deltas":    nil,
		"reference deltas": {"-c", "repack.useDeltaBaseOffset=false"},
		"index version 1":  {"-c", "pack.indexVersion=1"},
		"no compression":   {"-c", "pack.compression=0", "-c", "core.compression=0"},
	} {
		t.Run(name, func(t *testing.T) {
			path, objects := packedRepo(t, config...)
			l, err := OpenLookup(path)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if l.Len() != len(objects) {
				t.Errorf("%d objects, want %d", l.Len(), len(objects))
			}
			for hex, kind := range objects {
				checkLookup(t, l, hex, kind)
			}
			if _, _, found, err := l.Object(ID{1, 2, 3}, 1<<20); found || err != nil {
				t.Errorf("an id that is not there: found %v, error %v", found, err)
			}
		})
	}
}

func checkLookup(t *testing.T, l *Lookup, hex, kind string) {
	t.Helper()
	id, err := ParseID(hex)
	if err != nil {
		t.Fatal(err)
	}
	typ, data, found, err := l.Object(id, 1<<20)
	if err != nil || !found {
		t.Fatalf("object %s: found %v, error %v", hex, found, err)
	}
	sum := sha1.Sum(fmt.Appendf(nil, "%s %d\x00%s", typ, len(data), data))
	if typ.String() != kind || sum != id {
		t.Errorf("object %s: wrong type %s or content", hex, typ)
	}
	for _, digits := range []string{hex, hex[:7]} {
		ids, err := l.FindPrefix(digits)
		if err != nil || len(ids) != 1 || ids[0] != id {
			t.Errorf("prefix %s: %v, %v", digits, ids, err)
		}
	}
}

func TestLookupLimit(t *testing.T) {
	path, objects := packedRepo(t)
	l, err := OpenLookup(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	refused := 0
	for hex := range objects {
		id, _ := ParseID(hex)
		_, data, _, err := l.Object(id, 1000)
		var tooLarge *TooLarge
		switch {
		case errors.As(err, &tooLarge):
			refused++
		case err != nil || len(data) > 1000:
			t.Errorf("object %s: %d bytes, error %v", hex, len(data), err)
		}
	}
	if refused == 0 {
		t.Error("no object was too large")
	}
}

// Damage anywhere must give an error or the right content by its id, no panic.
func TestLookupDamage(t *testing.T) {
	path, objects := packedRepo(t)
	index := strings.TrimSuffix(path, ".pack") + ".idx"
	for _, file := range []string{path, index} {
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, 0o644); err != nil {
			t.Fatal(err)
		}
		for i := range 40 {
			bad := append([]byte(nil), whole...)
			bad[i*len(bad)/40] ^= 0x55
			if i%4 == 3 {
				bad = bad[:len(bad)*i/40]
			}
			if err := os.WriteFile(file, bad, 0o644); err != nil {
				t.Fatal(err)
			}
			l, err := OpenLookup(path)
			if err != nil {
				continue
			}
			for hex := range objects {
				id, _ := ParseID(hex)
				_, _, _, _ = l.Object(id, 1<<20) // must return
			}
			l.Close()
		}
		if err := os.WriteFile(file, whole, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// handMade is a pack with one blob and one delta on it, and its index, without
// checksums, which a Lookup does not look at.
func handMade(t testing.TB) (index, pack []byte, ids [2]ID) {
	ids = [2]ID{{1}, {1, 1}}
	pack = append([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x02"), 3<<4|5)
	pack = append(pack, deflate(t, []byte("hello"), 6)...)
	second := len(pack)
	delta := []byte("\x05\x0b\x90\x05\x06, you!") // copy five bytes, insert six
	pack = append(pack, 6<<4|byte(len(delta)), byte(second-12))
	pack = append(pack, deflate(t, delta, 6)...)
	pack = append(pack, make([]byte, Size)...)
	index = append([]byte(nil), indexMagic...)
	index = append(index, 0, 0, 0, 2, 0, 0, 0, 0)
	for range 255 {
		index = append(index, 0, 0, 0, 2)
	}
	index = append(append(index, ids[0][:]...), ids[1][:]...)
	index = append(index, make([]byte, 8)...)
	index = append(index, 0, 0, 0, 12, 0, 0, 0, byte(second))
	return append(index, make([]byte, 2*Size)...), pack, ids
}

func FuzzLookup(f *testing.F) {
	index, pack, ids := handMade(f)
	l, err := newLookup("x", bytes.NewReader(index), bytes.NewReader(pack), int64(len(pack)))
	if err != nil {
		f.Fatal(err)
	}
	for i, want := range []string{"hello", "hello, you!"} {
		if _, data, found, err := l.Object(ids[i], 100); !found || err != nil || string(data) != want {
			f.Fatalf("object %d: %q, %v, %v", i, data, found, err)
		}
	}
	f.Add(index, pack)
	f.Fuzz(func(t *testing.T, index, pack []byte) {
		l, err := newLookup("x", bytes.NewReader(index), bytes.NewReader(pack), int64(len(pack)))
		if err != nil {
			return
		}
		for _, id := range ids {
			_, data, _, err := l.Object(id, 1<<16)
			if err == nil && len(data) > 1<<16 {
				t.Error("over the limit")
			}
		}
		_, _ = l.FindPrefix("01")
	})
}

// TestSearch compares the search for ids, evenly spread and not, with a look at all of
// them.
func TestSearch(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	random := func() (id ID) {
		for i := range id {
			id[i] = byte(r.Uint32())
		}
		return id
	}
	shapes := map[string]func(ID) ID{
		"even":       func(id ID) ID { return id },
		"one bucket": func(id ID) ID { id[0] = 7; return id },
		"low":        func(id ID) ID { id[0], id[1], id[2] = 7, 0, 0; return id },
		"high":       func(id ID) ID { id[0], id[1], id[2] = 7, 255, 255; return id },
		"two heaps":  func(id ID) ID { id[0], id[1] = 7, -(id[1] & 1); return id },
		"last bytes": func(id ID) ID { id = ID{7, 7, 18: id[18], 19: id[19]}; return id },
	}
	for name, shape := range shapes {
		for _, size := range []int{0, 1, 2, 127, 128, 129, 300, 5000} {
			var ids []ID
			for range size {
				ids = append(ids, shape(random()))
			}
			slices.SortFunc(ids, func(a, b ID) int { return bytes.Compare(a[:], b[:]) })
			ids = slices.Compact(ids)
			index := slices.Concat(indexMagic, []byte{0, 0, 0, 2})
			for b := range 256 {
				index = binary.BigEndian.AppendUint32(index, uint32(sort.Search(len(ids), func(i int) bool { return int(ids[i][0]) > b })))
			}
			for _, id := range ids {
				index = append(index, id[:]...)
			}
			l, err := newLookup("p", bytes.NewReader(index), bytes.NewReader(nil), Size)
			if err != nil {
				t.Fatal(err)
			}
			asked := slices.Clone(ids[:min(len(ids), 400)])
			for range 400 {
				asked = append(asked, shape(random()), random())
			}
			for _, id := range asked {
				of := func(b byte) int { return sort.Search(len(ids), func(i int) bool { return ids[i][0] >= b }) }
				first, end := of(id[0]), len(ids)
				if id[0] < 255 {
					end = of(id[0] + 1)
				}
				want := first
				for want < end && bytes.Compare(ids[want][:], id[:]) < 0 {
					want++
				}
				at, found, err := l.search(id)
				if err != nil || int(at) != want || found != (want < end && ids[want] == id) {
					t.Fatalf("%s, %d ids: %s is at %d, %v, %v; want %d", name, len(ids), id, at, found, err, want)
				}
			}
		}
	}
}
