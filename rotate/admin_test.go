package rotate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/keywright/keywright/provider"
)

// accounts is a list that shows what the account of the key that asks has: that of any
// admin but prod/STRANGER's.
type accounts struct{ lister }

func (f accounts) List(ctx context.Context, admin, c provider.Credential) ([]provider.Listed, error) {
	all, err := f.lister.List(ctx, admin, c)
	if text(admin.Parts) == "secret of prod/STRANGER" {
		return nil, err
	}
	return all, err
}

// TestOtherAdmin: a rotation whose admin is gone, at whatever step, goes on with another one
// that it is given, in both directions, and its journal says so. One that does not see the
// keys it is about is refused, and nothing is done with it.
func TestOtherAdmin(t *testing.T) {
	steps := []StepName{Preflight, Issue, Verify, Deliver, Promote, Revoke, Prove, Close}
	for _, at := range steps {
		for _, back := range []bool{false, true} {
			if back && slices.Contains([]StepName{Revoke, Prove, Close}, at) {
				continue
			}
			w := newWorld(t)
			e, id := w.begun(func(w *world) provider.Provider { return accounts{lister{issuer{fake{w}}}} }, Options{}, at)
			w.gone = "prod/ADMIN"
			failure := (*StepError)(nil)
			if _, err := e.Step(t.Context(), id, Answer{}); !errors.As(err, &failure) || !strings.Contains(failure.Hint, "keywright edit prod/DB --admin") {
				t.Fatalf("%s: %v", at, err)
			}
			if back {
				if err := e.Abort(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			}
			before := len(w.alive)
			w.key.Admin = "prod/STRANGER"
			for range 2 {
				o, err := e.Step(t.Context(), id, Answer{})
				if err != nil || o.Need == nil || !strings.Contains(o.Need.Question, "prod/STRANGER") || len(w.alive) != before {
					t.Fatalf("%s, taken back %v: %+v, %v, alive are %v", at, back, o, err, w.alive)
				}
			}
			w.key.Admin = "prod/SECOND"
			if err := w.drive(e, id); err != nil {
				t.Fatalf("%s, taken back %v: %v", at, back, err)
			}
			j, _ := w.Journal(t.Context(), id)
			said := 0
			for _, ev := range j.Events {
				if ev.What == Turned && strings.Contains(ev.Note, "prod/SECOND") {
					said++
				}
			}
			if said != 1 || j.Admin != "prod/SECOND" {
				t.Errorf("%s, taken back %v: said %d times, and it is %s", at, back, said, j.Admin)
			}
			if err := w.check(id); err != nil {
				t.Errorf("%s, taken back %v: %v", at, back, err)
			}
		}
	}
}

// TestAdminRefused: a hint names the way out of an admin key that is refused, and of no
// other refusal.
func TestAdminRefused(t *testing.T) {
	for _, c := range []struct {
		at    StepName
		call  string
		admin string
		kind  provider.Kind
		says  bool
	}{
		{Issue, "issue", "prod/ADMIN", provider.Forbidden, true},
		{Revoke, "revoke", "prod/ADMIN", provider.Forbidden, true},
		{Issue, "issue", "", provider.Forbidden, false},
		{Issue, "issue", "prod/ADMIN", provider.Refused, false},
		{Deliver, "deliver one", "prod/ADMIN", provider.Forbidden, false},
	} {
		w := newWorld(t)
		w.key.Admin = c.admin
		e, id := w.begun(func(w *world) provider.Provider { return lister{issuer{fake{w}}} }, Options{}, c.at)
		w.fault = &fault{call: c.call, err: &provider.Error{Provider: "fake", Doing: "do it", Kind: c.kind}}
		_, err := e.Step(t.Context(), id, Answer{})
		failure := (*StepError)(nil)
		if !errors.As(err, &failure) || strings.Contains(failure.Hint, "keywright edit prod/DB --admin") != c.says {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestOtherWay: a place that is reached with another key by now, or reloaded in another way,
// is the same place: it gets the new key, and the old one back.
func TestOtherWay(t *testing.T) {
	for _, back := range []bool{false, true} {
		w := newWorld(t)
		w.key.Consumers = []string{"one,a", "two"}
		e := w.engine(func(w *world) provider.Provider { return lister{issuer{fake{w}}} })
		var opened []string
		e.Consumer = func(_, spec string) (Consumer, error) {
			opened = append(opened, spec)
			name, _, _ := strings.Cut(spec, ",")
			return consumer{w, name}, nil
		}
		e.Place = func(spec string) string {
			name, _, _ := strings.Cut(spec, ",")
			return name
		}
		j, err := e.New(t.Context(), "prod/DB", Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Begin(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		step := Deliver
		if back {
			step = Promote
		}
		w.until(e, j.ID, step)
		w.key.Consumers = []string{"one,b", "two"}
		opened = nil
		if back {
			if err := e.Abort(t.Context(), j.ID); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.drive(e, j.ID); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(opened, "one,a") || !slices.Contains(opened, "one,b") {
			t.Errorf("taken back %v: opened were %v", back, opened)
		}
		if err := w.check(j.ID); err != nil {
			t.Errorf("taken back %v: %v", back, err)
		}
	}
}
