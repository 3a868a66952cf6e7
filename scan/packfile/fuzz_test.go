package packfile

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzIndex parses anything that has the right checksum: an accepted index is in
// order and consistent.
func FuzzIndex(f *testing.F) {
	for _, h := range []*handmade{small(), makePack(), chain(20, true, false)} {
		for _, index := range [][]byte{h.index(noLarge), h.index(0), h.index(100), h.indexV1()} {
			f.Add(index[:len(index)-Size])
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		x, err := parseIndex(withSum(bytes.Clone(body)))
		if err != nil {
			return
		}
		if len(x.ids) != len(x.offsets) || len(x.ids) != len(x.placeOf) || len(x.ids) != len(x.byOffset) || x.sums != nil && len(x.sums) != len(x.ids) {
			t.Fatal("tables of different lengths")
		}
		for i, id := range x.ids {
			place := int(x.placeOf[i])
			if int(x.byOffset[place]) != i || x.offsets[place] < headerSize {
				t.Fatalf("object %d stands at place %d, offset %d", i, place, x.offsets[place])
			}
			if i > 0 && bytes.Compare(x.ids[i-1][:], id[:]) > 0 || place > 0 && x.offsets[place-1] >= x.offsets[place] {
				t.Fatal("not in order")
			}
			if at, ok := x.find(id); !ok || x.ids[at] != id {
				t.Fatalf("object %s is not found", id)
			}
			if at, ok := x.at(x.offsets[place]); !ok || at != place {
				t.Fatalf("offset %d is not found", x.offsets[place])
			}
			if found := x.findPrefix(id.String()[:4]); len(found) == 0 {
				t.Fatalf("object %s is not found by its beginning", id)
			}
		}
	})
}

// FuzzHeader writes what was read again, as Git does, and reads the same.
func FuzzHeader(f *testing.F) {
	h := small()
	for _, o := range h.offsets {
		f.Add(h.pack[o:], o)
	}
	f.Add(appendBack(appendHeader(nil, offsetDelta, 1<<40), 1<<40), int64(1<<41))
	f.Add([]byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1}, int64(100))
	f.Add([]byte{0xE0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1}, int64(1)<<62)
	f.Fuzz(func(t *testing.T, b []byte, offset int64) {
		e, n, err := parseHeader(b, offset)
		if err != nil {
			return
		}
		if n <= 0 || n > len(b) || n > maxHeader {
			t.Fatalf("a header of %d bytes out of %d", n, len(b))
		}
		again := appendHeader(nil, e.kind, e.size)
		switch e.kind {
		case offsetDelta:
			if e.base < headerSize || e.base >= offset {
				t.Fatalf("base at %d of an entry at %d", e.base, offset)
			}
			again = appendBack(again, offset-e.base)
		case refDelta:
			again = append(again, e.ref[:]...)
		default:
			if e.kind < byte(Commit) || e.kind > byte(Tag) {
				t.Fatalf("kind %d", e.kind)
			}
		}
		same, m, err := parseHeader(again, offset)
		if err != nil || same != e || m != len(again) || m > n {
			t.Fatalf("written again as %x: %+v and not %+v, %v", again, same, e, err)
		}
	})
}

// slowPatch applies a delta one byte at a time, as gitformat-pack(5) words it.
func slowPatch(base, delta []byte, limit uint64) ([]byte, bool) {
	size := func() (v uint64, ok bool) {
		for shift := 0; len(delta) > 0; shift += 7 {
			c := delta[0]
			delta = delta[1:]
			if shift > 63 || shift == 63 && c > 1 {
				return 0, false
			}
			v |= uint64(c&0x7F) << shift
			if c < 0x80 {
				return v, true
			}
		}
		return 0, false
	}
	from, ok := size()
	to, ok2 := size()
	if !ok || !ok2 || from != uint64(len(base)) || to > limit {
		return nil, false
	}
	out := []byte{}
	next := func() (byte, bool) {
		if len(delta) == 0 {
			return 0, false
		}
		c := delta[0]
		delta = delta[1:]
		return c, true
	}
	for len(delta) > 0 {
		op, _ := next()
		if op == 0 {
			return nil, false
		}
		if op < 0x80 {
			for range op {
				c, ok := next()
				if !ok {
					return nil, false
				}
				out = append(out, c)
			}
			continue
		}
		var number [7]int // four bytes of offset, three of size
		for i := range number {
			if op>>i&1 == 1 {
				c, ok := next()
				if !ok {
					return nil, false
				}
				number[i] = int(c)
			}
		}
		at := number[0] + number[1]*256 + number[2]*256*256 + number[3]*256*256*256
		n := number[4] + number[5]*256 + number[6]*256*256
		if n == 0 {
			n = 65536
		}
		for i := range n {
			if at+i >= len(base) || uint64(len(out)) >= to {
				return nil, false
			}
			out = append(out, base[at+i])
		}
	}
	return out, uint64(len(out)) == to
}

// FuzzPatch compares with an obvious implementation, and checks the copies. The
// base is a text repeated, so that a short input makes one of many bytes.
func FuzzPatch(f *testing.F) {
	const limit = 1 << 17
	const digits = "0123456789abcdef"
	long := strings.Repeat(digits, 4100)
	f.Add([]byte(text(0)), byte(0), deltaOf(text(0), text(1)))
	f.Add([]byte{}, byte(0), deltaOf("", text(1)))
	f.Add([]byte{}, byte(0), deltaOf("", ""))
	f.Add([]byte(digits), byte(41), deltaOf(long, long[100:]))
	f.Add([]byte(digits), byte(41), deltaOf(long, long+"more"))
	f.Add([]byte("abcdef"), byte(0), []byte{6, 9, 0x91, 1, 2, 0x91, 3, 2, 2, 'x', 'y', 0x91, 0, 3})
	f.Add([]byte("abc"), byte(0), []byte{3, 3, 0x90, 3, 0})
	f.Add([]byte("abc"), byte(0), append(bytes.Repeat([]byte{0x83}, 9), 1, 3, 0x90, 3))
	f.Fuzz(func(t *testing.T, some []byte, hundreds byte, delta []byte) {
		base := some
		if n := max(1, 100*int(hundreds)); n*len(some) <= limit {
			base = bytes.Repeat(some, n)
		}
		want, ok := slowPatch(base, delta, limit)
		size, err := targetSize(delta, len(base))
		if err == nil && size > limit {
			err = errSize
		}
		if err != nil {
			if ok {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		target := make([]byte, size)
		copies, err := patch(target, base, delta, nil)
		if ok != (err == nil) {
			t.Fatalf("error %v, want success %v", err, ok)
		}
		if !ok {
			return
		}
		if !bytes.Equal(target, want) {
			t.Fatal("a wrong target")
		}
		if problem := wrongCopies(target, base, copies); problem != "" {
			t.Fatal(problem)
		}
	})
}

// FuzzPack walks and reads a whole pack with its index. Of the checksums only the
// index's own is put right.
func FuzzPack(f *testing.F) {
	for _, h := range []*handmade{small(), chain(8, true, true), makePack()} {
		for _, index := range [][]byte{h.index(noLarge), h.index(60), h.indexV1()} {
			f.Add(h.pack, index[:len(index)-Size])
		}
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, pack, body []byte) {
		path := writePack(t, dir, pack, withSum(bytes.Clone(body)))
		before := allocated()
		p, err := Open(path)
		if err != nil {
			return
		}
		defer p.Close()
		const limit = 1 << 16
		p.SetLimit(limit)
		r := walkOpen(t, p, Options{everything, 1, 1000}, false)
		for i := range p.Len() {
			id := p.ID(i)
			if r.met[id]+len(r.lost[id]) == 0 {
				t.Errorf("object %s is neither visited nor lost", id)
			}
			_, data, err := p.Read(i)
			// of index version 1, only a walk compares bases with their ids
			if p.sums != nil && len(r.lost[id])+r.met[id] == 1 && (err == nil) != (r.met[id] > 0) {
				t.Errorf("object %s: visited %d times, read with error %v, lost with %v", id, r.met[id], err, r.lost[id])
			}
			if len(data) > limit {
				t.Errorf("object %s has %d bytes", id, len(data))
			}
		}
		if n, most := allocated()-before, uint64(32<<20+p.Len()*(4*limit)); n > most {
			t.Errorf("%d objects in %d bytes: %d bytes were allocated", p.Len(), len(pack), n)
		}
	})
}
