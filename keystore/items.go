// Package keystore holds a developer's keys: secrets in a backend, one item for each
// version of a key, and beside them metadata that says what they are.
package keystore

import (
	"context"
	"errors"
	"fmt"

	"github.com/keywright/keywright/secret"
)

// Items holds secrets by name: the operating system's keychain, an encrypted file, or
// memory. Names are ASCII letters, digits, hyphens and dots, at most MaxItemName bytes.
// Values are any bytes, none at all included, up to MaxItem.
//
// Methods may be called concurrently, by several processes too. What a call did that
// returned an error is not known: it may still happen later. Errors match ErrNoItem, or
// are a *BackendError.
type Items interface {
	// Put stores a value, in place of the one that the name had.
	Put(ctx context.Context, name string, value secret.Value) error
	// Get returns the value of a name. The error matches ErrNoItem if there is none.
	Get(ctx context.Context, name string) (secret.Value, error)
	// Delete removes a value. That there is none is no error.
	Delete(ctx context.Context, name string) error
}

// The bounds of Items.
const (
	MaxItemName = 64
	MaxItem     = MaxValue + 64<<10 // with the names of the parts
	MaxValue    = 16 << 20          // of all parts of a key
)

// ErrNoItem says that there is no item of a name.
var ErrNoItem = errors.New("no such item")

// Trouble is why a backend did not answer as asked.
type Trouble uint8

// The troubles that a user can do something about, and the rest.
const (
	Failed    Trouble = iota // anything else: the backend's own words say what
	Absent                   // there is no such backend here
	Locked                   // it is locked, and nobody was asked to unlock it
	Dismissed                // the user was asked, and declined
	Silent                   // no answer within the time that was given
	Full                     // the value is larger than it takes, or the disk is full
	Damaged                  // what it holds is not what was put there
	Fixed                    // it can be read, and not changed
)

var troubles = [...]string{"failed", "is not there", "is locked", "was not unlocked: the request was dismissed", "did not answer in time", "has no room", "is damaged", "cannot be written"}

// String completes a sentence that begins with the backend.
func (t Trouble) String() string {
	if int(t) < len(troubles) {
		return troubles[t]
	}
	return fmt.Sprintf("Trouble(%d)", uint8(t))
}

// BackendError is trouble with a backend. It holds no secret.
type BackendError struct {
	Backend string // as users know it: "the keychain", "keys.age"
	Doing   string // "store item x"; empty if it concerns all of them
	Trouble Trouble
	Err     error // the cause in the backend's words; nil if there are none
}

// Error begins with the backend: what a user asked for is said by whoever was asked. What
// the backend was doing comes last, where the trouble does not say enough.
func (e *BackendError) Error() string {
	text := fmt.Sprintf("%s %s", e.Backend, e.Trouble)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.Doing != "" && (e.Trouble == Failed || e.Trouble == Damaged) {
		text += " (" + e.Doing + ")"
	}
	return text
}

func (e *BackendError) Unwrap() error { return e.Err }

// TroubleOf is the trouble of an error, and whether it is one of a backend at all.
func TroubleOf(err error) (Trouble, bool) {
	var b *BackendError
	if errors.As(err, &b) {
		return b.Trouble, true
	}
	return Failed, false
}

// ErrTooLarge says that a value has more than MaxItem bytes.
var ErrTooLarge = errors.New("the value is too large")

// ValidItem reports whether a name and a value are within the bounds of Items.
func ValidItem(name string, value secret.Value) error {
	if name == "" || len(name) > MaxItemName {
		return fmt.Errorf("an item's name has %d bytes, not 1 to %d", len(name), MaxItemName)
	}
	for i := range len(name) {
		if !isKeyByte(name[i]) || name[i] == '_' {
			return fmt.Errorf("an item's name holds %q", name[i])
		}
	}
	if value.Len() > MaxItem {
		return fmt.Errorf("%w: %d bytes are more than %d", ErrTooLarge, value.Len(), MaxItem)
	}
	return nil
}
