package match

import (
	"cmp"
	"slices"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/held"
)

// heldKeys are the keys that the user holds, looked for beside the rules.
type heldKeys struct {
	set  *held.Set
	rule *scan.Rule
	lit  uint16 // of its anchors
}

// HeldRule is the id of the rule that stands for all held keys.
const HeldRule = "held-key"

// Hold makes the engine look for the keys that the user holds, too. It is to be called
// before the engine is used.
func (e *Engine) Hold(set *held.Set) {
	e.held = &heldKeys{set: set, lit: uint16(len(e.uses) + len(e.probers)), rule: &scan.Rule{
		ID: HeldRule, Provider: "generic", Title: "Key of your keystore", Confidence: scan.Certain, Generic: true,
		Why: "Whoever finds it can use it as you do.",
		Fix: "Where keywright cannot replace it: issue a new one, store it with 'keywright set', revoke this one.",
	}}
}

// Held is what a number of a verdict's Held stands for.
func (e *Engine) Held(n int32) scan.Held { return e.held.set.Held(int(n)) }

// HeldText is the value of a verdict of the held keys' rule, with its encoding undone;
// nil if the verdict is another rule's.
func (e *Engine) HeldText(text []byte, v *scan.Verdict) []byte {
	if e.held == nil || v.Rule != e.held.rule {
		return nil
	}
	for _, h := range e.held.set.At(text, v.Anchor) {
		if int32(h.Value) == v.Held[0] && h.Start == v.Parts[0].Start && h.End == v.Parts[0].End {
			return h.Text
		}
	}
	return nil
}

func (e *Engine) isHeld(a anchor) bool { return e.held != nil && a.lit == e.held.lit }

func (h *heldKeys) find(data []byte, from, to int, out []anchor) []anchor {
	h.set.Find(data, from, to, func(at int) { out = append(out, anchor{pos: int32(at), lit: h.lit}) })
	return out
}

func (h *heldKeys) judge(s *Scratch, data []byte, at int, out []scan.Verdict) []scan.Verdict {
	back, ahead := h.set.Reach()
	for _, hit := range h.set.At(data, at) {
		whole := scan.Span{Role: scan.RoleSecret, Start: hit.Start, End: hit.End}
		v := scan.Verdict{Rule: h.rule, Anchor: at, DepStart: at - back, DepEnd: at + ahead, Confidence: scan.Certain,
			Parts: []scan.Span{whole}, Held: []int32{int32(hit.Value)}, Via: hit.Form}
		out = (&rule{Rule: h.rule}).conclude(s, data, whole, v, scan.Evidence{Proof: scan.Proved}, out)
	}
	return out
}

// apart divides the verdicts of rules from those of held keys: of these, of several forms
// of a value in the same bytes, the one that takes most of them.
func apart(all []*scan.Verdict) (rules, held []*scan.Verdict) {
	if !slices.ContainsFunc(all, func(v *scan.Verdict) bool { return v.Held != nil }) {
		return all, nil
	}
	for _, v := range all {
		if v.Held == nil {
			rules = append(rules, v)
		} else {
			held = append(held, v)
		}
	}
	slices.SortFunc(held, func(a, b *scan.Verdict) int {
		p, q := a.Parts[0], b.Parts[0]
		return cmp.Or(cmp.Compare(p.Start, q.Start), cmp.Compare(q.End, p.End), cmp.Compare(a.Via, b.Via), cmp.Compare(a.Held[0], b.Held[0]), cmp.Compare(a.Anchor, b.Anchor))
	})
	ends := map[int32]int{} // of what was kept of a value
	held = slices.DeleteFunc(held, func(v *scan.Verdict) bool {
		n, end := v.Held[0], v.Parts[0].End
		if end <= ends[n] {
			return true
		}
		ends[n] = end
		return false
	})
	return rules, held
}

// name says of settled verdicts which held keys they are, and adds those of held keys
// that no rule recognised. Where one did, or recognised something that the value is a
// part of, the finding is the rule's. A rule that took some of the value's bytes for
// something else gives way, unless it names what the value's encoding is a part of.
func name(settled []scan.Verdict, held []*scan.Verdict) []scan.Verdict {
	if len(held) == 0 {
		return settled
	}
	near := newNeighbours(settled)
	gone := make([]bool, len(settled))
	var own []scan.Verdict
	for _, h := range held {
		known := false
		near.each(h.Parts[0], func(k int) {
			switch v := &settled[k]; {
			case recognises(v, h):
				known = true
				v.Held = append(slices.Clip(v.Held), h.Held...)
				v.Confidence, v.Proof, v.Allowed = scan.Certain, scan.Proved, v.Allowed || h.Allowed
			case v.Rule.Generic || h.Via == "":
				gone[k] = true
			}
		})
		if known {
			continue
		}
		if n := len(own) - 1; n >= 0 && own[n].Parts[0] == h.Parts[0] && own[n].Via == h.Via {
			own[n].Held = append(slices.Clip(own[n].Held), h.Held...) // two keys with one value
			continue
		}
		own = append(own, *h)
	}
	for k := range settled {
		if !gone[k] || settled[k].Held != nil {
			own = append(own, settled[k])
		}
	}
	slices.SortStableFunc(own, func(a, b scan.Verdict) int { return cmp.Compare(a.Parts[0].Start, b.Parts[0].Start) })
	return own
}

// neighbours finds the verdicts that have bytes of a span.
type neighbours struct {
	all   []*scan.Verdict
	hulls []hull
	ends  []int32 // the furthest end of a hull and those before it
}

func newNeighbours(all []scan.Verdict) *neighbours {
	n := &neighbours{all: make([]*scan.Verdict, len(all)), ends: make([]int32, len(all))}
	for i := range all {
		n.all[i] = &all[i]
	}
	n.hulls = hullsOf(n.all)
	last := int32(0)
	for i, h := range n.hulls {
		last = max(last, h.end)
		n.ends[i] = last
	}
	return n
}

// each calls f with the index of each verdict that has a byte of the span in a part.
func (n *neighbours) each(s scan.Span, f func(i int)) {
	i, _ := slices.BinarySearch(n.ends, int32(s.Start)+1)
	for ; i < len(n.hulls) && int(n.hulls[i].start) < s.End; i++ {
		at := int(n.hulls[i].verdict)
		if slices.ContainsFunc(n.all[at].Parts, func(p scan.Span) bool { return p.Start < s.End && s.Start < p.End }) {
			f(at)
		}
	}
}

// recognises reports whether a verdict of a rule is of the held value: one of its parts
// is the value as it stands, or holds it if the rule is not a generic one.
func recognises(v *scan.Verdict, h *scan.Verdict) bool {
	s := h.Parts[0]
	return slices.ContainsFunc(v.Parts, func(p scan.Span) bool {
		if v.Rule.Generic {
			return h.Via == "" && p.Start == s.Start && p.End == s.End
		}
		return p.Start <= s.Start && s.End <= p.End
	})
}
