package gitrepo

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"strconv"

	"github.com/keywright/keywright/scan/packfile"
)

// Index is the content of a Git index file: gitformat-index(5), versions 2 to
// 4, with split and sparse indexes put together.
type Index struct {
	Version uint32
	Entries []IndexEntry // sorted by name, then stage
	// Resolved are the blobs of conflicts that were resolved already.
	Resolved []ResolvedEntry

	cache *cacheTree // nil if the index has none
	mtime mtime      // of the file itself, for IndexEntry.Unchanged
}

// IndexEntry is one path of the index. Name may point into the file's bytes.
type IndexEntry struct {
	Name []byte // raw bytes; a sparse directory's ends in a slash
	ID   ID
	Mode uint32
	Size uint32 // of the work-tree file when it was added, modulo 4 GiB

	mtime mtime
	flags uint16
	more  uint16 // extended flags, version 3 and later
}

// mtime is a modification time as the index keeps it.
type mtime struct{ sec, nsec uint32 }

// The bits of the two flag fields.
const (
	flagAssumeValid  = 0x8000
	flagExtended     = 0x4000
	flagStageShift   = 12
	flagNameMask     = 0x0fff
	moreSkipWorktree = 0x4000
	moreIntentToAdd  = 0x2000
)

// Stage is 0, or 1 (base), 2 (ours), 3 (theirs) while a path is in conflict.
func (e *IndexEntry) Stage() int { return int(e.flags>>flagStageShift) & 3 }

// AssumeValid reports that Git was told not to look at the work-tree file.
func (e *IndexEntry) AssumeValid() bool { return e.flags&flagAssumeValid != 0 }

// SkipWorktree reports that a sparse checkout leaves the file out.
func (e *IndexEntry) SkipWorktree() bool { return e.more&moreSkipWorktree != 0 }

// Gitlink reports a submodule's entry.
func (e *IndexEntry) Gitlink() bool { return isGitlink(e.Mode) }

// IntentToAdd reports an entry whose content is not added yet.
func (e *IndexEntry) IntentToAdd() bool { return e.more&moreIntentToAdd != 0 }

// ResolvedEntry is one side of a conflict that was resolved.
type ResolvedEntry struct {
	Path string
	ID   ID
}

// An index larger than this is refused: the format's count has 32 bits, and the
// largest known repositories stay far below.
const maxIndexSize = 2 << 30

// ReadIndex reads an index file, and the shared one in gitDir that a split index
// names. The trailing checksum is verified where the file has one. A missing file
// gives an error that matches fs.ErrNotExist.
func ReadIndex(file, gitDir string) (*Index, error) {
	data, at, err := readIndexFile(file)
	if err != nil {
		return nil, err
	}
	p, err := parseIndex(data)
	if err != nil {
		return nil, fmt.Errorf("read index %s: %w", file, err)
	}
	p.index.mtime = at
	if p.link == nil || p.link.base.IsZero() {
		if err := p.index.checkOrder(); err != nil {
			return nil, fmt.Errorf("read index %s: %w", file, err)
		}
		return p.index, nil
	}
	shared := filepath.Join(gitDir, "sharedindex."+p.link.base.String())
	baseData, _, err := readIndexFile(shared)
	if err != nil {
		return nil, fmt.Errorf("split index: %w", err)
	}
	base, err := parseIndex(baseData)
	if err == nil && checksumOf(baseData) != p.link.base {
		err = errors.New("its name is not its checksum")
	}
	if err == nil {
		err = p.index.merge(base.index.Entries, p.link)
	}
	if err != nil {
		return nil, fmt.Errorf("read shared index %s: %w", shared, err)
	}
	return p.index, nil
}

func readIndexFile(file string) ([]byte, mtime, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, mtime{}, fmt.Errorf("read index: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, mtime{}, fmt.Errorf("read index: %w", err)
	}
	if info.Size() > maxIndexSize {
		return nil, mtime{}, fmt.Errorf("read index %s: %d bytes are more than the %d that are supported", file, info.Size(), int64(maxIndexSize))
	}
	data := make([]byte, info.Size())
	if n, err := f.ReadAt(data, 0); n < len(data) {
		return nil, mtime{}, fmt.Errorf("read index: %w", err)
	}
	return data, mtimeOf(info), nil
}

func mtimeOf(info os.FileInfo) mtime {
	t := info.ModTime()
	return mtime{uint32(t.Unix()), uint32(t.Nanosecond())}
}

// checksumOf returns the id at the end of an index file.
func checksumOf(data []byte) ID { return ID(data[len(data)-packfile.Size:]) }

var (
	errIndexShort = errors.New("index ends too early")
	errIndexOrder = errors.New("index entries out of order")
)

// The fixed sizes of the format.
const (
	indexHeader = 12
	entryFixed  = 62 // stat data, id and flags
)

// parsedIndex is one index file, split or not.
type parsedIndex struct {
	index *Index
	link  *splitLink
}

// splitLink is the extension that makes an index the difference from another.
type splitLink struct {
	base              ID
	deleted, replaced []byte // EWAH bitmaps over the base's entries
}

// parseIndex reads one index file. The names of its entries point into data,
// except in version 4. The checksum is verified beside the parsing.
func parseIndex(data []byte) (*parsedIndex, error) {
	if len(data) < indexHeader+packfile.Size {
		return nil, errIndexShort
	}
	if string(data[:4]) != "DIRC" {
		return nil, errors.New("not an index file")
	}
	version := binary.BigEndian.Uint32(data[4:])
	if version < 2 || version > 4 {
		return nil, fmt.Errorf("index version %d is not supported", version)
	}
	sum := make(chan error, 1)
	go func() { sum <- verifyChecksum(data) }()
	p, err := parseIndexBody(data[:len(data)-packfile.Size], version)
	if sumErr := <-sum; sumErr != nil {
		return nil, sumErr
	}
	return p, err
}

// verifyChecksum accepts a checksum of zeros, which index.skipHash writes.
func verifyChecksum(data []byte) error {
	want := checksumOf(data)
	if want.IsZero() || want == sha1.Sum(data[:len(data)-packfile.Size]) {
		return nil
	}
	return errors.New("index checksum does not match")
}

func parseIndexBody(data []byte, version uint32) (*parsedIndex, error) {
	count := binary.BigEndian.Uint32(data[8:])
	if uint64(count)*(entryFixed+1) > uint64(len(data)) {
		return nil, fmt.Errorf("index claims %d entries in %d bytes", count, len(data))
	}
	p := &parsedIndex{index: &Index{Version: version, Entries: make([]IndexEntry, count)}}
	rest := data[indexHeader:]
	var err error
	if version == 4 {
		rest, err = parseEntriesV4(rest, p.index.Entries)
	} else {
		rest, err = parseEntries(rest, p.index.Entries)
	}
	if err != nil {
		return nil, err
	}
	return p, p.extensions(rest)
}

// parseEntryHead reads the part of fixed size, and the extended flags.
func parseEntryHead(b []byte, e *IndexEntry) (n int, err error) {
	if len(b) < entryFixed {
		return 0, errIndexShort
	}
	e.mtime = mtime{binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:])}
	e.Mode = binary.BigEndian.Uint32(b[24:])
	e.Size = binary.BigEndian.Uint32(b[36:])
	e.ID = ID(b[40:60])
	e.flags = binary.BigEndian.Uint16(b[60:])
	if e.flags&flagExtended == 0 {
		return entryFixed, nil
	}
	if len(b) < entryFixed+2 {
		return 0, errIndexShort
	}
	e.more = binary.BigEndian.Uint16(b[62:])
	return entryFixed + 2, nil
}

func parseEntries(b []byte, entries []IndexEntry) ([]byte, error) {
	for i := range entries {
		e := &entries[i]
		n, err := parseEntryHead(b, e)
		if err != nil {
			return nil, err
		}
		size := int(e.flags & flagNameMask)
		if size == flagNameMask || n+size >= len(b) || b[n+size] != 0 {
			if size = bytes.IndexByte(b[n:], 0); size < 0 {
				return nil, errIndexShort
			}
		}
		e.Name = b[n : n+size]
		// One to eight zero bytes make the length a multiple of eight.
		end := (n + size + 8) &^ 7
		if end > len(b) {
			return nil, errIndexShort
		}
		b = b[end:]
	}
	return b, nil
}

// parseEntriesV4 reads names that are given as the difference from the one before.
func parseEntriesV4(b []byte, entries []IndexEntry) ([]byte, error) {
	var arena, last []byte
	for i := range entries {
		e := &entries[i]
		n, err := parseEntryHead(b, e)
		if err != nil {
			return nil, err
		}
		strip, width := offsetVarint(b[n:])
		if width == 0 || strip > uint64(len(last)) {
			return nil, errors.New("index entry with a malformed name")
		}
		n += width
		size := bytes.IndexByte(b[n:], 0)
		if size < 0 {
			return nil, errIndexShort
		}
		kept := last[:len(last)-int(strip)]
		need := len(kept) + size
		if cap(arena)-len(arena) < need {
			arena = make([]byte, 0, max(1<<16, need))
		}
		start := len(arena)
		arena = append(append(arena, kept...), b[n:n+size]...)
		e.Name = arena[start:len(arena):len(arena)]
		last = e.Name
		b = b[n+size+1:]
	}
	return b, nil
}

// offsetVarint reads the integer encoding that OFS_DELTA uses; width 0 is an error.
func offsetVarint(b []byte) (v uint64, width int) {
	for i, c := range b {
		if i > 8 {
			return 0, 0
		}
		v = v<<7 | uint64(c&0x7f)
		if c&0x80 == 0 {
			return v, i + 1
		}
		v++
	}
	return 0, 0
}

// extensions reads what follows the entries. Extensions whose name begins with
// a capital letter are optional by the format's rule.
func (p *parsedIndex) extensions(b []byte) error {
	for len(b) > 0 {
		if len(b) < 8 {
			return errIndexShort
		}
		name, size := string(b[:4]), binary.BigEndian.Uint32(b[4:])
		if uint64(size) > uint64(len(b)-8) {
			return errIndexShort
		}
		body := b[8 : 8+size]
		b = b[8+size:]
		var err error
		switch name {
		case "TREE":
			p.index.cache = parseCacheTree(body)
		case "REUC":
			p.index.Resolved, err = parseResolved(body)
		case "link":
			p.link, err = parseLink(body)
		case "sdir": // sparse directories may occur; their mode tells them
		default:
			if name[0] < 'A' || name[0] > 'Z' {
				err = fmt.Errorf("index extension %q is not supported", name)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkOrder makes sure that names ascend, and stages within a name.
func (x *Index) checkOrder() error {
	for i := 1; i < len(x.Entries); i++ {
		a, b := &x.Entries[i-1], &x.Entries[i]
		if c := bytes.Compare(a.Name, b.Name); c > 0 || c == 0 && a.Stage() >= b.Stage() {
			return errIndexOrder
		}
	}
	if len(x.Entries) > 0 && len(x.Entries[0].Name) == 0 {
		return errors.New("index entry without a name")
	}
	return nil
}

func parseResolved(b []byte) ([]ResolvedEntry, error) {
	bad := errors.New("malformed resolve-undo extension")
	var all []ResolvedEntry
	for len(b) > 0 {
		name, rest, ok := bytes.Cut(b, []byte{0})
		if !ok {
			return nil, bad
		}
		var modes [3]uint64
		for i := range modes {
			var text []byte
			if text, rest, ok = bytes.Cut(rest, []byte{0}); !ok {
				return nil, bad
			}
			var err error
			if modes[i], err = strconv.ParseUint(string(text), 8, 32); err != nil {
				return nil, bad
			}
		}
		for _, mode := range modes {
			if mode == 0 {
				continue
			}
			if len(rest) < packfile.Size {
				return nil, bad
			}
			if isBlob(uint32(mode)) {
				all = append(all, ResolvedEntry{string(name), ID(rest[:packfile.Size])})
			}
			rest = rest[packfile.Size:]
		}
		b = rest
	}
	return all, nil
}

func parseLink(b []byte) (*splitLink, error) {
	if len(b) < packfile.Size {
		return nil, errIndexShort
	}
	l := &splitLink{base: ID(b[:packfile.Size])}
	b = b[packfile.Size:]
	if len(b) == 0 {
		return l, nil
	}
	n, err := ewahSize(b)
	if err != nil {
		return nil, err
	}
	l.deleted, b = b[:n], b[n:]
	if n, err = ewahSize(b); err != nil {
		return nil, err
	}
	l.replaced = b[:n]
	return l, nil
}

// merge puts a split index together: the base's entries, without the deleted
// ones, with the replaced ones taken from the front of the split index (they
// have no name there), and the rest of it inserted in order.
func (x *Index) merge(base []IndexEntry, link *splitLink) error {
	deleted, err := ewahBits(link.deleted, len(base))
	if err != nil {
		return err
	}
	replaced, err := ewahBits(link.replaced, len(base))
	if err != nil {
		return err
	}
	own := x.Entries
	kept := make([]IndexEntry, 0, len(base)+len(own))
	for i := range base {
		e := base[i]
		if replaced.has(i) {
			if len(own) == 0 || len(own[0].Name) != 0 {
				return errors.New("split index with too few replacements")
			}
			name := e.Name
			e, own = own[0], own[1:]
			e.Name = name
		}
		if !deleted.has(i) {
			kept = append(kept, e)
		}
	}
	x.Entries = mergeSorted(kept, own)
	return x.checkOrder()
}

// mergeSorted merges two sorted lists.
func mergeSorted(a, b []IndexEntry) []IndexEntry {
	if len(b) == 0 {
		return a
	}
	all := make([]IndexEntry, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		c := bytes.Compare(a[0].Name, b[0].Name)
		if c < 0 || c == 0 && a[0].Stage() <= b[0].Stage() {
			all, a = append(all, a[0]), a[1:]
		} else {
			all, b = append(all, b[0]), b[1:]
		}
	}
	return append(append(all, a...), b...)
}

// bitset is a set of small numbers.
type bitset []uint64

func (s bitset) has(i int) bool { return i/64 < len(s) && s[i/64]>>(i%64)&1 != 0 }

var errEWAH = errors.New("malformed bitmap in a split index")

// ewahSize returns the length in bytes of an EWAH bitmap: bit count, word count,
// words, position of the last run-length word.
func ewahSize(b []byte) (int, error) {
	if len(b) < 12 {
		return 0, errEWAH
	}
	size := 12 + 8*uint64(binary.BigEndian.Uint32(b[4:]))
	if size > uint64(len(b)) {
		return 0, errEWAH
	}
	return int(size), nil
}

// ewahBits unpacks a bitmap of at most n bits. Each run-length word holds one
// bit's value, 32 bits of how many words are filled with it, and 31 bits of how
// many literal words follow.
func ewahBits(b []byte, n int) (bitset, error) {
	if len(b) == 0 {
		return nil, nil
	}
	limit := (n + 63) / 64
	words := b[8 : len(b)-4]
	var set bitset
	for len(words) > 0 {
		head := binary.BigEndian.Uint64(words)
		words = words[8:]
		run, literals := head>>1&0xffffffff, head>>33
		if literals > uint64(len(words)/8) {
			return nil, errEWAH
		}
		fill := -(head & 1)
		// A run of zeros may reach beyond the last entry; ones may not.
		if uint64(len(set))+run > uint64(limit) {
			if fill != 0 {
				return nil, errEWAH
			}
			run = uint64(limit - len(set))
		}
		for range run {
			set = append(set, fill)
		}
		for range literals {
			w := binary.BigEndian.Uint64(words)
			words = words[8:]
			if len(set) == limit && w != 0 {
				return nil, errEWAH
			}
			if len(set) < limit {
				set = append(set, w)
			}
		}
	}
	if len(set) == limit && n%64 != 0 && n > 0 && bits.Len64(set[limit-1]) > n%64 {
		return nil, errEWAH
	}
	return set, nil
}

// cacheTree is a node of the extension that knows the tree objects of unchanged
// directories. It is a hint: whoever uses it checks count against the entries.
type cacheTree struct {
	name     string
	count    int // entries below, -1 if the directory changed since
	id       ID
	children []*cacheTree
}

// maxCacheDepth bounds the nesting of the extension: deeper directories are
// treated as changed, that is, compared in full.
const maxCacheDepth = 1024

// parseCacheTree returns nil where the extension makes no sense: Git itself
// then does without, too.
func parseCacheTree(b []byte) *cacheTree {
	root, rest, ok := parseCacheNode(b, 0)
	if !ok || len(rest) != 0 || root.name != "" {
		return nil
	}
	return root
}

// parseCacheNode reads "name NUL count SP children LF [id]" and the children.
func parseCacheNode(b []byte, depth int) (*cacheTree, []byte, bool) {
	name, b, ok := bytes.Cut(b, []byte{0})
	if !ok || depth > maxCacheDepth {
		return nil, nil, false
	}
	countText, b, ok := bytes.Cut(b, []byte{' '})
	if !ok {
		return nil, nil, false
	}
	childText, b, ok := bytes.Cut(b, []byte{'\n'})
	if !ok {
		return nil, nil, false
	}
	count, err1 := strconv.Atoi(string(countText))
	children, err2 := strconv.Atoi(string(childText))
	if err1 != nil || err2 != nil || children < 0 || children > len(b) {
		return nil, nil, false
	}
	node := &cacheTree{name: string(name), count: count}
	if count >= 0 {
		if len(b) < packfile.Size {
			return nil, nil, false
		}
		node.id = ID(b[:packfile.Size])
		b = b[packfile.Size:]
	}
	for range children {
		var child *cacheTree
		if child, b, ok = parseCacheNode(b, depth+1); !ok {
			return nil, nil, false
		}
		node.children = append(node.children, child)
	}
	return node, b, true
}
