package proof

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"hash"
	"math"
	"strings"
	"time"

	"github.com/keywright/keywright/scan"
)

// A jwt is a JSON web token in compact form (RFC 7519), decoded, not verified.
type jwt struct {
	header, claims map[string]any
	signed         []byte // header.payload, as it was signed
	signature      []byte
}

// parseJWT decodes header.payload.signature. The header must name an algorithm.
func parseJWT(b []byte) (*jwt, bool) {
	parts := bytes.Split(b, []byte("."))
	if len(parts) != 3 {
		return nil, false
	}
	t := &jwt{signed: b[:len(parts[0])+1+len(parts[1])]}
	if t.header = decodeJSONPart(parts[0]); t.header == nil || t.string(t.header, "alg") == "" {
		return nil, false
	}
	if t.claims = decodeJSONPart(parts[1]); t.claims == nil {
		return nil, false
	}
	signature, err := base64.RawURLEncoding.DecodeString(string(parts[2]))
	if err != nil {
		return nil, false
	}
	t.signature = signature
	return t, true
}

// decodeJSONPart decodes base64url JSON; nil unless it is an object.
func decodeJSONPart(b []byte) map[string]any {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(string(b), "="))
	if err != nil {
		return nil
	}
	var m map[string]any
	if json.Unmarshal(raw, &m) != nil {
		return nil
	}
	return m
}

func (*jwt) string(m map[string]any, name string) string {
	s, _ := m[name].(string)
	return s
}

// expiry is the exp claim as a date in UTC; empty if there is none.
func (t *jwt) expiry() string {
	exp, ok := t.claims["exp"].(float64)
	if !ok || exp < 0 || exp > math.MaxInt32*2 {
		return ""
	}
	return time.Unix(int64(exp), 0).UTC().Format(time.DateOnly)
}

// describe is a clause about the token that depends on no clock.
func (t *jwt) describe() string {
	s := "a JWT signed with " + printable(t.string(t.header, "alg"), 12)
	if exp := t.expiry(); exp != "" {
		s += ", expires " + exp
	}
	return s
}

// issuer is the iss claim if it can be printed: short and without blanks.
func (t *jwt) issuer() string { return printable(t.string(t.claims, "iss"), 100) }

// printable returns s if it is at most n visible ASCII characters, else "".
func printable(s string, n int) string {
	if len(s) > n {
		return ""
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return ""
		}
	}
	return s
}

// wellKnownSecrets sign the tokens of tutorials, documentation and tests.
var wellKnownSecrets = [...]string{
	"secret", "your-256-bit-secret", "your-384-bit-secret", "your-512-bit-secret",
	"a-string-secret-at-least-256-bits-long", "your-secret-key", "your_secret_key",
	"your-secret", "secretkey", "secret-key", "secret_key", "mysecret", "my-secret",
	"my_secret", "supersecret", "super-secret", "jwt_secret", "jwtsecret", "shhhhh",
	"key", "test", "testsecret", "test-secret", "test_secret", "password", "changeme",
	"dev", "development", "example", "qwertyuiopasdfghjklzxcvbnm123456",
	"super-secret-jwt-token-with-at-least-32-characters-long",
}

// signedWithWellKnown reports whether an HMAC token's secret is no secret.
func (t *jwt) signedWithWellKnown() bool {
	var newHash func() hash.Hash
	switch t.string(t.header, "alg") {
	case "HS256":
		newHash = sha256.New
	case "HS384":
		newHash = sha512.New384
	case "HS512":
		newHash = sha512.New
	default:
		return false
	}
	for _, secret := range wellKnownSecrets {
		mac := hmac.New(newHash, []byte(secret))
		mac.Write(t.signed)
		if hmac.Equal(mac.Sum(nil), t.signature) {
			return true
		}
	}
	return false
}

// example says why the token is an example, or "".
func (t *jwt) example() string {
	sub, name := t.string(t.claims, "sub"), t.string(t.claims, "name")
	switch {
	case sub == "1234567890" && name == "John Doe":
		return "jwt.io's sample token"
	case t.claims["http://example.com/is_root"] != nil:
		return "the token of RFC 7519"
	case t.string(t.claims, "iss") == "supabase-demo":
		return "Supabase's demo token"
	case t.signedWithWellKnown():
		return "a token signed with a secret from a tutorial"
	}
	return ""
}

// JWT judges a JSON web token. One that parses is described: algorithm, expiry
// as a date, issuer as the public id; no signature can be verified here, so it is
// never proved. Samples and tokens signed with a tutorial's secret are low;
// Supabase's anon tokens and Mapbox-like public ones are no credentials.
func JWT(c scan.Candidate) scan.Evidence {
	secret := c.Secret()
	t, ok := parseJWT(secret)
	if !ok {
		if isJWE(secret) {
			return scan.Evidence{Reason: "an encrypted JWT", Cap: scan.Medium}
		}
		return scan.Fails("does not parse as a JWT: edited, truncated or an example")
	}
	if name := t.example(); name != "" {
		return exampleOf(name)
	}
	if t.string(t.claims, "role") == "anon" {
		return scan.Rejected
	}
	if strings.EqualFold(t.string(t.header, "alg"), "none") || len(t.signature) == 0 {
		return scan.Evidence{Reason: "a JWT without a signature", Cap: scan.Low}
	}
	return scan.Evidence{Reason: t.describe(), PublicID: t.issuer()}
}

// isJWE reports whether b has five parts and a header with alg and enc (RFC 7516).
func isJWE(b []byte) bool {
	parts := bytes.Split(b, []byte("."))
	if len(parts) != 5 {
		return false
	}
	header := decodeJSONPart(parts[0])
	return header["alg"] != nil && header["enc"] != nil
}

// SupabaseJWT proves the service_role tokens of Supabase by their claims; the
// project's reference becomes the public id. Tokens of the role anon are public,
// others are no Supabase keys.
func SupabaseJWT(c scan.Candidate) scan.Evidence {
	t, ok := parseJWT(c.Secret())
	if !ok {
		return scan.Fails("does not parse as a JWT: edited, truncated or an example")
	}
	if name := t.example(); name != "" {
		return exampleOf(name)
	}
	if t.string(t.claims, "role") != "service_role" {
		return scan.Rejected
	}
	e := scan.Holds("its claims give the role service_role")
	if exp := t.expiry(); exp != "" {
		e.Reason += ", expires " + exp
	}
	e.PublicID = printable(t.string(t.claims, "ref"), 40)
	return e
}
