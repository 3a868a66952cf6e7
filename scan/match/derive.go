package match

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// class is a set of bytes.
type class [4]uint64

func (c *class) add(b byte)      { c[b>>6] |= 1 << (b & 63) }
func (c *class) has(b byte) bool { return c[b>>6]>>(b&63)&1 != 0 }

// count is how many bytes a class has.
func (c *class) count() (n int) {
	for _, w := range c {
		n += bits.OnesCount64(w)
	}
	return n
}

func (c *class) union(d *class) {
	for i := range c {
		c[i] |= d[i]
	}
}
func (c *class) meets(d *class) bool {
	for i := range c {
		if c[i]&d[i] != 0 {
			return true
		}
	}
	return false
}

var anyByte = class{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}

// following is the bytes that can follow a literal, and those that can follow these.
type following [2]*class

var anything = following{&anyByte, &anyByte}

func (f following) equal(g following) bool { return *f[0] == *g[0] && *f[1] == *g[1] }

// or is what follows either of two literals.
func (f following) or(g following) following {
	for i := range f {
		if f[i] != g[i] && *f[i] != *g[i] {
			both := *f[i]
			both.union(g[i])
			f[i] = &both
		}
	}
	return f
}

// literal is a lower-case text that a match of an expression must contain, and
// where: it begins at least minOff and at most maxOff bytes after the match does.
type literal struct {
	sought
	minOff, maxOff int
	check          []step // of what follows
}

// sought is what is looked for of a literal.
type sought struct {
	text    string
	after   following
	sampled bool // sample is known
	sample  int8 // what sampling returns
}

// step is one item of the check that comes before the expression: at least min
// and at most max bytes of a class.
type step struct {
	class    class
	min, max int
}

// derived is what an expression's syntax tree says of all its matches.
type derived struct {
	literals []literal
	width    int    // of the longest match, in bytes
	need     step   // a run that every match holds: at least min bytes of class
	start    []step // the check of the bytes that a match begins with
}

// maxLiterals bounds the alternatives that one expression's literals may have.
const maxLiterals = 128

// derive reads an expression's syntax tree. It fails on an expression without a
// literal of at least three bytes, or wider than limit bytes.
func derive(expr string, limit int) (*derived, error) {
	re, err := parse(expr)
	if err != nil {
		return nil, err
	}
	items := flatten(re, nil)
	d := &derived{}
	for _, it := range items {
		if it.max < 0 {
			return nil, errors.New("expression has no bound: use {m,n} in place of * and +")
		}
		d.width += it.max
		if it.uniform && it.min > d.need.min {
			d.need = step{it.class, it.min, it.max}
		}
	}
	if d.width > limit {
		return nil, fmt.Errorf("expression can match %d bytes, more than %d", d.width, limit)
	}
	d.start = steps(items)
	best := bestLiterals(items)
	if len(best) == 0 {
		return nil, errors.New("expression has no literal of at least three bytes that every match contains")
	}
	for _, l := range best {
		if cut := l.cut(); !slices.ContainsFunc(d.literals, func(o literal) bool {
			return o.text == cut.text && o.minOff == cut.minOff && o.maxOff == cut.maxOff
		}) {
			d.literals = append(d.literals, cut)
		}
	}
	return d, nil
}

// maxLiteral is the length in bytes from which a literal is cut: longer ones are
// no rarer, and cost more around every seam.
const maxLiteral = 10

// cut returns the rarest part of a long literal.
func (l literal) cut() literal {
	if len(l.text) <= maxLiteral {
		return l
	}
	best, at := 0.0, 0
	for i := 0; i+maxLiteral <= len(l.text); i++ {
		if r := textRarity(l.text[i : i+maxLiteral]); r > best {
			best, at = r, i
		}
	}
	rest := l.text[at+maxLiteral:]
	l.text = l.text[at : at+maxLiteral]
	l.minOff += at
	l.maxOff += at
	if rest != "" {
		l.after = anything
		l.check = nil
	}
	return l
}

// parse reads an expression and keeps case folding within ASCII: K (U+212A) and
// ſ (U+017F), which RE2 folds to k and s, would escape the literals.
func parse(expr string) (*syntax.Regexp, error) {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("parse expression: %w", err)
	}
	return asciiFold(re), nil
}

func asciiFold(re *syntax.Regexp) *syntax.Regexp {
	for i, sub := range re.Sub {
		re.Sub[i] = asciiFold(sub)
	}
	switch {
	case re.Op == syntax.OpCharClass:
		re.Rune = withoutRune(withoutRune(re.Rune, '\u212a'), '\u017f')
	case re.Op == syntax.OpLiteral && re.Flags&syntax.FoldCase != 0:
		cat := &syntax.Regexp{Op: syntax.OpConcat, Flags: re.Flags}
		for _, r := range re.Rune {
			if l := unicode.ToLower(r); l == 'k' || l == 's' {
				cat.Sub = append(cat.Sub, &syntax.Regexp{Op: syntax.OpCharClass, Rune: []rune{l - 0x20, l - 0x20, l, l}})
			} else {
				cat.Sub = append(cat.Sub, &syntax.Regexp{Op: syntax.OpLiteral, Flags: re.Flags, Rune: []rune{r}})
			}
		}
		return cat
	}
	return re
}

// withoutRune takes odd out of a class that has the single range odd because of
// folding.
func withoutRune(ranges []rune, odd rune) []rune {
	for i := 0; i < len(ranges); i += 2 {
		if ranges[i] == odd && ranges[i+1] == odd {
			return slices.Delete(slices.Clone(ranges), i, i+2)
		}
	}
	return ranges
}

// item is one element of the concatenation that an expression is at its top
// level, with nested concatenations and groups opened up.
type item struct {
	min, max int      // width in bytes; max -1 if unbounded
	texts    []string // if the item matches these texts only, lower-case
	class    class    // the bytes it can begin with, or consist of if uniform
	uniform  bool     // a repetition of class, min to max bytes
	inner    []literal
}

func flatten(re *syntax.Regexp, items []item) []item {
	switch re.Op {
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			items = flatten(sub, items)
		}
		return items
	case syntax.OpCapture:
		return flatten(re.Sub[0], items)
	}
	return append(items, itemOf(re))
}

func itemOf(re *syntax.Regexp) item {
	switch re.Op {
	case syntax.OpLiteral:
		text := strings.ToLower(string(re.Rune))
		it := item{min: len(text), max: len(text), texts: []string{text}}
		addFirst(&it.class, re.Rune[0], re.Flags&syntax.FoldCase != 0)
		it.uniform = len(text) == 1
		return it
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return classItem(re)
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		return repeatItem(re)
	case syntax.OpAlternate:
		return alternateItem(re)
	case syntax.OpConcat, syntax.OpCapture:
		return concatItem(flatten(re, nil))
	}
	return item{texts: []string{""}} // assertions and the empty match
}

func addFirst(c *class, r rune, fold bool) {
	if r >= utf8.RuneSelf {
		for b := 0x80; b < 0x100; b++ {
			c.add(byte(b))
		}
		return
	}
	c.add(byte(r))
	if fold {
		for _, s := range []string{strings.ToLower(string(r)), strings.ToUpper(string(r))} {
			c.add(s[0])
		}
	}
}

func classItem(re *syntax.Regexp) item {
	if re.Op != syntax.OpCharClass {
		return item{min: 1, max: utf8.UTFMax, class: anyByte}
	}
	it := item{min: 1, max: 1, uniform: true}
	lower := map[byte]bool{}
	for i := 0; i < len(re.Rune); i += 2 {
		lo, hi := re.Rune[i], re.Rune[i+1]
		for r := lo; r <= hi && r < utf8.RuneSelf; r++ {
			it.class.add(byte(r))
			lower[toLower[byte(r)]] = true
		}
		if hi >= utf8.RuneSelf {
			addFirst(&it.class, utf8.RuneError, false)
			it.max, it.uniform = utf8.UTFMax, false
		}
	}
	if it.uniform && len(lower) <= 4 {
		for b := range lower {
			it.texts = append(it.texts, string(rune(b)))
		}
		slices.Sort(it.texts)
	}
	return it
}

func repeatItem(re *syntax.Regexp) item {
	lo, hi := re.Min, re.Max
	switch re.Op {
	case syntax.OpStar:
		lo, hi = 0, -1
	case syntax.OpPlus:
		lo, hi = 1, -1
	case syntax.OpQuest:
		lo, hi = 0, 1
	}
	sub := concatItem(flatten(re.Sub[0], nil))
	it := item{min: lo * sub.min, max: -1, class: sub.class}
	if hi >= 0 && sub.max >= 0 {
		it.max = hi * sub.max
	}
	it.uniform = sub.uniform && sub.min == 1 && sub.max == 1
	if lo >= 1 {
		it.inner = literalsOf(sub)
		if lo == hi && lo == 1 {
			it.texts = sub.texts
		}
	}
	if lo == 0 && hi == 1 && sub.texts != nil {
		it.texts = append([]string{""}, sub.texts...)
	}
	return it
}

func alternateItem(re *syntax.Regexp) item {
	it := item{min: 1 << 30, uniform: true}
	exact, every := true, true
	for _, branch := range re.Sub {
		sub := concatItem(flatten(branch, nil))
		it.min = min(it.min, sub.min)
		if sub.max < 0 || it.max < 0 {
			it.max = -1
		} else {
			it.max = max(it.max, sub.max)
		}
		it.class.union(&sub.class)
		it.uniform = it.uniform && sub.uniform && sub.min == 1 && sub.max == 1
		if exact = exact && sub.texts != nil && len(it.texts)+len(sub.texts) <= maxLiterals; exact {
			it.texts = append(it.texts, sub.texts...)
		}
		lits := literalsOf(sub)
		every = every && len(lits) > 0
		it.inner = append(it.inner, lits...)
	}
	if !exact {
		it.texts = nil
	}
	if !every {
		it.inner = nil
	}
	return it
}

// literalsOf are the literals that every match of the item contains.
func literalsOf(it item) []literal {
	if it.texts != nil {
		lits := make([]literal, 0, len(it.texts))
		for _, t := range it.texts {
			if len(t) < 3 {
				return it.inner
			}
			lits = append(lits, literal{sought: sought{text: t, after: anything}})
		}
		return lits
	}
	return it.inner
}

// concatItem folds a concatenation into one item.
func concatItem(items []item) item {
	if len(items) == 1 {
		return items[0]
	}
	out := item{texts: []string{""}}
	first := true
	for _, it := range items {
		out.min += it.min
		if it.max < 0 || out.max < 0 {
			out.max = -1
		} else {
			out.max += it.max
		}
		if first {
			out.class.union(&it.class)
			first = it.min == 0
		}
		out.texts = cross(out.texts, it.texts)
	}
	if first { // it can be empty: anything may follow
		out.class = anyByte
	}
	out.inner = bestLiterals(items)
	return out
}

// cross is every text of a followed by every text of b, nil if that is not
// known or too many.
func cross(a, b []string) []string {
	if a == nil || b == nil || len(a)*len(b) > maxLiterals {
		return nil
	}
	out := make([]string, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			out = append(out, x+y)
		}
	}
	return out
}

// bestLiterals picks, of all the sets of texts of which a match of the
// concatenation must contain one, the one that will be met least often.
func bestLiterals(items []item) []literal {
	var best []literal
	bestScore := 0.0
	offer := func(lits []literal, rest []item, inner bool) {
		if s := rarity(lits); s > bestScore {
			best, bestScore = followed(lits, rest, inner), s
		}
	}
	minOff, maxOff := 0, 0
	for i := 0; i < len(items) && maxOff >= 0; i++ {
		if i == 0 || len(items[i-1].texts) != 1 { // otherwise it is the end of a longer one
			texts := []string{""}
			for end := i; end < len(items); end++ {
				next := cross(texts, items[end].texts)
				if next == nil || len(next) > len(texts) && end > i {
					offer(textsAt(texts, minOff, maxOff), items[end:], false)
				}
				if texts = next; texts == nil {
					break
				}
			}
			if texts != nil {
				offer(textsAt(texts, minOff, maxOff), nil, false)
			}
		}
		if lits := items[i].inner; len(lits) > 0 {
			offer(offsetBy(lits, minOff, maxOff), items[i+1:], true)
		}
		minOff += items[i].min
		if items[i].max < 0 {
			break
		}
		maxOff += items[i].max
	}
	return best
}

func textsAt(texts []string, minOff, maxOff int) []literal {
	lits := make([]literal, len(texts))
	for i, t := range texts {
		lits[i] = literal{sought: sought{text: t}, minOff: minOff, maxOff: maxOff}
	}
	return lits
}

// offsetBy returns literals of an item at the item's own offset.
func offsetBy(lits []literal, minOff, maxOff int) []literal {
	lits = slices.Clone(lits)
	for i := range lits {
		lits[i].minOff += minOff
		lits[i].maxOff += maxOff
	}
	return lits
}

// followed returns the literals with what follows them. Of literals from inside an
// item only that is known which the item itself says.
func followed(lits []literal, rest []item, inner bool) []literal {
	if inner {
		return lits
	}
	check := steps(rest)
	after := followingOf(rest, check)
	for i := range lits {
		lits[i].after, lits[i].check = after, check
	}
	return lits
}

// firstBytes is the set of bytes that a match of the items can begin with; every
// byte if it can be empty.
func firstBytes(items []item) class {
	var c class
	for _, it := range items {
		c.union(&it.class)
		if it.min > 0 {
			return c
		}
	}
	return anyByte
}

// following is what can stand in the two bytes behind a literal.
func followingOf(rest []item, check []step) following {
	first := firstBytes(rest)
	after := following{&first, &anyByte}
	if len(check) > 0 && check[0].min >= 2 {
		after[1] = &check[0].class
	}
	return after
}

// steps turns the items that follow a literal into a check without
// backtracking. It stops where greed could go wrong, so that what it refuses the
// expression refuses too.
func steps(items []item) []step {
	var out []step
	for i, it := range items {
		if it.max == 0 {
			continue
		}
		if !it.uniform {
			if letters := it.spelt(); letters != nil {
				out = append(out, letters...)
				continue
			}
			if it.min > 0 {
				out = append(out, step{it.class, 1, 1})
			}
			return out
		}
		out = append(out, step{it.class, it.min, it.max})
		if it.min != it.max {
			rest := firstBytes(items[i+1:])
			if rest.meets(&it.class) {
				// the bytes beyond the minimum may belong to what follows
				out[len(out)-1].max = it.min
				return out
			}
		}
	}
	return out
}

// spelt is a step for each byte of the texts that an item is, in either case; nil if
// they are not of one length, or not ASCII.
func (it *item) spelt() []step {
	if len(it.texts) == 0 {
		return nil
	}
	out := make([]step, len(it.texts[0]))
	for _, t := range it.texts {
		if len(t) != len(out) {
			return nil
		}
		for i := range len(t) {
			if t[i] >= utf8.RuneSelf {
				return nil
			}
			out[i].min, out[i].max = 1, 1
			addFirst(&out[i].class, rune(t[i]), true)
		}
	}
	return out
}

// rarity is higher for sets of literals that will be met less often in text and
// code: long texts, few of them, rare bytes. It is zero where one is too short.
func rarity(lits []literal) float64 {
	if len(lits) == 0 {
		return 0
	}
	worst := math.Inf(1)
	for _, l := range lits {
		if len(l.text) < 3 {
			return 0
		}
		worst = min(worst, textRarity(l.text))
	}
	return worst - float64(len(lits))/32
}

// textRarity adds up how rare each byte and each pair is, in bits, of the first
// twelve bytes: beyond those a literal is rare enough.
func textRarity(s string) float64 {
	sum := 0.0
	for i := 0; i < len(s) && i < 12; i++ {
		sum += rarities[s[i]]
		if i > 0 {
			sum -= pairBits(s[i-1], s[i])
		}
	}
	return sum
}

// pairBits is how much more often, in bits, two bytes stand side by side than by
// chance.
func pairBits(a, b byte) float64 {
	if a >= 'a' && a <= 'z' && b >= 'a' && b <= 'z' && pairs[a-'a']>>(b-'a')&1 != 0 {
		return 2
	}
	return 0
}

// pairs are the most frequent pairs of letters of English and of source code.
var pairs = func() (t [26]uint32) {
	const frequent = "thheineranreonatenndtiesorteofedisitalarstonntngsehaasouioleveco" +
		"medehirorineearacelichllbemasiomurcaeltalansdifohopeecprnoctusacotil" +
		"trlyncetutsssorsunlowageieeewiemadolrtpowenaulnitsmoowpaimmiaishirsuid" +
		"osiaamficiviplevldrympblabtyopexkeoodospucbueirmttocfaefcuscgidacrclduqu" +
		"ueffbalsvaumppupluckptputuappaacpu"
	for i := 0; i+1 < len(frequent); i += 2 {
		t[frequent[i]-'a'] |= 1 << (frequent[i+1] - 'a')
	}
	return t
}()

// rarities are a coarse number of bits for each byte of source code, in lower
// case, and frequencies the same as shares.
var rarities, frequencies = func() (t, f [256]float64) {
	defer func() {
		for i := range t {
			f[i] = math.Exp2(-t[i])
		}
	}()
	for i := range t {
		b := byte(i)
		switch {
		case strings.IndexByte(" etaoinsr\n\t", b) >= 0:
			t[i] = 4
		case strings.IndexByte("lcdupmfgh_", b) >= 0:
			t[i] = 5
		case b >= 'a' && b <= 'z', strings.IndexByte("-.,()=;:\"'/0", b) >= 0:
			t[i] = 6.5
		default:
			t[i] = 9
		}
	}
	return t, f
}()
