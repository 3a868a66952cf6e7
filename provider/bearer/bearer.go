// Package bearer knows services whose tokens are worth what their bearer makes of them:
// with a token alone it can be asked whose it is, and with it alone it can be ended. No
// other key is needed. New ones are made by hand.
//
// A service is a row of a table. What is written there of calls and codes was taken from
// the documents that the row names, and from answers that others recorded; none of it was
// run against the services themselves.
package bearer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/web"
	"github.com/keywright/keywright/secret"
)

// part is the only part of a key, and called as that is in a key that was stored before
// anybody said where it is from.
const part = "value"

// Provider is one of the services. It implements provider.Verifier, Revoker and Guide.
type Provider struct {
	service
	web web.Client
}

// recognizer is a Provider whose address is known, so that what a scan finds can be tried.
type recognizer struct{ *Provider }

// All returns the services, which use the transport of h, which may be nil. Those that
// run at one address implement provider.Recognizer.
func All(h *http.Client) (all []provider.Provider) {
	for _, s := range services() {
		p := &Provider{s, web.New(s.name, h)}
		if s.api == "" {
			all = append(all, p)
		} else {
			all = append(all, recognizer{p})
		}
	}
	return all
}

// service is a row.
type service struct {
	name, title, page string

	api   string              // its address; empty if it has none that is the same for everybody
	param string              // what the address is, then
	rules map[string][]string // of the scan, that find its tokens; with how those begin, if a rule finds others, too

	header string // that shows a token; "Authorization" if empty
	scheme string // that stands before it

	whose request
	says  identity
	codes []web.Code // what whose says otherwise

	end     request
	warning string // as of provider.Info.Revoking
	delay   time.Duration
	others  string // as of provider.Info.Others

	steps   provider.Steps
	sources []string
}

// request is a call that is made with a token.
type request struct {
	method    string
	at        string // the address, if it is another than the service's
	path      string
	anonymous bool // no header shows the token
	body      func(token, client string) (kind string, body []byte)
	client    string // the field of whose that says which client the token is of, if the body needs it
	done      int    // the status of a good answer
	yes       string // a field that is true in a good answer, where the status does not say it
	says      string // a field that stands in every good answer
}

// identity is where the answer says whose a token is.
type identity struct{ account, id, label, scopes, expires string }

// object is a body in JSON with one field.
func object(field string, list bool) func(token, client string) (string, []byte) {
	return func(token, _ string) (string, []byte) {
		var value any = token
		if list {
			value = []string{token}
		}
		b, err := json.Marshal(map[string]any{field: value})
		if err != nil {
			return "", nil // of texts there is always JSON
		}
		return "application/json", b
	}
}

func form(token, client string) (string, []byte) {
	v := url.Values{"token": {token}}
	if client != "" {
		v.Set("client_id", client)
	}
	return "application/x-www-form-urlencoded", []byte(v.Encode())
}

// Info is what is known without asking.
func (p *Provider) Info() provider.Info {
	i := provider.Info{
		Name: p.name, Title: p.title, Page: p.page, Others: p.others, Parts: []provider.Part{{Name: part}}, Itself: true,
		Propagation: p.delay, Revoking: p.warning, Sources: p.sources, Tested: "a fake of the documentation",
	}
	if p.api == "" {
		i.Params = []provider.Param{{Name: "url", Meaning: p.param, Required: true}}
	}
	return i
}

// Recognize takes what the service's rules find, if it is a token that can be asked.
func (p recognizer) Recognize(rule string, parts map[string]secret.Value) (provider.Credential, bool) {
	begins, ok := p.rules[rule]
	token := parts["secret"]
	if !ok || begins != nil && !slices.ContainsFunc(begins, func(b string) bool { return bytes.HasPrefix(token.Reveal(), []byte(b)) }) {
		return provider.Credential{}, false
	}
	return provider.Credential{Parts: map[string]secret.Value{part: token}}, true
}

// ask makes a call with a token.
func (p *Provider) ask(ctx context.Context, doing string, r request, c provider.Credential, client string) (web.Answer, error) {
	incomplete := func(why string) (web.Answer, error) {
		return web.Answer{}, &provider.Error{Provider: p.name, Doing: doing, Kind: provider.Incomplete, Err: errors.New(why)}
	}
	token, at := string(c.Part(part).Reveal()), r.at
	if at == "" {
		at = p.api
	}
	if at == "" {
		at = c.Params["url"]
	}
	switch {
	case token == "":
		return incomplete("the token itself is needed: nothing else names it")
	case at == "":
		return incomplete("the parameter url is missing: " + p.param)
	}
	h := http.Header{"Accept": {"application/json"}}
	if !r.anonymous {
		name := p.header
		if name == "" {
			name = "Authorization"
		}
		h.Set(name, p.scheme+token)
	}
	var body []byte
	if r.body != nil {
		var kind string
		kind, body = r.body(token, client)
		h.Set("Content-Type", kind)
		defer clear(body)
	}
	return p.web.Do(ctx, web.Call{Doing: doing, Method: r.method, URL: at, Path: r.path, Header: h, Body: body})
}

// Verify asks whose a token is.
func (p *Provider) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	probe, _, err := p.verify(ctx, c)
	return probe, err
}

func (p *Provider) verify(ctx context.Context, c provider.Credential) (provider.Probe, web.Said, error) {
	a, err := p.ask(ctx, "ask whose the token is", p.whose, c, "")
	if err != nil {
		return provider.Probe{}, nil, err
	}
	probe, said, err := a.Probe(p.codes)
	if err != nil || probe.State != "" {
		return probe, said, err
	}
	probe.State, probe.Who = provider.Alive, p.says.of(said)
	if a.Status != p.whose.done || probe.Who.Account+probe.Who.ID+probe.Who.Label == "" || p.whose.yes != "" && said.Text(p.whose.yes) != "true" {
		return provider.Probe{}, nil, a.Failure(provider.Malformed, "", errors.New("it does not say whose it is"))
	}
	return probe, said, nil
}

func (i identity) of(s web.Said) provider.Identity {
	who := provider.Identity{Account: s.Text(i.account), ID: s.Text(i.id), Label: s.Text(i.label), Scopes: s.Texts(i.scopes)}
	if t, err := time.Parse(time.RFC3339, s.Text(i.expires)); err == nil {
		who.Expires = t.UTC()
	}
	return who
}

// Revoke ends a token with itself. It cannot be undone. That a token has ended already is
// known by what the service says of it.
func (p *Provider) Revoke(ctx context.Context, _, c, _ provider.Credential) error {
	client := ""
	if p.end.client != "" {
		probe, said, err := p.verify(ctx, c)
		switch {
		case err != nil:
			return web.Beforehand(err)
		case probe.State == provider.Dead:
			return nil
		case !probe.State.Lives():
			kind := provider.Refused
			if probe.State == provider.Throttled {
				kind = provider.Busy
			}
			return &provider.Error{Provider: p.name, Doing: "ask which client the token is of", Kind: kind, Code: probe.Code, After: probe.After}
		}
		client = said.Text(p.end.client)
	}
	a, err := p.ask(ctx, "revoke the token", p.end, c, client)
	if err != nil {
		return err
	}
	refusal := p.ended(a)
	if refusal == nil || a.Status == http.StatusTooManyRequests || a.Status >= 500 {
		return refusal
	}
	// A token that is dead cannot be shown: that is what it was to become.
	if probe, _, err := p.verify(ctx, c); err == nil && probe.State == provider.Dead {
		return nil
	}
	return refusal
}

// ended is the error of an answer that does not say that the token was revoked.
func (p *Provider) ended(a web.Answer) error {
	if err := a.Done(p.end.done); err != nil || p.end.says == "" {
		return err
	}
	var said web.Said
	if err := a.JSON(&said); err != nil {
		return err
	}
	switch {
	case said.Text(p.end.says) == "":
		return a.Failure(provider.Malformed, "", errors.New("it does not say that it was revoked"))
	case p.end.yes != "" && said.Text(p.end.yes) != "true":
		return a.Failure(provider.Refused, "", errors.New("it did not revoke it"))
	}
	return nil
}

// Guide says how a token like the old one is made.
func (p *Provider) Guide(provider.Credential) provider.Steps { return p.steps }
