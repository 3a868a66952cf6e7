package gitrepo

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/packfile"
)

// commitIndex is every commit and annotated tag of the stores.
type commitIndex struct {
	h    *History
	text func(worker int, id ID, t packfile.Type, message []byte)

	mu      sync.Mutex
	commits map[int32]*commitRecord // by number
	tags    map[int32]ID            // what annotated tags point to
	bad     map[ID]string           // objects that cannot be parsed: why
	stand   map[ID]*commitRecord    // replacements of commits that are missing
	order   []*commitRecord         // by id; set by resolve
}

// commitRecord is what attribution needs of a commit, after grafts and
// replacements.
type commitRecord struct {
	id      ID
	tree    ID
	parents []ID
	cut     bool // a shallow boundary hides parents

	// Set by resolve.
	treeNumber int32           // -1 if the tree is missing
	up         []*commitRecord // the parents that are there

	replaced   bool
	ownTree    ID   // what a replacement hides
	ownParents []ID // likewise
}

// indexCommits walks commits and annotated tags. If text is set, it is called
// with each one's message, by several goroutines with distinct workers.
func (h *History) indexCommits(ctx context.Context, text func(worker int, id ID, t packfile.Type, message []byte)) (*commitIndex, error) {
	x := &commitIndex{h: h, text: text, commits: map[int32]*commitRecord{}, tags: map[int32]ID{}, bad: map[ID]string{}, stand: map[ID]*commitRecord{}}
	types := packfile.Types(packfile.Commit, packfile.Tag)
	if err := WalkHistory[struct{}](ctx, h, types, x); err != nil {
		return nil, err
	}
	if err := Recover[struct{}](ctx, h, types, x); err != nil {
		return nil, err
	}
	for id, why := range x.bad {
		h.gap("object "+id.String(), why, "git fsck")
	}
	return x, nil
}

// Lost does nothing: History keeps count of what is lost.
func (x *commitIndex) Lost(packfile.Object, error) {}

// Visit records a commit or a tag.
func (x *commitIndex) Visit(worker int, o packfile.Object, content []byte, _ *struct{}, _ []scan.Copy) struct{} {
	var message []byte
	if o.Type == packfile.Tag {
		tag, err := ParseTag(content)
		x.mu.Lock()
		if err != nil {
			x.bad[o.ID] = err.Error()
		} else {
			x.tags[o.Number] = tag.Target
		}
		x.mu.Unlock()
		message = tag.Message
	} else {
		var c Commit
		err := ParseCommit(content, &c)
		x.mu.Lock()
		if err != nil {
			x.bad[o.ID] = err.Error()
		} else {
			x.commits[o.Number] = &commitRecord{id: o.ID, tree: c.Tree, parents: slices.Clone(c.Parents)}
		}
		x.mu.Unlock()
		message = c.Message
	}
	if x.text != nil && len(message) > 0 {
		x.text(worker, o.ID, o.Type, message)
	}
	return struct{}{}
}

// substitute applies replacements, grafts and shallow boundaries, as Git does
// when it walks history.
func (x *commitIndex) substitute() error {
	replaced, err := x.h.repo.Replacements()
	if err != nil {
		return err
	}
	grafts, err := x.h.repo.Grafts()
	if err != nil {
		return err
	}
	shallow, err := x.h.repo.Shallow()
	if err != nil {
		return err
	}
	x.replace(replaced)
	for id, parents := range grafts {
		if r := x.find(id); r != nil {
			r.parents = parents
		}
	}
	for id := range shallow {
		if r := x.find(id); r != nil && len(r.parents) > 0 {
			r.parents, r.cut = nil, true
			x.h.gap("history before commit "+id.String(), "this is a shallow clone", fetchAll)
		}
	}
	return nil
}

// replace gives commits the tree and the parents of what stands in for them.
func (x *commitIndex) replace(replaced map[ID]ID) {
	type pair struct {
		from ID
		to   commitRecord
	}
	var pairs []pair
	for from, to := range replaced {
		for range maxSymrefs { // one replacement may replace another
			next, ok := replaced[to]
			if !ok {
				break
			}
			to = next
		}
		if r := x.find(to); r != nil {
			pairs = append(pairs, pair{from, *r})
		}
	}
	for _, p := range pairs {
		if r := x.find(p.from); r != nil {
			r.replaced, r.ownTree, r.ownParents = true, r.tree, r.parents
			r.tree, r.parents = p.to.tree, p.to.parents
		} else if !x.h.Has(p.from) {
			x.stand[p.from] = &commitRecord{id: p.from, tree: p.to.tree, parents: p.to.parents}
		}
	}
}

func (x *commitIndex) find(id ID) *commitRecord {
	if n, ok := x.h.objects.find(id); ok {
		return x.commits[n]
	}
	return x.stand[id]
}

// target is what an annotated tag points to.
func (x *commitIndex) target(id ID) (ID, bool) {
	n, ok := x.h.objects.find(id)
	if !ok {
		return ID{}, false
	}
	target, ok := x.tags[n]
	return target, ok
}

// peel follows annotated tags.
func (x *commitIndex) peel(id ID) ID {
	for range len(x.tags) {
		target, ok := x.target(id)
		if !ok {
			break
		}
		id = target
	}
	return id
}

// resolve looks up what the commits refer to, once all are known.
func (x *commitIndex) resolve() {
	for _, r := range x.commits {
		x.order = append(x.order, r)
	}
	slices.SortFunc(x.order, func(a, b *commitRecord) int { return bytes.Compare(a.id[:], b.id[:]) })
	all := slices.AppendSeq(slices.Clone(x.order), maps.Values(x.stand))
	var g errgroup.Group
	for worker := range x.h.options.Workers {
		g.Go(func() error {
			for i := worker; i < len(all); i += x.h.options.Workers {
				x.resolveOne(all[i])
			}
			return nil
		})
	}
	_ = g.Wait() // none fails
}

func (x *commitIndex) resolveOne(r *commitRecord) {
	n, ok := x.h.objects.find(r.tree)
	if !ok {
		n = -1
	}
	r.treeNumber, r.up = n, make([]*commitRecord, 0, len(r.parents))
	for _, id := range r.parents {
		if p := x.find(id); p != nil {
			r.up = append(r.up, p)
		}
	}
}

// sorted lists the commits by id.
func (x *commitIndex) sorted() []*commitRecord { return x.order }

// reach marks the commits and tags that are reachable from ids with a mark, and
// returns the ids that are missing.
func (x *commitIndex) reach(ids []ID, mark uint8, marks map[ID]uint8) (missing []ID) {
	stack := slices.Clone(ids)
	for len(stack) > 0 {
		id := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if marks[id] != 0 {
			continue
		}
		marks[id] = mark
		if target, ok := x.target(id); ok {
			stack = append(stack, target)
		} else if r := x.find(id); r != nil {
			stack = append(stack, r.parents...)
			for _, p := range r.ownParents { // Git keeps them, if it has them
				if x.h.Has(p) {
					stack = append(stack, p)
				}
			}
		} else if !x.h.Has(id) && id != emptyTree {
			missing = append(missing, id)
		}
	}
	return missing
}
