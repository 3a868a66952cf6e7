package scan

import (
	"math/rand/v2"
	"regexp/syntax"
	"strings"
)

// Gen makes random samples, the same ones for the same seed. It is for tests:
// no live-looking credential stands in the source tree.
type Gen struct{ r *rand.Rand }

// NewGen returns a generator for the seed.
func NewGen(seed uint64) *Gen { return &Gen{rand.New(rand.NewPCG(seed, 0x6b77))} }

// The alphabets that credentials are written in.
const (
	Digits    = "0123456789"
	LowerHex  = "0123456789abcdef"
	UpperHex  = "0123456789ABCDEF"
	LowerAZ   = "abcdefghijklmnopqrstuvwxyz"
	UpperAZ   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	Base62    = Digits + UpperAZ + LowerAZ
	Base58    = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	Base32    = UpperAZ + "234567"
	Base64Std = UpperAZ + LowerAZ + Digits + "+/"
	Base64URL = UpperAZ + LowerAZ + Digits + "-_"
)

// IntN returns a number in [0, n).
func (g *Gen) IntN(n int) int { return g.r.IntN(n) }

// String returns n bytes of the alphabet.
func (g *Gen) String(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[g.r.IntN(len(alphabet))]
	}
	return string(b)
}

// Hex returns n lower-case hexadecimal digits.
func (g *Gen) Hex(n int) string { return g.String(LowerHex, n) }

// Bytes returns n random bytes.
func (g *Gen) Bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(g.r.Uint32())
	}
	return b
}

// UUID returns a random (version 4) UUID in lower case.
func (g *Gen) UUID() string {
	h := []byte(g.Hex(32))
	h[12], h[16] = '4', "89ab"[g.IntN(4)]
	s := string(h)
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// Expr returns a text that the RE2 expression matches. It panics on an
// expression that does not parse: expressions are the program's own.
func (g *Gen) Expr(expr string) string {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		panic(err)
	}
	var b strings.Builder
	g.write(&b, re)
	return b.String()
}

func (g *Gen) write(b *strings.Builder, re *syntax.Regexp) {
	repeat := func(min, max int) {
		if max < 0 {
			max = min + 4
		}
		for range min + g.IntN(max-min+1) {
			g.write(b, re.Sub[0])
		}
	}
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		b.WriteRune(g.class(re.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte(' ')
	case syntax.OpCapture, syntax.OpConcat:
		for _, sub := range re.Sub {
			g.write(b, sub)
		}
	case syntax.OpAlternate:
		g.write(b, re.Sub[g.IntN(len(re.Sub))])
	case syntax.OpStar:
		repeat(0, -1)
	case syntax.OpPlus:
		repeat(1, -1)
	case syntax.OpQuest:
		repeat(0, 1)
	case syntax.OpRepeat:
		repeat(re.Min, re.Max)
	}
}

// class picks a printable ASCII rune of the class where it has one.
func (g *Gen) class(ranges []rune) rune {
	var printable []rune
	for i := 0; i < len(ranges); i += 2 {
		for r := max(ranges[i], ' '); r <= min(ranges[i+1], '~'); r++ {
			printable = append(printable, r)
		}
	}
	if len(printable) == 0 {
		return ranges[0]
	}
	return printable[g.IntN(len(printable))]
}
