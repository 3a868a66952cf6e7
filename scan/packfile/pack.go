package packfile

import (
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"sync"
)

// Pack is an open pack and its index. It is mapped or read by position, so all methods
// may be called concurrently, and a pack deleted meanwhile stays readable.
type Pack struct {
	*index
	path    string
	file    *os.File
	mapped  mapping
	size    int64 // without the trailer
	limit   int64 // the largest object that is read, in bytes
	workers sync.Pool
}

const headerSize = 12 // of a pack

// DefaultLimit is the size, in bytes, of the largest object that a Pack reads
// unless told otherwise.
const DefaultLimit = 128 << 20

// Open opens the pack at a path that ends in .pack, with the .idx file beside it.
func Open(path string) (*Pack, error) {
	x, err := readIndex(strings.TrimSuffix(path, ".pack") + ".idx")
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	p := &Pack{index: x, path: path, file: f, limit: DefaultLimit}
	p.workers.New = func() any { return &reader{inflater: newInflater(), step: objectStep} }
	if err := p.check(); err != nil {
		f.Close()
		return nil, fmt.Errorf("open pack %s: %w", path, err)
	}
	p.mapped = mapFile(f, p.size+Size)
	return p, nil
}

// check compares the pack's header with the index. A truncated pack is no error
// here: what it still holds is read.
func (p *Pack) check() error {
	info, err := p.file.Stat()
	if err != nil {
		return err
	}
	p.size = info.Size() - Size
	var head [headerSize]byte
	if _, err := p.file.ReadAt(head[:], 0); err != nil {
		return fmt.Errorf("read header: %w", err)
	}
	if string(head[:4]) != "PACK" {
		return errors.New("not a pack")
	}
	if v := binary.BigEndian.Uint32(head[4:]); v != 2 && v != 3 {
		return fmt.Errorf("version %d is not supported", v)
	}
	return nil
}

// Intact compares the pack's trailer with its index. An error means that the file
// was cut or belongs to another index; its objects are checked one by one anyway.
func (p *Pack) Intact() error {
	var trailer ID
	if _, err := p.file.ReadAt(trailer[:], max(p.size, 0)); err != nil {
		return fmt.Errorf("read trailer of %s: %w", p.path, err)
	}
	if trailer != p.trailer {
		return fmt.Errorf("trailer of %s does not match its index", p.path)
	}
	return nil
}

// SetLimit sets the size, in bytes, of the largest object that is read. Call it
// before anything else.
func (p *Pack) SetLimit(n int64) { p.limit = n }

// Path is the file's name.
func (p *Pack) Path() string { return p.path }

// Close closes the file. Nothing may be read any more.
func (p *Pack) Close() error { return errors.Join(p.mapped.close(), p.file.Close()) }

// Len is the number of objects.
func (p *Pack) Len() int { return len(p.ids) }

// ID is the id of the object at an index.
func (p *Pack) ID(i int) ID { return p.ids[i] }

// Find returns the index of an object.
func (p *Pack) Find(id ID) (int, bool) { return p.find(id) }

// FindPrefix returns the ids that begin with the lower-case hexadecimal digits.
func (p *Pack) FindPrefix(digits string) []ID { return p.findPrefix(digits) }

// TooLarge is the error of an object over the limit.
type TooLarge struct {
	ID   ID
	Size uint64
}

func (e *TooLarge) Error() string {
	return fmt.Sprintf("object %s has %d bytes, more than the memory limit allows", e.ID, e.Size)
}

// reader is what one goroutine needs to read entries.
type reader struct {
	*inflater
	window      []byte // a stretch of a pack that is not mapped
	windowStart int64
	step        int64 // how much is read at once, at least
	touched     int64 // how much of a mapping was looked at, roughly, since it was released
}

// How much of a pack is read at once. Headers are read in order; deltas of one
// family stand close together.
const (
	headerStep = 1 << 20
	objectStep = 16 << 10
)

// entry kinds that are not object types.
const (
	offsetDelta = 6
	refDelta    = 7
)

// entry is the header of an object in a pack.
type entry struct {
	place int
	kind  byte // an object type, offsetDelta or refDelta
	size  uint64
	base  int64 // offset of the base, for offsetDelta
	ref   ID    // id of the base, for refDelta
	start int64 // offset of the entry
	data  int64 // offset of the zlib stream
	end   int64 // no byte of the entry lies beyond
}

// isDelta reports whether the entry is a difference from another.
func (e *entry) isDelta() bool { return e.kind == offsetDelta || e.kind == refDelta }

// bytes returns the pack's bytes [from, to), valid until the next call.
func (r *reader) bytes(p *Pack, from, to int64) ([]byte, error) {
	to = min(to, p.size)
	if from >= to {
		return nil, errTruncated
	}
	if p.mapped != nil {
		return p.mapped[from:to:p.size], nil
	}
	if from < r.windowStart || to > r.windowStart+int64(len(r.window)) {
		n := max(to-from, min(r.step, p.size-from))
		if int64(cap(r.window)) < n {
			r.window = make([]byte, n)
		}
		r.window = r.window[:n]
		r.windowStart = from
		if got, err := p.file.ReadAt(r.window, from); err != nil {
			r.window = r.window[:got]
			if to > from+int64(got) {
				if errors.Is(err, io.EOF) {
					err = errTruncated
				}
				return nil, err
			}
		}
	}
	return r.window[from-r.windowStart : to-r.windowStart], nil
}

// endOf is where the entry at a place in the order of offsets must end.
func (p *Pack) endOf(place int) int64 {
	if place+1 < len(p.offsets) {
		return p.offsets[place+1]
	}
	return p.size
}

// maxHeader is the longest entry header: ten bytes of size, and a base.
const maxHeader = 10 + Size

func (r *reader) header(p *Pack, place int) (e entry, err error) {
	defer p.mapped.guard(debug.SetPanicOnFault(true), &err)
	from := p.offsets[place]
	end := p.endOf(place)
	if r.touched += end - from; r.touched > maxTouched {
		p.mapped.release()
		r.touched = 0
	}
	b, err := r.bytes(p, from, min(from+maxHeader, end))
	if err != nil {
		return entry{}, err
	}
	e, n, err := parseHeader(b, from)
	if err != nil {
		return entry{}, err
	}
	e.place, e.start, e.data, e.end = place, from, from+int64(n), end
	// deflate cannot do better than 1032 to 1
	if e.size > uint64(end-e.data)*1032 {
		return entry{}, fmt.Errorf("impossible size %d", e.size)
	}
	return e, nil
}

var errHeader = errors.New("corrupt object header")

// parseHeader reads an entry's header at an offset of the pack, and returns its
// length.
func parseHeader(b []byte, offset int64) (e entry, n int, err error) {
	if len(b) == 0 {
		return e, 0, errTruncated
	}
	c := b[0]
	n = 1
	e.kind, e.size = c>>4&7, uint64(c&15)
	for shift := uint(4); c&0x80 != 0; shift += 7 {
		if n >= len(b) || shift > 57 {
			return e, 0, errHeader
		}
		c = b[n]
		n++
		e.size |= uint64(c&0x7F) << shift
	}
	switch e.kind {
	case byte(Commit), byte(Tree), byte(Blob), byte(Tag):
	case offsetDelta:
		var back int64
		for i := 0; ; i++ {
			if n >= len(b) || i > 8 {
				return e, 0, errHeader
			}
			c = b[n]
			n++
			if i > 0 {
				back++
			}
			back = back<<7 | int64(c&0x7F)
			if c&0x80 == 0 {
				break
			}
		}
		if back <= 0 || back > offset-headerSize {
			return e, 0, errHeader
		}
		e.base = offset - back
	case refDelta:
		if n+Size > len(b) {
			return e, 0, errHeader
		}
		e.ref = ID(b[n:])
		n += Size
	default:
		return e, 0, errHeader
	}
	return e, n, nil
}

// maxStream is how many bytes an entry of a size may take: more than zlib writes
// for what it cannot compress.
func maxStream(size int64) int64 { return maxHeader + size + size/8 + 64<<10 }

var errSum = errors.New("checksum in the pack's index does not match")

// content inflates an entry into buf, which is grown as needed. The checksum that
// the index has of the entry covers its header too, which nothing else does: a
// type or a base that is another one would not be noticed.
func (r *reader) content(p *Pack, e *entry, buf []byte) (out []byte, err error) {
	defer p.mapped.guard(debug.SetPanicOnFault(true), &err)
	if e.size > uint64(p.limit) {
		return nil, &TooLarge{p.idAt(e.place), e.size}
	}
	if e.end-e.start > maxStream(p.limit) {
		return nil, errSize
	}
	src, err := r.bytes(p, e.start, e.end)
	if err != nil {
		return nil, err
	}
	inflate := r.inflate
	if p.sums != nil {
		if crc32.ChecksumIEEE(src) != p.sums[p.byOffset[e.place]] {
			return nil, errSum
		}
		inflate = r.inflateUnsummed // one checksum is enough
	}
	if uint64(cap(buf)) < e.size {
		buf = make([]byte, e.size)
	}
	buf = buf[:e.size]
	_, err = inflate(buf, src[e.data-e.start:])
	return buf, err
}

// idAt returns the id of the object at a place.
func (p *Pack) idAt(place int) ID { return p.ids[p.byOffset[place]] }

// verify compares an object with its id where the index, of version 1, has no
// checksums.
func (p *Pack) verify(i int, t Type, data []byte) error {
	if p.sums != nil {
		return nil
	}
	h := sha1.New()
	fmt.Fprintf(h, "%s %d\x00", t, len(data))
	h.Write(data)
	if ID(h.Sum(nil)) != p.ids[i] {
		return errors.New("content does not match its id")
	}
	return nil
}

// base returns the place of a delta's base in the order of offsets.
func (p *Pack) base(e *entry) (int, bool) {
	if e.kind == offsetDelta {
		return p.at(e.base)
	}
	i, ok := p.find(e.ref)
	if !ok {
		return 0, false
	}
	return int(p.placeOf[i]), true
}

var errNoBase = errors.New("the base of a delta is not in the pack")

// Read returns the object at an index, resolving deltas.
func (p *Pack) Read(i int) (Type, []byte, error) {
	r := p.workers.Get().(*reader)
	defer p.workers.Put(r)
	t, data, err := p.resolve(r, i)
	if err == nil {
		err = p.verify(i, t, data)
	}
	if err != nil {
		return 0, nil, fmt.Errorf("read object %s of %s: %w", p.ids[i], p.path, err)
	}
	return t, data, nil
}

var errCycle = errors.New("deltas form a cycle")

// resolve follows the chain of deltas down to its base, then builds the object.
func (p *Pack) resolve(r *reader, i int) (Type, []byte, error) {
	place := int(p.placeOf[i])
	var chain []int // places of deltas, the object's own first
	e, err := r.header(p, place)
	for ; err == nil && e.isDelta(); e, err = r.header(p, place) {
		if chain = append(chain, place); len(chain) > len(p.ids) {
			return 0, nil, errCycle
		}
		var ok bool
		if place, ok = p.base(&e); !ok {
			return 0, nil, errNoBase
		}
	}
	if err != nil {
		return 0, nil, err
	}
	data, err := r.content(p, &e, nil)
	if err != nil {
		return 0, nil, err
	}
	data, err = p.apply(r, chain, data)
	return Type(e.kind), data, err
}

// apply applies the deltas at places to a base, the last one first.
func (p *Pack) apply(r *reader, chain []int, data []byte) ([]byte, error) {
	var delta, spare []byte
	for k := len(chain) - 1; k >= 0; k-- {
		e, err := r.header(p, chain[k])
		if err != nil {
			return nil, err
		}
		if delta, err = r.content(p, &e, delta); err != nil {
			return nil, err
		}
		size, err := p.targetSize(chain[k], delta, len(data))
		if err != nil {
			return nil, err
		}
		if cap(spare) < size {
			spare = make([]byte, size)
		}
		target := spare[:size]
		if _, err := patch(target, data, delta, nil); err != nil {
			return nil, err
		}
		data, spare = target, data
	}
	return data, nil
}

// targetSize returns the size of the result of the delta at a place, unless it is
// over the limit.
func (p *Pack) targetSize(place int, delta []byte, baseSize int) (int, error) {
	size, err := targetSize(delta, baseSize)
	if err == nil && size > uint64(p.limit) {
		err = &TooLarge{p.idAt(place), size}
	}
	return int(size), err
}
