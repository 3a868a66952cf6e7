package match

import (
	"regexp/syntax"
	"unicode/utf8"
)

// straight follows an expression by trying what it prefers first, and going back where
// that leads nowhere. Most expressions hardly ever go back; package regexp, which is
// prepared for the others, takes several times as long for those with long counted
// repetitions. It belongs to one goroutine.
type straight struct {
	prog    *syntax.Prog
	classes []class // of ASCII bytes, by instruction; for those that wait for a character
	slots   []int
	stack   []untried
}

// untried is a way not taken yet, from an offset; or, if its instruction is negative,
// what a slot held before.
type untried struct{ pc, at int32 }

func newStraight(prog *syntax.Prog, groups int) *straight {
	s := &straight{prog: prog, classes: make([]class, len(prog.Inst)), slots: make([]int, 2*(groups+1))}
	for pc := range prog.Inst {
		switch in := &prog.Inst[pc]; in.Op {
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			for c := range rune(utf8.RuneSelf) {
				if in.MatchRune(c) {
					s.classes[pc].add(byte(c))
				}
			}
		}
	}
	return s
}

// match is the match that begins at the beginning of a text, as offsets of groups, in
// memory that the next one overwrites; nil if there is none. It gives up if it has to
// go back too often: then ok is false.
func (s *straight) match(text []byte) (groups []int, ok bool) {
	for i := range s.slots {
		s.slots[i] = -1
	}
	stack := s.stack[:0]
	defer func() { s.stack = stack }()
	pc, at := uint32(s.prog.Start), 0
	for steps := 256 + 16*len(text); steps > 0; steps-- {
		in := &s.prog.Inst[pc]
		on := true
		switch in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			stack = append(stack, untried{int32(in.Arg), int32(at)})
		case syntax.InstCapture:
			stack = append(stack, untried{^int32(in.Arg), int32(s.slots[in.Arg])})
			s.slots[in.Arg] = at
		case syntax.InstNop:
		case syntax.InstEmptyWidth:
			before, after := rune(-1), rune(-1)
			if at > 0 {
				before, _ = utf8.DecodeLastRune(text[:at])
			}
			if at < len(text) {
				after, _ = utf8.DecodeRune(text[at:])
			}
			on = syntax.EmptyOp(in.Arg)&^syntax.EmptyOpContext(before, after) == 0
		case syntax.InstMatch:
			s.slots[0], s.slots[1] = 0, at
			return s.slots, true
		case syntax.InstFail:
			on = false
		default:
			switch {
			case at == len(text):
				on = false
			case text[at] < utf8.RuneSelf:
				on = s.classes[pc].has(text[at])
				at++
			default:
				c, size := utf8.DecodeRune(text[at:])
				on = in.MatchRune(c)
				at += size
			}
		}
		if pc = in.Out; on {
			continue
		}
		for {
			if len(stack) == 0 {
				return nil, true
			}
			last := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if last.pc >= 0 {
				pc, at = uint32(last.pc), int(last.at)
				break
			}
			s.slots[^last.pc] = int(last.at)
		}
	}
	return nil, false
}
