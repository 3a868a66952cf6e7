package match

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"

	"github.com/keywright/keywright/scan"
)

// TestAutomaton compares with package regexp.
func TestAutomaton(t *testing.T) {
	exprs := []string{
		`\bab{2,4}\b`, `(?:^|[\s"'=])([0-9A-Za-z]{5})(?:[^0-9A-Za-z+/=_-]|$)`, `(?i:key|id)[_-]?(?i:[a-z]{0,6})[ :=]{1,3}"?(é|[ab]{3,9})"?(?:\W|$)`,
		`(?m:^a.{0,5}b$)`, `\B(?:aa|b{3})\B`, `[^a]{3}$`, `a(?s:.)b.c`, `"cipher\\?"\s{0,4}:`, `(?:a|ab)(?:c|bcd)(?:d*)`,
	}
	for _, expr := range exprs {
		re := regexp.MustCompile(expr)
		anchored := regexp.MustCompile(`\A(?:` + expr + `)`)
		made := 0
		everywhere, here := newAutomaton(re, &made), newAutomaton(anchored, &made)
		hits := 0
		for seed := range uint64(4000) {
			text := mixedText(seed, expr)
			if got, want := everywhere.matches(text, false), re.Match(text); got != want {
				t.Fatalf("%s: %q: %v", expr, text, got)
			} else if want {
				hits++
			}
			if got, want := here.matches(text, true), anchored.Match(text); got != want {
				t.Fatalf("%s, at the beginning: %q: %v", expr, text, got)
			}
		}
		if hits < 100 {
			t.Errorf("%s: %d hits", expr, hits)
		}
	}
}

// TestFirst: the first match is the one that package regexp finds, however often it
// is asked for.
func TestFirst(t *testing.T) {
	exprs := []string{
		`\bab{2,4}\b`, `(?:^|[\s"'=])([0-9A-Za-z]{5})(?:[^0-9A-Za-z+/=_-]|$)`, `(?i:key|id)[_-]?(?i:[a-z]{0,6})[ :=]{1,3}"?(é|[ab]{3,9})"?(?:\W|$)`,
		`[^a]{3}(b)?`, `(?:a|ab)(?:c|bcd)(?:d*)`,
	}
	for _, text := range exprs {
		e, err := New([]*scan.Rule{{ID: "x", Expr: "abcdef", Partners: []scan.Partner{{Role: "p", Expr: text, Within: 9}}}})
		if err != nil {
			t.Fatal(err)
		}
		p := &e.rules[0].partners[0]
		var hot automata
		hits := 0
		for seed := range uint64(4000) {
			b := mixedText(seed, text)
			got, want := p.first(&hot, b, 0), p.anywhere.get().re.FindSubmatchIndex(b)
			if !slices.Equal(got, want) {
				t.Fatalf("%s: %q: %v, want %v", text, b, got, want)
			}
			if want != nil {
				hits++
			}
		}
		if hits < 100 || !hot.knows(p.anywhere.get()) || !hot.knows(p.inside.get()) {
			t.Errorf("%s: %d hits", text, hits)
		}
	}
}

// mixedText is random, with what is not UTF-8, and with what the expression matches
// now and then.
func mixedText(seed uint64, expr string) (text []byte) {
	letters := []rune("aabbbc kKeyid=:\"'\n-_.dé\u212a字")
	r := rand.New(rand.NewPCG(seed, 4))
	for range r.IntN(40) {
		text = append(text, string(letters[r.IntN(len(letters))])...)
		switch r.IntN(60) {
		case 0:
			text = append(text, 0xC3)
		case 1:
			text = append(text, scan.NewGen(seed).Expr(expr)...)
		case 2:
			text = append(text, "\n"+scan.NewGen(seed).Expr(expr)+"\n"...)
		}
	}
	return text
}
