package proof

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"

	"github.com/keywright/keywright/scan"
)

// A testKey is a key that the whole world has: a development chain's account, a
// test vector. It is kept as the first eight bytes of the SHA-256 of the raw key
// (of the entropy, for a mnemonic), so that this file trips nobody's scanner.
// That many bits leave no room for an accident.
type testKey struct {
	sum  uint64
	name string
}

// KnownTestKey names the publication that raw key material (32 bytes, or the
// entropy of a mnemonic) is known from; ok is false if it is known from none.
// Numbers below 256 and bytes in a plain pattern are known too.
func KnownTestKey(key []byte) (name string, ok bool) {
	if len(key) < 16 {
		return "", false
	}
	if last := len(key) - 1; allZero(key[:last]) {
		return "the number " + strconv.Itoa(int(key[last])), true
	}
	if patterned(key) {
		return "bytes in a plain pattern", true
	}
	digest := sha256.Sum256(key)
	sum := binary.BigEndian.Uint64(digest[:])
	i, found := slices.BinarySearchFunc(testKeys[:], sum, func(k testKey, sum uint64) int {
		switch {
		case k.sum < sum:
			return -1
		case k.sum > sum:
			return 1
		}
		return 0
	})
	if !found {
		return "", false
	}
	return testKeys[i].name, true
}

// patterned reports whether b repeats within eight bytes or counts in equal
// steps. A random key of 16 bytes does so once in 2^64.
func patterned(b []byte) bool {
	for period := 1; period <= 8; period++ {
		if slices.Equal(b[period:], b[:len(b)-period]) {
			return true
		}
	}
	for i := 2; i < len(b); i++ {
		if b[i]-b[i-1] != b[1]-b[0] {
			return false
		}
	}
	return true
}

// withTestKey caps the evidence of a key that is known to the whole world, and
// says where it is from.
func withTestKey(ev scan.Evidence, key []byte) scan.Evidence {
	if name, ok := KnownTestKey(key); ok {
		ev.Reason = "published test key: " + name
		ev.Cap = scan.Low
	}
	return ev
}
