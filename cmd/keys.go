package cmd

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/keywright/keywright/audit"
	"github.com/keywright/keywright/internal/launch"
	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/keystore/agefile"
	"github.com/keywright/keywright/keystore/keychain"
	"github.com/keywright/keywright/rotate/consumer"
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
	switch dir := os.Getenv(envHome); {
	case filepath.IsAbs(dir):
		return dir, nil
	case dir != "": // to ignore it, as below, would be to take other keys than were meant
		return "", usagef("for example: export "+envHome+"=$PWD/keys", "%s is %s: it has to be absolute, or each directory would have keys of its own", envHome, quote(dir))
	}
	// One that is not absolute is to be ignored:
	// https://specifications.freedesktop.org/basedir-spec/latest/#basics
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) && runtime.GOOS != "windows" && runtime.GOOS != "darwin" {
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

	besideOthers bool // what other installations issued is left alone, without a question

	// permits are the environments whose keys rotations may use, and why.
	permits map[string]string
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
	store := keystore.OpenOn(t.disk, dir, items).WithDigester(held.Digest).WithRenamer(consumer.Renamed)
	return &keyring{store, items, audit.OpenOn(t.disk, filepath.Join(dir, "audit"), keeper{items}), t, newShapes(), "", false, map[string]string{}}, nil
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

// find is what is known of a key; doing is what for, for the error that there is none.
func (k *keyring) find(ctx context.Context, doing string, name keystore.Name) (*keystore.Key, error) {
	catalog, err := k.Catalog(ctx)
	if err != nil {
		return nil, err
	}
	key, ok := catalog.Find(name)
	if !ok {
		return nil, &keystore.KeyError{Doing: doing, Name: name, Err: keystore.ErrNoKey}
	}
	return key, nil
}

// put stores a version of a key, of which no more may be known than its name and its
// parts' names, and puts that on record before. What edit refuses is refused before
// anything is on record.
func (k *keyring) put(ctx context.Context, verb string, known *keystore.Key, parts keystore.Parts, edit func(*keystore.Key) error) (stored *keystore.Key, err error) {
	if err := try(edit, known); err != nil {
		return nil, err
	}
	err = k.do(ctx, func() error {
		stored, err = k.Put(ctx, actor(), known.Name, parts, edit)
		return err
	}, storing(verb, known))
	return stored, err
}

// putAll stores versions of several keys, all of them or none, and puts that on record
// before.
func (k *keyring) putAll(ctx context.Context, list []keystore.NewVersion, entries ...audit.Entry) error {
	if len(list) == 0 {
		return nil
	}
	return k.do(ctx, func() error {
		_, err := k.PutAll(ctx, actor(), list...)
		return err
	}, entries...)
}

// try returns what a change of a key would, without one.
func try(edit func(*keystore.Key) error, known *keystore.Key) error {
	key := *known
	key.Parts, key.Params = slices.Clone(known.Parts), maps.Clone(known.Params)
	return edit(&key)
}

// storing is the entry for a version of a key that is about to be stored. What is known of
// the key may be no more than its name.
func storing(verb string, k *keystore.Key) audit.Entry {
	e := entryFor(verb, audit.Granted, k.Name)
	e.Version = strconv.Itoa(k.LastNumber + 1)
	return e
}

// use is the entry for something about to be done with a version of a key: of a change
// that concerns all of them it is the current one.
func use(verb string, k *keystore.Key, stage keystore.Stage) audit.Entry {
	e := entryFor(verb, audit.Granted, k.Name)
	if v, ok := k.Version(stage); ok {
		e.Version = strconv.Itoa(v.Number)
	}
	return e
}

// onRecord are entries of what is about to be done.
type onRecord struct {
	first   int64 // -1 if nothing was written
	entries []audit.Entry
}

// do puts on record what is about to be done, and does it. If that fails, it puts that on
// record, too.
func (k *keyring) do(ctx context.Context, do func() error, entries ...audit.Entry) error {
	r, err := k.enter(ctx, entries...)
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return k.failed(ctx, r, err)
	}
	return nil
}

// failed puts on record that something was not done after all, and returns why.
func (k *keyring) failed(ctx context.Context, r onRecord, why error) error {
	if len(r.entries) == 0 || r.entries[0].Decision != audit.Granted || r.first < 0 {
		return why
	}
	_, err := k.write(context.WithoutCancel(ctx), r.results("failed: "+why.Error())...)
	if err != nil && !errors.Is(err, audit.ErrUnacknowledged) { // of that it was said already
		k.unrecorded(err)
	}
	return why
}

// unrecorded says that the log could not be written, and that this keeps nobody from
// anything.
func (k *keyring) unrecorded(err error) {
	fmt.Fprintln(k.term.err, "keywright: warning: not in the audit log:", escaped(err.Error()))
}

// results are entries that say how it ended.
func (r onRecord) results(how string) []audit.Entry {
	results := slices.Clone(r.entries)
	for i := range results {
		results[i].Decision, results[i].Result, results[i].Child = "", how, nil
		if of := r.first + int64(i); r.first >= 0 {
			results[i].Of = &of
		}
	}
	return results
}

// only is the one at a place.
func (r onRecord) only(i int) onRecord {
	if r.first >= 0 {
		r.first += int64(i)
	}
	r.entries = r.entries[i : i+1]
	return r
}

// append writes entries into the audit log. That this cannot be done is said, and does
// not keep a user from a key, unless its environment is protected: then it is an error.
func (k *keyring) append(ctx context.Context, entries ...audit.Entry) error {
	_, err := k.enter(ctx, entries...)
	return err
}

// logHint says what to do about a log that cannot be written.
const logHint = "'keywright audit verify' says what it is like"

// enter is append; what it wrote can be named in results.
func (k *keyring) enter(ctx context.Context, entries ...audit.Entry) (onRecord, error) {
	r, err := k.write(ctx, entries...)
	if err == nil {
		return r, nil
	}
	catalog, catalogErr := k.Catalog(ctx)
	if catalogErr != nil {
		return onRecord{}, k.failed(ctx, r, catalogErr)
	}
	for _, e := range entries {
		_, protected := catalog.Protection(e.Environment)
		if e.Environment == "" { // then it concerns all of them
			protected = len(catalog.Protected) > 0
		}
		if protected {
			err = fmt.Errorf("%s is protected, and the audit log cannot be written: %w", cmp.Or(e.Environment, "an environment"), err)
			return onRecord{}, k.failed(ctx, r, hintedError{err, logHint})
		}
	}
	k.unrecorded(err)
	return r, nil
}

// write writes entries into the audit log, or else returns an error. They may stand there
// then all the same: what it returns can be named in results.
func (k *keyring) write(ctx context.Context, entries ...audit.Entry) (onRecord, error) {
	first, err := k.log.Append(ctx, k.completed(entries...)...)
	if err != nil && !errors.Is(err, audit.ErrUnacknowledged) {
		first = -1
	}
	return onRecord{first, entries}, err
}

// completed are the entries of a command with what they have in common: why it is done,
// and which program started it.
func (k *keyring) completed(entries ...audit.Entry) []audit.Entry {
	parent, _ := launch.Inspect(os.Getppid()) // it has a number at least
	entries = slices.Clone(entries)
	for i := range entries {
		entries[i].Reason = cmp.Or(entries[i].Reason, k.permits[entries[i].Environment], k.reason)
		entries[i].Parent = strings.TrimSpace(fmt.Sprintf("%s %d", parent.Name, parent.PID))
	}
	return entries
}

// who is an entry that says who acts, and through which program.
func who() audit.Entry {
	e := audit.Entry{User: "unknown", Process: strings.Join(os.Args[:min(len(os.Args), 2)], " ")}
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
