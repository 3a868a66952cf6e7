package proof

import (
	"bytes"
	"encoding/base64"

	"github.com/keywright/keywright/scan"
)

func base58ID(b []byte) string { return encode58(b, bitcoin58) }

func nearID(b []byte) string { return "ed25519:" + encode58(b, bitcoin58) }

// SolanaKey checks an ed25519 key pair in base 58, as Solana wallets export it:
// 86 to 88 digits, 64 bytes. A transaction's signature has the same look and
// fails. The public identifier is the account's address.
func SolanaKey(c scan.Candidate) scan.Evidence {
	s := c.Secret()
	if len(s) < 86 || len(s) > 88 {
		return scan.Rejected
	}
	var buf [maxBase58]byte
	return pairEvidence(decode58(&buf, s, &bitcoinDigits), base58ID)
}

// SolanaKeyArray checks a key pair written as 64 decimal bytes with commas, as
// in a Solana keypair file. Brackets round the numbers may be part of the secret.
func SolanaKeyArray(c scan.Candidate) scan.Evidence {
	var buf [64]byte
	n, ok := byteArray(buf[:], c.Secret())
	if !ok || n != 64 {
		return scan.Rejected
	}
	return pairEvidence(buf[:], base58ID)
}

// byteArray reads decimal bytes with commas and white space between them into
// dst, and returns how many there were. It refuses anything else, and more
// numbers than dst holds.
func byteArray(dst, s []byte) (int, bool) {
	s = bytes.TrimSpace(s)
	if len(s) > 1 && s[0] == '[' && s[len(s)-1] == ']' {
		s = s[1 : len(s)-1]
	}
	n, value, digits, comma := 0, 0, 0, false
	flush := func() bool {
		if digits == 0 {
			return true
		}
		if n == len(dst) || n > 0 && !comma {
			return false
		}
		dst[n], n = byte(value), n+1
		value, digits, comma = 0, 0, false
		return true
	}
	for _, ch := range s {
		switch {
		case ch >= '0' && ch <= '9':
			value = value*10 + int(ch-'0')
			digits++
			if digits > 3 || value > 255 {
				return 0, false
			}
		case ch == ',':
			if !flush() || comma || n == 0 {
				return 0, false
			}
			comma = true
		case ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r':
			if !flush() {
				return 0, false
			}
		default:
			return 0, false
		}
	}
	ok := flush()
	return n, ok
}

// NEARKey checks a key of the NEAR protocol: ed25519: before base 58 of a key
// pair. With a part named "public" (ed25519: and a public key) the two must
// belong together, which also proves the 32-byte form, a bare seed. Without it,
// 32 bytes are more likely a public key, and are rejected.
func NEARKey(c scan.Candidate) scan.Evidence {
	s := bytes.TrimPrefix(c.Secret(), []byte("ed25519:"))
	var buf [maxBase58]byte
	b := decode58(&buf, s, &bitcoinDigits)
	public := bytes.TrimPrefix(c.Part("public"), []byte("ed25519:"))
	if len(b) == 32 && len(public) > 0 {
		if string(public) != base58ID(ed25519Public(b)) {
			return scan.Rejected
		}
		ev := scan.Holds("the public key beside it belongs to it: ed25519 seed")
		ev.PublicID = nearID(ed25519Public(b))
		return withTestKey(ev, b)
	}
	return pairEvidence(b, nearID)
}

// CoinbaseKey checks an Ed25519 secret of Coinbase's developer platform: base64
// of a key pair. The public identifier is the public key in base64.
func CoinbaseKey(c scan.Candidate) scan.Evidence {
	b, ok := decodeB64(c.Secret())
	if !ok {
		return scan.Rejected
	}
	return pairEvidence(b, base64.StdEncoding.EncodeToString)
}

// RobinhoodKey checks the private key of a Robinhood crypto API key: base64 of a
// key pair, or of a bare 32-byte seed, for which the shape alone speaks. The
// public identifier is the public key in base64, which Robinhood shows too.
func RobinhoodKey(c scan.Candidate) scan.Evidence {
	b, ok := decodeB64(c.Secret())
	if !ok {
		return scan.Rejected
	}
	if len(b) == 32 {
		ev := scan.Evidence{PublicID: base64.StdEncoding.EncodeToString(ed25519Public(b))}
		return withTestKey(ev, b)
	}
	return pairEvidence(b, base64.StdEncoding.EncodeToString)
}
