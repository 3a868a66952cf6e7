// Package approletest is a fake of a Vault or OpenBao with one AppRole, for tests. What it
// answers is what the sources of the provider say.
package approletest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/secret"
)

// Fake is a server with one role, whose auth method is mounted below a folder. Its fields
// may be looked at while it is locked, or nothing is served.
type Fake struct {
	*providertest.HTTP
	IDs    []*ID                    // the first is called old
	Tokens map[string]bool          // of logins
	Of     map[string]Token         // those that are listed, by their accessors
	Role   map[string]any           // what the role says of itself
	Lists  bool                     // the admin may see all tokens, and end them
	Denied map[string]bool          // paths
	Broken string                   // a path that fails
	Batch  bool                     // tokens of logins cannot be revoked
	From   string                   // the address that calls come from
	Text   func(what string) string // makes what is secret: admin, old, new1, token2

	made int
}

// Token is what is known of a token by its accessor.
type Token struct {
	Name string // as in Tokens; another is of somebody else
	Path string
	Meta map[string]string
}

// ID is a secret id.
type ID struct {
	Accessor, Secret string
	CIDRs, Tokens    []string
	Metadata         map[string]string
	TTL, Uses        int64
}

// Where the role is.
const (
	Mount = "/v1/auth/team/approle"
	Role  = "auth/team/approle/role/app"

	RoleID = "role-4711"
	space  = "ops"
)

// Marked is what is secret where nothing else is said.
func Marked(what string) string { return providertest.Marked + "-" + what }

// Serve starts a fake, which ends with the test.
func Serve(t *testing.T, text func(what string) string) *Fake {
	t.Helper()
	f := &Fake{From: "192.0.2.7", Text: text}
	f.Reset()
	f.HTTP = providertest.Serve(t, f.serve)
	return f
}

// Reset makes the fake what it was in the beginning.
func (f *Fake) Reset() {
	f.made, f.Tokens, f.Denied, f.Of, f.Lists = 0, map[string]bool{}, map[string]bool{}, map[string]Token{}, false
	f.Role = map[string]any{"token_ttl": 1200, "token_max_ttl": 7200, "token_explicit_max_ttl": 0, "token_period": 0, "token_type": "service", "bind_secret_id": true}
	f.IDs = []*ID{{
		Accessor: "old", Secret: f.Text("old"), CIDRs: []string{"192.0.2.0/24"}, Tokens: []string{"192.0.2.7/32"}, Metadata: map[string]string{"team": "ops"}, TTL: 3600,
	}}
}

// Params are the parameters of a key of the role, at an address.
func Params(addr string) map[string]string {
	return map[string]string{"url": "http://" + addr, "role": "app", "mount": "/team/approle/", "namespace": space}
}

// Add adds a secret id that may be used from anywhere, for ever. It locks the fake.
func (f *Fake) Add() *ID {
	f.Lock()
	defer f.Unlock()
	f.made++
	i := &ID{Accessor: fmt.Sprint("test", f.made), Secret: f.Text(fmt.Sprint("test", f.made))}
	f.IDs = append(f.IDs, i)
	return i
}

// Credential is a secret id as keywright has it.
func (f *Fake) Credential(i *ID) provider.Credential {
	return provider.Credential{ID: i.Accessor, Params: Params(f.Addr()),
		Parts: map[string]secret.Value{"role_id": secret.New([]byte(RoleID)), "secret_id": secret.New([]byte(i.Secret))}}
}

// Accepts reports whether a credential is one of the role's. It locks the fake.
func (f *Fake) Accepts(c provider.Credential) bool {
	f.Lock()
	defer f.Unlock()
	return slices.ContainsFunc(f.IDs, func(i *ID) bool { return i.Secret == string(c.Part("secret_id").Reveal()) })
}

// Admin is the token to make changes with.
func (f *Fake) Admin() provider.Credential {
	return provider.Credential{Parts: map[string]secret.Value{"value": secret.New([]byte(f.Text("admin")))}}
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func (f *Fake) serve(w http.ResponseWriter, r *http.Request) {
	fail := func(status int, words ...string) {
		answer(w, status, map[string]any{"errors": append([]string{}, words...)})
	}
	var body map[string]any
	json.NewDecoder(r.Body).Decode(&body)
	text := func(name string) string { s, _ := body[name].(string); return s }
	bySecret := func(s string) int {
		return slices.IndexFunc(f.IDs, func(i *ID) bool { return i.Secret == s })
	}
	token := r.Header.Get("X-Vault-Token")
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	switch {
	case f.Broken != "" && path == f.Broken:
		fail(500, "internal error")
	case r.Header.Get("X-Vault-Namespace") != space:
		fail(404, "no handler for route")
	case r.URL.Path == Mount+"/login":
		i := bySecret(text("secret_id"))
		if i < 0 || text("role_id") != RoleID {
			fail(400, "invalid role or secret ID")
			return
		}
		if !f.IDs[i].within(f.From) {
			fail(400, fmt.Sprintf("source address %q unauthorized through CIDR restrictions on the secret ID", f.From))
			return
		}
		if f.IDs[i].Uses > 0 {
			f.IDs[i].Uses--
		}
		f.made++
		name := f.Text(fmt.Sprint("token", f.made))
		f.Tokens[name] = true
		meta := map[string]string{}
		maps.Copy(meta, f.IDs[i].Metadata)
		meta["role_name"] = "app"
		if !f.Batch {
			f.Of[fmt.Sprint("accessor", f.made)] = Token{name, strings.TrimPrefix(Mount, "/v1/") + "/login", meta}
		}
		answer(w, 200, map[string]any{"auth": map[string]any{"client_token": name, "token_policies": []string{"read", "default"}, "metadata": meta}})
	case path == "auth/token/revoke-self" && f.Batch:
		fail(400, "batch tokens cannot be revoked")
	case path == "auth/token/revoke-self" && f.Tokens[token]:
		delete(f.Tokens, token)
		maps.DeleteFunc(f.Of, func(_ string, t Token) bool { return t.Name == token })
		w.WriteHeader(204)
	case token != f.Text("admin"), f.Denied[path]:
		fail(403, "permission denied")
	case path == "sys/capabilities-self":
		got := map[string]any{}
		for _, p := range body["paths"].([]any) {
			got[p.(string)] = []string{"create", "update", "list", "sudo"}
			if f.Denied[p.(string)] || !f.Lists && strings.HasPrefix(p.(string), "auth/token/") {
				got[p.(string)] = []string{"deny"}
			}
		}
		answer(w, 200, got)
	case strings.HasPrefix(path, "auth/token/") && !f.Lists:
		fail(403, "permission denied")
	case path == "auth/token/accessors" && r.FormValue("list") == "true":
		answer(w, 200, map[string]any{"data": map[string]any{"keys": slices.Sorted(maps.Keys(f.Of))}})
	case path == "auth/token/lookup-accessor":
		one, ok := f.Of[text("accessor")]
		if !ok {
			fail(400, "invalid accessor")
			return
		}
		answer(w, 200, map[string]any{"data": map[string]any{"accessor": text("accessor"), "id": "", "path": one.Path, "meta": one.Meta}})
	case path == "auth/token/revoke-accessor":
		delete(f.Tokens, f.Of[text("accessor")].Name)
		delete(f.Of, text("accessor"))
		w.WriteHeader(204)
	case path == Role && r.Method == http.MethodGet:
		answer(w, 200, map[string]any{"data": f.Role})
	case !strings.HasPrefix(path, Role+"/"):
		fail(404, "no handler for route")
	default:
		f.role(w, r, strings.TrimPrefix(path, Role), text, body)
	}
}

// role is what is below the path of the role.
func (f *Fake) role(w http.ResponseWriter, r *http.Request, rest string, text func(string) string, body map[string]any) {
	i := slices.IndexFunc(f.IDs, func(i *ID) bool { return i.Accessor == text("secret_id_accessor") })
	switch {
	case rest == "/secret-id" && r.FormValue("list") == "true":
		keys := []string{}
		for _, i := range f.IDs {
			keys = append(keys, i.Accessor)
		}
		if len(keys) == 0 {
			answer(w, 404, map[string]any{"errors": []string{}})
			return
		}
		answer(w, 200, map[string]any{"data": map[string]any{"keys": keys}})
	case rest == "/secret-id":
		f.made++
		n := &ID{Accessor: fmt.Sprint("new", f.made), Secret: f.Text(fmt.Sprint("new", f.made))}
		json.Unmarshal([]byte(text("metadata")), &n.Metadata)
		for _, c := range list(body["cidr_list"]) {
			n.CIDRs = append(n.CIDRs, c.(string))
		}
		for _, c := range list(body["token_bound_cidrs"]) {
			n.Tokens = append(n.Tokens, c.(string))
		}
		if ttl, is := body["ttl"].(float64); is {
			n.TTL = int64(ttl)
		}
		f.IDs = append(f.IDs, n)
		answer(w, 200, map[string]any{"data": map[string]any{"secret_id": n.Secret, "secret_id_accessor": n.Accessor, "secret_id_ttl": n.TTL, "secret_id_num_uses": 0}})
	case rest == "/secret-id/lookup":
		if i = slices.IndexFunc(f.IDs, func(i *ID) bool { return i.Secret == text("secret_id") }); i < 0 {
			w.WriteHeader(204)
			return
		}
		f.tell(w, f.IDs[i])
	case rest == "/secret-id-accessor/lookup" && i < 0:
		answer(w, 404, map[string]any{"request_id": "1", "data": map[string]string{"error": "failed to find accessor entry for secret_id_accessor: " + text("secret_id_accessor")}})
	case rest == "/secret-id-accessor/lookup":
		f.tell(w, f.IDs[i])
	case rest == "/secret-id-accessor/destroy" && i < 0:
		answer(w, 500, map[string]any{"errors": []string{"1 error occurred: failed to find accessor entry"}})
	case rest == "/secret-id-accessor/destroy":
		f.IDs = slices.Delete(f.IDs, i, i+1)
		w.WriteHeader(204)
	}
}

func list(v any) []any { all, _ := v.([]any); return all }

func (f *Fake) tell(w http.ResponseWriter, i *ID) {
	expires := "0001-01-01T00:00:00Z"
	if i.TTL > 0 {
		expires = "2026-02-10T18:17:27Z"
	}
	answer(w, 200, map[string]any{"data": map[string]any{"cidr_list": i.CIDRs, "token_bound_cidrs": i.Tokens, "metadata": i.Metadata, "secret_id_accessor": i.Accessor,
		"secret_id_num_uses": i.Uses, "secret_id_ttl": i.TTL, "creation_time": "2026-02-10T17:17:27.089757383Z", "expiration_time": expires}})
}

// within reports whether a secret id may be used from an address.
func (i *ID) within(addr string) bool {
	return len(i.CIDRs) == 0 || slices.ContainsFunc(i.CIDRs, func(c string) bool {
		return netip.MustParsePrefix(c).Contains(netip.MustParseAddr(addr))
	})
}
