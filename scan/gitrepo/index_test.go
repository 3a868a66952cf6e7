package gitrepo

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// listing writes an index the way `git ls-files --stage -z` does.
func listing(x *Index) []string {
	var all []string
	for _, e := range x.Entries {
		all = append(all, fmt.Sprintf("%06o %s %d\t%s", e.Mode, e.ID, e.Stage(), e.Name))
	}
	return all
}

func (g *testRepo) staged(args ...string) []string {
	g.t.Helper()
	out := g.git(append([]string{"ls-files", "--stage", "-z"}, args...)...)
	if out == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
}

func (g *testRepo) index() *Index {
	g.t.Helper()
	x, err := ReadIndex(filepath.Join(g.dir, ".git/index"), filepath.Join(g.dir, ".git"))
	if err != nil {
		g.t.Fatal(err)
	}
	return x
}

func (g *testRepo) checkIndex(what string) *Index {
	g.t.Helper()
	x := g.index()
	got, want := listing(x), g.staged()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		g.t.Errorf("%s: got\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	return x
}

// conflict leaves a merge with conflicts behind.
func (g *testRepo) conflict() {
	g.t.Helper()
	g.commit("both", "1\n", "ours", "1\n", "theirs", "1\n", "dir/x", "1\n")
	g.git("checkout", "-q", "-b", "side")
	g.commit("both", "side\n", "theirs", "2\n", "added", "side\n")
	g.git("checkout", "-q", "main")
	g.commit("both", "main\n", "ours", "2\n", "added", "main\n")
	if err := g.command(g.dir, nil, "merge", "-q", "side").Run(); err == nil {
		g.t.Fatal("the merge has no conflict")
	}
}

func TestIndexVersions(t *testing.T) {
	long := strings.Repeat("x", 200)
	for version := 2; version <= 4; version++ {
		g := newTestRepo(t)
		g.git("config", "index.version", fmt.Sprint(version))
		g.conflict()
		g.write("new", "", "a b\nc", "1", "ita", "1", "assumed", "1", "skipped", "1")
		g.git("add", "new", "a b\nc", "assumed", "skipped")
		g.git("update-index", "--add", "--cacheinfo", "100644,"+g.id(":ours").String()+","+strings.Repeat(long+"/", 22)+"deep")
		g.git("add", "-N", "ita")
		g.git("update-index", "--index-version", fmt.Sprint(version), "--assume-unchanged", "assumed")
		g.git("update-index", "--skip-worktree", "skipped")
		x := g.checkIndex(fmt.Sprint("version ", version))
		if int(x.Version) != max(version, 3) { // the extended flags need 3
			t.Errorf("version %d, want %d", x.Version, version)
		}
		stages := 0
		for _, e := range x.Entries {
			name := string(e.Name)
			if e.IntentToAdd() != (name == "ita") || e.AssumeValid() != (name == "assumed") || e.SkipWorktree() != (name == "skipped") {
				t.Errorf("%s: wrong flags", name)
			}
			if e.Stage() > 0 {
				stages++
			}
		}
		if stages != 5 {
			t.Errorf("%d entries in conflict, want 5", stages)
		}
		before := len(x.Resolved)
		g.write("both", "resolved\n", "added", "resolved\n")
		g.git("add", "both", "added")
		if x = g.checkIndex("resolved"); before != 0 || len(x.Resolved) != 5 {
			t.Errorf("%d blobs of resolved conflicts, want 5", len(x.Resolved))
		}
	}
}

func TestIndexSplit(t *testing.T) {
	g := newTestRepo(t)
	g.git("config", "splitIndex.maxPercentChange", "100")
	for i := range 150 {
		g.write(fmt.Sprintf("d%d/f%d", i%7, i), fmt.Sprint(i))
	}
	g.git("add", ".")
	g.git("update-index", "--split-index")
	if _, err := os.Stat(filepath.Join(g.dir, ".git/index")); err != nil {
		t.Fatal(err)
	}
	g.checkIndex("just split")
	r := testRand(1)
	for round := range 8 {
		for range 12 {
			p := fmt.Sprintf("d%d/f%d", r.IntN(8), r.IntN(160))
			if r.IntN(3) == 0 {
				os.Remove(filepath.Join(g.dir, p))
			} else {
				g.write(p, fmt.Sprint("round", round, r.IntN(9)))
			}
		}
		g.git("add", "-A")
		g.checkIndex(fmt.Sprint("round ", round))
	}
	shared, _ := filepath.Glob(filepath.Join(g.dir, ".git/sharedindex.*"))
	if len(shared) == 0 {
		t.Error("the index was never split")
	}
	for _, f := range shared {
		os.Remove(f)
	}
	if _, err := ReadIndex(filepath.Join(g.dir, ".git/index"), filepath.Join(g.dir, ".git")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the shared index: %v", err)
	}
}

func TestIndexSparse(t *testing.T) {
	g := newTestRepo(t)
	g.commit("top", "1", "in/a", "1", "out/a", "1", "out/b/c", "1", "out2/x", "1")
	g.git("sparse-checkout", "init", "--cone", "--sparse-index")
	g.git("sparse-checkout", "set", "in")
	x := g.index()
	got := listing(x)
	sameSet(t, "sparse index", got, g.staged("--sparse"))
	dirs := 0
	for _, e := range x.Entries {
		if isDir(e.Mode) {
			dirs++
		}
	}
	if dirs != 2 {
		t.Errorf("%d sparse directories, want 2: %v", dirs, got)
	}
}

func TestIndexSkipHash(t *testing.T) {
	g := newTestRepo(t)
	g.commit("a", "1")
	file := filepath.Join(g.dir, ".git/index")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	clear(data[len(data)-20:])
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	g.index()
}

func TestIndexDamage(t *testing.T) {
	g := newTestRepo(t)
	g.commit("a", "1", "dir/b", "2")
	data, err := os.ReadFile(filepath.Join(g.dir, ".git/index"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		bad := bytes.Clone(data)
		bad[i] ^= 1
		if _, err := parseIndex(bad); err == nil {
			t.Fatalf("a changed byte %d goes unnoticed", i)
		}
		if _, err := parseIndex(data[:i]); err == nil {
			t.Fatalf("an index cut at %d goes unnoticed", i)
		}
	}
}

func FuzzIndex(f *testing.F) {
	entry := func(flags string, name string, pad int) string {
		return strings.Repeat("\x00", 24) + "\x00\x00\x81\xa4" + strings.Repeat("\x00", 12) + strings.Repeat("i", 20) + flags + name + strings.Repeat("\x00", pad)
	}
	end := strings.Repeat("\x00", 20)
	f.Add([]byte("DIRC\x00\x00\x00\x02\x00\x00\x00\x02" + entry("\x00\x01", "a", 9) + entry("\x00\x03", "b/c", 7) +
		"TREE\x00\x00\x00\x24\x002 1\n" + strings.Repeat("t", 20) + "b\x00-1 0\n" + end))
	f.Add([]byte("DIRC\x00\x00\x00\x04\x00\x00\x00\x02" + entry("\x00\x01", "\x00a", 1) + entry("\x40\x02\x20\x00", "\x00b", 1) + end))
	f.Add([]byte("DIRC\x00\x00\x00\x02\x00\x00\x00\x00REUC\x00\x00\x00\x1bx\x00100644\x000\x000\x00" + strings.Repeat("r", 20) + end))
	f.Add([]byte("DIRC\x00\x00\x00\x02\x00\x00\x00\x00link\x00\x00\x00\x3c" + strings.Repeat("l", 20) +
		"\x00\x00\x00\x40\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00" + "\x00\x00\x00\x40\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00" + end))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 20 {
			clear(data[len(data)-20:]) // no checksum
		}
		p, err := parseIndex(data)
		if err != nil {
			return
		}
		_ = p.index.checkOrder()
		if p.link != nil {
			base := []IndexEntry{{Name: []byte("a")}, {Name: []byte("b")}}
			_ = p.index.merge(base, p.link)
		}
	})
}

func TestEWAH(t *testing.T) {
	word := func(bit, run, literals uint64) string {
		return fmt.Sprintf("%016x", bit|run<<1|literals<<33)
	}
	bitmap := func(words ...string) []byte {
		var b bytes.Buffer
		fmt.Fprintf(&b, "\x00\x00\x00\x00\x00\x00\x00%c", len(words))
		for _, w := range words {
			var n uint64
			fmt.Sscanf(w, "%x", &n)
			for i := 7; i >= 0; i-- {
				b.WriteByte(byte(n >> (8 * i)))
			}
		}
		b.WriteString("\x00\x00\x00\x00")
		return b.Bytes()
	}
	set, err := ewahBits(bitmap(word(1, 1, 1), "0000000000000005", word(0, 1000000, 0)), 300)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		if want := i < 64 || i == 64 || i == 66; set.has(i) != want {
			t.Errorf("bit %d: %v", i, set.has(i))
		}
	}
	for name, b := range map[string][]byte{
		"ones beyond the end":     bitmap(word(1, 100, 0)),
		"literals that are not":   bitmap(word(0, 0, 5)),
		"literal beyond the end":  bitmap(word(0, 0, 1), "0000000000000020"),
		"literals after the last": bitmap(word(0, 1, 1), "0000000000000001"),
	} {
		if _, err := ewahBits(b, 5); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
