package rotate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/secret"
)

// Key is what the engine has to know of a key.
type Key struct {
	Name      string // ENV/NAME
	Provider  string
	Params    map[string]string
	ID        string // what the provider calls its current version
	Admin     string // the name of the key that changes are made with; empty for itself
	Current   int    // its version
	Expires   time.Time
	Next      int // the version that would be stored next
	Consumers []string
	Policy    Policy
	Rotation  string // that is open; empty if none is
}

// Policy is what a new one must not be, whatever the old one is.
type Policy struct {
	Forbidden  []string // scopes; Withdraw for moving money out, whatever a provider calls it
	RequireIPs bool     // it is bound to addresses
}

// Withdraw is the right to move money out.
const Withdraw = "withdraw"

// unseen reports whether a policy forbids what was not told of a credential.
func (p Policy) unseen(who provider.Identity) bool {
	return len(p.Forbidden) > 0 && len(who.Scopes) == 0 && !who.Withdraw
}

// allow says what a credential has that it may not have, or lacks.
func (p Policy) allow(who provider.Identity) error {
	for _, right := range p.Forbidden {
		if slices.Contains(who.Scopes, right) || right == Withdraw && who.Withdraw {
			return fmt.Errorf("it may %s, which the key's policy forbids", right)
		}
	}
	if p.RequireIPs && len(who.IPs) == 0 {
		return errors.New("it may be used from any address, and the key's policy wants a list")
	}
	return nil
}

// Change is what is said of a key at the moment when a journal is saved.
type Change struct {
	Begin   bool                    // the key is being rotated from now on
	Pending map[string]secret.Value // it has a pending version with these parts, whose number is the journal's New
	Promote bool                    // the pending version is current, and what was is previous
	Demote  bool                    // the previous version is current, and what was is pending
	ID      string                  // what the provider calls the version that becomes current
	Expires time.Time               // when that expires, if it is known
	Drop    bool                    // the pending version is gone
	Settle  bool                    // the pending version is the previous one, and what was is gone
	End     bool                    // the key is not being rotated any more
	Retire  bool                    // the previous version is gone
}

// ErrMoved says that another process went on with a rotation.
var ErrMoved = errors.New("another process has gone on with this rotation")

// Store is where keys and journals are. Errors hold no secret.
type Store interface {
	Key(ctx context.Context, name string) (Key, error)
	// Keys are all that there are.
	Keys(ctx context.Context) ([]Key, error)
	// Secrets are the parts of a version of a key.
	Secrets(ctx context.Context, name string, version int) (map[string]secret.Value, error)
	Journal(ctx context.Context, id string) (*Journal, error)
	// Hold keeps every other process, and other callers in this one, from a rotation until
	// release is called or this process ends, however it does. It does not wait: if somebody
	// else has it, the error matches ErrHeld.
	Hold(ctx context.Context, id string) (release func() error, err error)
	// Save stores a journal and changes the key, both or neither, such that it lasts. If
	// the journal's revision is not the one after that which is stored, the error matches
	// ErrMoved. A version that becomes pending was read back. Of a rotation that was over
	// before, only the journal is stored.
	Save(ctx context.Context, j *Journal, c Change) error
}

// Consumer is a place that gets the new secret.
type Consumer interface {
	// Holds returns the values that it has, by part. The error matches ErrUnreadable if
	// it never gives back what it got.
	Holds(ctx context.Context) (map[string]secret.Value, error)
	// Deliver puts the parts of to in place of those of from. If it holds neither, it is
	// left alone, and the error matches ErrDrift. Twice is as good as once. An error that
	// is an *Untouched says that nothing has changed: then it need not be taken back, which
	// may be refused as it was.
	Deliver(ctx context.Context, from, to map[string]secret.Value) error
}

// Checker is a Consumer that knows beforehand what a delivery would fail for. Check changes
// nothing that it has.
type Checker interface {
	Check(ctx context.Context) error
}

// Reloader is a Consumer that does something when it got a new secret, and is ready
// when Reload returns.
type Reloader interface {
	Reload(ctx context.Context) error
}

// The errors of consumers.
var (
	ErrUnreadable = errors.New("it does not give back what it got")
	ErrDrift      = errors.New("it holds another value than the old one and the new one")
)

// Untouched is the error of a delivery that has changed nothing, and knows it.
type Untouched struct{ Err error }

func (u *Untouched) Error() string { return u.Err.Error() }
func (u *Untouched) Unwrap() error { return u.Err }

// Process is a program that was started with a version of a key, and still runs.
type Process struct {
	PID     int
	Program string
	Started time.Time
}

// World is what the engine works with.
type World struct {
	Store    Store
	Provider func(name string) (provider.Provider, bool)
	Consumer func(key, spec string) (Consumer, error)
	// Place is where a consumer is: what of its spec stays when it is reached in another way.
	Place   func(spec string) string
	Running func(ctx context.Context, key string, version int) ([]Process, error)
	// Record puts on record what is about to be done with a key.
	Record func(ctx context.Context, verb, key string, version int, note string) error
	Now    func() time.Time

	Installation, By string
	// Origin stands for the installation in labels: see provider.Installation.
	Origin string
}

// equal compares secrets.
func equal(key []byte, a, b map[string]secret.Value) bool {
	if len(a) != len(b) {
		return false
	}
	for name, v := range a {
		w, ok := b[name]
		if !ok || v.Digest(key) != w.Digest(key) {
			return false
		}
	}
	return true
}
