package rotate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
)

// until does steps, which take a minute each, until the one that is named is to be done.
func (w *world) until(e *Engine, id string, step StepName) {
	w.t.Helper()
	for range 100 {
		j, err := w.Journal(context.Background(), id)
		if err != nil {
			w.t.Fatal(err)
		}
		if j.Step().Name == step {
			return
		}
		o, err := e.Step(context.Background(), id, Answer{})
		if err != nil || o.Need != nil {
			w.t.Fatalf("%s: %+v, %v", j.Step(), o.Need, err)
		}
		if w.now = w.now.Add(time.Minute); !o.Until.IsZero() {
			w.now = o.Until
		}
	}
	w.t.Fatalf("it does not come to %s", step)
}

// started is a rotation that is to end the old key now.
func (w *world) started(of func(*world) provider.Provider, o Options) (*Engine, string) {
	w.t.Helper()
	e := w.engine(of)
	j, err := e.New(w.t.Context(), "prod/DB", o)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := e.Begin(w.t.Context(), j); err != nil {
		w.t.Fatal(err)
	}
	w.until(e, j.ID, Revoke)
	return e, j.ID
}

func tells(w *world) provider.Provider { return telling{lister{issuer{fake{w}}}} }

// TestLastUse: an old key that was used after everything had the new one, and not by
// keywright, is not ended before somebody says so.
func TestLastUse(t *testing.T) {
	const hour = time.Hour
	for _, c := range []struct {
		name  string
		of    func(*world) provider.Provider
		o     Options
		used  func(w *world, promoted time.Time)
		asks  string // that is in the question, before the time is put for AT; empty if none is asked
		notes string // that is in what the journal says of the end
	}{
		{"after", tells, Options{Grace: 24 * hour}, func(w *world, p time.Time) { w.used["old"] = p.Add(2 * hour) }, "The old key was used at AT, after everything had the new one", "the old key was last used at AT"},
		{"after, and after keywright's look", tells, Options{Grace: 24 * hour}, func(w *world, p time.Time) {
			w.refused(w.engine(tells))
			w.now = w.now.Add(hour)
			w.used["old"] = w.now.Add(-2 * time.Minute)
		}, "The old key was used at AT, after", "last used at AT"},
		{"before", tells, Options{Grace: 24 * hour}, func(w *world, p time.Time) { w.used["old"] = p.Add(-hour) }, "", "last used at AT"},
		{"before, by a clock that is not ours", tells, Options{Grace: 24 * hour}, func(w *world, p time.Time) { w.used["old"] = p.Add(skew) }, "", "last used at AT"},
		{"by keywright alone", tells, Options{Grace: 24 * hour}, func(w *world, p time.Time) {}, "", "last used at AT, which may have been keywright's look, and perhaps again within 15m0s"},
		{"by keywright, whose end of it was refused", tells, Options{Grace: 24 * hour}, func(w *world, p time.Time) {
			w.refused(w.engine(tells))
			w.now = w.now.Add(hour)
		}, "", "may have been keywright's look"},
		{"not that it is told", tells, Options{Grace: 24 * hour}, func(w *world, p time.Time) { delete(w.used, "old") }, "", "the provider told of no use of the old key"},
		{"not listed", tells, Options{Grace: 24 * hour}, func(w *world, p time.Time) { delete(w.alive, "old") }, "", "the old key was not found among those"},
		{"where it is not told", func(w *world) provider.Provider { return lister{issuer{fake{w}}} }, Options{Grace: 24 * hour}, func(w *world, p time.Time) {
			w.used["old"] = p.Add(2 * hour)
			w.fault = &fault{call: "list", err: errors.New("nobody may ask")}
		}, "", "the provider does not tell when"},
		{"not known", tells, Options{Grace: 24 * hour}, func(w *world, p time.Time) {
			w.fault = &fault{call: "list", err: errors.New("nobody is there")}
		}, "could not be asked. Revoke", "could not be asked: nobody is there"},
		{"after, leaked", tells, Options{Emergency: true}, func(w *world, p time.Time) {
			w.now = w.now.Add(hour)
			w.used["old"] = w.now
		}, "", "the old key was last used at AT"},
		{"not known, leaked", tells, Options{Emergency: true}, func(w *world, p time.Time) {
			w.fault = &fault{call: "list", err: errors.New("nobody is there")}
		}, "", "could not be asked: nobody is there"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.key.ID = "" // a probe says it
			e, id := w.started(c.of, c.o)
			j, _ := w.Journal(t.Context(), id)
			if j.promoted().IsZero() {
				t.Fatal("nothing says when the new key became the current one")
			}
			c.used(w, j.promoted())
			at := strings.NewReplacer("AT", w.used["old"].Local().Format(time.DateTime))
			o, err := e.Step(t.Context(), id, Answer{})
			if err != nil {
				t.Fatal(err)
			}
			if (o.Need != nil) != (c.asks != "") {
				t.Fatalf("it asks %+v, want %q", o.Need, c.asks)
			}
			if o.Need != nil {
				if !strings.Contains(o.Need.Question, at.Replace(c.asks)) {
					t.Errorf("it asks %q", o.Need.Question)
				}
				if _, alive := w.alive["old"]; !alive {
					t.Fatal("it asks, and the old key is gone")
				}
				if again, err := e.Step(t.Context(), id, Answer{}); err != nil || again.Need == nil {
					t.Fatalf("without an answer it goes on: %+v, %v", again, err)
				}
				if o, err = e.Step(t.Context(), id, Answer{Yes: o.Need.Question}); err != nil || o.Need != nil {
					t.Fatalf("with a yes it does not: %+v, %v", o, err)
				}
			}
			if _, alive := w.alive["old"]; alive {
				t.Error("the old key is alive")
			}
			if !strings.Contains(o.Note, at.Replace(c.notes)) {
				t.Errorf("the note is %q, want %q", o.Note, c.notes)
			}
			j, _ = w.Journal(t.Context(), id)
			if last := j.Events[len(j.Events)-1]; last.Note != o.Note {
				t.Errorf("the journal says %+v", last)
			}
			w.fault = nil
			if err := w.drive(e, id); err != nil {
				t.Fatal(err)
			}
			if err := w.check(id); err != nil {
				t.Error(err)
			}
		})
	}
}

// refused is an attempt to end the old key that is refused, after that was tried.
func (w *world) refused(e *Engine) {
	w.t.Helper()
	w.fault = &fault{call: "revoke", err: &provider.Error{Provider: "fake", Doing: "end it", Kind: provider.Unreached}}
	var id string
	for id = range w.journals {
	}
	if _, err := e.Step(context.Background(), id, Answer{}); err == nil {
		w.t.Fatal("it is not refused")
	}
	w.fault = nil
	if !w.used["old"].Equal(w.now) {
		w.t.Fatal("the old key was not tried")
	}
}

// TestLastUseResumed: a yes is for the use that was asked about; who comes back later is
// asked about what was since. Of a key that is in use all the time, one yes is enough.
func TestLastUseResumed(t *testing.T) {
	w := newWorld(t)
	e, id := w.started(tells, Options{Grace: 24 * time.Hour})
	w.used["old"] = w.now
	first, err := e.Step(t.Context(), id, Answer{})
	if err != nil || first.Need == nil {
		t.Fatalf("%+v, %v", first, err)
	}
	w.now = w.now.Add(24 * time.Hour)
	w.used["old"] = w.now
	second, err := w.engine(tells).Step(t.Context(), id, Answer{})
	if err != nil || second.Need == nil || second.Need.Question == first.Need.Question {
		t.Fatalf("it was used since: %+v, %v", second, err)
	}
	// What was agreed to lasts until it is begun, also if something else comes between.
	w.fault = &fault{call: "revoke", err: &provider.Error{Provider: "fake", Doing: "end it", Kind: provider.Unreached}}
	w.running = []Process{{PID: 7, Program: "bot", Started: w.now}}
	third, err := e.Step(t.Context(), id, Answer{Yes: second.Need.Question})
	if err != nil || third.Need == nil || !strings.Contains(third.Need.Question, "bot") {
		t.Fatalf("what runs is not asked about: %+v, %v", third, err)
	}
	w.running, w.fault = nil, nil
	if o, err := e.Step(t.Context(), id, Answer{Yes: first.Need.Question}); err != nil || o.Need == nil {
		t.Fatalf("the answer to another question is taken: %+v, %v", o, err)
	}
	if o, err := e.Step(t.Context(), id, Answer{Yes: second.Need.Question}); err != nil || o.Need != nil {
		t.Fatalf("%+v, %v", o, err)
	}

	w = newWorld(t)
	uses := func(w *world) provider.Provider { return busy{telling{lister{issuer{fake{w}}}}} }
	e, id = w.started(uses, Options{})
	if err := w.drive(e, id); err != nil || w.questions != 1 {
		t.Errorf("%d questions, %v", w.questions, err)
	}
}

// TestLastUseShown: what the provider told when the rotation was planned is in the plan and
// in the journal, whatever the mode.
func TestLastUseShown(t *testing.T) {
	for _, o := range []Options{{}, {Emergency: true}} {
		for name, c := range map[string]struct {
			used time.Duration
			says string
		}{
			"before": {-time.Hour, "the old key was last used at AT, and perhaps again within 15m0s"},
			"now":    {0, "the old key was last used at AT, which may have been keywright's look"},
		} {
			w := newWorld(t)
			used := w.now.Add(c.used)
			c.says = strings.ReplaceAll(c.says, "AT", used.Local().Format(time.DateTime))
			e := w.engine(func(w *world) provider.Provider {
				return planned{telling{lister{issuer{fake{w}}}}, used}
			})
			j, err := e.New(t.Context(), "prod/DB", o)
			if err != nil {
				t.Fatal(err)
			}
			if err := e.Begin(t.Context(), j); err != nil {
				t.Fatal(err)
			}
			if _, err := e.Step(t.Context(), j.ID, Answer{}); err != nil {
				t.Fatal(err)
			}
			j, _ = w.Journal(t.Context(), j.ID)
			if !slices.ContainsFunc(j.Events, func(e Event) bool { return e.Step.Name == Preflight && strings.Contains(e.Note, c.says) }) {
				t.Errorf("%s: %+v", name, j.Events)
			}
			if j.Plan.LastUsed.IsZero() {
				t.Errorf("%s: the plan does not say it", name)
			}
		}
	}
}

// planned looks beforehand.
type planned struct {
	telling
	used time.Time
}

func (p planned) Plan(context.Context, provider.Credential, provider.Credential) (provider.Plan, error) {
	return provider.Plan{LastUsed: p.used}, nil
}

// TestLastUseAskedWith: the provider is not shown the old key when it is asked about that:
// it might ask with it, which it counts.
func TestLastUseAskedWith(t *testing.T) {
	w := newWorld(t)
	of := func(w *world) provider.Provider { return asked{telling{lister{issuer{fake{w}}}}} }
	w.key.Admin = ""
	e, id := w.started(of, Options{Grace: time.Hour})
	before := w.used["old"]
	w.fault = &fault{call: "revoke", err: errors.New("not now")}
	if _, err := e.Step(t.Context(), id, Answer{}); err == nil {
		t.Fatal("it was ended")
	}
	j, _ := w.Journal(t.Context(), id)
	if !j.Used.Equal(before) {
		t.Errorf("it was used %v, %v is told", before, j.Used)
	}
}

// asked asks with both keys that it is shown.
type asked struct{ telling }

func (a asked) List(ctx context.Context, admin, c provider.Credential) ([]provider.Listed, error) {
	for _, with := range []provider.Credential{admin, c} {
		if _, err := a.Verify(ctx, with); err != nil {
			return nil, err
		}
	}
	return a.telling.List(ctx, admin, c)
}

// TestEndGrace: a grace is ended before its time, whether it was begun or not, and nothing
// else is left out. What waits for something else goes on to.
func TestEndGrace(t *testing.T) {
	for _, begun := range []bool{true, false} {
		w := newWorld(t)
		e, id := w.begun(listed, Options{Grace: 24 * time.Hour}, Grace)
		if begun {
			if o, err := e.Step(t.Context(), id, Answer{}); err != nil || !o.Until.Equal(w.now.Add(24*time.Hour)) || !strings.Contains(o.Note, o.Until.Local().Format(time.DateTime)) {
				t.Fatalf("%+v, %v", o, err)
			}
		}
		recorded := ""
		e.Record = func(_ context.Context, _, _ string, _ int, note string) error {
			recorded += note
			return nil
		}
		if err := e.EndGrace(t.Context(), id); err != nil || recorded == "" {
			t.Fatalf("on record is %q, %v", recorded, err)
		}
		at := w.now
		w.until(e, id, Prove)
		if _, lives := w.alive["old"]; lives || w.now.Sub(at) > time.Hour {
			t.Errorf("begun %v: %v later, alive are %v", begun, w.now.Sub(at), w.alive)
		}
		if err := e.EndGrace(t.Context(), id); !errors.Is(err, ErrNoGrace) {
			t.Errorf("at another step: %v", err)
		}
		if err := errors.Join(w.drive(e, id), w.check(id)); err != nil {
			t.Error(err)
		}
	}
}
