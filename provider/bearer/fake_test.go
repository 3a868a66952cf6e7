package bearer_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/bearer"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/secret"
)

// marked is in every token, and must be in no error.
const marked = "marked4711"

// contract is what a service is documented to do, written down apart from the rows.
type contract struct {
	name string
	url  string // the parameter, of those that have one

	host, whose    string // "GET /me"
	header, scheme string
	accept         string // what is to be asked for; anything if empty
	list           string // the call that lists the tokens of everybody here
	live           string // the answer about a token that is alive
	dead           int
	deadly         string // the answer about one that has ended
	unknown        string // about one that never was; as deadly if empty
	wrongCode      string // what is made of that, where it does not mean dead
	code           string // what is made of deadly

	endHost, end string                                                     // with {token} and {id} for the token's
	shows        func(r *http.Request, body string) (token string, ok bool) // nil if it is as for whose
	done         int
	ended        string
	gone         int // what is answered to ending what is dead
	goneBody     string

	who provider.Identity
}

func inJSON(field string) func(*http.Request, string) (string, bool) {
	return func(r *http.Request, body string) (string, bool) {
		var b map[string]any
		if json.Unmarshal([]byte(body), &b) != nil || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Authorization") != "" || len(b) != 1 {
			return "", false
		}
		if list, ok := b[field].([]any); ok && len(list) == 1 {
			return fmt.Sprint(list[0]), true
		}
		text, ok := b[field].(string)
		return text, ok
	}
}

// inBoth is a token in the body, and in the header.
func inBoth(field string) func(*http.Request, string) (string, bool) {
	return func(r *http.Request, body string) (string, bool) {
		bearer := r.Header.Get("Authorization")
		r.Header.Del("Authorization")
		token, ok := inJSON(field)(r, body)
		return token, ok && bearer == "Bearer "+token
	}
}

func inForm(bearer bool, client string) func(*http.Request, string) (string, bool) {
	return func(r *http.Request, body string) (string, bool) {
		v, err := url.ParseQuery(body)
		ok := err == nil && r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" && v.Get("client_id") == client
		if bearer {
			ok = ok && r.Header.Get("Authorization") == "Bearer "+v.Get("token")
		}
		return v.Get("token"), ok
	}
}

func contracts() []contract {
	return []contract{
		{
			name: "buildkite", host: "api.buildkite.com", whose: "GET /v2/access-token", scheme: "Bearer ",
			live: `{"uuid":"b63254c0","scopes":["write_builds","read_builds"],"description":"Development Token","user":{"email":"ada@example.com","name":"Ada"}}`,
			dead: 401, deadly: `{"message":"Authentication required. Please supply a valid API Access Token: https://buildkite.com/docs/apis/rest-api#authentication"}`,
			code: "401 Authentication required. Please supply a valid API Access Token",
			end:  "DELETE /v2/access-token", done: 204, gone: 401,
			who: provider.Identity{Account: "ada@example.com", ID: "b63254c0", Label: "Development Token", Scopes: []string{"read_builds", "write_builds"}},
		}, {
			name: "cratesio", url: "https://registry.example", host: "registry.example", whose: "GET /api/v1/me",
			live: `{"user":{"id":1,"login":"ada"},"owned_crates":[]}`, dead: 403, deadly: `{"errors":[{"detail":"authentication failed"}]}`, code: "403 authentication failed",
			end: "DELETE /api/v1/tokens/current", done: 204, gone: 403, who: provider.Identity{Account: "ada"},
		}, {
			name: "digitalocean", host: "api.digitalocean.com", whose: "GET /v2/account", scheme: "Bearer ",
			live: `{"account":{"email":"ada@example.com","uuid":"b6fr89db","status":"active","team":{"uuid":"5df3e300","name":"My Team"}}}`,
			dead: 401, deadly: `{"id":"Unauthorized","message":"Unable to authenticate you"}`, code: "401 Unauthorized",
			endHost: "cloud.digitalocean.com", end: "POST /v1/oauth/revoke", shows: inForm(true, ""), done: 200, ended: `{}`, gone: 401,
			who: provider.Identity{Account: "ada@example.com", Label: "My Team"},
		}, {
			name: "doppler", host: "api.doppler.com", whose: "GET /v3/me", scheme: "Bearer ",
			live: `{"slug":"0c5b","name":"production","type":"service_token","token_preview":"dp.st.dev…","workplace":{"name":"Acme","slug":"acme"}}`,
			dead: 401, deadly: `{"messages":["Invalid Auth token"],"success":false}`, code: "401 Invalid Auth token",
			end: "POST /v3/auth/revoke", shows: inJSON("token"), done: 200, gone: 400, goneBody: `{"messages":["no such token"],"success":false}`,
			who: provider.Identity{Account: "Acme", ID: "0c5b", Label: "production"},
		}, {
			name: "fastly", host: "api.fastly.com", whose: "GET /tokens/self", header: "Fastly-Key",
			live: `{"id":"5Yo3XXnrQpjc20u0ybrf2g","user_id":"4y5K5trZocEAQYkesWlk7M","name":"ci","scope":"purge_all","services":[],"expires_at":"2027-01-02T15:04:05Z"}`,
			dead: 401, deadly: `{"msg":"Provided credentials are missing or invalid"}`, code: "401 Provided credentials are missing or invalid",
			end: "DELETE /tokens/self", done: 204, gone: 401,
			who: provider.Identity{Account: "4y5K5trZocEAQYkesWlk7M", ID: "5Yo3XXnrQpjc20u0ybrf2g", Label: "ci", Scopes: []string{"purge_all"}, Expires: newYear},
		}, {
			name: "heroku", host: "api.heroku.com", whose: "GET /account", scheme: "Bearer ", accept: "application/vnd.heroku+json; version=3",
			live: `{"id":"01234567","email":"ada@example.com","name":"Ada"}`,
			dead: 401, deadly: `{"id":"unauthorized","message":"Invalid credentials provided."}`, code: "401 unauthorized",
			list: "GET /oauth/authorizations",
			end:  "DELETE /oauth/authorizations/{id}", done: 200, ended: `{"id":"1","description":"ci"}`, gone: 401, who: provider.Identity{Account: "ada@example.com"},
		}, {
			name: "huggingface", host: "huggingface.co", whose: "GET /api/whoami-v2", scheme: "Bearer ",
			live: `{"type":"user","name":"ada","auth":{"type":"access_token","accessToken":{"displayName":"ci","role":"read"},"expiresAt":"2027-01-02T15:04:05.000Z"}}`,
			dead: 401, deadly: `{"error":"Invalid credentials in Authorization header"}`, code: "401 Invalid credentials in Authorization header",
			end: "POST /api/credentials/revoke", shows: inJSON("credentials"), done: 202, gone: 202,
			who: provider.Identity{Account: "ada", Label: "ci", Scopes: []string{"read"}, Expires: newYear},
		}, {
			name: "npm", url: "https://npm.example", host: "npm.example", whose: "GET /-/whoami", scheme: "Bearer ",
			live: `{"username":"ada"}`, dead: 401, deadly: `{"error":"whatever it says"}`, code: "401",
			end: "DELETE /-/user/token/{token}", done: 200, ended: `{}`, gone: 401, who: provider.Identity{Account: "ada"},
		}, {
			name: "okta-token", url: "https://acme.okta.com", host: "acme.okta.com", whose: "GET /api/v1/users/me", scheme: "SSWS ",
			live: `{"id":"00u1","status":"ACTIVE","profile":{"login":"ada@example.com"}}`,
			dead: 401, deadly: `{"errorCode":"E0000011","errorSummary":"Invalid token provided","errorCauses":[]}`, code: "401 E0000011",
			end: "DELETE /api/v1/api-tokens/current", done: 204, gone: 401, who: provider.Identity{Account: "ada@example.com"},
		}, {
			name: "openbao-token", url: "https://bao.example", host: "bao.example", whose: "GET /v1/auth/token/lookup-self", header: "X-Vault-Token",
			live: `{"data":{"accessor":"8609694a","display_name":"token-ci","entity_id":"","expire_time":"2027-01-02T15:04:05.000Z","policies":["default","ci"]}}`,
			dead: 403, deadly: `{"errors":["permission denied"]}`, code: "403",
			end: "POST /v1/auth/token/revoke-self", done: 204, gone: 403,
			who: provider.Identity{ID: "8609694a", Label: "token-ci", Scopes: []string{"ci", "default"}, Expires: newYear},
		}, {
			name: "perplexity", host: "api.perplexity.ai", whose: "GET /v1/async/sonar", scheme: "Bearer ",
			live: `{"requests":[],"next_token":null}`, dead: 401, deadly: `<html><center><h1>401 Authorization Required</h1></center></html>`, code: "401",
			end: "POST /revoke_auth_token", shows: inBoth("auth_token"), done: 200, gone: 401,
		}, {
			name: "slack", host: "slack.com", whose: "POST /api/auth.test", scheme: "Bearer ",
			live: `{"ok":true,"url":"https://acme.slack.com/","team":"Acme","user":"bot","team_id":"T12345678","user_id":"W12345678"}`,
			dead: 200, deadly: `{"ok":false,"error":"token_revoked"}`, code: "200 token_revoked",
			unknown: `{"ok":false,"error":"invalid_auth"}`, wrongCode: "200 invalid_auth",
			end: "POST /api/auth.revoke", done: 200, ended: `{"ok":true,"revoked":true}`, gone: 200,
			who: provider.Identity{Account: "https://acme.slack.com/", Label: "bot"},
		}, {
			name: "twitch", host: "id.twitch.tv", whose: "GET /oauth2/validate", scheme: "OAuth ",
			live: `{"client_id":"client7","login":"ada","scopes":["chat:read","chat:edit"],"user_id":"1","expires_in":5520838}`,
			dead: 401, deadly: `{"status":401,"message":"invalid access token"}`, code: "401 invalid access token",
			end: "POST /oauth2/revoke", shows: inForm(false, "client7"), done: 200, gone: 400, goneBody: `{"status":400,"message":"Invalid token"}`,
			who: provider.Identity{Account: "ada", Label: "client7", Scopes: []string{"chat:edit", "chat:read"}},
		}, {
			name: "vault-token", url: "https://vault.example", host: "vault.example", whose: "GET /v1/auth/token/lookup-self", header: "X-Vault-Token",
			live: `{"data":{"accessor":"8609694a","display_name":"token-ci","entity_id":"","expire_time":"2027-01-02T15:04:05.000Z","policies":["default","ci"]}}`,
			dead: 403, deadly: `{"errors":["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"]}`, code: "403 2 errors occurred",
			end: "POST /v1/auth/token/revoke-self", done: 204, gone: 403,
			who: provider.Identity{ID: "8609694a", Label: "token-ci", Scopes: []string{"ci", "default"}, Expires: newYear},
		}, {
			name: "vercel", host: "api.vercel.com", whose: "GET /v2/user", scheme: "Bearer ",
			live: `{"user":{"id":"u1","email":"ada@example.com","username":"ada"}}`,
			dead: 403, deadly: `{"error":{"code":"forbidden","message":"Not authorized","invalidToken":true}}`, code: "403 invalidToken",
			end: "DELETE /v3/user/tokens/current", done: 200, ended: `{"tokenId":"5d9f2ebd"}`, gone: 403, who: provider.Identity{Account: "ada"},
		},
	}
}

// fake keeps a contract. What it says in refusals repeats the token.
type fake struct {
	contract
	mu       sync.Mutex
	tokens   map[string]bool // whether they are alive
	asked    []string
	unlisted bool // the list has not the token that asks
	masked   int  // how much of each end of a token the list shows; all of it if negative
	answer   func(http.ResponseWriter, *http.Request) bool
}

// serve starts a fake, and returns the address that it listens on.
func serve(t *testing.T, c contract) (*fake, string) {
	if c.header == "" {
		c.header = "Authorization"
	}
	if c.endHost == "" {
		c.endHost = c.host
	}
	f := &fake{contract: c, tokens: map[string]bool{}, masked: -1}
	s := httptest.NewServer(providertest.Recorded(t, f))
	t.Cleanup(s.Close)
	return f, strings.TrimPrefix(s.URL, "http://")
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	call := r.Method + " " + r.URL.Path
	f.asked = append(f.asked, call)
	if f.answer != nil && f.answer(w, r) {
		return
	}
	b, _ := io.ReadAll(r.Body)
	token, ok := strings.CutPrefix(r.Header.Get(f.header), f.scheme)
	say := func(status int, body string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if status != http.StatusNoContent {
			io.WriteString(w, strings.Replace(body, "}", `,"seen":"`+token+`"}`, 1))
		}
	}
	refuse := func() {
		if _, known := f.tokens[token]; !known && f.unknown != "" {
			say(f.dead, f.unknown)
			return
		}
		say(f.dead, f.deadly)
	}
	switch {
	case r.UserAgent() != "keywright" || r.URL.RawQuery != "" || f.accept != "" && r.Header.Get("Accept") != f.accept:
		say(400, `{"message":"who are you?"}`)
	case call == f.whose && r.Host == f.host && len(b) == 0:
		if !ok || !f.tokens[token] {
			refuse()
			return
		}
		say(200, f.live)
	case call == f.list && r.Host == f.host:
		if !ok || !f.tokens[token] {
			refuse()
			return
		}
		io.WriteString(w, f.listed(token))
	case f.ends(call, token) && r.Host == f.endHost:
		if f.shows != nil {
			token, ok = f.shows(r, string(b))
		} else {
			ok = ok && len(b) == 0
		}
		switch {
		case !ok:
			say(400, `{"message":"not as documented"}`)
		case !f.tokens[token] && f.goneBody != "":
			say(f.gone, f.goneBody)
		case !f.tokens[token] && f.gone != f.done || !f.tokens[token] && f.dead == f.done:
			refuse()
		default:
			if _, known := f.tokens[token]; known {
				f.tokens[token] = false
			}
			w.WriteHeader(f.done)
			io.WriteString(w, f.ended)
		}
	default:
		say(404, `{"message":"no such call"}`)
	}
}

// ends reports whether a call is the one that ends a token.
func (f *fake) ends(call, token string) bool {
	return strings.NewReplacer("{token}", token, "{id}", named(token)).Replace(f.end) == call
}

// named is what a token is called.
func named(token string) string { return fmt.Sprintf("id-%x", sha256.Sum256([]byte(token)))[:12] }

// listed is the list of all tokens that are alive, as it is shown to one.
func (f *fake) listed(to string) string {
	all := []map[string]any{{"id": "a-client-without-one", "access_token": nil}}
	for token, alive := range f.tokens {
		if alive && !(f.unlisted && token == to) {
			all = append(all, map[string]any{"id": named(token), "access_token": map[string]string{"id": "other", "token": f.shown(token)}})
		}
	}
	b, _ := json.Marshal(all)
	return string(b)
}

// shown is what the list shows of a token.
func (f *fake) shown(token string) string {
	if f.masked < 0 {
		return token
	}
	return token[:f.masked] + "**********" + token[len(token)-f.masked:]
}

// at is the provider of a name, with all calls led to an address.
func at(t *testing.T, name, addr string) provider.Provider {
	for _, p := range bearer.All(&http.Client{Transport: providertest.Detour(addr)}) {
		if p.Info().Name == name {
			return p
		}
	}
	t.Fatal("there is no", name)
	return nil
}

func (c contract) credential(token string) provider.Credential {
	made := provider.Credential{Parts: map[string]secret.Value{"value": secret.New([]byte(token))}}
	if c.url != "" {
		made.Params = map[string]string{"url": c.url}
	}
	return made
}
