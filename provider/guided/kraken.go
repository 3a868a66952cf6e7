package guided

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/web"
	"github.com/keywright/keywright/secret"
)

const (
	krakenPage = "https://pro.kraken.com/app/settings/api"
	keyInfo    = "/0/private/GetApiKeyInfo"
)

// kraken is Kraken's spot exchange. It implements provider.Verifier, Recognizer and Guide.
//
// Each call of a key has a higher number than the one before. Its user counts on, too, and
// is refused for ever once it is behind: so a key that is in use is tried only if somebody
// asks for that, with the time in milliseconds, which Kraken recommends to all.
type kraken struct {
	web  web.Client
	turn chan struct{} // one call at a time: they must arrive in order
	last int64         // the number of the last one; whose turn it is, has it
}

func newKraken(h *http.Client) *kraken {
	return &kraken{web: web.New("kraken", h), turn: make(chan struct{}, 1)}
}

func (k *kraken) Info() provider.Info {
	return provider.Info{
		Name: "kraken", Title: "Kraken API key (spot)", Page: krakenPage, Parts: []provider.Part{{Name: "id", Public: true}, {Name: "secret"}}, Nonce: true, Others: "Kraken Futures",
		Sources: []string{
			"https://docs.kraken.com/exchange/guides/rest/authentication",
			"https://docs.kraken.com/exchange/guides/general/errors",
			"https://docs.kraken.com/exchange/guides/rest/api-keys",
			"https://docs.kraken.com/api-reference/account-data/get-api-key-info",
		},
		Tested: "a fake of the documentation; the signature against the one that is published there",
	}
}

// Recognize takes a secret with the key that stands beside it.
func (k *kraken) Recognize(rule string, parts map[string]secret.Value) (provider.Credential, bool) {
	if rule != "kraken-api-secret" || parts["id"].IsZero() {
		return provider.Credential{}, false
	}
	return provider.Credential{Parts: map[string]secret.Value{"id": parts["id"], "secret": parts["secret"]}}, true
}

// sign is what Kraken calls API-Sign: of a path, a nonce and the form that is sent, by a
// secret that is decoded.
func sign(path, nonce, form string, key []byte) string {
	digest := sha256.Sum256([]byte(nonce + form))
	mac := hmac.New(sha512.New, key)
	mac.Write([]byte(path))
	mac.Write(digest[:])
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Verify asks what a key is, for which it needs no rights.
func (k *kraken) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	a, err := k.ask(ctx, c)
	if err != nil {
		return provider.Probe{}, err
	}
	says := func(state provider.State, words ...string) web.Code {
		return web.Code{Status: http.StatusOK, Field: "error.0", Words: words, State: state}
	}
	probe, said, err := a.Probe([]web.Code{
		says(provider.Dead, "EAPI:Invalid key"),
		says(provider.Throttled, "EAPI:Rate limit exceeded", "EGeneral:Temporary lockout"),
		says(provider.Narrow, "EGeneral:Permission denied"),
		says(provider.Unknown, "EAPI:Invalid signature", "EAPI:Invalid nonce", "*"),
	})
	if err != nil || probe.State != "" {
		return probe, err
	}
	rights := said.Texts("result.permissions")
	if said.Text("result.api_key_name") == "" && len(rights) == 0 {
		return provider.Probe{}, a.Failure(provider.Malformed, "", errors.New("it does not say what the key is"))
	}
	probe.State = provider.Alive
	probe.Who = provider.Identity{
		ID: string(c.Part("id").Reveal()), Label: said.Text("result.api_key_name"), Scopes: rights, IPs: said.Texts("result.ip_allowlist"),
		Withdraw: slices.ContainsFunc(rights, func(r string) bool {
			return r == "withdraw-funds" || r == "add-withdraw-address" || r == "update-withdraw-address"
		}),
	}
	// In seconds, and 0 for never: that is from memory, the documentation names the field only.
	if end, err := strconv.ParseInt(said.Text("result.valid_until"), 10, 64); err == nil && end > 0 {
		probe.Who.Expires = time.Unix(end, 0).UTC()
	}
	return probe, nil
}

// ask makes the call, with the next number.
func (k *kraken) ask(ctx context.Context, c provider.Credential) (web.Answer, error) {
	const doing = "ask what the key is"
	fail := func(kind provider.Kind, err error) (web.Answer, error) {
		return web.Answer{}, &provider.Error{Provider: "kraken", Doing: doing, Kind: kind, Err: err}
	}
	if c.Part("id").IsZero() || c.Part("secret").IsZero() {
		return fail(provider.Incomplete, errors.New("key and secret are needed"))
	}
	by, err := base64.StdEncoding.DecodeString(string(c.Part("secret").Reveal()))
	if err != nil {
		return fail(provider.Incomplete, errors.New("the secret is not in base64, as Kraken's are"))
	}
	defer clear(by)
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		return fail(provider.Unreached, ctx.Err())
	}
	k.last = max(k.web.Now().UnixMilli(), k.last+1)
	nonce := strconv.FormatInt(k.last, 10)
	form := url.Values{"nonce": {nonce}}.Encode()
	h := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	h.Set("API-Key", string(c.Part("id").Reveal()))
	h.Set("API-Sign", sign(keyInfo, nonce, form, by))
	return k.web.Do(ctx, web.Call{Doing: doing, Method: http.MethodPost, URL: "https://api.kraken.com", Path: keyInfo, Header: h, Body: []byte(form)})
}

// Guide says how a key like the old one is made.
func (k *kraken) Guide(provider.Credential) provider.Steps {
	return provider.Steps{
		IssueAt: krakenPage,
		Issue: append(append([]string{"Choose to create a key, for the spot exchange."},
			trading(": for trading, Query Funds, Query Open Orders & Trades, Create & Modify Orders and Cancel/Close Orders")...),
			"If the old key has a nonce window or an expiration, give it the same.",
			"Copy key and private key: the private one is shown once."),
		RevokeAt: krakenPage,
		Revoke:   []string{"Stop what uses the old key, then delete it: compare the first characters with those of the new one."},
	}
}
