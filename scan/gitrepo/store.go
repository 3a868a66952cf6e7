package gitrepo

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"container/list"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/packfile"
)

// Objects gives access to single objects by id. Data must not be changed: it may
// be shared. Implementations are safe for concurrent use.
type Objects interface {
	Object(id ID) (typ packfile.Type, data []byte, err error)
}

// MissingError says that no store has an object.
type MissingError struct{ ID ID }

func (e *MissingError) Error() string { return "object " + e.ID.String() + " is missing" }

// DefaultMaxObject is the largest object, in bytes, that a Store reads into
// memory unless told otherwise.
const DefaultMaxObject = 256 << 20

// Store finds objects in every place that the repository keeps them: packs and
// loose files of its own and of its alternates. Where one copy is damaged,
// another is used: what is read is compared with its id. It notices packs that a
// concurrent repack made.
type Store struct {
	// MaxObject bounds what is read into memory; set it before the first use.
	MaxObject int64

	dirs     []string
	replaced map[ID]ID
	grafts   map[ID][]ID
	shallow  map[ID]bool

	mu     sync.Mutex
	packs  []*storePack
	mtimes []time.Time // of each pack directory when it was listed
	recent *storePack  // the pack of the last hit
	trees  treeCache
}

// storePack is a pack, opened when it is first asked.
type storePack struct {
	path string
	open func() (*packfile.Lookup, error)
}

// Store opens the repository's object stores. It must be closed.
func (r *Repo) Store() (*Store, error) {
	dirs, _, err := r.ObjectDirs()
	if err != nil {
		return nil, err
	}
	s := &Store{MaxObject: DefaultMaxObject, dirs: dirs, trees: treeCache{limit: treeCacheBytes}}
	if s.replaced, err = r.Replacements(); err != nil {
		return nil, err
	}
	if s.grafts, err = r.Grafts(); err != nil {
		return nil, err
	}
	if s.shallow, err = r.Shallow(); err != nil {
		return nil, err
	}
	return s, nil
}

// Close closes the packs.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var first error
	for _, sp := range s.packs {
		if p, err := sp.open(); err == nil {
			if err := p.Close(); err != nil && first == nil {
				first = err
			}
		}
	}
	s.packs, s.recent = nil, nil
	return first
}

// maxAlternates bounds the chain of alternates, as Git does.
const maxAlternates = 5

// ObjectDirs lists the object directories: the repository's own, then its
// alternates, each once. An alternate that cannot be read is a gap: what it held
// is missing, and the rest is there all the same.
func (r *Repo) ObjectDirs() (dirs []string, gaps []scan.Gap, err error) {
	if !isDirectory(r.objectDir) {
		return nil, nil, fmt.Errorf("object directory %s does not exist", r.objectDir)
	}
	seen := map[string]bool{}
	var add func(dir string, depth int)
	add = func(dir string, depth int) {
		key := dir
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			key = real
		}
		if seen[key] {
			return
		}
		seen[key] = true
		gap := func(why string) {
			gaps = append(gaps, scan.Gap{What: "object directory " + filepath.ToSlash(dir), Why: why, Hint: "restore it, or correct objects/info/alternates"})
		}
		if !isDirectory(dir) {
			gap("this alternate does not exist")
			return
		}
		dirs = append(dirs, dir)
		alternates, err := readAlternates(dir)
		switch {
		case err != nil:
			gap(err.Error())
		case len(alternates) > 0 && depth >= maxAlternates:
			gap("its alternates nest too deeply")
		default:
			for _, a := range alternates {
				add(a, depth+1)
			}
		}
	}
	for _, dir := range append([]string{r.objectDir}, r.extraDirs...) {
		add(dir, 0)
	}
	return dirs, gaps, nil
}

// readAlternates reads info/alternates: a path a line, relative to the objects
// directory, perhaps quoted as in C.
func readAlternates(dir string) ([]string, error) {
	data, err := os.ReadFile(filepath.Join(dir, "info", "alternates"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read alternates: %w", err)
	}
	var dirs []string
	for _, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] == '"' {
			if plain, err := strconv.Unquote(line); err == nil {
				line = plain
			}
		}
		dirs = append(dirs, absolute(filepath.FromSlash(line), dir))
	}
	return dirs, nil
}

// PackFiles lists the packs of an object directory, sorted. Those without an
// index, which Git does not use either, are listed apart.
func PackFiles(objectDir string) (packs, orphans []string, err error) {
	dir := filepath.Join(objectDir, "pack")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("list packs: %w", err)
	}
	indexed := map[string]bool{}
	for _, e := range entries {
		if base, ok := strings.CutSuffix(e.Name(), ".idx"); ok {
			indexed[base] = true
		}
	}
	for _, e := range entries {
		base, ok := strings.CutSuffix(e.Name(), ".pack")
		switch {
		case !ok:
		case indexed[base]:
			packs = append(packs, filepath.Join(dir, e.Name()))
		default:
			orphans = append(orphans, filepath.Join(dir, e.Name()))
		}
	}
	return packs, orphans, nil
}

// EachLoose calls fn for every loose object of an object directory, in order of
// their ids, until fn returns an error.
func EachLoose(ctx context.Context, objectDir string, fn func(ID) error) error {
	return eachLooseFile(ctx, objectDir, func(id ID, _ fs.DirEntry) error { return fn(id) })
}

func eachLooseFile(ctx context.Context, objectDir string, fn func(ID, fs.DirEntry) error) error {
	for i := range 256 {
		if err := ctx.Err(); err != nil {
			return err
		}
		fanout := hex.EncodeToString([]byte{byte(i)})
		entries, err := os.ReadDir(filepath.Join(objectDir, fanout))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("list loose objects: %w", err)
		}
		for _, e := range entries {
			id, err := packfile.ParseID(fanout + e.Name())
			if err != nil {
				continue // temporary files
			}
			if err := fn(id, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// LooseFile is the path of a loose object, whether it exists or not.
func LooseFile(objectDir string, id ID) string {
	h := id.String()
	return filepath.Join(objectDir, h[:2], h[2:])
}

// LooseObject is an opened loose object, to be read as a stream. Reading to the
// end checks that there are exactly Size bytes.
type LooseObject struct {
	Type packfile.Type
	Size int64

	file *os.File
	zip  io.ReadCloser
	body *bufio.Reader
	left int64
}

// OpenLoose opens a loose object's file. A missing file matches fs.ErrNotExist.
func OpenLoose(file string) (*LooseObject, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	o, err := newLooseObject(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("loose object: %w", err)
	}
	o.file = f
	return o, nil
}

func newLooseObject(r io.Reader) (*LooseObject, error) {
	z, err := zlib.NewReader(r)
	if err != nil {
		return nil, err
	}
	body := bufio.NewReaderSize(z, 4096)
	header, err := body.ReadSlice(0)
	if err != nil {
		return nil, fmt.Errorf("header: %w", noEOF(err))
	}
	typ, size, err := parseLooseHeader(header[:len(header)-1])
	if err != nil {
		return nil, err
	}
	return &LooseObject{Type: typ, Size: size, zip: z, body: body, left: size}, nil
}

// parseLooseHeader reads "type size".
func parseLooseHeader(h []byte) (packfile.Type, int64, error) {
	word, digits, ok := bytes.Cut(h, []byte(" "))
	if !ok || len(h) > 32 {
		return 0, 0, errors.New("malformed header")
	}
	typ, err := packfile.ParseType(string(word))
	if err != nil {
		return 0, 0, err
	}
	size, err := strconv.ParseUint(string(digits), 10, 63)
	if err != nil {
		return 0, 0, errors.New("malformed size")
	}
	return typ, int64(size), nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Read reads content. The stream's own checksum is checked at its end.
func (o *LooseObject) Read(b []byte) (int, error) {
	n, err := o.body.Read(b)
	o.left -= int64(n)
	switch {
	case o.left < 0:
		return n, errors.New("loose object is longer than its header says")
	case errors.Is(err, io.EOF) && o.left > 0:
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

// Close closes the file.
func (o *LooseObject) Close() error {
	o.zip.Close()
	return o.file.Close()
}

// readLoose reads one loose object whole, and checks its id.
func (s *Store) readLoose(dir string, id ID) (packfile.Type, []byte, error) {
	o, err := OpenLoose(LooseFile(dir, id))
	if err != nil {
		return 0, nil, err
	}
	defer o.Close()
	if o.Size > s.MaxObject {
		return 0, nil, &packfile.TooLarge{ID: id, Size: uint64(o.Size)}
	}
	data, err := readAllSize(o, o.Size)
	if err != nil {
		return 0, nil, fmt.Errorf("loose object %s: %w", id, err)
	}
	if objectID(o.Type, data) != id {
		return 0, nil, fmt.Errorf("loose object %s: content does not match its id", id)
	}
	return o.Type, data, nil
}

// readAllSize reads a stream that says how long it is, without believing it
// before the bytes are there.
func readAllSize(r io.Reader, size int64) ([]byte, error) {
	buf := bytes.NewBuffer(make([]byte, 0, min(size, 1<<20)+bytes.MinRead))
	if _, err := buf.ReadFrom(r); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// objectID computes the id of an object.
func objectID(typ packfile.Type, data []byte) ID {
	h := sha1.New()
	fmt.Fprintf(h, "%s %d\x00", typ, len(data))
	h.Write(data)
	return ID(h.Sum(nil))
}

// Object returns the object of this id, with no replacement applied. The error
// is a *MissingError if no copy exists, a *packfile.TooLarge, or what is wrong with
// the only copies there are.
func (s *Store) Object(id ID) (packfile.Type, []byte, error) {
	typ, data, err := s.lookup(id)
	var missing *MissingError
	if errors.As(err, &missing) && s.reload() {
		typ, data, err = s.lookup(id)
	}
	return typ, data, err
}

// lookup asks the pack of the last hit, loose files, then all packs.
func (s *Store) lookup(id ID) (packfile.Type, []byte, error) {
	var damage error
	s.mu.Lock()
	recent := s.recent
	s.mu.Unlock()
	if recent != nil {
		typ, data, found, err := s.readPacked(recent, id)
		if found && err == nil {
			return typ, data, nil
		}
		damage = err
	}
	for _, dir := range s.dirs {
		typ, data, err := s.readLoose(dir, id)
		if err == nil {
			return typ, data, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			damage = err
		}
	}
	packs, err := s.allPacks()
	if err != nil {
		return 0, nil, err
	}
	for _, sp := range packs {
		if sp == recent {
			continue
		}
		typ, data, found, err := s.readPacked(sp, id)
		if found && err == nil {
			s.mu.Lock()
			s.recent = sp
			s.mu.Unlock()
			return typ, data, nil
		}
		if err != nil {
			damage = err
		}
	}
	if damage != nil {
		return 0, nil, damage
	}
	return 0, nil, &MissingError{id}
}

// readPacked reads id from one pack. A pack that cannot be opened is damage that
// may hide the object; one that a repack deleted is not.
func (s *Store) readPacked(sp *storePack, id ID) (typ packfile.Type, data []byte, found bool, err error) {
	p, err := sp.open()
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil, false, nil
	}
	if err != nil {
		return 0, nil, false, fmt.Errorf("look for object %s: %w", id, err)
	}
	typ, data, found, err = p.Object(id, s.MaxObject)
	if found && err == nil && objectID(typ, data) != id {
		err = fmt.Errorf("object %s of %s: content does not match its id", id, sp.path)
	}
	return typ, data, found, err
}

// allPacks lists the packs, once.
func (s *Store) allPacks() ([]*storePack, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mtimes == nil {
		if err := s.list(); err != nil {
			return nil, err
		}
	}
	return s.packs, nil
}

// list reads the pack directories and keeps packs that are open already. The
// times are taken before, so that a pack that appears meanwhile is seen next time.
func (s *Store) list() error {
	s.mtimes = s.packTimes()
	known := map[string]*storePack{}
	for _, sp := range s.packs {
		known[sp.path] = sp
	}
	for _, dir := range s.dirs {
		files, _, err := PackFiles(dir)
		if err != nil {
			return err
		}
		for _, file := range files {
			if known[file] != nil {
				continue
			}
			open := sync.OnceValues(func() (*packfile.Lookup, error) { return packfile.OpenLookup(file) })
			s.packs = append(s.packs, &storePack{file, open})
		}
	}
	return nil
}

func (s *Store) packTimes() []time.Time {
	times := make([]time.Time, len(s.dirs))
	for i, dir := range s.dirs {
		if info, err := os.Stat(filepath.Join(dir, "pack")); err == nil {
			times[i] = info.ModTime()
		}
	}
	return times
}

// clockStep is how old a directory's time must be before it can be trusted: file
// systems give changes within one step of their clock the same time.
const clockStep = time.Second

// reload lists the packs again if a directory changed, or may have, and reports
// whether any did: a concurrent repack moves objects between packs.
func (s *Store) reload() bool {
	now := s.packTimes()
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := false
	for i := range now {
		changed = changed || !now[i].Equal(s.mtimes[i]) || time.Since(now[i]) < clockStep
	}
	return changed && s.list() == nil
}

// FindPrefix lists the ids that begin with the hexadecimal digits given, in
// order, each once.
func (s *Store) FindPrefix(prefix string) ([]ID, error) {
	prefix = strings.ToLower(prefix)
	if len(prefix) < 2 {
		return nil, fmt.Errorf("%q is too short for an object id", prefix)
	}
	found := map[ID]bool{}
	for _, dir := range s.dirs {
		entries, err := os.ReadDir(filepath.Join(dir, prefix[:2]))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list loose objects: %w", err)
		}
		for _, e := range entries {
			if id, err := packfile.ParseID(prefix[:2] + e.Name()); err == nil && strings.HasPrefix(id.String(), prefix) {
				found[id] = true
			}
		}
	}
	packs, err := s.allPacks()
	if err != nil {
		return nil, err
	}
	for _, sp := range packs {
		p, err := sp.open()
		if err != nil {
			continue // an object that only it has is reported when it is asked for
		}
		ids, err := p.FindPrefix(prefix)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			found[id] = true
		}
	}
	ids := make([]ID, 0, len(found))
	for id := range found {
		ids = append(ids, id)
	}
	sort.Slice(ids, func(i, j int) bool { return bytes.Compare(ids[i][:], ids[j][:]) < 0 })
	return ids, nil
}

// replacement follows refs/replace/.
func (s *Store) replacement(id ID) ID {
	for range maxSymrefs {
		to, ok := s.replaced[id]
		if !ok {
			break
		}
		id = to
	}
	return id
}

// Commit returns the commit of this id as Git sees it: with replacements,
// grafts and the shallow boundary applied.
func (s *Store) Commit(id ID) (*Commit, error) {
	c, err := s.rawCommit(id)
	if err != nil {
		return nil, err
	}
	if parents, ok := s.grafts[id]; ok {
		c.Parents = parents
	} else if s.shallow[id] {
		c.Parents = nil
	}
	return c, nil
}

// rawCommit applies replacements only.
func (s *Store) rawCommit(id ID) (*Commit, error) {
	typ, data, err := s.Object(s.replacement(id))
	if err != nil {
		return nil, err
	}
	if typ != packfile.Commit {
		return nil, fmt.Errorf("object %s is a %s, not a commit", id, typ)
	}
	var c Commit
	if err := ParseCommit(data, &c); err != nil {
		return nil, fmt.Errorf("commit %s: %w", id, err)
	}
	return &c, nil
}

// CutParents reports whether the shallow boundary hides parents of a commit.
func (s *Store) CutParents(id ID) (bool, error) {
	if _, grafted := s.grafts[id]; grafted || !s.shallow[id] {
		return false, nil
	}
	c, err := s.rawCommit(id)
	if err != nil {
		return false, err
	}
	return len(c.Parents) > 0, nil
}

// emptyTree is the id of the tree without entries, which need not be stored.
var emptyTree = objectID(packfile.Tree, nil)

// Tree returns the bytes of a tree, for NextEntry, with replacements applied.
// Trees used a short while ago are kept.
func (s *Store) Tree(id ID) ([]byte, error) {
	id = s.replacement(id)
	s.mu.Lock()
	data, ok := s.trees.get(id)
	s.mu.Unlock()
	if ok {
		return data, nil
	}
	typ, data, err := s.Object(id)
	if err != nil {
		var missing *MissingError
		if id == emptyTree && errors.As(err, &missing) {
			return nil, nil
		}
		return nil, err
	}
	if typ != packfile.Tree {
		return nil, fmt.Errorf("object %s is a %s, not a tree", id, typ)
	}
	s.mu.Lock()
	s.trees.put(id, data)
	s.mu.Unlock()
	return data, nil
}

// ReadFile returns the blob at a slash-separated path of a commit. An error that
// matches fs.ErrNotExist says that the commit has no such file.
func (s *Store) ReadFile(commit ID, path string) (ID, []byte, error) {
	c, err := s.Commit(commit)
	if err != nil {
		return ID{}, nil, err
	}
	entry, err := s.find(c.Tree, path)
	if err != nil {
		return ID{}, nil, err
	}
	if entry.ID == nil || !isBlob(entry.Mode) {
		return ID{}, nil, fmt.Errorf("%s in commit %s: %w", path, commit, fs.ErrNotExist)
	}
	_, data, err := s.Object(s.replacement(*entry.ID))
	return *entry.ID, data, err
}

// find returns the entry at a path below a tree; without an ID if there is none.
func (s *Store) find(tree ID, path string) (TreeEntry, error) {
	for {
		name, below, deeper := strings.Cut(path, "/")
		data, err := s.Tree(tree)
		if err != nil {
			return TreeEntry{}, err
		}
		entry, err := findEntry(data, name)
		if err != nil {
			return TreeEntry{}, fmt.Errorf("tree %s: %w", tree, err)
		}
		if entry.ID == nil || !deeper {
			return entry, nil
		}
		if !isDir(entry.Mode) {
			return TreeEntry{}, nil
		}
		tree, path = *entry.ID, below
	}
}

func findEntry(tree []byte, name string) (TreeEntry, error) {
	for len(tree) > 0 {
		entry, rest, err := NextEntry(tree)
		if err != nil {
			return TreeEntry{}, err
		}
		if string(entry.Name) == name {
			return entry, nil
		}
		tree = rest
	}
	return TreeEntry{}, nil
}

// treeCacheBytes bounds the trees that a Store keeps.
const treeCacheBytes = 16 << 20

// treeCache keeps the trees used last, up to limit bytes.
type treeCache struct {
	limit, used int
	order       list.List // of cachedTree, the latest first
	at          map[ID]*list.Element
}

type cachedTree struct {
	id   ID
	data []byte
}

func (c *treeCache) get(id ID) ([]byte, bool) {
	e, ok := c.at[id]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(cachedTree).data, true
}

func (c *treeCache) put(id ID, data []byte) {
	if c.at[id] != nil || len(data) > c.limit/4 {
		return
	}
	if c.at == nil {
		c.at = map[ID]*list.Element{}
	}
	c.at[id] = c.order.PushFront(cachedTree{id, data})
	c.used += len(data)
	for c.used > c.limit {
		last := c.order.Back()
		old := c.order.Remove(last).(cachedTree)
		delete(c.at, old.id)
		c.used -= len(old.data)
	}
}
