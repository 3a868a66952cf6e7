package keystore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/keywright/keywright/secret"
)

// cooling is how long an item that was not to be written is looked for again: calls
// that were given up have a time limit below.
const cooling = 15 * time.Minute

// state is the catalog and the key of what is sealed in it.
type state struct {
	catalog *Catalog
	key     secret.Value // zero if nothing was ever stored
}

func (s *Store) load(ctx context.Context) (*state, error) {
	r, err := s.records.Load(ctx)
	if err != nil {
		return nil, err
	}
	return newState(r)
}

func newState(r Record) (*state, error) {
	catalog, err := decodeCatalog(r.Document)
	if err != nil {
		return nil, err
	}
	return &state{catalog, r.Key}, nil
}

// transaction is one change of the metadata.
type transaction struct {
	*state
	store   *Store
	ctx     context.Context
	by      string
	change  Change
	written []string // items that belong to a version once the change is saved
	freed   []string // items that are nobody's once the change is saved
}

// change runs do on the metadata, and saves what it made of them. If do fails, nothing
// has changed. By is who acts. When somebody else came first, do runs again on what they
// left.
func (s *Store) change(ctx context.Context, by string, do func(*transaction) error) error {
	for {
		err := s.changeOnce(ctx, by, do)
		if !errors.Is(err, ErrConflict) || ctx.Err() != nil {
			return err
		}
	}
}

func (s *Store) changeOnce(ctx context.Context, by string, do func(*transaction) error) (err error) {
	c, err := s.records.Change(ctx, by)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	state, err := newState(c.Record())
	if err != nil {
		return err
	}
	t := &transaction{state: state, store: s, ctx: ctx, by: by, change: c}
	if err := t.sweep(); err != nil {
		return err
	}
	if err := do(t); err != nil {
		return err
	}
	t.catalog.Loose = slices.DeleteFunc(t.catalog.Loose, func(l Loose) bool { return slices.Contains(t.written, l.Item) })
	if err := t.save(c.Commit); err != nil {
		return err
	}
	for _, item := range t.freed {
		_ = s.items.Delete(ctx, item) // or the next change does
	}
	return nil
}

// save writes the catalog by a method of the change.
func (t *transaction) save(replace func(context.Context, []byte) error) error {
	t.catalog.Generation++
	t.catalog.By = t.by
	document, err := t.catalog.encode()
	if err != nil {
		return err
	}
	if err := replace(t.ctx, document); err != nil {
		return err
	}
	t.key = t.change.Record().Key
	return nil
}

// sweep removes items that belong to no version, and forgets those that cannot come
// back. One that somebody may still be about to make a version's is only given up here:
// once that is saved, they cannot.
func (t *transaction) sweep() error {
	kept := t.catalog.Loose[:0:0]
	for _, l := range t.catalog.Loose {
		age := t.store.now().Sub(l.Since)
		cooled := age >= cooling || age <= -cooling
		switch {
		case !l.Removed:
			l.Removed = true
			t.freed = append(t.freed, l.Item)
			kept = append(kept, l)
		case l.Stored || cooled:
			if err := t.store.items.Delete(t.ctx, l.Item); err != nil {
				return err
			}
		default:
			kept = append(kept, l)
		}
	}
	t.catalog.Loose = kept
	return nil
}

// free takes leave of an item that a version had.
func (t *transaction) free(item string) {
	t.catalog.Loose = append(t.catalog.Loose, Loose{Item: item, Since: t.store.now().UTC(), Stored: true, Removed: true})
	t.freed = append(t.freed, item)
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

// write stores parts as a new item.
func (t *transaction) write(parts Parts) (item string, err error) {
	items, err := t.reserve(1)
	if err != nil {
		return "", err
	}
	return items[0], t.fill(items[0], parts)
}

// reserve chooses names for new items. They are in the metadata before any is written, as
// those of loose ones until the change is saved.
func (t *transaction) reserve(n int) (items []string, err error) {
	for range n {
		var b [16]byte
		rand.Read(b[:])
		item := "key-" + hex.EncodeToString(b[:])
		items = append(items, item)
		t.catalog.Loose = append(t.catalog.Loose, Loose{Item: item, Since: t.store.now().UTC()})
	}
	return items, t.save(t.change.Prepare)
}

// fill stores parts as an item that was reserved.
func (t *transaction) fill(item string, parts Parts) error {
	packed := parts.pack()
	defer packed.Wipe()
	if err := t.store.items.Put(t.ctx, item, packed); err != nil {
		return err
	}
	t.written = append(t.written, item)
	return nil
}
