package cmd

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keywright/keywright/audit"
	"github.com/keywright/keywright/internal/edit"
	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/keystore/keystoretest"
	"github.com/keywright/keywright/secret"
)

// memoryKeys are keys in a backend that fails on request.
func memoryKeys(t *testing.T) (*keyring, *keystoretest.Memory, *screen) {
	dir, items, s := t.TempDir(), keystoretest.NewMemory(), newScreen()
	return &keyring{Store: keystore.Open(dir, items), log: audit.Open(filepath.Join(dir, "audit"), keeper{items}), term: &s.terminal, shapes: newShapes()}, items, s
}

// Whatever call of the backend fails, each value is in the file or in a key that can be
// read, and the file refers to nothing that is not there.
func TestImportRewriteLosesNothing(t *testing.T) {
	const before, after = "A=one\n# x\nB='two'", "A=keywright://dev/A\n# x\nB='keywright://dev/B'"
	values := map[string]string{"A": "one", "B": "two"}
	ctx := context.Background()
	fault := errors.New("a fault")
	for n := 1; ; n++ {
		keys, items, _ := memoryKeys(t)
		path := filepath.Join(t.TempDir(), ".env")
		if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		items.FailAt(n, fault)
		err := importOptions{rewrite: true}.importFile(ctx, keys, "dev", path)
		moments := items.Moments()
		items.SetHook(nil)
		text, readErr := os.ReadFile(path)
		if readErr != nil || string(text) != before && string(text) != after || err != nil && string(text) != before {
			t.Fatalf("fault %d: %q, %v, %v", n, text, err, readErr)
		}
		if err == nil {
			for name, want := range values {
				parts, _, err := keys.Get(ctx, keystore.Name{Env: "dev", Key: name}, keystore.Current)
				if err != nil || string(parts[keystore.SinglePart].Reveal()) != want {
					t.Fatalf("fault %d: %s is %v", n, name, err)
				}
			}
		} else if again := (importOptions{rewrite: true}).importFile(ctx, keys, "dev", path); again != nil {
			t.Fatalf("fault %d: once more: %v", n, again)
		}
		if text, _ := os.ReadFile(path); string(text) != after {
			t.Fatalf("fault %d: in the end %q", n, text)
		}
		if moments < n {
			if n < 30 {
				t.Fatalf("only %d moments", moments)
			}
			return
		}
	}
}

// What another program writes into the file while its values are stored is kept.
func TestImportRewriteOfAChangedFile(t *testing.T) {
	keys, items, s := memoryKeys(t)
	path := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(path, []byte("A=one\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	items.SetHook(func(_ context.Context, m keystoretest.Moment) error {
		if m.Op == keystoretest.Put && strings.HasPrefix(m.Name, "key-") {
			return os.WriteFile(path, []byte("A=one\nB=two\n"), 0o600)
		}
		return nil
	})
	err := importOptions{rewrite: true}.importFile(context.Background(), keys, "dev", path)
	if text, _ := os.ReadFile(path); !errors.Is(err, edit.ErrChanged) || string(text) != "A=one\nB=two\n" {
		t.Errorf("%q, %v\n%s", text, err, &s.stderr)
	}
}

// Two writers: what somebody else stores after it was looked at is left alone, as what was
// there before, and no reference to it takes the place of another value.
func TestImportLeavesAlone(t *testing.T) {
	for name, run := range map[string]func(*keyring, string) error{
		"a file": func(k *keyring, path string) error {
			return importOptions{rewrite: true}.importFile(t.Context(), k, "dev", path)
		},
		"a file, to replace": func(k *keyring, path string) error {
			return importOptions{rewrite: true, replace: true}.importFile(t.Context(), k, "dev", path)
		},
		"an environment": func(k *keyring, _ string) error {
			return importOptions{from: "test"}.importFrom(t.Context(), k, "dev")
		},
	} {
		keys, items, _ := memoryKeys(t)
		path := filepath.Join(t.TempDir(), ".env")
		if err := os.WriteFile(path, []byte("A=one\nB=two\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		put := func(env, value string) error {
			_, err := keys.Put(t.Context(), "x", keystore.Name{Env: env, Key: "A"}, keystore.Parts{keystore.SinglePart: secretOf(value)}, nil)
			return err
		}
		if err := put("test", "one"); err != nil {
			t.Fatal(err)
		}
		items.SetHook(func(_ context.Context, m keystoretest.Moment) error {
			if m.Name == audit.HeadItem && m.Op == keystoretest.Put && m.After { // it is on record
				items.SetHook(nil)
				return put("dev", "else")
			}
			return nil
		})
		err := run(keys, path)
		if text, _ := os.ReadFile(path); !errors.Is(err, errChangedSince) || string(text) != "A=one\nB=two\n" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
		catalog, err := keys.Catalog(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if k, ok := catalog.Find(keystore.Name{Env: "dev", Key: "A"}); !ok || k.LastNumber != 1 {
			t.Errorf("%s: %v", name, k)
		}
	}
}

// Two writers: what is read back is not what was stored.
func TestImportReadsBack(t *testing.T) {
	keys, items, _ := memoryKeys(t)
	path := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(path, []byte("A=one\nB=two\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	other, stored := &keyring{Store: keys.Store, log: keys.log, term: keys.term}, 0
	items.SetHook(func(ctx context.Context, m keystoretest.Moment) error {
		if m.Op == keystoretest.Get && m.Name == "metadata-head" && stored > 1 {
			stored = -100
			_, err := other.Put(ctx, "x", keystore.Name{Env: "dev", Key: "A"}, keystore.Parts{keystore.SinglePart: secretOf("else")}, nil)
			return err
		}
		if m.Op == keystoretest.Put && strings.HasPrefix(m.Name, "key-") && m.After {
			stored++
		}
		return nil
	})
	err := importOptions{rewrite: true}.importFile(context.Background(), keys, "dev", path)
	if text, _ := os.ReadFile(path); err == nil || !strings.Contains(err.Error(), "read back dev/A") || string(text) != "A=one\nB=two\n" {
		t.Errorf("%q, %v", text, err)
	}
}

func secretOf(s string) secret.Value { return secret.New([]byte(s)) }
