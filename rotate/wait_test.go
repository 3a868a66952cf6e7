package rotate

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
)

// begun is a rotation that has come to a step.
func (w *world) begun(of func(*world) provider.Provider, o Options, step StepName) (*Engine, string) {
	w.t.Helper()
	e := w.engine(of)
	j, err := e.New(w.t.Context(), "prod/DB", o)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := e.Begin(w.t.Context(), j); err != nil {
		w.t.Fatal(err)
	}
	w.until(e, j.ID, step)
	return e, j.ID
}

func listed(w *world) provider.Provider { return lister{issuer{fake{w}}} }

// TestRetryAfter: a provider that says when it may be asked again is not asked before.
func TestRetryAfter(t *testing.T) {
	const long = 5 * time.Minute
	throttled := &provider.Probe{State: provider.Throttled, Code: "429", After: long}
	busy := &provider.Error{Provider: "fake", Doing: "do it", Kind: provider.Busy, After: long}
	for _, c := range []struct {
		name  string
		step  StepName
		probe *provider.Probe
		call  string
		fails bool // the step does, and may be done again later
	}{
		{"the new one's probe", Verify, throttled, "", false},
		{"no probe of the new one", Verify, nil, "verify", false},
		{"the old one's probe", Prove, throttled, "", false},
		{"no probe of the old one", Prove, nil, "verify", false},
		{"an issue", Issue, nil, "issue", true},
		{"a list before an issue", Issue, nil, "list", true},
		{"a revocation", Revoke, nil, "revoke", true},
		{"the probe before a revocation", Revoke, throttled, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			e, id := w.begun(listed, Options{}, c.step)
			if w.answer = c.probe; c.call != "" {
				w.fault = &fault{call: c.call, err: busy}
			}
			at := w.now
			o, err := e.Step(t.Context(), id, Answer{})
			if failed := (*StepError)(nil); c.fails {
				if !errors.As(err, &failed) || !strings.Contains(failed.Hint, "not before "+at.Add(long).Local().Format(time.DateTime)) || !strings.Contains(failed.Hint, "rotate resume "+id) {
					t.Fatalf("%v, %+v", err, failed)
				}
			} else if err != nil || !o.Until.Equal(at.Add(long)) {
				t.Fatalf("it goes on at %v, in %v; %v", o.Until, o.Until.Sub(at), err)
			}
			w.fault, w.answer = nil, nil
			calls := func() (n int) {
				for _, at := range w.trace {
					if strings.HasPrefix(at, "before ") && at != "before save" {
						n++
					}
				}
				return n
			}
			before := calls()
			w.now = at.Add(long - time.Second)
			if o, err := e.Step(t.Context(), id, Answer{}); err != nil || !o.Until.Equal(at.Add(long)) || calls() != before {
				t.Errorf("it is asked before: %+v, %v", o, err)
			}
			w.now = at.Add(long)
			if err := w.drive(e, id); err != nil {
				t.Fatal(err)
			}
			if err := w.check(id); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRetryAfterForLong: it does not wait for ever, and says then when it may go on.
func TestRetryAfterForLong(t *testing.T) {
	w := newWorld(t)
	e, id := w.begun(listed, Options{}, Verify)
	w.answer = &provider.Probe{State: provider.Throttled, Code: "429", After: time.Hour}
	err := w.drive(e, id)
	if failed := (*StepError)(nil); !errors.As(err, &failed) || !strings.Contains(failed.Hint, "not before") {
		t.Fatalf("%v", err)
	}
	j, _ := w.Journal(t.Context(), id)
	if waits := slices.DeleteFunc(j.Events, func(e Event) bool { return e.What != Waits }); len(waits) != 1 {
		t.Errorf("it waited %d times", len(waits))
	}
	w.answer = nil
	if err := e.Abort(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	at := w.now
	if err := w.drive(e, id); err != nil || !w.now.Equal(at) {
		t.Errorf("it is not taken back at once: %v", err)
	}
	if err := w.check(id); err != nil {
		t.Error(err)
	}
}

// TestClockSetBack: what was to be waited for by a clock that was years ahead is not waited
// for when that was set right; a grace is.
func TestClockSetBack(t *testing.T) {
	for step, waits := range map[StepName]bool{Prove: false, Grace: true} {
		w := newWorld(t)
		w.now = w.now.AddDate(10, 0, 0)
		e, id := w.begun(listed, Options{Grace: time.Hour}, step)
		if o, err := e.Step(t.Context(), id, Answer{}); err != nil || o.Until.IsZero() {
			t.Fatalf("%+v, %v", o, err)
		}
		w.now = w.now.AddDate(-10, 0, 0)
		o, err := e.Step(t.Context(), id, Answer{})
		if err != nil || o.Until.After(w.now.AddDate(1, 0, 0)) != waits {
			t.Errorf("%s: until %v at %v, %v", step, o.Until, w.now, err)
		}
	}
}
