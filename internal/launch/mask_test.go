package launch

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/secret"
)

// obvious masks a whole text: every place of every word, joined where they overlap.
func obvious(text []byte, list [][]byte) []byte {
	var found [][2]int
	for _, w := range list {
		for i := 0; i+len(w) <= len(text); i++ {
			if bytes.HasPrefix(text[i:], w) {
				found = append(found, [2]int{i, i + len(w)})
			}
		}
	}
	slices.SortFunc(found, func(a, b [2]int) int { return a[0] - b[0] })
	var out []byte
	at := 0
	for i := 0; i < len(found); {
		from, to := found[i][0], found[i][1]
		for i++; i < len(found) && found[i][0] < to; i++ {
			to = max(to, found[i][1])
		}
		out = append(append(out, text[at:from]...), stars...)
		at = to
	}
	return append(out, text[at:]...)
}

// masked writes a text in pieces that end at cuts.
func masked(t *testing.T, text []byte, list [][]byte, cuts ...int) string {
	t.Helper()
	var out bytes.Buffer
	m := newMasker(&out, newWords(list))
	m.timer = time.AfterFunc(time.Hour, func() {}) // however slow the machine
	at := 0
	for _, c := range append(cuts, len(text)) {
		if n, err := m.Write(text[at:c]); n != c-at || err != nil {
			t.Fatalf("write of %d bytes: %d, %v", c-at, n, err)
		}
		at = c
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func asWords(list ...string) (w [][]byte) {
	for _, s := range list {
		w = append(w, []byte(s))
	}
	return w
}

func TestMaskOverlaps(t *testing.T) {
	for _, c := range []struct {
		words []string
		text  string
		want  string
	}{
		{[]string{"abcdefgh"}, "xabcdefghy", "x***y"},
		{[]string{"abcdefgh"}, "abcdefgabcdefgh", "abcdefg***"},
		{[]string{"abcdefgh", "abcdefghij"}, "abcdefghij abcdefghi", "*** ***i"},
		{[]string{"abcdefghij", "cdefgh"}, "abcdefghij abcdefgh", "*** ab***"},
		{[]string{"abcdefgh", "ghijklmn"}, "abcdefghijklmn ghijklmn", "*** ***"},
		{[]string{"abcdefgh", "ghijklmn", "efghijklmnopqr"}, "abcdefghijklmnopq", "***opq"},
		{[]string{"abcd", "fghi", "cdefghij"}, "abcdefghij", "***"},
		{[]string{"abcdefgh"}, "abcdefghabcdefgh", "******"},
		{[]string{"aaaa"}, "aaaaaaabaaa", "***baaa"},
		{nil, "anything", "anything"},
	} {
		for cut := range len(c.text) + 1 {
			if got := masked(t, []byte(c.text), asWords(c.words...), cut); got != c.want {
				t.Errorf("%q in %q, cut at %d: got %q, want %q", c.words, c.text, cut, got, c.want)
			}
		}
		if got := string(obvious([]byte(c.text), asWords(c.words...))); got != c.want {
			t.Errorf("the obvious way: %q in %q: got %q, want %q", c.words, c.text, got, c.want)
		}
	}
}

// With two letters everything overlaps with everything.
func TestMaskLikeTheObvious(t *testing.T) {
	rounds := 30000
	if testing.Short() {
		rounds = 3000
	}
	r := rand.New(rand.NewPCG(1, 2))
	letters := func(n, of int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = 'a' + byte(r.IntN(of))
		}
		return b
	}
	for range rounds {
		of := 1 + r.IntN(4)
		var list [][]byte
		for range r.IntN(6) {
			list = append(list, letters(1+r.IntN(9), of))
		}
		text := letters(r.IntN(60), of)
		var cuts []int
		for range r.IntN(6) {
			cuts = append(cuts, r.IntN(len(text)+1))
		}
		slices.Sort(cuts)
		if got, want := masked(t, text, list, cuts...), string(obvious(text, list)); got != want {
			t.Fatalf("%q in %q, cut at %v: got %q, want %q", list, text, cuts, got, want)
		}
	}
}

func FuzzMasker(f *testing.F) {
	f.Add([]byte("xabcdefghy"), []byte("abcdefgh"), uint16(3), uint16(5))
	f.Add([]byte("abcdefghijklmn"), []byte("abcdefgh\nghijklmn\ncdef"), uint16(9), uint16(9))
	f.Add([]byte("aaaaaaaabaaaaaa"), []byte("aaaa\naab"), uint16(0), uint16(14))
	f.Add([]byte("\x00\xff\x00\xff"), []byte("\xff\x00"), uint16(2), uint16(1))
	f.Fuzz(func(t *testing.T, text, list []byte, a, b uint16) {
		if len(text) > 1000 || len(list) > 200 {
			return
		}
		known := slices.DeleteFunc(bytes.Split(list, []byte("\n")), func(w []byte) bool { return len(w) == 0 })
		cuts := []int{min(int(a), len(text)), min(int(b), len(text))}
		slices.Sort(cuts)
		if got, want := masked(t, text, known, cuts...), string(obvious(text, known)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// Whatever a form of a secret stands in, nothing that tells of it is left.
func TestMaskForms(t *testing.T) {
	value := "p/s+ w?\xff\xfe&=\u00e9:" + strings.Repeat("~", 3)
	std, raw := base64.StdEncoding, base64.RawURLEncoding
	padded := value + "\n"
	for _, text := range []string{
		value,
		std.EncodeToString([]byte(value)),
		base64.RawStdEncoding.EncodeToString([]byte(value)),
		base64.URLEncoding.EncodeToString([]byte(value)),
		raw.EncodeToString([]byte(value)),
		url.QueryEscape(value),
		url.PathEscape(value),
		lowerEscapes(url.QueryEscape(value)),
	} {
		var out bytes.Buffer
		m, err := NewMasker(&out, []secret.Value{secret.New([]byte(padded)), secret.New([]byte(value))})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(m, "<%s>", text)
		m.Close()
		if out.String() != "<***>" {
			t.Errorf("%q became %q", text, out.String())
		}
	}
}

// What may stand in an address as it is differs between languages and between the parts of
// an address: each row is the work of the function that it names.
func TestMaskEscapes(t *testing.T) {
	const value = "p$a/s`s\"w'o*r(d)! @1+2~é"
	for escaper, text := range map[string]string{
		"Python's quote":             "p%24a/s%60s%22w%27o%2Ar%28d%29%21%20%401%2B2~%C3%A9",
		"Python's quote, safe=''":    "p%24a%2Fs%60s%22w%27o%2Ar%28d%29%21%20%401%2B2~%C3%A9",
		"Python's quote_plus":        "p%24a%2Fs%60s%22w%27o%2Ar%28d%29%21+%401%2B2~%C3%A9",
		"curl --data-urlencode":      "p%24a%2fs%60s%22w%27o%2ar%28d%29%21%20%401%2b2~%c3%a9",
		"JavaScript's encodeURI":     "p$a/s%60s%22w'o*r(d)!%20@1+2~%C3%A9",
		"encodeURIComponent":         "p%24a%2Fs%60s%22w'o*r(d)!%20%401%2B2~%C3%A9",
		"URLSearchParams":            "p%24a%2Fs%60s%22w%27o*r%28d%29%21+%401%2B2%7E%C3%A9",
		"Go's QueryEscape":           url.QueryEscape(value),
		"Go's PathEscape":            url.PathEscape(value),
		"Go's user:password@":        strings.TrimPrefix(url.UserPassword("", value).String(), ":"),
		"Go's user:password@, small": lowerEscapes(strings.TrimPrefix(url.UserPassword("", value).String(), ":")),
	} {
		var out bytes.Buffer
		m, err := NewMasker(&out, []secret.Value{secret.New([]byte(value))})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(m, "<%s>", text)
		m.Close()
		if out.String() != "<***>" {
			t.Errorf("%s: %q became %q", escaper, text, out.String())
		}
	}
}

// In the base64 of a longer text, as HTTP's basic authentication has it, the
// characters that neighbours share in may stay.
func TestMaskInsideBase64(t *testing.T) {
	value := "correct-horse-battery"
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
		for before := range 7 {
			text := enc.EncodeToString([]byte(strings.Repeat("u", before) + value + "tail"))
			var out bytes.Buffer
			m, err := NewMasker(&out, []secret.Value{secret.New([]byte(value))})
			if err != nil {
				t.Fatal(err)
			}
			m.Write([]byte(text))
			m.Close()
			left := strings.Replace(out.String(), stars, "", 1)
			if !strings.Contains(out.String(), stars) || len(left) > (before+4+2)*4/3+3 {
				t.Errorf("%d before: %s became %s", before, text, out.String())
			}
		}
	}
}

func TestMaskLengths(t *testing.T) {
	var out bytes.Buffer
	m, err := NewMasker(&out, []secret.Value{secret.New([]byte("1234567")), {}, secret.New([]byte("12345678"))})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(m, "1234567 MTIzNDU2Nw== 12345678")
	m.Close()
	if got := out.String(); got != "1234567 MTIzNDU2Nw== ***" {
		t.Errorf("got %q", got)
	}
	// Blanks round a short value do not make it long.
	if forms := formsOf([]byte("  short  ")); slices.ContainsFunc(forms, func(f []byte) bool { return len(f) < MinMask }) {
		t.Errorf("short forms in %q", forms)
	}
	if _, err := NewMasker(&out, []secret.Value{secret.New(make([]byte, MaxMask+1))}); err == nil {
		t.Error("a value that is too long was accepted")
	}
	if _, err := NewMasker(&out, []secret.Value{secret.New(bytes.Repeat([]byte{0xfb}, MaxMask))}); err != nil {
		t.Errorf("the longest value: %v", err)
	}
}

// clock is a writer that remembers when the last bytes came.
type clock struct {
	mu   sync.Mutex
	text []byte
	last time.Time
}

func (c *clock) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text, c.last = append(c.text, p...), time.Now()
	return len(p), nil
}

func (c *clock) state() (string, time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.text), c.last
}

func TestMaskShowsPrompts(t *testing.T) {
	var out clock
	m := newMasker(&out, newWords(asWords("Password1!", "another-one")))
	defer m.Close()
	start := time.Now()
	m.Write([]byte("Login? Pass"))
	if got, _ := out.state(); got != "Login? " {
		t.Errorf("at once: %q", got)
	}
	got, when := out.state()
	for got != "Login? Pass" && time.Since(start) < 5*time.Second {
		time.Sleep(time.Millisecond)
		got, when = out.state()
	}
	t.Logf("shown after %v", when.Sub(start))
	if got != "Login? Pass" || when.Sub(start) > time.Second {
		t.Errorf("later: %q after %v", got, when.Sub(start))
	}
	// What was shown is not forgotten, and neither is what comes next lost.
	m.Write([]byte("word1"))
	m.Write([]byte("!?"))
	if got, _ := out.state(); got != "Login? Pass***?" {
		t.Errorf("the rest: %q", got)
	}
}

// A secret that was complete when it had waited stays one with what follows.
func TestMaskAfterWaiting(t *testing.T) {
	var out bytes.Buffer
	m := newMasker(&out, newWords(asWords("abcdefgh", "abcdefghij")))
	for _, p := range []string{"<abcdefgh", "i", "j>", "<abcdefgh", "ix>", "abc", "x"} {
		m.Write([]byte(p))
		m.due = time.Time{}
		m.tired()
	}
	m.Close()
	if got := out.String(); got != "<***i><***ix>abcx" {
		t.Errorf("got %q", got)
	}
}

type broken struct{}

var errBroken = errors.New("broken")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestMaskReportsErrors(t *testing.T) {
	m := newMasker(broken{}, newWords(asWords("abcdefgh")))
	if _, err := m.Write([]byte("abc")); err != nil {
		t.Errorf("held back: %v", err)
	}
	m.due = time.Time{}
	m.tired()
	if _, err := m.Write([]byte("d")); !errors.Is(err, errBroken) {
		t.Errorf("after waiting: %v", err)
	}
	if err := m.Close(); !errors.Is(err, errBroken) {
		t.Errorf("close: %v", err)
	}
}

func BenchmarkMask(b *testing.B) {
	r := rand.New(rand.NewPCG(3, 4))
	var held []secret.Value
	for range 10 {
		v := make([]byte, 30)
		for i := range v {
			v[i] = byte(r.Uint32())
		}
		held = append(held, secret.New([]byte(base64.StdEncoding.EncodeToString(v))))
	}
	log := []byte(strings.Repeat("2026-11-29T06:43:01Z INFO order filled symbol=BTCUSDT price=91234.5 qty=0.001 id=9f86d081884c7d65\n", 330))
	dense := make([]byte, len(log))
	for i := range dense {
		dense[i] = held[i/40%10].Reveal()[i%39]
	}
	for _, c := range []struct {
		name string
		text []byte
	}{{"log", log}, {"dense", dense}} {
		b.Run(c.name, func(b *testing.B) {
			m, err := NewMasker(discard{}, held)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(c.text)))
			b.ReportAllocs()
			for b.Loop() {
				m.Write(c.text)
			}
			m.Close()
		})
	}
	b.Run("make", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := NewMasker(discard{}, held); err != nil {
				b.Fatal(err)
			}
		}
	})
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
