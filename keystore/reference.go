package keystore

import (
	"bytes"

	"github.com/keywright/keywright/secret"
)

// Scheme begins a reference in a file: keywright://ENV/NAME#part.
const Scheme = "keywright://"

// Reference is how a file or a variable refers to a part of a key, or to a key.
func (r Ref) Reference() string { return Scheme + r.String() }

// IsReference reports whether a value is meant as a reference. It may still be a wrong one.
func IsReference(v secret.Value) bool { return bytes.HasPrefix(v.Reveal(), []byte(Scheme)) }

// HoldsReference reports whether a value has a reference in it, which stands for nothing
// unless it is the whole value.
func HoldsReference(v secret.Value) bool { return bytes.Contains(v.Reveal(), []byte(Scheme)) }

// ParseReference reads a value that IsReference. The error is a *NameError.
func ParseReference(v secret.Value) (Ref, error) {
	if !IsReference(v) {
		return Ref{}, &NameError{"", "reference", "it does not begin with " + Scheme}
	}
	return ParseRef(string(v.Reveal()))
}
