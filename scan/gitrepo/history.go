package gitrepo

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/bits"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/packfile"
)

// History is every object of a repository, in whatever packs and loose files,
// its alternates' included, numbered. Walks meet each of them once; what cannot
// be read from one copy is read from another, and is a gap only if none can.
type History struct {
	repo    *Repo
	options HistoryOptions
	dirs    []string
	packs   []*historyPack
	loose   []looseFile
	objects objectTable
	met     bitSet // by number: visited
	gone    bitSet // by number: listed as loose, and deleted since
	seen    [packfile.Tag + 1]struct{ objects, bytes atomic.Int64 }

	mu   sync.Mutex
	lost map[ID]error // objects of which a copy could not be read
	read map[ID]bool  // those of them of which another copy could
	gaps []scan.Gap
	late *Store // for single objects; nil until one is needed
}

// HistoryOptions bound the walks.
type HistoryOptions struct {
	Workers   int
	Memory    int64 // bytes of object contents held at once
	MaxObject int64 // bytes of the largest object that is read
	// Progress, if set, is told how many objects have been read.
	Progress func(objects int)
}

type historyPack struct {
	pack    *packfile.Pack
	forest  *packfile.Forest
	numbers []int32 // of its objects, by their index
}

type looseFile struct {
	dir string
	id  ID
}

// OpenHistory opens all packs and lists all loose objects. What cannot be opened
// is a gap. It must be closed.
func (r *Repo) OpenHistory(ctx context.Context, o HistoryOptions) (*History, error) {
	dirs, gaps, err := r.ObjectDirs()
	if err != nil {
		return nil, err
	}
	o.Workers = max(1, o.Workers)
	h := &History{repo: r, options: o, dirs: dirs, gaps: gaps, lost: map[ID]error{}, read: map[ID]bool{}}
	if err := h.open(ctx); err != nil {
		h.Close()
		return nil, err
	}
	if err := h.prepare(ctx); err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

// prepare numbers the objects, and finds out which are made of which.
func (h *History) prepare(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(h.options.Workers + 1)
	g.Go(func() error {
		h.number()
		return nil
	})
	for _, p := range h.packs {
		g.Go(func() (err error) {
			p.forest, err = packfile.NewForest(ctx, p.pack)
			return err
		})
	}
	return g.Wait()
}

// open lists objects until no pack has come or gone meanwhile: a concurrent gc
// writes what it moves, into a pack or out of one, before it deletes it.
func (h *History) open(ctx context.Context) error {
	known := map[string]bool{}
	for wait := time.Millisecond; ; wait *= 10 {
		before, _, err := h.packFiles()
		if err != nil {
			return err
		}
		if err := h.listLoose(ctx); err != nil {
			return err
		}
		if err := h.openPacks(ctx, before, known); err != nil {
			return err
		}
		after, orphans, err := h.packFiles()
		if err != nil {
			return err
		}
		vanished := slices.DeleteFunc(slices.Clone(after), func(path string) bool { return known[path] })
		if len(vanished)+len(orphans) == 0 && slices.Equal(before, after) {
			return nil
		}
		if wait > maxPackWait {
			for _, path := range append(vanished, orphans...) {
				h.gap(filepath.Base(path), "its index is missing", "git index-pack "+path)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// maxPackWait is the longest pause in which a pack without an index is given the
// chance to get one.
const maxPackWait = 100 * time.Millisecond

// packFiles lists the packs of all directories, those without an index apart.
func (h *History) packFiles() (packs, orphans []string, err error) {
	for _, dir := range h.dirs {
		with, without, err := PackFiles(dir)
		if err != nil {
			return nil, nil, err
		}
		packs, orphans = append(packs, with...), append(orphans, without...)
	}
	return packs, orphans, nil
}

// listLoose adds the loose objects that are not listed yet.
func (h *History) listLoose(ctx context.Context) error {
	again := len(h.loose) > 0
	for _, dir := range h.dirs {
		err := EachLoose(ctx, dir, func(id ID) error {
			h.loose = append(h.loose, looseFile{dir, id})
			return nil
		})
		if err != nil {
			return err
		}
	}
	if again {
		slices.SortStableFunc(h.loose, func(a, b looseFile) int {
			return cmp.Or(cmp.Compare(a.dir, b.dir), compareIDs(a.id, b.id))
		})
		h.loose = slices.Compact(h.loose)
	}
	return nil
}

// openPacks opens the packs that are not known yet. One that is gone is left out.
func (h *History) openPacks(ctx context.Context, packs []string, known map[string]bool) error {
	for _, path := range packs {
		if known[path] {
			continue
		}
		err := h.openPack(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		known[path] = true
	}
	return nil
}

// openPack opens one pack. A pack that cannot be used is a gap; only one that does
// not exist is an error.
func (h *History) openPack(path string) error {
	p, err := packfile.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err != nil {
		h.gap(filepath.Base(path), plainError(err), "")
		return nil
	}
	p.SetLimit(h.options.MaxObject)
	if err := p.Intact(); err != nil {
		h.gap(filepath.Base(path), plainError(err), "git fsck")
	}
	h.packs = append(h.packs, &historyPack{pack: p})
	return nil
}

// Close closes the packs.
func (h *History) Close() error {
	var errs []error
	for _, p := range h.packs {
		errs = append(errs, p.pack.Close())
	}
	if h.late != nil {
		errs = append(errs, h.late.Close())
	}
	return errors.Join(errs...)
}

// store is where single objects are read from.
func (h *History) store() (*Store, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.late == nil {
		s, err := h.repo.Store()
		if err != nil {
			return nil, err
		}
		s.MaxObject = h.options.MaxObject
		h.late = s
	}
	return h.late, nil
}

func (h *History) gap(what, why, hint string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gaps = append(h.gaps, scan.Gap{What: what, Why: why, Hint: hint})
}

// number gives every distinct id a number.
func (h *History) number() {
	n := len(h.loose)
	for _, p := range h.packs {
		n += p.pack.Len()
	}
	h.objects.grow(n)
	for _, p := range h.packs {
		p.numbers = make([]int32, p.pack.Len())
		for i := range p.numbers {
			p.numbers[i] = h.objects.add(p.pack.ID(i))
		}
	}
	for _, l := range h.loose {
		h.objects.add(l.id)
	}
	h.met, h.gone = newBitSet(len(h.objects.ids)), newBitSet(len(h.objects.ids))
}

// Has reports whether any store lists the object.
func (h *History) Has(id ID) bool {
	n, ok := h.objects.find(id)
	return ok && !h.gone.has(n)
}

// bitSet is a set of numbers, safe for concurrent use.
type bitSet struct {
	bits []atomic.Uint32
	any  *atomic.Bool
}

func newBitSet(n int) bitSet { return bitSet{make([]atomic.Uint32, (n+31)/32), &atomic.Bool{}} }

// add reports whether the number was not there yet.
func (s bitSet) add(n int32) bool {
	if !s.any.Load() { // all cores write to what they would have to share
		s.any.Store(true)
	}
	bit := uint32(1) << (n & 31)
	return s.bits[n>>5].Or(bit)&bit == 0
}

func (s bitSet) has(n int32) bool { return s.any.Load() && s.bits[n>>5].Load()>>(n&31)&1 != 0 }

// objectTable numbers object ids. It is read concurrently once filled.
type objectTable struct {
	ids   []ID
	slots []objectSlot // open addressing by the first bits of the id: packs list ids in order
	shift int          // of an id's first eight bytes, to leave those bits
	// twins says that two ids begin with the same eight bytes: then those do not
	// settle which one is meant.
	twins bool
}

// objectSlot holds the beginning of an id beside its number: a look-up touches the
// ids themselves only if there are twins.
type objectSlot struct {
	key    uint64
	number uint32 // plus one; zero if the slot is empty
}

func (t *objectTable) grow(n int) {
	width := max(10, bits.Len(uint(2*n)))
	t.ids, t.slots, t.shift = make([]ID, 0, n), make([]objectSlot, 1<<width), 64-width
}

// add returns the number of an id, which is new if it was not added before.
func (t *objectTable) add(id ID) int32 {
	key, mask := binary.BigEndian.Uint64(id[:]), uint64(len(t.slots)-1)
	for i := key >> t.shift; ; i = (i + 1) & mask {
		s := &t.slots[i]
		switch {
		case s.number == 0:
			t.ids = append(t.ids, id)
			*s = objectSlot{key, uint32(len(t.ids))}
			return int32(len(t.ids) - 1)
		case s.key != key:
		case t.ids[s.number-1] == id:
			return int32(s.number - 1)
		default:
			t.twins = true
		}
	}
}

func (t *objectTable) find(id ID) (number int32, ok bool) {
	key, mask := binary.BigEndian.Uint64(id[:]), uint64(len(t.slots)-1)
	for i := key >> t.shift; ; i = (i + 1) & mask {
		s := &t.slots[i]
		switch {
		case s.number == 0:
			return 0, false
		case s.key == key && (!t.twins || t.ids[s.number-1] == id):
			return int32(s.number - 1), true
		}
	}
}

// Count is how many objects of the types the packs hold, duplicates included.
func (h *History) Count(types packfile.TypeSet) (n int) {
	for _, p := range h.packs {
		n += p.forest.Count(types)
	}
	return n
}

// Seen is how many distinct objects of a type have been visited, and their size
// in bytes.
func (h *History) Seen(t packfile.Type) (objects int, bytes int64) {
	return int(h.seen[t].objects.Load()), h.seen[t].bytes.Load()
}

// WalkHistory brings every object of the types to the visitor: those of packs
// along their delta chains, then the loose ones. An object that several stores
// hold is visited once for each. Lost is not passed on: see Gaps. Walks of different
// types may go on at the same time.
func WalkHistory[S any](ctx context.Context, h *History, types packfile.TypeSet, v packfile.Visitor[S]) error {
	for _, p := range h.packs {
		o := packfile.Options{Types: types, Workers: h.options.Workers, Memory: h.options.Memory}
		if err := packfile.Walk[S](ctx, p.forest, o, &historyVisitor[S]{v, h, p.numbers}); err != nil {
			return err
		}
	}
	return walkLoose(ctx, h, types, &historyVisitor[S]{v, h, nil})
}

// historyVisitor keeps count of objects, gives them their numbers, and keeps count of
// copies that could not be read.
type historyVisitor[S any] struct {
	packfile.Visitor[S]
	h       *History
	numbers []int32 // of a pack's objects; nil for others
}

// Visit counts an object when it is met first, and passes it on.
func (v *historyVisitor[S]) Visit(worker int, o packfile.Object, content []byte, base *S, copies []scan.Copy) S {
	if v.numbers != nil {
		o.Number = v.numbers[o.Number]
	} else {
		o.Number, _ = v.h.objects.find(o.ID) // it is listed
	}
	v.h.count(o, len(content))
	return v.Visitor.Visit(worker, o, content, base, copies)
}

// Recycle passes on what is not needed any more.
func (v *historyVisitor[S]) Recycle(worker int, s S) {
	if r, ok := v.Visitor.(packfile.Recycler[S]); ok {
		r.Recycle(worker, s)
	}
}

func (h *History) count(o packfile.Object, size int) {
	if h.met.add(o.Number) {
		h.seen[o.Type].objects.Add(1)
		h.seen[o.Type].bytes.Add(int64(size))
	}
}

// Lost remembers that a copy of an object could not be read.
func (v *historyVisitor[S]) Lost(o packfile.Object, err error) {
	v.h.mu.Lock()
	defer v.h.mu.Unlock()
	v.h.lost[o.ID] = err
}

func walkLoose[S any](ctx context.Context, h *History, types packfile.TypeSet, v *historyVisitor[S]) error {
	g, ctx := errgroup.WithContext(ctx)
	for worker := range h.options.Workers {
		g.Go(func() error {
			for i := worker; i < len(h.loose); i += h.options.Workers {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				l := h.loose[i]
				typ, data, err := h.readLoose(l, types)
				switch {
				case errors.Is(err, fs.ErrNotExist): // packed meanwhile
					readVanished(v, worker, l.id, types)
				case err != nil:
					v.Lost(packfile.Object{ID: l.id}, err)
				case data != nil:
					v.Visit(worker, packfile.Object{ID: l.id, Type: typ}, data, nil, nil)
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// readLoose reads a loose object if it is of the types; otherwise data is nil.
func (h *History) readLoose(l looseFile, types packfile.TypeSet) (packfile.Type, []byte, error) {
	o, err := OpenLoose(LooseFile(l.dir, l.id))
	if err != nil {
		return 0, nil, err
	}
	defer o.Close()
	if !types.Has(o.Type) {
		return o.Type, nil, nil
	}
	if o.Size > h.options.MaxObject {
		return 0, nil, &packfile.TooLarge{ID: l.id, Size: uint64(o.Size)}
	}
	data, err := io.ReadAll(o)
	if err == nil && objectID(o.Type, data) != l.id {
		err = errors.New("content does not match its id")
	}
	if data == nil {
		data = []byte{}
	}
	return o.Type, data, err
}

// readVanished reads an object that was listed as loose and is not any more: a
// concurrent gc has packed it, or pruned it if nothing needs it.
func readVanished[S any](v *historyVisitor[S], worker int, id ID, types packfile.TypeSet) {
	s, err := v.h.store()
	if err != nil {
		v.Lost(packfile.Object{ID: id}, err)
		return
	}
	t, data, err := s.Object(id)
	var missing *MissingError
	switch {
	case errors.As(err, &missing):
		if n, ok := v.h.objects.find(id); ok {
			v.h.gone.add(n)
		}
	case err != nil:
		v.Lost(packfile.Object{ID: id}, err)
	case types.Has(t):
		v.Visit(worker, packfile.Object{ID: id, Type: t}, data, nil, nil)
	}
}

// Recover reads objects that a walk lost from another copy, and brings them to
// the visitor. Call it after the walks of the same types.
func Recover[S any](ctx context.Context, h *History, types packfile.TypeSet, v packfile.Visitor[S]) error {
	h.mu.Lock()
	ids := slices.SortedFunc(maps.Keys(h.lost), compareIDs)
	h.mu.Unlock()
	if len(ids) == 0 {
		return nil
	}
	s, err := h.store()
	if err != nil {
		return err
	}
	for _, id := range ids {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		t, data, err := s.Object(id)
		if err != nil {
			continue
		}
		h.mu.Lock()
		h.read[id] = true
		h.mu.Unlock()
		if types.Has(t) {
			o := packfile.Object{ID: id, Type: t}
			o.Number, _ = h.objects.find(id) // it is listed
			h.count(o, len(data))
			v.Visit(0, o, data, nil, nil)
		}
	}
	return nil
}

// Gaps lists what could not be opened or read so far.
func (h *History) Gaps() []scan.Gap {
	h.mu.Lock()
	defer h.mu.Unlock()
	gaps := slices.Clone(h.gaps)
	for id, err := range h.lost {
		if h.read[id] {
			continue
		}
		g := scan.Gap{What: "object " + id.String(), Why: err.Error()}
		var large *packfile.TooLarge
		if errors.As(err, &large) {
			g.Hint = "raise --max-memory"
			if large.ID == id {
				g.Why = fmt.Sprintf("it has %d bytes, more than the memory limit allows", large.Size)
			}
		}
		gaps = append(gaps, g)
	}
	slices.SortFunc(gaps, func(a, b scan.Gap) int { return cmp.Or(cmp.Compare(a.What, b.What), cmp.Compare(a.Why, b.Why)) })
	return slices.Compact(gaps)
}
