// Package twilio knows the standard API keys of Twilio, of accounts in its first region,
// US1. A standard key may use all but keys and accounts, so that a new one may do what the
// old one may.
//
// Restricted keys are not replaced: Twilio refuses what one may not do by the code that it
// has for keys that are not valid, and only words tell which it is, which are not
// documented: they are those that users report. Nor are main keys replaced, which are made
// by hand alone.
package twilio

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/web"
	"github.com/keywright/keywright/secret"
)

// Provider implements provider.Verifier, Lister, Planner, Issuer and Revoker.
type Provider struct {
	API string // where calls are made, and a key is tried
	IAM string // where keys are managed

	web web.Client
}

// New returns a Provider that uses the transport of h, which may be nil.
func New(h *http.Client) *Provider {
	return &Provider{API: "https://api.twilio.com", IAM: "https://iam.twilio.com", web: web.New("twilio", h)}
}

// Info is what is known without asking.
func (p *Provider) Info() provider.Info {
	return provider.Info{
		Name: "twilio", Title: "Twilio standard API key", Page: "https://console.twilio.com/us1/account/keys-credentials/api-keys",
		Parts:       []provider.Part{{Name: "sid", Public: true}, {Name: "secret"}},
		Params:      []provider.Param{{Name: "account", Meaning: "the SID of the account: AC…", Required: true}},
		Admin:       "a main key of the account, or its SID and auth token",
		Propagation: time.Minute, // nothing is said of it
		Sources: []string{
			"https://www.twilio.com/docs/iam/api-keys/key-resource-v1",
			"https://www.twilio.com/docs/iam/api-keys/keys-in-console",
			"https://www.twilio.com/docs/voice/api/queue-resource",
			"https://www.twilio.com/docs/api/errors/20003",
			"https://github.com/twilio/twilio-oai",
		},
		Tested: "a fake of Twilio's specification",
	}
}

func failed(doing string, kind provider.Kind, why string) *provider.Error {
	return &provider.Error{Provider: "twilio", Doing: doing, Kind: kind, Err: errors.New(why)}
}

func sid(c provider.Credential) string {
	if c.ID != "" {
		return c.ID
	}
	return string(c.Part("sid").Reveal())
}

// account is the account that a key is of.
func account(doing string, c provider.Credential) (string, error) {
	a := c.Params["account"]
	if !strings.HasPrefix(a, "AC") || strings.ContainsAny(a, "/?#%. ") {
		return "", failed(doing, provider.Incomplete, "the parameter account is needed: the SID of the account, AC…")
	}
	return a, nil
}

// send makes a call with a key.
func (p *Provider) send(ctx context.Context, as provider.Credential, call web.Call) (web.Answer, error) {
	name, key := sid(as), as.Part("secret")
	if name == "" || key.IsZero() {
		return web.Answer{}, failed(call.Doing, provider.Incomplete, "it takes the SID of a key and its secret")
	}
	login := append([]byte(name+":"), key.Reveal()...)
	defer clear(login)
	call.Header = http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString(login)}}
	if call.Body != nil {
		call.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return p.web.Do(ctx, call)
}

// read makes a call that changes nothing, and decodes what it gives.
func (p *Provider) read(ctx context.Context, as provider.Credential, doing, path, query string, into any) error {
	a, err := p.send(ctx, as, web.Call{Doing: doing, Method: http.MethodGet, URL: p.IAM, Path: path, Query: query})
	if err == nil {
		err = a.Refusal()
	}
	if err == nil {
		err = a.JSON(into)
	}
	return web.Beforehand(err)
}

// Verify lists one of the account's queues: a standard key may not look at the account
// itself.
func (p *Provider) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	const doing = "try the key"
	in, err := account(doing, c)
	if err != nil {
		return provider.Probe{}, err
	}
	a, err := p.send(ctx, c, web.Call{Doing: doing, Method: http.MethodGet, URL: p.API, Path: "/2010-04-01/Accounts/" + in + "/Queues.json", Query: "PageSize=1"})
	if err != nil {
		return provider.Probe{}, err
	}
	code := strconv.Itoa(a.Status)
	switch a.Status {
	case http.StatusOK:
		var got struct {
			Queues *[]struct{} `json:"queues"`
		}
		if err := a.JSON(&got); err != nil {
			return provider.Probe{}, err
		}
		if got.Queues == nil {
			return provider.Probe{}, a.Failure(provider.Malformed, "", errors.New("there are no queues in it"))
		}
		return provider.Probe{State: provider.Alive, Code: code, Who: provider.Identity{ID: sid(c), Account: in}}, nil
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		var said struct {
			Code    int
			Message string
		}
		probe := provider.Probe{State: provider.Unknown, Code: code}
		if a.JSON(&said) != nil || said.Code == 0 {
			return probe, nil
		}
		probe.Code += " " + strconv.Itoa(said.Code)
		// The code alone is that of what a key may not do, too.
		if a.Status == http.StatusUnauthorized && said.Code == 20003 && (said.Message == "Authenticate" || strings.HasPrefix(said.Message, "Authentication Error")) {
			probe.State = provider.Dead
		}
		return probe, nil
	}
	return a.Bare()
}

// key is what Twilio says of one.
type key struct {
	SID     string          `json:"sid"`
	Name    string          `json:"friendly_name"`
	Created string          `json:"date_created"`
	Policy  json.RawMessage `json:"policy"` // of a restricted one; not in lists
	Secret  web.Secret      `json:"secret"` // of a new one
}

// standard reads a key, and says no if it is restricted.
func (p *Provider) standard(ctx context.Context, admin, c provider.Credential) (in string, err error) {
	const doing = "look at the key"
	if in, err = account(doing, c); err != nil {
		return "", err
	}
	name := sid(c)
	if name == "" {
		return "", failed(doing, provider.Incomplete, "which key it is is not known")
	}
	var k key
	if err := p.read(ctx, admin, doing, "/v1/Keys/"+url.PathEscape(name), "", &k); err != nil {
		return "", err
	}
	switch {
	case k.SID != name:
		return "", failed(doing, provider.Unreached, "what came is not about the key")
	case len(k.Policy) > 0 && string(k.Policy) != "null":
		return "", failed(doing, provider.Refused, "it is a restricted key: whether one is dead cannot be told")
	}
	return in, nil
}

// List lists the keys of the account.
func (p *Provider) List(ctx context.Context, admin, c provider.Credential) ([]provider.Listed, error) {
	const doing = "list the keys"
	in, err := account(doing, c)
	if err != nil {
		return nil, err
	}
	var all []provider.Listed
	seen := map[string]bool{}
	for query := (url.Values{"AccountSid": {in}, "PageSize": {"1000"}}).Encode(); ; {
		var page struct {
			Keys *[]key `json:"keys"`
			Meta struct {
				Next string `json:"next_page_url"`
			} `json:"meta"`
		}
		if err := p.read(ctx, admin, doing, "/v1/Keys", query, &page); err != nil {
			return nil, err
		}
		if page.Keys == nil || seen[query] {
			return nil, failed(doing, provider.Unreached, "the list is not complete")
		}
		seen[query] = true
		for _, k := range *page.Keys {
			if k.SID == "" {
				return nil, failed(doing, provider.Unreached, "the list is not one of keys")
			}
			at, _ := time.Parse(time.RFC1123Z, k.Created)
			all = append(all, provider.Listed{Identity: provider.Identity{ID: k.SID, Label: k.Name, Account: in}, Created: at.UTC()})
		}
		if page.Meta.Next == "" {
			return all, nil
		}
		next, err := url.Parse(page.Meta.Next) // of which only the query is taken
		if err != nil || next.Query().Get("AccountSid") != in {
			return nil, failed(doing, provider.Unreached, "the list is not complete")
		}
		query = next.RawQuery
	}
}

// Plan looks whether the key is a standard one, and whether the other may manage keys.
func (p *Provider) Plan(ctx context.Context, admin, old provider.Credential) (provider.Plan, error) {
	const doing = "look whether the key can be replaced"
	in, err := p.standard(ctx, admin, old)
	if err != nil {
		return provider.Plan{}, err
	}
	if _, err := p.List(ctx, admin, old); err != nil {
		return provider.Plan{}, err
	}
	var e *provider.Error
	var page struct{}
	err = p.read(ctx, old, doing, "/v1/Keys", url.Values{"AccountSid": {in}, "PageSize": {"1"}}.Encode(), &page)
	switch {
	case err == nil:
		return provider.Plan{}, failed(doing, provider.Refused, "it may list keys, so it is a main key, and those are made at Twilio's pages alone")
	case errors.As(err, &e) && (e.Kind == provider.Forbidden || e.Kind == provider.Incomplete || e.Kind == provider.Refused):
		return provider.Plan{}, nil // or it is dead
	}
	return provider.Plan{}, err
}

// Issue makes a standard key. The lineage is its name.
func (p *Provider) Issue(ctx context.Context, admin, old provider.Credential, lineage provider.Lineage) (provider.Credential, error) {
	const doing = "make a key"
	in, err := p.standard(ctx, admin, old)
	if err != nil {
		return provider.Credential{}, err
	}
	a, err := p.send(ctx, admin, web.Call{Doing: doing, Method: http.MethodPost, URL: p.IAM, Path: "/v1/Keys",
		Body: []byte(url.Values{"AccountSid": {in}, "FriendlyName": {lineage.String()}}.Encode())})
	if err != nil {
		return provider.Credential{}, err
	}
	if err := a.Refusal(); err != nil {
		return provider.Credential{}, err
	}
	var made key
	if err := a.JSON(&made); err != nil {
		return provider.Credential{}, err
	}
	if made.SID == "" || made.SID == sid(old) || made.Secret.IsZero() {
		return provider.Credential{}, a.Failure(provider.Malformed, "", errors.New("there is no new key in it"))
	}
	return provider.Credential{
		ID:     made.SID,
		Parts:  map[string]secret.Value{"sid": secret.New([]byte(made.SID)), "secret": made.Secret.Value},
		Params: old.Params,
	}, nil
}

// Revoke deletes a key.
func (p *Provider) Revoke(ctx context.Context, admin, c, other provider.Credential) error {
	const doing = "delete the key"
	name := sid(c)
	switch {
	case !strings.HasPrefix(name, "SK"):
		return failed(doing, provider.Incomplete, "which key it is is not known")
	case name == sid(other):
		return failed(doing, provider.Refused, "it is the one that goes on being used")
	}
	a, err := p.send(ctx, admin, web.Call{Doing: doing, Method: http.MethodDelete, URL: p.IAM, Path: "/v1/Keys/" + url.PathEscape(name)})
	if err != nil {
		return err
	}
	if a.Status == http.StatusNotFound && p.gone(ctx, c) {
		return nil
	}
	return a.Done(http.StatusNoContent)
}

// gone reports whether a key that was not found is none: one of another account is not
// found either, but alive.
func (p *Provider) gone(ctx context.Context, c provider.Credential) bool {
	if c.Part("secret").IsZero() {
		return true
	}
	probe, err := p.Verify(ctx, c)
	return err == nil && probe.State == provider.Dead
}
