package gitrepo

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/packfile"
)

// These tests hold what the package reads against what go-git, which shares no code
// with it, reads in the same repository. Git itself made it, and says how many
// objects there are.

// secondReader is a repository opened by both.
type secondReader struct {
	*testRepo
	other *gogit.Repository
	repo  *Repo
	store *Store
}

func openTwice(g *testRepo) *secondReader {
	g.t.Helper()
	other, err := gogit.PlainOpen(g.dir)
	if err != nil {
		g.t.Fatalf("go-git: open: %v", err)
	}
	r := g.open()
	return &secondReader{g, other, r, mustStore(g.t, r)}
}

// TestSecondReader compares random repositories, loose and packed in several ways.
func TestSecondReader(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := newScratchRepo(t, 9000+seed, 30)
			target := s.tips[0]
			s.ref("refs/tags/annotated", s.object(packfile.Tag, fmt.Sprintf("object %s\ntype commit\ntag v1\ntagger Eve  E. <eve@example.org> 1700000123 -0330\n\nfirst\n\nbody\n", target)))
			objects := s.everyObject()
			openTwice(s.testRepo).compare(objects)
			layout := layouts[seed%4]
			layout.make(s, slices.Sorted(maps.Keys(objects)))
			if layout.name != "packs" && s.deltas() == 0 {
				t.Errorf("%s: no object is a delta", layout.name)
			}
			s.git("pack-refs", "--all")
			openTwice(s.testRepo).compare(objects)
		})
	}
}

// deltas counts the deltas in packs.
func (s *scratchRepo) deltas() (n int) {
	packs, err := filepath.Glob(s.gitDir("objects", "pack", "*.idx"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, line := range lines(s.git(append([]string{"verify-pack", "-v"}, packs...)...)) {
		if len(strings.Fields(line)) == 7 {
			n++
		}
	}
	return n
}

// compare looks at everything but the index and revisions.
func (s *secondReader) compare(objects map[string]string) {
	s.t.Helper()
	sameObjects(s.t, "git", "go-git", slices.Sorted(maps.Keys(objects)), slices.Sorted(maps.Keys(s.theirs())))
	s.objects()
	s.references()
	s.parsed()
}

func sameObjects(t testing.TB, a, b string, x, y []string) {
	t.Helper()
	if !slices.Equal(x, y) {
		t.Errorf("%s sees %d objects, %s sees %d", a, len(x), b, len(y))
		sameSet(t, b, y, x)
	}
}

// theirs is every object that go-git lists.
func (s *secondReader) theirs() map[string]plumbing.EncodedObject {
	s.t.Helper()
	all := map[string]plumbing.EncodedObject{}
	it, err := s.other.Storer.IterEncodedObjects(plumbing.AnyObject)
	if err == nil {
		err = it.ForEach(func(o plumbing.EncodedObject) error {
			all[o.Hash().String()] = o
			return nil
		})
	}
	if err != nil {
		s.t.Fatalf("go-git: list objects: %v", err)
	}
	return all
}

// everything collects what a walk along the delta chains meets.
type everything struct {
	mu  sync.Mutex
	all map[string]string // type and content, by id
}

func (e *everything) Visit(_ int, o packfile.Object, content []byte, _ *struct{}, _ []scan.Copy) struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all[o.ID.String()] = o.Type.String() + " " + string(content)
	return struct{}{}
}

func (e *everything) Lost(packfile.Object, error) {}

// objects compares ids, types, sizes and contents: read one by one, and by a walk.
func (s *secondReader) objects() {
	s.t.Helper()
	theirs := s.theirs()
	h, err := s.repo.OpenHistory(context.Background(), testOptions)
	if err != nil {
		s.t.Fatal(err)
	}
	defer h.Close()
	walked := &everything{all: map[string]string{}}
	types := packfile.Types(packfile.Commit, packfile.Tree, packfile.Blob, packfile.Tag)
	if err := WalkHistory[struct{}](context.Background(), h, types, walked); err != nil {
		s.t.Fatal(err)
	}
	sameObjects(s.t, "the walk", "go-git", slices.Sorted(maps.Keys(walked.all)), slices.Sorted(maps.Keys(theirs)))
	for hex, o := range theirs {
		want := s.content(o)
		typ, data, err := s.store.Object(mustID(s.t, hex))
		if err != nil || typ.String() != o.Type().String() || int64(len(data)) != o.Size() || !bytes.Equal(data, want) {
			s.t.Errorf("object %s: %s of %d bytes (%v), go-git says %s of %d", hex, typ, len(data), err, o.Type(), o.Size())
		}
		if got := walked.all[hex]; got != o.Type().String()+" "+string(want) {
			s.t.Errorf("object %s: the walk says %.40q of %d bytes, go-git %s of %d", hex, got, len(got), o.Type(), o.Size())
		}
	}
}

func (s *secondReader) content(o plumbing.EncodedObject) []byte {
	s.t.Helper()
	r, err := o.Reader()
	if err != nil {
		s.t.Fatalf("go-git: object %s: %v", o.Hash(), err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		s.t.Fatalf("go-git: object %s: %v", o.Hash(), err)
	}
	return data
}

// references compares HEAD and what has a value of its own below refs.
func (s *secondReader) references() {
	s.t.Helper()
	it, err := s.other.Storer.IterReferences()
	if err != nil {
		s.t.Fatalf("go-git: references: %v", err)
	}
	var want []string
	err = it.ForEach(func(r *plumbing.Reference) error {
		if r.Type() == plumbing.HashReference && strings.HasPrefix(r.Name().String(), "refs/") {
			want = append(want, r.Name().String()+" "+r.Hash().String())
		}
		return nil
	})
	if err != nil {
		s.t.Fatalf("go-git: references: %v", err)
	}
	refs, err := s.repo.refs(s.repo.CommonDir).all()
	if err != nil {
		s.t.Fatal(err)
	}
	var got []string
	for _, r := range refs {
		got = append(got, r.Name+" "+r.ID.String())
	}
	slices.Sort(want)
	slices.Sort(got)
	if len(want) == 0 || !slices.Equal(got, want) {
		s.t.Errorf("references\n%s\ngo-git:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	head, err := s.other.Head()
	if err != nil || head.Hash().String() != s.repo.Head.ID.String() || s.repo.Head.Ref != "" && head.Name().String() != s.repo.Head.Ref {
		s.t.Errorf("HEAD is %+v, go-git says %v (%v)", s.repo.Head, head, err)
	}
}

// parsed compares commits, trees and tags.
func (s *secondReader) parsed() {
	s.t.Helper()
	count := map[plumbing.ObjectType]int{}
	for hex, o := range s.theirs() {
		id := mustID(s.t, hex)
		var got, want string
		var err error
		switch count[o.Type()]++; o.Type() {
		case plumbing.CommitObject:
			got, want, err = s.commitTwice(id)
		case plumbing.TreeObject:
			got, want, err = s.treeTwice(id)
		case plumbing.TagObject:
			got, want, err = s.tagTwice(id)
		}
		if err != nil || got != want {
			s.t.Errorf("%s %s: %v\n%s\ngo-git:\n%s", o.Type(), hex, err, got, want)
		}
	}
	for _, t := range []plumbing.ObjectType{plumbing.CommitObject, plumbing.TreeObject, plumbing.TagObject} {
		if count[t] == 0 {
			s.t.Errorf("there is no %s", t)
		}
	}
}

func signed(name, email []byte, when time.Time) string {
	return fmt.Sprintf("%s <%s> %s", name, email, when.Format(time.RFC3339))
}

func (s *secondReader) commitTwice(id ID) (got, want string, err error) {
	_, data, err := s.store.Object(id)
	if err != nil {
		return "", "", err
	}
	var c Commit
	if err := ParseCommit(data, &c); err != nil {
		return "", "", err
	}
	a, b := ParseSignature(c.Author), ParseSignature(c.Committer)
	got = fmt.Sprintln(c.Tree, c.Parents, signed(a.Name, a.Email, a.When), signed(b.Name, b.Email, b.When), string(c.Message))
	o, err := object.GetCommit(s.other.Storer, plumbing.Hash(id))
	if err != nil {
		return got, "", fmt.Errorf("go-git: %w", err)
	}
	want = fmt.Sprintln(o.TreeHash, o.ParentHashes, theirSignature(o.Author), theirSignature(o.Committer), o.Message)
	return got, want, nil
}

func theirSignature(s object.Signature) string {
	return signed([]byte(s.Name), []byte(s.Email), s.When)
}

func (s *secondReader) treeTwice(id ID) (got, want string, err error) {
	_, data, err := s.store.Object(id)
	for len(data) > 0 && err == nil {
		var e TreeEntry
		if e, data, err = NextEntry(data); err == nil {
			got += fmt.Sprintf("%06o %s %q\n", e.Mode, *e.ID, e.Name)
		}
	}
	if err != nil {
		return got, "", err
	}
	o, err := object.GetTree(s.other.Storer, plumbing.Hash(id))
	if err != nil {
		return got, "", fmt.Errorf("go-git: %w", err)
	}
	for _, e := range o.Entries {
		want += fmt.Sprintf("%06o %s %q\n", uint32(e.Mode), e.Hash, e.Name)
	}
	return got, want, nil
}

func (s *secondReader) tagTwice(id ID) (got, want string, err error) {
	_, data, err := s.store.Object(id)
	if err != nil {
		return "", "", err
	}
	t, err := ParseTag(data)
	if err != nil {
		return "", "", err
	}
	by := ParseSignature(t.Tagger)
	got = fmt.Sprintln(t.Target, t.Type, string(t.Name), signed(by.Name, by.Email, by.When), string(t.Message))
	o, err := object.GetTag(s.other.Storer, plumbing.Hash(id))
	if err != nil {
		return got, "", fmt.Errorf("go-git: %w", err)
	}
	return got, fmt.Sprintln(o.Target, o.TargetType, o.Name, theirSignature(o.Tagger), o.Message), nil
}

// TestSecondReaderIndex compares index entries, during a conflict too, in the
// versions that both read.
func TestSecondReaderIndex(t *testing.T) {
	g := newTestRepo(t)
	g.conflict()
	g.write("dir/new", "n", "dir/deep/er/later", "l", "intended", "i", "ünï cödé", "u")
	g.git("add", "dir", "ünï cödé")
	for _, version := range []string{"2", "3", "4"} {
		if version == "3" { // for the flags that it is about
			g.git("add", "-N", "intended")
			g.git("update-index", "--skip-worktree", "ours")
		}
		g.git("update-index", "--force-write-index", "--index-version", version)
		if got := g.indexVersion(); got != version {
			t.Fatalf("git wrote an index of version %s, want %s", got, version)
		}
		s := openTwice(g)
		theirs, err := s.other.Storer.Index()
		if err != nil {
			t.Fatalf("version %s: go-git: %v", version, err)
		}
		var want, got []string
		for _, e := range theirs.Entries {
			want = append(want, fmt.Sprintf("%06o %s %d %q %d %v %v", uint32(e.Mode), e.Hash, e.Stage, e.Name, e.Size, e.SkipWorktree, e.IntentToAdd))
		}
		ours := g.index()
		for i := range ours.Entries {
			e := &ours.Entries[i]
			got = append(got, fmt.Sprintf("%06o %s %d %q %d %v %v", e.Mode, e.ID, e.Stage(), e.Name, e.Size, e.SkipWorktree(), e.IntentToAdd()))
		}
		if len(got) != len(lines(g.git("ls-files", "-s"))) || !slices.Equal(got, want) {
			t.Errorf("version %s\n%s\ngo-git:\n%s", version, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// indexVersion is what the index's header says.
func (g *testRepo) indexVersion() string {
	g.t.Helper()
	data, err := os.ReadFile(filepath.Join(g.dir, ".git", "index"))
	if err != nil || len(data) < 8 {
		g.t.Fatalf("read the index: %v", err)
	}
	return fmt.Sprint(binary.BigEndian.Uint32(data[4:]))
}

// TestSecondReaderRevisions compares what both understand of gitrevisions(7).
func TestSecondReaderRevisions(t *testing.T) {
	up := newTestRepo(t)
	up.commit("a", "up")
	g := newTestRepo(t)
	g.git("remote", "add", "origin", up.dir)
	g.git("fetch", "-q")
	for i := range 5 {
		g.commit("a", fmt.Sprint(i))
	}
	g.git("tag", "-a", "-m", "x", "v1", "HEAD~2")
	g.git("tag", "light", "HEAD~1")
	g.git("branch", "feature/x", "HEAD~3")
	g.git("branch", "both", "HEAD~2")
	g.git("tag", "both", "HEAD~1")
	g.git("checkout", "-q", "feature/x")
	g.commit("b", "1")
	g.git("checkout", "-q", "main")
	g.git("merge", "-q", "--no-edit", "feature/x")
	head := g.git("rev-parse", "HEAD")
	known := []string{
		"HEAD", "@", "main", "heads/main", "refs/heads/main", "feature/x", "heads/feature/x", "v1", "tags/v1", "refs/tags/v1", "light", "both",
		"origin/main", "remotes/origin/main", "HEAD^", "HEAD^^", "HEAD^1", "HEAD^2", "HEAD^0", "HEAD~", "HEAD~3", "HEAD~1^1~1", "HEAD^2~1",
		"v1~1", "v1^", "v1^{commit}", "v1^{}", "light~2", head, head[:9], head + "^2", "main~2^",
	}
	unknown := []string{"nothing", "HEAD^3", "HEAD~99", "v2", "heads/v1", "0123456789012345678901234567890123456789", "main^2^2"}
	check := func(t *testing.T) {
		s := openTwice(g)
		for _, text := range known {
			theirs, err := s.other.ResolveRevision(plumbing.Revision(text))
			if err != nil {
				t.Errorf("go-git: %q: %v", text, err)
				continue
			}
			if got, err := s.repo.Resolve(s.store, text); err != nil || got.String() != theirs.String() {
				t.Errorf("%q is %s (%v), go-git says %s", text, got, err, theirs)
			}
		}
		for _, text := range unknown {
			theirs, theirErr := s.other.ResolveRevision(plumbing.Revision(text))
			var bad *RevisionError
			if got, err := s.repo.Resolve(s.store, text); !errors.As(err, &bad) || theirErr == nil {
				t.Errorf("%q is %s (%v), go-git says %s (%v)", text, got, err, theirs, theirErr)
			}
		}
	}
	t.Run("loose", check)
	g.git("pack-refs", "--all")
	g.git("repack", "-adq")
	t.Run("packed", check)
}
