package match

import "github.com/keywright/keywright/scan"

// A prober finds the maximal runs of an alphabet that can hold a run rule's
// secret. It looks at one byte in every stride, the shortest length that any of
// its rules accepts, and grows a hit in both directions.
type prober struct {
	alphabet scan.Alphabet
	class    class
	min, max int // bytes; for Words, max counts words
	minWords int
	word     func([]byte) bool
	rules    []int // indexes into Engine.rules
}

var (
	alnumClass  = classOf("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
	base64Class = classOf("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+/")
	intsClass   = classOf("0123456789, \t\r\n")
)

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

// find appends an anchor for every run that shares a byte, or a boundary, with
// [from, to). One run may be appended several times.
func (p *prober) find(data []byte, from, to int, lit uint16, out []anchor) []anchor {
	stride, margin := p.min, p.min+3 // a run's bounds reach beyond its padding
	if p.alphabet == scan.Words {
		margin = stride + wordMargin
	}
	i, end := max(0, from-margin), min(len(data), to+margin)
	if p.alphabet == scan.Words {
		return p.findWords(data, i, end, lit, out)
	}
	for i += min(stride-1, max(0, end-i-1)); i < end; i += stride {
		if !p.class.has(data[i]) {
			continue
		}
		start, stop := i, i+1
		for start > 0 && p.class.has(data[start-1]) && i-start <= p.max {
			start--
		}
		for stop < len(data) && p.class.has(data[stop]) && stop-start <= p.max {
			stop++
		}
		if n := stop - start; n < p.min || n > p.max {
			continue
		}
		if end, ok := p.run(data, start); ok {
			out = append(out, anchor{int32(start), lit, uint16(end - start + 1)})
		}
	}
	return out
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

// findWords probes for runs of words of a list.
func (p *prober) findWords(data []byte, i, end int, lit uint16, out []anchor) []anchor {
	for i += min(p.min-1, max(0, end-i-1)); i < end; i += p.min {
		at := i
		for n := 0; at < len(data) && n <= maxSep && !letter(data[at]); n++ {
			at++
		}
		if at >= len(data) || !letter(data[at]) {
			continue
		}
		start, stop, ok := wordAt(data, at)
		if !ok || !p.word(data[start:stop]) {
			continue
		}
		if first, end, ok := p.words(data, start); ok {
			out = append(out, anchor{int32(first), lit, uint16(end - first + wordMargin)})
		}
	}
	return out
}

// words grows the run of listed words that holds the word at start. It returns
// its first byte and its end; ok is false if it has too few or too many words.
func (p *prober) words(data []byte, start int) (first, end int, ok bool) {
	first, end, n := start, start, 0
	for n <= p.max {
		s, e, found := nextWord(data, end, n == 0)
		if !found || !p.word(data[s:e]) {
			break
		}
		end = e
		n++
	}
	for n <= p.max {
		s, e, found := previousWord(data, first)
		if !found || !p.word(data[s:e]) {
			break
		}
		first = s
		n++
	}
	return first, end, n >= p.minWords && n <= p.max
}

// letter reports whether b can be part of a word. Bytes of UTF-8 sequences can;
// the ideographic space is told apart by separator.
func letter(b byte) bool { return b|0x20-'a' < 26 || b >= 0x80 }

// ideographicSpace reports whether U+3000 begins at i.
func ideographicSpace(data []byte, i int) bool {
	return i >= 0 && i+3 <= len(data) && data[i] == 0xE3 && data[i+1] == 0x80 && data[i+2] == 0x80
}

// wordAt is the word that the letter at i belongs to.
func wordAt(data []byte, i int) (start, end int, ok bool) {
	start, end = i, i
	for start > 0 && letter(data[start-1]) && !ideographicSpace(data, start-3) && i-start <= maxWord {
		start--
	}
	for end < len(data) && letter(data[end]) && !ideographicSpace(data, end) && end-start <= maxWord {
		end++
	}
	return start, end, end-start >= minWord && end-start <= maxWord
}

// nextWord is the first word after end, at most maxSep bytes away.
func nextWord(data []byte, end int, here bool) (start, stop int, ok bool) {
	i := end
	for !here || i > end {
		if ideographicSpace(data, i) {
			i += 3
		} else if i < len(data) && separator(data[i]) {
			i++
		} else {
			break
		}
		if i-end > maxSep {
			return 0, 0, false
		}
	}
	if i >= len(data) || !letter(data[i]) || !here && i == end {
		return 0, 0, false
	}
	return wordAt(data, i)
}

// previousWord is the last word before start, at most maxSep bytes away.
func previousWord(data []byte, start int) (first, end int, ok bool) {
	i := start
	for {
		if ideographicSpace(data, i-3) {
			i -= 3
		} else if i > 0 && separator(data[i-1]) {
			i--
		} else {
			break
		}
		if start-i > maxSep {
			return 0, 0, false
		}
	}
	if i == start || i == 0 || !letter(data[i-1]) {
		return 0, 0, false
	}
	return wordAt(data, i-1)
}

// separator reports whether b may stand between two words of a mnemonic: white
// space, punctuation of lists and arrays, and the digits of their numbering.
func separator(b byte) bool {
	switch b {
	case ' ', '\t', '\r', '\n', ',', ';', '.', ':', ')', '(', '[', ']', '"', '\'', '-', '|', '_', '/', '+', '\\', '#', '*':
		return true
	}
	return '0' <= b && b <= '9'
}
