package gitrepo

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keywright/keywright/scan/packfile"
)

// everyObject lists ids with their types, as git knows them.
func (g *testRepo) everyObject() map[string]string {
	g.t.Helper()
	all := map[string]string{}
	for _, line := range lines(g.git("cat-file", "--batch-all-objects", "--batch-check")) {
		f := strings.Fields(line)
		all[f[0]] = f[1]
	}
	return all
}

func checkStore(t *testing.T, s *Store, objects map[string]string) {
	t.Helper()
	for hex, kind := range objects {
		id := mustID(t, hex)
		typ, data, err := s.Object(id)
		if err != nil || typ.String() != kind || objectID(typ, data) != id {
			t.Errorf("object %s: %s, %v", hex, typ, err)
		}
	}
}

func TestStore(t *testing.T) {
	g := newTestRepo(t)
	g.randomHistory(3, 15)
	g.git("tag", "-a", "-m", "x", "v1")
	objects := g.everyObject()
	s := mustStore(t, g.open())
	checkStore(t, s, objects)
	g.git("repack", "-q", "-d")
	g.git("prune-packed")
	checkStore(t, s, objects) // the same Store finds the new pack
	g.randomHistory(4, 5)
	g.git("repack", "-q", "-d")
	checkStore(t, mustStore(t, g.open()), g.everyObject())
	g.git("gc", "-q", "--aggressive")
	checkStore(t, s, objects) // and after gc
	var missing *MissingError
	if _, _, err := s.Object(ID{1}); !errors.As(err, &missing) {
		t.Errorf("missing object: %v", err)
	}
}

func TestStoreAlternates(t *testing.T) {
	g := newTestRepo(t)
	g.randomHistory(5, 8)
	objects := g.everyObject()
	base := t.TempDir()
	second, third := filepath.Join(base, "second"), filepath.Join(base, "third")
	g.git("clone", "-q", "-s", g.dir, second)
	g.git("clone", "-q", "-s", second, third)
	relative, err := filepath.Rel(filepath.Join(third, ".git/objects"), filepath.Join(second, ".git/objects"))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(third, ".git/objects/info/alternates"), "# comment\n"+relative+"\n\n")
	r := mustOpen(t, third)
	checkStore(t, mustStore(t, r), objects)
	// A cycle does no harm.
	writeFile(t, filepath.Join(g.dir, ".git/objects/info/alternates"), filepath.Join(third, ".git/objects")+"\n")
	dirs, gaps, err := r.ObjectDirs()
	if err != nil || len(dirs) != 3 || len(gaps) > 0 {
		t.Errorf("got %v, %v, %v", dirs, gaps, err)
	}
	checkStore(t, mustStore(t, r), objects)
	writeFile(t, filepath.Join(third, ".git/objects/info/alternates"), "/nowhere/objects\n")
	if dirs, gaps, err := r.ObjectDirs(); err != nil || len(dirs) != 1 || len(gaps) != 1 {
		t.Errorf("an alternate that is gone: got %v, %v, %v, want a gap", dirs, gaps, err)
	}
}

// A damaged copy must not hide an intact one, and alone is an error.
func TestStoreDamage(t *testing.T) {
	g := newTestRepo(t)
	g.commit("f", strings.Repeat("some content\n", 50))
	id := g.id("HEAD:f")
	loose := LooseFile(filepath.Join(g.dir, ".git/objects"), id)
	whole, err := os.ReadFile(loose)
	if err != nil {
		t.Fatal(err)
	}
	g.git("repack", "-q", "-a")
	damage := func(file string, data []byte) {
		t.Helper()
		if err := os.Chmod(file, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	read := func() error {
		t.Helper()
		s := mustStore(t, g.open())
		if _, _, err := s.Object(g.id("HEAD")); err != nil { // from a pack, asked first from now on
			t.Fatal(err)
		}
		_, data, err := s.Object(id)
		if err == nil && objectID(packfile.Blob, data) != id {
			t.Error("wrong content")
		}
		return err
	}
	for i := range whole {
		bad := bytes.Clone(whole)
		bad[i] ^= 0x10
		damage(loose, bad)
		if err := read(); err != nil {
			t.Fatalf("byte %d of the loose object: %v", i, err)
		}
		damage(loose, whole[:i])
		if err := read(); err != nil {
			t.Fatalf("loose object cut at %d: %v", i, err)
		}
	}
	packs, _, err := PackFiles(filepath.Join(g.dir, ".git/objects"))
	if err != nil || len(packs) != 1 {
		t.Fatal(packs, err)
	}
	packed, err := os.ReadFile(packs[0])
	if err != nil {
		t.Fatal(err)
	}
	damage(loose, whole)
	for i := 12; i < len(packed)-20; i++ {
		bad := bytes.Clone(packed)
		bad[i] ^= 0x10
		damage(packs[0], bad)
		s := mustStore(t, g.open())
		if _, _, err := s.Object(id); err != nil {
			t.Fatalf("byte %d of the pack: %v", i, err)
		}
	}
	damage(packs[0], packed[:12])
	damage(loose, whole[:len(whole)/2])
	var missing *MissingError
	s := mustStore(t, g.open())
	if _, _, err := s.Object(id); err == nil || errors.As(err, &missing) {
		t.Errorf("both copies damaged: %v", err)
	}
}

func TestStoreLimit(t *testing.T) {
	g := newTestRepo(t)
	g.commit("f", strings.Repeat("x", 5000))
	id := g.id("HEAD:f")
	for _, packed := range []bool{false, true} {
		if packed {
			g.git("repack", "-adq")
		}
		s := mustStore(t, g.open())
		s.MaxObject = 4999
		var large *packfile.TooLarge
		if _, _, err := s.Object(id); !errors.As(err, &large) || large.Size != 5000 {
			t.Errorf("packed %v: %v", packed, err)
		}
		s.MaxObject = 5000
		if _, _, err := s.Object(id); err != nil {
			t.Errorf("packed %v: %v", packed, err)
		}
	}
}

func TestEachLoose(t *testing.T) {
	g := newTestRepo(t)
	g.commit("a", "1", "b", "2")
	dir := filepath.Join(g.dir, ".git/objects")
	writeFile(t, filepath.Join(dir, "ab/tmp_obj_x"), "x")
	var got, want []string
	err := EachLoose(context.Background(), dir, func(id ID) error {
		got = append(got, id.String())
		o, err := OpenLoose(LooseFile(dir, id))
		if err != nil {
			return err
		}
		defer o.Close()
		n, err := io.Copy(io.Discard, o)
		if err == nil && n != o.Size {
			err = fmt.Errorf("%d bytes, want %d", n, o.Size)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for id := range g.everyObject() {
		want = append(want, id)
	}
	sameSet(t, "loose objects", got, want)
	writeFile(t, filepath.Join(dir, "pack/pack-orphan.pack"), "PACK")
	packs, orphans, err := PackFiles(dir)
	if err != nil || len(packs) != 0 || len(orphans) != 1 {
		t.Errorf("got %v, %v, %v", packs, orphans, err)
	}
}

func TestReadFile(t *testing.T) {
	g := newTestRepo(t)
	head := g.commit("dir/sub/file", "content", "dirx", "other")
	s := mustStore(t, g.open())
	id, data, err := s.ReadFile(head, "dir/sub/file")
	if err != nil || string(data) != "content" || id != g.id("HEAD:dir/sub/file") {
		t.Errorf("got %s %q, %v", id, data, err)
	}
	for _, p := range []string{"nothing", "dir", "dir/sub", "dirx/file", "dir/sub/file/x", ""} {
		if _, _, err := s.ReadFile(head, p); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", p, err)
		}
	}
}

func FuzzLoose(f *testing.F) {
	pack := func(s string) []byte {
		var b bytes.Buffer
		w := zlib.NewWriter(&b)
		w.Write([]byte(s))
		w.Close()
		return b.Bytes()
	}
	f.Add(pack("blob 3\x00abc"))
	f.Add(pack("tree 99999999999\x00abc"))
	f.Add(pack("commit 3"))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := newLooseObject(bytes.NewReader(data))
		if err != nil {
			return
		}
		content, err := readAllSize(io.LimitReader(o, 1<<20), o.Size)
		if err == nil && int64(len(content)) > o.Size {
			t.Error("longer than the header says")
		}
	})
}

// A graft or a replacement may make a commit its own ancestor.
func TestFirstCommitInCircles(t *testing.T) {
	s := emptyScratchRepo(t)
	tree := s.object(packfile.Tree, "")
	commit := func(message, parents string) ID {
		return s.object(packfile.Commit, "tree "+tree.String()+"\n"+parents+"author A <a> 1 +0000\ncommitter A <a> 1 +0000\n\n"+message+"\n")
	}
	first := commit("first", "")
	second := commit("second", "parent "+first.String()+"\n")
	s.ref("refs/heads/main", second)
	writeFile(t, s.gitDir("info/grafts"), first.String()+" "+second.String()+"\n")
	r, err := Open(t.Context(), s.dir)
	if err != nil {
		t.Fatal(err)
	}
	store, err := r.Store()
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if id, ok, err := store.FirstCommit(t.Context(), second); ok || err != nil {
		t.Errorf("first commit %s, %v, %v", id, ok, err)
	}
}
