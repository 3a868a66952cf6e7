package openai_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/openai"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/secret"
)

var (
	_ provider.Verifier = (*openai.Provider)(nil)
	_ provider.Lister   = (*openai.Provider)(nil)
	_ provider.Planner  = (*openai.Provider)(nil)
	_ provider.Issuer   = (*openai.Provider)(nil)
	_ provider.Revoker  = (*openai.Provider)(nil)
)

const base = "/v1/organization/projects/proj_1"

// fake is OpenAI with one project.
type fake struct {
	*providertest.HTTP
	accounts []*fakeAccount
	keys     []*fakeKey
	made     int
	page     int // things on a page, if that is less than asked for
	role     string
}

type fakeAccount struct{ id, name, role string }

type fakeKey struct {
	id, value, account string // of a person, if there is no account
	narrow             bool
}

func serve(t *testing.T) *fake {
	f := &fake{page: 100, role: "member"}
	f.add("old", "member")
	f.keys = append(f.keys, &fakeKey{id: "key_person", value: "sk-proj-" + providertest.Marked + "-person-xyz"})
	f.HTTP = providertest.Serve(t, f.serve)
	return f
}

// add makes a service account with a key.
func (f *fake) add(id, role string) *fakeKey {
	f.accounts = append(f.accounts, &fakeAccount{id, id, role})
	k := &fakeKey{id: "key_" + id, value: "sk-svcacct-" + providertest.Marked + "-" + id + fmt.Sprintf("-%06d", len(f.keys)), account: id}
	f.keys = append(f.keys, k)
	return k
}

func open(url string) *openai.Provider {
	p := openai.New(nil)
	p.URL = url
	return p
}

func admin() provider.Credential {
	return provider.Credential{Parts: map[string]secret.Value{"value": secret.New([]byte("sk-admin-" + providertest.Marked))}}
}

func credential(k *fakeKey) provider.Credential {
	return provider.Credential{ID: k.account, Params: map[string]string{"project": "proj_1"}, Parts: map[string]secret.Value{"value": secret.New([]byte(k.value))}}
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	fail := func(status int, code any, words string) {
		answer(w, status, map[string]any{"error": map[string]any{"message": words + " " + r.Header.Get("Authorization"), "type": "invalid_request_error", "param": nil, "code": code}})
	}
	i := slices.IndexFunc(f.keys, func(k *fakeKey) bool { return "Bearer "+k.value == r.Header.Get("Authorization") })
	isAdmin := r.Header.Get("Authorization") == "Bearer sk-admin-"+providertest.Marked
	rest, found := strings.CutPrefix(r.URL.Path, base)
	id, one := strings.CutPrefix(rest, "/service_accounts/")
	a := slices.IndexFunc(f.accounts, func(a *fakeAccount) bool { return a.id == id })
	w.Header().Set("Openai-Organization", "acme")
	switch {
	case i < 0 && !isAdmin:
		fail(401, "invalid_api_key", "Incorrect API key provided:")
	case r.URL.Path == "/v1/models" && i >= 0 && f.keys[i].narrow:
		fail(403, nil, "You have insufficient permissions for this operation. Missing scopes: api.model.read.")
	case r.URL.Path == "/v1/models":
		answer(w, 200, map[string]any{"object": "list", "data": []any{map[string]string{"id": "gpt"}}})
	case !isAdmin:
		fail(403, nil, "You have insufficient permissions for this operation. Missing scopes: api.management.read.")
	case !found:
		fail(404, nil, "Project not found")
	case rest == "/api_keys":
		var all []any
		for _, k := range f.keys {
			m := map[string]any{"id": k.id, "redacted_value": k.value[:8] + "..." + k.value[len(k.value)-3:], "owner": map[string]any{"type": "user", "user": map[string]string{"id": "u"}}}
			if k.account != "" {
				m["owner"] = map[string]any{"type": "service_account", "service_account": map[string]string{"id": k.account}}
			}
			all = append(all, m)
		}
		f.list(w, r, all)
	case rest == "/service_accounts" && r.Method == http.MethodGet:
		var all []any
		for _, a := range f.accounts {
			all = append(all, map[string]any{"id": a.id, "name": a.name, "role": a.role, "created_at": 1711471533})
		}
		f.list(w, r, all)
	case rest == "/service_accounts":
		f.create(w, r)
	case one && a < 0:
		fail(404, nil, "No such service account")
	case one && r.Method == http.MethodDelete:
		f.accounts = slices.Delete(f.accounts, a, a+1)
		f.keys = slices.DeleteFunc(f.keys, func(k *fakeKey) bool { return k.account == id })
		answer(w, 200, map[string]any{"id": id, "deleted": true})
	case one:
		answer(w, 200, map[string]any{"id": id, "name": f.accounts[a].name, "role": f.accounts[a].role, "created_at": 1711471533})
	}
}

func (f *fake) list(w http.ResponseWriter, r *http.Request, all []any) {
	size, _ := strconv.Atoi(r.FormValue("limit"))
	from := 0
	for i, thing := range all {
		if thing.(map[string]any)["id"] == r.FormValue("after") {
			from = i + 1
		}
	}
	to := min(from+min(size, f.page), len(all))
	answer(w, 200, map[string]any{"object": "list", "data": append([]any{}, all[from:to]...), "has_more": to < len(all)})
}

func (f *fake) create(w http.ResponseWriter, r *http.Request) {
	var body struct{ Name string }
	if json.NewDecoder(r.Body).Decode(&body) != nil || body.Name == "" {
		answer(w, 400, map[string]any{"error": map[string]any{"message": "name", "code": nil}})
		return
	}
	f.made++
	k := f.add(fmt.Sprint("new", f.made), f.role)
	f.accounts[len(f.accounts)-1].name = body.Name
	answer(w, 200, map[string]any{"id": k.account, "name": body.Name, "role": f.role, "created_at": 1711471533, "api_key": map[string]any{"id": k.id, "value": k.value, "name": "Secret Key"}})
}

func TestConformance(t *testing.T) {
	f := serve(t)
	providertest.Provider(t, providertest.Subject{
		Provider: open(f.URL),
		Admin:    admin(),
		New: func(t *testing.T) provider.Credential {
			f.Lock()
			defer f.Unlock()
			f.made++
			return credential(f.add(fmt.Sprint("test", f.made), "member"))
		},
		Accepts: func(t *testing.T, c provider.Credential) bool {
			f.Lock()
			defer f.Unlock()
			return slices.ContainsFunc(f.keys, func(k *fakeKey) bool { return k.value == string(c.Part("value").Reveal()) })
		},
		DeadCode: "401 invalid_api_key",
		ByID:     true,
		Addr:     f.Addr(),
		At: func(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
			return open("http://" + addr), c
		},
	})
}

func TestVerify(t *testing.T) {
	f := serve(t)
	old := credential(f.keys[0])
	got, err := open(f.URL).Verify(t.Context(), old)
	want := provider.Probe{State: provider.Alive, Code: "200", Who: provider.Identity{ID: "old", Account: "acme"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	providertest.Replies(t, f.HTTP, open(f.URL), old, "GET /v1/models", []providertest.Reply{
		{Status: 401, Body: `{"error":{"message":"Incorrect API key provided: ` + providertest.Marked + `","code":"invalid_api_key"}}`, State: provider.Dead, Code: "401 invalid_api_key"},
		{Status: 401, Body: `{"error":{"message":"You have insufficient permissions for this operation. Missing scopes: api.model.read.","code":null}}`, State: provider.Narrow, Code: "401 missing scopes"},
		{Status: 403, Body: `{"error":{"message":"You have insufficient permissions for this operation. Missing scopes: api.model.read.","code":null}}`, State: provider.Narrow, Code: "403 missing scopes"},
		{Status: 401, Body: `{"error":{"code":"ip_not_authorized"}}`, State: provider.Blocked, Code: "401 ip_not_authorized"},
		{Status: 403, Body: `{"error":{"code":"unsupported_country_region_territory"}}`, State: provider.Blocked, Code: "403 unsupported_country_region_territory"},
		{Status: 403, Body: `{"error":{"code":"invalid_api_key"}}`, State: provider.Unknown, Code: "403"},
		{Status: 401, Body: `{"error":{"code":"account_deactivated"}}`, State: provider.Unknown, Code: "401"},
		{Status: 401, Body: `<html>`, State: provider.Unknown, Code: "401"},
		{Status: 404, Body: `{}`, State: provider.Unknown, Code: "404"},
		{Status: 429, Body: `{"error":{"code":"rate_limit_exceeded"}}`, State: provider.Throttled, Code: "429"},
		{Status: 200, Body: `{}`}, {Status: 200, Body: `<html>`}, {Status: 503}, {Status: 308},
	})
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(f *fake, admin, old *provider.Credential)
		kind   provider.Kind
		says   string
	}{
		{"may", func(*fake, *provider.Credential, *provider.Credential) {}, "", "OpenAI does not tell"},
		{"no id", func(_ *fake, _, old *provider.Credential) { old.ID = "" }, "", ""},
		{"no id, on many pages", func(f *fake, _, old *provider.Credential) {
			old.ID, f.page = "", 2
			for n := range 7 {
				f.add(fmt.Sprint("other", n), "member")
			}
		}, "", ""},
		{"an owner", func(f *fake, _, _ *provider.Credential) { f.accounts[0].role = "owner" }, "", "is a member"},
		{"no role", func(f *fake, _, _ *provider.Credential) { f.accounts[0].role = "none" }, provider.Refused, "no role"},
		{"restricted", func(f *fake, _, _ *provider.Credential) { f.keys[0].narrow = true }, provider.Refused, "restricted"},
		{"two keys", func(f *fake, _, _ *provider.Credential) {
			f.keys = append(f.keys, &fakeKey{id: "key_2", value: "sk-svcacct-2-zzz", account: "old"})
		}, provider.Refused, "2 keys"},
		{"of a person", func(f *fake, _, old *provider.Credential) { *old = credential(f.keys[1]) }, provider.Refused, "person"},
		{"two that look alike", func(f *fake, _, old *provider.Credential) {
			old.ID = ""
			f.keys = append(f.keys, &fakeKey{id: "key_2", value: "sk-svcacct-x-" + f.keys[0].value[len(f.keys[0].value)-3:], account: "other"})
		}, provider.Refused, "several"},
		{"of another project", func(f *fake, _, old *provider.Credential) { old.ID, f.keys = "", f.keys[1:] }, provider.Refused, "no such key"},
		{"no admin key", func(f *fake, a, old *provider.Credential) { *a = *old }, provider.Forbidden, "403"},
		{"no project", func(_ *fake, _, old *provider.Credential) { old.Params = nil }, provider.Incomplete, "project"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := serve(t)
			as, old := admin(), credential(f.keys[0])
			c.change(f, &as, &old)
			got, err := open(f.URL).Plan(t.Context(), as, old)
			text := strings.Join(got.Notes, "; ")
			if c.kind != "" {
				text = providertest.Quiet(t, err, c.kind).Error()
			} else if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(text, c.says) {
				t.Errorf("%q does not say %q", text, c.says)
			}
			if n := f.Changes(); n != 0 {
				t.Errorf("%d changes", n)
			}
		})
	}
}

// A new account is a member, and the old one's key is found by how it begins and ends.
func TestCycle(t *testing.T) {
	f := serve(t)
	p, old := open(f.URL), credential(f.keys[0])
	old.ID = ""
	next, err := p.Issue(t.Context(), admin(), old, providertest.Lineage)
	if err != nil || f.accounts[1].name != providertest.Lineage.String() || next.ID != f.accounts[1].id {
		t.Fatalf("%v", err)
	}
	for range 2 {
		if err := p.Revoke(t.Context(), admin(), old, next); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.accounts) != 1 || f.accounts[0].id != next.ID || len(f.keys) != 2 {
		t.Errorf("%+v", f.accounts)
	}
	f.role = "owner"
	_, err = p.Issue(t.Context(), admin(), next, providertest.Lineage)
	providertest.Quiet(t, err, provider.Malformed)
}

func TestPages(t *testing.T) {
	f := serve(t)
	f.page = 3
	for n := range 9 {
		f.add(fmt.Sprint("a", n), "member")
	}
	listed, err := open(f.URL).List(t.Context(), admin(), credential(f.keys[0]))
	if err != nil || len(listed) != 10 || listed[9].ID != "a8" || listed[9].Created.Year() != 2024 {
		t.Errorf("%+v, %v", listed, err)
	}
}

func TestRevokeElsewhere(t *testing.T) {
	f := serve(t)
	p, old := open(f.URL), credential(f.keys[0])
	providertest.Quiet(t, p.Revoke(t.Context(), admin(), old, old), provider.Refused)
	old.Params = map[string]string{"project": "proj_2"}
	providertest.Quiet(t, p.Revoke(t.Context(), admin(), old, provider.Credential{}), provider.Refused)
	person := credential(f.keys[1])
	providertest.Quiet(t, p.Revoke(t.Context(), admin(), person, provider.Credential{}), provider.Refused)
	if len(f.keys) != 2 {
		t.Error("it was deleted")
	}
}
