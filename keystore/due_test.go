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
		key("J", 10*day, 5*time.Hour, 0),
		key("K", 10*day, -90*time.Second, 0),
		{Name: Name{"prod", "I"}, Expires: now.Add(-day)}, // no version yet
	}}
	var got []string
	for _, d := range c.Due(now, 14*day) {
		got = append(got, fmt.Sprint(d.Key.Name.Key, " ", d.Text(now)))
	}
	want := []string{"G expired 3 d ago", "B expired 2 d ago", "K expired 1 min ago", "J expires in 5 h", "C expires in 13 d", "E to be replaced since 10 d"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestLeaked: what was pushed comes first, and a sighting that was pushed stands for its key.
func TestLeaked(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	key := func(name string, all ...Sighting) Key {
		k := Key{Name: Name{"prod", name}, Versions: []Version{{Number: 2, Stage: Current, Created: now}}}
		for _, s := range all {
			k.add(s)
		}
		return k
	}
	at := func(path string, version, day int, pushed bool) Sighting {
		return Sighting{Version: version, Where: "/r", Path: path, Commit: "c", Pushed: pushed, Seen: now.AddDate(0, 0, day)}
	}
	c := Catalog{Keys: []Key{
		key("A", at("a", 2, 0, false)),
		key("B", at("b", 1, 0, true)),                       // the version before
		key("C", at("c", 2, 1, false), at("d", 2, 3, true)), // of two the worse
		key("D", at("e", 2, 2, false), at("e", 2, 9, true)), // pushed later: when it was first met stays
		key("E", at("f", 2, 1, true), at("f", 2, 9, false)), // a branch of the remote is gone
		{Name: Name{"prod", "F"}, Expires: now.AddDate(0, 0, -1), Versions: []Version{{Number: 1, Stage: Current}}},
	}}
	var got []string
	for _, d := range c.Due(now, 0) {
		got = append(got, fmt.Sprint(d.Key.Name.Key, " ", d.Text(now)))
	}
	const pushed = ", on a remote branch as of the last fetch"
	want := []string{"E seen in /r/f on 2026-06-02" + pushed, "D seen in /r/e on 2026-06-03" + pushed, "C seen in /r/d on 2026-06-04" + pushed,
		"A seen in /r/a on 2026-06-01", "F expired 1 d ago"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestSightingsOfEachVersion: many places of an old version leave room for those of a new one.
func TestSightingsOfEachVersion(t *testing.T) {
	var k Key
	for version := range 2 {
		for n := range 2 * maxSightings {
			added := k.add(Sighting{Version: version, Path: fmt.Sprint(n)})
			if again := k.add(Sighting{Version: version, Path: fmt.Sprint(n)}); added != (n < maxSightings) || again {
				t.Fatalf("version %d, place %d: added %v, again %v", version, n, added, again)
			}
		}
	}
	for _, worse := range []Sighting{{Version: 1, Path: "x", Pushed: true}, {Version: 1, Path: "y", Pushed: true}} {
		k.add(worse)
	}
	if s, ok := k.seen(1); !ok || !s.Pushed || s.Path != "x" || len(k.Sightings) != 2*maxSightings {
		t.Errorf("what was pushed is not kept: %v of %d", s, len(k.Sightings))
	}
}

// TestLeakedMeanwhile: the old version of a key is leaked as long as its rotation is open:
// it may be alive.
func TestLeakedMeanwhile(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	for rotation, want := range map[string]int{"r1": 1, "": 0} {
		k := Key{Name: Name{"prod", "A"}, Rotation: rotation, Versions: []Version{{Number: 2, Stage: Current, Created: now}, {Number: 1, Stage: Previous, Created: now}}}
		k.add(Sighting{Version: 1, Where: "/r", Path: "a", Seen: now})
		c := Catalog{Keys: []Key{k}}
		if due := c.Due(now, 0); len(due) != want || want > 0 && due[0].Concern != Leaked {
			t.Errorf("rotation %q: %v", rotation, due)
		}
	}
}
