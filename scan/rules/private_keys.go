package rules

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"strings"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/proof"
)

const (
	whyPrivateKey = "Whoever reads it can log in, sign or decrypt as the key's owner."
	fixPrivateKey = "Make a new key pair, replace the public half wherever it is trusted, and revoke certificates of the old one."
)

// privateKeys are keys in the forms that programs write them: PEM, OpenPGP
// armor, PuTTY files, base 64 of these, WireGuard, JSON Web Keys, key stores.
func privateKeys() []scan.Rule {
	base := scan.Rule{Provider: "generic", Why: whyPrivateKey, Fix: fixPrivateKey, Confidence: scan.High}
	rule := func(id, title, reference string, change func(*scan.Rule)) scan.Rule {
		r := base
		r.ID, r.Title, r.Reference = id, title, reference
		change(&r)
		return r
	}
	return []scan.Rule{
		rule("private-key", "Private key", "https://www.rfc-editor.org/rfc/rfc7468", func(r *scan.Rule) {
			r.Block, r.Check, r.Samples = pemBlocks(), wholePEM, pemSamples
		}),
		rule("private-key-base64", "Private key, in base 64 once more", "https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/", func(r *scan.Rule) {
			r.Object = &scan.Object{Gate: pemInBase64, Parse: base64Runs(pemInBase64, 80)}
			r.Check, r.NeedsProof = provedOrEncrypted(proof.PEMBase64), false
			r.Samples = func(g *scan.Gen) scan.Samples {
				key := base64.StdEncoding.EncodeToString([]byte(proof.SealPKCS8Key(g.Bytes(32))))
				return scan.Samples{
					Match: []string{"    client-key-data: " + key + "\n", `{"key":"` + key + `"}`},
					NoMatch: []string{base64.StdEncoding.EncodeToString([]byte(strings.ReplaceAll(proof.SealPKCS8Key(g.Bytes(32)), "PRIVATE KEY", "CERTIFICATE"))),
						pemInBase64 + g.String(scan.Base62, 200)},
				}
			}
		}),
		rule("private-key-pkcs8", "Private RSA key, bare base 64", "https://www.rfc-editor.org/rfc/rfc5958", func(r *scan.Rule) {
			r.Object = &scan.Object{Gate: pkcs8RSA, Parse: base64Runs(pkcs8RSA, 400)}
			r.Check, r.NeedsProof, r.Samples = proof.DERKey, true, pkcs8Samples
		}),
		rule("private-key-pkcs1", "Private RSA key, bare base 64", "https://www.rfc-editor.org/rfc/rfc8017", func(r *scan.Rule) {
			r.Object = &scan.Object{Gate: pkcs1RSA, Parse: base64Runs(pkcs1RSA, 400)}
			r.Check, r.NeedsProof = proof.DERKey, true
			r.Samples = func(g *scan.Gen) scan.Samples {
				key := bareBase64(proof.SealRSAKey(g, 1024))
				return scan.Samples{Match: []string{"SIGNING=" + key + "\n"}, NoMatch: []string{key[:300]}}
			}
		}),
		rule("private-key-ec", "Private key of an elliptic curve, bare base 64", "https://www.rfc-editor.org/rfc/rfc5915", func(r *scan.Rule) {
			r.Expr = begin + `(?P<secret>(?:MC4CAQAwBQYDK2VwBCIEI|MIGHAgEAMBMGByqGSM49AgEG|MHcCAQEEI|MIGkAgEBBD|MIG2AgEAMBAGByqGSM49AgEG)[0-9A-Za-z+/]{38,240}={0,2})` + afterBase64
			r.Check, r.NeedsProof = proof.DERKey, true
			r.Samples = func(g *scan.Gen) scan.Samples {
				ec, ed := bareBase64(proof.SealECKey(g.Bytes(32))), bareBase64(proof.SealPKCS8Key(g.Bytes(32)))
				return scan.Samples{
					Match:   []string{"vapid = \"" + ec + "\"", "ED=" + ed + "\n"},
					NoMatch: []string{"x" + ed, ed[:40], ed[:24] + "????" + ed[28:]},
				}
			}
		}),
		rule("putty-private-key", "PuTTY private key", "https://the.earth.li/~sgtatham/putty/latest/htmldoc/AppendixC.html", func(r *scan.Rule) {
			r.Object = &scan.Object{Gate: puttyBegin, Parse: puttyFiles}
			r.Check = proof.PuTTYKey
			r.Samples = func(g *scan.Gen) scan.Samples {
				two, three := proof.SealPuTTYKey(2, g.Bytes(32)), proof.SealPuTTYKey(3, g.Bytes(32))
				return scan.Samples{
					Match:   []string{two, "# mine\n" + three, strings.ReplaceAll(three, "\n", "\r\n")},
					Failed:  []string{strings.Replace(two, "Comment: ", "Comment: x", 1)},
					NoMatch: []string{two[:len(two)-60], puttyBegin + "2: ssh-rsa\n"},
				}
			}
		}),
		rule("wireguard-private-key", "WireGuard private key", "https://www.wireguard.com/quickstart/", func(r *scan.Rule) {
			r.Expr = `PrivateKey[ \t]{0,8}=[ \t]{0,8}(?P<secret>[0-9A-Za-z+/]{42}[AEIMQUYcgkosw048]=)` + afterBase64
			r.Check = proof.WireGuardKey
			r.Why, r.Fix = "Whoever reads it can join the network in the peer's place.", "Make a new key with wg genkey, and give its public half to every peer."
			r.Samples = func(g *scan.Gen) scan.Samples {
				key := clamped(g)
				return scan.Samples{
					Match:   []string{"[Interface]\nPrivateKey = " + key + "\nAddress = 10.0.0.2/32\n", "PrivateKey=" + key},
					NoMatch: []string{"PublicKey = " + key, "PrivateKey = " + key[:40], "PrivateKey = <your key>"},
				}
			}
		}),
		rule("wireguard-preshared-key", "WireGuard preshared key", "https://www.wireguard.com/protocol/", func(r *scan.Rule) {
			r.Expr = `PresharedKey[ \t]{0,8}=[ \t]{0,8}(?P<secret>[0-9A-Za-z+/]{42}[AEIMQUYcgkosw048]=)` + afterBase64
			r.Check, r.Confidence = proof.WireGuardPresharedKey, scan.Medium
			r.Why, r.Fix = "Together with a private key it opens the connection of two peers.", "Make a new one with wg genpsk for both peers."
			r.Samples = func(g *scan.Gen) scan.Samples {
				return scan.Samples{
					Match:   []string{"PresharedKey = " + base64.StdEncoding.EncodeToString(g.Bytes(32)) + "\n"},
					NoMatch: []string{"PresharedKey = " + g.String(scan.Base62, 30)},
				}
			}
		}),
		rule("jwk-private-key", "Private JSON Web Key", "https://www.rfc-editor.org/rfc/rfc7517", func(r *scan.Rule) {
			r.Object = &scan.Object{Gate: `"kty"`, Parse: proof.JWKObject}
			r.Samples = func(g *scan.Gen) scan.Samples {
				return scan.Samples{
					Match: []string{jwkSample(g, true)}, NoMatch: []string{jwkSample(g, false), `{"kty":"RSA"}`},
				}
			}
		}),
		rule("java-keystore", "Java key store with a private key", "https://docs.oracle.com/en/java/javase/21/docs/specs/man/keytool.html", func(r *scan.Rule) {
			r.Object, r.Confidence = &scan.Object{Gate: proof.JKSGate, Parse: proof.JavaKeyStore}, scan.Medium
			r.Samples = func(g *scan.Gen) scan.Samples {
				return scan.Samples{Match: []string{jksSample(g, 1)}, NoMatch: []string{jksSample(g, 2), "x" + jksSample(g, 1)}}
			}
		}),
		rule("pkcs12-keystore", "PKCS #12 key store", "https://www.rfc-editor.org/rfc/rfc7292", func(r *scan.Rule) {
			r.Object, r.Confidence = &scan.Object{Gate: proof.PKCS12Gate, Parse: proof.PKCS12Store}, scan.Medium
			r.Samples = func(g *scan.Gen) scan.Samples {
				inside := "\x02\x01\x03\x30\x20" + proof.PKCS12Gate + "\xa0\x10" + string(g.Bytes(40))
				return scan.Samples{Match: []string{"\x30" + string(rune(len(inside))) + inside}, NoMatch: []string{"\x30\x10" + inside, inside}}
			}
		}),
		rule("keepass-database", "KeePass database", "https://keepass.info/help/kb/kdbx.html", func(r *scan.Rule) {
			r.Path, r.Confidence = &scan.Path{Globs: []string{"*.kdbx", "*.kdb", "*.agilekeychain", "*.keychain-db", "*.psafe3"}}, scan.Medium
			r.Check, r.Samples = passwordDatabase, noText
			r.Why, r.Fix = "Whoever guesses its password has every password in it.", "Take the file out of the repository and change the passwords that it holds."
		}),
	}
}

// passwordDatabase checks that a file begins as KeePass 1 and 2, Password Safe 3
// and Apple's keychains do.
func passwordDatabase(c scan.Candidate) scan.Evidence {
	for _, magic := range []string{"\x03\xd9\xa2\x9a\x65\xfb\x4b\xb5", "\x03\xd9\xa2\x9a\x66\xfb\x4b\xb5", "\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5", "PWS3", "kych"} {
		if strings.HasPrefix(string(c.Secret()), magic) {
			return scan.Evidence{Reason: "begins as one"}
		}
	}
	return scan.Fails("does not begin as one")
}

// pemBegin and pemEnd stand in halves so that no scanner takes this file for a key.
const pemBegin, pemEnd = "-----BEGIN ", "-----END "

// pemLabels are the kinds of private keys in PEM and armor (RFC 7468, 5915, 8017,
// 9580; OpenSSH; OpenSSL).
var pemLabels = [...]string{
	"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY",
	"ED25519 PRIVATE KEY", "ECDSA PRIVATE KEY", "X25519 PRIVATE KEY", "ANY PRIVATE KEY", "PGP PRIVATE KEY BLOCK",
}

func pemBlocks() *scan.Block {
	b := &scan.Block{}
	for _, label := range pemLabels {
		b.Open = append(b.Open, pemBegin+label+"-----")
		b.Close = append(b.Close, pemEnd+label+"-----")
	}
	return b
}

// wholePEM is the proof of a PEM block. What is too short for any key is a
// program that reads or writes one.
func wholePEM(c scan.Candidate) scan.Evidence {
	lines := pemBegin + pemEnd + "----------" // and the label, twice
	if len(c.Secret()) < len(lines)+2*len("PRIVATE KEY")+48 {
		return scan.Rejected
	}
	return proof.PEMKey(c)
}

// provedOrEncrypted drops what a proof contradicts, where the text by itself is
// no sign of a key.
func provedOrEncrypted(check func(scan.Candidate) scan.Evidence) func(scan.Candidate) scan.Evidence {
	return func(c scan.Candidate) scan.Evidence {
		e := check(c)
		if e.Proof == scan.Failed || e == (scan.Evidence{}) {
			return scan.Rejected
		}
		return e
	}
}

const (
	pemInBase64 = "LS0tLS1CRUdJTi" // the base 64 of a PEM block's first bytes
	pkcs8RSA    = "IBADANBgkqhkiG9w0BAQEFAASC"
	pkcs1RSA    = "IBAAK" // version 0, and the modulus
	puttyBegin  = "PuTTY-User-Key-File-"
)

// base64Runs finds the runs of base 64 around each occurrence of mark, of at
// least min bytes.
func base64Runs(mark string, min int) func([]byte) []scan.ObjectMatch {
	return func(data []byte) []scan.ObjectMatch {
		var found []scan.ObjectMatch
		for at := 0; at < len(data); {
			i := bytes.Index(data[at:], []byte(mark))
			if i < 0 {
				break
			}
			start, end := at+i, at+i+len(mark)
			for start > at && base64Byte(data[start-1]) {
				start--
			}
			for end < len(data) && base64Byte(data[end]) {
				end++
			}
			for n := 0; n < 2 && end < len(data) && data[end] == '='; n++ {
				end++
			}
			if end-start >= min && end-start <= scan.MaxBlock {
				found = append(found, scan.ObjectMatch{Parts: []scan.Span{{Role: scan.RoleSecret, Start: start, End: end}}})
			}
			at = end
		}
		return found
	}
}

func base64Byte(c byte) bool { return letterByte(c) || digitByte(c) || c == '+' || c == '/' }

// puttyFiles finds PuTTY key files: from their first line to the line of the MAC.
func puttyFiles(data []byte) []scan.ObjectMatch {
	const mac = "Private-MAC: "
	var found []scan.ObjectMatch
	for at := 0; at < len(data); {
		i := bytes.Index(data[at:], []byte(puttyBegin))
		if i < 0 {
			break
		}
		start := at + i
		text := data[start:min(len(data), start+scan.MaxBlock)]
		at = start + len(puttyBegin)
		if next := bytes.Index(text[1:], []byte(puttyBegin)); next >= 0 {
			text = text[:next+1]
		}
		m := bytes.Index(text, []byte(mac))
		if m < 0 {
			continue
		}
		end := start + m + len(mac)
		for end < len(data) && (digitByte(data[end]) || letterByte(data[end])) {
			end++
		}
		found = append(found, scan.ObjectMatch{Parts: []scan.Span{{Role: scan.RoleSecret, Start: start, End: end}}})
		at = end
	}
	return found
}

// bareBase64 is the inside of a PEM block in one line.
func bareBase64(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[1:len(lines)-1], "")
}

func pemSamples(g *scan.Gen) scan.Samples {
	ed, ec, ssh, pgp := proof.SealPKCS8Key(g.Bytes(32)), proof.SealECKey(g.Bytes(32)), proof.SealOpenSSHKey(g.Bytes(32)), proof.SealPGPKey(g.Bytes(32))
	quoted, err := json.Marshal(map[string]string{"key": ed})
	if err != nil {
		quoted = nil
	}
	lines := strings.Split(strings.TrimSpace(ec), "\n")
	cut := strings.Split(strings.TrimSpace(ed), "\n")
	return scan.Samples{
		Match: []string{
			ed, ec, ssh, pgp, string(quoted), "KEY=\"" + strings.ReplaceAll(ed, "\n", `\n`) + "\"\n",
			"key: |\n    " + strings.ReplaceAll(strings.TrimSpace(ec), "\n", "\n    ") + "\n", strings.Join(lines, " "),
			"x = \"" + strings.Join(lines, "\\n\" +\n    \"") + "\";", strings.ReplaceAll(ssh, "\n", "\r\n"),
			pemBegin + "ENCRYPTED PRIVATE KEY-----\n" + base64.StdEncoding.EncodeToString(encryptedPKCS8(g)) + "\n" + pemEnd + "ENCRYPTED PRIVATE KEY-----\n",
		},
		Failed: []string{
			cut[0] + "\n" + g.String(scan.Base62, 64) + "\n" + cut[len(cut)-1] + "\n",
			cut[0] + "\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ\n...\n" + cut[len(cut)-1] + "\n",
		},
		NoMatch: []string{
			strings.ReplaceAll(ed, "PRIVATE", "PUBLIC"), strings.ReplaceAll(ed, "PRIVATE KEY", "CERTIFICATE"), cut[0] + "\n",
			"begin := \"" + cut[0] + "\\n\" + body + \"" + cut[len(cut)-1] + "\"",
		},
	}
}

// encryptedPKCS8 is the DER form of an encrypted key, PBES2 in outline.
func encryptedPKCS8(g *scan.Gen) []byte {
	algorithm := append([]byte{0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d}, 5, 0)
	body := append(algorithm, 4, 64)
	body = append(body, g.Bytes(64)...)
	return append([]byte{0x30, byte(len(body))}, body...)
}

// pkcs8Samples wrap an RSA key of 1024 bits in PKCS #8.
func pkcs8Samples(g *scan.Gen) scan.Samples {
	pkcs1, err := base64.StdEncoding.DecodeString(bareBase64(proof.SealRSAKey(g, 1024)))
	if err != nil {
		return scan.Samples{}
	}
	long := func(tag byte, b []byte) []byte {
		return append(binary.BigEndian.AppendUint16([]byte{tag, 0x82}, uint16(len(b))), b...)
	}
	head := []byte{2, 1, 0, 0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0}
	key := base64.StdEncoding.EncodeToString(long(0x30, append(head, long(4, pkcs1)...)))
	return scan.Samples{
		Match:   []string{"merchant_private_key = '" + key + "'\n", "KEY=" + key + "\n"},
		NoMatch: []string{key[:420], "MIIEv" + pkcs8RSA + g.String(scan.Base62, 500)},
	}
}

// clamped is a WireGuard key as wg makes them.
func clamped(g *scan.Gen) string {
	b := g.Bytes(32)
	b[0] &= 0xf8
	b[31] = b[31]&0x7f | 0x40
	return base64.StdEncoding.EncodeToString(b)
}

// jwkSample is a symmetric key, or an RSA key's public half.
func jwkSample(g *scan.Gen, private bool) string {
	if !private {
		return `{"kty":"RSA","use":"sig","kid":"` + g.UUID() + `","n":"` + g.String(scan.Base64URL, 342) + `","e":"AQAB"}`
	}
	return `{"keys":[{"kty":"oct","kid":"a","alg":"HS256","k":"` + base64.RawURLEncoding.EncodeToString(g.Bytes(32)) + `"}]}`
}

// jksSample is a key store with one entry: tag 1 is a private key, 2 a certificate.
func jksSample(g *scan.Gen, tag byte) string {
	entry := "\x00\x00\x00" + string(rune(tag)) + "\x00\x05alias" + string(g.Bytes(8))
	if tag == 1 {
		entry += "\x00\x00\x00\x20" + string(g.Bytes(32)) + "\x00\x00\x00\x00"
	} else {
		entry += "\x00\x05X.509\x00\x00\x00\x20" + string(g.Bytes(32))
	}
	return proof.JKSGate + "\x02\x00\x00\x00\x01" + entry + string(g.Bytes(20))
}
