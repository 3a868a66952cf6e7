package proof

import (
	"encoding/binary"
	"sync"

	"github.com/tyler-smith/go-bip39/wordlists"
	"golang.org/x/text/unicode/norm"
)

// phraseWords is the words of all lists of BIP-39 that are known here, for the
// one question that is asked about some word of nearly everything scanned:
// whether it is one of them. Those without accents, which are asked for most, are
// by themselves, so that they stay in the processor's cache.
type phraseWords struct{ ascii, other keySet }

// keySet is a set of keys. A filter answers most of the time.
type keySet struct {
	filter [1 << (filterBits - 6)]uint64
	slots  []uint64 // open addressing
}

const (
	filterBits = 18
	asciiSlots = 1 << 14 // for some 10,000 words
	otherSlots = 1 << 16
)

var allPhraseWords = sync.OnceValue(func() *phraseWords {
	lists := [][]string{wordlists.English, wordlists.Spanish, wordlists.French, wordlists.Italian, wordlists.Czech,
		wordlists.Japanese, wordlists.Korean, wordlists.ChineseSimplified, wordlists.ChineseTraditional}
	p := &phraseWords{keySet{slots: make([]uint64, asciiSlots)}, keySet{slots: make([]uint64, otherSlots)}}
	for _, words := range lists {
		for _, w := range words {
			p.add(norm.NFKD.String(w))
			p.add(norm.NFC.String(w))
		}
	}
	return p
})

func (p *phraseWords) add(w string) {
	if ascii([]byte(w)) {
		p.ascii.add(wordKey([]byte(w)))
	} else {
		p.other.add(wordKey([]byte(w)))
	}
}

// wordKey is a number for a word: its bytes if they are eight at most, in lower
// case as far as they are ASCII, and a hash of 64 bits (FNV-1a) otherwise.
func wordKey(w []byte) uint64 {
	if len(w) <= 8 {
		var k uint64
		if cap(w) >= 8 {
			k = binary.LittleEndian.Uint64(w[:8]) & (1<<(8*len(w)) - 1)
		} else {
			var b [8]byte
			copy(b[:], w)
			k = binary.LittleEndian.Uint64(b[:])
		}
		return k | ^(k>>2)&0x2020202020202020&(k>>1) // bit 6 set and bit 7 not: a letter
	}
	h := uint64(14695981039346656037)
	for _, c := range w {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h | 1<<63
}

func spread(key uint64) uint64 { return key * 0x9E3779B97F4A7C15 }

func (s *keySet) add(key uint64) {
	h := spread(key)
	s.filter[h>>(64-filterBits+6)] |= 1 << (h >> (64 - filterBits) & 63)
	mask := uint64(len(s.slots) - 1)
	for i := h >> 32 & mask; ; i = (i + 1) & mask {
		if s.slots[i] == 0 || s.slots[i] == key {
			s.slots[i] = key
			return
		}
	}
}

func (s *keySet) has(key uint64) bool {
	h := spread(key)
	if s.filter[h>>(64-filterBits+6)]>>(h>>(64-filterBits)&63)&1 == 0 {
		return false
	}
	mask := uint64(len(s.slots) - 1)
	for i := h >> 32 & mask; s.slots[i] != 0; i = (i + 1) & mask {
		if s.slots[i] == key {
			return true
		}
	}
	return false
}

// IsPhraseWord reports whether w is a word of any list, in composed or decomposed
// form, and in any case as far as its letters are ASCII. It takes nanoseconds,
// does not allocate, and is safe for concurrent use; the first call builds a
// table.
func IsPhraseWord(w []byte) bool {
	switch n := len(w); {
	case n < 3 || n > maxListWord:
		return false
	case n <= 8:
		key := wordKey(w)
		if key&0x8080808080808080 == 0 {
			return allPhraseWords().ascii.has(key)
		}
		return allPhraseWords().other.has(key)
	case !ascii(w):
		return allPhraseWords().other.has(wordKey(w))
	case n > longestASCII:
		return false
	}
	return allPhraseWords().ascii.has(wordKey(w))
}

// longestASCII is the length of the longest words without an accent: the Italian
// list has some of nine letters.
const longestASCII = 9

func ascii(w []byte) bool {
	for _, c := range w {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
