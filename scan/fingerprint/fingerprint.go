// Package fingerprint names secrets without giving them away. A fingerprint is the
// same on every machine for the same secret in the same repository, and says
// nothing in another: it is keyed by a salt that belongs to the repository.
//
// The salt is public to whoever has the repository, so a fingerprint lets such a
// person check a guess. Against a random token that is worth nothing. For a value
// that could be guessed (see Bits) each guess costs one argon2id: no more is
// claimed.
//
// # Format k1
//
// With HMAC short for HMAC-SHA-256 and || for concatenation:
//
//	key = HMAC(salt, "keywright fingerprint k1")
//	tag = HMAC(key, 0x01 || value)                          if Bits(value) >= 64
//	tag = HMAC(key, 0x02 || argon2id(value, HMAC(key, 0x00))) otherwise
//
// argon2id (RFC 9106) makes 32 bytes in 1 pass over 19 MiB with 1 lane, 10 to
// 20 ms. The fingerprint is "k1:" and the first 16 bytes of the tag in hexadecimal.
package fingerprint

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"math/bits"
	"sync"

	"golang.org/x/crypto/argon2"

	"github.com/keywright/keywright/secret"
)

// Prefix begins every fingerprint of this version.
const Prefix = "k1:"

const (
	tagSize = 16

	// Changing any of these changes fingerprints, and asks for a new Prefix.
	strongBits   = 64
	argonPasses  = 1
	argonMemory  = 19 << 10 // KiB
	argonLanes   = 1
	argonKeySize = 32

	labelSalt   = 0x00
	labelStrong = 0x01
	labelWeak   = 0x02
)

// Maker makes the fingerprints of one repository. It is safe for concurrent use;
// weak values are stretched one after the other, to bound memory.
type Maker struct {
	key []byte
	mu  sync.Mutex
}

// New returns a Maker for a salt: the repository's id, the id of its root commit,
// or random bytes that stay with this clone. The salt is not kept.
func New(salt []byte) *Maker {
	return &Maker{key: mac(salt, []byte("keywright fingerprint k1"))}
}

// Of returns the fingerprint of the confidential part of a finding. The rule that
// found it, and the other parts, make no difference. It takes a microsecond, or
// about 20 ms if the value could be guessed.
func (m *Maker) Of(v secret.Value) string {
	value := v.Reveal()
	var tag []byte
	if Bits(value) >= strongBits {
		tag = mac(m.key, []byte{labelStrong}, value)
	} else {
		tag = mac(m.key, []byte{labelWeak}, m.stretch(value))
	}
	return Prefix + hex.EncodeToString(tag[:tagSize])
}

func (m *Maker) stretch(value []byte) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return argon2.IDKey(value, mac(m.key, []byte{labelSalt}), argonPasses, argonMemory, argonLanes, argonKeySize)
}

func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// Bits estimates, low rather than high, how many bits a guesser must get right.
// Every byte counts as the logarithm of the number of distinct bytes in the value,
// but one that goes on from the byte before as people's words, dates and keyboards
// do counts as 1.5 bits, what a letter of English text is worth: a lower-case
// letter after a letter, a capital after a capital, a byte that repeats its
// predecessor or stands next to it. So 20 random hexadecimal digits are strong,
// and "correct horse battery staple" is not. An estimate that is too low costs
// time; one that is too high would give a weak secret away.
//
// It counts in hundredths of a bit: sums of floating-point numbers may differ
// between processors, and fingerprints must not.
func Bits(value []byte) int {
	if len(value) == 0 {
		return 0
	}
	each := centibits(distinct(value))
	sum := 0
	for i, c := range value {
		if i > 0 && goesOn(value[i-1], c) {
			sum += min(each, wordCentibits)
		} else {
			sum += each
		}
	}
	return sum / 100
}

const wordCentibits = 150

func goesOn(before, c byte) bool {
	lower, upper := 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z'
	afterLower, afterUpper := 'a' <= before && before <= 'z', 'A' <= before && before <= 'Z'
	return lower && (afterLower || afterUpper) || upper && afterUpper ||
		c == before || c == before+1 || c+1 == before
}

func distinct(value []byte) int {
	n := 0
	for c := range 256 {
		if bytes.IndexByte(value, byte(c)) >= 0 {
			n++
		}
	}
	return n
}

// centibits is 100·log2(n), rounded down, for n in [1, 256]. Squaring doubles a
// logarithm, so each squaring of x in [1, 2) yields one more binary digit.
func centibits(n int) int {
	const one, digits = 1 << 31, 16
	whole := bits.Len(uint(n)) - 1
	x := uint64(n) * one >> whole
	frac := 0
	for range digits {
		x = x * x / one
		frac <<= 1
		if x >= 2*one {
			x /= 2
			frac |= 1
		}
	}
	return whole*100 + frac*100>>digits
}
