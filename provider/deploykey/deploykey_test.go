package deploykey_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/deploykey"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/secret"
)

var (
	_ provider.Verifier = (*deploykey.Provider)(nil)
	_ provider.Lister   = (*deploykey.Provider)(nil)
	_ provider.Planner  = (*deploykey.Provider)(nil)
	_ provider.Maker    = (*deploykey.Provider)(nil)
	_ provider.Revoker  = (*deploykey.Provider)(nil)
)

func TestConformance(t *testing.T) {
	f := serve(t)
	subject := providertest.Subject{
		Provider: deploykey.New(nil),
		Admin:    token(),
		New: func(t *testing.T) provider.Credential {
			c, _ := f.add(t, true)
			return c
		},
		Accepts: func(t *testing.T, c provider.Credential) bool {
			s, err := ssh.ParsePrivateKey(c.Part("value").Reveal())
			return err == nil && f.lists(s.PublicKey())
		},
		Wrong: func(c provider.Credential, part string) provider.Credential {
			_, private := signer(t)
			c.Parts = map[string]secret.Value{part: private}
			return c
		},
		DeadCode: "publickey",
		ByID:     true,
		Wire:     true,
		Addr:     f.addr,
		At: func(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
			c.Params = f.params(addr)
			return deploykey.New(nil), c
		},
	}
	providertest.Provider(t, subject)
	subject.At = func(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
		c.Params = f.params(f.addr)
		c.Params["url"] = "http://" + addr
		return deploykey.New(nil), c
	}
	t.Run("answers", func(t *testing.T) { providertest.Answers(t, subject) })
}

func TestVerify(t *testing.T) {
	other, _ := signer(t)
	for _, c := range []struct {
		name   string
		change func(f *fake, c *provider.Credential)
		want   provider.State // empty for an error
		kind   provider.Kind
		who    string
	}{
		{"in", func(*fake, *provider.Credential) {}, provider.Alive, "", "team/app"},
		{"in, with other words", func(f *fake, _ *provider.Credential) { f.greeting = "Hi \x1b[31m! You've successfully authenticated" }, provider.Alive, "", ""},
		{"in, with many words", func(f *fake, _ *provider.Credential) { f.greeting = strings.Repeat("x", 100000) }, provider.Alive, "", ""},
		{"one of several fingerprints", func(f *fake, c *provider.Credential) {
			c.Params["host_key"] = ssh.FingerprintSHA256(other.PublicKey()) + ", " + c.Params["host_key"]
		}, provider.Alive, "", "team/app"},
		{"removed", func(f *fake, _ *provider.Credential) { f.keys = nil }, provider.Dead, "", ""},
		{"another host", func(f *fake, _ *provider.Credential) { f.host = other }, "", provider.Unreached, ""},
		{"another host that refuses", func(f *fake, _ *provider.Credential) { f.host, f.keys = other, nil }, "", provider.Unreached, ""},
		{"no keys are taken", func(f *fake, _ *provider.Credential) { f.password = true }, "", provider.Unreached, ""},
		{"no fingerprint", func(f *fake, c *provider.Credential) { delete(c.Params, "host_key") }, "", provider.Incomplete, ""},
		{"no port", func(f *fake, c *provider.Credential) { c.Params["ssh"] = "github.com" }, "", provider.Incomplete, ""},
		{"no key", func(f *fake, c *provider.Credential) {
			c.Parts = map[string]secret.Value{"value": secret.New([]byte(providertest.Marked))}
		}, "", provider.Incomplete, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := serve(t)
			key, _ := f.add(t, true)
			c.change(f, &key)
			got, err := deploykey.New(nil).Verify(t.Context(), key)
			if c.want == "" {
				providertest.Quiet(t, err, c.kind)
			} else if err != nil || got.State != c.want || got.Who.Account != c.who {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(f *fake, k *fakeKey, c *provider.Credential)
		kind   provider.Kind
		says   string
	}{
		{"may", func(*fake, *fakeKey, *provider.Credential) {}, "", "as long as the token"},
		{"writes", func(_ *fake, k *fakeKey, _ *provider.Credential) { k.readOnly = false }, "", "may write"},
		{"fine-grained", func(f *fake, _ *fakeKey, _ *provider.Credential) { f.scopes = "" }, "", "cannot be asked"},
		{"no scope", func(f *fake, _ *fakeKey, _ *provider.Credential) { f.scopes = "read:org, gist" }, provider.Forbidden, "scope repo"},
		{"no administrator", func(f *fake, _ *fakeKey, _ *provider.Credential) { f.admin = false }, provider.Forbidden, ""},
		{"archived", func(f *fake, _ *fakeKey, _ *provider.Credential) { f.archived = true }, provider.Refused, "archived"},
		{"disabled", func(_ *fake, k *fakeKey, _ *provider.Credential) { k.disabled = true }, provider.Refused, "policy"},
		{"not there", func(f *fake, _ *fakeKey, _ *provider.Credential) { f.keys = nil }, provider.Refused, "SHA256:"},
		{"another repository", func(_ *fake, _ *fakeKey, c *provider.Credential) { c.Params["repo"] = "team/other" }, provider.Refused, "404"},
		{"no repository", func(_ *fake, _ *fakeKey, c *provider.Credential) { c.Params["repo"] = "team/app?x=" }, provider.Incomplete, "OWNER/NAME"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := serve(t)
			key, k := f.add(t, true)
			c.change(f, k, &key)
			got, err := deploykey.New(nil).Plan(t.Context(), token(), key)
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

// The new key may write only if the old one may.
func TestParity(t *testing.T) {
	for _, readOnly := range []bool{true, false} {
		f := serve(t)
		p := deploykey.New(nil)
		old, k := f.add(t, readOnly)
		next, err := p.Make(t.Context(), old)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Apply(t.Context(), token(), old, next); err != nil {
			t.Fatal(err)
		}
		if got := f.keys[1]; got.readOnly != readOnly || got.title != k.title {
			t.Errorf("%+v", got)
		}
		f.keys[1].readOnly = false
		err = p.Apply(t.Context(), token(), old, next)
		if readOnly {
			providertest.Quiet(t, err, provider.Refused)
		} else if err != nil {
			t.Error(err)
		}
	}
}

func TestApplyRefused(t *testing.T) {
	f := serve(t)
	p := deploykey.New(nil)
	old, _ := f.add(t, true)
	next, err := p.Make(t.Context(), old)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := ssh.ParsePrivateKey(next.Part("value").Reveal())
	f.elsewise = []string{line(s)}
	providertest.Quiet(t, p.Apply(t.Context(), token(), old, next), provider.Refused)
	f.keys = nil
	providertest.Quiet(t, p.Apply(t.Context(), token(), old, next), provider.Refused)
	if n := f.Count("POST "); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// What went wrong at the last step of adding may have happened, or not.
func TestApplyUnclear(t *testing.T) {
	f := serve(t)
	p := deploykey.New(nil)
	old, _ := f.add(t, true)
	next, err := p.Make(t.Context(), old)
	if err != nil {
		t.Fatal(err)
	}
	f.Answer = func(w http.ResponseWriter, r *http.Request, done func()) bool {
		if r.Method != http.MethodPost {
			return false
		}
		done()
		w.WriteHeader(502)
		return true
	}
	providertest.Quiet(t, p.Apply(t.Context(), token(), old, next), provider.Unclear)
	if err := p.Apply(t.Context(), token(), old, next); err != nil || f.Count("POST ") != 1 || len(f.keys) != 2 {
		t.Errorf("%v, %d keys", err, len(f.keys))
	}
}

func TestThrottled(t *testing.T) {
	f := serve(t)
	old, _ := f.add(t, true)
	f.Answer = func(w http.ResponseWriter, _ *http.Request, _ func()) bool {
		w.Header().Set("X-RateLimit-Remaining", "0")
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(403)
		return true
	}
	err := deploykey.New(nil).Revoke(t.Context(), token(), old, provider.Credential{})
	if e := providertest.Quiet(t, err, provider.Busy); e.After == 0 {
		t.Error("it does not say for how long")
	}
}

// A key on another page is there, too.
func TestPages(t *testing.T) {
	f := serve(t)
	f.page = 2
	var all []provider.Credential
	for range 5 {
		c, _ := f.add(t, true)
		all = append(all, c)
	}
	got, err := deploykey.New(nil).List(t.Context(), token(), all[0])
	if err != nil || len(got) != 5 || got[4].ID != all[4].ID || !slices.Equal(got[4].Scopes, []string{"read"}) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := deploykey.New(nil).Revoke(t.Context(), token(), all[4], all[0]); err != nil || len(f.keys) != 4 {
		t.Error(errors.Join(err, errors.New("not the last one")))
	}
	providertest.Quiet(t, deploykey.New(nil).Revoke(t.Context(), token(), all[0], all[0]), provider.Refused)
}
