package proof

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"strconv"

	"golang.org/x/text/unicode/norm"

	"github.com/keywright/keywright/scan"
)

// Mnemonic judges a complete list of words, in order. It knows
//   - BIP-39: 12, 15, 18, 21 or 24 words of one language's list, the last bits of
//     which are the first bits of the entropy's SHA-256;
//   - Algorand: 24 words of the English list and a checksum word;
//   - Electrum: 12 or 13 words of the English list whose HMAC begins with a version;
//   - TON: 24 words of the English list with their own version rule.
//
// Words of a list without a valid checksum fail; other words are rejected, and
// so is an excerpt of a word list: words in the list's own order, or one word
// more than three times (unless the phrase is a published one).
// Words are in lower case; accents may be in any Unicode normal form.
func Mnemonic(words [][]byte) scan.Evidence {
	n := len(words)
	if n != 13 && n != 25 && (n < 12 || n > 24 || n%3 != 0) {
		return scan.Rejected
	}
	var idx [25]int
	failed := scan.Rejected
	forms := normalForms(words)
	for l := range allLists {
		if !l.indexes(idx[:n], forms) {
			continue
		}
		ev := judgeIndexes(l, idx[:n], forms, wholePhrase)
		if ev.Proof == scan.Proved {
			return ev
		}
		if !ev.Reject {
			failed = ev
		}
	}
	return failed
}

// allLists yields English first, so that the others need not be built when it
// is enough.
func allLists(yield func(*wordList) bool) {
	if !yield(english()) {
		return
	}
	for _, l := range otherLists() {
		if !yield(l) {
			return
		}
	}
}

func normalForms(words [][]byte) [][]byte {
	out := make([][]byte, len(words))
	for i, w := range words {
		out[i] = w
		if !norm.NFKD.IsNormal(w) {
			out[i] = norm.NFKD.Bytes(w)
		}
	}
	return out
}

// indexes looks all words up, and stops at the first that is not in the list.
func (l *wordList) indexes(dst []int, words [][]byte) bool {
	for i, w := range words {
		if dst[i] = l.index(w); dst[i] < 0 {
			return false
		}
	}
	return true
}

// strength says which checks a window of words deserves: those with short
// checksums hold by accident too often to be tried at every place of a run.
type strength bool

const (
	bip39Only   strength = false
	wholePhrase strength = true
)

// judgeIndexes judges words of list l by their indexes.
func judgeIndexes(l *wordList, idx []int, words [][]byte, s strength) scan.Evidence {
	if listExcerpt(idx) {
		return scan.Rejected
	}
	ev := scan.Evidence{Proof: scan.Failed, Reason: "words of the BIP-39 list, but their checksum does not match: edited or an example"}
	var known []byte
	if entropy, ok := bip39Entropy(idx); ok {
		ev = scan.Holds("BIP-39 checksum holds: " + strconv.Itoa(len(idx)) + " words, " + l.name)
		known = entropy
	} else if s == wholePhrase && l == english() {
		if other, key := otherScheme(idx, words); other.Proof == scan.Proved {
			ev, known = other, key
		}
	}
	if ev.Proof == scan.Proved {
		ev = withTestKey(ev, known)
	}
	if ev.Cap == 0 && repeats(idx) > 3 {
		return scan.Rejected
	}
	return ev
}

// otherScheme tries the schemes that share BIP-39's English list. key is what
// published test phrases are known by.
func otherScheme(idx []int, words [][]byte) (ev scan.Evidence, key []byte) {
	phrase := bytes.Join(words, []byte(" "))
	switch len(idx) {
	case 25:
		if key, ok := algorandKey(idx); ok {
			return scan.Holds("checksum word holds: Algorand, 25 words"), key
		}
	case 12, 13:
		if kind := electrumVersion(phrase); kind != "" {
			return scan.Holds("seed version holds: Electrum, " + kind), phrase
		}
	case 24:
		if tonVersion(phrase) {
			return scan.Holds("seed version holds: TON, 24 words"), phrase
		}
	}
	return scan.Evidence{}, nil
}

// bip39Entropy returns the entropy that the words stand for, false if their
// number or checksum is wrong.
func bip39Entropy(idx []int) ([]byte, bool) {
	if len(idx)%3 != 0 || len(idx) < 12 || len(idx) > 24 {
		return nil, false
	}
	var buf [34]byte // 24 words are 264 bits
	acc, n, out := 0, 0, buf[:0]
	for _, i := range idx {
		acc, n = acc<<11|i, n+11
		for n >= 8 {
			n -= 8
			out = append(out, byte(acc>>n))
			acc &= 1<<n - 1
		}
	}
	bits := len(idx) / 3 // of checksum
	check := acc         // what is left over, unless it is a whole byte
	size := len(idx) / 3 * 4
	if len(out) > size {
		check = int(out[size])
	}
	sum := sha256.Sum256(out[:size])
	return out[:size:size], check == int(sum[0]>>(8-bits))
}

// algorandKey returns the key of Algorand's 25 words: 24 little-endian words of
// 11 bits hold 32 bytes, the last holds the beginning of their SHA-512/256.
func algorandKey(idx []int) ([]byte, bool) {
	var key []byte
	acc, n := 0, 0
	for _, i := range idx[:24] {
		acc, n = acc|i<<n, n+11
		for ; n >= 8; n -= 8 {
			key = append(key, byte(acc))
			acc >>= 8
		}
	}
	if len(key) != 33 || key[32] != 0 {
		return nil, false
	}
	sum := sha512.Sum512_256(key[:32])
	return key[:32], idx[24] == (int(sum[0])|int(sum[1])<<8)&0x7ff
}

// electrumVersion names the kind of wallet of an Electrum phrase, "" if it is
// none.
func electrumVersion(phrase []byte) string {
	h := hmac.New(sha512.New, []byte("Seed version"))
	h.Write(phrase)
	sum := h.Sum(nil)
	switch {
	case sum[0] == 0x01:
		return "standard"
	case sum[0] != 0x10:
		return ""
	}
	switch sum[1] >> 4 {
	case 0:
		return "segwit"
	case 1:
		return "two-factor"
	case 2:
		return "two-factor segwit"
	}
	return ""
}

// tonVersion reports whether 24 words pass TON's rule for phrases without a
// password. One phrase in 256 does by accident.
func tonVersion(phrase []byte) bool {
	h := hmac.New(sha512.New, phrase)
	const rounds = 100000 / 256
	sum, err := pbkdf2.Key(sha512.New, string(h.Sum(nil)), []byte("TON seed version"), rounds, 64)
	return err == nil && sum[0] == 0
}

// listExcerpt reports whether the words stand in the list's own order, forwards
// or backwards, as in a copy of the list.
func listExcerpt(idx []int) bool {
	up, down := true, true
	for i := 1; i < len(idx); i++ {
		up = up && idx[i] > idx[i-1]
		down = down && idx[i] < idx[i-1]
	}
	return up || down
}

// repeats is how often the most frequent word occurs.
func repeats(idx []int) int {
	most := 0
	for i, a := range idx {
		n := 1
		for _, b := range idx[i+1:] {
			if a == b {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}
