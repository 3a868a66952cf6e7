package pipeline

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/match"
	"github.com/keywright/keywright/secret"
)

// collector gathers what the engine recognises, and tells secrets apart by a
// digest under a key that is made for the one scan. It is safe for concurrent use.
type collector struct {
	engine *match.Engine
	key    [32]byte

	mu      sync.Mutex
	known   map[[32]byte]int
	secrets []*collected
	recs    map[string]*recognition
}

// collected is one distinct secret.
type collected struct {
	digest      [32]byte
	value       secret.Value    // zero if it is known from the cache only
	shown       string          // redacted
	fingerprint string          // empty until it is needed
	best        scan.Confidence // of any sighting, before paths have a say
	named       bool            // a file, by its name
}

// recognition is what a rule said of a secret; many sightings share one.
type recognition struct {
	rule       *scan.Rule
	confidence scan.Confidence
	proof      scan.Proof
	reasons    []string
	publicID   string
	parts      []part
	held       []int32 // keys that the user holds, by their numbers in the engine's set
	allowed    bool
}

// part is a part of a recognition beside the secret.
type part struct {
	shownPart
	digest [32]byte
	value  secret.Value // zero if it is public, or known from the cache only
}

// shownPart is what may be shown of a part, and remembered.
type shownPart struct {
	Role     string
	Public   bool
	Redacted string
}

// sighting is a secret somewhere in an object.
type sighting struct {
	secret int
	rec    *recognition
	span   position
	via    string // the encodings, if it is not plain UTF-8, between spaces
}

// position is where a secret stands: lines and columns from 1, the end behind the
// last byte.
type position struct{ line, column, endLine, endColumn int }

// newCollector returns a collector whose digests are made with the key. The zero
// key stands for a new one.
func newCollector(e *match.Engine, key [32]byte) *collector {
	c := &collector{engine: e, key: key, known: map[[32]byte]int{}, recs: map[string]*recognition{}}
	if key == ([32]byte{}) {
		rand.Read(c.key[:])
	}
	return c
}

// judge judges an object by itself.
func (c *collector) judge(s *match.Scratch, data []byte) []sighting {
	return c.sightings(data, c.engine.Whole(s, data).Verdicts())
}

// sightings turns verdicts on an object into sightings.
func (c *collector) sightings(data []byte, verdicts []scan.Verdict) []sighting {
	if len(verdicts) == 0 {
		return nil
	}
	text, via := match.Text(data)
	at := cursor{text: text, line: 1, column: 1}
	out := make([]sighting, 0, len(verdicts))
	for i := range verdicts {
		v := &verdicts[i]
		s := v.Secret()
		var p position
		p.line, p.column = at.to(s.Start)
		end := at
		p.endLine, p.endColumn = end.to(s.End)
		if i > 0 && sameAnswer(text, &verdicts[i-1], v) {
			again := out[i-1] // one secret a thousand times costs its digest once
			again.span = p
			out = append(out, again)
			continue
		}
		out = append(out, c.sighting(text, v, p, via))
	}
	return out
}

func (c *collector) sighting(text []byte, v *scan.Verdict, p position, via string) sighting {
	value := secret.New(text[v.Secret().Start:v.Secret().End])
	if plain := c.engine.HeldText(text, v); plain != nil {
		value = secret.New(plain)
		clear(plain)
	}
	via = strings.TrimSpace(via + " " + v.Via)
	r := &recognition{rule: v.Rule, confidence: v.Confidence, proof: v.Proof, reasons: v.Reasons, publicID: v.PublicID, held: v.Held, allowed: v.Allowed}
	for _, span := range v.Parts[1:] {
		pv := secret.New(text[span.Start:span.End])
		p := part{shownPart: scanPart(v.Rule, span.Role, pv), digest: pv.Digest(c.key[:])}
		if !p.Public {
			p.value = pv
		}
		r.parts = append(r.parts, p)
	}
	digest := value.Digest(c.key[:])
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.number(digest)
	if s := c.secrets[n]; s.value.IsZero() {
		s.value, s.shown = value, secret.Redact(value.Reveal())
	}
	return sighting{n, c.recognise(n, r), p, via}
}

// sameAnswer reports whether two verdicts on a text say the same of the same values.
func sameAnswer(text []byte, a, b *scan.Verdict) bool {
	return a.Rule == b.Rule && a.Confidence == b.Confidence && a.Proof == b.Proof && a.PublicID == b.PublicID && a.Allowed == b.Allowed &&
		a.Via == b.Via && slices.Equal(a.Held, b.Held) &&
		slices.Equal(a.Reasons, b.Reasons) && slices.EqualFunc(a.Parts, b.Parts, func(p, q scan.Span) bool {
		return p.Role == q.Role && bytes.Equal(text[p.Start:p.End], text[q.Start:q.End])
	})
}

// number returns the number of the secret with a digest. The caller holds the lock.
func (c *collector) number(digest [32]byte) int {
	n, ok := c.known[digest]
	if !ok {
		n = len(c.secrets)
		c.known[digest] = n
		c.secrets = append(c.secrets, &collected{digest: digest})
	}
	return n
}

// recognise returns the recognition of a secret that is the same as r, which is
// r itself if it is the first. The caller holds the lock.
func (c *collector) recognise(n int, r *recognition) *recognition {
	c.secrets[n].best = max(c.secrets[n].best, r.confidence)
	key := fmt.Sprintf("%d %s %d %d %v %q %q %d", n, r.rule.ID, r.confidence, r.proof, r.allowed, r.reasons, r.publicID, r.held)
	for _, p := range r.parts {
		key += fmt.Sprintf(" %s %x", p.Role, p.digest)
	}
	if known := c.recs[key]; known != nil {
		return known
	}
	c.recs[key] = r
	return r
}

// levels are the secrets' best confidences so far.
func (c *collector) levels() []scan.Confidence {
	c.mu.Lock()
	defer c.mu.Unlock()
	levels := make([]scan.Confidence, len(c.secrets))
	for i, s := range c.secrets {
		levels[i] = s.best
	}
	return levels
}

// lower takes the secrets' best confidences back to what they were.
func (c *collector) lower(levels []scan.Confidence) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, s := range c.secrets {
		s.best = 0
		if i < len(levels) {
			s.best = levels[i]
		}
	}
}

// cursor counts lines and columns from front to back.
type cursor struct {
	text         []byte
	at           int
	line, column int
}

// to moves to an offset not before the last one.
func (c *cursor) to(offset int) (line, column int) {
	if offset > c.at {
		skipped := c.text[c.at:offset]
		if n := bytes.Count(skipped, []byte{'\n'}); n > 0 {
			c.line += n
			c.column = len(skipped) - bytes.LastIndexByte(skipped, '\n')
		} else {
			c.column += len(skipped)
		}
		c.at = offset
	}
	return c.line, c.column
}

// scanPart is the printable form of a part.
func scanPart(rule *scan.Rule, role string, value secret.Value) shownPart {
	p := shownPart{Role: role, Public: slices.Contains(rule.Public, role), Redacted: secret.Redact(value.Reveal())}
	if p.Public {
		p.Redacted = strings.ToValidUTF8(string(value.Reveal()), "?")
	}
	return p
}
