package match

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/keywright/keywright/scan"
)

// rule is a compiled scan.Rule. Its expressions are compiled when they are first
// needed; all methods may be called concurrently.
type rule struct {
	*scan.Rule
	index int

	width  int     // of the longest match of Expr
	places []place // of Expr's literals, the block's openings, or the gate

	fresh  *derived // of Expr; nil if a table has told the places
	once   sync.Once
	before *prefilter // what is asked before Expr, once it was needed
	forms
	partners []partner
}

// place is where a literal stands in the matches of an expression: it begins at least
// minOff and at most maxOff bytes after the match does.
type place struct {
	lit            int32 // its number among those of all rules
	size           int32
	minOff, maxOff int32
}

// forms are an expression's ways to be asked.
type forms struct {
	anywhere lazyExpr
	atStart  lazyExpr // matches at the first byte of what it is given
	inside   lazyExpr // the same after one character of context
}

func (f *forms) of(text string) {
	f.anywhere.text, f.atStart.text, f.inside.text = text, text, text
	f.atStart.before, f.inside.before = `\A`, `\A(?s:.)`
}

type expr struct {
	re     *regexp.Regexp
	groups []group
}

// group is a named group of an expression.
type group struct {
	role  string
	index int
}

type partner struct {
	scan.Partner
	forms
	once sync.Once
	need step // a run that every match holds, once it was needed
}

func (p *partner) needed() *step {
	p.once.Do(func() { p.need = needOf(p.Partner.Expr) })
	return &p.need
}

// compile makes a rule of what the table holds of it, or else derives its literals.
func (c *rule) compile(r *scan.Rule, index int, t *table, lits *literalSet) error {
	c.Rule, c.index = r, index
	forms := 0
	for _, set := range []bool{r.Expr != "", r.Block != nil, r.Run != nil, r.Object != nil, r.Path != nil} {
		if set {
			forms++
		}
	}
	if forms != 1 {
		return fmt.Errorf("rule %s: want exactly one of expression, block, run, object and path, have %d", r.ID, forms)
	}
	if err := c.checkBlock(); err != nil {
		return err
	}
	known, ok := t.entry(r)
	if ok {
		c.width, c.places = known.width, known.places
	} else if err := c.derive(lits); err != nil {
		return fmt.Errorf("rule %s: %w", r.ID, err)
	}
	c.forms.of(r.Expr)
	c.partners = make([]partner, len(r.Partners))
	for i, p := range r.Partners {
		if p.Within <= 0 || p.Within > scan.MaxReach {
			return fmt.Errorf("rule %s: partner %s: distance %d is not in 1..%d", r.ID, p.Role, p.Within, scan.MaxReach)
		}
		if !ok {
			if _, err := parse(p.Expr); err != nil {
				return fmt.Errorf("rule %s: partner %s: %w", r.ID, p.Role, err)
			}
		}
		c.partners[i].Partner = p
		c.partners[i].forms.of(p.Expr)
	}
	return nil
}

// derive finds the places of the rule's literals, and adds these to those of all
// rules.
func (c *rule) derive(lits *literalSet) error {
	add := func(l literal) {
		c.places = append(c.places, place{int32(lits.add(&l.sought)), int32(len(l.text)), int32(l.minOff), int32(l.maxOff)})
	}
	switch {
	case c.Expr != "":
		d, err := derive(c.Expr, scan.MaxReach)
		if err != nil {
			return err
		}
		c.width, c.fresh = d.width, d
		for _, l := range d.literals {
			add(l)
		}
	case c.Block != nil:
		for _, o := range c.Block.Open {
			add(literal{sought: sought{text: lower(o[:min(len(o), maxLiteral)]), after: anything}})
		}
	case c.Object != nil:
		add(literal{sought: sought{text: lower(c.Object.Gate), after: anything}}.cut())
	}
	return nil
}

func (c *rule) checkBlock() error {
	if c.Block == nil {
		return nil
	}
	if len(c.Block.Open) == 0 || len(c.Block.Open) != len(c.Block.Close) {
		return fmt.Errorf("rule %s: block has %d openings and %d closings", c.ID, len(c.Block.Open), len(c.Block.Close))
	}
	for _, o := range c.Block.Open {
		if len(o) > maxOpening {
			return fmt.Errorf("rule %s: block opening %q is longer than %d bytes", c.ID, o, maxOpening)
		}
	}
	if p := commonPrefix(c.Block.Open); len(p) < 8 {
		return fmt.Errorf("rule %s: block openings share %q, less than 8 bytes", c.ID, p)
	}
	return nil
}

// lazyExpr is an expression that is compiled when it is needed. It has been parsed
// before, so compiling it cannot fail.
type lazyExpr struct {
	before, text string // an assertion, and the expression that it stands before
	once         sync.Once
	compiled     *expr
}

func (l *lazyExpr) get() *expr {
	l.once.Do(l.compile)
	return l.compiled
}

func (l *lazyExpr) compile() {
	text := l.text
	if l.before != "" {
		text = l.before + "(?:" + text + ")"
	}
	re, err := parse(text)
	if err != nil {
		panic(err)
	}
	l.compiled = &expr{re: regexp.MustCompile(re.String())}
	for i, name := range l.compiled.re.SubexpNames() {
		if name != "" {
			l.compiled.groups = append(l.compiled.groups, group{name, i})
		}
	}
}

// back and ahead bound the bytes before and after the first byte of a literal
// that decide whether the expression matches there.
func (c *rule) back(p *place) int  { return int(p.maxOff) + 1 }
func (c *rule) ahead(p *place) int { return c.width - int(p.minOff) + 1 }

// needOf is the longest run that every match of an expression holds.
func needOf(expr string) (need step) {
	re, err := parse(expr)
	if err != nil {
		return need
	}
	for _, it := range flatten(re, nil) {
		if it.uniform && it.min > need.min && it.min >= minNeed {
			need = step{it.class, it.min, it.max}
		}
	}
	return need
}

// prefilter makes what is asked before the expression: most is never needed.
func (c *rule) prefilter() *prefilter {
	c.once.Do(func() { c.before = newPrefilter(c.Expr, c.fresh, len(c.places)) })
	return c.before
}

// prefilter is what is asked before an expression, because it is faster.
type prefilter struct {
	checks [][]step // of the bytes that follow each literal
	start  []step   // of the bytes that a match begins with
	need   step     // a run that must lie somewhere near
}

// minNeed is the length from which a run is rare enough to look for.
const minNeed = 8

// newPrefilter derives what a table does not hold, if it was not derived just now.
func newPrefilter(expr string, d *derived, places int) *prefilter {
	p := &prefilter{checks: make([][]step, places)}
	if d == nil {
		var err error
		if d, err = derive(expr, scan.MaxReach); err != nil || len(d.literals) != places {
			return p
		}
	}
	for i := range p.checks {
		p.checks[i] = d.literals[i].check
	}
	p.start = d.start
	if d.need.min >= minNeed {
		p.need = d.need
	}
	return p
}

// holds reports whether data holds a run of at least the step's minimum. It looks
// at one byte in so many.
func (s *step) holds(data []byte) bool {
	for start, at := 0, s.min-1; at < len(data); at = start + s.min - 1 {
		i := at
		for i >= start && s.class.has(data[i]) {
			i--
		}
		if i < start {
			return true
		}
		start = i + 1
	}
	return s.min == 0
}

// may runs a check on the bytes from i: false only if the expression cannot match
// with its literal before them.
func may(data []byte, i int, check []step) bool {
	for k := range check {
		s := &check[k]
		n := 0
		for n < s.max && i < len(data) && s.class.has(data[i]) {
			n++
			i++
		}
		if n < s.min {
			return false
		}
	}
	return true
}

// matchAt is the match of the expression that holds its n-th literal at pos, as
// offsets of groups; nil if there is none.
func (c *rule) matchAt(hot *automata, data []byte, pos, n int) ([]scan.Span, scan.Span) {
	p, before := &c.places[n], c.prefilter()
	size, minOff, maxOff := int(p.size), int(p.minOff), int(p.maxOff)
	if !may(data, pos+size, before.checks[n]) {
		return nil, scan.Span{}
	}
	end := min(len(data), pos-minOff+c.width+1)
	if !before.need.holds(data[max(0, pos-maxOff):end]) {
		return nil, scan.Span{}
	}
	if minOff == maxOff {
		start := pos - minOff
		if start < 0 {
			return nil, scan.Span{}
		}
		e, from := c.atStart.get(), 0
		if start > 0 {
			e, from = c.inside.get(), start-1
		}
		loc := hot.at(e, data[from:end])
		if loc == nil {
			return nil, scan.Span{}
		}
		return e.spans(loc, from, start-from)
	}
	from := max(0, pos-maxOff-1)
	first := from // where a match can begin
	for ; !may(data, first, before.start); first++ {
		if first >= pos {
			return nil, scan.Span{}
		}
	}
	from = max(from, first-1)
	text := data[from:end]
	for at, try := 0, 0; try < maxTries; try++ {
		loc := c.first(hot, text, at)
		if loc == nil || from+loc[0] > pos {
			break
		}
		if from+loc[1] >= pos+size && (loc[0] > 0 || from == 0) {
			return c.anywhere.get().spans(loc, from, 0)
		}
		at = loc[1]
	}
	return nil, scan.Span{}
}

// maxTries bounds the matches looked at around a literal without a fixed place.
const maxTries = 16

// spans turns a submatch index, relative to base, into parts with the secret
// first, and the whole match without its first skip bytes.
func (e *expr) spans(loc []int, base, skip int) ([]scan.Span, scan.Span) {
	whole := scan.Span{Role: scan.RoleSecret, Start: base + loc[0] + skip, End: base + loc[1]}
	parts := make([]scan.Span, 0, len(e.groups)+1)
	for _, g := range e.groups {
		s, t := loc[2*g.index], loc[2*g.index+1]
		if s < 0 || s == t {
			continue
		}
		span := scan.Span{Role: g.role, Start: base + s, End: base + t}
		if at := slices.IndexFunc(parts, func(p scan.Span) bool { return p.Role == g.role }); at >= 0 {
			continue
		}
		if g.role == scan.RoleSecret {
			parts = slices.Insert(parts, 0, span)
		} else {
			parts = append(parts, span)
		}
	}
	if len(parts) == 0 || parts[0].Role != scan.RoleSecret {
		parts = slices.Insert(parts, 0, whole)
	}
	return parts, whole
}

// partnerStages are the distances within which a partner is looked for, one
// after the other: nearly all stand close by, and text dense with candidates
// would cost the whole reach each time.
var partnerStages = [...]int{64, scan.MaxReach}

// near finds the partner nearest to whole, and how far on each side it looked.
func (p *partner) near(hot *automata, data []byte, whole scan.Span) (span scan.Span, looked int, ok bool) {
	for _, within := range partnerStages {
		within = min(within, p.Within)
		if span, ok = p.within(hot, data, whole, within); ok || within == p.Within {
			return span, within + 1, ok
		}
	}
	return scan.Span{}, 0, false
}

func (p *partner) within(hot *automata, data []byte, whole scan.Span, within int) (best scan.Span, ok bool) {
	from, to := max(0, whole.Start-within-1), min(len(data), whole.End+within+1)
	if need := p.needed(); !need.holds(data[from:to]) {
		return best, false
	}
	nearest := within + 1
	for at := from; at < to; {
		loc := p.first(hot, data[at:to], 0)
		if loc == nil {
			break
		}
		start, end := at+loc[0], at+loc[1]
		cut := start == from && from > 0 || end == to && to < len(data)
		if len(loc) >= 4 && loc[2] >= 0 {
			start, end = at+loc[2], at+loc[3]
		}
		at += max(loc[1], 1)
		if cut || start < whole.End && end > whole.Start {
			continue
		}
		distance := start - whole.End
		if end <= whole.Start {
			distance = whole.Start - end
		}
		if distance <= nearest {
			best, nearest, ok = scan.Span{Role: p.Role, Start: start, End: end}, distance, true
		}
		if start >= whole.End {
			break // what comes later is further away
		}
	}
	return best, ok
}

// first is the first match in a text from a place on, which is a character's, as
// offsets of groups; nil if there is none. Package regexp looks at a text from each of
// its bytes: what is asked for often asks an automaton first where it is worth while.
func (f *forms) first(hot *automata, text []byte, at int) []int {
	if at > 0 || hot.knows(f.anywhere.get()) {
		return f.firstByPlace(hot, text, at)
	}
	e := f.anywhere.get()
	if !hot.may(e, text, false) {
		return nil
	}
	return e.re.FindSubmatchIndex(text)
}

func (f *forms) firstByPlace(hot *automata, text []byte, at int) []int {
	if at == 0 && !hot.may(f.anywhere.get(), text, false) {
		return nil
	}
	for at < len(text) {
		e, from := &f.atStart, 0
		if at > 0 {
			e, from = &f.inside, at-1
		}
		if loc := hot.at(e.get(), text[from:]); loc != nil {
			for i := range loc {
				if loc[i] >= 0 { // a group may have no part in it
					loc[i] += from
				}
			}
			loc[0] = at
			return loc
		}
		_, size := utf8.DecodeRune(text[at:])
		at += size
	}
	return nil
}

// blockAt is the block that opens with the i-th opening at pos. The answer
// depends on the bytes up to seen, which is beyond the object if more bytes at
// its end could close the block.
func (c *rule) blockAt(data []byte, pos, i int) (end, seen int, ok bool) {
	body := pos + len(c.Block.Open[i])
	limit := min(len(data), pos+scan.MaxBlock)
	if body > limit {
		return 0, limit + 1, false
	}
	next, found := c.nextOpening(data[body:limit])
	close := []byte(c.Block.Close[i])
	if n := bytes.Index(data[body:body+next], close); n >= 0 {
		end = body + n + len(close)
		return end, end, true
	}
	seen = body + next
	if !found {
		seen++
	}
	return 0, seen, false
}

// nextOpening is the end of the first opening in data, or len(data). It looks for what the openings have in common first, so that many
// openings do not cost a search each.
func (c *rule) nextOpening(data []byte) (end int, found bool) {
	prefix := []byte(commonPrefix(c.Block.Open))
	for at := 0; ; {
		n := bytes.Index(data[at:], prefix)
		if n < 0 {
			return len(data), false
		}
		at += n
		for _, o := range c.Block.Open {
			if bytes.HasPrefix(data[at:], []byte(o)) {
				return at + len(o), true
			}
		}
		at++
	}
}

func commonPrefix(texts []string) string {
	prefix := texts[0]
	for _, t := range texts[1:] {
		for !strings.HasPrefix(t, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
	}
	return prefix
}
