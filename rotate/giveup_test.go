package rotate

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
)

// TestLeftOut: a place that is no consumer of the key any more keeps a rotation from
// neither way.
func TestLeftOut(t *testing.T) {
	gone := &provider.Error{Provider: "fake", Doing: "write", Kind: provider.Refused}
	for _, back := range []bool{true, false} {
		w := newWorld(t)
		of := func(w *world) provider.Provider { return lister{issuer{fake{w}}} }
		e := w.engine(of)
		j, err := e.New(t.Context(), "prod/DB", Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Begin(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		if back {
			w.until(e, j.ID, Revoke)
			if err := e.Abort(t.Context(), j.ID); err != nil {
				t.Fatal(err)
			}
		}
		w.fault = &fault{call: "deliver two", err: gone}
		if err := w.drive(e, j.ID); !errors.Is(err, gone) {
			t.Fatal(err)
		}
		w.key.Consumers = []string{"one"}
		reloads := w.reloads
		if err := w.drive(e, j.ID); err != nil {
			t.Fatalf("taken back %v: %v", back, err)
		}
		left := w.consumers["two"]
		delete(w.consumers, "two")
		if err := w.check(j.ID); err != nil {
			t.Errorf("taken back %v: %v", back, err)
		}
		if want := map[bool]string{true: "new1", false: "old"}[back]; left != want || w.reloads != reloads+1 {
			t.Errorf("taken back %v: what is no consumer has %s, %d reloads", back, left, w.reloads-reloads)
		}
		j, _ = w.Journal(t.Context(), j.ID)
		if !slices.ContainsFunc(j.Events, func(e Event) bool {
			return e.Step.Consumer == "two" && e.What == Skipped && strings.Contains(e.Note, "no consumer")
		}) {
			t.Errorf("the journal does not say so: %+v", j.Events)
		}
	}
}

// TestGiveUp: whatever a rotation stands at, killed or not, it can be given up: nothing is
// changed where the key lives, no version that may work is forgotten, and what is left at
// the provider is named.
func TestGiveUp(t *testing.T) {
	runs := 0
	for i, f := range families {
		t.Run(f.name, func(t *testing.T) {
			for _, back := range []bool{false, true} {
				for at := 1 + i%every(3); ; at += every(3) {
					w := newWorld(t)
					if f.self {
						w.key.Admin = ""
					}
					e := w.engine(f.of)
					j, err := e.New(t.Context(), "prod/DB", f.o)
					if err != nil {
						t.Fatal(err)
					}
					if err := e.Begin(t.Context(), j); err != nil {
						t.Fatal(err)
					}
					if back { // half-way back
						w.crashAt = w.points + at
						died(func() { err = w.drive(e, j.ID) })
						w.crashAt = 0
						if left, _ := w.Journal(t.Context(), j.ID); !left.Open() || e.Abort(t.Context(), j.ID) != nil {
							break
						}
						for range at % 4 {
							if o, err := e.Step(t.Context(), j.ID, Answer{Yes: askAccepted}); err != nil && !errors.Is(err, ErrNotAccepted) {
								t.Fatal(err)
							} else if o.Done {
								break
							}
						}
					} else {
						w.crashAt = w.points + at
						if _, dead := died(func() { err = w.drive(e, j.ID) }); !dead {
							break
						}
						w.crashAt = 0
					}
					if left, _ := w.Journal(t.Context(), j.ID); !left.Open() {
						continue
					}
					runs++
					w.giveUp(e, j.ID)
				}
			}
		})
	}
	t.Logf("%d runs, at one moment in %d", runs, every(3))
	if runs < 400 {
		t.Error("the test does not test it")
	}
}

func (w *world) giveUp(e *Engine, id string) {
	t := w.t
	t.Helper()
	alive, consumers, versions, points := maps.Clone(w.alive), maps.Clone(w.consumers), maps.Clone(w.versions), len(w.trace)
	before, _ := w.Journal(t.Context(), id)
	o, err := e.GiveUp(t.Context(), id)
	if err != nil || !o.Done {
		t.Fatalf("at %s: %+v, %v", before.Step(), o, err)
	}
	for _, call := range w.trace[points:] {
		if !strings.HasSuffix(call, " save") && !strings.HasSuffix(call, " list") {
			t.Errorf("at %s: %s", before.Step(), call)
		}
	}
	if !maps.Equal(alive, w.alive) || !maps.Equal(consumers, w.consumers) {
		t.Errorf("at %s: something was changed", before.Step())
	}
	j, _ := w.Journal(t.Context(), id)
	if w.rotating || j.Open() || j.Result != GivenUp || w.pending != 0 || j.Grade != "" && j.Grade != before.Grade {
		t.Errorf("at %s: it is not over: %+v", before.Step(), j)
	}
	all, _, err := e.Orphans(t.Context(), "prod/DB", []*Journal{j})
	if err != nil {
		t.Fatal(err)
	}
	p, _ := e.Provider("fake")
	for s := range alive {
		if slices.Contains(slices.Collect(maps.Values(versions)), s) && !slices.Contains(slices.Collect(maps.Values(w.versions)), s) {
			t.Errorf("at %s: %s is alive, and forgotten", before.Step(), s)
		}
		named := slices.ContainsFunc(all, func(c provider.Listed) bool { return c.ID == "id-"+s })
		said := slices.Contains(j.Suspects, "id-"+s) || strings.Contains(o.Note, "whose secret is lost") || before.Step().Name == Ask || j.NewID == ""
		switch {
		case s == w.versions[w.current]:
			if named {
				t.Errorf("at %s: %s is the current one, and named", before.Step(), s)
			}
		case is[provider.Lister](p) && !named:
			t.Errorf("at %s: %s is alive, and not named: %s", before.Step(), s, o.Note)
		case !said:
			t.Errorf("at %s: %s is alive, and the journal does not say so: %s", before.Step(), s, o.Note)
		}
	}
	if _, err := e.Step(t.Context(), id, Answer{}); !errors.Is(err, ErrClosed) {
		t.Errorf("it goes on: %v", err)
	}
	if again, err := e.New(t.Context(), "prod/DB", Options{}); err != nil || e.Begin(t.Context(), again) != nil {
		t.Errorf("at %s: the key cannot be replaced: %v", before.Step(), err)
	}
}

// TestConsumerAdded: a place that became a consumer while a rotation is open gets the new
// key like the others, before the old one ends, and is taken back like them.
func TestConsumerAdded(t *testing.T) {
	for _, c := range []struct {
		family string
		o      Options
		at     StepName // when it is added
	}{
		{"made here", Options{}, Preflight}, {"made here", Options{}, Deliver}, {"issued", Options{Grace: time.Hour}, Grace}, {"issued", Options{}, Revoke},
		{"in place", Options{}, Promote}, {"issued, leaked", Options{Emergency: true}, Promote}, {"disabled first", Options{Emergency: true}, Close},
	} {
		for _, back := range []bool{false, true} {
			w := newWorld(t)
			of, _ := familyOf(t, c.family)
			e, id := w.begun(of, c.o, c.at)
			w.key.Consumers = append(w.key.Consumers, "three")
			w.consumers["three"] = "old"
			err := w.drive(e, id)
			if back {
				w = newWorld(t)
				e, id = w.begun(of, c.o, c.at)
				w.key.Consumers = append(w.key.Consumers, "three")
				w.consumers["three"] = "old"
				w.fault = &fault{call: "reload three", err: errors.New("it does not start")}
				if err = w.drive(e, id); err == nil || w.consumers["three"] == "old" {
					t.Fatalf("%+v: %v, it has %q", c, err, w.consumers["three"])
				}
				w.fault = nil
				if err = e.Abort(t.Context(), id); errors.Is(err, ErrIrrevocable) {
					err = nil
				}
				err = errors.Join(err, w.drive(e, id))
			}
			if err := errors.Join(err, w.check(id)); err != nil {
				t.Errorf("%+v, back %v: %v", c, back, err)
			}
			if w.consumers["three"] != w.consumers["one"] || w.consumers["three"] != w.versions[w.current] {
				t.Errorf("%+v, back %v: it has %q, another %q, and %q is current", c, back, w.consumers["three"], w.consumers["one"], w.versions[w.current])
			}
		}
	}
}

// TestConsumerAddedInGrace: a place that is added while the old key lives on does not let it
// live longer, whether that time is over or was ended.
func TestConsumerAddedInGrace(t *testing.T) {
	for _, ended := range []bool{false, true} {
		w := newWorld(t)
		e, id := w.begun(listed, Options{Grace: 24 * time.Hour}, Grace)
		o, err := e.Step(t.Context(), id, Answer{})
		if err != nil || o.Until.IsZero() {
			t.Fatalf("%+v, %v", o, err)
		}
		w.key.Consumers = append(w.key.Consumers, "three")
		w.consumers["three"] = "old"
		w.now = o.Until
		if ended {
			w.now = o.Until.Add(-time.Hour)
			if err := e.EndGrace(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		w.until(e, id, Revoke)
		if w.consumers["three"] == "old" || w.now.After(o.Until.Add(time.Hour)) {
			t.Errorf("ended %v: at %v, until %v, it has %q", ended, w.now, o.Until, w.consumers["three"])
		}
		if err := errors.Join(w.drive(e, id), w.check(id)); err != nil {
			t.Error(err)
		}
	}
}
