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

// anew is one at which a new key takes nothing over from the old one.
type anew struct{ lister }

func (f anew) Plan(context.Context, provider.Credential, provider.Credential) (provider.Plan, error) {
	return provider.Plan{Anew: true}, nil
}

func (f anew) Info() provider.Info {
	i := f.lister.Info()
	i.Uses = true
	return i
}

func (f anew) List(ctx context.Context, admin, c provider.Credential) ([]provider.Listed, error) {
	if len(c.Parts) == 0 {
		f.w.t.Error("it is asked what stands beside nothing")
	}
	return f.lister.List(ctx, admin, c)
}

func (f anew) Revoke(ctx context.Context, admin, c, other provider.Credential) error {
	if len(other.Parts) == 0 && other.Params != nil {
		f.w.t.Error("there is no other one, and it is not zero")
	}
	return f.lister.Revoke(ctx, admin, c, other)
}

func (f anew) Issue(ctx context.Context, admin, old provider.Credential, lineage provider.Lineage) (provider.Credential, error) {
	if text(admin.Parts) != "admin" {
		f.w.t.Errorf("it is asked with %s", text(admin.Parts))
	}
	return f.lister.Issue(ctx, admin, old, lineage)
}

// bare makes and checks nothing that anybody could be asked about, as local does.
type bare struct{ of fake }

func (b bare) Info() provider.Info { return b.of.Info() }
func (b bare) Make(ctx context.Context, old provider.Credential) (provider.Credential, error) {
	return maker{b.of}.Make(ctx, old)
}
func (b bare) Apply(ctx context.Context, a, old, next provider.Credential) error {
	return maker{b.of}.Apply(ctx, a, old, next)
}

// TestRevokeFirst: where the old key must go at once it is revoked before there is a new
// one. The plan and the journal name the outage, since when it is, and what ends it; there
// is no way back.
func TestRevokeFirst(t *testing.T) {
	for _, family := range []string{"revoked first", "by hand, revoked first"} {
		t.Run(family, func(t *testing.T) {
			for _, consumers := range [][]string{{"one", "two"}, nil} {
				w := newWorld(t)
				w.key.Consumers = consumers
				w.key.Params = map[string]string{"user": "app"}
				of, o := familyOf(t, family)
				e := w.engine(of)
				j, err := e.New(t.Context(), "prod/DB", o)
				if err != nil {
					t.Fatal(err)
				}
				if j.Steps[1].Name != Revoke || j.Plan.Outage == "" || !j.RevokeFirst || slices.Contains(j.Steps[2:], Step{Name: Revoke}) {
					t.Fatalf("%+v, %+v", j.Steps, j.Plan)
				}
				if err := e.Begin(t.Context(), j); err != nil {
					t.Fatal(err)
				}
				w.until(e, j.ID, Revoke)
				at := w.now
				w.fault = &fault{call: "revoke", happens: true, err: &provider.Error{Provider: "fake", Doing: "do it", Kind: provider.Unclear}}
				out, err := e.Step(t.Context(), j.ID, Answer{})
				if (err == nil) != (out.Need != nil) { // by hand somebody is asked, and may have done it
					t.Fatalf("%+v, %v", out, err)
				}
				w.fault = nil
				w.now = w.now.Add(time.Hour)
				k, _ := w.Journal(t.Context(), j.ID)
				if what, since := k.Outage(); what == "" || !since.Equal(at) {
					t.Errorf("outage %q since %v", what, since)
				}
				if out.Need == nil { // else it can be taken back until somebody says that it is deleted
					if err := e.Abort(t.Context(), j.ID); !errors.Is(err, ErrIrrevocable) {
						t.Errorf("it is taken back: %v", err)
					}
				}
				// Until there is a new one, and everything has it.
				for _, s := range k.Steps[k.Next:] {
					k.Next = slices.Index(k.Steps, s)
					want := s.Name != Prove && s.Name != Close
					if what, _ := k.Outage(); (what != "") != want {
						t.Errorf("at %s: outage %q", s, what)
					}
				}
				if err := w.drive(e, j.ID); err != nil {
					t.Fatal(err)
				}
				k, _ = w.Journal(t.Context(), j.ID)
				if !slices.ContainsFunc(k.Events, func(e Event) bool {
					return e.Step.Name == Revoke && strings.Contains(e.Note, "keywright rotate resume "+j.ID)
				}) {
					t.Errorf("nothing says what ends it: %+v", k.Events)
				}
				for name := range w.consumers {
					if consumers == nil {
						w.consumers[name] = w.versions[w.current]
					}
				}
				if err := w.check(j.ID); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestRevokeFirstRefused: not where nothing could be issued any more, or nothing is won.
func TestRevokeFirstRefused(t *testing.T) {
	first := Options{Emergency: true, RevokeFirst: true}
	nothing := func(w *world) provider.Provider { return issuer{fake{w}} }
	for _, c := range []struct {
		name  string
		of    func(*world) provider.Provider
		o     Options
		admin string
		says  string
	}{
		{"no emergency", func(w *world) provider.Provider { return anew{lister{issuer{fake{w}}}} }, Options{RevokeFirst: true}, "prod/ADMIN", "emergencies"},
		{"it makes its own successor", func(w *world) provider.Provider { return anew{lister{issuer{fake{w}}}} }, first, "", "--admin"},
		{"it administers itself by name", func(w *world) provider.Provider { return anew{lister{issuer{fake{w}}}} }, first, "prod/DB", "--admin"},
		{"the new one is like it", nothing, first, "prod/ADMIN", "taken over from it"},
		{"made here", func(w *world) provider.Provider { return maker{fake{w}} }, first, "prod/ADMIN", "made here"},
		{"in place", func(w *world) provider.Provider { return inPlace{maker{fake{w}}} }, first, "prod/ADMIN", "takes its place"},
		{"nobody revokes it", func(w *world) provider.Provider { return bare{fake{w}} }, first, "prod/ADMIN", "made here"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.key.Admin = c.admin
			_, err := w.engine(c.of).New(t.Context(), "prod/DB", c.o)
			if !errors.Is(err, ErrRevokeFirst) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
		})
	}
}

// crowded is one that takes two keys of a user, and for a while takes one that is gone for
// one that is there.
type crowded struct {
	anew
	slow int // tries to issue one
}

func (f *crowded) full() *provider.Error {
	return &provider.Error{Provider: "fake", Doing: "issue", Kind: provider.NoSlot, Err: errors.New("it has 2"), Hint: "another could go"}
}

func (f *crowded) Plan(ctx context.Context, admin, old provider.Credential) (provider.Plan, error) {
	plan, err := f.anew.Plan(ctx, admin, old)
	if len(f.w.alive) >= 2 {
		plan.Full = f.full()
	}
	return plan, err
}

func (f *crowded) Issue(ctx context.Context, admin, old provider.Credential, lineage provider.Lineage) (provider.Credential, error) {
	if f.slow--; f.slow >= 0 || len(f.w.alive) >= 2 {
		return provider.Credential{}, f.full()
	}
	return f.anew.Issue(ctx, admin, old, lineage)
}

// TestCrowded: where there is no room beside the old key, nothing is begun, unless its end
// comes first, which makes room. That is known beforehand, and said.
func TestCrowded(t *testing.T) {
	first := Options{Emergency: true, RevokeFirst: true}
	for _, c := range []struct {
		name  string
		o     Options
		admin string
		slow  int
		says  string // in the hint; empty if it is replaced
		fails bool   // there is no room for a long time
	}{
		{"overlap", Options{}, "prod/ADMIN", 0, "another could go\nin an emergency: keywright rotate prod/DB --emergency --revoke-first", false},
		{"leaked", Options{Emergency: true}, "prod/ADMIN", 0, "--revoke-first", false},
		{"it makes its own successor", Options{}, "", 0, "another could go", false},
		{"revoked first", first, "prod/ADMIN", 0, "", false},
		{"revoked first, and its end is known late", first, "prod/ADMIN", 2, "", false},
		{"revoked first, and there is no room", first, "prod/ADMIN", 100, "", true},
	} {
		w := newWorld(t)
		w.key.Admin = c.admin
		w.alive["other"] = ""
		f := &crowded{anew{lister{issuer{fake{w}}}}, c.slow}
		e := w.engine(func(*world) provider.Provider { return f })
		j, err := e.New(t.Context(), "prod/DB", c.o)
		if c.says != "" {
			known := (*provider.Error)(nil)
			if !errors.As(err, &known) || known.Kind != provider.NoSlot || !strings.Contains(known.Hint, c.says) || strings.Contains(known.Hint, "first") && c.admin == "" {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil || !slices.ContainsFunc(j.Plan.Notes, func(n string) bool { return strings.Contains(n, "room") }) {
			t.Fatalf("%s: %v, %v", c.name, err, j)
		}
		if err := e.Begin(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		err = w.drive(e, j.ID)
		if known := (*provider.Error)(nil); c.fails != (errors.As(err, &known) && known.Kind == provider.NoSlot) || (err != nil) != c.fails {
			t.Errorf("%s: %v", c.name, err)
		}
		if f.slow = 0; c.fails {
			if err := w.drive(e, j.ID); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		delete(w.alive, "other")
		if err := w.check(j.ID); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestOutagePlanned: a plan claims an outage where something ends, and what it ends is used.
func TestOutagePlanned(t *testing.T) {
	for _, c := range []struct {
		name      string
		of        func(*world) provider.Provider
		o         Options
		consumers bool
		want      bool
	}{
		{"overlap", listed, Options{}, true, false},
		{"leaked", listed, Options{Emergency: true}, true, true},
		{"leaked, and nothing uses it", listed, Options{Emergency: true}, false, false},
		{"leaked, and nobody can end it", func(w *world) provider.Provider { return bare{fake{w}} }, Options{Emergency: true}, true, false},
	} {
		w := newWorld(t)
		if !c.consumers {
			w.key.Consumers = nil
		}
		j, err := w.engine(c.of).New(t.Context(), "prod/DB", c.o)
		if err != nil || (j.Plan.Outage != "") != c.want {
			t.Errorf("%s: %q, %v", c.name, j.Plan.Outage, err)
		}
	}
}

// TestOutageNoted: the journal says of the step at which an outage begins what ends it, and
// of no other.
func TestOutageNoted(t *testing.T) {
	for family, step := range map[string]StepName{
		"issued": "", "in place": Apply, "issued, leaked": Revoke, "disabled first": Disable, "revoked first": Revoke,
	} {
		w := newWorld(t)
		of, o := familyOf(t, family)
		e, id := w.begun(of, o, Preflight)
		if err := w.drive(e, id); err != nil {
			t.Fatal(err)
		}
		j, _ := w.Journal(t.Context(), id)
		var noted []StepName
		for _, ev := range j.Events {
			if strings.Contains(ev.Note, "an outage begins here; keywright rotate resume "+id+" ends it") {
				noted = append(noted, ev.Step.Name)
			}
		}
		if want := []StepName{step}; step == "" && noted != nil || step != "" && !slices.Equal(noted, want) {
			t.Errorf("%s: noted at %q, want %q", family, noted, step)
		}
	}
}

// TestEmergencyInPlace: who wants to be quick is told that it is in place all the same.
func TestEmergencyInPlace(t *testing.T) {
	w := newWorld(t)
	of, _ := familyOf(t, "in place")
	for _, urgent := range []bool{true, false} {
		j, err := w.engine(of).New(t.Context(), "prod/DB", Options{Emergency: urgent})
		said := slices.ContainsFunc(j.Plan.Notes, func(n string) bool { return strings.Contains(n, "in place only") })
		if err != nil || j.Mode != InPlace || said != urgent {
			t.Errorf("%v: %s, %q, %v", urgent, j.Mode, j.Plan.Notes, err)
		}
	}
}

// administered says whom a key is revoked with.
type administered struct {
	disabler
	with *string
}

func (a administered) Revoke(ctx context.Context, admin, c, other provider.Credential) error {
	*a.with = text(admin.Parts)
	return a.disabler.Revoke(ctx, admin, c, other)
}

// TestTwinAdministers: a key that is changed with itself under another name is not put out
// of use before it has made its successor, and is not asked once that took its place.
func TestTwinAdministers(t *testing.T) {
	for admin, want := range map[string]struct {
		disabled bool
		with     string
	}{"prod/ADMIN": {true, "admin"}, "prod/TWIN": {false, "new1"}, "": {false, "new1"}} {
		w := newWorld(t)
		w.key.Admin = admin
		with := ""
		e := w.engine(func(w *world) provider.Provider { return administered{disabler{lister{issuer{fake{w}}}}, &with} })
		j, err := e.New(t.Context(), "prod/DB", Options{Emergency: true})
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(j.Steps, Step{Name: Disable}) != want.disabled {
			t.Errorf("%q: %v", admin, j.Steps)
		}
		if err := errors.Join(e.Begin(t.Context(), j), w.drive(e, j.ID)); err != nil || with != want.with {
			t.Errorf("%q: revoked with %q, %v", admin, with, err)
		}
	}
}
