package keystore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/keywright/keywright/internal/durable"
)

// Store is the keys of a user: secrets in a backend, metadata in a directory. It may be
// used by several goroutines and processes at once.
//
// No item that holds secrets is ever overwritten. A new version is a new item, whose
// name stands in the metadata before it is written; one replacement of the metadata
// makes it current; then the old item goes. Whatever moment the process dies at, each
// key is as it was or as it was to be.
type Store struct {
	record
	now    func() time.Time
	digest Digester
}

// Open returns the store in a directory, which is made when something is stored.
func Open(dir string, items Items) *Store { return OpenOn(durable.Disk{}, dir, items) }

// OpenOn is Open for a directory on a disk.
func OpenOn(disk durable.Disk, dir string, items Items) *Store {
	return &Store{record: record{disk, dir, items}, now: time.Now}
}

// WithDigester makes the store keep digests of what is stored from then on.
func (s *Store) WithDigester(d Digester) *Store {
	s.digest = d
	return s
}

// The errors of a Store.
var (
	ErrNoKey     = errors.New("there is no such key")
	ErrNoVersion = errors.New("it has no such version")
	ErrExists    = errors.New("there is a key of that name")
	ErrParts     = errors.New("the parts are not those of the key")
)

// KeyError is an error about a key.
type KeyError struct {
	Doing string // "read", "store"
	Name  Name
	Err   error
}

func (e *KeyError) Error() string { return fmt.Sprintf("%s %s: %v", e.Doing, e.Name, e.Err) }
func (e *KeyError) Unwrap() error { return e.Err }

// cooling is how long an item that was not to be written is looked for again: calls
// that were given up have a time limit below.
const cooling = 15 * time.Minute

// Catalog returns the metadata, authenticated.
func (s *Store) Catalog(ctx context.Context) (*Catalog, error) {
	state, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	return state.catalog, nil
}

// Exists reports whether anything was ever stored.
func (s *Store) Exists() bool {
	_, err := os.Stat(s.path())
	return !errors.Is(err, fs.ErrNotExist)
}

// Glance returns the metadata without asking the backend for anything, so that it
// neither waits nor prompts. Whether keywright wrote it is not known.
func (s *Store) Glance() (*Catalog, error) { return s.unchecked() }

// Get returns the secrets of a version of a key, and what is known of the key.
func (s *Store) Get(ctx context.Context, name Name, stage Stage) (Parts, *Key, error) {
	found, err := s.read(ctx, stage, func(k *Key) bool { return k.Name == name })
	switch {
	case err != nil:
		var known *KeyError
		if !errors.As(err, &known) {
			err = &KeyError{"read", name, err}
		}
		return nil, nil, err
	case len(found) == 0:
		return nil, nil, &KeyError{"read", name, ErrNoKey}
	}
	return found[0].Parts, found[0].Key, nil
}

// Opened is a key with the secrets of one of its versions.
type Opened struct {
	Key   *Key
	Parts Parts
}

// Select returns the current versions of the keys that want says yes to, all as they
// were at one moment, in the order of their names.
func (s *Store) Select(ctx context.Context, want func(*Key) bool) ([]Opened, error) {
	return s.read(ctx, Current, want)
}

func (s *Store) read(ctx context.Context, stage Stage, want func(*Key) bool) ([]Opened, error) {
	for try := 0; ; try++ {
		catalog, err := s.Catalog(ctx)
		if err != nil {
			return nil, err
		}
		found, err := s.open(ctx, catalog, stage, want)
		if errors.Is(err, ErrNoItem) && try == 0 {
			continue // it may have been replaced since the catalog was read
		}
		return found, err
	}
}

// open reads several keys at once: most of the time of a read is waiting.
func (s *Store) open(ctx context.Context, catalog *Catalog, stage Stage, want func(*Key) bool) (found []Opened, err error) {
	for i := range catalog.Keys {
		if k := &catalog.Keys[i]; want(k) {
			found = append(found, Opened{Key: k})
		}
	}
	errs := make([]error, len(found))
	var all errgroup.Group
	all.SetLimit(readsAtOnce)
	for i := range found {
		all.Go(func() error {
			errs[i] = s.openOne(ctx, &found[i], stage)
			return nil
		})
	}
	_ = all.Wait()
	for _, err := range errs {
		if err != nil { // that of the first key, each time
			for _, o := range found {
				o.Parts.Wipe()
			}
			return nil, err
		}
	}
	return found, nil
}

// readsAtOnce is how many reads of the backend are begun at once.
const readsAtOnce = 5

func (s *Store) openOne(ctx context.Context, o *Opened, stage Stage) error {
	v, ok := o.Key.Version(stage)
	if !ok {
		return &KeyError{"read", o.Key.Name, ErrNoVersion}
	}
	parts, err := s.parts(ctx, v)
	if err != nil {
		return &KeyError{"read", o.Key.Name, err}
	}
	o.Parts = parts
	return nil
}

// parts reads the secrets of a version.
func (s *Store) parts(ctx context.Context, v Version) (Parts, error) {
	value, err := s.items.Get(ctx, v.Item)
	if err != nil {
		return nil, err
	}
	defer value.Wipe()
	parts, err := unpack(value)
	if err != nil {
		return nil, &BackendError{Backend: "the store", Doing: "read item " + v.Item, Trouble: Damaged, Err: err}
	}
	return parts, nil
}

// Put stores a new version of a key, made current, and makes the key if there is none.
// The version before it is kept as previous, the one before that goes. Edit changes
// what is known of the key beside, which has its parts then; it may be nil, and its
// error is returned. By is who acts.
func (s *Store) Put(ctx context.Context, by string, name Name, parts Parts, edit func(*Key) error) (*Key, error) {
	var stored Key
	err := s.change(ctx, func(t *transaction) error {
		key, ok := t.catalog.Find(name)
		next := Key{Name: name, Created: s.now().UTC()}
		if ok {
			if err := key.still(); err != nil {
				return err
			}
			next = key.clone()
		}
		if !fits(&next, parts) {
			return ErrParts
		}
		if edit != nil {
			if err := edit(&next); err != nil {
				return err
			}
		}
		next.Name = name
		if !fits(&next, parts) {
			return ErrParts
		}
		item, err := t.write(parts)
		if err != nil {
			return err
		}
		t.retire(&next, Previous)
		for i := range next.Versions {
			if next.Versions[i].Stage == Current {
				next.Versions[i].Stage = Previous
			}
		}
		next.LastNumber++
		v := Version{Number: next.LastNumber, Stage: Current, Item: item, Created: s.now().UTC(), By: by}
		if v.Digests, err = t.digests(item, parts); err != nil {
			return err
		}
		next.Versions = slices.Insert(next.Versions, 0, v)
		t.catalog.put(next)
		stored = next
		return nil
	})
	if err != nil {
		return nil, &KeyError{"store", name, err}
	}
	return &stored, nil
}

// fits reports whether a key has just these parts. A key without any gets them.
func fits(k *Key, parts Parts) bool {
	names := slices.Sorted(maps.Keys(parts))
	if len(k.Parts) == 0 {
		for _, n := range names {
			k.Parts = append(k.Parts, Part{Name: n})
		}
	}
	return len(names) > 0 && slices.Equal(names, slices.Sorted(slices.Values(k.PartNames())))
}

// Undo makes the previous version of a key current again. The current one becomes the
// previous.
func (s *Store) Undo(ctx context.Context, name Name) error {
	err := s.change(ctx, func(t *transaction) error {
		key, ok := t.catalog.Find(name)
		if !ok {
			return ErrNoKey
		}
		if err := key.still(); err != nil {
			return err
		}
		if _, ok := key.Version(Previous); !ok {
			return ErrNoVersion
		}
		for i := range key.Versions {
			switch v := &key.Versions[i]; v.Stage {
			case Current:
				v.Stage = Previous
			case Previous:
				v.Stage = Current
			}
		}
		return nil
	})
	if err != nil {
		return &KeyError{"undo", name, err}
	}
	return nil
}

// Edit changes what is known of a key; its name, parts' names and versions stay.
func (s *Store) Edit(ctx context.Context, name Name, edit func(*Key) error) error {
	err := s.change(ctx, func(t *transaction) error {
		key, ok := t.catalog.Find(name)
		if !ok {
			return ErrNoKey
		}
		next := key.clone()
		if err := edit(&next); err != nil {
			return err
		}
		if !slices.Equal(next.PartNames(), key.PartNames()) {
			return ErrParts
		}
		next.Name, next.Versions, next.LastNumber, next.Rotation = name, key.Versions, key.LastNumber, key.Rotation
		*key = next
		return nil
	})
	if err != nil {
		return &KeyError{"change", name, err}
	}
	return nil
}

// Move gives a key another name, under which the keys that are changed with it know it.
func (s *Store) Move(ctx context.Context, from, to Name) error {
	err := s.change(ctx, func(t *transaction) error {
		key, ok := t.catalog.Find(from)
		if !ok {
			return ErrNoKey
		}
		if err := key.still(); err != nil {
			return err
		}
		if _, taken := t.catalog.Find(to); taken {
			return fmt.Errorf("%w: %s", ErrExists, to)
		}
		moved := key.clone()
		t.catalog.remove(from)
		moved.Name = to
		t.catalog.put(moved)
		for i := range t.catalog.Retired {
			if r := &t.catalog.Retired[i]; r.Name == from {
				r.Name = to
			}
		}
		for i := range t.catalog.Keys {
			if k := &t.catalog.Keys[i]; k.Admin == from.String() {
				k.Admin = to.String()
			}
		}
		return nil
	})
	if err != nil {
		return &KeyError{"move", from, err}
	}
	return nil
}

// Remove deletes a key with all its versions.
func (s *Store) Remove(ctx context.Context, name Name) error {
	err := s.change(ctx, func(t *transaction) error {
		key, ok := t.catalog.Find(name)
		if !ok {
			return ErrNoKey
		}
		if err := key.still(); err != nil {
			return err
		}
		for _, v := range key.Versions {
			t.bury(name, v)
		}
		t.catalog.remove(name)
		return nil
	})
	if err != nil {
		return &KeyError{"remove", name, err}
	}
	return nil
}

// ErrInOrder says that the metadata is what keywright wrote.
var ErrInOrder = errors.New("the metadata is as it was written")

// BeginAnew gives up metadata that cannot be trusted, and with it all keys: there are
// none afterwards. Its file, if there is one, is set aside in the directory; secrets stay
// in the backend, and nothing names them. The error is ErrInOrder if there is no need.
func (s *Store) BeginAnew(ctx context.Context) (err error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	_, err = s.load(ctx)
	var tampered *TamperError
	switch {
	case err == nil:
		return ErrInOrder
	case !errors.As(err, &tampered):
		return err
	}
	return s.anew(ctx)
}

// transaction is one change of the metadata.
type transaction struct {
	*state
	store   *Store
	ctx     context.Context
	written []string // items that belong to a version once the change is saved
}

// change runs do under the lock, on the authenticated metadata, and saves what it made
// of it. If do fails, nothing has changed.
func (s *Store) change(ctx context.Context, do func(*transaction) error) (err error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	state, err := s.load(ctx)
	if err != nil {
		return err
	}
	if err := s.renew(state); err != nil {
		return err
	}
	s.disk.Sweep(s.path())
	t := &transaction{state: state, store: s, ctx: ctx}
	if err := t.sweep(); err != nil {
		return err
	}
	if err := do(t); err != nil {
		return err
	}
	state.catalog.Loose = slices.DeleteFunc(state.catalog.Loose, func(l Loose) bool { return slices.Contains(t.written, l.Item) })
	if err := s.save(ctx, state); err != nil {
		return err
	}
	if err := s.settle(ctx, state); err != nil {
		return err
	}
	// What is not needed any more is named in the metadata: if it cannot be removed
	// now, the next change tries again.
	_ = t.sweep()
	return nil
}

// sweep removes items that belong to no version, and forgets those that cannot come
// back.
func (t *transaction) sweep() error {
	kept := t.catalog.Loose[:0:0]
	for _, l := range t.catalog.Loose {
		age := t.store.now().Sub(l.Since)
		cooled := age >= cooling || age <= -cooling
		if !l.Removed || cooled {
			if err := t.store.items.Delete(t.ctx, l.Item); err != nil {
				return err
			}
		}
		if !l.Stored && !cooled {
			l.Removed = true
			kept = append(kept, l)
		}
	}
	t.catalog.Loose = kept
	return nil
}

// loosen notes an item that belongs to no version, any more if it was stored.
func (t *transaction) loosen(item string, stored bool) {
	t.catalog.Loose = append(t.catalog.Loose, Loose{Item: item, Since: t.store.now().UTC(), Stored: stored})
}

// retire takes the version of a stage out of a key.
func (t *transaction) retire(k *Key, stage Stage) {
	k.Versions = slices.DeleteFunc(k.Versions, func(v Version) bool {
		if v.Stage == stage {
			t.bury(k.Name, v)
		}
		return v.Stage == stage
	})
}

// write stores parts as a new item. Its name is in the metadata before it is written,
// as that of a loose one until the change is saved.
func (t *transaction) write(parts Parts) (item string, err error) {
	var b [16]byte
	rand.Read(b[:])
	item = "key-" + hex.EncodeToString(b[:])
	t.loosen(item, false)
	if err := t.store.save(t.ctx, t.state); err != nil {
		return "", err
	}
	packed := parts.pack()
	defer packed.Wipe()
	if err := t.store.items.Put(t.ctx, item, packed); err != nil {
		return "", err
	}
	t.written = append(t.written, item)
	return item, nil
}

// Each calls do for every key with the secrets of its versions, by their numbers. Each
// key is as it was at some moment; one that is removed meanwhile may be left out. It
// stops at the first error.
func (s *Store) Each(ctx context.Context, do func(k Key, versions map[int]Parts) error) error {
	catalog, err := s.Catalog(ctx)
	if err != nil {
		return err
	}
	for i := range catalog.Keys {
		k := &catalog.Keys[i]
		versions, err := s.versions(ctx, k)
		if errors.Is(err, ErrNoItem) { // it may have been replaced since the catalog was read
			now, err := s.Catalog(ctx)
			if err != nil {
				return err
			}
			changed, ok := now.Find(k.Name)
			if !ok {
				continue
			}
			k = changed
		}
		if errors.Is(err, ErrNoItem) {
			versions, err = s.versions(ctx, k)
		}
		if err != nil {
			return &KeyError{"read", k.Name, err}
		}
		if err := do(k.clone(), versions); err != nil {
			return err
		}
	}
	return nil
}

// versions reads the secrets of all versions of a key.
func (s *Store) versions(ctx context.Context, k *Key) (map[int]Parts, error) {
	versions := map[int]Parts{}
	for _, v := range k.Versions {
		parts, err := s.parts(ctx, v)
		if err != nil {
			return nil, err
		}
		versions[v.Number] = parts
	}
	return versions, nil
}

// Restore stores a key as Each gave it, under new items. There must be none of its name.
func (s *Store) Restore(ctx context.Context, k Key, versions map[int]Parts) error {
	err := s.change(ctx, func(t *transaction) error {
		if _, taken := t.catalog.Find(k.Name); taken {
			return ErrExists
		}
		restored := k.clone()
		restored.Rotation = "" // its journal stays where it was begun
		restored.settlePending()
		for i := range restored.Versions {
			v := &restored.Versions[i]
			parts, ok := versions[v.Number]
			if !ok || !fits(&restored, parts) {
				return ErrParts
			}
			item, err := t.write(parts)
			if err != nil {
				return err
			}
			v.Item = item
			if v.Digests, err = t.digests(item, parts); err != nil {
				return err
			}
		}
		t.catalog.put(restored)
		return t.catalog.check()
	})
	if err != nil {
		return &KeyError{"restore", k.Name, err}
	}
	return nil
}
