package keystoretest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/secret"
)

// Records is the conformance suite of a keystore.Records. Open returns new and empty
// ones, whose every call may be made of others that reopen returns.
func Records(t *testing.T, open func(t *testing.T) (reopen func() keystore.Records)) {
	t.Run("nothing there", func(t *testing.T) { emptyRecords(t, open(t)) })
	t.Run("replace", func(t *testing.T) { replacesRecord(t, open(t)) })
	t.Run("prepared only", func(t *testing.T) { preparesRecord(t, open(t)) })
	t.Run("copies", func(t *testing.T) { copiesRecord(t, open(t)) })
	t.Run("in order", func(t *testing.T) { inOrder(t, open(t)) })
	t.Run("cancelled", func(t *testing.T) { cancelledChange(t, open(t)) })
	t.Run("rivals", func(t *testing.T) { rivals(t, open(t)) })
}

const actor = "tester"

// wantRecord fails unless the document is what it must be, for whoever looks.
func wantRecord(t *testing.T, r keystore.Records, want []byte) keystore.Record {
	t.Helper()
	got, err := r.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	glanced, err := r.Glance()
	if err != nil {
		t.Fatal(err)
	}
	for how, document := range map[string][]byte{"loaded": got.Document, "glanced at": glanced} {
		if !bytes.Equal(document, want) || (document == nil) != (want == nil) {
			t.Errorf("%s: %q, want %q", how, document, want)
		}
	}
	if want != nil && got.Key.Len() != 32 {
		t.Errorf("the key has %d bytes", got.Key.Len())
	}
	return got
}

func change(t *testing.T, r keystore.Records) keystore.Change {
	t.Helper()
	c, err := r.Change(t.Context(), actor)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func document(text string) []byte { return []byte(`"` + text + "\"\n") }

func emptyRecords(t *testing.T, reopen func() keystore.Records) {
	for range 2 {
		if got := wantRecord(t, reopen(), nil); !got.Key.IsZero() {
			t.Error("there is a key before there is a document")
		}
		c := change(t, reopen())
		if c.Record().Document != nil {
			t.Errorf("a change begins with %q", c.Record().Document)
		}
		must(t, c.Close())
	}
}

func replacesRecord(t *testing.T, reopen func() keystore.Records) {
	var key, last []byte
	for i := range 5 {
		c := change(t, reopen())
		if !bytes.Equal(c.Record().Document, last) {
			t.Errorf("a change begins with %q, not %q", c.Record().Document, last)
		}
		for j := range i {
			d := document(fmt.Sprint("prepared ", i, j))
			must(t, c.Prepare(t.Context(), d))
			wantRecord(t, reopen(), d)
		}
		last = document(strings.Repeat(rand.Text(), 1+1000*(i%2)))
		must(t, c.Commit(t.Context(), last))
		if !bytes.Equal(c.Record().Document, last) {
			t.Errorf("what was written is %q, not %q", c.Record().Document, last)
		}
		must(t, c.Close())
		got := wantRecord(t, reopen(), last)
		if key == nil {
			key = bytes.Clone(got.Key.Reveal())
		}
		if !bytes.Equal(key, got.Key.Reveal()) {
			t.Error("the key is another one")
		}
	}
}

// preparesRecord ends a change before it is committed, and another that did nothing.
func preparesRecord(t *testing.T, reopen func() keystore.Records) {
	first, second := document("first"), document("second")
	c := change(t, reopen())
	must(t, c.Commit(t.Context(), first), c.Close())
	c = change(t, reopen())
	must(t, c.Prepare(t.Context(), second), c.Close())
	wantRecord(t, reopen(), second)
	must(t, change(t, reopen()).Close())
	wantRecord(t, reopen(), second)
	c = change(t, reopen())
	must(t, c.Commit(t.Context(), first), c.Close())
	wantRecord(t, reopen(), first)
}

// copiesRecord checks that neither side changes the other's bytes.
func copiesRecord(t *testing.T, reopen func() keystore.Records) {
	r, want := reopen(), document("original")
	given := bytes.Clone(want)
	c := change(t, r)
	must(t, c.Commit(t.Context(), given), c.Close())
	clear(given)
	got := wantRecord(t, r, want)
	clear(got.Document)
	got.Key.Wipe()
	glanced, err := r.Glance()
	must(t, err)
	clear(glanced)
	if got := wantRecord(t, r, want); bytes.Equal(got.Key.Reveal(), make([]byte, 32)) {
		t.Error("the key was wiped by who was given it")
	}
}

func inOrder(t *testing.T, reopen func() keystore.Records) {
	for range 2 {
		if err := reopen().Anew(t.Context(), actor, document("anew")); !errors.Is(err, keystore.ErrInOrder) {
			t.Errorf("anew without need: %v", err)
		}
		c := change(t, reopen())
		must(t, c.Commit(t.Context(), document("kept")), c.Close())
		wantRecord(t, reopen(), document("kept"))
	}
}

func cancelledChange(t *testing.T, reopen func() keystore.Records) {
	c := change(t, reopen())
	must(t, c.Commit(t.Context(), document("before")), c.Close())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := reopen().Load(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("load, cancelled: %v", err)
	}
	if _, err := reopen().Change(ctx, actor); !errors.Is(err, context.Canceled) {
		t.Errorf("change, cancelled: %v", err)
	}
	c = change(t, reopen())
	if err := c.Commit(ctx, document("after")); !errors.Is(err, context.Canceled) {
		t.Errorf("commit, cancelled: %v", err)
	}
	must(t, c.Close())
}

// rivals count to a number together, each by what it read, in two steps now and then.
// Whoever is told that another came first begins again; nobody's step may be lost.
func rivals(t *testing.T, reopen func() keystore.Records) {
	const each = 20
	var all sync.WaitGroup
	for n := range writers {
		r := reopen()
		all.Go(func() {
			for i := range each {
				for {
					err := count(t.Context(), r, (n+i)%3 == 0)
					if err == nil {
						break
					}
					if !errors.Is(err, keystore.ErrConflict) {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	all.Wait()
	wantRecord(t, reopen(), document(strconv.Itoa(writers*each)))
}

func count(ctx context.Context, r keystore.Records, prepare bool) (err error) {
	c, err := r.Change(ctx, actor)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	is, _ := strconv.Atoi(strings.Trim(string(c.Record().Document), "\"\n"))
	if prepare {
		if err := c.Prepare(ctx, document(strconv.Itoa(is))); err != nil {
			return err
		}
	}
	return c.Commit(ctx, document(strconv.Itoa(is+1)))
}

// MemoryRecords is keystore.Records without a disk, for tests, as something far away
// would be: nobody is kept out, and the later one is told.
type MemoryRecords struct {
	mu       sync.Mutex
	record   keystore.Record
	revision int
}

// Load implements keystore.Records.
func (m *MemoryRecords) Load(ctx context.Context) (keystore.Record, error) {
	c, err := m.Change(ctx, "")
	if err != nil {
		return keystore.Record{}, err
	}
	return c.Record(), nil
}

// Glance implements keystore.Records.
func (m *MemoryRecords) Glance() ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Clone(m.record.Document), nil
}

// Change implements keystore.Records.
func (m *MemoryRecords) Change(ctx context.Context, _ string) (keystore.Change, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return &memoryChange{m, cloned(m.record), m.revision}, nil
}

// Anew implements keystore.Records. What is in memory can always be trusted.
func (m *MemoryRecords) Anew(context.Context, string, []byte) error { return keystore.ErrInOrder }

func cloned(r keystore.Record) keystore.Record {
	r.Document = bytes.Clone(r.Document)
	if !r.Key.IsZero() {
		r.Key = secret.New(r.Key.Reveal())
	}
	return r
}

type memoryChange struct {
	m        *MemoryRecords
	record   keystore.Record
	revision int
}

func (c *memoryChange) Record() keystore.Record { return cloned(c.record) }

func (c *memoryChange) Prepare(ctx context.Context, document []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	if c.m.revision != c.revision {
		return keystore.ErrConflict
	}
	if c.m.record.Key.IsZero() {
		key := make([]byte, 32)
		rand.Read(key)
		c.m.record.Key = secret.New(key)
	}
	c.m.record.Document = bytes.Clone(document)
	c.m.revision++
	c.record, c.revision = cloned(c.m.record), c.m.revision
	return nil
}

func (c *memoryChange) Commit(ctx context.Context, document []byte) error {
	return c.Prepare(ctx, document)
}

func (c *memoryChange) Close() error { return nil }
