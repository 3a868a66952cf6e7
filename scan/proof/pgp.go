package proof

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/keywright/keywright/scan"
)

// pgpEvidence judges an armored OpenPGP secret key block: the CRC-24 if there is
// one, then the secret key packets (RFC 9580). An unencrypted version 4 packet
// ends with a checksum of its secret numbers. The public id is the fingerprint
// of the primary key.
func pgpEvidence(block pemBlock) scan.Evidence {
	if block.elided || len(block.data) == 0 {
		return scan.Fails("its inside is left out: an example")
	}
	if block.sum != "" && block.sum != armorSum(block.data) {
		return scan.Fails("CRC-24" + mismatch)
	}
	keys, ok := parsePGP(block.data)
	if !ok {
		return scan.Fails("does not parse as an OpenPGP secret key: truncated or an example")
	}
	e := scan.Holds("parses as an OpenPGP secret key")
	if block.sum != "" {
		e.Reason = "CRC-24 matches"
	}
	e.PublicID = keys[0].fingerprint
	state := pgpAbsent
	for _, k := range keys {
		state = max(state, k.state)
	}
	switch state {
	case pgpAbsent:
		return scan.Rejected // only stubs: the secret is on a card or elsewhere
	case pgpEncrypted:
		locked := encrypted("OpenPGP")
		locked.PublicID = e.PublicID
		return locked
	case pgpWrong:
		return scan.Fails("the checksum of its secret numbers" + mismatch)
	}
	return e
}

// armorSum is the checksum line's text, without the equals sign.
func armorSum(data []byte) string {
	crc := crc24(data)
	return base64.StdEncoding.EncodeToString([]byte{byte(crc >> 16), byte(crc >> 8), byte(crc)})
}

// The states of a secret key packet, the worst for its owner last.
const (
	pgpAbsent    = iota // a stub without the secret
	pgpEncrypted        // under a passphrase
	pgpWrong            // in the clear, and its checksum does not hold
	pgpClear            // in the clear
)

type pgpKey struct {
	fingerprint string // version 4 only
	state       int
}

// parsePGP reads the packets and returns the secret keys among them; the last
// packet must end where the data ends.
func parsePGP(data []byte) (keys []pgpKey, ok bool) {
	for len(data) > 0 {
		tag, body, rest, ok := pgpPacket(data)
		if !ok {
			return nil, false
		}
		if tag == 5 || tag == 7 {
			k, ok := parsePGPKey(body)
			if !ok {
				return nil, false
			}
			keys = append(keys, k)
		}
		data = rest
	}
	return keys, len(keys) > 0
}

// pgpPacket splits the first packet off; partial lengths do not occur in keys.
func pgpPacket(b []byte) (tag int, body, rest []byte, ok bool) {
	if len(b) < 2 || b[0]&0x80 == 0 {
		return 0, nil, nil, false
	}
	var size, head int
	if b[0]&0x40 != 0 { // the new format
		tag = int(b[0] & 0x3f)
		switch n := int(b[1]); {
		case n < 192:
			size, head = n, 2
		case n < 224 && len(b) >= 3:
			size, head = (n-192)<<8+int(b[2])+192, 3
		case n == 255 && len(b) >= 6:
			size, head = int(binary.BigEndian.Uint32(b[2:])), 6
		default:
			return 0, nil, nil, false
		}
	} else {
		tag = int(b[0]>>2) & 0xf
		width := 1 << (b[0] & 3)
		if width == 8 {
			return 0, nil, nil, false
		}
		n, fits := bigEndian(b[1:], width)
		if !fits {
			return 0, nil, nil, false
		}
		size, head = n, 1+width
	}
	if size > len(b)-head {
		return 0, nil, nil, false
	}
	return tag, b[head : head+size], b[head+size:], true
}

// parsePGPKey reads a secret key packet. Versions 5 and 6 are recognised only.
func parsePGPKey(body []byte) (pgpKey, bool) {
	if len(body) < 8 {
		return pgpKey{}, false
	}
	if body[0] == 5 || body[0] == 6 {
		return pgpKey{state: pgpClear}, true
	}
	if body[0] != 4 {
		return pgpKey{}, body[0] == 3 || body[0] == 2
	}
	size, ok := pgpPublicSize(body[5], body[6:])
	if !ok {
		return pgpKey{}, false
	}
	public := body[:6+size]
	h := sha1.New()
	h.Write([]byte{0x99, byte(len(public) >> 8), byte(len(public))})
	h.Write(public)
	k := pgpKey{fingerprint: strings.ToUpper(hex.EncodeToString(h.Sum(nil)))}
	secret := body[6+size:]
	if len(secret) == 0 {
		return k, false
	}
	switch usage := secret[0]; {
	case usage == 0:
		k.state = pgpWrong
		if sumHolds(secret[1:]) {
			k.state = pgpClear
		}
	case usage >= 253 && bytes.Contains(secret[:min(len(secret), 16)], []byte("GNU")):
		k.state = pgpAbsent
	default:
		k.state = pgpEncrypted
	}
	return k, true
}

// sumHolds reports whether the last two bytes are the sum of those before.
func sumHolds(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	var sum uint16
	for _, c := range b[:len(b)-2] {
		sum += uint16(c)
	}
	return binary.BigEndian.Uint16(b[len(b)-2:]) == sum
}

// pgpPublicSize is the length of the public numbers of an algorithm.
func pgpPublicSize(algorithm byte, b []byte) (size int, ok bool) {
	numbers := func(n int) bool { // multiprecision integers: a length in bits, then bytes
		for range n {
			if len(b) < size+2 {
				return false
			}
			size += 2 + (int(binary.BigEndian.Uint16(b[size:]))+7)/8
		}
		return size <= len(b)
	}
	short := func() bool { // a length of one byte, then bytes
		if len(b) < size+1 {
			return false
		}
		size += 1 + int(b[size])
		return size <= len(b)
	}
	fixed := func(n int) bool { size += n; return size <= len(b) }
	switch algorithm {
	case 1, 2, 3: // RSA
		ok = numbers(2)
	case 16, 20: // ElGamal
		ok = numbers(3)
	case 17: // DSA
		ok = numbers(4)
	case 18: // ECDH
		ok = short() && numbers(1) && short()
	case 19, 22: // ECDSA, EdDSA
		ok = short() && numbers(1)
	case 25, 27: // X25519, Ed25519
		ok = fixed(32)
	case 26: // X448
		ok = fixed(56)
	case 28: // Ed448
		ok = fixed(57)
	}
	return size, ok
}
