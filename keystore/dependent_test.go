package keystore

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// reachedWith reads consumers that are written KIND@KEY.
func reachedWith(spec string) string {
	_, key, _ := strings.Cut(spec, "@")
	return key
}

func renamedTo(spec, from, to string) (string, error) {
	kind, key, ok := strings.Cut(spec, "@")
	switch {
	case !ok || key != from:
		return spec, nil
	case strings.Contains(kind, "full"):
		return "", errors.New("it is full")
	}
	return kind + "@" + to, nil
}

// dependents is a store of keys that need one another.
func dependents(t *testing.T) *testStore {
	t.Helper()
	s := newTestStore(t)
	s.WithRenamer(renamedTo)
	for name, k := range map[string]Key{
		"prod/ROOT": {},
		"prod/SELF": {Consumers: []string{"env", "gh@prod/SELF"}},
		"dev/DB":    {Admin: "prod/ROOT", Consumers: []string{"env", "gh@prod/ROOT"}},
		"dev/WEB":   {Admin: "prod/GONE", Consumers: []string{"gh@prod/GONE", "vault@prod/LOST", "vault@prod/SELF"}},
	} {
		if err := s.put(name, "v"); err != nil {
			t.Fatal(err)
		}
		needs(t, s, name, k.Admin, k.Consumers...)
	}
	return s
}

func needs(t *testing.T, s *testStore, name, admin string, consumers ...string) {
	t.Helper()
	n, _ := ParseName(name)
	if err := s.Edit(t.Context(), "t", n, func(k *Key) error { k.Admin, k.Consumers = admin, consumers; return nil }); err != nil {
		t.Fatal(err)
	}
}

func TestDependents(t *testing.T) {
	c, err := dependents(t).Catalog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dev, web := Name{"dev", "DB"}, Name{"dev", "WEB"}
	for on, want := range map[Name][]Dependent{
		{"prod", "ROOT"}: {{dev, ""}, {dev, "gh@prod/ROOT"}},
		{"prod", "SELF"}: {{web, "vault@prod/SELF"}}, // itself goes with it
		{"dev", "DB"}:    nil,
	} {
		if got := c.Dependents(on, reachedWith); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", on, got, want)
		}
	}
	if got, want := c.Stranded(reachedWith), (map[Name][]string{web: {"prod/GONE", "prod/LOST"}}); !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestMoveRenames: whatever a key is changed or delivered with is known by its new name
// with the same write, also to the key itself; where that cannot be, nothing changes.
func TestMoveRenames(t *testing.T) {
	s := dependents(t)
	of := func(name string) *Key {
		t.Helper()
		c, err := s.Catalog(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n, _ := ParseName(name)
		k, ok := c.Find(n)
		if !ok {
			t.Fatalf("there is no %s", name)
		}
		return k
	}
	move := func(from, to string) error {
		a, _ := ParseName(from)
		b, _ := ParseName(to)
		return s.Move(t.Context(), "t", a, b)
	}
	if err := move("prod/ROOT", "ops/ROOT"); err != nil {
		t.Fatal(err)
	}
	if k := of("dev/DB"); k.Admin != "ops/ROOT" || !slices.Equal(k.Consumers, []string{"env", "gh@ops/ROOT"}) {
		t.Errorf("%q %q", k.Admin, k.Consumers)
	}
	if err := move("prod/SELF", "ops/SELF"); err != nil {
		t.Fatal(err)
	}
	if k := of("ops/SELF"); !slices.Equal(k.Consumers, []string{"env", "gh@ops/SELF"}) {
		t.Errorf("%q", k.Consumers)
	}
	if k := of("dev/WEB"); k.Admin != "prod/GONE" || !slices.Equal(k.Consumers, []string{"gh@prod/GONE", "vault@prod/LOST", "vault@ops/SELF"}) {
		t.Errorf("%q %q", k.Admin, k.Consumers)
	}

	// What a rotation delivers to stands in its journal by the old name.
	r := Rotation{ID: "r1", Key: Name{"dev", "DB"}, Journal: []byte("{}")}
	if err := saved(t, s, &r, RotationChange{Begin: true}); err != nil {
		t.Fatal(err)
	}
	if err := move("ops/ROOT", "prod/ROOT"); !errors.Is(err, ErrRotating) || !strings.Contains(err.Error(), "dev/DB") {
		t.Errorf("while it is used: %v", err)
	}
	if k := of("dev/DB"); k.Admin != "ops/ROOT" {
		t.Errorf("%q", k.Admin)
	}
	of("ops/ROOT")
	if err := move("ops/SELF", "prod/SELF"); err != nil { // another one does not matter
		t.Error(err)
	}

	needs(t, s, "dev/WEB", "", "full@prod/SELF")
	if err := move("prod/SELF", "prod/OTHER"); err == nil || !strings.Contains(err.Error(), "dev/WEB: it is full") {
		t.Errorf("%v", err)
	}
	of("prod/SELF")
}

// TestDependentsFirst: a key comes after those that are changed or delivered with it, and
// otherwise the order stays.
func TestDependentsFirst(t *testing.T) {
	s := newTestStore(t)
	for _, name := range []string{"ops/ROOT", "ops/DEPLOY", "prod/A", "prod/B", "prod/C", "x/ONE", "x/TWO"} {
		if err := s.put(name, "v"); err != nil {
			t.Fatal(err)
		}
	}
	needs(t, s, "prod/A", "ops/ROOT")
	needs(t, s, "prod/B", "prod/A", "gh@ops/DEPLOY")
	needs(t, s, "prod/C", "")
	needs(t, s, "ops/DEPLOY", "ops/ROOT")
	needs(t, s, "x/ONE", "x/TWO") // each with the other: no order is right
	needs(t, s, "x/TWO", "x/ONE")
	c, err := s.Catalog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ given, want string }{
		{"", ""},
		{"ops/ROOT", "ops/ROOT"},
		{"prod/C prod/B prod/A", "prod/C prod/B prod/A"},
		{"ops/ROOT prod/A", "prod/A ops/ROOT"},
		{"ops/ROOT prod/C ops/DEPLOY prod/A prod/B", "prod/C prod/B ops/DEPLOY prod/A ops/ROOT"},
		{"ops/ROOT prod/B", "ops/ROOT prod/B"}, // what lies between is not replaced
		{"x/TWO x/ONE prod/C", "prod/C x/TWO x/ONE"},
	} {
		var names []Name
		for _, text := range strings.Fields(tt.given) {
			n, _ := ParseName(text)
			names = append(names, n)
		}
		got := ""
		for _, n := range c.DependentsFirst(names, reachedWith) {
			got = strings.TrimSpace(got + " " + n.String())
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.given, got, tt.want)
		}
	}
}
