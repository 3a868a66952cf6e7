package rotate

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
)

// TestRunning: before the old key ends, by whatever step, who runs a program with it is
// asked, or in an emergency told.
func TestRunning(t *testing.T) {
	for _, c := range []struct {
		family string
		o      Options
		step   StepName
		asks   bool
	}{
		{"issued", Options{}, Revoke, true},
		{"in place", Options{}, Apply, true},
		{"in place", Options{Emergency: true}, Apply, false},
		{"issued, leaked", Options{Emergency: true}, Revoke, false},
		{"disabled first", Options{Emergency: true}, Disable, false},
		{"disabled first", Options{Emergency: true}, Revoke, false},
	} {
		t.Run(c.family+", "+string(c.step), func(t *testing.T) {
			w := newWorld(t)
			of, _ := familyOf(t, c.family)
			e, id := w.begun(of, c.o, c.step)
			w.running = []Process{{PID: 7, Program: "./bot", Started: w.now}}
			words := "./bot, PID 7, since " + w.now.Local().Format(time.DateTime)
			accepted := w.accepted()
			o, err := e.Step(t.Context(), id, Answer{})
			if err != nil || (o.Need != nil) != c.asks {
				t.Fatalf("it asks %+v, %v", o.Need, err)
			}
			if c.asks {
				if !strings.Contains(o.Need.Question, words) || w.accepted() != accepted {
					t.Fatalf("%q, %s is accepted", o.Need.Question, w.accepted())
				}
				if o, err = e.Step(t.Context(), id, Answer{Yes: o.Need.Question}); err != nil || o.Need != nil {
					t.Fatalf("%+v, %v", o, err)
				}
			} else if !strings.Contains(o.Note, words) {
				t.Errorf("it says %q", o.Note)
			}
			if _, alive := w.alive["old"]; alive && !w.disabled["old"] {
				t.Error("the old key was not ended")
			}
		})
	}
}

// TestRunningUnknown: what cannot be looked for stops what can wait, and nothing else.
func TestRunningUnknown(t *testing.T) {
	for family, goes := range map[string]bool{"in place": false, "issued, leaked": true} {
		w := newWorld(t)
		of, o := familyOf(t, family)
		step := Apply
		if goes {
			step = Revoke
		}
		e, id := w.begun(of, o, step)
		e.Running = func(context.Context, string, int) ([]Process, error) { return nil, errors.New("the log is locked") }
		out, err := e.Step(t.Context(), id, Answer{})
		if (err == nil) != goes || goes && !strings.Contains(out.Note, "the log is locked") {
			t.Errorf("%s: %+v, %v", family, out, err)
		}
	}
}

// TestRunningResumed: of a key whose end was begun nobody is asked any more.
func TestRunningResumed(t *testing.T) {
	w := newWorld(t)
	of, o := familyOf(t, "in place")
	e, id := w.begun(of, o, Apply)
	w.fault = &fault{call: "apply", happens: true, err: &provider.Error{Provider: "fake", Doing: "do it", Kind: provider.Unclear}}
	if _, err := e.Step(t.Context(), id, Answer{}); err == nil {
		t.Fatal("it is clear")
	}
	w.fault = nil
	w.running = []Process{{PID: 7, Program: "./bot", Started: w.now}}
	if out, err := e.Step(t.Context(), id, Answer{}); err != nil || out.Need != nil {
		t.Errorf("%+v, %v", out, err)
	}
}

// TestRunningNew: before a rotation that is taken back ends the new key, who runs a program
// with that is asked, whatever it was begun for.
func TestRunningNew(t *testing.T) {
	for family, at := range map[string]StepName{"issued": Revoke, "made here": Revoke, "issued, leaked": Revoke} {
		w := newWorld(t)
		of, o := familyOf(t, family)
		e, id := w.begun(of, o, at)
		j, err := w.Journal(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		started := w.now
		e.Running = func(_ context.Context, _ string, version int) ([]Process, error) {
			if version != j.New {
				return nil, nil
			}
			return []Process{{PID: 7, Program: "./bot", Started: started}}, nil
		}
		if err := e.Abort(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		alive := len(w.alive)
		w.until(e, id, RevokeNew)
		out, err := e.Step(t.Context(), id, Answer{})
		if err != nil || out.Need == nil || !strings.Contains(out.Need.Question, "Still running with the new key: ./bot, PID 7, since ") || len(w.alive) != alive {
			t.Fatalf("%s: %+v, %v", family, out, err)
		}
		if out, err = e.Step(t.Context(), id, Answer{Yes: out.Need.Question}); err != nil || out.Need != nil || len(w.alive) != alive-1 {
			t.Errorf("%s: %+v, %v, alive are %v", family, out, err, w.alive)
		}
	}
}
