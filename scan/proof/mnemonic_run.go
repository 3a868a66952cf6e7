package proof

import (
	"bytes"
	"iter"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/keywright/keywright/scan"
)

// MnemonicRun judges a run of words with short separators: it looks for the
// longest valid mnemonic inside (see MnemonicWindow). Without one it is rejected.
func MnemonicRun(c scan.Candidate) scan.Evidence {
	_, _, ev := MnemonicWindow(c.Secret())
	return ev
}

// MnemonicWindow finds the longest valid mnemonic in text, the first of that
// length, and returns its bytes [start, end). Words may be separated by white
// space, commas, quotes, hyphens or numbering ("1. abandon 2. ability"); the
// separators are all of one kind, except that spaces and line breaks may mix.
// Words may be in lower case, in upper case or capitalised.
//
// The checksum of twelve words holds by accident once in 16 times. So a window
// counts only where the list words end at both its sides, or a separator of
// another kind stands there (a line break, a quote); or, for BIP-39 alone, where
// the list words go on for at most three more. Without a mnemonic the evidence
// is rejected.
func MnemonicWindow(text []byte) (start, end int, ev scan.Evidence) {
	ev = scan.Rejected
	words := 0
	for run := range wordRuns(text) {
		for l := range allLists {
			from, to, found := run.longest(l, words)
			if found.Proof == scan.Proved {
				start, end, ev = run.words[from].start, run.words[to-1].end, found
				words = to - from
				break
			}
		}
	}
	return start, end, ev
}

// wordRun is a run of words of any language with acceptable separators.
type wordRun struct {
	text  []byte
	words []runWord
}

// runWord is a word's bytes and the kind of the separator before it.
type runWord struct {
	start, end int
	sep        sepKind
}

// sepKind tells separators apart. Zero is none: the first word of a run.
type sepKind uint32

const (
	sepSpace sepKind = iota + 1
	sepLine
	sepBlankLine
	sepOther // and above: by the characters that are neither white space nor digits
)

// fewestWords is the shortest mnemonic there is.
const fewestWords = 12

// maxSeparator bounds a separator, in bytes: numbering, quotes and indentation.
const maxSeparator = 40

// wordRuns yields the runs of text that have at least fewestWords words. A run
// is valid until the next one.
func wordRuns(text []byte) iter.Seq[*wordRun] {
	return func(yield func(*wordRun) bool) {
		run := wordRun{text: text}
		last := 0 // end of the word before
		for i := 0; i < len(text); {
			size, letter := letterAt(text[i:])
			if !letter {
				i += size
				continue
			}
			start := i
			for i < len(text) {
				if size, letter = letterAt(text[i:]); !letter {
					break
				}
				i += size
			}
			sep := separator(text[last:start])
			if sep == 0 || i-start > maxListWord {
				if len(run.words) >= fewestWords && !yield(&run) {
					return
				}
				run.words = run.words[:0]
			}
			if i-start <= maxListWord {
				run.words = append(run.words, runWord{start, i, sep})
				last = i
			} else {
				last = start // an overlong word ends a run: no separator contains letters
			}
		}
		if len(run.words) >= fewestWords {
			yield(&run)
		}
	}
}

// letterAt reports whether b begins with a letter or a combining mark, and how
// many bytes that rune has.
func letterAt(b []byte) (size int, letter bool) {
	if ch := b[0]; ch < utf8.RuneSelf {
		return 1, 'a' <= ch|0x20 && ch|0x20 <= 'z'
	}
	r, size := utf8.DecodeRune(b)
	return size, unicode.IsLetter(r) || unicode.IsMark(r)
}

// separator returns the kind of the bytes between two words, zero if they cannot
// stand inside a mnemonic.
func separator(b []byte) sepKind {
	if len(b) == 0 || len(b) > maxSeparator {
		return 0
	}
	lines, digits, hash := 0, false, uint32(2166136261)
	other := false
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		i += size
		switch {
		case r == '\n':
			lines++
		case r == '\r' || r == '\t' || r == ' ' || r == '\u00a0' || r == '\u3000':
		case '0' <= r && r <= '9':
			digits = true
		case r < utf8.RuneSelf && bytes.IndexByte([]byte(",;'\"`.):-_|/*"), byte(r)) >= 0:
			other = true
			hash = (hash ^ uint32(r)) * 16777619
		default:
			return 0
		}
	}
	switch {
	case digits && !other:
		return sepOther
	case digits:
		return sepKind(hash&^1) | sepOther
	case other:
		return sepKind(hash) | sepOther | 1
	case lines == 0:
		return sepSpace
	case lines == 1:
		return sepLine
	}
	return sepBlankLine
}

// longest finds the longest mnemonic of l in the run that has more than atLeast
// words, as a range of words. Without one the evidence is not proved.
func (r *wordRun) longest(l *wordList, atLeast int) (from, to int, ev scan.Evidence) {
	var idx []int
	for start := 0; start+fewestWords <= len(r.words); {
		// Every window has a word at one of these places.
		if l.index(r.form(start+fewestWords-1)) < 0 {
			start += fewestWords
			continue
		}
		first := start + fewestWords - 1
		for first > start && l.index(r.form(first-1)) >= 0 {
			first--
		}
		idx = idx[:0]
		for i := first; i < len(r.words); i++ {
			n := l.index(r.form(i))
			if n < 0 {
				break
			}
			idx = append(idx, n)
		}
		s := segment{run: r, list: l, first: first, idx: idx}
		if f, t, found := s.longest(atLeast); found.Proof == scan.Proved {
			from, to, ev, atLeast = first+f, first+t, found, t-f
		}
		start = first + len(idx)
	}
	return from, to, ev
}

// form is the run's i-th word as word lists write it.
func (r *wordRun) form(i int) []byte {
	w := r.text[r.words[i].start:r.words[i].end]
	if 'A' <= w[0] && w[0] <= 'Z' {
		if lower := bytes.ToLower(w); bytes.Equal(w[1:], lower[1:]) || bytes.Equal(w, bytes.ToUpper(w)) {
			return lower
		}
	}
	if !norm.NFKD.IsNormal(w) {
		return norm.NFKD.Bytes(w)
	}
	return w
}

// segment is a part of a run all of whose words are in one list.
type segment struct {
	run   *wordRun
	list  *wordList
	first int   // the run's index of the first word
	idx   []int // the words' indexes in the list
}

// slack is how many words more than a mnemonic a segment may have for windows
// without a boundary: a label or a comment beside the phrase may happen to be of
// list words.
const slack = 3

func (s *segment) longest(atLeast int) (from, to int, ev scan.Evidence) {
	lengths := [...]int{25, 24, 21, 18, 15, 13, 12}
	for _, strength := range []strength{wholePhrase, bip39Only} {
		for _, n := range lengths {
			if n <= atLeast || n > len(s.idx) || strength == bip39Only && len(s.idx) > n+slack {
				continue
			}
			for i := 0; i+n <= len(s.idx); i++ {
				if strength == wholePhrase && !s.bounded(i, i+n) || strength == bip39Only && !s.even(i, i+n) {
					continue
				}
				if ev := judgeIndexes(s.list, s.idx[i:i+n], s.forms(i, i+n, strength), strength); ev.Proof == scan.Proved {
					return i, i + n, ev
				}
			}
		}
	}
	return 0, 0, scan.Rejected
}

// forms are the words of a window; only the schemes beside BIP-39 need them.
func (s *segment) forms(i, j int, str strength) [][]byte {
	if str == bip39Only || s.list.name != "English" {
		return nil
	}
	out := make([][]byte, 0, 25)
	for k := i; k < j; k++ {
		out = append(out, s.run.form(s.first+k))
	}
	return out
}

func (s *segment) sep(i int) sepKind { return s.run.words[s.first+i].sep }

// even reports whether the separators inside a window are of one kind, or white
// space without blank lines.
func (s *segment) even(i, j int) bool {
	kind := s.sep(i + 1)
	for k := i + 2; k < j; k++ {
		if s.sep(k) != kind && (s.sep(k) > sepLine || kind > sepLine) {
			return false
		}
	}
	return true
}

// bounded reports whether a window has even separators and other ones, or none,
// at its sides.
func (s *segment) bounded(i, j int) bool {
	inside := s.sep(i + 1)
	// The common case first: in the middle of a line nothing is a boundary.
	if i > 0 && s.sep(i) == inside || !s.even(i, j) {
		return false
	}
	mixed := false
	for k := i + 2; k < j; k++ {
		mixed = mixed || s.sep(k) != inside
	}
	open := func(at int) bool {
		sep := s.sep(at)
		return sep != inside && !(mixed && sep <= sepLine)
	}
	return (i == 0 || open(i)) && (j == len(s.idx) || open(j))
}
