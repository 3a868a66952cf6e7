package agefile

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	mrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/keystore/keystoretest"
	"github.com/keywright/keywright/secret"
)

// KEYWRIGHT_KILLS=200 sets how many processes TestKill kills.
const (
	killsVariable = "KEYWRIGHT_KILLS"
	killsDefault  = 30
	killWorkers   = 4
	killKeys      = 5
)

// TestKill lets four processes change the same keys at random, and kills one after the
// other at a random moment. Every key must always be readable and whole, and in the end
// no item may be left that belongs to nothing.
func TestKill(t *testing.T) {
	if dir := os.Getenv(dirVariable); dir != "" {
		workUntilKilled(t, openKeys(dir))
		return
	}
	kills := killsDefault
	if s := os.Getenv(killsVariable); s != "" {
		var err error
		if kills, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "identity"), []byte(newIdentity(t).String()), 0o600); err != nil {
		t.Fatal(err)
	}
	start := func() *exec.Cmd {
		cmd := keystoretest.Rerun(t, []string{dirVariable + "=" + dir})
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	var workers [killWorkers]*exec.Cmd
	for i := range workers {
		workers[i] = start()
	}
	store := openKeys(dir)
	seen := 0
	for range kills {
		time.Sleep(time.Duration(10+mrand.IntN(60)) * time.Millisecond)
		w := &workers[mrand.IntN(killWorkers)]
		if err := (*w).Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = (*w).Wait()
		*w = start()
		seen += readAll(t, store)
	}
	for _, w := range workers {
		_ = w.Process.Kill()
		_ = w.Wait()
	}
	readAll(t, store)
	if seen == 0 {
		t.Error("no key was ever there: nothing was tested")
	}
	t.Logf("%d kills, %d keys read in between", kills, seen)
	noOrphans(t, dir, store)
}

func openKeys(dir string) *keystore.Store {
	return keystore.Open(filepath.Join(dir, "keys"), New(filepath.Join(dir, "keys", "keys.age"), IdentityFile(filepath.Join(dir, "identity"))))
}

func keyOf(n int) keystore.Name { return keystore.Name{Env: "prod", Key: "K" + strconv.Itoa(n)} }

// checked is a random value that holds its own checksum.
func checked() secret.Value {
	var b [20]byte
	rand.Read(b[:])
	sum := sha256.Sum256(b[:])
	return secret.New([]byte(hex.EncodeToString(b[:]) + hex.EncodeToString(sum[:8])))
}

func isChecked(v secret.Value) bool {
	b, err := hex.DecodeString(string(v.Reveal()))
	if err != nil || len(b) != 28 {
		return false
	}
	sum := sha256.Sum256(b[:20])
	return string(sum[:8]) == string(b[20:])
}

func workUntilKilled(t *testing.T, store *keystore.Store) {
	for t.Context().Err() == nil {
		name, other := keyOf(mrand.IntN(killKeys)), keyOf(mrand.IntN(killKeys))
		var err error
		switch mrand.IntN(8) {
		case 0:
			err = store.Undo(t.Context(), "tester", name)
		case 1:
			err = store.Move(t.Context(), "tester", name, other)
		case 2:
			err = store.Remove(t.Context(), "tester", name)
		case 3:
			err = store.Edit(t.Context(), "tester", name, func(k *keystore.Key) error { k.Owner = "x"; return nil })
		default:
			_, err = store.Put(t.Context(), "test", name, keystore.Parts{"a": checked(), "b": checked()}, nil)
		}
		if err != nil && !errors.Is(err, keystore.ErrNoKey) && !errors.Is(err, keystore.ErrNoVersion) && !errors.Is(err, keystore.ErrExists) {
			t.Fatal(err)
		}
	}
}

// readAll reads every key that there is. One may vanish meanwhile.
func readAll(t *testing.T, store *keystore.Store) (n int) {
	t.Helper()
	for i := range killKeys {
		parts, _, err := store.Get(t.Context(), keyOf(i), keystore.Current)
		if errors.Is(err, keystore.ErrNoKey) || errors.Is(err, keystore.ErrNoItem) {
			continue
		}
		if err != nil || len(parts) != 2 || !isChecked(parts["a"]) || !isChecked(parts["b"]) {
			t.Fatalf("%s: %d parts, %v", keyOf(i), len(parts), err)
		}
		n++
	}
	return n
}

// noOrphans wants every item to belong to a version, or to be named as loose.
func noOrphans(t *testing.T, dir string, store *keystore.Store) {
	t.Helper()
	catalog, err := store.Catalog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"metadata-key": true, "metadata-head": true}
	for _, k := range catalog.Keys {
		for _, v := range k.Versions {
			known[v.Item] = true
		}
	}
	for _, l := range catalog.Loose {
		known[l.Item] = true
	}
	c, err := New(filepath.Join(dir, "keys", "keys.age"), IdentityFile(filepath.Join(dir, "identity"))).read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for item := range c.Items {
		if !known[item] {
			t.Errorf("%s belongs to nothing", item)
		}
	}
}
