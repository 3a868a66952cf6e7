package github_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/github"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/secret"
)

var (
	_ provider.Verifier = (*github.Provider)(nil)
	_ provider.Revoker  = (*github.Provider)(nil)
	_ provider.Guide    = (*github.Provider)(nil)
)

// token makes what looks like a token, marked.
func token(kind, name string) string { return kind + "marked4711" + name }

func credential(url, token string) provider.Credential {
	return provider.Credential{Parts: map[string]secret.Value{"value": secret.New([]byte(token))}, Params: map[string]string{"url": url}}
}

// fake is GitHub as it is documented: on /, github.com, on /api/v3, a server of one's own.
// The answers of a refused request say what they were asked.
type fake struct {
	mu      sync.Mutex
	tokens  map[string]owner
	late    int // answers to /user before what was revoked is dead
	dying   map[string]bool
	asked   []string // to be revoked
	answers func(http.ResponseWriter, *http.Request) bool
}

type owner struct {
	login, scopes, expires string
}

func serve(t *testing.T) (*fake, string) {
	f := &fake{tokens: map[string]owner{}, dying: map[string]bool{}}
	s := httptest.NewServer(providertest.Recorded(t, f))
	t.Cleanup(s.Close)
	return f, s.URL
}

func (f *fake) lives(token string) bool {
	_, ok := f.tokens[token]
	return ok && !f.dying[token]
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.answers != nil && f.answers(w, r) {
		return
	}
	say := func(status int, message string) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]string{"message": message})
	}
	as, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	path, own := strings.CutPrefix(r.URL.Path, "/api/v3")
	switch {
	case r.UserAgent() == "" || strings.HasPrefix(r.UserAgent(), "Go-http"):
		say(403, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header")
	case r.Header.Get("Accept") != "application/vnd.github+json" || r.Header.Get("X-GitHub-Api-Version") != "2022-11-28":
		say(400, "an unknown version")
	case r.Method == "GET" && path == "/user":
		if f.dying[as] {
			if f.late--; f.late < 0 {
				delete(f.tokens, as)
			}
		}
		who, ok := f.tokens[as]
		switch {
		case !bearer:
			say(401, "Requires authentication")
		case !ok:
			say(401, "Bad credentials")
		default:
			if who.scopes != "" {
				w.Header().Set("X-OAuth-Scopes", who.scopes)
			}
			if who.expires != "" {
				w.Header().Set("GitHub-Authentication-Token-Expiration", who.expires)
			}
			json.NewEncoder(w).Encode(map[string]any{"login": who.login, "id": 1})
		}
	case r.Method == "POST" && path == "/credentials/revoke":
		var body struct{ Credentials []string }
		_, known := f.tokens[as]
		switch {
		case !own && r.Header.Get("Authorization") != "":
			say(403, "Forbidden")
		case own && !known:
			say(401, "Bad credentials")
		case json.NewDecoder(r.Body).Decode(&body) != nil || len(body.Credentials) == 0 || len(body.Credentials) > 1000:
			say(422, "Validation failed, or the endpoint has been spammed.")
		default:
			for _, c := range body.Credentials {
				f.asked = append(f.asked, c)
				f.dying[c] = true
			}
			w.WriteHeader(202)
		}
	default:
		say(404, "Not Found")
	}
}

// quiet fails if an error shows a token.
func quiet(t *testing.T, err error) *provider.Error {
	t.Helper()
	var e *provider.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is not of a provider", err)
	}
	for err := error(e); err != nil; err = errors.Unwrap(err) {
		if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, "marked4711") {
			t.Errorf("it shows the token: %s", text)
		}
	}
	return e
}

func TestConformance(t *testing.T) {
	for path, page := range map[string]string{"": "github", "/api/v3": "github, a server of one's own"} {
		f, url := serve(t)
		n := 0
		providertest.Provider(t, providertest.Subject{
			Provider: github.New(nil),
			Page:     page,
			New: func(t *testing.T) provider.Credential {
				f.mu.Lock()
				defer f.mu.Unlock()
				n++
				made := token("ghp_", fmt.Sprint("number", n))
				f.tokens[made] = owner{login: "ada"}
				return credential(url+path, made)
			},
			Accepts: func(t *testing.T, c provider.Credential) bool {
				f.mu.Lock()
				defer f.mu.Unlock()
				return f.lives(string(c.Part("value").Reveal()))
			},
			DeadCode: "401 Bad credentials",
			Addr:     strings.TrimPrefix(url, "http://"),
			At: func(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
				c.Params = map[string]string{"url": "http://" + addr + path}
				return github.New(nil), c
			},
		})
	}
}

func TestVerify(t *testing.T) {
	f, url := serve(t)
	classic, fine := token("ghp_", "a"), token("github_pat_", "b")
	f.tokens[classic] = owner{"ada", "repo, gist, admin:org", "2027-01-02 15:04:05 UTC"}
	f.tokens[fine] = owner{"ada", "", "2027-01-02 17:04:05 +0200"}
	until := time.Date(2027, 1, 2, 15, 4, 5, 0, time.UTC)
	p := github.New(nil)
	for _, c := range []struct {
		token string
		want  provider.Probe
	}{
		{classic, provider.Probe{State: provider.Alive, Code: "200", Who: provider.Identity{Account: "ada", Scopes: []string{"admin:org", "gist", "repo"}, Expires: until}}},
		{fine, provider.Probe{State: provider.Alive, Code: "200", Who: provider.Identity{Account: "ada", Expires: until}}},
		{token("ghp_", "c"), provider.Probe{State: provider.Dead, Code: "401 Bad credentials"}},
	} {
		for _, at := range []string{url, url + "/", url + "/api/v3"} {
			if got, err := p.Verify(t.Context(), credential(at, c.token)); err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s: %+v, %v; want %+v", at, got, err, c.want)
			}
		}
	}
}

// Only one answer means that a token is dead.
func TestVerifyRefusals(t *testing.T) {
	const sent = "marked4711"
	for _, c := range []struct {
		name   string
		status int
		header map[string]string
		body   string
		want   provider.State
		kind   provider.Kind // of the error, if it is one
	}{
		{"dead", 401, nil, `{"message":"Bad credentials","documentation_url":"x"}`, provider.Dead, ""},
		{"something else is needed", 401, nil, `{"message":"Requires authentication"}`, provider.Unknown, ""},
		{"a proxy wants a password", 401, nil, `<html>` + sent, provider.Unknown, ""},
		{"primary limit", 403, map[string]string{"X-RateLimit-Remaining": "0"}, `{"message":"API rate limit exceeded for user ID 1."}`, provider.Throttled, ""},
		{"secondary limit", 403, map[string]string{"Retry-After": "60"}, `{"message":"You have exceeded a secondary rate limit."}`, provider.Throttled, ""},
		{"secondary limit, without a header", 403, nil, `{"message":"You have exceeded a secondary rate limit. ` + sent + `"}`, provider.Throttled, ""},
		{"limit as 429", 429, nil, `{"message":"` + sent + `"}`, provider.Throttled, ""},
		{"single sign-on", 403, map[string]string{"X-GitHub-SSO": "required; url=https://github.com/orgs/x/sso?authorization_request=" + sent}, `{"message":"Resource protected by organization SAML enforcement."}`, provider.Narrow, ""},
		{"addresses", 403, nil, "{\"message\":\"Although you appear to have the correct authorization credentials, the `x` organization has an IP allow list enabled, and 192.0.2.1 is not permitted to access this resource.\"}", provider.Blocked, ""},
		{"too narrow", 403, nil, `{"message":"Resource not accessible by personal access token"}`, provider.Narrow, ""},
		{"suspended", 403, nil, `{"message":"Sorry. Your account was suspended"}`, provider.Unknown, ""},
		{"too many failed logins", 403, nil, `{"message":"Maximum number of login attempts exceeded. Please try again later."}`, provider.Unknown, ""},
		{"a firewall", 403, nil, `<html>` + sent, provider.Unknown, ""},
		{"not GitHub", 404, nil, `{"message":"Not Found"}`, provider.Unknown, ""},
		{"down", 500, nil, sent, "", provider.Unclear},
		{"moved", 301, map[string]string{"Location": "https://example.com/" + sent}, ``, "", provider.Refused},
		{"a page", 200, nil, `<html>` + sent, "", provider.Malformed},
		{"an error inside", 200, nil, `{"message":"` + sent + `"}`, "", provider.Malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, url := serve(t)
			f.answers = func(w http.ResponseWriter, r *http.Request) bool {
				for k, v := range c.header {
					w.Header().Set(k, v)
				}
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
				return true
			}
			got, err := github.New(nil).Verify(t.Context(), credential(url, token("ghp_", "a")))
			if c.kind != "" {
				if e := quiet(t, err); e.Kind != c.kind {
					t.Errorf("%v, want %s", err, c.kind)
				}
				return
			}
			if err != nil || got.State != c.want || strings.Contains(got.Code, sent) {
				t.Errorf("%+v, %v; want %s", got, err, c.want)
			}
		})
	}
}

// Revocation needs nothing but the token, is done later, and can be asked for twice.
func TestRevoke(t *testing.T) {
	for _, path := range []string{"", "/api/v3"} {
		f, url := serve(t)
		f.late = 2
		was, is := token("ghp_", "old"), token("ghp_", "new")
		f.tokens[was], f.tokens[is] = owner{login: "ada"}, owner{login: "ada"}
		p, old, next := github.New(nil), credential(url+path, was), credential(url+path, is)
		for range 2 {
			if err := p.Revoke(t.Context(), old, old, next); err != nil {
				t.Fatal(err)
			}
		}
		if !reflect.DeepEqual(f.asked, []string{was, was}) {
			t.Errorf("%d tokens were revoked", len(f.asked))
		}
		var states []provider.State
		for range 4 {
			probe, err := p.Verify(t.Context(), old)
			if err != nil {
				t.Fatal(err)
			}
			states = append(states, probe.State)
		}
		if want := []provider.State{provider.Alive, provider.Alive, provider.Dead, provider.Dead}; !reflect.DeepEqual(states, want) {
			t.Errorf("%s, want %s", states, want)
		}
		if probe, err := p.Verify(t.Context(), next); err != nil || probe.State != provider.Alive {
			t.Errorf("the other one: %v, %v", probe, err)
		}
	}
}

// A leaked token that is ours to end, and nothing else is known: it ends itself.
func TestRevokeByPossession(t *testing.T) {
	for _, path := range []string{"", "/api/v3"} {
		f, url := serve(t)
		f.tokens[token("ghp_", "a")] = owner{login: "ada"}
		c := credential(url+path, token("ghp_", "a"))
		if err := github.New(nil).Revoke(t.Context(), provider.Credential{}, c, provider.Credential{}); err != nil {
			t.Error(err)
		}
	}
}

func TestRevokeRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		header map[string]string
		kind   provider.Kind
	}{
		{"spam, or no token", 422, nil, provider.Refused},
		{"the limit of an hour", 403, map[string]string{"X-RateLimit-Remaining": "0"}, provider.Busy},
		{"forbidden", 403, nil, provider.Forbidden},
		{"limit", 429, map[string]string{"Retry-After": "30"}, provider.Busy},
		{"down", 500, nil, provider.Unclear},
		{"a page", 200, nil, provider.Malformed},
		{"moved", 308, map[string]string{"Location": "https://example.com/"}, provider.Refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, url := serve(t)
			f.answers = func(w http.ResponseWriter, r *http.Request) bool {
				for k, v := range c.header {
					w.Header().Set(k, v)
				}
				w.WriteHeader(c.status)
				fmt.Fprint(w, `{"message":"marked4711"}`)
				return true
			}
			one := credential(url, token("ghp_", "a"))
			if e := quiet(t, github.New(nil).Revoke(t.Context(), one, one, provider.Credential{})); e.Kind != c.kind {
				t.Errorf("%v, want %s", e, c.kind)
			}
		})
	}
}

func TestNoToken(t *testing.T) {
	p, c := github.New(nil), provider.Credential{ID: "1"}
	if e := quiet(t, p.Revoke(t.Context(), c, c, c)); e.Kind != provider.Incomplete {
		t.Error(e)
	}
	_, err := p.Verify(t.Context(), c)
	if e := quiet(t, err); e.Kind != provider.Incomplete {
		t.Error(e)
	}
}

func TestGuide(t *testing.T) {
	for _, c := range []struct{ url, token, issue, revoke string }{
		{"", token("ghp_", "a"), "https://github.com/settings/tokens/new", "https://github.com/settings/tokens"},
		{"", token("github_pat_", "a"), "https://github.com/settings/personal-access-tokens/new", "https://github.com/settings/personal-access-tokens"},
		{"https://git.example.com/api/v3/", token("ghp_", "a"), "https://git.example.com/settings/tokens/new", "https://git.example.com/settings/tokens"},
		{"https://api.octo.ghe.com", token("github_pat_", "a"), "https://octo.ghe.com/settings/personal-access-tokens/new", "https://octo.ghe.com/settings/personal-access-tokens"},
	} {
		got := github.New(nil).Guide(credential(c.url, c.token))
		if got.IssueAt != c.issue || got.RevokeAt != c.revoke {
			t.Errorf("%s: %s, %s", c.url, got.IssueAt, got.RevokeAt)
		}
		if text := fmt.Sprint(got); len(got.Issue) == 0 || len(got.Revoke) == 0 || strings.Contains(text, "marked4711") {
			t.Error(text)
		}
	}
}
