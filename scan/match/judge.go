package match

import (
	"bytes"
	"math"
	"slices"

	"github.com/keywright/keywright/scan"
)

// maxLine is how far from a match, in bytes, the line that may carry an
// allow-comment reaches on either side.
const maxLine = 512

// allowComments silence a finding when they stand on its line.
var allowComments = [...][]byte{[]byte("keywright:allow"), []byte("gitleaks:allow")}

// judge appends the verdicts of all rules at an anchor. A verdict without
// confidence means that a rule looked further than the anchor's reach and found
// nothing: its interval matters when the object changes.
func (e *Engine) judge(s *Scratch, data []byte, a anchor, out []scan.Verdict) []scan.Verdict {
	if e.isHeld(a) {
		return e.held.judge(s, data, int(a.pos), out)
	}
	if int(a.lit) >= len(e.uses) {
		return e.judgeRun(s, data, a, out)
	}
	for _, u := range e.uses[a.lit] {
		switch {
		case u.rule.Block != nil:
			out = u.rule.judgeBlock(s, data, int(a.pos), u.n, out)
		case u.rule.Expr != "":
			out = u.rule.judgeExpr(s, data, int(a.pos), u.n, out)
		}
	}
	return out
}

func (c *rule) judgeExpr(s *Scratch, data []byte, pos, n int, out []scan.Verdict) []scan.Verdict {
	parts, whole := c.matchAt(&s.hot, data, pos, n)
	if parts == nil {
		return out
	}
	p := &c.places[n]
	v := scan.Verdict{Rule: c.Rule, Anchor: pos, DepStart: pos - c.back(p), DepEnd: pos + c.ahead(p), Confidence: c.Confidence}
	if c.MinEntropy > 0 && entropy(data[parts[0].Start:parts[0].End]) < c.MinEntropy {
		return out
	}
	for i := range c.partners {
		p := &c.partners[i]
		span, looked, ok := p.near(&s.hot, data, whole)
		v.DepStart = min(v.DepStart, whole.Start-looked)
		v.DepEnd = max(v.DepEnd, whole.End+looked)
		switch {
		case ok && p.Role == scan.RoleSecret:
			parts = beside(parts, span)
		case ok:
			parts = append(parts, span)
		case p.Required:
			return c.nothing(data, v, out)
		default:
			v.Confidence = min(v.Confidence, scan.Medium)
			v.Reasons = append(v.Reasons, "no "+p.Role+" found nearby")
		}
	}
	v.Parts = parts
	return c.conclude(s, data, whole, v, scan.Evidence{}, out)
}

// beside makes a partner the secret of a match: the expression matched the public
// half of a pair.
func beside(parts []scan.Span, secret scan.Span) []scan.Span {
	if len(parts) > 1 {
		parts = slices.Clone(parts)
		parts[0] = secret // its groups name what it matched
		return parts
	}
	id := parts[0]
	id.Role = "id"
	return []scan.Span{secret, id}
}

func (c *rule) judgeBlock(s *Scratch, data []byte, pos, open int, out []scan.Verdict) []scan.Verdict {
	if !bytes.HasPrefix(data[pos:], []byte(c.Block.Open[open])) {
		return out
	}
	end, seen, ok := c.blockAt(data, pos, open)
	v := scan.Verdict{Rule: c.Rule, Anchor: pos, DepStart: pos, DepEnd: seen, Confidence: c.Confidence}
	if !ok {
		return c.nothing(data, v, out)
	}
	whole := scan.Span{Role: scan.RoleSecret, Start: pos, End: end}
	v.Parts = []scan.Span{whole}
	return c.conclude(s, data, whole, v, scan.Evidence{}, out)
}

func (e *Engine) judgeRun(s *Scratch, data []byte, a anchor, out []scan.Verdict) []scan.Verdict {
	p := e.probers[int(a.lit)-len(e.uses)]
	start := int(a.pos)
	var end int
	var ok bool
	if p.alphabet == scan.Words {
		_, end, ok = p.words(data, start)
	} else {
		end, ok = p.run(data, start)
	}
	if !ok {
		return out
	}
	before, after := e.extent(a)
	for _, i := range p.rules {
		c := e.rules[i]
		if r := c.Run; r.First != "" && bytes.IndexByte([]byte(r.First), data[start]) < 0 ||
			r.Alphabet != scan.Words && (end-start < r.Min || end-start > r.Max+2) {
			continue
		}
		v := scan.Verdict{Rule: c.Rule, Anchor: start, DepStart: start - before, DepEnd: start + after, Confidence: c.Confidence}
		whole := scan.Span{Role: scan.RoleSecret, Start: start, End: end}
		v.Parts = []scan.Span{whole}
		out = c.conclude(s, data, whole, v, scan.Evidence{}, out)
	}
	return out
}

// judgeObjects asks the parsers whose gate occurs.
func (e *Engine) judgeObjects(s *Scratch, data []byte, anchors []anchor, out []scan.Verdict) []scan.Verdict {
	var asked []*rule
	for _, a := range anchors {
		if !e.gates[a.lit] {
			continue
		}
		for _, u := range e.uses[a.lit] {
			if u.rule.Object != nil && !slices.Contains(asked, u.rule) {
				asked = append(asked, u.rule)
				out = u.rule.judgeObject(s, data, out)
			}
		}
	}
	return out
}

func (c *rule) judgeObject(s *Scratch, data []byte, out []scan.Verdict) []scan.Verdict {
	for _, m := range c.Object.Parse(data) {
		if len(m.Parts) == 0 {
			continue
		}
		v := scan.Verdict{Rule: c.Rule, Anchor: -1, DepStart: -1, DepEnd: len(data) + 1, Confidence: c.Confidence, Parts: m.Parts}
		whole := m.Parts[0]
		for _, p := range m.Parts {
			whole.Start, whole.End = min(whole.Start, p.Start), max(whole.End, p.End)
		}
		out = c.conclude(s, data, whole, v, m.Evidence, out)
	}
	return out
}

// conclude asks the check, looks for an allow-comment, and appends the verdict.
func (c *rule) conclude(s *Scratch, data []byte, whole scan.Span, v scan.Verdict, ev scan.Evidence, out []scan.Verdict) []scan.Verdict {
	if c.Check != nil && ev == (scan.Evidence{}) {
		ev = s.check(c, data, whole, v.Parts)
	}
	if ev.Reject || ev.Proof != scan.Proved && (c.NeedsProof || c.Run != nil) {
		return c.nothing(data, v, out)
	}
	v.Proof, v.PublicID = ev.Proof, ev.PublicID
	switch ev.Proof {
	case scan.Proved:
		v.Confidence = scan.Certain
	case scan.Failed:
		v.Confidence = scan.Low
	}
	if ev.Cap > 0 {
		v.Confidence = min(v.Confidence, ev.Cap)
	}
	if ev.Reason != "" {
		v.Reasons = append(v.Reasons, ev.Reason)
	}
	from, to := line(data, whole)
	for _, comment := range allowComments {
		v.Allowed = v.Allowed || bytes.Contains(data[from:to], comment)
	}
	v.DepStart, v.DepEnd = min(v.DepStart, from-1), max(v.DepEnd, to+1)
	return append(out, clip(data, v))
}

// nothing records that a rule looked further than its anchor's reach in vain.
func (c *rule) nothing(data []byte, v scan.Verdict, out []scan.Verdict) []scan.Verdict {
	if len(c.partners) == 0 && c.Block == nil {
		return out
	}
	v.Confidence, v.Parts, v.Reasons = 0, nil, nil
	return append(out, clip(data, v))
}

func clip(data []byte, v scan.Verdict) scan.Verdict {
	v.DepStart, v.DepEnd = max(v.DepStart, -1), min(v.DepEnd, len(data)+1)
	return v
}

// line is the span of the lines that a match stands on, each end cut at maxLine
// bytes from the match.
func line(data []byte, whole scan.Span) (from, to int) {
	from, to = max(0, whole.Start-maxLine), min(len(data), whole.End+maxLine)
	if i := bytes.LastIndexByte(data[from:whole.Start], '\n'); i >= 0 {
		from += i + 1
	}
	if i := bytes.IndexByte(data[whole.End:to], '\n'); i >= 0 {
		to = whole.End + i
	}
	return from, to
}

// checked is what a rule's check said of its last match in an object.
type checked struct {
	whole    scan.Span
	parts    []scan.Span
	evidence scan.Evidence
}

// check asks a rule's check, which depends on what it is shown only: one that is shown
// the same a thousand times, in one object, is asked once.
func (s *Scratch) check(c *rule, data []byte, whole scan.Span, parts []scan.Span) scan.Evidence {
	same := func(a, b scan.Span) bool {
		return a.Role == b.Role && bytes.Equal(data[a.Start:a.End], data[b.Start:b.End])
	}
	last, ok := s.checked[c]
	if !ok || !same(last.whole, whole) || !slices.EqualFunc(last.parts, parts, same) {
		last = checked{whole, parts, c.Check(s.shown(data, whole, parts))}
		if s.checked == nil {
			s.checked = map[*rule]checked{}
		}
		s.checked[c] = last
	}
	return last.evidence
}

// shown is what a check is shown of a match. Its lists are overwritten by the next.
func (s *Scratch) shown(data []byte, whole scan.Span, parts []scan.Span) scan.Candidate {
	c := &s.candidate
	c.Text, c.Roles, c.Spans = data[whole.Start:whole.End:whole.End], c.Roles[:0], c.Spans[:0]
	for _, p := range parts {
		c.Roles = append(c.Roles, p.Role)
		c.Spans = append(c.Spans, data[p.Start:p.End:p.End])
	}
	return *c
}

// entropy is Shannon's, in bits per byte, of the bytes' own distribution.
func entropy(b []byte) float64 {
	var count [256]int
	for _, c := range b {
		count[c]++
	}
	h := 0.0
	for _, n := range count {
		if n > 0 {
			p := float64(n) / float64(len(b))
			h -= p * math.Log2(p)
		}
	}
	return h
}
