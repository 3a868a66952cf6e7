package packfile

import (
	"bytes"
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
	index, pack *os.File
	path        string
	size        int64 // of the pack without its trailer
	fanout      [256]uint32
	ids         int64 // where the first id stands in the index
	stride      int64 // from one id to the next
	version2    bool
	inflaters   sync.Pool
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
	l := &Lookup{index: index, pack: pack, path: path}
	l.inflaters.New = func() any { return newInflater() }
	if err := l.check(); err != nil {
		l.Close()
		return nil, fmt.Errorf("open pack %s: %w", path, err)
	}
	return l, nil
}

func (l *Lookup) check() error {
	info, err := l.pack.Stat()
	if err != nil {
		return err
	}
	l.size = info.Size() - Size
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
	return errors.Join(l.index.Close(), l.pack.Close())
}

// Len is the number of objects that the index claims.
func (l *Lookup) Len() int { return int(l.fanout[255]) }

// readID reads the id at a position of the index.
func (l *Lookup) readID(i int64) (id ID, err error) {
	_, err = l.index.ReadAt(id[:], l.ids+i*l.stride)
	return id, err
}

// search returns the position of the first id that is not less than id, within
// the ids that begin with its first byte.
func (l *Lookup) search(id ID) (at, end int64, err error) {
	end = int64(l.fanout[id[0]])
	if id[0] > 0 {
		at = int64(l.fanout[id[0]-1])
	}
	n := sort.Search(int(end-at), func(i int) bool {
		got, readErr := l.readID(at + int64(i))
		if readErr != nil {
			err = readErr
		}
		return bytes.Compare(got[:], id[:]) >= 0
	})
	if err != nil {
		return 0, 0, fmt.Errorf("read pack index of %s: %w", l.path, err)
	}
	return at + int64(n), end, nil
}

// find returns the offset of an object in the pack.
func (l *Lookup) find(id ID) (offset int64, ok bool, err error) {
	at, end, err := l.search(id)
	if err != nil || at == end {
		return 0, false, err
	}
	got, err := l.readID(at)
	if err != nil || got != id {
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
// whether the pack claims to have it. The content is not compared with the id.
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

// resolve reads the chain of deltas down to its base, then builds the object.
func (l *Lookup) resolve(z *inflater, offset int64, id ID, limit uint64) (Type, []byte, error) {
	var deltas [][]byte
	var held uint64
	seen := map[int64]bool{}
	for {
		if seen[offset] {
			return 0, nil, errCycle
		}
		seen[offset] = true
		e, err := l.header(offset)
		if err != nil {
			return 0, nil, err
		}
		if held += e.size; held > limit {
			return 0, nil, &TooLarge{id, e.size}
		}
		data, err := l.content(z, &e)
		if err != nil {
			return 0, nil, err
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
			data, err = applyAll(deltas, data, id, limit)
			return Type(e.kind), data, err
		}
		deltas = append(deltas, data)
	}
}

// applyAll applies deltas to a base, the last one first.
func applyAll(deltas [][]byte, data []byte, id ID, limit uint64) ([]byte, error) {
	for k := len(deltas) - 1; k >= 0; k-- {
		size, err := targetSize(deltas[k], len(data))
		if err != nil {
			return nil, err
		}
		if size > limit {
			return nil, &TooLarge{id, size}
		}
		target := make([]byte, size)
		if _, err := patch(target, data, deltas[k], nil); err != nil {
			return nil, err
		}
		data = target
	}
	return data, nil
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
	e.data, e.end = offset+int64(n), l.size
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
	at, end, err := l.search(first)
	if err != nil {
		return nil, err
	}
	var ids []ID
	for ; at < end; at++ {
		id, err := l.readID(at)
		if err != nil {
			return nil, fmt.Errorf("read pack index of %s: %w", l.path, err)
		}
		if !strings.HasPrefix(id.String(), digits) {
			break
		}
		ids = append(ids, id)
	}
	return ids, nil
}
