package match

import (
	"cmp"
	"slices"

	"github.com/keywright/keywright/scan"
)

// State is what is known of a judged object: enough to carry it to an object
// that is made of copies of it. It holds none of the object's bytes. It lies in the
// Scratch that it was made with, until that is used again; Keep makes one that lasts.
type State struct {
	size     int
	view     view
	anchors  []anchor // by position and literal
	verdicts []judged // by anchor; those without confidence included
}

// Size is the number of bytes that the state takes in memory, roughly.
func (s *State) Size() int {
	const state, verdict = 96, 240
	return state + 8*len(s.anchors) + verdict*len(s.verdicts)
}

// Verdicts are the verdicts on the object with overlaps settled, in the order of
// their secrets. Offsets refer to Text.
func (s *State) Verdicts() []scan.Verdict {
	rules, held := apart(s.all())
	return name(settle(rules), held)
}

// All are the verdicts before overlaps are settled.
func (s *State) All() []scan.Verdict {
	all := s.all()
	out := make([]scan.Verdict, len(all))
	for i, v := range all {
		out[i] = *v
	}
	return out
}

// all are All, where they lie.
func (s *State) all() []*scan.Verdict {
	n := 0
	for i := range s.verdicts {
		if s.verdicts[i].Confidence > 0 {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	out := make([]*scan.Verdict, 0, n)
	for i := range s.verdicts {
		if v := &s.verdicts[i].Verdict; v.Confidence > 0 {
			out = append(out, v)
		}
	}
	return out
}

// judged is a verdict and the anchor where it was given, at -1 for a parser's.
type judged struct {
	at anchor
	scan.Verdict
}

// Scratch is memory that judging reuses. The zero value is ready; a Scratch must
// not be used by two goroutines at once.
type Scratch struct {
	state          State
	fresh, carried []anchor
	dirty          []bool // of carried
	found          []anchor
	verdicts       []judged
	one            []scan.Verdict
	hot            automata
	candidate      scan.Candidate
	checked        map[*rule]checked // in this object
}

// Whole judges an object by itself.
func (e *Engine) Whole(s *Scratch, data []byte) *State {
	view := viewOf(data)
	text, _ := decode(data, view)
	s.found = e.find(text, 0, len(text), s.found[:0])
	slices.SortFunc(s.found, compareAnchors)
	s.found = slices.Compact(s.found)
	s.begin()
	for _, a := range s.found {
		e.judgeAnchor(s, text, a)
	}
	e.judgeParsers(s, text)
	return s.done(len(data), view)
}

// roomy makes sure that there is room for what an anchor gives. It doubles: to
// append grows what is large by a quarter, and copies it four times as often.
func roomy[T any](s []T) []T {
	const most = 8
	if cap(s)-len(s) < most {
		s = slices.Grow(s, max(most, len(s)))
	}
	return s
}

// Delta judges an object that shares the copies with the base, whose state is
// given. Copies are in the order of their Start, do not overlap, and are maximal:
// no two of them continue each other in both objects. The result equals Whole's.
func (e *Engine) Delta(s *Scratch, base *State, data []byte, copies []scan.Copy) *State {
	v := viewOf(data)
	if base == nil || v != utf8View || base.view != utf8View {
		return e.Whole(s, data)
	}
	d := delta{e: e, s: s, base: base, data: data}
	s.begin()
	s.carried, s.dirty, s.fresh = s.carried[:0], s.dirty[:0], s.fresh[:0]
	for _, c := range copies {
		d.carry(c)
	}
	d.scan(copies)
	d.merge()
	e.judgeParsers(s, data)
	return s.done(len(data), v)
}

// begin forgets the verdicts of the last object.
func (s *Scratch) begin() {
	clear(s.verdicts)
	s.verdicts = s.verdicts[:0]
	clear(s.checked)
}

// done is the state of the object whose anchors and verdicts were collected.
func (s *Scratch) done(size int, v view) *State {
	slices.SortStableFunc(s.verdicts, func(a, b judged) int { return compareAnchors(a.at, b.at) })
	s.state = State{size: size, view: v, anchors: s.found, verdicts: s.verdicts}
	return &s.state
}

// Keep returns a copy that does not lie in a Scratch. It is not changed once made.
func (s *State) Keep() *State {
	kept := &State{size: s.size, view: s.view}
	if len(s.anchors) > 0 {
		kept.anchors = slices.Clone(s.anchors)
	}
	if len(s.verdicts) > 0 {
		kept.verdicts = slices.Clone(s.verdicts)
	}
	return kept
}

func compareAnchors(a, b anchor) int {
	if a.pos != b.pos {
		return cmp.Compare(a.pos, b.pos)
	}
	return cmp.Compare(a.lit, b.lit)
}

// delta is one call of Delta.
type delta struct {
	e    *Engine
	s    *Scratch
	base *State
	data []byte
	at   int // index of the base's anchor behind the last copy
}

// holds reports whether the base's bytes [from, to) lie inside the copy, where
// -1 and size+1 stand for the object beginning or ending there.
func (d *delta) holds(c scan.Copy, from, to int) bool {
	if from < c.Base && (from >= 0 || c.Base > 0 || c.Start > 0) {
		return false
	}
	end := c.Base + c.Len
	return to <= end || end == d.base.size && c.Start+c.Len == len(d.data)
}

// carry takes over the anchors that lie inside the copy, and the verdicts of
// those whose answers depend on nothing beyond it.
func (d *delta) carry(c scan.Copy) {
	anchors := d.base.anchors
	i := d.seek(c.Base)
	shift := c.Start - c.Base
	for ; i < len(anchors) && int(anchors[i].pos) < c.Base+c.Len; i++ {
		a := anchors[i]
		pos := int(a.pos)
		before, after := d.e.extent(a)
		if !d.holds(c, pos-before, pos+after) {
			d.again(c, a)
			continue
		}
		before, after = d.e.depends(a)
		clean := d.holds(c, pos-before, pos+after) && d.carryVerdicts(c, a, shift)
		a.pos += int32(shift)
		d.s.carried = append(d.s.carried, a)
		d.s.dirty = append(d.s.dirty, !clean)
	}
	d.at = i
}

// seek returns the index of the base's first anchor at pos or behind it. Most
// copies begin a little behind the last one.
func (d *delta) seek(pos int) int {
	const steps = 8
	anchors := d.base.anchors
	if d.at > 0 && int(anchors[d.at-1].pos) < pos {
		for i := d.at; i < min(len(anchors), d.at+steps); i++ {
			if int(anchors[i].pos) >= pos {
				return i
			}
		}
	}
	i, _ := slices.BinarySearchFunc(anchors, pos, func(a anchor, pos int) int { return cmp.Compare(int(a.pos), pos) })
	return i
}

// again looks once more at a run of words that begins inside the copy, but may be
// bounded by other words now.
func (d *delta) again(c scan.Copy, a anchor) {
	k := int(a.lit) - len(d.e.uses)
	if k < 0 || d.e.isHeld(a) || d.e.probers[k].alphabet != scan.Words {
		return
	}
	at := int(a.pos) + c.Start - c.Base
	if at < len(d.data) && letters[d.data[at]] {
		start, end := wordAt(d.data, at)
		d.s.fresh = d.e.probers[k].grow(d.data, start, end, a.lit, d.s.fresh)
	}
}

// carryVerdicts takes over the verdicts at an anchor, all or none of them.
func (d *delta) carryVerdicts(c scan.Copy, a anchor, shift int) bool {
	all := d.base.verdicts
	if len(all) == 0 {
		return true
	}
	i, _ := slices.BinarySearchFunc(all, a, func(v judged, a anchor) int { return compareAnchors(v.at, a) })
	first := len(d.s.verdicts)
	for ; i < len(all) && compareAnchors(all[i].at, a) == 0; i++ {
		v := all[i]
		if !d.holds(c, v.DepStart, v.DepEnd) {
			d.s.verdicts = d.s.verdicts[:first]
			return false
		}
		v.Parts = slices.Clone(v.Parts)
		for k := range v.Parts {
			v.Parts[k].Start += shift
			v.Parts[k].End += shift
		}
		v.at.pos += int32(shift)
		v.Anchor += shift
		v.DepStart, v.DepEnd = moved(v.DepStart, shift, d.base.size, len(d.data)), moved(v.DepEnd, shift, d.base.size, len(d.data))
		d.s.verdicts = append(d.s.verdicts, v)
	}
	return true
}

// moved shifts a bound of an interval; the object's own start and end move with
// the object.
func moved(at, shift, from, to int) int {
	switch {
	case at < 0:
		return -1
	case at > from:
		return to + 1
	}
	return at + shift
}

// Looking at two places apart costs more than looking at what is between them too,
// if that is less than a number of bytes.
const (
	literalsGap = 48
	runsGap     = 96
	heldGap     = 32
)

// scan looks for anchors in what is new: between copies, at their seams, and at
// an end that was not the base's.
func (d *delta) scan(copies []scan.Copy) {
	d.regions(copies, literalsGap, d.e.literals.find)
	d.regions(copies, runsGap, d.e.runs.find)
	if h := d.e.held; h != nil {
		d.regions(copies, heldGap, h.find)
	}
}

// regions gives find what is new, and copies between that are shorter than the gap.
func (d *delta) regions(copies []scan.Copy, gap int, find func(data []byte, from, to int, out []anchor) []anchor) {
	from := 0 // where the region that waits begins
	atStart := len(copies) > 0 && copies[0].Start == 0 && copies[0].Base == 0
	for i, c := range copies {
		if i == 0 && atStart {
			from = c.Len
			continue
		}
		if c.Len < gap && i+1 < len(copies) {
			continue
		}
		d.s.fresh = find(d.data, from, c.Start, d.s.fresh)
		from = c.Start + c.Len
	}
	to := len(d.data)
	if n := len(copies); n > 0 && from == to && copies[n-1].Base+copies[n-1].Len == d.base.size {
		return
	}
	d.s.fresh = find(d.data, from, to, d.s.fresh)
}

// merge brings the anchors into order and judges those that are new or dirty. An
// anchor that was both carried and found again is the carried one.
func (d *delta) merge() {
	s := d.s
	slices.SortFunc(s.fresh, compareAnchors)
	s.found = s.found[:0]
	fresh := s.fresh
	for i, a := range s.carried {
		for len(fresh) > 0 && compareAnchors(fresh[0], a) < 0 {
			fresh = d.take(fresh)
		}
		for len(fresh) > 0 && compareAnchors(fresh[0], a) == 0 {
			fresh = fresh[1:]
		}
		s.found = append(s.found, a)
		if s.dirty[i] {
			d.judge(a)
		}
	}
	for len(fresh) > 0 {
		fresh = d.take(fresh)
	}
}

// take judges the first of the new anchors and returns the rest.
func (d *delta) take(fresh []anchor) []anchor {
	a := fresh[0]
	for len(fresh) > 0 && compareAnchors(fresh[0], a) == 0 {
		fresh = fresh[1:]
	}
	d.s.found = append(d.s.found, a)
	d.judge(a)
	return fresh
}

func (d *delta) judge(a anchor) { d.e.judgeAnchor(d.s, d.data, a) }

// judgeAnchor adds the verdicts at an anchor to the scratch memory's.
func (e *Engine) judgeAnchor(s *Scratch, data []byte, a anchor) {
	s.one = e.judge(s, data, a, s.one[:0])
	if len(s.one) == 0 {
		return
	}
	s.verdicts = roomy(s.verdicts)
	for i := range s.one {
		s.verdicts = append(s.verdicts, judged{a, s.one[i]})
	}
}

// judgeParsers adds the verdicts of the parsers over whole objects.
func (e *Engine) judgeParsers(s *Scratch, data []byte) {
	s.one = e.judgeObjects(s, data, s.found, s.one[:0])
	for _, v := range s.one {
		s.verdicts = append(s.verdicts, judged{anchor{pos: -1}, v})
	}
}
