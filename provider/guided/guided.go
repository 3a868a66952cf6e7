// Package guided knows services where an API can neither issue a key nor revoke one: all
// of it is done by hand, at a page, and what to choose there is said. Whether a key is
// alive is asked where there is a call for that which changes nothing, and whose answer
// about a dead key is the service's own.
//
// A service is a row of a table; Kraken, whose calls are signed, is a type. What is written
// there was taken from the documents that the row names, and from answers that others
// recorded; none of it was run against the services themselves.
package guided

import (
	"context"
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

// single is the part of a key that has one, and called as it is in a key that was stored
// before anybody said where it is from.
const single = "value"

// manual is a service. It implements provider.Guide.
type manual struct{ service }

// verifier implements provider.Verifier, too: its key alone can be asked about.
type verifier struct {
	manual
	web web.Client
}

// recognizer implements provider.Recognizer, too.
type recognizer struct{ verifier }

// All returns the services, which use the transport of h, which may be nil.
func All(h *http.Client) (all []provider.Provider) {
	for _, s := range services() {
		v := verifier{manual{s}, web.New(s.name, h)}
		switch {
		case s.asks == nil:
			all = append(all, v.manual)
		case s.rules == nil:
			all = append(all, v)
		default:
			all = append(all, recognizer{v})
		}
	}
	return append(all, newKraken(h))
}

// service is a row.
type service struct {
	name, title, page string
	parts             []provider.Part // of a key with several

	asks   func(key string) web.Call // what a key is; nil if there is no such call
	says   func(web.Said) provider.Identity
	good   string // a field that a good answer has
	codes  []web.Code
	rules  []string // of the scan, that find nothing else than its keys
	delay  time.Duration
	others string // as provider.Info.Others

	steps   func(old provider.Credential) provider.Steps
	sources []string
}

// Info is what is known without asking.
func (m manual) Info() provider.Info {
	i := provider.Info{
		Name: m.name, Title: m.title, Page: m.page, Parts: m.parts, Propagation: m.delay, Sources: m.sources, Others: m.others,
		Tested: "nothing: keywright makes no call there",
	}
	if i.Parts == nil {
		i.Parts = []provider.Part{{Name: single}}
	}
	if m.asks != nil {
		i.Tested = "a fake of the documentation"
	}
	return i
}

// Guide says how a key like the old one is made, and how that is deleted.
func (m manual) Guide(old provider.Credential) provider.Steps { return m.steps(old) }

// Verify asks what a key is.
func (v verifier) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	const doing = "ask what the key is"
	key := c.Part(single)
	if key.IsZero() {
		return provider.Probe{}, &provider.Error{Provider: v.name, Doing: doing, Kind: provider.Incomplete, Err: errors.New("the key itself is needed")}
	}
	call := v.asks(string(key.Reveal()))
	call.Doing, call.Method = doing, http.MethodGet
	a, err := v.web.Do(ctx, call)
	if err != nil {
		return provider.Probe{}, err
	}
	probe, said, err := a.Probe(v.codes)
	if err != nil || probe.State != "" {
		return probe, err
	}
	if said.Text(v.good) == "" {
		return provider.Probe{}, a.Failure(provider.Malformed, "", errors.New("it does not say what the key is"))
	}
	probe.State = provider.Alive
	if v.says != nil {
		probe.Who = v.says(said)
	}
	return probe, nil
}

// Recognize takes what the service's rules find.
func (r recognizer) Recognize(rule string, parts map[string]secret.Value) (provider.Credential, bool) {
	if !slices.Contains(r.rules, rule) {
		return provider.Credential{}, false
	}
	return provider.Credential{Parts: map[string]secret.Value{single: parts["secret"]}}, true
}

// inHeader is a call with the key in a header.
func inHeader(at, path, header, before string) func(string) web.Call {
	return func(key string) web.Call {
		h := http.Header{"Accept": {"application/json"}}
		h.Set(header, before+key)
		return web.Call{URL: at, Path: path, Header: h}
	}
}

// inQuery is a call with the key in the address, where a service takes it nowhere else.
func inQuery(at, path, field string, more url.Values) func(string) web.Call {
	return func(key string) web.Call {
		q := url.Values{field: {key}}
		for name, values := range more {
			q[name] = values
		}
		return web.Call{URL: at, Path: path, Query: q.Encode()}
	}
}

// always are steps that do not depend on the old key.
func always(s provider.Steps) func(provider.Credential) provider.Steps {
	return func(provider.Credential) provider.Steps { return s }
}

// trading are what to choose of any exchange.
func trading(rights string) []string {
	return []string{
		"Give it the rights of the old key, no more" + rights + ". A key that trades may not withdraw.",
		"Fill in the addresses that it is used from.",
	}
}

// begins reports whether a key begins with one of some texts.
func begins(key secret.Value, with ...string) bool {
	return slices.ContainsFunc(with, func(w string) bool { return strings.HasPrefix(string(key.Reveal()), w) })
}
