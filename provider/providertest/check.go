package providertest

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
)

// accepted fails unless the server itself accepts a credential.
func (s Subject) accepted(t *testing.T, c provider.Credential) {
	t.Helper()
	if !s.Accepts(t, c) {
		t.Error("the server refuses what it must accept")
	}
}

func (s Subject) refused(t *testing.T, c provider.Credential) {
	t.Helper()
	if s.Accepts(t, c) {
		t.Error("the server accepts what it must refuse")
	}
}

// lives fails unless a provider says that a credential is alive.
func (s Subject) lives(t *testing.T, p provider.Provider, c provider.Credential) {
	t.Helper()
	probe, asked := s.probe(t, p, c)
	if asked && probe.State != provider.Alive {
		t.Errorf("a live one is %q (%s)", probe.State, probe.Code)
	}
}

// dead fails unless a provider says that a credential is dead, by its code for that. One that
// is mute says by that code that nothing is known.
func (s Subject) dead(t *testing.T, p provider.Provider, c provider.Credential) {
	t.Helper()
	want := provider.Dead
	if p.Info().Mute {
		want = provider.Unknown
	}
	probe, asked := s.probe(t, p, c)
	if asked && (probe.State != want || probe.Code != s.DeadCode) {
		t.Errorf("a dead one is %q (%s)", probe.State, probe.Code)
	}
}

// wrong fails unless a provider refuses a wrong secret, and says no more than it knows.
func (s Subject) wrong(t *testing.T, p provider.Provider, c provider.Credential, part string) {
	t.Helper()
	code, own := s.WrongCodes[part]
	if !own {
		code = s.WrongCode
	}
	if code == "" {
		s.dead(t, p, c)
		return
	}
	probe, asked := s.probe(t, p, c)
	if asked && (probe.State != provider.Unknown || probe.Code != code) {
		t.Errorf("a wrong one is %q (%s)", probe.State, probe.Code)
	}
}

// lifeless fails if a provider says that a credential is alive.
func (s Subject) lifeless(t *testing.T, p provider.Provider, c provider.Credential) {
	t.Helper()
	probe, asked := s.probe(t, p, c)
	if asked && probe.State.Lives() {
		t.Errorf("one that is out of use is %q (%s)", probe.State, probe.Code)
	}
}

func (s Subject) probe(t *testing.T, p provider.Provider, c provider.Credential) (probe provider.Probe, asked bool) {
	t.Helper()
	v, ok := p.(provider.Verifier)
	if !ok {
		return probe, false
	}
	probe, err := v.Verify(t.Context(), c)
	s.check(t, "verify", err, c)
	s.hidden(t, "a probe", fmt.Sprintf("%+v", probe), c)
	return probe, err == nil
}

// check fails if a call did.
func (s Subject) check(t *testing.T, doing string, err error, secrets ...provider.Credential) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", doing, err)
		s.checkError(t, doing, err, secrets...)
	}
}

// gone fails if a credential could not be revoked. That it is gone already is no error, unless
// the provider does not say so.
func (s Subject) gone(t *testing.T, already bool, err error, secrets ...provider.Credential) {
	t.Helper()
	if already && s.refusedAgain(err) {
		s.checkError(t, "revoke", err, secrets...)
		return
	}
	s.check(t, "revoke", err, secrets...)
}

// refusedAgain reports whether an error is what a provider that is mute makes of revoking what
// is gone.
func (s Subject) refusedAgain(err error) bool {
	e := new(provider.Error)
	return s.Provider.Info().Mute && errors.As(err, &e) && (e.Kind == provider.Forbidden || e.Kind == provider.Refused)
}

// checkError fails if an error is none that a provider may return, or shows a secret.
func (s Subject) checkError(t *testing.T, doing string, err error, secrets ...provider.Credential) {
	t.Helper()
	if err == nil {
		return
	}
	e := new(provider.Error)
	if !errors.As(err, &e) {
		t.Errorf("%s: an error of no kind that callers know: %T, %v", doing, err, err)
	} else if e.Provider != s.Provider.Info().Name || e.Doing == "" || e.Kind == "" {
		t.Errorf("%s: an error that does not say enough: %#v", doing, e)
	}
	for _, err := range unwrapped(err) {
		s.hidden(t, fmt.Sprintf("%s: a %T", doing, err), fmt.Sprintf("%s %v %+v %#v %q", err, err, err, err, err), secrets...)
	}
}

// unwrapped are an error and all errors in it.
func unwrapped(err error) []error {
	all := []error{err}
	switch u := err.(type) {
	case interface{ Unwrap() error }:
		if in := u.Unwrap(); in != nil {
			all = append(all, unwrapped(in)...)
		}
	case interface{ Unwrap() []error }:
		for _, in := range u.Unwrap() {
			all = append(all, unwrapped(in)...)
		}
	}
	return all
}

// hidden fails if a text shows a secret, of the given credentials or the admin's, in any
// form in which it may travel.
func (s Subject) hidden(t *testing.T, what, text string, credentials ...provider.Credential) {
	t.Helper()
	for _, c := range append(credentials, s.Admin) {
		for _, part := range s.secrets() {
			b := c.Part(part).Reveal()
			if len(b) < 4 {
				continue // any text may hold it by chance
			}
			for _, form := range []string{string(b), url.QueryEscape(string(b)), hex.EncodeToString(b), fmt.Sprint(b),
				base64.StdEncoding.EncodeToString(b), base64.RawURLEncoding.EncodeToString(b)} {
				if strings.Contains(text, strings.Trim(form, "[]")) {
					t.Errorf("%s shows the %s", what, part)
				}
			}
		}
	}
}

// Until waits for something that takes a moment.
func Until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for began := time.Now(); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatalf("a minute later it is not so: %s", what)
		}
	}
}
