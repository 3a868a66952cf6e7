// Package okta knows the client secrets of apps at Okta. An app has two at most. The scopes
// are the app's, so that a new secret may do what the old one may.
//
// Okta puts no secret out of use that is the only one in use. So there is no Disabler: where
// a secret is to be out of use at once, another has to be made first all the same, and where
// there is another already, there is no room for a new one.
package okta

import (
	"context"
	"encoding/base64"
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

const most = 2 // secrets of an app, those out of use among them

// Provider implements provider.Verifier, Lister, Planner, Issuer and Revoker.
type Provider struct{ web web.Client }

// New returns a Provider that uses the transport of h, which may be nil.
func New(h *http.Client) *Provider { return &Provider{web.New("okta", h)} }

// Info is what is known without asking.
func (p *Provider) Info() provider.Info {
	return provider.Info{
		Name: "okta", Title: "Okta client secret of an app",
		Parts: []provider.Part{{Name: "client_id", Public: true}, {Name: "client_secret"}},
		Params: []provider.Param{
			{Name: "url", Meaning: "the address of the organization: https://NAME.okta.com", Required: true, Server: true},
			{Name: "app", Meaning: "the id of the app, if that is not the client id"},
		},
		Admin:       "an API token (SSWS) of an administrator who may manage the app, or an access token with the scope okta.apps.manage",
		Propagation: time.Minute, // nothing is said of it
		Lingers:     provider.Lingers{What: "access tokens that were got with it", Longest: 24 * time.Hour},
		Sources: []string{
			"https://developer.okta.com/docs/guides/client-secret-rotation-key/",
			"https://developer.okta.com/docs/api/openapi/okta-management/management/tag/ApplicationSSOPublicKeys/",
			"https://developer.okta.com/docs/api/openapi/okta-oauth/oauth/tag/OrgAS/",
			"https://support.okta.com/help/s/article/What-is-the-lifetime-of-the-JWT-tokens",
			"https://github.com/okta/okta-management-openapi-spec",
			"RFC 7662",
		},
		Tested: "a fake of Okta's specification",
	}
}

func failed(doing string, kind provider.Kind, why string) *provider.Error {
	return &provider.Error{Provider: "okta", Doing: doing, Kind: kind, Err: errors.New(why)}
}

func organization(doing string, c provider.Credential) (string, error) {
	if c.Params["url"] == "" {
		return "", failed(doing, provider.Incomplete, "the parameter url is needed: https://NAME.okta.com")
	}
	return c.Params["url"], nil
}

// Verify asks about a token that there is none of: who asks has to be a client.
func (p *Provider) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	const doing = "try the client secret"
	id, key := c.Part("client_id"), c.Part("client_secret")
	if id.IsZero() || key.IsZero() {
		return provider.Probe{}, failed(doing, provider.Incomplete, "it takes a client id and a client secret")
	}
	at, err := organization(doing, c)
	if err != nil {
		return provider.Probe{}, err
	}
	login := url.QueryEscape(string(id.Reveal())) + ":" + url.QueryEscape(string(key.Reveal())) // RFC 6749, section 2.3.1
	a, err := p.web.Do(ctx, web.Call{
		Doing: doing, Method: http.MethodPost, URL: at, Path: "/oauth2/v1/introspect",
		Header: http.Header{
			"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(login))},
			"Content-Type":  {"application/x-www-form-urlencoded"},
			"Accept":        {"application/json"},
		},
		Body: []byte("token=none&token_type_hint=access_token"),
	})
	if err != nil {
		return provider.Probe{}, err
	}
	code := strconv.Itoa(a.Status)
	switch a.Status {
	case http.StatusOK:
		var got struct{ Active *bool }
		if err := a.JSON(&got); err != nil {
			return provider.Probe{}, err
		}
		if got.Active == nil {
			return provider.Probe{}, a.Failure(provider.Malformed, "", errors.New("it is not about a token"))
		}
		return provider.Probe{State: provider.Alive, Code: code, Who: provider.Identity{ID: c.ID, Account: string(id.Reveal())}}, nil
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		var said struct {
			Error       string `json:"error"`
			Description string `json:"error_description"`
		}
		probe := provider.Probe{State: provider.Unknown, Code: code}
		if a.JSON(&said) != nil {
			return probe, nil // a proxy, or a login page
		}
		switch {
		case said.Error == "invalid_client" && a.Status == http.StatusUnauthorized && strings.HasPrefix(said.Description, "The client secret supplied for a confidential client is invalid"):
			probe.State, probe.Code = provider.Dead, code+" invalid_client"
		case said.Error == "invalid_client": // no such app, or it is to show its secret in another way
			probe.Code += " invalid_client, for another reason than the secret"
		case said.Error == "access_denied" && strings.Contains(said.Description, "network zones"):
			probe.State, probe.Code = provider.Blocked, code+" network zones"
		}
		return probe, nil
	}
	return a.Bare()
}

// client is what Okta says of a secret. The secret itself is shown to whoever may list
// them, whole or in part.
type client struct {
	ID      string     `json:"id"`
	Status  string     `json:"status"` // ACTIVE, INACTIVE
	Created time.Time  `json:"created"`
	Secret  web.Secret `json:"client_secret"`
}

func (s client) active() bool { return s.Status == "ACTIVE" }

// is reports whether it may be this secret.
func (s client) is(v secret.Value) bool {
	shown, whole := string(s.Secret.Reveal()), string(v.Reveal())
	head, tail, cut := strings.Cut(shown, "...")
	tail = strings.TrimLeft(tail, ".")
	if !cut {
		return shown != "" && shown == whole
	}
	return len(head)+len(tail) >= 6 && len(head)+len(tail) < len(whole) && strings.HasPrefix(whole, head) && strings.HasSuffix(whole, tail)
}

// send makes a call about the secrets of the app that a credential is of.
func (p *Provider) send(ctx context.Context, admin, c provider.Credential, doing, method, path string) (web.Answer, error) {
	at, err := organization(doing, c)
	if err != nil {
		return web.Answer{}, err
	}
	if _, err := provider.Acting(p, doing, admin, c); err != nil {
		return web.Answer{}, err
	}
	app, token := c.Params["app"], web.Token(admin, "token")
	if app == "" {
		app = string(c.Part("client_id").Reveal())
	}
	switch {
	case app == "":
		return web.Answer{}, failed(doing, provider.Incomplete, "which app it is of is not known: the parameter app says it, or the client id")
	case token.IsZero():
		return web.Answer{}, failed(doing, provider.Incomplete, "a token to make changes with is needed")
	}
	scheme := "SSWS "
	if strings.Count(string(token.Reveal()), ".") == 2 { // an access token is a JWT
		scheme = "Bearer "
	}
	call := web.Call{Doing: doing, Method: method, URL: at, Path: "/api/v1/apps/" + url.PathEscape(app) + "/credentials/secrets" + path,
		Header: http.Header{"Authorization": {scheme + string(token.Reveal())}, "Accept": {"application/json"}}}
	if method == http.MethodPost && path == "" {
		call = call.With(struct{}{})
	}
	return p.web.Do(ctx, call)
}

// secrets are all of the app.
func (p *Provider) secrets(ctx context.Context, admin, c provider.Credential) ([]client, error) {
	const doing = "list the secrets of the app"
	a, err := p.send(ctx, admin, c, doing, http.MethodGet, "")
	if err == nil {
		err = a.Refusal()
	}
	var all []client
	if err == nil {
		err = a.JSON(&all)
	}
	if err != nil {
		return nil, web.Beforehand(err)
	}
	if all == nil || slices.ContainsFunc(all, func(s client) bool { return s.ID == "" }) {
		return nil, failed(doing, provider.Unreached, "the list is not one of secrets")
	}
	return all, nil
}

// find is the secret among those of the app; nil if it is none of them.
func find(doing string, all []client, c provider.Credential) (*client, error) {
	var found *client
	for i, s := range all {
		switch {
		case c.ID != "" && s.ID == c.ID:
			return &all[i], nil
		case c.ID == "" && s.is(c.Part("client_secret")):
			if found != nil {
				return nil, failed(doing, provider.Refused, "both secrets of the app begin and end as it does")
			}
			found = &all[i]
		}
	}
	if c.ID == "" && c.Part("client_secret").IsZero() {
		return nil, failed(doing, provider.Incomplete, "which one it is is not known")
	}
	return found, nil
}

// List lists the secrets of the app. They have no names.
func (p *Provider) List(ctx context.Context, admin, c provider.Credential) ([]provider.Listed, error) {
	all, err := p.secrets(ctx, admin, c)
	if err != nil {
		return nil, err
	}
	var listed []provider.Listed
	for _, s := range all {
		listed = append(listed, provider.Listed{Identity: provider.Identity{ID: s.ID}, Created: s.Created, Disabled: !s.active()})
	}
	return listed, nil
}

// Plan looks whether there is room for another secret.
func (p *Provider) Plan(ctx context.Context, admin, old provider.Credential) (provider.Plan, error) {
	const doing = "look whether the secret can be replaced"
	all, err := p.secrets(ctx, admin, old)
	if err != nil {
		return provider.Plan{}, err
	}
	s, err := find(doing, all, old)
	switch {
	case err != nil:
		return provider.Plan{}, err
	case s == nil:
		return provider.Plan{}, failed(doing, provider.Refused, "the app has no such secret")
	case len(all) >= most:
		e := failed(doing, provider.NoSlot, fmt.Sprintf("the app has %d secrets, and more are not taken", len(all)))
		for _, other := range all {
			if other.ID != s.ID {
				e.Hint = "the other one, " + other.ID + ", made " + other.Created.UTC().Format(time.DateOnly) + ", " + strings.ToLower(other.Status) + ", could go"
			}
		}
		return provider.Plan{}, e
	}
	return provider.Plan{Notes: []string{
		"whether the token to make changes with may make any could not be asked",
		"Okta puts no secret out of use that is the only one: in an emergency, too, a new one is made first",
	}}, nil
}

// Issue makes a secret. There is no room for a lineage.
func (p *Provider) Issue(ctx context.Context, admin, old provider.Credential, _ provider.Lineage) (provider.Credential, error) {
	const doing = "make a client secret"
	id := old.Part("client_id")
	if id.IsZero() {
		return provider.Credential{}, failed(doing, provider.Incomplete, "the client id is needed")
	}
	a, err := p.send(ctx, admin, old, doing, http.MethodPost, "")
	if err != nil {
		return provider.Credential{}, err
	}
	if a.Status == http.StatusBadRequest {
		return provider.Credential{}, refused(a)
	}
	if err := a.Refusal(); err != nil {
		return provider.Credential{}, err
	}
	var made client
	if err := a.JSON(&made); err != nil {
		return provider.Credential{}, err
	}
	if made.ID == "" || made.ID == old.ID || made.Secret.IsZero() || strings.Contains(string(made.Secret.Reveal()), "...") {
		return provider.Credential{}, a.Failure(provider.Malformed, "", errors.New("there is no new secret in it"))
	}
	return provider.Credential{ID: made.ID, Parts: map[string]secret.Value{"client_id": id, "client_secret": made.Secret.Value}, Params: old.Params}, nil
}

// refused says what was wrong with a request, by the words that Okta has for it.
func refused(a web.Answer) error {
	var body struct {
		Causes []struct {
			Summary string `json:"errorSummary"`
		} `json:"errorCauses"`
	}
	if a.JSON(&body) != nil || len(body.Causes) == 0 {
		return a.Failure(provider.Refused, "", nil)
	}
	switch said := body.Causes[0].Summary; {
	case strings.Contains(said, "maximum number of client secrets"):
		return a.Failure(provider.NoSlot, "", fmt.Errorf("an app has %d secrets at most", most))
	case strings.Contains(said, "deactivate the only active client secret"):
		return a.Failure(provider.Refused, "", errors.New("it is the only one of the app that is in use"))
	}
	return a.Failure(provider.Refused, "", nil)
}

// change takes a secret out of use, or deletes it.
func (p *Provider) change(ctx context.Context, admin, c provider.Credential, doing, method, path string) error {
	a, err := p.send(ctx, admin, c, doing, method, path)
	switch {
	case err != nil:
		return err
	case a.Status == http.StatusBadRequest:
		return refused(a)
	case method == http.MethodDelete:
		return a.Done(http.StatusNoContent)
	}
	if err := a.Refusal(); err != nil {
		return err
	}
	var is client
	if err := a.JSON(&is); err != nil {
		return err
	}
	if is.Status != "INACTIVE" {
		return a.Failure(provider.Malformed, "", errors.New("it does not say that the secret is out of use"))
	}
	return nil
}

// Revoke takes a secret out of use, without which it cannot be deleted, and deletes it. Tokens that were got with it
// live on until they end.
func (p *Provider) Revoke(ctx context.Context, admin, c, other provider.Credential) error {
	const doing = "delete the secret"
	all, err := p.secrets(ctx, admin, c)
	if err != nil {
		return err
	}
	s, err := find(doing, all, c)
	switch {
	case err != nil:
		return err
	case s == nil:
		return p.gone(ctx, c)
	case s.ID == other.ID:
		return failed(doing, provider.Refused, "it is the one that goes on being used")
	}
	path := "/" + url.PathEscape(s.ID)
	if !s.active() {
		return p.change(ctx, admin, c, doing, http.MethodDelete, path)
	}
	if err := p.change(ctx, admin, c, doing, http.MethodPost, path+"/lifecycle/deactivate"); err != nil {
		return err
	}
	return web.Afterwards("it is out of use", p.change(ctx, admin, c, doing, http.MethodDelete, path))
}

// gone is nil if a secret that is not listed is none: it may be of another app, or be shown
// in another way than is known here.
func (p *Provider) gone(ctx context.Context, c provider.Credential) error {
	if c.Part("client_secret").IsZero() {
		return nil
	}
	probe, err := p.Verify(ctx, c)
	switch {
	case err != nil:
		return web.Beforehand(err)
	case probe.State == provider.Dead, c.ID != "" && !probe.State.Lives():
		return nil
	}
	return failed("delete the secret", provider.Refused, "it is none of the app's secrets, and "+string(probe.State))
}
