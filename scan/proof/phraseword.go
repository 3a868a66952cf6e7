package proof

import (
	_ "embed"
	"encoding/binary"
)

// phraseTable is the words of all lists of BIP-39 that are known here, for the one
// question that is asked about some word of nearly everything scanned: whether it
// is one of them. Building it would take longer than scanning a small file: a test
// makes it and keeps it true (`go test ./scan/proof -run PhraseTable -update`).
// Those without accents, which are asked for most, are by themselves, so that they
// stay in the processor's cache.
//
//go:embed phrasewords.bin
var phraseTable []byte

var (
	asciiWords = keySet{phraseTable[:filterSize], phraseTable[filterSize:][:asciiSlots*8]}
	otherWords = keySet{phraseTable[filterSize+asciiSlots*8:][:filterSize], phraseTable[2*filterSize+asciiSlots*8:][:otherSlots*8]}
)

// keySet is a set of keys, as numbers of eight bytes with the lowest first. A
// filter, a bit for each hash, answers most of the time; slots are open addressing.
type keySet struct{ filter, slots []byte }

const (
	filterBits = 18
	filterSize = 1 << filterBits / 8
	asciiSlots = 1 << 14 // for some 10,000 words
	otherSlots = 1 << 15 // for some 15,000
)

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

func (s *keySet) has(key uint64) bool {
	h := spread(key)
	if s.filter[h>>(64-filterBits+3)]>>(h>>(64-filterBits)&7)&1 == 0 {
		return false
	}
	for i := h >> 32; ; i++ {
		switch binary.LittleEndian.Uint64(s.slots[i*8&uint64(len(s.slots)-1):]) {
		case key:
			return true
		case 0:
			return false
		}
	}
}

// IsPhraseWord reports whether w is a word of any list, in composed or decomposed
// form, and in any case as far as its letters are ASCII. It takes nanoseconds,
// does not allocate, and is safe for concurrent use.
func IsPhraseWord(w []byte) bool {
	switch n := len(w); {
	case n < 3 || n > maxListWord:
		return false
	case n <= 8:
		key := wordKey(w)
		if key&0x8080808080808080 == 0 {
			return asciiWords.has(key)
		}
		return otherWords.has(key)
	case !ascii(w):
		return otherWords.has(wordKey(w))
	case n > longestASCII:
		return false
	}
	return asciiWords.has(wordKey(w))
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
