package match

import (
	"bytes"
	"regexp"
	"slices"
	"testing"

	"github.com/keywright/keywright/scan"
)

// TestStraight compares with package regexp, groups included.
func TestStraight(t *testing.T) {
	exprs := []string{
		`(?:^|[\s"'=])([0-9A-Za-z]{1,5})(?:[^0-9A-Za-z+/=_-]|$)`, `(?i:key|id)([_-])?(?i:[a-z]{0,6})[ :=]{1,3}"?(é|[ab]{3,9})"?(?:\W|$)`,
		`(a|ab)(c|bcd)?(d*)`, `(?m:a(.{0,5}?)b$)`, `a(?s:(.))?\Bb`, `[^a]{3}$`, `(?:(k)|(?:d)){1,4}`,
	}
	for _, expr := range exprs {
		for n, context := range []string{`\A`, `\A(?s:.)`} {
			re := regexp.MustCompile(context + `(?:` + expr + `)`)
			made := 0
			s := newStraight(newAutomaton(re, &made).prog, re.NumSubexp())
			hits, failed := 0, 0
			for seed := range uint64(4000) {
				text := mixedText(seed, expr)
				if seed%2 == 0 {
					text = append([]byte("k"[:n]+scan.NewGen(seed).Expr(expr)), text...)
				}
				got, ok := s.match(text)
				if !ok {
					failed++
					continue
				}
				want := re.FindSubmatchIndex(text)
				if !slices.Equal(got, want) {
					t.Fatalf("%s: %q: %v, want %v", expr, text, got, want)
				}
				if want != nil {
					hits++
				}
			}
			if hits < 50 || failed > 1000 {
				t.Errorf("%s: %d hits, gave up %d times", expr, hits, failed)
			}
		}
	}
}

// TestStraightGivesUp: what would take for ever does not.
func TestStraightGivesUp(t *testing.T) {
	for _, expr := range []string{`\A(?:a|aa)*b`, `\A(a*)*b`} {
		re, made := regexp.MustCompile(expr), 0
		s := newStraight(newAutomaton(re, &made).prog, re.NumSubexp())
		if groups, ok := s.match(bytes.Repeat([]byte("a"), 500)); ok {
			t.Errorf("%s: it found %v", expr, groups)
		}
	}
}
