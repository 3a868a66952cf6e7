package okta_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/okta"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/secret"
)

var (
	_ provider.Verifier = (*okta.Provider)(nil)
	_ provider.Lister   = (*okta.Provider)(nil)
	_ provider.Planner  = (*okta.Provider)(nil)
	_ provider.Issuer   = (*okta.Provider)(nil)
	_ provider.Revoker  = (*okta.Provider)(nil)
)

// fake is an organization with apps.
type fake struct {
	*providertest.HTTP
	apps   map[string][]*fakeSecret // by client id
	made   int
	masked bool // secrets are shown in part
	lone   bool // also the only secret of an app may be taken out of use, which Okta refuses
}

type fakeSecret struct {
	id, value string
	inactive  bool
}

func serve(t *testing.T) *fake {
	f := &fake{apps: map[string][]*fakeSecret{"app1": {{id: "ocsold", value: "abc+" + providertest.Marked + "/old-xyz"}}}}
	f.HTTP = providertest.Serve(t, f.serve)
	return f
}

func (f *fake) credential(app string, s *fakeSecret) provider.Credential {
	return provider.Credential{ID: s.id, Params: map[string]string{"url": f.URL, "app": app},
		Parts: map[string]secret.Value{"client_id": secret.New([]byte(app)), "client_secret": secret.New([]byte(s.value))}}
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
	if r.URL.Path == "/oauth2/v1/introspect" {
		f.introspect(w, r)
		return
	}
	fail := func(status int, code, words string) {
		answer(w, status, map[string]any{"errorCode": code, "errorSummary": providertest.Marked, "errorCauses": []any{map[string]string{"errorSummary": words}}})
	}
	if a := r.Header.Get("Authorization"); a != "SSWS "+providertest.Marked+"-admin" && a != "Bearer a."+providertest.Marked+".c" {
		fail(401, "E0000011", "Invalid token provided")
		return
	}
	path := strings.Split(strings.TrimPrefix(r.URL.Path, "/api/v1/apps/"), "/") // app, credentials, secrets, id, lifecycle, what
	all, found := f.apps[path[0]]
	if !found || len(path) < 3 {
		fail(404, "E0000007", "Not found")
		return
	}
	i := -1
	if len(path) > 3 {
		i = slices.IndexFunc(all, func(s *fakeSecret) bool { return s.id == path[3] })
	}
	active := 0
	for _, s := range all {
		if !s.inactive {
			active++
		}
	}
	switch {
	case len(path) == 3 && r.Method == http.MethodGet:
		listed := []any{}
		for _, s := range all {
			listed = append(listed, f.show(s, f.masked))
		}
		answer(w, 200, listed)
	case len(path) == 3 && len(all) >= 2:
		fail(400, "E0000001", "You've reached the maximum number of client secrets per client.")
	case len(path) == 3:
		f.made++
		s := &fakeSecret{id: fmt.Sprint("ocsnew", f.made), value: fmt.Sprint(providertest.Marked, "-new-", f.made)}
		f.apps[path[0]] = append(all, s)
		answer(w, 201, f.show(s, false))
	case i < 0:
		fail(404, "E0000007", "Not found")
	case r.Method == http.MethodDelete && !all[i].inactive:
		fail(400, "E0000001", "You can't delete an active client secret. Deactivate the secret before deleting it.")
	case r.Method == http.MethodDelete:
		f.apps[path[0]] = slices.Delete(all, i, i+1)
		w.WriteHeader(204)
	case path[5] == "deactivate" && active < 2 && !f.lone:
		fail(400, "E0000001", "You can't deactivate the only active client secret.")
	default:
		all[i].inactive = path[5] == "deactivate"
		answer(w, 200, f.show(all[i], f.masked))
	}
}

func (f *fake) show(s *fakeSecret, masked bool) map[string]string {
	value := s.value
	if masked {
		value = value[:5] + "......" + value[len(value)-5:]
	}
	return map[string]string{"id": s.id, "status": map[bool]string{true: "INACTIVE", false: "ACTIVE"}[s.inactive], "client_secret": value, "created": "2023-02-21T20:08:24.000Z"}
}

func (f *fake) introspect(w http.ResponseWriter, r *http.Request) {
	id, key, _ := r.BasicAuth()
	id, _ = url.QueryUnescape(id)
	key, _ = url.QueryUnescape(key)
	all, found := f.apps[id]
	switch {
	case !found:
		answer(w, 401, map[string]string{"error": "invalid_client", "error_description": "Invalid value for the 'client_id' parameter."})
	case !slices.ContainsFunc(all, func(s *fakeSecret) bool { return s.value == key && !s.inactive }):
		answer(w, 401, map[string]string{"error": "invalid_client", "error_description": "The client secret supplied for a confidential client is invalid."})
	case r.FormValue("token") == "":
		answer(w, 400, map[string]string{"error": "invalid_request"})
	default:
		answer(w, 200, map[string]bool{"active": false})
	}
}

func TestConformance(t *testing.T) {
	f := serve(t)
	f.lone = true
	providertest.Provider(t, providertest.Subject{
		Provider: okta.New(nil),
		Admin:    admin(),
		New: func(t *testing.T) provider.Credential {
			f.Lock()
			defer f.Unlock()
			f.made++
			app, s := fmt.Sprint("test", f.made), &fakeSecret{id: fmt.Sprint("ocstest", f.made), value: fmt.Sprint(providertest.Marked, "-test-", f.made)}
			f.apps[app] = []*fakeSecret{s}
			return f.credential(app, s)
		},
		Accepts: func(t *testing.T, c provider.Credential) bool {
			f.Lock()
			defer f.Unlock()
			return slices.ContainsFunc(f.apps[string(c.Part("client_id").Reveal())], func(s *fakeSecret) bool {
				return !s.inactive && s.value == string(c.Part("client_secret").Reveal())
			})
		},
		DeadCode: "401 invalid_client",
		ByID:     true,
		Nameless: true,
		Addr:     f.Addr(),
		At: func(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
			c.Params = map[string]string{"url": "http://" + addr, "app": c.Params["app"]}
			return okta.New(nil), c
		},
	})
}

func TestVerify(t *testing.T) {
	f := serve(t)
	old := f.credential("app1", f.apps["app1"][0])
	got, err := okta.New(nil).Verify(t.Context(), old)
	want := provider.Probe{State: provider.Alive, Code: "200", Who: provider.Identity{ID: "ocsold", Account: "app1"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	const other = " invalid_client, for another reason than the secret"
	providertest.Replies(t, f.HTTP, okta.New(nil), old, "POST /oauth2/v1/introspect", []providertest.Reply{
		{Status: 401, Body: `{"error":"invalid_client","error_description":"The client secret supplied for a confidential client is invalid."}`, State: provider.Dead, Code: "401 invalid_client"},
		{Status: 401, Body: `{"error":"invalid_client","error_description":"Invalid value for the 'client_id' parameter."}`, State: provider.Unknown, Code: "401" + other},
		{Status: 401, Body: `{"error":"invalid_client","error_description":"No client credentials found"}`, State: provider.Unknown, Code: "401" + other},
		{Status: 400, Body: `{"error":"invalid_client","error_description":"The client secret supplied for a confidential client is invalid."}`, State: provider.Unknown, Code: "400" + other},
		{Status: 403, Body: `{"error":"access_denied","error_description":"The request is made from outside the client's permitted network zones."}`, State: provider.Blocked, Code: "403 network zones"},
		{Status: 403, Body: `{"errorCode":"E0000006"}`, State: provider.Unknown, Code: "403"},
		{Status: 401, Body: `<html>`, State: provider.Unknown, Code: "401"},
		{Status: 404, Body: `{"errorCode":"E0000007"}`, State: provider.Unknown, Code: "404"},
		{Status: 429, Body: `{"errorCode":"E0000047"}`, State: provider.Throttled, Code: "429"},
		{Status: 200, Body: `{}`}, {Status: 200, Body: `<html>`}, {Status: 500}, {Status: 302},
	})
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(f *fake, admin, old *provider.Credential)
		kind   provider.Kind
		says   string
	}{
		{"room", func(*fake, *provider.Credential, *provider.Credential) {}, "", "could not be asked"},
		{"in an emergency", func(*fake, *provider.Credential, *provider.Credential) {}, "", "a new one is made first"},
		{"by an access token", func(_ *fake, a, _ *provider.Credential) {
			a.Parts = map[string]secret.Value{"token": secret.New([]byte("a." + providertest.Marked + ".c"))}
		}, "", ""},
		{"no id", func(_ *fake, _, old *provider.Credential) { old.ID = "" }, "", ""},
		{"no id, shown in part", func(f *fake, _, old *provider.Credential) { f.masked, old.ID = true, "" }, "", ""},
		{"the app's id is the client id", func(_ *fake, _, old *provider.Credential) { delete(old.Params, "app") }, "", ""},
		{"no room", func(f *fake, _, _ *provider.Credential) {
			f.apps["app1"] = append(f.apps["app1"], &fakeSecret{id: "ocs2", value: "x", inactive: true})
		}, provider.NoSlot, "ocs2, made 2023-02-21, inactive, could go"},
		{"none of the app's", func(_ *fake, _, old *provider.Credential) { old.ID = "ocsother" }, provider.Refused, "no such secret"},
		{"another app", func(_ *fake, _, old *provider.Credential) { old.Params["app"] = "app2" }, provider.Refused, "404"},
		{"a token that is not valid", func(_ *fake, a, _ *provider.Credential) {
			a.Parts = map[string]secret.Value{"value": secret.New([]byte("x"))}
		}, provider.Forbidden, "401"},
		{"no address", func(_ *fake, _, old *provider.Credential) { delete(old.Params, "url") }, provider.Incomplete, "url"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := serve(t)
			as, old := admin(), f.credential("app1", f.apps["app1"][0])
			c.change(f, &as, &old)
			got, err := okta.New(nil).Plan(t.Context(), as, old)
			text := strings.Join(got.Notes, "; ")
			if c.kind != "" {
				e := providertest.Quiet(t, err, c.kind)
				text = e.Error() + " " + e.Hint
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

// The only secret of an app stays; with another it goes, first out of use.
func TestOnlyOne(t *testing.T) {
	f := serve(t)
	p, old := okta.New(nil), f.credential("app1", f.apps["app1"][0])
	e := providertest.Quiet(t, p.Revoke(t.Context(), admin(), old, provider.Credential{}), provider.Refused)
	if !strings.Contains(e.Error(), "the only one") {
		t.Error(e)
	}
	next, err := p.Issue(t.Context(), admin(), old, providertest.Lineage)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Issue(t.Context(), admin(), old, providertest.Lineage)
	providertest.Quiet(t, err, provider.NoSlot)
	providertest.Quiet(t, p.Revoke(t.Context(), admin(), next, next), provider.Refused)
	f.masked, old.ID = true, "" // as it is the first time
	for range 2 {
		if err := p.Revoke(t.Context(), admin(), old, next); err != nil {
			t.Fatal(err)
		}
	}
	if all := f.apps["app1"]; len(all) != 1 || all[0].id != next.ID || all[0].inactive {
		t.Errorf("%+v", all)
	}
}

// A secret that is not found, and lives, is not said to be gone.
func TestRevokeElsewhere(t *testing.T) {
	f := serve(t)
	f.apps["app2"] = []*fakeSecret{{id: "ocs2", value: "x"}}
	old := f.credential("app1", f.apps["app1"][0])
	old.Params["app"] = "app2"
	for _, id := range []string{"ocsold", ""} {
		old.ID = id
		providertest.Quiet(t, okta.New(nil).Revoke(t.Context(), admin(), old, provider.Credential{}), provider.Refused)
	}
	if n := f.Count("DELETE"); n != 0 {
		t.Errorf("%d deletions", n)
	}
}
