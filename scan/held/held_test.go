package held_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/held"
	"github.com/keywright/keywright/secret"
)

var key = []byte("0123456789abcdef0123456789abcdef")

// random is a value of n bytes of an alphabet.
func random(r *rand.Rand, alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

const (
	alnum   = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	signs   = alnum + "+/=!#$%&*-_.:@\"\\"
	control = signs + "\n\t\x00\xff"
)

func setOf(t testing.TB, values ...string) *held.Set {
	t.Helper()
	var all []held.Value
	for i, v := range values {
		d := held.Digest(key, secret.New([]byte(v)))
		if len(d) == 0 {
			t.Fatalf("value %d, of %d bytes, is too weak", i, len(v))
		}
		all = append(all, held.Value{Key: key, Digest: d, Is: scan.Held{Key: fmt.Sprint("prod/K", i)}})
	}
	s, err := held.NewSet(all)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// find is every hit in a text, once.
func find(s *held.Set, text []byte) (hits []held.Hit) {
	s.Find(text, 0, len(text), func(at int) {
		for _, h := range s.At(text, at) {
			if !slices.ContainsFunc(hits, func(o held.Hit) bool {
				return o.Value == h.Value && o.Start == h.Start && o.End == h.End
			}) {
				hits = append(hits, h)
			}
		}
	})
	return hits
}

// encodings are how programs write a value, with what stands beside it.
var encodings = map[string]func(r *rand.Rand, value string) string{
	"raw": func(r *rand.Rand, v string) string { return "key = " + v + "\n" },
	"hex": func(r *rand.Rand, v string) string { return `"` + hex.EncodeToString([]byte(v)) + `"` },
	"HEX": func(r *rand.Rand, v string) string { return `"` + strings.ToUpper(hex.EncodeToString([]byte(v))) + `"` },
	"query": func(r *rand.Rand, v string) string {
		return "?a=" + strings.ReplaceAll(url.QueryEscape(v), "+", "%20") + "&b"
	},
	"small hex%":         func(r *rand.Rand, v string) string { return "?a=" + percentBut(v, "-_.~", "%%%02x") + "&b" },
	"encodeURIComponent": func(r *rand.Rand, v string) string { return "?a=" + percentBut(v, "-_.~!'()*", "%%%02X") + "&b" },
	"encodeURI": func(r *rand.Rand, v string) string {
		return "?a=" + percentBut(v, "-_.~!'()*;,/?:@&=+$#", "%%%02X") + "&b"
	},
	"URLSearchParams": func(r *rand.Rand, v string) string {
		return "?a=" + percentBut(v, "-_.*", "%%%02X") + "&b"
	},
	"json": func(r *rand.Rand, v string) string {
		b, _ := json.Marshal(v)
		return string(b)
	},
	"base64": func(r *rand.Rand, v string) string { return base64.StdEncoding.EncodeToString([]byte(v)) },
	"in base64": func(r *rand.Rand, v string) string {
		return base64.StdEncoding.EncodeToString([]byte(random(r, control, 1+r.IntN(40)) + v + random(r, control, r.IntN(40))))
	},
	"in base64url": func(r *rand.Rand, v string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(random(r, control, 1+r.IntN(40)) + v + random(r, control, r.IntN(40))))
	},
	"in base64 of 64":   func(r *rand.Rand, v string) string { return wrapped(r, v, 64, "\n") },
	"in base64 of 76":   func(r *rand.Rand, v string) string { return wrapped(r, v, 76, "\r\n") },
	"in base64 of YAML": func(r *rand.Rand, v string) string { return wrapped(r, v, 76, "\n    ") },
}

// percentBut escapes all but letters, digits and what is plain.
func percentBut(v, plain, format string) string {
	var b strings.Builder
	for _, c := range []byte(v) {
		if strings.IndexByte(alnum+plain, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, format, c)
		}
	}
	return b.String()
}

func wrapped(r *rand.Rand, v string, width int, end string) string {
	text := base64.StdEncoding.EncodeToString([]byte(random(r, control, 1+r.IntN(300)) + v + random(r, control, r.IntN(100))))
	var lines []string
	for ; len(text) > width; text = text[width:] {
		lines = append(lines, text[:width])
	}
	return strings.Join(append(lines, text), end)
}

// TestForms: a value is found however programs write it, and comes out as it was.
func TestForms(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for name, encode := range encodings {
		t.Run(name, func(t *testing.T) {
			for n := range 400 {
				alphabet := []string{alnum, signs}[n%2]
				v := random(r, alphabet, 10+n/2)
				if strings.HasPrefix(name, "in base64 of") && len(v) < 13 {
					continue // a line's end may be in the only window
				}
				text := random(r, control, r.IntN(20)) + " " + encode(r, v) + " " + random(r, control, r.IntN(20))
				if name == "json" && strings.ContainsAny(v, "&") {
					continue // written in several ways
				}
				if strings.TrimSpace(v) != v || len(held.Digest(key, secret.New([]byte(v)))) == 0 {
					continue // one in a thousand of the shortest looks like nothing
				}
				hits := find(setOf(t, v), []byte(text))
				if len(hits) == 0 || slices.ContainsFunc(hits, func(h held.Hit) bool { return string(h.Text) != v }) {
					t.Fatalf("value of %d bytes: %d hits in %q", len(v), len(hits), text)
				}
			}
		})
	}
}

// TestLines: a value of several lines is found with other line ends and indented.
func TestLines(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	var lines []string
	for range 12 {
		lines = append(lines, random(r, alnum, 64))
	}
	v := strings.Join(append(append([]string{"-----BEGIN KEY-----"}, lines...), "-----END KEY-----"), "\n") + "\n"
	for name, text := range map[string]string{
		"as it is":    v,
		"no last end": strings.TrimSpace(v),
		"CRLF":        strings.ReplaceAll(v, "\n", "\r\n"),
		"indented":    "key: |\n    " + strings.ReplaceAll(v, "\n", "\n    ") + "next: 1\n",
		"with tabs":   "key\n\t" + strings.ReplaceAll(v, "\n", "\n\t"),
		"JSON":        `{"key": "` + strings.ReplaceAll(v, "\n", `\n`) + `"}`,
		"base64":      base64.StdEncoding.EncodeToString([]byte(v)),
	} {
		hits := find(setOf(t, v), []byte(text))
		if len(hits) == 0 {
			t.Errorf("%s: not found", name)
		}
		for _, h := range hits {
			if string(h.Text) != strings.TrimSpace(v) {
				t.Errorf("%s: found %q", name, h.Text)
			}
		}
	}
	crlf := strings.ReplaceAll(v, "\n", "\r\n")
	if hits := find(setOf(t, crlf), []byte(v)); len(hits) == 0 {
		t.Error("stored with CRLF, it is not found with LF")
	}
}

// TestWeak: what stands everywhere is not looked for, and secrets are.
func TestWeak(t *testing.T) {
	for _, v := range []string{
		"", "x", "short", "12345678", "password", "changeme", "production", "postgres", "localhost:5432", "db.example.com",
		"https://api.example.com", "ada@example.com", "readonly_user", "2026-11-29", "00000000-0000-0000-0000-000000000000",
		"aaaaaaaaaaaa", "abcdefghijkl", "your_api_key_here", "eu-central-1", "/var/lib/keys/bot.json",
	} {
		if len(held.Digest(key, secret.New([]byte(v)))) > 0 {
			t.Errorf("%q is looked for", v)
		}
	}
	r := rand.New(rand.NewPCG(3, 3))
	words := []string{"abandon", "ability", "able", "about", "above", "absent", "absorb", "abstract", "absurd", "abuse", "access", "accident"}
	for _, v := range []string{
		random(r, alnum, 12), random(r, "0123456789abcdef", 32), random(r, signs, 20), strings.Join(words, " "), strings.Join(words[:7], "-"),
		"Tr0ub4dor" + "&3xyz!", "postgres://bot:" + random(r, alnum, 24) + "@db.bots.net/bot",
	} {
		if len(held.Digest(key, secret.New([]byte(v)))) == 0 {
			t.Errorf("%q is not looked for", v)
		}
	}
}

// TestLong: of a value without end the beginning is looked for.
func TestLong(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	v := random(r, alnum, 100_000)
	cut := v[:4<<10-3] + "\n \n" + v[4<<10:] // what is looked for would end in white space
	if hits := find(setOf(t, cut), []byte("x "+cut)); len(hits) == 0 {
		t.Error("white space where the beginning ends hides a value")
	}
	for _, text := range []string{"x " + v + " y", base64.StdEncoding.EncodeToString([]byte("ab" + v))} {
		if hits := find(setOf(t, v), []byte(text)); len(hits) != 1 || !strings.HasPrefix(v, string(hits[0].Text)) {
			t.Errorf("%d hits", len(hits))
		}
	}
}

// TestBounds: Find reports the windows that share a byte with the span, and those only.
func TestBounds(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	v := random(r, alnum, 30)
	s := setOf(t, v)
	text := []byte(random(r, signs, 50) + v + random(r, signs, 50))
	var at int
	s.Find(text, 0, len(text), func(n int) { at = n })
	for from := range text {
		for to := from; to <= len(text); to++ {
			found := false
			s.Find(text, from, to, func(n int) { found = found || n == at })
			if want := at < to && at+held.Window > from; found != want {
				t.Fatalf("window at %d, span [%d, %d): found %v", at, from, to, found)
			}
		}
	}
}

// TestReach: whether a value stands somewhere depends on no byte beyond the reach.
func TestReach(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	for name, encode := range encodings {
		for range 50 {
			v := random(r, signs, 12+r.IntN(60))
			if len(held.Digest(key, secret.New([]byte(v)))) == 0 {
				continue
			}
			s := setOf(t, v)
			back, ahead := s.Reach()
			text := []byte(encode(r, v))
			s.Find(text, 0, len(text), func(at int) {
				from, to := max(0, at-back), min(len(text), at+ahead)
				if a, b := len(s.At(text, at)), len(s.At(text[from:to], at-from)); a != b {
					t.Errorf("%s: %d hits, in what the reach allows %d", name, a, b)
				}
			})
		}
	}
}

// TestNothingInvented: keys that are not there are not found.
func TestNothingInvented(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	var values []string
	for n := range 200 {
		values = append(values, random(r, alnum, 10+n))
	}
	s := setOf(t, values...)
	text := []byte(random(r, alnum, 4<<20))
	if hits := find(s, text); len(hits) > 0 {
		t.Errorf("%d hits in random text", len(hits))
	}
	for i, v := range values { // one byte is another
		b := []byte(v)
		b[r.IntN(len(b))] ^= 1
		if hits := find(s, append([]byte("x "), b...)); len(hits) > 0 {
			t.Errorf("value %d is found in what is not it", i)
		}
	}
}

// TestDigestNeedsKey: digests under different keys have nothing in common.
func TestDigestNeedsKey(t *testing.T) {
	v := secret.New([]byte(random(rand.New(rand.NewPCG(8, 8)), alnum, 40)))
	a, b := held.Digest(key, v), held.Digest([]byte("another"), v)
	if bytes.Contains(a, v.Reveal()[:5]) || bytes.Equal(a[1:17], b[1:17]) {
		t.Error("the digest tells of the value")
	}
	if _, err := held.NewSet([]held.Value{{Key: key, Digest: a[:len(a)-1]}}); err == nil {
		t.Error("a digest that is cut off is taken")
	}
}

// TestKeys: values whose digests were made with different keys are found by one set.
func TestKeys(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 8))
	var all []held.Value
	var values []string
	for i, k := range []string{"one", "another", "one", "third"} {
		values = append(values, random(r, alnum, 20+i))
		all = append(all, held.Value{Key: []byte(k), Digest: held.Digest([]byte(k), secret.New([]byte(values[i])))})
	}
	both := values[0] + "+" + values[1] // two of one value under two keys
	for _, k := range []string{"one", "third"} {
		all = append(all, held.Value{Key: []byte(k), Digest: held.Digest([]byte(k), secret.New([]byte(both)))})
	}
	s, err := held.NewSet(all)
	if err != nil {
		t.Fatal(err)
	}
	text := []byte("a " + strings.Join(values, " b ") + " c")
	var found []int
	for _, h := range find(s, text) {
		if got := string(text[h.Start:h.End]); got != values[h.Value] {
			t.Errorf("value %d found as %q", h.Value, got)
		}
		found = append(found, h.Value)
	}
	if slices.Sort(found); !slices.Equal(found, []int{0, 1, 2, 3}) {
		t.Errorf("found %v", found)
	}
	var twice []int
	for _, h := range find(s, []byte(both)) {
		if h.End-h.Start == len(both) {
			twice = append(twice, h.Value)
		}
	}
	if slices.Sort(twice); !slices.Equal(twice, []int{4, 5}) {
		t.Errorf("one value under two keys: %v", twice)
	}
}

func FuzzDigest(f *testing.F) {
	f.Add([]byte("Zq3-vTp9!mX2"), []byte("key = Zq3-vTp9!mX2\n"))
	f.Add([]byte("line one k2\n  line two 9x\nline three Q\n"), []byte("line one k2\r\nline two 9x"))
	f.Add([]byte{1, 0, 255, 3, 9, 200, 7, 77, 13, 10}, []byte("AQD/AwnIB00NCg=="))
	f.Fuzz(func(t *testing.T, value, text []byte) {
		d := held.Digest(key, secret.New(value))
		if len(d) == 0 {
			return
		}
		s, err := held.NewSet([]held.Value{{Key: key, Digest: d}})
		if err != nil {
			t.Fatal(err)
		}
		if hits := find(s, slices.Concat([]byte("< "), value, []byte(" >"))); len(hits) == 0 {
			t.Errorf("%q is not found where it stands", value)
		}
		find(s, text)
		for at := range text { // whatever stands there
			s.At(text, at)
		}
	})
}

func FuzzNewSet(f *testing.F) {
	f.Add(held.Digest(key, secret.New([]byte("Zq3-vTp9!mX2"))), []byte("Zq3-vTp9!mX2"))
	f.Fuzz(func(t *testing.T, digest, text []byte) {
		s, err := held.NewSet([]held.Value{{Key: key, Digest: digest}})
		if err != nil {
			return
		}
		find(s, text)
	})
}

func BenchmarkFind(b *testing.B) {
	r := rand.New(rand.NewPCG(9, 9))
	var values []string
	for n := range 200 {
		values = append(values, random(r, alnum, 10+n))
	}
	s := setOf(b, values...)
	text := []byte(random(r, signs, 1<<20))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		s.Find(text, 0, len(text), func(int) {})
	}
}
