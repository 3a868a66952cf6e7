package proof

import (
	"bytes"
	"hash/crc32"
	"math/big"
	"slices"

	"github.com/keywright/keywright/scan"
)

// ed25519Order is the order of edwards25519's prime subgroup.
func ed25519Order() *big.Int {
	n, _ := new(big.Int).SetString("14def9dea2f79cd65812631a5cf5d3ed", 16)
	return n.Add(n, new(big.Int).Lsh(big.NewInt(1), 252))
}

// littleEndian reads 32 little-endian bytes.
func littleEndian(b []byte) *big.Int {
	r := slices.Clone(b)
	slices.Reverse(r)
	return new(big.Int).SetBytes(r)
}

// MoneroKey checks a Monero spend or view key: 64 hexadecimal digits of a
// little-endian number below the curve's order. Inside, the shape alone speaks
// (one value in sixteen passes), unless a part named "view" is the view key that
// Monero derives from this spend key.
func MoneroKey(c scan.Candidate) scan.Evidence {
	key, ok := decodeHexKey(c.Secret(), 32)
	if !ok {
		return scan.Rejected
	}
	order := ed25519Order()
	if allZero(key) || littleEndian(key).Cmp(order) >= 0 {
		return outsideCurve
	}
	ev := scan.Evidence{}
	if view, ok := decodeHexKey(c.Part("view"), 32); ok {
		derived := littleEndian(keccak256(key))
		if derived.Mod(derived, order).Cmp(littleEndian(view)) == 0 {
			ev = scan.Holds("the view key beside it is derived from it")
		}
	}
	return withTestKey(ev, key)
}

// MoneroMnemonic checks 25 words that stand where a Monero seed is expected. The
// last word must be the one that the CRC-32 of the others' first three letters
// points at. It needs no word list, and so holds for the languages whose words
// are told apart by three letters (English among them). It is no check for text
// without a label: a repeated word in prose may pass.
func MoneroMnemonic(c scan.Candidate) scan.Evidence {
	words := bytes.FieldsFunc(c.Secret(), func(r rune) bool {
		return r == ' ' || r == '\n' || r == '\r' || r == '\t' || r == ',' || r == '"' || r == '\''
	})
	if len(words) != 25 {
		return scan.Rejected
	}
	var heads []byte
	for i, w := range words {
		if len(w) < 4 || len(w) > 12 || !isLower(w) {
			return scan.Rejected
		}
		if i < 24 {
			heads = append(heads, w[:3]...)
		}
	}
	if !bytes.Equal(words[24], words[crc32.ChecksumIEEE(heads)%24]) {
		return scan.Fails("the checksum word does not match: edited or an example")
	}
	return withTestKey(scan.Holds("the checksum word holds: Monero seed"), bytes.Join(words, []byte(" ")))
}

// isLower reports whether all bytes are a to z.
func isLower(w []byte) bool {
	for _, ch := range w {
		if ch < 'a' || ch > 'z' {
			return false
		}
	}
	return true
}
