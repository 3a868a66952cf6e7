package keystore

import (
	"slices"
	"testing"
)

func catalogOf(keys ...Key) *Catalog {
	c := &Catalog{}
	for _, k := range keys {
		k.Versions = []Version{{Number: 1, Stage: Current}}
		if len(k.Parts) == 0 {
			k.Parts = []Part{{Name: SinglePart}}
		}
		c.put(k)
	}
	return c
}

func TestLacks(t *testing.T) {
	dev := func(name string) Name { return Name{"dev", name} }
	c := catalogOf(Key{Name: dev("A")}, Key{Name: dev("B"), Parts: []Part{{Name: "id"}, {Name: "secret"}}})
	c.put(Key{Name: dev("EMPTY")})
	var got []string
	for _, l := range c.Lacks([]Need{
		{Name: dev("A")}, {Name: dev("A"), Variables: map[string]string{"value": "X"}},
		{Name: dev("B"), Variables: map[string]string{"id": "X"}},
		{Name: dev("B"), Variables: map[string]string{"id": "X", "pin": "Y", "cvc": "Z"}},
		{Name: dev("C")}, {Name: Name{"prod", "A"}}, {Name: dev("EMPTY")},
	}) {
		got = append(got, l.Name.String()+" "+l.Why)
	}
	want := []string{"dev/B has no part cvc, pin, only id, secret", "dev/C is not there", "prod/A is not there", "dev/EMPTY is not there"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A project adds to what the user wants, and takes nothing away.
func TestRequire(t *testing.T) {
	for _, c := range []struct {
		key         Key
		need        Need
		owner       string
		rotateEvery Days
	}{
		{Key{}, Need{MaxAge: 30, Owner: "team"}, "team", 30},
		{Key{Owner: "Ada", RotateEvery: 90}, Need{MaxAge: 30, Owner: "team"}, "Ada", 30},
		{Key{Owner: "Ada", RotateEvery: 7}, Need{MaxAge: 30}, "Ada", 7},
		{Key{RotateEvery: 7}, Need{}, "", 7},
		{Key{RotateEvery: 7}, Need{MaxAge: -1}, "", 7},
	} {
		c.key.Name, c.need.Name = Name{"dev", "A"}, Name{"dev", "A"}
		catalog := catalogOf(c.key)
		catalog.Require([]Need{c.need, {Name: Name{"prod", "A"}, Owner: "x", MaxAge: 1}})
		if k := catalog.Keys[0]; k.Owner != c.owner || k.RotateEvery != c.rotateEvery || len(catalog.Keys) != 1 {
			t.Errorf("%+v with %+v: %+v", c.key, c.need, k)
		}
	}
}
