package match

import (
	"cmp"
	"slices"

	"github.com/keywright/keywright/scan"
)

// settle decides overlaps on the complete list of an object's verdicts: of two
// that claim the same bytes, the better one stays. A verdict is dropped when its
// secret shares a byte with any part of a better one.
//
// Verdicts whose bytes lie apart have no say in one another: they are settled group
// by group, and most groups are a single verdict. The list stays as it is.
func settle(all []*scan.Verdict) []scan.Verdict {
	if len(all) == 0 {
		return nil
	}
	hulls := hullsOf(all)
	kept := make([]scan.Verdict, 0, len(all))
	var s settler
	for first, next := 0, 0; first < len(hulls); first = next {
		end := hulls[first].end
		for next = first + 1; next < len(hulls) && hulls[next].start < end; next++ {
			end = max(end, hulls[next].end)
		}
		if next == first+1 {
			kept = append(kept, *all[hulls[first].verdict])
			continue
		}
		kept = s.settle(all, hulls[first:next], end, kept)
	}
	return kept
}

// hull is the span of all parts of a verdict, which is given by its index.
type hull struct{ start, end, verdict int32 }

// hullsOf are the hulls of verdicts by their start.
func hullsOf(all []*scan.Verdict) []hull {
	hulls := make([]hull, len(all))
	for i := range all {
		s := all[i].Secret()
		for _, p := range all[i].Parts[1:] {
			s.Start, s.End = min(s.Start, p.Start), max(s.End, p.End)
		}
		hulls[i] = hull{int32(s.Start), int32(s.End), int32(i)}
	}
	slices.SortFunc(hulls, func(a, b hull) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.verdict, b.verdict)) })
	return hulls
}

// settler settles one group of verdicts after the other.
type settler struct {
	claimed claims
	kept    []int32
}

func (s *settler) settle(all []*scan.Verdict, group []hull, end int32, out []scan.Verdict) []scan.Verdict {
	start := group[0].start
	s.claimed.reset(int(start), int(end))
	slices.SortFunc(group, func(a, b hull) int {
		return cmp.Or(better(all[a.verdict], all[b.verdict]), cmp.Compare(a.verdict, b.verdict))
	})
	s.kept = s.kept[:0]
	for _, h := range group {
		v := all[h.verdict]
		if s.claimed.meets(v.Secret()) {
			continue
		}
		for _, p := range v.Parts {
			s.claimed.add(p)
		}
		s.kept = append(s.kept, h.verdict)
	}
	slices.SortStableFunc(s.kept, func(a, b int32) int { return cmp.Compare(all[a].Secret().Start, all[b].Secret().Start) })
	for _, i := range s.kept {
		out = append(out, *all[i])
	}
	return out
}

// better orders verdicts, best first: a rule that names the kind of secret
// before a generic one, then confidence, then more parts, the longer secret, the
// earlier one, the nearer name, and the rule's name.
func better(a, b *scan.Verdict) int {
	if c := cmp.Or(
		compareBool(a.Rule.Generic, b.Rule.Generic),
		cmp.Compare(b.Confidence, a.Confidence),
		cmp.Compare(len(b.Parts), len(a.Parts)),
	); c != 0 {
		return c
	}
	sa, sb := a.Secret(), b.Secret()
	return cmp.Or(
		cmp.Compare(sb.End-sb.Start, sa.End-sa.Start),
		cmp.Compare(sa.Start, sb.Start),
		nearer(a, b),
		cmp.Compare(a.Rule.ID, b.Rule.ID),
		cmp.Compare(a.Anchor, b.Anchor),
	)
}

// nearer orders two verdicts that have but a vendor's name to go by, the later
// anchor first: of two names before a value, the nearer one tells what it is. Where
// a shape or a proof gives more confidence, it does not matter where the anchor is.
func nearer(a, b *scan.Verdict) int {
	if a.Rule.Generic || a.Confidence != scan.Medium {
		return 0
	}
	return cmp.Compare(b.Anchor, a.Anchor)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// claims is a set of bytes of an object, a bit each, from a multiple of 64 on.
type claims struct {
	from int
	bits []uint64
}

func (c *claims) reset(from, to int) {
	c.from = from &^ 63
	words := (to-c.from)/64 + 1
	c.bits = slices.Grow(c.bits[:0], words)[:words]
	clear(c.bits)
}

// each calls f with every word that a span has bits in, and those bits, until f
// returns false.
func (c *claims) each(s scan.Span, f func(word *uint64, bits uint64) bool) {
	for at, end := s.Start-c.from, s.End-c.from; at < end; {
		n := min(64-at&63, end-at)
		if !f(&c.bits[at>>6], ^uint64(0)>>(64-n)<<(at&63)) {
			return
		}
		at += n
	}
}

func (c *claims) add(s scan.Span) {
	c.each(s, func(word *uint64, bits uint64) bool {
		*word |= bits
		return true
	})
}

func (c *claims) meets(s scan.Span) (met bool) {
	c.each(s, func(word *uint64, bits uint64) bool {
		met = *word&bits != 0
		return !met
	})
	return met
}
