package match

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/keywright/keywright/scan"
)

// runs finds the maximal runs of some alphabets that can hold a run rule's secret.
// It looks at one byte in every stride, the shortest length that any rule accepts.
// A run that holds this byte holds half a stride of bytes on one side of it: a few
// of these are looked at, for all alphabets at once, before one is asked.
type runs struct {
	probers []*prober
	first   uint16     // the number of the first prober's anchors
	kinds   [256]uint8 // the probers, as a set, whose runs can hold a byte
	stride  int
	samples [6]int // distances from a byte that are looked at
}

// A prober finds the runs of one alphabet. It grows a hit in both directions.
type prober struct {
	alphabet scan.Alphabet
	class    class
	min, max int // bytes; for Words, max counts words
	minWords int
	word     func([]byte) bool
	rules    []int // indexes into Engine.rules
}

func newRuns(probers []*prober, first int) *runs {
	r := &runs{probers: probers, first: uint16(first), stride: math.MaxInt}
	for k, p := range probers {
		r.stride = min(r.stride, p.min)
		for b := range r.kinds {
			if p.class.has(byte(b)) {
				r.kinds[b] |= 1 << k
			}
		}
	}
	for i := range r.samples {
		r.samples[i] = (r.stride - 1) / 2 * (i + 1) / len(r.samples)
	}
	return r
}

// find appends an anchor for every run that shares a byte with [from, to), or ends
// or begins beside it, so that the region decides what bounds the run. One run may
// be appended several times.
func (r *runs) find(data []byte, from, to int, out []anchor) []anchor {
	if len(r.probers) == 0 {
		return out
	}
	if from > 0 {
		for kinds := r.at(data, from-1); kinds != 0; kinds &= kinds - 1 {
			k := bits.TrailingZeros8(kinds)
			out = r.probers[k].before(data, from, r.first+uint16(k), out)
		}
		if data[from-1] == '=' {
			out = r.padded(data, from-1, out)
		}
	}
	beyond := 0 // the end of words that are known to stand in a run of too many
	for i := from + r.stride - 1; i < to; i += r.stride {
		for kinds := r.at(data, i); kinds != 0; kinds &= kinds - 1 {
			k := bits.TrailingZeros8(kinds)
			if p := r.probers[k]; p.alphabet == scan.Words {
				out, beyond = p.wordsAt(data, i, beyond, r.first+uint16(k), out)
			} else {
				out = p.probe(data, i, r.first+uint16(k), out)
			}
		}
	}
	if to < len(data) {
		for kinds := r.at(data, to); kinds != 0; kinds &= kinds - 1 {
			k := bits.TrailingZeros8(kinds)
			out = r.probers[k].behind(data, to, r.first+uint16(k), out)
		}
	}
	return out
}

// at is the set of probers of which a run may hold the byte at i.
func (r *runs) at(data []byte, i int) uint8 {
	here := r.kinds[data[i]]
	half := r.samples[len(r.samples)-1]
	if here == 0 || i < half || i+half >= len(data) {
		return here
	}
	ahead, back := here, here
	for _, n := range r.samples {
		ahead &= r.kinds[data[i+n]]
		back &= r.kinds[data[i-n]]
	}
	return ahead | back
}

// padded looks for runs of base 64 that end before the padding whose last byte is
// at i.
func (r *runs) padded(data []byte, i int, out []anchor) []anchor {
	for pad := 0; pad < 2 && i > 0 && data[i] == '='; pad++ {
		i--
	}
	for k, p := range r.probers {
		if p.alphabet == scan.Base64 {
			out = p.probe(data, i, r.first+uint16(k), out)
		}
	}
	return out
}

var (
	alnumClass  = classOf("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
	base64Class = classOf("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+/")
	intsClass   = classOf("0123456789, \t\r\n")
)

// wordsClass is the bytes that runs of words consist of.
var wordsClass = func() (c class) {
	for i := range 256 {
		if letters[i] || separators[i] {
			c.add(byte(i))
		}
	}
	return c
}()

func classOf(s string) (c class) {
	for i := range len(s) {
		c.add(s[i])
	}
	return c
}

// Words: the shortest word of any list has three bytes (one ideogram), and the
// longest, Japanese in decomposed form, has 36.
const (
	minWord = 3
	maxWord = 36
	maxSep  = 8 // quotes, a comma, white space, a number and a stop

	// wordMargin is how far beyond a run of words its bounds depend on.
	wordMargin = maxSep + maxWord + 8
)

// wordsAt appends the run of words that holds the byte at i or begins behind it. A
// run of too many words is not looked at again as far as it was followed: words
// before beyond are part of one.
func (p *prober) wordsAt(data []byte, i, beyond int, lit uint16, out []anchor) ([]anchor, int) {
	start, end, ok := firstWord(data, i)
	if !ok || start < beyond || !p.listed(data[start:end]) {
		return out, beyond
	}
	first, end, n := p.around(data, start, end)
	if n > p.max {
		return out, end
	}
	return p.add(first, end, n, lit, out), beyond
}

// before appends the run that ends at the beginning of a region or goes on there.
// Beside the region a run of words may be bounded by one word that is in no list,
// so that two words are looked at.
func (p *prober) before(data []byte, from int, lit uint16, out []anchor) []anchor {
	if p.alphabet != scan.Words {
		return p.probe(data, from-1, lit, out)
	}
	if start, end, ok := lastWord(data, from); ok {
		if !p.listed(data[start:end]) {
			start, end, ok = previousWord(data, beginning(data, start))
		}
		if ok {
			out = p.grow(data, start, end, lit, out)
		}
	}
	return out
}

// behind is before in the other direction.
func (p *prober) behind(data []byte, to int, lit uint16, out []anchor) []anchor {
	if p.alphabet != scan.Words {
		return p.probe(data, to, lit, out)
	}
	if start, end, ok := firstWord(data, to); ok {
		if !p.listed(data[start:end]) {
			start, end, ok = nextWord(data, ending(data, end))
		}
		if ok {
			out = p.grow(data, start, end, lit, out)
		}
	}
	return out
}

// probe appends the run that holds the byte at i, if there is one.
func (p *prober) probe(data []byte, i int, lit uint16, out []anchor) []anchor {
	if !p.class.has(data[i]) || !p.mayHold(data, i) {
		return out
	}
	start, stop := i, i+1
	for start > 0 && p.class.has(data[start-1]) && i-start <= p.max {
		start--
	}
	for stop < len(data) && p.class.has(data[stop]) && stop-start <= p.max {
		stop++
	}
	if n := stop - start; n < p.min || n > p.max {
		return out
	}
	if end, ok := p.run(data, start); ok {
		out = append(out, anchor{int32(start), lit, uint16(end - start + 1)})
	}
	return out
}

// mayHold looks at a few bytes on either side of i: a run that is long enough
// reaches half its least length one way or the other.
func (p *prober) mayHold(data []byte, i int) bool {
	h := p.min / 2
	if i+h < len(data) && p.class.has(data[i+h]) && p.class.has(data[i+h/2]) && p.class.has(data[i+h/4]) && p.class.has(data[i+h*3/4]) {
		return true
	}
	return i >= h && p.class.has(data[i-h]) && p.class.has(data[i-h/2]) && p.class.has(data[i-h/4]) && p.class.has(data[i-h*3/4])
}

// run returns the end of the run that begins at start, padding included; ok is
// false if no run of a permitted length begins there.
func (p *prober) run(data []byte, start int) (end int, ok bool) {
	if start > 0 && p.class.has(data[start-1]) {
		return 0, false
	}
	end = start
	for end < len(data) && p.class.has(data[end]) && end-start <= p.max {
		end++
	}
	n := end - start
	if n < p.min || n > p.max {
		return 0, false
	}
	if p.alphabet == scan.Base64 {
		for pad := 0; pad < 2 && end < len(data) && data[end] == '='; pad++ {
			end++
		}
	}
	return end, true
}

// beginning is where the word begins of which wordAt, because it is long, has
// looked at a part that begins at i; or a place before all that a run depends on.
func beginning(data []byte, i int) int {
	for n := 0; n < wordMargin && i > 0 && letters[data[i-1]] && !ideographicSpace(data, i-3); n++ {
		i--
	}
	return i
}

// ending is beginning in the other direction.
func ending(data []byte, i int) int {
	for n := 0; n < wordMargin && i < len(data) && letters[data[i]] && !ideographicSpace(data, i); n++ {
		i++
	}
	return i
}

// listed reports whether a word stands in a list.
func (p *prober) listed(w []byte) bool { return len(w) >= minWord && len(w) <= maxWord && p.word(w) }

// grow appends the run of listed words that holds the word, if there is one.
func (p *prober) grow(data []byte, start, end int, lit uint16, out []anchor) []anchor {
	if !p.listed(data[start:end]) {
		return out
	}
	first, end, n := p.around(data, start, end)
	return p.add(first, end, n, lit, out)
}

// add appends a run of n words if a rule accepts as many.
func (p *prober) add(first, end, n int, lit uint16, out []anchor) []anchor {
	if n < p.minWords || n > p.max {
		return out
	}
	return append(out, anchor{int32(first), lit, uint16(end - first + wordMargin)})
}

// words grows the run of listed words that holds the word at start. It returns
// its first byte and its end; ok is false if it has too few or too many words.
func (p *prober) words(data []byte, start int) (first, end int, ok bool) {
	if _, end = wordAt(data, start); !p.listed(data[start:end]) {
		return start, start, false
	}
	first, end, n := p.around(data, start, end)
	return first, end, n >= p.minWords && n <= p.max
}

// around grows the run of a word that is listed, and counts its words, to one more
// than the most that a rule accepts.
func (p *prober) around(data []byte, start, stop int) (first, end, n int) {
	first, end, n = start, stop, 1
	for n <= p.max {
		s, e, found := nextWord(data, end)
		if !found || !p.listed(data[s:e]) {
			break
		}
		end = e
		n++
	}
	for n <= p.max {
		s, e, found := previousWord(data, first)
		if !found || !p.listed(data[s:e]) {
			break
		}
		first = s
		n++
	}
	return first, end, n
}

// letters are the bytes that can be part of a word. Bytes of UTF-8 sequences can;
// the ideographic space is told apart.
var letters = func() (t [256]bool) {
	for i := range t {
		b := byte(i)
		t[i] = b|0x20 >= 'a' && b|0x20 <= 'z' || b >= 0x80
	}
	return t
}()

// ideographicSpace reports whether U+3000 begins at i.
func ideographicSpace(data []byte, i int) bool {
	return i >= 0 && i+3 <= len(data) && data[i] == 0xE3 && data[i+1] == 0x80 && data[i+2] == 0x80
}

// wordAt is the word that the letter at i belongs to. Of one that is longer than
// any in a list, only a part that is also too long is looked at.
func wordAt(data []byte, i int) (start, end int) {
	if i >= 8 && i+8 <= len(data) {
		back := bits.LeadingZeros64(notLetters(binary.LittleEndian.Uint64(data[i-8:]))) / 8
		ahead := bits.TrailingZeros64(notLetters(binary.LittleEndian.Uint64(data[i:]))) / 8
		if back < 8 && ahead < 8 && data[i-back-1] < 0x80 && data[i+ahead] < 0x80 {
			return i - back, i + ahead
		}
	}
	start, end = i, i
	for start > 0 && letters[data[start-1]] && i-start <= maxWord {
		if data[start-1] == 0x80 && ideographicSpace(data, start-3) {
			break
		}
		start--
	}
	for end < len(data) && letters[data[end]] && end-start <= maxWord {
		if data[end] == 0xE3 && ideographicSpace(data, end) {
			break
		}
		end++
	}
	return start, end
}

// notLetters sets the highest bit of each of eight bytes that is no ASCII letter.
func notLetters(w uint64) uint64 {
	const each = 0x0101010101010101
	low := (w | 0x20*each) & (0x7F * each)
	least := low + (0x80-'a')*each // bit 7: at least 'a'
	more := low + (0x7F-'z')*each  // bit 7: more than 'z'
	return (^least | more | w) & (0x80 * each)
}

// skipForward moves over separators, maxSep bytes of them at most.
func skipForward(data []byte, from int) (i int, ok bool) {
	for i = from; i < len(data) && i-from <= maxSep; {
		switch {
		case separators[data[i]]:
			i++
		case data[i] == 0xE3 && ideographicSpace(data, i):
			i += 3
		default:
			return i, letters[data[i]]
		}
	}
	return i, false
}

// skipBack is skipForward in the other direction: i is behind a letter.
func skipBack(data []byte, from int) (i int, ok bool) {
	for i = from; i > 0 && from-i <= maxSep; {
		switch {
		case separators[data[i-1]]:
			i--
		case data[i-1] == 0x80 && ideographicSpace(data, i-3):
			i -= 3
		default:
			return i, letters[data[i-1]]
		}
	}
	return i, false
}

// firstWord is the word at i, or the first one after it.
func firstWord(data []byte, i int) (start, end int, ok bool) {
	for k := 1; k < 3; k++ { // not from the middle of a space
		if ideographicSpace(data, i-k) {
			i += 3 - k
			break
		}
	}
	if i, ok = skipForward(data, i); ok {
		start, end = wordAt(data, i)
	}
	return start, end, ok
}

// lastWord is the word that ends at i or goes on there, or the last one before it.
func lastWord(data []byte, i int) (start, end int, ok bool) {
	for k := 1; k < 3; k++ {
		if ideographicSpace(data, i-k) {
			i -= k
			break
		}
	}
	if i, ok = skipBack(data, i); ok {
		start, end = wordAt(data, i-1)
	}
	return start, end, ok
}

// nextWord is the word after one that ends at end, behind separators.
func nextWord(data []byte, end int) (start, stop int, ok bool) {
	i, ok := skipForward(data, end)
	if !ok || i == end {
		return 0, 0, false
	}
	start, stop = wordAt(data, i)
	return start, stop, true
}

// previousWord is the word before one that begins at start.
func previousWord(data []byte, start int) (first, end int, ok bool) {
	i, ok := skipBack(data, start)
	if !ok || i == start {
		return 0, 0, false
	}
	first, end = wordAt(data, i-1)
	return first, end, true
}

// separators are the bytes that may stand between two words of a mnemonic: white
// space, punctuation of lists and arrays, and the digits of their numbering.
var separators = func() (t [256]bool) {
	for _, b := range []byte(" \t\r\n,;.:)([]\"'-|_/+\\#*0123456789") {
		t[b] = true
	}
	return t
}()
