package rotate

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/keywright/keywright/provider"
)

// every is the step of a sample: KEYWRIGHT_CRASHES=all tries every moment.
func every(step int) int {
	if os.Getenv("KEYWRIGHT_CRASHES") == "all" {
		return 1
	}
	return step
}

// rival is another process that goes on with a rotation, or takes it back. It stops at
// one of its own points until the first has ended, as one does whose call takes long; 0
// for never.
type rival struct {
	paused, goOn, ended chan struct{}
	waits               bool
	err                 error
}

// rivals starts one, and comes back when it has ended or waits.
func (w *world) rivals(of func(*world) provider.Provider, id string, back bool, stop int) *rival {
	r := &rival{paused: make(chan struct{}), goOn: make(chan struct{}), ended: make(chan struct{})}
	n := 0
	w.meanwhile = func() {
		if n++; n == stop {
			w.meanwhile = nil
			close(r.paused)
			<-r.goOn
		}
	}
	go func() {
		defer close(r.ended)
		e := w.engine(of)
		if back {
			if r.err = e.Abort(context.Background(), id); r.err != nil {
				return
			}
		}
		r.err = w.drive(e, id)
	}()
	select {
	case <-r.paused:
		r.waits = true
	case <-r.ended:
		w.meanwhile = nil
	}
	return r
}

// isTold reports whether an error is one of those by which somebody learns that another
// process is at a rotation, or was.
func isTold(err error) bool {
	if errors.Is(err, errNotAsked) {
		return true
	}
	return err == nil || errors.Is(err, ErrHeld) || errors.Is(err, ErrClosed) || errors.Is(err, ErrIrrevocable) || errors.Is(err, ErrNotAccepted)
}

// TestTwoDrivers: a second process goes on with the rotation, or takes it back, whenever
// the first does something or is between two steps, and takes its time wherever it does
// something itself. What is left is gone on with: nothing is lost.
func TestTwoDrivers(t *testing.T) {
	runs, kept := 0, 0
	for i, f := range families {
		t.Run(f.name, func(t *testing.T) {
			for _, back := range []bool{false, true} {
				for at, more := 1+i%every(3), true; more; at += every(3) {
					for stop := 0; more; stop += 5 + at*13%41 {
						waits, there, out := twoDrivers(t, f.of, f.o, f.self, back, at, stop)
						more = there
						runs++
						if out {
							kept++
						}
						if stop > 0 && !waits || out && !waits || t.Failed() {
							break
						}
					}
					if t.Failed() {
						return
					}
				}
			}
		})
	}
	t.Logf("%d runs, at one moment in %d; %d kept out", runs, every(3), kept)
	if runs < 1000 || kept < 500 {
		t.Error("the test does not test it")
	}
}

// twoDrivers starts the second at a point of the first. It reports whether the second had
// to wait, whether the first has so many points, and whether one was kept out.
func twoDrivers(t *testing.T, of func(*world) provider.Provider, o Options, self, back bool, at, stop int) (waits, there, out bool) {
	w := newWorld(t)
	if self {
		w.key.Admin = ""
	}
	e := w.engine(of)
	j, err := e.New(context.Background(), "prod/DB", o)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Begin(context.Background(), j); err != nil {
		t.Fatal(err)
	}
	w.before = func(*Journal) { w.point("between steps") }
	var second *rival
	n, where := 0, ""
	w.meanwhile = func() {
		if n++; n == at {
			where = w.trace[len(w.trace)-1]
			second = w.rivals(of, j.ID, back, stop)
		}
	}
	err = w.drive(e, j.ID)
	w.meanwhile = nil
	if second == nil {
		return false, false, false
	}
	if second.waits {
		close(second.goOn)
		<-second.ended
	}
	for _, err := range []error{err, second.err} {
		if !isTold(err) {
			t.Errorf("second at %d, %s (taking back: %v), waiting at %d: %v", at, where, back, stop, err)
		}
	}
	if left, err := w.Journal(context.Background(), j.ID); err == nil && left.Open() {
		if err := w.drive(w.engine(of), j.ID); err != nil {
			t.Errorf("second at %d, %s (taking back: %v), waiting at %d: it does not go on: %v", at, where, back, stop, err)
		}
	}
	if err := w.check(j.ID); err != nil {
		t.Errorf("second at %d, %s (taking back: %v), waiting at %d: %v\n%s", at, where, back, stop, err, strings.Join(w.trace, "\n"))
	}
	return second.waits, true, errors.Is(err, ErrHeld) || errors.Is(second.err, ErrHeld)
}

// TestHeld: who is kept out is told by whom, and what to do.
func TestHeld(t *testing.T) {
	w := newWorld(t)
	of := func(w *world) provider.Provider { return lister{issuer{fake{w}}} }
	e, id := w.started(of, Options{})
	w.locks[id] = true
	_, step := e.Step(t.Context(), id, Answer{})
	j, _ := w.Journal(t.Context(), id)
	for what, err := range map[string]error{"step": step, "abort": e.Abort(t.Context(), id), "take over": e.TakeOver(t.Context(), id), "begin": e.Begin(t.Context(), j)} {
		failed := (*StepError)(nil)
		if !errors.Is(err, ErrHeld) || !errors.As(err, &failed) || failed.Hint == "" || err.Error() != "rotate prod/DB: revoke: another keywright (PID 4711) is at it" {
			t.Errorf("%s: %v", what, err)
		}
	}
	w.locks[id] = false
	if err := w.drive(e, id); err != nil || w.locks[id] {
		t.Errorf("%v, it is held: %v", err, w.locks[id])
	}
}

// TestGivenTooLate: a key that somebody made, when another process has got one meanwhile, is
// not dropped without a word.
func TestGivenTooLate(t *testing.T) {
	w := newWorld(t)
	e, id := w.asked(func(w *world) provider.Provider { return guided{w} })
	_, err := e.Step(t.Context(), id, Answer{Parts: parts("new2")})
	if failed := (*StepError)(nil); !errors.Is(err, errNotAsked) || !errors.As(err, &failed) || failed.Hint == "" {
		t.Errorf("%v", err)
	}
}

// TestLockLost: where the store could not keep others out, who has just been issued a key
// and finds that the rotation went on without it ends that key, unless the journal has it.
func TestLockLost(t *testing.T) {
	for name, of := range map[string]func(*world) provider.Provider{
		"labels":   func(w *world) provider.Provider { return lister{issuer{fake{w}}} },
		"ids":      func(w *world) provider.Provider { return unlabelled{lister{issuer{fake{w}}}} },
		"no lists": func(w *world) provider.Provider { return issuer{fake{w}} },
	} {
		for _, back := range []bool{false, true} {
			w := newWorld(t)
			e := w.engine(of)
			j, err := e.New(t.Context(), "prod/DB", Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := e.Begin(t.Context(), j); err != nil {
				t.Fatal(err)
			}
			w.until(e, j.ID, Issue)
			w.lockless = true
			w.meanwhile = func() { // the first is about to save what it got
				if last := w.trace[len(w.trace)-1]; last == "before issue" {
					w.rivals(of, j.ID, back, 0)
				}
			}
			_, err = e.Step(t.Context(), j.ID, Answer{})
			if w.meanwhile = nil; !errors.Is(err, ErrMoved) {
				t.Fatalf("%s: %v", name, err)
			}
			if err := w.check(j.ID); err != nil {
				t.Errorf("%s, taken back %v: %v", name, back, err)
			}
		}
	}

	// Who looks for what was lost says so first: the first is told, and does not take for its
	// own what the other is about to end.
	for stop := 1; stop < 20; stop++ {
		w := newWorld(t)
		of := func(w *world) provider.Provider { return lister{issuer{fake{w}}} }
		e := w.engine(of)
		j, err := e.New(t.Context(), "prod/DB", Options{Emergency: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Begin(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		w.until(e, j.ID, Issue)
		w.lockless = true
		var second *rival
		w.meanwhile = func() {
			if w.trace[len(w.trace)-1] == "after issue" && second == nil {
				second = w.rivals(of, j.ID, false, stop)
			}
		}
		first := w.drive(e, j.ID)
		w.meanwhile = nil
		if second.waits {
			close(second.goOn)
			<-second.ended
		}
		if left, _ := w.Journal(t.Context(), j.ID); left.Open() {
			if err := w.drive(e, j.ID); err != nil {
				t.Errorf("stopped at %d: %v", stop, err)
			}
		}
		if err := w.check(j.ID); err != nil {
			t.Errorf("stopped at %d: %v, then %v: %v", stop, first, second.err, err)
		}
	}

	// It was saved, and the answer was that it was not.
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
	w.until(e, j.ID, Issue)
	w.fault = &fault{call: "save", skip: 1, happens: true, err: ErrMoved}
	if _, err := e.Step(t.Context(), j.ID, Answer{}); !errors.Is(err, ErrMoved) {
		t.Fatal(err)
	}
	w.fault = nil
	if err := w.drive(e, j.ID); err != nil {
		t.Fatal(err)
	}
	if err := w.check(j.ID); err != nil || w.made != 1 {
		t.Errorf("%d made, %v", w.made, err)
	}
}
