package rotate

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/keywright/keywright/provider"
)

// TestPolicy: what a key's policy forbids is refused of a new one before anything relies on
// it, and the rotation can be taken back.
func TestPolicy(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy Policy
		says   string // empty if it is allowed
	}{
		{"nothing", Policy{}, ""},
		{"another right", Policy{Forbidden: []string{"trade", Withdraw}}, ""},
		{"a right that it has", Policy{Forbidden: []string{"read"}}, "it may read, which"},
		{"addresses", Policy{RequireIPs: true}, "from any address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.key.Policy = c.policy
			e := w.engine(func(w *world) provider.Provider { return lister{issuer{fake{w}}} })
			j, err := e.New(t.Context(), "prod/DB", Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := e.Begin(t.Context(), j); err != nil {
				t.Fatal(err)
			}
			err = w.drive(e, j.ID)
			if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%v", err)
			}
			if err != nil {
				if w.held() != "old 2" {
					t.Errorf("consumers hold %s", w.held())
				}
				if err := e.Abort(t.Context(), j.ID); err != nil {
					t.Fatal(err)
				}
				if err := w.drive(e, j.ID); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.check(j.ID); err != nil {
				t.Error(err)
			}
		})
	}
	if err := (Policy{Forbidden: []string{Withdraw}}).allow(provider.Identity{Withdraw: true}); err == nil {
		t.Error("it may move money out")
	}
}

// TestPolicyUnseen: what nobody looked at is not taken for allowed: somebody is asked where
// the provider does not tell, and a provider that cannot be asked at all is refused.
func TestPolicyUnseen(t *testing.T) {
	for _, c := range []struct {
		policy Policy
		asks   int
	}{{Policy{Forbidden: []string{Withdraw}}, 1}, {Policy{}, 0}} {
		w := newWorld(t)
		w.key.Policy = c.policy
		e := w.engine(func(w *world) provider.Provider { return silent{lister{issuer{fake{w}}}} })
		j, err := e.New(t.Context(), "prod/DB", Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Begin(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		if err := w.drive(e, j.ID); err != nil {
			t.Fatal(err)
		}
		if w.questions != c.asks {
			t.Errorf("%+v: %d questions", c.policy, w.questions)
		}
	}
	w := newWorld(t)
	w.key.Policy = Policy{RequireIPs: true}
	e := w.engine(func(w *world) provider.Provider { return mute{fake{w}} })
	if _, err := e.New(t.Context(), "prod/DB", Options{}); !errors.Is(err, ErrUnseen) {
		t.Errorf("a policy that nobody can look at: %v", err)
	}
}

// silent says that a key is alive, and no more.
type silent struct{ lister }

func (s silent) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	p, err := s.lister.Verify(ctx, c)
	p.Who.Scopes = nil
	return p, err
}

// mute makes keys, and cannot be asked about one.
type mute struct{ of fake }

func (m mute) Info() provider.Info { return m.of.Info() }
func (m mute) Make(ctx context.Context, old provider.Credential) (provider.Credential, error) {
	return maker{m.of}.Make(ctx, old)
}
func (m mute) Apply(ctx context.Context, a, old, next provider.Credential) error {
	return maker{m.of}.Apply(ctx, a, old, next)
}
