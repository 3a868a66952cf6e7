package approle_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/approle"
	"github.com/keywright/keywright/provider/approle/approletest"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/secret"
)

var (
	_ provider.Verifier = (*approle.Provider)(nil)
	_ provider.Lister   = (*approle.Provider)(nil)
	_ provider.Planner  = (*approle.Provider)(nil)
	_ provider.Issuer   = (*approle.Provider)(nil)
	_ provider.Revoker  = (*approle.Provider)(nil)
)

func TestConformance(t *testing.T) {
	for page, ends := range map[string]bool{"approle": false, "approle, ending tokens": true} {
		t.Run(page, func(t *testing.T) { conforms(t, page, ends) })
	}
}

func conforms(t *testing.T, page string, ends bool) {
	f := approletest.Serve(t, approletest.Marked)
	f.Lists = ends
	providertest.Provider(t, providertest.Subject{
		Provider: approle.New(nil),
		Admin:    f.Admin(),
		New: func(t *testing.T) provider.Credential {
			f.Lock()
			f.IDs = f.IDs[max(0, len(f.IDs)-9):] // the lists are read one by one
			f.Of = map[string]approletest.Token{"another": {Path: "auth/token/create"}}
			f.Unlock()
			return f.Credential(f.Add())
		},
		Accepts:  func(t *testing.T, c provider.Credential) bool { return f.Accepts(c) },
		DeadCode: "400 invalid role or secret ID",
		ByID:     true,
		Page:     page,
		Addr:     f.Addr(),
		At: func(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
			c.Params = approletest.Params(addr)
			return approle.New(nil), c
		},
	})
}

// The token of a login does not outlive the look.
func TestVerify(t *testing.T) {
	f := approletest.Serve(t, approletest.Marked)
	old := f.Credential(f.IDs[0])
	got, err := approle.New(nil).Verify(t.Context(), old)
	want := provider.Probe{State: provider.Alive, Code: "200", Who: provider.Identity{ID: "old", Account: "app", Scopes: []string{"default", "read"}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if len(f.Tokens) != 0 {
		t.Error("there is a token left")
	}
	f.Batch = true
	if got, err := approle.New(nil).Verify(t.Context(), old); err != nil || got.State != provider.Alive || !strings.Contains(got.Code, "its token lives") {
		t.Errorf("%+v, %v", got, err)
	}
	providertest.Replies(t, f.HTTP, approle.New(nil), old, "POST "+approletest.Mount+"/login", []providertest.Reply{
		{Status: 400, Body: `{"errors":["invalid role or secret ID"]}`, State: provider.Dead, Code: "400 invalid role or secret ID"},
		{Status: 400, Body: `{"errors":["invalid secret id"]}`, State: provider.Dead, Code: "400 invalid role or secret ID"},
		{Status: 400, Body: `{"errors":["missing role_id"]}`, State: provider.Unknown, Code: "400"},
		{Status: 400, Body: `{"errors":["source address \"198.51.100.1\" unauthorized through CIDR restrictions on the secret ID"]}`, State: provider.Blocked, Code: "400 source address"},
		{Status: 403, Body: `{"errors":["permission denied"]}`, State: provider.Unknown, Code: "403"},
		{Status: 403, Body: `{"errors":["invalid role or secret ID"]}`, State: provider.Unknown, Code: "403"},
		{Status: 404, Body: `{"errors":["no handler for route"]}`, State: provider.Unknown, Code: "404"},
		{Status: 429, Body: `{"errors":["request path \"x\": rate limit quota exceeded"]}`, State: provider.Throttled, Code: "429"},
		{Status: 400, Body: `<html>`, State: provider.Unknown, Code: "400"},
		{Status: 200, Body: `{}`}, {Status: 200, Body: `{"auth":{}}`}, {Status: 200, Body: `<html>`},
		{Status: 503, Body: `{"errors":["Vault is sealed"]}`}, {Status: 307},
	})
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(f *approletest.Fake, admin, old *provider.Credential)
		kind   provider.Kind
		says   string
	}{
		{"may", func(*approletest.Fake, *provider.Credential, *provider.Credential) {}, "", "lives for 1h0m0s"},
		{"no accessor", func(_ *approletest.Fake, _, old *provider.Credential) { old.ID = "" }, "", ""},
		{"may not destroy", func(f *approletest.Fake, _, _ *provider.Credential) {
			f.Denied[approletest.Role+"/secret-id-accessor/destroy"] = true
		}, provider.Forbidden, "destroy"},
		{"may not generate", func(f *approletest.Fake, _, _ *provider.Credential) { f.Denied[approletest.Role+"/secret-id"] = true }, provider.Forbidden, "app/secret-id"},
		{"no token", func(_ *approletest.Fake, a, _ *provider.Credential) {
			a.Parts = map[string]secret.Value{"value": secret.New([]byte("x"))}
		}, provider.Forbidden, "403"},
		{"limited", func(f *approletest.Fake, _, _ *provider.Credential) { f.IDs[0].Uses = 5 }, provider.Refused, "5 times"},
		{"gone", func(f *approletest.Fake, _, _ *provider.Credential) { f.IDs = nil }, provider.Refused, "not there"},
		{"gone, no accessor", func(f *approletest.Fake, _, old *provider.Credential) { f.IDs, old.ID = nil, "" }, provider.Refused, "not there"},
		{"another namespace", func(f *approletest.Fake, _, old *provider.Credential) { old.Params["namespace"] = "" }, provider.Refused, "404"},
		{"no role", func(_ *approletest.Fake, _, old *provider.Credential) { delete(old.Params, "role") }, provider.Incomplete, "role"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := approletest.Serve(t, approletest.Marked)
			as, old := f.Admin(), f.Credential(f.IDs[0])
			c.change(f, &as, &old)
			got, err := approle.New(nil).Plan(t.Context(), as, old)
			text := strings.Join(got.Notes, "; ")
			if c.kind != "" {
				text = providertest.Quiet(t, err, c.kind).Error()
			} else if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(text, c.says) {
				t.Errorf("%q does not say %q", text, c.says)
			}
			if n := f.Count("POST /v1/"+approletest.Role+"/secret-id-accessor/destroy") + f.Count("POST "+approletest.Mount+"/login") + len(f.IDs) - 1; n > 0 {
				t.Errorf("%d changes", n)
			}
		})
	}
}

// A new one is bound as the old one is.
func TestParity(t *testing.T) {
	f := approletest.Serve(t, approletest.Marked)
	next, err := approle.New(nil).Issue(t.Context(), f.Admin(), f.Credential(f.IDs[0]), providertest.Lineage)
	if err != nil {
		t.Fatal(err)
	}
	old, got := f.IDs[0], f.IDs[1]
	if !slices.Equal(got.CIDRs, old.CIDRs) || !slices.Equal(got.Tokens, old.Tokens) || got.TTL != old.TTL || got.Metadata["team"] != "ops" || got.Metadata["keywright"] != providertest.Lineage.String() {
		t.Errorf("%+v", got)
	}
	if string(next.Part("role_id").Reveal()) != approletest.RoleID {
		t.Error("it has no role id")
	}
	all, err := approle.New(nil).List(t.Context(), f.Admin(), next)
	if err != nil || len(all) != 2 || all[1].Label != providertest.Lineage.String() || all[1].Expires.IsZero() || all[0].Created.Format(time.DateOnly) != "2026-02-10" {
		t.Errorf("%+v, %v", all, err)
	}
	providertest.Quiet(t, approle.New(nil).Revoke(t.Context(), f.Admin(), next, next), provider.Refused)
	f.IDs = nil
	if all, err := approle.New(nil).List(t.Context(), f.Admin(), next); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

// That a role is not found does not mean that a secret id is gone.
func TestRevokeElsewhere(t *testing.T) {
	f := approletest.Serve(t, approletest.Marked)
	old := f.Credential(f.IDs[0])
	old.Params["role"] = "other"
	providertest.Quiet(t, approle.New(nil).Revoke(t.Context(), f.Admin(), old, provider.Credential{}), provider.Refused)
	if _, err := approle.New(nil).List(t.Context(), f.Admin(), old); err == nil {
		t.Error("a list of no role")
	}
	if len(f.IDs) != 1 {
		t.Error("it was destroyed")
	}
}
