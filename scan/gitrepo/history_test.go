package gitrepo

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/keywright/keywright/scan/packfile"
)

var testOptions = HistoryOptions{Workers: 2, Memory: 1 << 20, MaxObject: 1 << 20}

// needs lists the objects that something reachable refers to and that are not
// there.
func (o *oracle) needs() []ID {
	missing := map[ID]bool{}
	seen := map[ID]bool{}
	stack := slices.Concat(o.needed, slices.Collect(maps.Keys(o.direct)))
	for len(stack) > 0 {
		id := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[id] || id == emptyTree {
			continue
		}
		seen[id] = true
		switch o.types[id] {
		case "":
			missing[id] = true
		case "commit":
			stack = append(append(stack, o.commits[id].parents...), o.commits[id].tree)
		case "tag":
			stack = append(stack, mustID(o.t, string(o.data[id][len("object "):][:40])))
		case "tree":
			for data := o.data[id]; len(data) > 0; {
				e, rest, err := NextEntry(data)
				if err != nil {
					o.t.Fatal(err)
				}
				if data = rest; !isGitlink(e.Mode) {
					stack = append(stack, *e.ID)
				}
			}
		}
	}
	return slices.SortedFunc(maps.Keys(missing), compareIDs)
}

func missingGaps(ids []ID, why string) (gaps []string) {
	for i, id := range ids {
		if i == 5 {
			return append(gaps, fmt.Sprintf("%d more objects: %s", len(ids)-5, why))
		}
		gaps = append(gaps, "object "+id.String()+": "+why)
	}
	return gaps
}

// Objects are taken away from random repositories. Those that something needs are
// gaps, those that only garbage refers to are not.
func TestMissingObjects(t *testing.T) {
	repos, named := 40, 0
	if testing.Short() {
		repos = 8
	}
	for seed := range repos {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			s := newScratchRepo(t, uint64(5000+seed), 2+seed%15)
			if len(s.replaced) > 0 {
				return // what a replacement hides may be missing
			}
			ids := newOracle(t, s.testRepo, nil).ids()
			s.r.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
			victims := 1 + s.r.IntN(1+len(ids)/8)
			s.keepOnly(s.pack(ids[victims:], "--delta-base-offset", "--no-reuse-delta", "--depth=50"))
			o := newOracle(t, s.testRepo, nil)
			needs := o.needs()
			named += len(needs)
			want := &historyResult{places: o.places(s.tips), messages: o.messages(), gaps: missingGaps(needs, "it is missing")}
			compareHistory(t, fmt.Sprintf("without %v", ids[:victims]), scanHistory(t, s.dir, testOptions), want)
		})
	}
	if named == 0 && !testing.Short() {
		t.Error("nothing that was needed is missing")
	}
}

// A reference to a missing object is carried from a tree to its deltas: it is a
// gap if any tree that is needed has it.
func TestMissingThroughDelta(t *testing.T) {
	s := emptyScratchRepo(t)
	gone := ID{1, 2, 3}
	var trees [2]string
	for i := range 200 {
		id := s.object(packfile.Blob, fmt.Sprint(i))
		for n := range trees {
			if n == 0 || i > 3 {
				trees[n] += entryLine("100644", fmt.Sprintf("file%03d", i), id)
			}
		}
	}
	for n := range trees {
		trees[n] += entryLine("100644", "gone", gone)
		tree := s.object(packfile.Tree, trees[n])
		commit := s.object(packfile.Commit, fmt.Sprintf("tree %s\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n\n%d\n", tree, n))
		s.ref(fmt.Sprintf("refs/heads/%d", n), commit)
	}
	ids := newOracle(t, s.testRepo, nil).ids()
	s.keepOnly(s.pack(ids))
	for n := range trees {
		ref := s.gitDir("refs", "heads", strconv.Itoa(n))
		data, err := os.ReadFile(ref)
		if err != nil {
			t.Fatal(err)
		}
		os.Remove(ref)
		got := scanHistory(t, s.dir, testOptions)
		sameSet(t, fmt.Sprintf("without branch %d", n), got.gaps, missingGaps([]ID{gone}, "it is missing"))
		writeFile(t, ref, string(data))
	}
	os.RemoveAll(s.gitDir("refs", "heads"))
	sameSet(t, "without branches", scanHistory(t, s.dir, testOptions).gaps, nil)
}

// git clones of some kinds, over the file transport.
func (s *scratchRepo) clone(args ...string) *testRepo {
	s.t.Helper()
	dir := filepath.Join(s.t.TempDir(), "clone")
	s.git(append(append([]string{"-c", "uploadpack.allowFilter=true", "clone", "-q"}, args...), "file://"+filepath.ToSlash(s.dir), dir)...)
	return &testRepo{t: s.t, dir: dir}
}

func TestPartialClone(t *testing.T) {
	s := emptyScratchRepo(t)
	blob := s.object(packfile.Blob, "a file")
	sub := s.object(packfile.Tree, entryLine("100644", "f", blob))
	tree := s.object(packfile.Tree, entryLine("40000", "d", sub)+entryLine("100644", "g", s.object(packfile.Blob, "other")))
	s.ref("refs/heads/main", s.object(packfile.Commit, "tree "+tree.String()+"\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n\nm\n"))
	writeFile(t, s.gitDir("config"), "[core]\n\trepositoryformatversion = 0\n\tbare = false\n[uploadpack]\n\tallowFilter = true\n")
	const why = "it is missing: this is a partial clone"
	for filter, want := range map[string][]ID{
		"blob:none": {blob, objectID(packfile.Blob, []byte("other"))},
		"tree:0":    {tree},
		"tree:1":    {sub, objectID(packfile.Blob, []byte("other"))},
	} {
		clone := s.clone("--no-checkout", "--filter="+filter)
		got := scanHistory(t, clone.dir, testOptions)
		sameSet(t, filter, got.gaps, missingGaps(want, why))
	}
}

func TestShallowClone(t *testing.T) {
	for seed := range 4 {
		s := newScratchRepo(t, uint64(7000+seed*11), 20)
		os.RemoveAll(s.gitDir("refs", "replace"))
		os.RemoveAll(s.gitDir("refs", "stash")) // it is no reflog's
		writeFile(t, s.gitDir("HEAD"), "ref: refs/heads/main\n")
		clone := s.clone("--bare", "--depth=2", "--no-single-branch")
		move(t, clone.dir)
		o := newOracle(t, clone, nil)
		var gaps []string
		for _, id := range o.cut {
			gaps = append(gaps, "history before commit "+id.String()+": this is a shallow clone")
		}
		var tips []ID
		for _, hex := range lines(clone.git("for-each-ref", "--format=%(objectname)", "refs/heads", "refs/remotes")) {
			tips = append(tips, mustID(t, hex))
		}
		want := &historyResult{places: o.places(tips), messages: o.messages(), gaps: gaps}
		compareHistory(t, "shallow", scanHistory(t, clone.dir, testOptions), want)
	}
}

// move makes a bare repository one with a .git directory.
func move(t *testing.T, dir string) {
	t.Helper()
	if err := os.Rename(dir, dir+"-bare"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir+"-bare", filepath.Join(dir, ".git")); err != nil {
		t.Fatal(err)
	}
}

// offsets says where git has the objects of a pack.
func (s *scratchRepo) offsets(pack string) map[string]int64 {
	s.t.Helper()
	index, err := os.ReadFile(s.gitDir("objects", "pack", strings.TrimSuffix(pack, ".pack")+".idx"))
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := s.command(s.dir, nil, "show-index")
	cmd.Stdin = bytes.NewReader(index)
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatal(err)
	}
	at := map[string]int64{}
	for _, line := range lines(strings.TrimSpace(string(out))) {
		f := strings.Fields(line)
		if at[f[1]], err = strconv.ParseInt(f[0], 10, 64); err != nil {
			s.t.Fatal(err)
		}
	}
	return at
}

// spoil changes a byte of an object's entry in a pack, n bytes into it.
func (s *scratchRepo) spoil(pack, id string, n int64) {
	s.t.Helper()
	file := s.gitDir("objects", "pack", pack)
	if err := os.Chmod(file, 0o644); err != nil {
		s.t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	data[s.offsets(pack)[id]+n] ^= 0x10
	writeFile(s.t, file, string(data))
}

// An object that is damaged in one pack and whole in another is no gap, nor is
// what is made of it.
func TestDamagedCopies(t *testing.T) {
	for seed := range 6 {
		s := newScratchRepo(t, uint64(9000+seed), 25)
		o := newOracle(t, s.testRepo, s.replaced)
		want := &historyResult{places: o.places(s.tips), messages: o.messages()}
		ids := o.ids()
		deltas := s.pack(ids, "--delta-base-offset", "--no-reuse-delta", "--depth=100", "--window=50")
		whole := s.pack(ids, "--no-reuse-delta", "--depth=0")
		s.keepOnly(deltas, whole)
		for range 5 {
			s.spoil(deltas, ids[s.r.IntN(len(ids))], int64(s.r.IntN(9)))
		}
		compareHistory(t, "five damaged entries", scanHistory(t, s.dir, testOptions), want)

		victim := ids[s.r.IntN(len(ids))]
		s.spoil(deltas, victim, 2)
		s.spoil(whole, victim, 2)
		got := scanHistory(t, s.dir, testOptions)
		if len(got.gaps) != 1 || !strings.HasPrefix(got.gaps[0], "object "+victim+": ") {
			t.Errorf("damaged twice: %s; gaps %q", victim, got.gaps)
		}
		id := mustID(t, victim)
		writeFile(t, LooseFile(s.gitDir("objects"), id), zippedObject(o, id))
		compareHistory(t, "a third copy", scanHistory(t, s.dir, testOptions), want)
	}
}

func zippedObject(o *oracle, id ID) string {
	return string(zipped(fmt.Sprintf("%s %d\x00%s", o.types[id], len(o.data[id]), o.data[id])))
}

// Loose files that are empty, cut or another object's are gaps, unless a pack has
// what they should hold.
func TestDamagedLoose(t *testing.T) {
	s := newScratchRepo(t, 42, 12)
	o := newOracle(t, s.testRepo, s.replaced)
	ids := o.ids()
	all := s.pack(ids)
	s.keepOnly(all)
	want := scanHistory(t, s.dir, testOptions)
	var damaged []string
	for i, damage := range []func(string) string{
		func(string) string { return "" },
		func(z string) string { return z[:len(z)/2] },
		func(z string) string { return z[:len(z)-1] },
		func(z string) string { return "no zlib stream" },
		func(z string) string { return string(zipped("blob 5\x00other")) },
		func(z string) string { return string(zipped("blob 99999999999\x00")) },
		func(z string) string { return string(zipped("blub 1\x00x")) },
		func(z string) string { return string(zipped("blob 3\x00more than that")) },
	} {
		id := mustID(t, ids[i*len(ids)/8])
		damaged = append(damaged, "object "+id.String())
		writeFile(t, LooseFile(s.gitDir("objects"), id), damage(zippedObject(o, id)))
	}
	compareHistory(t, "with a pack", scanHistory(t, s.dir, testOptions), want)
	s.keepOnlyPacks()
	got := scanHistory(t, s.dir, testOptions)
	for _, what := range damaged {
		if !slices.ContainsFunc(got.gaps, func(g string) bool { return strings.HasPrefix(g, what) }) {
			t.Errorf("%s is no gap", what)
		}
	}
}

// keepOnlyPacks deletes packs but these, and no loose object.
func (s *scratchRepo) keepOnlyPacks(packs ...string) {
	files, _ := filepath.Glob(s.gitDir("objects", "pack", "*"))
	for _, file := range files {
		os.Remove(file)
	}
}

// What is over the limit is a gap that says so, in packs and loose.
func TestLargeObjects(t *testing.T) {
	s := emptyScratchRepo(t)
	large := strings.Repeat("a large file\n", 10_000)
	ids := []string{s.object(packfile.Blob, large).String(), s.object(packfile.Blob, large+"more").String(), s.object(packfile.Blob, "small").String()}
	for _, layout := range []string{"loose", "packed"} {
		if layout == "packed" {
			s.keepOnly(s.pack(ids))
		}
		h, err := mustOpen(t, s.dir).OpenHistory(context.Background(), HistoryOptions{Workers: 1, MaxObject: 100_000})
		if err != nil {
			t.Fatal(err)
		}
		f := &finder{found: map[ID][]int{}}
		if err := WalkHistory[struct{}](context.Background(), h, packfile.Types(packfile.Blob), f); err != nil {
			t.Fatal(err)
		}
		gaps := h.Gaps()
		if n, _ := h.Seen(packfile.Blob); n != 1 || len(gaps) != 2 {
			t.Errorf("%s: %d read, gaps %v", layout, n, gaps)
		}
		for _, g := range gaps {
			if !strings.Contains(g.What, ids[0]) && !strings.Contains(g.What, ids[1]) {
				t.Errorf("%s: a gap of %s", layout, g.What)
			}
		}
		h.Close()
	}
}

// A pack without its index, and one that is cut, are gaps.
func TestDamagedPacks(t *testing.T) {
	s := newScratchRepo(t, 3, 20)
	s.pseudo = nil
	ids := newOracle(t, s.testRepo, s.replaced).ids()
	name := s.pack(ids)
	s.keepOnly(name)
	pack := s.gitDir("objects", "pack", name)
	index := strings.TrimSuffix(pack, ".pack") + ".idx"
	for what, damage := range map[string]func() error{
		"no index":    func() error { return os.Rename(index, index+".away") },
		"a cut pack":  func() error { os.Chmod(pack, 0o644); return os.Truncate(pack, 2000) },
		"a cut index": func() error { os.Chmod(index, 0o644); return os.Truncate(index, 1200) },
	} {
		saved := [2][]byte{}
		for i, file := range []string{pack, index} {
			saved[i], _ = os.ReadFile(file)
		}
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		got := scanHistory(t, s.dir, testOptions)
		if !slices.ContainsFunc(got.gaps, func(g string) bool { return strings.HasPrefix(g, name+": ") }) {
			t.Errorf("%s: gaps %q", what, got.gaps)
		}
		for i, file := range []string{pack, index} {
			os.Remove(file)
			writeFile(t, file, string(saved[i]))
		}
	}
}

// Loose objects that are packed between being listed and being read are read from
// the pack; one that is deleted is a gap if something needs it.
func TestVanished(t *testing.T) {
	s := newScratchRepo(t, 77, 15)
	o := newOracle(t, s.testRepo, s.replaced)
	ids := o.ids()
	s.keepOnly(s.pack(ids)) // then loose again
	for _, id := range ids {
		writeFile(t, LooseFile(s.gitDir("objects"), mustID(t, id)), zippedObject(o, mustID(t, id)))
	}
	s.keepOnlyPacks()
	want := scanHistory(t, s.dir, testOptions)
	if len(want.gaps) > 0 || len(want.places) == 0 {
		t.Fatalf("gaps %q, places %q", want.gaps, want.places)
	}
	h, err := mustOpen(t, s.dir).OpenHistory(context.Background(), testOptions)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	var needed string // a blob of some commit that is reachable
	for id, c := range o.commits {
		for _, blob := range o.files[c.tree] {
			if o.reached[id] {
				needed = max(needed, blob.String())
			}
		}
	}
	s.keepOnly(s.pack(slices.DeleteFunc(ids, func(id string) bool { return id == needed })))
	f := &finder{found: map[ID][]int{}}
	if err := WalkHistory[struct{}](context.Background(), h, packfile.Types(packfile.Blob), f); err != nil {
		t.Fatal(err)
	}
	g, err := h.Graph(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	places, err := g.Introductions(context.Background(), f.found, secretNames)
	if err != nil {
		t.Fatal(err)
	}
	left := slices.DeleteFunc(want.places, func(p string) bool { return strings.Contains(p, needed) })
	if len(places) < len(left) {
		t.Errorf("%d places, want %d", len(places), len(left))
	}
	gaps := h.Gaps()
	if len(gaps) != 1 || gaps[0].What != "object "+needed {
		t.Errorf("gaps %v, want object %s", gaps, needed)
	}
}

// A gc that runs meanwhile changes nothing.
func TestConcurrentRepack(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("open files cannot be deleted here")
	}
	s := newScratchRepo(t, 8, 40)
	os.RemoveAll(s.gitDir("refs", "replace"))
	o := newOracle(t, s.testRepo, nil)
	want := &historyResult{places: o.places(s.tips), messages: o.messages()}
	stop, done := make(chan struct{}), make(chan error)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			cmd := s.command(s.dir, nil, "repack", "-adkfq", "--depth="+strconv.Itoa(1+n%5))
			if out, err := cmd.CombinedOutput(); err != nil {
				done <- fmt.Errorf("git repack: %w\n%s", err, out)
				return
			}
		}
	}()
	for n := range 25 {
		compareHistory(t, fmt.Sprint("scan ", n), scanHistory(t, s.dir, testOptions), want)
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// Trees that hold each other many times over, or nest very deeply, neither take
// for ever nor hide a secret.
func TestTreeBombs(t *testing.T) {
	s := emptyScratchRepo(t)
	tree := s.object(packfile.Tree, entryLine("100644", "secret", s.object(packfile.Blob, marker(1))))
	for range 12 {
		var b strings.Builder
		for i := range 10 {
			b.WriteString(entryLine("40000", string(rune('a'+i)), tree))
		}
		tree = s.object(packfile.Tree, b.String())
	}
	s.ref("refs/heads/main", s.object(packfile.Commit, "tree "+tree.String()+"\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n\nm\n"))
	got := scanHistory(t, s.dir, testOptions)
	if len(got.gaps) != 1 || len(got.places) == 0 || len(got.places) > maxPlaces {
		t.Errorf("wide: %d places, gaps %q", len(got.places), got.gaps)
	}

	s = emptyScratchRepo(t)
	path := strings.Repeat("d/", maxTreeDepth) + "secret"
	cmd := s.command(s.dir, nil, "-c", "fastimport.unpackLimit=1", "fast-import", "--quiet")
	cmd.Stdin = strings.NewReader("commit refs/heads/main\ncommitter A <a> 1 +0000\ndata 0\nM 100644 inline " + path + "\ndata 10\n" + marker(1) + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git fast-import: %v\n%s", err, out)
	}
	got = scanHistory(t, s.dir, testOptions)
	if len(got.gaps) != 1 || len(got.places) != 1 {
		t.Errorf("deep: %d places, gaps %q", len(got.places), got.gaps)
	}
}
