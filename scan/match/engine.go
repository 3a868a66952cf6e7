// Package match finds secrets in bytes: anchors from literals and runs, and a
// verdict of each rule at each anchor.
//
// A verdict depends only on a bounded interval of bytes around its anchor, which
// it names. "An object scanned whole" means the judging function at every anchor;
// Delta gives exactly that for an object known as copies of another, by carrying
// what lies inside one copy and judging the rest again. The package does no I/O,
// reads no clock, and knows no paths.
package match

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"math"
	"slices"
	"sync"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/held"
)

// Engine is a set of rules made ready. It is immutable and safe for concurrent
// use; what a goroutine needs for itself is in a Scratch.
type Engine struct {
	rules    []*rule
	literals *literals
	uses     [][]use // by literal
	reach    []reach // by literal, then by prober
	probers  []*prober
	runs     *runs
	gates    []bool // by literal and prober: whether a parser waits for it
	digest   func() string
	held     *heldKeys // nil if none are looked for
}

// use says that a rule is asked where a literal stands.
type use struct {
	rule *rule
	n    int // which literal of an expression, or opening of a block
}

// reach bounds the bytes before and from an anchor that decide whether any rule
// looks further.
type reach struct{ back, ahead int }

// anchor is where rules are asked: a literal's occurrence, or a run's beginning.
type anchor struct {
	pos  int32
	lit  uint16 // index into uses, or len(uses)+index into probers, or the next for held keys
	size uint16 // of a run: the bytes from pos that bound it, one beyond its end
}

// version changes whenever the engine would answer differently for the same
// rules, so that caches notice.
const version = "1"

// New compiles the rules. It refuses a rule that has neither literal nor run, or
// no bound, and two rules with one id.
func New(rules []*scan.Rule) (*Engine, error) { return NewWith(rules, "") }

// NewWith is New with a table that Table made, which spares deriving literals from
// the expressions of the rules that it holds. What it does not hold, or holds of
// another expression, is derived.
func NewWith(rules []*scan.Rule, text string) (*Engine, error) {
	t, err := parseTable(text)
	if err != nil {
		return nil, fmt.Errorf("read table of literals: %w", err)
	}
	e, lits, err := compile(rules, t)
	if err != nil {
		return nil, err
	}
	e.index(lits.all)
	return e, nil
}

// compile makes an engine that lacks its indexes, and the literals of all its rules.
func compile(rules []*scan.Rule, t *table) (*Engine, *literalSet, error) {
	if len(rules) == 0 {
		return nil, nil, errors.New("no rules: a scan without rules would call everything clean")
	}
	if t == nil {
		t = &table{}
	}
	e := &Engine{rules: make([]*rule, len(rules)), digest: sync.OnceValue(func() string { return digest(rules) })}
	lits := &literalSet{all: t.literals}
	seen := make(map[string]bool, len(rules))
	compiled := make([]rule, len(rules))
	for i, r := range rules {
		if seen[r.ID] {
			return nil, nil, fmt.Errorf("two rules have the id %s", r.ID)
		}
		seen[r.ID] = true
		e.rules[i] = &compiled[i]
		if err := e.rules[i].compile(r, i, t, lits); err != nil {
			return nil, nil, err
		}
	}
	return e, lits, nil
}

// digest names what of the rules decides their verdicts. Checks are code: they
// change with the engine's version and the program's own.
func digest(rules []*scan.Rule) string {
	d := digester{sum: sha256.New()}
	d.text(version)
	for _, r := range rules {
		d.text(r.ID)
		d.text(r.Expr)
		d.number(uint64(r.Confidence))
		d.flag(r.NeedsProof)
		d.flag(r.Generic)
		d.number(math.Float64bits(r.MinEntropy))
		d.number(uint64(len(r.Partners)))
		for _, p := range r.Partners {
			d.text(p.Role)
			d.text(p.Expr)
			d.number(uint64(p.Within))
			d.flag(p.Required)
		}
		if d.flag(r.Block != nil); r.Block != nil {
			d.texts(r.Block.Open)
			d.texts(r.Block.Close)
		}
		if d.flag(r.Run != nil); r.Run != nil {
			d.number(uint64(r.Run.Alphabet))
			d.number(uint64(r.Run.Min))
			d.number(uint64(r.Run.Max))
			d.text(r.Run.First)
		}
		if d.flag(r.Object != nil); r.Object != nil {
			d.text(r.Object.Gate)
		}
	}
	d.flush()
	return hex.EncodeToString(d.sum.Sum(nil))
}

// digester writes values one after the other such that different ones give
// different bytes.
type digester struct {
	sum    hash.Hash
	buffer []byte
}

func (d *digester) flush() {
	d.sum.Write(d.buffer)
	d.buffer = d.buffer[:0]
}

func (d *digester) number(n uint64) { d.buffer = binary.AppendUvarint(d.buffer, n) }

func (d *digester) text(s string) {
	d.number(uint64(len(s)))
	d.buffer = append(d.buffer, s...)
	if len(d.buffer) >= 4<<10 {
		d.flush()
	}
}

func (d *digester) texts(all []string) {
	d.number(uint64(len(all)))
	for _, s := range all {
		d.text(s)
	}
}

func (d *digester) flag(set bool) {
	if set {
		d.number(1)
	} else {
		d.number(0)
	}
}

// Rules returns the rules by their ids.
func (e *Engine) Rules() map[string]*scan.Rule {
	m := make(map[string]*scan.Rule, len(e.rules))
	for _, c := range e.rules {
		m[c.ID] = c.Rule
	}
	if e.held != nil {
		m[e.held.rule.ID] = e.held.rule
	}
	return m
}

// Digest names the rules and the engine: two engines with one digest, in one
// version of the program, give the same verdicts.
func (e *Engine) Digest() string {
	if e.held != nil {
		return e.digest() + "-" + e.held.set.Name()
	}
	return e.digest()
}

// maxOpening bounds a block's opening, in bytes.
const maxOpening = 64

// index finds what of the rules is asked where: the literals, and the probers of their runs.
func (e *Engine) index(lits []sought) {
	e.ask(len(lits))
	e.literals = newLiterals(lits, func(i int) bool { return len(e.uses[i]) > 0 })
	for _, c := range e.rules {
		if c.Run != nil {
			e.addRun(c)
		}
	}
	e.runs = newRuns(e.probers, len(e.uses))
	e.gates = make([]bool, len(e.uses)+len(e.probers)+1)
	for i, uses := range e.uses {
		e.gates[i] = slices.ContainsFunc(uses, func(u use) bool { return u.rule.Object != nil })
	}
	for _, p := range e.probers {
		back := 1
		if p.alphabet == scan.Words {
			back = wordMargin
		}
		e.reach = append(e.reach, reach{back: back})
	}
}

// ask says which rules are asked where each of so many literals stands.
func (e *Engine) ask(literals int) {
	counts, sum := make([]int, literals), 0
	for _, c := range e.rules {
		for _, p := range c.places {
			counts[p.lit]++
		}
		sum += len(c.places)
	}
	e.uses, e.reach = make([][]use, literals), make([]reach, literals)
	room := make([]use, sum)
	for i, n := range counts {
		e.uses[i], room = room[:0:n], room[n:]
	}
	for _, c := range e.rules {
		for n := range c.places {
			p := &c.places[n]
			e.uses[p.lit] = append(e.uses[p.lit], use{c, n})
			r := &e.reach[p.lit]
			if c.Expr != "" {
				r.back = max(r.back, c.back(p))
				r.ahead = max(r.ahead, c.ahead(p))
			} else {
				r.ahead = max(r.ahead, maxOpening)
			}
		}
	}
}

// literalSet holds the literals of all rules: one of each text.
type literalSet struct {
	all    []sought
	number map[string]int // by text; nil until it is needed
}

// add returns the number of a literal, which is new if there is none of its text.
func (s *literalSet) add(l *sought) int {
	if s.number == nil {
		s.number = make(map[string]int, len(s.all))
		for i := range s.all {
			s.number[s.all[i].text] = i
		}
	}
	i, ok := s.number[l.text]
	if !ok {
		i = len(s.all)
		s.number[l.text] = i
		s.all = append(s.all, *l)
	} else if known := &s.all[i]; !known.after.equal(l.after) {
		known.after = known.after.or(l.after)
		known.sampled = false
	}
	return i
}

func lower(s string) string {
	b := []byte(s)
	for i := range b {
		b[i] = toLower[b[i]]
	}
	return string(b)
}

func (e *Engine) addRun(c *rule) {
	r := c.Run
	lo, hi := r.Min, r.Max
	if r.Alphabet == scan.Words {
		lo = r.Min*minWord + r.Min - 1
	}
	i := slices.IndexFunc(e.probers, func(p *prober) bool { return p.alphabet == r.Alphabet })
	if i < 0 {
		i = len(e.probers)
		p := &prober{alphabet: r.Alphabet, min: math.MaxInt, minWords: r.Min, word: r.Word}
		switch r.Alphabet {
		case scan.Alnum:
			p.class = alnumClass
		case scan.Base64:
			p.class = base64Class
		case scan.Ints:
			p.class = intsClass
		case scan.Words:
			p.class = wordsClass
		}
		e.probers = append(e.probers, p)
	}
	p := e.probers[i]
	p.min, p.max, p.minWords = min(p.min, lo), max(p.max, hi), min(p.minWords, r.Min)
	p.rules = append(p.rules, c.index)
}

// find appends the anchors that share a byte, or a run's boundary, with
// [from, to).
func (e *Engine) find(data []byte, from, to int, out []anchor) []anchor {
	out = e.literals.find(data, from, to, out)
	out = e.runs.find(data, from, to, out)
	if e.held != nil {
		out = e.held.find(data, from, to, out)
	}
	return out
}

// extent is how many bytes before and from its position an anchor itself
// consists of: if they lie in one copy, the anchor stands in the base too. A run
// includes the bytes that bound it.
func (e *Engine) extent(a anchor) (before, after int) {
	switch {
	case int(a.lit) < len(e.uses):
		return 0, e.literals.extents[a.lit].size
	case e.isHeld(a):
		return 0, held.Window
	}
	return e.reach[a.lit].back, int(a.size)
}

// depends is how many bytes before and from its position decide whether any rule
// looks further at an anchor.
func (e *Engine) depends(a anchor) (before, after int) {
	switch {
	case int(a.lit) < len(e.uses):
		return e.reach[a.lit].back, max(e.reach[a.lit].ahead, e.literals.extents[a.lit].size)
	case e.isHeld(a):
		return e.held.set.Reach()
	}
	return e.extent(a)
}
