package backup

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/keystore/keystoretest"
	"github.com/keywright/keywright/secret"
)

func newIdentity(t *testing.T) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestBackup(t *testing.T) {
	from := keystore.Open(t.TempDir(), keystoretest.NewMemory())
	name := keystore.Name{Env: "prod", Key: "BINANCE"}
	put := func(n keystore.Name, id, value string) {
		t.Helper()
		parts := keystore.Parts{"id": secret.New([]byte(id)), "secret": secret.New([]byte(value))}
		if _, err := from.Put(t.Context(), "Ada", n, parts, func(k *keystore.Key) error { k.Owner = "Ada"; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	put(name, "a", "marked-one")
	put(name, "b", "marked-two\x00\xff")
	put(keystore.Name{Env: "dev", Key: "X"}, "c", "marked-three")
	id := newIdentity(t)
	var file bytes.Buffer
	if n, err := Write(t.Context(), &file, id.Recipient(), from, "a checkpoint", time.Unix(1, 0)); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	if strings.Contains(file.String(), "marked") || strings.Contains(file.String(), "BINANCE") {
		t.Error("the file shows what it holds")
	}

	b, err := Read(bytes.NewReader(file.Bytes()), id)
	if err != nil || b.Checkpoint != "a checkpoint" || !b.Made.Equal(time.Unix(1, 0)) || len(b.Names()) != 2 {
		t.Fatalf("%+v, %v", b, err)
	}
	to := keystore.Open(t.TempDir(), keystoretest.NewMemory())
	for _, n := range b.Names() {
		if err := b.Restore(t.Context(), to, n); err != nil {
			t.Fatal(err)
		}
	}
	for stage, want := range map[keystore.Stage]string{keystore.Current: "marked-two\x00\xff", keystore.Previous: "marked-one"} {
		parts, k, err := to.Get(t.Context(), name, stage)
		if err != nil || string(parts["secret"].Reveal()) != want || k.Owner != "Ada" || k.Versions[0].By != "Ada" {
			t.Errorf("%s: %v, %v", stage, k, err)
		}
	}
	if err := b.Restore(t.Context(), to, name); !errors.Is(err, keystore.ErrExists) {
		t.Errorf("restored over another: %v", err)
	}
	if err := b.Restore(t.Context(), to, keystore.Name{Env: "no", Key: "KEY"}); !errors.Is(err, keystore.ErrNoKey) {
		t.Errorf("restored what is not there: %v", err)
	}
}

func TestDamaged(t *testing.T) {
	id := newIdentity(t)
	store := keystore.Open(t.TempDir(), keystoretest.NewMemory())
	if _, err := store.Put(t.Context(), "t", keystore.Name{Env: "prod", Key: "A"}, keystore.Parts{"value": secret.New([]byte("marked"))}, nil); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := Write(t.Context(), &file, id.Recipient(), store, "", time.Now()); err != nil {
		t.Fatal(err)
	}
	whole := file.Bytes()
	for n := range whole {
		if _, err := Read(bytes.NewReader(whole[:n]), id); !errors.Is(err, ErrNoBackup) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
	if _, err := Read(bytes.NewReader(whole), newIdentity(t)); !errors.Is(err, ErrLocked) {
		t.Errorf("another identity: %v", err)
	}
	seal := func(text string) *bytes.Buffer {
		var b bytes.Buffer
		w, err := age.Encrypt(&b, id.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return &b
	}
	if _, err := Read(strings.NewReader("TOKEN=marked\nOTHER=marked\n"), id); !errors.Is(err, ErrNoBackup) || strings.Contains(err.Error(), "marked") {
		t.Errorf("a file that is no backup: %v", err)
	}
	if _, err := Read(seal("{"), id); !errors.Is(err, ErrNoBackup) {
		t.Errorf("not JSON: %v", err)
	}
	if _, err := Read(seal(`{"format":9}`), id); !errors.Is(err, ErrFormat) {
		t.Errorf("another format: %v", err)
	}
	b, err := Read(seal(`{"format":1,"keys":[{"key":{"env":"prod","key":"../x","parts":[{"name":"v"}],"versions":[{"number":1,"stage":"current"}]},"secrets":{"1":{"v":"eA=="}}}]}`), id)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Restore(t.Context(), store, b.Names()[0]); err == nil {
		t.Error("a name that cannot be was restored")
	}
	if c, err := store.Check(t.Context()); err != nil || len(c.Ailments) > 0 || c.Keys != 1 {
		t.Errorf("afterwards: %+v, %v", c, err)
	}
}
