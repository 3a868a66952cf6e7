package match

import (
	"encoding/binary"
	"math/bits"
)

// literals finds every occurrence of a set of texts, ASCII case-insensitively.
//
// It looks at every second position only. A gram is four bytes with bit 5 set,
// which folds case (and a few other bytes, which verification tells apart). For
// each text two grams at neighbouring offsets are entered in a table, so whatever
// its alignment, one of them stands at an even position. A bitmap of hashed grams
// answers "none of ours" for nearly every position, without a dependency from one
// position to the next, which is what makes it several times as fast as an
// automaton. Scanning does not allocate.
type literals struct {
	bitmap  *[1 << (gramBits - 6)]uint64
	slots   []slot  // open addressing by gram
	chains  []chain // the texts of a slot, linked
	texts   []string
	extents []extent
	short   []int // the texts of three and four bytes
	longest int
}

// extent is how many bytes a literal's anchor takes, and the classes of those
// that follow a text shorter than that.
type extent struct {
	size int
	next [2]class
}

// minExtent is the bytes that two neighbouring grams cover.
const minExtent = 5

const (
	gramBits = 18
	gramMul  = 0x9E3779B1
	foldMask = 0x20202020

	// maxGramsPerLiteral bounds what a short text with a wide class after it may
	// cost in the bitmap.
	maxGramsPerLiteral = 2048
)

type slot struct {
	gram  uint32
	chain int32 // index+1 of the first, 0 if the slot is empty
}

type chain struct {
	text   int32
	offset int32 // of the gram in the text
	next   int32 // index+1
}

// sampling returns the offset of the first of the two grams that stand for the
// literal, and how many grams they come to when the bytes that follow a short
// text are spelt out.
func (l *literal) sampling() (offset, cost int) {
	n := len(l.text)
	if n < 5 {
		return 0, l.gramCount(0) + l.gramCount(1)
	}
	best := -1.0
	for j := 0; j+5 <= n; j++ {
		r := textRarity(l.text[j : j+5])
		if r > best {
			best, offset = r, j
		}
	}
	return offset, 2
}

// sets are the bytes, folded, that can stand at offset..offset+3.
func (l *literal) sets(offset int) [4]class {
	var out [4]class
	for i := range out {
		switch at := offset + i; {
		case at < len(l.text):
			out[i].add(l.text[at] | 0x20)
		case at == len(l.text):
			out[i] = folded(&l.next)
		case at == len(l.text)+1 && len(l.check) > 0 && l.check[0].min >= 2:
			out[i] = folded(&l.check[0].class)
		default:
			out[i] = folded(&anyByte)
		}
	}
	return out
}

func folded(c *class) (out class) {
	for b := 0; b < 256; b++ {
		if c.has(byte(b)) {
			out.add(byte(b) | 0x20)
		}
	}
	return out
}

func (l *literal) gramCount(offset int) int {
	n := 1
	sets := l.sets(offset)
	for i := range sets {
		size := 0
		for _, w := range sets[i] {
			size += bits.OnesCount64(w)
		}
		n *= size
	}
	return n
}

// grams calls f for every gram that can stand at the offset.
func (l *literal) grams(offset int, f func(uint32)) {
	sets := l.sets(offset)
	var walk func(i int, gram uint32)
	walk = func(i int, gram uint32) {
		if i == 4 {
			f(gram)
			return
		}
		for b := 0; b < 256; b++ {
			if sets[i].has(byte(b)) {
				walk(i+1, gram|uint32(b)<<(8*i))
			}
		}
	}
	walk(0, 0)
}

// newLiterals builds the table. The index of a literal is its number in hits.
func newLiterals(lits []literal) *literals {
	m := &literals{bitmap: new([1 << (gramBits - 6)]uint64)}
	total := 0
	for i := range lits {
		_, cost := lits[i].sampling()
		total += cost
		m.texts = append(m.texts, lits[i].text)
		x := extent{size: max(minExtent, len(lits[i].text))}
		m.longest = max(m.longest, x.size)
		if n := len(lits[i].text); n < minExtent {
			m.short = append(m.short, i)
			for k := n; k < minExtent; k++ {
				x.next[k-n] = lits[i].sets(k)[0]
			}
		}
		m.extents = append(m.extents, x)
	}
	m.slots = make([]slot, 1<<bits.Len(uint(2*total+1)))
	m.chains = make([]chain, 0, total)
	for i := range lits {
		offset, _ := lits[i].sampling()
		for k := range 2 {
			lits[i].grams(offset+k, func(gram uint32) { m.enter(gram, i, offset+k) })
		}
	}
	return m
}

func (m *literals) enter(gram uint32, text, offset int) {
	h := gram * gramMul
	m.bitmap[h>>(32-gramBits+6)] |= 1 << (h >> (32 - gramBits) & 63)
	s := m.slot(gram)
	m.chains = append(m.chains, chain{int32(text), int32(offset), s.chain})
	*s = slot{gram, int32(len(m.chains))}
}

// slot finds the gram's slot, or the empty one where it belongs.
func (m *literals) slot(gram uint32) *slot {
	mask := uint32(len(m.slots) - 1)
	for i := gram * gramMul >> 7 & mask; ; i = (i + 1) & mask {
		if s := &m.slots[i]; s.chain == 0 || s.gram == gram {
			return s
		}
	}
}

// find appends an anchor for every text that occurs in data and shares a byte
// with [from, to). Anchors come out in no particular order.
func (m *literals) find(data []byte, from, to int, out []anchor) []anchor {
	if len(m.texts) == 0 {
		return out
	}
	i := max(0, from-m.longest) &^ 1
	end := min(len(data), to+m.longest)
	bitmap := m.bitmap
	for ; i+10 <= end; i += 8 {
		p := data[i : i+10 : i+10]
		w := binary.LittleEndian.Uint64(p) | foldMask<<32 | foldMask
		h0 := uint32(w) * gramMul
		h1 := uint32(w>>16) * gramMul
		h2 := uint32(w>>32) * gramMul
		h3 := (binary.LittleEndian.Uint32(p[6:]) | foldMask) * gramMul
		any := bitmap[h0>>20]>>(h0>>14&63) | bitmap[h1>>20]>>(h1>>14&63) |
			bitmap[h2>>20]>>(h2>>14&63) | bitmap[h3>>20]>>(h3>>14&63)
		if any&1 != 0 {
			for k := 0; k < 8; k += 2 {
				out = m.verify(data, i+k, from, to, out)
			}
		}
	}
	for ; i+4 <= end; i += 2 {
		out = m.verify(data, i, from, to, out)
	}
	if end < len(data) {
		return out
	}
	return m.tail(data, from, to, out)
}

// verify appends the texts whose gram stands at i.
func (m *literals) verify(data []byte, i, from, to int, out []anchor) []anchor {
	gram := binary.LittleEndian.Uint32(data[i:]) | foldMask
	h := gram * gramMul
	if m.bitmap[h>>20]>>(h>>14&63)&1 == 0 {
		return out
	}
	for c := m.slot(gram).chain; c != 0; {
		ch := m.chains[c-1]
		c = ch.next
		out = m.accept(data, i-int(ch.offset), int(ch.text), from, to, out)
	}
	return out
}

func (m *literals) accept(data []byte, at, text, from, to int, out []anchor) []anchor {
	t, x := m.texts[text], &m.extents[text]
	if at < 0 || at+len(t) > len(data) || at >= to || at+x.size <= from {
		return out
	}
	for k := range len(t) {
		if toLower[data[at+k]] != t[k] {
			return out
		}
	}
	for k := len(t); k < x.size; k++ {
		next := &x.next[k-len(t)]
		if at+k >= len(data) {
			if *next != anyFolded {
				return out
			}
		} else if !next.has(data[at+k] | 0x20) {
			return out
		}
	}
	return append(out, anchor{pos: int32(at), lit: uint16(text)})
}

// anyFolded is anyByte with bit 5 set in every byte.
var anyFolded = folded(&anyByte)

// tail looks for the short texts whose gram would reach beyond the end of data:
// those of three bytes in the last three, and those that begin at an odd
// position four bytes before the end.
func (m *literals) tail(data []byte, from, to int, out []anchor) []anchor {
	for _, text := range m.short {
		if len(m.texts[text]) == 3 {
			out = m.accept(data, len(data)-3, text, from, to, out)
		}
		if at := len(data) - 4; at&1 == 1 {
			out = m.accept(data, at, text, from, to, out)
		}
	}
	return out
}
