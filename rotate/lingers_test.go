package rotate

import (
	"context"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
)

// lasting is one at which something that was opened with a key outlives it.
type lasting struct {
	disabler
	longest time.Duration
}

func (l lasting) Info() provider.Info {
	i := l.disabler.Info()
	i.Lingers = provider.Lingers{What: "tokens that were got with it", Longest: l.longest}
	return i
}

// knowing is one whose plan says what outlives a key.
type knowing struct {
	lasting
	of provider.Lingers
}

func (k knowing) Plan(context.Context, provider.Credential, provider.Credential) (provider.Plan, error) {
	return provider.Plan{Lingers: &k.of}, nil
}

// TestLingers: what outlives the old key is in the plan, and in the end with when it ends at
// the latest, counted from when the provider had ended the key everywhere.
func TestLingers(t *testing.T) {
	for _, longest := range []time.Duration{36 * time.Hour, 0} {
		for _, o := range []Options{{}, {Emergency: true}} {
			w := newWorld(t)
			of := func(w *world) provider.Provider { return lasting{disabler{lister{issuer{fake{w}}}}, longest} }
			e, id := w.begun(of, o, Revoke)
			j, _ := w.Journal(t.Context(), id)
			if j.Lingers.What == "" || !j.LingersUntil.IsZero() {
				t.Fatalf("planned: %+v, %v", j.Lingers, j.LingersUntil)
			}
			at := w.now
			if err := w.drive(e, id); err != nil {
				t.Fatal(err)
			}
			var want time.Time
			if longest > 0 {
				want = at.Add(longest + fake{w}.Info().Propagation)
			}
			if j, _ = w.Journal(t.Context(), id); j.Lingers.What == "" || !j.LingersUntil.Equal(want) {
				t.Errorf("%v: alive until %v, want %v", o, j.LingersUntil, want)
			}
		}
	}
	// A plan knows better.
	for _, l := range []provider.Lingers{{}, {What: "batch tokens", Longest: time.Hour}} {
		w := newWorld(t)
		e, id := w.begun(func(w *world) provider.Provider {
			return knowing{lasting{disabler{lister{issuer{fake{w}}}}, 0}, l}
		}, Options{}, Revoke)
		if err := w.drive(e, id); err != nil {
			t.Fatal(err)
		}
		if j, _ := w.Journal(t.Context(), id); j.Lingers != l || j.LingersUntil.IsZero() != (l.Longest == 0) {
			t.Errorf("%+v, until %v", j.Lingers, j.LingersUntil)
		}
	}
	// Of a rotation that was taken back nothing outlives the old key.
	w := newWorld(t)
	e, id := w.begun(func(w *world) provider.Provider {
		return lasting{disabler{lister{issuer{fake{w}}}}, time.Hour}
	}, Options{}, Revoke)
	if err := e.Abort(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if err := w.drive(e, id); err != nil {
		t.Fatal(err)
	}
	if j, _ := w.Journal(t.Context(), id); j.Lingers.What != "" || !j.LingersUntil.IsZero() {
		t.Errorf("taken back: %+v", j.Lingers)
	}
}
