package packfile

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"
)

// Forest is a pack seen as trees of deltas: each object that is stored whole is a
// root, and what is stored as a difference from an object is its child. Objects
// are known by their place, their rank in the order of offsets. A Forest is
// immutable once built.
type Forest struct {
	pack   *Pack
	kind   []Type  // by place; zero if the object cannot be reached from a root
	first  []int32 // child, by place; -1 if none
	next   []int32 // sibling, by place; the lightest child is first
	weight []int64 // compressed bytes of the subtree
	roots  []int32
	lost   []lost
}

type lost struct {
	place int32
	err   error
}

// NewForest reads the header of every object. An object whose header cannot be
// read, or whose base is missing, is reported by Walk with all that depends on it.
func NewForest(ctx context.Context, p *Pack) (*Forest, error) {
	n := len(p.ids)
	f := &Forest{pack: p, kind: make([]Type, n), first: filled(n, none), next: filled(n, none), weight: make([]int64, n)}
	bases := make([]int32, n)
	errs := make([][]lost, headerParts)
	g, ctx := errgroup.WithContext(ctx)
	for part := range headerParts {
		g.Go(func() error {
			var err error
			errs[part], err = f.readHeaders(ctx, bases, n*part/headerParts, n*(part+1)/headerParts)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	f.lost = slices.Concat(errs...)
	f.link(bases)
	return f, nil
}

const headerParts = 2 // halves of the pack whose headers are read at the same time

// Values in place of a base or a child.
const (
	none    = -1
	unknown = -2
)

func filled(n int, v int32) []int32 {
	s := make([]int32, n)
	for i := range s {
		s[i] = v
	}
	return s
}

func (f *Forest) readHeaders(ctx context.Context, bases []int32, from, to int) (errs []lost, err error) {
	p := f.pack
	r := &reader{step: headerStep}
	for place := from; place < to; place++ {
		if place&0xFFF == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		e, err := r.header(p, place)
		if err != nil {
			bases[place] = unknown
			errs = append(errs, lost{int32(place), err})
			continue
		}
		f.weight[place] = e.end - e.data + 64
		bases[place] = none
		if !e.isDelta() {
			f.kind[place] = Type(e.kind)
			continue
		}
		base, ok := p.base(&e)
		if !ok {
			bases[place] = unknown
			errs = append(errs, lost{int32(place), errNoBase})
			continue
		}
		bases[place] = int32(base)
	}
	return errs, nil
}

// link turns bases into lists of children, types spread from the roots, and
// weights added up from the leaves.
func (f *Forest) link(bases []int32) {
	for place := len(bases) - 1; place >= 0; place-- {
		if b := bases[place]; b >= 0 {
			f.next[place] = f.first[b]
			f.first[b] = int32(place)
		}
	}
	order := make([]int32, 0, len(bases))
	for place, b := range bases {
		if b == none {
			order = append(order, int32(place))
		}
	}
	f.roots = slices.Clone(order)
	for i := 0; i < len(order); i++ {
		for c := f.first[order[i]]; c >= 0; c = f.next[c] {
			f.kind[c] = f.kind[order[i]]
			order = append(order, c)
		}
	}
	for i := len(order) - 1; i >= 0; i-- {
		if b := bases[order[i]]; b >= 0 {
			f.weight[b] += f.weight[order[i]]
		}
	}
	if len(order) < len(bases) {
		f.unreached(bases)
	}
	f.sortChildren(order)
}

// unreached reports the objects that no root leads to: those above an object that
// was lost, and cycles.
func (f *Forest) unreached(bases []int32) {
	for place, b := range bases {
		if f.kind[place] == 0 && b >= 0 {
			f.lost = append(f.lost, lost{int32(place), errUnreached})
		}
	}
}

var errUnreached = errors.New("the deltas it is made of form a cycle or miss their base")

// sortChildren puts the heaviest child last, so that the fewest contents are held
// at once.
func (f *Forest) sortChildren(order []int32) {
	var children []int32
	for _, place := range order {
		if c := f.first[place]; c < 0 || f.next[c] < 0 {
			continue
		}
		children = f.children(place, children[:0])
		slices.SortStableFunc(children, func(a, b int32) int { return cmp.Compare(f.weight[a], f.weight[b]) })
		f.first[place] = children[0]
		for i, c := range children {
			f.next[c] = none
			if i+1 < len(children) {
				f.next[c] = children[i+1]
			}
		}
	}
}

func (f *Forest) children(place int32, out []int32) []int32 {
	for c := f.first[place]; c >= 0; c = f.next[c] {
		out = append(out, c)
	}
	return out
}

// heavyShare is the part of all the weight that makes a root heavy: those are
// walked first, so that no core is left with one at the end.
const heavyShare = 128

// rootsOf are the roots of the given types: heavy ones first, the others in the
// order of the pack, where neighbours are read together.
func (f *Forest) rootsOf(types TypeSet) []int32 {
	var roots []int32
	var total int64
	for _, r := range f.roots {
		if types.Has(f.kind[r]) {
			roots = append(roots, r)
			total += f.weight[r]
		}
	}
	heavy := func(r int32) int64 {
		if w := f.weight[r]; w > total/heavyShare {
			return w
		}
		return 0
	}
	slices.SortStableFunc(roots, func(a, b int32) int { return cmp.Compare(heavy(b), heavy(a)) })
	return roots
}

// TypeSet is a set of object types.
type TypeSet uint8

// Types makes a TypeSet.
func Types(types ...Type) (s TypeSet) {
	for _, t := range types {
		s |= 1 << t
	}
	return s
}

// Has reports whether t is in the set.
func (s TypeSet) Has(t Type) bool { return s>>t&1 != 0 }

// Count returns how many objects of the types the forest holds.
func (f *Forest) Count(types TypeSet) (n int) {
	for _, t := range f.kind {
		if types.Has(t) {
			n++
		}
	}
	return n
}
