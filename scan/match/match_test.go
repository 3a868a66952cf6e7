package match

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/held"
	"github.com/keywright/keywright/secret"
)

// stress are rules that meet often: frequent words, pairs within a few lines,
// small blocks, runs, a parser over the whole object.
func stress() []*scan.Rule {
	isWord := func(w []byte) bool { return len(w) == 3 || len(w) == 4 }
	return []*scan.Rule{
		{ID: "word", Confidence: scan.High, Expr: `\b(?i:return|static)\b`},
		{ID: "label", Confidence: scan.Medium, Expr: `(?i:token)[ =:]{1,4}(?P<secret>[a-z0-9]{3,20})\b`},
		{ID: "infix", Confidence: scan.Medium, Expr: `[a-z]{2,12}MARK[a-z]{2,12}`},
		{ID: "short", Confidence: scan.Low, Expr: `sk-[0-9a-f]{4,8}`},
		{ID: "pair", Confidence: scan.High, Expr: `\bAKIA[0-9A-Z]{4}\b`,
			Partners: []scan.Partner{{Role: "secret", Expr: `\b[0-9a-z]{6}\b`, Within: 200, Required: true}}},
		{ID: "block", Confidence: scan.Medium, Block: &scan.Block{Open: []string{"--BEGIN A--", "--BEGIN B--"}, Close: []string{"--END A--", "--END B--"}}},
		{ID: "run", Confidence: scan.Low, Run: &scan.Run{Alphabet: scan.Alnum, Min: 24, Max: 40}, Check: proved},
		{ID: "base64", Confidence: scan.Low, Run: &scan.Run{Alphabet: scan.Base64, Min: 44, Max: 60}, Check: proved},
		{ID: "words", Confidence: scan.Low, Run: &scan.Run{Alphabet: scan.Words, Min: 12, Max: 24, Word: isWord}, Check: proved},
		{ID: "whole", Confidence: scan.Low, Object: &scan.Object{Gate: "gate:whole", Parse: parseWhole}},
	}
}

func proved(c scan.Candidate) scan.Evidence {
	if c.Secret()[0] == 'x' {
		return scan.Rejected
	}
	return scan.Holds("it does")
}

func parseWhole(data []byte) []scan.ObjectMatch {
	i := bytes.LastIndexByte(data, '!')
	if i < 0 {
		return nil
	}
	return []scan.ObjectMatch{{Parts: []scan.Span{{Role: scan.RoleSecret, Start: i, End: i + 1}}}}
}

func engine(t testing.TB, rules []*scan.Rule) *Engine {
	t.Helper()
	e, err := New(rules)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// pieces are what random texts are made of.
var pieces = []string{
	"return", " STATIC ", "token = abc1", "tok", "en: zz9", "aaMARKbb", "MARK", "sk-00ff", "sk-", "AKIA0123", "AKI", "A9ZZZ ",
	"abc123", " keywright:allow", "--BEGIN A--", "--END A--", "--BEGIN B--", "--END B--", "gate:whole", "!", "\n", "\n", "\n", " ", "; ",
	"0123456789abcdefghijABCDEFGH", "xyz", "abcdefghijkl", "+/", "==", "one two", " red cat dog sun ", "\t", "é", "。",
	kept, kept[:6], kept[6:], "cVE3di0wc1oh", "bVcyeDk=", hex.EncodeToString([]byte(kept)), keptLines[:9], keptLines[9:12], keptLines[12:], keptLines,
	"A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8S9t0/+aB==", "the end big old car", "\x00", "\xff", "to ", "lengthier", " a of", "\u3000",
}

// kept and keptLines are values that an engine is told to look for.
const (
	kept      = "Q7v-0sZ!mW2x9"
	keptLines = "aW9x2Kq7L\n \tP0vZ8sT1rQ"
)

// holding makes an engine look for the values.
func holding(t testing.TB, e *Engine, values ...string) *Engine {
	t.Helper()
	var all []held.Value
	for i, v := range values {
		key := fmt.Append(nil, "key ", i%2)
		all = append(all, held.Value{Key: key, Digest: held.Digest(key, secret.New([]byte(v))), Is: scan.Held{Key: "prod/" + v[:3]}})
	}
	set, err := held.NewSet(all)
	if err != nil {
		t.Fatal(err)
	}
	e.Hold(set)
	return e
}

func text(r *rand.Rand, n int) []byte {
	var b []byte
	for len(b) < n {
		b = append(b, pieces[r.IntN(len(pieces))]...)
	}
	return b
}

// edit makes a target of copies of base and new bytes.
func edit(r *rand.Rand, base []byte) ([]byte, []scan.Copy) {
	var out []byte
	var copies []scan.Copy
	for k := r.IntN(6) + 1; k > 0; k-- {
		if len(base) > 0 && r.IntN(3) > 0 {
			from := r.IntN(len(base))
			switch r.IntN(3) {
			case 0:
				from = 0
			case 1:
				from = min(from, len(base)/2)
			}
			n := r.IntN(len(base)-from) + 1
			if r.IntN(3) == 0 {
				n = len(base) - from
			}
			if c := len(copies); c > 0 && copies[c-1].Start+copies[c-1].Len == len(out) && copies[c-1].Base+copies[c-1].Len == from {
				copies[c-1].Len += n
			} else {
				copies = append(copies, scan.Copy{Base: from, Start: len(out), Len: n})
			}
			out = append(out, base[from:from+n]...)
		} else {
			out = append(out, text(r, r.IntN(60))...)
		}
	}
	return out, copies
}

// TestDeltaEqualsWhole is the invariant: what is carried along copies is what
// judging the whole object gives, anchor by anchor and verdict by verdict.
func TestDeltaEqualsWhole(t *testing.T) {
	e := holding(t, engine(t, stress()), kept, keptLines)
	var s Scratch
	seen := map[string]int{}
	const all, least = 8000, 100
	seeds := all
	if testing.Short() {
		seeds /= 5
	}
	for seed := range uint64(seeds) {
		r := rand.New(rand.NewPCG(seed, 1))
		data := text(r, r.IntN(2000))
		state := e.Whole(&s, data).Keep()
		for range 6 {
			target, copies := edit(r, data)
			got, want := e.Delta(&s, state, target, copies).Keep(), e.Whole(&s, target).Keep()
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d: copies %v of %d bytes\n%q\n%s", seed, copies, len(data), target, difference(got, want))
			}
			for _, v := range want.Verdicts() {
				seen[v.Rule.ID]++
			}
			data, state = target, got
		}
	}
	for _, r := range e.Rules() {
		if seen[r.ID] < least*seeds/all {
			t.Errorf("rule %s gave only %d verdicts: the test does not test it", r.ID, seen[r.ID])
		}
	}
}

// difference lists what one state has and the other has not.
func difference(got, want *State) string {
	lines := func(s *State) (out []string) {
		for _, a := range s.anchors {
			out = append(out, fmt.Sprint("anchor ", a))
		}
		for _, v := range s.verdicts {
			out = append(out, fmt.Sprintf("%v %s %v dep [%d,%d) %v %v", v.at, v.Rule.ID, v.Parts, v.DepStart, v.DepEnd, v.Confidence, v.Allowed))
		}
		return out
	}
	var b strings.Builder
	g, w := lines(got), lines(want)
	for _, l := range g {
		if !slices.Contains(w, l) {
			fmt.Fprintln(&b, "got ", l)
		}
	}
	for _, l := range w {
		if !slices.Contains(g, l) {
			fmt.Fprintln(&b, "want", l)
		}
	}
	return b.String()
}

// TestWholeEqualsObvious compares the shared matcher and the probing of runs with
// the obvious way: every literal at every byte, every run from every byte.
func TestWholeEqualsObvious(t *testing.T) {
	e := engine(t, stress())
	var s Scratch
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 2))
		data := text(r, r.IntN(600))
		got := e.Whole(&s, data).anchors
		want := e.obvious(data)
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: %q\ngot  %v\nwant %v", seed, data, got, want)
		}
	}
}

// obvious finds every anchor the slow way.
func (e *Engine) obvious(data []byte) []anchor {
	var out []anchor
	folded := []byte(lower(string(data)))
	for pos := range data {
		for i, t := range e.literals.texts {
			if bytes.HasPrefix(folded[pos:], []byte(t)) {
				out = e.literals.accept(data, pos, i, 0, len(data), out)
			}
		}
		for i, p := range e.probers {
			lit := uint16(len(e.uses) + i)
			if p.alphabet == scan.Words {
				if s, _ := wordAt(data, pos); !letters[data[pos]] || s != pos {
					continue
				}
				if first, end, ok := p.words(data, pos); ok && first == pos {
					out = append(out, anchor{int32(pos), lit, uint16(end - pos + wordMargin)})
				}
			} else if end, ok := p.run(data, pos); ok {
				out = append(out, anchor{int32(pos), lit, uint16(end - pos + 1)})
			}
		}
	}
	slices.SortFunc(out, compareAnchors)
	return out
}

// TestLiteralsAgainstExpressions: every match of a plain expression over the
// text is found at an anchor, and nothing else is.
func TestLiteralsAgainstExpressions(t *testing.T) {
	e := engine(t, stress()[:2])
	var s Scratch
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 3))
		data := text(r, 3000)
		got := map[[2]int]bool{}
		for _, v := range e.Whole(&s, data).All() {
			got[[2]int{v.Secret().Start, v.Secret().End}] = true
		}
		for _, c := range e.rules {
			x := c.anywhere.get()
			for _, loc := range x.re.FindAllSubmatchIndex(data, -1) {
				parts, _ := x.spans(loc, 0, 0)
				if !got[[2]int{parts[0].Start, parts[0].End}] {
					t.Fatalf("seed %d: %s at %v is not found in %q", seed, c.ID, loc, data)
				}
			}
		}
	}
}

// TestRefused: a rule that cannot be asked at anchors is refused.
func TestRefused(t *testing.T) {
	for name, r := range map[string]*scan.Rule{
		"no literal":     {ID: "r", Expr: `[a-z]{20}`},
		"short literal":  {ID: "r", Expr: `ab[a-z]{20}`},
		"no bound":       {ID: "r", Expr: `token[a-z]+`},
		"too wide":       {ID: "r", Expr: `token[a-z]{600}`},
		"does not parse": {ID: "r", Expr: `token(`},
		"no form":        {ID: "r"},
		"two forms":      {ID: "r", Expr: `token`, Run: &scan.Run{Min: 50, Max: 60}},
		"far partner":    {ID: "r", Expr: `token`, Partners: []scan.Partner{{Expr: `a`, Within: 5000}}},
	} {
		if _, err := New([]*scan.Rule{r}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := New(nil); err == nil {
		t.Error("no rules: accepted")
	}
}

func TestUTF16(t *testing.T) {
	e := engine(t, stress())
	var s Scratch
	plain := "x = 1\ntoken = abc123\nreturn 😀 token = zzz\n"
	want := e.Whole(&s, []byte(plain)).Verdicts()
	for _, big := range []bool{false, true} {
		for _, mark := range []bool{false, true} {
			data := utf16Bytes(plain, big, mark)
			got := e.Whole(&s, data).Verdicts()
			if decoded, name := Text(data); name != "utf-16" || string(decoded) != plain {
				t.Errorf("big %v mark %v: decoded %q", big, mark, decoded)
			}
			if len(want) == 0 || !reflect.DeepEqual(got, want) {
				t.Errorf("big %v mark %v: got %v want %v", big, mark, got, want)
			}
		}
	}
}

func utf16Bytes(s string, big, mark bool) []byte {
	var out []byte
	put := func(u rune) {
		if big {
			out = append(out, byte(u>>8), byte(u))
		} else {
			out = append(out, byte(u), byte(u>>8))
		}
	}
	if mark {
		put(0xFEFF)
	}
	for _, r := range s {
		if r >= 0x10000 {
			put(0xD800 + (r-0x10000)>>10)
			put(0xDC00 + (r-0x10000)&0x3FF)
		} else {
			put(r)
		}
	}
	return out
}
