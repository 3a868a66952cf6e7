package gitrepo

import (
	"bytes"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/packfile"
)

// ShallowError says that a shallow clone hides what a range needs.
type ShallowError struct {
	Revision string // the range or the side of it that was asked for
	Missing  ID     // the commit that is not there, if known
	Boundary ID     // the commit whose parents are cut away, if known
}

func (e *ShallowError) Error() string {
	if !e.Boundary.IsZero() {
		return fmt.Sprintf("revision %q: this shallow clone ends at commit %s", e.Revision, e.Boundary)
	}
	return fmt.Sprintf("revision %q: commit %s is not in this shallow clone", e.Revision, e.Missing)
}

// Hint is the command that fetches what is missing.
func (e *ShallowError) Hint() string { return fetchAll }

// Range is a parsed and resolved A..B or A...B.
type Range struct {
	Text string
	A, B ID
}

// ParseRange resolves "A..B" or "A...B"; an empty side is HEAD. Both select the
// commits that B has and A has not: whatever A and B share is reachable from
// their merge base, so the merge base excludes the same commits as A does.
func (r *Repo) ParseRange(s *Store, text string) (Range, error) {
	a, b, ok := strings.Cut(text, "..")
	if !ok {
		return Range{}, &RevisionError{Revision: text, Reason: "not a range", Hint: "write A..B, for instance " + text + "..HEAD"}
	}
	b = strings.TrimPrefix(b, ".")
	rng := Range{Text: text}
	var err error
	if rng.A, err = r.side(s, a); err != nil {
		return Range{}, err
	}
	if rng.B, err = r.side(s, b); err != nil {
		return Range{}, err
	}
	return rng, nil
}

func (r *Repo) side(s *Store, text string) (ID, error) {
	if text == "" {
		text = "HEAD"
	}
	return r.Resolve(s, text)
}

// Commits lists the commits that B has and A has not, children before parents.
// A *ShallowError says that parents of one of them are cut away. Commits that
// cannot be read are gaps.
func (g Range) Commits(ctx context.Context, s *Store) ([]ID, []scan.Gap, error) {
	w := newWalk(ctx, s)
	w.start(g.A, uninteresting)
	w.start(g.B, 0)
	if err := w.run(); err != nil {
		return nil, nil, err
	}
	ids := w.interesting()
	for _, id := range ids {
		cut, err := s.CutParents(id)
		if err != nil {
			return nil, nil, err
		}
		if cut {
			return nil, nil, &ShallowError{Revision: g.Text, Boundary: id}
		}
	}
	return ids, w.gaps(), nil
}

// Since lists the commits reachable from roots whose committer date is not
// before t, children before parents. Dates lie: the whole history is walked.
// Roots that are no commits are passed over. A commit that cannot be read, and a
// shallow boundary that may hide commits as young, are gaps.
func (r *Repo) Since(ctx context.Context, s *Store, roots []Root, t time.Time) ([]ID, []scan.Gap, error) {
	w := newWalk(ctx, s)
	v := &revision{r, s, "root"}
	var gaps []scan.Gap
	for _, root := range roots {
		if root.Kind == RootIndex {
			continue
		}
		if id, typ, err := v.peel(root.ID); err != nil {
			gaps = append(gaps, scan.Gap{What: "object " + root.ID.String(), Why: err.Error()})
		} else if typ == packfile.Commit {
			w.start(id, 0)
		}
	}
	if err := w.run(); err != nil {
		return nil, nil, err
	}
	ids := slices.DeleteFunc(w.interesting(), func(id ID) bool { return w.seen[id].date < t.Unix() })
	gaps = append(gaps, w.gaps()...)
	for _, id := range ids {
		if cut, err := s.CutParents(id); err == nil && cut {
			gaps = append(gaps, scan.Gap{What: "parents of commit " + id.String(), Why: "this shallow clone ends here", Hint: fetchAll})
		}
	}
	return ids, gaps, nil
}

// fetchAll is the command that makes a shallow clone whole.
const fetchAll = "git fetch --unshallow"

// CommitChanges lists the files of a commit that differ from those of every
// parent, sorted by path, and how many submodules changed.
func (s *Store) CommitChanges(ctx context.Context, c *Commit) ([]Change, int, error) {
	parents := make([]ID, len(c.Parents))
	for i, id := range c.Parents {
		p, err := s.Commit(id)
		if err != nil {
			return nil, 0, fmt.Errorf("read parent: %w", err)
		}
		parents[i] = p.Tree
	}
	return s.treeChanges(ctx, c.Tree, parents)
}

// walk visits commits in the order of their dates, and marks what the
// uninteresting ones reach.
type walk struct {
	ctx     context.Context
	store   *Store
	seen    map[ID]*walked
	queue   walkQueue
	pending int   // interesting commits in the queue
	live    int   // interesting commits visited
	oldest  int64 // date of the oldest interesting commit visited
	order   []*walked
	missing []*walked
}

type walked struct {
	id      ID
	date    int64
	flags   uint8
	parents []ID
	err     error // why it could not be read
}

const (
	uninteresting uint8 = 1 << iota
	visited
)

func newWalk(ctx context.Context, s *Store) *walk {
	return &walk{ctx: ctx, store: s, seen: map[ID]*walked{}, oldest: 1<<63 - 1}
}

// start queues a commit, or adds flags to one that is known.
func (w *walk) start(id ID, flags uint8) {
	n := w.seen[id]
	if n == nil {
		n = &walked{id: id, flags: flags}
		w.seen[id] = n
		c, err := w.store.Commit(id)
		if err != nil {
			n.err = err
			w.missing = append(w.missing, n)
			return
		}
		n.date, n.parents = commitTime(c.Committer), c.Parents
		heap.Push(&w.queue, n)
		if flags&uninteresting == 0 {
			w.pending++
		}
		return
	}
	w.mark(n, flags)
}

// mark spreads the uninteresting flag through commits that were visited before
// it arrived: their dates were out of order.
func (w *walk) mark(n *walked, flags uint8) {
	stack := []*walked{n}
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if flags&^n.flags&uninteresting == 0 {
			continue
		}
		n.flags |= uninteresting
		if n.flags&visited == 0 {
			if n.err == nil {
				w.pending--
			}
			continue
		}
		w.live--
		for _, p := range n.parents {
			if known := w.seen[p]; known != nil {
				stack = append(stack, known)
			}
		}
	}
}

// gaps lists the interesting commits that could not be read.
func (w *walk) gaps() []scan.Gap {
	var gaps []scan.Gap
	for _, n := range w.missing {
		if n.flags&uninteresting == 0 {
			gaps = append(gaps, scan.Gap{What: "commit " + n.id.String(), Why: n.err.Error()})
		}
	}
	return gaps
}

// Beyond the last interesting commit the walk goes on for a while, since a date
// that is wrong may hide that A has a commit too. It may then still list too
// much, but never too little.
const (
	slopSeconds = 24 * 60 * 60
	slopCommits = 64
)

func (w *walk) run() error {
	slop := slopCommits
	for len(w.queue) > 0 {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		n := heap.Pop(&w.queue).(*walked)
		n.flags |= visited
		if n.flags&uninteresting == 0 {
			w.pending--
			w.live++
			w.oldest = min(w.oldest, n.date)
			w.order = append(w.order, n)
		}
		for _, p := range n.parents {
			w.start(p, n.flags&uninteresting)
		}
		if w.pending > 0 || n.date >= w.oldest-slopSeconds {
			slop = slopCommits
			continue
		}
		if slop--; slop < 0 || w.live == 0 {
			break
		}
	}
	return nil
}

// interesting lists what stayed so, children before parents.
func (w *walk) interesting() []ID {
	children := map[ID]int{}
	var all []*walked
	for _, n := range w.order {
		if n.flags&uninteresting != 0 {
			continue
		}
		all = append(all, n)
		for _, p := range n.parents {
			children[p]++
		}
	}
	// Commits without children left, the earliest visited first.
	var ready, next []*walked
	for _, n := range all {
		if children[n.id] == 0 {
			ready = append(ready, n)
		}
	}
	slices.Reverse(ready)
	ids := make([]ID, 0, len(all))
	for len(ready) > 0 {
		n := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		ids = append(ids, n.id)
		next = next[:0]
		for _, p := range n.parents {
			children[p]--
			if known := w.seen[p]; children[p] == 0 && known != nil && known.flags == visited {
				next = append(next, known)
			}
		}
		slices.Reverse(next)
		ready = append(ready, next...)
	}
	return ids
}

// walkQueue is a heap of commits, the latest first; ids break ties so that the
// order is the same from run to run.
type walkQueue []*walked

func (q walkQueue) Len() int { return len(q) }
func (q walkQueue) Less(i, j int) bool {
	if q[i].date != q[j].date {
		return q[i].date > q[j].date
	}
	return bytes.Compare(q[i].id[:], q[j].id[:]) < 0
}
func (q walkQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *walkQueue) Push(x any)   { *q = append(*q, x.(*walked)) }
func (q *walkQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}

// IsShallow reports whether err says that a shallow clone hides something.
func IsShallow(err error) bool {
	var e *ShallowError
	return errors.As(err, &e)
}
