package keystore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Ailment is something that is wrong with a key.
type Ailment struct {
	Name  Name
	Stage Stage
	Err   error
}

func (a Ailment) String() string { return fmt.Sprintf("%s, %s version: %v", a.Name, a.Stage, a.Err) }

// Checkup is what Check found.
type Checkup struct {
	Keys, Versions int
	Loose          int // items that belong to nothing, and go with the next change
	Ailments       []Ailment
}

// Check authenticates the metadata and reads every version of every key. It changes
// nothing. The error says that the metadata cannot be had.
func (s *Store) Check(ctx context.Context) (Checkup, error) {
	catalog, err := s.Catalog(ctx)
	if err != nil {
		return Checkup{}, err
	}
	c := Checkup{Keys: len(catalog.Keys), Loose: len(catalog.Loose)}
	for i := range catalog.Keys {
		k := &catalog.Keys[i]
		for _, v := range k.Versions {
			c.Versions++
			if err := s.checkVersion(ctx, k, v); err != nil {
				if ctx.Err() != nil {
					return c, ctx.Err()
				}
				if errors.Is(err, errLost) && !s.needs(ctx, k.Name, v) {
					continue // it was replaced meanwhile
				}
				c.Ailments = append(c.Ailments, Ailment{k.Name, v.Stage, err})
			}
		}
	}
	return c, nil
}

var errLost = errors.New("its secrets are gone")

func (s *Store) checkVersion(ctx context.Context, k *Key, v Version) error {
	parts, err := s.parts(ctx, v)
	if errors.Is(err, ErrNoItem) {
		return errLost
	}
	if err != nil {
		return err
	}
	defer parts.Wipe()
	if !slices.Equal(slices.Sorted(maps.Keys(parts)), slices.Sorted(slices.Values(k.PartNames()))) {
		return ErrParts
	}
	return nil
}

// needs reports whether a key has a version now. If that cannot be told, it has.
func (s *Store) needs(ctx context.Context, name Name, v Version) bool {
	now, err := s.Catalog(ctx)
	if err != nil {
		return true
	}
	k, ok := now.Find(name)
	return ok && slices.ContainsFunc(k.Versions, func(is Version) bool { return is.Item == v.Item })
}
