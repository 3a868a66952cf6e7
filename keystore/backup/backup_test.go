package backup

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
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
	if err != nil || b.Checkpoint != "a checkpoint" || !b.Made.Equal(time.Unix(1, 0)) || len(b.Keys()) != 2 {
		t.Fatalf("%+v, %v", b, err)
	}
	to := keystore.Open(t.TempDir(), keystoretest.NewMemory())
	restore(t, b, to)
	for stage, want := range map[keystore.Stage]string{keystore.Current: "marked-two\x00\xff", keystore.Previous: "marked-one"} {
		parts, k, err := to.Get(t.Context(), name, stage)
		if err != nil || string(parts["secret"].Reveal()) != want || k.Owner != "Ada" || k.Versions[0].By != "Ada" {
			t.Errorf("%s: %v, %v", stage, k, err)
		}
	}
	left, err := b.Restore(t.Context(), "tester", to)
	if want := []keystore.Name{{Env: "dev", Key: "X"}, name}; err != nil || !slices.Equal(left, want) {
		t.Errorf("restored once more: %v, left alone: %v, want %v", err, left, want)
	}
}

// openStore is a store that keeps digests: with a key before each value, so that those
// that were made with another key differ.
func openStore(t *testing.T) *keystore.Store {
	t.Helper()
	return keystore.Open(t.TempDir(), keystoretest.NewMemory()).WithDigester(digest)
}

func digest(key []byte, value secret.Value) []byte {
	sum := value.Digest(key)
	return sum[:]
}

// found lists what a value is found as, in the order of stages and times of death.
func found(t *testing.T, s *keystore.Store, value string) (list []string) {
	t.Helper()
	f, err := s.Findable(t.Context())
	if err != nil || f.Without > 0 {
		t.Fatalf("%d without digests, %v", f.Without, err)
	}
	for _, v := range f.Values {
		if bytes.Equal(v.Digest, digest(v.Key.Reveal(), secret.New([]byte(value)))) {
			list = append(list, fmt.Sprint(v.Name, " ", v.Part, " ", v.Number, " ", v.Stage, " ", v.Died.IsZero()))
		}
	}
	return list
}

func backUp(t *testing.T, s *keystore.Store) *Backup {
	t.Helper()
	id := newIdentity(t)
	var file bytes.Buffer
	if _, err := Write(t.Context(), &file, id.Recipient(), s, "", time.Now()); err != nil {
		t.Fatal(err)
	}
	b, err := Read(&file, id)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func restore(t *testing.T, b *Backup, s *keystore.Store) {
	t.Helper()
	if _, err := b.Restore(t.Context(), "tester", s); err != nil {
		t.Fatal(err)
	}
}

// TestRetired: what a value that is gone is found by outlives the store, with the time,
// also in a store that has keys with digests of its own, and through a second backup.
func TestRetired(t *testing.T) {
	put := func(s *keystore.Store, value string) {
		t.Helper()
		n := keystore.Name{Env: "prod", Key: "A"}
		if _, err := s.Put(t.Context(), "t", n, keystore.Parts{"value": secret.New([]byte(value))}, nil); err != nil {
			t.Fatal(err)
		}
	}
	check := func(s *keystore.Store, want map[string]string) {
		t.Helper()
		for value, want := range want {
			if got := strings.Join(found(t, s, value), ", "); got != want {
				t.Errorf("%s is found as %q, want %q", value, got, want)
			}
		}
	}
	first := openStore(t)
	for _, v := range []string{"one", "two", "three", "four"} {
		put(first, v)
	}
	want := map[string]string{
		"one": "prod/A value 1 retired false", "two": "prod/A value 2 retired false",
		"three": "prod/A value 3 previous true", "four": "prod/A value 4 current true", "five": "",
	}
	check(first, want)
	died, _ := first.Retired(t.Context())

	b := backUp(t, first)
	empty := openStore(t)
	restore(t, b, empty)
	check(empty, want)
	restore(t, b, empty) // once more: nothing is there twice
	check(empty, want)
	if again, err := empty.Retired(t.Context()); err != nil || len(again) != 2 || !again[0].Died.Equal(died[0].Died) {
		t.Errorf("restored %v, %v; want %v", again, err, died)
	}
	keysOf := func(s *keystore.Store) int {
		keys := map[string]bool{}
		f, err := s.Findable(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range f.Values {
			keys[string(v.Key.Reveal())] = true
		}
		return len(keys)
	}
	if n := keysOf(empty); n != 1 {
		t.Errorf("a store that was empty looks with %d keys", n)
	}

	second := openStore(t)
	put(second, "six")
	put(second, "seven")
	put(second, "eight")
	restore(t, b, second)
	mixed := map[string]string{
		"one": want["one"], "two": want["two"], "three": "", "four": "", // the key is left alone
		"six": "prod/A value 1 retired false", "seven": "prod/A value 2 previous true", "eight": "prod/A value 3 current true",
	}
	check(second, mixed)
	if n := keysOf(second); n != 2 {
		t.Errorf("a store that had keys looks with %d keys", n)
	}
	third := openStore(t)
	restore(t, backUp(t, second), third)
	check(third, mixed)
	restore(t, backUp(t, third), first)
	if got := found(t, first, "six"); len(got) != 1 {
		t.Errorf("back where it began: %v", got)
	}
}

// TestFirstFormat: a backup of the first format, as it was written then, is read.
func TestFirstFormat(t *testing.T) {
	id := newIdentity(t)
	var file bytes.Buffer
	w, err := age.Encrypt(&file, id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, `{"format":1,"made":"2026-11-01T00:00:00Z","checkpoint":"c","keys":[{"key":{"env":"prod","key":"A","parts":[{"name":"value"}],"created":"2026-10-01T00:00:00Z","versions":[{"number":3,"stage":"current","item":"key-x","created":"2026-10-01T00:00:00Z","by":"Ada"}],"last_version":3},"secrets":{"3":{"value":"bWFya2Vk"}}}],"protected":["prod"]}`)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := Read(&file, id)
	if err != nil || b.Checkpoint != "c" || len(b.Protected()) != 1 {
		t.Fatal(b, err)
	}
	s := openStore(t)
	restore(t, b, s)
	parts, k, err := s.Get(t.Context(), b.Keys()[0].Name, keystore.Current)
	if err != nil || string(parts["value"].Reveal()) != "marked" || k.Versions[0].Number != 3 {
		t.Error(k, err)
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
	if _, err := b.Restore(t.Context(), "tester", store); err == nil {
		t.Error("a name that cannot be was restored")
	}
	if c, err := store.Check(t.Context()); err != nil || len(c.Ailments) > 0 || c.Keys != 1 {
		t.Errorf("afterwards: %+v, %v", c, err)
	}
}
