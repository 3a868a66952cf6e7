// Package keychain keeps secrets in the operating system's keychain, through
// go-keyring: macOS Keychain, Windows Credential Manager, and the Secret Service on
// Linux and BSD. Other tools find an item under the service "keywright", with the
// item's name as the user.
//
// The library has no time limits, waits for ever on a prompt that nobody answers,
// panics when the session bus goes away, and takes a dismissed prompt for a success.
// Here each call ends within its deadline, and what was written is read back.
//
// Text of up to 2,048 bytes is stored as it is, other bytes encoded. What is larger
// is sealed, as some systems could not hold it whole: the keychain has a key made for
// this value, and a file has the value, encrypted with it.
package keychain

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/keywright/keywright/internal/durable"
	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/secret"
)

// Options are what a Keychain needs to know.
type Options struct {
	// Dir is the directory for sealed values, made when first needed. All processes
	// that use the keychain must name the same one.
	Dir string
	// Disk is the one that Dir is on.
	Disk durable.Disk
	// Timeout is how long each method may take, a user's typing of a password
	// included. 0 means a minute.
	Timeout time.Duration
	// Waiting, if not nil, is called once in a method that has taken a second: the
	// system may be asking for a password. The method goes on when Waiting returns.
	Waiting func()
	// NoPrompt makes a locked keychain an error instead of a question to the user.
	// Only the Secret Service says beforehand that it would ask.
	NoPrompt bool
}

// Name is what users know the backend as.
const Name = "the keychain"

const (
	service = "keywright"

	defaultTimeout = time.Minute
	waitingAfter   = time.Second

	lockFile  = "lock"
	lockRetry = 10 * time.Millisecond
	dirPerm   = 0o700

	// maxReads is how many reads may go on at once.
	maxReads = 5

	// maxTries bounds what depends on others leaving an item alone for a moment.
	maxTries = 20
)

// Keychain is a keystore.Items: have one for a process. It calls the operating system
// once at a time, but that several reads may go on where the last call showed that it
// is open and asks for nothing. Methods may be called concurrently.
type Keychain struct {
	options Options
	library library
	watch   watcher
	turn    chan struct{} // is held while tokens are taken
	slot    chan struct{} // holds a token for each read that goes on, all for another call
	open    atomic.Bool   // the last call succeeded
}

// New returns the keychain of the current user. It does not call it yet.
func New(o Options) *Keychain { return newKeychain(o, goKeyring{}, newWatcher()) }

func newKeychain(o Options, l library, w watcher) *Keychain {
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	return &Keychain{options: o, library: l, watch: w, turn: make(chan struct{}, 1), slot: make(chan struct{}, maxReads)}
}

// library is what is called of go-keyring.
type library interface {
	Set(service, user, value string) error
	Get(service, user string) (string, error)
	Delete(service, user string) error
}

type goKeyring struct{}

func (goKeyring) Set(service, user, value string) error    { return keyring.Set(service, user, value) }
func (goKeyring) Get(service, user string) (string, error) { return keyring.Get(service, user) }
func (goKeyring) Delete(service, user string) error        { return keyring.Delete(service, user) }

// Put implements keystore.Items.
func (k *Keychain) Put(ctx context.Context, name string, value secret.Value) error {
	if err := keystore.ValidItem(name, value); err != nil {
		return refusal("store", name, err)
	}
	err := k.change(ctx, func(o *operation) error { return o.put(name, value) })
	return report("store", name, withhold(err, value))
}

// Get implements keystore.Items.
func (k *Keychain) Get(ctx context.Context, name string) (secret.Value, error) {
	if err := keystore.ValidItem(name, secret.Value{}); err != nil {
		return secret.Value{}, refusal("read", name, err)
	}
	o := k.begin(ctx)
	defer o.end()
	value, err := o.load(name)
	return value, report("read", name, err)
}

// Delete implements keystore.Items.
func (k *Keychain) Delete(ctx context.Context, name string) error {
	if err := keystore.ValidItem(name, secret.Value{}); err != nil {
		return refusal("delete", name, err)
	}
	err := k.change(ctx, func(o *operation) error { return o.delete(name) })
	return report("delete", name, err)
}

// change does what must not overlap with another change, by any process: reading
// back would find the other's value.
func (k *Keychain) change(ctx context.Context, do func(*operation) error) (err error) {
	o := k.begin(ctx)
	defer o.end()
	unlock, err := o.lock()
	if err != nil {
		return err
	}
	defer func() {
		if unlockErr := unlock(); err == nil {
			err = unlockErr
		}
	}()
	return do(o)
}

// put stores a value under a name. What the name had stays readable until the new
// value is stored.
func (o *operation) put(name string, value secret.Value) error {
	old, err := o.sealedIn(name)
	if err != nil {
		return err
	}
	stored, file, err := o.encode(name, value)
	if err != nil {
		return err
	}
	if err := o.set(name, stored); err != nil {
		if file != "" && refused(err) {
			o.remove(file)
		}
		return err
	}
	if err := o.check(name, value); err != nil {
		return err
	}
	if old != "" && old != file {
		o.remove(old)
	}
	o.sweep(name, file)
	return nil
}

// check reads back what was stored.
func (o *operation) check(name string, value secret.Value) error {
	got, err := o.load(name)
	switch {
	case errors.Is(err, keystore.ErrNoItem):
		return &fault{keystore.Damaged, errors.New("what was just stored is not there")}
	case err != nil:
		return fmt.Errorf("read back what was stored: %w", err)
	}
	defer got.Wipe()
	key := make([]byte, 32)
	rand.Read(key)
	if got.Digest(key) != value.Digest(key) {
		return &fault{keystore.Damaged, errors.New("what was just stored reads as something else")}
	}
	return nil
}

// load reads the value of a name. Others may replace it meanwhile: then the file of
// a sealed value can be gone, but the item says another one.
func (o *operation) load(name string) (secret.Value, error) {
	missing := ""
	for range maxTries {
		stored, err := o.get(name)
		if err != nil {
			return secret.Value{}, err
		}
		value, file, err := o.decode(name, stored)
		if !errors.Is(err, fs.ErrNotExist) {
			return value, err
		}
		if file == missing {
			return secret.Value{}, &fault{keystore.Damaged, err}
		}
		missing = file
	}
	return secret.Value{}, errors.New("it is replaced faster than it can be read")
}

// delete removes the item of a name, and all its like: a tool that stores more
// attributes can have made a second one. Nothing that the library says is believed
// until reading finds none. Then all files go, those of failed calls as well.
func (o *operation) delete(name string) error {
	for range maxTries {
		if err := o.drop(name); err != nil && !errors.Is(err, keystore.ErrNoItem) {
			return err
		}
		_, err := o.get(name)
		if errors.Is(err, keystore.ErrNoItem) {
			return o.removeAll(name)
		}
		if err != nil {
			return fmt.Errorf("see whether it is gone: %w", err)
		}
	}
	return errors.New("it is still there")
}

// sealedIn is the file that a name's item points to, empty if there is none. It asks
// the keychain only if there are files that it could be.
func (o *operation) sealedIn(name string) (string, error) {
	files, err := o.files(name)
	if len(files) == 0 || err != nil {
		return "", err
	}
	stored, err := o.get(name)
	if errors.Is(err, keystore.ErrNoItem) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	p, ok := parsePointer(stored)
	if !ok || !strings.HasPrefix(p.file, filePrefix(name)) {
		return "", nil
	}
	return p.file, nil
}
