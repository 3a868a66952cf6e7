// Package packfile reads Git packs: single objects by id, and whole packs along
// their delta chains.
package packfile

import (
	"encoding/hex"
	"fmt"
)

// Size is the number of bytes of an object id.
const Size = 20

// ID names a Git object: the SHA-1 of its header and content.
type ID [Size]byte

// String returns 40 lower-case hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether id is the null id, which names no object.
func (id ID) IsZero() bool { return id == ID{} }

// ParseID reads 40 hexadecimal digits of either case.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 2*Size {
		return ID{}, fmt.Errorf("object id of %d digits: want %d", len(s), 2*Size)
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ID{}, fmt.Errorf("object id: %w", err)
	}
	return id, nil
}

// Type is the kind of a Git object, numbered as in packs.
type Type uint8

// The kinds of objects. The zero value is none of them.
const (
	Commit Type = 1
	Tree   Type = 2
	Blob   Type = 3
	Tag    Type = 4
)

var typeNames = [...]string{Commit: "commit", Tree: "tree", Blob: "blob", Tag: "tag"}

// String returns the word that object headers use.
func (t Type) String() string {
	if t >= Commit && int(t) < len(typeNames) {
		return typeNames[t]
	}
	return fmt.Sprintf("Type(%d)", uint8(t))
}

// ParseType is the inverse of String.
func ParseType(s string) (Type, error) {
	for i, name := range typeNames {
		if i > 0 && name == s {
			return Type(i), nil
		}
	}
	return 0, fmt.Errorf("unknown object type %q", s)
}
