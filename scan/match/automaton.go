package match

import (
	"encoding/binary"
	"regexp"
	"regexp/syntax"
	"slices"
	"unicode/utf8"
)

// automaton says whether an expression matches at all, and nothing more. It is
// deterministic and made as it is used: a byte costs nanoseconds where package
// regexp takes microseconds, which is what texts are made for that look like a
// secret at every byte and are none. It belongs to one goroutine.
type automaton struct {
	prog   *syntax.Prog
	states map[string]*state
	begin  *state // at the beginning of a text
	seen   []uint32
	mark   uint32
	stack  []uint32
	key    []byte
	made   *int // states, by all automata of a goroutine
	groups *straight
}

// state is a set of instructions that wait for a character, and what the character
// before was. Its closure depends on the next character, too.
type state struct {
	before rune // stands for its kind
	insts  []uint32
	next   [utf8.RuneSelf]*state
}

// ends are states without a way on.
var ends = struct{ matched, dead *state }{&state{}, &state{}}

// maxStates bounds the memory of an automaton, at about a kilobyte each. If an
// automaton has too many, it starts again.
const maxStates = 1 << 10

// automata are those of one goroutine, by their expressions.
type automata struct {
	of   map[*expr]*asked
	made int
}

// asked counts how often an expression was asked for: most are asked so seldom that
// an automaton would never pay.
type asked struct {
	times int
	*automaton
}

const (
	fewTimes     = 64
	maxAllStates = 16 << 10 // of all automata
)

// ask counts that an expression is asked for, and makes its automaton when that pays.
func (all *automata) ask(e *expr) *asked {
	if all.made > maxAllStates {
		all.of, all.made = nil, 0
	}
	if all.of == nil {
		all.of = map[*expr]*asked{}
	}
	x := all.of[e]
	if x == nil {
		x = &asked{}
		all.of[e] = x
	}
	if x.times++; x.times == fewTimes {
		x.automaton = newAutomaton(e.re, &all.made)
	}
	return x
}

// may is false only if the expression does not match in the text.
func (all *automata) may(e *expr, text []byte, anchored bool) bool {
	x := all.ask(e)
	return x.automaton == nil || x.matches(text, anchored)
}

// at is the match of an expression that matches at the beginning of a text only, as
// offsets of groups; nil if there is none.
func (all *automata) at(e *expr, text []byte) []int {
	x := all.ask(e)
	if x.automaton == nil {
		return e.re.FindSubmatchIndex(text)
	}
	if !x.matches(text, true) {
		return nil
	}
	if x.groups == nil {
		x.groups = newStraight(x.prog, e.re.NumSubexp())
	}
	if loc, ok := x.groups.match(text); ok {
		return loc
	}
	return e.re.FindSubmatchIndex(text)
}

// knows reports whether an expression was asked for often.
func (all *automata) knows(e *expr) bool { return all.of[e] != nil && all.of[e].automaton != nil }

// newAutomaton is made from the syntax of an expression that regexp has accepted, so
// that it cannot fail.
func newAutomaton(re *regexp.Regexp, made *int) *automaton {
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		panic(err)
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		panic(err)
	}
	a := &automaton{prog: prog, seen: make([]uint32, len(prog.Inst)), made: made}
	a.forget()
	return a
}

func (a *automaton) forget() {
	a.states = map[string]*state{}
	a.begin = a.state(-1, []uint32{uint32(a.prog.Start)})
}

// matches reports whether the expression matches somewhere in the text; anchored if
// its matches begin at the text's beginning only.
func (a *automaton) matches(text []byte, anchored bool) bool {
	s := a.begin
	for i := 0; i < len(text); {
		c, size := rune(text[i]), 1
		var next *state
		if c < utf8.RuneSelf {
			next = s.next[c]
		} else {
			c, size = utf8.DecodeRune(text[i:])
		}
		if next == nil {
			next = a.step(s, c, anchored)
		}
		switch next {
		case ends.matched:
			return true
		case ends.dead:
			return false
		}
		s = next
		i += size
	}
	matched, _ := a.closure(s, -1)
	return matched
}

// step is the state behind a character.
func (a *automaton) step(s *state, c rune, anchored bool) *state {
	next := ends.matched
	if matched, waiting := a.closure(s, c); !matched {
		var insts []uint32
		for _, pc := range waiting {
			if in := &a.prog.Inst[pc]; in.MatchRune(c) {
				insts = append(insts, in.Out)
			}
		}
		if !anchored {
			insts = append(insts, uint32(a.prog.Start))
		}
		if next = ends.dead; len(insts) > 0 {
			slices.Sort(insts)
			next = a.state(kindOf(c), slices.Compact(insts))
		}
	}
	if c < utf8.RuneSelf {
		s.next[c] = next
	}
	return next
}

// state is the state with the instructions, a new one if there is none.
func (a *automaton) state(before rune, insts []uint32) *state {
	a.key = binary.LittleEndian.AppendUint32(a.key[:0], uint32(before))
	for _, pc := range insts {
		a.key = binary.LittleEndian.AppendUint32(a.key, pc)
	}
	if s := a.states[string(a.key)]; s != nil {
		return s
	}
	s := &state{before: before, insts: insts}
	*a.made++
	if len(a.states) >= maxStates {
		key := string(a.key)
		a.forget()
		a.states[key] = s
		return s
	}
	a.states[string(a.key)] = s
	return s
}

// kindOf is a character that empty-width assertions take for c.
func kindOf(c rune) rune {
	switch {
	case c == '\n':
		return c
	case syntax.IsWordChar(c):
		return 'a'
	}
	return ' '
}

// closure follows a state's instructions to those that wait for a character, before
// the character c, or the end if it is -1.
func (a *automaton) closure(s *state, c rune) (matched bool, waiting []uint32) {
	flags := syntax.EmptyOpContext(s.before, c)
	a.mark++
	stack := append(a.stack[:0], s.insts...)
	for len(stack) > 0 {
		pc := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if a.seen[pc] == a.mark {
			continue
		}
		a.seen[pc] = a.mark
		switch in := &a.prog.Inst[pc]; in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			stack = append(stack, in.Out, in.Arg)
		case syntax.InstCapture, syntax.InstNop:
			stack = append(stack, in.Out)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(in.Arg)&^flags == 0 {
				stack = append(stack, in.Out)
			}
		case syntax.InstMatch:
			matched = true
		case syntax.InstFail:
		default:
			waiting = append(waiting, pc)
		}
	}
	a.stack = stack
	return matched, waiting
}
