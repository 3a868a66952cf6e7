package keystore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Protection says that an environment is protected: before its keys are handed out or
// removed, somebody is asked. That there is one says it.
type Protection struct {
	Env   string    `json:"env"`
	Since time.Time `json:"since"`
	By    string    `json:"by"`

	// Unlock lets services go on; nil if there is none. It may be over.
	Unlock *Unlock `json:"unlock,omitempty"`
}

// Unlock says that the keys of a protected environment are handed to programs without
// anybody being asked, for a while.
type Unlock struct {
	From   time.Time `json:"from"`
	Until  time.Time `json:"until"`
	Reason string    `json:"reason"`
	By     string    `json:"by"`
}

// MaxUnlock is the longest that an environment is unlocked for.
const MaxUnlock = 30 * 24 * time.Hour

// The errors of protection.
var (
	ErrNotProtected = errors.New("it is not protected")
	ErrNotUnlocked  = errors.New("it is not unlocked")
	ErrSpan         = errors.New("an environment is unlocked for some time, 30 days at most")
)

// Unlocked reports whether an unlock is in force. Before it began, by a clock that went
// back, it is not.
func (p *Protection) Unlocked(now time.Time) bool {
	return p.Unlock != nil && !now.Before(p.Unlock.From) && now.Before(p.Unlock.Until)
}

// EnvError is an error about an environment.
type EnvError struct {
	Doing string // "protect"
	Env   string
	Err   error
}

func (e *EnvError) Error() string { return fmt.Sprintf("%s %s: %v", e.Doing, e.Env, e.Err) }
func (e *EnvError) Unwrap() error { return e.Err }

// Protection returns that of an environment, if it has one.
func (c *Catalog) Protection(env string) (*Protection, bool) {
	i := slices.IndexFunc(c.Protected, func(p Protection) bool { return p.Env == env })
	if i < 0 {
		return nil, false
	}
	return &c.Protected[i], true
}

func (c *Catalog) checkProtected() error {
	for i, p := range c.Protected {
		if err := ValidEnv(p.Env); err != nil {
			return fmt.Errorf("metadata: %w", err)
		}
		if i > 0 && c.Protected[i-1].Env >= p.Env {
			return fmt.Errorf("metadata: the protection of %s is out of order", p.Env)
		}
		if u := p.Unlock; u != nil && !validSpan(u.Until.Sub(u.From)) {
			return fmt.Errorf("metadata: %s is unlocked for %v", p.Env, u.Until.Sub(u.From))
		}
	}
	return nil
}

// Protect makes an environment a protected one. It may be one already, and need not have
// keys. By is who acts.
func (s *Store) Protect(ctx context.Context, by, env string) error {
	err := s.change(ctx, by, func(t *transaction) error { return t.protect(env) })
	if err != nil {
		return &EnvError{"protect", env, err}
	}
	return nil
}

func (t *transaction) protect(env string) error {
	if err := ValidEnv(env); err != nil {
		return err
	}
	c := t.catalog
	if _, ok := c.Protection(env); ok {
		return nil
	}
	c.Protected = append(c.Protected, Protection{Env: env, Since: t.store.now().UTC(), By: t.by})
	slices.SortFunc(c.Protected, func(a, b Protection) int { return strings.Compare(a.Env, b.Env) })
	return nil
}

// Unprotect makes it an environment like any other. By is who acts.
func (s *Store) Unprotect(ctx context.Context, by, env string) error {
	return s.changeEnv(ctx, by, "end the protection of", env, func(c *Catalog) error {
		if _, ok := c.Protection(env); !ok {
			return ErrNotProtected
		}
		c.Protected = slices.DeleteFunc(c.Protected, func(p Protection) bool { return p.Env == env })
		return nil
	})
}

func validSpan(d time.Duration) bool { return d > 0 && d <= MaxUnlock }

// Unlock unlocks a protected environment from now on, for so long; another unlock ends.
// By is who acts.
func (s *Store) Unlock(ctx context.Context, by, env, reason string, span time.Duration) (until time.Time, err error) {
	err = s.changeEnv(ctx, by, "unlock", env, func(c *Catalog) error {
		p, ok := c.Protection(env)
		switch {
		case !ok:
			return ErrNotProtected
		case !validSpan(span):
			return ErrSpan
		}
		now := s.now().UTC()
		until = now.Add(span)
		p.Unlock = &Unlock{now, until, reason, by}
		return nil
	})
	return until, err
}

// Lock ends an unlock, also one that is over. By is who acts.
func (s *Store) Lock(ctx context.Context, by, env string) error {
	return s.changeEnv(ctx, by, "lock", env, func(c *Catalog) error {
		p, ok := c.Protection(env)
		switch {
		case !ok:
			return ErrNotProtected
		case p.Unlock == nil:
			return ErrNotUnlocked
		}
		p.Unlock = nil
		return nil
	})
}

func (s *Store) changeEnv(ctx context.Context, by, doing, env string, do func(*Catalog) error) error {
	err := s.change(ctx, by, func(t *transaction) error { return do(t.catalog) })
	if err != nil {
		return &EnvError{doing, env, err}
	}
	return nil
}
