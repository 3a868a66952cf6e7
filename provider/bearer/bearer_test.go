package bearer_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/bearer"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/scan/rules"
	"github.com/keywright/keywright/secret"
)

var newYear = time.Date(2027, 1, 2, 15, 4, 5, 0, time.UTC)

// quiet fails unless an error is of this kind, and shows no token.
func quiet(t *testing.T, err error, kind provider.Kind) {
	t.Helper()
	var e *provider.Error
	if !errors.As(err, &e) || e.Kind != kind {
		t.Fatalf("%v, want %s", err, kind)
	}
	for err := error(e); err != nil; err = errors.Unwrap(err) {
		if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, marked) {
			t.Errorf("it shows the token: %s", text)
		}
	}
}

// each runs a test against every service's fake, with a token that is alive.
func each(t *testing.T, test func(t *testing.T, f *fake, p provider.Provider, c provider.Credential)) {
	for _, c := range contracts() {
		t.Run(c.name, func(t *testing.T) {
			f, addr := serve(t, c)
			f.tokens[marked] = true
			test(t, f, at(t, c.name, addr), c.credential(marked))
		})
	}
}

// TestAll: there is a fake of each, and the other way round.
func TestAll(t *testing.T) {
	var names, faked []string
	for _, p := range bearer.All(nil) {
		names = append(names, p.Info().Name)
	}
	for _, c := range contracts() {
		faked = append(faked, c.name)
	}
	if !slices.Equal(names, faked) || !slices.IsSorted(names) {
		t.Errorf("%v, and fakes of %v", names, faked)
	}
}

func TestConformance(t *testing.T) {
	for _, c := range contracts() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, addr := serve(t, c)
			made := 0
			providertest.Provider(t, providertest.Subject{
				Provider: at(t, c.name, addr),
				New: func(*testing.T) provider.Credential {
					f.mu.Lock()
					defer f.mu.Unlock()
					made++
					token := fmt.Sprint(marked, "number", made)
					f.tokens[token] = true
					return c.credential(token)
				},
				Accepts: func(_ *testing.T, c provider.Credential) bool {
					f.mu.Lock()
					defer f.mu.Unlock()
					return f.tokens[string(c.Part("value").Reveal())]
				},
				DeadCode: c.code, WrongCode: c.wrongCode, Addr: addr,
				At: func(addr string, made provider.Credential) (provider.Provider, provider.Credential) {
					return at(t, c.name, addr), made
				},
			})
		})
	}
}

// TestVerify: who a token is of is read as it is documented.
func TestVerify(t *testing.T) {
	each(t, func(t *testing.T, f *fake, p provider.Provider, c provider.Credential) {
		want := provider.Probe{State: provider.Alive, Code: "200", Who: f.who}
		if got, err := p.(provider.Verifier).Verify(t.Context(), c); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	})
}

// TestVerifyRefusals: nothing but the service's own code is dead, whatever the status.
func TestVerifyRefusals(t *testing.T) {
	for _, c := range []struct {
		name, body string
		status     int
		want       provider.State
		kind       provider.Kind // of the error, if it is one
	}{
		{"a proxy wants a password", `<html>` + marked, 401, provider.Unknown, ""},
		{"forbidden by a firewall", `<html>` + marked, 403, provider.Unknown, ""},
		{"refused in other words", `{"message":"` + marked + `","error":{"code":"` + marked + `"}}`, 401, provider.Unknown, ""},
		{"forbidden in other words", `{"errors":[{"detail":"` + marked + `"}]}`, 403, provider.Unknown, ""},
		{"too often", `{"message":"` + marked + `"}`, 429, provider.Throttled, ""},
		{"another service", `{"message":"` + marked + `"}`, 404, provider.Unknown, ""},
		{"down", marked, 500, "", provider.Unclear},
		{"moved", "", 301, "", provider.Refused},
		{"a page", `<html>` + marked, 200, "", provider.Malformed},
		{"nobody's", `{"account":{},"user":{},"seen":"` + marked + `"}`, 200, "", provider.Malformed},
		{"an object that is a list", `[]`, 200, "", provider.Malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, func(t *testing.T, f *fake, p provider.Provider, one provider.Credential) {
				f.answer = func(w http.ResponseWriter, _ *http.Request) bool {
					w.Header().Set("Location", "https://example.com/"+marked)
					w.WriteHeader(c.status)
					io.WriteString(w, c.body)
					return true
				}
				got, err := p.(provider.Verifier).Verify(t.Context(), one)
				if c.kind != "" {
					quiet(t, err, c.kind)
					return
				}
				if err != nil || got.State != c.want || strings.Contains(got.Code, marked) {
					t.Errorf("%+v, %v; want %s", got, err, c.want)
				}
			})
		})
	}
}

// TestNarrow: a crate's token that may not ask whose it is was looked at before.
func TestNarrow(t *testing.T) {
	for _, c := range contracts() {
		if c.name != "cratesio" {
			continue
		}
		for _, words := range []string{"this action can only be performed on the registry's website", "this token does not have the required permissions to perform this action"} {
			f, addr := serve(t, c)
			f.answer = func(w http.ResponseWriter, _ *http.Request) bool {
				w.WriteHeader(403)
				fmt.Fprintf(w, `{"errors":[{"detail":%q}]}`, words)
				return true
			}
			p := at(t, c.name, addr)
			if got, err := p.(provider.Verifier).Verify(t.Context(), c.credential(marked)); err != nil || got.State != provider.Narrow {
				t.Errorf("%s: %+v, %v", words, got, err)
			}
			// And one that may not end itself has not ended.
			quiet(t, p.(provider.Revoker).Revoke(t.Context(), provider.Credential{}, c.credential(marked), provider.Credential{}), provider.Forbidden)
		}
	}
}

// TestRevokeRefusals: what is not done is not called done, for a token that is alive.
func TestRevokeRefusals(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		kind   provider.Kind
	}{
		{401, `{"message":"` + marked + `"}`, provider.Forbidden},
		{403, `<html>` + marked, provider.Forbidden},
		{404, `{"seen":"` + marked + `"}`, provider.Refused},
		{429, `{}`, provider.Busy},
		{500, marked, provider.Unclear},
		{301, marked, provider.Refused},
		{206, `{"ok":true,"seen":"` + marked + `"}`, provider.Malformed},
	} {
		t.Run(fmt.Sprint(c.status), func(t *testing.T) {
			each(t, func(t *testing.T, f *fake, p provider.Provider, one provider.Credential) {
				f.answer = func(w http.ResponseWriter, r *http.Request) bool {
					if !f.ends(r.Method+" "+r.URL.Path, marked) || f.end == f.whose {
						return false
					}
					w.WriteHeader(c.status)
					io.WriteString(w, c.body)
					return true
				}
				quiet(t, p.(provider.Revoker).Revoke(t.Context(), one, one, provider.Credential{}), c.kind)
			})
		})
	}
}

// TestListed: of a list, the token that shows itself in it is taken, and none that could be
// another.
func TestListed(t *testing.T) {
	twin := marked[:4] + "of another kind" + marked[6:]
	for _, c := range contracts() {
		if c.list == "" {
			continue
		}
		for _, tt := range []struct {
			name   string
			masked int
			live   []string // besides
			absent bool
			kind   provider.Kind // empty if it is ended
		}{
			{"whole", -1, []string{"HRKU-AAother", twin}, false, ""},
			{"in part", 4, []string{"HRKU-AAother"}, false, ""},
			{"in too small a part", 2, nil, false, provider.Refused},
			{"in part, as another", 4, []string{twin}, false, provider.Refused},
			{"not", -1, []string{"HRKU-AAother"}, true, provider.Refused},
		} {
			t.Run(tt.name, func(t *testing.T) {
				f, addr := serve(t, c)
				f.masked, f.tokens[marked], f.unlisted = tt.masked, true, tt.absent
				for _, token := range tt.live {
					f.tokens[token] = true
				}
				p, one := at(t, c.name, addr), c.credential(marked)
				err := p.(provider.Revoker).Revoke(t.Context(), one, one, provider.Credential{})
				if tt.kind != "" {
					quiet(t, err, tt.kind)
				} else if err != nil {
					t.Error(err)
				}
				if f.tokens[marked] != (tt.kind != "") {
					t.Errorf("it is alive: %v", f.tokens[marked])
				}
				for _, token := range tt.live {
					if !f.tokens[token] {
						t.Errorf("%s was ended", token)
					}
				}
			})
		}
	}
}

// TestSlackSaysNo: the status alone says nothing at Slack.
func TestSlackSaysNo(t *testing.T) {
	for _, c := range contracts() {
		if c.name != "slack" {
			continue
		}
		f, addr := serve(t, c)
		f.tokens[marked] = true
		p := at(t, c.name, addr)
		f.ended = `{"ok":true,"revoked":false}`
		f.answer = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/api/auth.revoke" {
				io.WriteString(w, f.ended)
			}
			return r.URL.Path == "/api/auth.revoke"
		}
		one := c.credential(marked)
		quiet(t, p.(provider.Revoker).Revoke(t.Context(), one, one, provider.Credential{}), provider.Refused)
	}
}

// TestRecognize: the rules exist, their samples are taken, and what else they find is not.
func TestRecognize(t *testing.T) {
	known := map[string]bool{}
	for _, r := range rules.All() {
		known[r.ID] = true
	}
	recognized := map[string][]string{ // by whom, and how they may begin
		"buildkite-token": {"buildkite", "bkua_"}, "crates-io-token": {"cratesio", "cio"}, "digitalocean-token": {"digitalocean", "dop_v1_", "doo_v1_"},
		"doppler-token": {"doppler", "dp.st.", "dp.pt."}, "fastly-token": {"fastly", ""}, "heroku-token": {"heroku", "HRKU-AA"}, "heroku-api-key": {"heroku", ""},
		"huggingface-token": {"huggingface", "hf_"}, "huggingface-organization-token": {"huggingface", "api_org_"}, "npm-token": {"npm", "npm_"},
		"okta-token": {"okta-token", "00"}, "perplexity-api-key": {"perplexity", "pplx-"},
		"slack-bot-token": {"slack", "xoxb-"}, "slack-user-token": {"slack", "xoxp-"}, "slack-legacy-token": {"slack", "xoxa-"},
		"twitch-chat-password": {"twitch", ""}, "vault-service-token": {"vault-token", "hvs."}, "vault-token-legacy": {"openbao-token", "s."},
		"vercel-token": {"vercel", "vcp_"}, "vercel-token-legacy": {"vercel", ""},
	}
	others := map[string][]string{
		"buildkite-token": {"bkct_"}, "digitalocean-token": {"dor_v1_"}, "doppler-token": {"dp.scim."}, "vercel-token": {"vck_", "vcr_"},
		"slack-webhook": {""}, "slack-signing-secret": {""}, "twitch-secret": {""}, "vault-batch-token": {"hvb."}, "github-pat": {"ghp_"},
	}
	takes := func(rule, begin string) (by []string) {
		for _, p := range bearer.All(nil) {
			c, ok := p.(provider.Recognizer).Recognize(rule, map[string]secret.Value{"secret": secret.New([]byte(begin + marked))})
			if ok {
				by = append(by, p.Info().Name)
				if string(c.Part("value").Reveal()) != begin+marked || len(c.Params) > 0 {
					t.Errorf("%s: another token", rule)
				}
			}
		}
		return by
	}
	for rule, begins := range recognized {
		for _, b := range begins[1:] {
			if by := takes(rule, b); !slices.Equal(by, begins[:1]) || !known[rule] {
				t.Errorf("%s %s is taken by %v", rule, b, by)
			}
		}
	}
	for rule, begins := range others {
		for _, b := range begins {
			if by := takes(rule, b); by != nil || !known[rule] {
				t.Errorf("%s %s is taken by %v", rule, b, by)
			}
		}
	}
}

// TestAddress: where the address is a parameter, nothing is asked without.
func TestAddress(t *testing.T) {
	each(t, func(t *testing.T, f *fake, p provider.Provider, c provider.Credential) {
		if (len(p.Info().Params) > 0) != (f.url != "") {
			t.Errorf("parameters: %v", p.Info().Params)
		}
		if f.url == "" {
			return
		}
		c.Params = nil
		_, err := p.(provider.Verifier).Verify(t.Context(), c)
		quiet(t, err, provider.Incomplete)
		quiet(t, p.(provider.Revoker).Revoke(t.Context(), c, c, c), provider.Incomplete)
		if len(f.asked) > 0 {
			t.Error("it asked", f.asked)
		}
	})
}

func TestGuide(t *testing.T) {
	each(t, func(t *testing.T, _ *fake, p provider.Provider, c provider.Credential) {
		s := p.(provider.Guide).Guide(c)
		if len(s.Issue) == 0 || len(s.Revoke) == 0 || strings.Contains(fmt.Sprint(s), marked) {
			t.Error(s)
		}
		for _, at := range []string{s.IssueAt, s.RevokeAt} {
			if at != "" && !strings.HasPrefix(at, "https://") {
				t.Error(at)
			}
		}
	})
}

// TestVaultIsNotSure: what is said of a token that may not do something, and by OpenBao of one
// that has ended, too, is no death; nor is another pair of errors.
func TestVaultIsNotSure(t *testing.T) {
	for _, c := range contracts() {
		if c.name != "vault-token" {
			continue
		}
		for _, words := range []string{"permission denied", "1 error occurred:\n\t* permission denied\n\n", "2 errors occurred:\n\t* permission denied\n\t* something else\n\n"} {
			f, addr := serve(t, c)
			f.answer = func(w http.ResponseWriter, _ *http.Request) bool {
				w.WriteHeader(403)
				json.NewEncoder(w).Encode(map[string][]string{"errors": {words}})
				return true
			}
			p := at(t, c.name, addr)
			if got, err := p.(provider.Verifier).Verify(t.Context(), c.credential(marked)); err != nil || got.State != provider.Unknown {
				t.Errorf("%q: %+v, %v", words, got, err)
			}
			quiet(t, p.(provider.Revoker).Revoke(t.Context(), provider.Credential{}, c.credential(marked), provider.Credential{}), provider.Forbidden)
		}
	}
}
