package keystore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/secret"
)

// memory is Items that can die: at the n-th call, before or after its effect, and ever
// after.
type memory struct {
	mu    sync.Mutex
	items map[string]string
	calls int
	dieAt int // 0: never
	after bool
}

var errDead = errors.New("dead")

func newMemory() *memory { return &memory{items: map[string]string{}} }

func (m *memory) call(effect func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	dead := m.dieAt > 0 && m.calls >= m.dieAt
	if !dead || m.after && m.calls == m.dieAt {
		effect()
	}
	if dead {
		return &BackendError{Backend: "memory", Doing: "call", Trouble: Failed, Err: errDead}
	}
	return nil
}

func (m *memory) Put(_ context.Context, name string, v secret.Value) error {
	if err := ValidItem(name, v); err != nil {
		return err
	}
	return m.call(func() { m.items[name] = string(v.Reveal()) })
}

func (m *memory) Get(_ context.Context, name string) (v secret.Value, err error) {
	found := false
	if err := m.call(func() {
		var s string
		s, found = m.items[name]
		v = secret.New([]byte(s))
	}); err != nil {
		return secret.Value{}, err
	}
	if !found {
		return secret.Value{}, ErrNoItem
	}
	return v, nil
}

func (m *memory) Delete(_ context.Context, name string) error {
	return m.call(func() { delete(m.items, name) })
}

// revive is the same memory in a process of its own.
func (m *memory) revive() *memory { return &memory{items: m.items} }

// testStore is a store whose clock is set by hand.
type testStore struct {
	*Store
	t     *testing.T
	mem   *memory
	dir   string
	clock time.Time
}

func newTestStore(t *testing.T) *testStore {
	return (&testStore{t: t, mem: newMemory(), clock: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}).at(t.TempDir())
}

func (s *testStore) at(dir string) *testStore {
	s.Store, s.dir = Open(dir, s.mem), dir
	s.now = func() time.Time { return s.clock }
	return s
}

func single(value string) Parts { return Parts{SinglePart: secret.New([]byte(value))} }

func (s *testStore) put(name, value string) error {
	n, err := ParseName(name)
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = s.Put(s.t.Context(), "tester", n, single(value), nil)
	return err
}

// value is what a key holds, "none" if there is no such key or version.
func (s *testStore) value(name string, stage Stage) string {
	s.t.Helper()
	n, _ := ParseName(name)
	parts, _, err := s.Get(s.t.Context(), n, stage)
	if errors.Is(err, ErrNoKey) || errors.Is(err, ErrNoVersion) {
		return "none"
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return string(parts[SinglePart].Reveal())
}

// tidy lets everything cool, and wants no item that belongs to nothing.
func (s *testStore) tidy() {
	s.t.Helper()
	for range 2 {
		s.clock = s.clock.Add(2 * cooling)
		if err := s.put("zz/TIDY", "x"); err != nil {
			s.t.Fatal(err)
		}
	}
	c, err := s.Catalog(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	want := []string{sealKeyItem, headItem}
	for _, k := range c.Keys {
		for _, v := range k.Versions {
			want = append(want, v.Item)
		}
	}
	if c.TOTP != nil {
		want = append(want, c.TOTP.Item)
	}
	for _, l := range c.Loose {
		if s.clock.Sub(l.Since) >= cooling {
			s.t.Errorf("%s is still loose", l.Item)
		}
	}
	have := slices.Sorted(maps.Keys(s.mem.items))
	slices.Sort(want)
	if !slices.Equal(have, want) {
		s.t.Errorf("items %q, want %q", have, want)
	}
}

// A clock that goes back keeps no key from being stored, and leaves nothing behind.
func TestClockGoesBack(t *testing.T) {
	s := newTestStore(t)
	name := Name{"prod", "A"}
	for i, step := range []time.Duration{0, -365 * 24 * time.Hour, -time.Hour, 1000 * 24 * time.Hour, -2 * cooling} {
		s.clock = s.clock.Add(step)
		value := fmt.Sprint("value ", i)
		if err := s.put("prod/A", value); err != nil {
			t.Fatal(err)
		}
		if got := s.value("prod/A", Current); got != value {
			t.Errorf("current is %q, not %q", got, value)
		}
		if i > 0 && s.value("prod/A", Previous) != fmt.Sprint("value ", i-1) {
			t.Errorf("previous is %q", s.value("prod/A", Previous))
		}
		if err := s.put("prod/GONE", "x"); err != nil {
			t.Fatal(err)
		}
		if err := s.Remove(t.Context(), "tester", Name{"prod", "GONE"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Undo(t.Context(), "tester", name); err != nil || s.value("prod/A", Current) != "value 3" {
		t.Errorf("%v, %q", err, s.value("prod/A", Current))
	}
	c, err := s.Check(t.Context())
	if err != nil || len(c.Ailments) > 0 {
		t.Errorf("%+v, %v", c, err)
	}
	s.tidy()
}

func TestVersions(t *testing.T) {
	s := newTestStore(t)
	check := func(current, previous string) {
		t.Helper()
		if c, p := s.value("prod/A", Current), s.value("prod/A", Previous); c != current || p != previous {
			t.Errorf("current %q, previous %q, want %q and %q", c, p, current, previous)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	name := Name{"prod", "A"}
	check("none", "none")
	must(s.put("prod/A", "one"))
	check("one", "none")
	must(s.put("prod/A", "two"))
	check("two", "one")
	must(s.Undo(t.Context(), "tester", name))
	check("one", "two")
	must(s.put("prod/A", "three"))
	check("three", "one")
	must(s.Edit(t.Context(), "tester", name, func(k *Key) error { k.Owner = "Ada"; k.Versions = nil; return nil }))
	must(s.put("dev/D", "d"))
	must(s.Edit(t.Context(), "tester", Name{"dev", "D"}, func(k *Key) error { k.Admin, k.Consumers = "prod/A", []string{"env:/a,A"}; return nil }))
	must(s.Move(t.Context(), "tester", name, Name{"dev", "B"}))
	check("none", "none")
	if got := s.value("dev/B", Current); got != "three" {
		t.Errorf("moved: %q", got)
	}
	c, err := s.Catalog(t.Context())
	must(err)
	if k, ok := c.Find(Name{"dev", "B"}); !ok || k.Owner != "Ada" || k.Versions[0].Number != 3 || len(k.Versions) != 2 {
		t.Errorf("%v owner %q versions %+v", k.Name, k.Owner, k.Versions)
	}
	if k, ok := c.Find(Name{"dev", "D"}); !ok || k.Admin != "dev/B" || !slices.Equal(k.Consumers, []string{"env:/a,A"}) {
		t.Errorf("%v is changed with %q, consumers %q", k.Name, k.Admin, k.Consumers)
	}
	must(s.put("dev/C", "c"))
	if err := s.Move(t.Context(), "tester", Name{"dev", "C"}, Name{"dev", "B"}); !errors.Is(err, ErrExists) {
		t.Errorf("move over another key: %v", err)
	}
	if _, err := s.Put(t.Context(), "t", Name{"dev", "C"}, Parts{"id": secret.New(nil)}, nil); !errors.Is(err, ErrParts) {
		t.Errorf("other parts: %v", err)
	}
	must(s.Remove(t.Context(), "tester", Name{"dev", "B"}))
	if err := s.Remove(t.Context(), "tester", Name{"dev", "B"}); !errors.Is(err, ErrNoKey) {
		t.Errorf("removed twice: %v", err)
	}
	s.tidy()
}

// TestCrash lets the process die at every call of the backend, before and after its
// effect. Each key must be as it was or as it was to be, and nothing may be left over.
func TestCrash(t *testing.T) {
	name := Name{"prod", "A"}
	operations := map[string]struct {
		prepare []string
		do      func(s *testStore) error
		want    []string // current, previous: before and after
	}{
		"first":  {nil, func(s *testStore) error { return s.put("prod/A", "1") }, []string{"none none", "1 none"}},
		"second": {[]string{"1"}, func(s *testStore) error { return s.put("prod/A", "2") }, []string{"1 none", "2 1"}},
		"third":  {[]string{"1", "2"}, func(s *testStore) error { return s.put("prod/A", "3") }, []string{"2 1", "3 2"}},
		"undo":   {[]string{"1", "2"}, func(s *testStore) error { return s.Undo(t.Context(), "tester", name) }, []string{"2 1", "1 2"}},
		"edit": {[]string{"1"}, func(s *testStore) error {
			return s.Edit(t.Context(), "tester", name, func(k *Key) error { k.Owner = "x"; return nil })
		}, []string{"1 none"}},
		"move": {[]string{"1"}, func(s *testStore) error { return s.Move(t.Context(), "tester", name, Name{"prod", "B"}) }, []string{"1 none", "none none"}},
		"restore": {nil, func(s *testStore) error {
			_, err := s.Restore(t.Context(), "tester", Saved{Keys: []SavedKey{savedKey("prod/A", "1", "2")}})
			return err
		}, []string{"none none", "2 1"}},
		"retired": {nil, func(s *testStore) error {
			gone := RetiredValues{Name: name, Number: 1, Item: "key-1", Key: secret.New([]byte("key")), Digests: single("digest")}
			_, err := s.Restore(t.Context(), "tester", Saved{Retired: []RetiredValues{gone}})
			return err
		}, []string{"none none"}},
		"removal": {[]string{"1", "2"}, func(s *testStore) error { return s.Remove(t.Context(), "tester", name) }, []string{"2 1", "none none"}},
	}
	for what, op := range operations {
		ends := 0
		for n := 1; ends < 2; n++ {
			if n > 60 {
				t.Fatalf("%s does not end", what)
			}
			after := n%2 == 0
			s := newTestStore(t)
			for _, v := range op.prepare {
				if err := s.put("prod/A", v); err != nil {
					t.Fatal(err)
				}
			}
			s.mem = s.mem.revive()
			s.mem.dieAt, s.mem.after = (n+1)/2, after
			dir := s.dir
			err := op.do(s.at(dir))
			if s.mem.calls < s.mem.dieAt {
				ends++
			}
			s.mem = s.mem.revive()
			s.at(dir)
			got := s.value("prod/A", Current) + " " + s.value("prod/A", Previous)
			if i := slices.Index(op.want, got); i < 0 || err == nil && i != len(op.want)-1 {
				t.Errorf("%s, dead at call %d (after: %v, %v): %q, want one of %q", what, s.mem.dieAt, after, err, got, op.want)
			}
			s.tidy()
		}
	}
}

// TestCrashOfSeveral is TestCrash where several keys are stored at once: all are there, or
// none.
func TestCrashOfSeveral(t *testing.T) {
	a, b := Name{"prod", "A"}, Name{"prod", "B"}
	for n, ends := 1, 0; ends < 2; n++ {
		if n > 60 {
			t.Fatal("it does not end")
		}
		s := newTestStore(t)
		if err := s.put("prod/A", "1"); err != nil {
			t.Fatal(err)
		}
		s.mem = s.mem.revive()
		s.mem.dieAt, s.mem.after = (n+1)/2, n%2 == 0
		dir := s.dir
		stored, err := s.at(dir).PutAll(t.Context(), "tester", NewVersion{a, single("2"), nil}, NewVersion{b, single("3"), nil})
		if s.mem.calls < s.mem.dieAt {
			ends++
		}
		if err == nil && (len(stored) != 2 || stored[1].Name != b) {
			t.Fatalf("stored %v", stored)
		}
		s.mem = s.mem.revive()
		s.at(dir)
		got := s.value("prod/A", Current) + s.value("prod/A", Previous) + s.value("prod/B", Current)
		if got != "21"+"3" && (got != "1nonenone" || err == nil) {
			t.Errorf("dead at call %d: %q, %v", (n+1)/2, got, err)
		}
		s.tidy()
	}
}

// A key is named once, and what one of them is refused for is refused for all.
func TestPutAllRefused(t *testing.T) {
	s := newTestStore(t)
	a := NewVersion{Name{"prod", "A"}, single("1"), nil}
	refused := errors.New("refused")
	for _, other := range []NewVersion{a, {Name{"prod", "B"}, nil, nil}, {Name{"prod", "B"}, single("1"), func(*Key) error { return refused }}} {
		_, err := s.PutAll(t.Context(), "tester", a, other)
		var known *KeyError
		if !errors.As(err, &known) || known.Name != other.Name || s.value("prod/A", Current) != "none" {
			t.Errorf("%s: %v; prod/A is %s", other.Name, err, s.value("prod/A", Current))
		}
	}
}

// What stores many keys at once asks the backend once more for each.
func TestPutAllCosts(t *testing.T) {
	s := newTestStore(t)
	cost := func(env string, n int) int {
		var list []NewVersion
		for i := range n {
			list = append(list, NewVersion{Name{env, fmt.Sprint("K", i)}, single("x"), nil})
		}
		before := s.mem.calls
		if _, err := s.PutAll(t.Context(), "tester", list...); err != nil {
			t.Fatal(err)
		}
		return s.mem.calls - before
	}
	cost("a", 1)
	if few, many := cost("b", 10), cost("c", 30); many != few+20 {
		t.Errorf("%d calls for 10 keys, %d for 30", few, many)
	}
}

// A value may be as large as is said, whatever it is packed with.
func TestLargestValue(t *testing.T) {
	s := newTestStore(t)
	value := strings.Repeat("x", MaxValue)
	if err := s.put("prod/A", value); err != nil || s.value("prod/A", Current) != value {
		t.Errorf("not stored: %v", err)
	}
}

// What was replaced is removed once: storing the twentieth version asks no more of the
// backend than storing the third, and nothing is left over.
func TestReplacingCosts(t *testing.T) {
	s := newTestStore(t)
	var calls []int
	for i := range 20 {
		before := s.mem.calls
		if err := s.put("prod/A", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
		calls = append(calls, s.mem.calls-before)
	}
	if calls[19] > calls[3] {
		t.Errorf("calls for each: %v", calls)
	}
	s.tidy()
}

// An item whose storing was given up may appear later, and goes all the same.
func TestLateItem(t *testing.T) {
	s := newTestStore(t)
	if err := s.put("prod/A", "1"); err != nil {
		t.Fatal(err)
	}
	s.mem.dieAt = s.mem.calls + 4 // head, key, head: then the item
	if err := s.put("prod/A", "2"); !errors.Is(err, errDead) {
		t.Fatal(err)
	}
	s.mem = s.mem.revive()
	s.at(s.dir)
	c, err := s.Catalog(t.Context())
	if err != nil || len(c.Loose) != 1 || c.Loose[0].Stored {
		t.Fatalf("%+v, %v", c, err)
	}
	late := c.Loose[0].Item
	for range 2 { // one gives it up, the other has no need to look for it yet
		if err := s.put("prod/B", "1"); err != nil {
			t.Fatal(err)
		}
	}
	s.mem.items[late] = "late"
	s.tidy()
}

func TestTampering(t *testing.T) {
	file := func(s *testStore) string { return filepath.Join(s.dir, metadataFile) }
	read := func(t *testing.T, s *testStore) []byte {
		b, err := os.ReadFile(file(s))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	write := func(t *testing.T, s *testStore, b []byte) {
		if err := os.WriteFile(file(s), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// entry is the text of a key in the file, from brace to brace.
	entry := func(t *testing.T, text, key string) string {
		at := strings.Index(text, `"key": "`+key+`"`)
		start, end := strings.LastIndex(text[:at], "\n  {"), strings.Index(text[at:], "\n  }")
		if at < 0 || start < 0 || end < 0 {
			t.Fatalf("no key %s in %s", key, text)
		}
		return text[start+1:at+end] + "\n  }"
	}
	edit := func(change func(t *testing.T, text string) string) func(*testing.T, *testStore, []byte) {
		return func(t *testing.T, s *testStore, _ []byte) {
			before := string(read(t, s))
			after := change(t, before)
			if after == before {
				t.Fatal("nothing was changed")
			}
			write(t, s, []byte(after))
		}
	}
	for name, c := range map[string]struct {
		do   func(t *testing.T, s *testStore, old []byte)
		want string
	}{
		"edit a name": {edit(func(t *testing.T, text string) string { return strings.Replace(text, `"prod"`, `"prox"`, 1) }), "was changed"},
		"edit a date": {edit(func(t *testing.T, text string) string { return strings.Replace(text, "2026-01-02", "2029-01-02", 1) }), "was changed"},
		"edit an item": {edit(func(t *testing.T, text string) string {
			return strings.Replace(text, `"item": "key-`, `"item": "kex-`, 1)
		}), "was changed"},
		"edit a space": {edit(func(t *testing.T, text string) string { return strings.Replace(text, `": `, `":  `, 1) }), "was changed"},
		"drop a key": {edit(func(t *testing.T, text string) string {
			return strings.Replace(text, entry(t, text, "A")+",\n", "", 1)
		}), "was changed"},
		"swap two keys": {edit(func(t *testing.T, text string) string {
			a, b := entry(t, text, "A"), entry(t, text, "B")
			return strings.NewReplacer(a, b, b, a).Replace(text)
		}), "was changed"},
		"swap their items": {edit(func(t *testing.T, text string) string {
			item := regexp.MustCompile(`key-[0-9a-f]{32}`)
			a, b := item.FindString(entry(t, text, "A")), item.FindString(entry(t, text, "B"))
			return strings.NewReplacer(a, b, b, a).Replace(text)
		}), "was changed"},
		"insert a key": {edit(func(t *testing.T, text string) string {
			b := entry(t, text, "B")
			return strings.Replace(text, b, b+",\n"+strings.Replace(b, `"B"`, `"BB"`, 1), 1)
		}), "was changed"},
		"insert at the end":  {edit(func(t *testing.T, text string) string { return text + "\n" }), "was changed"},
		"truncate":           {edit(func(t *testing.T, text string) string { return text[:len(text)/2] }), "is cut off"},
		"truncate by a byte": {edit(func(t *testing.T, text string) string { return text[:len(text)-1] }), "is cut off"},
		"truncate to a line": {edit(func(t *testing.T, text string) string {
			return text[:strings.LastIndex(strings.TrimSuffix(text, "\n"), "\n")+1]
		}), "is cut off"},
		"damage":    {edit(func(t *testing.T, text string) string { return strings.Replace(text, `{`, `\x00`, 1) }), "is cut off, or damaged"},
		"empty":     {func(t *testing.T, s *testStore, _ []byte) { write(t, s, nil) }, "is empty"},
		"roll back": {func(t *testing.T, s *testStore, old []byte) { write(t, s, old) }, "an older one was put in its place, that of change 2 by tester"},
		"roll back by one change": {func(t *testing.T, s *testStore, _ []byte) {
			last := read(t, s)
			if err := s.Edit(t.Context(), "tester", Name{"prod", "A"}, func(k *Key) error { k.Owner = "Ada"; return nil }); err != nil {
				t.Fatal(err)
			}
			write(t, s, last)
		}, "an older one was put in its place"},
		"remove": {func(t *testing.T, s *testStore, _ []byte) {
			if err := os.Remove(file(s)); err != nil {
				t.Fatal(err)
			}
		}, "the file is gone"},
		"another's": {func(t *testing.T, s *testStore, _ []byte) {
			o := newTestStore(t)
			_ = o.put("prod/A", "1")
			write(t, s, read(t, o))
		}, "was changed"},
		"head gone":         {func(t *testing.T, s *testStore, _ []byte) { delete(s.mem.items, headItem) }, "does not know it"},
		"head damaged":      {func(t *testing.T, s *testStore, _ []byte) { s.mem.items[headItem] = "x" }, "damaged"},
		"head rolled back":  {func(t *testing.T, s *testStore, _ []byte) { s.mem.items[headItem] = strings.Repeat("\x01", 64) }, "an older one"},
		"key gone":          {func(t *testing.T, s *testStore, _ []byte) { delete(s.mem.items, sealKeyItem) }, "is gone"},
		"another key":       {func(t *testing.T, s *testStore, _ []byte) { s.mem.items[sealKeyItem] = strings.Repeat("k", 32) }, "seal"},
		"another backend's": {func(t *testing.T, s *testStore, _ []byte) { clear(s.mem.items) }, "does not know it"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestStore(t)
			if err := s.put("prod/A", "1"); err != nil {
				t.Fatal(err)
			}
			old := read(t, s)
			for _, name := range []string{"prod/A", "prod/B", "prod/C"} {
				if err := s.put(name, "2"); err != nil {
					t.Fatal(err)
				}
			}
			c.do(t, s, old)
			for what, err := range map[string]error{
				"read":  func() error { _, _, err := s.Get(t.Context(), Name{"prod", "A"}, Current); return err }(),
				"write": s.put("prod/A", "3"),
			} {
				var tampered *TamperError
				if !errors.As(err, &tampered) || !strings.Contains(tampered.What, c.want) {
					t.Errorf("%s: %v, want tampering: %s", what, err, c.want)
				}
			}
		})
	}
}

// TestBeginAnew gives up what cannot be trusted, and nothing else.
func TestBeginAnew(t *testing.T) {
	s := newTestStore(t)
	if err := s.BeginAnew(t.Context(), "tester"); !errors.Is(err, ErrInOrder) {
		t.Errorf("an empty store: %v", err)
	}
	for _, name := range []string{"prod/A", "prod/B"} {
		if err := s.put(name, "1"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.BeginAnew(t.Context(), "tester"); !errors.Is(err, ErrInOrder) || s.value("prod/A", Current) != "1" {
		t.Errorf("a store in order: %v", err)
	}
	path := filepath.Join(s.dir, metadataFile)
	if err := os.WriteFile(path, []byte("changed\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	secrets := len(s.mem.items)
	// Whatever call of the backend the process dies at, it is begun or can be again.
	for n := 1; ; n++ {
		s.mem = s.mem.revive()
		s.mem.dieAt, s.mem.after = (n+1)/2, n%2 == 0
		s.at(s.dir)
		err := s.BeginAnew(t.Context(), "tester")
		if err == nil && s.mem.calls < s.mem.dieAt {
			break
		}
		s.mem = s.mem.revive()
		s.at(s.dir)
		var tampered *TamperError
		if c, err := s.Catalog(t.Context()); err == nil && len(c.Keys) > 0 || err != nil && !errors.As(err, &tampered) {
			t.Fatalf("dead at %d: %v", n, err)
		} else if err == nil {
			break
		}
	}
	s.mem = s.mem.revive()
	s.at(s.dir)
	if c, err := s.Catalog(t.Context()); err != nil || len(c.Keys) > 0 || len(s.mem.items) != secrets {
		t.Errorf("begun: %+v, %v, %d items of %d", c, err, len(s.mem.items), secrets)
	}
	aside, err := filepath.Glob(filepath.Join(s.dir, "old-metadata-*"))
	if err != nil || len(aside) != 1 {
		t.Errorf("set aside: %v", aside)
	}
	if err := s.put("prod/A", "2"); err != nil || s.value("prod/A", Current) != "2" {
		t.Errorf("afterwards: %v", err)
	}
}

// TestTruncated cuts the metadata at every byte.
func TestTruncated(t *testing.T) {
	s := newTestStore(t)
	if err := s.put("prod/A", "1"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.dir, metadataFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		var tampered *TamperError
		if _, err := s.Catalog(t.Context()); !errors.As(err, &tampered) || tampered.What != "the file is cut off, or damaged" && n > 0 || n == 0 && tampered.What != "the file is empty" {
			t.Fatalf("cut at %d: %v", n, err)
		}
		if err := s.put("prod/B", "2"); !errors.As(err, &tampered) {
			t.Fatalf("cut at %d, stored: %v", n, err)
		}
		if left, err := os.ReadFile(path); err != nil || !bytes.Equal(left, whole[:n]) {
			t.Fatalf("cut at %d: the file was touched, %v", n, err)
		}
		if c, err := s.Glance(); err == nil && len(c.Keys) > 0 {
			t.Fatalf("cut at %d: a glance sees %+v", n, c)
		}
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := s.value("prod/A", Current); got != "1" {
		t.Errorf("made whole again: %q", got)
	}
}

// TestTogether lets several stores change the same keys at once.
func TestTogether(t *testing.T) {
	s := newTestStore(t)
	const writers, rounds = 6, 8
	var g sync.WaitGroup
	for w := range writers {
		g.Go(func() {
			o := (&testStore{t: t, mem: s.mem, clock: s.clock}).at(s.dir)
			for r := range rounds {
				if err := o.put("prod/SHARED", fmt.Sprint(w, r)); err != nil {
					t.Error(err)
				}
				if err := o.put(fmt.Sprintf("prod/OWN%d", w), fmt.Sprint(r)); err != nil {
					t.Error(err)
				}
				if _, _, err := o.Get(t.Context(), Name{"prod", "SHARED"}, Current); err != nil {
					t.Error(err)
				}
			}
		})
	}
	g.Wait()
	c, err := s.Catalog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if k, ok := c.Find(Name{"prod", "SHARED"}); len(c.Keys) != writers+1 || !ok || k.Versions[0].Number != writers*rounds {
		t.Errorf("%d keys, %+v", len(c.Keys), k)
	}
	s.tidy()
}

func TestPartsPack(t *testing.T) {
	for _, p := range []Parts{
		{},
		single(""),
		{"id": secret.New([]byte("a\x00b")), "secret": secret.New(nil), "passphrase": secret.New([]byte(strings.Repeat("x", 70000)))},
	} {
		got, err := unpack(p.pack())
		if err != nil || len(got) != len(p) {
			t.Fatalf("%v, %v", got, err)
		}
		for n, v := range p {
			if string(got[n].Reveal()) != string(v.Reveal()) {
				t.Errorf("part %s differs", n)
			}
		}
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(single("secret").pack().Reveal())
	f.Add(Parts{"id": secret.New([]byte("a")), "secret": secret.New([]byte("b"))}.pack().Reveal())
	f.Add([]byte{1, 0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := unpack(secret.New(b))
		if err == nil {
			if again, err := unpack(p.pack()); err != nil || len(again) != len(p) {
				t.Errorf("%v, %v", again, err)
			}
		}
	})
}

func FuzzCatalog(f *testing.F) {
	c := &Catalog{Generation: 3, Keys: []Key{{Name: Name{"prod", "A"}, Parts: []Part{{Name: "value"}}}}}
	b, err := c.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decodeCatalog(b)
		if err != nil {
			return
		}
		if _, err := c.encode(); err != nil {
			t.Error(err)
		}
	})
}

func TestCheck(t *testing.T) {
	s := newTestStore(t)
	for _, v := range []string{"1", "2", "3"} {
		if err := s.put("prod/A", v); err != nil {
			t.Fatal(err)
		}
	}
	c, err := s.Check(t.Context())
	if err != nil || c.Keys != 1 || c.Versions != 2 || len(c.Ailments) > 0 {
		t.Fatalf("%+v, %v", c, err)
	}
	catalog, err := s.Catalog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	k := &catalog.Keys[0]
	current, _ := k.Version(Current)
	previous, _ := k.Version(Previous)
	delete(s.mem.items, current.Item)
	s.mem.items[previous.Item] = "garbage"
	c, err = s.Check(t.Context())
	if err != nil || len(c.Ailments) != 2 || !strings.Contains(c.Ailments[0].String(), "prod/A, current version: its secrets are gone") {
		t.Errorf("%+v, %v", c, err)
	}
	s.mem.items[previous.Item] = string(Parts{"other": secret.New(nil)}.pack().Reveal())
	if c, _ = s.Check(t.Context()); len(c.Ailments) != 2 || !errors.Is(c.Ailments[1].Err, ErrParts) {
		t.Errorf("%+v", c)
	}
}

// TestMark: the mark of a text stays the same, and is another one for another text and in
// another keystore.
func TestMark(t *testing.T) {
	mark := func(s *testStore, text string) [32]byte {
		t.Helper()
		m, err := s.Mark(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	one, other := newTestStore(t), newTestStore(t)
	mark(one, "here") // nothing is stored yet
	for _, s := range []*testStore{one, other} {
		if err := s.put("dev/A", "value"); err != nil {
			t.Fatal(err)
		}
	}
	before := mark(one, "here")
	if err := one.put("dev/A", "next"); err != nil {
		t.Fatal(err)
	}
	if mark(one, "here") != before || mark(one, "there") == before || mark(other, "here") == before {
		t.Error("marks do not tell keystores and texts from each other")
	}
}
