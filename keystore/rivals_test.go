package keystore_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/keystore/keystoretest"
	"github.com/keywright/keywright/secret"
)

// shared is what several keywrights work on that nothing keeps apart but the
// compare-and-set of the records.
type shared struct {
	t       *testing.T
	records keystoretest.MemoryRecords
	items   *keystoretest.Memory
	clock   time.Time
}

func newShared(t *testing.T) *shared {
	w := &shared{t: t, items: keystoretest.NewMemory(), clock: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	s := w.store(nil)
	for _, put := range []string{"A=1", "A=2", "B=1"} {
		if err := doPut(put)(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// store is one keywright, which asks before each of its calls.
func (w *shared) store(before func() error) *keystore.Store {
	if before == nil {
		before = func() error { return nil }
	}
	s := keystore.New(askingRecords{&w.records, before}, askingItems{w.items, before})
	s.SetClock(func() time.Time { return w.clock })
	return s
}

type askingItems struct {
	keystore.Items
	before func() error
}

func (a askingItems) Put(ctx context.Context, name string, v secret.Value) error {
	if err := a.before(); err != nil {
		return err
	}
	return a.Items.Put(ctx, name, v)
}

func (a askingItems) Get(ctx context.Context, name string) (secret.Value, error) {
	if err := a.before(); err != nil {
		return secret.Value{}, err
	}
	return a.Items.Get(ctx, name)
}

func (a askingItems) Delete(ctx context.Context, name string) error {
	if err := a.before(); err != nil {
		return err
	}
	return a.Items.Delete(ctx, name)
}

type askingRecords struct {
	keystore.Records
	before func() error
}

func (a askingRecords) Change(ctx context.Context, by string) (keystore.Change, error) {
	if err := a.before(); err != nil {
		return nil, err
	}
	c, err := a.Records.Change(ctx, by)
	return askingChange{c, a.before}, err
}

type askingChange struct {
	keystore.Change
	before func() error
}

func (a askingChange) Prepare(ctx context.Context, document []byte) error {
	if err := a.before(); err != nil {
		return err
	}
	return a.Change.Prepare(ctx, document)
}

func (a askingChange) Commit(ctx context.Context, document []byte) error {
	if err := a.before(); err != nil {
		return err
	}
	return a.Change.Commit(ctx, document)
}

type operation func(ctx context.Context, s *keystore.Store) error

// doPut stores what "A=value" says.
func doPut(text string) operation {
	name, value, _ := strings.Cut(text, "=")
	return func(ctx context.Context, s *keystore.Store) error {
		_, err := s.Put(ctx, "t", keystore.Name{Env: "prod", Key: name}, keystore.Parts{keystore.SinglePart: secret.New([]byte(value))}, nil)
		return err
	}
}

var operations = map[string]operation{
	"put A":  doPut("A=3"),
	"put A'": doPut("A=4"),
	"put C":  doPut("C=1"),
	"undo A": func(ctx context.Context, s *keystore.Store) error { return s.Undo(ctx, "t", nameA) },
	"edit A": func(ctx context.Context, s *keystore.Store) error {
		return s.Edit(ctx, "t", nameA, func(k *keystore.Key) error { k.Owner += "x"; return nil })
	},
	"move A": func(ctx context.Context, s *keystore.Store) error {
		return s.Move(ctx, "t", nameA, keystore.Name{Env: "prod", Key: "C"})
	},
	"remove A": func(ctx context.Context, s *keystore.Store) error { return s.Remove(ctx, "t", nameA) },
	"protect":  func(ctx context.Context, s *keystore.Store) error { return s.Protect(ctx, "t", "prod") },
	"restore C": func(ctx context.Context, s *keystore.Store) error {
		k := keystore.Key{Name: keystore.Name{Env: "prod", Key: "C"}, Parts: []keystore.Part{{Name: keystore.SinglePart}}, Versions: []keystore.Version{{Number: 1, Stage: keystore.Current}}}
		versions := map[int]keystore.Parts{1: {keystore.SinglePart: secret.New([]byte("9"))}}
		left, err := s.Restore(ctx, "t", keystore.Saved{Keys: []keystore.SavedKey{{Key: k, Versions: versions}}})
		if len(left) > 0 {
			err = keystore.ErrExists
		}
		return err
	},
	"rotate A": func(ctx context.Context, s *keystore.Store) error {
		r := keystore.Rotation{ID: "r", Key: nameA, Revision: 1, Journal: []byte("{}")}
		pending := keystore.Parts{keystore.SinglePart: secret.New([]byte("5"))}
		return s.Rotate(ctx, "t", r, keystore.RotationChange{Begin: true, Pending: pending, Number: 3})
	},
}

var nameA = keystore.Name{Env: "prod", Key: "A"}

// state is what everybody sees: each version with its value, and what is said of the keys.
func (w *shared) state() string {
	w.t.Helper()
	s := w.store(nil)
	var b strings.Builder
	err := s.Each(w.t.Context(), func(k keystore.Key, versions map[int]keystore.Parts) error {
		fmt.Fprintf(&b, "%s owner %q", k.Name, k.Owner)
		for _, v := range k.Versions {
			fmt.Fprintf(&b, ", %s %d %s", v.Stage, v.Number, versions[v.Number][keystore.SinglePart].Reveal())
		}
		b.WriteString("; ")
		return nil
	})
	if err != nil {
		w.t.Errorf("read all: %v", err)
	}
	c, err := s.Catalog(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	fmt.Fprint(&b, len(c.Protected), " protected")
	return b.String()
}

// tidy lets everything cool, and wants no item that belongs to nothing, nor less.
func (w *shared) tidy() {
	w.t.Helper()
	s := w.store(nil)
	for range 2 {
		w.clock = w.clock.Add(2 * keystore.Cooling)
		if err := doPut("TIDY=x")(w.t.Context(), s); err != nil {
			w.t.Fatal(err)
		}
	}
	c, err := s.Catalog(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	var want []string
	for _, k := range c.Keys {
		for _, v := range k.Versions {
			want = append(want, v.Item)
		}
	}
	slices.Sort(want)
	if have := w.items.Names(); !slices.Equal(have, want) {
		w.t.Errorf("items %q, want %q", have, want)
	}
}

// outcome is how an operation ended, and what it left.
func (w *shared) outcome(err error) string {
	w.t.Helper()
	for _, known := range []error{keystore.ErrNoKey, keystore.ErrNoVersion, keystore.ErrExists, keystore.ErrRotating, keystore.ErrRevision} {
		if errors.Is(err, known) {
			err = known
		}
	}
	return fmt.Sprint(err, "; ", w.state())
}

var errKilled = errors.New("killed")

// TestRivals lets a second keywright do something before each call of a first, whole or
// until it dies at one of its own, with nothing that keeps them apart. What comes of the
// first must be what one after the other gives, or what it gives alone if the second
// died; every version that there is must be readable, and nothing may be left over.
func TestRivals(t *testing.T) {
	tried := 0
	for _, first := range slices.Sorted(maps.Keys(operations)) {
		for _, second := range slices.Sorted(maps.Keys(operations)) {
			alone, before, after := newShared(t), newShared(t), newShared(t)
			do := func(w *shared, name string) error { return operations[name](t.Context(), w.store(nil)) }
			_ = do(before, second)
			serial := []string{before.outcome(do(before, first))}
			err := do(after, first)
			_ = do(after, second)
			serial = append(serial, after.outcome(err))
			cut := append(serial, alone.outcome(do(alone, first)))
			for dies := 0; ; dies++ { // at which of its calls; 0 for not at all
				ended := true
				for at := 1; ; at++ {
					w := newShared(t)
					n, of := 0, 0
					killed := func() error {
						if of++; dies > 0 && of >= dies {
							return errKilled
						}
						return nil
					}
					one := w.store(func() error {
						if n++; n == at {
							_ = operations[second](t.Context(), w.store(killed))
						}
						return nil
					})
					err := operations[first](t.Context(), one)
					if n < at {
						break
					}
					tried++
					ended = ended && of < dies
					want := serial
					if of >= dies && dies > 0 {
						want = cut
					}
					if got := w.outcome(err); !slices.Contains(want, got) {
						t.Errorf("%s, before call %d %s (dead at its call %d):\n%s, want one of\n%s", first, at, second, dies, got, strings.Join(want, "\n"))
					}
					w.tidy()
				}
				if ended {
					break
				}
			}
		}
	}
	t.Logf("%d meetings", tried)
}
