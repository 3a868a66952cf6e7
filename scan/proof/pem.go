package proof

import (
	"bytes"
	"crypto/ecdh"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/big"
	"strings"

	"github.com/keywright/keywright/scan"
)

// PEMKey proves a private key in PEM, whole from BEGIN to END, as it stands in
// files, in JSON or YAML strings with \n in them, or in quoted lines of source
// code. RSA primes must multiply to the modulus, a public half must be that of the
// private one, any other key must parse. OpenSSH and OpenPGP blocks are passed to
// their own proofs. The public id is the SHA-256 fingerprint that OpenSSH prints.
// Encrypted keys are capped at medium; certificates and public keys rejected.
func PEMKey(c scan.Candidate) scan.Evidence { return pemEvidence(c.Secret()) }

// PEMBase64 is PEMKey for the base 64 of a PEM block, as in kubeconfig's
// client-key-data.
func PEMBase64(c scan.Candidate) scan.Evidence {
	raw, _ := decodeBase64Any(dropSpace(c.Secret()))
	if !bytes.Contains(raw, []byte("-----BEGIN ")) {
		return undecodable("a PEM block")
	}
	return pemEvidence(raw)
}

// DERKey is PEMKey for the bare base 64 of a key, without BEGIN and END.
func DERKey(c scan.Candidate) scan.Evidence {
	raw, _ := decodeBase64Any(dropSpace(c.Secret()))
	if len(raw) < 32 || raw[0] != 0x30 {
		return undecodable("a private key")
	}
	return derEvidence(raw)
}

func dropSpace(b []byte) []byte { return bytes.Join(bytes.Fields(b), nil) }

func pemEvidence(text []byte) scan.Evidence {
	block, ok := parsePEM(text)
	if !ok {
		return scan.Evidence{}
	}
	switch {
	case strings.Contains(block.label, "PGP PRIVATE KEY"):
		return pgpEvidence(block)
	case !strings.Contains(block.label, "PRIVATE KEY"):
		return scan.Rejected
	case block.elided || len(block.data) == 0:
		return scan.Fails("its inside is left out: an example")
	case block.label == "OPENSSH PRIVATE KEY":
		return opensshEvidence(block.data)
	case block.encrypted != "":
		return encrypted(block.encrypted)
	case block.label == "ENCRYPTED PRIVATE KEY":
		return encryptedPKCS8(block.data)
	}
	return derEvidence(block.data)
}

// encrypted is the evidence of a key under a passphrase.
func encrypted(cipher string) scan.Evidence {
	reason := "encrypted with a passphrase"
	if cipher = printable(cipher, 40); cipher != "" {
		reason += " (" + cipher + ")"
	}
	return scan.Evidence{Reason: reason, Cap: scan.Medium}
}

// A pemBlock is the inside of a PEM or armor block.
type pemBlock struct {
	label     string
	data      []byte // decoded
	sum       string // the four characters of an armor checksum
	encrypted string // the cipher that DEK-Info names, or "unknown"
	elided    bool   // does not decode, or says "..."
}

var pemUnescape = strings.NewReplacer(
	`\\r`, "", `\\n`, "\n", `\r`, "", `\n`, "\n", `\t`, " ", `\/`, "/",
	`\u003d`, "=", `\u003D`, "=", `\u002b`, "+", `\u002B`, "+", "\r", "\n")

// parsePEM reads the first private key of text, or else its last block. ok is
// false without BEGIN and END.
func parsePEM(text []byte) (block pemBlock, ok bool) {
	for {
		_, rest, begins := bytes.Cut(text, []byte("-----BEGIN "))
		label, rest, labelled := bytes.Cut(rest, []byte("-----"))
		inside, rest, ends := bytes.Cut(rest, []byte("-----END "))
		if !begins || !labelled || !ends || len(label) > 64 {
			return block, ok
		}
		block, ok = pemBlock{label: string(label)}, true
		if bytes.Contains(label, []byte("PRIVATE KEY")) {
			block.fill(pemUnescape.Replace(string(inside)))
			return block, true
		}
		text = rest
	}
}

// fill reads headers and base 64, past quotes, plus signs and other marks that
// source code puts round the lines.
func (p *pemBlock) fill(inside string) {
	var body strings.Builder
	for line := range strings.Lines(inside) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			p.header(strings.Trim(name, " \t\"'+,"), strings.TrimSpace(value))
			continue
		}
		if strings.Contains(line, "..") || strings.Contains(line, "…") {
			p.elided = true
		}
		for _, run := range strings.FieldsFunc(line, notBase64) {
			switch {
			case strings.Trim(run, "+/") == "" && len(run) < 3: // a sign of the language
			case run[0] == '=' && len(run) == 5:
				p.sum = run[1:]
			default:
				body.WriteString(run)
			}
		}
	}
	data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(body.String(), "="))
	if err != nil {
		p.elided = true
		return
	}
	p.data = data
}

func (p *pemBlock) header(name, value string) {
	switch {
	case name == "Proc-Type" && strings.Contains(value, "ENCRYPTED") && p.encrypted == "":
		p.encrypted = "unknown"
	case name == "DEK-Info":
		p.encrypted, _, _ = strings.Cut(value, ",")
	}
}

func notBase64(r rune) bool {
	return r >= 0x80 || strings.IndexByte(scan.Base64Std+"=", byte(r)) < 0
}

// A derKey is a parsed private key.
type derKey struct {
	kind   string // "RSA, 2048 bits"
	reason string // what was proved
	blob   []byte // the public half in SSH's wire format, if known
	wrong  string // what was contradicted
	small  bool   // too short to protect anything
}

// knownKeys are private keys that their vendors publish, by the fingerprint of
// the public half.
var knownKeys = [...]example{
	{"SHA256:1M4RzhMyWuFS/86uPY/ce2prh/dVTHW7iD2RhpquOZA", "Vagrant's insecure key"},
	{"SHA256:WkvqjnyPAeC0cbPErYiGP9vqHdgL1MqqvPdIe3lvHgI", "Vagrant's insecure key"},
	{"SHA256:ebCT4wkJOqO5AIlHG03cHvn3Cr3ZZEEh8m81duHhR3Q", "the key of RFC 8410"},
}

// evidence turns a parsed key into evidence.
func (k *derKey) evidence() scan.Evidence {
	if k.wrong != "" {
		return scan.Fails(k.wrong + ": edited or an example")
	}
	e := scan.Holds(k.kind + ": " + k.reason)
	if k.small {
		e.Reason, e.Cap = e.Reason+"; too short to protect anything", scan.Medium
	}
	if k.blob != nil {
		e.PublicID = fingerprint(k.blob)
		for _, known := range knownKeys {
			if known.sum == e.PublicID {
				return scan.Evidence{Proof: scan.Proved, Reason: "a published example: " + known.name, PublicID: e.PublicID, Cap: scan.Low}
			}
		}
	}
	return e
}

// fingerprint is the SHA-256 fingerprint of a public key as OpenSSH prints it.
func fingerprint(blob []byte) string {
	sum := sha256.Sum256(blob)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// derEvidence judges PKCS #1, PKCS #8, SEC 1 and DSA keys.
func derEvidence(der []byte) scan.Evidence {
	k, ok := parseDER(der)
	if !ok {
		if _, err := asn1.Unmarshal(der, &pkcs8Encrypted{}); err == nil {
			return encryptedPKCS8(der)
		}
		return scan.Fails("does not parse as a private key: edited, truncated or an example")
	}
	return k.evidence()
}

type pkcs8Encrypted struct {
	Algorithm struct {
		OID        asn1.ObjectIdentifier
		Parameters asn1.RawValue `asn1:"optional"`
	}
	Data []byte
}

func encryptedPKCS8(der []byte) scan.Evidence {
	var p pkcs8Encrypted
	if _, err := asn1.Unmarshal(der, &p); err != nil {
		return scan.Fails("does not parse as an encrypted private key: truncated or an example")
	}
	return encrypted("PKCS #8")
}

// parseDER tries the four forms of a key.
func parseDER(der []byte) (*derKey, bool) {
	for _, parse := range [...]func([]byte) (*derKey, bool){parsePKCS8, parsePKCS1, parseSEC1DER, parseDSA} {
		if k, ok := parse(der); ok {
			return k, true
		}
	}
	return nil, false
}

var (
	oidRSA     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidRSAPSS  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	oidDSA     = asn1.ObjectIdentifier{1, 2, 840, 10040, 4, 1}
	oidEC      = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidEd25519 = asn1.ObjectIdentifier{1, 3, 101, 112}
)

func parsePKCS8(der []byte) (*derKey, bool) {
	var p struct {
		Version   int
		Algorithm struct {
			OID        asn1.ObjectIdentifier
			Parameters asn1.RawValue `asn1:"optional"`
		}
		Key        []byte
		Attributes asn1.RawValue  `asn1:"optional,tag:0"`
		Public     asn1.BitString `asn1:"optional,tag:1"`
	}
	if _, err := asn1.Unmarshal(der, &p); err != nil || p.Version > 1 {
		return nil, false
	}
	oid := p.Algorithm.OID
	switch {
	case oid.Equal(oidRSA), oid.Equal(oidRSAPSS):
		return parsePKCS1(p.Key)
	case oid.Equal(oidEC):
		var curve asn1.ObjectIdentifier
		if _, err := asn1.Unmarshal(p.Algorithm.Parameters.FullBytes, &curve); err != nil {
			return &derKey{kind: "EC", reason: "parses as a private key"}, true
		}
		return parseSEC1(p.Key, curve)
	case oid.Equal(oidEd25519):
		var seed []byte
		if _, err := asn1.Unmarshal(p.Key, &seed); err != nil || len(seed) != 32 {
			return nil, false
		}
		return ed25519Key(seed, p.Public.Bytes), true
	case oid.Equal(oidDSA):
		return &derKey{kind: "DSA", reason: "parses as a private key"}, true
	}
	return &derKey{kind: "key of type " + oid.String(), reason: "parses as a private key"}, true
}

// ed25519Key describes an Ed25519 key; pub may be empty.
func ed25519Key(seed, pub []byte) *derKey {
	derived := ed25519Public(seed)
	k := &derKey{kind: "Ed25519", reason: "parses as a private key"}
	if len(pub) > 0 {
		k.reason = "the public half is that of the private one"
		if !bytes.Equal(pub, derived) {
			k.wrong = "the public half is not that of the private one"
		}
	}
	k.blob = sshBlob([]byte("ssh-ed25519"), derived)
	return k
}

// maxBits bounds the numbers that are multiplied.
const maxBits = 32768

func parsePKCS1(der []byte) (*derKey, bool) {
	var r struct {
		Version                 int
		N, E, D, P, Q           *big.Int
		DP, DQ, QInv            *big.Int
		AdditionalPrimeInfoList asn1.RawValue `asn1:"optional"`
	}
	if _, err := asn1.Unmarshal(der, &r); err != nil {
		return nil, false
	}
	if r.Version != 0 { // more than two primes
		return &derKey{kind: "RSA", reason: "parses as a private key"}, true
	}
	return rsaKey(r.N, r.E, r.D, r.P, r.Q), true
}

// rsaKey checks that p·q = n, and that e and d undo each other.
func rsaKey(n, e, d, p, q *big.Int) *derKey {
	k := &derKey{kind: fmt.Sprintf("RSA, %d bits", n.BitLen()), reason: "its primes multiply to its modulus"}
	k.small = n.BitLen() < 1000
	one := big.NewInt(1)
	switch {
	case n.BitLen() > maxBits || p.BitLen() > maxBits || q.BitLen() > maxBits || d.BitLen() > maxBits || e.BitLen() > maxBits:
		k.wrong = "its numbers are too large"
	case p.Cmp(one) <= 0 || q.Cmp(one) <= 0 || e.Cmp(one) <= 0 || d.Cmp(one) <= 0 || new(big.Int).Mul(p, q).Cmp(n) != 0:
		k.wrong = "its primes do not multiply to its modulus"
	case !inverse(e, d, p) || !inverse(e, d, q):
		k.wrong = "its exponents do not undo each other"
	}
	k.blob = sshBlob([]byte("ssh-rsa"), mpint(e), mpint(n))
	return k
}

// inverse reports whether e·d = 1 modulo p-1.
func inverse(e, d, p *big.Int) bool {
	one := big.NewInt(1)
	m := new(big.Int).Sub(p, one)
	if m.Cmp(one) <= 0 {
		return false
	}
	product := new(big.Int).Mul(e, d)
	return product.Mod(product, m).Cmp(one) == 0
}

func parseSEC1DER(der []byte) (*derKey, bool) { return parseSEC1(der, nil) }

// parseSEC1 reads an ECPrivateKey (RFC 5915); curve is used when it names none.
func parseSEC1(der []byte, curve asn1.ObjectIdentifier) (*derKey, bool) {
	var p struct {
		Version int
		Key     []byte
		Curve   asn1.ObjectIdentifier `asn1:"optional,explicit,tag:0"`
		Public  asn1.BitString        `asn1:"optional,explicit,tag:1"`
	}
	if _, err := asn1.Unmarshal(der, &p); err != nil {
		return parseSEC1Explicit(der)
	}
	if p.Version != 1 || len(p.Key) == 0 {
		return nil, false
	}
	if p.Curve != nil {
		curve = p.Curve
	}
	return ecKey(curve.String(), p.Key, p.Public.Bytes), true
}

// parseSEC1Explicit reads an ECPrivateKey that writes its curve's numbers out.
func parseSEC1Explicit(der []byte) (*derKey, bool) {
	var p struct {
		Version int
		Key     []byte
		Curve   asn1.RawValue `asn1:"tag:0"`
	}
	if _, err := asn1.Unmarshal(der, &p); err != nil || p.Version != 1 || len(p.Key) == 0 {
		return nil, false
	}
	return &derKey{kind: "EC", reason: "parses as a private key"}, true
}

// An ecCurve is a curve on which the public half can be computed.
type ecCurve struct {
	oid, name, ssh string
	size           int // bytes of a scalar
	public         func(scalar []byte) []byte
}

var ecCurves = [...]ecCurve{
	{"1.2.840.10045.3.1.7", "P-256", "nistp256", 32, func(k []byte) []byte { return nistPublic(ecdh.P256(), k) }},
	{"1.3.132.0.34", "P-384", "nistp384", 48, func(k []byte) []byte { return nistPublic(ecdh.P384(), k) }},
	{"1.3.132.0.35", "P-521", "nistp521", 66, func(k []byte) []byte { return nistPublic(ecdh.P521(), k) }},
	{"1.3.132.0.10", "secp256k1", "", 32, func(k []byte) []byte {
		pub, ok := secp256k1Public(k)
		if !ok {
			return nil
		}
		return pub.SerializeUncompressed()
	}},
}

func nistPublic(curve ecdh.Curve, scalar []byte) []byte {
	k, err := curve.NewPrivateKey(scalar)
	if err != nil {
		return nil
	}
	return k.PublicKey().Bytes()
}

// ecKey checks that the scalar lies on the curve and gives the public point, of
// which pub may be empty or compressed.
func ecKey(oid string, scalar, pub []byte) *derKey {
	k := &derKey{kind: "EC", reason: "parses as a private key"}
	for i := range ecCurves {
		c := &ecCurves[i]
		if c.oid != oid {
			continue
		}
		k.kind = "EC " + c.name
		scalar = bytes.TrimLeft(scalar, "\x00")
		if len(scalar) > c.size {
			k.wrong = "the number is outside the curve's order"
			return k
		}
		scalar = append(make([]byte, c.size-len(scalar)), scalar...)
		derived := c.public(scalar)
		switch {
		case derived == nil:
			k.wrong = "the number is outside the curve's order"
			return k
		case len(pub) == len(derived) && !bytes.Equal(pub, derived),
			len(pub) == c.size+1 && !bytes.Equal(pub[1:], derived[1:c.size+1]):
			k.wrong = "the public half is not that of the private one"
		case len(pub) > 0:
			k.reason = "the public half is that of the private one"
		default:
			k.reason = "the number is within the curve's order"
		}
		if c.ssh != "" {
			k.blob = sshBlob([]byte("ecdsa-sha2-"+c.ssh), []byte(c.ssh), derived)
		}
	}
	return k
}

func parseDSA(der []byte) (*derKey, bool) {
	var d struct {
		Version       int
		P, Q, G, Y, X *big.Int
	}
	if rest, err := asn1.Unmarshal(der, &d); err != nil || d.Version != 0 || len(rest) != 0 {
		return nil, false
	}
	k := &derKey{kind: fmt.Sprintf("DSA, %d bits", d.P.BitLen()), reason: "the public half is that of the private one"}
	switch {
	case d.P.BitLen() > 4096 || d.X.BitLen() > 512 || d.P.Sign() <= 0 || d.X.Sign() <= 0 || d.G.Sign() <= 0 || d.P.Bit(0) == 0:
		k.wrong = "its numbers are out of range"
	case new(big.Int).Exp(d.G, d.X, d.P).Cmp(d.Y) != 0:
		k.wrong = "the public half is not that of the private one"
	}
	k.blob = sshBlob([]byte("ssh-dss"), mpint(d.P), mpint(d.Q), mpint(d.G), mpint(d.Y))
	return k, true
}

// sshBlob joins fields, each after its length, as SSH does (RFC 4251).
func sshBlob(fields ...[]byte) []byte {
	var b []byte
	for _, f := range fields {
		b = binary.BigEndian.AppendUint32(b, uint32(len(f)))
		b = append(b, f...)
	}
	return b
}

// mpint writes a positive number as SSH does: no leading zero but for a sign.
func mpint(n *big.Int) []byte {
	b := n.Bytes()
	if len(b) > 0 && b[0]&0x80 != 0 {
		return append([]byte{0}, b...)
	}
	return b
}
