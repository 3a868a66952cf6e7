package gitrepo

import (
	"bytes"
	"context"
	"fmt"
	"slices"
)

// Change is a file whose content differs from that of every parent. For the
// index the parents are HEAD and, during a merge, what is being merged.
type Change struct {
	Path  string // slash-separated, raw bytes
	Mode  uint32
	Stage int // 1 to 3 for an index entry in conflict
	New   ID
	// Old are the distinct blobs at the path in the parents that have one there.
	// A parent without one is not represented: against it every line is added,
	// which the other parents decide alone.
	Old []ID
}

// treeDiff compares a tree with those of its parents.
type treeDiff struct {
	ctx      context.Context
	store    *Store
	changes  []Change
	removed  []removedEntry // what some parent has and the tree has not
	gitlinks int            // changed submodules, which are not read
	depth    int            // of the directory at hand
}

// maxTreeDepth bounds the nesting of directories: twice what Git accepts.
const maxTreeDepth = 4096

// enter begins a directory; leave must follow when it succeeds.
func (d *treeDiff) enter() error {
	if d.depth++; d.depth > maxTreeDepth {
		return fmt.Errorf("directories nest more than %d deep", maxTreeDepth)
	}
	return d.ctx.Err()
}

func (d *treeDiff) leave() { d.depth-- }

type removedEntry struct {
	mode uint32
	id   ID
}

// treeChanges lists the files of tree that no parent has with the same content.
// A file that a parent has under a name that went away was renamed: it adds
// nothing and is left out.
func (s *Store) treeChanges(ctx context.Context, tree ID, parents []ID) (changes []Change, gitlinks int, err error) {
	d := &treeDiff{ctx: ctx, store: s}
	for _, p := range parents {
		if p == tree {
			return nil, 0, nil
		}
	}
	if err := d.walk("", tree, parents); err != nil {
		return nil, 0, err
	}
	changes, err = d.withoutRenames()
	return changes, d.gitlinks, err
}

// walk compares one directory. parents are the trees that parents have there.
func (d *treeDiff) walk(dir string, tree ID, parents []ID) error {
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	data, err := d.store.Tree(tree)
	if err != nil {
		return err
	}
	cursors := make([]treeCursor, len(parents))
	for i, p := range parents {
		if cursors[i].rest, err = d.store.Tree(p); err != nil {
			return err
		}
		if err := cursors[i].next(); err != nil {
			return fmt.Errorf("tree %s: %w", p, err)
		}
	}
	for len(data) > 0 {
		var e TreeEntry
		if e, data, err = NextEntry(data); err != nil {
			return fmt.Errorf("tree %s: %w", tree, err)
		}
		if err := d.entry(dir, e, cursors); err != nil {
			return err
		}
	}
	for i := range cursors {
		if err := d.rest(&cursors[i]); err != nil {
			return err
		}
	}
	return nil
}

// entry compares one entry with its namesakes.
func (d *treeDiff) entry(dir string, e TreeEntry, cursors []treeCursor) error {
	same := false
	var old []ID
	for i := range cursors {
		c := &cursors[i]
		for c.entry.ID != nil && compareEntries(c.entry, e) < 0 {
			d.remove(c.entry)
			if err := c.next(); err != nil {
				return err
			}
		}
		if c.entry.ID == nil || compareEntries(c.entry, e) != 0 {
			continue
		}
		if sameKind(c.entry.Mode, e.Mode) {
			same = same || *c.entry.ID == *e.ID
			if !slices.Contains(old, *c.entry.ID) {
				old = append(old, *c.entry.ID)
			}
		}
		if err := c.next(); err != nil {
			return err
		}
	}
	switch {
	case same:
		return nil
	case isGitlink(e.Mode):
		d.gitlinks++
		return nil
	case isDir(e.Mode):
		return d.walk(dir+string(e.Name)+"/", *e.ID, old)
	}
	d.changes = append(d.changes, Change{Path: dir + string(e.Name), Mode: e.Mode, New: *e.ID, Old: old})
	return nil
}

func (d *treeDiff) remove(e TreeEntry) {
	if !isGitlink(e.Mode) {
		d.removed = append(d.removed, removedEntry{e.Mode, *e.ID})
	}
}

func (d *treeDiff) rest(c *treeCursor) error {
	for c.entry.ID != nil {
		d.remove(c.entry)
		if err := c.next(); err != nil {
			return err
		}
	}
	return nil
}

// sameKind holds for two directories, two submodules, or two of the rest.
func sameKind(a, b uint32) bool {
	return isDir(a) == isDir(b) && isGitlink(a) == isGitlink(b)
}

// treeCursor is a position in a tree; entry.ID is nil at the end.
type treeCursor struct {
	entry TreeEntry
	rest  []byte
}

func (c *treeCursor) next() (err error) {
	if len(c.rest) == 0 {
		c.entry = TreeEntry{}
		return nil
	}
	c.entry, c.rest, err = NextEntry(c.rest)
	return err
}

// compareEntries orders entries as trees do: a directory's name counts as if it
// ended in a slash.
func compareEntries(a, b TreeEntry) int {
	n := min(len(a.Name), len(b.Name))
	if c := bytes.Compare(a.Name[:n], b.Name[:n]); c != 0 {
		return c
	}
	x, y := entryByte(a, n), entryByte(b, n)
	if x == y && len(a.Name) != len(b.Name) { // "a/" before "a/b", which no tree should hold
		return len(a.Name) - len(b.Name)
	}
	return int(x) - int(y)
}

// entryByte is byte i of a name, or what stands behind the name.
func entryByte(e TreeEntry, i int) byte {
	switch {
	case i < len(e.Name):
		return e.Name[i]
	case isDir(e.Mode):
		return '/'
	}
	return 0
}

// withoutRenames drops the changes whose blob a parent had under a name that is
// gone. Removed directories are read only if there is anything to drop.
func (d *treeDiff) withoutRenames() ([]Change, error) {
	isNew := func(c Change) bool { return len(c.Old) == 0 }
	if len(d.removed) == 0 || !slices.ContainsFunc(d.changes, isNew) {
		return d.changes, nil
	}
	gone := map[ID]bool{}
	for _, r := range d.removed {
		if err := d.collect(r, gone); err != nil {
			return nil, err
		}
	}
	kept := d.changes[:0]
	for _, c := range d.changes {
		if !isNew(c) || !gone[c.New] {
			kept = append(kept, c)
		}
	}
	return kept, nil
}

// collect adds the blobs of a removed entry.
func (d *treeDiff) collect(r removedEntry, blobs map[ID]bool) error {
	if !isDir(r.mode) {
		blobs[r.id] = true
		return nil
	}
	if blobs[r.id] {
		return nil
	}
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	blobs[r.id] = true // not a blob: no change has this id
	tree, err := d.store.Tree(r.id)
	if err != nil {
		return err
	}
	for len(tree) > 0 {
		e, rest, err := NextEntry(tree)
		if err != nil {
			return fmt.Errorf("tree %s: %w", r.id, err)
		}
		tree = rest
		if isGitlink(e.Mode) {
			continue
		}
		if err := d.collect(removedEntry{e.Mode, *e.ID}, blobs); err != nil {
			return err
		}
	}
	return nil
}
