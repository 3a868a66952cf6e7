package proof

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"strconv"

	"github.com/keywright/keywright/scan"
)

// KuCoinSecret checks a secret of KuCoin: a UUID of version 4. With a part named
// "id", the key, 24 hexadecimal digits that begin with the second it was made
// in, that must lie after KuCoin's first year; it is also the public identifier.
// The two together are distinctive, not proved.
func KuCoinSecret(c scan.Candidate) scan.Evidence {
	if !uuidV4(c.Secret()) {
		return scan.Fails("not a UUID of version 4")
	}
	id := c.Part("id")
	if id == nil {
		return scan.Evidence{}
	}
	b, ok := decodeHexKey(id, 12)
	if !ok {
		return scan.Fails("the key beside it is no object id")
	}
	const first, last = 1483228800, 2208988800 // 2017 and 2040
	if made := binary.BigEndian.Uint32(b); made < first || made > last {
		return scan.Fails("the key beside it carries an impossible date")
	}
	return scan.Evidence{Reason: "a version 4 UUID and an object id with a plausible date", PublicID: string(id)}
}

// OKXKey checks an API key of OKX: a UUID of version 4. Without a pass the shape
// fails; with it the shape alone speaks.
func OKXKey(c scan.Candidate) scan.Evidence {
	id := c.Part("id")
	if id == nil {
		id = c.Secret()
	}
	if !uuidV4(id) {
		return scan.Fails("the key is not a UUID of version 4")
	}
	return scan.Evidence{}
}

// uuidV4 reports whether s is a UUID with the nibbles of version 4.
func uuidV4(s []byte) bool {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	digits := bytes.ReplaceAll(s, []byte("-"), nil)
	b, ok := decodeHexKey(digits, 16)
	return ok && b[6]>>4 == 4 && b[8]>>6 == 2
}

// KrakenSecret checks an API secret of Kraken: base64 of 64 bytes. Passing, the
// shape alone speaks.
func KrakenSecret(c scan.Candidate) scan.Evidence { return base64Length(c, 64) }

// PolymarketSecret checks a secret of Polymarket's order book: base64url of 32
// bytes. Passing, the shape alone speaks.
func PolymarketSecret(c scan.Candidate) scan.Evidence { return base64Length(c, 32) }

func base64Length(c scan.Candidate, size int) scan.Evidence {
	b, ok := decodeB64(c.Secret())
	if !ok || len(b) != size {
		return scan.Fails("does not decode to " + strconv.Itoa(size) + " bytes")
	}
	return scan.Evidence{}
}

// PinataToken checks a JSON Web Token of Pinata: its claims carry the key it was
// made for, which is the public identifier.
func PinataToken(c scan.Candidate) scan.Evidence {
	parts := bytes.Split(c.Secret(), []byte("."))
	if len(parts) != 3 {
		return scan.Rejected
	}
	claims, ok := decodeB64(parts[1])
	var doc struct {
		UserInformation *json.RawMessage `json:"userInformation"`
		ScopedKeyKey    string           `json:"scopedKeyKey"`
	}
	if !ok || json.Unmarshal(claims, &doc) != nil || doc.UserInformation == nil {
		return scan.Rejected
	}
	ev := scan.Holds("the claims are Pinata's")
	ev.PublicID = doc.ScopedKeyKey
	return ev
}

// CoinbasePEM checks the private key of a Coinbase developer platform key: a PEM
// block, perhaps with \n in place of line breaks, of a P-256 key. The public
// identifier is the public key's SHA-256 fingerprint.
func CoinbasePEM(c scan.Candidate) scan.Evidence {
	key, ok := parsePrivatePEM(c.Secret())
	if !ok {
		return scan.Fails("the PEM block does not parse: edited, truncated or an example")
	}
	if ec, ok := key.(*ecdsa.PrivateKey); !ok || ec.Curve != elliptic.P256() {
		return scan.Rejected
	}
	return keyEvidence("PEM parses: P-256 private key", key)
}

// FireblocksPEM checks the private key of a Fireblocks API user: a PEM block of
// an RSA key with at least 4096 bits.
func FireblocksPEM(c scan.Candidate) scan.Evidence {
	key, ok := parsePrivatePEM(c.Secret())
	if !ok {
		return scan.Fails("the PEM block does not parse: edited, truncated or an example")
	}
	if r, ok := key.(*rsa.PrivateKey); !ok || r.N.BitLen() < 4096 {
		return scan.Rejected
	}
	return keyEvidence("PEM parses: RSA private key", key)
}

// PKCS8Base64 checks base64 of the DER of a private key without armor, as Privy
// (after wallet-auth:), Coinbase's wallet secrets and others write it. The
// public identifier is the public key's SHA-256 fingerprint.
func PKCS8Base64(c scan.Candidate) scan.Evidence {
	der, ok := decodeB64(bytes.TrimPrefix(c.Secret(), []byte("wallet-auth:")))
	if !ok {
		return scan.Rejected
	}
	key, ok := parsePrivateDER(der)
	if !ok {
		return scan.Fails("the DER does not parse: edited, truncated or an example")
	}
	return keyEvidence("DER parses: private key", key)
}

func parsePrivatePEM(s []byte) (any, bool) {
	s = bytes.ReplaceAll(s, []byte(`\n`), []byte("\n"))
	block, _ := pem.Decode(bytes.TrimSpace(s))
	if block == nil {
		return nil, false
	}
	return parsePrivateDER(block.Bytes)
}

// parsePrivateDER parses PKCS #8, PKCS #1 and SEC 1.
func parsePrivateDER(der []byte) (any, bool) {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return key, true
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, true
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, true
	}
	return nil, false
}

// keyEvidence is the evidence of a parsed private key.
func keyEvidence(reason string, key any) scan.Evidence {
	var public any
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		public = k.Public()
	case *rsa.PrivateKey:
		public = k.Public()
	case ed25519.PrivateKey:
		public = k.Public()
	}
	ev := scan.Holds(reason)
	if der, err := x509.MarshalPKIXPublicKey(public); err == nil {
		ev.PublicID = "SHA256:" + base64.RawStdEncoding.EncodeToString(sha256Of(der))
	}
	return ev
}

func sha256Of(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:]
}

// TronKey is EthereumKey with Tron's address: base58check of 41 and the same 20
// bytes.
func TronKey(c scan.Candidate) scan.Evidence {
	ev := EthereumKey(c)
	if raw, err := hex.DecodeString(trim0x(ev.PublicID)); err == nil && len(raw) == 20 {
		ev.PublicID = encodeCheck58(bitcoin58, []byte{0x41}, raw)
	}
	if near := c.Part("address"); ev.PublicID != "" && string(near) == ev.PublicID && ev.Cap == 0 {
		return scan.Evidence{Proof: scan.Proved, Reason: "the address beside it is derived from it", PublicID: ev.PublicID}
	}
	return ev
}

func trim0x(s string) string {
	if len(s) > 1 && s[:2] == "0x" {
		return s[2:]
	}
	return s
}
