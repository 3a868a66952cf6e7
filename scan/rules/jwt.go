package rules

import (
	"bytes"
	"encoding/base64"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/proof"
)

// bearerTokens are tokens that a request carries: JSON Web Tokens, and the
// values of Authorization headers.
func bearerTokens() []scan.Rule {
	jwt := scan.Rule{
		Provider:   "generic",
		Title:      "JSON Web Token",
		Why:        "Until it expires, whoever reads it can make requests as its subject.",
		Fix:        "End the session or revoke the token at its issuer; change the signing key if it never expires.",
		Reference:  "https://www.rfc-editor.org/rfc/rfc7519",
		Confidence: scan.Medium,
		Check:      proof.JWT,
	}
	// the base 64 of {"alg":" and its kin: no match of an expression could be as long
	// as tokens are, so whole objects are parsed
	withGate := func(id, gate string, sample func(*scan.Gen) string) scan.Rule {
		r := jwt
		r.ID = id
		r.Object = &scan.Object{Gate: gate, Parse: jwts(gate)}
		r.Samples = func(g *scan.Gen) scan.Samples {
			t := sample(g)
			return scan.Samples{
				Match:   []string{"TOKEN=" + t + "\n", "curl -H 'Authorization: Bearer " + t + "'", `{"jwt":"` + t + `"}`},
				Failed:  []string{t[:20] + "!" + t[20:] + " " + t[:len(gate)] + g.String(scan.Base62, 20) + ".eyJ" + g.String(scan.Base62, 20) + "." + g.String(scan.Base62, 43)},
				NoMatch: []string{t[:60], gate + "...", "x" + t},
			}
		}
		return r
	}
	claims := func(g *scan.Gen) map[string]any {
		return map[string]any{"iss": "https://id.corp-" + g.Hex(6) + ".net", "sub": g.UUID(), "exp": 1_900_000_000 + g.IntN(1000)}
	}
	return []scan.Rule{
		withGate("jwt", "eyJhbGciOi", func(g *scan.Gen) string { return proof.SealJWT(claims(g), g.Bytes(32)) }),
		withGate("jwt-typ", "eyJ0eXAiOi", func(g *scan.Gen) string { return jwtWithHeader(g, `{"typ":"JWT","alg":"RS256"}`) }),
		withGate("jwt-kid", "eyJraWQiOi", func(g *scan.Gen) string { return jwtWithHeader(g, `{"kid":"`+g.Hex(20)+`","alg":"RS256"}`) }),
		{
			ID: "bearer-token", Provider: "generic", Title: "Bearer token",
			Why: "Whoever reads it can make requests as the one that it was given to.", Fix: "Revoke it at the service that the request goes to.",
			Reference: "https://www.rfc-editor.org/rfc/rfc6750", Confidence: scan.Medium, Generic: true,
			Expr:  `(?i:bearer)[ \t]{1,2}["']{0,1}(?P<secret>[0-9A-Za-z_.~+/-]{16,320}={0,2})` + quote,
			Check: randomToken,
			Samples: func(g *scan.Gen) scan.Samples {
				t := g.String(scan.Base62, 40)
				return scan.Samples{
					Match:   []string{"Authorization: Bearer " + t + "\r\n", "curl -H \"Authorization: Bearer " + t + "\" x", "headers['Authorization'] = 'Bearer " + t + "'"},
					NoMatch: []string{"Authorization: Bearer $TOKEN_FROM_ENVIRONMENT", "bearer authentication-with-tokens ", "Bearer YOUR_ACCESS_TOKEN_GOES_HERE", "Bearer <token>"},
				}
			},
		},
		{
			ID: "authorization-token", Provider: "generic", Title: "Token of an Authorization header",
			Why: "Whoever reads it can make requests as the one that it was given to.", Fix: "Revoke it at the service that the request goes to.",
			Reference: "https://www.rfc-editor.org/rfc/rfc9110#section-11", Confidence: scan.Medium, Generic: true,
			Expr:  `(?i:authorization)["']{0,1}\]{0,1}[ \t]{0,4}[:=,]{1,2}>?[ \t]{0,4}[brf]?["'` + "`" + `]{0,1}(?i:(?:token|api-?key|key|bot|sso-key|splunk|genie-?key|oauth|oauth2)[ \t=:]{1,3}(?:token=)?)?["']{0,1}(?P<secret>[0-9A-Za-z_.~+/:-]{16,256}={0,2})` + quote,
			Check: randomToken,
			Samples: func(g *scan.Gen) scan.Samples {
				t := g.String(scan.Base62, 40)
				return scan.Samples{
					Match: []string{"Authorization: token " + t + "\r\n", "curl -H \"Authorization: " + t + "\" x", "headers['Authorization'] = 'Token " + t + "'",
						"{\"authorization\": \"ApiKey " + t + "\"}", "Authorization: Token token=" + t + "\n"},
					NoMatch: []string{"Authorization: AuthenticationRequiredHandler ", "authorization: process.env.AUTHORIZATION_TOKEN"},
				}
			},
		},
		{
			ID: "basic-auth-header", Provider: "generic", Title: "Basic authentication of an Authorization header",
			Why: "It is a user's name and password: whoever reads it can log in.", Fix: "Change the password, and use a token of narrow rights in its place.",
			Reference: "https://www.rfc-editor.org/rfc/rfc7617", Confidence: scan.High,
			Expr:  `(?i:basic)[ \t]{1,2}["']{0,1}(?P<secret>[0-9A-Za-z+/]{10,320}={0,2})` + quote,
			Check: basicCredentials,
			Samples: func(g *scan.Gen) scan.Samples {
				t := basicAuth(g)
				return scan.Samples{
					Match:   []string{"Authorization: Basic " + t + "\r\n", "curl -H \"Authorization: Basic " + t + "\" x", "headers['Authorization'] = 'Basic " + t + "'"},
					NoMatch: []string{"basic authentication ", "Basic realmOfTheServer\n", "Basic $(printf user:pass | base64)", "use basic YWxhZGRpbjpvcGVuIHNlc2FtZ"},
				}
			},
		},
		{
			ID: "curl-user", Provider: "generic", Title: "User and password of a curl command",
			Why: "Whoever reads it can log in to the service that the command calls.", Fix: "Change the password, and let curl read it from --netrc or standard input.",
			Reference: "https://curl.se/docs/manpage.html", Confidence: scan.Medium, Generic: true,
			Expr:  `[ ](?:-u[ ]|--user[ =])["']{0,1}(?P<user>[0-9A-Za-z_.@+-]{1,64}):(?P<secret>[!#%*+\-./0-9:=?@A-Z^_a-z~]{6,128})` + quote,
			Check: strongPassword, Public: []string{"user"},
			Samples: func(g *scan.Gen) scan.Samples {
				p := chosenPassword(g)
				return scan.Samples{
					Match:   []string{"curl -s -u joe:" + p + " https://api.corp.net/x\n", "curl --user \"joe:" + p + "\" https://api.corp.net/x"},
					NoMatch: []string{"curl -u user:password https://x", "curl -u $USER:$PASS https://x", "curl -u joe https://x", "curl -u username:your-api-token x"},
				}
			},
		},
	}
}

func basicAuth(g *scan.Gen) string { return sealBase64("joe:" + g.String(scan.Base62, 16)) }

// basicCredentials judges the base 64 of a user's name and password.
func basicCredentials(c scan.Candidate) scan.Evidence {
	e := provedOrEncrypted(proof.BasicAuth)(c)
	raw, err := base64.StdEncoding.DecodeString(string(c.Secret()))
	user, password, _ := bytes.Cut(raw, []byte(":"))
	switch {
	case err != nil || e.Reject || e.Cap != 0:
	case bytes.EqualFold(user, []byte("aladdin")), bytes.Equal(user, []byte("s6BhdRkqt3")):
		e.Cap, e.Reason = scan.Low, "an example of a standard"
	case weakPassword(password):
		e.Cap, e.Reason = scan.Low, "the password is a word"
	}
	return e
}

// randomToken rejects names, placeholders and what else no token looks like.
func randomToken(c scan.Candidate) scan.Evidence {
	v := c.Secret()
	if notSecret(v) || !randomKey(v, kindWeakKey) {
		return scan.Rejected
	}
	if name, ok := proof.PublishedExample(v); ok {
		return scan.Evidence{Cap: scan.Low, Reason: "a published example: " + name}
	}
	if isDocumented(v) {
		return scan.Evidence{Cap: scan.Low, Reason: "an example of a standard"}
	}
	return scan.Evidence{}
}

// strongPassword judges a password that stands where passwords stand in
// examples too.
func strongPassword(c scan.Candidate) scan.Evidence {
	v := c.Secret()
	if notSecret(v) {
		return scan.Rejected
	}
	if randomKey(v, kindPassword) {
		return scan.Evidence{}
	}
	return judgePassword(v, 6)
}

// jwts finds tokens that begin with gate: three parts of base64url between dots,
// or the five of an encrypted one.
func jwts(gate string) func([]byte) []scan.ObjectMatch {
	return func(data []byte) []scan.ObjectMatch {
		var found []scan.ObjectMatch
		for at := 0; at < len(data); {
			i := bytes.Index(data[at:], []byte(gate))
			if i < 0 {
				break
			}
			start := at + i
			end, dots := start, 0
			for end < len(data) && (nameByte(data[end]) || data[end] == '=') && end-start < scan.MaxBlock {
				if data[end] == '.' {
					dots++
				}
				end++
			}
			at = max(end, start+1)
			for end > start && data[end-1] == '.' && dots > 2 { // a sentence's full stop
				end, dots = end-1, dots-1
			}
			if before := start - 1; before >= 0 && (nameByte(data[before]) && data[before] != '.' || data[before] == '.' && dots < 2) {
				continue
			}
			if dots == 2 && end-start >= 60 || dots == 4 {
				found = append(found, scan.ObjectMatch{Parts: []scan.Span{{Role: scan.RoleSecret, Start: start, End: end}}})
			}
		}
		return found
	}
}

func sealBase64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// jwtWithHeader is a token with the header and a signature of 256 bytes.
func jwtWithHeader(g *scan.Gen, header string) string {
	claims := `{"iss":"https://id.corp-` + g.Hex(6) + `.net","sub":"` + g.UUID() + `","exp":1900000000}`
	e := base64.RawURLEncoding
	return e.EncodeToString([]byte(header)) + "." + e.EncodeToString([]byte(claims)) + "." + e.EncodeToString(g.Bytes(256))
}
