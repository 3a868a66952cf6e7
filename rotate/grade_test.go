package rotate

import (
	"context"
	"fmt"
	"testing"

	"github.com/keywright/keywright/provider"
)

// serverless is one that no service knows.
type serverless struct{ bare }

func (s serverless) Info() provider.Info {
	i := s.bare.Info()
	i.Local = true
	return i
}

// unended issues keys, and can neither end one nor say how.
type unended struct{ of fake }

func (u unended) Info() provider.Info { return u.of.Info() }
func (u unended) Issue(ctx context.Context, a, old provider.Credential, lineage provider.Lineage) (provider.Credential, error) {
	return issuer{u.of}.Issue(ctx, a, old, lineage)
}

// bareInPlace replaces a key, and cannot be asked about one.
type bareInPlace struct{ bare }

func (b bareInPlace) Plan(context.Context, provider.Credential, provider.Credential) (provider.Plan, error) {
	return provider.Plan{InPlace: true}, nil
}
func (b bareInPlace) Apply(ctx context.Context, a, old, next provider.Credential) error {
	return inPlace{maker{b.of}}.Apply(ctx, a, old, next)
}

// keeping lists what it ended as out of use, and cannot be asked with a key.
type keeping struct{ of fake }

func (k keeping) Info() provider.Info { return k.of.Info() }
func (k keeping) Issue(ctx context.Context, a, old provider.Credential, lineage provider.Lineage) (provider.Credential, error) {
	return issuer{k.of}.Issue(ctx, a, old, lineage)
}
func (k keeping) Revoke(ctx context.Context, a, c, other provider.Credential) error {
	k.of.w.disabled[text(c.Parts)] = true
	return nil
}
func (k keeping) List(ctx context.Context, a, c provider.Credential) ([]provider.Listed, error) {
	return lister{issuer{k.of}}.List(ctx, a, c)
}

// vanishing lists nothing of what it ended.
type vanishing struct{ keeping }

func (g vanishing) Revoke(ctx context.Context, a, c, other provider.Credential) error {
	return g.of.Revoke(ctx, a, c, other)
}

// TestGrades: what is said of the old key's end is what is known of it.
func TestGrades(t *testing.T) {
	for _, c := range []struct {
		name  string
		of    func(w *world) provider.Provider
		alive bool // the old one, before
		want  Grade
	}{
		{"refused", listed, true, RefusedDead},
		{"refused, and never seen alive", listed, false, RefusedUnseen},
		{"refused, by one that does not say why", func(w *world) provider.Provider { return curt{ended{guided{w}}} }, true, RefusedMute},
		{"absent from the list", func(w *world) provider.Provider { return vanishing{keeping{fake{w}}} }, true, Absent},
		{"listed as out of use", func(w *world) provider.Provider { return keeping{fake{w}} }, true, OutOfUse},
		{"acknowledged", func(w *world) provider.Provider { return acknowledging{unended{fake{w}}} }, true, Acknowledged},
		{"by hand, and not tried", func(w *world) provider.Provider { return counting{guided{w}} }, true, Said},
		{"nobody's", func(w *world) provider.Provider { return serverless{bare{fake{w}}} }, true, NoProvider},
		{"a server's, which cannot be asked", func(w *world) provider.Provider { return bare{fake{w}} }, true, Unended},
		{"issued, and nobody ends it", func(w *world) provider.Provider { return unended{fake{w}} }, true, Unended},
		{"in place, and nobody can be asked", func(w *world) provider.Provider { return bareInPlace{bare{fake{w}}} }, true, Acknowledged},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			if !c.alive {
				delete(w.alive, "old")
			}
			e, id := w.begun(c.of, Options{}, Preflight)
			var recorded []string
			e.Record = func(_ context.Context, _, key string, version int, note string) error {
				recorded = append(recorded, fmt.Sprint(key, " ", version, " ", note))
				return nil
			}
			if err := w.drive(e, id); err != nil {
				t.Fatal(err)
			}
			j, err := w.Journal(t.Context(), id)
			if err != nil || j.Result != Done || j.Grade != c.want {
				t.Errorf("%s, %q, %v", j.Result, j.Grade, err)
			}
			if want := fmt.Sprint(j.Key, " ", j.Old, " ", id, " is over: ", c.want); len(recorded) == 0 || recorded[len(recorded)-1] != want {
				t.Errorf("on record is %q, not %q", recorded, want)
			}
		})
	}
}

// acknowledging ends a key, and nobody can look.
type acknowledging struct{ unended }

func (a acknowledging) Revoke(ctx context.Context, admin, c, other provider.Credential) error {
	return a.of.Revoke(ctx, admin, c, other)
}
