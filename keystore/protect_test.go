package keystore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestProtect(t *testing.T) {
	s := newTestStore(t)
	ctx := t.Context()
	protected := func() string {
		c, err := s.Catalog(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, p := range c.Protected {
			if !p.Since.Equal(s.clock) || p.By != "ada" {
				t.Errorf("protection %+v", p)
			}
			names = append(names, p.Env)
		}
		return strings.Join(names, " ")
	}
	for _, env := range []string{"prod", "home", "zoo", "home"} {
		if err := s.Protect(ctx, "ada", env); err != nil {
			t.Fatal(err)
		}
	}
	if got := protected(); got != "home prod zoo" {
		t.Errorf("protected are %s", got)
	}
	if err := s.Unprotect(ctx, "tester", "prod"); err != nil {
		t.Fatal(err)
	}
	var about *EnvError
	if err := s.Unprotect(ctx, "tester", "prod"); !errors.Is(err, ErrNotProtected) || !errors.As(err, &about) || about.Env != "prod" {
		t.Errorf("error %v", err)
	}
	var name *NameError
	if err := s.Protect(ctx, "ada", "Prod"); !errors.As(err, &name) {
		t.Errorf("error %v", err)
	}
	if got := protected(); got != "home zoo" {
		t.Errorf("protected are %s", got)
	}
}

// A file in which somebody took the protection out is not believed.
func TestProtectionIsAuthentic(t *testing.T) {
	s := newTestStore(t)
	if err := s.Protect(t.Context(), "ada", "prod"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.dir, metadataFile)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.Replace(string(data), `"env": "prod"`, `"env": "prox"`, 1)
	if edited == string(data) {
		t.Fatal("the protection is not in the file")
	}
	if err := os.WriteFile(path, []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	var tampered *TamperError
	if _, err := s.Catalog(t.Context()); !errors.As(err, &tampered) {
		t.Errorf("error %v", err)
	}
}

func TestUnlock(t *testing.T) {
	s := newTestStore(t)
	ctx, start := t.Context(), s.clock
	unlocked := func(at time.Time) bool {
		t.Helper()
		c, err := s.Catalog(ctx)
		if err != nil {
			t.Fatal(err)
		}
		p, ok := c.Protection("prod")
		return ok && p.Unlocked(at)
	}
	if _, err := s.Unlock(ctx, "ada", "prod", "why", time.Hour); !errors.Is(err, ErrNotProtected) {
		t.Errorf("not protected: %v", err)
	}
	if err := s.Protect(ctx, "ada", "prod"); err != nil {
		t.Fatal(err)
	}
	if err := s.Lock(ctx, "tester", "prod"); !errors.Is(err, ErrNotUnlocked) || unlocked(start) {
		t.Errorf("not unlocked: %v", err)
	}
	for _, span := range []time.Duration{0, -time.Hour, MaxUnlock + 1} {
		if _, err := s.Unlock(ctx, "ada", "prod", "why", span); !errors.Is(err, ErrSpan) {
			t.Errorf("for %v: %v", span, err)
		}
	}
	until, err := s.Unlock(ctx, "ada", "prod", "why", 12*time.Hour)
	if err != nil || !until.Equal(start.Add(12*time.Hour)) {
		t.Errorf("until %v, %v", until, err)
	}
	for at, want := range map[time.Duration]bool{
		-time.Second: false, -24 * time.Hour: false, // the clock went back
		0: true, 12*time.Hour - 1: true, 12 * time.Hour: false, 24 * time.Hour: false,
	} {
		if got := unlocked(start.Add(at)); got != want {
			t.Errorf("after %v: unlocked %v", at, got)
		}
	}
	if err := s.Lock(ctx, "tester", "prod"); err != nil || unlocked(start) {
		t.Errorf("locked: %v", err)
	}
	if _, err := s.Unlock(ctx, "ada", "prod", "why", MaxUnlock); err != nil || !unlocked(start) {
		t.Errorf("unlocked again: %v", err)
	}
	if err := errors.Join(s.Unprotect(ctx, "tester", "prod"), s.Protect(ctx, "ada", "prod")); err != nil || unlocked(start) {
		t.Errorf("protected anew: %v", err)
	}
}

// What encode cannot have written is refused, though it is sealed.
func TestUnlockThatCannotBe(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, protected := range [][]Protection{
		{{Env: "Prod"}},
		{{Env: "prod"}, {Env: "dev"}},
		{{Env: "prod"}, {Env: "prod"}},
		{{Env: "prod", Unlock: &Unlock{From: from, Until: from}}},
		{{Env: "prod", Unlock: &Unlock{From: from, Until: from.Add(MaxUnlock + 1)}}},
	} {
		data, err := (&Catalog{Protected: protected}).encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeCatalog(data); err == nil {
			t.Errorf("taken: %+v", protected)
		}
	}
}
