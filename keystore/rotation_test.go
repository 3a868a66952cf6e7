package keystore

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/keywright/keywright/secret"
)

// saved saves the next revision of a rotation.
func saved(t *testing.T, s *testStore, r *Rotation, c RotationChange) error {
	t.Helper()
	r.Revision++
	r.Journal = json.RawMessage(`{"revision":` + string(rune('0'+r.Revision)) + `}`)
	err := s.Rotate(t.Context(), "ada", *r, c)
	if err != nil {
		r.Revision--
	}
	return err
}

// TestRotate: the versions of a key while it is rotated, and who may change it.
func TestRotate(t *testing.T) {
	s := newTestStore(t)
	name := Name{"prod", "DB"}
	r := Rotation{ID: "r1", Key: name}
	value := func(v string) Parts { return Parts{SinglePart: secret.New([]byte(v))} }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.put("prod/DB", "one"))
	must(s.put("prod/DB", "two"))
	want := func(stage Stage, v string) {
		t.Helper()
		parts, _, err := s.Get(t.Context(), name, stage)
		if v == "" {
			if !errors.Is(err, ErrNoVersion) {
				t.Errorf("%s: %v", stage, err)
			}
			return
		}
		must(err)
		if got := string(parts[SinglePart].Reveal()); got != v {
			t.Errorf("%s is %q, want %q", stage, got, v)
		}
	}
	must(saved(t, s, &r, RotationChange{Begin: true}))

	// Nobody else changes it meanwhile, and no other rotation of it begins.
	for what, err := range map[string]error{
		"set":    second(s.Put(t.Context(), "ada", name, value("x"), nil)),
		"undo":   s.Undo(t.Context(), "tester", name),
		"mv":     s.Move(t.Context(), "tester", name, Name{"prod", "OTHER"}),
		"rm":     s.Remove(t.Context(), "tester", name),
		"rotate": s.Rotate(t.Context(), "ada", Rotation{ID: "r2", Key: name, Revision: 1}, RotationChange{Begin: true}),
	} {
		if !errors.Is(err, ErrRotating) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// Of two processes that go on with it, one is told.
	if err := s.Rotate(t.Context(), "ada", Rotation{ID: "r1", Key: name, Revision: 1}, RotationChange{}); !errors.Is(err, ErrRevision) {
		t.Errorf("a revision twice: %v", err)
	}

	must(saved(t, s, &r, RotationChange{Pending: value("three"), Number: 3}))
	want(Pending, "three")
	want(Current, "two")
	want(Previous, "one")
	must(saved(t, s, &r, RotationChange{Promote: true, PublicID: "id3"}))
	want(Pending, "")
	want(Current, "three")
	want(Previous, "two")
	must(saved(t, s, &r, RotationChange{Demote: true, PublicID: "id2"}))
	want(Pending, "three")
	want(Current, "two")
	want(Previous, "")
	must(saved(t, s, &r, RotationChange{Promote: true, PublicID: "id3"}))
	must(saved(t, s, &r, RotationChange{End: true, Retire: true}))
	want(Current, "three")
	want(Previous, "")
	if parts, err := s.Numbered(t.Context(), name, 3); err != nil || string(parts[SinglePart].Reveal()) != "three" {
		t.Errorf("version 3: %v", err)
	}
	c, err := s.Catalog(t.Context())
	must(err)
	if k, _ := c.Find(name); k.Rotation != "" || k.PublicID != "id3" || len(c.Rotations) != 1 {
		t.Errorf("rotation %q, id %q, %d rotations", k.Rotation, k.PublicID, len(c.Rotations))
	}
	must(s.put("prod/DB", "four")) // it may be changed again
}

func second[T any](_ T, err error) error { return err }

// TestRestorePending: what was pending when a backup was made is kept, and the key can be
// rotated where it is restored.
func TestRestorePending(t *testing.T) {
	from, to, name := newTestStore(t), newTestStore(t), Name{"prod", "DB"}
	r := Rotation{ID: "r1", Key: name}
	for _, err := range []error{
		from.put("prod/DB", "one"), from.put("prod/DB", "two"), saved(t, from, &r, RotationChange{Begin: true}),
		saved(t, from, &r, RotationChange{Pending: Parts{SinglePart: secret.New([]byte("three"))}, Number: 3}),
		from.Each(t.Context(), func(k Key, versions map[int]Parts) error {
			return second(to.Restore(t.Context(), "tester", Saved{Keys: []SavedKey{{k, versions}}}))
		}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if cur, prev := to.value("prod/DB", Current), to.value("prod/DB", Previous); cur != "two" || prev != "three" {
		t.Errorf("current %q, previous %q", cur, prev)
	}
	again := Rotation{ID: "r2", Key: name}
	for _, c := range []RotationChange{{Begin: true}, {Pending: Parts{SinglePart: secret.New([]byte("four"))}, Number: 4}, {Promote: true}} {
		if err := saved(t, to, &again, c); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRotateSettled: a rotation that is given up leaves the pending version as the previous
// one; without one, what was previous stays.
func TestRotateSettled(t *testing.T) {
	for _, pending := range []bool{true, false} {
		s, name := newTestStore(t), Name{"prod", "DB"}
		r := Rotation{ID: "r1", Key: name}
		for _, err := range []error{s.put("prod/DB", "one"), s.put("prod/DB", "two"), saved(t, s, &r, RotationChange{Begin: true})} {
			if err != nil {
				t.Fatal(err)
			}
		}
		want := "one"
		if pending {
			want = "three"
			if err := saved(t, s, &r, RotationChange{Pending: Parts{SinglePart: secret.New([]byte(want))}, Number: 3}); err != nil {
				t.Fatal(err)
			}
		}
		if err := saved(t, s, &r, RotationChange{Settle: true, End: true}); err != nil {
			t.Fatal(err)
		}
		if cur, prev := s.value("prod/DB", Current), s.value("prod/DB", Previous); cur != "two" || prev != want {
			t.Errorf("current %q, previous %q", cur, prev)
		}
		if _, _, err := s.Get(t.Context(), name, Pending); !errors.Is(err, ErrNoVersion) {
			t.Errorf("pending: %v", err)
		}
		for _, err := range []error{s.Undo(t.Context(), "tester", name), s.put("prod/DB", "four")} {
			if err != nil {
				t.Error(err)
			}
		}
	}
}

// TestEditRotated: while a key is rotated, what that relies on stays as it is. What was
// missing may be added, and all else may be changed.
func TestEditRotated(t *testing.T) {
	name := Name{"prod", "DB"}
	known := func(k *Key) error {
		k.Provider, k.PublicID, k.Admin = "postgres", "app", "prod/ROOT"
		k.Params = map[string]string{"host": "db.example.com"}
		return nil
	}
	s := newTestStore(t)
	r := Rotation{ID: "r1", Key: name}
	for _, err := range []error{s.put("prod/DB", "one"), s.Edit(t.Context(), "tester", name, known), saved(t, s, &r, RotationChange{Begin: true})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for what, edit := range map[string]func(k *Key){
		"its provider":       func(k *Key) { k.Provider = "mariadb" },
		"no provider":        func(k *Key) { k.Provider = "" },
		"its id":             func(k *Key) { k.PublicID = "other" },
		"no admin":           func(k *Key) { k.Admin = "" },
		"the parameter host": func(k *Key) { k.Params["host"] = "elsewhere.example.com" },
		"no parameter host":  func(k *Key) { delete(k.Params, "host") },
		"no parameters":      func(k *Key) { k.Params = nil },
	} {
		if err := s.Edit(t.Context(), "tester", name, func(k *Key) error { edit(k); return nil }); !errors.Is(err, ErrRotating) {
			t.Errorf("%s: %v", what, err)
		}
	}
	c, err := s.Catalog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if k, _ := c.Find(name); k.Provider != "postgres" || k.PublicID != "app" || k.Admin != "prod/ROOT" || k.Params["host"] != "db.example.com" {
		t.Errorf("it was changed all the same: %+v", k)
	}
	if err := s.Edit(t.Context(), "tester", name, func(k *Key) error {
		k.Admin = "prod/OTHER" // that one may be gone
		k.Params["port"], k.Owner, k.Consumers, k.Forbidden = "5433", "Ada", []string{"env:/a,A"}, []string{"withdraw"}
		return nil
	}); err != nil {
		t.Errorf("what the rotation does not rely on: %v", err)
	}
	if err := saved(t, s, &r, RotationChange{End: true}); err != nil {
		t.Fatal(err)
	}
	if err := s.Edit(t.Context(), "tester", name, func(k *Key) error { k.Params["host"] = "new.example.com"; return nil }); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestRotationsForgotten: of rotations that are over the newest are kept, and those that
// may have left something behind. A key's go with it to another name.
func TestRotationsForgotten(t *testing.T) {
	s := newTestStore(t)
	for _, key := range []string{"prod/A", "prod/B"} {
		if err := s.put(key, "one"); err != nil {
			t.Fatal(err)
		}
	}
	over := func(id, key string, left bool) {
		t.Helper()
		r := Rotation{ID: id, Key: Name{"prod", key}, Left: left}
		begin := saved(t, s, &r, RotationChange{Begin: true})
		r.Closed = s.clock
		if err := errors.Join(begin, saved(t, s, &r, RotationChange{End: true})); err != nil {
			t.Fatal(err)
		}
	}
	over("first", "A", false)
	over("left", "A", true)
	for i := range maxClosed {
		over(fmt.Sprint(i), "B", false)
	}
	if err := s.Move(t.Context(), "tester", Name{"prod", "A"}, Name{"prod", "C"}); err != nil {
		t.Fatal(err)
	}
	all, err := s.Rotations(t.Context())
	if err != nil || len(all) != 1+maxClosed || all[0].ID != "left" || all[1].ID != "0" {
		t.Fatalf("%d are kept, %v", len(all), err)
	}
	if of := all[0].Key; of != (Name{"prod", "C"}) || all[1].Key != (Name{"prod", "B"}) {
		t.Errorf("they are of %v and %v", of, all[1].Key)
	}
}

// TestAmend: the journal of a rotation that is over is changed, of none that is open, and
// not by somebody who has not seen the last change; also when its key is gone.
func TestAmend(t *testing.T) {
	s := newTestStore(t)
	name := Name{"prod", "DB"}
	r := Rotation{ID: "r1", Key: name, Left: true}
	if err := errors.Join(s.put("prod/DB", "one"), saved(t, s, &r, RotationChange{Begin: true})); err != nil {
		t.Fatal(err)
	}
	next := func(left bool) Rotation {
		n := r
		n.Revision, n.Left, n.Closed = r.Revision+1, left, time.Time{}
		return n
	}
	if err := s.Amend(t.Context(), "ada", next(false)); !errors.Is(err, ErrNoRotation) {
		t.Errorf("while it is open: %v", err)
	}
	r.Closed = s.clock
	if err := errors.Join(saved(t, s, &r, RotationChange{End: true}), s.Remove(t.Context(), "ada", name)); err != nil {
		t.Fatal(err)
	}
	if err := s.Amend(t.Context(), "ada", r); !errors.Is(err, ErrRevision) {
		t.Errorf("a revision twice: %v", err)
	}
	if err := s.Amend(t.Context(), "ada", next(false)); err != nil {
		t.Fatal(err)
	}
	all, err := s.Rotations(t.Context())
	if err != nil || len(all) != 1 || all[0].Left || all[0].Closed.IsZero() || all[0].Revision != r.Revision+1 {
		t.Errorf("%+v, %v", all, err)
	}
}
