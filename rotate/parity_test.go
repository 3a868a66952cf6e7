package rotate

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
)

// TestCompare: what of a new key is more than the old one's, and what is less.
func TestCompare(t *testing.T) {
	day := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	ips := func(all ...string) provider.Identity { return provider.Identity{IPs: all} }
	for _, c := range []struct {
		name       string
		old, next  provider.Identity
		more, less string // "; " between
	}{
		{"nothing is told", ips(), ips(), "", ""},
		{"a scope more, a scope less", provider.Identity{Scopes: []string{"read", "trade"}}, provider.Identity{Scopes: []string{"read", "send"}}, "send", "without trade"},
		{"withdraw", provider.Identity{}, provider.Identity{Withdraw: true}, "withdraw", ""},
		{"withdraw no more", provider.Identity{Withdraw: true}, provider.Identity{}, "", "without withdraw"},
		{"withdraw, which is a scope there", provider.Identity{}, provider.Identity{Withdraw: true, Scopes: []string{"withdraw"}}, "withdraw", ""},

		{"the same list in another order", ips("192.0.2.2", "192.0.2.1", "2001:db8::1"), ips("2001:db8:0:0::1", "192.0.2.1", "192.0.2.2/32"), "", ""},
		{"no list any more", ips("192.0.2.1"), ips(), "use from any address", ""},
		{"a list, at last", ips(), ips("192.0.2.1", "192.0.2.2"), "", "only from 192.0.2.1, 192.0.2.2"},
		{"an address more", ips("192.0.2.1"), ips("192.0.2.1", "192.0.2.2"), "use from 192.0.2.2", ""},
		{"an address less", ips("192.0.2.1", "192.0.2.2"), ips("192.0.2.1"), "", "not from 192.0.2.2"},
		{"another address", ips("192.0.2.1"), ips("198.51.100.7"), "use from 198.51.100.7", "not from 192.0.2.1"},
		{"an address in the network", ips("192.0.2.0/24"), ips("192.0.2.9"), "", "not from 192.0.2.0/24"},
		{"a wider network", ips("192.0.2.0/24"), ips("192.0.0.0/16"), "use from 192.0.0.0/16", ""},
		{"a network in two halves", ips("192.0.2.0/25", "192.0.2.128/25"), ips("192.0.2.0/24"), "", ""},
		{"a network of which a quarter is missing", ips("192.0.2.0/25", "192.0.2.128/26"), ips("192.0.2.0/24"), "use from 192.0.2.0/24", ""},
		{"everywhere, in two halves", ips("0.0.0.0/1", "128.0.0.0/1"), ips("0.0.0.0/0"), "", ""},
		{"everywhere of the one kind is not the other", ips("0.0.0.0/0"), ips("::/0"), "use from ::/0", "not from 0.0.0.0/0"},
		{"everywhere, written out", ips("192.0.2.1"), ips("0.0.0.0/0", "::/0"), "use from 0.0.0.0/0; use from ::/0", ""},
		{"bits behind the network", ips("192.0.2.0/24"), ips("192.0.2.77/24"), "", ""},
		{"an address of version 4 in one of 6", ips("192.0.2.1"), ips("::ffff:192.0.2.1"), "", ""},
		{"addresses of two networks of one's own", ips("fe80::1%a"), ips("fe80::1%b"), "use from fe80::1%b", "not from fe80::1%a"},
		{"something that is no address", ips("office", "192.0.2.1"), ips("Office", "home", "192.0.2.1"), "use from home", ""},

		{"an end, at last", provider.Identity{}, provider.Identity{Expires: day}, "", "ends 2027-01-01"},
		{"an end no more", provider.Identity{Expires: day}, provider.Identity{}, "no expiry", ""},
		{"a later end", provider.Identity{Expires: day}, provider.Identity{Expires: day.AddDate(0, 3, 0)}, "", ""},
		{"an earlier end", provider.Identity{Expires: day}, provider.Identity{Expires: day.AddDate(0, -1, 0)}, "", "ends 2026-12-01, the old one 2027-01-01"},
	} {
		t.Run(c.name, func(t *testing.T) {
			more, less := compare(c.old, c.next)
			if strings.Join(more, "; ") != c.more || strings.Join(less, "; ") != c.less {
				t.Errorf("more %q, less %q", more, less)
			}
		})
	}
}

// able is a provider whose keys may do what is said of them.
type able struct {
	provider.Provider
	who map[string]provider.Identity // by whether it is "old" or "new"
	w   *world
}

func (a able) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	p, err := a.Provider.(provider.Verifier).Verify(ctx, c)
	who := a.who[strings.TrimRight(text(c.Parts), "0123456789")]
	who.ID, who.Account = p.Who.ID, p.Who.Account
	if p.Who = who; !p.State.Lives() {
		p.Who = provider.Identity{}
	}
	return p, err
}

// The methods of a provider are found by its type: these are the kinds that are needed.
type (
	ableInPlace struct {
		inPlace
		able
	}
	ableDisabler struct {
		disabler
		able
	}
	ableIssuer struct {
		lister
		able
	}
	ableNumbered struct {
		counting
		able
	}
)

func (a ableInPlace) Info() provider.Info  { return a.inPlace.Info() }
func (a ableDisabler) Info() provider.Info { return a.disabler.Info() }
func (a ableIssuer) Info() provider.Info   { return a.lister.Info() }
func (a ableNumbered) Info() provider.Info { return a.counting.Info() }
func (a ableInPlace) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	return a.able.Verify(ctx, c)
}
func (a ableDisabler) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	return a.able.Verify(ctx, c)
}
func (a ableIssuer) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	return a.able.Verify(ctx, c)
}
func (a ableNumbered) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	return a.able.Verify(ctx, c)
}

// TestParity: in every mode a new key is held to what the old one might do. More is
// refused before anything relies on the new one, or, where the old one is gone, asked
// about; less is told.
func TestParity(t *testing.T) {
	list := func(who ...string) provider.Identity { return provider.Identity{Scopes: []string{"read"}, IPs: who} }
	narrow, wide := list("192.0.2.0/24"), list("192.0.0.0/16")
	for _, c := range []struct {
		name  string
		of    func(*world, able) provider.Provider
		o     Options
		stops bool
	}{
		{"overlap", func(w *world, a able) provider.Provider {
			a.Provider = lister{issuer{fake{w}}}
			return ableIssuer{lister{issuer{fake{w}}}, a}
		}, Options{}, true},
		{"emergency", func(w *world, a able) provider.Provider {
			a.Provider = lister{issuer{fake{w}}}
			return ableIssuer{lister{issuer{fake{w}}}, a}
		}, Options{Emergency: true}, true},
		{"disabled", func(w *world, a able) provider.Provider {
			a.Provider = disabler{lister{issuer{fake{w}}}}
			return ableDisabler{disabler{lister{issuer{fake{w}}}}, a}
		}, Options{Emergency: true}, true},
		{"in place", func(w *world, a able) provider.Provider {
			a.Provider = inPlace{maker{fake{w}}}
			return ableInPlace{inPlace{maker{fake{w}}}, a}
		}, Options{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, wider := range []bool{true, false} {
				w := newWorld(t)
				who := map[string]provider.Identity{"old": wide, "new": narrow}
				if wider {
					who = map[string]provider.Identity{"old": narrow, "new": wide}
				}
				of := func(w *world) provider.Provider { return c.of(w, able{who: who, w: w}) }
				e, id := w.begun(of, c.o, Parity)
				o, err := e.Step(t.Context(), id, Answer{})
				switch {
				case !wider:
					if err != nil || o.Need != nil || o.Note != "not from 192.0.0.0/16" {
						t.Fatalf("less: %+v, %v", o, err)
					}
				case c.stops:
					if err == nil || !strings.Contains(err.Error(), "the new key may do more than the old one: use from 192.0.0.0/16") {
						t.Fatalf("more: %+v, %v", o, err)
					}
					if w.held() != "old 2" {
						t.Errorf("consumers hold %s", w.held())
					}
					if err := e.Abort(t.Context(), id); err != nil {
						t.Fatal(err)
					}
				default:
					if err != nil || o.Need == nil || !strings.Contains(o.Need.Question, "use from 192.0.0.0/16") {
						t.Fatalf("more: %+v, %v", o, err)
					}
				}
				if err := w.drive(e, id); err != nil {
					t.Fatal(err)
				}
				if err := w.check(id); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestParityUnseen: of an old key that cannot be asked nothing is known: what the new one
// may do is told. An answer that does not come is waited for.
func TestParityUnseen(t *testing.T) {
	w := newWorld(t)
	who := map[string]provider.Identity{"new": {Scopes: []string{"read", "withdraw"}, Withdraw: true, IPs: []string{"192.0.2.1"}}}
	of := func(w *world) provider.Provider {
		return ableNumbered{counting{guided{w}}, able{who: who, w: w, Provider: counting{guided{w}}}}
	}
	e, id := w.begunByHand(of, Parity)
	o, err := e.Step(t.Context(), id, Answer{})
	if err != nil || o.Need == nil || !strings.Contains(o.Need.Question, "may withdraw") {
		t.Fatalf("that it may withdraw is not asked about: %+v, %v", o, err)
	}
	o, err = e.Step(t.Context(), id, Answer{Yes: o.Need.Question})
	if err != nil || o.Need != nil || !strings.Contains(o.Note, "it may read, withdraw, from 192.0.2.1") {
		t.Errorf("%+v, %v", o, err)
	}

	w = newWorld(t)
	e, id = w.begun(listed, Options{}, Parity)
	w.answer = &provider.Probe{State: provider.Throttled, Code: "429"}
	if o, err := e.Step(t.Context(), id, Answer{}); err != nil || o.Until.IsZero() {
		t.Errorf("what a key may do was not said: %+v, %v", o, err)
	}
}

// begunByHand is a rotation that has come to a step after a key was made by hand.
func (w *world) begunByHand(of func(*world) provider.Provider, step StepName) (*Engine, string) {
	w.t.Helper()
	e, id := w.begun(of, Options{}, Ask)
	w.alive["new1"] = ""
	if o, err := e.Step(w.t.Context(), id, Answer{Parts: parts("new1")}); err != nil || o.Need != nil {
		w.t.Fatalf("%+v, %v", o, err)
	}
	w.until(e, id, step)
	return e, id
}

// TestPolicyTooLate: a policy that is seen to be broken when the old key is gone does not
// keep what needs the new one out of service for ever: somebody decides.
func TestPolicyTooLate(t *testing.T) {
	w := newWorld(t)
	w.key.Policy = Policy{Forbidden: []string{"read"}}
	of, o := familyOf(t, "in place")
	e, id := w.begun(of, o, Parity)
	out, err := e.Step(t.Context(), id, Answer{})
	if err != nil || out.Need == nil || !strings.Contains(out.Need.Question, "it may read, which the key's policy forbids") {
		t.Fatalf("%+v, %v", out, err)
	}
	if err := w.drive(e, id); err != nil {
		t.Fatal(err)
	}
	if err := w.check(id); err != nil {
		t.Error(err)
	}
}

// TestParityJournal: what the journal keeps of the old key is what its provider says of it.
func TestParityJournal(t *testing.T) {
	w := newWorld(t)
	e, id := w.begun(listed, Options{}, Issue)
	_ = e
	j, err := w.Journal(t.Context(), id)
	if err != nil || j.Was == nil || j.Was.Account != "acct" || !slices.Equal(j.Was.Scopes, []string{"read"}) {
		t.Errorf("%+v, %v", j.Was, err)
	}
}

// TestEndUntold: that the new key's end is not told, as the old one's was known, is said.
func TestEndUntold(t *testing.T) {
	w := newWorld(t)
	of, _ := familyOf(t, "made here")
	w.key.Expires = time.Date(2027, 1, 2, 0, 0, 0, 0, time.Local)
	e, id := w.begun(of, Options{}, Close)
	j, err := e.Store.Journal(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(j.Events, func(e Event) bool {
		return e.Step.Name == Promote && strings.Contains(e.Note, "2027-01-02") && strings.Contains(e.Note, "edit prod/DB --expires")
	}) {
		t.Errorf("%+v", j.Events)
	}
}
