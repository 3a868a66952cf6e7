package packfile

import (
	"bytes"
	"container/list"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"sort"
	"strings"
	"sync"
)

// Lookup reads single objects of a pack. Unlike a Pack it does not read the index
// whole, so that opening it costs the same for every size: what a pre-commit
// check needs is a handful of objects. All methods may be called concurrently.
type Lookup struct {
	index, pack io.ReaderAt
	closers     []io.Closer
	path        string
	size        int64 // of the pack without its trailer
	fanout      [256]uint32
	ids         int64 // where the first id stands in the index
	stride      int64 // from one id to the next
	version2    bool
	inflaters   sync.Pool

	mu    sync.Mutex
	bases baseCache
}

// OpenLookup opens the pack at a path that ends in .pack, with the .idx file
// beside it. Nothing but the sizes and the fanout table is checked: whoever reads
// an object must compare its id.
func OpenLookup(path string) (*Lookup, error) {
	index, err := os.Open(strings.TrimSuffix(path, ".pack") + ".idx")
	if err != nil {
		return nil, err
	}
	pack, err := os.Open(path)
	if err != nil {
		index.Close()
		return nil, err
	}
	var l *Lookup
	info, err := pack.Stat()
	if err == nil {
		l, err = newLookup(path, index, pack, info.Size())
	}
	if err != nil {
		index.Close()
		pack.Close()
		return nil, fmt.Errorf("open pack %s: %w", path, err)
	}
	l.closers = []io.Closer{index, pack}
	return l, nil
}

func newLookup(path string, index, pack io.ReaderAt, size int64) (*Lookup, error) {
	l := &Lookup{index: index, pack: pack, path: path, size: size - Size}
	l.inflaters.New = func() any { return newInflater() }
	return l, l.check()
}

func (l *Lookup) check() error {
	var head [8 + fanoutSize]byte
	if _, err := l.index.ReadAt(head[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read index: %w", err)
	}
	table := head[:fanoutSize]
	l.ids, l.stride = fanoutSize+4, 4+Size
	if l.version2 = bytes.HasPrefix(head[:], indexMagic); l.version2 {
		if v := binary.BigEndian.Uint32(head[4:]); v != 2 {
			return fmt.Errorf("index version %d is not supported", v)
		}
		table = head[8:]
		l.ids, l.stride = 8+fanoutSize, Size
	}
	for i := range l.fanout {
		l.fanout[i] = binary.BigEndian.Uint32(table[i*4:])
		if i > 0 && l.fanout[i] < l.fanout[i-1] {
			return errors.New("fanout of the index is not in order")
		}
	}
	return nil
}

// Close closes the files.
func (l *Lookup) Close() error {
	var err error
	for _, c := range l.closers {
		err = errors.Join(err, c.Close())
	}
	return err
}

// Len is the number of objects that the index claims.
func (l *Lookup) Len() int { return int(l.fanout[255]) }

// readIDs reads the part of the index that holds the ids from a position on.
func (l *Lookup) readIDs(b []byte, from int64) error {
	if _, err := l.index.ReadAt(b, l.ids+from*l.stride); err != nil {
		return fmt.Errorf("read pack index of %s: %w", l.path, err)
	}
	return nil
}

// idWindow is how many ids are read at once.
const idWindow = 128

// search returns the position of the first id that is not less than id among
// those that begin with its first byte, and whether it is id. Ids are spread evenly:
// the first look is where it should stand, and nearly always enough.
func (l *Lookup) search(id ID) (at int64, found bool, err error) {
	var lo, end int64 = 0, int64(l.fanout[id[0]])
	if id[0] > 0 {
		lo = int64(l.fanout[id[0]-1])
	}
	var buf [idWindow * (Size + 4)]byte
	guess := lo + int64(float64(end-lo)*(float64(binary.BigEndian.Uint32(id[1:]))/(1<<32)))
	for hi := end; lo < end; guess = lo + (hi-lo)/2 {
		at = max(lo, min(guess, hi-idWindow/2)-idWindow/2)
		count := min(idWindow, end-at)
		window := buf[:(count-1)*l.stride+Size]
		if err := l.readIDs(window, at); err != nil {
			return 0, false, err
		}
		one := func(i int) []byte { return window[int64(i)*l.stride:][:Size] }
		n := int64(sort.Search(int(count), func(i int) bool { return bytes.Compare(one(i), id[:]) >= 0 }))
		switch {
		case n == 0 && at > lo:
			hi = at
		case n == count:
			lo = at + count
		default:
			return at + n, bytes.Equal(one(int(n)), id[:]), nil
		}
	}
	return end, false, nil
}

// find returns the offset of an object in the pack.
func (l *Lookup) find(id ID) (offset int64, ok bool, err error) {
	at, ok, err := l.search(id)
	if err != nil || !ok {
		return 0, false, err
	}
	offset, err = l.offset(at)
	return offset, err == nil, err
}

// offset reads the offset of the object at a position.
func (l *Lookup) offset(at int64) (int64, error) {
	var b [8]byte
	n := int64(l.fanout[255])
	where := l.ids + at*l.stride - 4
	if l.version2 {
		where = l.ids + n*(Size+4) + at*4
	}
	if _, err := l.index.ReadAt(b[:4], where); err != nil {
		return 0, err
	}
	o := binary.BigEndian.Uint32(b[:])
	if !l.version2 || o>>31 == 0 {
		return int64(o), nil
	}
	if _, err := l.index.ReadAt(b[:], l.ids+n*(Size+8)+int64(o&^(1<<31))*8); err != nil {
		return 0, err
	}
	return int64(binary.BigEndian.Uint64(b[:]) & (1<<63 - 1)), nil
}

// Object reads an object of at most limit bytes, resolving deltas. found says
// whether the pack claims to have it. The content, which must not be changed, is
// not compared with the id.
func (l *Lookup) Object(id ID, limit int64) (t Type, data []byte, found bool, err error) {
	offset, found, err := l.find(id)
	if err != nil || !found {
		return 0, nil, false, err
	}
	z := l.inflaters.Get().(*inflater)
	defer l.inflaters.Put(z)
	t, data, err = l.resolve(z, offset, id, uint64(limit))
	if err != nil {
		return 0, nil, true, fmt.Errorf("read object %s of %s: %w", id, l.path, err)
	}
	return t, data, true, nil
}

// resolve follows the chain of deltas down to its base, or to a result that is
// still known, then builds the object. No more than one delta is held at a time:
// all those of a chain can be larger than every object in it.
func (l *Lookup) resolve(z *inflater, offset int64, id ID, limit uint64) (Type, []byte, error) {
	var deltas []entry
	seen := map[int64]bool{}
	for {
		if t, data, ok := l.cached(offset); ok {
			data, err := l.applyAll(z, deltas, t, data, id, limit)
			return t, data, err
		}
		if seen[offset] {
			return 0, nil, errCycle
		}
		seen[offset] = true
		e, err := l.header(offset)
		if err != nil {
			return 0, nil, err
		}
		if e.size > limit {
			return 0, nil, &TooLarge{id, e.size}
		}
		switch e.kind {
		case offsetDelta:
			offset = e.base
		case refDelta:
			var ok bool
			if offset, ok, err = l.find(e.ref); err != nil || !ok {
				return 0, nil, errors.Join(errNoBase, err)
			}
		default:
			data, err := l.content(z, &e)
			if err != nil {
				return 0, nil, err
			}
			l.cache(offset, Type(e.kind), data)
			data, err = l.applyAll(z, deltas, Type(e.kind), data, id, limit)
			return Type(e.kind), data, err
		}
		deltas = append(deltas, e)
	}
}

// applyAll applies deltas to a base, the last one first.
func (l *Lookup) applyAll(z *inflater, deltas []entry, t Type, data []byte, id ID, limit uint64) ([]byte, error) {
	for k := len(deltas) - 1; k >= 0; k-- {
		delta, err := l.content(z, &deltas[k])
		if err != nil {
			return nil, err
		}
		size, err := targetSize(delta, len(data))
		if err != nil {
			return nil, err
		}
		if size > limit {
			return nil, &TooLarge{id, size}
		}
		target := make([]byte, size)
		if _, err := patch(target, data, delta, nil); err != nil {
			return nil, err
		}
		data = target
		l.cache(deltas[k].start, t, data)
	}
	return data, nil
}

// What a Lookup keeps, in bytes: trees of neighbouring commits are deltas of each
// other, so that most of a chain was built a moment ago.
const (
	maxCached  = 32 << 20
	maxOneBase = 256 << 10
)

// baseCache keeps the objects built last, by their offset.
type baseCache struct {
	used  int
	order list.List // of builtObject, the latest first
	at    map[int64]*list.Element
}

type builtObject struct {
	offset int64
	t      Type
	data   []byte
}

func (l *Lookup) cached(offset int64) (Type, []byte, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.bases.at[offset]
	if !ok {
		return 0, nil, false
	}
	l.bases.order.MoveToFront(e)
	o := e.Value.(builtObject)
	return o.t, o.data, true
}

func (l *Lookup) cache(offset int64, t Type, data []byte) {
	if len(data) > maxOneBase || t == Commit {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c := &l.bases
	if c.at[offset] != nil {
		return
	}
	if c.at == nil {
		c.at = map[int64]*list.Element{}
	}
	c.at[offset] = c.order.PushFront(builtObject{offset, t, data})
	for c.used += len(data); c.used > maxCached; {
		old := c.order.Remove(c.order.Back()).(builtObject)
		delete(c.at, old.offset)
		c.used -= len(old.data)
	}
}

func (l *Lookup) header(offset int64) (entry, error) {
	if offset < headerSize || offset >= l.size {
		return entry{}, errTruncated
	}
	var b [maxHeader]byte
	n, err := l.pack.ReadAt(b[:min(maxHeader, l.size-offset)], offset)
	if n == 0 && err != nil {
		return entry{}, err
	}
	e, n, err := parseHeader(b[:n], offset)
	if err != nil {
		return entry{}, err
	}
	e.start, e.data, e.end = offset, offset+int64(n), l.size
	if e.size > uint64(e.end-e.data)*1032 { // deflate cannot do better
		return entry{}, fmt.Errorf("impossible size %d", e.size)
	}
	return e, nil
}

// content inflates an entry. How long its stream is can only be guessed: first
// what zlib writes at worst, then ever more.
func (l *Lookup) content(z *inflater, e *entry) ([]byte, error) {
	data := make([]byte, e.size)
	for want := int64(e.size + e.size>>3 + e.size>>6 + 64); ; want *= 4 {
		n := min(want, e.end-e.data)
		src := make([]byte, n)
		if got, err := l.pack.ReadAt(src, e.data); got < len(src) {
			return nil, err
		}
		_, err := z.inflate(data, src)
		if err == nil || n == e.end-e.data || bits.Len64(uint64(want)) > 60 {
			return data, err
		}
		if !errors.Is(err, errTruncated) {
			return nil, err
		}
	}
}

// FindPrefix returns the ids that begin with the lower-case hexadecimal digits,
// of which there must be at least two.
func (l *Lookup) FindPrefix(digits string) ([]ID, error) {
	low := digits + strings.Repeat("0", max(0, 2*Size-len(digits)))
	var first ID
	if n, err := hex.Decode(first[:], []byte(low)); err != nil || n != Size || len(digits) < 2 {
		return nil, fmt.Errorf("not the beginning of an object id: %q", digits)
	}
	at, _, err := l.search(first)
	if err != nil {
		return nil, err
	}
	var ids []ID
	for ; at < int64(l.fanout[first[0]]); at++ {
		var id ID
		if err := l.readIDs(id[:], at); err != nil {
			return nil, err
		}
		if !strings.HasPrefix(id.String(), digits) {
			break
		}
		ids = append(ids, id)
	}
	return ids, nil
}
