package match

import (
	"regexp"
	"testing"

	"github.com/keywright/keywright/scan"
)

// FuzzDerive: whatever an expression matches is no wider than derived, holds the
// run that every match needs, and one of the literals where it may stand, followed
// by bytes that may follow it.
func FuzzDerive(f *testing.F) {
	for _, s := range []struct{ expr, text string }{
		{`tok_[a-z]{2,4}\b`, "a tok_abcd, TOK_ab tok_ab"},
		{`(?i)(?:api|access)[_-]?key["']? ?[:=] ?["']?(?P<secret>[0-9a-f]{8})`, `API-KEY = "0123abcd" accesskey:89abcdef0`},
		{`(?:abc|abd|bcde){1,3}x?(?P<secret>[A-Z]{3,5})`, "abcabdABC bcdexABCDEF abcabcabcABC"},
		{`^key(?:s)?: (?s:.{4})$`, "key: abcd"},
		{`(?m)^\s{0,3}key:[ \t]{1,4}([^\s#]{5,9})$`, "x\n  key:  secret\nkey: k\u017fey\u212a"},
		{`[Kk]ey[Ss]tore(?:a{0,2}|[^a]{3})end`, "keystoreaend KeyStore\u00e9xend keyStoreend"},
		{`(?i)keyſ[A-Z]`, "KEYSA keysb ke\u017fc \u212aeysd"},
		{`(a|b)(c|d)(e|f)(g|h)`, "aceg bdfh adeh"},
		{`éèê[à-ü]{2}`, "éèêàü ÉÈÊàü"},
		{`\bAK(?:IA|SI)[A-Z2-7]{4}\b`, "AKIAABCD,AKSI2345 xAKIAABCD"},
		{`(?:foo(?:bar){0,2}|baz[0-9])qux`, "foobarbarqux baz1qux fooqux"},
	} {
		f.Add(s.expr, s.text)
	}
	f.Fuzz(func(t *testing.T, expr, text string) {
		if len(expr) > 200 || len(text) > 2000 {
			return
		}
		d, err := derive(expr, scan.MaxReach)
		if err != nil {
			return
		}
		tree, err := parse(expr)
		if err != nil {
			t.Fatalf("derived, and does not parse: %v", err)
		}
		re, err := regexp.Compile(tree.String())
		if err != nil {
			t.Skip() // too large for the compiler
		}
		for _, loc := range re.FindAllStringIndex(text, -1) {
			if n := loc[1] - loc[0]; n > d.width {
				t.Fatalf("%q matches %q: %d bytes, more than %d", expr, text[loc[0]:loc[1]], n, d.width)
			}
			if !d.need.holds([]byte(text[loc[0]:loc[1]])) {
				t.Fatalf("%q matches %q, which lacks a run of %d", expr, text[loc[0]:loc[1]], d.need.min)
			}
			if !d.stands([]byte(text), loc[0], loc[1]) {
				t.Fatalf("%q matches %q in %q, where none of its literals stands: %+v", expr, text[loc[0]:loc[1]], text, d.literals)
			}
		}
	})
}

// stands reports whether the match [from, to) of a text holds one of the literals,
// and what may follow it.
func (d *derived) stands(text []byte, from, to int) bool {
	for i := range d.literals {
		l := &d.literals[i]
	places:
		for at := from + l.minOff; at <= from+l.maxOff && at+len(l.text) <= to; at++ {
			end := at + len(l.text)
			if lower(string(text[at:end])) != l.text || !may(text, end, l.check) {
				continue
			}
			for k := range l.after {
				if end+k < len(text) && !l.after[k].has(text[end+k]) {
					continue places
				}
			}
			return true
		}
	}
	return false
}
