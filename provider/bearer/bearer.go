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
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/web"
	"github.com/keywright/keywright/secret"
)

// part is the only part of a key, and called as that is in a key that was stored before
// anybody said where it is from.
const part = "value"

// Provider is one of the services. It implements provider.Verifier, Recognizer, Revoker and
// Guide.
type Provider struct {
	service
	web web.Client
}

// All returns the services, which use the transport of h, which may be nil.
func All(h *http.Client) (all []provider.Provider) {
	for _, s := range services() {
		all = append(all, &Provider{s, web.New(s.name, h)})
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
	accept string // what is asked for; JSON if empty

	whose request
	says  identity
	codes []web.Code // what whose says otherwise
	mute  bool       // as of provider.Info.Mute

	id      string  // a field of whose, if the call that ends a token names it so
	list    request // of all tokens of its owner, where that alone says it
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
	path      string // in which {token} stands for the token, and {id} for what the service calls it
	anonymous bool   // no header shows the token
	body      func(token, id string) (kind string, body []byte)
	done      int    // the status of a good answer
	yes       string // a field that is true in a good answer, where the status does not say it
	says      string // a field that stands in every good answer
}

// identity is where the answer says whose a token is.
type identity struct{ account, id, label, scopes, expires string }

// object is a body in JSON with one field.
func object(field string, list bool) func(token, id string) (string, []byte) {
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

func form(token, id string) (string, []byte) {
	v := url.Values{"token": {token}}
	if id != "" {
		v.Set("client_id", id)
	}
	return "application/x-www-form-urlencoded", []byte(v.Encode())
}

// Info is what is known without asking.
func (p *Provider) Info() provider.Info {
	i := provider.Info{
		Name: p.name, Title: p.title, Page: p.page, Others: p.others, Parts: []provider.Part{{Name: part}}, Itself: true, Mute: p.mute,
		Propagation: p.delay, Revoking: p.warning, Sources: p.sources, Tested: "a fake of the documentation",
	}
	if p.api == "" {
		i.Params = []provider.Param{{Name: "url", Meaning: p.param, Required: true, Server: true}}
	}
	return i
}

// Recognize takes what the service's rules find, if it is a token that can be asked. Where
// that runs at no address that is the same for everybody, whoever has it asked says where.
func (p *Provider) Recognize(rule string, parts map[string]secret.Value) (provider.Credential, bool) {
	begins, ok := p.rules[rule]
	token := parts["secret"]
	if !ok || begins != nil && !slices.ContainsFunc(begins, func(b string) bool { return bytes.HasPrefix(token.Reveal(), []byte(b)) }) {
		return provider.Credential{}, false
	}
	return provider.Credential{Parts: map[string]secret.Value{part: token}}, true
}

// ask makes a call with a token, which the service may call by an id.
func (p *Provider) ask(ctx context.Context, doing string, r request, c provider.Credential, id string) (web.Answer, error) {
	incomplete := func(why string) (web.Answer, error) {
		return web.Answer{}, &provider.Error{Provider: p.name, Doing: doing, Kind: provider.Incomplete, Err: errors.New(why)}
	}
	token := string(c.Part(part).Reveal())
	at := cmp.Or(r.at, p.api, c.Params["url"])
	switch {
	case token == "":
		return incomplete("the token itself is needed: nothing else names it")
	case at == "":
		return incomplete("the parameter url is missing: " + p.param)
	}
	h := http.Header{"Accept": {cmp.Or(p.accept, "application/json")}}
	if !r.anonymous {
		h.Set(cmp.Or(p.header, "Authorization"), p.scheme+token)
	}
	var body []byte
	if r.body != nil {
		var kind string
		kind, body = r.body(token, id)
		h.Set("Content-Type", kind)
		defer clear(body)
	}
	path := strings.NewReplacer("{token}", url.PathEscape(token), "{id}", url.PathEscape(id)).Replace(r.path)
	return p.web.Do(ctx, web.Call{Doing: doing, Method: r.method, URL: at, Path: path, Header: h, Body: body})
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
	nobody := probe.Who.Account+probe.Who.ID+probe.Who.Label == "" && !said.Has(p.whose.says)
	if a.Status != p.whose.done || nobody || p.whose.yes != "" && said.Text(p.whose.yes) != "true" {
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
func (p *Provider) Revoke(ctx context.Context, admin, c, _ provider.Credential) error {
	const doing = "revoke the token"
	if _, err := provider.Acting(p, doing, admin, c); err != nil {
		return err
	}
	id, gone, err := p.called(ctx, c)
	if err != nil || gone {
		return err
	}
	a, err := p.ask(ctx, doing, p.end, c, id)
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

// called is what the service calls a token, if the call that ends it says that; gone, that the
// token has ended already. Nothing is changed.
func (p *Provider) called(ctx context.Context, c provider.Credential) (id string, gone bool, err error) {
	if p.id == "" {
		return "", false, nil
	}
	const doing = "ask what the token is called"
	probe, said, err := p.verify(ctx, c)
	switch {
	case err != nil:
		return "", false, web.Beforehand(err)
	case probe.State == provider.Dead:
		return "", true, nil
	case probe.State == provider.Throttled:
		return "", false, &provider.Error{Provider: p.name, Doing: doing, Kind: provider.Busy, Code: probe.Code, After: probe.After}
	case p.list.path != "":
		id, err = p.listed(ctx, doing, c)
		return id, false, err
	case !probe.State.Lives():
		return "", false, &provider.Error{Provider: p.name, Doing: doing, Kind: provider.Refused, Code: probe.Code}
	}
	return said.Text(p.id), false, nil
}

// listed finds a token in the list of its owner's. The others are none of our business.
func (p *Provider) listed(ctx context.Context, doing string, c provider.Credential) (id string, err error) {
	a, err := p.ask(ctx, doing, p.list, c, "")
	if err == nil {
		err = a.Refusal()
	}
	var all []struct {
		ID    string
		Token struct {
			Value web.Secret `json:"token"`
		} `json:"access_token"`
	}
	if err == nil {
		err = a.JSON(&all)
	}
	if err != nil {
		return "", web.Beforehand(err)
	}
	token := c.Part(part).Reveal()
	for _, one := range all {
		switch {
		case one.ID == "" || !shows(one.Token.Value.Reveal(), token):
		case id != "":
			return "", a.Failure(provider.Refused, "", errors.New("several tokens in the list look like it"))
		default:
			id = one.ID
		}
	}
	if id == "" {
		return "", a.Failure(provider.Refused, "", errors.New("it is not in the list of its owner's tokens"))
	}
	return id, nil
}

// shows reports whether what a list shows of a token is this one: all of it, or a beginning and
// an end with asterisks between that hide the rest, and enough of both to tell it from others.
func shows(listed, token []byte) bool {
	const hidden, told = "**********", 6
	before, after, part := bytes.Cut(listed, []byte(hidden))
	if !part {
		return len(listed) > 0 && bytes.Equal(listed, token)
	}
	own := len(bytes.TrimPrefix(before, []byte("HRKU-AA"))) + len(after)
	return own >= told && len(before)+len(after) < len(token) && bytes.HasPrefix(token, before) && bytes.HasSuffix(token, after)
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
