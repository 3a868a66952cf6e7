// Package scan holds the words of the scanner: rules and what they answer,
// findings and the places where they came in, coverage and what it missed.
//
// It does no I/O. The rooms below it turn bytes into verdicts (match), verdicts
// into findings (pipeline) and findings into reports (report).
package scan

import "fmt"

// Confidence says how sure keywright is that a match is a live-looking
// credential. It never depends on time or network.
type Confidence uint8

// The levels, lowest first. The zero value means "not set".
const (
	Low     Confidence = iota + 1 // probably nothing; counted, shown on request
	Medium                        // looks like one, with room for doubt
	High                          // the shape is distinctive
	Certain                       // an offline proof holds
)

var confidenceNames = [...]string{"", "low", "medium", "high", "certain"}

// String returns the word used in flags and reports.
func (c Confidence) String() string {
	if int(c) < len(confidenceNames) {
		return confidenceNames[c]
	}
	return fmt.Sprintf("Confidence(%d)", uint8(c))
}

// ParseConfidence is the inverse of String.
func ParseConfidence(s string) (Confidence, error) {
	for i, name := range confidenceNames {
		if i > 0 && s == name {
			return Confidence(i), nil
		}
	}
	return 0, fmt.Errorf("unknown confidence %q: want low, medium, high or certain", s)
}

// Proof is the result of a rule's offline check.
type Proof uint8

// The three results of an offline check.
const (
	Unproved Proof = iota // no check exists, or it cannot tell: the shape alone speaks
	Proved                // a checksum, curve point or parse holds
	Failed                // the check contradicts the shape: edited, truncated or an example
)

// String returns the word used in reports: none, proved or failed.
func (p Proof) String() string {
	switch p {
	case Proved:
		return "proved"
	case Failed:
		return "failed"
	}
	return "none"
}

// Evidence is what a rule's Check says of a candidate. The zero value says
// "the shape alone speaks".
type Evidence struct {
	Proof    Proof
	Reason   string     // one short clause, lower case: "CRC-32 matches"
	PublicID string     // may be printed: an address, an account number, a key id
	Cap      Confidence // if set, no higher confidence than this (a published test key, an encrypted key)
	Reject   bool       // not a credential at all: no verdict
}

// Holds is the evidence of a proof that succeeded.
func Holds(reason string) Evidence { return Evidence{Proof: Proved, Reason: reason} }

// Fails is the evidence of a proof that was contradicted.
func Fails(reason string) Evidence { return Evidence{Proof: Failed, Reason: reason} }

// Rejected is the evidence that a candidate is no credential.
var Rejected = Evidence{Reject: true}

// Realm is the world that a credential works in. Issuers that have two say in the
// credential's own text which one it belongs to.
type Realm uint8

// The realms. The zero value means that nothing tells.
const (
	Live Realm = iota + 1 // real money, real customers
	Test                  // a sandbox, a test mode, a test network
)

// RoleSecret is the role of the part that must stay confidential. A finding is
// grouped by it; every match has it.
const RoleSecret = "secret"

// Candidate is a match before judgement: its parts by role.
type Candidate struct {
	Text  []byte // the whole match, partners excluded
	Roles []string
	Spans [][]byte
}

// Part returns the bytes of the part with this role, nil if there is none.
func (c Candidate) Part(role string) []byte {
	for i, r := range c.Roles {
		if r == role {
			return c.Spans[i]
		}
	}
	return nil
}

// Secret returns the confidential part.
func (c Candidate) Secret() []byte { return c.Part(RoleSecret) }
