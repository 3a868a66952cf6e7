package agefile

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/keystore/keystoretest"
	"github.com/keywright/keywright/secret"
)

// fixed is an Opener with an identity that is known.
type fixed struct{ identity *age.X25519Identity }

func (f fixed) Identity(context.Context, bool) (*age.X25519Identity, error) { return f.identity, nil }

func newIdentity(t *testing.T) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestItems(t *testing.T) {
	path, opener := filepath.Join(t.TempDir(), "keys", "keys.age"), fixed{newIdentity(t)}
	keystoretest.Items(t, func(*testing.T) keystore.Items { return New(path, opener) })
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(data, []byte("age-encryption.org/v1\n")) {
		t.Error("the file is not one of age's")
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may look at the file: %v, %v", info.Mode(), err)
	}
}

// phrase is a Passphrase that is typed in a test, and counts how often.
func phrase(path, typed string, asked *[]bool) *Passphrase {
	return &Passphrase{Path: path, work: 10, Ask: func(_ context.Context, fresh bool) (secret.Value, error) {
		*asked = append(*asked, fresh)
		if typed == "" {
			return secret.Value{}, io.EOF
		}
		return secret.New([]byte(typed)), nil
	}}
}

func nobody(context.Context, bool) (secret.Value, error) {
	return secret.Value{}, errors.New("nobody is there")
}

// An error says why the file cannot be opened, and not what was read from it.
func TestLockedSaysWhy(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.age")
	if err := New(file, fixed{newIdentity(t)}).Put(t.Context(), "a", secret.New([]byte("x"))); err != nil {
		t.Fatal(err)
	}
	_, err := New(file, IdentityFile("none")).Get(t.Context(), "a")
	_, missing := os.ReadFile("none")
	if want := file + " is locked: " + missing.Error(); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestPassphrase(t *testing.T) {
	dir := t.TempDir()
	file, identity := filepath.Join(dir, "keys.age"), filepath.Join(dir, "identity.age")
	var asked []bool
	f := New(file, phrase(identity, "open sesame", &asked))
	if _, err := f.Get(t.Context(), "a"); !errors.Is(err, keystore.ErrNoItem) {
		t.Fatalf("an empty store: %v", err)
	}
	for range 2 {
		if err := f.Put(t.Context(), "a", secret.New([]byte("marked-value"))); err != nil {
			t.Fatal(err)
		}
	}
	if len(asked) != 1 || !asked[0] {
		t.Errorf("asked %v: want once, for a new one", asked)
	}
	asked = nil
	again := New(file, phrase(identity, "open sesame", &asked))
	if v, err := again.Get(t.Context(), "a"); err != nil || string(v.Reveal()) != "marked-value" || len(asked) != 1 || asked[0] {
		t.Errorf("%v, asked %v", err, asked)
	}
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("TOKEN=marked-value\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		items *File
		want  keystore.Trouble
	}{
		"wrong passphrase":  {New(file, phrase(identity, "guess", &asked)), keystore.Locked},
		"declined":          {New(file, phrase(identity, "", &asked)), keystore.Dismissed},
		"nobody":            {New(file, &Passphrase{Path: identity, Ask: nobody}), keystore.Locked},
		"identity gone":     {New(file, phrase(filepath.Join(dir, "none"), "open sesame", &asked)), keystore.Absent},
		"another identity":  {New(file, fixed{newIdentity(t)}), keystore.Locked},
		"no identity file":  {New(file, IdentityFile(filepath.Join(dir, "none"))), keystore.Locked},
		"not an identity":   {New(file, IdentityFile(file)), keystore.Locked},
		"damaged identity":  {New(file, phrase(cut(t, identity, 90), "open sesame", &asked)), keystore.Locked},
		"damaged file":      {New(cut(t, file, -1), phrase(identity, "open sesame", &asked)), keystore.Damaged},
		"cut in its header": {New(cut(t, file, 40), phrase(identity, "open sesame", &asked)), keystore.Damaged},
		"another's file":    {New(plain, phrase(identity, "open sesame", &asked)), keystore.Damaged},
		"empty file":        {New(cut(t, file, 0), phrase(identity, "open sesame", &asked)), keystore.Damaged},
	} {
		_, getErr := c.items.Get(t.Context(), "a")
		for what, err := range map[string]error{"get": getErr, "put": c.items.Put(t.Context(), "b", secret.New([]byte("x")))} {
			trouble, ok := keystore.TroubleOf(err)
			if !ok || trouble != c.want || strings.Contains(err.Error(), "marked-value") || strings.Contains(err.Error(), "AGE-SECRET") {
				t.Errorf("%s, %s: %v, want that it %v", name, what, err, c.want)
			}
		}
	}
	if v, err := again.Get(t.Context(), "a"); err != nil || string(v.Reveal()) != "marked-value" {
		t.Errorf("afterwards: %v", err)
	}
}

// A file that is cut off anywhere is damaged: nothing is read from it, and nothing is
// stored over it.
func TestTruncated(t *testing.T) {
	dir := t.TempDir()
	file, identity := filepath.Join(dir, "keys.age"), filepath.Join(dir, "identity.age")
	var asked []bool
	f := New(file, phrase(identity, "open sesame", &asked))
	if err := f.Put(t.Context(), "a", secret.New([]byte("marked-value"))); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][]keystore.Trouble{file: {keystore.Damaged}, identity: {keystore.Locked, keystore.Damaged}} {
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for n := range whole {
			if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
				t.Fatal(err)
			}
			again := New(file, phrase(identity, "open sesame", &asked))
			_, getErr := again.Get(t.Context(), "a")
			for _, err := range []error{getErr, again.Put(t.Context(), "b", secret.New([]byte("x"))), again.Delete(t.Context(), "a")} {
				if trouble, ok := keystore.TroubleOf(err); !ok || !slices.Contains(want, trouble) {
					t.Fatalf("%s, cut at %d: %v", path, n, err)
				}
			}
			if left, err := os.ReadFile(path); err != nil || !bytes.Equal(left, whole[:n]) {
				t.Fatalf("%s, cut at %d: it was touched, %v", path, n, err)
			}
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if v, err := New(file, phrase(identity, "open sesame", &asked)).Get(t.Context(), "a"); err != nil || string(v.Reveal()) != "marked-value" {
		t.Errorf("made whole again: %v", err)
	}
}

// cut is a copy of a file with n bytes, counted from the end if negative.
func cut(t *testing.T, file string, n int) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n < 0 {
		n += len(data)
	}
	path := filepath.Join(t.TempDir(), filepath.Base(file))
	if err := os.WriteFile(path, data[:n], 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestIdentityFile(t *testing.T) {
	id := newIdentity(t)
	path := filepath.Join(t.TempDir(), "identity")
	for content, good := range map[string]bool{
		"# created: today\n" + id.String() + "\n": true,
		id.String(): true,
		id.String() + "\n" + newIdentity(t).String(): false,
		"":               false,
		id.String()[:20]: false,
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := IdentityFile(path).Identity(t.Context(), false)
		if (err == nil) != good || good && got.String() != id.String() {
			t.Errorf("%d bytes: %v", len(content), err)
		}
		if err != nil && strings.Contains(err.Error(), id.String()[:20]) {
			t.Error("the error shows the identity")
		}
	}
}

// dirVariable and identityVariable tell a copy of the test which file to open.
const (
	dirVariable      = "KEYWRIGHT_TEST_AGEFILE_DIR"
	identityVariable = "KEYWRIGHT_TEST_AGEFILE_IDENTITY"
)

func TestProcesses(t *testing.T) {
	dir, identity := os.Getenv(dirVariable), os.Getenv(identityVariable)
	if dir == "" {
		dir, identity = t.TempDir(), filepath.Join(t.TempDir(), "identity")
		if err := os.WriteFile(identity, []byte(newIdentity(t).String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keystoretest.Processes(t, []string{dirVariable + "=" + dir, identityVariable + "=" + identity}, func(*testing.T) keystore.Items {
		return New(filepath.Join(dir, "keys.age"), IdentityFile(identity))
	})
}

// What is in order, or cannot be opened, is not set aside.
func TestSetAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.age")
	open := func() *File {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "identity")
		if err := os.WriteFile(file, []byte(id.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return New(path, IdentityFile(file))
	}
	f := open()
	if err := f.Put(t.Context(), "a", secret.New([]byte("x"))); err != nil {
		t.Fatal(err)
	}
	for what, f := range map[string]*File{"in order": f, "another's": open()} {
		if aside, err := f.SetAside(t.Context()); err == nil {
			t.Errorf("%s: set aside as %s", what, aside)
		}
	}
	if err := os.Truncate(path, 300); err != nil {
		t.Fatal(err)
	}
	aside, err := f.SetAside(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(aside); err != nil || info.Size() != 300 {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := f.Get(t.Context(), "a"); !errors.Is(err, keystore.ErrNoItem) {
		t.Errorf("afterwards: %v", err)
	}
}
