package rules

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"regexp"
	"strings"
	"sync"

	"github.com/keywright/keywright/scan"
)

const googleKeys = "https://cloud.google.com/docs/authentication/api-keys"

func google() []scan.Rule {
	return []scan.Rule{{
		ID:         "google-api-key",
		Provider:   "google",
		Title:      "Google API key",
		Why:        "It calls the project's APIs, Gemini and Maps among them, at the project's expense, unless it is restricted.",
		Fix:        "Rotate it under APIs & Services, Credentials, and restrict the new one to its APIs and clients.",
		Reference:  googleKeys,
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>AIza[0-9A-Za-z_-]{35})` + after,
		MinEntropy: 3.5,
		Samples:    shaped("GOOGLE_API_KEY", `AIza[0-9A-Za-z_-]{34}[0-9A-Za-z]`),
	}, {
		ID:         "google-bound-api-key",
		Provider:   "google",
		Title:      "Google API key bound to a service account",
		Why:        "It acts as its service account on the APIs that it is allowed, Gemini and Vertex AI among them.",
		Fix:        "Delete it under APIs & Services, Credentials, and create a new one.",
		Reference:  googleKeys,
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>AQ\.Ab[0-9A-Za-z_-]{46,52})` + after,
		MinEntropy: 3.5,
		Samples:    shaped("GEMINI_API_KEY", `AQ\.Ab8[0-9A-Za-z_-]{46}[0-9A-Za-z]`),
	}, {
		ID:         "google-oauth-client-secret",
		Provider:   "google",
		Title:      "Google OAuth client secret",
		Why:        "Whoever has it can complete sign-ins in the application's name.",
		Fix:        "Add a second secret to the client under APIs & Services, Credentials, deploy it, and delete this one.",
		Reference:  "https://developers.google.com/identity/protocols/oauth2",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>GOCSPX-[0-9A-Za-z_-]{28})` + after,
		Samples:    shaped("GOOGLE_CLIENT_SECRET", `GOCSPX-[0-9A-Za-z_-]{27}[0-9A-Za-z]`),
	}, {
		ID:         "google-oauth-client-secret-legacy",
		Provider:   "google",
		Title:      "Google OAuth client secret of the older form",
		Why:        "Whoever has it can complete sign-ins in the application's name.",
		Fix:        "Add a second secret to the client under APIs & Services, Credentials, deploy it, and delete this one.",
		Reference:  "https://developers.google.com/identity/protocols/oauth2",
		Confidence: scan.High,
		Expr:       `client_?[sS]ecret` + assigned + `(?P<secret>[0-9A-Za-z_-]{24})` + quote,
		MinEntropy: 3.4,
		Check:      looksRandom,
		Partners:   []scan.Partner{{Role: "id", Expr: `\b([0-9]{6,24}-[0-9a-z]{32}\.apps\.googleusercontent\.com)`, Within: scan.MaxReach, Required: true}},
		Public:     []string{"id"},
		Samples: func(g *scan.Gen) scan.Samples {
			id := g.String("123456789", 12) + "-" + g.String(scan.LowerAZ+scan.Digits, 32) + ".apps.googleusercontent.com"
			secret := g.String(scan.Base62, 12) + "-" + g.String(scan.Base62, 11)
			return scan.Samples{
				Match: []string{
					"{\"installed\":{\"client_id\":\"" + id + "\",\"project_id\":\"acme\",\"client_secret\":\"" + secret + "\"}}\n",
					"client_id: " + id + "\nclient_secret: " + secret + "\n",
				},
				NoMatch: []string{
					"client_secret: " + secret + "\n",
					"client_id: " + id + "\nclient_secret: ${GOOGLE_SECRET}\n",
				},
			}
		},
	}, {
		ID:         "google-oauth-access-token",
		Provider:   "google",
		Title:      "Google OAuth access token",
		Why:        "It acts as a user or service account within its scopes, for an hour as a rule.",
		Fix:        "Revoke it at oauth2.googleapis.com/revoke, and find out why it was written down.",
		Reference:  "https://developers.google.com/identity/protocols/oauth2",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>ya29\.(?:[a-z]\.)?[0-9A-Za-z_-]{50,440})`,
		MinEntropy: 3.5,
		Samples:    shaped("ACCESS_TOKEN", `ya29\.a0[0-9A-Za-z_-]{130}`),
	}, {
		ID:         "google-oauth-refresh-token",
		Provider:   "google",
		Title:      "Google OAuth refresh token",
		Why:        "With the client's id and secret, which tools like gcloud publish, it makes new access tokens for as long as it lives.",
		Fix:        "Revoke it at oauth2.googleapis.com/revoke or under the account's third-party access, and sign in again.",
		Reference:  "https://developers.google.com/identity/protocols/oauth2",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>1//0[0-9A-Za-z_-]{60,120})` + after,
		MinEntropy: 3.5,
		Samples:    shaped("REFRESH_TOKEN", `1//0[0-9A-Za-z_-]{98}[0-9A-Za-z]`),
	}, {
		ID:         "google-service-account",
		Provider:   "google",
		Title:      "Google Cloud service account key",
		Why:        "It acts as the service account on everything that the account's roles allow, and never expires by itself.",
		Fix:        "Create another key or, better, workload identity; deploy it; delete this key under IAM, Service accounts, Keys.",
		Reference:  "https://cloud.google.com/iam/docs/keys-create-delete",
		Confidence: scan.High,
		Object:     &scan.Object{Gate: ".iam.gserviceaccount.com", Parse: parseServiceAccounts},
		Public:     []string{"id"},
		Samples:    serviceAccountSamples,
	}, {
		ID:         "google-hmac-key",
		Provider:   "google",
		Title:      "Google Cloud Storage HMAC key",
		Why:        "It reads and writes the buckets that its service account may, through the S3-compatible API.",
		Fix:        "Create another under Cloud Storage, Settings, Interoperability, deploy it, deactivate and delete this one.",
		Reference:  "https://cloud.google.com/storage/docs/authentication/hmackeys",
		Confidence: scan.High,
		Expr:       `\bGOOG(?:1E[0-9A-Z]{55}|[0-9A-Z]{20})\b`,
		Partners:   []scan.Partner{{Role: scan.RoleSecret, Expr: awsSecretNear, Within: scan.MaxReach, Required: true}},
		Public:     []string{"id"},
		Check:      looksRandom,
		Samples: func(g *scan.Gen) scan.Samples {
			id, secret := "GOOG1E"+g.String(scan.Base32, 55), awsSecretSample(g)
			return scan.Samples{
				Match: []string{
					"GCS_ACCESS_KEY=" + id + "\nGCS_SECRET=" + secret + "\n",
					"{\"accessId\": \"" + id + "\", \"secret\": \"" + secret + "\"}\n",
				},
				NoMatch: []string{"GCS_ACCESS_KEY=" + id + "\n"},
			}
		},
	}, {
		ID:         "google-fcm-server-key",
		Provider:   "google",
		Title:      "Firebase Cloud Messaging server key",
		Why:        "It sends push messages to all users of the application.",
		Fix:        "Delete it in the Firebase console, Project settings, Cloud Messaging, and move to the HTTP v1 API.",
		Reference:  "https://firebase.google.com/docs/cloud-messaging/auth-server",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>AAAA[0-9A-Za-z_-]{7}:APA91b[0-9A-Za-z_-]{134})` + after,
		Samples:    shaped("FCM_SERVER_KEY", `AAAA[0-9A-Za-z_-]{7}:APA91b[0-9A-Za-z_-]{133}[0-9A-Za-z]`),
	}, {
		ID:         "google-recaptcha-secret",
		Provider:   "google",
		Title:      "Google reCAPTCHA secret key",
		Why:        "Whoever has it can verify, and so replay and probe, the site's challenges.",
		Fix:        "Register the site again in the reCAPTCHA console and deploy both new keys.",
		Reference:  "https://developers.google.com/recaptcha/docs/verify",
		Confidence: scan.Medium,
		Expr:       named(`captcha`, `secret|private`, `6L[0-9A-Za-z_-]{6}AAAAA[0-9A-Za-z_-]{27}`),
		Samples: func(g *scan.Gen) scan.Samples {
			s := bound("RECAPTCHA_SECRET_KEY", `6Lc[0-9A-Za-z_-]{5}AAAAA[0-9A-Za-z_-]{26}[0-9A-Za-z]`)(g)
			s.NoMatch = append(s.NoMatch, "RECAPTCHA_SITE_KEY="+g.Expr(`6Lc[0-9A-Za-z]{5}AAAAA[0-9A-Za-z]{27}`)+"\n")
			return s
		},
	}}
}

const (
	// maxPrivateKey bounds, in bytes, the PEM text of a private key of at most
	// 4096 bits with its line ends escaped.
	maxPrivateKey = 4 << 10
	// maxServiceAccount bounds how far from its key an account's name may stand.
	maxServiceAccount = 2 << 10
)

var (
	pemOpen, pemClose = []byte("-----BEGIN PRIVATE KEY-----"), []byte("-----END PRIVATE KEY-----")
	pemLineEnds       = strings.NewReplacer(`\\n`, "", `\n`, "", `\r`, "", "\n", "", "\r", "", " ", "", "\t", "", `\`, "")
	accountName       = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`[0-9a-z][0-9a-z-]{3,62}@[0-9a-z.-]{1,64}\.iam\.gserviceaccount\.com`)
	})
)

// parseServiceAccounts finds private keys near the name of a service account: in
// the JSON file that Google Cloud hands out, whole, quoted within another text, or
// copied into code. The key is proved by parsing it.
func parseServiceAccounts(data []byte) []scan.ObjectMatch {
	var out []scan.ObjectMatch
	for at := 0; ; {
		n := bytes.Index(data[at:], pemOpen)
		if n < 0 {
			return out
		}
		start := at + n
		at = start + len(pemOpen)
		body := data[at:min(len(data), at+maxPrivateKey)]
		n = bytes.Index(body, pemClose)
		if n < 0 {
			continue
		}
		end := at + n + len(pemClose)
		id, ok := accountNear(data, start, end)
		if !ok {
			continue
		}
		out = append(out, scan.ObjectMatch{
			Parts:    []scan.Span{{Role: scan.RoleSecret, Start: start, End: end}, id},
			Evidence: privateKey(string(body[:n]), string(data[id.Start:id.End])),
		})
		at = end
	}
}

// accountNear is the service account's name nearest to the key, behind it first:
// that is where the file has it.
func accountNear(data []byte, start, end int) (scan.Span, bool) {
	from, to := max(0, start-maxServiceAccount), min(len(data), end+maxServiceAccount)
	if m := accountName().FindIndex(data[end:to]); m != nil {
		return scan.Span{Role: "id", Start: end + m[0], End: end + m[1]}, true
	}
	if all := accountName().FindAllIndex(data[from:start], -1); all != nil {
		m := all[len(all)-1]
		return scan.Span{Role: "id", Start: from + m[0], End: from + m[1]}, true
	}
	return scan.Span{}, false
}

func privateKey(body, account string) scan.Evidence {
	der, err := base64.StdEncoding.DecodeString(pemLineEnds.Replace(body))
	if err == nil {
		_, err = x509.ParsePKCS8PrivateKey(der)
	}
	if err != nil {
		ev := scan.Fails("the private key does not parse: edited, truncated or an example")
		ev.PublicID = account
		return ev
	}
	return scan.Evidence{Proof: scan.Proved, Reason: "its private key parses", PublicID: account}
}

func serviceAccountSamples(g *scan.Gen) scan.Samples {
	// Google issues RSA keys; an Ed25519 key of the same form is quick to make
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(g.Bytes(32)))
	if err != nil {
		return scan.Samples{}
	}
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	escaped := strings.ReplaceAll(key, "\n", `\n`)
	account := "robot-" + g.String(scan.LowerAZ, 6) + "@acme-" + g.String(scan.Digits, 6) + ".iam.gserviceaccount.com"
	file := func(key string) string {
		return "{\n  \"type\": \"service_account\",\n  \"private_key_id\": \"" + g.Hex(40) + "\",\n  \"private_key\": \"" + key +
			"\",\n  \"client_email\": \"" + account + "\"\n}\n"
	}
	return scan.Samples{
		Match: []string{
			file(escaped),
			"GOOGLE_CREDENTIALS=" + strings.ReplaceAll(file(escaped), "\n", "") + "\n",
			"client_email: '" + account + "',\nprivate_key: '" + escaped + "',\n",
			"GOOGLE_EMAIL=" + account + "\nGOOGLE_KEY=\"" + key + "\"\n",
		},
		Failed: []string{file(`-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIE\n-----END PRIVATE KEY-----\n`)},
		NoMatch: []string{
			"client_email: " + account + "\nprivate_key: ${KEY}\n",
			"serviceAccount: " + account + "\n",
		},
	}
}
