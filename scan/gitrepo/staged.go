package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Staged is what the next commit would bring.
type Staged struct {
	Changes  []Change // sorted by path, then stage
	Gitlinks int      // changed submodules, which are not read
	Parents  []ID     // the commits compared with: HEAD and what is being merged
}

// Staged compares the index of the work tree with HEAD, and during a merge with
// the merged commits too. Directories that the index knows to be unchanged are
// not looked into.
func (r *Repo) Staged(ctx context.Context, s *Store) (*Staged, error) {
	index, err := ReadIndex(r.indexFile, r.GitDir)
	if errors.Is(err, fs.ErrNotExist) {
		index, err = &Index{}, nil
	}
	if err != nil {
		return nil, err
	}
	result := &Staged{}
	head := emptyTree
	if !r.Head.ID.IsZero() {
		c, err := s.Commit(r.Head.ID)
		if err != nil {
			return nil, fmt.Errorf("read HEAD: %w", err)
		}
		head = c.Tree
		result.Parents = append(result.Parents, r.Head.ID)
	}
	d := &indexDiff{treeDiff: treeDiff{ctx: ctx, store: s}, entries: index.Entries}
	if err := d.dir("", head, 0, len(index.Entries), index.cache); err != nil {
		return nil, fmt.Errorf("compare index with HEAD: %w", err)
	}
	if result.Changes, err = d.withoutRenames(); err != nil {
		return nil, fmt.Errorf("compare index with HEAD: %w", err)
	}
	result.Gitlinks = d.gitlinks
	merged, err := r.mergeHeads()
	if err != nil {
		return nil, err
	}
	for _, id := range merged {
		if result.Changes, err = s.notIn(result.Changes, id); err != nil {
			return nil, fmt.Errorf("compare index with the commit being merged: %w", err)
		}
	}
	result.Parents = append(result.Parents, merged...)
	return result, nil
}

// mergeHeads returns the commits that an unfinished merge brings.
func (r *Repo) mergeHeads() ([]ID, error) {
	data, err := os.ReadFile(filepath.Join(r.GitDir, "MERGE_HEAD"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read MERGE_HEAD: %w", err)
	}
	return leadingIDs(data), nil
}

// notIn drops the changes that a commit has at the same path, and adds the
// commit's blob to the others.
func (s *Store) notIn(changes []Change, commit ID) ([]Change, error) {
	c, err := s.Commit(commit)
	if err != nil {
		return nil, err
	}
	kept := changes[:0]
	for _, change := range changes {
		entry, err := s.find(c.Tree, change.Path)
		if err != nil {
			return nil, err
		}
		if entry.ID != nil && isBlob(entry.Mode) {
			if *entry.ID == change.New {
				continue
			}
			if !slices.Contains(change.Old, *entry.ID) {
				change.Old = append(change.Old, *entry.ID)
			}
		}
		kept = append(kept, change)
	}
	return kept, nil
}

// indexDiff compares index entries with a tree.
type indexDiff struct {
	treeDiff
	entries []IndexEntry
}

// indexChild is a file or directory of the index within one directory, written
// as a tree would have it.
type indexChild struct {
	TreeEntry     // ID is nil for a directory that must be compared entry by entry
	lo, hi    int // its entries; several for a directory, or a file in conflict
	cache     *cacheTree
}

// dir compares entries[lo:hi], all of which lie below prefix, with a tree.
func (d *indexDiff) dir(prefix string, tree ID, lo, hi int, cache *cacheTree) error {
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	if cache != nil && cache.count == hi-lo && cache.id == tree {
		return nil
	}
	data, err := d.store.Tree(tree)
	if err != nil {
		return err
	}
	head := treeCursor{rest: data}
	if err := head.next(); err != nil {
		return fmt.Errorf("tree %s: %w", tree, err)
	}
	subdirs := cache.index()
	for lo < hi {
		child := d.child(len(prefix), lo, hi, subdirs)
		for head.entry.ID != nil && compareEntries(head.entry, child.TreeEntry) < 0 {
			d.remove(head.entry)
			if err := head.next(); err != nil {
				return fmt.Errorf("tree %s: %w", tree, err)
			}
		}
		var old TreeEntry
		if head.entry.ID != nil && compareEntries(head.entry, child.TreeEntry) == 0 {
			old = head.entry
			if err := head.next(); err != nil {
				return fmt.Errorf("tree %s: %w", tree, err)
			}
		}
		if err := d.compare(prefix, child, old); err != nil {
			return err
		}
		lo = child.hi
	}
	return d.rest(&head)
}

// index makes the children of a node findable by name.
func (t *cacheTree) index() map[string]*cacheTree {
	if t == nil || len(t.children) == 0 {
		return nil
	}
	m := make(map[string]*cacheTree, len(t.children))
	for _, c := range t.children {
		m[c.name] = c
	}
	return m
}

// child returns the first child of a directory whose names begin at byte start
// of the entries lo to hi.
func (d *indexDiff) child(start, lo, hi int, subdirs map[string]*cacheTree) indexChild {
	e := &d.entries[lo]
	name := e.Name[start:]
	slash := bytes.IndexByte(name, '/')
	if slash < 0 {
		c := indexChild{TreeEntry: TreeEntry{e.Mode, name, &e.ID}, lo: lo, hi: lo + 1}
		for c.hi < hi && bytes.Equal(d.entries[c.hi].Name, e.Name) {
			c.hi++
		}
		return c
	}
	c := indexChild{TreeEntry: TreeEntry{Mode: ModeDir, Name: name[:slash]}, lo: lo, hi: lo + 1}
	if isDir(e.Mode) && slash == len(name)-1 {
		c.ID = &e.ID // a sparse directory
		return c
	}
	prefix := e.Name[:start+slash+1]
	below := func(i int) bool { return bytes.HasPrefix(d.entries[i].Name, prefix) }
	c.cache = subdirs[string(c.Name)]
	if c.cache != nil && c.cache.count > 0 {
		end := lo + c.cache.count
		if end <= hi && below(end-1) && (end == hi || !below(end)) {
			c.hi = end
			return c
		}
		c.cache = nil
	}
	for c.hi < hi && below(c.hi) {
		c.hi++
	}
	return c
}

// compare judges one child against HEAD's entry of that name; old.ID is nil if
// there is none.
func (d *indexDiff) compare(prefix string, child indexChild, old TreeEntry) error {
	if isDir(child.Mode) {
		tree := emptyTree
		if old.ID != nil {
			tree = *old.ID
		}
		name := prefix + string(child.Name)
		if child.ID == nil {
			return d.dir(name+"/", tree, child.lo, child.hi, child.cache)
		}
		if *child.ID == tree {
			return nil
		}
		return d.walk(name+"/", *child.ID, []ID{tree})
	}
	for i := child.lo; i < child.hi; i++ {
		e := &d.entries[i]
		known := old.ID != nil && sameKind(old.Mode, e.Mode)
		if e.IntentToAdd() || known && *old.ID == e.ID {
			continue
		}
		if isGitlink(e.Mode) {
			d.gitlinks++
			continue
		}
		change := Change{Path: string(e.Name), Mode: e.Mode, Stage: e.Stage(), New: e.ID}
		if known {
			change.Old = []ID{*old.ID}
		}
		d.changes = append(d.changes, change)
	}
	return nil
}
