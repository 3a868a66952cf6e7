package proof

import (
	"crypto/ecdh"
	"encoding/base64"
	"math/big"
	"strings"

	"github.com/keywright/keywright/scan"
)

// JWKObject parses every private JSON Web Key (RFC 7517) of a document: a key, a
// set, or keys anywhere inside. The secret is the private member d, or k of a
// symmetric key. The public identifier is the key's kid.
func JWKObject(data []byte) []scan.ObjectMatch {
	doc, ok := parseJSON(data)
	if !ok {
		return nil
	}
	var matches []scan.ObjectMatch
	for _, f := range doc {
		if f.path != "kty" && !strings.HasSuffix(f.path, ".kty") {
			continue
		}
		prefix := strings.TrimSuffix(strings.TrimSuffix(f.path, "kty"), ".")
		if secret, ev := jwk(doc.within(prefix)); secret != nil && !ev.Reject {
			matches = append(matches, secret.matchAt(ev))
		}
	}
	return matches
}

// JWK checks a candidate whose secret is one JSON Web Key as a whole: the private
// part must belong to the public one. A symmetric key has no such proof. Public
// keys are rejected.
func JWK(c scan.Candidate) scan.Evidence {
	return documentCheck(jwk).candidate(c)
}

// ArweaveWallet checks a candidate whose secret is an Arweave wallet, a JSON Web Key of
// RSA with 4096 bits. The public identifier is the address: the SHA-256 of the
// modulus.
func ArweaveWallet(c scan.Candidate) scan.Evidence {
	return documentCheck(arweaveWallet).candidate(c)
}

// ArweaveWalletObject parses an Arweave wallet file; the secret is the member d.
func ArweaveWalletObject(data []byte) []scan.ObjectMatch {
	return documentCheck(arweaveWallet).object(data)
}

func arweaveWallet(doc jsonDoc) (*jsonField, scan.Evidence) {
	n, ok := jwkBytes(doc, "n")
	if !ok || doc.text("kty") != "RSA" || len(n) != 512 {
		return nil, scan.Rejected
	}
	secret, ev := jwk(doc)
	if ev.Proof == scan.Proved {
		ev.PublicID = base64.RawURLEncoding.EncodeToString(sha256Of(n))
		ev.Reason += " (4096 bits, as Arweave's wallets)"
	}
	return secret, ev
}

func jwk(doc jsonDoc) (*jsonField, scan.Evidence) {
	private := "d"
	if doc.text("kty") == "oct" {
		private = "k"
	}
	secret := doc.field(private)
	if secret == nil {
		return nil, scan.Rejected
	}
	key, ok := jwkBytes(doc, private)
	if !ok {
		return secret, scan.Fails("the private member is no base64url")
	}
	var ev scan.Evidence
	switch doc.text("kty") {
	case "oct":
		if len(key) < 8 {
			return nil, scan.Rejected
		}
	case "RSA":
		ev = jwkRSA(doc, key)
	case "EC":
		ev = jwkEC(doc, key)
	case "OKP":
		ev = jwkOKP(doc, key)
	default:
		return nil, scan.Rejected
	}
	if ev.Proof != scan.Failed {
		ev.PublicID = doc.text("kid")
		ev = withTestKey(ev, key)
	}
	return secret, ev
}

func jwkBytes(doc jsonDoc, name string) ([]byte, bool) {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(doc.text(name), "="))
	return b, err == nil && len(b) > 0
}

// jwkRSA checks that p times q is the modulus, or, where the primes are left
// out, that d undoes e.
func jwkRSA(doc jsonDoc, d []byte) scan.Evidence {
	const largest = 1024 // bytes of modulus: 8192 bits
	number := func(name string) *big.Int {
		b, _ := jwkBytes(doc, name)
		return new(big.Int).SetBytes(b[:min(len(b), largest)])
	}
	n, e, p, q := number("n"), number("e"), number("p"), number("q")
	if n.BitLen() < 512 || n.Bit(0) == 0 || e.Sign() == 0 || e.BitLen() > 64 {
		return scan.Fails("the public members are no RSA key")
	}
	if p.Sign() > 0 {
		if q.Mul(p, q).Cmp(n) != 0 {
			return scan.Fails("p times q is not n: edited or an example")
		}
		return scan.Holds("p times q is n: RSA private key")
	}
	if n.BitLen() > 4096 { // too slow to be tried on whatever a file holds
		return scan.Evidence{}
	}
	two := big.NewInt(2)
	c := new(big.Int).Exp(two, e, n)
	if len(d) > largest || c.Exp(c, new(big.Int).SetBytes(d), n).Cmp(two) != 0 {
		return scan.Fails("d does not belong to n: edited or an example")
	}
	return scan.Holds("d belongs to n: RSA private key")
}

func jwkEC(doc jsonDoc, d []byte) scan.Evidence {
	x, okX := jwkBytes(doc, "x")
	y, okY := jwkBytes(doc, "y")
	var point []byte // 04, x, y
	switch curve := doc.text("crv"); curve {
	case "P-256":
		point = ecdhPublic(ecdh.P256(), d)
	case "P-384":
		point = ecdhPublic(ecdh.P384(), d)
	case "P-521":
		point = ecdhPublic(ecdh.P521(), d)
	case "secp256k1":
		if pub, ok := secp256k1Public(d); ok {
			point = pub.SerializeUncompressed()
		}
	default:
		return scan.Evidence{}
	}
	switch {
	case point == nil:
		return outsideCurve
	case !okX || !okY:
		return scan.Evidence{}
	case string(point[1:]) != string(x)+string(y):
		return scan.Fails("d does not belong to x and y: edited or an example")
	}
	return scan.Holds("d belongs to x and y: EC private key")
}

func jwkOKP(doc jsonDoc, d []byte) scan.Evidence {
	x, okX := jwkBytes(doc, "x")
	var public []byte
	switch doc.text("crv") {
	case "Ed25519":
		if len(d) == 32 {
			public = ed25519Public(d)
		}
	case "X25519":
		public = ecdhPublic(ecdh.X25519(), d)
	default:
		return scan.Evidence{}
	}
	switch {
	case public == nil:
		return scan.Fails("d has not the curve's length")
	case !okX:
		return scan.Evidence{}
	case string(public) != string(x):
		return scan.Fails("d does not belong to x: edited or an example")
	}
	return scan.Holds("d belongs to x: " + doc.text("crv") + " private key")
}

// ecdhPublic is the public key of d, nil if d is no private key of the curve.
func ecdhPublic(curve ecdh.Curve, d []byte) []byte {
	key, err := curve.NewPrivateKey(d)
	if err != nil {
		return nil
	}
	return key.PublicKey().Bytes()
}

// VAPIDKey checks a private key of the Web Push protocol (RFC 8292): base64url of
// 32 bytes, 43 characters. With a part named "public" (87 characters) that
// belongs to it on P-256 it is proved. The public identifier is the public key.
func VAPIDKey(c scan.Candidate) scan.Evidence {
	d, ok := decodeB64(c.Secret())
	if !ok || len(d) != 32 {
		return scan.Rejected
	}
	public := ecdhPublic(ecdh.P256(), d)
	if public == nil {
		return outsideCurve
	}
	ev := scan.Evidence{}
	if near, ok := decodeB64(c.Part("public")); ok && string(near) == string(public) {
		ev = scan.Holds("the public key beside it belongs to it: P-256 key pair")
	}
	ev.PublicID = base64.RawURLEncoding.EncodeToString(public)
	return withTestKey(ev, d)
}
