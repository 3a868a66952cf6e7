package packfile

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/keywright/keywright/scan"
)

// packed is an object of a handmade pack.
type packed struct {
	kind   byte
	data   []byte // content, or a delta
	base   int    // number of the base, for offsetDelta
	back   int64  // if set, the distance to the base, whatever base says
	ref    ID     // for refDelta
	id     ID     // what the index calls it
	size   uint64 // if set, what the header says
	stream []byte // if set, in place of the compressed data
}

// whole is an object that is no delta.
func whole(t Type, content string) packed {
	return packed{kind: byte(t), data: []byte(content), id: idOf(t, []byte(content))}
}

func idOf(t Type, content []byte) ID {
	return sha1.Sum(fmt.Appendf(nil, "%s %d\x00%s", t, len(content), content))
}

// difference is an object stored as a difference from a base: by number if ref is
// false, by id otherwise.
func difference(base int, from packed, content string, ref bool) packed {
	d := packed{kind: offsetDelta, base: base, data: deltaOf(string(from.data), content), id: idOf(Blob, []byte(content))}
	if ref {
		d.kind, d.ref = refDelta, from.id
	}
	return d
}

// deltaOf copies what two texts have in common at both ends.
func deltaOf(from, to string) []byte {
	head := 0
	for head < min(len(from), len(to)) && from[head] == to[head] {
		head++
	}
	tail := 0
	for tail < min(len(from), len(to))-head && from[len(from)-tail-1] == to[len(to)-tail-1] {
		tail++
	}
	d := binary.AppendUvarint(nil, uint64(len(from)))
	d = binary.AppendUvarint(d, uint64(len(to)))
	d = appendCopy(d, 0, head)
	d = appendInsert(d, to[head:len(to)-tail])
	return appendCopy(d, len(from)-tail, tail)
}

func appendInsert(d []byte, text string) []byte {
	for len(text) > 0 {
		n := min(len(text), 127)
		d = append(append(d, byte(n)), text[:n]...)
		text = text[n:]
	}
	return d
}

func appendCopy(d []byte, from, n int) []byte {
	for ; n > 0; n, from = n-1<<16, from+1<<16 {
		d = appendCopyOp(d, from, min(n, 1<<16))
	}
	return d
}

func appendCopyOp(d []byte, from, n int) []byte {
	at := len(d)
	d = append(d, 0x80)
	for i := range 4 {
		if b := byte(from >> (8 * i)); b != 0 {
			d[at] |= 1 << i
			d = append(d, b)
		}
	}
	for i := range 3 {
		if b := byte(n >> (8 * i)); b != 0 && n != 1<<16 {
			d[at] |= 1 << (4 + i)
			d = append(d, b)
		}
	}
	return d
}

// handmade is a pack and what its index says.
type handmade struct {
	pack    []byte
	ids     []ID
	offsets []int64
	sums    []uint32
	zip     *zlib.Writer
}

// makePack writes a pack with its trailer.
func makePack(objects ...packed) *handmade {
	h := &handmade{pack: binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), uint32(len(objects)))}
	for _, o := range objects {
		h.add(o)
	}
	sum := sha1.Sum(h.pack)
	h.pack = append(h.pack, sum[:]...)
	return h
}

func (h *handmade) add(o packed) {
	start := len(h.pack)
	h.ids, h.offsets = append(h.ids, o.id), append(h.offsets, int64(start))
	size := uint64(len(o.data))
	if o.size != 0 {
		size = o.size
	}
	h.pack = appendHeader(h.pack, o.kind, size)
	switch o.kind {
	case offsetDelta:
		back := o.back
		if back == 0 {
			back = int64(start) - h.offsets[o.base]
		}
		h.pack = appendBack(h.pack, back)
	case refDelta:
		h.pack = append(h.pack, o.ref[:]...)
	}
	if o.stream != nil {
		h.pack = append(h.pack, o.stream...)
	} else {
		h.pack = append(h.pack, h.compress(o.data)...)
	}
	h.sums = append(h.sums, crc32.ChecksumIEEE(h.pack[start:]))
}

// compress keeps its writer, which is dear to make.
func (h *handmade) compress(data []byte) []byte {
	var b bytes.Buffer
	if h.zip == nil {
		h.zip = zlib.NewWriter(&b)
	} else {
		h.zip.Reset(&b)
	}
	h.zip.Write(data)
	h.zip.Close()
	return b.Bytes()
}

func compress(data []byte) []byte { return new(handmade).compress(data) }

func appendHeader(b []byte, kind byte, size uint64) []byte {
	c := kind<<4 | byte(size&15)
	for size >>= 4; size > 0; size >>= 7 {
		b = append(b, c|0x80)
		c = byte(size & 0x7F)
	}
	return append(b, c)
}

// appendBack writes the distance to a base: base 128, the highest digits first,
// with one added for every digit but the last.
func appendBack(b []byte, back int64) []byte {
	digits := []byte{byte(back & 0x7F)}
	for back >>= 7; back > 0; back >>= 7 {
		back--
		digits = append(digits, byte(back&0x7F)|0x80)
	}
	slices.Reverse(digits)
	return append(b, digits...)
}

// byID lists the numbers of the objects in the order of their ids.
func (h *handmade) byID() []int {
	order := make([]int, len(h.ids))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return bytes.Compare(h.ids[a][:], h.ids[b][:]) })
	return order
}

func (h *handmade) fanout(b []byte) []byte {
	var count [256]uint32
	for _, id := range h.ids {
		count[id[0]]++
	}
	sum := uint32(0)
	for _, n := range count {
		sum += n
		b = binary.BigEndian.AppendUint32(b, sum)
	}
	return b
}

// index writes an index of version 2. Offsets from large on stand in the table of
// 64-bit offsets.
func (h *handmade) index(large int64) []byte {
	b := h.fanout([]byte("\xFFtOc\x00\x00\x00\x02"))
	order := h.byID()
	for _, i := range order {
		b = append(b, h.ids[i][:]...)
	}
	for _, i := range order {
		b = binary.BigEndian.AppendUint32(b, h.sums[i])
	}
	var table []byte
	for _, i := range order {
		if h.offsets[i] < large {
			b = binary.BigEndian.AppendUint32(b, uint32(h.offsets[i]))
		} else {
			b = binary.BigEndian.AppendUint32(b, 1<<31|uint32(len(table)/8))
			table = binary.BigEndian.AppendUint64(table, uint64(h.offsets[i]))
		}
	}
	return h.close(append(b, table...))
}

// indexV1 writes an index of version 1.
func (h *handmade) indexV1() []byte {
	b := h.fanout(nil)
	for _, i := range h.byID() {
		b = binary.BigEndian.AppendUint32(b, uint32(h.offsets[i]))
		b = append(b, h.ids[i][:]...)
	}
	return h.close(b)
}

func (h *handmade) close(b []byte) []byte {
	b = append(b, h.pack[max(0, len(h.pack)-Size):]...)
	return withSum(b)
}

// withSum appends the checksum of what an index holds.
func withSum(b []byte) []byte {
	sum := sha1.Sum(b)
	return append(b, sum[:]...)
}

const noLarge = 1 << 31

func (h *handmade) write(t testing.TB) string {
	t.Helper()
	return writePack(t, t.TempDir(), h.pack, h.index(noLarge))
}

func writePack(t testing.TB, dir string, pack, index []byte) string {
	t.Helper()
	path := filepath.Join(dir, "p.pack")
	for file, data := range map[string][]byte{path: pack, filepath.Join(dir, "p.idx"): index} {
		if err := overwrite(file, data); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// overwrite writes a file in place: thousands of files that are truncated or
// deleted make some file systems slow.
func overwrite(file string, data []byte) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Truncate(int64(len(data)))
}

// visited is what a recorder keeps of an object for those made of it.
type visited struct {
	id      ID
	content []byte
}

// recorder checks and keeps all that a walk brings.
type recorder struct {
	t       testing.TB
	workers int
	checked bool // whether content must have the right id

	mu    sync.Mutex
	busy  map[int]bool
	met   map[ID]int
	types map[ID]Type
	base  map[ID]ID
	wrong []ID
	lost  map[ID][]error
}

func newRecorder(t testing.TB, workers int) *recorder {
	return &recorder{t: t, workers: workers, checked: true,
		busy: map[int]bool{}, met: map[ID]int{}, types: map[ID]Type{}, base: map[ID]ID{}, lost: map[ID][]error{}}
}

func (r *recorder) Visit(worker int, o Object, content []byte, base *visited, copies []scan.Copy) visited {
	r.enter(worker)
	defer r.leave(worker)
	right := idOf(o.Type, content) == o.ID
	if base != nil {
		if problem := wrongCopies(content, base.content, copies); problem != "" {
			r.t.Errorf("object %s: %s", o.ID, problem)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.met[o.ID]++
	r.types[o.ID] = o.Type
	if base != nil {
		r.base[o.ID] = base.id
	}
	if !right {
		r.wrong = append(r.wrong, o.ID)
		if r.checked {
			r.t.Errorf("object %s: content of another id", o.ID)
		}
	}
	return visited{o.ID, bytes.Clone(content)}
}

// wrongCopies says what is wrong with copies: they must be the same bytes, in
// order, not overlap, and be as long as they can.
func wrongCopies(content, base []byte, copies []scan.Copy) string {
	for i, c := range copies {
		switch {
		case c.Len <= 0 || c.Base < 0 || c.Start < 0 || c.Base+c.Len > len(base) || c.Start+c.Len > len(content):
			return fmt.Sprintf("copy %+v is out of bounds", c)
		case !bytes.Equal(content[c.Start:c.Start+c.Len], base[c.Base:c.Base+c.Len]):
			return fmt.Sprintf("copy %+v is not of the same bytes", c)
		case i > 0 && c.Start < copies[i-1].Start+copies[i-1].Len:
			return fmt.Sprintf("copy %+v overlaps the one before", c)
		case i > 0 && c.Start == copies[i-1].Start+copies[i-1].Len && c.Base == copies[i-1].Base+copies[i-1].Len:
			return fmt.Sprintf("copy %+v continues the one before", c)
		}
	}
	return ""
}

func (r *recorder) enter(worker int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if worker < 0 || worker >= r.workers || r.busy[worker] {
		r.t.Errorf("worker %d is out of range, or makes two calls at once", worker)
	}
	r.busy[worker] = true
}

func (r *recorder) leave(worker int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy[worker] = false
}

func (r *recorder) Lost(o Object, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost[o.ID] = append(r.lost[o.ID], err)
}

// everything are all types.
var everything = Types(Commit, Tree, Blob, Tag)

// walkPack opens a pack and walks it.
func walkPack(t testing.TB, path string, o Options, checked bool) (*recorder, error) {
	t.Helper()
	p, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	return walkOpen(t, p, o, checked), nil
}

func walkOpen(t testing.TB, p *Pack, o Options, checked bool) *recorder {
	t.Helper()
	f, err := NewForest(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	r := newRecorder(t, max(1, o.Workers))
	r.checked = checked
	if err := Walk[visited](context.Background(), f, o, r); err != nil {
		t.Fatal(err)
	}
	return r
}
