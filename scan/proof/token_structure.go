package proof

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/keywright/keywright/scan"
)

// undecodable is the evidence of a token whose inside is not what its kind holds.
func undecodable(what string) scan.Evidence {
	return scan.Fails("does not decode to " + what + ": edited, truncated or an example")
}

// jsonToken decodes base-64 JSON of either alphabet and returns the object if it
// has all of the keys.
func jsonToken(b []byte, keys ...string) (map[string]any, bool) {
	raw, _ := decodeBase64Any(b)
	var m map[string]any
	if len(raw) == 0 || json.Unmarshal(raw, &m) != nil {
		return nil, false
	}
	for _, k := range keys {
		if _, ok := m[k]; !ok {
			return nil, false
		}
	}
	return m, true
}

func textOf(m map[string]any, key string) string {
	s, _ := m[key].(string)
	return s
}

// day writes seconds since 1970 as a date in UTC.
func day(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.DateOnly) }

// GrafanaCloud proves glc_ access policy tokens: the base 64 of JSON with the
// organisation, a name and a key. Source: grafana.com/docs, access policies.
func GrafanaCloud(c scan.Candidate) scan.Evidence {
	rest, ok := afterPrefix(c.Secret(), "glc_")
	if !ok {
		return scan.Evidence{}
	}
	m, ok := jsonToken(rest, "o", "n", "k")
	if !ok {
		return undecodable("a Grafana Cloud token")
	}
	e := scan.Holds("decodes to a Grafana Cloud token")
	e.PublicID = printable(textOf(m, "n"), 60)
	return e
}

// GrafanaLegacyKey proves the API keys of older Grafana: the base 64 of JSON with
// a key, a name and the organisation's id.
func GrafanaLegacyKey(c scan.Candidate) scan.Evidence {
	m, ok := jsonToken(c.Secret(), "k", "n", "id")
	if !ok {
		return undecodable("a Grafana API key")
	}
	e := scan.Holds("decodes to a Grafana API key")
	e.PublicID = printable(textOf(m, "n"), 60)
	return e
}

// AtlassianDataCenter proves personal access tokens of Jira, Confluence and
// Bitbucket Data Center: the base 64 of twelve digits, a colon and twenty bytes.
// After BBDC- other contents occur too.
func AtlassianDataCenter(c scan.Candidate) scan.Evidence {
	rest, bitbucket := bytes.CutPrefix(c.Secret(), []byte("BBDC-"))
	raw, _ := decodeBase64Any(rest)
	i := bytes.IndexByte(raw, ':')
	if i >= 10 && allOf(raw[:i], scan.Digits) && len(raw)-i-1 == 20 {
		return scan.Holds("decodes to an id and twenty bytes")
	}
	if bitbucket {
		return scan.Evidence{}
	}
	return undecodable("an id and twenty bytes")
}

// JFrogReference proves JFrog reference tokens: the base 64 of
// "reftkn:01:", an expiry in seconds, a colon and a random text.
func JFrogReference(c scan.Candidate) scan.Evidence {
	raw, _ := decodeBase64Any(c.Secret())
	fields := bytes.SplitN(raw, []byte(":"), 4)
	if len(fields) != 4 || string(fields[0]) != "reftkn" {
		return undecodable("a reference token")
	}
	expiry, err := strconv.ParseInt(string(fields[2]), 10, 64)
	if err != nil || expiry < 0 || expiry > math.MaxUint32 {
		return undecodable("a reference token")
	}
	if expiry == 0 {
		return scan.Holds("decodes to a reference token that does not expire")
	}
	return scan.Holds("decodes to a reference token, expires " + day(expiry))
}

// JFrogKey judges JFrog API keys: AKCp and 69 characters of base 58.
func JFrogKey(c scan.Candidate) scan.Evidence {
	if !allOf(c.Secret(), scan.Base58) {
		return scan.Fails("not in base 58: edited or an example")
	}
	return scan.Evidence{}
}

// PyPIToken proves PyPI upload tokens: a macaroon of version 2 that is complete
// to the last byte of its signature, which only PyPI can verify.
// Source: docs.pypi.org; the macaroon format is libmacaroons' README.
func PyPIToken(c scan.Candidate) scan.Evidence {
	rest, ok := afterPrefix(c.Secret(), "pypi-")
	if !ok {
		return scan.Evidence{}
	}
	raw, _ := decodeBase64Any(rest)
	location, ok := parseMacaroon(raw)
	if !ok {
		return undecodable("a macaroon")
	}
	e := scan.Holds("decodes to a macaroon for " + printable(location, 40))
	if location != "pypi.org" {
		e.Cap = scan.High
	}
	return e
}

// The field types of a macaroon of version 2.
const (
	macaroonEnd        = 0
	macaroonLocation   = 1
	macaroonIdentifier = 2
	macaroonVerifier   = 4
	macaroonSignature  = 6
)

// parseMacaroon reads a whole macaroon of version 2 and returns its location.
func parseMacaroon(b []byte) (location string, ok bool) {
	if len(b) == 0 || b[0] != 2 {
		return "", false
	}
	b = b[1:]
	section := func() (fields int, ok bool) {
		for {
			kind, value, rest, ok := macaroonField(b)
			if !ok {
				return 0, false
			}
			b = rest
			switch kind {
			case macaroonEnd:
				return fields, true
			case macaroonLocation:
				if location == "" {
					location = string(value)
				}
			case macaroonIdentifier, macaroonVerifier:
			default:
				return 0, false
			}
			fields++
		}
	}
	if n, ok := section(); !ok || n == 0 {
		return "", false
	}
	for {
		n, ok := section()
		if !ok {
			return "", false
		}
		if n == 0 { // the end of the caveats
			break
		}
	}
	kind, signature, rest, ok := macaroonField(b)
	return location, ok && kind == macaroonSignature && len(signature) == 32 && len(rest) == 0
}

func macaroonField(b []byte) (kind uint64, value, rest []byte, ok bool) {
	kind, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, nil, false
	}
	b = b[n:]
	if kind == macaroonEnd {
		return kind, nil, b, true
	}
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return 0, nil, nil, false
	}
	b = b[n:]
	return kind, b[:size], b[size:], true
}

// FlyToken proves Fly.io tokens: one or several macaroons (fm1r_, fm1a_, fm2_),
// separated by commas, each a complete MessagePack array of a nonce, a location,
// caveats and a tail. Source: superfly/macaroon.
func FlyToken(c scan.Candidate) scan.Evidence {
	secret := bytes.TrimPrefix(c.Secret(), []byte("FlyV1 "))
	for token := range bytes.SplitSeq(secret, []byte(",")) {
		rest, ok := afterPrefix(token, "fm1r_", "fm1a_", "fm2_")
		if !ok {
			return scan.Evidence{} // fo1_ and older: nothing inside
		}
		raw, _ := decodeBase64Any(rest)
		if len(raw) < 3 || raw[0] != 0x94 || raw[1]&0xf0 != 0x90 {
			return undecodable("a macaroon")
		}
		if left, ok := skipMessagePack(raw, 0); !ok || len(left) != 0 {
			return undecodable("a macaroon")
		}
	}
	return scan.Holds("decodes to a macaroon")
}

// skipMessagePack returns what follows one value, at most 32 levels deep.
func skipMessagePack(b []byte, depth int) (rest []byte, ok bool) {
	if len(b) == 0 || depth > 32 {
		return nil, false
	}
	kind := b[0]
	b = b[1:]
	skip := func(n int) ([]byte, bool) {
		if n < 0 || n > len(b) {
			return nil, false
		}
		return b[n:], true
	}
	sized := func(width, extra int) ([]byte, bool) {
		n, ok := bigEndian(b, width)
		if !ok || n > len(b) {
			return nil, false
		}
		return skip(width + extra + n)
	}
	values := func(n int) ([]byte, bool) {
		for range n {
			if b, ok = skipMessagePack(b, depth+1); !ok {
				return nil, false
			}
		}
		return b, true
	}
	counted := func(width, each int) ([]byte, bool) {
		n, ok := bigEndian(b, width)
		if !ok || n > len(b) {
			return nil, false
		}
		b = b[width:]
		return values(n * each)
	}
	switch {
	case kind < 0x80 || kind >= 0xe0 || kind == 0xc0 || kind == 0xc2 || kind == 0xc3:
		return b, true
	case kind < 0x90:
		return values(2 * int(kind&0x0f))
	case kind < 0xa0:
		return values(int(kind & 0x0f))
	case kind < 0xc0:
		return skip(int(kind & 0x1f))
	}
	switch kind {
	case 0xc4, 0xd9:
		return sized(1, 0)
	case 0xc5, 0xda:
		return sized(2, 0)
	case 0xc6, 0xdb:
		return sized(4, 0)
	case 0xc7, 0xc8, 0xc9:
		return sized(1<<(kind-0xc7), 1)
	case 0xcc, 0xd0:
		return skip(1)
	case 0xcd, 0xd1:
		return skip(2)
	case 0xca, 0xce, 0xd2:
		return skip(4)
	case 0xcb, 0xcf, 0xd3:
		return skip(8)
	case 0xd4, 0xd5, 0xd6, 0xd7, 0xd8:
		return skip(1 + 1<<(kind-0xd4))
	case 0xdc:
		return counted(2, 1)
	case 0xdd:
		return counted(4, 1)
	case 0xde:
		return counted(2, 2)
	case 0xdf:
		return counted(4, 2)
	}
	return nil, false
}

func bigEndian(b []byte, width int) (n int, ok bool) {
	if len(b) < width {
		return 0, false
	}
	for _, c := range b[:width] {
		n = n<<8 | int(c)
	}
	return n, n >= 0
}

// VaultToken proves HashiCorp Vault's server-side consistent service tokens
// (hvs.CAES…): a protobuf message of version 1, a 32-byte HMAC and the inner
// token. Shorter service tokens, and batch tokens, have nothing to check.
// Source: hashicorp/vault, sdk/helper/consts and tokens.proto.
func VaultToken(c scan.Candidate) scan.Evidence {
	rest, ok := afterPrefix(c.Secret(), "hvs.CAES")
	if !ok || len(rest) < 60 {
		return scan.Evidence{}
	}
	raw, err := base64.RawURLEncoding.DecodeString("CAES" + string(rest))
	if err != nil || !vaultMessage(raw) {
		return undecodable("a signed token")
	}
	return scan.Holds("decodes to a signed token")
}

// vaultMessage reports whether b is 08 01, 12 20 and 32 bytes, 1a and the rest.
func vaultMessage(b []byte) bool {
	const head = 2 + 2 + 32
	if len(b) < head+2 || !bytes.HasPrefix(b, []byte{0x08, 0x01, 0x12, 0x20}) || b[head] != 0x1a {
		return false
	}
	size, n := binary.Uvarint(b[head+1:])
	return n > 0 && size == uint64(len(b)-head-1-n)
}

// SentryToken proves Sentry organisation tokens: the base 64 of JSON with the
// time of issue, addresses and the organisation, then an underscore and a secret.
// The organisation becomes the public id. Source: docs.sentry.io, organization
// tokens. User tokens (sntryu_) have nothing to check.
func SentryToken(c scan.Candidate) scan.Evidence {
	rest, ok := afterPrefix(c.Secret(), "sntrys_")
	if !ok {
		return scan.Evidence{}
	}
	text, _, ok := bytes.Cut(rest, []byte("_"))
	if !ok {
		return undecodable("an organisation token")
	}
	m, ok := jsonToken(text, "iat", "org")
	if !ok {
		return undecodable("an organisation token")
	}
	e := scan.Holds("decodes to an organisation token")
	e.PublicID = printable(textOf(m, "org"), 60)
	return e
}

// OnePasswordToken proves 1Password service account tokens: the base 64 of JSON
// with the account's secrets. Source: developer.1password.com, service accounts.
func OnePasswordToken(c scan.Candidate) scan.Evidence {
	rest, ok := afterPrefix(c.Secret(), "ops_")
	if !ok {
		return scan.Evidence{}
	}
	m, ok := jsonToken(rest, "signInAddress", "email", "muk", "secretKey")
	if !ok {
		return undecodable("a service account token")
	}
	e := scan.Holds("decodes to a service account token")
	e.PublicID = printable(textOf(m, "signInAddress"), 80)
	return e
}

// DiscordToken proves Discord bot tokens: the first of three parts is the base 64
// of the bot's user id, which becomes the public id.
// Source: discord.com/developers/docs, reference.
func DiscordToken(c scan.Candidate) scan.Evidence {
	first, _, ok := bytes.Cut(c.Secret(), []byte("."))
	if !ok {
		return scan.Evidence{}
	}
	raw, _ := decodeBase64Any(first)
	if len(raw) < 17 || len(raw) > 20 || !allOf(raw, scan.Digits) {
		return undecodable("a user id")
	}
	if _, err := strconv.ParseUint(string(raw), 10, 63); err != nil {
		return undecodable("a user id")
	}
	e := scan.Holds("its first part decodes to a user id")
	e.PublicID = "Discord user " + string(raw)
	return e
}

// LangSmithKey judges lsv2_pt_ and lsv2_sk_ keys: their 32 hexadecimal digits are
// a random UUID, so that two of them are nearly fixed.
func LangSmithKey(c scan.Candidate) scan.Evidence {
	rest, ok := afterPrefix(c.Secret(), "lsv2_pt_", "lsv2_sk_")
	if !ok || len(rest) < 32 {
		return scan.Evidence{}
	}
	if rest[12] != '4' || strings.IndexByte("89ab", rest[16]) < 0 {
		return scan.Fails("its id is no version 4 UUID: edited or an example")
	}
	return scan.Evidence{Reason: "its id is a version 4 UUID"}
}

// Postman keys begin with an ObjectId, whose first four bytes are a time. Postman
// was founded in 2012; the upper bound is fixed, because no clock is asked.
const (
	postmanFirst = 1356998400 // 2013-01-01
	postmanLast  = 2082758400 // 2036-01-01
)

// PostmanKey judges PMAK- keys: the first eight hexadecimal digits are the time
// at which the key was made.
func PostmanKey(c scan.Candidate) scan.Evidence {
	rest, ok := afterPrefix(c.Secret(), "PMAK-")
	if !ok || len(rest) < 24 {
		return scan.Evidence{}
	}
	raw, err := hex.DecodeString(string(rest[:8]))
	if err != nil {
		return scan.Fails("its id is not hexadecimal: edited or an example")
	}
	made := int64(binary.BigEndian.Uint32(raw))
	if made < postmanFirst || made > postmanLast {
		return scan.Fails("its id holds an impossible date, " + day(made) + ": edited or an example")
	}
	return scan.Evidence{Reason: "made on " + day(made)}
}

// DockerSwarmToken judges join tokens (SWMTKN-1-) and unlock keys (SWMKEY-1-): a
// digest and a secret in base 36, which must not exceed 256 and 128 bits, or 32
// bytes in base 64. Source: moby/swarmkit, ca/config.go.
func DockerSwarmToken(c scan.Candidate) scan.Evidence {
	if rest, ok := afterPrefix(c.Secret(), "SWMTKN-1-"); ok {
		digest, secret, ok := bytes.Cut(rest, []byte("-"))
		if !ok || !base36Fits(digest, 50, 256) || !base36Fits(secret, 25, 128) {
			return undecodable("a digest and a secret")
		}
		return scan.Evidence{Reason: "its digest and secret are in range"}
	}
	if rest, ok := afterPrefix(c.Secret(), "SWMKEY-1-"); ok {
		if raw, _ := decodeBase64Any(rest); len(raw) != 32 {
			return undecodable("32 bytes")
		}
		return scan.Evidence{Reason: "decodes to 32 bytes"}
	}
	return scan.Evidence{}
}

func base36Fits(b []byte, length, bits int) bool {
	if len(b) != length || !allOf(b, base36Lower) {
		return false
	}
	n, ok := new(big.Int).SetString(string(b), 36)
	return ok && n.BitLen() <= bits
}

// MapboxToken proves sk. and tk. tokens: the middle part is the base 64 of JSON
// with the user's name. pk. tokens are public. Source: docs.mapbox.com, tokens.
func MapboxToken(c scan.Candidate) scan.Evidence {
	parts := bytes.Split(c.Secret(), []byte("."))
	if len(parts) != 3 {
		return scan.Evidence{}
	}
	if string(parts[0]) == "pk" {
		return scan.Rejected
	}
	m, ok := jsonToken(parts[1], "u", "a")
	if !ok {
		return undecodable("a Mapbox token")
	}
	e := scan.Holds("decodes to a Mapbox token")
	e.PublicID = printable(textOf(m, "u"), 60)
	return e
}

// ClerkKey rejects publishable keys, which hold a domain and a dollar sign;
// secret ones (sk_) have nothing to check. Source: clerk.com/docs.
func ClerkKey(c scan.Candidate) scan.Evidence {
	rest, ok := afterPrefix(c.Secret(), "pk_live_", "pk_test_")
	if !ok {
		return scan.Evidence{}
	}
	if raw, _ := decodeBase64Any(rest); bytes.HasSuffix(raw, []byte("$")) {
		return scan.Rejected
	}
	return undecodable("a domain")
}

// The eight characters that stand inside OpenAI's and Groq's keys, each the base
// 64 of a word; written in halves so that no scanner takes this file for a key.
const (
	openAIInfix = "T3Bl" + "bkFJ" // "OpenAI"
	groqInfix   = "WGdy" + "b3FY" // "XgroqX"
)

// OpenAIKey judges sk- keys: the vendor's mark stands between two halves of equal
// length, which no placeholder is.
func OpenAIKey(c scan.Candidate) scan.Evidence {
	secret := c.Secret()
	before, after, ok := bytes.Cut(secret, []byte(openAIInfix))
	if !ok {
		return scan.Evidence{}
	}
	for _, prefix := range [...]string{"sk-proj-", "sk-svcacct-", "sk-admin-", "sk-None-", "sk-"} {
		if rest, ok := bytes.CutPrefix(before, []byte(prefix)); ok {
			before = rest
			break
		}
	}
	return infixEvidence(before, after, len(before) == len(after))
}

// GroqKey judges gsk_ keys: the vendor's mark stands after twenty characters.
// Keys without it are not told apart: the mark was found by measurement.
func GroqKey(c scan.Candidate) scan.Evidence {
	rest, ok := afterPrefix(c.Secret(), "gsk_")
	if !ok {
		return scan.Evidence{}
	}
	before, after, ok := bytes.Cut(rest, []byte(groqInfix))
	if !ok {
		return scan.Evidence{}
	}
	return infixEvidence(before, after, len(before) == 20 && len(after) == 24)
}

func infixEvidence(before, after []byte, inPlace bool) scan.Evidence {
	switch {
	case Placeholder(before) || Placeholder(after):
		return scan.Fails("filled with a placeholder")
	case !inPlace:
		return scan.Fails("the vendor's mark stands in the wrong place: edited, truncated or an example")
	}
	return scan.Evidence{Reason: "the vendor's mark stands in its place"}
}
