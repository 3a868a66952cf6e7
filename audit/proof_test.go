package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

// checker builds the program of a third party, which knows nothing of this package, and
// returns what runs it on a proof and gives the entry that it prints.
func checker(t *testing.T) func(data []byte, key string) (entry string, err error) {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "checkproof.exe") // the ending is needed by one system and harms none
	if out, err := exec.Command("go", "build", "-o", program, "./testdata/checkproof").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	file := filepath.Join(dir, "proof.json")
	return func(data []byte, key string) (string, error) {
		write(t, file, data)
		out, err := exec.Command(program, file, key).Output()
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			if exit.ExitCode() != 1 || len(out) > 0 {
				t.Fatalf("%v, %s, %s", err, out, exit.Stderr)
			}
			return "", errors.New(string(exit.Stderr))
		}
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSuffix(string(out), "\n"), nil
	}
}

// The checker says something of the format only if it shares no code with this package.
func TestCheckerIsIndependent(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./testdata/checkproof").CombinedOutput()
	if got := strings.Fields(string(out)); err != nil || len(got) != 1 || !strings.HasSuffix(got[0], "/checkproof") {
		t.Errorf("it imports %s, %v", out, err)
	}
}

func TestProofs(t *testing.T) {
	l, _, _ := build(t, 21)
	check := checker(t)
	public, err := l.PublicKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for n := range int64(21) {
		data, err := l.Prove(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		p, err := CheckProof(data, public)
		if err != nil || p.Entry.Seq != n || p.Size != 21 || p.Entry.Reason != fmt.Sprintf("reason %d", n) {
			t.Errorf("proof %d: %+v, %v", n, p, err)
		}
		printed, err := check(data, public)
		if body, _ := p.Entry.encode(); err != nil || printed != string(body) {
			t.Errorf("the checker on %d: %s, %v", n, printed, err)
		}
		if strings.Count(string(data), "reason") != 2 { // its name and its text
			t.Errorf("proof %d shows others: %s", n, data)
		}
	}
	for _, n := range []int64{-1, 21, 1 << 60} {
		if _, err := l.Prove(t.Context(), n); !errors.Is(err, ErrNoEntry) {
			t.Errorf("proof of %d: %v", n, err)
		}
	}
}

// A proof stays good when the log grows: it names its own checkpoint.
func TestOldProof(t *testing.T) {
	l, _, _ := build(t, 3)
	public, _ := l.PublicKey(t.Context())
	data, err := l.Prove(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(t.Context(), entriesFrom(3, 30)...); err != nil {
		t.Fatal(err)
	}
	if p, err := CheckProof(data, public); err != nil || p.Size != 3 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestWrongProofs(t *testing.T) {
	l, _, _ := build(t, 9)
	other, _, _ := build(t, 9)
	public, _ := l.PublicKey(t.Context())
	otherPublic, _ := other.PublicKey(t.Context())
	data, err := l.Prove(t.Context(), 4)
	if err != nil {
		t.Fatal(err)
	}
	second, err := l.Prove(t.Context(), 5)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := other.Prove(t.Context(), 4)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := CheckProof(data, otherPublic); !errors.Is(err, ErrOtherKey) || !errors.Is(err, ErrProof) {
		t.Errorf("another key: %v", err)
	}
	for _, key := range []string{"", "x", public[1:]} {
		if _, err := CheckProof(data, key); !errors.Is(err, ErrProof) {
			t.Errorf("key %q: %v", key, err)
		}
	}
	change := func(f func(p *proof)) []byte {
		p, err := parseProof(data)
		if err != nil {
			t.Fatal(err)
		}
		f(&p)
		out, err := p.encode()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	p2, _ := parseProof(second)
	p3, _ := parseProof(foreign)
	check := checker(t)
	if _, err := check(data, public); err != nil {
		t.Error(err)
	}
	if _, err := check(data, otherPublic); err == nil {
		t.Error("the checker took another key")
	}
	// What two programs make of a file that keywright did not write may differ; not that
	// what it says is not proved.
	lenient := map[string]bool{"double field": true, "two lines": true}
	for name, bad := range map[string][]byte{
		"entry":            change(func(p *proof) { p.Entry = strings.Replace(p.Entry, "granted", "refused", 1) }),
		"another's entry":  change(func(p *proof) { p.Entry, p.Salt = p2.Entry, p2.Salt }),
		"index":            change(func(p *proof) { p.Index = 5 }),
		"negative index":   change(func(p *proof) { p.Index = -5 }),
		"salt":             change(func(p *proof) { p.Salt[3]++ }),
		"salt with entry":  change(func(p *proof) { p.Salt, p.Entry = append(p.Salt, p.Entry[0]), p.Entry[1:] }),
		"no salt":          change(func(p *proof) { p.Salt = nil }),
		"path":             change(func(p *proof) { p.Path[1][0]++ }),
		"short path":       change(func(p *proof) { p.Path = p.Path[1:] }),
		"no path":          change(func(p *proof) { p.Path = nil }),
		"long path":        change(func(p *proof) { p.Path = append(p.Path, p.Path[0]) }),
		"other checkpoint": change(func(p *proof) { p.Checkpoint = p3.Checkpoint }),
		"no checkpoint":    change(func(p *proof) { p.Checkpoint = "" }),
		"format":           change(func(p *proof) { p.Format += "0" }),
		"unknown field":    bytes.Replace(data, []byte(`{"format"`), []byte(`{"x":1,"format"`), 1),
		"double field":     bytes.Replace(data, []byte(`{"format"`), []byte(`{"index":4,"format"`), 1),
		"trailing":         append(bytes.Clone(data), '{'),
		"two lines":        append(bytes.Clone(data), '\n'),
		"another log":      foreign,
		"empty":            nil,
		"long":             bytes.Repeat([]byte(" "), maxProof+1),
	} {
		if _, err := CheckProof(bad, public); !errors.Is(err, ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := check(bad, public); err == nil && !lenient[name] {
			t.Errorf("%s: the checker took it", name)
		}
	}
	for i := range len(data) - 1 {
		if _, err := CheckProof(data[:i], public); !errors.Is(err, ErrProof) {
			t.Errorf("cut at %d: %v", i, err)
		}
		changed := bytes.Clone(data)
		changed[i] ^= 1
		if _, err := CheckProof(changed, public); !errors.Is(err, ErrProof) {
			t.Errorf("changed at %d: %v", i, err)
		}
	}
}

// The format must stay: this leaf and this root were computed apart from the code.
func TestFormat(t *testing.T) {
	e := Entry{Schema: 1, Seq: 7, Time: entry(0).Time, Verb: "get", Key: "prod/A", Decision: Granted}
	body, err := e.encode()
	const want = `{"schema":1,"seq":7,"time":"2026-03-02T10:00:00Z","verb":"get","key":"prod/A","decision":"granted"}`
	if err != nil || string(body) != want {
		t.Errorf("body %s, %v", body, err)
	}
	r := record{Seq: 7, Salt: []byte("0123456789abcdef"), Body: body}
	sum := sha256.Sum256([]byte("0123456789abcdef" + want))
	if got := r.leaf(); string(got) != "\x01\x00\x00\x00\x00\x00\x00\x00\x07"+string(sum[:]) {
		t.Errorf("leaf %x", got)
	}
	if got := formatTree("name", emptyTree()); got != "name\n0\n"+base64.StdEncoding.EncodeToString(sha256.New().Sum(nil))+"\n" {
		t.Errorf("checkpoint %q", got)
	}
}

func FuzzEntry(f *testing.F) {
	for i := range 3 {
		e := entry(i)
		e.Schema = schema
		body, err := e.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte(`{"schema":2}`))
	f.Add([]byte(`{"schema":1,"seq":0,"time":"2026-03-02T10:00:00Z","Verb":"get"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := decodeEntry(data)
		if err != nil {
			return
		}
		if same, err := e.encode(); err != nil || !bytes.Equal(same, data) {
			t.Errorf("%q became %q, %v", data, same, err)
		}
		if bytes.ContainsFunc(data, func(r rune) bool { return r < ' ' }) {
			t.Errorf("a control character in %q", data)
		}
	})
}

func FuzzRecord(f *testing.F) {
	k, _, err := newKey("")
	if err != nil {
		f.Fatal(err)
	}
	r := newRecord(k, 3, []byte(`{"schema":1}`))
	for _, r := range []record{r, r.erase(k)} {
		line, err := r.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseRecord(data)
		if err != nil {
			return
		}
		if same, err := r.encode(); err != nil || !bytes.Equal(same, data) {
			t.Errorf("%q became %q, %v", data, same, err)
		}
		if bytes.Count(data, []byte("\n")) != 1 {
			t.Errorf("more than a line: %q", data)
		}
	})
}

// fixedKey is a signing key that is the same in every process, as fuzzing wants it.
func fixedKey(f *testing.F) string {
	seed := make([]byte, ed25519.SeedSize)
	public, err := note.NewEd25519VerifierKey("fuzz", ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey))
	if err != nil {
		f.Fatal(err)
	}
	return "PRIVATE+KEY+fuzz+" + strings.Split(public, "+")[1] + "+" + base64.StdEncoding.EncodeToString(append([]byte{1}, seed...))
}

func FuzzProof(f *testing.F) {
	keep := &memory{items: map[string]string{KeyItem: fixedKey(f), HeadItem: formatTree(headOrigin, emptyTree())}}
	d := newRAM(&plan{})
	d.set(entriesFile, nil)
	d.set(hashesFile, nil)
	l := openRAM(d, keep)
	if _, err := l.Append(f.Context(), entriesFrom(0, 5)...); err != nil {
		f.Fatal(err)
	}
	public, err := l.PublicKey(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	for n := range int64(5) {
		data, err := l.Prove(f.Context(), n)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := CheckProof(data, public); err == nil && (p.Size != 5 || p.Entry.Reason != fmt.Sprintf("reason %d", p.Entry.Seq)) {
			t.Errorf("proved %+v", p)
		}
	})
}

func FuzzCheckpoint(f *testing.F) {
	f.Add(formatTree("name", emptyTree()))
	f.Add("name\n-1\nx\n")
	f.Add(strings.Replace(formatTree("name", emptyTree()), "\n0\n", "\n9223372036854775807\n", 1))
	f.Fuzz(func(t *testing.T, text string) {
		if origin, tree, err := parseTree(text); err == nil && formatTree(origin, tree) != text {
			t.Errorf("%q", text)
		}
	})
}
