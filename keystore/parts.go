package keystore

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"github.com/keywright/keywright/secret"
)

// Parts are the secrets of one version by the names of their parts.
type Parts map[string]secret.Value

// SinglePart is the name of the part of a key that has but one.
const SinglePart = "value"

// partsFormat begins an item's value.
const partsFormat = 1

// pack makes one value of all parts: a format byte, and for each part, in the order of
// their names, name and value, each behind its length (encoding/binary's uvarint).
func (p Parts) pack() secret.Value {
	b := []byte{partsFormat}
	for _, name := range slices.Sorted(maps.Keys(p)) {
		for _, field := range [][]byte{[]byte(name), p[name].Reveal()} {
			b = binary.AppendUvarint(b, uint64(len(field)))
			b = append(b, field...)
		}
	}
	v := secret.New(b)
	clear(b)
	return v
}

var errParts = errors.New("the item does not hold the parts of a key")

// unpack is the inverse of pack.
func unpack(v secret.Value) (Parts, error) {
	b := v.Reveal()
	if len(b) == 0 || b[0] != partsFormat {
		return nil, errParts
	}
	field := func() ([]byte, bool) {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return nil, false
		}
		f := b[size:][:n]
		b = b[size+int(n):]
		return f, true
	}
	parts, last := Parts{}, ""
	for b = b[1:]; len(b) > 0; {
		name, ok := field()
		if !ok || ValidPart(string(name)) != nil || len(parts) > 0 && string(name) <= last {
			return nil, errParts
		}
		value, ok := field()
		if !ok {
			return nil, errParts
		}
		last = string(name)
		parts[last] = secret.New(value)
	}
	return parts, nil
}

// Wipe overwrites the secrets.
func (p Parts) Wipe() {
	for _, v := range p {
		v.Wipe()
	}
}
