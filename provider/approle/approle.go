// Package approle knows the secret ids of AppRoles in OpenBao and in Vault. A role takes any
// number of them. One is tried by logging in, and the token that this gives is revoked.
//
// Vault locks a role for a while after five logins that were refused; one that was let in
// begins the count anew. So a secret id that is dead is not to be tried without one beside
// it that is alive.
package approle

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
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

const mounted = "approle"

const tokens = "tokens that were got with it"

// label is under what the lineage stands in the metadata of a secret id.
const label = "keywright"

// Provider implements provider.Verifier, Lister, Planner, Issuer and Revoker. What it calls
// the ID of a secret id is its accessor.
type Provider struct{ web web.Client }

// New returns a Provider that uses the transport of h, which may be nil.
func New(h *http.Client) *Provider { return &Provider{web.New("approle", h)} }

// Info is what is known without asking.
func (p *Provider) Info() provider.Info {
	return provider.Info{
		Name: "approle", Title: "Vault or OpenBao AppRole",
		Parts: []provider.Part{{Name: "role_id", Public: true}, {Name: "secret_id"}},
		Params: []provider.Param{
			{Name: "url", Meaning: "the address of the server", Required: true, Server: true},
			{Name: "role", Meaning: "the name of the role", Required: true},
			{Name: "mount", Meaning: "where the auth method is mounted", Default: mounted},
			{Name: "namespace", Meaning: "the namespace of the auth method; none if it is not given"},
		},
		Admin: "a token with the capability update on secret-id, secret-id/lookup, secret-id-accessor/lookup and secret-id-accessor/destroy of the role, and list on secret-id; " +
			"with read on the role, it is known until when tokens live; with sudo and list on auth/token/accessors, and update on auth/token/lookup-accessor and auth/token/revoke-accessor, too, " +
			"those are ended that were got with a secret id of keywright's",
		Propagation: 10 * time.Second, // standbys that answer reads follow in moments; no time is named
		Lingers:     provider.Lingers{What: tokens + ", until the end that the role gives them"},
		Sources: []string{
			"https://openbao.org/api-docs/auth/approle/",
			"https://openbao.org/api-docs/auth/token/",
			"https://openbao.org/api-docs/system/capabilities-self/",
			"https://developer.hashicorp.com/vault/docs/concepts/user-lockout",
		},
		Tested: "a fake of the documentation and of OpenBao's source",
	}
}

func failed(doing string, kind provider.Kind, why string) *provider.Error {
	return &provider.Error{Provider: "approle", Doing: doing, Kind: kind, Err: errors.New(why)}
}

// mount is where the auth method is.
func mount(at provider.Credential) string {
	return "auth/" + cmp.Or(strings.Trim(at.Params["mount"], "/"), mounted)
}

// method is the path of the auth method.
func method(at provider.Credential) string { return (&url.URL{Path: mount(at)}).EscapedPath() }

// role is the path of the role.
func role(doing string, at provider.Credential) (string, error) {
	if at.Params["role"] == "" {
		return "", failed(doing, provider.Incomplete, "the parameter role is needed: the name of the role")
	}
	return method(at) + "/role/" + url.PathEscape(at.Params["role"]), nil
}

// send makes a call with a token, if there is one, at the server of a credential.
func (p *Provider) send(ctx context.Context, token secret.Value, at provider.Credential, call web.Call) (web.Answer, error) {
	defer clear(call.Body)
	if at.Params["url"] == "" {
		return web.Answer{}, failed(call.Doing, provider.Incomplete, "the parameter url is needed: the address of the server")
	}
	call.URL, call.Path = at.Params["url"], "/v1/"+call.Path
	if call.Header == nil {
		call.Header = http.Header{}
	}
	call.Header.Set("X-Vault-Request", "true")
	if n := at.Params["namespace"]; n != "" {
		call.Header.Set("X-Vault-Namespace", n)
	}
	if !token.IsZero() {
		call.Header.Set("X-Vault-Token", string(token.Reveal()))
	}
	return p.web.Do(ctx, call)
}

// administer makes a call with the token to make changes with.
func (p *Provider) administer(ctx context.Context, admin, at provider.Credential, call web.Call) (web.Answer, error) {
	as, err := provider.Acting(p, call.Doing, admin, at)
	if err != nil {
		return web.Answer{}, err
	}
	token := web.Token(as, "token")
	if token.IsZero() {
		return web.Answer{}, failed(call.Doing, provider.Incomplete, "a token to make changes with is needed")
	}
	return p.send(ctx, token, at, call)
}

func post(doing, path string, body any) web.Call {
	return web.Call{Doing: doing, Method: http.MethodPost, Path: path}.With(body)
}

// Verify logs in, and revokes the token that it gets.
func (p *Provider) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	const doing = "log in with the secret id"
	if c.Part("role_id").IsZero() || c.Part("secret_id").IsZero() {
		return provider.Probe{}, failed(doing, provider.Incomplete, "it takes a role id and a secret id")
	}
	a, err := p.send(ctx, secret.Value{}, c, post(doing, method(c)+"/login", map[string]string{
		"role_id": string(c.Part("role_id").Reveal()), "secret_id": string(c.Part("secret_id").Reveal()),
	}))
	if err != nil {
		return provider.Probe{}, err
	}
	switch a.Status {
	case http.StatusOK:
		return p.leave(ctx, c, a)
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound:
		var said struct{ Errors []string }
		probe := provider.Probe{State: provider.Unknown, Code: strconv.Itoa(a.Status)}
		if a.JSON(&said) != nil || len(said.Errors) != 1 {
			return probe, nil
		}
		switch text := said.Errors[0]; {
		case a.Status == http.StatusBadRequest && (text == "invalid role or secret ID" || text == "invalid secret id"):
			probe.State, probe.Code = provider.Dead, "400 invalid role or secret ID"
		case strings.HasPrefix(text, "source address "):
			probe.State, probe.Code = provider.Blocked, probe.Code+" source address"
		}
		return probe, nil
	}
	return a.Bare()
}

// leave revokes the token that a login gave.
func (p *Provider) leave(ctx context.Context, c provider.Credential, a web.Answer) (provider.Probe, error) {
	var got struct {
		Auth *struct {
			Token    web.Secret        `json:"client_token"`
			Policies []string          `json:"token_policies"`
			Metadata map[string]string `json:"metadata"`
		}
	}
	if err := a.JSON(&got); err != nil {
		return provider.Probe{}, err
	}
	if got.Auth == nil || got.Auth.Token.IsZero() {
		return provider.Probe{}, a.Failure(provider.Malformed, "", errors.New("there is no token in it"))
	}
	probe := provider.Probe{State: provider.Alive, Code: "200", Who: provider.Identity{
		ID: c.ID, Account: got.Auth.Metadata["role_name"], Scopes: slices.Sorted(slices.Values(got.Auth.Policies)),
	}}
	left, err := p.send(ctx, got.Auth.Token.Value, c, post("revoke the token of the login", "auth/token/revoke-self", struct{}{}))
	if err != nil {
		return provider.Probe{}, err
	}
	if !left.OK() { // a batch token, or one whose policies do not let it
		probe.Code += ", and its token lives until it ends"
	}
	return probe, nil
}

// secretID is what a server says of one.
type secretID struct {
	Accessor string            `json:"secret_id_accessor"`
	CIDRs    []string          `json:"cidr_list"`
	Tokens   []string          `json:"token_bound_cidrs"`
	Metadata map[string]string `json:"metadata"`
	TTL      int64             `json:"secret_id_ttl"` // seconds
	Uses     int64             `json:"secret_id_num_uses"`
	Created  time.Time         `json:"creation_time"`
	Expires  time.Time         `json:"expiration_time"`
	Secret   web.Secret        `json:"secret_id"` // of a new one
}

func (s secretID) identity() provider.Identity {
	who := provider.Identity{ID: s.Accessor, Label: s.Metadata[label], IPs: slices.Sorted(slices.Values(s.CIDRs))}
	if s.Expires.Unix() > 0 { // the year 1 is for ever
		who.Expires = s.Expires
	}
	return who
}

// lookup reads a secret id, by its accessor if that is known. Found is whether there is one.
func (p *Provider) lookup(ctx context.Context, admin, c provider.Credential) (s secretID, found bool, err error) {
	const doing = "look up the secret id"
	at, err := role(doing, c)
	if err != nil {
		return secretID{}, false, err
	}
	path, body := at+"/secret-id-accessor/lookup", map[string]string{"secret_id_accessor": c.ID}
	if c.ID == "" {
		if c.Part("secret_id").IsZero() {
			return secretID{}, false, failed(doing, provider.Incomplete, "which one it is is not known")
		}
		path, body = at+"/secret-id/lookup", map[string]string{"secret_id": string(c.Part("secret_id").Reveal())}
	}
	a, err := p.administer(ctx, admin, c, post(doing, path, body))
	if err != nil {
		return secretID{}, false, web.Beforehand(err)
	}
	switch {
	case c.ID == "" && a.Status == http.StatusNoContent:
		return secretID{}, false, nil
	case a.Status == http.StatusNotFound:
		// That there is no such role or method is said in other words.
		var said struct {
			Errors []string
			Data   struct{ Error string }
		}
		if c.ID != "" && a.JSON(&said) == nil && strings.HasPrefix(strings.Join(append(said.Errors, said.Data.Error), ""), "failed to find accessor entry") {
			return secretID{}, false, nil
		}
	}
	var got struct{ Data *secretID }
	if err = a.Refusal(); err == nil {
		err = a.JSON(&got)
	}
	switch {
	case err != nil:
		return secretID{}, false, web.Beforehand(err)
	case got.Data == nil || got.Data.Accessor == "" || c.ID != "" && got.Data.Accessor != c.ID:
		return secretID{}, false, failed(doing, provider.Unreached, "what came is not about it")
	}
	return *got.Data, true, nil
}

// List lists the secret ids of the role.
func (p *Provider) List(ctx context.Context, admin, c provider.Credential) ([]provider.Listed, error) {
	ids, err := p.ids(ctx, admin, c)
	var all []provider.Listed
	for _, s := range ids {
		all = append(all, provider.Listed{Identity: s.identity(), Created: s.Created})
	}
	return all, err
}

// ids are the secret ids of the role.
func (p *Provider) ids(ctx context.Context, admin, c provider.Credential) ([]secretID, error) {
	const doing = "list the secret ids"
	at, err := role(doing, c)
	if err != nil {
		return nil, err
	}
	a, err := p.administer(ctx, admin, c, web.Call{Doing: doing, Method: http.MethodGet, Path: at + "/secret-id", Query: "list=true"})
	if err != nil {
		return nil, web.Beforehand(err)
	}
	var got struct {
		Data   *struct{ Keys []string }
		Errors *[]string
	}
	if a.Status != http.StatusNotFound {
		err = a.Refusal()
	}
	if err == nil {
		err = a.JSON(&got)
	}
	switch {
	case err != nil:
		return nil, web.Beforehand(err)
	case a.Status == http.StatusNotFound && got.Errors != nil && len(*got.Errors) == 0:
		return nil, nil // there is none
	case a.Status == http.StatusNotFound:
		return nil, a.Refusal()
	case got.Data == nil:
		return nil, failed(doing, provider.Unreached, "there is no list in it")
	}
	var all []secretID
	for _, accessor := range got.Data.Keys {
		s, found, err := p.lookup(ctx, admin, provider.Credential{ID: accessor, Params: c.Params})
		if err != nil {
			return nil, err
		}
		if found {
			all = append(all, s)
		}
	}
	return all, nil
}

// Plan looks whether the token may do what is needed.
func (p *Provider) Plan(ctx context.Context, admin, old provider.Credential) (provider.Plan, error) {
	const doing = "look whether the secret id can be replaced"
	at, err := role(doing, old)
	if err != nil {
		return provider.Plan{}, err
	}
	missing, err := p.missing(ctx, doing, admin, old, map[string][]string{
		at + "/secret-id": {"update", "list"}, at + "/secret-id/lookup": {"update"},
		at + "/secret-id-accessor/lookup": {"update"}, at + "/secret-id-accessor/destroy": {"update"},
	})
	if err != nil {
		return provider.Plan{}, err
	}
	if len(missing) > 0 {
		e := failed(doing, provider.Forbidden, "the token to make changes with may not use "+strings.Join(missing, ", "))
		e.Hint = "its policies have to give the capability update there, and list on " + at + "/secret-id"
		return provider.Plan{}, e
	}
	s, err := p.old(ctx, admin, old)
	if err != nil {
		return provider.Plan{}, err
	}
	var plan provider.Plan
	if s.TTL > 0 {
		plan.Notes = append(plan.Notes, "the new one lives for "+(time.Duration(s.TTL)*time.Second).String())
	}
	plan.Lingers, err = p.lingers(ctx, admin, old, s)
	return plan, err
}

// missing are those paths at which a token has not all of the capabilities that are needed.
func (p *Provider) missing(ctx context.Context, doing string, admin, at provider.Credential, needs map[string][]string) (missing []string, err error) {
	paths := slices.Sorted(maps.Keys(needs))
	a, err := p.administer(ctx, admin, at, post(doing, "sys/capabilities-self", map[string][]string{"paths": paths}))
	if err == nil {
		err = a.Refusal()
	}
	var may map[string]json.RawMessage
	if err == nil {
		err = a.JSON(&may)
	}
	if err != nil {
		return nil, web.Beforehand(err)
	}
	for _, path := range paths {
		var can []string
		if err := json.Unmarshal(may[path], &can); err != nil {
			return nil, failed(doing, provider.Unreached, "what came does not say what the token may do")
		}
		lacks := func(what string) bool { return !slices.Contains(can, what) }
		if lacks("root") && slices.ContainsFunc(needs[path], lacks) {
			missing = append(missing, path)
		}
	}
	return missing, nil
}

// old reads the secret id that another is to be like.
func (p *Provider) old(ctx context.Context, admin, c provider.Credential) (secretID, error) {
	const doing = "look up the secret id"
	s, found, err := p.lookup(ctx, admin, c)
	switch {
	case err != nil:
		return secretID{}, err
	case !found:
		return secretID{}, failed(doing, provider.Refused, "it is not there any more, and what it was bound to is not known")
	case s.Uses != 0:
		return secretID{}, failed(doing, provider.Refused, fmt.Sprintf("it can be used %d times: each time that it is tried is one of them", s.Uses))
	}
	return s, nil
}

// Issue generates a secret id that is bound to the addresses that the old one is bound to,
// for as long. The lineage is in its metadata, which are otherwise the old one's.
func (p *Provider) Issue(ctx context.Context, admin, old provider.Credential, lineage provider.Lineage) (provider.Credential, error) {
	const doing = "generate a secret id"
	at, err := role(doing, old)
	if err != nil {
		return provider.Credential{}, err
	}
	if old.Part("role_id").IsZero() {
		return provider.Credential{}, failed(doing, provider.Incomplete, "the role id is needed")
	}
	s, err := p.old(ctx, admin, old)
	if err != nil {
		return provider.Credential{}, err
	}
	metadata := map[string]string{}
	maps.Copy(metadata, s.Metadata)
	metadata[label] = lineage.String()
	text, err := json.Marshal(metadata)
	if err != nil {
		return provider.Credential{}, failed(doing, provider.Incomplete, "its metadata cannot be written")
	}
	a, err := p.administer(ctx, admin, old, post(doing, at+"/secret-id", struct {
		Metadata string   `json:"metadata"`
		CIDRs    []string `json:"cidr_list,omitempty"`
		Tokens   []string `json:"token_bound_cidrs,omitempty"`
		TTL      int64    `json:"ttl,omitempty"`
	}{string(text), s.CIDRs, s.Tokens, s.TTL}))
	if err != nil {
		return provider.Credential{}, err
	}
	if err := a.Refusal(); err != nil {
		return provider.Credential{}, err
	}
	var made struct{ Data secretID }
	if err := a.JSON(&made); err != nil {
		return provider.Credential{}, err
	}
	if made.Data.Accessor == "" || made.Data.Accessor == s.Accessor || made.Data.Secret.IsZero() {
		return provider.Credential{}, a.Failure(provider.Malformed, "", errors.New("there is no new secret id in it"))
	}
	return provider.Credential{
		ID:     made.Data.Accessor,
		Parts:  map[string]secret.Value{"role_id": old.Part("role_id"), "secret_id": made.Data.Secret.Value},
		Params: old.Params,
	}, nil
}

// Revoke destroys a secret id, and ends the tokens that were got with it where that can be.
func (p *Provider) Revoke(ctx context.Context, admin, c, other provider.Credential) error {
	const doing = "destroy the secret id"
	at, err := role(doing, c)
	if err != nil {
		return err
	}
	s, found, err := p.lookup(ctx, admin, c)
	switch {
	case err != nil:
		return err
	case found && s.Accessor == other.ID:
		return failed(doing, provider.Refused, "it is the one that goes on being used")
	case found:
		a, err := p.administer(ctx, admin, c, post(doing, at+"/secret-id-accessor/destroy", map[string]string{"secret_id_accessor": s.Accessor}))
		if err == nil {
			err = a.Done(http.StatusNoContent)
		}
		if err != nil {
			return err
		}
	}
	if err := p.endTokens(ctx, admin, c); err != nil {
		return web.Afterwards("the secret id was destroyed", err)
	}
	return nil
}
