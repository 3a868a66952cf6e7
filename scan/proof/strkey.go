package proof

import (
	"crypto/ecdh"
	"encoding/base32"
	"encoding/binary"

	"github.com/keywright/keywright/scan"
)

// crc16 is CRC-16/XMODEM: polynomial 0x1021, no reflection, initial value zero.
func crc16(b []byte) uint16 {
	var crc uint16
	for _, v := range b {
		crc ^= uint16(v) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}

// base32NoPad is RFC 4648's base 32 without padding.
func base32NoPad(b []byte) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b)
}

// strkey decodes base 32 that ends with a little-endian CRC-16, as Stellar and
// NATS write keys. shape is false when s is no such text, sum when only the
// checksum is wrong.
func strkey(s []byte) (b []byte, shape, sum bool) {
	b = make([]byte, len(s)*5/8)
	n, err := base32.StdEncoding.WithPadding(base32.NoPadding).Decode(b, s)
	if err != nil || n < 3 || base32NoPad(b[:n]) != string(s) {
		return nil, false, false
	}
	body := b[:n-2]
	return body, true, crc16(body) == binary.LittleEndian.Uint16(b[n-2:n])
}

// encodeStrkey is the inverse of strkey.
func encodeStrkey(body []byte) string {
	return base32NoPad(binary.LittleEndian.AppendUint16(body[:len(body):len(body)], crc16(body)))
}

var crc16Fails = scan.Evidence{Proof: scan.Failed, Reason: "CRC-16 does not match: edited, truncated or an example"}

// StellarSeed checks a Stellar secret seed (SEP-23): S and 56 characters in all.
// The public identifier is the account.
func StellarSeed(c scan.Candidate) scan.Evidence {
	s := c.Secret()
	if len(s) != 56 || s[0] != 'S' {
		return scan.Rejected
	}
	b, shape, sum := strkey(s)
	const seed, account = 18 << 3, 6 << 3
	switch {
	case !shape || b[0] != seed:
		return scan.Rejected
	case !sum:
		return crc16Fails
	}
	ev := scan.Holds("CRC-16 holds: Stellar secret seed")
	ev.PublicID = encodeStrkey(append([]byte{account}, ed25519Public(b[1:])...))
	return withTestKey(ev, b[1:])
}

// natsPrefix is a kind of NATS key by the second letter of its seed.
type natsPrefix struct {
	prefix byte
	name   string
}

var natsPrefixes = [...]natsPrefix{
	{0, "account"},        // A
	{20 << 3, "user"},     // U
	{14 << 3, "operator"}, // O
	{13 << 3, "server"},   // N
	{2 << 3, "cluster"},   // C
	{23 << 3, "curve"},    // X
}

// NKeySeed checks a NATS nkey seed: S, a letter for its kind, 58 characters in
// all. The public identifier is the public nkey.
func NKeySeed(c scan.Candidate) scan.Evidence {
	s := c.Secret()
	if len(s) != 58 || s[0] != 'S' {
		return scan.Rejected
	}
	b, shape, sum := strkey(s)
	if !shape || b[0]>>3 != 18 {
		return scan.Rejected
	}
	prefix := b[0]<<5 | b[1]>>3
	for _, p := range natsPrefixes {
		if p.prefix != prefix {
			continue
		}
		if !sum {
			return crc16Fails
		}
		seed := b[2:]
		ev := scan.Holds("CRC-16 holds: NATS " + p.name + " seed")
		if pub := natsPublic(p.name, seed); pub != nil {
			ev.PublicID = encodeStrkey(append([]byte{prefix}, pub...))
		}
		return withTestKey(ev, seed)
	}
	return scan.Rejected
}

func natsPublic(kind string, seed []byte) []byte {
	if kind != "curve" {
		return ed25519Public(seed)
	}
	key, err := ecdh.X25519().NewPrivateKey(seed)
	if err != nil {
		return nil
	}
	return key.PublicKey().Bytes()
}
