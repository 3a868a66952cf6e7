package gitrepo

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/packfile"
)

// child is an entry of a tree that attribution may need: a directory, or a file
// with a hit.
type child struct {
	at     uint32 // offset of the entry in the tree
	name   uint32 // number of the name
	object int32  // number of the object
	dir    bool
	named  bool // a file whose name is looked for
}

// treeIndex is what a walk over all trees learns: whether references lead nowhere,
// and of each tree its directories and the files with hits or names that are looked
// for. Each distinct tree
// is parsed once, and only where it differs from the one it is a delta of.
type treeIndex struct {
	h    *History
	hits map[int32]bool         // numbers of blobs with hits
	name func(name []byte) bool // whether a file of that name is looked for; may be nil
	keep bool                   // whether children are wanted

	scratch []treeScratch // by worker

	mu       sync.Mutex
	children [][]child // by the tree's number
	names    []string
	nameOf   map[string]uint32
	missing  bool        // some tree refers to an object that no store lists
	named    atomic.Bool // some tree has a file whose name is looked for
	gitlinks map[ID]bool // distinct commits of submodules
	bad      map[ID]error
}

// treeState is what is known of a tree when another is made of it.
type treeState struct {
	offsets  []uint32 // where each entry begins
	end      uint32   // where the last one ends
	children []child
}

// treeScratch is memory that one worker uses again.
type treeScratch struct {
	state treeState
	free  [][]uint32 // offsets of trees that nothing is made of any more
}

func (h *History) indexTrees(ctx context.Context, hits map[int32]bool, name func([]byte) bool, keep bool) (*treeIndex, error) {
	x := &treeIndex{
		h: h, hits: hits, name: name, keep: keep, scratch: make([]treeScratch, h.options.Workers),
		nameOf:   map[string]uint32{},
		gitlinks: map[ID]bool{}, bad: map[ID]error{},
	}
	if keep {
		x.children = make([][]child, len(h.objects.ids))
	}
	if err := WalkHistory[treeState](ctx, h, packfile.Types(packfile.Tree), x); err != nil {
		return nil, err
	}
	if err := Recover[treeState](ctx, h, packfile.Types(packfile.Tree), x); err != nil {
		return nil, err
	}
	return x, nil
}

// Lost does nothing: History keeps count of what is lost.
func (x *treeIndex) Lost(packfile.Object, error) {}

// Visit reads the entries of a tree that are not its base's.
func (x *treeIndex) Visit(worker int, o packfile.Object, content []byte, base *treeState, copies []scan.Copy) treeState {
	scratch := &x.scratch[worker]
	t := treeReader{index: x, content: content, base: o.Base, state: treeState{offsets: scratch.state.offsets[:0], children: scratch.state.children[:0]}}
	if base == nil {
		copies = nil
	}
	for _, c := range copies {
		if !t.to(c.Start) {
			break
		}
		t.carry(base, c)
	}
	if !t.to(len(content)) {
		x.mu.Lock()
		x.bad[o.ID] = errTree
		x.mu.Unlock()
	}
	scratch.state = t.state
	state := treeState{end: uint32(t.pos)}
	if t.base {
		state.offsets = append(scratch.offsets(), t.state.offsets...)
	}
	if len(t.state.children) > 0 {
		state.children = slices.Clone(t.state.children)
		x.mu.Lock() // an object may stand in two packs
		x.children[o.Number] = state.children
		x.mu.Unlock()
	}
	return state
}

// maxFreeOffsets is how many lists of offsets a worker keeps to use them again.
const maxFreeOffsets = 64

// Recycle keeps the offsets of a tree for others.
func (x *treeIndex) Recycle(worker int, s treeState) {
	scratch := &x.scratch[worker]
	if cap(s.offsets) > 0 && len(scratch.free) < maxFreeOffsets {
		scratch.free = append(scratch.free, s.offsets[:0])
	}
}

// offsets is an empty list, with room if there is one to use again.
func (s *treeScratch) offsets() []uint32 {
	n := len(s.free)
	if n == 0 {
		return nil
	}
	list := s.free[n-1]
	s.free = s.free[:n-1]
	return list
}

// treeReader reads one tree from front to back.
type treeReader struct {
	index   *treeIndex
	content []byte
	base    bool // whether offsets are wanted
	pos     int
	state   treeState
}

// to reads entries until the position is at least limit. It reports false on a
// malformed entry.
func (t *treeReader) to(limit int) bool {
	for t.pos < limit {
		e, rest, err := NextEntry(t.content[t.pos:])
		if err != nil {
			return false
		}
		t.entry(e)
		if t.base {
			t.state.offsets = append(t.state.offsets, uint32(t.pos))
		}
		t.pos = len(t.content) - len(rest)
	}
	return true
}

// carry takes over the base's entries that lie inside the copy.
func (t *treeReader) carry(base *treeState, c scan.Copy) {
	shift := c.Start - c.Base
	from, aligned := slices.BinarySearch(base.offsets, uint32(max(0, t.pos-shift)))
	if !aligned && from < len(base.offsets) {
		// the copy begins inside an entry: read up to the next of the base's
		if next := int(base.offsets[from]) + shift; next > c.Start+c.Len || !t.to(next) || t.pos != next {
			return
		}
	}
	limit := uint32(c.Base + c.Len)
	to, _ := slices.BinarySearch(base.offsets, limit)
	for to > from && entryEnd(base, to-1) > limit {
		to--
	}
	if to <= from || int(base.offsets[from])+shift != t.pos {
		return
	}
	if t.base {
		n := len(t.state.offsets)
		t.state.offsets = append(t.state.offsets, base.offsets[from:to]...)
		added := t.state.offsets[n:]
		for i := range added {
			added[i] += uint32(shift)
		}
	}
	end := entryEnd(base, to-1)
	first, _ := slices.BinarySearchFunc(base.children, base.offsets[from], func(k child, at uint32) int { return cmp.Compare(k.at, at) })
	for _, k := range base.children[first:] {
		if k.at >= end {
			break
		}
		k.at += uint32(shift)
		t.state.children = append(t.state.children, k)
	}
	t.pos = int(end) + shift
}

func entryEnd(s *treeState, i int) uint32 {
	if i+1 < len(s.offsets) {
		return s.offsets[i+1]
	}
	return s.end
}

// entry looks one entry up.
func (t *treeReader) entry(e TreeEntry) {
	x := t.index
	if isGitlink(e.Mode) {
		x.mu.Lock()
		x.gitlinks[*e.ID] = true
		x.mu.Unlock()
		return
	}
	n, ok := x.h.objects.find(*e.ID)
	if !ok {
		x.mu.Lock()
		x.missing = true
		x.mu.Unlock()
		return
	}
	dir, named := isDir(e.Mode), x.name != nil && IsRegular(e.Mode) && x.name(e.Name)
	if named && !x.named.Load() {
		x.named.Store(true)
	}
	if x.keep && (dir || named || x.hits[n]) {
		t.state.children = append(t.state.children, child{uint32(t.pos), x.number(e.Name), n, dir, named})
	}
}

// number returns the number of a name.
func (x *treeIndex) number(b []byte) uint32 {
	x.mu.Lock()
	defer x.mu.Unlock()
	n, ok := x.nameOf[string(b)]
	if !ok {
		n = uint32(len(x.names))
		x.names = append(x.names, string(b))
		x.nameOf[string(b)] = n
	}
	return n
}

// absentees finds what trees refer to and no store has.
type absentees struct {
	h     *History
	trees map[int32]bool // by number: those that are asked

	mu  sync.Mutex
	ids map[ID]bool
}

// absent lists what the given trees refer to and no store has. Entries are not
// carried from tree to tree here, as a partial clone misses millions of them.
func (h *History) absent(ctx context.Context, trees map[int32]bool) (map[ID]bool, error) {
	a := &absentees{h: h, trees: trees, ids: map[ID]bool{}}
	if err := WalkHistory[struct{}](ctx, h, packfile.Types(packfile.Tree), a); err != nil {
		return nil, err
	}
	return a.ids, Recover[struct{}](ctx, h, packfile.Types(packfile.Tree), a)
}

// Lost does nothing: History keeps count of what is lost.
func (a *absentees) Lost(packfile.Object, error) {}

// Visit looks every entry of a tree up.
func (a *absentees) Visit(_ int, o packfile.Object, content []byte, _ *struct{}, _ []scan.Copy) struct{} {
	if !a.trees[o.Number] {
		return struct{}{}
	}
	for len(content) > 0 {
		e, rest, err := NextEntry(content)
		if err != nil {
			break
		}
		content = rest
		if !isGitlink(e.Mode) && *e.ID != emptyTree && !a.h.Has(*e.ID) {
			a.mu.Lock()
			a.ids[*e.ID] = true
			a.mu.Unlock()
		}
	}
	return struct{}{}
}
