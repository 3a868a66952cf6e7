package keystore

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/keywright/keywright/secret"
)

// savedKey is a key of a backup, with the values of its versions, the newest last.
func savedKey(name string, values ...string) SavedKey {
	n, err := ParseName(name)
	if err != nil {
		panic(err)
	}
	k := SavedKey{Key{Name: n, Parts: []Part{{Name: SinglePart}}, LastNumber: len(values)}, map[int]Parts{}}
	stage := Current
	for i := len(values); i > 0; i-- {
		k.Key.Versions = append(k.Key.Versions, Version{Number: i, Stage: stage})
		k.Versions[i] = single(values[i-1])
		stage = Previous
	}
	return k
}

func (s *testStore) restore(saved Saved) (left []Name, err error) {
	return s.Store.Restore(s.t.Context(), "tester", saved)
}

// TestCrashOfRestore lets the process die at every call of the backend: all that a backup
// holds is there, or nothing.
func TestCrashOfRestore(t *testing.T) {
	saved := Saved{
		Keys:      []SavedKey{savedKey("dev/TAKEN", "x"), savedKey("prod/A", "1", "2"), savedKey("prod/B", "3")},
		Retired:   []RetiredValues{{Name: Name{"prod", "A"}, Number: 1, Item: "key-1", Key: secret.New([]byte("key")), Digests: single("digest")}},
		Protected: []string{"prod"},
	}
	for n, ends := 1, 0; ends < 2; n++ {
		if n > 60 {
			t.Fatal("it does not end")
		}
		s := newTestStore(t)
		if err := s.put("dev/TAKEN", "mine"); err != nil {
			t.Fatal(err)
		}
		s.mem = s.mem.revive()
		s.mem.dieAt, s.mem.after = (n+1)/2, n%2 == 0
		dir := s.dir
		left, err := s.at(dir).restore(saved)
		if s.mem.calls < s.mem.dieAt {
			ends++
		}
		if err == nil && !slices.Equal(left, []Name{{"dev", "TAKEN"}}) {
			t.Fatalf("left alone: %v", left)
		}
		s.mem = s.mem.revive()
		s.at(dir)
		c, catalogErr := s.Catalog(t.Context())
		if catalogErr != nil {
			t.Fatal(catalogErr)
		}
		got := fmt.Sprint(s.value("prod/A", Current), s.value("prod/A", Previous), s.value("prod/B", Current), s.value("dev/TAKEN", Current), len(c.Retired), len(c.Protected))
		if got != fmt.Sprint("2", "1", "3", "mine", 1, 1) && (got != fmt.Sprint("none", "none", "none", "mine", 0, 0) || err == nil) {
			t.Errorf("dead at call %d: %q, %v", (n+1)/2, got, err)
		}
		s.tidy()
	}
}

// What one key of a backup is refused for is refused for all.
func TestRestoreRefused(t *testing.T) {
	good, other := savedKey("prod/A", "1"), savedKey("prod/B", "2")
	lacking, wrong := other, other
	lacking.Versions = nil
	wrong.Key.Name.Key = "../B"
	for what, saved := range map[string]Saved{
		"a version without its secrets":    {Keys: []SavedKey{good, lacking}},
		"a name that cannot be":            {Keys: []SavedKey{good, wrong}},
		"a name twice":                     {Keys: []SavedKey{good, other, good}},
		"an environment that cannot be":    {Keys: []SavedKey{good}, Protected: []string{"Prod"}},
		"a version that is gone, misnamed": {Keys: []SavedKey{good}, Retired: []RetiredValues{{Name: wrong.Key.Name}}},
	} {
		s := newTestStore(t)
		if _, err := s.restore(saved); err == nil || s.value("prod/A", Current) != "none" {
			t.Errorf("%s: %v; prod/A is %s", what, err, s.value("prod/A", Current))
		}
		s.tidy()
	}
	if _, err := newTestStore(t).restore(Saved{Keys: []SavedKey{good, good}}); !errors.Is(err, ErrExists) {
		t.Errorf("a name twice: %v", err)
	}
}

// What restores many keys asks the backend once more for each version.
func TestRestoreCosts(t *testing.T) {
	cost := func(n int) int {
		s := newTestStore(t)
		var saved Saved
		for i := range n {
			saved.Keys = append(saved.Keys, savedKey(fmt.Sprint("a/K", i), "x", "y"))
		}
		if _, err := s.restore(saved); err != nil {
			t.Fatal(err)
		}
		return s.mem.calls
	}
	if few, many := cost(10), cost(30); many != few+40 {
		t.Errorf("%d calls for 10 keys, %d for 30", few, many)
	}
}
