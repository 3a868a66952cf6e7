package sendgrid_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/provider/sendgrid"
	"github.com/keywright/keywright/secret"
)

var (
	_ provider.Verifier = (*sendgrid.Provider)(nil)
	_ provider.Lister   = (*sendgrid.Provider)(nil)
	_ provider.Planner  = (*sendgrid.Provider)(nil)
	_ provider.Issuer   = (*sendgrid.Provider)(nil)
	_ provider.Revoker  = (*sendgrid.Provider)(nil)
)

// fake is SendGrid with the keys of a user.
type fake struct {
	*providertest.HTTP
	keys  []*fakeKey
	made  int
	most  int
	widen bool
}

type fakeKey struct {
	id, name string
	scopes   []string
}

func (k *fakeKey) value() string { return "SG." + k.id + "." + providertest.Marked + k.id }

func serve(t *testing.T) *fake {
	f := &fake{most: 100, keys: []*fakeKey{
		{"admin", "admin", []string{"api_keys.create", "api_keys.read", "api_keys.update", "api_keys.delete", "mail.send", "alerts.read"}},
		{"old", "app", []string{"mail.send", "alerts.read"}},
	}}
	f.HTTP = providertest.Serve(t, f.serve)
	return f
}

func (f *fake) find(id string) *fakeKey {
	for _, k := range f.keys {
		if k.id == id {
			return k
		}
	}
	return nil
}

func (f *fake) credential(id string) provider.Credential {
	return provider.Credential{ID: id, Parts: map[string]secret.Value{"value": secret.New([]byte(f.find(id).value()))}, Params: map[string]string{"url": f.URL}}
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	fail := func(status int, words string) {
		answer(w, status, map[string]any{"errors": []any{map[string]any{"field": nil, "message": words, "help": providertest.Marked}}})
	}
	i := slices.IndexFunc(f.keys, func(k *fakeKey) bool { return "Bearer "+k.value() == r.Header.Get("Authorization") })
	switch {
	case i < 0 && r.URL.Path == "/v3/mail/send":
		fail(401, "The provided authorization grant is invalid, expired, or revoked")
		return
	case i < 0:
		fail(401, "authorization required")
		return
	case r.URL.Path == "/v3/scopes":
		answer(w, 200, map[string]any{"scopes": f.keys[i].scopes})
		return
	}
	scope := map[string]string{"GET": "api_keys.read", "POST": "api_keys.create", "DELETE": "api_keys.delete"}[r.Method]
	id, one := strings.CutPrefix(r.URL.Path, "/v3/api_keys/")
	k := f.find(id)
	switch {
	case !slices.Contains(f.keys[i].scopes, scope):
		fail(403, "access forbidden")
	case r.Method == http.MethodPost:
		f.create(w, r, fail)
	case !one:
		all := []any{}
		for _, k := range f.keys {
			all = append(all, map[string]string{"name": k.name, "api_key_id": k.id})
		}
		answer(w, 200, map[string]any{"result": all})
	case k == nil:
		fail(404, "unable to find a valid API Key ID")
	case r.Method == http.MethodDelete:
		f.keys = slices.DeleteFunc(f.keys, func(other *fakeKey) bool { return other == k })
		w.WriteHeader(204)
	default:
		answer(w, 200, map[string]any{"name": k.name, "api_key_id": k.id, "scopes": k.scopes})
	}
}

func (f *fake) create(w http.ResponseWriter, r *http.Request, fail func(int, string)) {
	var body struct {
		Name   string
		Scopes []string
	}
	switch {
	case json.NewDecoder(r.Body).Decode(&body) != nil || body.Name == "":
		fail(400, "missing required field")
		return
	case len(f.keys) >= f.most:
		fail(403, "Cannot create more than 100 API Keys")
		return
	case len(body.Scopes) == 0 || f.widen:
		body.Scopes = append(body.Scopes, "billing.read", "everything")
	}
	f.made++
	k := &fakeKey{fmt.Sprint("new", f.made), body.Name, body.Scopes}
	f.keys = append(f.keys, k)
	answer(w, 201, map[string]any{"api_key": k.value(), "api_key_id": k.id, "name": k.name, "scopes": k.scopes})
}

func TestConformance(t *testing.T) {
	f := serve(t)
	providertest.Provider(t, providertest.Subject{
		Provider: sendgrid.New(nil),
		Admin:    f.credential("admin"),
		New: func(t *testing.T) provider.Credential {
			f.Lock()
			defer f.Unlock()
			f.made++
			k := &fakeKey{fmt.Sprint("test", f.made), "test", []string{"mail.send"}}
			f.keys = append(f.keys, k)
			if len(f.keys) > 40 {
				f.keys = slices.Delete(f.keys, 1, 2) // of a test before: there is to be room
			}
			return f.credential(k.id)
		},
		Accepts: func(t *testing.T, c provider.Credential) bool {
			f.Lock()
			defer f.Unlock()
			return slices.ContainsFunc(f.keys, func(k *fakeKey) bool { return k.value() == string(c.Part("value").Reveal()) })
		},
		DeadCode: "401 authorization grant is invalid, expired, or revoked",
		ByID:     true,
		Addr:     f.Addr(),
		At: func(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
			c.Params = map[string]string{"url": "http://" + addr}
			return sendgrid.New(nil), c
		},
	})
}

func TestVerify(t *testing.T) {
	f := serve(t)
	old := f.credential("old")
	old.ID = ""
	got, err := sendgrid.New(nil).Verify(t.Context(), old)
	want := provider.Probe{State: provider.Alive, Code: "200", Who: provider.Identity{ID: "old", Scopes: []string{"alerts.read", "mail.send"}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	const dead = "401 authorization grant is invalid, expired, or revoked"
	providertest.Replies(t, f.HTTP, sendgrid.New(nil), old, "GET /v3/scopes", []providertest.Reply{
		{Status: 401, Body: `{"errors":[{"message":"The provided authorization grant is invalid, expired, or revoked","field":null,"help":null}]}`, State: provider.Dead, Code: dead},
		{Status: 401, Body: `{"errors":[{"message":"something else"}]}`, State: provider.Unknown, Code: "401"},
		{Status: 401, Body: `<html>`, State: provider.Unknown, Code: "401"},
		{Status: 403, Body: `{"errors":[{"message":"access forbidden"}]}`, State: provider.Unknown, Code: "403"},
		{Status: 404, Body: ``, State: provider.Unknown, Code: "404"},
		{Status: 429, Body: ``, State: provider.Throttled, Code: "429"},
		{Status: 200, Body: `{"scopes":[]}`}, {Status: 200, Body: `<html>`}, {Status: 500}, {Status: 302},
	})
	f.keys = nil // so that scopes are not told
	providertest.Replies(t, f.HTTP, sendgrid.New(nil), old, "POST /v3/mail/send", []providertest.Reply{
		{Status: 401, Body: `{"errors":[{"message":"The provided authorization grant is invalid, expired, or revoked"}]}`, State: provider.Dead, Code: dead},
		{Status: 401, Body: `{"errors":[{"message":"authorization required"}]}`, State: provider.Unknown, Code: "401"},
		{Status: 400, Body: `{"errors":[{"message":"The personalizations field is required"}]}`, State: provider.Narrow, Code: "400"},
		{Status: 403, Body: `{"errors":[{"message":"access forbidden"}]}`, State: provider.Unknown, Code: "403"},
		{Status: 429, Body: ``, State: provider.Throttled, Code: "429"},
		{Status: 202, Body: ``}, {Status: 500},
	})
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(f *fake, admin, old *provider.Credential)
		kind   provider.Kind
		says   string
	}{
		{"may", func(*fake, *provider.Credential, *provider.Credential) {}, "", ""},
		{"itself", func(f *fake, a, old *provider.Credential) { *old = *a }, "", ""},
		{"no id", func(f *fake, _, old *provider.Credential) { old.ID = "" }, "", ""},
		{"may not delete", func(f *fake, _, _ *provider.Credential) {
			f.find("admin").scopes = []string{"api_keys.create", "api_keys.read"}
		}, provider.Forbidden, "lacks the scopes api_keys.delete"},
		{"may nothing", func(f *fake, a, old *provider.Credential) { *a = *old }, provider.Forbidden, "api_keys.create, api_keys.read, api_keys.delete"},
		{"more than itself", func(f *fake, _, _ *provider.Credential) { f.find("old").scopes = []string{"templates.read"} }, "", "templates.read"},
		{"no scopes", func(f *fake, _, _ *provider.Credential) { f.find("old").scopes = nil }, provider.Unreached, ""},
		{"no room", func(f *fake, _, _ *provider.Credential) {
			for n := range 98 {
				f.keys = append(f.keys, &fakeKey{fmt.Sprint("k", n), "", nil})
			}
		}, provider.NoSlot, "100"},
		{"of another user", func(f *fake, _, old *provider.Credential) { old.ID = "other" }, provider.Refused, "404"},
		{"not a key", func(_ *fake, _, old *provider.Credential) {
			old.ID, old.Parts = "", map[string]secret.Value{"value": secret.New([]byte(providertest.Marked))}
		}, provider.Incomplete, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := serve(t)
			admin, old := f.credential("admin"), f.credential("old")
			c.change(f, &admin, &old)
			got, err := sendgrid.New(nil).Plan(t.Context(), admin, old)
			text := strings.Join(got.Notes, "; ")
			if c.kind != "" {
				text = providertest.Quiet(t, err, c.kind).Error()
			} else if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(text, c.says) || c.says == "" && c.kind == "" && text != "" {
				t.Errorf("%q does not say %q", text, c.says)
			}
			if n := f.Changes(); n != 0 {
				t.Errorf("%d changes", n)
			}
		})
	}
}

func TestParity(t *testing.T) {
	f := serve(t)
	if _, err := sendgrid.New(nil).Issue(t.Context(), f.credential("admin"), f.credential("old"), providertest.Lineage); err != nil {
		t.Fatal(err)
	}
	if got := f.find("new1"); got.name != providertest.Lineage.String() || !slices.Equal(got.scopes, f.find("old").scopes) {
		t.Errorf("%+v", got)
	}
	f.widen = true
	_, err := sendgrid.New(nil).Issue(t.Context(), f.credential("admin"), f.credential("old"), providertest.Lineage)
	providertest.Quiet(t, err, provider.Malformed)
	f.find("old").scopes = nil // a key would be made that may do everything
	_, err = sendgrid.New(nil).Issue(t.Context(), f.credential("admin"), f.credential("old"), providertest.Lineage)
	providertest.Quiet(t, err, provider.Unreached)
	if n := f.Count("POST /v3/api_keys"); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

// A key of another user is not found, and lives.
func TestRevokeElsewhere(t *testing.T) {
	f := serve(t)
	old := f.credential("old")
	providertest.Quiet(t, sendgrid.New(nil).Revoke(t.Context(), f.credential("admin"), old, old), provider.Refused)
	old.ID = "other"
	providertest.Quiet(t, sendgrid.New(nil).Revoke(t.Context(), f.credential("admin"), old, provider.Credential{}), provider.Refused)
}
