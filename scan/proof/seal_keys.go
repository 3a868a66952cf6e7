package proof

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"

	"github.com/keywright/keywright/scan"
)

// SealRSAKey makes an RSA private key in PEM ("RSA PRIVATE KEY") with two primes
// of bits/2 bits drawn from g. 1024 bits take some ten milliseconds.
func SealRSAKey(g *scan.Gen, bits int) string {
	e := big.NewInt(65537)
	p, q := sealPrime(g, bits/2), sealPrime(g, bits/2)
	one := big.NewInt(1)
	p1, q1 := new(big.Int).Sub(p, one), new(big.Int).Sub(q, one)
	d := new(big.Int).ModInverse(e, new(big.Int).Mul(p1, q1))
	der, err := asn1.Marshal(struct {
		Version                        int
		N, E, D, P, Q, DP, DQ, Inverse *big.Int
	}{
		0, new(big.Int).Mul(p, q), e, d, p, q,
		new(big.Int).Mod(d, p1), new(big.Int).Mod(d, q1), new(big.Int).ModInverse(q, p),
	})
	return sealPEM("RSA PRIVATE KEY", der, err)
}

// sealPrime draws a prime p of so many bits with p-1 prime to 65537.
func sealPrime(g *scan.Gen, bits int) *big.Int {
	for {
		b := g.Bytes(bits / 8)
		b[0] |= 0xC0
		b[len(b)-1] |= 1
		p := new(big.Int).SetBytes(b)
		rest := new(big.Int).Mod(p, big.NewInt(65537))
		if rest.Cmp(big.NewInt(1)) != 0 && p.ProbablyPrime(20) {
			return p
		}
	}
}

// SealECKey makes a P-256 private key in PEM ("EC PRIVATE KEY") of 32 random bytes.
func SealECKey(scalar []byte) string {
	scalar = append([]byte{1}, scalar[1:32]...) // below the curve's order
	k, err := ecdh.P256().NewPrivateKey(scalar)
	if err != nil {
		return ""
	}
	public := k.PublicKey().Bytes()
	der, err := asn1.Marshal(struct {
		Version int
		Key     []byte
		Curve   asn1.ObjectIdentifier `asn1:"explicit,tag:0"`
		Public  asn1.BitString        `asn1:"explicit,tag:1"`
	}{1, scalar, asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}, asn1.BitString{Bytes: public, BitLength: 8 * len(public)}})
	return sealPEM("EC PRIVATE KEY", der, err)
}

// SealPKCS8Key makes an Ed25519 private key in PEM ("PRIVATE KEY") of a seed of
// 32 bytes.
func SealPKCS8Key(seed []byte) string {
	der, err := x509.MarshalPKCS8PrivateKey(sealEd25519(seed))
	return sealPEM("PRIVATE KEY", der, err)
}

// SealOpenSSHKey makes an OpenSSH private key of a seed of 32 bytes.
func SealOpenSSHKey(seed []byte) string {
	pair := sealEd25519(seed)
	kind, pub := []byte("ssh-ed25519"), []byte(pair[32:])
	private := append(seed[:4:4], seed[:4]...)
	private = append(private, sshBlob(kind, pub, pair, []byte("robot"))...)
	for i := byte(1); len(private)%8 != 0; i++ {
		private = append(private, i)
	}
	data := []byte(opensshMagic)
	data = append(data, sshBlob([]byte("none"), []byte("none"), nil)...)
	data = binary.BigEndian.AppendUint32(data, 1)
	data = append(data, sshBlob(sshBlob(kind, pub), private)...)
	return sealPEM("OPENSSH PRIVATE KEY", data, nil)
}

// SealPuTTYKey makes a PuTTY private key file of version 2 or 3 of a seed of 32
// bytes.
func SealPuTTYKey(version int, seed []byte) string {
	pair := sealEd25519(seed)
	k := &puttyKey{
		version: version, algorithm: "ssh-ed25519", encryption: "none", comment: "robot",
		public: sshBlob([]byte("ssh-ed25519"), pair[32:]), private: sshBlob(pair[:32]),
	}
	var b strings.Builder
	fmt.Fprintf(&b, "PuTTY-User-Key-File-%d: %s\nEncryption: none\nComment: %s\n", version, k.algorithm, k.comment)
	public, private := sealLines(k.public), sealLines(k.private)
	fmt.Fprintf(&b, "Public-Lines: %d\n%s", strings.Count(public, "\n"), public)
	fmt.Fprintf(&b, "Private-Lines: %d\n%s", strings.Count(private, "\n"), private)
	fmt.Fprintf(&b, "Private-MAC: %s\n", hex.EncodeToString(k.computeMAC()))
	return b.String()
}

// SealPGPKey makes an armored OpenPGP Ed25519 key of version 4 without a
// passphrase, of a seed of 32 bytes, in one packet without a user id.
func SealPGPKey(seed []byte) string {
	pair := sealEd25519(seed)
	number := func(b []byte) []byte {
		b = bytes.TrimLeft(b, "\x00")
		n := new(big.Int).SetBytes(b).BitLen()
		return append([]byte{byte(n >> 8), byte(n)}, b...)
	}
	oid := []byte{9, 0x2b, 6, 1, 4, 1, 0xda, 0x47, 0x0f, 1}
	body := append([]byte{4, 0x65, 0, 0, 0, 22}, oid...)
	body = append(body, number(append([]byte{0x40}, pair[32:]...))...)
	body = append(body, 0)
	secret := number(pair[:32])
	var sum uint16
	for _, c := range secret {
		sum += uint16(c)
	}
	body = append(append(body, secret...), byte(sum>>8), byte(sum))
	data := append([]byte{0x94, byte(len(body))}, body...)
	return pgpBegin + "\n\n" + sealLines(data) + "=" + armorSum(data) + "\n" + strings.Replace(pgpBegin, "BEGIN", "END", 1) + "\n"
}

const pgpBegin = "-----BEGIN PGP " + "PRIVATE KEY BLOCK-----"

// sealEd25519 is the 64-byte private key of a seed.
func sealEd25519(seed []byte) ed25519.PrivateKey {
	return append(append(ed25519.PrivateKey(nil), seed[:32]...), ed25519Public(seed[:32])...)
}

func sealPEM(label string, der []byte, err error) string {
	if err != nil {
		return ""
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
}

// sealLines is the base 64 of b in lines of 64 characters.
func sealLines(b []byte) string {
	text := base64.StdEncoding.EncodeToString(b)
	var lines strings.Builder
	for len(text) > 64 {
		lines.WriteString(text[:64] + "\n")
		text = text[64:]
	}
	return lines.String() + text + "\n"
}

// SealCosmosArmor makes the armor that a Cosmos chain's tool exports a key in:
// headers, random bytes in place of the sealed key, and the CRC-24.
func SealCosmosArmor(g *scan.Gen) string {
	data := g.Bytes(84)
	crc := crc24(data)
	body, sum := base64.StdEncoding.EncodeToString(data), base64.StdEncoding.EncodeToString([]byte{byte(crc >> 16), byte(crc >> 8), byte(crc)})
	return "-----BEGIN " + "TENDERMINT PRIVATE KEY-----\nkdf: argon2\nsalt: " + strings.ToUpper(g.Hex(32)) + "\ntype: secp256k1\n\n" +
		body[:64] + "\n" + body[64:] + "\n=" + sum + "\n-----END " + "TENDERMINT PRIVATE KEY-----\n"
}
