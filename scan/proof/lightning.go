package proof

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/keywright/keywright/scan"
)

// LNDMacaroon checks a credential of the Lightning node lnd: a macaroon of
// version 2 whose location is "lnd", raw or in hexadecimal or base64. The
// signature cannot be checked without the node's key; the structure can, to its
// last byte. The reason says what the macaroon permits.
func LNDMacaroon(c scan.Candidate) scan.Evidence {
	s := c.Secret()
	raw := s
	if !bytes.HasPrefix(s, []byte{2, 1}) {
		b := make([]byte, hex.DecodedLen(len(s)))
		var ok bool
		if _, err := hex.Decode(b, s); err == nil {
			raw = b
		} else if raw, ok = decodeB64(s); !ok {
			return scan.Rejected
		}
	}
	m, ok := parseLNDMacaroon(raw)
	switch {
	case !ok && bytes.HasPrefix(raw, []byte("\x02\x01\x03lnd")):
		return scan.Fails("the macaroon is damaged: edited, truncated or an example")
	case !ok || m.location != "lnd":
		return scan.Rejected
	}
	reason := "macaroon of lnd parses"
	if m.caveats > 0 {
		reason += ", with caveats"
	}
	if strings.Contains(m.identifier, "macaroon") && strings.Contains(m.identifier, "write") {
		reason += ": may make others"
	}
	return scan.Holds(reason)
}

// lndMacaroonFields is a macaroon in the binary format of version 2.
type lndMacaroonFields struct {
	location, identifier string
	caveats              int
}

// The field types of the format; zero ends a section.
const (
	lndMacaroonEnd        = 0
	lndMacaroonLocation   = 1
	lndMacaroonIdentifier = 2
	lndMacaroonVerifier   = 4
	lndMacaroonSignature  = 6
)

// parseLNDMacaroon reads a macaroon to its last byte: version, location,
// identifier, end; caveats, each a section of its own; end; a signature of 32
// bytes.
func parseLNDMacaroon(b []byte) (m lndMacaroonFields, ok bool) {
	if len(b) == 0 || b[0] != 2 {
		return m, false
	}
	b = b[1:]
	kind, data, b, ok := lndMacaroonField(b)
	if ok && kind == lndMacaroonLocation {
		m.location = string(data)
		kind, data, b, ok = lndMacaroonField(b)
	}
	if !ok || kind != lndMacaroonIdentifier {
		return m, false
	}
	m.identifier = string(data)
	if kind, _, b, ok = lndMacaroonField(b); !ok || kind != lndMacaroonEnd {
		return m, false
	}
	for {
		if kind, _, b, ok = lndMacaroonField(b); !ok {
			return m, false
		}
		if kind == lndMacaroonEnd {
			break
		}
		for kind != lndMacaroonEnd {
			if kind > lndMacaroonVerifier {
				return m, false
			}
			if kind, _, b, ok = lndMacaroonField(b); !ok {
				return m, false
			}
		}
		m.caveats++
	}
	kind, data, b, ok = lndMacaroonField(b)
	return m, ok && kind == lndMacaroonSignature && len(data) == 32 && len(b) == 0
}

// lndMacaroonField reads one field: a type, and unless it ends a section, a length
// and that many bytes.
func lndMacaroonField(b []byte) (kind uint64, data, rest []byte, ok bool) {
	kind, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, nil, false
	}
	b = b[n:]
	if kind == lndMacaroonEnd {
		return kind, nil, b, true
	}
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return 0, nil, nil, false
	}
	b = b[n:]
	return kind, b[:size], b[size:], true
}

// RuneToken checks a rune of Core Lightning: base64url of a 32-byte
// authentication code and readable restrictions. The code cannot be checked
// without the node; the restrictions can be read.
func RuneToken(c scan.Candidate) scan.Evidence {
	b, ok := decodeB64(c.Secret())
	if !ok || len(b) < 34 {
		return scan.Rejected
	}
	restrictions := b[32:]
	for _, ch := range restrictions {
		if ch < ' ' || ch > '~' {
			return scan.Rejected
		}
	}
	if restrictions[0] != '=' { // the unique id comes first
		return scan.Evidence{}
	}
	return scan.Holds("the rune's restrictions can be read")
}
