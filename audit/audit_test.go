package audit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/keywright/keywright/secret"
)

// memory is a keychain for tests.
type memory struct {
	mu    sync.Mutex
	items map[string]string
	puts  int
}

func (m *memory) Get(_ context.Context, name string) (secret.Value, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.items[name]
	if !ok {
		return secret.Value{}, fmt.Errorf("get %s: %w", name, ErrNotKept)
	}
	return secret.New([]byte(v)), nil
}

func (m *memory) Put(_ context.Context, name string, v secret.Value) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.items == nil {
		m.items = map[string]string{}
	}
	m.items[name] = string(v.Reveal())
	m.puts++
	return nil
}

func (m *memory) clone() *memory { return &memory{items: maps.Clone(m.items)} }

func entry(n int) Entry {
	return Entry{
		Time: time.Date(2026, 3, 2, 10, 0, n, 0, time.UTC), Installation: "i1", User: "ada", Host: "laptop",
		Process: "/usr/bin/bot", Parent: "bash", Verb: "run", Key: "prod/BINANCE", Version: "3",
		Environment: "prod", Reason: fmt.Sprintf("reason %d", n), Decision: Granted,
		Child: &Child{PID: 100 + n, Started: time.Unix(1700000000, 5).UTC(), Boot: "b"},
	}
}

func entriesFrom(first, count int) []Entry {
	var all []Entry
	for i := range count {
		all = append(all, entry(first+i))
	}
	return all
}

// build makes a log of n entries, appended in batches of 1, 2 and 3.
func build(t *testing.T, n int) (*Log, string, *memory) {
	t.Helper()
	dir, keep := t.TempDir(), &memory{}
	l := Open(dir, keep)
	for at, size := 0, 1; at < n; size = size%3 + 1 {
		batch := min(size, n-at)
		first, err := l.Append(t.Context(), entriesFrom(at, batch)...)
		if err != nil || first != int64(at) {
			t.Fatalf("append %d: first %d, %v", at, first, err)
		}
		at += batch
	}
	return l, dir, keep
}

// reasons lists what Entries gives, and fails on errors.
func reasons(t *testing.T, l *Log) []string {
	t.Helper()
	var all []string
	for e, err := range l.Entries(t.Context(), Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e.Reason)
	}
	return all
}

func isFault(err error, kind Kind, seq int64) bool {
	var f *Fault
	return errors.As(err, &f) && f.Kind == kind && f.Seq == seq
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAppend(t *testing.T) {
	l, dir, keep := build(t, 20)
	r, err := l.Verify(t.Context())
	if err != nil || r.Size != 20 || r.Unacknowledged != 0 || r.Unfinished != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	i := 0
	for e, err := range l.Entries(t.Context(), Filter{}) {
		want := entry(i)
		want.Schema, want.Seq = schema, int64(i)
		got, _ := e.encode()
		if same, _ := want.encode(); err != nil || string(got) != string(same) {
			t.Errorf("entry %d: %s, %v", i, got, err)
		}
		i++
	}
	if i != 20 {
		t.Errorf("%d entries", i)
	}
	for _, name := range []string{entriesFile, hashesFile} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	before := keep.puts
	if _, err := l.Append(t.Context(), entriesFrom(20, 5)...); err != nil || keep.puts != before+1 {
		t.Errorf("%d writes to the keychain, %v", keep.puts-before, err)
	}
}

func TestEmptyLog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	l := Open(dir, &memory{})
	if r, err := l.Verify(t.Context()); err != nil || r.Size != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if got := reasons(t, l); got != nil {
		t.Errorf("entries %q", got)
	}
	for name, err := range map[string]error{
		"Checkpoint": second(l.Checkpoint(t.Context())),
		"Prove":      second(l.Prove(t.Context(), 0)),
		"PublicKey":  second(l.PublicKey(t.Context())),
	} {
		if !errors.Is(err, ErrNoLog) {
			t.Errorf("%s gives %v", name, err)
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("reading made the directory: %v", err)
	}
	if first, err := l.Append(t.Context()); err != nil || first != 0 {
		t.Errorf("appending nothing: %d, %v", first, err)
	}
	if r, err := l.Verify(t.Context()); err != nil || r.Size != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestFilter(t *testing.T) {
	l := Open(t.TempDir(), &memory{})
	at := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	_, err := l.Append(t.Context(),
		Entry{Time: at, Verb: "get", Key: "dev/A", Environment: "dev", Reason: "0", Decision: Granted},
		Entry{Time: at.Add(time.Hour), Verb: "run", Key: "prod/A", Environment: "prod", Reason: "1", Decision: Refused},
		Entry{Time: at.Add(2 * time.Hour), Verb: "run", Key: "prod/B", Environment: "prod", Reason: "2", Result: "exit 0"})
	if err != nil {
		t.Fatal(err)
	}
	for want, f := range map[string]Filter{
		"0 1 2": {},
		"0":     {Environment: "dev"},
		"1":     {Key: "prod/A"},
		"1 2":   {Verb: "run"},
		"1 ":    {Decision: Refused},
		"1 2 ":  {Since: at.Add(time.Hour)},
		"0 ":    {Until: at.Add(time.Hour)},
		"":      {Verb: "rm"},
	} {
		var got []string
		for e, err := range l.Entries(t.Context(), f) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e.Reason)
		}
		if strings.Join(got, " ") != strings.TrimSpace(want) {
			t.Errorf("%+v selects %q", f, got)
		}
	}
}

func TestBounds(t *testing.T) {
	long := strings.Repeat("é", 5000)
	odd := "a\x00b\nc\xffd\u202e<&>"
	e := Entry{Reason: long, User: long, Verb: odd, Key: strings.Repeat("\x01", 5000), Process: strings.Repeat("\x01", 5000),
		Parent: strings.Repeat("<", 5000), Result: long, Follows: long}
	l := Open(t.TempDir(), &memory{})
	if _, err := l.Append(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	for e, err := range l.Entries(t.Context(), Filter{}) {
		if err != nil || len(e.Reason) > maxLong || len(e.User) > maxText || !strings.HasSuffix(e.User, "é…") || e.Verb != strings.ToValidUTF8(odd, "\uFFFD") {
			t.Errorf("%+v, %v", e, err)
		}
	}
	if _, err := l.Append(t.Context(), Entry{Decision: "maybe"}); err == nil {
		t.Error("an unknown decision was recorded")
	}
	if _, err := l.Append(t.Context(), Entry{Time: time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)}); err == nil {
		t.Error("the year 12026 was recorded")
	}
	if r, err := l.Verify(t.Context()); err != nil || r.Size != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestLostItems(t *testing.T) {
	for item, kind := range map[string]Kind{KeyItem: KeyLost, HeadItem: HeadLost} {
		l, _, keep := build(t, 5)
		delete(keep.items, item)
		if _, err := l.Verify(t.Context()); !isFault(err, kind, 0) {
			t.Errorf("%s lost: Verify gives %v", item, err)
		}
		if _, err := l.Append(t.Context(), entry(5)); !isFault(err, kind, 0) {
			t.Errorf("%s lost: Append gives %v", item, err)
		}
		keep.items[item] = "MARKED-SECRET"
		for what, err := range map[string]error{
			"Verify": second(l.Verify(t.Context())), "Append": second(l.Append(t.Context(), entry(5))),
			"Checkpoint": second(l.Checkpoint(t.Context())), "Prove": second(l.Prove(t.Context(), 1)),
		} {
			if err == nil || !strings.Contains(err.Error(), "damaged") || strings.Contains(err.Error(), "MARKED") {
				t.Errorf("%s damaged: %s gives %v", item, what, err)
			}
		}
	}
}

// The head may be stored late, over a newer one: what it does not name any more is
// authentic by itself.
func TestLateHead(t *testing.T) {
	l, _, keep := build(t, 8)
	old := keep.items[HeadItem]
	if _, err := l.Append(t.Context(), entriesFrom(8, 3)...); err != nil {
		t.Fatal(err)
	}
	keep.items[HeadItem] = old
	if r, err := l.Verify(t.Context()); err != nil || r.Size != 8 || r.Unacknowledged != 3 {
		t.Errorf("%+v, %v", r, err)
	}
	if first, err := l.Append(t.Context(), entry(11)); err != nil || first != 11 {
		t.Errorf("first %d, %v", first, err)
	}
	if r, err := l.Verify(t.Context()); err != nil || r.Size != 12 || len(reasons(t, l)) != 12 {
		t.Errorf("%+v, %v", r, err)
	}
}

// The signing key stands in no file and in no error, whatever goes wrong.
func TestNoSecretAnywhere(t *testing.T) {
	l, dir, keep := build(t, 5)
	key := keep.items[KeyItem]
	seed := strings.SplitN(key, "+", 5)[4]
	var texts []string
	note := func(err error) {
		if err != nil {
			texts = append(texts, fmt.Sprintf("%v %+v %#v", err, err, err))
		}
	}
	proof, err := l.Prove(t.Context(), 2)
	note(err)
	checkpoint, err := l.Checkpoint(t.Context())
	note(err)
	public, err := l.PublicKey(t.Context())
	note(err)
	texts = append(texts, string(proof), string(checkpoint), public, fmt.Sprintf("%v %+v %#v", l, l.disk, *l))
	for _, bad := range []string{key[:len(key)-4], key + "A", "PRIVATE+KEY+x+" + seed, seed, strings.Replace(key, "+", " ", 1)} {
		keep.items[KeyItem] = bad
		_, err = l.Append(t.Context(), entry(5))
		note(err)
		note(second(l.Verify(t.Context())))
		note(second(l.Checkpoint(t.Context())))
	}
	keep.items[KeyItem] = key
	write(t, filepath.Join(dir, entriesFile), []byte("x"))
	note(second(l.Append(t.Context(), entry(5))))
	note(second(l.Verify(t.Context())))
	note(l.Restart(t.Context(), Entry{}))
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, f := range files {
		texts = append(texts, string(read(t, f)))
	}
	marks := []string{key, seed, seed[:12], seed[20:40], keep.items[KeyItem]}
	for _, text := range texts {
		if i := slices.IndexFunc(marks, func(m string) bool { return strings.Contains(text, m) }); i >= 0 {
			t.Errorf("mark %d in a text of %d bytes", i, len(text))
		}
	}
}

// A clock that goes back changes nothing but times, and Verify says where it did.
func TestClockGoesBack(t *testing.T) {
	l, _, _ := build(t, 3)
	at := entry(2).Time
	for i, step := range []time.Duration{-30 * time.Second, time.Hour, -23 * time.Hour, 2 * time.Hour, 30 * time.Hour} {
		r, err := l.Verify(t.Context())
		if err != nil || (r.SetBack != nil) != (i > 2) || r.SetBack != nil && *r.SetBack != (SetBack{5, 23 * time.Hour}) {
			t.Errorf("before entry %d: %+v, %v", 3+i, r.SetBack, err)
		}
		at = at.Add(step)
		e := entry(0)
		e.Time = at
		if n, err := l.Append(t.Context(), e); n != int64(3+i) || err != nil {
			t.Fatal(n, err)
		}
	}
	// Old entries are those of an early time, wherever they stand.
	if n, err := l.Erase(t.Context(), entry(0).Time); n != 3 || err != nil {
		t.Errorf("erased %d, %v", n, err)
	}
	if r, err := l.Verify(t.Context()); r.Size != 8 || r.SetBack != nil || err != nil {
		t.Errorf("%+v, %v", r, err)
	}
	for n, want := range map[int64]error{3: ErrErased, 4: nil, 5: ErrErased, 6: ErrErased, 7: nil} {
		if _, err := l.Prove(t.Context(), n); !errors.Is(err, want) {
			t.Errorf("entry %d: %v", n, err)
		}
	}
}

func TestErase(t *testing.T) {
	l, dir, keep := build(t, 10)
	if n, err := l.Erase(t.Context(), entry(4).Time); n != 4 || err != nil {
		t.Fatalf("erased %d, %v", n, err)
	}
	if n, err := l.Erase(t.Context(), entry(4).Time); n != 0 || err != nil {
		t.Errorf("erased %d again, %v", n, err)
	}
	if r, err := l.Verify(t.Context()); err != nil || r.Size != 10 {
		t.Errorf("%+v, %v", r, err)
	}
	if strings.Contains(string(read(t, filepath.Join(dir, entriesFile))), "reason 3") {
		t.Error("the body is still there")
	}
	for e, err := range l.Entries(t.Context(), Filter{}) {
		if errors.Is(err, ErrErased) != (e.Seq < 4) {
			t.Errorf("entry %d: %v", e.Seq, err)
		}
	}
	if _, err := l.Prove(t.Context(), 3); !errors.Is(err, ErrErased) {
		t.Errorf("an erased entry: %v", err)
	}
	if _, err := l.Append(t.Context(), entry(10)); err != nil {
		t.Error(err)
	}
	proof, err := l.Prove(t.Context(), 4)
	public, _ := l.PublicKey(t.Context())
	if p, err2 := CheckProof(proof, public); err != nil || err2 != nil || p.Entry.Reason != "reason 4" {
		t.Errorf("%v, %v", err, err2)
	}
	// Nobody else can erase.
	k, err := parseKey(secret.New([]byte(keep.items[KeyItem])))
	if err != nil {
		t.Fatal(err)
	}
	all := strings.SplitAfter(string(read(t, filepath.Join(dir, entriesFile))), "\n")
	r, err := parseRecord([]byte(all[6]))
	if err != nil {
		t.Fatal(err)
	}
	forged := r.erase(k)
	forged.MAC = r.MAC
	line, _ := forged.encode()
	all[6] = string(line)
	write(t, filepath.Join(dir, entriesFile), []byte(strings.Join(all, "")))
	if _, err := l.Verify(t.Context()); !isFault(err, Altered, 6) {
		t.Errorf("a forged erasure: %v", err)
	}
	if _, err := l.Erase(t.Context(), entry(9).Time); !isFault(err, Altered, 6) {
		t.Errorf("erasing in such a log: %v", err)
	}
}

func TestRestart(t *testing.T) {
	l, dir, _ := build(t, 5)
	public, err := l.PublicKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, hashesFile), nil)
	if err := l.Restart(t.Context(), Entry{Verb: "audit"}); err != nil {
		t.Fatal(err)
	}
	if r, err := l.Verify(t.Context()); err != nil || r.Size != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	for e, err := range l.Entries(t.Context(), Filter{}) {
		if tree, err2 := openCheckpoint([]byte(e.Follows), public); err != nil || err2 != nil || tree.N != 5 {
			t.Errorf("%+v, %v, %v", e, err, err2)
		}
	}
	if old, err := filepath.Glob(filepath.Join(dir, "old-*")); err != nil || len(old) != 2 {
		t.Errorf("%q, %v", old, err)
	}
	if now, err := l.PublicKey(t.Context()); err != nil || now == public {
		t.Errorf("the key is the same, %v", err)
	}
}

// Entries say which installation made them: at random, the same as long as a key can be
// read, also in a log that was begun again, and never that of another log.
func TestInstallation(t *testing.T) {
	l, dir, keep := Open(t.TempDir(), &memory{}), t.TempDir(), &memory{}
	other := Open(dir, keep)
	installation := func(l *Log) string {
		t.Helper()
		if _, err := l.Append(t.Context(), Entry{Verb: "get"}, Entry{Verb: "get", Installation: "given"}); err != nil {
			t.Fatal(err)
		}
		var all []string
		for e, err := range l.Entries(t.Context(), Filter{}) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, e.Installation)
		}
		if n := len(all); all[n-1] != "given" || len(all[n-2]) != 16 || all[0] != all[n-2] {
			t.Fatalf("installations %q", all)
		}
		return all[0]
	}
	first := installation(l)
	if again := installation(l); again != first {
		t.Errorf("%s became %s", first, again)
	}
	was := installation(other)
	if was == first {
		t.Errorf("two logs are both of %s", first)
	}
	public, _ := other.PublicKey(t.Context())
	if err := other.Restart(t.Context(), Entry{Verb: "begin-anew"}); err != nil {
		t.Fatal(err)
	}
	if now := installation(other); now != was {
		t.Errorf("%s became %s in a new log", was, now)
	}
	if now, err := other.PublicKey(t.Context()); err != nil || strings.Split(now, "+")[0] == strings.Split(public, "+")[0] {
		t.Errorf("the new log has the name of the old one: %s, %v", now, err)
	}
	keep.items[KeyItem] = "damaged"
	if err := other.Restart(t.Context(), Entry{Verb: "begin-anew"}); err != nil {
		t.Fatal(err)
	}
	if now := installation(other); now == was {
		t.Errorf("%s came from a damaged key", now)
	}
}

// A key that was made before its name told the installation from the log tells it still.
func TestInstallationOfOldKeys(t *testing.T) {
	for name, want := range map[string]string{
		"keywright-audit-00112233aabbccdd":                  "00112233aabbccdd",
		"keywright-audit-00112233aabbccdd-ddccbbaa33221100": "00112233aabbccdd",
		"fuzz": "",
	} {
		text, _, err := note.GenerateKey(rand.Reader, name)
		if err != nil {
			t.Fatal(err)
		}
		k, err := parseKey(secret.New([]byte(text)))
		if err != nil || k.installation() != want {
			t.Errorf("%s: %q, %v", name, k.installation(), err)
		}
	}
}

// A log whose key or head was lost can be begun again too.
func TestRestartWithoutKey(t *testing.T) {
	for _, items := range []map[string]string{nil, {KeyItem: "damaged", HeadItem: "damaged"}} {
		l, _, keep := build(t, 5)
		keep.items = items
		if err := l.Restart(t.Context(), Entry{Follows: "as the backup says"}); err != nil {
			t.Fatal(err)
		}
		if r, err := l.Verify(t.Context()); err != nil || r.Size != 1 {
			t.Errorf("%+v, %v", r, err)
		}
		if _, err := l.Append(t.Context(), entry(1)); err != nil {
			t.Error(err)
		}
	}
}

var errLocked = errors.New("the keychain is locked")

// locked is a keychain that does not answer.
type locked struct{}

func (locked) Get(context.Context, string) (secret.Value, error) { return secret.Value{}, errLocked }
func (locked) Put(context.Context, string, secret.Value) error   { return errLocked }

// Without the keychain nothing is written, and entries can be shown.
func TestLockedKeychain(t *testing.T) {
	l, dir, _ := build(t, 5)
	before := read(t, filepath.Join(dir, entriesFile))
	l.keep = locked{}
	for name, err := range map[string]error{
		"Append":     second(l.Append(t.Context(), entry(5))),
		"Verify":     second(l.Verify(t.Context())),
		"Checkpoint": second(l.Checkpoint(t.Context())),
		"Prove":      second(l.Prove(t.Context(), 1)),
		"Erase":      second(l.Erase(t.Context(), time.Now())),
		"Restart":    l.Restart(t.Context(), Entry{}),
	} {
		if !errors.Is(err, errLocked) {
			t.Errorf("%s gives %v", name, err)
		}
	}
	if got := reasons(t, l); len(got) != 5 {
		t.Errorf("%d entries", len(got))
	}
	if string(read(t, filepath.Join(dir, entriesFile))) != string(before) {
		t.Error("the file was touched")
	}
}

func TestCancelled(t *testing.T) {
	l, _, _ := build(t, 5)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Append(ctx, entry(5)); !errors.Is(err, context.Canceled) {
		t.Errorf("Append gives %v", err)
	}
	for _, err := range l.Entries(ctx, Filter{}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Entries gives %v", err)
		}
	}
}

func TestNewerSchema(t *testing.T) {
	body, err := entry(0).encode()
	if err != nil {
		t.Fatal(err)
	}
	newer := strings.Replace(string(body), `{"schema":0`, `{"schema":2,"new":1`, 1)
	if _, err := decodeEntry([]byte(newer)); !errors.Is(err, ErrSchema) {
		t.Errorf("%v", err)
	}
	for _, bad := range []string{"", "{}", "null", string(body) + "{}", strings.Replace(newer, "2", "1", 1), strings.Replace(string(body), `"schema":0`, `"schema":1`, 1) + " "} {
		if _, err := decodeEntry([]byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// readOnly is a disk that files cannot be written on.
type readOnly struct{ disk }

func (readOnly) edit(string) (editable, error) { return nil, fs.ErrPermission }

func TestWritable(t *testing.T) {
	l, _, _ := build(t, 1)
	if err := l.Writable(); err != nil {
		t.Error(err)
	}
	if err := Open(t.TempDir(), &memory{}).Writable(); err != nil {
		t.Errorf("of no log: %v", err)
	}
	l.disk = readOnly{l.disk}
	if err := l.Writable(); !errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
}
