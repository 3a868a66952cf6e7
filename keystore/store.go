package keystore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/keywright/keywright/internal/durable"
)

// Store is the keys of a user: secrets in a backend, metadata in records. It may be used
// by several goroutines and processes at once. Of every change it is said who acts.
//
// No item that holds secrets is ever overwritten. A new version is a new item, whose
// name stands in the metadata before it is written; one replacement of the metadata
// makes it current; then the old item goes. Whatever moment the process dies at, each
// key is as it was or as it was to be.
type Store struct {
	records Records
	items   Items
	now     func() time.Time
	digest  Digester
	renamer Renamer
}

// New returns the store of some records and items.
func New(records Records, items Items) *Store {
	return &Store{records: records, items: items, now: time.Now}
}

// Open returns the store in a directory, which is made when something is stored.
func Open(dir string, items Items) *Store { return OpenOn(durable.Disk{}, dir, items) }

// OpenOn is Open for a directory on a disk.
func OpenOn(disk durable.Disk, dir string, items Items) *Store {
	return New(NewFile(disk, dir, items), items)
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
	document, err := s.records.Glance()
	return document != nil || err != nil
}

// Glance returns the metadata without asking the backend for anything, so that it
// neither waits nor prompts. Whether keywright wrote it is not known.
func (s *Store) Glance() (*Catalog, error) {
	document, err := s.records.Glance()
	if err != nil {
		return nil, err
	}
	return decodeCatalog(document)
}

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

// NewVersion is a version of a key that is to be stored. Edit changes what is known of the key
// beside, which has its parts then; it may be nil, and its error is returned.
type NewVersion struct {
	Name  Name
	Parts Parts
	Edit  func(*Key) error
}

// Put stores a new version of a key, made current, and makes the key if there is none.
// The version before it is kept as previous, the one before that goes. By is who acts.
func (s *Store) Put(ctx context.Context, by string, name Name, parts Parts, edit func(*Key) error) (*Key, error) {
	stored, err := s.PutAll(ctx, by, NewVersion{name, parts, edit})
	if err != nil {
		return nil, err
	}
	return &stored[0], nil
}

// PutAll is Put for several keys: all of them are stored, or none. Each is named once.
func (s *Store) PutAll(ctx context.Context, by string, list ...NewVersion) (stored []Key, err error) {
	err = s.change(ctx, by, func(t *transaction) error {
		stored = nil
		for i, n := range list {
			next, err := t.next(n)
			if slices.ContainsFunc(list[:i], func(o NewVersion) bool { return o.Name == n.Name }) {
				err = ErrExists
			}
			if err != nil {
				return &KeyError{"store", n.Name, err}
			}
			stored = append(stored, next)
		}
		items, err := t.reserve(len(list))
		if err != nil {
			return err
		}
		for i, n := range list {
			if err := t.fill(items[i], n.Parts); err != nil {
				return &KeyError{"store", n.Name, err}
			}
			if err := t.add(&stored[i], items[i], n.Parts); err != nil {
				return &KeyError{"store", n.Name, err}
			}
			t.catalog.put(stored[i])
		}
		return nil
	})
	switch {
	case err == nil:
		return stored, nil
	case errors.As(err, new(*KeyError)):
		return nil, err
	case len(list) == 1:
		return nil, &KeyError{"store", list[0].Name, err}
	}
	return nil, fmt.Errorf("store %d keys: %w", len(list), err)
}

// next is a key as it will be, but for the version that is to be stored.
func (t *transaction) next(n NewVersion) (next Key, err error) {
	next = Key{Name: n.Name, Created: t.store.now().UTC()}
	if key, ok := t.catalog.Find(n.Name); ok {
		if err := key.still(); err != nil {
			return next, err
		}
		next = key.clone()
	}
	if !fits(&next, n.Parts) {
		return next, ErrParts
	}
	if n.Edit != nil {
		if err := n.Edit(&next); err != nil {
			return next, err
		}
	}
	next.Name = n.Name
	if !fits(&next, n.Parts) {
		return next, ErrParts
	}
	return next, nil
}

// add makes an item the current version of a key.
func (t *transaction) add(k *Key, item string, parts Parts) (err error) {
	t.retire(k, Previous)
	for i := range k.Versions {
		if k.Versions[i].Stage == Current {
			k.Versions[i].Stage = Previous
		}
	}
	k.LastNumber++
	v := Version{Number: k.LastNumber, Stage: Current, Item: item, Created: t.store.now().UTC(), By: t.by}
	if v.Digests, err = t.digests(item, parts); err != nil {
		return err
	}
	k.Versions = slices.Insert(k.Versions, 0, v)
	return nil
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
// previous. By is who acts.
func (s *Store) Undo(ctx context.Context, by string, name Name) error {
	err := s.change(ctx, by, func(t *transaction) error {
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

// Edit changes what is known of a key; its name, parts' names and versions stay, and
// while it is being rotated what that relies on: then the error matches ErrRotating. By
// is who acts.
func (s *Store) Edit(ctx context.Context, by string, name Name, edit func(*Key) error) error {
	err := s.change(ctx, by, func(t *transaction) error {
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
		if err := key.keeps(&next); err != nil {
			return err
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

// Move gives a key another name, under which the keys that are changed with it, or
// delivered with it, know it. By is who acts.
func (s *Store) Move(ctx context.Context, by string, from, to Name) error {
	err := s.change(ctx, by, func(t *transaction) error {
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
		for i := range t.catalog.Rotations {
			if r := &t.catalog.Rotations[i]; r.Key == from {
				r.Key = to
			}
		}
		return t.catalog.rename(from, to, s.renamer)
	})
	if err != nil {
		return &KeyError{"move", from, err}
	}
	return nil
}

// Remove deletes a key with all its versions. By is who acts.
func (s *Store) Remove(ctx context.Context, by string, name Name) error {
	err := s.change(ctx, by, func(t *transaction) error {
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

// BeginAnew gives up metadata that cannot be trusted, and with it all keys: there are
// none afterwards. What was there is set aside; secrets stay in the backend, and nothing
// names them. The error is ErrInOrder if there is no need. By is who acts.
func (s *Store) BeginAnew(ctx context.Context, by string) error {
	empty, err := (&Catalog{Generation: 1, By: by}).encode()
	if err != nil {
		return err
	}
	return s.records.Anew(ctx, by, empty)
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
