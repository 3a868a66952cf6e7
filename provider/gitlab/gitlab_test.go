package gitlab_test

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
	"github.com/keywright/keywright/provider/gitlab"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/secret"
)

var (
	_ provider.Verifier = (*gitlab.Provider)(nil)
	_ provider.Lister   = (*gitlab.Provider)(nil)
	_ provider.Planner  = (*gitlab.Provider)(nil)
	_ provider.Issuer   = (*gitlab.Provider)(nil)
	_ provider.Revoker  = (*gitlab.Provider)(nil)
)

// fake is a GitLab with one project, whose path has a slash in it.
type fake struct {
	*providertest.HTTP
	tokens  []*fakeToken
	members map[int]int // the access level of a user
	page    int         // tokens on a page, if that is less than asked for
	mute    bool        // it has no headers about pages
	widen   func(t *fakeToken)
	base    string // in place of the project
}

type fakeToken struct {
	id, user, level           int
	name, secret              string
	scopes                    []string
	created, expires          string
	personal, revoked, hidden bool
	used                      time.Time
}

func (t *fakeToken) json(more map[string]any) map[string]any {
	m := map[string]any{"id": t.id, "name": t.name, "user_id": t.user, "scopes": t.scopes, "active": !t.revoked, "revoked": t.revoked,
		"created_at": t.created, "last_used_at": nil, "expires_at": nil}
	if !t.used.IsZero() {
		m["last_used_at"] = t.used
	}
	if t.expires != "" {
		m["expires_at"] = t.expires
	}
	for k, v := range more {
		m[k] = v
	}
	return m
}

const project = "/api/v4/projects/team%2Fapp"

func serve(t *testing.T) *fake {
	f := &fake{page: 100, base: project, members: map[int]int{7: 40}, tokens: []*fakeToken{
		{id: 1, user: 7, name: "admin", secret: providertest.Marked + "-admin", scopes: []string{"api"}, personal: true, created: "2026-01-01T00:00:00.000Z"},
		{id: 2, user: 100, level: 30, name: "ci", secret: providertest.Marked + "-old", scopes: []string{"read_repository", "read_api"}, created: "2026-01-01T10:11:12.000Z", expires: "2026-03-02"},
	}}
	f.HTTP = providertest.Serve(t, f.serve)
	return f
}

func (f *fake) credential(id int) provider.Credential {
	i := slices.IndexFunc(f.tokens, func(t *fakeToken) bool { return t.id == id })
	return provider.Credential{ID: strconv.Itoa(id), Parts: map[string]secret.Value{"value": secret.New([]byte(f.tokens[i].secret))},
		Params: map[string]string{"project": "team/app", "url": f.URL + "/"}}
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	say := func(status int, words string) {
		answer(w, status, map[string]string{"message": words, "error_description": providertest.Marked})
	}
	i := slices.IndexFunc(f.tokens, func(t *fakeToken) bool { return t.secret == r.Header.Get("Private-Token") && !t.hidden })
	if i < 0 {
		answer(w, 401, map[string]string{"message": "401 Unauthorized"})
		return
	}
	as := f.tokens[i]
	if as.revoked {
		answer(w, 401, map[string]string{"error": "invalid_token", "error_description": "Token was revoked. You have to re-authorize from the user."})
		return
	}
	if now := time.Now().UTC(); now.Sub(as.used) >= 10*time.Minute {
		as.used = now
	}
	path := r.URL.EscapedPath()
	if path == "/api/v4/personal_access_tokens/self" && r.Method == http.MethodDelete {
		as.revoked = true
		w.WriteHeader(204)
		return
	}
	if path == "/api/v4/personal_access_tokens/self" {
		answer(w, 200, as.json(nil))
		return
	}
	if !slices.Contains(as.scopes, "api") {
		answer(w, 403, map[string]string{"error": "insufficient_scope", "scope": "api"})
		return
	}
	rest, found := strings.CutPrefix(path, f.base)
	if !found {
		say(404, "404 Project Not Found")
		return
	}
	if user, is := strings.CutPrefix(rest, "/members/all/"); is {
		id, _ := strconv.Atoi(user)
		if level, is := f.members[id]; is {
			answer(w, 200, map[string]any{"id": id, "access_level": level})
		} else {
			say(404, "404 Member Not Found")
		}
		return
	}
	may := f.members[as.user] >= 40
	id, _ := strconv.Atoi(strings.TrimPrefix(rest, "/access_tokens/"))
	i = slices.IndexFunc(f.tokens, func(t *fakeToken) bool { return t.id == id && !t.personal && !t.hidden })
	switch {
	case rest == "/access_tokens" && r.Method == http.MethodPost:
		f.create(w, r, as, may, say)
	case !may:
		say(401, "401 Unauthorized")
	case rest == "/access_tokens":
		f.list(w, r)
	case i < 0:
		say(404, "404 project Access Token Not Found")
	case r.Method == http.MethodDelete:
		f.tokens[i].revoked, f.tokens[i].hidden = true, true // the user is deleted at once, and the token with it
		w.WriteHeader(204)
	default:
		answer(w, 200, f.tokens[i].json(map[string]any{"access_level": f.tokens[i].level}))
	}
}

func (f *fake) list(w http.ResponseWriter, r *http.Request) {
	all := []map[string]any{}
	for _, t := range f.tokens {
		if !t.personal && !t.hidden {
			all = append(all, t.json(map[string]any{"access_level": t.level}))
		}
	}
	n, _ := strconv.Atoi(r.URL.Query().Get("page"))
	size, _ := strconv.Atoi(r.URL.Query().Get("per_page"))
	size = min(size, f.page)
	from := min((n-1)*size, len(all))
	if !f.mute && from+size < len(all) {
		w.Header().Set("X-Next-Page", strconv.Itoa(n+1))
	}
	answer(w, 200, all[from:min(from+size, len(all))])
}

func (f *fake) create(w http.ResponseWriter, r *http.Request, as *fakeToken, may bool, say func(int, string)) {
	var body struct {
		Name    string
		Scopes  []string
		Level   int    `json:"access_level"`
		Expires string `json:"expires_at"`
	}
	if json.NewDecoder(r.Body).Decode(&body) != nil || body.Name == "" || len(body.Scopes) == 0 {
		answer(w, 400, map[string]string{"error": "name is missing, scopes is missing"})
		return
	}
	if body.Level == 0 {
		body.Level = 40
	}
	at, _ := time.Parse(time.DateOnly, body.Expires)
	switch {
	case !may || !as.personal:
		say(400, "400 Bad request - User does not have permission to create project access token")
	case body.Level > f.members[as.user]:
		say(400, "400 Bad request - Access level of the token contains permissions not held by the creating user")
	case body.Expires != "" && time.Until(at) > 365*24*time.Hour:
		say(400, "400 Bad request - Expiration date must be before 2027-01-01")
	default:
		t := &fakeToken{id: 1000 + len(f.tokens), user: 1000 + len(f.tokens), level: body.Level, name: body.Name, scopes: body.Scopes, expires: body.Expires,
			secret: fmt.Sprint(providertest.Marked, "-new", len(f.tokens)), created: time.Now().UTC().Format(time.RFC3339)}
		if f.widen != nil {
			f.widen(t)
		}
		f.tokens = append(f.tokens, t)
		answer(w, 201, t.json(map[string]any{"access_level": t.level, "token": t.secret}))
	}
}

func TestConformance(t *testing.T) {
	f := serve(t)
	providertest.Provider(t, providertest.Subject{
		Provider: gitlab.New(nil),
		Admin:    f.credential(1),
		New: func(t *testing.T) provider.Credential {
			f.Lock()
			defer f.Unlock()
			id := 5000 + len(f.tokens)
			f.tokens = append(f.tokens, &fakeToken{id: id, user: id, level: 40, name: "test", secret: fmt.Sprint(providertest.Marked, "-t", id), scopes: []string{"read_api"}, created: "2026-01-01T00:00:00.000Z", expires: "2026-02-01"})
			return f.credential(id)
		},
		Accepts: func(t *testing.T, c provider.Credential) bool {
			f.Lock()
			defer f.Unlock()
			return slices.ContainsFunc(f.tokens, func(t *fakeToken) bool { return !t.revoked && t.secret == string(c.Part("value").Reveal()) })
		},
		DeadCode: "401 Unauthorized",
		ByID:     true,
		Addr:     f.Addr(),
		At: func(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
			c.Params = map[string]string{"project": "team/app", "url": "http://" + addr}
			return gitlab.New(nil), c
		},
	})
}

func TestVerify(t *testing.T) {
	f := serve(t)
	got, err := gitlab.New(nil).Verify(t.Context(), f.credential(2))
	want := provider.Probe{State: provider.Alive, Code: "200", Who: provider.Identity{ID: "2", Label: "ci", Scopes: []string{"read_api", "read_repository"}, Expires: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), LastUsed: f.tokens[1].used}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestUses: when a token was used last is told to others, who do not use it with that. That it
// was asked counts.
func TestUses(t *testing.T) {
	f := serve(t)
	p, admin, old := gitlab.New(nil), f.credential(1), f.credential(2)
	used := func() time.Time {
		t.Helper()
		all, err := p.List(t.Context(), admin, old)
		i := slices.IndexFunc(all, func(l provider.Listed) bool { return l.ID == old.ID })
		if err != nil || i < 0 {
			t.Fatalf("%+v, %v", all, err)
		}
		return all[i].LastUsed
	}
	if got := used(); !got.IsZero() {
		t.Errorf("it was never used, and is told to be used %v", got)
	}
	before := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f.tokens[1].used = before
	if plan, err := p.Plan(t.Context(), admin, old); err != nil || !plan.LastUsed.Equal(before) {
		t.Errorf("planned: %v, %v; want %v", plan.LastUsed, err, before)
	}
	if got := used(); !got.Equal(before) {
		t.Errorf("to list it is to use it: %v", got)
	}
	start := time.Now()
	providertest.Probe(t, p, old)
	if got := used(); got.Before(start) {
		t.Errorf("it was used %v, %v is told", start, got)
	}
	first := time.Now().Add(-9 * time.Minute).UTC()
	f.tokens[1].used = first
	providertest.Probe(t, p, old)
	if got := used(); !got.Equal(first) || p.Info().UseSpan < time.Since(got) {
		t.Errorf("of several uses within %s the first, %v, is told; it is %v", p.Info().UseSpan, first, got)
	}
}

func TestReplies(t *testing.T) {
	f := serve(t)
	providertest.Replies(t, f.HTTP, gitlab.New(nil), f.credential(2), "GET /api/v4/personal_access_tokens/self", []providertest.Reply{
		{Status: 401, Body: `{"message":"401 Unauthorized"}`, State: provider.Dead, Code: "401 Unauthorized"},
		{Status: 401, Body: `{"error":"invalid_token","error_description":"Token was revoked. You have to re-authorize from the user."}`, State: provider.Dead, Code: "401 Token was revoked"},
		{Status: 401, Body: `{"error":"invalid_token","error_description":"Token is expired. You can either do re-authorization or token refresh."}`, State: provider.Dead, Code: "401 Token is expired"},
		{Status: 401, Body: `{"error":"invalid_token","error_description":"Token is an impersonation token but impersonation was disabled."}`, State: provider.Unknown, Code: "401"},
		{Status: 401, Body: `{"error":"dpop_error"}`, State: provider.Unknown, Code: "401"},
		{Status: 401, Body: `<html>` + providertest.Marked, State: provider.Unknown, Code: "401"},
		{Status: 403, Body: `{"error":"insufficient_scope"}`, State: provider.Narrow, Code: "403 insufficient_scope"},
		{Status: 403, Body: `{"message":"403 Forbidden - Your account has been blocked."}`, State: provider.Unknown, Code: "403"},
		{Status: 403, Body: "Forbidden\n", State: provider.Unknown, Code: "403"},
		{Status: 404, Body: `{"error":"404 Not Found"}`, State: provider.Unknown, Code: "404"},
		{Status: 429, Body: "Retry later\n", State: provider.Throttled, Code: "429"},
		{Status: 200, Body: `{}`}, {Status: 200, Body: `<html>`}, {Status: 502, Body: providertest.Marked}, {Status: 302},
	})
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(f *fake, admin, old *provider.Credential)
		kind   provider.Kind
		says   string
	}{
		{"may", func(*fake, *provider.Credential, *provider.Credential) {}, "", "a user of its own"},
		{"by a key of no provider", func(f *fake, a, _ *provider.Credential) {
			a.Parts = map[string]secret.Value{"value": a.Part("value")}
		}, "", "the new token ends on " + time.Now().UTC().AddDate(0, 0, 60).Format(time.DateOnly)},
		{"no id", func(_ *fake, _, old *provider.Credential) { old.ID = "" }, "", ""},
		{"no end", func(f *fake, _, _ *provider.Credential) { f.tokens[1].expires = "" }, "", "no end"},
		{"itself", func(_ *fake, a, old *provider.Credential) { *a = *old }, provider.Forbidden, ""},
		{"itself, with rights", func(f *fake, a, old *provider.Credential) {
			f.tokens[1].scopes, f.tokens[1].level, f.members[100] = []string{"api"}, 40, 40
			*a = *old
		}, provider.Forbidden, "edit --admin"},
		{"no scope", func(f *fake, _, _ *provider.Credential) { f.tokens[0].scopes = []string{"read_api", "read_user"} }, provider.Forbidden, ""},
		{"a developer", func(f *fake, _, _ *provider.Credential) { f.members[7] = 30 }, provider.Forbidden, ""},
		{"an owner's token", func(f *fake, _, _ *provider.Credential) { f.tokens[1].level = 50 }, provider.Forbidden, "level 40, and it takes 50"},
		{"dead", func(f *fake, _, old *provider.Credential) { f.tokens[1].revoked, old.ID = true, "" }, provider.Refused, "dead"},
		{"no project", func(_ *fake, _, old *provider.Credential) { delete(old.Params, "project") }, provider.Incomplete, "parameters project and group"},
		{"both", func(_ *fake, _, old *provider.Credential) { old.Params["group"] = "team" }, provider.Incomplete, "parameters project and group"},
		{"another project", func(_ *fake, _, old *provider.Credential) { old.Params["project"] = "team/other" }, provider.Refused, "404"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := serve(t)
			admin, old := f.credential(1), f.credential(2)
			c.change(f, &admin, &old)
			got, err := gitlab.New(nil).Plan(t.Context(), admin, old)
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

// A new token may do what the old one may, for as long as that was to live.
func TestParity(t *testing.T) {
	f := serve(t)
	next, err := gitlab.New(nil).Issue(t.Context(), f.credential(1), f.credential(2), providertest.Lineage)
	if err != nil {
		t.Fatal(err)
	}
	got := f.tokens[2]
	if next.ID != strconv.Itoa(got.id) || got.name != providertest.Lineage.String() || got.level != 30 || !slices.Equal(got.scopes, f.tokens[1].scopes) || got.expires != time.Now().UTC().AddDate(0, 0, 60).Format(time.DateOnly) {
		t.Errorf("%+v", got)
	}
	for _, widen := range []func(*fakeToken){
		func(t *fakeToken) { t.level = 40 },
		func(t *fakeToken) { t.scopes = append(slices.Clone(t.scopes), "api") },
	} {
		f.widen = widen
		_, err = gitlab.New(nil).Issue(t.Context(), f.credential(1), f.credential(2), providertest.Lineage)
		providertest.Quiet(t, err, provider.Malformed)
	}
	f.widen = nil
	f.tokens[1].expires = "2028-01-01"
	_, err = gitlab.New(nil).Issue(t.Context(), f.credential(1), f.credential(2), providertest.Lineage)
	if e := providertest.Quiet(t, err, provider.Refused); !strings.Contains(e.Error(), "as long as the old one") {
		t.Error(e)
	}
}

// For a token of a group, it takes an owner.
func TestGroup(t *testing.T) {
	f := serve(t)
	f.base = "/api/v4/groups/team"
	old := f.credential(2)
	delete(old.Params, "project")
	old.Params["group"] = "team"
	_, err := gitlab.New(nil).Plan(t.Context(), f.credential(1), old)
	if e := providertest.Quiet(t, err, provider.Forbidden); !strings.Contains(e.Error(), "it takes 50") {
		t.Error(e)
	}
	f.members[7] = 50
	if _, err := gitlab.New(nil).Plan(t.Context(), f.credential(1), old); err != nil {
		t.Error(err)
	}
	next, err := gitlab.New(nil).Issue(t.Context(), f.credential(1), old, providertest.Lineage)
	if err != nil {
		t.Fatal(err)
	}
	if err := gitlab.New(nil).Revoke(t.Context(), f.credential(1), old, next); err != nil || !f.tokens[1].revoked {
		t.Error(err)
	}
}

func TestPages(t *testing.T) {
	for _, mute := range []bool{false, true} {
		f := serve(t)
		f.page, f.mute = 7, mute
		if mute {
			f.page = 100
		}
		for n := range 204 {
			f.tokens = append(f.tokens, &fakeToken{id: 10 + n, name: "x", scopes: []string{"api"}, created: "2026-01-01T00:00:00.000Z", revoked: n < 4})
		}
		all, err := gitlab.New(nil).List(t.Context(), f.credential(1), f.credential(2))
		if err != nil || len(all) != 201 {
			t.Errorf("%d tokens, %v", len(all), err)
		}
	}
}

// That a project is not found does not mean that a token is gone.
func TestRevokeElsewhere(t *testing.T) {
	f := serve(t)
	p, old := gitlab.New(nil), f.credential(2)
	old.Params["project"] = "team/other"
	providertest.Quiet(t, p.Revoke(t.Context(), f.credential(1), old, provider.Credential{}), provider.Refused)
	old.Parts = nil
	providertest.Quiet(t, p.Revoke(t.Context(), f.credential(1), old, provider.Credential{}), provider.Refused)
	old = f.credential(2)
	providertest.Quiet(t, p.Revoke(t.Context(), f.credential(1), old, old), provider.Refused)
	if f.tokens[1].revoked {
		t.Error("it was deleted")
	}
}

// TestRevokeItself: a token of which nothing else is known ends itself, whatever its scopes,
// and no other. What GitLab does not know any more has ended.
func TestRevokeItself(t *testing.T) {
	f := serve(t)
	p, c := gitlab.New(nil), f.credential(2)
	f.tokens[1].scopes = []string{"read_repository"}
	delete(c.Params, "project")
	providertest.Quiet(t, p.Revoke(t.Context(), c, c, c), provider.Refused)
	c.ID = ""
	for range 2 {
		if err := p.Revoke(t.Context(), c, c, provider.Credential{}); err != nil {
			t.Fatal(err)
		}
	}
	if probe := providertest.Probe(t, p, c); !f.tokens[1].revoked || f.tokens[0].revoked || probe.State != provider.Dead {
		t.Errorf("%v", probe.State)
	}
	c.Parts = nil
	providertest.Quiet(t, p.Revoke(t.Context(), f.credential(1), c, provider.Credential{}), provider.Incomplete)
	for status, kind := range map[int]provider.Kind{200: provider.Malformed, 400: provider.Refused, 401: provider.Forbidden, 403: provider.Forbidden, 500: provider.Unclear} {
		f := serve(t)
		c := f.credential(2)
		delete(c.Params, "project")
		f.Answer = func(w http.ResponseWriter, r *http.Request, _ func()) bool {
			if r.Method == http.MethodDelete {
				w.WriteHeader(status)
			}
			return r.Method == http.MethodDelete
		}
		providertest.Quiet(t, p.Revoke(t.Context(), c, c, provider.Credential{}), kind)
	}
}
