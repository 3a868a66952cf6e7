package match

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"

	"github.com/keywright/keywright/scan"
)

// table holds the literals of rules, and where each rule has them. Parsing some
// hundred expressions takes longer than scanning a file: the built-in rules' table is
// made once and compiled in, and a test keeps it true.
type table struct {
	literals []sought // of all rules together
	rules    map[string]tableEntry
	scratch  []byte
}

type tableEntry struct {
	sum    uint32 // of what the literals were derived from
	width  int
	places []place
}

// Table derives the literals of rules and writes them down for NewWith: a line of
// byte classes, one for each literal of all rules together, and one for each rule
// that has literals.
func Table(rules []*scan.Rule) (string, error) {
	e, lits, err := compile(rules, nil)
	if err != nil {
		return "", err
	}
	var classes []class
	number := func(c *class) int {
		i := slices.Index(classes, *c)
		if i < 0 {
			i = len(classes)
			classes = append(classes, *c)
		}
		return i
	}
	var b strings.Builder
	for i := range lits.all {
		l := &lits.all[i]
		fmt.Fprintf(&b, "%c%s,%d,%d,%d\n", literalMark, quote(l.text), number(l.after[0]), number(l.after[1]), l.sampling())
	}
	for _, r := range e.rules {
		if len(r.places) == 0 {
			continue
		}
		sum, _ := sumOf(r.Rule, nil)
		fmt.Fprintf(&b, "%s,%d,%d", r.ID, sum, r.width)
		for _, p := range r.places {
			fmt.Fprintf(&b, ",%d,%d,%d", p.lit, p.minOff, p.maxOff)
		}
		b.WriteByte('\n')
	}
	var head strings.Builder
	for i, c := range classes {
		if i > 0 {
			head.WriteByte(' ')
		}
		fmt.Fprintf(&head, "%x,%x,%x,%x", c[0], c[1], c[2], c[3])
	}
	return head.String() + "\n" + b.String(), nil
}

// sumOf tells apart what rules' literals are derived from. It appends that to scratch,
// and returns this too.
func sumOf(r *scan.Rule, scratch []byte) (uint32, []byte) {
	scratch = append(scratch, r.Expr...)
	if r.Block != nil {
		for _, open := range r.Block.Open {
			scratch = append(append(scratch, open...), '\n')
		}
	}
	if r.Object != nil {
		scratch = append(scratch, r.Object.Gate...)
	}
	return crc32.ChecksumIEEE(scratch), scratch
}

// shortest is the length of the shortest literal, in bytes.
const shortest = 3

// literalMark begins the line of a literal: no rule's name does with it.
const literalMark = '='

var errTable = errors.New("malformed")

// parseTable reads what Table wrote.
func parseTable(text string) (*table, error) {
	t := &table{}
	if text == "" {
		return t, nil
	}
	head, body, _ := strings.Cut(text, "\n")
	var classes []*class
	for f := range strings.FieldsSeq(head) {
		var c class
		for i, w := range strings.SplitN(f, ",", len(c)) {
			var err error
			if c[i], err = strconv.ParseUint(w, 16, 64); err != nil {
				return nil, errTable
			}
		}
		classes = append(classes, &c)
	}
	lines := strings.Count(body, "\n")
	t.literals = make([]sought, 0, lines)
	for len(body) > 0 && body[0] == literalMark {
		r := tableLine{body[1:], true}
		var l sought
		l.text = r.text()
		after := [2]int{r.number(), r.number()}
		sample := r.number()
		if body = r.end(); !r.ok || max(after[0], after[1]) >= len(classes) || min(after[0], after[1]) < 0 || sample > len(l.text) || len(l.text) > maxLiteral || len(l.text) < shortest {
			return nil, errTable
		}
		l.sampled, l.sample = true, int8(sample)
		l.after = following{classes[after[0]], classes[after[1]]}
		t.literals = append(t.literals, l)
	}
	t.rules = make(map[string]tableEntry, lines-len(t.literals))
	places := make([]place, 0, strings.Count(body, ",")/3) // a number for each of the three, and more
	for len(body) > 0 {
		r := tableLine{body, true}
		id := r.text()
		e := tableEntry{sum: uint32(r.number()), width: r.number()}
		first := len(places)
		for r.more() {
			p := place{lit: int32(r.number()), minOff: int32(r.number()), maxOff: int32(r.number())}
			if !r.ok || p.lit < 0 || int(p.lit) >= len(t.literals) {
				return nil, errTable
			}
			p.size = int32(len(t.literals[p.lit].text))
			places = append(places, p)
		}
		if body = r.end(); !r.ok {
			return nil, errTable
		}
		e.places = places[first:len(places):len(places)]
		t.rules[id] = e
	}
	return t, nil
}

// tableLine reads the fields of a line, which commas separate. Anything else than
// what is asked for makes it not ok.
type tableLine struct {
	rest string
	ok   bool
}

// field is the next field; the comma behind it is read too.
func (r *tableLine) field() string {
	for i := range len(r.rest) {
		if c := r.rest[i]; c == ',' || c == '\n' {
			f := r.rest[:i]
			if r.rest = r.rest[i:]; c == ',' {
				r.rest = r.rest[1:]
			}
			return f
		}
	}
	r.ok = false
	return ""
}

// number is the next field as a number, -1 if it is "-1".
func (r *tableLine) number() (n int) {
	f := r.field()
	if f == "-1" {
		return -1
	}
	for i := range len(f) {
		d := f[i] - '0'
		r.ok = r.ok && d <= 9
		n = 10*n + int(d)
	}
	r.ok = r.ok && f != "" && len(f) <= 10
	return n
}

// text is the next field as quote wrote it.
func (r *tableLine) text() string {
	f := r.field()
	if f == "" || f[0] != hexMark {
		r.ok = r.ok && f != ""
		return f
	}
	raw, err := hex.DecodeString(f[1:])
	r.ok = r.ok && err == nil
	return string(raw)
}

// more reports whether the line has a further field.
func (r *tableLine) more() bool { return r.ok && r.rest != "" && r.rest[0] != '\n' }

// end is what stands behind the line.
func (r *tableLine) end() string {
	if r.ok = r.ok && r.rest != "" && r.rest[0] == '\n'; !r.ok {
		return ""
	}
	return r.rest[1:]
}

// quote writes a text such that it holds no separator, as itself if it can.
func quote(text string) string {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7F || c == ',' || c == hexMark {
			return string(hexMark) + hex.EncodeToString([]byte(text))
		}
	}
	return text
}

const hexMark = '%'

// entry is what the table holds of a rule; ok is false if it was made from something
// else.
func (t *table) entry(r *scan.Rule) (e tableEntry, ok bool) {
	if e, ok = t.rules[r.ID]; !ok {
		return e, false
	}
	var sum uint32
	sum, t.scratch = sumOf(r, t.scratch[:0])
	return e, sum == e.sum
}
