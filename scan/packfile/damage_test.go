package packfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"
)

// text is one of several that deltas can be made between.
func text(n int) string {
	return fmt.Sprintf("%sversion %d of the text\n%s", strings.Repeat("the beginning stays\n", 5), n, strings.Repeat("so does the end\n", 5))
}

// small is a pack with every kind of object and of delta.
func small() *handmade {
	blob := whole(Blob, text(0))
	tree := whole(Tree, "100644 f\x00"+string(blob.id[:]))
	return makePack(
		blob,
		difference(0, blob, text(1), false),
		difference(0, blob, text(2), true),
		tree,
		whole(Commit, "tree "+tree.id.String()+"\n\nmessage\n"),
		whole(Tag, "object "+tree.id.String()+"\ntype tree\n\nmessage\n"),
		whole(Blob, ""),
	)
}

func walked(t *testing.T, h *handmade, memory int64) *recorder {
	t.Helper()
	r, err := walkPack(t, h.write(t), Options{everything, 2, memory}, true)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// checkFates compares who is visited and who is lost, each once.
func checkFates(t *testing.T, h *handmade, r *recorder, lost ...int) {
	t.Helper()
	for i, id := range h.ids {
		gone := 0
		for _, n := range lost {
			if n == i {
				gone = 1
			}
		}
		if len(r.lost[id]) != gone || r.met[id] != 1-gone {
			t.Errorf("object %d is visited %d times and lost %v, want %d times lost", i, r.met[id], r.lost[id], gone)
		}
	}
}

func TestHandmade(t *testing.T) {
	h := small()
	checkFates(t, h, walked(t, h, 0))
	checkFates(t, makePack(), walked(t, makePack(), 0))
}

// The same object may stand in a pack twice.
func TestDuplicates(t *testing.T) {
	a, b := whole(Blob, text(0)), whole(Blob, text(1))
	h := makePack(a, b, difference(0, a, text(1), false), a, difference(3, a, text(2), false), difference(0, b, text(3), true))
	r := walked(t, h, 0)
	for i, want := range []int{2, 2, 2, 2, 1, 1} {
		if r.met[h.ids[i]] != want || len(r.lost) > 0 {
			t.Errorf("object %d is visited %d times, want %d; lost: %v", i, r.met[h.ids[i]], want, r.lost)
		}
	}
}

// A base may stand behind its delta.
func TestLateBase(t *testing.T) {
	a := whole(Blob, text(0))
	h := makePack(difference(0, a, text(1), true), a)
	checkFates(t, h, walked(t, h, 0))
}

func TestCycles(t *testing.T) {
	a, b, c := whole(Blob, text(0)), whole(Blob, text(1)), whole(Blob, text(2))
	h := makePack(
		difference(0, b, text(0), true), // a is made of b
		difference(0, a, text(1), true), // b of a
		c,
		difference(1, b, text(3), false), // made of one in the cycle
		packed{kind: refDelta, ref: idOf(Blob, []byte(text(4))), id: idOf(Blob, []byte(text(4))), data: deltaOf(text(4), text(4))}, // of itself
		difference(2, c, text(5), false),
	)
	r := walked(t, h, 0)
	checkFates(t, h, r, 0, 1, 3, 4)
	p := mustOpenPack(t, h.write(t))
	for _, i := range []int{0, 1, 3, 4} {
		n, _ := p.Find(h.ids[i])
		if _, _, err := p.Read(n); !errors.Is(err, errCycle) {
			t.Errorf("object %d: error %v", i, err)
		}
	}
}

func mustOpenPack(t testing.TB, path string) *Pack {
	t.Helper()
	p, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// chain is a pack in which every object is a delta of the one before. With
// leaves, each is also the base of another.
func chain(n int, ref, leaves bool) *handmade {
	objects := []packed{whole(Blob, text(0))}
	base := 0
	for i := 1; i < n; i++ {
		from := packed{data: []byte(text(base)), id: objects[base].id}
		next := difference(base, from, text(i), ref)
		next.id = idOf(Blob, []byte(text(i)))
		objects = append(objects, next)
		if !leaves || i%2 == 0 {
			base = i
		}
	}
	return makePack(objects...)
}

func TestLongChains(t *testing.T) {
	const length = 10_000
	for name, c := range map[string]struct {
		pack   *handmade
		memory int64
	}{
		"offsets":         {chain(length, false, false), 0},
		"references":      {chain(length, true, false), 1 << 20},
		"leaves":          {chain(length, false, true), 1 << 30},
		"leaves, dropped": {chain(300, true, true), 0},
	} {
		t.Run(name, func(t *testing.T) {
			checkFates(t, c.pack, walked(t, c.pack, c.memory))
			path := c.pack.write(t)
			p := mustOpenPack(t, path)
			p.SetLimit(1000) // less than all deltas of the chain together
			l, err := OpenLookup(path)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			for i, n := len(c.pack.ids)-1, 0; n < 2; i, n = i-1, n+1 {
				at, _ := p.Find(c.pack.ids[i])
				if typ, data, err := p.Read(at); err != nil || idOf(typ, data) != c.pack.ids[i] {
					t.Errorf("object %d: %v", i, err)
				}
				if typ, data, _, err := l.Object(c.pack.ids[i], 1000); err != nil || idOf(typ, data) != c.pack.ids[i] {
					t.Errorf("object %d, looked up: %v", i, err)
				}
			}
		})
	}
}

// Workers share a base for which there is memory now and none a moment later.
func TestSharedBase(t *testing.T) {
	version := func(n int) string {
		return strings.Repeat(text(0), 250) + text(n) + strings.Repeat(text(0), 250)
	}
	objects := []packed{whole(Blob, version(0))}
	for i := 1; i <= 300; i++ {
		child := difference(0, objects[0], version(i), i%2 == 0)
		objects = append(objects, child, difference(len(objects), whole(Blob, version(i)), version(-i), false))
	}
	h := makePack(objects...)
	path := h.write(t)
	for _, memory := range []int64{0, 1 << 17, 1 << 18} {
		r, err := walkPack(t, path, Options{everything, 4, memory}, true)
		if err != nil {
			t.Fatal(err)
		}
		checkFates(t, h, r)
	}
}

func TestLost(t *testing.T) {
	a := whole(Blob, text(0))
	spoilt := func(change func(*packed)) *handmade {
		bad := difference(0, a, text(1), false)
		change(&bad)
		return makePack(a, bad, difference(1, whole(Blob, text(1)), text(2), false), difference(0, a, text(3), false))
	}
	insert := func(d *packed, ops ...byte) {
		d.data = binary.AppendUvarint(nil, uint64(len(a.data)))
		d.data = append(binary.AppendUvarint(d.data, 10), ops...)
	}
	for name, change := range map[string]func(*packed){
		"no base of that id":           func(d *packed) { d.kind, d.ref = refDelta, ID{1, 2, 3} },
		"no object at the offset":      func(d *packed) { d.back = 3 },
		"a base before the pack":       func(d *packed) { d.back = 1 << 20 },
		"a base at the header":         func(d *packed) { d.back = int64(len(small().pack)) },
		"an impossible size":           func(d *packed) { d.size = 1 << 59 },
		"a size too large":             func(d *packed) { d.size = uint64(len(d.data)) + 1 },
		"a size too small":             func(d *packed) { d.size = uint64(len(d.data)) - 1 },
		"type 0":                       func(d *packed) { d.kind = 0 },
		"type 5":                       func(d *packed) { d.kind = 5 },
		"no zlib":                      func(d *packed) { d.stream = []byte("this is no zlib stream") },
		"an empty stream":              func(d *packed) { d.stream = []byte{} },
		"a cut stream":                 func(d *packed) { d.stream = compress(d.data)[:20] },
		"a wrong base size":            func(d *packed) { d.data[0]++ },
		"a wrong target size":          func(d *packed) { d.data[2]++ },
		"an empty delta":               func(d *packed) { d.data = nil },
		"a delta of one size":          func(d *packed) { d.data = d.data[:2] },
		"an endless size":              func(d *packed) { d.data = bytes.Repeat([]byte{0xFF}, 30) },
		"a copy beyond the base":       func(d *packed) { insert(d, 0x91, 0xFF, 10) },
		"a copy from beyond":           func(d *packed) { insert(d, 0x98, 0xFF, 10) },
		"a copy over the target's end": func(d *packed) { insert(d, 0x91, 0, 11) },
		"a copy without its size":      func(d *packed) { insert(d, 0x91, 0) },
		"a copy of 65536":              func(d *packed) { insert(d, 0x80) },
		"an insert beyond the delta":   func(d *packed) { insert(d, 10, 'x', 'y') },
		"an insert over the end":       func(d *packed) { insert(d, 11, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11) },
		"a reserved instruction":       func(d *packed) { insert(d, 5, 1, 2, 3, 4, 5, 0, 5, 1, 2, 3, 4, 5) },
		"a short target":               func(d *packed) { insert(d, 1, 'x') },
	} {
		t.Run(name, func(t *testing.T) {
			h := spoilt(change)
			for _, memory := range []int64{0, 1 << 20} {
				checkFates(t, h, walked(t, h, memory), 1, 2)
			}
		})
	}
}

// Whatever is cut off, what stands before is read.
func TestTruncated(t *testing.T) {
	h := small()
	dir := t.TempDir()
	for n := range len(h.pack) {
		path := writePack(t, dir, h.pack[:n], h.index(noLarge))
		r, err := walkPack(t, path, Options{everything, 1, 0}, true)
		if n < headerSize {
			if err == nil {
				t.Errorf("%d bytes: opened", n)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range h.ids {
			if r.met[id]+len(r.lost[id]) != 1 {
				t.Errorf("%d bytes: object %d is visited %d times and lost %v", n, i, r.met[id], r.lost[id])
			}
			end := len(h.pack) - Size
			if i+1 < len(h.ids) {
				end = int(h.offsets[i+1])
			}
			if n-Size >= end && r.met[id] == 0 {
				t.Errorf("%d bytes: object %d is lost: %v", n, i, r.lost[id])
			}
		}
		if err := mustOpenPack(t, path).Intact(); err == nil {
			t.Errorf("%d bytes: the pack is called intact", n)
		}
	}
}

// Flipping any bit of a pack loses objects, but never changes one.
func TestFlippedBits(t *testing.T) {
	h := small()
	step := 1
	if testing.Short() {
		step = 37
	}
	for version, index := range map[string][]byte{"v1": h.indexV1(), "v2": h.index(noLarge)} {
		dir := t.TempDir()
		for bit := 0; bit < len(h.pack)*8; bit += step {
			bad := bytes.Clone(h.pack)
			bad[bit/8] ^= 1 << (bit % 8)
			r, err := walkPack(t, writePack(t, dir, bad, index), Options{everything, 1, 0}, true)
			if err != nil {
				if bit >= headerSize*8 {
					t.Errorf("%s, bit %d: %v", version, bit, err)
				}
				continue
			}
			lost := 0
			for i, id := range h.ids {
				if r.met[id]+len(r.lost[id]) != 1 {
					t.Errorf("%s, bit %d: object %d is visited %d times and lost %v", version, bit, i, r.met[id], r.lost[id])
				}
				lost += len(r.lost[id])
			}
			if inside := bit >= headerSize*8 && bit < (len(h.pack)-Size)*8; inside && lost == 0 {
				// zlib's own header has bits that change nothing
				if version == "v2" {
					t.Errorf("bit %d: nothing is lost", bit)
				}
			}
		}
	}
}

// An index with a flipped bit is refused.
func TestFlippedIndex(t *testing.T) {
	h := small()
	for _, index := range [][]byte{h.indexV1(), h.index(noLarge), h.index(0)} {
		if _, err := parseIndex(index); err != nil {
			t.Error(err)
		}
		for bit := range len(index) * 8 {
			bad := bytes.Clone(index)
			bad[bit/8] ^= 1 << (bit % 8)
			if _, err := parseIndex(bad); err == nil {
				t.Errorf("bit %d: accepted", bit)
			}
		}
		for n := range len(index) {
			if _, err := parseIndex(index[:n]); err == nil {
				t.Errorf("%d bytes: accepted", n)
			}
		}
	}
}

// An index may be wrong though its checksum is right.
func TestWrongIndex(t *testing.T) {
	const fan, n = 8, 7
	ids, offsets := fan+fanoutSize, fan+fanoutSize+n*(Size+4)
	for name, change := range map[string]func([]byte) []byte{
		"version 3":           func(b []byte) []byte { b[7] = 3; return b },
		"ids out of order":    func(b []byte) []byte { b[ids] = 0xFF; return b },
		"more objects":        func(b []byte) []byte { b[fan+fanoutSize-1]++; return b },
		"very many objects":   func(b []byte) []byte { b[fan+fanoutSize-4] = 0xFF; return b },
		"fewer objects":       func(b []byte) []byte { b[fan+fanoutSize-1]--; return b },
		"the same offset":     func(b []byte) []byte { copy(b[offsets:], b[offsets+4:offsets+8]); return b },
		"an offset of zero":   func(b []byte) []byte { copy(b[offsets:], "\x00\x00\x00\x00"); return b },
		"no large offset":     func(b []byte) []byte { copy(b[offsets:], "\x80\x00\x00\x00"); return b },
		"a far large offset":  func(b []byte) []byte { copy(b[offsets:], "\xFF\xFF\xFF\xFF"); return b },
		"too much":            func(b []byte) []byte { return append(b[:len(b)-Size], make([]byte, Size+8*(n+1))...) },
		"an odd large offset": func(b []byte) []byte { return append(b[:len(b)-Size], make([]byte, Size+4)...) },
	} {
		b := small().index(noLarge)
		b = change(b[:len(b)-Size])
		if _, err := parseIndex(withSum(b)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, b := range [][]byte{nil, []byte("\xFFtOc"), make([]byte, 8+fanoutSize+2*Size)} {
		if _, err := parseIndex(b); err == nil {
			t.Errorf("%d bytes: accepted", len(b))
		}
	}
}

// An offset beyond the pack loses its object, and the one that seems to reach up
// to it.
func TestOffsetsBeyond(t *testing.T) {
	for _, far := range []int64{1 << 20, 1 << 31, 1 << 40, 1<<63 - 1} {
		h := small()
		last := len(h.offsets) - 1
		h.offsets[last] = far
		checkFates(t, h, walked(t, h, 0), last-1, last)
	}
}

// Every offset may stand in the table of large ones.
func TestLargeTable(t *testing.T) {
	h := small()
	r, err := walkPack(t, writePack(t, t.TempDir(), h.pack, h.index(0)), Options{everything, 2, 0}, true)
	if err != nil {
		t.Fatal(err)
	}
	checkFates(t, h, r)
}

// TestHugePack reads objects beyond 4 GiB, in a file that is mostly a hole.
func TestHugePack(t *testing.T) {
	const far = 5 << 30
	a := whole(Blob, text(0))
	h := makePack(a, packed{kind: byte(Blob), id: idOf(Blob, []byte("not there")), data: []byte("fills the hole")})
	near := len(h.pack) - Size
	tail := &handmade{}
	tail.add(whole(Blob, text(7)))
	tail.add(difference(0, packed{data: []byte(text(7))}, text(8), false))
	tail.add(packed{kind: offsetDelta, back: int64(far+len(tail.pack)) - h.offsets[0], data: deltaOf(text(0), text(9)), id: idOf(Blob, []byte(text(9)))})
	for i := range tail.ids {
		h.ids, h.sums = append(h.ids, tail.ids[i]), append(h.sums, tail.sums[i])
		h.offsets = append(h.offsets, far+tail.offsets[i])
	}
	path := writePack(t, t.TempDir(), h.pack[:near], h.index(noLarge))
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if runtime.GOOS == "windows" {
		t.Skip("files with holes take space here")
	}
	if _, err := f.WriteAt(append(tail.pack, h.pack[near:]...), far); err != nil {
		t.Skipf("no file with a hole of 5 GiB can be made here: %v", err)
	}
	before := allocated()
	r, err := walkPack(t, path, Options{everything, 2, 0}, true)
	if err != nil {
		t.Fatal(err)
	}
	checkFates(t, h, r, 1)
	if n := allocated() - before; n > 64<<20 {
		t.Errorf("%d bytes were allocated", n)
	}
	l, err := OpenLookup(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, i := range []int{0, 2, 3, 4} {
		typ, data, found, err := l.Object(h.ids[i], 1<<20)
		if err != nil || !found || idOf(typ, data) != h.ids[i] {
			t.Errorf("object %d: found %v, error %v", i, found, err)
		}
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// What is larger than the limit is not read, in whatever way it is large.
func TestTooLarge(t *testing.T) {
	const limit, huge = 1 << 20, 1 << 25
	zeros := make([]byte, huge)
	bomb := compress(zeros)
	expands := binary.AppendUvarint(nil, uint64(len(text(0))))
	expands = binary.AppendUvarint(expands, huge)
	expands = append(expands, bytes.Repeat([]byte{0x90, byte(len(text(0)))}, 1000)...)
	a := whole(Blob, text(0))
	h := makePack(
		packed{kind: byte(Blob), id: ID{1}, size: huge, stream: bomb},
		packed{kind: byte(Blob), id: ID{2}, size: 100, stream: bomb},
		packed{kind: refDelta, ref: ID{1}, id: ID{3}, data: []byte{1, 1, 1, 'x'}},
		a,
		packed{kind: offsetDelta, base: 3, id: ID{4}, data: expands},
		packed{kind: offsetDelta, base: 3, id: ID{5}, size: huge, stream: bomb},
		packed{kind: byte(Blob), id: ID{6}, size: huge, stream: compress(nil)},
	)
	p := mustOpenPack(t, h.write(t))
	p.SetLimit(limit)
	before := allocated()
	r := walkOpen(t, p, Options{everything, 2, 1 << 30}, true)
	checkFates(t, h, r, 0, 1, 2, 4, 5, 6)
	for i, id := range h.ids {
		at, _ := p.Find(id)
		_, _, err := p.Read(at)
		if err == nil != (i == 3) {
			t.Errorf("object %d: read with error %v", i, err)
		}
		if i == 3 {
			continue
		}
		for _, err := range []error{err, r.lost[id][0]} {
			var large *TooLarge
			if want := i == 0 || i == 2 || i == 4 || i == 5; errors.As(err, &large) != want || want && large.Size != huge {
				t.Errorf("object %d: error %v", i, err)
			}
		}
	}
	if n := allocated() - before; n > 16<<20 {
		t.Errorf("%d bytes were allocated", n)
	}
}

// An object that fits is read though its packed form is longer than itself, and
// though many deltas lie below it.
func TestIncompressible(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	h := makePack(whole(Blob, string(noise)))
	p := mustOpenPack(t, h.write(t))
	p.SetLimit(int64(len(noise)))
	checkFates(t, h, walkOpen(t, p, Options{everything, 1, 0}, true))
}
