package cloudflare_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/cloudflare"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/secret"
)

var (
	_ provider.Verifier = (*cloudflare.Provider)(nil)
	_ provider.Lister   = (*cloudflare.Provider)(nil)
	_ provider.Planner  = (*cloudflare.Provider)(nil)
	_ provider.Issuer   = (*cloudflare.Provider)(nil)
	_ provider.Revoker  = (*cloudflare.Provider)(nil)
)

// fake is Cloudflare with the tokens of one user, or of one account.
type fake struct {
	*providertest.HTTP
	base   string
	tokens []*fakeToken
	made   int
	page   int  // tokens on a page, if that is less than asked for
	mute   bool // it does not say how many tokens there are
	widen  bool // it gives more than it was asked for
	loose  bool // it takes no notice of conditions, but sets one of its own
	its    any
}

type fakeToken struct {
	id, name, value, status string
	policies                []map[string]any
	condition               any
	issued, expires         time.Time
}

func policies(groups ...string) []map[string]any {
	var all []any
	for _, g := range groups {
		id, name, _ := strings.Cut(g, "=")
		all = append(all, map[string]any{"id": id, "name": name, "meta": map[string]string{"scopes": "zone"}})
	}
	return []map[string]any{{"id": "p1", "effect": "allow", "permission_groups": all, "resources": map[string]any{"com.cloudflare.api.account.zone.1": "*", "com.cloudflare.api.account.zone.2": "*"}}}
}

func serve(t *testing.T, base string) *fake {
	f := &fake{base: base, page: 50, tokens: []*fakeToken{
		{id: "admin", name: "admin", value: providertest.Marked + "-admin", status: "active", policies: policies("9=API Tokens Write")},
		{id: "old", name: "dns", value: providertest.Marked + "-old", status: "active", policies: policies("1=DNS Write", "2=Zone Read"),
			condition: map[string]any{"request_ip": map[string]any{"in": []string{"192.0.2.0/24"}}},
			issued:    time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), expires: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)},
	}}
	f.HTTP = providertest.Serve(t, f.serve)
	return f
}

func (f *fake) provider() *cloudflare.Provider {
	p := cloudflare.New(nil)
	p.URL = f.URL
	return p
}

func (f *fake) find(id string) *fakeToken {
	for _, t := range f.tokens {
		if t.id == id {
			return t
		}
	}
	return nil
}

func (f *fake) credential(id string) provider.Credential {
	account := "user"
	if rest, is := strings.CutPrefix(f.base, "/accounts/"); is {
		account = strings.TrimSuffix(rest, "/tokens")
	}
	return provider.Credential{ID: id, Parts: map[string]secret.Value{"value": secret.New([]byte(f.find(id).value))}, Params: map[string]string{"account": account}}
}

func (t *fakeToken) json(more map[string]any) map[string]any {
	m := map[string]any{"id": t.id, "name": t.name, "status": t.status, "policies": t.policies, "issued_on": t.issued}
	if t.condition != nil {
		m["condition"] = t.condition
	}
	if !t.expires.IsZero() {
		m["expires_on"] = t.expires
	}
	for k, v := range more {
		m[k] = v
	}
	return m
}

func answer(w http.ResponseWriter, result any, total int) {
	w.Header().Set("Content-Type", "application/json")
	m := map[string]any{"success": true, "errors": []any{}, "messages": []any{map[string]any{"code": 10000, "message": "fine"}}, "result": result}
	if total > 0 {
		m["result_info"] = map[string]int{"total_count": total}
	}
	json.NewEncoder(w).Encode(m)
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	fail := func(status, code int, words string) {
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]any{"success": false, "errors": []any{map[string]any{"code": code, "message": words + providertest.Marked}}, "messages": []any{}, "result": nil})
	}
	i := slices.IndexFunc(f.tokens, func(t *fakeToken) bool { return "Bearer "+t.value == r.Header.Get("Authorization") })
	rest, found := strings.CutPrefix(r.URL.Path, f.base)
	switch {
	case i < 0 || rest == "/verify" && !found:
		fail(401, 1000, "Invalid API Token")
		return
	case !found:
		fail(404, 7003, "Could not route to the path")
		return
	}
	as := f.tokens[i]
	if rest == "/verify" {
		m := map[string]any{"id": as.id, "status": as.status}
		if !as.expires.IsZero() {
			m["expires_on"] = as.expires
		}
		answer(w, m, 0)
		return
	}
	if text := fmt.Sprint(as.policies); !strings.Contains(text, "API Tokens Write") && (r.Method != http.MethodGet || !strings.Contains(text, "API Tokens Read")) {
		fail(403, 9109, "Unauthorized to access requested resource")
		return
	}
	t := f.find(strings.TrimPrefix(rest, "/"))
	switch {
	case rest == "" && r.Method == http.MethodGet:
		f.list(w, r)
	case rest == "" && r.Method == http.MethodPost:
		f.create(w, r, fail)
	case t == nil:
		fail(404, 1003, "API token not found")
	case r.Method == http.MethodDelete:
		f.tokens = slices.DeleteFunc(f.tokens, func(other *fakeToken) bool { return other == t })
		answer(w, map[string]string{"id": t.id}, 0)
	default:
		answer(w, t.json(nil), 0)
	}
}

func (f *fake) list(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.URL.Query().Get("page"))
	size, _ := strconv.Atoi(r.URL.Query().Get("per_page"))
	size = min(size, f.page)
	from := min((n-1)*size, len(f.tokens))
	all := []any{}
	for _, t := range f.tokens[from:min(from+size, len(f.tokens))] {
		all = append(all, t.json(nil))
	}
	total := len(f.tokens)
	if f.mute {
		total = 0
	}
	answer(w, all, total)
}

func (f *fake) create(w http.ResponseWriter, r *http.Request, fail func(int, int, string)) {
	var body struct {
		Name      string
		Policies  []map[string]any
		Condition any
		Expires   time.Time `json:"expires_on"`
	}
	if json.NewDecoder(r.Body).Decode(&body) != nil || body.Name == "" || len(body.Policies) == 0 {
		fail(400, 1001, "Missing a field")
		return
	}
	f.made++
	t := &fakeToken{id: fmt.Sprint("new", f.made), name: body.Name, value: fmt.Sprint(providertest.Marked, "-new", f.made), status: "active", policies: body.Policies, condition: body.Condition, issued: time.Now().UTC(), expires: body.Expires}
	if f.widen {
		t.policies = append(t.policies, policies("9=API Tokens Write")...)
	}
	if f.loose {
		t.condition = f.its
	}
	f.tokens = append(f.tokens, t)
	answer(w, t.json(map[string]any{"value": t.value}), 0)
}

func TestConformance(t *testing.T) {
	for _, base := range []string{"/user/tokens", "/accounts/abc123/tokens"} {
		t.Run(strings.Split(base, "/")[1], func(t *testing.T) {
			f := serve(t, base)
			providertest.Provider(t, providertest.Subject{
				Provider: f.provider(),
				Admin:    f.credential("admin"),
				New: func(t *testing.T) provider.Credential {
					f.Lock()
					defer f.Unlock()
					f.made++
					id := fmt.Sprint("test", f.made)
					f.tokens = append(f.tokens, &fakeToken{id: id, value: providertest.Marked + id, status: "active", policies: policies("1=DNS Write")})
					return f.credential(id)
				},
				Accepts: func(t *testing.T, c provider.Credential) bool {
					f.Lock()
					defer f.Unlock()
					return slices.ContainsFunc(f.tokens, func(t *fakeToken) bool {
						return t.status == "active" && t.value == string(c.Part("value").Reveal())
					})
				},
				DeadCode: "401 1000",
				ByID:     true,
				Addr:     f.Addr(),
				At: func(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
					p := cloudflare.New(nil)
					p.URL = "http://" + addr
					return p, c
				},
			})
		})
	}
}

func TestVerify(t *testing.T) {
	f := serve(t, "/user/tokens")
	got, err := f.provider().Verify(t.Context(), f.credential("old"))
	want := provider.Probe{State: provider.Alive, Code: "200", Who: provider.Identity{ID: "old", Expires: f.find("old").expires}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	providertest.Replies(t, f.HTTP, f.provider(), f.credential("old"), "GET /user/tokens/verify", []providertest.Reply{
		{Status: 401, Body: `{"success":false,"errors":[{"code":1000,"message":"Invalid API Token"}]}`, State: provider.Dead, Code: "401 1000"},
		{Status: 401, Body: `{"success":false,"errors":[{"code":10000,"message":"Authentication error"}]}`, State: provider.Unknown, Code: "401 10000"},
		{Status: 401, Body: `<html>`, State: provider.Unknown, Code: "401"},
		{Status: 400, Body: `{"success":false,"errors":[{"code":6003,"message":"Invalid request headers"}]}`, State: provider.Unknown, Code: "400 6003"},
		{Status: 400, Body: `{"success":false,"errors":[{"code":1000,"message":"Invalid API Token"}]}`, State: provider.Unknown, Code: "400 1000"},
		{Status: 403, Body: `{"success":false,"errors":[{"code":9109}]}`, State: provider.Unknown, Code: "403 9109"},
		{Status: 403, Body: `<html>blocked ` + providertest.Marked, State: provider.Unknown, Code: "403"},
		{Status: 429, Body: `{"success":false,"errors":[{"code":971}]}`, State: provider.Throttled, Code: "429 971"},
		{Status: 429, Body: ``, State: provider.Throttled, Code: "429"},
		{Status: 200, Body: `{"success":true,"result":{"id":"1","status":"expired"}}`, State: provider.Dead, Code: "expired"},
		{Status: 200, Body: `{"success":true,"result":{"id":"1","status":"disabled"}}`, State: provider.Unknown, Code: "disabled"},
		{Status: 200, Body: `{"success":true,"result":{"id":"1","status":"odd"}}`, State: provider.Unknown, Code: "200"},
		{Status: 200, Body: `{"success":true,"result":{}}`}, {Status: 200, Body: `{}`}, {Status: 200, Body: `<html>`},
		{Status: 502, Body: `<html>`}, {Status: 500, Body: `{"success":false}`}, {Status: 302},
	})
}

// Where a token is of one sort, and is said to be of the other, Cloudflare would say that it
// is invalid.
func TestFamily(t *testing.T) {
	f := serve(t, "/user/tokens")
	for _, c := range []struct{ account, token string }{{"user", "cfat_x"}, {"abc", "cfut_x"}, {"", "x"}} {
		_, err := f.provider().Verify(t.Context(), provider.Credential{Parts: map[string]secret.Value{"value": secret.New([]byte(c.token))}, Params: map[string]string{"account": c.account}})
		providertest.Quiet(t, err, provider.Incomplete)
	}
	if n := f.Count(""); n != 0 {
		t.Errorf("asked %d times", n)
	}
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(f *fake, admin, old *provider.Credential)
		kind   provider.Kind
		says   string
	}{
		{"may", func(*fake, *provider.Credential, *provider.Credential) {}, "", "ends on"},
		{"no ids", func(_ *fake, a, old *provider.Credential) { a.ID, old.ID = "", "" }, "", ""},
		{"itself", func(f *fake, a, old *provider.Credential) { *old = *a }, "", ""},
		{"may look", func(f *fake, _, _ *provider.Credential) { f.find("admin").policies = policies("8=API Tokens Read") }, provider.Forbidden, "API Tokens Write"},
		{"may nothing", func(f *fake, a, old *provider.Credential) { *a = *old }, provider.Forbidden, "9109"},
		{"a key that is invalid", func(f *fake, a, _ *provider.Credential) {
			a.Parts = map[string]secret.Value{"value": secret.New([]byte("x"))}
		}, provider.Forbidden, "1000"},
		{"dead", func(_ *fake, _, old *provider.Credential) {
			old.ID, old.Parts = "", map[string]secret.Value{"value": secret.New([]byte("x"))}
		}, provider.Refused, "dead"},
		{"policies that say nothing", func(f *fake, _, _ *provider.Credential) { f.find("old").policies = policies() }, provider.Unreached, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := serve(t, "/user/tokens")
			admin, old := f.credential("admin"), f.credential("old")
			c.change(f, &admin, &old)
			got, err := f.provider().Plan(t.Context(), admin, old)
			text := strings.Join(got.Notes, "; ")
			if c.kind != "" {
				text = providertest.Quiet(t, err, c.kind).Error()
			} else if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(text, c.says) || strings.Contains(text, "could not be asked") {
				t.Errorf("%q does not say %q", text, c.says)
			}
			if n := f.Changes(); n != 0 {
				t.Errorf("%d changes", n)
			}
		})
	}
}

// A new token may do what the old one may, from where that may, for as long.
func TestParity(t *testing.T) {
	f := serve(t, "/user/tokens")
	if _, err := f.provider().Issue(t.Context(), f.credential("admin"), f.credential("old"), providertest.Lineage); err != nil {
		t.Fatal(err)
	}
	got, old := f.find("new1"), f.find("old")
	if got.name != providertest.Lineage.String() || !strings.Contains(fmt.Sprint(got.condition), "192.0.2.0/24") {
		t.Errorf("%+v", got)
	}
	if d := got.expires.Sub(got.issued) - old.expires.Sub(old.issued); d > time.Minute || d < -time.Minute {
		t.Errorf("it lives for %v", got.expires.Sub(got.issued))
	}
	for n, p := range got.policies {
		if !reflect.DeepEqual(p["resources"], old.policies[n]["resources"]) || len(p["permission_groups"].([]any)) != 2 {
			t.Errorf("%v", p)
		}
	}
	f.widen = true
	_, err := f.provider().Issue(t.Context(), f.credential("admin"), f.credential("old"), providertest.Lineage)
	providertest.Quiet(t, err, provider.Malformed)
}

// By either name that Cloudflare documents, a condition is copied, and one that the new token
// did not get is missed.
func TestConditions(t *testing.T) {
	for _, name := range []string{"request_ip", "request.ip"} {
		for _, list := range []string{"in", "not_in"} {
			f := serve(t, "/user/tokens")
			p, admin, old := f.provider(), f.credential("admin"), f.credential("old")
			f.find("old").condition = map[string]any{name: map[string]any{list: []any{"192.0.2.0/24"}}}
			all, err := p.List(t.Context(), admin, old)
			if err != nil || (list == "in") != slices.Equal(all[1].IPs, []string{"192.0.2.0/24"}) {
				t.Errorf("%s: %+v, %v", name, all, err)
			}
			if _, err := p.Issue(t.Context(), admin, old, providertest.Lineage); err != nil || !reflect.DeepEqual(f.find("new1").condition, f.find("old").condition) {
				t.Errorf("%s %s: %v, %+v", name, list, err, f.find("new1"))
			}
			f.loose = true
			for _, its := range []any{nil, map[string]any{name: map[string]any{list: []string{"198.51.100.0/24"}}}} {
				f.its = its
				_, err = p.Issue(t.Context(), admin, old, providertest.Lineage)
				providertest.Quiet(t, err, provider.Malformed)
			}
		}
	}
}

func TestPages(t *testing.T) {
	for _, mute := range []bool{false, true} {
		f := serve(t, "/user/tokens")
		f.page, f.mute = 3, mute
		for n := range 9 {
			f.tokens = append(f.tokens, &fakeToken{id: fmt.Sprint("t", n)})
		}
		all, err := f.provider().List(t.Context(), f.credential("admin"), f.credential("old"))
		if err != nil || len(all) != 11 || !slices.Equal(all[1].IPs, []string{"192.0.2.0/24"}) {
			t.Errorf("%d tokens, %v", len(all), err)
		}
	}
}

func TestRevokeElsewhere(t *testing.T) {
	f := serve(t, "/accounts/abc123/tokens")
	old := f.credential("old")
	old.Params["account"] = "other"
	providertest.Quiet(t, f.provider().Revoke(t.Context(), f.credential("admin"), old, provider.Credential{}), provider.Refused)
	old = f.credential("old")
	providertest.Quiet(t, f.provider().Revoke(t.Context(), f.credential("admin"), old, old), provider.Refused)
	providertest.Quiet(t, f.provider().Revoke(t.Context(), old, old, provider.Credential{}), provider.Forbidden)
	if f.find("old") == nil {
		t.Error("it was deleted")
	}
}
