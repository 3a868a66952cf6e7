package proof

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"github.com/keywright/keywright/scan"
)

// BasicAuth judges the base 64 of "user:password", as in an Authorization
// header, docker's config.json and npm's _auth. A password that is a placeholder
// or a template makes no finding.
func BasicAuth(c scan.Candidate) scan.Evidence {
	raw, _ := decodeBase64Any(c.Secret())
	user, password, ok := bytes.Cut(raw, []byte(":"))
	if !ok || !visible(raw) || len(password) == 0 {
		return undecodable("a user and a password")
	}
	if len(user) == 0 && len(password) < 8 {
		return scan.Rejected
	}
	e := passwordEvidence(password, string(user), "")
	if e.Reject || e.Cap != 0 {
		return e
	}
	return scan.Holds("decodes to a user and a password")
}

// Base64Password judges a password that its file keeps in base 64, as npm's
// _password and Kubernetes secrets.
func Base64Password(c scan.Candidate) scan.Evidence {
	raw, _ := decodeBase64Any(c.Secret())
	if len(raw) == 0 || !visible(raw) {
		return scan.Evidence{}
	}
	return passwordEvidence(raw, "", "")
}

// visible reports whether b is UTF-8 without control characters.
func visible(b []byte) bool {
	for _, r := range string(b) {
		if r < ' ' || r == 0x7f {
			return false
		}
	}
	return utf8.Valid(b)
}

// PgpassLine judges a line of .pgpass: host, port, database, user and password
// between colons, with backslashes before colons within. The text is the line.
// Source: PostgreSQL's manual, "The Password File".
func PgpassLine(c scan.Candidate) scan.Evidence {
	fields := pgpassFields(bytes.TrimRight(c.Text, "\r\n"))
	if len(fields) != 5 || fields[1] != "*" && !allOf([]byte(fields[1]), scan.Digits) || fields[4] == "" {
		return scan.Rejected
	}
	return passwordEvidence([]byte(fields[4]), fields[3], strings.TrimPrefix(fields[0], "*"))
}

func pgpassFields(line []byte) []string {
	var fields []string
	var field []byte
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '\\' && i+1 < len(line):
			i++
			field = append(field, line[i])
		case line[i] == ':':
			fields = append(fields, string(field))
			field = field[:0]
		default:
			field = append(field, line[i])
		}
	}
	return append(fields, string(field))
}

// A hashForm is the form of a password hash: what it begins with, and the bytes
// that it has from there, or 0 if that varies.
type hashForm struct {
	prefix string
	size   int
	name   string
}

// Sources: crypt(5), Apache's htpasswd, and RFC 2307 for the braces.
var hashForms = [...]hashForm{
	{"$apr1$", 0, "an Apache MD5 hash"},
	{"$2a$", 60, "a bcrypt hash"},
	{"$2b$", 60, "a bcrypt hash"},
	{"$2y$", 60, "a bcrypt hash"},
	{"$2x$", 60, "a bcrypt hash"},
	{"$1$", 0, "an MD5 crypt hash"},
	{"$5$", 0, "a SHA-256 crypt hash"},
	{"$6$", 0, "a SHA-512 crypt hash"},
	{"$y$", 0, "a yescrypt hash"},
	{"$7$", 0, "a scrypt hash"},
	{"$argon2", 0, "an Argon2 hash"},
	{"$pbkdf2", 0, "a PBKDF2 hash"},
	{"pbkdf2_sha", 0, "a PBKDF2 hash"},
	{"scrypt:", 0, "a scrypt hash"},
	{"{SHA}", 33, "an SHA-1 hash"},
	{"{SSHA}", 0, "a salted SHA-1 hash"},
	{"SCRAM-SHA-256$", 0, "a SCRAM verifier"},
}

// hashTails are the lengths of the last field, by prefix, where they are fixed.
var hashTails = map[string]int{"$apr1$": 22, "$1$": 22, "$5$": 43, "$6$": 86, "$y$": 43, "$7$": 43}

// PasswordHash recognises the hash of a password, as in htpasswd and shadow
// files. It is low: whoever finds it must still guess the password. A text of the
// wrong length is no hash.
func PasswordHash(c scan.Candidate) scan.Evidence {
	secret := string(c.Secret())
	for _, f := range hashForms {
		if !strings.HasPrefix(secret, f.prefix) {
			continue
		}
		tail := secret[strings.LastIndexByte(secret, '$')+1:]
		want, fixed := hashTails[f.prefix]
		if f.size != 0 && len(secret) != f.size || fixed && len(tail) != want {
			return scan.Rejected
		}
		return scan.Evidence{Reason: f.name + " of a password", Cap: scan.Low}
	}
	return scan.Rejected
}

// An encryptedForm is how a tool marks what it has encrypted.
type encryptedForm struct{ prefix, name string }

var encryptedForms = [...]encryptedForm{
	{"$ANSIBLE_VAULT;", "Ansible Vault"},
	{"ENC[AES256_GCM,", "SOPS"},
	{"ENC[PKCS7,", "hiera-eyaml"},
	{"ENC[GPG,", "hiera-eyaml"},
	{"ENC(", "Jasypt"},
	{"{cipher}", "Spring Cloud Config"},
	{"encrypted:", "dotenvx"},
	{"age-encryption.org/v1", "age"},
	{"-----BEGIN AGE ENCRYPTED FILE", "age"},
	{"-----BEGIN PGP MESSAGE", "OpenPGP"},
	{"\x00GITCRYPT", "git-crypt"},
	{"U2FsdGVkX1", "openssl enc"},
	{"Salted__", "openssl enc"},
	{"AQICAH", "AWS KMS"},
	{"vault:v", "Vault Transit"},
	{"!vault", "Ansible Vault"},
	{"gAAAAA", "Fernet"},
}

// Encrypted names the tool that has encrypted value, by the mark that the tool
// leaves; it is empty if there is none. Sealed Secrets, whose values are base 64
// that begins "Ag" and is longer than 500 characters, are recognised too.
func Encrypted(value []byte) string {
	value = bytes.TrimSpace(value)
	for _, f := range encryptedForms {
		if bytes.HasPrefix(value, []byte(f.prefix)) {
			return f.name
		}
	}
	switch {
	case len(value) > 500 && bytes.HasPrefix(value, []byte("Ag")) && allOf(value, scan.Base64Std+"="):
		return "Sealed Secrets"
	case len(value) > 20 && value[0] == '{' && value[len(value)-1] == '}' && allOf(value[1:len(value)-1], scan.Base64Std+"="):
		return "Maven"
	}
	return ""
}

// AnsibleVault rejects a whole Ansible Vault text: its inside is the hexadecimal
// form of a salt, an HMAC and the cipher text, each in hexadecimal. A text that
// is not is no vault, and the shape speaks.
func AnsibleVault(c scan.Candidate) scan.Evidence {
	head, body, ok := bytes.Cut(c.Secret(), []byte("\n"))
	if !ok || !bytes.HasPrefix(head, []byte("$ANSIBLE_VAULT;1.")) {
		return scan.Evidence{}
	}
	inner, err := hex.DecodeString(string(dropSpace(body)))
	if err != nil {
		return scan.Evidence{}
	}
	lines := bytes.Split(inner, []byte("\n"))
	if len(lines) != 3 {
		return scan.Evidence{}
	}
	for _, line := range lines {
		if !allOf(line, scan.LowerHex) {
			return scan.Evidence{}
		}
	}
	return scan.Rejected
}

// rcloneKey is the constant with which rclone obscures passwords; it is in
// rclone's source (fs/config/obscure) and protects nothing.
var rcloneKey = [32]byte{
	0x9c, 0x93, 0x5b, 0x48, 0x73, 0x0a, 0x55, 0x4d, 0x6b, 0xfd, 0x7c, 0x63, 0xc8, 0x86, 0xa9, 0x2b,
	0xd3, 0x90, 0x19, 0x8e, 0xb8, 0x12, 0x8a, 0xfb, 0xf4, 0xde, 0x16, 0x2b, 0x8b, 0x95, 0xf6, 0x38,
}

// RclonePassword proves a password that rclone has obscured: it reverses to
// visible text.
func RclonePassword(c scan.Candidate) scan.Evidence {
	plain, ok := rcloneReveal(c.Secret())
	if !ok {
		return scan.Evidence{}
	}
	if e := passwordEvidence(plain, "", ""); e.Reject || e.Cap != 0 {
		return e
	}
	if len(plain) < 4 {
		return scan.Evidence{}
	}
	return scan.Holds("reverses to a password")
}

func rcloneReveal(text []byte) (plain []byte, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(string(text))
	if err != nil || len(raw) <= aes.BlockSize {
		return nil, false
	}
	block, err := aes.NewCipher(rcloneKey[:])
	if err != nil {
		return nil, false
	}
	plain = make([]byte, len(raw)-aes.BlockSize)
	cipher.NewCTR(block, raw[:aes.BlockSize]).XORKeyStream(plain, raw[aes.BlockSize:])
	return plain, visible(plain)
}

// The marks by which key stores are known.
const (
	// JKSGate begins a Java key store.
	JKSGate = "\xfe\xed\xfe\xed\x00\x00\x00"
	// PKCS12Gate is the object identifier of PKCS #7 data, with its DER header.
	PKCS12Gate = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
)

// JavaKeyStore finds a private key in a Java key store (JKS); stores that hold
// certificates only give nothing. The secret is the whole object, and the
// confidence at most medium: a password protects the key. For Object rules with
// the gate JKSGate.
func JavaKeyStore(data []byte) []scan.ObjectMatch {
	if !bytes.HasPrefix(data, []byte(JKSGate)) || !jksHoldsKey(data) {
		return nil
	}
	return wholeObject(data, "a Java key store with a private key")
}

// jksHoldsKey walks the entries: a tag (1 a key, 2 a certificate), an alias, a
// date, and what the tag says. Source: sun.security.provider.JavaKeyStore.
func jksHoldsKey(data []byte) bool {
	if len(data) < 12 {
		return false
	}
	version, count := binary.BigEndian.Uint32(data[4:]), binary.BigEndian.Uint32(data[8:])
	if version != 1 && version != 2 || count == 0 {
		return false
	}
	b := data[12:]
	take := func(width int) bool { // a length of width bytes, then as many bytes
		n, ok := bigEndian(b, width)
		if !ok || n > len(b)-width {
			return false
		}
		b = b[width+n:]
		return true
	}
	for range count {
		if len(b) < 4 {
			return false
		}
		tag := binary.BigEndian.Uint32(b)
		b = b[4:]
		if tag == 1 {
			return take(2) && len(b) > 12
		}
		if tag != 2 || !take(2) || len(b) < 8 {
			return false
		}
		b = b[8:]
		if version == 2 && !take(2) {
			return false
		}
		if !take(4) {
			return false
		}
	}
	return false
}

// PKCS12Store finds a PKCS #12 store: a DER sequence that begins with version 3
// and PKCS #7 data, and ends where the object ends. As JavaKeyStore else. For
// Object rules with the gate PKCS12Gate.
func PKCS12Store(data []byte) []scan.ObjectMatch {
	inside, ok := derSequence(data)
	if !ok || !bytes.HasPrefix(inside, []byte{2, 1, 3, 0x30}) {
		return nil
	}
	if i := bytes.Index(inside[:min(len(inside), 32)], []byte(PKCS12Gate)); i < 0 {
		return nil
	}
	return wholeObject(data, "a PKCS #12 store")
}

// derSequence returns the contents of data if it is one DER sequence; the
// indefinite form, which some tools write, goes to the end.
func derSequence(data []byte) (inside []byte, ok bool) {
	if len(data) < 8 || data[0] != 0x30 {
		return nil, false
	}
	switch n := int(data[1]); {
	case n == 0x80:
		return data[2:], true
	case n < 0x80:
		return data[2:], n == len(data)-2
	case n <= 0x84:
		width := n - 0x80
		size, fits := bigEndian(data[2:], width)
		return data[2+width:], fits && size == len(data)-2-width
	}
	return nil, false
}

func wholeObject(data []byte, what string) []scan.ObjectMatch {
	return []scan.ObjectMatch{{
		Parts:    []scan.Span{{Role: scan.RoleSecret, Start: 0, End: len(data)}},
		Evidence: scan.Evidence{Reason: what + ", under a password", Cap: scan.Medium},
	}}
}
