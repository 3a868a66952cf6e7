package match

import (
	"bytes"
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
type table map[string]tableEntry

type tableEntry struct {
	sum     uint32 // of the expression
	derived *derived
}

// Table derives the literals of rules and writes them down for NewWith: a line of
// byte classes, then a line for each rule and its literals.
func Table(rules []*scan.Rule) ([]byte, error) {
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
	for _, r := range rules {
		if r.Expr == "" {
			continue
		}
		d, err := derive(r.Expr, scan.MaxReach)
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", r.ID, err)
		}
		fmt.Fprintf(&b, "%s %x %d", r.ID, sumOf(r.Expr), d.width)
		for _, l := range d.literals {
			fmt.Fprintf(&b, " %s,%d,%d,%d,%d,%d", hex.EncodeToString([]byte(l.text)), l.minOff, l.maxOff, number(l.after[0]), number(l.after[1]), l.sample())
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
	return []byte(head.String() + "\n" + b.String()), nil
}

func sumOf(expr string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(expr))
	return h.Sum32()
}

var errTable = errors.New("malformed")

func parseTable(text []byte) (table, error) {
	if len(text) == 0 {
		return nil, nil
	}
	head, body, _ := bytes.Cut(text, []byte("\n"))
	var classes []class
	for f := range strings.FieldsSeq(string(head)) {
		var c class
		for i, w := range strings.SplitN(f, ",", len(c)) {
			var err error
			if c[i], err = strconv.ParseUint(w, 16, 64); err != nil {
				return nil, errTable
			}
		}
		classes = append(classes, c)
	}
	t := table{}
	for line := range strings.Lines(string(body)) {
		f := strings.Fields(line)
		if len(f) < 4 {
			return nil, errTable
		}
		sum, err := strconv.ParseUint(f[1], 16, 32)
		width, err2 := strconv.Atoi(f[2])
		if err != nil || err2 != nil {
			return nil, errTable
		}
		d := &derived{width: width, literals: make([]literal, len(f)-3)}
		for i, lit := range f[3:] {
			if !d.literals[i].parse(lit, classes) {
				return nil, errTable
			}
		}
		t[f[0]] = tableEntry{uint32(sum), d}
	}
	return t, nil
}

// parse reads a literal: text, offsets, the numbers of two classes, and where its
// grams are.
func (l *literal) parse(s string, classes []class) bool {
	f := strings.SplitN(s, ",", 6)
	if len(f) != 6 {
		return false
	}
	text, err := hex.DecodeString(f[0])
	var n [5]int
	for i := range n {
		var e error
		if n[i], e = strconv.Atoi(f[i+1]); e != nil {
			err = e
		}
	}
	if err != nil || n[4] < -1 || n[4] > len(text) || n[2] < 0 || n[2] >= len(classes) || n[3] < 0 || n[3] >= len(classes) {
		return false
	}
	*l = literal{text: string(text), minOff: n[0], maxOff: n[1], after: [2]class{classes[n[2]], classes[n[3]]}, sampled: n[4] + 2}
	return true
}

// has reports whether the table was made from the rule's expression.
func (t table) has(r *scan.Rule) bool {
	e, ok := t[r.ID]
	return ok && e.sum == sumOf(r.Expr)
}

func (t table) derive(r *scan.Rule) (*derived, error) {
	if t.has(r) {
		return t[r.ID].derived, nil
	}
	return derive(r.Expr, scan.MaxReach)
}
