package match

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

// literals finds every occurrence of a set of texts, ASCII case-insensitively.
//
// It looks at every second position only. A gram is four bytes with bit 5 set,
// which folds case (and a few other bytes, which verification tells apart). For
// each text two grams at neighbouring offsets are entered in a table, so whatever
// its alignment, one of them stands at an even position. Of a text of three or
// four bytes the second is a gram of three bytes, looked up one position further.
// A bitmap of hashed grams answers "none of ours" for nearly every position,
// without a dependency from one position to the next, which is what makes it
// several times as fast as an automaton. Scanning does not allocate.
type literals struct {
	heads   *[1 << headBits]uint32
	flanks  *[1 << flankBits]flanks
	slots   []slot  // open addressing by gram
	chains  []chain // the texts of a slot, linked
	texts   []string
	extents []extent
	short   []int // the texts that anything may follow, and whose grams reach there
	longest int
}

// extent is how many bytes a literal's anchor takes, and the classes of those
// that must follow the text.
type extent struct {
	size int
	next [2]*class
}

// minExtent is the bytes that two neighbouring grams cover, minShort those that
// the two of a text of three bytes do.
const (
	minExtent = 5
	minShort  = 4
)

const (
	headBits  = 15
	flankBits = 15
	gramMul   = 0x9E3779B1
	foldMask  = 0x20202020

	// Where the bits of a hash begin that choose the head, and the flanks.
	headShift  = 32 - headBits
	flankShift = 32 - flankBits

	// maxGrams bounds what a literal may take of the bitmap for the sake of rarer
	// grams.
	maxGrams = 64
)

type slot struct {
	gram  uint32
	chain int32 // index+1 of the first, 0 if the slot is empty
}

// flanks are the bytes beside the grams of one hash in any of their texts, as sets
// of their low five bits. Most places that the bitmap takes for one of ours, and
// most where a gram stands by chance, are told by them.
type flanks struct{ before, after uint32 }

type chain struct {
	text   int32
	offset int32 // of the gram in the text; -1 for a gram of three bytes
	next   int32 // index+1
}

// sampling returns the offset of the first of the two grams that stand for a
// literal: the one whose grams are met least often. A gram may reach beyond the
// text, over the bytes that can follow it, spelt out. It is -1 for a short text
// whose second gram is one of three bytes.
func (l *sought) sampling() (offset int) {
	n := len(l.text)
	least := math.Inf(1)
	if n < minExtent {
		offset = -1
		least = l.cost(0) + gramFrequency(fold(l.text[:3])) + collision
	}
	for j := 0; j+minExtent <= n+2 && n > 3; j++ {
		if c := l.cost(j) + l.cost(j+1); c < least {
			least, offset = c, j
		}
	}
	return offset
}

// collision is how often one more gram in the bitmap is taken for another.
const collision = 1.0 / (1 << (headBits + 4))

// cost is how often the grams that can stand at the offset are met, or taken to
// be.
func (l *sought) cost(offset int) (p float64) {
	count := 1
	for i := range 4 {
		set := l.set(offset + i)
		if count *= set.count(); count > maxGrams {
			return math.Inf(1)
		}
	}
	for _, gram := range l.grams(offset) {
		p += gramFrequency(gram) + collision
	}
	return p
}

// set is the bytes, folded, that can stand at a position of the literal or behind
// it.
func (l *sought) set(at int) (c class) {
	switch {
	case at < len(l.text):
		c.add(l.text[at] | 0x20)
	case at < len(l.text)+len(l.after):
		return folded(l.after[at-len(l.text)])
	default:
		return anyFolded
	}
	return c
}

// folded is the class with bit 5 set in every byte.
func folded(c *class) (out class) {
	for i, w := range c {
		out[i] = (w | w<<32) &^ (1<<32 - 1)
	}
	return out
}

// grams returns every gram that can stand at the offset.
func (l *sought) grams(offset int) []uint32 {
	if offset+4 <= len(l.text) {
		return []uint32{fold(l.text[offset : offset+4])}
	}
	out := []uint32{0}
	for i := range 4 {
		set := l.set(offset + i)
		var next []uint32
		for k, w := range set {
			for ; w != 0; w &= w - 1 {
				b := uint32(k<<6|bits.TrailingZeros64(w)) << (8 * i)
				for _, gram := range out {
					next = append(next, gram|b)
				}
			}
		}
		out = next
	}
	return out
}

// newLiterals builds the table. The index of a literal is its number in hits. Those
// that nobody wants are left out.
func newLiterals(lits []sought, wanted func(i int) bool) *literals {
	m := &literals{heads: new([1 << headBits]uint32), flanks: new([1 << flankBits]flanks), slots: make([]slot, max(1024, 1<<bits.Len(uint(3*len(lits))))),
		chains: make([]chain, 0, 3*len(lits)), texts: make([]string, 0, len(lits)), extents: make([]extent, 0, len(lits))}
	spelt := map[*class]*class{} // folded, since many literals share them
	for i := range lits {
		l := &lits[i]
		n := len(l.text)
		x := extent{size: n}
		if !wanted(i) {
			m.texts, m.extents = append(m.texts, l.text), append(m.extents, x)
			continue
		}
		if !l.sampled {
			l.sample = int8(l.sampling())
		}
		if offset := int(l.sample); offset < 0 {
			m.enterAll(l, i, 0)
			m.enter(l, fold(l.text[:3]), i, -1) // met one position before the text
			x.size = max(n, minShort)
		} else {
			m.enterAll(l, i, offset)
			m.enterAll(l, i, offset+1)
			x.size = max(n, offset+minExtent)
		}
		for k := range l.after {
			if *l.after[k] != anyByte {
				x.size = max(x.size, n+k+1)
			}
		}
		for k := n; k < x.size; k++ {
			own := l.after[k-n]
			if spelt[own] == nil {
				next := folded(own)
				spelt[own] = &next
			}
			x.next[k-n] = spelt[own]
		}
		if x.size > n && !slices.ContainsFunc(x.next[:x.size-n], func(c *class) bool { return *c != anyFolded }) {
			m.short = append(m.short, i)
		}
		m.longest = max(m.longest, x.size)
		m.texts = append(m.texts, l.text)
		m.extents = append(m.extents, x)
	}
	return m
}

// fold is the gram of a text of three or four bytes.
func fold(text string) (gram uint32) {
	for i := range len(text) {
		gram |= uint32(text[i]|0x20) << (8 * i)
	}
	return gram
}

func (m *literals) enterAll(l *sought, text, offset int) {
	if offset+4 <= len(l.text) {
		m.enter(l, fold(l.text[offset:offset+4]), text, offset)
		return
	}
	for _, gram := range l.grams(offset) {
		m.enter(l, gram, text, offset)
	}
}

func (m *literals) enter(l *sought, gram uint32, text, offset int) {
	if 3*len(m.chains) >= 2*len(m.slots) {
		m.grow()
	}
	if offset < 0 {
		m.heads[gram*gramMul>>headShift] = ^uint32(0) // anything may stand before three bytes
	} else {
		m.heads[gram>>8*gramMul>>headShift] |= 1 << (gram & 31)
	}
	s := m.slot(gram)
	m.chains = append(m.chains, chain{int32(text), int32(offset), s.chain})
	s.gram, s.chain = gram, int32(len(m.chains))
	width := 4
	if offset < 0 {
		offset, width = 0, 3
	}
	b := &m.flanks[gram*gramMul>>flankShift]
	b.before |= l.beside(offset - 1)
	b.after |= l.beside(offset + width)
}

// beside is the low five bits, as a set, of the bytes that can stand at a position.
func (l *sought) beside(at int) (bits uint32) {
	switch {
	case at < 0, at >= len(l.text)+len(l.after):
		return ^uint32(0)
	case at < len(l.text):
		return 1 << (l.text[at] & 31)
	}
	set := l.set(at)
	for _, w := range set {
		bits |= uint32(w) | uint32(w>>32)
	}
	return bits
}

// grow doubles the slots.
func (m *literals) grow() {
	old := m.slots
	m.slots = make([]slot, 2*len(old))
	for _, s := range old {
		if s.chain != 0 {
			*m.slot(s.gram) = s
		}
	}
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
	for i+10 <= len(data) && i+4 <= end {
		n := min((len(data)-i-2)/8, (end-i+4)/8, batchBlocks)
		out = m.batch(data, i, n, from, to, out)
		i += 8 * n
	}
	for ; i+4 <= end; i += 2 {
		four := binary.LittleEndian.Uint32(data[i:]) | foldMask
		out = m.gram(data, four, i, 4, from, to, out)
		out = m.gram(data, four>>8, i+1, 3, from, to, out)
	}
	if end < len(data) {
		return out
	}
	return m.tail(data, from, to, out)
}

// How many blocks of eight bytes are looked at before what may be in them is, and how
// many of these at once.
const (
	batchBlocks = 128
	batchMarked = 16
)

// batch looks for grams at the even positions of so many blocks from start. Whether one
// is there can't be foretold, so that to ask costs more than to answer: what may be one
// is written down unasked, first blocks, then positions.
func (m *literals) batch(data []byte, start, count, from, to int, out []anchor) []anchor {
	var blocks [batchBlocks]uint8
	n, heads := 0, m.heads
	rest := data[start : start+8*count+2]
	for k := 0; len(rest) >= 10; k, rest = k+1, rest[8:] {
		p := rest[:10:10]
		w := binary.LittleEndian.Uint64(p) | foldMask<<32 | foldMask
		v := binary.LittleEndian.Uint32(p[6:]) | foldMask
		k0, k1 := heads[uint32(w)>>8*gramMul>>headShift]>>(w&31), heads[uint32(w>>16)>>8*gramMul>>headShift]>>(w>>16&31)
		k2, k3 := heads[uint32(w>>32)>>8*gramMul>>headShift]>>(w>>32&31), heads[v>>8*gramMul>>headShift]>>(v&31)
		blocks[uint8(n)] = uint8(k)
		n += int((k0 | k1 | k2 | k3) & 1)
	}
	for marked := blocks[:n]; len(marked) > 0; {
		part := marked[:min(len(marked), batchMarked)]
		marked = marked[len(part):]
		out = m.marked(data, start, part, from, to, out)
	}
	return out
}

// marked looks at the texts of the grams in some blocks.
func (m *literals) marked(data []byte, start int, blocks []uint8, from, to int, out []anchor) []anchor {
	var places [4 * batchMarked]int32
	n := 0
	for _, b := range blocks {
		at := start + 8*int(b)
		for k := 0; k < 8; k += 2 {
			four := binary.LittleEndian.Uint32(data[at+k:]) | foldMask
			places[n%len(places)] = int32(at + k)
			n += int(m.heads[four>>8*gramMul>>headShift] >> (four & 31) & 1)
		}
	}
	for _, p := range places[:n] {
		four := binary.LittleEndian.Uint32(data[p:]) | foldMask
		out = m.gram(data, four, int(p), 4, from, to, out)
		out = m.gram(data, four>>8, int(p)+1, 3, from, to, out)
	}
	return out
}

// gram looks at the texts of a gram that stands at i, if what stands beside it can.
func (m *literals) gram(data []byte, gram uint32, i, width, from, to int, out []anchor) []anchor {
	b := m.flanks[gram*gramMul>>flankShift]
	if i > 0 {
		b.before >>= data[i-1] & 31
	}
	if i+width < len(data) {
		b.after >>= data[i+width] & 31
	}
	if b.before&b.after&1 == 0 {
		return out
	}
	return m.hit(data, gram, i, from, to, out)
}

// hit looks at the texts of a gram that stands at i.
func (m *literals) hit(data []byte, gram uint32, i, from, to int, out []anchor) []anchor {
	for c := m.slot(gram).chain; c != 0; {
		ch := &m.chains[c-1]
		c = ch.next
		out = m.accept(data, i-max(0, int(ch.offset)), int(ch.text), from, to, out)
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
		next := x.next[k-len(t)]
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

// tail looks for the texts at the very end of data whose grams would reach beyond
// it: what follows them is anything, the end included. It may find one again.
func (m *literals) tail(data []byte, from, to int, out []anchor) []anchor {
	for _, text := range m.short {
		for at := len(data) - m.extents[text].size + 1; at <= len(data)-len(m.texts[text]); at++ {
			out = m.accept(data, at, text, from, to, out)
		}
	}
	return out
}
