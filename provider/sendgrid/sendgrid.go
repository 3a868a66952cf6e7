// Package sendgrid knows the API keys of SendGrid. A new one gets the scopes of the old one:
// SendGrid gives all that there are to a key that is made without. The words by which dead
// keys are refused are not documented: they are those that users report.
package sendgrid

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/web"
	"github.com/keywright/keywright/secret"
)

const (
	global = "https://api.sendgrid.com"
	most   = 100 // keys of an account
)

// Provider implements provider.Verifier, Recognizer, Lister, Planner, Issuer and Revoker.
type Provider struct{ web web.Client }

// New returns a Provider that uses the transport of h, which may be nil.
func New(h *http.Client) *Provider { return &Provider{web.New("sendgrid", h)} }

// Info is what is known without asking.
func (p *Provider) Info() provider.Info {
	return provider.Info{
		Name: "sendgrid", Title: "SendGrid API key", Page: "https://app.sendgrid.com/settings/api_keys",
		Others:      "a subuser in the EU",
		Parts:       []provider.Part{{Name: "value"}},
		Params:      []provider.Param{{Name: "url", Meaning: "the address of the API; for subusers in the EU it is https://api.eu.sendgrid.com", Default: global, Server: true}},
		Admin:       "a key of the same user with the scopes api_keys.create, api_keys.read and api_keys.delete, unless the key has them itself",
		Propagation: time.Minute, // “some small propagation delay”
		Sources: []string{
			"https://www.twilio.com/docs/sendgrid/api-reference/api-keys",
			"https://www.twilio.com/docs/sendgrid/api-reference/api-key-permissions/retrieve-a-list-of-scopes-for-which-this-user-has-access",
			"https://github.com/twilio/sendgrid-oai",
			"https://github.com/sendgrid/sendgrid-php/issues/793",
		},
		Tested: "a fake of SendGrid's specification",
	}
}

func failed(doing string, kind provider.Kind, why string) *provider.Error {
	return &provider.Error{Provider: "sendgrid", Doing: doing, Kind: kind, Err: errors.New(why)}
}

// id is what SendGrid calls a key: it is the middle of it.
func id(c provider.Credential) string {
	if c.ID != "" {
		return c.ID
	}
	if parts := strings.Split(string(c.Part("value").Reveal()), "."); len(parts) == 3 && parts[0] == "SG" {
		return parts[1]
	}
	return ""
}

// send makes a call with a key, at the address of a credential.
func (p *Provider) send(ctx context.Context, as, at provider.Credential, call web.Call) (web.Answer, error) {
	key := web.Token(as, "value")
	if key.IsZero() {
		return web.Answer{}, failed(call.Doing, provider.Incomplete, "a key is needed")
	}
	as, err := provider.Acting(p, call.Doing, as, at)
	if err != nil {
		return web.Answer{}, err
	}
	call.URL = strings.TrimSuffix(as.Params["url"], "/")
	if call.URL == "" {
		call.URL = global
	}
	call.Path = "/v3" + call.Path
	if call.Header == nil {
		call.Header = http.Header{}
	}
	call.Header.Set("Authorization", "Bearer "+string(key.Reveal()))
	return p.web.Do(ctx, call)
}

// read makes a call that changes nothing, and decodes what it gives.
func (p *Provider) read(ctx context.Context, as, at provider.Credential, doing, path string, into any) error {
	a, err := p.send(ctx, as, at, web.Call{Doing: doing, Method: http.MethodGet, Path: path})
	if err == nil {
		err = a.Refusal()
	}
	if err == nil {
		err = a.JSON(into)
	}
	return web.Beforehand(err)
}

// said reports whether the first of the errors in an answer is one of these words. They
// are compared, and not shown.
func said(a web.Answer) func(words string) bool {
	var body struct {
		Errors []struct{ Message string }
	}
	if a.JSON(&body) != nil || len(body.Errors) == 0 {
		return func(string) bool { return false }
	}
	return func(words string) bool { return strings.Contains(body.Errors[0].Message, words) }
}

const revoked = "authorization grant is invalid, expired, or revoked"

// Recognize takes keys.
func (p *Provider) Recognize(rule string, parts map[string]secret.Value) (provider.Credential, bool) {
	return provider.Credential{Parts: map[string]secret.Value{"value": parts["secret"]}}, rule == "sendgrid-api-key"
}

// Verify asks what a key may do. Who may not know that, is answered as one who has no key;
// so then a mail is sent that has neither a sender nor words nor anybody to get it: that a
// key is dead is said there.
func (p *Provider) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	const doing = "ask what the key may do"
	if c.Part("value").IsZero() {
		return provider.Probe{}, failed(doing, provider.Incomplete, "the key is needed")
	}
	a, err := p.send(ctx, c, c, web.Call{Doing: doing, Method: http.MethodGet, Path: "/scopes"})
	if err != nil {
		return provider.Probe{}, err
	}
	code := strconv.Itoa(a.Status)
	switch a.Status {
	case http.StatusOK:
		var may struct{ Scopes []string }
		if err := a.JSON(&may); err != nil {
			return provider.Probe{}, err
		}
		if len(may.Scopes) == 0 {
			return provider.Probe{}, a.Failure(provider.Malformed, "", errors.New("it does not say what the key may do"))
		}
		slices.Sort(may.Scopes)
		return provider.Probe{State: provider.Alive, Code: code, Who: provider.Identity{ID: id(c), Scopes: may.Scopes}}, nil
	case http.StatusUnauthorized:
		said := said(a)
		switch {
		case said(revoked):
			return provider.Probe{State: provider.Dead, Code: code + " " + revoked}, nil
		case said("authorization required"):
			return p.mail(ctx, c)
		}
		return provider.Probe{State: provider.Unknown, Code: code}, nil
	}
	return a.Bare() // a block by address is said by 403, too
}

// mail tries to send nothing to nobody.
func (p *Provider) mail(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	a, err := p.send(ctx, c, c, web.Call{Doing: "ask whether the key is valid", Method: http.MethodPost, Path: "/mail/send"}.With(struct{}{}))
	if err != nil {
		return provider.Probe{}, err
	}
	code := strconv.Itoa(a.Status)
	switch {
	case a.Status == http.StatusUnauthorized && said(a)(revoked):
		return provider.Probe{State: provider.Dead, Code: code + " " + revoked}, nil
	case a.Status == http.StatusBadRequest: // it got as far as to the mail
		return provider.Probe{State: provider.Narrow, Code: code, Who: provider.Identity{ID: id(c)}}, nil
	}
	return a.Bare()
}

// key is what SendGrid says of one.
type key struct {
	ID     string     `json:"api_key_id"`
	Name   string     `json:"name"`
	Scopes []string   `json:"scopes"`  // not in lists
	Value  web.Secret `json:"api_key"` // of a new one
}

// find reads a key with its scopes.
func (p *Provider) find(ctx context.Context, admin, c provider.Credential) (key, error) {
	const doing = "look at the key"
	name := id(c)
	if name == "" {
		return key{}, failed(doing, provider.Incomplete, "which key it is is not known")
	}
	var k key
	if err := p.read(ctx, admin, c, doing, "/api_keys/"+url.PathEscape(name), &k); err != nil {
		return key{}, err
	}
	if k.ID != name || len(k.Scopes) == 0 {
		return key{}, failed(doing, provider.Unreached, "what came does not say what it may do")
	}
	return k, nil
}

// List lists the keys of the user. When they were made or used is not said.
func (p *Provider) List(ctx context.Context, admin, c provider.Credential) ([]provider.Listed, error) {
	const doing = "list the keys"
	var got struct{ Result *[]key }
	if err := p.read(ctx, admin, c, doing, "/api_keys", &got); err != nil {
		return nil, err
	}
	if got.Result == nil {
		return nil, failed(doing, provider.Unreached, "there is no list in it")
	}
	var all []provider.Listed
	for _, k := range *got.Result {
		if k.ID == "" {
			return nil, failed(doing, provider.Unreached, "the list is not one of keys")
		}
		all = append(all, provider.Listed{Identity: provider.Identity{ID: k.ID, Label: k.Name}})
	}
	return all, nil
}

// Plan looks whether there is room for another key, and whether the key to make changes
// with may make it.
func (p *Provider) Plan(ctx context.Context, admin, old provider.Credential) (provider.Plan, error) {
	const doing = "look whether the key can be replaced"
	var may struct{ Scopes []string }
	if err := p.read(ctx, admin, old, doing, "/scopes", &may); err != nil {
		return provider.Plan{}, err
	}
	if len(may.Scopes) == 0 {
		return provider.Plan{}, failed(doing, provider.Unreached, "what came does not say what the key to make changes with may do")
	}
	var missing []string
	for _, s := range []string{"api_keys.create", "api_keys.read", "api_keys.delete"} {
		if !slices.Contains(may.Scopes, s) {
			missing = append(missing, s)
		}
	}
	if len(missing) > 0 {
		return provider.Plan{}, failed(doing, provider.Forbidden, "the key to make changes with lacks the scopes "+strings.Join(missing, ", "))
	}
	k, err := p.find(ctx, admin, old)
	if err != nil {
		return provider.Plan{}, err
	}
	all, err := p.List(ctx, admin, old)
	if err != nil {
		return provider.Plan{}, err
	}
	if len(all) >= most {
		return provider.Plan{}, failed(doing, provider.NoSlot, fmt.Sprintf("there are %d keys, and more are not taken", len(all)))
	}
	var lacks []string
	for _, s := range k.Scopes {
		if !slices.Contains(may.Scopes, s) {
			lacks = append(lacks, s)
		}
	}
	if len(lacks) == 0 {
		return provider.Plan{}, nil
	}
	return provider.Plan{Notes: []string{"the key to make changes with lacks scopes of the old key, which SendGrid may not let it give: " + strings.Join(lacks, ", ")}}, nil
}

// Issue makes a key with the scopes of the old one. The lineage is its name.
func (p *Provider) Issue(ctx context.Context, admin, old provider.Credential, lineage provider.Lineage) (provider.Credential, error) {
	const doing = "make a key"
	k, err := p.find(ctx, admin, old)
	if err != nil {
		return provider.Credential{}, err
	}
	a, err := p.send(ctx, admin, old, web.Call{Doing: doing, Method: http.MethodPost, Path: "/api_keys"}.With(struct {
		Name   string   `json:"name"`
		Scopes []string `json:"scopes"`
	}{lineage.String(), k.Scopes}))
	if err != nil {
		return provider.Credential{}, err
	}
	if a.Status == http.StatusForbidden {
		return provider.Credential{}, a.Failure(provider.Forbidden, "", fmt.Errorf("the key to make changes with may not, or there are %d keys", most))
	}
	if err := a.Refusal(); err != nil {
		return provider.Credential{}, err
	}
	var made key
	if err := a.JSON(&made); err != nil {
		return provider.Credential{}, err
	}
	if made.ID == "" || made.ID == k.ID || made.Value.IsZero() {
		return provider.Credential{}, a.Failure(provider.Malformed, "", errors.New("there is no new key in it"))
	}
	if len(made.Scopes) == 0 || slices.ContainsFunc(made.Scopes, func(s string) bool { return !slices.Contains(k.Scopes, s) }) {
		return provider.Credential{}, a.Failure(provider.Malformed, "", errors.New("the new key may do something else than the old one"))
	}
	return provider.Credential{ID: made.ID, Parts: map[string]secret.Value{"value": made.Value.Value}, Params: old.Params}, nil
}

// Revoke deletes a key.
func (p *Provider) Revoke(ctx context.Context, admin, c, other provider.Credential) error {
	const doing = "delete the key"
	name := id(c)
	switch name {
	case "":
		return failed(doing, provider.Incomplete, "which key it is is not known")
	case id(other):
		return failed(doing, provider.Refused, "it is the one that goes on being used")
	}
	a, err := p.send(ctx, admin, c, web.Call{Doing: doing, Method: http.MethodDelete, Path: "/api_keys/" + url.PathEscape(name)})
	if err != nil {
		return err
	}
	if a.Status == http.StatusNotFound && p.gone(ctx, c) {
		return nil
	}
	return a.Done(http.StatusNoContent)
}

// gone reports whether a key that was not found is none: one of another user is not found
// either, but alive.
func (p *Provider) gone(ctx context.Context, c provider.Credential) bool {
	if c.Part("value").IsZero() {
		return true
	}
	probe, err := p.Verify(ctx, c)
	return err == nil && probe.State == provider.Dead
}
