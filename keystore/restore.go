package keystore

import (
	"context"
	"fmt"
	"slices"
)

// Saved is what a backup holds of a store.
type Saved struct {
	Keys      []SavedKey
	Retired   []RetiredValues // as Retired gave them
	Protected []string        // environments
}

// SavedKey is a key as Each gave it.
type SavedKey struct {
	Key      Key
	Versions map[int]Parts // by their numbers
}

// Restore stores what a backup holds, all of it or nothing, under new items. Keys whose
// names are taken are left as they are, and returned; so are environments that are protected,
// and retired versions that are known. A store without any version takes over the key that
// the digests of those were made with, so that scans have but one to look with. By is who
// acts.
func (s *Store) Restore(ctx context.Context, by string, saved Saved) (left []Name, err error) {
	err = s.change(ctx, by, func(t *transaction) (err error) {
		var keys []SavedKey
		keys, left, err = t.restorable(saved.Keys)
		if err != nil {
			return err
		}
		versions := 0
		for _, k := range keys {
			versions += len(k.Key.Versions)
		}
		items, err := t.reserve(versions) // that makes the key of the metadata, too
		if err != nil {
			return err
		}
		for _, env := range saved.Protected {
			if err := t.protect(env); err != nil {
				return err
			}
		}
		if err := t.restoreRetired(saved.Retired); err != nil { // before there are digests with a key of our own
			return err
		}
		for _, k := range keys {
			n := len(k.Key.Versions)
			if err := t.restoreKey(k, items[:n]); err != nil {
				return &KeyError{"store", k.Key.Name, err}
			}
			items = items[n:]
		}
		return t.catalog.check()
	})
	return left, err
}

// restorable are the keys that can be stored, as they will be, and the names of those that
// are there.
func (t *transaction) restorable(saved []SavedKey) (keys []SavedKey, left []Name, err error) {
	for _, k := range saved {
		name := k.Key.Name
		if _, err := ParseName(name.String()); err != nil {
			return nil, nil, err
		}
		if _, taken := t.catalog.Find(name); taken {
			left = append(left, name)
			continue
		}
		if slices.ContainsFunc(keys, func(o SavedKey) bool { return o.Key.Name == name }) {
			return nil, nil, &KeyError{"store", name, ErrExists}
		}
		k.Key = k.Key.clone()
		k.Key.Rotation = "" // its journal stays where it was begun
		k.Key.settlePending()
		for _, v := range k.Key.Versions {
			if !fits(&k.Key, k.Versions[v.Number]) {
				return nil, nil, &KeyError{"store", name, ErrParts}
			}
		}
		keys = append(keys, k)
	}
	return keys, left, nil
}

// restoreKey stores the versions of a key as items that were reserved.
func (t *transaction) restoreKey(k SavedKey, items []string) (err error) {
	for i := range k.Key.Versions {
		v := &k.Key.Versions[i]
		v.Item = items[i]
		if err := t.fill(v.Item, k.Versions[v.Number]); err != nil {
			return err
		}
		if v.Digests, err = t.digests(v.Item, k.Versions[v.Number]); err != nil {
			return err
		}
	}
	t.catalog.put(k.Key)
	return nil
}

// restoreRetired keeps what versions that are gone are found by.
func (t *transaction) restoreRetired(all []RetiredValues) error {
	if len(all) == 0 {
		return nil
	}
	c := t.catalog
	if len(c.Keys)+len(c.Retired) == 0 {
		c.DigestKey = sealFor(t.key, digestKeyName, all[len(all)-1].Key)
	}
	own, err := t.digestKey()
	if err != nil {
		return err
	}
	for _, r := range all {
		if _, err := ParseName(r.Name.String()); err != nil {
			return fmt.Errorf("a version that is gone: %w", err)
		}
		if slices.ContainsFunc(c.Retired, func(known Retired) bool { return known.Item == r.Item }) {
			continue
		}
		packed := r.Digests.pack()
		kept := Retired{Name: r.Name, Number: r.Number, Item: r.Item, Died: r.Died, Digests: sealFor(t.key, r.Item, packed)}
		packed.Wipe()
		if r.Key.Digest(nil) != own.Digest(nil) {
			kept.Key = sealFor(t.key, digestKeyName, r.Key)
		}
		c.Retired = append(c.Retired, kept)
	}
	slices.SortStableFunc(c.Retired, func(a, b Retired) int { return a.Died.Compare(b.Died) })
	return nil
}
