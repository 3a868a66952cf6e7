package packfile

import (
	"encoding/binary"
	"errors"
	"hash/adler32"
	"math/bits"
)

// inflater decompresses zlib streams (RFC 1950, RFC 1951) that lie whole in
// memory into buffers of the right size, which is how packs hold objects. Knowing
// both ends lets it refill 56 bits at a time and copy without a window; it takes
// under half the time of a streaming reader. One goroutine at a time may use it.
type inflater struct {
	lit, dist       huffman
	lengths         [maxLitCodes + maxDistCodes]uint8
	precode         huffman
	fixedLit, fixed *huffman
}

var (
	errCorrupt   = errors.New("corrupt zlib stream")
	errTruncated = errors.New("truncated zlib stream")
	errSize      = errors.New("content is not as long as its header says")
	errChecksum  = errors.New("content checksum does not match")
)

const (
	maxLitCodes  = 288
	maxDistCodes = 32
	maxCodeBits  = 15
	rootBits     = 11 // of the first-level table
)

// A table entry: the number of bits to consume in bits 0-7; the number of extra
// bits, or of a second-level index, in bits 8-12; flags; a value from bit 16.
const (
	isLiteral = 1 << 15
	isSpecial = 1 << 14 // end of block, second level, or no code
	isSub     = 1 << 13
	isEnd     = isSpecial
	noCode    = isSpecial | 1<<8
)

// huffman is a decoding table of two levels.
type huffman struct {
	table  []uint32
	bits   uint
	sorted [maxLitCodes]uint16 // symbols by the lengths of their codes, of the last build
}

var lengthBase = [...]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
var lengthExtra = [...]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
var distBase = [...]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
var distExtra = [...]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
var precodeOrder = [...]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// litEntries, distEntries and preEntries are the entries of each symbol, without
// the bits to consume.
var litEntries, distEntries, preEntries = func() (l [maxLitCodes]uint32, d [maxDistCodes]uint32, p [19]uint32) {
	for i := range l {
		switch {
		case i < 256:
			l[i] = uint32(i)<<16 | isLiteral
		case i == 256:
			l[i] = isEnd
		case i-257 < len(lengthBase):
			l[i] = uint32(lengthBase[i-257])<<16 | uint32(lengthExtra[i-257])<<8
		default:
			l[i] = noCode
		}
	}
	for i := range d {
		d[i] = noCode
		if i < len(distBase) {
			d[i] = uint32(distBase[i])<<16 | uint32(distExtra[i])<<8
		}
	}
	for i := range p {
		p[i] = uint32(i) << 16
	}
	return l, d, p
}()

func newInflater() *inflater {
	z := &inflater{fixedLit: &huffman{}, fixed: &huffman{}}
	var lit [maxLitCodes]uint8
	for i := range lit {
		switch {
		case i < 144:
			lit[i] = 8
		case i < 256:
			lit[i] = 9
		case i < 280:
			lit[i] = 7
		default:
			lit[i] = 8
		}
	}
	var dist [maxDistCodes]uint8
	for i := range dist {
		dist[i] = 5
	}
	z.fixedLit.build(lit[:], litEntries[:])
	z.fixed.build(dist[:], distEntries[:])
	return z
}

// build makes the table of a canonical code. It reports false if the lengths are
// no complete code, a single code of one bit excepted.
//
// Codes are entered in their order, shortest first, and bits are read from the low
// end: a code of n bits stands in the first 2^n entries, and the table for one bit
// more begins as two copies of the table so far.
func (h *huffman) build(lengths []uint8, entries []uint32) bool {
	var count, next [maxCodeBits + 1]uint16
	for _, n := range lengths {
		count[n&maxCodeBits]++
	}
	longest := uint(maxCodeBits)
	for longest > 0 && count[longest] == 0 {
		longest--
	}
	left := 1
	for n := 1; n <= maxCodeBits; n++ {
		if left = left<<1 - int(count[n]); left < 0 {
			return false
		}
		if n > 1 {
			next[n] = next[n-1] + count[n-1]
		}
	}
	complete := left == 0
	if !complete && !(longest == 1 && count[1] == 1 || longest == 0) {
		return false
	}
	for sym, n := range lengths {
		if n != 0 {
			h.sorted[next[n&maxCodeBits]] = uint16(sym)
			next[n&maxCodeBits]++
		}
	}
	h.bits = min(max(longest, 1), rootBits)
	size := 1 << h.bits
	if cap(h.table) < size+1024 {
		h.table = make([]uint32, size, size+1024)
	}
	h.table = h.table[:size]
	if !complete {
		for i := range h.table {
			h.table[i] = noCode
		}
	}
	h.enter(&count, entries, longest)
	return true
}

// enter fills the table with the codes of the sorted symbols.
func (h *huffman) enter(count *[maxCodeBits + 1]uint16, entries []uint32, longest uint) {
	sorted := h.sorted[:]
	code := uint(0) // with its first bit lowest
	filled := 1     // entries that shorter codes decide
	for n := uint(1); n <= longest; n++ {
		if n <= h.bits {
			copy(h.table[filled:2*filled], h.table[:filled])
			filled *= 2
		} else if n == h.bits+1 {
			// the beginnings of longer codes
			for i := bits.Reverse16(uint16(code)) >> (16 - n + 1); int(i) < filled; i++ {
				h.table[bits.Reverse16(i)>>(16-h.bits)] = noCode
			}
		}
		for range count[n] {
			sym := sorted[0]
			sorted = sorted[1:]
			if n <= h.bits {
				h.table[code] = entries[sym] | uint32(n)
			} else {
				h.enterLong(code, n, longest, entries[sym])
			}
			// add one to a number whose highest bit is the lowest
			carry := uint(1) << (n - 1)
			for code&carry != 0 {
				code &^= carry
				carry >>= 1
			}
			code |= carry
		}
	}
}

// enterLong enters a code longer than the first level.
func (h *huffman) enterLong(reversed, n, longest uint, entry uint32) {
	root := reversed & (1<<h.bits - 1)
	subBits := longest - h.bits
	if h.table[root]&isSub == 0 {
		start := len(h.table)
		for range 1 << subBits {
			h.table = append(h.table, noCode)
		}
		h.table[root] = uint32(start)<<16 | isSpecial | isSub | uint32(subBits)<<8 | uint32(h.bits)
	}
	start := uint(h.table[root] >> 16)
	for i := reversed >> h.bits; i < 1<<subBits; i += 1 << (n - h.bits) {
		h.table[start+i] = entry | uint32(n-h.bits)
	}
}

// inflate decompresses the zlib stream at the beginning of src into dst, which it
// fills exactly, and checks the stream's checksum. It returns how many bytes of
// src the stream takes.
func (z *inflater) inflate(dst, src []byte) (int, error) {
	end, err := z.inflateUnsummed(dst, src)
	if err == nil && adler32.Checksum(dst) != binary.BigEndian.Uint32(src[end-4:]) {
		return 0, errChecksum
	}
	return end, err
}

// inflateUnsummed is inflate for a stream whose compressed bytes have been checked
// otherwise.
func (z *inflater) inflateUnsummed(dst, src []byte) (int, error) {
	if len(src) < 6 {
		return 0, errTruncated
	}
	if head := binary.BigEndian.Uint16(src); head%31 != 0 || head>>8&15 != 8 || head>>12 > 7 || head&0x20 != 0 {
		return 0, errCorrupt
	}
	// What lies behind the stream may be read, eight bytes at a time, but not used.
	r := bitReader{src: src[:min(cap(src), len(src)+8)], end: len(src), pos: 2}
	out := 0
	for last := false; !last; {
		r.refill()
		last = r.take(1) == 1
		var err error
		switch r.take(2) {
		case 0:
			out, err = r.stored(dst, out)
		case 1:
			out, err = z.block(&r, dst, out, z.fixedLit, z.fixed)
		case 2:
			if err = z.tables(&r); err == nil {
				out, err = z.block(&r, dst, out, &z.lit, &z.dist)
			}
		default:
			err = errCorrupt
		}
		if err != nil {
			return 0, err
		}
		if r.overrun() {
			return 0, errTruncated
		}
	}
	end := r.align()
	switch {
	case out != len(dst):
		return 0, errSize
	case end+4 > len(src):
		return 0, errTruncated
	}
	return end + 4, nil
}

// bitReader reads bits from the low end. Beyond the input it reads zeros, or what
// lies there, which overrun tells.
type bitReader struct {
	src  []byte
	end  int // of the input in src
	pos  int
	buf  uint64
	have uint
}

// refill makes at least 56 bits available.
func (r *bitReader) refill() {
	if r.pos+8 <= len(r.src) {
		r.buf |= binary.LittleEndian.Uint64(r.src[r.pos:]) << (r.have & 63)
		r.pos += int(63-r.have) >> 3
		r.have |= 56
		return
	}
	for r.have < 56 {
		if r.pos < r.end {
			r.buf |= uint64(r.src[r.pos]) << (r.have & 63)
		}
		r.pos++
		r.have += 8
	}
}

func (r *bitReader) take(n uint) uint32 {
	v := uint32(r.buf & (1<<n - 1))
	r.buf >>= n
	r.have -= n
	return v
}

func (r *bitReader) overrun() bool { return r.pos-int(r.have/8) > r.end }

// align drops the rest of a byte and returns the position of the next one.
func (r *bitReader) align() int {
	r.take(r.have & 7)
	pos := r.pos - int(r.have/8)
	r.buf, r.have, r.pos = 0, 0, pos
	return pos
}

func (r *bitReader) stored(dst []byte, out int) (int, error) {
	pos := r.align()
	if pos+4 > r.end {
		return 0, errTruncated
	}
	n := int(binary.LittleEndian.Uint16(r.src[pos:]))
	if n^0xFFFF != int(binary.LittleEndian.Uint16(r.src[pos+2:])) {
		return 0, errCorrupt
	}
	pos += 4
	if pos+n > r.end {
		return 0, errTruncated
	}
	if n > len(dst)-out {
		return 0, errSize
	}
	copy(dst[out:], r.src[pos:pos+n])
	r.pos = pos + n
	return out + n, nil
}

// tables reads the codes of a dynamic block.
func (z *inflater) tables(r *bitReader) error {
	r.refill()
	lits, dists, pres := int(r.take(5))+257, int(r.take(5))+1, int(r.take(4))+4
	if lits > 286 || dists > 30 {
		return errCorrupt
	}
	var pre [19]uint8
	for i := range pres {
		if i == 14 {
			r.refill()
		}
		pre[precodeOrder[i]] = uint8(r.take(3))
	}
	if !z.precode.build(pre[:], preEntries[:]) {
		return errCorrupt
	}
	lengths := z.lengths[:lits+dists]
	table, mask := z.precode.table, uint64(1)<<z.precode.bits-1
	for i := 0; i < len(lengths); {
		r.refill()
		e := table[r.buf&mask]
		if e&isSpecial != 0 {
			return errCorrupt
		}
		r.take(uint(e & 0xFF))
		sym, n, value := e>>16, 1, uint8(0)
		switch {
		case sym < 16:
			lengths[i] = uint8(sym)
			i++
			continue
		case sym == 16:
			if i == 0 {
				return errCorrupt
			}
			n, value = int(r.take(2))+3, lengths[i-1]
		case sym == 17:
			n = int(r.take(3)) + 3
		default:
			n = int(r.take(7)) + 11
		}
		if n > len(lengths)-i {
			return errCorrupt
		}
		for range n {
			lengths[i] = value
			i++
		}
	}
	if lengths[256] == 0 || r.overrun() {
		return errCorrupt
	}
	if !z.lit.build(lengths[:lits], litEntries[:]) || !z.dist.build(lengths[lits:], distEntries[:]) {
		return errCorrupt
	}
	return nil
}

// block decodes the symbols of a block up to its end.
func (z *inflater) block(r *bitReader, dst []byte, out int, lits, dists *huffman) (int, error) {
	lit, dist := lits.table, dists.table
	litMask, distMask := uint64(1)<<lits.bits-1, uint64(1)<<dists.bits-1
	src, pos, buf, have := r.src, r.pos, r.buf, r.have
	for {
		// one refill is enough for three literals, or a length and a distance
		if pos+8 <= len(src) {
			buf |= binary.LittleEndian.Uint64(src[pos:]) << (have & 63)
			pos += int(63-have) >> 3
			have |= 56
		} else {
			r.pos, r.buf, r.have = pos, buf, have
			r.refill()
			pos, buf, have = r.pos, r.buf, r.have
			if r.overrun() {
				return 0, errTruncated
			}
		}
		e := lit[buf&litMask]
		if e&isLiteral != 0 && out+3 <= len(dst) {
			buf >>= e & 63
			have -= uint(e & 0xFF)
			dst[out] = byte(e >> 16)
			out++
			if e = lit[buf&litMask]; e&isLiteral != 0 {
				buf >>= e & 63
				have -= uint(e & 0xFF)
				dst[out] = byte(e >> 16)
				out++
				if e = lit[buf&litMask]; e&isLiteral != 0 {
					buf >>= e & 63
					have -= uint(e & 0xFF)
					dst[out] = byte(e >> 16)
					out++
					continue
				}
			}
			// what follows may take 48 bits
			if pos+8 <= len(src) {
				buf |= binary.LittleEndian.Uint64(src[pos:]) << (have & 63)
				pos += int(63-have) >> 3
				have |= 56
			} else if have < 48 {
				continue
			}
		}
		if e&isSpecial != 0 {
			if e&isSub != 0 {
				buf >>= e & 63
				have -= uint(e & 0xFF)
				e = lit[uint64(e>>16)+buf&(1<<(e>>8&31)-1)]
			}
			if e&isSpecial != 0 {
				if e&^0xFF != isEnd {
					return 0, errCorrupt
				}
				r.pos, r.buf, r.have = pos, buf>>(e&63), have-uint(e&0xFF)
				return out, nil
			}
		}
		buf >>= e & 63
		have -= uint(e & 0xFF)
		if e&isLiteral != 0 {
			if out >= len(dst) {
				return 0, errSize
			}
			dst[out] = byte(e >> 16)
			out++
			continue
		}
		extra := e >> 8 & 31
		length := int(e>>16) + int(buf&(1<<extra-1))
		buf >>= extra
		have -= uint(extra)

		d := dist[buf&distMask]
		if d&isSub != 0 {
			buf >>= d & 63
			have -= uint(d & 0xFF)
			d = dist[uint64(d>>16)+buf&(1<<(d>>8&31)-1)]
		}
		if d&isSpecial != 0 {
			return 0, errCorrupt
		}
		buf >>= d & 63
		have -= uint(d & 0xFF)
		extra = d >> 8 & 31
		distance := int(d>>16) + int(buf&(1<<extra-1))
		buf >>= extra
		have -= uint(extra)
		if distance > out {
			return 0, errCorrupt
		}
		if length > len(dst)-out {
			return 0, errSize
		}
		out = repeat(dst, out, distance, length)
	}
}

// repeat appends length bytes from distance bytes back; the two may overlap.
func repeat(dst []byte, out, distance, length int) int {
	from, end := out-distance, out+length
	if distance >= 8 && end+8 <= len(dst) {
		for out < end {
			binary.LittleEndian.PutUint64(dst[out:], binary.LittleEndian.Uint64(dst[from:]))
			out += 8
			from += 8
		}
		return end
	}
	if distance >= length {
		copy(dst[out:end], dst[from:from+length])
		return end
	}
	for ; out < end; out, from = out+1, from+1 {
		dst[out] = dst[from]
	}
	return end
}
