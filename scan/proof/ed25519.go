package proof

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"

	"github.com/keywright/keywright/scan"
)

// ed25519Pair reports whether 64 bytes are a seed and the public key that
// belongs to it. An accident is out of the question, so no label is needed; it
// costs some twenty microseconds, so it is asked last.
func ed25519Pair(b []byte) bool {
	return len(b) == 64 && bytes.Equal(ed25519.NewKeyFromSeed(b[:32])[32:], b[32:])
}

// ed25519Public is the public key of a 32-byte seed.
func ed25519Public(seed []byte) []byte {
	return ed25519.NewKeyFromSeed(seed)[32:]
}

var pairFails = scan.Evidence{Proof: scan.Failed, Reason: "the second half is not the public key of the first"}

// pairEvidence judges 64 bytes; publicID writes the public key.
func pairEvidence(b []byte, publicID func([]byte) string) scan.Evidence {
	if len(b) != 64 {
		return scan.Rejected
	}
	if !ed25519Pair(b) {
		return pairFails
	}
	ev := scan.Holds("the second half is the public key of the first: ed25519 key pair")
	ev.PublicID = publicID(b[32:])
	return withTestKey(ev, b[:32])
}

// Ed25519PairBase64 checks base64, of either alphabet, padded or not, of the 64
// bytes of an ed25519 private key: seed and public key. So Go, libsodium,
// Coinbase's developer platform and Algorand write them. The public identifier
// is the public key in hexadecimal.
func Ed25519PairBase64(c scan.Candidate) scan.Evidence {
	b, ok := decodeB64(c.Secret())
	if !ok {
		return scan.Rejected
	}
	return pairEvidence(b, hex.EncodeToString)
}

// Ed25519PairHex checks 128 hexadecimal digits, perhaps after 0x, in the same way.
func Ed25519PairHex(c scan.Candidate) scan.Evidence {
	b, ok := decodeHexKey(c.Secret(), 64)
	if !ok {
		return scan.Rejected
	}
	return pairEvidence(b, hex.EncodeToString)
}

// decodeB64 decodes base64 of either alphabet, with or without padding.
func decodeB64(s []byte) ([]byte, bool) {
	s = bytes.TrimRight(s, "=")
	enc := base64.RawStdEncoding
	if bytes.ContainsAny(s, "-_") {
		enc = base64.RawURLEncoding
	}
	enc = enc.Strict()
	b := make([]byte, enc.DecodedLen(len(s)))
	n, err := enc.Decode(b, s)
	return b[:n], err == nil && n > 0
}

// decodeHexKey decodes exactly size bytes of hexadecimal, perhaps after 0x.
func decodeHexKey(s []byte, size int) ([]byte, bool) {
	if len(s) >= 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') {
		s = s[2:]
	}
	if len(s) != 2*size {
		return nil, false
	}
	b := make([]byte, size)
	_, err := hex.Decode(b, s)
	return b, err == nil
}
