package approle_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/approle"
	"github.com/keywright/keywright/provider/approle/approletest"
	"github.com/keywright/keywright/provider/providertest"
)

// TestLingers: what outlives a secret id is what nobody will end, for as long as the role says.
func TestLingers(t *testing.T) {
	const got, until = "tokens that were got with it", "tokens that were got with it, until the end that the role gives them"
	for _, c := range []struct {
		name   string
		change func(f *approletest.Fake)
		what   string
		most   time.Duration
	}{
		{"nobody may end them", func(f *approletest.Fake) { f.Lists = false }, got, 2 * time.Hour},
		{"some may not be ended", func(f *approletest.Fake) { f.Denied["auth/token/revoke-accessor"] = true }, got, 2 * time.Hour},
		{"they are ended", func(*approletest.Fake) {}, "", 0},
		{"they cannot be told apart", func(f *approletest.Fake) { f.IDs[0].Metadata = map[string]string{"team": "ops"} }, got, 2 * time.Hour},
		{"the role may not be read", func(f *approletest.Fake) { f.Denied[approletest.Role] = true }, until, 0},
		{"too many", func(f *approletest.Fake) {
			for range 1001 {
				f.Of[time.Duration(len(f.Of)).String()] = approletest.Token{}
			}
		}, got, 2 * time.Hour},
		{"batch", func(f *approletest.Fake) { f.Role["token_type"] = "batch" }, got, 20 * time.Minute},
		{"perhaps batch", func(f *approletest.Fake) { f.Role["token_type"] = "default" }, "batch tokens that were got with it, if the auth method gives any", 20 * time.Minute},
		{"the server decides", func(f *approletest.Fake) { f.Lists, f.Role["token_max_ttl"] = false, 0 }, got, 0},
		{"renewed for ever", func(f *approletest.Fake) { f.Lists, f.Role["token_period"] = false, 60 }, got, 0},
		{"renewed up to", func(f *approletest.Fake) {
			f.Lists, f.Role["token_period"], f.Role["token_explicit_max_ttl"] = false, 60, 3600
		}, got, time.Hour},
		{"the shorter one", func(f *approletest.Fake) { f.Lists, f.Role["token_explicit_max_ttl"] = false, 9000 }, got, 2 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := approletest.Serve(t, approletest.Marked)
			f.Lists, f.IDs[0].Metadata["keywright"] = true, "keywright-0"
			c.change(f)
			p := approle.New(nil)
			plan, err := p.Plan(t.Context(), f.Admin(), f.Credential(f.IDs[0]))
			if err != nil {
				t.Fatal(err)
			}
			l := p.Info().Lingers
			if plan.Lingers != nil {
				l = *plan.Lingers
			}
			if l != (provider.Lingers{What: c.what, Longest: c.most}) {
				t.Errorf("%+v", l)
			}
		})
	}
}

// TestTokensEnd: with a secret id its tokens end, and no others: not those of a secret id that
// is there, nor of one that is gone and was not issued here, nor of another role or method.
func TestTokensEnd(t *testing.T) {
	const login = "auth/team/approle/login"
	others := map[string]approletest.Token{
		"once":    {Path: login, Meta: map[string]string{"role_name": "app", "team": "ops"}},
		"expired": {Path: login, Meta: map[string]string{"role_name": "app", "keywright": "keywright-of-another-key"}},
		"role":    {Path: login, Meta: map[string]string{"role_name": "other", "keywright": "keywright-0"}},
		"method":  {Path: "auth/approle/login", Meta: map[string]string{"role_name": "app", "keywright": "keywright-0"}},
		"created": {Path: "auth/token/create", Meta: map[string]string{"role_name": "app", "keywright": "keywright-0"}},
	}
	for _, c := range []struct {
		name   string
		may    bool
		broken string // a path that is denied the first time
		left   []string
	}{
		{"they may be ended", true, "", []string{"created", "expired", "method", "new", "once", "role"}},
		{"they may not", false, "", []string{"created", "expired", "method", "new", "old", "once", "role"}},
		{"a crash in between", true, "auth/token/lookup-accessor", []string{"created", "method", "new", "once", "role"}}, // whose they are is not known any more
	} {
		t.Run(c.name, func(t *testing.T) {
			f := approletest.Serve(t, approletest.Marked)
			p, lineage := approle.New(nil), provider.Lineage{Rotation: "20260102-0123abcd"}
			f.Lists, f.IDs[0].Metadata["keywright"] = c.may, "keywright-0"
			old := f.Credential(f.IDs[0])
			next, err := p.Issue(t.Context(), f.Admin(), old, lineage)
			if err != nil {
				t.Fatal(err)
			}
			maps.Copy(f.Of, others)
			f.Of["old"] = approletest.Token{Path: login, Meta: map[string]string{"role_name": "app", "keywright": "keywright-0"}}
			f.Of["new"] = approletest.Token{Path: login, Meta: map[string]string{"role_name": "app", "keywright": lineage.String()}}
			if c.broken != "" {
				f.Broken = c.broken
				providertest.Quiet(t, p.Revoke(t.Context(), f.Admin(), old, next), provider.Unclear)
				f.Broken = ""
			}
			if err := p.Revoke(t.Context(), f.Admin(), old, next); err != nil {
				t.Fatal(err)
			}
			if left := slices.Sorted(maps.Keys(f.Of)); !slices.Equal(left, c.left) || len(f.IDs) != 1 {
				t.Errorf("left are the tokens %v, and %d secret ids", left, len(f.IDs))
			}
		})
	}
}
