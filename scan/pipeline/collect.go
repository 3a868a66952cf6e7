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
	value secret.Value
	best  scan.Confidence // of any sighting, before paths have a say
}

// recognition is what a rule said of a secret; many sightings share one.
type recognition struct {
	rule       *scan.Rule
	confidence scan.Confidence
	proof      scan.Proof
	reasons    []string
	publicID   string
	parts      []partValue
	allowed    bool
}

type partValue struct {
	role  string
	value secret.Value
}

// sighting is a secret somewhere in an object.
type sighting struct {
	secret int
	rec    *recognition
	span   position
	via    string // the encoding, if it is not UTF-8
}

// position is where a secret stands: lines and columns from 1, the end behind the
// last byte.
type position struct{ line, column, endLine, endColumn int }

func newCollector(e *match.Engine) *collector {
	c := &collector{engine: e, known: map[[32]byte]int{}, recs: map[string]*recognition{}}
	rand.Read(c.key[:])
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
		out = append(out, c.sighting(text, v, p, via))
	}
	return out
}

func (c *collector) sighting(text []byte, v *scan.Verdict, p position, via string) sighting {
	value := secret.New(text[v.Secret().Start:v.Secret().End])
	digest := value.Digest(c.key[:])
	r := recognition{rule: v.Rule, confidence: v.Confidence, proof: v.Proof, reasons: v.Reasons, publicID: v.PublicID, allowed: v.Allowed}
	key := fmt.Sprintf("%x %s %d %d %v %q %q", digest, v.Rule.ID, v.Confidence, v.Proof, v.Allowed, v.Reasons, v.PublicID)
	for _, part := range v.Parts[1:] {
		pv := partValue{part.Role, secret.New(text[part.Start:part.End])}
		r.parts = append(r.parts, pv)
		key += fmt.Sprintf(" %s %x", part.Role, pv.value.Digest(c.key[:]))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n, ok := c.known[digest]
	if !ok {
		n = len(c.secrets)
		c.known[digest] = n
		c.secrets = append(c.secrets, &collected{value: value})
	}
	c.secrets[n].best = max(c.secrets[n].best, v.Confidence)
	rec := c.recs[key]
	if rec == nil {
		rec = &r
		c.recs[key] = rec
	}
	return sighting{n, rec, p, via}
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

// part returns the printable form of a recognition's parts, the secret first.
func (r *recognition) scanParts(value secret.Value) []scan.Part {
	parts := []scan.Part{r.part(scan.RoleSecret, value)}
	for _, p := range r.parts {
		parts = append(parts, r.part(p.role, p.value))
	}
	return parts
}

func (r *recognition) part(role string, value secret.Value) scan.Part {
	p := scan.Part{Role: role, Public: slices.Contains(r.rule.Public, role), Redacted: secret.Redact(value.Reveal())}
	if p.Public {
		p.Redacted = strings.ToValidUTF8(string(value.Reveal()), "?")
	}
	return p
}
