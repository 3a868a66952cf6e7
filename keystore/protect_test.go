package keystore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
	if err := s.Unprotect(ctx, "prod"); err != nil {
		t.Fatal(err)
	}
	var about *EnvError
	if err := s.Unprotect(ctx, "prod"); !errors.Is(err, ErrNotProtected) || !errors.As(err, &about) || about.Env != "prod" {
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
