package cmd

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/keywright/keywright/audit"
	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/keystore/agefile"
	"github.com/keywright/keywright/keystore/keychain"
	"github.com/keywright/keywright/scan/held"
	"github.com/keywright/keywright/secret"
)

// The environment says where keys are kept: it is the same for every verb, and a
// repository cannot change it.
const (
	envHome       = "KEYWRIGHT_HOME"            // the directory of all but what the keychain holds
	envKeystore   = "KEYWRIGHT_KEYSTORE"        // keychain (the default) or agefile
	envIdentity   = "KEYWRIGHT_IDENTITY_FILE"   // of agefile: a file with an identity of age
	envPassphrase = "KEYWRIGHT_PASSPHRASE_FILE" // of agefile: a file with the passphrase
)

// keysDir is where the metadata of keys is.
func keysDir() (string, error) {
	if dir := os.Getenv(envHome); dir != "" {
		return dir, nil
	}
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" && runtime.GOOS != "windows" && runtime.GOOS != "darwin" {
		return filepath.Join(dir, "keywright"), nil
	}
	if runtime.GOOS == "windows" {
		if dir := os.Getenv("LocalAppData"); dir != "" {
			return filepath.Join(dir, "keywright", "keys"), nil
		}
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", usageError{fmt.Errorf("find the keys' directory: %w", err), "set " + envHome}
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support", "keywright"), nil
	}
	return filepath.Join(home, ".local", "share", "keywright"), nil
}

// asking says whether a verb may ask for a password.
type asking bool

const (
	mayAsk   asking = true
	neverAsk asking = false
)

// keyring is the user's keys, and the record of what is done with them.
type keyring struct {
	*keystore.Store
	items  keystore.Items
	log    *audit.Log
	term   *terminal
	shapes shapes
	reason string // for what this command does, as it was given; goes on record with it
}

// openKeys opens the user's keys.
func openKeys(t *terminal, ask asking) (*keyring, error) {
	dir, err := keysDir()
	if err != nil {
		return nil, err
	}
	open := t.items
	if open == nil {
		open = t.backend
	}
	items, err := open(dir, ask)
	if err != nil {
		return nil, err
	}
	store := keystore.OpenOn(t.disk, dir, items).WithDigester(held.Digest)
	return &keyring{store, items, audit.OpenOn(t.disk, filepath.Join(dir, "audit"), keeper{items}), t, newShapes(), ""}, nil
}

// keeper is a backend as the audit log sees it.
type keeper struct{ keystore.Items }

func (k keeper) Get(ctx context.Context, name string) (secret.Value, error) {
	v, err := k.Items.Get(ctx, name)
	if errors.Is(err, keystore.ErrNoItem) {
		err = fmt.Errorf("%w: %s", audit.ErrNotKept, name)
	}
	return v, err
}

// record writes down what is about to be done to keys, before it is; the error is that
// of append.
func (k *keyring) record(ctx context.Context, verb string, decision audit.Decision, names ...keystore.Name) error {
	var entries []audit.Entry
	for _, n := range names {
		entries = append(entries, entryFor(verb, decision, n))
	}
	return k.append(ctx, entries...)
}

func entryFor(verb string, decision audit.Decision, n keystore.Name) audit.Entry {
	e := environmentEntry(verb, decision, n.Env)
	e.Key = n.String()
	return e
}

// environmentEntry is one about an environment as a whole.
func environmentEntry(verb string, decision audit.Decision, env string) audit.Entry {
	e := who()
	e.Verb, e.Decision, e.Environment = verb, decision, env
	return e
}

// use is the entry for secrets of a version that are about to be handed out.
func use(verb string, k *keystore.Key, stage keystore.Stage) audit.Entry {
	e := entryFor(verb, audit.Granted, k.Name)
	if v, ok := k.Version(stage); ok {
		e.Version = strconv.Itoa(v.Number)
	}
	return e
}

// append writes entries into the audit log. That this cannot be done is said, and does
// not keep a user from a key, unless its environment is protected: then it is an error.
func (k *keyring) append(ctx context.Context, entries ...audit.Entry) error {
	for i := range entries {
		entries[i].Reason = cmp.Or(entries[i].Reason, k.reason)
	}
	_, err := k.log.Append(ctx, entries...)
	if err == nil {
		return nil
	}
	catalog, catalogErr := k.Catalog(ctx)
	if catalogErr != nil {
		return catalogErr
	}
	for _, e := range entries {
		_, protected := catalog.Protection(e.Environment)
		if e.Environment == "" { // then it concerns all of them
			protected = len(catalog.Protected) > 0
		}
		if protected {
			return hintedError{fmt.Errorf("%s is protected, and the audit log cannot be written: %w", cmp.Or(e.Environment, "an environment"), err), "'keywright audit verify' says what it is like"}
		}
	}
	fmt.Fprintln(k.term.err, "keywright: warning: not in the audit log:", escaped(err.Error()))
	return nil
}

// who is an entry that says who acts, and through which programs.
func who() audit.Entry {
	e := audit.Entry{User: "unknown", Process: strings.Join(os.Args[:min(len(os.Args), 2)], " "), Parent: fmt.Sprint(os.Getppid())}
	if u, err := user.Current(); err == nil {
		e.User = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		e.Host = host
	}
	return e
}

// backend is what the environment says that keys are kept in.
func (t *terminal) backend(dir string, ask asking) (keystore.Items, error) {
	switch kind := os.Getenv(envKeystore); kind {
	case "", "keychain":
		return keychain.New(keychainOptions(t, dir, ask)), nil
	case "agefile":
		return agefile.NewOn(t.disk, filepath.Join(dir, "keys.age"), opener(t, dir, ask)), nil
	default:
		return nil, usagef("it is keychain or agefile", "%s is %s", envKeystore, quote(kind))
	}
}

// quickly is how long a verb waits for a keychain that it may not open for the user.
const quickly = 3 * time.Second

func keychainOptions(t *terminal, dir string, ask asking) keychain.Options {
	o := keychain.Options{Disk: t.disk, Dir: filepath.Join(dir, "sealed")}
	if !ask {
		o.NoPrompt, o.Timeout = true, quickly
		return o
	}
	o.Waiting = func() {
		fmt.Fprintln(t.err, "keywright: waiting for the keychain; it may be asking for a password in another window")
	}
	return o
}

// opener is how an encrypted file is opened: with an identity, a passphrase in a file,
// or one that is typed.
func opener(t *terminal, dir string, may asking) agefile.Opener {
	if file := os.Getenv(envIdentity); file != "" {
		return chosen{envIdentity, agefile.IdentityFile(file)}
	}
	p := &agefile.Passphrase{Disk: t.disk, Path: filepath.Join(dir, "identity.age")}
	if file := os.Getenv(envPassphrase); file != "" {
		p.Ask = func(_ context.Context, fresh bool) (secret.Value, error) {
			v, err := readLine(file)
			if fresh {
				t.warnShort(v)
			}
			return v, err
		}
		return chosen{envPassphrase, p}
	}
	p.Ask = func(ctx context.Context, fresh bool) (secret.Value, error) {
		if !may {
			return secret.Value{}, agefile.ErrNotAsked
		}
		v, err := t.askPassphraseOf(ctx, "the keys", fresh)
		if fresh {
			t.warnShort(v)
		}
		return v, err
	}
	return p
}

// chosen is an Opener that a variable chose, which its errors name.
type chosen struct {
	by string
	agefile.Opener
}

func (c chosen) Identity(ctx context.Context, make bool) (*age.X25519Identity, error) {
	identity, err := c.Opener.Identity(ctx, make)
	if err != nil {
		err = fmt.Errorf("%s: %w", c.by, err)
	}
	return identity, err
}

// readLine is the first line of a file.
func readLine(file string) (secret.Value, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return secret.Value{}, err
	}
	defer clear(data)
	line, _, _ := bytes.Cut(data, []byte("\n"))
	return secret.New(bytes.TrimSuffix(line, []byte("\r"))), nil
}

// actor is who acts, for the metadata.
func actor() string {
	e := who()
	return e.User + "@" + e.Host
}

// keyName reads an argument that names a whole key.
func keyName(arg string) (keystore.Name, error) {
	n, err := keystore.ParseName(arg)
	if err != nil {
		return n, usageError{err, "a key is written ENV/NAME: prod/BINANCE"}
	}
	return n, nil
}
