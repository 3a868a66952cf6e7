package gitrepo

import (
	"bytes"
	"cmp"
	"compress/zlib"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/packfile"
)

func zipped(data string) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	w.Write([]byte(data))
	w.Close()
	return b.Bytes()
}

// markers stand for secrets in these tests.
const markerCount = 6

func marker(n int) string { return fmt.Sprintf("[marker %d]", n) }

// finder collects the markers of blobs.
type finder struct {
	mu    sync.Mutex
	found map[ID][]int
}

func (f *finder) Visit(_ int, o packfile.Object, content []byte, _ *struct{}, _ []scan.Copy) struct{} {
	if m := markersIn(content); len(m) > 0 {
		f.mu.Lock()
		f.found[o.ID] = m
		f.mu.Unlock()
	}
	return struct{}{}
}

func (f *finder) Lost(packfile.Object, error) {}

func markersIn(content []byte) (found []int) {
	for n := range markerCount {
		if bytes.Contains(content, []byte(marker(n))) {
			found = append(found, n)
		}
	}
	return found
}

// secretNames are the names that make a secret of most blobs.
var secretNames = &Names{
	Match: func(name []byte) bool { return slices.Contains([]string{"a", "j", "o"}, string(name)) },
	Secrets: func(blob ID, _ string) []int {
		if blob[0] < 32 {
			return nil
		}
		return []int{1<<30 | int(blob[0])<<16 | int(blob[1])<<8 | int(blob[2])}
	},
}

// historyResult is what the package says of a repository.
type historyResult struct {
	places   []string // one line for each introduction
	messages map[ID]string
	gaps     []string
}

// scanHistory walks a repository as a scan does.
func scanHistory(t testing.TB, dir string, o HistoryOptions) *historyResult {
	t.Helper()
	return scanHistoryFor(t, dir, o, false)
}

// scanHistoryFor looks at names, and unless told otherwise at contents.
func scanHistoryFor(t testing.TB, dir string, o HistoryOptions, noContent bool) *historyResult {
	t.Helper()
	ctx := context.Background()
	h, err := mustOpen(t, dir).OpenHistory(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	f := &finder{found: map[ID][]int{}}
	blobs := packfile.Types(packfile.Blob)
	if err := WalkHistory[struct{}](ctx, h, blobs, f); err != nil {
		t.Fatal(err)
	}
	if err := Recover[struct{}](ctx, h, blobs, f); err != nil {
		t.Fatal(err)
	}
	if noContent {
		clear(f.found)
	}
	r := &historyResult{messages: map[ID]string{}}
	var mu sync.Mutex
	g, err := h.Graph(ctx, func(_ int, id ID, _ packfile.Type, message []byte) {
		mu.Lock()
		defer mu.Unlock()
		r.messages[id] = string(message)
	})
	if err != nil {
		t.Fatal(err)
	}
	introductions, err := g.Introductions(ctx, f.found, secretNames)
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range introductions {
		r.places = append(r.places, placeLine(in))
	}
	for _, gap := range h.Gaps() {
		r.gaps = append(r.gaps, gap.What+": "+gap.Why)
	}
	for id := range r.messages {
		if !g.Reachable(id) {
			r.messages[id] += " (unreachable)"
		}
	}
	return r
}

func placeLine(in Introduction) string {
	commit := "no commit"
	if !in.Commit.IsZero() {
		commit = in.Commit.String()
	}
	return fmt.Sprintf("marker %d in %s at %q by %s tip=%v unreachable=%v note=%v versions=%d",
		in.Secret, in.Blob, in.Path, commit, in.AtTip, in.Unreachable, in.Note, in.Versions)
}

// scratchRepo is a repository that git makes from a random history.
type scratchRepo struct {
	*testRepo
	r        *rand.Rand
	commits  []map[string]file // by number
	marks    []ID              // of the commits
	contents []string
	tips     []ID // of branches
	pseudo   []string
	replaced map[ID]ID
}

type file struct {
	mode    string
	content string // of a gitlink, the commit
}

func (s *scratchRepo) gitDir(path ...string) string {
	return filepath.Join(append([]string{s.dir, ".git"}, path...)...)
}

func emptyScratchRepo(t testing.TB) *scratchRepo {
	isolate(t)
	s := &scratchRepo{testRepo: &testRepo{t: t, dir: t.TempDir()}, r: testRand(0), replaced: map[ID]ID{}}
	writeFile(t, s.gitDir("HEAD"), "ref: refs/heads/main\n") // as git init does, ten times as fast
	writeFile(t, s.gitDir("config"), "[core]\n\trepositoryformatversion = 0\n\tbare = false\n")
	for _, dir := range []string{"objects", "refs"} {
		if err := os.Mkdir(s.gitDir(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func newScratchRepo(t testing.TB, seed uint64, commits int) *scratchRepo {
	s := emptyScratchRepo(t)
	s.r = testRand(seed)
	for range 10 {
		s.contents = append(s.contents, s.newContent())
	}
	s.importCommits(commits)
	s.references()
	s.strays()
	if s.r.IntN(3) == 0 {
		s.replaceCommits()
	}
	return s
}

// newContent is a text of several lines with some markers.
func (s *scratchRepo) newContent() string {
	var b strings.Builder
	for range 3 + s.r.IntN(8) {
		fmt.Fprintf(&b, "line %d of some text that is long enough\n", s.r.IntN(20))
		if s.r.IntN(5) == 0 {
			b.WriteString(marker(s.r.IntN(markerCount)) + "\n")
		}
	}
	return b.String()
}

func (s *scratchRepo) content() string {
	if s.r.IntN(3) == 0 {
		s.contents = append(s.contents, s.newContent())
		return s.contents[len(s.contents)-1]
	}
	return s.contents[s.r.IntN(len(s.contents))]
}

// put adds a file, in place of whatever stands in its way.
func put(files map[string]file, path string, f file) {
	for other := range files {
		if strings.HasPrefix(other, path+"/") || strings.HasPrefix(path, other+"/") {
			delete(files, other)
		}
	}
	files[path] = f
}

func (s *scratchRepo) path() string {
	paths := []string{"a", "b", "c", "d", "d/a", "d/b", "d/e", "d/e/a", "d/e/f/a", "d.x", "d-", "g/a", "g/b", "g/d/a"}
	return paths[s.r.IntN(len(paths))]
}

// change is what one commit does to the files of its first parent.
func (s *scratchRepo) change(files map[string]file, others []map[string]file) {
	for _, other := range others {
		for _, path := range slices.Sorted(maps.Keys(other)) {
			if s.r.IntN(2) == 0 { // a merge takes what it likes
				put(files, path, other[path])
			}
		}
	}
	for range s.r.IntN(4) {
		path := s.path()
		switch s.r.IntN(9) {
		case 0:
			delete(files, path)
		case 1: // rename
			if f, ok := files[path]; ok {
				delete(files, path)
				put(files, s.path(), f)
			}
		case 2:
			put(files, path, file{"100755", s.content()})
		case 3:
			put(files, path, file{"120000", s.content()})
		case 4:
			put(files, path, file{"160000", fmt.Sprintf("%040x", s.r.Uint32())})
		default:
			put(files, path, file{"100644", s.content()})
		}
	}
}

// importCommits makes commits, none of which a reference names yet.
func (s *scratchRepo) importCommits(n int) {
	var b strings.Builder
	for i := range n {
		files := map[string]file{}
		var parents []int
		if i > 0 && s.r.IntN(12) > 0 {
			for range []int{1, 1, 1, 1, 2, 2, 3, 5}[s.r.IntN(8)] {
				if p := max(0, i-1-s.r.IntN(6)); !slices.Contains(parents, p) {
					parents = append(parents, p)
				}
			}
			files = maps.Clone(s.commits[parents[0]])
		}
		var others []map[string]file
		for _, p := range parents[min(1, len(parents)):] {
			others = append(others, s.commits[p])
		}
		s.change(files, others)
		if i > 3 && s.r.IntN(10) == 0 { // a revert of everything
			files = maps.Clone(s.commits[s.r.IntN(i)])
		}
		s.commits = append(s.commits, files)
		s.writeCommit(&b, i, parents, files)
	}
	for i := range n {
		fmt.Fprintf(&b, "get-mark :%d\n", i+1)
	}
	b.WriteString("done\n")
	limit := 0 // of objects that become loose ones, which is slow
	if s.r.IntN(4) == 0 {
		limit = 1000
	}
	cmd := s.command(s.dir, nil, "-c", "fastimport.unpackLimit="+strconv.Itoa(limit), "fast-import", "--quiet", "--done")
	cmd.Stdin = strings.NewReader(b.String())
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("git fast-import: %v\n%s", err, b.String())
	}
	for _, line := range lines(strings.TrimSpace(string(out))) {
		s.marks = append(s.marks, mustID(s.t, line))
	}
	if err := os.RemoveAll(s.gitDir("refs", "tmp")); err != nil {
		s.t.Fatal(err)
	}
	os.RemoveAll(s.gitDir("logs"))
}

func (s *scratchRepo) writeCommit(b *strings.Builder, i int, parents []int, files map[string]file) {
	b.WriteString("reset refs/tmp/x\n")
	if len(parents) > 0 {
		fmt.Fprintf(b, "from :%d\n", parents[0]+1)
	}
	date := 1700000000 + s.r.IntN(5)*1000 // equal and backward
	message := fmt.Sprintf("commit %d", i)
	fmt.Fprintf(b, "\ncommit refs/tmp/x\nmark :%d\ncommitter Ada <ada@example.org> %d +0000\ndata %d\n%s\n", i+1, date, len(message), message)
	for _, p := range parents[min(1, len(parents)):] {
		fmt.Fprintf(b, "merge :%d\n", p+1)
	}
	b.WriteString("deleteall\n")
	for _, path := range slices.Sorted(maps.Keys(files)) {
		f := files[path]
		if f.mode == "160000" {
			fmt.Fprintf(b, "M 160000 %s %s\n", f.content, path)
		} else {
			fmt.Fprintf(b, "M %s inline %s\ndata %d\n%s\n", f.mode, path, len(f.content), f.content)
		}
	}
	b.WriteString("\n")
}

// anyCommit is some commit, rather a late one.
func (s *scratchRepo) anyCommit() ID {
	n := len(s.marks)
	return s.marks[n-1-min(s.r.IntN(n), s.r.IntN(n))]
}

func (s *scratchRepo) ref(name string, id ID) { writeFile(s.t, s.gitDir(name), id.String()+"\n") }

// references makes branches, tags, notes, a stash, reflogs and the like.
func (s *scratchRepo) references() {
	tip := func(name string) {
		s.tips = append(s.tips, s.anyCommit())
		s.ref(name, s.tips[len(s.tips)-1])
	}
	tip("refs/heads/main")
	for i := range s.r.IntN(3) {
		tip(fmt.Sprintf("refs/heads/topic/%d", i))
	}
	if s.r.IntN(2) == 0 {
		tip("refs/remotes/origin/main")
	}
	if s.r.IntN(3) == 0 {
		id := s.anyCommit()
		s.tips = append(s.tips, id)
		writeFile(s.t, s.gitDir("HEAD"), id.String()+"\n")
	}
	for _, name := range []string{"refs/tags/light", "refs/stash", "refs/notes/commits", "refs/pull/1/head"} {
		if s.r.IntN(4) == 0 {
			s.ref(name, s.anyCommit())
		}
	}
	for _, name := range []string{"refs/heads/main", "refs/heads/gone", "refs/notes/commits", "refs/stash"} {
		if s.r.IntN(4) == 0 {
			s.reflog(name, s.anyCommit(), s.anyCommit(), ID{1, 2, 3})
		}
	}
	for _, name := range []string{"ORIG_HEAD", "MERGE_HEAD", "FETCH_HEAD"} {
		switch s.r.IntN(8) {
		case 0:
			s.pseudo = append(s.pseudo, name)
			writeFile(s.t, s.gitDir(name), s.anyCommit().String()+"\n")
		case 1:
			writeFile(s.t, s.gitDir(name), ID{3, 2, 1}.String()+"\n")
		}
	}
}

// reflog writes a log through the ids, the first of which came from nowhere.
func (s *scratchRepo) reflog(name string, ids ...ID) {
	var b strings.Builder
	var old ID
	for _, id := range ids {
		fmt.Fprintf(&b, "%s %s Ada <ada@example.org> 1700000000 +0000\tmoved\n", old, id)
		old = id
	}
	writeFile(s.t, s.gitDir("logs", name), b.String())
}

// object writes a loose object.
func (s *scratchRepo) object(typ packfile.Type, data string) ID {
	id := objectID(typ, []byte(data))
	file := LooseFile(s.gitDir("objects"), id)
	if _, err := os.Stat(file); err != nil {
		writeFile(s.t, file, string(zipped(fmt.Sprintf("%s %d\x00%s", typ, len(data), data))))
	}
	return id
}

func entryLine(mode, name string, id ID) string { return mode + " " + name + "\x00" + string(id[:]) }

// strays makes objects that no commit holds: some named by tags, most by nothing.
func (s *scratchRepo) strays() {
	stray := func() ID { return s.object(packfile.Blob, s.newContent()) }
	inner := s.object(packfile.Tree, entryLine("100644", "i", stray())+entryLine("100644", "j", s.object(packfile.Blob, s.contents[0])))
	outer := s.object(packfile.Tree, entryLine("40000", "in", inner)+entryLine("100644", "o", stray()))
	blob := stray()
	for _, id := range []ID{inner, outer, blob} {
		if s.r.IntN(4) == 0 {
			s.ref("refs/tags/stray-"+id.String()[:4], id)
		}
	}
	if s.r.IntN(3) == 0 {
		typ, id := "tree", outer
		if s.r.IntN(2) == 0 {
			typ, id = "blob", stray()
		}
		tag := s.object(packfile.Tag, fmt.Sprintf("object %s\ntype %s\ntag t\ntagger Ada <ada@example.org> 1700000000 +0000\n\na tag\n", id, typ))
		tag = s.object(packfile.Tag, fmt.Sprintf("object %s\ntype tag\ntag u\ntagger Ada <ada@example.org> 1700000000 +0000\n\na tag of a tag\n", tag))
		if s.r.IntN(2) == 0 {
			s.ref("refs/tags/annotated", tag)
		}
	}
	if s.r.IntN(3) == 0 { // garbage that refers to what is not there
		gone := s.object(packfile.Tree, entryLine("100644", "gone", ID{7}))
		s.object(packfile.Commit, fmt.Sprintf("tree %s\nparent %s\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n\ngarbage\n", gone, ID{8}))
	}
	if s.r.IntN(4) == 0 {
		s.git("update-index", "--add", "--cacheinfo", "100644,"+stray().String()+",staged/file")
	}
}

// replaceCommits makes commits stand in for others.
func (s *scratchRepo) replaceCommits() {
	n := len(s.marks)
	if n < 4 {
		return
	}
	to := n/2 + s.r.IntN(n-n/2)
	from := s.r.IntN(n / 2)
	if s.marks[from] == s.marks[to] {
		return
	}
	tree := s.git("rev-parse", s.marks[from].String()+"^{tree}")
	if s.r.IntN(2) == 0 {
		tree = s.git("rev-parse", s.marks[to].String()+"^{tree}")
	}
	parents := ""
	if from > 0 {
		parents = "parent " + s.marks[s.r.IntN(from)].String() + "\n"
	}
	stand := s.object(packfile.Commit, fmt.Sprintf("tree %s\n%sauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n\nreplacement\n", tree, parents))
	s.replaced[s.marks[from]] = stand
	s.ref("refs/replace/"+s.marks[from].String(), stand)
	if s.r.IntN(2) == 0 { // of a replacement
		again := s.object(packfile.Commit, fmt.Sprintf("tree %s\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n\nreplaced again\n", tree))
		s.replaced[stand] = again
		s.ref("refs/replace/"+stand.String(), again)
	}
}

// oracle says slowly what the package must say fast.
type oracle struct {
	t        testing.TB
	types    map[ID]string
	data     map[ID][]byte
	commits  map[ID]*oracleCommit
	files    map[ID]map[string]ID   // of a tree, by path
	below    map[ID]map[ID]bool     // trees below a tree
	secrets  map[ID][]int           // of a blob
	links    map[ID]map[string]bool // of a tree, by path: what is no regular file
	reached  map[ID]bool            // commits and tags, by any root
	history  map[ID]bool            // commits and tags, by roots other than notes
	direct   map[ID]bool
	needed   []ID        // roots that Git never lets go
	cut      []ID        // commits whose parents a shallow clone hides
	commitIn map[ID]bool // trees and blobs that some commit holds
}

type oracleCommit struct {
	tree    ID
	parents []ID
	message string
	ownTree ID
	own     []ID
}

// readAll asks git for every object.
func (o *oracle) readAll(g *testRepo) {
	out, err := g.command(g.dir, nil, "cat-file", "--batch-all-objects", "--batch", "--buffer").Output()
	if err != nil {
		o.t.Fatal(err)
	}
	for len(out) > 0 {
		line, rest, _ := bytes.Cut(out, []byte("\n"))
		f := strings.Fields(string(line))
		size, err := strconv.Atoi(f[2])
		if err != nil {
			o.t.Fatalf("git cat-file says %q", line)
		}
		id := mustID(o.t, f[0])
		o.types[id], o.data[id] = f[1], rest[:size]
		out = rest[size+1:]
	}
}

// ids lists every object in hexadecimal, in order.
func (o *oracle) ids() (ids []string) {
	for id := range o.types {
		ids = append(ids, id.String())
	}
	slices.Sort(ids)
	return ids
}

func (o *oracle) readCommit(id ID) *oracleCommit {
	c := &oracleCommit{}
	head, message, _ := strings.Cut(string(o.data[id]), "\n\n")
	c.message = message
	for _, line := range strings.Split(head, "\n") {
		if hex, ok := strings.CutPrefix(line, "tree "); ok {
			c.tree = mustID(o.t, hex)
		}
		if hex, ok := strings.CutPrefix(line, "parent "); ok {
			c.parents = append(c.parents, mustID(o.t, hex))
		}
	}
	return c
}

// readTree fills files and below.
func (o *oracle) readTree(id ID) {
	if o.files[id] != nil {
		return
	}
	files, below, links := map[string]ID{}, map[ID]bool{}, map[string]bool{}
	for data := string(o.data[id]); data != ""; {
		mode, rest, _ := strings.Cut(data, " ")
		name, rest, _ := strings.Cut(rest, "\x00")
		var sub ID
		copy(sub[:], rest)
		data = rest[20:]
		switch mode {
		case "160000":
		case "40000":
			o.readTree(sub)
			below[sub] = true
			maps.Copy(below, o.below[sub])
			for path, blob := range o.files[sub] {
				files[name+"/"+path] = blob
				links[name+"/"+path] = o.links[sub][path]
			}
		default:
			files[name], links[name] = sub, mode == "120000"
		}
	}
	o.files[id], o.below[id], o.links[id] = files, below, links
}

func newOracle(t testing.TB, g *testRepo, replaced map[ID]ID) *oracle {
	o := &oracle{t: t, types: map[ID]string{}, data: map[ID][]byte{}, commits: map[ID]*oracleCommit{}, files: map[ID]map[string]ID{},
		below: map[ID]map[ID]bool{}, links: map[ID]map[string]bool{}, secrets: map[ID][]int{}, direct: map[ID]bool{}, commitIn: map[ID]bool{}}
	o.readAll(g)
	for id, typ := range o.types {
		switch typ {
		case "commit":
			o.commits[id] = o.readCommit(id)
		case "tree":
			o.readTree(id)
		case "blob":
			if m := markersIn(o.data[id]); len(m) > 0 {
				o.secrets[id] = m
			}
		}
	}
	for from := range replaced {
		to := from
		for next, ok := replaced[to]; ok; next, ok = replaced[to] {
			to = next
		}
		as, c := o.readCommit(to), o.commits[from]
		c.ownTree, c.own, c.tree, c.parents = c.tree, c.parents, as.tree, as.parents
	}
	for _, c := range o.commits {
		o.commitIn[c.tree] = true
		maps.Copy(o.commitIn, o.below[c.tree])
		for _, blob := range o.files[c.tree] {
			o.commitIn[blob] = true
		}
	}
	o.shallow(g)
	o.reach(g)
	return o
}

func (o *oracle) shallow(g *testRepo) {
	data, err := os.ReadFile(filepath.Join(g.dir, ".git", "shallow"))
	if err != nil {
		return
	}
	for _, line := range lines(strings.TrimSpace(string(data))) {
		id := mustID(o.t, line)
		if c := o.commits[id]; c != nil && len(c.parents) > 0 {
			c.parents = nil
			o.cut = append(o.cut, id)
		}
	}
}

// roots are the ids that every file in the git directory names, but objects.
func (o *oracle) reach(g *testRepo) {
	var history, notes []ID
	err := filepath.WalkDir(filepath.Join(g.dir, ".git"), func(path string, d os.DirEntry, err error) error {
		rel := strings.TrimPrefix(filepath.ToSlash(path), filepath.ToSlash(g.dir)+"/.git/")
		if err != nil || d.IsDir() || strings.HasPrefix(rel, "objects") || strings.HasPrefix(rel, "hooks") || rel == "index" || rel == "config" || rel == "shallow" {
			return err
		}
		data, err := os.ReadFile(path)
		for _, word := range strings.Fields(string(data)) {
			var id ID
			if !decodeID([]byte(word), &id) {
				continue
			}
			if strings.HasPrefix(rel, "refs/") || rel == "HEAD" || rel == "packed-refs" || o.types[id] != "" {
				o.needed = append(o.needed, id)
			}
			if o.types[id] == "" {
				continue
			}
			if strings.Contains(rel, "refs/notes/") {
				notes = append(notes, id)
			} else {
				history = append(history, id)
			}
		}
		return err
	})
	if err != nil {
		o.t.Fatal(err)
	}
	for _, line := range lines(g.git("ls-files", "-s")) {
		o.direct[mustID(o.t, strings.Fields(line)[1])] = true
	}
	o.history = o.walk(history)
	o.reached = o.walk(append(notes, history...))
	for id := range o.reached {
		if c := o.commits[id]; c != nil && !c.ownTree.IsZero() {
			o.direct[c.ownTree] = true
		}
	}
}

// walk follows tags and commits.
func (o *oracle) walk(ids []ID) map[ID]bool {
	seen := map[ID]bool{}
	for len(ids) > 0 {
		id := ids[0]
		ids = ids[1:]
		if seen[id] {
			continue
		}
		switch o.types[id] {
		case "commit":
			seen[id] = true
			ids = append(append(ids, o.commits[id].parents...), o.commits[id].own...)
		case "tag":
			seen[id] = true
			ids = append(ids, mustID(o.t, string(o.data[id][len("object "):][:40])))
		default:
			o.direct[id] = true
		}
	}
	return seen
}

// at are the secrets of the file at a path of a tree.
func (o *oracle) at(tree ID, path string) []int {
	blob := o.files[tree][path]
	return slices.Concat(o.secrets[blob], o.named(tree, path))
}

// named are the secrets that the file at a path of a tree is by its name.
func (o *oracle) named(tree ID, name string) []int {
	if o.links[tree][name] || o.types[o.files[tree][name]] == "" || !secretNames.Match([]byte(path.Base(name))) {
		return nil
	}
	return secretNames.Secrets(o.files[tree][name], "")
}

// places lists every introduction.
func (o *oracle) places(tips []ID) []string {
	type key struct {
		secret int
		path   string
	}
	versions, atTip := map[key]map[ID]bool{}, map[key]bool{}
	for _, c := range o.commits {
		for path, blob := range o.files[c.tree] {
			for _, s := range o.at(c.tree, path) {
				k := key{s, path}
				if versions[k] == nil {
					versions[k] = map[ID]bool{}
				}
				versions[k][blob] = true
			}
		}
	}
	for _, tip := range tips {
		if o.commits[tip] == nil {
			continue
		}
		for path := range o.files[o.commits[tip].tree] {
			for _, s := range o.at(o.commits[tip].tree, path) {
				atTip[key{s, path}] = true
			}
		}
	}
	var all []Introduction
	for id, c := range o.commits {
		for path, blob := range o.files[c.tree] {
			for _, s := range o.at(c.tree, path) {
				if !o.inherited(c, path, s) {
					all = append(all, Introduction{Secret: s, Blob: blob, Path: path, Commit: id, AtTip: atTip[key{s, path}],
						Unreachable: !o.reached[id], Note: o.reached[id] && !o.history[id]})
				}
			}
		}
	}
	all = append(all, o.orphans()...)
	for i := range all {
		all[i].Versions = max(1, len(versions[key{all[i].Secret, all[i].Path}]))
	}
	slices.SortFunc(all, func(a, b Introduction) int {
		return cmp.Or(cmp.Compare(a.Secret, b.Secret), cmp.Compare(a.Path, b.Path),
			bytes.Compare(a.Commit[:], b.Commit[:]), bytes.Compare(a.Blob[:], b.Blob[:]))
	})
	var out []string
	for _, in := range all {
		out = append(out, placeLine(in))
	}
	return slices.Compact(out)
}

// inherited reports whether a parent's file at the path holds the secret.
func (o *oracle) inherited(c *oracleCommit, path string, secret int) bool {
	for _, p := range c.parents {
		if parent := o.commits[p]; parent != nil {
			if _, ok := o.files[parent.tree][path]; ok && slices.Contains(o.at(parent.tree, path), secret) {
				return true
			}
		}
	}
	return false
}

// orphans are the secrets in what no commit holds: by trees that a root names, by
// other trees, and by blobs alone.
func (o *oracle) orphans() (all []Introduction) {
	add := func(path string, blob ID, secrets []int, unreachable bool) {
		for _, s := range secrets {
			all = append(all, Introduction{Secret: s, Blob: blob, Path: path, Unreachable: unreachable && !o.direct[blob]})
		}
	}
	held, byName := maps.Clone(o.commitIn), map[int]bool{}
	for _, c := range o.commits {
		for path := range o.files[c.tree] {
			for _, s := range o.named(c.tree, path) {
				byName[s] = true
			}
		}
	}
	for _, named := range []bool{true, false} {
		var trees []ID
		for tree := range o.files {
			if !held[tree] && (!named || o.direct[tree]) {
				trees = append(trees, tree)
			}
		}
		before, nameBefore := maps.Clone(held), maps.Clone(byName)
		for _, tree := range trees {
			inner := slices.ContainsFunc(trees, func(other ID) bool { return o.below[other][tree] })
			held[tree] = true
			maps.Copy(held, o.below[tree])
			for path, blob := range o.files[tree] {
				held[blob] = true
				if !inner && !before[blob] {
					add(path, blob, o.secrets[blob], !named)
				}
				for _, s := range o.named(tree, path) {
					byName[s] = true
					if !inner && !nameBefore[s] {
						add(path, blob, []int{s}, !named)
					}
				}
			}
		}
	}
	for blob, secrets := range o.secrets {
		if !held[blob] {
			add("", blob, secrets, true)
		}
	}
	return all
}

// messages are those of all commits and tags.
func (o *oracle) messages() map[ID]string {
	all := map[ID]string{}
	for id, typ := range o.types {
		if typ != "commit" && typ != "tag" {
			continue
		}
		_, all[id], _ = strings.Cut(string(o.data[id]), "\n\n")
		if !o.reached[id] {
			all[id] += " (unreachable)"
		}
	}
	return all
}

// agrees compares the oracle itself with git: which commits there are, what their
// parents are, and which files they hold.
func (o *oracle) agrees(g *testRepo, pseudo []string) {
	o.t.Helper()
	args := append([]string{"rev-list", "--parents", "--all", "--reflog"}, pseudo...)
	if len(lines(g.git("for-each-ref", "refs/replace"))) == 0 {
		var want []string
		for id := range o.reached {
			if c := o.commits[id]; c != nil {
				line := id.String()
				for _, p := range c.parents {
					line += " " + p.String()
				}
				want = append(want, line)
			}
		}
		args = append(args, "HEAD")
		sameSet(o.t, "git rev-list", lines(g.git(args...)), want)
	}
	n := 0
	for id, c := range o.commits {
		if o.types[c.tree] == "" || n == 4 {
			continue
		}
		n++
		var want []string
		for path, blob := range o.files[c.tree] {
			want = append(want, blob.String()+"\t"+path)
		}
		var got []string
		for _, line := range lines(g.git("ls-tree", "-r", id.String())) {
			if !strings.HasPrefix(line, "160000") {
				got = append(got, line[strings.LastIndexByte(line[:strings.IndexByte(line, '\t')], ' ')+1:])
			}
		}
		sameSet(o.t, "git ls-tree", got, want)
	}
}

// layouts are the ways in which the same objects can be stored.
var layouts = []struct {
	name string
	make func(s *scratchRepo, ids []string)
}{
	{"packed", func(s *scratchRepo, ids []string) { s.keepOnly(s.pack(ids, "--delta-base-offset", "--no-reuse-delta")) }},
	{"deep", func(s *scratchRepo, ids []string) {
		s.keepOnly(s.pack(ids, "--delta-base-offset", "--no-reuse-delta", "--depth=250", "--window=250"))
	}},
	{"references", func(s *scratchRepo, ids []string) { s.keepOnly(s.pack(ids)) }},
	{"packs", (*scratchRepo).severalPacks},
	{"alternate", (*scratchRepo).alternate},
	{"aggressive", func(s *scratchRepo, _ []string) {
		s.git("-c", "gc.reflogExpire=never", "-c", "gc.reflogExpireUnreachable=never", "gc", "-q", "--aggressive", "--prune=never")
	}},
}

// pack writes a pack of just these objects, and returns its name.
func (s *scratchRepo) pack(ids []string, args ...string) string {
	s.t.Helper()
	cmd := s.command(s.dir, nil, append(append([]string{"pack-objects", "-q"}, args...), s.gitDir("objects", "pack", "pack"))...)
	cmd.Stdin = strings.NewReader(strings.Join(ids, "\n") + "\n")
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("git pack-objects: %v", err)
	}
	return "pack-" + strings.TrimSpace(string(out)) + ".pack"
}

// keepOnly deletes loose objects, and packs but these.
func (s *scratchRepo) keepOnly(packs ...string) {
	s.t.Helper()
	s.deleteLoose(func(string) bool { return true })
	files, err := filepath.Glob(s.gitDir("objects", "pack", "pack-*.*"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		if !slices.Contains(packs, strings.TrimSuffix(name, filepath.Ext(name))+".pack") {
			os.Remove(file)
		}
	}
}

// deleteLoose deletes the loose objects of which f says so.
func (s *scratchRepo) deleteLoose(f func(hex string) bool) {
	s.t.Helper()
	files, err := filepath.Glob(s.gitDir("objects", "[0-9a-f][0-9a-f]", "*"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, file := range files {
		if f(filepath.Base(filepath.Dir(file)) + filepath.Base(file)) {
			if err := os.Remove(file); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

// severalPacks puts objects into two more packs that overlap; what was loose
// before and is in neither stays loose.
func (s *scratchRepo) severalPacks(ids []string) {
	n := len(ids)
	s.pack(ids[:n/2])
	s.pack(ids[n/3:n*3/4+1], "--delta-base-offset", "--no-reuse-delta", "--depth=200", "--window=100")
	s.deleteLoose(func(hex string) bool { return slices.Contains(ids[:n*3/4], hex) })
}

// alternate moves everything to another directory.
func (s *scratchRepo) alternate([]string) {
	elsewhere := filepath.Join(s.dir, "elsewhere")
	if err := os.Rename(s.gitDir("objects"), elsewhere); err != nil {
		s.t.Fatal(err)
	}
	writeFile(s.t, s.gitDir("objects", "info", "alternates"), "../../elsewhere\n")
}

// TestHistory compares with the oracle, for many random repositories, each as git
// made it and in another layout. KEYWRIGHT_HISTORY_REPOS says how many.
func TestHistory(t *testing.T) {
	repos, first := 120, 0
	if testing.Short() {
		repos = 15
	}
	if n, err := strconv.Atoi(os.Getenv("KEYWRIGHT_HISTORY_REPOS")); err == nil {
		repos = n
	}
	if n, err := strconv.Atoi(os.Getenv("KEYWRIGHT_HISTORY_FIRST")); err == nil {
		first = n
	}
	for seed := first; seed < first+repos; seed++ {
		t.Run(strconv.Itoa(seed), func(t *testing.T) { checkHistory(t, uint64(seed)) })
	}
}

func checkHistory(t *testing.T, seed uint64) {
	s := newScratchRepo(t, seed, 3+int(seed*7%40))
	o := newOracle(t, s.testRepo, s.replaced)
	want := &historyResult{places: o.places(s.tips), messages: o.messages()}
	options := HistoryOptions{Workers: int(seed % 4), Memory: int64(seed%3) << 12, MaxObject: 1 << 20}
	compareHistory(t, "as made", scanHistory(t, s.dir, options), want)
	try := layouts[s.r.IntN(len(layouts)-1):][:1] // the last is slow
	if seed%20 == 0 {
		o.agrees(s.testRepo, s.pseudo)
		try = layouts
	}
	for _, l := range try {
		l.make(s, o.ids())
		compareHistory(t, l.name, scanHistory(t, s.dir, options), want)
	}
	if seed%5 == 0 {
		clear(o.secrets)
		want.places = o.places(s.tips)
		compareHistory(t, "names alone", scanHistoryFor(t, s.dir, options, true), want)
	}
}

func compareHistory(t *testing.T, layout string, got, want *historyResult) {
	t.Helper()
	if !slices.Equal(got.places, want.places) {
		t.Errorf("%s: %d places, want %d", layout, len(got.places), len(want.places))
		sameSet(t, layout, got.places, want.places)
	}
	if !maps.Equal(got.messages, want.messages) {
		t.Errorf("%s: %d messages, want %d", layout, len(got.messages), len(want.messages))
	}
	sameSet(t, layout+": gaps", got.gaps, want.gaps)
}
