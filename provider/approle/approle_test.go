package approle_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/approle"
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

// fake is a server with one role, whose auth method is mounted below a folder.
type fake struct {
	*providertest.HTTP
	ids    []*fakeID
	tokens map[string]bool // of logins
	denied map[string]bool // paths
	made   int
	batch  bool // tokens of logins cannot be revoked
}

type fakeID struct {
	accessor, secret string
	cidrs, tokens    []string
	metadata         map[string]string
	ttl, uses        int64
}

const (
	mount  = "/v1/auth/team/approle"
	at     = "auth/team/approle/role/app"
	roleID = "role-4711"
	space  = "ops"
)

func serve(t *testing.T) *fake {
	f := &fake{tokens: map[string]bool{}, denied: map[string]bool{}, ids: []*fakeID{{
		accessor: "old", secret: providertest.Marked + "-old", cidrs: []string{"192.0.2.0/24"}, tokens: []string{"192.0.2.7/32"}, metadata: map[string]string{"team": "ops"}, ttl: 3600,
	}}}
	f.HTTP = providertest.Serve(t, f.serve)
	return f
}

func params(addr string) map[string]string {
	return map[string]string{"url": "http://" + addr, "role": "app", "mount": "/team/approle/", "namespace": space}
}

func (f *fake) credential(i *fakeID) provider.Credential {
	return provider.Credential{ID: i.accessor, Params: params(f.Addr()),
		Parts: map[string]secret.Value{"role_id": secret.New([]byte(roleID)), "secret_id": secret.New([]byte(i.secret))}}
}

func admin() provider.Credential {
	return provider.Credential{Parts: map[string]secret.Value{"value": secret.New([]byte(providertest.Marked + "-admin"))}}
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	fail := func(status int, words ...string) {
		answer(w, status, map[string]any{"errors": append([]string{}, words...)})
	}
	var body map[string]any
	json.NewDecoder(r.Body).Decode(&body)
	text := func(name string) string { s, _ := body[name].(string); return s }
	bySecret := func(s string) int {
		return slices.IndexFunc(f.ids, func(i *fakeID) bool { return i.secret == s })
	}
	token := r.Header.Get("X-Vault-Token")
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	switch {
	case r.Header.Get("X-Vault-Namespace") != space:
		fail(404, "no handler for route")
	case r.URL.Path == mount+"/login":
		i := bySecret(text("secret_id"))
		if i < 0 || text("role_id") != roleID {
			fail(400, "invalid role or secret ID")
			return
		}
		if f.ids[i].uses > 0 {
			f.ids[i].uses--
		}
		f.made++
		name := fmt.Sprint(providertest.Marked, "-token", f.made)
		f.tokens[name] = true
		answer(w, 200, map[string]any{"auth": map[string]any{"client_token": name, "token_policies": []string{"read", "default"}, "metadata": map[string]string{"role_name": "app"}}})
	case path == "auth/token/revoke-self" && f.batch:
		fail(400, "batch tokens cannot be revoked")
	case path == "auth/token/revoke-self" && f.tokens[token]:
		delete(f.tokens, token)
		w.WriteHeader(204)
	case token != providertest.Marked+"-admin", f.denied[path]:
		fail(403, "permission denied")
	case path == "sys/capabilities-self":
		got := map[string]any{}
		for _, p := range body["paths"].([]any) {
			got[p.(string)] = []string{"create", "update", "list"}
			if f.denied[p.(string)] {
				got[p.(string)] = []string{"deny"}
			}
		}
		answer(w, 200, got)
	case !strings.HasPrefix(path, at+"/"):
		fail(404, "no handler for route")
	default:
		f.role(w, r, strings.TrimPrefix(path, at), text, body)
	}
}

// role is what is below the path of the role.
func (f *fake) role(w http.ResponseWriter, r *http.Request, rest string, text func(string) string, body map[string]any) {
	i := slices.IndexFunc(f.ids, func(i *fakeID) bool { return i.accessor == text("secret_id_accessor") })
	switch {
	case rest == "/secret-id" && r.FormValue("list") == "true":
		keys := []string{}
		for _, i := range f.ids {
			keys = append(keys, i.accessor)
		}
		if len(keys) == 0 {
			answer(w, 404, map[string]any{"errors": []string{}})
			return
		}
		answer(w, 200, map[string]any{"data": map[string]any{"keys": keys}})
	case rest == "/secret-id":
		f.made++
		n := &fakeID{accessor: fmt.Sprint("new", f.made), secret: fmt.Sprint(providertest.Marked, "-new", f.made)}
		json.Unmarshal([]byte(text("metadata")), &n.metadata)
		for _, c := range list(body["cidr_list"]) {
			n.cidrs = append(n.cidrs, c.(string))
		}
		for _, c := range list(body["token_bound_cidrs"]) {
			n.tokens = append(n.tokens, c.(string))
		}
		if ttl, is := body["ttl"].(float64); is {
			n.ttl = int64(ttl)
		}
		f.ids = append(f.ids, n)
		answer(w, 200, map[string]any{"data": map[string]any{"secret_id": n.secret, "secret_id_accessor": n.accessor, "secret_id_ttl": n.ttl, "secret_id_num_uses": 0}})
	case rest == "/secret-id/lookup":
		if i = slices.IndexFunc(f.ids, func(i *fakeID) bool { return i.secret == text("secret_id") }); i < 0 {
			w.WriteHeader(204)
			return
		}
		f.tell(w, f.ids[i])
	case rest == "/secret-id-accessor/lookup" && i < 0:
		answer(w, 404, map[string]any{"request_id": "1", "data": map[string]string{"error": "failed to find accessor entry for secret_id_accessor: " + text("secret_id_accessor")}})
	case rest == "/secret-id-accessor/lookup":
		f.tell(w, f.ids[i])
	case rest == "/secret-id-accessor/destroy" && i < 0:
		answer(w, 500, map[string]any{"errors": []string{"1 error occurred: failed to find accessor entry"}})
	case rest == "/secret-id-accessor/destroy":
		f.ids = slices.Delete(f.ids, i, i+1)
		w.WriteHeader(204)
	}
}

func list(v any) []any { all, _ := v.([]any); return all }

func (f *fake) tell(w http.ResponseWriter, i *fakeID) {
	expires := "0001-01-01T00:00:00Z"
	if i.ttl > 0 {
		expires = "2026-02-10T18:17:27Z"
	}
	answer(w, 200, map[string]any{"data": map[string]any{"cidr_list": i.cidrs, "token_bound_cidrs": i.tokens, "metadata": i.metadata, "secret_id_accessor": i.accessor,
		"secret_id_num_uses": i.uses, "secret_id_ttl": i.ttl, "creation_time": "2026-02-10T17:17:27.089757383Z", "expiration_time": expires}})
}

func TestConformance(t *testing.T) {
	f := serve(t)
	providertest.Provider(t, providertest.Subject{
		Provider: approle.New(nil),
		Admin:    admin(),
		New: func(t *testing.T) provider.Credential {
			f.Lock()
			defer f.Unlock()
			f.made++
			i := &fakeID{accessor: fmt.Sprint("test", f.made), secret: fmt.Sprint(providertest.Marked, "-test", f.made)}
			f.ids = append(f.ids[max(0, len(f.ids)-9):], i) // the list is read one by one
			return f.credential(i)
		},
		Accepts: func(t *testing.T, c provider.Credential) bool {
			f.Lock()
			defer f.Unlock()
			return slices.ContainsFunc(f.ids, func(i *fakeID) bool { return i.secret == string(c.Part("secret_id").Reveal()) })
		},
		DeadCode: "400 invalid role or secret ID",
		ByID:     true,
		Addr:     f.Addr(),
		At: func(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
			c.Params = params(addr)
			return approle.New(nil), c
		},
	})
}

// The token of a login does not outlive the look.
func TestVerify(t *testing.T) {
	f := serve(t)
	old := f.credential(f.ids[0])
	got, err := approle.New(nil).Verify(t.Context(), old)
	want := provider.Probe{State: provider.Alive, Code: "200", Who: provider.Identity{ID: "old", Account: "app", Scopes: []string{"default", "read"}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if len(f.tokens) != 0 {
		t.Error("there is a token left")
	}
	f.batch = true
	if got, err := approle.New(nil).Verify(t.Context(), old); err != nil || got.State != provider.Alive || !strings.Contains(got.Code, "its token lives") {
		t.Errorf("%+v, %v", got, err)
	}
	providertest.Replies(t, f.HTTP, approle.New(nil), old, "POST "+mount+"/login", []providertest.Reply{
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
		change func(f *fake, admin, old *provider.Credential)
		kind   provider.Kind
		says   string
	}{
		{"may", func(*fake, *provider.Credential, *provider.Credential) {}, "", "lives for 1h0m0s"},
		{"no accessor", func(_ *fake, _, old *provider.Credential) { old.ID = "" }, "", ""},
		{"may not destroy", func(f *fake, _, _ *provider.Credential) { f.denied[at+"/secret-id-accessor/destroy"] = true }, provider.Forbidden, "destroy"},
		{"may not generate", func(f *fake, _, _ *provider.Credential) { f.denied[at+"/secret-id"] = true }, provider.Forbidden, "app/secret-id"},
		{"no token", func(_ *fake, a, _ *provider.Credential) {
			a.Parts = map[string]secret.Value{"value": secret.New([]byte("x"))}
		}, provider.Forbidden, "403"},
		{"limited", func(f *fake, _, _ *provider.Credential) { f.ids[0].uses = 5 }, provider.Refused, "5 times"},
		{"gone", func(f *fake, _, _ *provider.Credential) { f.ids = nil }, provider.Refused, "not there"},
		{"gone, no accessor", func(f *fake, _, old *provider.Credential) { f.ids, old.ID = nil, "" }, provider.Refused, "not there"},
		{"another namespace", func(f *fake, _, old *provider.Credential) { old.Params["namespace"] = "" }, provider.Refused, "404"},
		{"no role", func(_ *fake, _, old *provider.Credential) { delete(old.Params, "role") }, provider.Incomplete, "role"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := serve(t)
			as, old := admin(), f.credential(f.ids[0])
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
			if n := f.Count("POST /v1/"+at+"/secret-id-accessor/destroy") + f.Count("POST "+mount+"/login") + len(f.ids) - 1; n > 0 {
				t.Errorf("%d changes", n)
			}
		})
	}
}

// A new one is bound as the old one is.
func TestParity(t *testing.T) {
	f := serve(t)
	next, err := approle.New(nil).Issue(t.Context(), admin(), f.credential(f.ids[0]), "keywright-1")
	if err != nil {
		t.Fatal(err)
	}
	old, got := f.ids[0], f.ids[1]
	if !slices.Equal(got.cidrs, old.cidrs) || !slices.Equal(got.tokens, old.tokens) || got.ttl != old.ttl || got.metadata["team"] != "ops" || got.metadata["keywright"] != "keywright-1" {
		t.Errorf("%+v", got)
	}
	if string(next.Part("role_id").Reveal()) != roleID {
		t.Error("it has no role id")
	}
	all, err := approle.New(nil).List(t.Context(), admin(), next)
	if err != nil || len(all) != 2 || all[1].Label != "keywright-1" || all[1].Expires.IsZero() || all[0].Created.Format(time.DateOnly) != "2026-02-10" {
		t.Errorf("%+v, %v", all, err)
	}
	providertest.Quiet(t, approle.New(nil).Revoke(t.Context(), admin(), next, next), provider.Refused)
	f.ids = nil
	if all, err := approle.New(nil).List(t.Context(), admin(), next); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

// That a role is not found does not mean that a secret id is gone.
func TestRevokeElsewhere(t *testing.T) {
	f := serve(t)
	old := f.credential(f.ids[0])
	old.Params["role"] = "other"
	providertest.Quiet(t, approle.New(nil).Revoke(t.Context(), admin(), old, provider.Credential{}), provider.Refused)
	if _, err := approle.New(nil).List(t.Context(), admin(), old); err == nil {
		t.Error("a list of no role")
	}
	if len(f.ids) != 1 {
		t.Error("it was destroyed")
	}
}
