package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/keywright/keywright/scan/packfile"
)

// Known is what is remembered of the commits of an earlier scan: all that the
// stores held, sorted, and whether some root led to each.
type Known struct {
	Commits IDs
	Reached []bool
}

// Known returns the commits that the graph's walk met.
func (g *Graph) Known() *Known {
	k := &Known{}
	for _, r := range g.commits.sorted() {
		k.Commits = append(k.Commits, r.id)
		k.Reached = append(k.Reached, g.marks[r.id] != 0)
	}
	return k
}

func (k *Known) find(id ID) (int, bool) { return slices.BinarySearchFunc(k.Commits, id, compareIDs) }

// Advance is what a repository has gained since an earlier inventory.
type Advance struct {
	Blobs   int // new objects, and the bytes of blobs, commits and tags
	Commits int
	Bytes   int64
	Reached []ID // commits, new or not, that some root leads to now and none did before
	Changes []CommitChange
}

// CommitChange is a file of a new commit that differs from those of all its
// parents at the same path.
type CommitChange struct {
	Commit  ID
	Reached bool
	Change
}

// ErrRescan says that what has changed cannot be told from what is remembered.
var ErrRescan = errors.New("the history has to be scanned whole")

// maxAdvance is how many new objects are looked at one by one.
const maxAdvance = 5000

// Advance reads the objects that are loose now and were not in the older
// inventory, and brings blobs and messages to the visitor. Known is brought up
// to date. It returns ErrRescan where only a whole scan can answer.
func (r *Repo) Advance(ctx context.Context, s *Store, now, old *Inventory, known *Known, visit func(id ID, t packfile.Type, content []byte)) (*Advance, error) {
	fresh := without(now.Loose, old.Loose)
	if !now.grownFrom(old) || len(fresh) > maxAdvance {
		return nil, ErrRescan
	}
	a := &advance{Advance: &Advance{}, store: s, known: known, blobs: map[ID]bool{}, trees: map[ID]bool{}}
	for _, id := range fresh {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := a.object(id, visit); err != nil {
			return nil, err
		}
	}
	if err := a.reach(without(now.Roots, old.Roots)); err != nil {
		return nil, err
	}
	for _, id := range without(old.Roots, now.Roots) {
		if !a.passed[id] {
			return nil, ErrRescan // something may not be reachable any more
		}
	}
	if err := a.changes(ctx); err != nil {
		return nil, err
	}
	a.remember()
	return a.Advance, nil
}

type advance struct {
	*Advance
	store   *Store
	known   *Known
	commits []ID        // new ones
	blobs   map[ID]bool // new ones
	trees   map[ID]bool // new ones, and whether a new commit was seen to hold them
	reached map[ID]bool
	passed  map[ID]bool // commits that some new root leads to, known ones included
}

func (a *advance) object(id ID, visit func(ID, packfile.Type, []byte)) error {
	t, data, err := a.store.Object(id)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRescan, err)
	}
	switch t {
	case packfile.Blob:
		a.blobs[id] = true
		a.Blobs++
		a.Bytes += int64(len(data))
		visit(id, t, data)
	case packfile.Commit:
		var c Commit
		if err := ParseCommit(data, &c); err != nil {
			return ErrRescan
		}
		a.Commits++
		a.Bytes += int64(len(data))
		a.commits = append(a.commits, id)
		visit(id, t, c.Message)
	case packfile.Tag:
		tag, err := ParseTag(data)
		if err != nil {
			return ErrRescan
		}
		a.Bytes += int64(len(data))
		visit(id, t, tag.Message)
	case packfile.Tree:
		a.trees[id] = false
	}
	return nil
}

// reach follows new roots down to what was reached before.
func (a *advance) reach(roots []ID) error {
	a.reached, a.passed = map[ID]bool{}, map[ID]bool{}
	stack := slices.Clone(roots)
	for len(stack) > 0 {
		id := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		a.passed[id] = true
		if i, ok := a.known.find(id); a.reached[id] || ok && a.known.Reached[i] {
			continue
		}
		t, data, err := a.store.Object(id)
		if err != nil {
			return ErrRescan
		}
		switch t {
		case packfile.Tag:
			tag, err := ParseTag(data)
			if err != nil {
				return ErrRescan
			}
			stack = append(stack, tag.Target)
		case packfile.Commit:
			c, err := a.store.Commit(id)
			if err != nil {
				return ErrRescan
			}
			a.reached[id] = true
			a.Reached = append(a.Reached, id)
			stack = append(stack, c.Parents...)
		default:
			return ErrRescan // a root that names a tree or a blob
		}
	}
	return nil
}

// changes compares each new commit with its parents. New trees that no new
// commit holds need a whole scan: only that finds out what they belong to.
func (a *advance) changes(ctx context.Context) error {
	for _, id := range a.commits {
		c, err := a.store.Commit(id)
		if err != nil {
			return ErrRescan
		}
		parents := make([]ID, len(c.Parents))
		for i, p := range c.Parents {
			pc, err := a.store.Commit(p)
			if err != nil {
				return ErrRescan
			}
			parents[i] = pc.Tree
		}
		if err := a.hold(c.Tree); err != nil {
			return err
		}
		changes, gitlinks, err := a.store.allChanges(ctx, c.Tree, parents)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return ErrRescan
		}
		if gitlinks > 0 {
			return ErrRescan // they are counted
		}
		for _, change := range changes {
			if !a.blobs[change.New] {
				if found, err := a.store.FindPrefix(change.New.String()); err != nil || len(found) == 0 {
					return ErrRescan // a missing object
				}
			}
			a.Changes = append(a.Changes, CommitChange{id, a.reached[id], change})
		}
	}
	for _, held := range a.trees {
		if !held {
			return ErrRescan
		}
	}
	return nil
}

// hold marks the new trees below a tree.
func (a *advance) hold(tree ID) error {
	if held, fresh := a.trees[tree]; !fresh || held {
		return nil
	}
	a.trees[tree] = true
	data, err := a.store.Tree(tree)
	if err != nil {
		return ErrRescan
	}
	for len(data) > 0 {
		var e TreeEntry
		if e, data, err = NextEntry(data); err != nil {
			return ErrRescan
		}
		if isDir(e.Mode) {
			if err := a.hold(*e.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// remember adds the new commits to what is known.
func (a *advance) remember() {
	for id := range a.reached {
		if i, ok := a.known.find(id); ok {
			a.known.Reached[i] = true
		}
	}
	for _, id := range a.commits {
		i, ok := a.known.find(id)
		if !ok {
			a.known.Commits = slices.Insert(a.known.Commits, i, id)
			a.known.Reached = slices.Insert(a.known.Reached, i, a.reached[id])
		}
	}
}

// BlobAt returns the id of the file at a path of a commit; ok is false if there
// is none.
func (s *Store) BlobAt(commit ID, path string) (id ID, ok bool, err error) {
	c, err := s.Commit(commit)
	if err != nil {
		return ID{}, false, err
	}
	e, err := s.find(c.Tree, path)
	if err != nil || e.ID == nil || !isBlob(e.Mode) {
		return ID{}, false, err
	}
	return *e.ID, true, nil
}
