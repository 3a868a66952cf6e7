package proof

import (
	"strings"
	"testing"

	"github.com/tyler-smith/go-bip39/wordlists"
)

func TestIsPhraseWord(t *testing.T) {
	for _, list := range [][]string{wordlists.English, wordlists.Spanish, wordlists.French, wordlists.Italian, wordlists.Czech,
		wordlists.Japanese, wordlists.Korean, wordlists.ChineseSimplified, wordlists.ChineseTraditional} {
		for _, w := range list {
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
