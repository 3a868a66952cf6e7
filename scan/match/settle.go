package match

import (
	"cmp"
	"slices"

	"github.com/keywright/keywright/scan"
)

// settle decides overlaps on the complete list of an object's verdicts: of two
// that claim the same bytes, the better one stays. A verdict is dropped when its
// secret shares a byte with any part of a better one.
func settle(all []scan.Verdict) []scan.Verdict {
	if len(all) == 1 {
		return all
	}
	ranked := slices.Clone(all)
	slices.SortStableFunc(ranked, better)
	claimed := claims{}
	kept := ranked[:0]
	for _, v := range ranked {
		if claimed.meets(v.Secret()) {
			continue
		}
		for _, p := range v.Parts {
			claimed.add(p)
		}
		kept = append(kept, v)
	}
	slices.SortStableFunc(kept, func(a, b scan.Verdict) int { return cmp.Compare(a.Secret().Start, b.Secret().Start) })
	return kept
}

// better orders verdicts, best first: a rule that names the kind of secret
// before a generic one, then confidence, then more parts, the longer secret, the
// earlier one, and the rule's name.
func better(a, b scan.Verdict) int {
	sa, sb := a.Secret(), b.Secret()
	return cmp.Or(
		compareBool(a.Rule.Generic, b.Rule.Generic),
		cmp.Compare(b.Confidence, a.Confidence),
		cmp.Compare(len(b.Parts), len(a.Parts)),
		cmp.Compare(sb.End-sb.Start, sa.End-sa.Start),
		cmp.Compare(sa.Start, sb.Start),
		cmp.Compare(a.Rule.ID, b.Rule.ID),
		cmp.Compare(a.Anchor, b.Anchor),
	)
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

// claims is a set of spans, by the blocks of bytes that they touch.
type claims map[int][]scan.Span

const claimBlock = 256

func (c claims) add(s scan.Span) {
	for b := s.Start / claimBlock; b <= (s.End-1)/claimBlock; b++ {
		c[b] = append(c[b], s)
	}
}

func (c claims) meets(s scan.Span) bool {
	for b := s.Start / claimBlock; b <= (s.End-1)/claimBlock; b++ {
		for _, t := range c[b] {
			if s.Start < t.End && t.Start < s.End {
				return true
			}
		}
	}
	return false
}
