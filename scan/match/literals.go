package match

import (
	"encoding/binary"
	"math"
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
	short   []int // the texts whose grams reach beyond them
	longest int
}

// extent is how many bytes a literal's anchor takes, and the classes of those
// that follow the text, if its grams reach that far.
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

	// maxGrams bounds what a literal may take of the bitmap for the sake of rarer
	// grams, and maxGramsPerLiteral what a short text with a wide class after it
	// may take at all.
	maxGrams           = 64
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
// literal, and how many grams they come to. A gram may reach beyond the text, over
// the bytes that can follow it, spelt out. Of all places the one is chosen whose
// grams will be met least often.
func (l *literal) sampling() (offset, cost int) {
	// for every byte that a gram may cover, how many there can be and how rare
	n := len(l.text)
	counts, rare := make([]int, n+2), make([]float64, n+2)
	for i := range n {
		counts[i], rare[i] = 1, rarities[l.text[i]]
	}
	for i := n; i < n+2; i++ {
		set := l.set(i)
		counts[i], rare[i] = set.weigh()
	}
	best := -1.0
	for j := 0; j+minExtent <= n+2; j++ {
		first, second := counts[j]*counts[j+1]*counts[j+2]*counts[j+3], counts[j+1]*counts[j+2]*counts[j+3]*counts[j+4]
		if first+second > maxGrams && j > 0 {
			break
		}
		r := rare[j+1] + rare[j+2] + rare[j+3] + min(rare[j], rare[j+4])
		if r > best {
			best, offset, cost = r, j, first+second
		}
	}
	return offset, cost
}

// weigh returns how many bytes a folded class has, and how rare they are together
// in bits.
func (c *class) weigh() (n int, rarity float64) {
	p := 0.0
	for i, w := range c {
		for ; w != 0; w &= w - 1 {
			n++
			p += frequencies[toLower[i<<6|bits.TrailingZeros64(w)]]
		}
	}
	return n, -math.Log2(min(max(p, 1e-9), 1))
}

// set is the bytes, folded, that can stand at a position of the literal or behind
// it.
func (l *literal) set(at int) (c class) {
	switch {
	case at < len(l.text):
		c.add(l.text[at] | 0x20)
	case at < len(l.text)+len(l.after):
		return folded(&l.after[at-len(l.text)])
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
func (l *literal) grams(offset int) []uint32 {
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

// newLiterals builds the table. The index of a literal is its number in hits.
func newLiterals(lits []literal) *literals {
	m := &literals{bitmap: new([1 << (gramBits - 6)]uint64)}
	total := 0
	offsets := make([]int, len(lits))
	for i := range lits {
		offset, cost := lits[i].sampling()
		offsets[i] = offset
		total += cost
		m.texts = append(m.texts, lits[i].text)
		x := extent{size: max(offset+minExtent, len(lits[i].text))}
		m.longest = max(m.longest, x.size)
		for k := len(lits[i].text); k < x.size; k++ {
			x.next[k-len(lits[i].text)] = lits[i].set(k)
		}
		if x.size > len(lits[i].text) {
			m.short = append(m.short, i)
		}
		m.extents = append(m.extents, x)
	}
	m.slots = make([]slot, 1<<bits.Len(uint(2*total+1)))
	m.chains = make([]chain, 0, total)
	for i := range lits {
		for k := range 2 {
			for _, gram := range lits[i].grams(offsets[i] + k) {
				m.enter(gram, i, offsets[i]+k)
			}
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

// tail looks for the texts at the very end of data whose grams would reach beyond
// it: those that anything may follow, the end included. It may find one again.
func (m *literals) tail(data []byte, from, to int, out []anchor) []anchor {
	for _, text := range m.short {
		for at := len(data) - m.extents[text].size + 1; at <= len(data)-len(m.texts[text]); at++ {
			out = m.accept(data, at, text, from, to, out)
		}
	}
	return out
}
