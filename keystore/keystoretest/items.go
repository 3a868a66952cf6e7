// Package keystoretest holds what every backend for secrets must do, as tests, and a
// backend in memory that fails on request, for testing what stands above one.
package keystoretest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/secret"
)

// Items is the conformance suite of a keystore.Items. Open returns one; every call
// within a test must open the same store, which may hold items already. Whatever the
// suite stores it deletes again.
func Items(t *testing.T, open func(t *testing.T) keystore.Items) {
	t.Run("round trip", func(t *testing.T) { roundTrips(t, open(t)) })
	t.Run("replace", func(t *testing.T) { replaces(t, open(t)) })
	t.Run("delete", func(t *testing.T) { deletes(t, open(t)) })
	t.Run("nothing there", func(t *testing.T) { nothing(t, open(t)) })
	t.Run("names", func(t *testing.T) { names(t, open(t)) })
	t.Run("too large", func(t *testing.T) { tooLarge(t, open(t)) })
	t.Run("cancelled", func(t *testing.T) { cancelled(t, open(t)) })
	t.Run("copies", func(t *testing.T) { copies(t, open(t)) })
	t.Run("reopened", func(t *testing.T) { reopened(t, open) })
	t.Run("concurrent", func(t *testing.T) { concurrent(t, open(t)) })
}

// Values are those that a backend may get wrong, by what is special about them.
func Values() map[string][]byte {
	return map[string][]byte{
		"empty":              {},
		"one byte":           {'x'},
		"a NUL":              {0},
		"NUL inside":         []byte("before\x00after"),
		"every byte":         everyByte(),
		"not UTF-8":          {0xff, 0xfe, 0xc0, 0x80},
		"UTF-8":              []byte("Schlüssel 鍵 🔑"),
		"newline at the end": []byte("line\n"),
		"only newlines":      []byte("\r\n\n"),
		"space around":       []byte("  value\t"),
		"quotes":             []byte(`'"$(echo x)` + "`\\"),
		"a prefix of ours":   []byte("keywright:base64:eA=="),
		"one of the library": []byte("go-keyring-base64:eA=="),
		"1,000 bytes":        content(1_000),
		"3,000 bytes":        content(3_000),
		"3,000 characters":   bytes.Repeat([]byte("x"), 3_000),
		"100 KiB":            content(100 << 10),
		"1 MiB":              content(1 << 20),
	}
}

func everyByte() []byte {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	return all
}

// content is random bytes that end in their own checksum, see whole.
func content(size int) []byte {
	b := make([]byte, size-32)
	rand.Read(b)
	sum := secret.New(b).Digest(nil)
	return append(b, sum[:]...)
}

// whole reports whether a value is one that content made.
func whole(v secret.Value) bool {
	b := v.Reveal()
	if len(b) < 32 {
		return false
	}
	sum := secret.New(b[:len(b)-32]).Digest(nil)
	return bytes.Equal(sum[:], b[len(b)-32:])
}

// newName returns a name that nothing else uses, and deletes its item in the end.
func newName(t *testing.T, items keystore.Items) string {
	t.Helper()
	name := "test." + strings.ToLower(rand.Text())
	t.Cleanup(func() {
		if err := items.Delete(context.WithoutCancel(t.Context()), name); err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
	return name
}

func put(t *testing.T, items keystore.Items, name string, value []byte) {
	t.Helper()
	if err := items.Put(t.Context(), name, secret.New(value)); err != nil {
		checkError(t, err, value)
		t.Fatalf("put %d bytes: %v", len(value), err)
	}
}

// expect fails unless an item holds a value. It does not print what it holds.
func expect(t *testing.T, items keystore.Items, name string, value []byte) {
	t.Helper()
	got, err := items.Get(t.Context(), name)
	if err != nil {
		checkError(t, err, value)
		t.Fatalf("get %d bytes: %v", len(value), err)
	}
	if !bytes.Equal(got.Reveal(), value) {
		t.Errorf("got %d bytes that are not the %d bytes which were put", got.Len(), len(value))
	}
}

// checkError fails if an error is none that Items may return, or shows a value.
func checkError(t *testing.T, err error, value []byte) {
	t.Helper()
	if _, ok := keystore.TroubleOf(err); !ok && !errors.Is(err, keystore.ErrNoItem) {
		t.Errorf("an error of no kind that callers know: %T, %v", err, err)
	}
	if len(value) < 4 {
		return // any text may hold it by chance
	}
	for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
		for _, form := range []string{string(value), hex.EncodeToString(value), base64.StdEncoding.EncodeToString(value), base64.RawURLEncoding.EncodeToString(value)} {
			if strings.Contains(text, form) {
				t.Error("an error shows the value")
			}
		}
	}
}

func roundTrips(t *testing.T, items keystore.Items) {
	for what, value := range Values() {
		t.Run(what, func(t *testing.T) {
			name := newName(t, items)
			put(t, items, name, value)
			expect(t, items, name, value)
			expect(t, items, name, value) // reading takes nothing away
		})
	}
}

// replaces goes up and down in size, so that one way of storing takes the place of another.
func replaces(t *testing.T, items keystore.Items) {
	name, other := newName(t, items), newName(t, items)
	put(t, items, other, []byte("untouched"))
	for _, value := range [][]byte{[]byte("first"), []byte("second"), content(5_000), content(6_000), {}, {0}, content(5_000), []byte("last")} {
		put(t, items, name, value)
		expect(t, items, name, value)
		put(t, items, name, value) // by itself
		expect(t, items, name, value)
	}
	expect(t, items, other, []byte("untouched"))
}

func deletes(t *testing.T, items keystore.Items) {
	for _, value := range [][]byte{[]byte("small"), content(5_000)} {
		name, other := newName(t, items), newName(t, items)
		put(t, items, name, value)
		put(t, items, other, value)
		for range 2 {
			if err := items.Delete(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			noItem(t, items, name)
		}
		expect(t, items, other, value)
		put(t, items, name, value) // deleted names can be used again
		expect(t, items, name, value)
	}
}

func nothing(t *testing.T, items keystore.Items) {
	name := newName(t, items)
	noItem(t, items, name)
	if err := items.Delete(t.Context(), name); err != nil {
		t.Errorf("delete what is not there: %v", err)
	}
}

func noItem(t *testing.T, items keystore.Items, name string) {
	t.Helper()
	got, err := items.Get(t.Context(), name)
	if !errors.Is(err, keystore.ErrNoItem) {
		t.Errorf("get what is not there: %v", err)
	}
	if err != nil && !strings.Contains(err.Error(), name) {
		t.Errorf("%q does not say which", err)
	}
	if !got.IsZero() {
		t.Errorf("get what is not there: %d bytes", got.Len())
	}
}

func names(t *testing.T, items keystore.Items) {
	unique := strings.ToLower(rand.Text())
	good := []string{"x", "0", unique, unique + ".", "-" + unique, "." + unique, "..", "nul", "UPPER-and-lower.1",
		unique + strings.Repeat("n", keystore.MaxItemName-len(unique))}
	for _, name := range good {
		t.Cleanup(func() { _ = items.Delete(context.WithoutCancel(t.Context()), name) })
		put(t, items, name, []byte("value of "+name))
	}
	for _, name := range good {
		expect(t, items, name, []byte("value of "+name))
	}
	value := []byte("marked " + unique)
	for _, name := range []string{"", strings.Repeat("n", keystore.MaxItemName+1), strings.Repeat("n", 100_000),
		"a/b", "../a", `a\b`, "a b", " a", "a\n", "a\x00b", "ä", "\u0430bc", "a\u200bb", "a:b", "a_b", "a*", "\xff"} {
		_, getErr := items.Get(t.Context(), name)
		for doing, err := range map[string]error{
			"put":    items.Put(t.Context(), name, secret.New(value)),
			"get":    getErr,
			"delete": items.Delete(t.Context(), name),
		} {
			if err == nil || errors.Is(err, keystore.ErrNoItem) {
				t.Errorf("%s under the name %.80q: %v", doing, name, err)
				continue
			}
			checkError(t, err, value)
			if text := err.Error(); len(text) > 500 || strings.ContainsFunc(text, unprintable) {
				t.Errorf("%s under the name %.80q: cannot be shown to a user: %.600q", doing, name, text)
			}
		}
	}
}

func unprintable(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }

func tooLarge(t *testing.T, items keystore.Items) {
	name := newName(t, items)
	put(t, items, name, []byte("before"))
	err := items.Put(t.Context(), name, secret.New(make([]byte, keystore.MaxItem+1)))
	if trouble, _ := keystore.TroubleOf(err); trouble != keystore.Full {
		t.Errorf("more than MaxItem: %v", err)
	}
	expect(t, items, name, []byte("before"))
}

func cancelled(t *testing.T, items keystore.Items) {
	name, value := newName(t, items), content(100)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, getErr := items.Get(ctx, name)
	for doing, err := range map[string]error{
		"put":    items.Put(ctx, name, secret.New(value)),
		"get":    getErr,
		"delete": items.Delete(ctx, name),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s, cancelled: %v", doing, err)
			continue
		}
		checkError(t, err, value)
	}
}

// copies checks that neither side changes the other's bytes.
func copies(t *testing.T, items keystore.Items) {
	name := newName(t, items)
	value := secret.New([]byte("original"))
	if err := items.Put(t.Context(), name, value); err != nil {
		t.Fatal(err)
	}
	value.Wipe()
	expect(t, items, name, []byte("original"))
	got, err := items.Get(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	got.Wipe()
	expect(t, items, name, []byte("original"))
}

func reopened(t *testing.T, open func(t *testing.T) keystore.Items) {
	first := open(t)
	name, large := newName(t, first), newName(t, first)
	value := content(5_000)
	put(t, first, name, []byte("kept"))
	put(t, first, large, value)
	second := open(t)
	expect(t, second, name, []byte("kept"))
	expect(t, second, large, value)
}

const (
	writers = 4
	rounds  = 6
)

// concurrent lets writers and readers loose on a shared item, and writers on their own.
func concurrent(t *testing.T, items keystore.Items) {
	shared := newName(t, items)
	put(t, items, shared, content(100))
	var all sync.WaitGroup
	for range writers {
		own := newName(t, items)
		all.Go(func() { write(t, items, shared, own) })
		all.Go(func() { read(t, items, shared) })
	}
	all.Wait()
}

// write stores values of every kind of size under a shared name, and under its own
// name, which it deletes now and then.
func write(t *testing.T, items keystore.Items, shared, own string) {
	for i := range rounds {
		size := 100 + i%2*5_000
		if err := items.Put(t.Context(), shared, secret.New(content(size))); err != nil {
			t.Errorf("put the shared item: %v", err)
		}
		value := content(size)
		if err := items.Put(t.Context(), own, secret.New(value)); err != nil {
			t.Errorf("put its own item: %v", err)
		}
		if got, err := items.Get(t.Context(), own); err != nil || !bytes.Equal(got.Reveal(), value) {
			t.Errorf("its own item has %d other bytes, %v", got.Len(), err)
		}
		if i%3 == 2 {
			if err := items.Delete(t.Context(), own); err != nil {
				t.Errorf("delete its own item: %v", err)
			}
		}
	}
}

// read checks that the shared item is always there, and whole.
func read(t *testing.T, items keystore.Items, shared string) {
	for range 2 * rounds {
		if got, err := items.Get(t.Context(), shared); err != nil || !whole(got) {
			t.Errorf("the shared item: %d bytes, %v", got.Len(), err)
		}
	}
}
