package rotate

import (
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
