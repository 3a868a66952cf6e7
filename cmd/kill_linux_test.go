package cmd

import (
	"encoding/base32"
	"math/rand/v2"
	"regexp"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/secret"
)

// TestKillAtPrompts is TestKillAtEveryWrite for verbs that somebody at a terminal has to
// answer: what they do is done, or not at all, and they can be run again.
func TestKillAtPrompts(t *testing.T) {
	inVerb(t)
	useAgefile(t)
	keys := openReal(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	catalog := func() *keystore.Catalog {
		t.Helper()
		c, err := keys.Catalog(t.Context())
		must(err)
		return c
	}
	enrolled := func() bool { return catalog().TOTP != nil }
	unlocked := func() bool {
		p, ok := catalog().Protection("prod")
		return ok && p.Unlocked(time.Now())
	}
	_, err := keys.Put(t.Context(), "t", keystore.Name{Env: "prod", Key: "A"}, keystore.Parts{keystore.SinglePart: secret.New([]byte("a"))}, nil)
	must(err)
	must(keys.Protect(t.Context(), "t", "prod"))

	typed := regexp.MustCompile(`type into it: ([A-Z2-7]+)`)
	y := newTypist(t)
	var recovery []secret.Value
	for _, trial := range []struct {
		args   []string
		first  func() error
		prompt string
		answer func(shown string) string
		done   func() bool
	}{
		{
			[]string{"unlock", "prod", "--for", "12h", "--reason", "a trial"},
			func() error {
				if unlocked() {
					return keys.Lock(t.Context(), "t", "prod")
				}
				return nil
			},
			"[y/N] ", func(string) string { return "y\n" }, unlocked,
		},
		{
			[]string{"totp", "enrol"},
			func() error {
				if enrolled() {
					return keys.Disenrol(t.Context(), "t")
				}
				return nil
			},
			"The code that it shows: ", func(shown string) string { return codeOf(t, typed.FindStringSubmatch(shown)[1]) + "\n" }, enrolled,
		},
		{
			[]string{"totp", "disable"},
			func() (err error) {
				if enrolled() {
					if err := keys.Disenrol(t.Context(), "t"); err != nil {
						return err
					}
				}
				v := keystore.NewTOTP()
				code := codeOf(t, base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(v.Reveal()))
				recovery, err = keys.Enrol(t.Context(), "t", v, secret.New([]byte(code)))
				return err
			},
			"Code: ", func(string) string { return string(recovery[0].Reveal()) + "\n" }, func() bool { return !enrolled() },
		},
	} {
		kills, step := 0, every(17)
		for at := 1 + rand.IntN(step); ; at += step {
			must(trial.first())
			cmd := y.startKilled(at, trial.args...)
			y.types(trial.answer(y.until(trial.prompt)))
			code := y.ended(cmd)
			if err := content(t, keys); err != nil {
				t.Fatalf("%q, killed at write %d: %v", trial.args, at, err)
			}
			if code == exitOK && !trial.done() || code > exitOK {
				t.Fatalf("%q: exit %d, and it is done: %v", trial.args, code, trial.done())
			}
			if code == exitOK {
				break
			}
			kills++
		}
		t.Logf("%q: killed at %d writes", trial.args, kills)
	}
}

// codeOf is what an authenticator shows now.
func codeOf(t *testing.T, typed string) string {
	t.Helper()
	code, err := totp.GenerateCode(typed, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return code
}
