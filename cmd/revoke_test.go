package cmd

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/secret"
)

// issuer is a provider of one token, which may survive its end.
type issuer struct {
	alive    bool
	immortal bool
	coy      bool // it does not say whether it is alive
	weak     bool // it may not end itself
	busy     int  // times that it wants to be left alone, each call
	after    time.Duration
	asked    map[string]int
	mute     bool // it refuses what is dead as it refuses others
	revoked  int
}

func (i *issuer) Info() provider.Info {
	return provider.Info{Name: "issuer", Parts: []provider.Part{{Name: "token"}}, Revoking: "Its owner is told.", Mute: i.mute}
}

// throttled reports whether a call comes too early.
func (i *issuer) throttled(call string) bool {
	if i.asked == nil {
		i.asked = map[string]int{}
	}
	i.asked[call]++
	return i.asked[call] <= i.busy
}

func (i *issuer) Verify(context.Context, provider.Credential) (provider.Probe, error) {
	if i.throttled("verify") {
		return provider.Probe{State: provider.Throttled, Code: "429", After: i.after}, nil
	}
	if i.revoked > 0 && i.throttled("watch") {
		return provider.Probe{}, &provider.Error{Provider: "issuer", Doing: "try it", Kind: provider.Busy, After: i.after}
	}
	if i.alive && i.coy {
		return provider.Probe{State: provider.Unknown, Code: "502"}, nil
	}
	if i.alive {
		return provider.Probe{State: provider.Alive, Code: "200", Who: provider.Identity{Account: "ada"}}, nil
	}
	if i.mute {
		return provider.Probe{State: provider.Unknown, Code: "401"}, nil
	}
	return provider.Probe{State: provider.Dead, Code: "401"}, nil
}

func (i *issuer) Revoke(_ context.Context, admin, c, _ provider.Credential) error {
	if string(c.Part("token").Reveal()) != "the-token" || string(admin.Part("token").Reveal()) != "the-token" {
		panic("another token")
	}
	if i.throttled("revoke") {
		return &provider.Error{Provider: "issuer", Doing: "end it", Kind: provider.Busy, Code: "429", After: i.after}
	}
	if i.weak {
		return &provider.Error{Provider: "issuer", Doing: "end it", Kind: provider.Forbidden}
	}
	i.revoked++
	i.alive = i.immortal
	return nil
}

// TestRevokeFinding: what is alive is revoked and seen dead; what is dead already is left
// alone; what goes on living is not called dead; and nothing shows the token.
func TestRevokeFinding(t *testing.T) {
	t.Setenv(envHome, t.TempDir())
	f := scan.Finding{Rule: &scan.Rule{ID: "a-rule", Title: "Token", Fix: "On its page."}, Fingerprint: "k1:1", Redacted: "th…", Places: make([]scan.Place, 2)}
	for _, c := range []struct {
		what    string
		p       *issuer
		says    string
		fails   bool
		revoked int
	}{
		{"alive", &issuer{alive: true}, "it is dead: refused 3 times: 401", false, 1},
		{"dead", &issuer{}, "takes it for no token that is valid (401); nothing was done", false, 0},
		{"never seen alive", &issuer{alive: true, coy: true}, "the provider says that it is done", true, 1},
		{"mute", &issuer{alive: true, mute: true}, "it is refused now: 401; others are refused so, too", false, 1},
		{"mute, and never seen alive", &issuer{mute: true}, "the provider says that it is done", true, 1},
		{"mute, and immortal", &issuer{alive: true, mute: true, immortal: true}, "the provider says that it is done", true, 1},
		{"weak", &issuer{alive: true, weak: true}, "alive", true, 0},
		{"immortal", &issuer{alive: true, immortal: true}, "the provider says that it is done", true, 1},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScreen()
				err := revokeFinding(t.Context(), &s.terminal, revokeOptions{yes: true}, f, c.p,
					provider.Credential{Parts: map[string]secret.Value{"token": secret.New([]byte("the-token"))}})
				if (err != nil) != c.fails || c.p.revoked != c.revoked {
					t.Errorf("error %v, revoked %d times", err, c.p.revoked)
				}
				out := s.stdout.String() + s.stderr.String()
				if told := strings.Contains(out, "Its owner is told."); told != (c.revoked > 0 || c.p.weak) {
					t.Errorf("what else is done is said: %v", told)
				}
				if _, hint, _ := explain(err); c.p.weak && hint != "On its page." {
					t.Errorf("%v: the hint %q", err, hint)
				}
				if !strings.Contains(out, c.says) || strings.Contains(out, "the-token") {
					t.Errorf("it says %q", out)
				}
			})
		})
	}
}

// TestRevokePatiently: a provider that says when it may be asked again is asked then if that
// is soon; if not, the error says when, and what to type.
func TestRevokePatiently(t *testing.T) {
	t.Setenv(envHome, t.TempDir())
	f := scan.Finding{Rule: &scan.Rule{ID: "a-rule", Title: "Token"}, Fingerprint: "k1:1", Redacted: "th…", Places: make([]scan.Place, 2)}
	for _, c := range []struct {
		what    string
		p       *issuer
		waits   time.Duration // all in all
		revoked int
		fails   string // a word of the error
		hint    bool
	}{
		{"soon", &issuer{alive: true, busy: 1, after: 30 * time.Second}, 94 * time.Second, 1, "", false},
		{"later", &issuer{alive: true, busy: 1, after: time.Hour}, 0, 0, "left alone (429)", true},
		{"soon, again and again", &issuer{alive: true, busy: 9, after: 50 * time.Second}, 100 * time.Second, 0, "left alone (429)", true},
		{"nobody knows when", &issuer{alive: true, busy: 1}, 0, 0, "throttled (429)", false},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, begun := newScreen(), time.Now()
				o := revokeOptions{yes: true, finding: "k1:1", params: []string{"url=https://a"}, path: "some/where"}
				err := revokeFinding(t.Context(), &s.terminal, o, f, c.p,
					provider.Credential{Parts: map[string]secret.Value{"token": secret.New([]byte("the-token"))}})
				if (err != nil) != (c.fails != "") || err != nil && !strings.Contains(err.Error(), c.fails) || c.p.revoked != c.revoked {
					t.Errorf("error %v, revoked %d times", err, c.p.revoked)
				}
				if d := time.Since(begun); d != c.waits {
					t.Errorf("it took %v, want %v", d, c.waits)
				}
				want := "not before " + moment(time.Now().Add(c.p.after)) + ": keywright revoke --finding k1:1 --param url=https://a some/where"
				if _, hint, _ := explain(err); (hint == want) != c.hint {
					t.Errorf("%v: the hint %q", err, hint)
				}
			})
		})
	}
	for _, after := range []time.Duration{time.Minute, time.Hour} { // when it is revoked
		synctest.Test(t, func(t *testing.T) {
			s, begun := newScreen(), time.Now()
			p := &issuer{revoked: 1, after: after, busy: 1, asked: map[string]int{"verify": 1}}
			err := watch(t.Context(), &s.terminal, p, provider.Credential{}, provider.Info{}, true, "keywright revoke --finding k1:1")
			_, hint, _ := explain(err)
			if soon := after < time.Hour; soon != (err == nil) || soon != (time.Since(begun) >= after) || !soon && !strings.HasPrefix(hint, "not before ") {
				t.Errorf("after %v: %v, hint %q, in %v", after, err, hint, time.Since(begun))
			}
		})
	}
}

// answers is a verifier that says one thing after the other, and then the last.
type answers struct {
	given []provider.State
	asked []time.Time
}

func (a *answers) Verify(context.Context, provider.Credential) (provider.Probe, error) {
	a.asked = append(a.asked, time.Now())
	s := a.given[min(len(a.asked), len(a.given))-1]
	if s == "" {
		return provider.Probe{}, errors.New("no route to host")
	}
	return provider.Probe{State: s, Code: "of " + string(s)}, nil
}

// TestWatch: what was revoked is dead when it was refused three times, one after the other
// and some time apart; what is accepted in between, or does not answer, begins that anew.
func TestWatch(t *testing.T) {
	const alive, dead, unknown = provider.Alive, provider.Dead, provider.Unknown
	for _, tt := range []struct {
		name   string
		given  []provider.State
		within time.Duration
		asked  int // 0: as often as there is time for
		apart  time.Duration
		says   string
		fails  string
	}{
		{"at once", []provider.State{dead}, 0, 3, 2 * time.Second, "refused 1 of 3 times: of dead; again in 2s\nrefused 2 of 3 times: of dead; again in 2s\nit is dead: refused 3 times: of dead\n", ""},
		{"late", []provider.State{alive, alive, dead}, time.Minute, 5, 7500 * time.Millisecond, "alive of alive; again in 7.5s\nrefused 1 of 3", ""},
		{"here and there", []provider.State{dead, dead, alive, dead, dead, unknown, dead, "", dead}, time.Hour, 11, 450 * time.Second, "it is dead", ""},
		{"late, and begun anew", []provider.State{alive, dead, alive}, 0, 3, 2 * time.Second, "refused 1 of 3", "it is not known to be dead: alive of alive"},
		{"never", []provider.State{alive}, time.Minute, 0, 7500 * time.Millisecond, "alive", "it is not known to be dead: alive of alive"},
		{"no answer", []provider.State{dead, dead, ""}, 0, 0, 2 * time.Second, "refused 2 of 3 times", "it is not known to be dead: no route to host"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, a, begun := newScreen(), &answers{given: tt.given}, time.Now()
				err := watch(t.Context(), &s.terminal, a, provider.Credential{}, provider.Info{Propagation: tt.within}, true, "")
				switch {
				case (err == nil) != (tt.fails == ""), err != nil && err.Error() != tt.fails:
					t.Errorf("error %v, want %q", err, tt.fails)
				case !strings.Contains(s.stdout.String(), tt.says):
					t.Errorf("it says %q", s.stdout.String())
				case strings.Contains(s.stdout.String(), "it is dead") != (err == nil):
					t.Errorf("error %v, and it says %q", err, s.stdout.String())
				case tt.asked > 0 && len(a.asked) != tt.asked:
					t.Errorf("asked %d times, want %d", len(a.asked), tt.asked)
				case err != nil && time.Since(begun) <= tt.within:
					t.Errorf("given up after %v", time.Since(begun))
				}
				for i := range a.asked[1:] {
					if d := a.asked[i+1].Sub(a.asked[i]); d != tt.apart {
						t.Errorf("asked again after %v", d)
					}
				}
			})
		})
	}
}

// TestPossessed: what a provider's rule finds beside its tokens is not sent to it.
func TestPossessed(t *testing.T) {
	for rule, want := range map[string]string{
		"github-pat": "github", "slack-bot-token": "slack", "huggingface-token": "huggingface",
		"gitlab-pat": "gitlab", "aws-access-key": "aws", "bybit-api-secret": "bybit",
		"slack-webhook": "", "slack-signing-secret": "", "okta-token": "okta-token", "npm-token": "npm", "stripe-secret-key": "", "sendgrid-api-key": "", "vault-service-token": "vault-token", "vault-token-legacy": "openbao-token", "no-such-rule": "",
	} {
		f := &scan.Finding{Rule: &scan.Rule{ID: rule, Provider: "slack"}, Secret: secret.New([]byte("xyz")), Parts: []scan.Part{{Role: "id", Redacted: "AKIA", Public: true}}}
		p, c, ok := possessed(providers(), f)
		if ok != (want != "") || ok && p.Info().Name != want {
			t.Errorf("%s: %v", rule, p)
			continue
		}
		if parts := partsAt(want); ok && (string(c.Part(parts[len(parts)-1]).Reveal()) != "xyz" || len(parts) == 2 && string(c.Part(parts[0]).Reveal()) != "AKIA") {
			t.Errorf("%s: another one", rule)
		}
		f.Secret = secret.Value{}
		if _, _, ok := possessed(providers(), f); ok {
			t.Errorf("%s: a finding without its secret", rule)
		}
	}
}

// TestPlace: where a key is accepted is said by the user, and what is no parameter is refused.
func TestPlace(t *testing.T) {
	for _, c := range []struct {
		name   string
		params []string
		want   map[string]string
		hint   string
	}{
		{"vault-token", []string{"url=https://vault.test"}, map[string]string{"url": "https://vault.test"}, ""},
		{"vault-token", nil, nil, "say it: --param url=…, the address of the server"},
		{"vault-token", []string{"url="}, nil, "docs/providers.md names those of vault-token"},
		{"vault-token", []string{"host=vault.test"}, nil, "docs/providers.md names those of vault-token"},
		{"gitlab", []string{"url=https://git.test"}, map[string]string{"url": "https://git.test", "kept": "yes"}, ""},
		{"gitlab", nil, map[string]string{"kept": "yes"}, ""},
		{"slack", []string{"url=https://slack.test"}, nil, "docs/providers.md names those of slack"},
	} {
		var cred provider.Credential
		if c.name == "gitlab" {
			cred.Params = map[string]string{"kept": "yes"}
		}
		all := providers()
		p := all[slices.IndexFunc(all, func(p provider.Provider) bool { return p.Info().Name == c.name })]
		err := place(p, &cred, c.params)
		_, hint, _ := explain(err)
		if (err != nil) != (c.hint != "") || !strings.HasPrefix(hint, c.hint) || err == nil && !maps.Equal(cred.Params, c.want) {
			t.Errorf("%s %v: %v, %v, %q", c.name, c.params, cred.Params, err, hint)
		}
	}
}
