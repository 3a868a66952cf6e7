package keystore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/keywright/keywright/secret"
)

// Rotation is the journal of one, kept with the metadata: sealed as that is, and saved
// with what it changes of a key, both or neither.
type Rotation struct {
	ID       string          `json:"id"`
	Key      Name            `json:"key"`
	Revision int             `json:"revision"` // one more with each time that it is saved
	Journal  json.RawMessage `json:"journal"`  // what it holds is rotate's to know; no secret
	Closed   time.Time       `json:"closed,omitzero"`
	Left     bool            `json:"left,omitempty"` // it may have left something at the provider: it is not forgotten
}

// RotationChange is what is said of a key when a rotation's journal is saved.
type RotationChange struct {
	Begin   bool  // it is being rotated from now on
	Pending Parts // it has a pending version with these parts
	Number  int   // of the pending version: the next that a version is given
	Promote bool  // the pending version is current, and what was is previous
	Demote  bool  // the previous version is current, and what was is pending
	Drop    bool  // the pending version is gone
	Settle  bool  // the pending version is the previous one, and what was is gone
	Retire  bool  // the previous version is gone
	End     bool  // it is not being rotated any more

	PublicID string    // of the version that becomes current, if it is known
	Expires  time.Time // the same
}

// The errors of rotations.
var (
	ErrRotating   = errors.New("it is being rotated")
	ErrNoRotation = errors.New("there is no such rotation")
	ErrRevision   = errors.New("another process has gone on with it")
)

// maxClosed is how many rotations that are over are kept, the newest, beside those that
// may have left something behind.
const maxClosed = 50

// Rotations returns all that are kept, the oldest first.
func (s *Store) Rotations(ctx context.Context) ([]Rotation, error) {
	catalog, err := s.Catalog(ctx)
	if err != nil {
		return nil, err
	}
	return catalog.Rotations, nil
}

// Rotate saves the journal of a rotation, and changes its key. By is who acts. A version
// that becomes pending has been read back when it returns.
func (s *Store) Rotate(ctx context.Context, by string, r Rotation, c RotationChange) error {
	err := s.change(ctx, by, func(t *transaction) error {
		known := slices.IndexFunc(t.catalog.Rotations, func(o Rotation) bool { return o.ID == r.ID })
		switch {
		case known < 0 && r.Revision != 1, known >= 0 && t.catalog.Rotations[known].Revision+1 != r.Revision:
			return ErrRevision
		}
		key, ok := t.catalog.Find(r.Key)
		if !ok {
			return ErrNoKey
		}
		next := key.clone()
		switch {
		case c.Begin && next.Rotation != "":
			return ErrRotating
		case c.Begin:
			next.Rotation = r.ID
		case next.Rotation != r.ID:
			return ErrNoRotation
		}
		if err := t.rotate(&next, c); err != nil {
			return err
		}
		t.catalog.put(next)
		if known < 0 {
			t.catalog.Rotations = append(t.catalog.Rotations, r)
		} else {
			t.catalog.Rotations[known] = r
		}
		t.catalog.forget()
		return nil
	})
	if err != nil {
		return &KeyError{"rotate", r.Key, err}
	}
	return nil
}

// Amend saves the journal of a rotation that is over: what is known of what it left. Its key
// may be gone. By is who acts.
func (s *Store) Amend(ctx context.Context, by string, r Rotation) error {
	err := s.change(ctx, by, func(t *transaction) error {
		i := slices.IndexFunc(t.catalog.Rotations, func(o Rotation) bool { return o.ID == r.ID })
		switch {
		case i < 0 || t.catalog.Rotations[i].Closed.IsZero():
			return ErrNoRotation
		case t.catalog.Rotations[i].Revision+1 != r.Revision:
			return ErrRevision
		}
		r.Closed = t.catalog.Rotations[i].Closed
		t.catalog.Rotations[i] = r
		t.catalog.forget()
		return nil
	})
	if err != nil {
		return &KeyError{"rotate", r.Key, err}
	}
	return nil
}

// rotate makes the change of a key.
func (t *transaction) rotate(k *Key, c RotationChange) error {
	move := func(from, to Stage) error {
		i := slices.IndexFunc(k.Versions, func(v Version) bool { return v.Stage == from })
		if i < 0 {
			return fmt.Errorf("%w: %s", ErrNoVersion, from)
		}
		k.Versions[i].Stage = to
		return nil
	}
	switch {
	case c.Pending != nil:
		if _, ok := k.Version(Pending); ok || c.Number != k.LastNumber+1 {
			return fmt.Errorf("version %d cannot be the pending one", c.Number)
		}
		if !fits(k, c.Pending) {
			return ErrParts
		}
		item, err := t.write(c.Pending)
		if err != nil {
			return err
		}
		if err := t.readBack(item, c.Pending); err != nil {
			return err
		}
		v := Version{Number: c.Number, Stage: Pending, Item: item, Created: t.store.now().UTC(), By: t.by}
		if v.Digests, err = t.digests(item, c.Pending); err != nil {
			return err
		}
		k.LastNumber = c.Number
		k.Versions = slices.Insert(k.Versions, 0, v)
	case c.Promote:
		t.retire(k, Previous)
		if err := move(Current, Previous); err != nil {
			return err
		}
		if err := move(Pending, Current); err != nil {
			return err
		}
		k.PublicID, k.Expires = c.PublicID, c.Expires
	case c.Demote:
		if err := move(Current, Pending); err != nil {
			return err
		}
		if err := move(Previous, Current); err != nil {
			return err
		}
		k.PublicID, k.Expires = c.PublicID, c.Expires
	case c.Drop:
		t.retire(k, Pending)
	case c.Settle:
		if _, ok := k.Version(Pending); ok {
			t.retire(k, Previous)
		}
		k.settlePending()
	}
	if c.Retire {
		t.retire(k, Previous)
	}
	if c.End {
		k.Rotation = ""
	}
	return nil
}

// readBack reports whether an item holds what was written.
func (t *transaction) readBack(item string, parts Parts) error {
	got, err := t.store.parts(t.ctx, Version{Item: item})
	if errors.Is(err, ErrNoItem) { // did a rival give it up? Then saving anything is a conflict
		err = cmp.Or(t.save(t.change.Prepare), err)
	}
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	defer got.Wipe()
	if !maps.EqualFunc(got, parts, func(a, b secret.Value) bool { return a.Digest(t.key.Reveal()) == b.Digest(t.key.Reveal()) }) {
		return &BackendError{Backend: "the store", Doing: "read back item " + item, Trouble: Damaged}
	}
	return nil
}

// forget drops the oldest rotations that are over and have left nothing behind.
func (c *Catalog) forget() {
	over := func(r Rotation) bool { return !r.Closed.IsZero() && !r.Left }
	closed := 0
	for _, r := range c.Rotations {
		if over(r) {
			closed++
		}
	}
	c.Rotations = slices.DeleteFunc(c.Rotations, func(r Rotation) bool {
		if !over(r) || closed <= maxClosed {
			return false
		}
		closed--
		return true
	})
}

// Numbered returns the secrets of a version of a key.
func (s *Store) Numbered(ctx context.Context, name Name, number int) (Parts, error) {
	catalog, err := s.Catalog(ctx)
	if err != nil {
		return nil, err
	}
	k, ok := catalog.Find(name)
	if !ok {
		return nil, &KeyError{"read", name, ErrNoKey}
	}
	i := slices.IndexFunc(k.Versions, func(v Version) bool { return v.Number == number })
	if i < 0 {
		return nil, &KeyError{"read", name, ErrNoVersion}
	}
	parts, err := s.parts(ctx, k.Versions[i])
	if err != nil {
		return nil, &KeyError{"read", name, err}
	}
	return parts, nil
}

// still reports whether a key may be changed: not while it is being rotated.
func (k *Key) still() error {
	if k.Rotation != "" {
		return fmt.Errorf("%w: %s", ErrRotating, k.Rotation)
	}
	return nil
}

// keeps reports whether a change of a key leaves alone what its open rotation relies on:
// whom it asks, where, about which one. A parameter that is missing may be added: the
// provider may have asked for it. Another key to make changes with may be named, as that may
// be gone, or refused; that the key changes itself from then on may not, as its steps may
// take it out of use.
func (k *Key) keeps(next *Key) error {
	err := k.still()
	if err == nil {
		return nil
	}
	stays := func(what string, same bool) error {
		if same {
			return nil
		}
		return fmt.Errorf("%s has to stay: %w", what, err)
	}
	for _, name := range slices.Sorted(maps.Keys(k.Params)) {
		if err := stays("the parameter "+name, next.Params[name] == k.Params[name]); err != nil {
			return err
		}
	}
	return cmp.Or(
		stays("the provider", next.Provider == k.Provider),
		stays("the id at the provider", next.PublicID == k.PublicID),
		stays("the key that it is changed with", k.Admin == "" || next.Admin != ""),
	)
}

// settlePending makes the pending version of a rotation that nobody can go on with the
// previous one: it may be what the provider accepts, and 'undo' makes it current.
func (k *Key) settlePending() {
	if _, ok := k.Version(Pending); !ok {
		return
	}
	k.Versions = slices.DeleteFunc(k.Versions, func(v Version) bool { return v.Stage == Previous })
	for i := range k.Versions {
		if k.Versions[i].Stage == Pending {
			k.Versions[i].Stage = Previous
		}
	}
}
