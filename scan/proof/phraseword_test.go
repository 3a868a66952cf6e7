package proof

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tyler-smith/go-bip39/wordlists"
	"golang.org/x/text/unicode/norm"
)

var update = flag.Bool("update", false, "rewrite what is made from the lists of words")

// publishedLists are the lists as they are published.
func publishedLists() []*wordList {
	return []*wordList{
		{name: "English", words: wordlists.English},
		{name: "Spanish", words: wordlists.Spanish},
		{name: "French", words: wordlists.French},
		{name: "Italian", words: wordlists.Italian},
		{name: "Czech", words: wordlists.Czech},
		{name: "Japanese", words: wordlists.Japanese},
		{name: "Korean", words: wordlists.Korean},
		{name: "Chinese (simplified)", words: wordlists.ChineseSimplified},
		{name: "Chinese (traditional)", words: wordlists.ChineseTraditional},
	}
}

// TestPhraseTable fails when the compiled-in table is not what the lists give.
func TestPhraseTable(t *testing.T) {
	all := map[bool]map[uint64]bool{true: {}, false: {}}
	var lines strings.Builder
	for _, l := range publishedLists() {
		lines.WriteString(l.name + ":")
		for _, w := range l.words {
			lines.WriteString(" " + norm.NFKD.String(w))
			for _, form := range []norm.Form{norm.NFKD, norm.NFC} {
				key := wordKey(form.Bytes([]byte(w)))
				all[ascii(form.Bytes([]byte(w)))][key] = true
			}
		}
		lines.WriteByte('\n')
	}
	want := appendKeySet(nil, t, all[true], asciiSlots)
	want = appendKeySet(want, t, all[false], otherSlots)
	if *update {
		err := errors.Join(os.WriteFile("phrasewords.bin", want, 0o644), os.WriteFile("mnemonicwords.txt", []byte(lines.String()), 0o644))
		if err != nil {
			t.Fatal(err)
		}
		t.Skip("written")
	}
	if !bytes.Equal(phraseTable, want) || listText != lines.String() {
		t.Error("phrasewords.bin or mnemonicwords.txt is stale: run go test ./scan/proof -run PhraseTable -update")
	}
}

// appendKeySet appends a filter and slots. The keys enter in their own order, so
// that the table is the same each time.
func appendKeySet(b []byte, t *testing.T, keys map[uint64]bool, n int) []byte {
	t.Helper()
	if 2*n < 3*len(keys) || keys[0] {
		t.Fatalf("%d keys are too many for %d slots, or one is zero", len(keys), n)
	}
	filter, slots := make([]byte, filterSize), make([]uint64, n)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		h := spread(key)
		filter[h>>(64-filterBits+3)] |= 1 << (h >> (64 - filterBits) & 7)
		i := int(h >> 32)
		for slots[i&(n-1)] != 0 {
			i++
		}
		slots[i&(n-1)] = key
	}
	b = append(b, filter...)
	for _, key := range slots {
		b = binary.LittleEndian.AppendUint64(b, key)
	}
	return b
}

func TestIsPhraseWord(t *testing.T) {
	for _, list := range publishedLists() {
		for _, w := range list.words {
			if !IsPhraseWord([]byte(w)) {
				t.Errorf("%q is a word of a list", w)
			}
		}
	}
	for _, w := range wordlists.English {
		if !IsPhraseWord([]byte(strings.ToUpper(w))) || !IsPhraseWord([]byte(strings.ToUpper(w[:1])+w[1:])) {
			t.Errorf("%q is a word in capitals too", w)
		}
	}
	for _, w := range []string{"", "a", "the", "function", "abandons", "abandonabandon", "zo", "zoos", "ab\x00", "[bandon", "{bandon", "acti@n", "été"} {
		if IsPhraseWord([]byte(w)) {
			t.Errorf("%q is no word of a list", w)
		}
	}
}
