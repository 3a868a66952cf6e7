// Package gcp knows the keys of Google Cloud's service accounts: with one that is found it is
// asked whether it is alive, and it is deleted with itself if its account may do that. New
// ones are made by hand.
//
// A key is the file that Google gives out. Of that the account's name and the private key
// count: no address in it is asked.
package gcp

import (
	"cmp"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/web"
	"github.com/keywright/keywright/secret"
)

const (
	part = "value"
	page = "https://console.cloud.google.com/iam-admin/serviceaccounts"

	tokens = "https://oauth2.googleapis.com"
	keys   = "https://iam.googleapis.com"
	public = "https://www.googleapis.com"
)

// What an access token is asked for: to see whether there is one, and to delete a key.
const (
	nothing = "https://www.googleapis.com/auth/userinfo.email"
	all     = "https://www.googleapis.com/auth/cloud-platform"
)

// Provider implements provider.Verifier, Recognizer, Revoker and Guide.
type Provider struct{ web web.Client }

// New returns a Provider that uses the transport of h, which may be nil.
func New(h *http.Client) *Provider { return &Provider{web.New("gcp", h)} }

// Info is what is known without asking.
func (p *Provider) Info() provider.Info {
	return provider.Info{
		Name: "gcp", Title: "Google Cloud service account key", Page: page,
		Parts:       []provider.Part{{Name: part}},
		Itself:      true,
		Propagation: 2 * time.Minute, // “60 seconds or more” for a new one; of one that is deleted nothing is said
		Lingers:     provider.Lingers{What: "access tokens that were got with it", Longest: time.Hour},
		Revoking:    "Its account may only delete it if it holds iam.serviceAccountKeys.delete; a deleted key cannot be taken back.",
		Sources: []string{
			"https://developers.google.com/identity/protocols/oauth2/service-account",
			"https://docs.cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts.keys/delete",
			"https://docs.cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signJwt",
			"https://docs.cloud.google.com/iam/docs/keys-create-delete",
		},
		Tested: "a fake of the documentation",
	}
}

// Recognize takes a private key with the account that stands beside it.
func (p *Provider) Recognize(rule string, parts map[string]secret.Value) (provider.Credential, bool) {
	if rule != "google-service-account" || parts["id"].IsZero() {
		return provider.Credential{}, false
	}
	ends := strings.NewReplacer(`\\n`, "\n", `\n`, "\n", `\\r`, "", `\r`, "") // as they stand in a file, and in one within another
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": string(parts["id"].Reveal()), "private_key": ends.Replace(string(parts["secret"].Reveal())),
	})
	if err != nil {
		return provider.Credential{}, false // of texts there is always JSON
	}
	return provider.Credential{Parts: map[string]secret.Value{part: secret.New(text)}}, true
}

func failed(doing string, kind provider.Kind, why string) *provider.Error {
	return &provider.Error{Provider: "gcp", Doing: doing, Kind: kind, Err: errors.New(why)}
}

// key is what counts of a key's file.
type key struct {
	email   string
	private *rsa.PrivateKey
}

func read(doing string, c provider.Credential) (key, error) {
	var file struct {
		Type     string     `json:"type"`
		Email    string     `json:"client_email"`
		Private  web.Secret `json:"private_key"`
		Universe string     `json:"universe_domain"`
	}
	switch {
	case c.Part(part).IsZero():
		return key{}, failed(doing, provider.Incomplete, "the key itself is needed: its file, in JSON")
	case json.Unmarshal(c.Part(part).Reveal(), &file) != nil || file.Type != "service_account" || file.Email == "":
		return key{}, failed(doing, provider.Incomplete, "it is not the file of a service account's key, in JSON")
	case cmp.Or(file.Universe, "googleapis.com") != "googleapis.com":
		return key{}, failed(doing, provider.Incomplete, "it is of another cloud than Google's own")
	}
	private, err := jwt.ParseRSAPrivateKeyFromPEM(file.Private.Reveal())
	if err != nil { // which could quote it
		return key{}, failed(doing, provider.Incomplete, "its private key cannot be read")
	}
	return key{file.Email, private}, nil
}

// login asks for an access token (RFC 7523).
func (p *Provider) login(ctx context.Context, k key, scope string) (web.Answer, error) {
	const doing = "log in with the key"
	now := p.web.Now()
	assertion, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": k.email, "scope": scope, "aud": tokens + "/token", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}).SignedString(k.private)
	if err != nil {
		return web.Answer{}, failed(doing, provider.Incomplete, "its private key cannot sign")
	}
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}
	return p.web.Do(ctx, web.Call{
		Doing: doing, Method: http.MethodPost, URL: tokens, Path: "/token",
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, Body: []byte(form.Encode()),
	})
}

// Verify asks for an access token, which nobody uses.
func (p *Provider) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	k, err := read("ask whether the key is alive", c)
	if err != nil {
		return provider.Probe{}, err
	}
	probe, _, err := p.try(ctx, k, nothing)
	return probe, err
}

// try is what Google says to a login, with the token if it is one.
func (p *Provider) try(ctx context.Context, k key, scope string) (provider.Probe, secret.Value, error) {
	a, err := p.login(ctx, k, scope)
	if err != nil {
		return provider.Probe{}, secret.Value{}, err
	}
	says := func(state provider.State, words ...string) web.Code {
		return web.Code{Status: http.StatusBadRequest, Field: "error_description", Words: words, State: state}
	}
	probe, said, err := a.Probe([]web.Code{
		says(provider.Dead, "Invalid JWT Signature.", "Invalid grant: account not found"),
		says(provider.Skewed, "Invalid JWT: Token must be a short-lived token*"),
	})
	if err != nil || probe.State != "" {
		return probe, secret.Value{}, err
	}
	var got struct {
		Token web.Secret `json:"access_token"`
	}
	if json.Unmarshal(said, &got) != nil || got.Token.IsZero() {
		return provider.Probe{}, secret.Value{}, a.Failure(provider.Malformed, "", errors.New("there is no token in it"))
	}
	probe.State, probe.Who = provider.Alive, provider.Identity{Account: k.email}
	return probe, got.Token.Value, nil
}

// Revoke deletes a key with itself. It cannot be undone. That it is gone already is known by
// what Google says to a login with it.
func (p *Provider) Revoke(ctx context.Context, _, c, _ provider.Credential) error {
	const doing = "delete the key"
	k, err := read(doing, c)
	if err != nil {
		return err
	}
	probe, token, err := p.try(ctx, k, all)
	switch {
	case err != nil:
		return web.Beforehand(err)
	case probe.State == provider.Dead:
		return nil
	case probe.State == provider.Throttled:
		return &provider.Error{Provider: "gcp", Doing: doing, Kind: provider.Busy, Code: probe.Code, After: probe.After}
	case probe.State != provider.Alive:
		return &provider.Error{Provider: "gcp", Doing: doing, Kind: provider.Refused, Code: probe.Code}
	}
	id, err := p.id(ctx, k)
	if err != nil {
		return err
	}
	a, err := p.web.Do(ctx, web.Call{
		Doing: doing, Method: http.MethodDelete, URL: keys,
		Path:   "/v1/projects/-/serviceAccounts/" + url.PathEscape(k.email) + "/keys/" + url.PathEscape(id),
		Header: http.Header{"Authorization": {"Bearer " + string(token.Reveal())}},
	})
	if err != nil {
		return err
	}
	refusal := a.Done(http.StatusOK)
	if refusal == nil {
		refusal = a.JSON(&struct{}{})
	}
	if refusal == nil || a.Status == http.StatusTooManyRequests || a.Status >= 500 {
		return refusal
	}
	if probe, _, err := p.try(ctx, k, nothing); err == nil && probe.State == provider.Dead {
		return nil
	}
	if e := (*provider.Error)(nil); errors.As(refusal, &e) && e.Kind == provider.Forbidden {
		e.Hint = "its account does not hold iam.serviceAccountKeys.delete: somebody who does deletes it at " + page
	}
	return refusal
}

// id is what Google calls a key: that of the account's public keys which is its own. What its
// file says may be of another.
func (p *Provider) id(ctx context.Context, k key) (string, error) {
	const doing = "ask which of the account's keys it is"
	a, err := p.web.Do(ctx, web.Call{Doing: doing, Method: http.MethodGet, URL: public, Path: "/service_accounts/v1/metadata/x509/" + url.PathEscape(k.email)})
	if err == nil {
		err = a.Refusal()
	}
	var certificates map[string]string
	if err == nil {
		err = a.JSON(&certificates)
	}
	if err != nil {
		return "", web.Beforehand(err)
	}
	if len(certificates) == 0 {
		return "", failed(doing, provider.Unreached, "there are no public keys in it")
	}
	for id, text := range certificates {
		block, _ := pem.Decode([]byte(text))
		if block == nil {
			continue
		}
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil && k.private.PublicKey.Equal(cert.PublicKey) {
			return id, nil
		}
	}
	return "", a.Failure(provider.Refused, "", errors.New("it is not among the public keys of its account"))
}

// Guide says how a key like the old one is made.
func (p *Provider) Guide(provider.Credential) provider.Steps {
	return provider.Steps{
		IssueAt: page,
		Issue: []string{
			"Better, use no key: workload identity federation, or an attached service account.",
			"Choose the account of the old key, “Keys”, “Add key”, “Create new key”, JSON. An account has ten at most.",
			"Give the whole file, in one line or as it is, and delete it.",
		},
		RevokeAt: page, Revoke: []string{"Choose the account, “Keys”, and delete the old key, whose id is private_key_id in its file; better, disable it first."},
	}
}
