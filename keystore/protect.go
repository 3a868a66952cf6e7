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
}

// ErrNotProtected says that an environment is not protected.
var ErrNotProtected = errors.New("it is not protected")

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
	}
	return nil
}

// Protect makes an environment a protected one. It may be one already, and need not have
// keys. By is who acts.
func (s *Store) Protect(ctx context.Context, by, env string) error {
	return s.changeEnv(ctx, "protect", env, func(c *Catalog) error {
		if err := ValidEnv(env); err != nil {
			return err
		}
		if _, ok := c.Protection(env); ok {
			return nil
		}
		c.Protected = append(c.Protected, Protection{Env: env, Since: s.now().UTC(), By: by})
		slices.SortFunc(c.Protected, func(a, b Protection) int { return strings.Compare(a.Env, b.Env) })
		return nil
	})
}

// Unprotect makes it an environment like any other.
func (s *Store) Unprotect(ctx context.Context, env string) error {
	return s.changeEnv(ctx, "end the protection of", env, func(c *Catalog) error {
		if _, ok := c.Protection(env); !ok {
			return ErrNotProtected
		}
		c.Protected = slices.DeleteFunc(c.Protected, func(p Protection) bool { return p.Env == env })
		return nil
	})
}

func (s *Store) changeEnv(ctx context.Context, doing, env string, do func(*Catalog) error) error {
	err := s.change(ctx, func(t *transaction) error { return do(t.catalog) })
	if err != nil {
		return &EnvError{doing, env, err}
	}
	return nil
}
