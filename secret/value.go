// Package secret holds confidential bytes so that they cannot be printed by
// accident, and compares them by keyed digest only.
package secret

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Value is a secret. Every way of printing or encoding it gives "[redacted]";
// Reveal alone gives the bytes. The zero Value is empty. The bytes lie behind two
// pointers: fmt cannot call methods on values in unexported fields, and follows one
// pointer to a slice there when the verb does not fit ("%s"), but never two.
type Value struct{ p **[]byte }

// New returns a Value with a copy of b.
func New(b []byte) Value {
	c := append([]byte(nil), b...)
	p := &c
	return Value{&p}
}

// Reveal returns the bytes themselves, not a copy. Whoever calls it must not
// print, log, keep or wrap them in an error.
func (v Value) Reveal() []byte {
	if v.p == nil {
		return nil
	}
	return **v.p
}

// Len is the number of bytes.
func (v Value) Len() int { return len(v.Reveal()) }

// IsZero reports whether there is no secret.
func (v Value) IsZero() bool { return v.Len() == 0 }

// Wipe overwrites the bytes. Copies made by Reveal's callers are not reached.
func (v Value) Wipe() { clear(v.Reveal()) }

// Digest is the HMAC-SHA-256 of the secret under key. It is the only way to
// compare two values: equal digests under one key mean equal secrets.
func (v Value) Digest(key []byte) [sha256.Size]byte {
	h := hmac.New(sha256.New, key)
	h.Write(v.Reveal())
	return [sha256.Size]byte(h.Sum(nil))
}

// String, GoString, Format, MarshalJSON, MarshalText and LogValue redact.
func (v Value) String() string { return redacted }

// GoString redacts.
func (v Value) GoString() string { return redacted }

// Format redacts for every verb and flag.
func (v Value) Format(f fmt.State, verb rune) { io.WriteString(f, redacted) }

// MarshalJSON redacts.
func (v Value) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText redacts.
func (v Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue redacts.
func (v Value) LogValue() slog.Value { return slog.StringValue(redacted) }
