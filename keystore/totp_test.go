package keystore

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/hotp"

	"github.com/keywright/keywright/secret"
)

// codeAt is the code of an authenticator with the secret at a time.
func codeAt(t *testing.T, v secret.Value, at time.Time) secret.Value {
	t.Helper()
	code, err := hotp.GenerateCode(totpText(v), uint64(at.Unix()/30))
	if err != nil {
		t.Fatal(err)
	}
	return secret.New([]byte(code))
}

// wrongCode is none of those near the time.
func wrongCode(t *testing.T, v secret.Value, at time.Time) secret.Value {
	t.Helper()
	near := ""
	for d := -2; d <= 2; d++ {
		near += string(codeAt(t, v, at.Add(time.Duration(d)*totpPeriod)).Reveal()) + " "
	}
	for _, c := range []string{"000000", "111111", "222222", "333333", "444444", "555555"} {
		if !strings.Contains(near, c) {
			return secret.New([]byte(c))
		}
	}
	panic("unreachable: five codes cannot be six")
}

func enrolled(t *testing.T) (s *testStore, v secret.Value, recovery []secret.Value) {
	t.Helper()
	s, v = newTestStore(t), NewTOTP()
	recovery, err := s.Enrol(t.Context(), "tester", v, codeAt(t, v, s.clock))
	if err != nil {
		t.Fatal(err)
	}
	return s, v, recovery
}

// RFC 6238, appendix B, the last six of eight digits.
func TestTOTPVectors(t *testing.T) {
	v := secret.New([]byte("12345678901234567890"))
	for at, code := range map[int64]string{59: "287082", 1111111109: "081804", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		step, ok := totpStep(v, secret.New([]byte(code)), time.Unix(at, 0), 0)
		if !ok || step != at/30 {
			t.Errorf("at %d: step %d, %v", at, step, ok)
		}
	}
}

func TestTOTPAddress(t *testing.T) {
	v := secret.New([]byte("12345678901234567890"))
	address, typed, err := TOTPAddress(v, "Ada L@ho:st")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(string(address.Reveal()))
	if err != nil || u.Scheme != "otpauth" || u.Host != "totp" || !strings.HasPrefix(u.Path, "/keywright:Ada L") {
		t.Errorf("address %s, %v", address.Reveal(), err)
	}
	const text = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" // of the RFC's secret
	if got := u.Query().Get("secret"); got != text || string(typed.Reveal()) != text {
		t.Errorf("secret %s, typed %s", got, typed.Reveal())
	}
	if u.Query().Get("issuer") != "keywright" {
		t.Errorf("issuer %q", u.Query().Get("issuer"))
	}
}

func TestEnrol(t *testing.T) {
	s, v := newTestStore(t), NewTOTP()
	ctx := t.Context()
	if err := s.CheckCode(ctx, "tester", codeAt(t, v, s.clock)); !errors.Is(err, ErrNotEnrolled) {
		t.Errorf("without one: %v", err)
	}
	if err := s.CheckFirst(v, wrongCode(t, v, s.clock)); !errors.Is(err, ErrCode) {
		t.Errorf("looking at a wrong code: %v", err)
	}
	if err := s.CheckFirst(v, codeAt(t, v, s.clock)); err != nil {
		t.Errorf("looking at a right code: %v", err)
	}
	if _, err := s.Enrol(ctx, "tester", v, wrongCode(t, v, s.clock)); !errors.Is(err, ErrCode) {
		t.Errorf("a wrong first code: %v", err)
	}
	if c, err := s.Catalog(ctx); err != nil || c.TOTP != nil {
		t.Errorf("after a wrong first code: %+v, %v", c.TOTP, err)
	}
	first := codeAt(t, v, s.clock)
	recovery, err := s.Enrol(ctx, "tester", v, first)
	if err != nil || len(recovery) != recoveryCodes {
		t.Fatalf("%d codes, %v", len(recovery), err)
	}
	if _, err := s.Enrol(ctx, "tester", v, first); !errors.Is(err, ErrEnrolled) {
		t.Errorf("again: %v", err)
	}
	if err := s.CheckCode(ctx, "tester", first); !errors.Is(err, ErrCode) {
		t.Errorf("the first code again: %v", err)
	}
	if err := s.CheckTOTP(ctx); err != nil {
		t.Error(err)
	}
	data, err := os.ReadFile(filepath.Join(s.dir, metadataFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range recovery {
		if plain := string(code.Reveal()); strings.Contains(string(data), plain) || strings.Contains(string(data), strings.ReplaceAll(plain, "-", "")) {
			t.Error("the metadata shows a recovery code")
		}
	}
	if strings.Contains(string(data), totpText(v)) {
		t.Error("the metadata shows the secret")
	}
	s.tidy()
}

// A code counts for its own period and those beside it, and only once; then all before
// it are over.
func TestCodesAreTakenOnce(t *testing.T) {
	s, v, _ := enrolled(t)
	ctx := t.Context()
	check := func(what string, at time.Time, want error) {
		t.Helper()
		if err := s.CheckCode(ctx, "tester", codeAt(t, v, at)); !errors.Is(err, want) {
			t.Errorf("%s: %v", what, err)
		}
		s.clock = s.clock.Add(2 * longestLock) // forget the failure's lock
	}
	s.clock = s.clock.Add(time.Hour)
	now := s.clock
	if err := s.CheckCode(ctx, "tester", codeAt(t, v, now.Add(-totpPeriod))); err != nil {
		t.Errorf("the code before: %v", err)
	}
	if err := s.CheckCode(ctx, "tester", codeAt(t, v, now.Add(totpPeriod))); err != nil {
		t.Errorf("the code after: %v", err)
	}
	check("the code between, after a newer one", now, ErrCode)
	check("the right code", s.clock, nil)
	check("too old", s.clock.Add(-2*totpPeriod), ErrCode)
	check("too new", s.clock.Add(2*totpPeriod), ErrCode)
	at := s.clock
	check("the right code", at, nil)
	s.clock = at
	check("the same code", at, ErrCode)
	s.clock = at.Add(-24 * time.Hour)
	check("an older one, by a clock that went back", s.clock, ErrCode)
}

func TestRecoveryCodes(t *testing.T) {
	s, v, recovery := enrolled(t)
	ctx := t.Context()
	forms := []func(string) string{strings.ToLower, strings.ToUpper, func(s string) string { return strings.ReplaceAll(s, "-", "") }, func(s string) string { return " " + strings.ReplaceAll(s, "-", " ") }}
	for i, code := range recovery {
		typed := secret.New([]byte(forms[i%len(forms)](string(code.Reveal()))))
		if err := s.CheckCode(ctx, "tester", typed); err != nil {
			t.Errorf("recovery code %d: %v", i, err)
		}
		if err := s.CheckCode(ctx, "tester", code); !errors.Is(err, ErrCode) {
			t.Errorf("recovery code %d again: %v", i, err)
		}
	}
	if err := s.CheckCode(ctx, "tester", secret.New([]byte("AAAA-AAAA-AAAA-AAAA"))); !errors.Is(err, ErrCode) {
		t.Errorf("one that was never made: %v", err)
	}
	c, err := s.Catalog(ctx)
	if err != nil || len(c.TOTP.Recovery) != 0 {
		t.Errorf("%d are left, %v", len(c.TOTP.Recovery), err)
	}
	s.clock = s.clock.Add(time.Hour)
	if err := s.CheckCode(ctx, "tester", codeAt(t, v, s.clock)); err != nil {
		t.Errorf("the authenticator: %v", err)
	}
}

// Failures lock longer and longer, in another process too, and the right code is not
// looked at meanwhile.
func TestLockOut(t *testing.T) {
	s, v, _ := enrolled(t)
	ctx := t.Context()
	s.clock = s.clock.Add(time.Hour)
	for i, want := range []time.Duration{0, 0, 30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute, time.Hour, time.Hour} {
		if err := s.CheckCode(ctx, "tester", wrongCode(t, v, s.clock)); !errors.Is(err, ErrCode) {
			t.Fatalf("failure %d: %v", i+1, err)
		}
		s = s.at(s.dir)
		if want > 0 {
			s.clock = s.clock.Add(want - time.Second)
			var locked *LockedOutError
			if err := s.CheckCode(ctx, "tester", codeAt(t, v, s.clock)); !errors.As(err, &locked) || !locked.Until.Equal(s.clock.Add(time.Second)) {
				t.Fatalf("a second before the end of lock %d: %v", i+1, err)
			}
			s.clock = s.clock.Add(time.Second)
		}
	}
	if err := s.CheckCode(ctx, "tester", codeAt(t, v, s.clock)); err != nil {
		t.Errorf("the right code after the lock: %v", err)
	}
	if err := s.CheckCode(ctx, "tester", wrongCode(t, v, s.clock)); !errors.Is(err, ErrCode) {
		t.Error(err)
	}
	s.clock = s.clock.Add(totpPeriod)
	if err := s.CheckCode(ctx, "tester", codeAt(t, v, s.clock)); err != nil {
		t.Errorf("one failure after a right code locks: %v", err)
	}
}

// A lock that a wrong clock put far away lasts no longer than the longest.
func TestLockOutByWrongClock(t *testing.T) {
	s, v, recovery := enrolled(t)
	ctx, right := t.Context(), s.clock
	s.clock = s.clock.AddDate(10, 0, 0)
	for range freeFailures {
		if err := s.CheckCode(ctx, "tester", wrongCode(t, v, s.clock)); !errors.Is(err, ErrCode) {
			t.Fatal(err)
		}
	}
	s.clock = right
	var locked *LockedOutError
	if err := s.CheckCode(ctx, "tester", recovery[0]); !errors.As(err, &locked) {
		t.Fatalf("the clock went back: %v", err)
	}
	s.clock = right.Add(longestLock)
	if err := s.CheckCode(ctx, "tester", recovery[0]); err != nil {
		t.Errorf("after the longest lock: %v", err)
	}
}

func TestOneOfManyTakesACode(t *testing.T) {
	s, v, _ := enrolled(t)
	s.clock = s.clock.Add(time.Hour)
	code := codeAt(t, v, s.clock)
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		taken int
	)
	for range 8 {
		wg.Go(func() {
			if s.CheckCode(t.Context(), "tester", code) == nil {
				mu.Lock()
				defer mu.Unlock()
				taken++
			}
		})
	}
	wg.Wait()
	if taken != 1 {
		t.Errorf("the code was taken %d times", taken)
	}
}

// Wherever a process dies that takes a code: if it said that the code was right, the
// code is used up. If it says that it was wrong, that is counted.
func TestCrashWithCode(t *testing.T) {
	for _, right := range []bool{true, false} {
		for n, reached := 1, true; reached; n++ {
			s, v, _ := enrolled(t)
			s.clock = s.clock.Add(time.Hour)
			code := codeAt(t, v, s.clock)
			if !right {
				code = wrongCode(t, v, s.clock)
			}
			s.mem = s.mem.revive()
			s.mem.dieAt, s.mem.after = (n+1)/2, n%2 == 0
			err := s.at(s.dir).CheckCode(t.Context(), "tester", code)
			reached = s.mem.calls >= s.mem.dieAt
			s.mem = s.mem.revive()
			c, loadErr := s.at(s.dir).Catalog(t.Context())
			if loadErr != nil {
				t.Fatal(loadErr)
			}
			if err == nil && s.CheckCode(t.Context(), "tester", code) == nil {
				t.Errorf("dead at call %d: the code was taken twice", n)
			}
			if errors.Is(err, ErrCode) && c.TOTP.Failures != 1 {
				t.Errorf("dead at call %d: the failure is forgotten", n)
			}
			s.tidy()
		}
	}
}

func TestDisenrol(t *testing.T) {
	s, v, _ := enrolled(t)
	ctx := t.Context()
	if err := s.Disenrol(ctx, "tester"); err != nil {
		t.Fatal(err)
	}
	if err := s.Disenrol(ctx, "tester"); !errors.Is(err, ErrNotEnrolled) {
		t.Errorf("again: %v", err)
	}
	s.tidy()
	if _, err := s.Enrol(ctx, "tester", v, codeAt(t, v, s.clock)); err != nil {
		t.Errorf("anew: %v", err)
	}
}

// Who has lost the secret is not locked out for ever.
func TestSecretGone(t *testing.T) {
	s, v, _ := enrolled(t)
	ctx := t.Context()
	c, err := s.Catalog(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.mem.Delete(ctx, c.TOTP.Item); err != nil {
		t.Fatal(err)
	}
	s.clock = s.clock.Add(time.Hour)
	if err := s.CheckCode(ctx, "tester", codeAt(t, v, s.clock)); !errors.Is(err, ErrSecretGone) {
		t.Errorf("a code: %v", err)
	}
	if err := s.CheckTOTP(ctx); !errors.Is(err, ErrSecretGone) {
		t.Errorf("the look: %v", err)
	}
	if err := s.Disenrol(ctx, "tester"); err != nil {
		t.Errorf("the end: %v", err)
	}
	if err := s.CheckTOTP(ctx); !errors.Is(err, ErrNotEnrolled) {
		t.Errorf("after the end: %v", err)
	}
}
