package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/keywright/keywright/audit"
	"github.com/keywright/keywright/internal/launch"
	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/rotate"
	"github.com/keywright/keywright/secret"
)

// TestRunningAfterMoves: a program that was started with a key has it also when that was
// given other names since, once or several times.
func TestRunningAfterMoves(t *testing.T) {
	keys, _, _ := memoryKeys(t)
	me, err := launch.Inspect(os.Getpid())
	if err != nil {
		t.Skip(err)
	}
	name := func(key string) keystore.Name { return keystore.Name{Env: "dev", Key: key} }
	record := func(entries ...audit.Entry) {
		t.Helper()
		if err := keys.append(t.Context(), entries...); err != nil {
			t.Fatal(err)
		}
	}
	ran := entryFor("run", audit.Granted, name("A"))
	ran.Version, ran.Child = "1", childOf(me)
	move := func(from, to string) {
		record(entryFor("mv", audit.Granted, name(from)), entryFor("mv", audit.Granted, name(to)))
	}
	check := func(want ...string) {
		t.Helper()
		var has []string
		for _, key := range []string{"A", "B", "C", "D"} {
			for version := range 3 {
				all, err := rotor{keys}.running(t.Context(), "dev/"+key, version)
				if err != nil || len(all) > 1 {
					t.Errorf("%v, %v", all, err)
				}
				for _, p := range all {
					if p.PID != os.Getpid() {
						t.Errorf("%+v", p)
					}
					has = append(has, fmt.Sprint(key, version))
				}
			}
		}
		if !slices.Equal(has, want) {
			t.Errorf("it has %v, not %v", has, want)
		}
	}
	record(ran)
	check("A1")
	move("A", "B")
	check("A1", "B1")
	record(entryFor("mv", audit.Refused, name("B")))
	move("B", "C")
	check("A1", "B1", "C1")
	move("E", "D")
	move("C", "A") // and back
	check("A1", "B1", "C1")
}

// TestHoldsLeft: of a rotation that could not be begun, or is over, no lock is left.
func TestHoldsLeft(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(envHome, dir)
	keys, _, _ := memoryKeys(t)
	if _, err := keys.Put(t.Context(), "t", keystore.Name{Env: "dev", Key: "A"}, keystore.Parts{keystore.SinglePart: secret.New([]byte("v"))}, nil); err != nil {
		t.Fatal(err)
	}
	check := func(j *rotate.Journal, c rotate.Change, works bool, left ...string) {
		t.Helper()
		release, err := rotor{keys}.Hold(t.Context(), j.ID)
		if err != nil {
			t.Fatal(err)
		}
		j.Revision++
		if err := (rotor{keys}).Save(t.Context(), j, c); (err == nil) != works {
			t.Error(err)
		}
		if err := release(); err != nil {
			t.Error(err)
		}
		var names []string
		entries, err := os.ReadDir(filepath.Join(dir, "rotations"))
		for _, e := range entries {
			names = append(names, e.Name())
		}
		if err != nil || !slices.Equal(names, left) {
			t.Errorf("left are %v, not %v; %v", names, left, err)
		}
	}
	first, second := &rotate.Journal{ID: "first", Key: "dev/A"}, &rotate.Journal{ID: "second", Key: "dev/A"}
	check(first, rotate.Change{Begin: true}, true, "first")
	check(second, rotate.Change{Begin: true}, false, "first")
	check(first, rotate.Change{End: true}, true)
}
