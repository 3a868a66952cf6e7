package gcp_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/gcp"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/scan/rules"
	"github.com/keywright/keywright/secret"
)

var (
	_ provider.Verifier   = (*gcp.Provider)(nil)
	_ provider.Recognizer = (*gcp.Provider)(nil)
	_ provider.Revoker    = (*gcp.Provider)(nil)
	_ provider.Guide      = (*gcp.Provider)(nil)
)

// pair is an RSA key, which takes a while to make.
type pair struct {
	private *rsa.PrivateKey
	text    string // of the private half, as in a file
	cert    string
}

func newPair(t *testing.T) pair {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return pair{private, encode("PRIVATE KEY", der), encode("CERTIFICATE", cert)}
}

var pairs = sync.OnceValue(func() [2]pair { return [2]pair{newPair(&testing.T{}), newPair(&testing.T{})} })

// fake is Google, with accounts of one key each.
type fake struct {
	*providertest.HTTP
	alive  map[string]bool   // by the account
	tokens map[string]string // of which account, with the right to delete
	weak   bool              // accounts may not delete their keys
	odd    bool              // the account's public keys are others
	made   int
}

func serve(t *testing.T) *fake {
	f := &fake{alive: map[string]bool{}, tokens: map[string]string{}}
	f.HTTP = providertest.Serve(t, f.serve)
	return f
}

// add makes an account.
func (f *fake) add() string {
	f.made++
	email := fmt.Sprintf("bot-%d@acme.iam.gserviceaccount.com", f.made)
	f.alive[email] = true
	return email
}

func credential(email string, p pair) provider.Credential {
	text, _ := json.Marshal(map[string]string{
		"type": "service_account", "client_email": email, "private_key": p.text, "private_key_id": "of another", "token_uri": "https://evil.test/token",
	})
	return provider.Credential{Parts: map[string]secret.Value{"value": secret.New(text)}}
}

func at(addr string) *gcp.Provider {
	return gcp.New(&http.Client{Transport: providertest.Detour(addr)})
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	answer := func(status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(v)
	}
	parts := strings.Split(r.URL.Path, "/")
	switch {
	case r.Method == http.MethodPost && r.Host == "oauth2.googleapis.com" && r.URL.Path == "/token":
		if r.FormValue("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
			answer(400, map[string]string{"error": "unsupported_grant_type"})
			return
		}
		email, scope, why := f.login(r.FormValue("assertion"))
		if why != "" {
			answer(400, map[string]string{"error": "invalid_grant", "error_description": why})
			return
		}
		token := fmt.Sprint("ya29.", providertest.Marked, len(f.tokens))
		if f.tokens[token] = ""; scope == "https://www.googleapis.com/auth/cloud-platform" {
			f.tokens[token] = email
		}
		answer(200, map[string]any{"access_token": token, "expires_in": 3599, "token_type": "Bearer"})
	case r.Method == http.MethodGet && r.Host == "www.googleapis.com" && strings.HasPrefix(r.URL.Path, "/service_accounts/v1/metadata/x509/") && r.Header.Get("Authorization") == "":
		all := map[string]string{"google's own": pairs()[1].cert, "broken": "x"}
		if f.alive[parts[len(parts)-1]] && !f.odd {
			all["key 1"] = pairs()[0].cert
		}
		answer(200, all)
	case r.Method == http.MethodDelete && r.Host == "iam.googleapis.com" && len(parts) == 8 && strings.HasPrefix(r.URL.Path, "/v1/projects/-/serviceAccounts/") && parts[6] == "keys":
		by := f.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
		if by != parts[5] || f.weak || parts[7] != "key 1" || !f.alive[by] {
			answer(403, map[string]any{"error": map[string]any{"code": 403, "status": "PERMISSION_DENIED", "message": providertest.Marked}})
			return
		}
		f.alive[by] = false
		answer(200, map[string]any{})
	default:
		answer(404, map[string]any{})
	}
}

// login checks an assertion by RFC 7515 and what Google documents.
func (f *fake) login(assertion string) (email, scope, why string) {
	three := strings.Split(assertion, ".")
	if len(three) != 3 {
		return "", "", "Bad Request"
	}
	decoded := func(s string, v any) []byte {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err == nil && v != nil {
			json.Unmarshal(b, v)
		}
		return b
	}
	var header struct{ Alg, Typ string }
	var claims struct {
		Iss, Scope, Aud string
		Iat, Exp        int64
	}
	decoded(three[0], &header)
	decoded(three[1], &claims)
	now := time.Now().Unix()
	digest := sha256.Sum256([]byte(three[0] + "." + three[1]))
	alive, known := f.alive[claims.Iss]
	switch {
	case header.Alg != "RS256" || header.Typ != "JWT" || claims.Aud != "https://oauth2.googleapis.com/token" || claims.Scope == "":
		return "", "", "Bad Request"
	case claims.Exp-claims.Iat > 3600 || claims.Iat > now+300 || claims.Exp < now:
		return "", "", "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim."
	case !known:
		return "", "", "Invalid grant: account not found"
	case !alive || rsa.VerifyPKCS1v15(&pairs()[0].private.PublicKey, crypto.SHA256, digest[:], decoded(three[2], nil)) != nil:
		return "", "", "Invalid JWT Signature."
	}
	return claims.Iss, claims.Scope, ""
}

func TestConformance(t *testing.T) {
	f := serve(t)
	providertest.Provider(t, providertest.Subject{
		Provider: at(f.Addr()),
		New: func(*testing.T) provider.Credential {
			f.Lock()
			defer f.Unlock()
			return credential(f.add(), pairs()[0])
		},
		Accepts: func(_ *testing.T, c provider.Credential) bool {
			f.Lock()
			defer f.Unlock()
			return f.alive[email(c)] && strings.Contains(string(c.Part("value").Reveal()), "bot-")
		},
		Wrong: func(c provider.Credential, _ string) provider.Credential {
			return credential(email(c), pairs()[1])
		},
		DeadCode: "400 Invalid JWT Signature.", Looks: []string{"POST /token"}, Addr: f.Addr(),
		At: func(addr string, c provider.Credential) (provider.Provider, provider.Credential) { return at(addr), c },
	})
}

func email(c provider.Credential) string {
	var file map[string]string
	json.Unmarshal(c.Part("value").Reveal(), &file)
	return file["client_email"]
}

func TestVerify(t *testing.T) {
	f := serve(t)
	c := credential(f.add(), pairs()[0])
	want := provider.Probe{State: provider.Alive, Code: "200", Who: provider.Identity{Account: "bot-1@acme.iam.gserviceaccount.com"}}
	if got, err := at(f.Addr()).Verify(t.Context(), c); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if n := len(f.tokens); n != 1 || f.tokens["ya29."+providertest.Marked+"0"] != "" {
		t.Errorf("%d tokens, with the right to delete: %v", n, f.tokens)
	}
	gone := credential("nobody@acme.iam.gserviceaccount.com", pairs()[0])
	if got, err := at(f.Addr()).Verify(t.Context(), gone); err != nil || got.State != provider.Dead || got.Code != "400 Invalid grant: account not found" {
		t.Errorf("%+v, %v", got, err)
	}
	providertest.Replies(t, f.HTTP, at(f.Addr()), c, "POST /token", []providertest.Reply{
		{Status: 400, Body: `{"error":"invalid_grant","error_description":"Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."}`, State: provider.Skewed, Code: "400 Invalid JWT: Token must be a short-lived token"},
		{Status: 400, Body: `{"error":"invalid_grant","error_description":"Account has been disabled"}`, State: provider.Unknown, Code: "400"},
		{Status: 401, Body: `{"error":"invalid_grant","error_description":"Invalid JWT Signature."}`, State: provider.Unknown, Code: "401"},
		{Status: 429, Body: `{}`, State: provider.Throttled, Code: "429"},
		{Status: 200, Body: `{}`}, {Status: 200, Body: `<html>`}, {Status: 503},
	})
}

// TestRevoke: a key that may not delete itself has not ended, and none is deleted that is not
// known to be this one.
func TestRevoke(t *testing.T) {
	f := serve(t)
	p, c := at(f.Addr()), credential(f.add(), pairs()[0])
	f.weak = true
	e := providertest.Quiet(t, p.Revoke(t.Context(), c, c, provider.Credential{}), provider.Forbidden)
	if !strings.Contains(e.Hint, "iam.serviceAccountKeys.delete") {
		t.Errorf("the hint %q", e.Hint)
	}
	f.weak, f.odd = false, true
	providertest.Quiet(t, p.Revoke(t.Context(), c, c, provider.Credential{}), provider.Refused)
	if !f.alive[email(c)] {
		t.Error("a key is gone")
	}
}

// TestIncomplete: what is no key's file is not sent anywhere.
func TestIncomplete(t *testing.T) {
	f := serve(t)
	for _, text := range []string{
		"", "{", `{"type":"authorized_user","client_email":"a@b","private_key":"x"}`, `{"type":"service_account","private_key":"x"}`,
		`{"type":"service_account","client_email":"a@b","private_key":"` + providertest.Marked + `"}`,
		`{"type":"service_account","client_email":"a@b","universe_domain":"cloud.test","private_key":"x"}`,
	} {
		c := provider.Credential{Parts: map[string]secret.Value{"value": secret.New([]byte(text))}}
		_, err := at(f.Addr()).Verify(t.Context(), c)
		providertest.Quiet(t, err, provider.Incomplete)
		providertest.Quiet(t, at(f.Addr()).Revoke(t.Context(), c, c, c), provider.Incomplete)
	}
	if f.Count("POST /token") != 0 {
		t.Error("it asked")
	}
}

// TestRecognize: what the rule finds in a file is a key, however its line ends are written.
func TestRecognize(t *testing.T) {
	f := serve(t)
	email := f.add()
	known := false
	for _, r := range rules.All() {
		known = known || r.ID == "google-service-account"
	}
	if !known {
		t.Fatal("there is no such rule")
	}
	for name, text := range map[string]string{
		"plain": pairs()[0].text, "in JSON": strings.ReplaceAll(pairs()[0].text, "\n", `\n`), "in JSON in JSON": strings.ReplaceAll(pairs()[0].text, "\n", `\\n`),
	} {
		parts := map[string]secret.Value{"secret": secret.New([]byte(text)), "id": secret.New([]byte(email))}
		c, ok := at(f.Addr()).Recognize("google-service-account", parts)
		if got, err := at(f.Addr()).Verify(t.Context(), c); !ok || err != nil || got.State != provider.Alive {
			t.Errorf("%s: %v, %+v, %v", name, ok, got, err)
		}
		if _, ok := at("").Recognize("google-api-key", parts); ok {
			t.Error("another rule's")
		}
		delete(parts, "id")
		if _, ok := at("").Recognize("google-service-account", parts); ok {
			t.Error("without its account")
		}
	}
}
