// Package openai knows the keys of service accounts in OpenAI's projects. A key of a
// service account ends with the account alone, so a new account is made with the new key,
// and the old account is deleted. Keys of people can be made by hand alone.
//
// To what scopes a key is restricted OpenAI does not tell; a new one has those of a member
// of the project.
package openai

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/web"
	"github.com/keywright/keywright/secret"
)

const (
	api  = "https://api.openai.com"
	page = 100 // things on a page of a list
)

// Provider implements provider.Verifier, Recognizer, Lister, Planner, Issuer and Revoker. What it calls
// the ID of a key is that of its service account.
type Provider struct {
	URL string // of the API

	web web.Client
}

// New returns a Provider that uses the transport of h, which may be nil.
func New(h *http.Client) *Provider { return &Provider{URL: api, web: web.New("openai", h)} }

// Info is what is known without asking.
func (p *Provider) Info() provider.Info {
	return provider.Info{
		Name: "openai", Title: "OpenAI key of a service account", Page: "https://platform.openai.com/api-keys",
		Parts:       []provider.Part{{Name: "value"}},
		Params:      []provider.Param{{Name: "project", Meaning: "the id of the project that the key is of: proj_…", Required: true}},
		Admin:       "an admin key of the organization",
		Propagation: time.Minute, // nothing is said of it
		Sources: []string{
			"https://platform.openai.com/docs/api-reference/project-service-accounts",
			"https://platform.openai.com/docs/api-reference/project-api-keys",
			"https://platform.openai.com/docs/api-reference/models/list",
			"https://platform.openai.com/docs/guides/error-codes",
			"https://github.com/openai/openai-openapi",
		},
		Tested: "a fake of OpenAI's specification",
	}
}

func failed(doing string, kind provider.Kind, why string) *provider.Error {
	return &provider.Error{Provider: "openai", Doing: doing, Kind: kind, Err: errors.New(why)}
}

// send makes a call with a key.
func (p *Provider) send(ctx context.Context, as provider.Credential, call web.Call) (web.Answer, error) {
	key := web.Token(as, "value")
	if key.IsZero() {
		return web.Answer{}, failed(call.Doing, provider.Incomplete, "a key is needed")
	}
	call.URL, call.Path = p.URL, "/v1"+call.Path
	if call.Header == nil {
		call.Header = http.Header{}
	}
	call.Header.Set("Authorization", "Bearer "+string(key.Reveal()))
	return p.web.Do(ctx, call)
}

// project is the path of the project that a key is of.
func project(doing string, c provider.Credential) (string, error) {
	if c.Params["project"] == "" {
		return "", failed(doing, provider.Incomplete, "the parameter project is needed: proj_…")
	}
	return "/organization/projects/" + url.PathEscape(c.Params["project"]), nil
}

// Recognize takes keys that may call models.
func (p *Provider) Recognize(rule string, parts map[string]secret.Value) (provider.Credential, bool) {
	return provider.Credential{Parts: map[string]secret.Value{"value": parts["secret"]}}, rule == "openai-project-key" || rule == "openai-service-account-key" || rule == "openai-user-key"
}

// Verify lists the models that a key may use.
func (p *Provider) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	const doing = "try the key"
	if c.Part("value").IsZero() {
		return provider.Probe{}, failed(doing, provider.Incomplete, "the key is needed")
	}
	a, err := p.send(ctx, c, web.Call{Doing: doing, Method: http.MethodGet, Path: "/models"})
	if err != nil {
		return provider.Probe{}, err
	}
	who := provider.Identity{ID: c.ID, Account: a.Header.Get("Openai-Organization")}
	code := strconv.Itoa(a.Status)
	switch a.Status {
	case http.StatusOK:
		var got struct{ Data *[]struct{} }
		if err := a.JSON(&got); err != nil {
			return provider.Probe{}, err
		}
		if got.Data == nil {
			return provider.Probe{}, a.Failure(provider.Malformed, "", errors.New("there are no models in it"))
		}
		return provider.Probe{State: provider.Alive, Code: code, Who: who}, nil
	case http.StatusUnauthorized, http.StatusForbidden:
		state, word := refusal(a)
		probe := provider.Probe{State: state, Code: strings.TrimSpace(code + " " + word)}
		if state.Lives() {
			probe.Who = who
		}
		return probe, nil
	}
	return a.Bare()
}

// refusal tells what OpenAI means. What it says quotes the key; it is compared, not shown.
func refusal(a web.Answer) (state provider.State, word string) {
	var body struct {
		Error struct {
			Message string
			Code    any
		}
	}
	if a.JSON(&body) != nil {
		return provider.Unknown, ""
	}
	switch code := body.Error.Code; {
	case a.Status == http.StatusUnauthorized && code == "invalid_api_key":
		return provider.Dead, "invalid_api_key"
	case code == "ip_not_authorized", code == "unsupported_country_region_territory":
		return provider.Blocked, fmt.Sprint(code)
	case strings.Contains(body.Error.Message, "Missing scopes"): // by 401 or 403
		return provider.Narrow, "missing scopes"
	}
	return provider.Unknown, ""
}

// account is a service account.
type account struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Role    string `json:"role"` // owner, member, none
	Created int64  `json:"created_at"`
}

// key is one of a project.
type key struct {
	ID       string `json:"id"`
	Redacted string `json:"redacted_value"`
	Owner    struct {
		Account *account `json:"service_account"`
	} `json:"owner"`
}

// all reads all pages of a list.
func all[T any](ctx context.Context, p *Provider, admin provider.Credential, doing, path, query string, id func(T) string) ([]T, error) {
	var things []T
	seen := map[string]bool{}
	for after := ""; ; {
		q := fmt.Sprintf("limit=%d%s", page, query)
		if after != "" {
			q += "&after=" + url.QueryEscape(after)
		}
		a, err := p.send(ctx, admin, web.Call{Doing: doing, Method: http.MethodGet, Path: path, Query: q})
		var got struct {
			Data *[]T `json:"data"`
			More bool `json:"has_more"`
		}
		if err == nil {
			err = a.Refusal()
		}
		if err == nil {
			err = a.JSON(&got)
		}
		if err != nil {
			return nil, web.Beforehand(err)
		}
		if got.Data == nil || got.More && len(*got.Data) == 0 {
			return nil, failed(doing, provider.Unreached, "the list is not complete")
		}
		for _, thing := range *got.Data {
			if after = id(thing); after == "" || seen[after] {
				return nil, failed(doing, provider.Unreached, "the list is not one")
			}
			seen[after] = true
			things = append(things, thing)
		}
		if !got.More {
			return things, nil
		}
	}
}

// keys are all keys of the project.
func (p *Provider) keys(ctx context.Context, admin, c provider.Credential) ([]key, error) {
	const doing = "list the keys of the project"
	path, err := project(doing, c)
	if err != nil {
		return nil, err
	}
	return all(ctx, p, admin, doing, path+"/api_keys", "&owner_project_access=any", func(k key) string { return k.ID })
}

// shows reports whether a redacted key, like sk-abc...def, may be this one.
func (k key) shows(secret []byte) bool {
	i := strings.IndexAny(k.Redacted, ".*…")
	j := strings.LastIndexAny(k.Redacted, ".*…")
	if i < 3 || j < i {
		return false
	}
	head, tail := k.Redacted[:i], strings.TrimLeft(k.Redacted[j:], ".*…")
	return len(tail) >= 3 && strings.HasPrefix(string(secret), head) && strings.HasSuffix(string(secret), tail)
}

// id is the service account that a key is of; empty if the key is of none that is there.
func (p *Provider) id(ctx context.Context, admin, c provider.Credential) (string, error) {
	const doing = "find the service account of the key"
	if c.ID != "" {
		return c.ID, nil
	}
	if c.Part("value").IsZero() {
		return "", failed(doing, provider.Incomplete, "which key it is is not known")
	}
	keys, err := p.keys(ctx, admin, c)
	if err != nil {
		return "", err
	}
	var found []key
	for _, k := range keys {
		if k.shows(c.Part("value").Reveal()) {
			found = append(found, k)
		}
	}
	switch {
	case len(found) == 0:
		return "", nil
	case len(found) > 1:
		return "", failed(doing, provider.Refused, "several keys of the project begin and end as it does")
	case found[0].Owner.Account == nil:
		return "", failed(doing, provider.Refused, "it is the key of a person: those are made by hand")
	}
	return found[0].Owner.Account.ID, nil
}

// List lists the service accounts of the project.
func (p *Provider) List(ctx context.Context, admin, c provider.Credential) ([]provider.Listed, error) {
	const doing = "list the service accounts"
	path, err := project(doing, c)
	if err != nil {
		return nil, err
	}
	accounts, err := all(ctx, p, admin, doing, path+"/service_accounts", "", func(a account) string { return a.ID })
	if err != nil {
		return nil, err
	}
	var listed []provider.Listed
	for _, a := range accounts {
		l := provider.Listed{Identity: provider.Identity{ID: a.ID, Label: a.Name, Scopes: []string{a.Role}}}
		if a.Created > 0 {
			l.Created = time.Unix(a.Created, 0).UTC()
		}
		listed = append(listed, l)
	}
	return listed, nil
}

// find reads the service account of a key.
func (p *Provider) find(ctx context.Context, admin, c provider.Credential) (path string, got account, err error) {
	const doing = "look at the service account"
	if path, err = project(doing, c); err != nil {
		return "", account{}, err
	}
	id, err := p.id(ctx, admin, c)
	if err != nil {
		return "", account{}, err
	}
	if id == "" {
		return "", account{}, failed(doing, provider.Refused, "the project has no such key")
	}
	a, err := p.send(ctx, admin, web.Call{Doing: doing, Method: http.MethodGet, Path: path + "/service_accounts/" + url.PathEscape(id)})
	if err == nil {
		err = a.Refusal()
	}
	if err == nil {
		err = a.JSON(&got)
	}
	switch {
	case err != nil:
		return "", account{}, web.Beforehand(err)
	case got.ID != id:
		return "", account{}, failed(doing, provider.Unreached, "what came is not about it")
	case got.Role != "member" && got.Role != "owner":
		return "", account{}, failed(doing, provider.Refused, "it has no role in the project, and a new one would be a member")
	}
	return path, got, nil
}

// Plan looks whether there is one service account for the key, and one key for that.
func (p *Provider) Plan(ctx context.Context, admin, old provider.Credential) (provider.Plan, error) {
	const doing = "look whether the key can be replaced"
	_, a, err := p.find(ctx, admin, old)
	if err != nil {
		return provider.Plan{}, err
	}
	keys, err := p.keys(ctx, admin, old)
	if err != nil {
		return provider.Plan{}, err
	}
	n := 0
	for _, k := range keys {
		if k.Owner.Account != nil && k.Owner.Account.ID == a.ID {
			n++
		}
	}
	if n > 1 {
		return provider.Plan{}, failed(doing, provider.Refused, fmt.Sprintf("its service account has %d keys, and all would end with it", n))
	}
	if !old.Part("value").IsZero() {
		probe, err := p.Verify(ctx, old)
		if err != nil {
			return provider.Plan{}, web.Beforehand(err)
		}
		if probe.State == provider.Narrow {
			return provider.Plan{}, failed(doing, provider.Refused, "the key is restricted to some scopes, and the new one would not be")
		}
	}
	plan := provider.Plan{Notes: []string{
		"if the key is restricted to scopes, the new one is not: OpenAI does not tell",
		"a new service account is made; limits and rights that were given to the old one are not carried over",
	}}
	if a.Role == "owner" {
		plan.Notes = append(plan.Notes, "the old service account is an owner of the project, the new one is a member")
	}
	return plan, nil
}

// Issue makes a service account with a key. The lineage is its name.
func (p *Provider) Issue(ctx context.Context, admin, old provider.Credential, lineage provider.Lineage) (provider.Credential, error) {
	const doing = "make a service account"
	path, before, err := p.find(ctx, admin, old)
	if err != nil {
		return provider.Credential{}, err
	}
	a, err := p.send(ctx, admin, web.Call{Doing: doing, Method: http.MethodPost, Path: path + "/service_accounts"}.With(map[string]string{"name": lineage.String()}))
	if err != nil {
		return provider.Credential{}, err
	}
	if err := a.Refusal(); err != nil {
		return provider.Credential{}, err
	}
	var made struct {
		account
		Key *struct {
			Value web.Secret `json:"value"`
		} `json:"api_key"`
	}
	if err := a.JSON(&made); err != nil {
		return provider.Credential{}, err
	}
	switch {
	case made.ID == "", made.ID == before.ID, made.Key == nil, made.Key.Value.IsZero():
		return provider.Credential{}, a.Failure(provider.Malformed, "", errors.New("there is no new key in it"))
	case made.Role != "member":
		return provider.Credential{}, a.Failure(provider.Malformed, "", errors.New("the new service account is no member"))
	}
	return provider.Credential{ID: made.ID, Parts: map[string]secret.Value{"value": made.Key.Value.Value}, Params: old.Params}, nil
}

// Revoke deletes the service account of a key, with all keys that it has.
func (p *Provider) Revoke(ctx context.Context, admin, c, other provider.Credential) error {
	const doing = "delete the service account"
	path, err := project(doing, c)
	if err != nil {
		return err
	}
	id, err := p.id(ctx, admin, c)
	switch {
	case err != nil:
		return err
	case id == "":
		return p.gone(ctx, c, failed(doing, provider.Refused, "the project has no such key"))
	case id == other.ID:
		return failed(doing, provider.Refused, "it is the one that goes on being used")
	}
	a, err := p.send(ctx, admin, web.Call{Doing: doing, Method: http.MethodDelete, Path: path + "/service_accounts/" + url.PathEscape(id)})
	if err != nil {
		return err
	}
	if a.Status == http.StatusNotFound {
		return p.gone(ctx, c, a.Refusal())
	}
	if err := a.Refusal(); err != nil {
		return err
	}
	var did struct{ Deleted bool }
	if err := a.JSON(&did); err != nil {
		return err
	}
	if !did.Deleted {
		return a.Failure(provider.Malformed, "", errors.New("it does not say that it was deleted"))
	}
	return nil
}

// gone is nil if a key whose service account was not found is dead: it may be of another
// project.
func (p *Provider) gone(ctx context.Context, c provider.Credential, not error) error {
	if c.Part("value").IsZero() {
		return nil
	}
	probe, err := p.Verify(ctx, c)
	if err == nil && probe.State == provider.Dead {
		return nil
	}
	return not
}
