// Package cloudflare knows the API tokens of Cloudflare: those of a user and those that an
// account owns. A new one gets the policies of the old one, and stands beside it until that
// is deleted. Cloudflare's own rolling of a token ends the old value first, and is not used.
//
// The code by which dead tokens are refused, 1000, is not documented: it is the one that
// users of the API report.
package cloudflare

import (
	"cmp"
	"context"
	"encoding/json"
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
	api  = "https://api.cloudflare.com/client/v4"
	page = 50 // tokens on a page of a list

	user = "user" // in place of an account
)

// Provider implements provider.Verifier, Lister, Planner, Issuer and Revoker.
type Provider struct {
	URL string // of the API

	web web.Client
}

// New returns a Provider that uses the transport of h, which may be nil.
func New(h *http.Client) *Provider { return &Provider{URL: api, web: web.New("cloudflare", h)} }

// Info is what is known without asking.
func (p *Provider) Info() provider.Info {
	return provider.Info{
		Name: "cloudflare", Title: "Cloudflare API token", Page: "https://dash.cloudflare.com/profile/api-tokens",
		Parts: []provider.Part{{Name: "value"}},
		Params: []provider.Param{
			// A token of one sort is said to be invalid where the other sort is asked for.
			{Name: "account", Meaning: "the id of the account that owns the token, or the word user for a token of a user", Required: true},
		},
		Admin:       "a token with the permission API Tokens Write, for one that an account owns Account API Tokens Write",
		Propagation: time.Minute, // nothing is said of it
		Uses:        true,
		Sources: []string{
			"https://developers.cloudflare.com/fundamentals/api/how-to/create-via-api/",
			"https://developers.cloudflare.com/fundamentals/api/troubleshooting/",
			"https://developers.cloudflare.com/fundamentals/api/get-started/account-owned-tokens/",
			"https://developers.cloudflare.com/fundamentals/api/reference/permissions/",
			"https://github.com/cloudflare/cloudflare-go",
		},
		Tested: "a fake of the documentation and of Cloudflare's SDK for Go",
	}
}

func failed(doing string, kind provider.Kind, why string) *provider.Error {
	return &provider.Error{Provider: "cloudflare", Doing: doing, Kind: kind, Err: errors.New(why)}
}

// token is what Cloudflare says of one.
type token struct {
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Status    string          `json:"status"` // active, disabled, expired
	Policies  []policy        `json:"policies"`
	Condition json.RawMessage `json:"condition"`
	Issued    time.Time       `json:"issued_on"`
	Used      time.Time       `json:"last_used_on"`
	Expires   time.Time       `json:"expires_on"`
	NotBefore time.Time       `json:"not_before"`
	Value     web.Secret      `json:"value"` // of a new one
}

type policy struct {
	Effect    string          `json:"effect"`
	Groups    []group         `json:"permission_groups"`
	Resources json.RawMessage `json:"resources"`
}

type group struct {
	ID   string          `json:"id"`
	Meta json.RawMessage `json:"meta,omitempty"`
	Name string          `json:"name,omitempty"` // in answers
}

// rights are what policies say, a line for each resource and group, sorted.
func rights(policies []policy) ([]string, error) {
	var all []string
	for _, p := range policies {
		var resources map[string]any
		if err := json.Unmarshal(p.Resources, &resources); err != nil || len(p.Groups) == 0 || len(resources) == 0 {
			return nil, errors.New("a policy that says nothing")
		}
		for name, scope := range resources {
			for _, g := range p.Groups {
				all = append(all, fmt.Sprint(p.Effect, " ", g.ID, " ", name, " ", scope))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// addresses are those that a token may be used from, all if there are none, and those among
// them that it may not be used from. The documentation calls the condition request.ip, the
// SDK request_ip.
func (t token) addresses() (in, not []string) {
	type list struct {
		In  []string `json:"in"`
		Not []string `json:"not_in"`
	}
	var c struct {
		SDK list `json:"request_ip"`
		Doc list `json:"request.ip"`
	}
	if len(t.Condition) > 0 && json.Unmarshal(t.Condition, &c) != nil {
		return nil, nil
	}
	return slices.Sorted(slices.Values(append(c.SDK.In, c.Doc.In...))), append(c.SDK.Not, c.Doc.Not...)
}

// wider reports whether a token may be used from addresses that another may not.
func (t token) wider(than token) bool {
	in, not := t.addresses()
	from, never := than.addresses()
	lacks := func(all, some []string) bool {
		return slices.ContainsFunc(some, func(address string) bool { return !slices.Contains(all, address) })
	}
	return len(from) > 0 && (len(in) == 0 || lacks(from, in)) || lacks(not, never)
}

// family is where tokens of a sort are.
func family(doing string, c provider.Credential) (string, error) {
	account := c.Params["account"]
	text := string(c.Part("value").Reveal())
	switch {
	case account == "":
		return "", failed(doing, provider.Incomplete, "the parameter account is needed: the id of the account that owns the token, or the word user")
	case account == user && strings.HasPrefix(text, "cfat_"):
		return "", failed(doing, provider.Incomplete, "the token is owned by an account, and the parameter account does not say by which")
	case account != user && strings.HasPrefix(text, "cfut_"):
		return "", failed(doing, provider.Incomplete, "the token is one of a user, and the parameter account is not the word user")
	case account == user:
		return "/user/tokens", nil
	}
	return "/accounts/" + url.PathEscape(account) + "/tokens", nil
}

// reply is what all answers have in common.
type reply struct {
	web.Answer
	code   int
	result json.RawMessage
	total  int
}

// send makes a call with a token. There is no error if there is an answer of Cloudflare's,
// whatever it says.
func (p *Provider) send(ctx context.Context, as provider.Credential, call web.Call) (reply, error) {
	t := web.Token(as, "value")
	if t.IsZero() {
		return reply{}, failed(call.Doing, provider.Incomplete, "a token is needed")
	}
	call.URL = p.URL
	if call.Header == nil {
		call.Header = http.Header{}
	}
	call.Header.Set("Authorization", "Bearer "+string(t.Reveal()))
	a, err := p.web.Do(ctx, call)
	if err != nil {
		return reply{}, err
	}
	var body struct {
		Success bool
		Errors  []struct{ Code int }
		Result  json.RawMessage
		Info    struct {
			Total int `json:"total_count"`
		} `json:"result_info"`
	}
	if err := a.JSON(&body); err != nil {
		return reply{}, cmp.Or(a.Refusal(), err)
	}
	r := reply{Answer: a, result: body.Result, total: body.Info.Total}
	if len(body.Errors) > 0 {
		r.code = body.Errors[0].Code
	}
	if a.OK() && !body.Success {
		return reply{}, a.Failure(provider.Malformed, "", errors.New("it says neither yes nor no"))
	}
	return r, nil
}

// word is the status and Cloudflare's own code.
func (r reply) word() string {
	if r.code == 0 {
		return strconv.Itoa(r.Status)
	}
	return fmt.Sprintf("%d %d", r.Status, r.code)
}

// into decodes what was asked for.
func (r reply) into(v any) error {
	defer clear(r.result) // it may hold a secret
	if err := r.Refusal(); err != nil {
		var e *provider.Error
		if errors.As(err, &e) {
			e.Code = r.word()
		}
		return err
	}
	if v != nil && json.Unmarshal(r.result, v) != nil {
		return r.Failure(provider.Malformed, "", errors.New("the result is not what Cloudflare documents"))
	}
	return nil
}

// read asks for something without changing anything.
func (p *Provider) read(ctx context.Context, as provider.Credential, doing, path string, v any) error {
	r, err := p.send(ctx, as, web.Call{Doing: doing, Method: http.MethodGet, Path: path})
	if err == nil {
		err = r.into(v)
	}
	return web.Beforehand(err)
}

// Verify asks about a token with it, for which it needs no right. What it may do is not
// said.
func (p *Provider) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	const doing = "ask what the token is"
	base, err := family(doing, c)
	if err != nil {
		return provider.Probe{}, err
	}
	r, err := p.send(ctx, c, web.Call{Doing: doing, Method: http.MethodGet, Path: base + "/verify"})
	var known *provider.Error
	if errors.As(err, &known) && len(known.Code) == 3 && known.Code[0] == '4' {
		r.Status, _ = strconv.Atoi(known.Code) // a refusal, without Cloudflare's words
		r.After = known.After
	} else if err != nil {
		return provider.Probe{}, err
	}
	probe := provider.Probe{State: provider.Unknown, Code: r.word(), After: r.After}
	switch {
	case r.OK():
		var t token
		if err := r.into(&t); err != nil {
			return provider.Probe{}, err
		}
		if t.ID == "" {
			return provider.Probe{}, r.Failure(provider.Malformed, "", errors.New("it does not say which it is"))
		}
		probe.Who = provider.Identity{ID: t.ID, Expires: t.Expires}
		switch t.Status {
		case "active":
			probe.State = provider.Alive
		case "expired":
			probe.State, probe.Code = provider.Dead, "expired"
		case "disabled":
			probe.Code = "disabled" // it can be taken back
		}
	case r.Status == http.StatusUnauthorized && r.code == 1000: // “Invalid API Token”
		probe.State = provider.Dead
	case r.Status == http.StatusTooManyRequests:
		probe.State = provider.Throttled
	case r.Status >= 500 || r.Status < 400 || r.Status == http.StatusRequestTimeout:
		return provider.Probe{}, r.into(nil)
	}
	return probe, nil
}

// id is what a token is called; empty if it is dead and nobody knows.
func (p *Provider) id(ctx context.Context, c provider.Credential, doing string) (string, error) {
	if c.ID != "" {
		return c.ID, nil
	}
	probe, err := p.Verify(ctx, c)
	switch {
	case err != nil:
		return "", web.Beforehand(err)
	case probe.Who.ID == "" && probe.State != provider.Dead:
		return "", failed(doing, provider.Incomplete, "which token it is is not known: it is "+string(probe.State))
	}
	return probe.Who.ID, nil
}

// find reads a token with its policies.
func (p *Provider) find(ctx context.Context, admin, c provider.Credential) (base string, t token, err error) {
	const doing = "look at the token"
	if base, err = family(doing, c); err != nil {
		return "", token{}, err
	}
	id, err := p.id(ctx, c, doing)
	if err != nil {
		return "", token{}, err
	}
	if id == "" {
		return "", token{}, failed(doing, provider.Refused, "it is dead, and what it may do is not known")
	}
	if err := p.read(ctx, admin, doing, base+"/"+url.PathEscape(id), &t); err != nil {
		return "", token{}, err
	}
	if all, err := rights(t.Policies); err != nil || len(all) == 0 || t.ID != id {
		return "", token{}, failed(doing, provider.Unreached, "what came does not say what it may do")
	}
	return base, t, nil
}

// tokens are all that stand beside one.
func (p *Provider) tokens(ctx context.Context, admin, c provider.Credential) ([]token, error) {
	const doing = "list the tokens"
	base, err := family(doing, c)
	if err != nil {
		return nil, err
	}
	var all []token
	for n := 1; ; n++ {
		r, err := p.send(ctx, admin, web.Call{Doing: doing, Method: http.MethodGet, Path: base, Query: fmt.Sprintf("page=%d&per_page=%d", n, page)})
		var tokens []token
		if err == nil {
			err = r.into(&tokens)
		}
		if err != nil {
			return nil, web.Beforehand(err)
		}
		for _, t := range tokens {
			if t.ID == "" || slices.ContainsFunc(all, func(other token) bool { return other.ID == t.ID }) {
				return nil, failed(doing, provider.Unreached, "the list is not one")
			}
			all = append(all, t)
		}
		if len(tokens) == 0 && len(all) < r.total {
			return nil, failed(doing, provider.Unreached, "the list is not complete")
		}
		if len(tokens) == 0 || r.total > 0 && len(all) >= r.total {
			return all, nil
		}
	}
}

// List lists the tokens of the user or the account.
func (p *Provider) List(ctx context.Context, admin, c provider.Credential) ([]provider.Listed, error) {
	tokens, err := p.tokens(ctx, admin, c)
	if err != nil {
		return nil, err
	}
	var all []provider.Listed
	for _, t := range tokens {
		from, _ := t.addresses()
		all = append(all, provider.Listed{
			Identity: provider.Identity{ID: t.ID, Label: t.Name, IPs: from, Expires: t.Expires, LastUsed: t.Used},
			Created:  t.Issued, Disabled: t.Status != "active",
		})
	}
	return all, nil
}

// Plan looks whether the token to make changes with may make such a token.
func (p *Provider) Plan(ctx context.Context, admin, old provider.Credential) (provider.Plan, error) {
	const doing = "look whether the token can be replaced"
	base, t, err := p.find(ctx, admin, old)
	if err != nil {
		return provider.Plan{}, err
	}
	plan := provider.Plan{LastUsed: t.Used}
	if end := p.end(t); !end.IsZero() {
		plan.Notes = append(plan.Notes, "the new token ends on "+end.Format(time.DateOnly))
	}
	// It may be one of the other sort, and not be allowed to look at itself.
	var with token
	id, err := p.id(ctx, provider.Credential{ID: admin.ID, Parts: map[string]secret.Value{"value": web.Token(admin, "value")}, Params: old.Params}, doing)
	if err == nil && id != "" {
		err = p.read(ctx, admin, doing, base+"/"+url.PathEscape(id), &with)
	}
	var e *provider.Error
	switch {
	case errors.As(err, &e) && (e.Kind == provider.Busy || e.Kind == provider.Unreached):
		return provider.Plan{}, err
	case err != nil || with.ID == "":
		plan.Notes = append(plan.Notes, "whether the token to make changes with may make tokens could not be asked")
		return plan, nil
	}
	for _, policy := range with.Policies {
		for _, g := range policy.Groups {
			if policy.Effect == "allow" && (g.Name == "" || strings.HasSuffix(g.Name, "API Tokens Write")) {
				return plan, nil
			}
		}
	}
	return provider.Plan{}, failed(doing, provider.Forbidden, "the token to make changes with lacks the permission API Tokens Write")
}

// end is when a token like another ends: it lives as long as that was to live.
func (p *Provider) end(t token) time.Time {
	if t.Expires.IsZero() || !t.Expires.After(t.Issued) || t.Issued.IsZero() {
		return t.Expires
	}
	return p.web.Now().UTC().Add(t.Expires.Sub(t.Issued)).Truncate(time.Second)
}

// Issue makes a token with the policies and the conditions of the old one. The lineage is
// its name.
func (p *Provider) Issue(ctx context.Context, admin, old provider.Credential, lineage provider.Lineage) (provider.Credential, error) {
	const doing = "make a token"
	base, t, err := p.find(ctx, admin, old)
	if err != nil {
		return provider.Credential{}, err
	}
	body := struct {
		Name      string          `json:"name"`
		Policies  []policy        `json:"policies"`
		Condition json.RawMessage `json:"condition,omitempty"`
		Expires   time.Time       `json:"expires_on,omitzero"`
		NotBefore time.Time       `json:"not_before,omitzero"`
	}{lineage.String(), slices.Clone(t.Policies), t.Condition, p.end(t), time.Time{}}
	if string(t.Condition) == "null" {
		body.Condition = nil
	}
	if t.NotBefore.After(p.web.Now()) {
		body.NotBefore = t.NotBefore
	}
	for i := range body.Policies {
		body.Policies[i].Groups = slices.Clone(body.Policies[i].Groups)
		for j := range body.Policies[i].Groups {
			body.Policies[i].Groups[j].Name = ""
		}
	}
	r, err := p.send(ctx, admin, web.Call{Doing: doing, Method: http.MethodPost, Path: base}.With(body))
	if err != nil {
		return provider.Credential{}, err
	}
	var made token
	if err := r.into(&made); err != nil {
		return provider.Credential{}, err
	}
	if made.ID == "" || made.ID == t.ID || made.Value.IsZero() {
		return provider.Credential{}, r.Failure(provider.Malformed, "", errors.New("there is no new token in it"))
	}
	may, _ := rights(t.Policies)
	got, err := rights(made.Policies)
	if err != nil || slices.ContainsFunc(got, func(right string) bool { return !slices.Contains(may, right) }) || made.wider(t) {
		return provider.Credential{}, r.Failure(provider.Malformed, "", errors.New("the new token may do something else than the old one"))
	}
	return provider.Credential{ID: made.ID, Parts: map[string]secret.Value{"value": made.Value.Value}, Params: old.Params}, nil
}

// Revoke deletes a token.
func (p *Provider) Revoke(ctx context.Context, admin, c, other provider.Credential) error {
	const doing = "delete the token"
	base, err := family(doing, c)
	if err != nil {
		return err
	}
	id, err := p.id(ctx, c, doing)
	switch {
	case err != nil:
		return err
	case id == "":
		return nil
	case id == other.ID:
		return failed(doing, provider.Refused, "it is the one that goes on being used")
	}
	r, err := p.send(ctx, admin, web.Call{Doing: doing, Method: http.MethodDelete, Path: base + "/" + url.PathEscape(id)})
	if err != nil {
		return err
	}
	if err = r.into(nil); err == nil {
		return nil
	}
	if r.Status == http.StatusNotFound && p.gone(ctx, admin, c, id) {
		return nil
	}
	return err
}

// gone reports whether a token is known to be no more: not found may be the account.
func (p *Provider) gone(ctx context.Context, admin, c provider.Credential, id string) bool {
	all, err := p.tokens(ctx, admin, c)
	return err == nil && !slices.ContainsFunc(all, func(t token) bool { return t.ID == id })
}
