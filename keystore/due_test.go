package keystore

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestDue(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	key := func(name string, age, expires time.Duration, every Days) Key {
		k := Key{Name: Name{"prod", name}, RotateEvery: every, Versions: []Version{{Number: 1, Stage: Current, Created: now.Add(-age)}}}
		if expires != 0 {
			k.Expires = now.Add(expires)
		}
		return k
	}
	c := Catalog{Keys: []Key{
		key("A", 10*day, 0, 0),
		key("B", 10*day, -2*day, 0),
		key("C", 10*day, 13*day, 0),
		key("D", 10*day, 15*day, 0),
		key("E", 100*day, 0, 90),
		key("F", 80*day, 0, 90),
		key("G", 100*day, -3*day, 90),
		key("H", 10*day, 0, -1),
		{Name: Name{"prod", "I"}, Expires: now.Add(-day)}, // no version yet
	}}
	var got []string
	for _, d := range c.Due(now, 14*day) {
		got = append(got, fmt.Sprint(d.Key.Name.Key, " ", d.Text(now)))
	}
	want := []string{"G expired 3 d ago", "B expired 2 d ago", "C expires in 13 d", "E to be replaced since 10 d"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
