// Package held finds the keys that a user holds, whatever they look like: by keyed
// digests of their values, as they are and as programs encode them.
//
// Of each form of a value the window of eight bytes that is guessed hardest is
// digested to 32 bits, and so is every window of a text. Where they are equal, the
// form is undone, and an HMAC of what comes out decides. The cost for a text does not
// depend on how many keys there are. The package is pure.
package held

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"math/bits"
	"slices"
	"strings"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/proof"
	"github.com/keywright/keywright/secret"
)

const (
	// MinValue is the least bytes of a value that is looked for.
	MinValue = 8
	// maxValue is how much of a value's beginning is looked for, in bytes.
	maxValue = 4 << 10

	window  = 8  // bytes, a word of 64 bits
	macSize = 16 // of the confirming HMAC-SHA-256 is kept

	format = 1 // of digests
)

// weak reports whether a value is found where nobody put it: names, words, addresses
// and numbers stand everywhere. It is not if it is a phrase, or a text of many words,
// or if some piece of it looks drawn at random.
func weak(value []byte) bool {
	if len(value) < MinValue || proof.Placeholder(value) {
		return true
	}
	if words := len(bytes.Fields(value)); words >= minPhrase && words < len(value)/2 || passphrase(value) {
		return false
	}
	if !proof.LooksLikeIdentifier(value) && proof.LooksRandom(value) >= 0.5 {
		return false
	}
	return !slices.ContainsFunc(bytes.FieldsFunc(value, separates), func(piece []byte) bool {
		return len(piece) >= minPiece && !proof.LooksLikeIdentifier(piece) && proof.LooksRandom(piece) >= 0.5
	})
}

// passphrase reports whether a value is small words between hyphens, as 'generate' makes
// them, so many that nobody wrote them by chance.
func passphrase(value []byte) bool {
	words := bytes.Split(value, []byte("-"))
	return len(words) >= minDrawn && !slices.ContainsFunc(words, func(w []byte) bool {
		return len(w) < 3 || bytes.ContainsFunc(w, func(c rune) bool { return c < 'a' || c > 'z' })
	})
}

const (
	minDrawn  = 5  // words of a passphrase
	minPhrase = 8  // words that are not met together by chance
	minPiece  = 12 // bytes of a value that make it one of its kind
)

// separates reports whether a character stands between the pieces of an address.
func separates(c rune) bool { return strings.ContainsRune(" \t\r\n:/@?&=.,;\"'", c) }

// canonical is a value without what moving it from one file to another changes: white
// space around it, carriage returns, and the indentation of its lines.
func canonical(value []byte) []byte {
	out := make([]byte, 0, len(value))
	indent := false
	for _, c := range value {
		switch {
		case c == '\r', indent && (c == ' ' || c == '\t'):
			continue
		}
		indent = c == '\n'
		out = append(out, c)
	}
	return bytes.TrimSpace(out)
}

// begin is the part of a value that is looked for.
func begin(value []byte) []byte {
	value = bytes.TrimSpace(value)
	return bytes.TrimSpace(value[:min(len(value), maxValue)])
}

// keys are the three keys that one is made of.
type keys struct {
	mask, mul uint64
	mac       []byte
}

func keysOf(key []byte) keys {
	derive := func(purpose string) []byte {
		b, err := hkdf.Expand(sha256.New, key, purpose, sha256.Size)
		if err != nil {
			panic(err) // it is asked for too much
		}
		return b
	}
	w := derive("held keys: windows")
	return keys{binary.LittleEndian.Uint64(w), binary.LittleEndian.Uint64(w[8:]) | 1, derive("held keys: values")}
}

// tag is the digest of a window: the high and low half of a product folded together,
// as in wyhash, cut to 32 bits.
func (k *keys) tag(w uint64) uint32 {
	hi, lo := bits.Mul64(w^k.mask, k.mul)
	return uint32((hi ^ lo) >> 32)
}

// confirm is what decides whether a text is the value.
func (k *keys) confirm(value []byte) (sum [macSize]byte) {
	return confirmWith(hmac.New(sha256.New, k.mac), value)
}

func confirmWith(h hash.Hash, value []byte) (sum [macSize]byte) {
	h.Write(canonical(value))
	copy(sum[:], h.Sum(nil))
	return sum
}

// Digest is what a value is found by, of some hundred bytes; empty if the value is too
// weak to be looked for. Who has the key can try guesses at the value: keep it sealed.
func Digest(key []byte, value secret.Value) []byte {
	text := begin(value.Reveal())
	if weak(text) {
		return nil
	}
	k := keysOf(key)
	mac := k.confirm(text)
	out := append([]byte{format}, mac[:]...)
	for _, f := range formsOf(text) {
		for _, at := range f.windows() {
			out = append(out, byte(f.kind))
			out = binary.AppendUvarint(out, uint64(at))
			out = binary.AppendUvarint(out, uint64(len(f.text)))
			out = binary.LittleEndian.AppendUint32(out, k.tag(binary.LittleEndian.Uint64(f.text[at:])))
		}
		clear(f.text)
	}
	return out
}

var errDigest = errors.New("it is not a digest of a value")

// entry is a window of a form of a value.
type entry struct {
	form   form
	offset int // of the window in the form's text
	size   int // of the form's text
	value  int // index of the value
}

// parse is the inverse of Digest.
func parse(digest []byte, add func(tag uint32, e entry)) (mac [macSize]byte, err error) {
	if len(digest) < 1+macSize || digest[0] != format {
		return mac, errDigest
	}
	copy(mac[:], digest[1:])
	rest := digest[1+macSize:]
	number := func() (int, bool) {
		n, size := binary.Uvarint(rest)
		if size <= 0 || n > maxForm {
			return 0, false
		}
		rest = rest[size:]
		return int(n), true
	}
	for len(rest) > 0 {
		e := entry{form: form(rest[0])}
		rest = rest[1:]
		var ok, ok2 bool
		e.offset, ok = number()
		e.size, ok2 = number()
		if !ok || !ok2 || e.form >= forms || e.offset+window > e.size || len(rest) < 4 {
			return mac, errDigest
		}
		add(binary.LittleEndian.Uint32(rest), e)
		rest = rest[4:]
	}
	return mac, nil
}

// Value is a value that is looked for, and what it is.
type Value struct {
	Key    []byte // that the digest was made with
	Digest []byte
	Is     scan.Held
}

// Set is all that is looked for. It is immutable, and safe for concurrent use.
type Set struct {
	rounds []*round
	macs   [][macSize]byte
	values []scan.Held
	name   string

	back, ahead int
}

// round is what is looked for under one key: a text is gone through once for each.
type round struct {
	keys
	bitmap  []uint64
	shift   uint // of a tag, to its bit
	entries map[uint32][]entry
}

// bitsPerEntry keeps it rare that a window is taken for one of ours.
const (
	bitsPerEntry = 128
	minBitmap    = 16 // log2 of its bits
	maxBitmap    = 24
)

// NewSet makes a set of values.
func NewSet(values []Value) (*Set, error) {
	s := &Set{}
	var first []byte
	if len(values) > 0 {
		first = values[0].Key
	}
	name := hmac.New(sha256.New, keysOf(first).mac)
	under := map[string]*round{}
	for i, v := range values {
		r := under[string(v.Key)]
		if r == nil {
			r = &round{keys: keysOf(v.Key), entries: map[uint32][]entry{}}
			under[string(v.Key)] = r
			s.rounds = append(s.rounds, r)
		}
		mac, err := parse(v.Digest, func(tag uint32, e entry) {
			e.value = i
			if slices.Contains(r.entries[tag], e) {
				return // two spellings with one window
			}
			r.entries[tag] = append(r.entries[tag], e)
			back, ahead := e.reach()
			s.back, s.ahead = max(s.back, back), max(s.ahead, ahead)
		})
		if err != nil {
			return nil, fmt.Errorf("read the digest of %s: %w", v.Is.Key, err)
		}
		s.macs = append(s.macs, mac)
		s.values = append(s.values, v.Is)
		fmt.Fprintf(name, "%x %q\n", v.Digest, fmt.Sprint(v.Is))
	}
	s.name = hex.EncodeToString(name.Sum(nil)[:macSize])
	for _, r := range s.rounds {
		r.draw()
	}
	return s, nil
}

// draw makes the bitmap, once all entries are there.
func (r *round) draw() {
	size := min(max(minBitmap, bits.Len(uint(len(r.entries)*bitsPerEntry))), maxBitmap)
	r.bitmap, r.shift = make([]uint64, 1<<size/64), uint(32-size)
	for tag := range r.entries {
		at := tag >> r.shift
		r.bitmap[at>>6] |= 1 << (at & 63)
	}
}

// Name tells sets apart: two of one name find the same.
func (s *Set) Name() string { return s.name }

// Held is what the value of a hit is.
func (s *Set) Held(value int) scan.Held { return s.values[value] }

// Reach bounds the bytes before and from a window that decide what stands there.
func (s *Set) Reach() (back, ahead int) { return s.back, s.ahead }

// Window is how many bytes decide whether found is called.
const Window = window

// Find calls found with the position of every window that may be one of a value, and
// shares a byte with [from, to), or has bytes on both sides of it if it is empty. A
// position may come more than once, and before a lower one.
func (s *Set) Find(data []byte, from, to int, found func(at int)) {
	from, to = max(0, from-window+1), min(to, len(data)-window+1)
	if from >= to {
		return
	}
	for _, r := range s.rounds {
		r.find(data, from, to, found)
	}
}

func (r *round) find(data []byte, from, to int, found func(at int)) {
	mask, mul, shift, bitmap := r.mask, r.mul, r.shift&31, r.bitmap
	text := data[from : to+window-1]
	for len(text) >= window {
		hi, lo := bits.Mul64(binary.LittleEndian.Uint64(text)^mask, mul)
		tag := uint32((hi ^ lo) >> 32)
		if at := tag >> shift; bitmap[at>>6]>>(at&63)&1 != 0 {
			if r.entries[tag] != nil {
				found(to - len(text) + window - 1)
			}
		}
		text = text[1:]
	}
}

// Hit is a value that stands in a text.
type Hit struct {
	Value      int    // for Set.Held
	Start, End int    // of its form, in the text
	Form       string // how it is encoded; empty if it is not
	Text       []byte // the value itself, canonical
}

// At returns the values of which a window stands at a position of a text.
func (s *Set) At(data []byte, at int) (hits []Hit) {
	if at < 0 || at+window > len(data) {
		return nil
	}
	for _, r := range s.rounds {
		for _, e := range r.entries[r.tag(binary.LittleEndian.Uint64(data[at:]))] {
			start, end, text, ok := e.undo(data, at)
			if !ok || len(bytes.TrimSpace(text)) < len(text) {
				continue // values that are looked for have no white space around them
			}
			mac := r.confirm(text)
			if subtle.ConstantTimeCompare(mac[:], s.macs[e.value][:]) == 1 {
				hits = append(hits, Hit{e.value, start, end, e.form.String(), canonical(text)})
			}
		}
	}
	return hits
}
