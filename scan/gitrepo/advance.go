package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/keywright/keywright/scan/packfile"
)

// Known is what is remembered of the commits and annotated tags of an earlier
// scan: all that the stores held.
type Known struct {
	IDs    IDs    // sorted
	Marks  []byte // how each is reached; 0 if nothing leads there
	Direct IDs    // what roots other than indexes name, tags peeled; sorted
	Absent IDs    // what roots and commits name and no store has; sorted
	Frail  bool   // some tree names what no store has: any new object may be it
}

// Known returns what the graph's walk met. Frail is the caller's to set, by what
// the graph says of it once trees have been walked.
func (g *Graph) Known() *Known {
	k := &Known{Direct: sortIDs(slices.Clone(g.named)), Absent: slices.Clone(g.absent)}
	for n, r := range g.commits.commits {
		k.IDs = append(k.IDs, g.h.objects.ids[n])
		if !g.h.Has(r.tree) && r.tree != emptyTree {
			k.Absent = append(k.Absent, r.tree)
		}
		for _, p := range r.parents {
			if !g.h.Has(p) {
				k.Absent = append(k.Absent, p)
			}
		}
	}
	for n := range g.commits.tags {
		k.IDs = append(k.IDs, g.h.objects.ids[n])
	}
	k.IDs, k.Absent = sortIDs(k.IDs), sortIDs(k.Absent)
	k.Marks = make([]byte, len(k.IDs))
	for i, id := range k.IDs {
		k.Marks[i] = g.marks[id]
	}
	return k
}

// Frail reports whether some tree names what no store has, if trees have been walked.
func (g *Graph) Frail() bool { return g.trees != nil && g.trees.missing }

// Names reports whether a root other than an index's names an object.
func (k *Known) Names(id ID) bool { return k.Direct.Has(id) }

// Advance is what a repository has gained since an earlier inventory.
type Advance struct {
	Blobs   int // new objects, and the bytes of blobs, commits and tags
	Commits int
	Bytes   int64
	Reached map[ID]bool // new commits and tags that some root leads to
	Changes []CommitChange
}

// CommitChange is a file of a new commit that differs from those of all its
// parents at the same path.
type CommitChange struct {
	Commit  ID
	Reached bool
	Path    string // slash-separated, raw bytes
	Mode    uint32
	New     ID
	Old     []ID // the parents' files at that path
}

// ErrRescan says that what has changed cannot be told from what is remembered.
var ErrRescan = errors.New("the history has to be scanned whole")

// Bounds of an advance; beyond them a whole scan is no slower.
const (
	maxAdvance        = 5000    // new objects
	maxAdvanceEntries = 4 << 20 // of the trees that are compared
	maxAdvanceChanges = 100_000
)

// Advance reads the objects that are loose now and were not in the older
// inventory, none larger than limit bytes, and brings blobs and messages to the
// visitor. Known is brought up to date. It returns ErrRescan where only a whole
// scan can answer; the visitor may have been called then.
func (r *Repo) Advance(ctx context.Context, limit int64, now, old *Inventory, known *Known, visit func(id ID, t packfile.Type, content []byte)) (*Advance, error) {
	fresh := without(now.Loose, old.Loose)
	if !now.grownFrom(old) || now.Substituted || known.Frail || len(fresh) > maxAdvance {
		return nil, ErrRescan
	}
	s, err := r.Store()
	if err != nil {
		return nil, rescan(err)
	}
	defer s.Close()
	s.MaxObject = limit
	a := &advance{Advance: &Advance{Reached: map[ID]bool{}}, ctx: ctx, store: s, now: now, known: known,
		fresh: map[ID]packfile.Type{}, held: map[ID]bool{}, passed: map[ID]bool{}}
	defer a.close()
	if err := a.objects(fresh, visit); err != nil {
		return nil, rescan(err)
	}
	if err := a.roots(old); err != nil {
		return nil, rescan(err)
	}
	if err := a.changes(); err != nil {
		return nil, rescan(err)
	}
	a.remember()
	return a.Advance, nil
}

// rescan makes ErrRescan of every error that is no interruption: a whole scan
// finds out what is wrong, and reports it.
func rescan(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrRescan) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrRescan, err)
}

type advance struct {
	*Advance
	ctx     context.Context
	store   *Store
	now     *Inventory
	known   *Known
	packs   []*packfile.Lookup // those of the inventory; nil until needed
	fresh   map[ID]packfile.Type
	commits []ID
	held    map[ID]bool // new trees that a new commit holds
	passed  map[ID]bool // what new roots lead to, down to what is known
	entries int
	depth   int
}

func (a *advance) close() {
	for _, p := range a.packs {
		p.Close()
	}
}

// packed reports whether a pack of the inventory has an object. Packs that came
// later are not asked: what they hold may be new.
func (a *advance) packed(id ID) (bool, error) {
	if a.packs == nil {
		for _, info := range a.now.Packs {
			p, err := packfile.OpenLookup(info.Path)
			if err != nil {
				return false, err
			}
			a.packs = append(a.packs, p)
		}
	}
	for _, p := range a.packs {
		if ids, err := p.FindPrefix(id.String()); err != nil || len(ids) > 0 {
			return err == nil, err
		}
	}
	return false, nil
}

// has reports whether the inventory has an object.
func (a *advance) has(id ID) (bool, error) {
	if a.now.Loose.Has(id) {
		return true, nil
	}
	return a.packed(id)
}

// objects reads what is new.
func (a *advance) objects(fresh []ID, visit func(ID, packfile.Type, []byte)) error {
	for _, id := range fresh {
		if err := a.ctx.Err(); err != nil {
			return err
		}
		if a.known.Absent.Has(id) {
			return ErrRescan // it mends something
		}
		if again, err := a.packed(id); err != nil {
			return err
		} else if again {
			continue // a second copy
		}
		if err := a.object(id, visit); err != nil {
			return err
		}
	}
	return nil
}

func (a *advance) object(id ID, visit func(ID, packfile.Type, []byte)) error {
	t, data, err := a.store.Object(id)
	if err != nil {
		return err
	}
	a.fresh[id] = t
	text := data
	switch t {
	case packfile.Tree:
		return nil
	case packfile.Blob:
		a.Blobs++
	case packfile.Commit:
		var c Commit
		if err := ParseCommit(data, &c); err != nil {
			return err
		}
		a.Commits++
		a.commits = append(a.commits, id)
		text = c.Message
	case packfile.Tag:
		tag, err := ParseTag(data)
		if err != nil {
			return err
		}
		text = tag.Message
	}
	a.Bytes += int64(len(data))
	visit(id, t, text)
	return nil
}

// roots follows new roots down to what was reached before, and sees to it that
// what old ones led to still is.
func (a *advance) roots(old *Inventory) error {
	for _, id := range without(a.now.Index, old.Index) {
		if ok, err := a.has(id); err != nil || !ok {
			return orRescan(err)
		}
	}
	if err := a.reach(without(a.now.Roots, old.Roots)); err != nil {
		return err
	}
	for _, id := range without(old.Roots, a.now.Roots) {
		if !a.passed[id] && !a.known.Absent.Has(id) {
			return ErrRescan // something may not be reachable any more
		}
	}
	return nil
}

// orRescan is an error in any case.
func orRescan(err error) error {
	if err != nil {
		return err
	}
	return ErrRescan
}

func (a *advance) reach(stack []ID) error {
	for len(stack) > 0 {
		id := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if a.passed[id] {
			continue
		}
		a.passed[id] = true
		if i, ok := a.known.IDs.find(id); ok {
			if a.known.Marks[i] != byHistory {
				return ErrRescan // what lies below it was not looked at as history
			}
			continue
		}
		switch a.fresh[id] {
		case packfile.Tag:
			_, data, err := a.store.Object(id)
			if err != nil {
				return err
			}
			tag, err := ParseTag(data)
			if err != nil {
				return err
			}
			stack = append(stack, tag.Target)
		case packfile.Commit:
			c, err := a.store.Commit(id)
			if err != nil {
				return err
			}
			stack = append(stack, c.Parents...)
		default:
			return ErrRescan // a tree, a blob, or what came after the inventory
		}
		a.Reached[id] = true
	}
	return nil
}

// changes compares each new commit with its parents. New trees that no new
// commit holds need a whole scan: only that finds out what they belong to.
func (a *advance) changes() error {
	for _, id := range a.commits {
		c, err := a.store.Commit(id)
		if err != nil {
			return err
		}
		var parents []ID
		for _, p := range c.Parents {
			pc, err := a.store.Commit(p)
			if err != nil {
				return err
			}
			parents = append(parents, pc.Tree)
		}
		if ok, err := a.has(c.Tree); c.Tree != emptyTree && (err != nil || !ok) {
			return orRescan(err)
		}
		if slices.Contains(parents, c.Tree) {
			continue
		}
		if err := a.compare(id, "", c.Tree, parents); err != nil {
			return err
		}
	}
	for id, t := range a.fresh {
		if t == packfile.Tree && !a.held[id] {
			return ErrRescan
		}
	}
	return nil
}

// compare finds the files below a tree that differ from those of all parents, by
// the rules of Graph.
func (a *advance) compare(commit ID, dir string, tree ID, parents []ID) error {
	if a.depth++; a.depth > maxTreeDepth {
		return ErrRescan
	}
	defer func() { a.depth-- }()
	a.held[tree] = true
	names, entries, err := a.tree(tree)
	if err != nil {
		return err
	}
	theirs := make([]map[string]TreeEntry, len(parents))
	for i, p := range parents {
		if _, theirs[i], err = a.tree(p); err != nil {
			return err
		}
	}
	for _, name := range names {
		e := entries[name]
		same := false
		var files, dirs []ID
		for _, t := range theirs {
			o, ok := t[name]
			if !ok {
				continue
			}
			if *o.ID == *e.ID {
				if IsRegular(o.Mode) != IsRegular(e.Mode) {
					return ErrRescan // what is a secret by its name may be a link by now, or none any more
				}
				same = true
			}
			switch {
			case isGitlink(o.Mode):
			case isDir(o.Mode):
				dirs = append(dirs, *o.ID)
			default:
				files = append(files, *o.ID)
			}
		}
		switch {
		case same:
		case isGitlink(e.Mode):
			return ErrRescan // they are counted
		case isDir(e.Mode):
			err = a.compare(commit, dir+name+"/", *e.ID, dirs)
		default:
			err = a.change(CommitChange{commit, a.Reached[commit], dir + name, e.Mode, *e.ID, files})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *advance) change(c CommitChange) error {
	if ok, err := a.has(c.New); err != nil || !ok {
		return orRescan(err) // a missing object
	}
	a.Changes = append(a.Changes, c)
	if len(a.Changes) > maxAdvanceChanges {
		return ErrRescan
	}
	return a.ctx.Err()
}

// tree returns the names in a tree, in order, and the entry of each. Two entries
// of one name, which Git does not write, ask for a whole scan.
func (a *advance) tree(id ID) (names []string, entries map[string]TreeEntry, err error) {
	data, err := a.store.Tree(id)
	if err != nil {
		return nil, nil, err
	}
	entries = map[string]TreeEntry{}
	for len(data) > 0 {
		var e TreeEntry
		if e, data, err = NextEntry(data); err != nil {
			return nil, nil, err
		}
		names = append(names, string(e.Name))
		entries[string(e.Name)] = e
	}
	if a.entries += len(names); len(entries) < len(names) || a.entries > maxAdvanceEntries {
		return nil, nil, ErrRescan
	}
	return names, entries, nil
}

// remember adds the new commits and tags to what is known.
func (a *advance) remember() {
	var added []ID
	for id, t := range a.fresh {
		if t == packfile.Commit || t == packfile.Tag {
			added = append(added, id)
		}
	}
	slices.SortFunc(added, compareIDs)
	k := a.known
	ids, marks := make(IDs, 0, len(k.IDs)+len(added)), make([]byte, 0, len(k.IDs)+len(added))
	for i := 0; len(added) > 0 || i < len(k.IDs); {
		if len(added) == 0 || i < len(k.IDs) && compareIDs(k.IDs[i], added[0]) < 0 {
			ids, marks = append(ids, k.IDs[i]), append(marks, k.Marks[i])
			i++
			continue
		}
		var mark byte
		if a.Reached[added[0]] {
			mark = byHistory
		}
		ids, marks = append(ids, added[0]), append(marks, mark)
		added = added[1:]
	}
	k.IDs, k.Marks = ids, marks
}

// TipTrees resolves commits to their trees, each tree once. Commits that are not
// there, and what is no commit, are errors.
func (s *Store) TipTrees(commits []ID) ([]ID, error) {
	var trees []ID
	for _, id := range commits {
		if id.IsZero() {
			continue
		}
		c, err := s.Commit(id)
		if err != nil {
			return nil, err
		}
		trees = append(trees, c.Tree)
	}
	return sortIDs(trees), nil
}

// FileIn returns the id of the file at a path below a tree; ok is false if there
// is none. Two entries of one name are an error: either could be meant.
func (s *Store) FileIn(tree ID, path string) (id ID, ok bool, err error) {
	for deeper := true; deeper; {
		var name string
		name, path, deeper = strings.Cut(path, "/")
		data, err := s.Tree(tree)
		if err != nil {
			return ID{}, false, err
		}
		var found TreeEntry
		for len(data) > 0 {
			var e TreeEntry
			if e, data, err = NextEntry(data); err != nil {
				return ID{}, false, fmt.Errorf("tree %s: %w", tree, err)
			}
			if string(e.Name) != name {
				continue
			}
			if found.ID != nil {
				return ID{}, false, fmt.Errorf("tree %s has two entries %q", tree, name)
			}
			found = e
		}
		switch {
		case found.ID == nil, deeper != isDir(found.Mode), isGitlink(found.Mode):
			return ID{}, false, nil
		}
		tree = *found.ID
	}
	return tree, true, nil
}
