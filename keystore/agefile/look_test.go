package agefile

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/keywright/keywright/secret"
)

type given struct{ *age.X25519Identity }

func (g given) Identity(context.Context, bool) (*age.X25519Identity, error) {
	return g.X25519Identity, nil
}

// The file is decrypted once for many items, again when somebody else has changed it, and
// what was read does not stay.
func TestReadOnce(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "keys.age")
	mine, other := New(path, given{id}), New(path, given{id})
	mine.forgets = time.AfterFunc(time.Hour, func() {}) // however slow the machine
	get := func(name, want string) {
		t.Helper()
		if v, err := mine.Get(t.Context(), name); err != nil || string(v.Reveal()) != want {
			t.Fatalf("%s: %q, %v", name, v.Reveal(), err)
		}
	}
	put := func(name, value string) {
		t.Helper()
		if err := other.Put(t.Context(), name, secret.New([]byte(value))); err != nil {
			t.Fatal(err)
		}
	}
	put("a", "one")
	put("b", "two")
	get("a", "one")
	mine.reading.Lock()
	mine.last.Items["mark"] = []byte("seen")
	mine.reading.Unlock()
	get("b", "two")
	get("mark", "seen") // or it was decrypted again
	put("b", "three")
	get("b", "three")
	mine.reading.Lock()
	b := mine.last.Items["b"]
	mine.reading.Unlock()
	mine.forget()
	if mine.last.Items != nil || string(b) != "\x00\x00\x00\x00\x00" {
		t.Errorf("%q stays in memory", b)
	}
	get("a", "one")
}
