package proof

import (
	_ "embed"
	"hash/maphash"
	"strings"
	"sync"

	"golang.org/x/text/unicode/norm"
)

// wordList is one language's list of BIP-39 with a hash table over it.
type wordList struct {
	name  string
	words []string // in the list's order
	seed  maphash.Seed
	// slots holds indexes plus one, found by open addressing; it is a quarter
	// full, so that a word that is in no list is known after one or two probes.
	slots [8192]uint16
}

func newWordList(name string, words []string) *wordList {
	l := &wordList{name: name, words: words, seed: maphash.MakeSeed()}
	for i, w := range words {
		h := l.hash([]byte(w))
		for l.slots[h] != 0 {
			h = (h + 1) % uint32(len(l.slots))
		}
		l.slots[h] = uint16(i + 1)
	}
	return l
}

func (l *wordList) hash(w []byte) uint32 {
	return uint32(maphash.Bytes(l.seed, w) % uint64(len(l.slots)))
}

// index returns the place of w in the list, -1 if it is not in it. w must be in
// the list's own form: lower case, NFKD.
func (l *wordList) index(w []byte) int {
	for h := l.hash(w); l.slots[h] != 0; h = (h + 1) % uint32(len(l.slots)) {
		if i := int(l.slots[h]) - 1; l.words[i] == string(w) {
			return i
		}
	}
	return -1
}

// listText is the lists of BIP-39 in NFKD, a line each: the language, then its words.
// It is made from the module that keeps them (`go test ./scan/proof -run PhraseTable
// -update`), which builds slices of all of them whenever a program starts. Portuguese
// is missing there.
//
//go:embed mnemonicwords.txt
var listText string

// english is built when the first word is asked about.
var english = sync.OnceValue(func() *wordList {
	line, _, _ := strings.Cut(listText, "\n")
	return parseWordList(line)
})

// otherLists are the languages beside English.
var otherLists = sync.OnceValue(func() (lists []*wordList) {
	_, others, _ := strings.Cut(listText, "\n")
	for line := range strings.Lines(others) {
		lists = append(lists, parseWordList(strings.TrimSuffix(line, "\n")))
	}
	return lists
})

func parseWordList(line string) *wordList {
	name, words, _ := strings.Cut(line, ": ")
	return newWordList(name, strings.Split(words, " "))
}

// IsWord reports whether w is a word of BIP-39's English list, in lower case. It
// is fast (tens of nanoseconds, no allocation) and safe for concurrent use; the
// first call builds a table.
func IsWord(w []byte) bool {
	return len(w) >= 3 && len(w) <= 8 && w[0] >= 'a' && w[0] <= 'z' && english().index(w) >= 0
}

// IsAnyWord reports whether w is a word of any of BIP-39's lists that are known
// here (all but Portuguese), in lower case and in any Unicode normal form.
func IsAnyWord(w []byte) bool {
	if IsWord(w) {
		return true
	}
	if len(w) == 0 || len(w) > maxListWord {
		return false
	}
	if !norm.NFKD.IsNormal(w) {
		w = norm.NFKD.Bytes(w)
	}
	for _, l := range otherLists() {
		if l.index(w) >= 0 {
			return true
		}
	}
	return false
}

// maxListWord bounds a word of any list, in bytes: eight syllables of Hangul, each up
// to three letters of three bytes, would be 72.
const maxListWord = 72
