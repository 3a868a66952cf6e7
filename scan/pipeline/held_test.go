package pipeline

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/held"
	"github.com/keywright/keywright/scan/match"
	"github.com/keywright/keywright/secret"
)

const (
	heldValues  = 200
	heldFiles   = 5_000
	heldCommits = 500
)

// heldSet makes a set of values; those that are too weak are left out.
func heldSet(t testing.TB, values []string) *held.Set {
	t.Helper()
	key := []byte("a key for tests")
	var all []held.Value
	for i, v := range values {
		if d := held.Digest(key, secret.New([]byte(v))); len(d) > 0 {
			all = append(all, held.Value{Key: key, Digest: d, Is: scan.Held{Key: fmt.Sprintf("prod/K%03d", i), Part: "value", Version: "current"}})
		}
	}
	set, err := held.NewSet(all)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// heldKeys are values of every length from 8 on, none too weak to be looked for.
func heldKeys(r *rand.Rand) (values []string) {
	for n := range heldValues {
		for {
			b := make([]byte, 8+n)
			for i := range b {
				b[i] = (scan.Base62 + "+/=-_!%")[r.IntN(69)]
			}
			if len(held.Digest([]byte("any"), secret.New(b))) > 0 {
				values = append(values, string(b))
				break
			}
		}
	}
	return values
}

// weakValues are values that people store, and that stand everywhere.
var weakValues = []string{"postgres", "production", "localhost:5432", "readonly", "admin", "eu-central-1", "12345678", "changeme"}

// TestHeldKeys: two hundred keys of all lengths, planted as they are, encoded and inside
// longer base 64 in the files of a history, are all found; none is invented, and weak
// values give no finding.
func TestHeldKeys(t *testing.T) {
	r := rand.New(rand.NewPCG(20, 26))
	values := heldKeys(r)
	words := strings.Fields("the quick brown fox jumps over a lazy dog while nobody looks at it twice " + strings.Join(weakValues, " "))
	sentence := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteString(words[r.IntN(len(words))])
			b.WriteByte(" \n"[r.IntN(8)/7])
		}
		return b.String()
	}
	plants := []func(v string) string{
		func(v string) string { return "value " + v + " value" },
		func(v string) string { return hex.EncodeToString([]byte(v)) },
		func(v string) string { return url.QueryEscape(v) },
		func(v string) string { return base64.StdEncoding.EncodeToString([]byte(v)) },
		func(v string) string { return base64.URLEncoding.EncodeToString([]byte("bot:" + v + "@")) },
		func(v string) string {
			return base64.StdEncoding.EncodeToString([]byte(sentence(1+r.IntN(9)) + v + sentence(r.IntN(9))))
		},
	}
	texts := make([][]byte, heldFiles)
	for i := range texts {
		texts[i] = []byte(sentence(20 + r.IntN(60)))
	}
	want := map[string]int{} // places of each key
	for i, v := range values {
		for _, plant := range plants {
			at := r.IntN(len(texts))
			texts[at] = fmt.Appendf(texts[at], "\n%s\n%s", plant(v), sentence(5))
			want[fmt.Sprintf("prod/K%03d", i)]++
		}
	}
	repo := newTestRepo(t, "--bare")
	var s stream
	for n := range heldCommits {
		c := change{branch: "refs/heads/main"}
		const each = heldFiles / heldCommits
		for k := range each {
			i := n*each + k
			c.files = append(c.files, file{fmt.Sprintf("d%d/f%d", i%17, i), texts[i]})
		}
		s.commit(c)
	}
	repo.gitInput(s.Bytes(), "fast-import", "--quiet")

	o := builtin(repo.dir, HistoryOnly)
	o.Held = heldSet(t, append(slices.Clone(values), weakValues...))
	o.Level = scan.High
	report := mustRun(t, o)
	for _, f := range report.Findings {
		if len(f.Held) != 1 {
			t.Errorf("a finding of rule %s is of %d keys: %v", f.Rule.ID, len(f.Held), f.Held)
			continue
		}
		if n := want[f.Held[0].Key]; n != len(f.Places) {
			t.Errorf("%s: %d places, want %d (value of %d bytes)", f.Held[0].Key, len(f.Places), n, f.Secret.Len())
		}
		delete(want, f.Held[0].Key)
	}
	for k := range want {
		t.Errorf("%s is not found", k)
	}
}

// TestHeldByRule: what a rule knows is that rule's finding, and names the key; an
// encoded copy of it is a place of the same finding.
func TestHeldByRule(t *testing.T) {
	tok := token(t, 3)
	text := fmt.Sprintf("a: %s\nb: %s\n", tok, hex.EncodeToString([]byte(tok)))
	o := fromStdin(strings.NewReader(text))
	o.Held = heldSet(t, []string{tok})
	r := mustRun(t, o)
	if len(r.Findings) != 1 || len(r.Findings[0].Places) != 2 {
		t.Fatalf("findings %v", r.Findings)
	}
	f := r.Findings[0]
	if f.Rule.ID != "github-pat" || f.Confidence != scan.Certain || len(f.Held) != 1 || f.Held[0].Key != "prod/K000" {
		t.Errorf("rule %s, %v, held %v", f.Rule.ID, f.Confidence, f.Held)
	}
	if via := f.Places[1].Via; !slices.Equal(via, []string{"hex"}) {
		t.Errorf("via %q", via)
	}
}

// TestHeldTwice: a text that is one key a hundred thousand times takes linear time.
func TestHeldTwice(t *testing.T) {
	v := "Zr8-kQ2!vTp5xW"
	text := bytes.Repeat([]byte(v+" "), 100_000)
	o := fromStdin(bytes.NewReader(text))
	o.Held = heldSet(t, []string{v})
	if r := mustRun(t, o); len(r.Findings) != 1 || len(r.Findings[0].Places) != 100_000 {
		t.Errorf("%d findings", len(r.Findings))
	}
}

// TestHeldRules: held keys are looked for with the rules that are asked for, or alone.
func TestHeldRules(t *testing.T) {
	v := "Zr8-kQ2!vTp5xW"
	for _, c := range []struct {
		rules []string
		found int
	}{{nil, 1}, {[]string{"github-*"}, 0}, {[]string{"github-*", match.HeldRule}, 1}, {[]string{"-" + match.HeldRule}, 0}} {
		o := fromStdin(strings.NewReader("x " + v))
		o.Held, o.Rules = heldSet(t, []string{v}), c.rules
		if r := mustRun(t, o); len(r.Findings) != c.found {
			t.Errorf("rules %v: %d findings, want %d", c.rules, len(r.Findings), c.found)
		}
	}
}

// TestHeldCache: what is remembered is not used when the keys are others.
func TestHeldCache(t *testing.T) {
	g := newTestRepo(t)
	values := []string{"Zr8-kQ2!vTp5xW", "Mw3_yH7?dLs9cB"}
	for _, v := range values {
		g.write(file{"notes", []byte("a note: " + v + "\n")})
		g.git("add", "-A")
		g.git("commit", "-q", "-m", "a note")
	}
	o := builtin(g.dir, Everything)
	o.CacheDir = t.TempDir()
	for _, held := range [][]string{nil, values[:1], values, values, values[1:], nil} {
		o.Held = nil
		if held != nil {
			o.Held = heldSet(t, held)
		}
		if r := mustRun(t, o); len(r.Findings) != len(held) {
			t.Errorf("%d findings of %d keys", len(r.Findings), len(held))
		}
	}
}
