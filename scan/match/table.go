package match

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"github.com/keywright/keywright/scan"
)

// table holds what was derived from expressions, by rule. Parsing some hundred
// expressions takes longer than scanning a file: the built-in rules' table is
// made once and compiled in, and a test keeps it true.
type table struct {
	rules   map[string]tableEntry
	sampled []literalSample // by the numbers of literals, if the rules are the same
}

type tableEntry struct {
	sum     uint32 // of the expression
	derived *derived
}

// literalSample is where the grams are of a literal that these bytes may follow.
type literalSample struct {
	text   string
	after  following
	offset int
}

// Table derives the literals of rules and writes them down for NewWith: a line of
// byte classes, a line for each rule with an expression and its literals, and one for
// each text of a literal of all rules together: where its grams are.
func Table(rules []*scan.Rule) (string, error) {
	e, err := New(rules)
	if err != nil {
		return "", err
	}
	var classes []class
	number := func(c class) int {
		i := slices.Index(classes, c)
		if i < 0 {
			i = len(classes)
			classes = append(classes, c)
		}
		return i
	}
	var b strings.Builder
	for _, r := range e.rules {
		if r.Expr == "" {
			continue
		}
		fmt.Fprintf(&b, "%s %x %d", r.ID, sumOf(r.Expr), r.width)
		for _, l := range r.literals {
			fmt.Fprintf(&b, " %s,%d,%d,%d,%d", quote(l.text), number(*l.after[0]), number(*l.after[1]), l.minOff, l.maxOff)
		}
		b.WriteByte('\n')
	}
	e.probers = nil
	for _, l := range e.merge() {
		fmt.Fprintf(&b, "%s%s,%d,%d,%d\n", sampled, quote(l.text), number(*l.after[0]), number(*l.after[1]), l.sampling())
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

func sumOf(expr string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(expr))
	return h.Sum32()
}

// sampled begins the lines of literals of all rules: it is no rule's name.
const sampled = "="

var errTable = errors.New("malformed")

// parseTable reads what Table wrote; nil if there is nothing.
func parseTable(text string) (*table, error) {
	if text == "" {
		return nil, nil
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
	lines, literals := strings.Count(body, "\n"), strings.Count(body, "\n"+sampled)
	t := &table{make(map[string]tableEntry, lines-literals), make([]literalSample, 0, literals)}
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(line, "\n")
		add := t.addRule
		if strings.HasPrefix(line, sampled) {
			add = t.addSample
		}
		if !add(line, classes) {
			return nil, errTable
		}
	}
	return t, nil
}

func (t *table) addSample(line string, classes []*class) bool {
	var l literal
	n, ok := l.parse(line[len(sampled):], classes, 1)
	t.sampled = append(t.sampled, literalSample{l.text, l.after, n[0]})
	return ok && n[0] >= -1 && n[0] <= len(l.text)
}

func (t *table) addRule(line string, classes []*class) bool {
	id, rest, _ := strings.Cut(line, " ")
	digits, rest, _ := strings.Cut(rest, " ")
	sum, err := strconv.ParseUint(digits, 16, 32)
	if err != nil {
		return false
	}
	digits, rest, _ = strings.Cut(rest, " ")
	width, err := strconv.Atoi(digits)
	if err != nil || rest == "" {
		return false
	}
	d := &derived{width: width, literals: make([]literal, 0, strings.Count(rest, " ")+1)}
	for text := range strings.SplitSeq(rest, " ") {
		var l literal
		n, ok := l.parse(text, classes, 2)
		if !ok {
			return false
		}
		l.minOff, l.maxOff = n[0], n[1]
		d.literals = append(d.literals, l)
	}
	t.rules[id] = tableEntry{uint32(sum), d}
	return true
}

// parse reads a literal's text, the numbers of its two classes, and some numbers more.
func (l *literal) parse(s string, classes []*class, more int) (n [2]int, ok bool) {
	text, rest, _ := strings.Cut(s, ",")
	text, ok = unquote(text)
	if !ok {
		return n, false
	}
	var all [4]int
	for i := range 2 + more {
		var one string
		one, rest, _ = strings.Cut(rest, ",")
		var err error
		if all[i], err = strconv.Atoi(one); err != nil || i < 2 && (all[i] < 0 || all[i] >= len(classes)) {
			return n, false
		}
	}
	l.text, l.after = text, following{classes[all[0]], classes[all[1]]}
	return [2]int(all[2:]), true
}

// quote writes a text such that it holds neither separator, as itself if it can.
func quote(text string) string {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7F || c == ',' || c == hexMark {
			return string(hexMark) + hex.EncodeToString([]byte(text))
		}
	}
	return text
}

const hexMark = '%'

func unquote(s string) (text string, ok bool) {
	if s == "" || s[0] != hexMark {
		return s, s != ""
	}
	raw, err := hex.DecodeString(s[1:])
	return string(raw), err == nil
}

// sampling is that of the i-th literal, looked up if it was written down for just
// this one.
func (t *table) sampling(i int, l *literal) int {
	if t != nil && i < len(t.sampled) {
		if s := &t.sampled[i]; s.text == l.text && s.after.equal(l.after) {
			return s.offset
		}
	}
	return l.sampling()
}

// has reports whether the table was made from the rule's expression.
func (t *table) has(r *scan.Rule) bool {
	if t == nil {
		return false
	}
	e, ok := t.rules[r.ID]
	return ok && e.sum == sumOf(r.Expr)
}

func (t *table) derive(r *scan.Rule) (*derived, error) {
	if t.has(r) {
		return t.rules[r.ID].derived, nil
	}
	return derive(r.Expr, scan.MaxReach)
}
