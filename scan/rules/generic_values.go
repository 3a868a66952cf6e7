package rules

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"

	"github.com/keywright/keywright/scan/proof"
)

// notSecret reports whether a value has a form that confidential values do not
// have, or stands in for one: placeholders, UUIDs, addresses, paths, dates,
// versions, colours, public keys, the names of types and variables.
func notSecret(v []byte) bool {
	switch {
	case proof.Placeholder(v), proof.UUID(v), allDigits(v):
		return true
	case bytes.Contains(v, []byte("://")), bytes.HasPrefix(v, []byte("data:")), mailOrDomain(v):
		return true
	case pathLike(v), numberLike(v), codeLike(v), publicKey(v), markup(v), counting(v), wordInBase64(v):
		return true
	}
	return false
}

// counting reports whether v is hexadecimal bytes that count up: the keys of
// test vectors.
func counting(v []byte) bool {
	raw, err := hex.DecodeString(string(v))
	if err != nil || len(raw) < 8 {
		return false
	}
	steps := 0
	for i := 1; i < len(raw); i++ {
		if raw[i] == raw[i-1]+1 || raw[i] == raw[i-1] || raw[i] == raw[i-1]+0x11 {
			steps++
		}
	}
	return steps*10 >= (len(raw)-1)*7
}

// wordInBase64 reports whether v is the base 64 of a placeholder, a name or a
// sentence.
func wordInBase64(v []byte) bool {
	raw, err := base64.StdEncoding.DecodeString(string(v))
	if err != nil {
		raw, err = base64.RawURLEncoding.DecodeString(string(v))
	}
	if err != nil || len(raw) < 4 {
		return false
	}
	raw = bytes.TrimSpace(raw)
	for _, c := range raw {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return proof.Placeholder(raw) || proof.LooksLikeIdentifier(raw)
}

func allDigits(v []byte) bool {
	for _, c := range v {
		if !digitByte(c) {
			return false
		}
	}
	return true
}

// numberLike reports whether v is a number, date, time, version or IP address:
// at most three letters among digits and punctuation.
func numberLike(v []byte) bool {
	letters, digits := 0, 0
	for _, c := range v {
		switch {
		case letterByte(c):
			letters++
		case digitByte(c):
			digits++
		case bytes.IndexByte([]byte(".:/-+_, T"), c) < 0:
			return false
		}
	}
	return letters <= 1 && digits > 0 || v[0] == '0' && letters == 1
}

// mailOrDomain reports whether v is an e-mail address or a host name, perhaps
// with a port: words with dots, the last of letters.
func mailOrDomain(v []byte) bool {
	if i := bytes.IndexByte(v, '@'); i > 0 && i < len(v)-3 {
		host := v[i+1:]
		return bytes.IndexByte(host, '.') > 0 && hostBytes(host) && bytes.IndexByte(host, '@') < 0 && letterByte(host[len(host)-1]) &&
			proof.LooksLikeIdentifier(host)
	}
	if i := bytes.IndexByte(v, ':'); i > 0 && allDigits(v[i+1:]) && len(v)-i < 7 {
		v = v[:i]
	}
	i := bytes.LastIndexByte(v, '.')
	return i > 0 && hostBytes(v) && bytes.Count(v, []byte(".")) >= 1 && knownSuffix(string(bytes.ToLower(v[i+1:])))
}

func hostBytes(v []byte) bool {
	for _, c := range v {
		if !nameByte(c) {
			return false
		}
	}
	return true
}

// knownSuffix reports whether a text after the last dot is a file's or a
// domain's.
func knownSuffix(s string) bool { return suffixes.Has(s) }

var suffixes = proof.WordSet{List: `
	com net org io dev app co uk de fr edu gov ai cloud local internal example test invalid localhost lan
	js jsx ts tsx mjs json yaml yml toml ini cfg conf env xml html htm css scss svg png jpg jpeg gif ico webp
	go py rb php java kt rs c h cc cpp hpp cs sh bash ps1 bat sql md txt rst log lock csv tmpl tpl vue
	pem key crt cer der p12 pfx jks pub asc gpg zip gz tgz tar jar war so dll exe
`}

// pathLike reports whether v is a file's path, a route or a media type: parts
// between slashes that are words.
func pathLike(v []byte) bool {
	switch {
	case v[0] == '.' && len(v) > 1 && (v[1] == '/' || v[1] == '.'), bytes.HasPrefix(v, []byte("~/")):
		return true
	case len(v) > 2 && letterByte(v[0]) && v[1] == ':' && v[2] == '/':
		return true
	}
	slashes := bytes.Count(v, []byte("/"))
	if slashes == 0 {
		return false
	}
	words, parts := 0, 0
	for p := range bytes.SplitSeq(v, []byte("/")) {
		if len(p) == 0 {
			continue
		}
		parts++
		if len(p) <= 3 || proof.LooksLikeIdentifier(p) {
			words++
		}
	}
	return v[0] == '/' && words*3 >= parts || words*3 >= parts*2
}

// codeLike reports whether v is a piece of a program: a call, a reference with
// brackets, a format, a template, a variable.
func codeLike(v []byte) bool {
	switch {
	case bytes.ContainsAny(v, "()<>{}|;,") && proof.LooksLikeIdentifier(v):
		return true
	case bytes.Contains(v, []byte("](")), bytes.Contains(v, []byte("()")), bytes.Contains(v, []byte("=>")),
		bytes.Contains(v, []byte("->")), bytes.Contains(v, []byte("::")), bytes.Contains(v, []byte("</")),
		bytes.Contains(v, []byte("&&")), bytes.Contains(v, []byte("||")), bytes.Contains(v, []byte("env:")):
		return true
	case v[0] == '$' && len(v) > 1 && (letterByte(v[1]) || v[1] == '_') && upperName(v[1:]):
		return true
	case v[0] == '%' && bytes.Count(v, []byte("%")) > 1:
		return true
	case v[0] == '#' && len(v) == 7:
		return true // a colour
	case v[0] == '.' || v[0] == '#' && proof.LooksLikeIdentifier(v[1:]):
		return true // a selector
	}
	if name, value, ok := bytes.Cut(v, []byte("=")); ok && proof.LooksLikeIdentifier(name) && proof.LooksLikeIdentifier(value) {
		return true // name=word
	}
	if i := bytes.IndexByte(v, '='); i > 0 && i < len(v)-2 && upperName(append([]byte("_"), v[:i]...)) {
		return true // NAME=value
	}
	return upperName(v)
}

// upperName reports whether v is a constant's or environment variable's name:
// capitals in words joined by underscores.
func upperName(v []byte) bool {
	under, digits := 0, 0
	for _, c := range v {
		switch {
		case c == '_':
			under++
		case digitByte(c):
			digits++
		case !upperByte(c):
			return false
		}
	}
	return under >= 1 && digits*4 <= len(v)
}

// markup reports whether v is part of a language of markup or patterns.
func markup(v []byte) bool {
	return v[0] == '<' || v[0] == '^' && bytes.ContainsAny(v, "[(") || bytes.Contains(v, []byte("[^")) ||
		bytes.Contains(v, []byte("[a-z")) || bytes.Contains(v, []byte("[A-Z")) || bytes.Contains(v, []byte("[0-9")) ||
		bytes.Contains(v, []byte("]{")) || bytes.Contains(v, []byte(".*")) || bytes.Contains(v, []byte("&#")) || bytes.Contains(v, []byte("&amp"))
}

// publicPrefixes begin keys that are meant to be read by everybody, symbols that a
// compiler made, and tokens
// that have rules of their own.
var publicPrefixes = [...]string{
	"pk_live_", "pk_test_", "pk.eyJ", "sb_publishable_", "phc_", "eyJ", "ssh-rsa", "ssh-ed25519", "ecdsa-sha2",
	"AAAAB3NzaC1", "AAAAC3NzaC1", "-----BEGIN", "_RNv", "_RIN", "_ZN", "SHA256:", "MD5:", "sha256-", "sha384-", "sha512-", "sha1-", "sha256:", "age1", "npub1", "urn:", "did:",
}

func publicKey(v []byte) bool {
	for _, p := range publicPrefixes {
		if bytes.HasPrefix(v, []byte(p)) {
			return true
		}
	}
	if bytes.HasSuffix(v, []byte("4_request")) {
		return true // the scope of a signed request
	}
	return bytes.Contains(v, []byte(".eyJ")) // a JWT, or parts of one: it has its own rule
}

// encryptedPrefixes begin values that are encrypted or hashed.
var encryptedPrefixes = [...]string{
	"ENC[", "ENC(", "{cipher}", "vault:v", "$ANSIBLE_VAULT", "enc:", "encrypted:", "$2a$", "$2b$", "$2y$", "$1$", "$5$", "$6$", "$y$", "$apr1$",
	"$argon2", "$pbkdf2", "pbkdf2_", "pbkdf2:", "scrypt:", "bcrypt", "{SSHA", "{SHA", "{MD5", "{CRYPT", "{bcrypt}", "AQICAH", "argon2", "SCRAM-SHA-",
}

// encrypted says that v is a value that was encrypted or hashed; it is empty for
// others.
func encrypted(v []byte) string {
	for _, p := range encryptedPrefixes {
		if bytes.HasPrefix(v, []byte(p)) {
			return "looks encrypted or hashed"
		}
	}
	return ""
}

// expressionLike reports whether v, which stands without quotes, can be an
// expression of a program: a dotted or arrowed path, an operator, a variable.
func expressionLike(v []byte) bool {
	name := bytes.TrimRight(v, "=")
	if proof.LooksLikeIdentifier(name) {
		return true
	}
	if _, digits := byteClasses(v); digits == 0 && len(name) < len(v) && hostBytes(name) {
		return true // the next of a list of NAME=
	}
	if i := bytes.LastIndexByte(v, '.'); i > 0 && upperName(v[i+1:]) {
		return true // C.CONSTANT_NAME
	}
	if i := bytes.LastIndexByte(v, '.'); i > 0 && i < len(v)-1 && hostBytes(v) && letterByte(v[0]) && letterByte(v[i+1]) &&
		(proof.LooksLikeIdentifier(v[:i]) || proof.LooksLikeIdentifier(v[i+1:])) {
		return true // object.field
	}
	if i := bytes.IndexAny(v, "*?:+="); i > 0 && i < len(v)-1 && proof.LooksLikeIdentifier(v[:i]) && proof.LooksLikeIdentifier(v[i+1:]) {
		return true // a*b, a?b
	}
	return v[0] == '@' || v[0] == '~' && len(v) > 1 && v[1] == '/'
}

// documented are the first sixteen bytes, in hexadecimal, of the SHA-256 of
// tokens in the examples of RFC 5849, RFC 6749, RFC 6750 and in OAuth guides.
var documented = proof.WordSet{List: `
	6c96130f130ab0d6d158397e24d2bcc1
	00cf4c781dc37003f7c7dd7d4c9a6ef1
	a35b81a7d7927b70ec99270dd2362b88
	e9974c507d2a802143f614c878fcbb62
	ea9bdfd02c0c412c8cc36ba67f6c17f9
	9d03b692e941d5ace207a9f804883443
	8d567eb88afff34f31ab97fbb2731e58
	80f8b7c904d4a43f3b7036db73247daa
	2ff8b0fb93aca981c78f1e94355c298c
	cb87c87e4a138d9a72259d2a01bab156
	649e1f5c769e718ba10d1a702a36499a
	bb9b1163338b2a51495834ad5c654204
	293257ab6495ebb11cf9e4aee0686ca3
	d167410a16865cd6463a00034dff5e57
	8e0628300c16fe3834b3b87d23e35261
	00b3dc640c9c99fcdbdab6f63d785248
	5aac38e542b76b97b3518c0293214d0b
	0e04efa6bc7d2d512fc108c5ba4215c4
	ce9dcd929b61415a0353ef3b6cc464c3
	819994820a8ec7d6193be7f6c9b8b0f6
`}

func isDocumented(v []byte) bool {
	sum := sha256.Sum256(v)
	return documented.Has(hex.EncodeToString(sum[:16]))
}
