package rotate

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
)

// works counts what consumers hold that is accepted, and reports whether a version that is
// kept is.
func (w *world) works() (held int, kept bool) {
	accepts := func(s string) bool { _, ok := w.alive[s]; return ok && !w.disabled[s] }
	for _, s := range w.consumers {
		if accepts(s) {
			held++
		}
	}
	for _, s := range w.versions {
		kept = kept || accepts(s)
	}
	return held, kept
}

// TestAbortOldDead: whenever a rotation is taken back, and the old key has died meanwhile,
// no credential that works is lost: what works before works afterwards, and the rotation
// goes on if something has the new key.
func TestAbortOldDead(t *testing.T) {
	stopped, back := 0, 0
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			for at := 0; ; at++ {
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
				n := 0
				here := errors.New("here")
				w.fault = nil
				w.before = func(*Journal) {
					if n++; n > at {
						panic(here)
					}
				}
				func() {
					defer func() {
						if r := recover(); r != nil && r != any(here) {
							panic(r)
						}
					}()
					err = w.drive(e, j.ID)
				}()
				w.before = nil
				if n <= at {
					return // it was over
				}
				if j, err = w.Journal(t.Context(), j.ID); err != nil {
					t.Fatal(err)
				}
				delete(w.alive, "old")
				held, kept := w.works()
				if err := e.Abort(t.Context(), j.ID); errors.Is(err, ErrIrrevocable) {
					return
				} else if err != nil {
					t.Fatal(err)
				}
				err = w.drive(e, j.ID)
				heldNow, keptNow := w.works()
				if heldNow < held || kept && !keptNow {
					t.Errorf("before %s: %v; what worked does not", j.Step(), err)
				}
				left, _ := w.Journal(t.Context(), j.ID)
				if !left.Open() {
					back++
					continue
				}
				stopped++
				failed := (*StepError)(nil)
				if !errors.Is(err, ErrNotAccepted) || !errors.As(err, &failed) || !strings.Contains(failed.Hint, "keywright rotate resume "+j.ID+" goes on") {
					t.Fatalf("before %s: %v", j.Step(), err)
				}
				if left.Taking || left.Step() != j.Step() || left.interrupted() != j.interrupted() {
					t.Errorf("before %s: it goes on with %s", j.Step(), left.Step())
				}
				if err := w.drive(e, j.ID); err != nil {
					t.Fatalf("before %s: it does not go on: %v", j.Step(), err)
				}
				if heldNow, _ := w.works(); heldNow != len(w.consumers) {
					t.Errorf("before %s: %d consumers hold what is accepted", j.Step(), heldNow)
				}
				if left, _ := w.Journal(t.Context(), j.ID); left.Result != Done || !strings.HasPrefix(w.versions[w.current], "new") {
					t.Errorf("before %s: %s, current is %s", j.Step(), left.Result, w.versions[w.current])
				}
			}
		})
	}
	t.Logf("%d stopped, %d taken back", stopped, back)
	if stopped < 40 || back < 40 {
		t.Error("the test does not test it")
	}
}

// TestAbortWithoutAnswer: an old key that gives no clear answer is not taken for alive, and
// what the rotation waited for before stays as it was.
func TestAbortWithoutAnswer(t *testing.T) {
	for _, state := range []provider.State{provider.Unknown, provider.Throttled, provider.Blocked, provider.Skewed, provider.Elsewhere, provider.Dead} {
		w := newWorld(t)
		e := w.engine(func(w *world) provider.Provider { return lister{issuer{fake{w}}} })
		j, err := e.New(t.Context(), "prod/DB", Options{Grace: 24 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Begin(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		w.until(e, j.ID, Grace)
		waits, err := e.Step(t.Context(), j.ID, Answer{})
		if err != nil || waits.Until.IsZero() {
			t.Fatalf("%+v, %v", waits, err)
		}
		w.now = w.now.Add(time.Hour)
		if err := e.Abort(t.Context(), j.ID); err != nil {
			t.Fatal(err)
		}
		w.answer = &provider.Probe{State: state, Code: "999"}
		if err := w.drive(e, j.ID); err == nil || errors.Is(err, ErrNotAccepted) != (state == provider.Dead) {
			t.Errorf("%s: %v", state, err)
		}
		w.answer = nil
		if w.held() != "new1 2" || w.accepted() != "new1, old" {
			t.Errorf("%s: consumers hold %s, accepted are %s", state, w.held(), w.accepted())
		}
		if o, err := e.Step(t.Context(), j.ID, Answer{}); err != nil || !o.Until.Equal(waits.Until) {
			t.Errorf("%s: it goes on with %+v, %v", state, o, err)
		}
		if err := e.Abort(t.Context(), j.ID); err != nil {
			t.Fatal(err)
		}
		if err := w.drive(e, j.ID); err != nil {
			t.Fatal(err)
		}
		if err := w.check(j.ID); err != nil {
			t.Errorf("%s: %v", state, err)
		}
	}
}

// TestAbortEnableRefused: a key that cannot be got back leaves everything with the new one.
func TestAbortEnableRefused(t *testing.T) {
	w := newWorld(t)
	e, id := w.started(func(w *world) provider.Provider { return disabler{lister{issuer{fake{w}}}} }, Options{Emergency: true})
	if err := e.Abort(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	w.fault = &fault{call: "enable", err: &provider.Error{Provider: "fake", Doing: "enable", Kind: provider.Forbidden}}
	if err := w.drive(e, id); err == nil {
		t.Fatal("it was enabled")
	}
	w.fault = nil
	if w.held() != "new1 2" || w.accepted() != "new1" || w.versions[w.current] != "new1" {
		t.Errorf("consumers hold %s, accepted is %s, current %s", w.held(), w.accepted(), w.versions[w.current])
	}
	if err := w.drive(e, id); err != nil {
		t.Fatal(err)
	}
	if err := w.check(id); err != nil {
		t.Error(err)
	}
}

// TestAbortEnabledLate: what was just enabled may be refused for a while.
func TestAbortEnabledLate(t *testing.T) {
	w := newWorld(t)
	e, id := w.started(func(w *world) provider.Provider { return disabler{lister{issuer{fake{w}}}} }, Options{Emergency: true})
	if err := e.Abort(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	enabled := w.now
	w.before = func(j *Journal) {
		w.answer = nil
		if j.Step().Name == TryOld && w.now.Before(enabled.Add(3*time.Second)) {
			w.answer = &provider.Probe{State: provider.Dead, Code: "401"}
		}
	}
	if err := w.drive(e, id); err != nil {
		t.Fatal(err)
	}
	if err := w.check(id); err != nil {
		t.Error(err)
	}

	w = newWorld(t)
	e, id = w.started(func(w *world) provider.Provider { return disabler{lister{issuer{fake{w}}}} }, Options{Emergency: true})
	if err := e.Abort(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	delete(w.alive, "old")
	if err := w.drive(e, id); !errors.Is(err, ErrNotAccepted) {
		t.Errorf("%v", err)
	}
}

// TestAbortByWord: where the old key is not tried, somebody has to say that it is there.
func TestAbortByWord(t *testing.T) {
	of := func(w *world) provider.Provider { return counting{guided{w}} }
	for _, yes := range []bool{true, false} {
		w := newWorld(t)
		e, id := w.asked(of)
		if err := e.Abort(t.Context(), id); err != nil {
			t.Fatalf("nobody has said that the old key is deleted: %v", err)
		}
		for range 2 {
			o, err := e.Step(t.Context(), id, Answer{})
			if err != nil || o.Need == nil || o.Need.Question != "Is the old key still accepted?" || !o.Need.No {
				t.Fatalf("%+v, %v", o, err)
			}
		}
		a := Answer{Yes: askAccepted}
		if !yes {
			a = Answer{No: askAccepted}
			delete(w.alive, "old")
		}
		if _, err := e.Step(t.Context(), id, a); errors.Is(err, ErrNotAccepted) == yes {
			t.Fatalf("answered %v: %v", yes, err)
		}
		if err := w.drive(e, id); err != nil {
			t.Fatal(err)
		}
		if yes {
			if err := w.check(id); err != nil {
				t.Error(err)
			}
		} else if held, _ := w.works(); held != 2 {
			t.Errorf("%d consumers hold what is accepted", held)
		}
	}
}

// asked is a rotation that waits for somebody to end the old key by hand.
func (w *world) asked(of func(*world) provider.Provider) (*Engine, string) {
	w.t.Helper()
	e := w.engine(of)
	j, err := e.New(w.t.Context(), "prod/DB", Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := e.Begin(w.t.Context(), j); err != nil {
		w.t.Fatal(err)
	}
	w.until(e, j.ID, Ask)
	w.alive["new1"] = ""
	if _, err := e.Step(w.t.Context(), j.ID, Answer{Parts: parts("new1")}); err != nil {
		w.t.Fatal(err)
	}
	w.until(e, j.ID, Revoke)
	if o, err := e.Step(w.t.Context(), j.ID, Answer{}); err != nil || o.Need == nil || o.Need.Question != askDeleted {
		w.t.Fatalf("%+v, %v", o, err)
	}
	return e, j.ID
}

// TestDeletedByHand: until somebody says that the old key is deleted, it can be gone on
// with or taken back, whether that is so or not.
func TestDeletedByHand(t *testing.T) {
	of := func(w *world) provider.Provider { return guided{w} }
	for name, c := range map[string]struct{ gone, back bool }{"resumed": {}, "taken back": {false, true}, "gone": {true, false}, "gone, taken back": {true, true}} {
		w := newWorld(t)
		e, id := w.asked(of)
		if c.gone {
			delete(w.alive, "old")
		}
		if c.back {
			if err := e.Abort(t.Context(), id); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		err := w.drive(e, id)
		if c.gone && c.back {
			if !errors.Is(err, ErrNotAccepted) {
				t.Errorf("%s: %v", name, err)
			}
			err = w.drive(e, id)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := w.check(id); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	w := newWorld(t)
	e, id := w.asked(of)
	w.fault = &fault{call: "save", skip: 1, err: errors.New("no space left on device")}
	if _, err := e.Step(t.Context(), id, Answer{Yes: askDeleted}); err == nil {
		t.Fatal("it was saved")
	}
	w.fault = nil
	if err := e.Abort(t.Context(), id); !errors.Is(err, ErrIrrevocable) {
		t.Errorf("somebody said that it is deleted: %v", err)
	}

	// What somebody has done is taken down whatever else there is to say.
	w = newWorld(t)
	e, id = w.asked(of)
	w.fault = &fault{call: "verify", err: &provider.Error{Provider: "fake", Doing: "try", Kind: provider.Unreached}}
	w.running = []Process{{PID: 7, Program: "bot", Started: w.now}}
	if o, err := e.Step(t.Context(), id, Answer{Yes: askDeleted}); err != nil || o.Need != nil {
		t.Errorf("%+v, %v", o, err)
	}

	// From the moment that somebody is asked to do it, what has the old key may be refused.
	w = newWorld(t)
	e = w.engine(of)
	j, err := e.New(t.Context(), "prod/DB", Options{Emergency: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Begin(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	w.until(e, j.ID, Ask)
	w.alive["new1"] = ""
	if _, err := e.Step(t.Context(), j.ID, Answer{Parts: parts("new1")}); err != nil {
		t.Fatal(err)
	}
	w.until(e, j.ID, Revoke)
	for _, asked := range []bool{false, true} {
		j, _ = w.Journal(t.Context(), j.ID)
		if what, _ := j.Outage(); (what != "") != asked {
			t.Errorf("asked %v: outage %q", asked, what)
		}
		if _, err := e.Step(t.Context(), j.ID, Answer{}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTurnedTwice: that nobody knows how a step went is still so after the rotation was to
// be taken back, and was not.
func TestTurnedTwice(t *testing.T) {
	w := newWorld(t)
	e := w.engine(func(w *world) provider.Provider { return maker{fake{w}} })
	j, err := e.New(t.Context(), "prod/DB", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Begin(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	w.fault = &fault{call: "apply", happens: true, err: &provider.Error{Provider: "fake", Doing: "apply", Kind: provider.Unclear}}
	if err := w.drive(e, j.ID); err == nil {
		t.Fatal("it was applied")
	}
	w.fault = &fault{call: "verify", err: &provider.Error{Provider: "fake", Doing: "try", Kind: provider.Unreached}}
	if err := e.Abort(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	if err := w.drive(e, j.ID); err == nil {
		t.Fatal("it was taken back")
	}
	if j, _ = w.Journal(t.Context(), j.ID); j.Taking || j.Step().Name != Apply || !j.interrupted() {
		t.Errorf("it is at %s, interrupted %v", j.Step(), j.interrupted())
	}
}

// TestAbortReloads: what has nothing to reload is not said to be reloaded.
func TestAbortReloads(t *testing.T) {
	w := newWorld(t)
	e := w.engine(listed)
	e.Consumer = func(_, spec string) (Consumer, error) {
		if spec == "two" {
			return struct{ Consumer }{consumer{w, spec}}, nil
		}
		return consumer{w, spec}, nil
	}
	j, err := e.New(t.Context(), "prod/DB", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Begin(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	w.until(e, j.ID, Revoke)
	if err := e.Abort(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	if j, err = w.Journal(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	for spec, want := range map[string]bool{"one": true, "two": false} {
		if slices.Contains(j.Steps, Step{Reload, spec}) != want || !slices.Contains(j.Steps, Step{TakeBack, spec}) {
			t.Errorf("%s: %v", spec, j.Steps)
		}
	}
	if err := w.drive(e, j.ID); err != nil || w.reloads != 2 {
		t.Errorf("%v, %d reloads", err, w.reloads)
	}
}
