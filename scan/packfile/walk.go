package packfile

import (
	"context"
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/keywright/keywright/scan"
)

// Object is an object met on a walk.
type Object struct {
	ID   ID
	Type Type
	// Number is the object's index in its pack, until a visitor that passes the object
	// on gives it another.
	Number int32
	// Base says that other objects are made of it: nobody asks for what Visit
	// returns of one that is no base.
	Base bool
}

// Visitor is what a walk brings objects to. S is what a visitor wants to know of
// an object when it meets one that is made of it. Its methods are called by
// several goroutines at once.
type Visitor[S any] interface {
	// Visit is given every object once, after the object it is a delta of; one that
	// the pack holds twice, twice. The
	// worker is a number below Options.Workers; one worker makes one call at a
	// time. The content is valid during the call only. If base is not nil, it is
	// what Visit returned for the base, of which the copies are parts.
	Visit(worker int, o Object, content []byte, base *S, copies []scan.Copy) S
	// Lost is given every object that cannot be read.
	Lost(o Object, err error)
}

// Recycler is a Visitor that can use again what Visit returned.
type Recycler[S any] interface {
	// Recycle is given what Visit returned for a base, by some worker, once all that is
	// made of the base has been visited or lost.
	Recycle(worker int, s S)
}

// Options bound a walk.
type Options struct {
	Types   TypeSet
	Workers int
	// Memory is how many bytes of contents are kept for the sake of speed. Over
	// it they are dropped and rebuilt when they are needed.
	Memory int64
}

// Walk brings every object of the wanted types to the visitor, each inflated
// once. It returns ctx's error or nil. There is at least one worker.
func Walk[S any](ctx context.Context, f *Forest, o Options, v Visitor[S]) error {
	for _, l := range f.lost {
		if t := f.kind[l.place]; t == 0 || o.Types.Has(t) {
			v.Lost(f.object(l.place), l.err)
		}
	}
	o.Workers = max(1, o.Workers)
	w := &walk[S]{forest: f, visitor: v, memory: o.Memory, roots: f.rootsOf(o.Types), active: o.Workers}
	w.recycler, _ = v.(Recycler[S])
	w.wake.L = &w.mu
	g, ctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(ctx, w.wakeAll)
	defer stop()
	for id := range o.Workers {
		g.Go(func() error {
			k := &worker[S]{walk: w, id: id, reader: reader{inflater: newInflater(), step: objectStep}}
			return k.run(ctx)
		})
	}
	return g.Wait()
}

func (f *Forest) object(place int32) Object {
	i := f.pack.byOffset[place]
	return Object{ID: f.pack.ids[i], Type: f.kind[place], Number: i}
}

// walk is what the workers of one walk share.
type walk[S any] struct {
	forest   *Forest
	visitor  Visitor[S]
	recycler Recycler[S] // the visitor, if it is one; may be nil
	memory   int64
	live     atomic.Int64 // bytes of contents held
	idle     atomic.Int32

	mu     sync.Mutex
	wake   sync.Cond
	roots  []int32   // not yet begun
	given  []task[S] // subtrees that a worker gave away
	active int       // workers that may still give some
}

// task is an object to build and visit, and what it is a delta of.
type task[S any] struct {
	place int32
	base  *held[S]
}

// held is the content of an object some of whose children are not built yet.
type held[S any] struct {
	place int32
	state S
	refs  atomic.Int32

	mu    sync.Mutex
	users int    // goroutines that read data
	data  []byte // nil if it was dropped
}

func (w *walk[S]) wakeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wake.Broadcast()
}

// take returns the next root or subtree; ok is false when all is done.
func (w *walk[S]) take(ctx context.Context) (t task[S], ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.active--
	for {
		switch {
		case ctx.Err() != nil:
			return t, false
		case len(w.given) > 0:
			t = w.given[len(w.given)-1]
			w.given = w.given[:len(w.given)-1]
			w.active++
			return t, true
		case len(w.roots) > 0:
			t.place = w.roots[0]
			w.roots = w.roots[1:]
			w.active++
			return t, true
		case w.active == 0:
			w.wake.Broadcast()
			return t, false
		}
		w.idle.Add(1)
		w.wake.Wait()
		w.idle.Add(-1)
	}
}

func (w *walk[S]) give(t task[S]) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.given = append(w.given, t)
	w.wake.Signal()
}

// worker walks subtrees on one goroutine.
type worker[S any] struct {
	*walk[S]
	reader
	id     int
	stack  []task[S]
	delta  []byte
	copies []scan.Copy
	kids   []int32
	free   [maxPooled + 1][][]byte // buffers by the logarithm of their capacity
}

func (k *worker[S]) run(ctx context.Context) error {
	for {
		t, ok := k.take(ctx)
		if !ok {
			return ctx.Err()
		}
		k.stack = append(k.stack[:0], t)
		for len(k.stack) > 0 {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			last := len(k.stack) - 1
			t := k.stack[last]
			k.stack = k.stack[:last]
			k.do(t)
			k.trim()
			if len(k.stack) > 1 && k.idle.Load() > 0 {
				k.give(k.stack[0]) // the heaviest subtree that waits
				k.stack = append(k.stack[:0], k.stack[1:]...)
			}
		}
	}
}

// do builds and visits one object, and puts its children on the stack.
func (k *worker[S]) do(t task[S]) {
	o := k.forest.object(t.place)
	k.kids = k.forest.children(t.place, k.kids[:0])
	o.Base = len(k.kids) > 0
	data, copies, err := k.build(t)
	if err == nil {
		err = k.forest.pack.verify(int(k.forest.pack.byOffset[t.place]), o.Type, data)
	}
	if err != nil {
		k.release(t.base)
		k.lose(t.place, err)
		return
	}
	var base *S
	if t.base != nil {
		base = &t.base.state
	}
	state := k.visitor.Visit(k.id, o, data, base, copies)
	k.release(t.base)
	if !o.Base {
		k.recycle(data)
		return
	}
	h := &held[S]{place: t.place, state: state, data: data}
	h.refs.Store(int32(len(k.kids)))
	if k.live.Add(int64(cap(data))) > k.memory && len(k.kids) > 1 {
		k.live.Add(-int64(cap(data)))
		h.data = nil
		k.recycle(data)
	}
	for i := len(k.kids) - 1; i >= 0; i-- { // the lightest on top
		k.stack = append(k.stack, task[S]{k.kids[i], h})
	}
}

// build returns an object's content.
func (k *worker[S]) build(t task[S]) (data []byte, copies []scan.Copy, err error) {
	p := k.forest.pack
	var base []byte
	if t.base != nil {
		if base, err = k.contentOf(t.base); err != nil {
			return nil, nil, err
		}
	}
	e, err := k.header(p, int(t.place))
	if err != nil {
		return nil, nil, err
	}
	if t.base == nil {
		if e.size <= uint64(p.limit) {
			data = k.buffer(int(e.size))
		}
		data, err = k.content(p, &e, data)
		return data, nil, err
	}
	if k.delta, err = k.content(p, &e, k.delta); err != nil {
		return nil, nil, err
	}
	size, err := p.targetSize(int(t.place), k.delta, len(base))
	if err != nil {
		return nil, nil, err
	}
	data = k.buffer(size)
	k.copies, err = patch(data, base, k.delta, k.copies[:0])
	if err != nil {
		k.recycle(data)
		return nil, nil, err
	}
	return data, k.copies, nil
}

// contentOf returns the content of a held object, rebuilt if it was dropped. Each
// call, also one that fails, is to be followed by a release.
func (k *worker[S]) contentOf(h *held[S]) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.users++
	if h.data == nil {
		p := k.forest.pack
		_, data, err := p.resolve(&k.reader, int(p.byOffset[h.place]))
		if err != nil {
			return nil, fmt.Errorf("rebuild the base: %w", err)
		}
		h.data = data
		k.live.Add(int64(cap(data)))
	}
	return h.data, nil
}

// release ends one child's use of its base. The content is dropped after the
// last child, or when memory is short and nobody reads it.
func (k *worker[S]) release(h *held[S]) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.users--
	last := h.refs.Add(-1) == 0
	if last && k.recycler != nil {
		k.recycler.Recycle(k.id, h.state)
	}
	if h.data != nil && (last || h.users == 0 && k.live.Load() > k.memory) {
		k.live.Add(-int64(cap(h.data)))
		k.recycle(h.data)
		h.data = nil
	}
}

// lose reports an object that cannot be built, and all that depend on it.
func (k *worker[S]) lose(place int32, err error) {
	k.visitor.Lost(k.forest.object(place), err)
	below := k.forest.children(place, nil)
	for len(below) > 0 {
		c := below[len(below)-1]
		below = k.forest.children(c, below[:len(below)-1])
		k.visitor.Lost(k.forest.object(c), fmt.Errorf("it is a delta of %s, which cannot be read: %w", k.forest.object(place).ID, err))
	}
}

// maxPooled is the logarithm of the largest buffer that a worker keeps. Larger ones
// are rare, and what is kept is on top of the memory that was asked for.
const maxPooled = 22

// buffer returns n bytes, of undefined content.
func (k *worker[S]) buffer(n int) []byte {
	class := bits.Len(uint(n))
	if class > maxPooled {
		return make([]byte, n)
	}
	if free := k.free[class]; len(free) > 0 {
		b := free[len(free)-1]
		k.free[class] = free[:len(free)-1]
		return b[:n]
	}
	return make([]byte, n, 1<<class)
}

const maxFree = 32 // buffers kept of one size, fewer of the large ones

func (k *worker[S]) recycle(b []byte) {
	class := bits.Len(uint(cap(b))) - 1
	if class < 0 || class > maxPooled || cap(b) != 1<<class || len(k.free[class]) >= max(1, maxFree>>max(0, class-16)) {
		return
	}
	k.free[class] = append(k.free[class], b)
}

// trim lets go of what one large object needed.
func (k *worker[S]) trim() {
	if cap(k.delta) > 1<<maxPooled {
		k.delta = nil
	}
	if cap(k.window) > 1<<maxPooled {
		k.window = nil
	}
}
