package keystore

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"github.com/keywright/keywright/secret"
)

// TOTP is what is known of the time-based one-time passwords (RFC 6238) that protected
// environments ask for. Its secret is an item of its own.
type TOTP struct {
	Item     string    `json:"item"`
	Enrolled time.Time `json:"enrolled"`
	// Step is the last one that a code was taken for: no code is taken twice, nor one
	// that is older.
	Step int64 `json:"step"`
	// Recovery are the codes that were not used yet, as hexadecimal HMAC-SHA-256 under
	// the secret. They have 80 random bits: nobody guesses them from that.
	Recovery []string `json:"recovery"`
	Failures int      `json:"failures,omitempty"` // since the last code that was right
	// Until is when a code is looked at again.
	Until time.Time `json:"until,omitzero"`
}

// The parameters that every authenticator takes: RFC 6238's own.
const (
	totpPeriod = 30 * time.Second
	totpSize   = 20 // bytes of the secret, as RFC 4226 wants of HMAC-SHA-1
	totpSkew   = 1  // steps that a clock may be wrong, either way

	recoveryCodes = 10
	recoverySize  = 10 // bytes

	freeFailures = 3
	firstLock    = 30 * time.Second // doubled with each failure more
	longestLock  = time.Hour
)

// The errors of one-time passwords.
var (
	ErrCode        = errors.New("the code is wrong, or was used before")
	ErrEnrolled    = errors.New("there is an authenticator already")
	ErrNotEnrolled = errors.New("there is no authenticator")
	ErrSecretGone  = errors.New("the secret of the authenticator is gone from where keys are kept")
)

// LockedOutError says that there were too many wrong codes.
type LockedOutError struct{ Until time.Time }

func (e *LockedOutError) Error() string {
	return "too many wrong codes: none is looked at before " + e.Until.Local().Format("2006-01-02 15:04:05")
}

// NewTOTP makes a secret for an authenticator.
func NewTOTP() secret.Value {
	b := make([]byte, totpSize)
	rand.Read(b)
	defer clear(b)
	return secret.New(b)
}

// TOTPAddress is what an authenticator reads from a QR code (the Key URI Format of
// google-authenticator's wiki), with the secret in it, and the secret as it is typed.
// Account says whose it is.
func TOTPAddress(v secret.Value, account string) (address, typed secret.Value, err error) {
	k, err := totp.Generate(totp.GenerateOpts{Issuer: "keywright", AccountName: account, Secret: v.Reveal()})
	if err != nil {
		return address, typed, errors.New("write the address of an authenticator's secret") // the cause may hold it
	}
	return secret.New([]byte(k.URL())), secret.New([]byte(k.Secret())), nil
}

// totpText is a secret as the library takes it: in texts, which are not wiped.
func totpText(v secret.Value) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(v.Reveal())
}

// Enrol makes an authenticator with the secret the one that is asked. Code is its first,
// which shows that it works. The recovery codes are shown once and kept nowhere.
// By is who acts.
func (s *Store) Enrol(ctx context.Context, by string, v, code secret.Value) (recovery []secret.Value, err error) {
	err = s.change(ctx, by, func(t *transaction) error {
		if t.catalog.TOTP != nil {
			return ErrEnrolled
		}
		now := s.now().UTC()
		step, ok := totpStep(v, code, now, 0)
		if !ok {
			return ErrCode
		}
		next := &TOTP{Enrolled: now, Step: step}
		recovery = make([]secret.Value, recoveryCodes)
		for i := range recovery {
			recovery[i] = newRecovery()
			next.Recovery = append(next.Recovery, recoveryDigest(v, recovery[i]))
		}
		if next.Item, err = t.write(Parts{SinglePart: v}); err != nil {
			return err
		}
		t.catalog.TOTP = next
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("enrol an authenticator: %w", err)
	}
	return recovery, nil
}

// CheckFirst returns an error that matches ErrCode if a code is not one of a secret, which
// is not the authenticator's yet: Enrol would not take it.
func (s *Store) CheckFirst(v, code secret.Value) error {
	if _, ok := totpStep(v, code, s.now().UTC(), 0); !ok {
		return ErrCode
	}
	return nil
}

// CheckCode takes a code of the authenticator, or one for recovery, which is used up
// then. What it learns is kept, a failure too. By is who acts.
func (s *Store) CheckCode(ctx context.Context, by string, code secret.Value) error {
	var answer error
	err := s.change(ctx, by, func(t *transaction) error {
		o := t.catalog.TOTP
		if o == nil {
			return ErrNotEnrolled
		}
		v, err := s.totpSecret(ctx, o)
		if err != nil {
			return err
		}
		defer v.Wipe()
		answer = o.take(v, code, s.now())
		return nil // a wrong code is to be remembered
	})
	if err = cmp.Or(err, answer); err != nil {
		return fmt.Errorf("check a code: %w", err)
	}
	return nil
}

// Disenrol forgets the authenticator. A code of it is to be checked before: CheckCode. By
// is who acts.
func (s *Store) Disenrol(ctx context.Context, by string) error {
	err := s.change(ctx, by, func(t *transaction) error {
		if t.catalog.TOTP == nil {
			return ErrNotEnrolled
		}
		t.free(t.catalog.TOTP.Item)
		t.catalog.TOTP = nil
		return nil
	})
	if err != nil {
		return fmt.Errorf("forget the authenticator: %w", err)
	}
	return nil
}

// CheckTOTP returns an error that matches ErrSecretGone if the authenticator's secret
// is, and ErrNotEnrolled if there is none.
func (s *Store) CheckTOTP(ctx context.Context) error {
	c, err := s.Catalog(ctx)
	switch {
	case err != nil:
		return err
	case c.TOTP == nil:
		return ErrNotEnrolled
	}
	v, err := s.totpSecret(ctx, c.TOTP)
	v.Wipe()
	return err
}

func (s *Store) totpSecret(ctx context.Context, o *TOTP) (secret.Value, error) {
	parts, err := s.parts(ctx, Version{Item: o.Item})
	if errors.Is(err, ErrNoItem) {
		err = ErrSecretGone
	}
	return parts[SinglePart], err
}

// take looks at a code and changes what is known accordingly.
func (o *TOTP) take(v, code secret.Value, now time.Time) error {
	if latest := now.Add(longestLock).UTC(); o.Until.After(latest) {
		o.Until = latest // the clock has gone back since
	}
	if now.Before(o.Until) {
		return &LockedOutError{o.Until}
	}
	if step, ok := totpStep(v, code, now, o.Step); ok {
		o.Step, o.Failures, o.Until = step, 0, time.Time{}
		return nil
	}
	digest := recoveryDigest(v, code)
	for i, known := range o.Recovery {
		if subtle.ConstantTimeCompare([]byte(known), []byte(digest)) == 1 {
			o.Recovery = append(o.Recovery[:i:i], o.Recovery[i+1:]...)
			o.Failures, o.Until = 0, time.Time{}
			return nil
		}
	}
	o.Failures++
	if more := o.Failures - freeFailures; more >= 0 {
		o.Until = now.Add(min(longestLock, firstLock<<min(more, 16))).UTC()
	}
	return ErrCode
}

// totpStep is the step that a code belongs to: near now, and after the last.
func totpStep(v, code secret.Value, now time.Time, last int64) (step int64, ok bool) {
	text := totpText(v)
	typed := strings.ReplaceAll(string(code.Reveal()), " ", "")
	at := now.Unix() / int64(totpPeriod/time.Second)
	for step := at - totpSkew; step <= at+totpSkew; step++ {
		if step <= last {
			continue
		}
		right, err := hotp.ValidateCustom(typed, uint64(step), text, hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err == nil && right {
			return step, true
		}
	}
	return 0, false
}

// newRecovery makes a recovery code: four groups of four letters and digits.
func newRecovery() secret.Value {
	b := make([]byte, recoverySize)
	rand.Read(b)
	t := base32.StdEncoding.EncodeToString(b)
	return secret.New([]byte(t[:4] + "-" + t[4:8] + "-" + t[8:12] + "-" + t[12:]))
}

// recoveryDigest is what is kept of a recovery code, however it is typed.
func recoveryDigest(v, code secret.Value) string {
	typed := strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(string(code.Reveal())))
	d := secret.New([]byte(typed)).Digest(v.Reveal())
	return hex.EncodeToString(d[:])
}
