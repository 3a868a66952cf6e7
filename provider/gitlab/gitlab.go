// Package gitlab knows the access tokens of GitLab's projects and groups. A new one is made
// beside the old one, and that is deleted then: GitLab's own rotation ends the old one
// first. With a project's or a group's token none can be made, so it takes a personal one.
package gitlab

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
	cloud = "https://gitlab.com"
	page  = 100 // tokens on a page of a list

	maintainer = 40
	owner      = 50
)

// Provider implements provider.Verifier, Recognizer, Lister, Planner, Issuer and Revoker.
type Provider struct{ web web.Client }

// New returns a Provider that uses the transport of h, which may be nil.
func New(h *http.Client) *Provider { return &Provider{web.New("gitlab", h)} }

// Info is what is known without asking.
func (p *Provider) Info() provider.Info {
	return provider.Info{
		Name: "gitlab", Title: "GitLab project or group token",
		Others: "a GitLab server of your own",
		Itself: true,
		Parts:  []provider.Part{{Name: "value"}},
		Params: []provider.Param{
			{Name: "project", Meaning: "the number or the path of the project that the token is of"},
			{Name: "group", Meaning: "the number or the path of the group that it is of, if it is no project's"},
			{Name: "url", Meaning: "the address of the server", Default: cloud, Server: true},
		},
		Admin:       "a personal access token with the scope api, of a maintainer of the project or an owner of the group",
		Propagation: 10 * time.Second, // tokens are looked up in the database; nothing is said of replicas
		Uses:        true,
		UseSpan:     10 * time.Minute, // in GitLab's source; a day in old versions
		Sources: []string{
			"https://docs.gitlab.com/api/project_access_tokens/",
			"https://docs.gitlab.com/api/group_access_tokens/",
			"https://docs.gitlab.com/api/personal_access_tokens/",
			"https://docs.gitlab.com/api/members/",
			"https://docs.gitlab.com/api/rest/troubleshooting/",
			"https://docs.gitlab.com/user/project/settings/project_access_tokens/",
			"https://gitlab.com/gitlab-org/gitlab/-/blob/master/app/services/personal_access_tokens/last_used_service.rb",
		},
		Tested: "a fake of the documentation and of GitLab's source",
	}
}

// token is what GitLab says of one.
type token struct {
	ID      int64      `json:"id"`
	Name    string     `json:"name"`
	User    int64      `json:"user_id"`
	Scopes  []string   `json:"scopes"`
	Level   int        `json:"access_level"` // not of the token that asks
	Active  bool       `json:"active"`
	Revoked bool       `json:"revoked"`
	Created time.Time  `json:"created_at"`
	Used    time.Time  `json:"last_used_at"`
	Expires string     `json:"expires_at"` // a date
	Secret  web.Secret `json:"token"`      // of a new one
}

func (t token) id() string { return strconv.FormatInt(t.ID, 10) }

// expires is when a token ends: at midnight UTC, as its day begins.
func (t token) expires() time.Time {
	at, err := time.Parse(time.DateOnly, t.Expires)
	if err != nil {
		return time.Time{}
	}
	return at
}

func (t token) identity() provider.Identity {
	return provider.Identity{ID: t.id(), Label: t.Name, Scopes: slices.Sorted(slices.Values(t.Scopes)), Expires: t.expires(), LastUsed: t.Used}
}

func failed(doing string, kind provider.Kind, why string) *provider.Error {
	return &provider.Error{Provider: "gitlab", Doing: doing, Kind: kind, Err: errors.New(why)}
}

// send makes a call with a token, at the server of a credential.
func (p *Provider) send(ctx context.Context, as, at provider.Credential, call web.Call) (web.Answer, error) {
	t := web.Token(as, "value")
	if t.IsZero() {
		return web.Answer{}, failed(call.Doing, provider.Incomplete, "a token is needed")
	}
	as, err := provider.Acting(p, call.Doing, as, at)
	if err != nil {
		return web.Answer{}, err
	}
	call.URL = strings.TrimSuffix(as.Params["url"], "/")
	if call.URL == "" {
		call.URL = cloud
	}
	call.Path = "/api/v4" + call.Path
	if call.Header == nil {
		call.Header = http.Header{}
	}
	call.Header.Set("Private-Token", string(t.Reveal()))
	return p.web.Do(ctx, call)
}

// read makes a call that changes nothing, and decodes what it gives.
func (p *Provider) read(ctx context.Context, as, at provider.Credential, doing, path, query string, into any) (http.Header, error) {
	a, err := p.send(ctx, as, at, web.Call{Doing: doing, Method: http.MethodGet, Path: path, Query: query})
	if err == nil {
		err = a.Refusal()
	}
	if err == nil {
		err = a.JSON(into)
	}
	return a.Header, web.Beforehand(err)
}

// reason is what GitLab says of a refusal. It is compared, and not shown.
type reason struct {
	Message     string `json:"message"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// Recognize takes tokens that gitlab.com may know: what another server does is not known.
func (p *Provider) Recognize(rule string, parts map[string]secret.Value) (provider.Credential, bool) {
	return provider.Credential{Parts: map[string]secret.Value{"value": parts["secret"]}}, rule == "gitlab-pat"
}

// Verify asks about a token with it, for which every scope is enough. The answer does not
// say what the token's role is.
func (p *Provider) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	a, err := p.send(ctx, c, c, web.Call{Doing: "ask what the token is", Method: http.MethodGet, Path: "/personal_access_tokens/self"})
	if err != nil {
		return provider.Probe{}, err
	}
	switch a.Status {
	case http.StatusOK:
		var t token
		if err := a.JSON(&t); err != nil {
			return provider.Probe{}, err
		}
		if t.ID == 0 {
			return provider.Probe{}, a.Failure(provider.Malformed, "", errors.New("it does not say which it is"))
		}
		return provider.Probe{State: provider.Alive, Code: "200", Who: t.identity()}, nil
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		var r reason
		state, word := provider.Unknown, ""
		if a.JSON(&r) == nil { // else it is a proxy, or a login page
			state, word = refusal(a.Status, r)
		}
		return provider.Probe{State: state, Code: strings.TrimSpace(strconv.Itoa(a.Status) + " " + word)}, nil
	}
	return a.Bare()
}

// refusal tells what GitLab means. A token that was deleted with its user is not known any
// more; before that it is said to be revoked. The address that tried too many is answered
// 403, whatever token it shows.
func refusal(status int, r reason) (state provider.State, word string) {
	switch {
	case status == http.StatusUnauthorized && r.Message == "401 Unauthorized":
		return provider.Dead, "Unauthorized"
	case status == http.StatusUnauthorized && r.Error == "invalid_token" && strings.HasPrefix(r.Description, "Token was revoked"):
		return provider.Dead, "Token was revoked"
	case status == http.StatusUnauthorized && r.Error == "invalid_token" && strings.HasPrefix(r.Description, "Token is expired"):
		return provider.Dead, "Token is expired"
	case status == http.StatusForbidden && r.Error == "insufficient_scope":
		return provider.Narrow, "insufficient_scope"
	}
	return provider.Unknown, ""
}

// source is the project or the group that a token is of.
func source(doing string, c provider.Credential) (path string, needs int, err error) {
	project, group := c.Params["project"], c.Params["group"]
	switch {
	case project != "" && group == "":
		return "/projects/" + url.PathEscape(project), maintainer, nil
	case group != "" && project == "":
		return "/groups/" + url.PathEscape(group), owner, nil
	}
	e := failed(doing, provider.Incomplete, "whether it is of a project or of a group, and of which, is not known")
	e.Hint = "give the key one of the parameters project and group"
	return "", 0, e
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
	case probe.State == provider.Dead:
		return "", nil
	case probe.Who.ID == "":
		return "", failed(doing, provider.Incomplete, "which token it is is not known: it is "+string(probe.State))
	}
	return probe.Who.ID, nil
}

// find reads a token as others see it.
func (p *Provider) find(ctx context.Context, admin, c provider.Credential) (path string, needs int, t token, err error) {
	const doing = "look at the token"
	path, needs, err = source(doing, c)
	if err != nil {
		return "", 0, token{}, err
	}
	id, err := p.id(ctx, c, doing)
	if err != nil {
		return "", 0, token{}, err
	}
	if id == "" {
		return "", 0, token{}, failed(doing, provider.Refused, "it is dead, and what it may do is not known")
	}
	if _, err := p.read(ctx, admin, c, doing, path+"/access_tokens/"+url.PathEscape(id), "", &t); err != nil {
		return "", 0, token{}, err
	}
	if t.id() != id || len(t.Scopes) == 0 || t.Level == 0 || t.Created.IsZero() {
		return "", 0, token{}, failed(doing, provider.Unreached, "what came does not say what it may do")
	}
	return path, needs, t, nil
}

// List lists the tokens of the project or group that one is of, without those that were
// revoked.
func (p *Provider) List(ctx context.Context, admin, c provider.Credential) ([]provider.Listed, error) {
	const doing = "list the tokens"
	path, _, err := source(doing, c)
	if err != nil {
		return nil, err
	}
	var all []provider.Listed
	seen := map[int64]bool{}
	for n := 1; ; n++ {
		var tokens []token
		h, err := p.read(ctx, admin, c, doing, path+"/access_tokens", fmt.Sprintf("per_page=%d&page=%d", page, n), &tokens)
		if err != nil {
			return nil, err
		}
		for _, t := range tokens {
			if t.ID == 0 || seen[t.ID] {
				return nil, failed(doing, provider.Unreached, "the list is not one")
			}
			seen[t.ID] = true
			if !t.Revoked {
				all = append(all, provider.Listed{Identity: t.identity(), Created: t.Created, Disabled: !t.Active})
			}
		}
		if h.Get("X-Next-Page") == "" && len(tokens) < page { // that there is no header may be a proxy's doing
			return all, nil
		}
	}
}

// Plan looks whether the token to make changes with may make and delete such a token.
func (p *Provider) Plan(ctx context.Context, admin, old provider.Credential) (provider.Plan, error) {
	const doing = "look whether the token can be replaced"
	path, needs, t, err := p.find(ctx, admin, old)
	if err != nil {
		return provider.Plan{}, err
	}
	var with token
	if _, err := p.read(ctx, admin, old, doing, "/personal_access_tokens/self", "", &with); err != nil {
		return provider.Plan{}, err
	}
	switch {
	case with.ID == 0:
		return provider.Plan{}, failed(doing, provider.Unreached, "what came does not say which the token to make changes with is")
	case with.ID == t.ID:
		e := failed(doing, provider.Forbidden, "with the token of a project or group none is made")
		e.Hint = "name a personal access token to make changes with: keywright edit --admin"
		return provider.Plan{}, e
	case !slices.Contains(with.Scopes, "api"):
		return provider.Plan{}, failed(doing, provider.Forbidden, "the token to make changes with lacks the scope api")
	}
	plan := provider.Plan{LastUsed: t.Used, Notes: []string{"the new token gets a user of its own: where the old one's was let in besides, let in the new one's"}}
	if end := p.end(t); end != "" {
		plan.Notes = append(plan.Notes, "the new token ends on "+end)
	} else {
		plan.Notes = append(plan.Notes, "the old token has no end; if the server wants one, it sets that of the new one")
	}
	var member struct {
		User  int64 `json:"id"`
		Level int   `json:"access_level"`
	}
	_, err = p.read(ctx, admin, old, doing, fmt.Sprintf("%s/members/all/%d", path, with.User), "", &member)
	var e *provider.Error
	switch {
	case errors.As(err, &e) && e.Code == "404":
		plan.Notes = append(plan.Notes, "whose the token to make changes with is, is no member: only an administrator may do it")
	case err != nil:
		return provider.Plan{}, err
	case member.User != with.User:
		return provider.Plan{}, failed(doing, provider.Unreached, "what came is not about whose the token to make changes with is")
	case member.Level < max(needs, t.Level):
		return provider.Plan{}, failed(doing, provider.Forbidden, fmt.Sprintf("whose the token to make changes with is, has the access level %d, and it takes %d", member.Level, max(needs, t.Level)))
	}
	return plan, nil
}

// end is the last day of a token like another: it lives as long as that was to live.
func (p *Provider) end(t token) string {
	if t.expires().IsZero() {
		return ""
	}
	days := t.expires().Sub(t.Created.UTC().Truncate(24 * time.Hour))
	return p.web.Now().UTC().Truncate(24 * time.Hour).Add(max(days, 24*time.Hour)).Format(time.DateOnly)
}

// Issue makes a token with the scopes and the access level of the old one. The lineage is
// its name.
func (p *Provider) Issue(ctx context.Context, admin, old provider.Credential, lineage provider.Lineage) (provider.Credential, error) {
	const doing = "make a token"
	path, _, t, err := p.find(ctx, admin, old)
	if err != nil {
		return provider.Credential{}, err
	}
	a, err := p.send(ctx, admin, old, web.Call{Doing: doing, Method: http.MethodPost, Path: path + "/access_tokens"}.With(struct {
		Name    string   `json:"name"`
		Scopes  []string `json:"scopes"`
		Level   int      `json:"access_level"`
		Expires string   `json:"expires_at,omitempty"`
	}{lineage.String(), t.Scopes, t.Level, p.end(t)}))
	if err != nil {
		return provider.Credential{}, err
	}
	if a.Status == http.StatusBadRequest {
		return provider.Credential{}, refused(a)
	}
	if err := a.Refusal(); err != nil {
		return provider.Credential{}, err
	}
	var made token
	if err := a.JSON(&made); err != nil {
		return provider.Credential{}, err
	}
	switch {
	case made.ID == 0, made.ID == t.ID, made.Secret.IsZero():
		return provider.Credential{}, a.Failure(provider.Malformed, "", errors.New("there is no new token in it"))
	case made.Level > t.Level, slices.ContainsFunc(made.Scopes, func(s string) bool { return !slices.Contains(t.Scopes, s) }):
		return provider.Credential{}, a.Failure(provider.Malformed, "", errors.New("the new token may do more than the old one"))
	}
	return provider.Credential{ID: made.id(), Parts: map[string]secret.Value{"value": made.Secret.Value}, Params: old.Params}, nil
}

// refused says what was wrong with a request, by the words that GitLab has for it.
func refused(a web.Answer) error {
	var r reason
	if a.JSON(&r) != nil {
		return a.Failure(provider.Refused, "", nil)
	}
	said := func(words string) bool { return strings.Contains(r.Message, words) }
	switch {
	case said("does not have permission"):
		return a.Failure(provider.Forbidden, "", errors.New("whose the token to make changes with is, may make none here"))
	case said("contains permissions not held"):
		return a.Failure(provider.Forbidden, "", errors.New("whose the token to make changes with is, has not the access level itself"))
	case said("token limit reached"):
		return a.Failure(provider.NoSlot, "", nil)
	case said("expires_at") || said("Expiration date"):
		return a.Failure(provider.Refused, "", errors.New("the server takes no token that lives as long as the old one"))
	}
	return a.Failure(provider.Refused, "", nil)
}

// itself revokes a token with itself, for which it needs no scope. GitLab 15.0 is the first
// that knows how.
func (p *Provider) itself(ctx context.Context, c provider.Credential) error {
	a, err := p.send(ctx, c, c, web.Call{Doing: "revoke the token", Method: http.MethodDelete, Path: "/personal_access_tokens/self"})
	if err != nil {
		return err
	}
	if a.Status == http.StatusUnauthorized {
		if probe, err := p.Verify(ctx, c); err == nil && probe.State == provider.Dead {
			return nil
		}
	}
	return a.Done(http.StatusNoContent)
}

// Revoke deletes a token, and the user that was made for it. One of which neither project nor
// group is known revokes itself: it may be a personal access token.
func (p *Provider) Revoke(ctx context.Context, admin, c, other provider.Credential) error {
	const doing = "delete the token"
	if c.Params["project"]+c.Params["group"] == "" && !c.Part("value").IsZero() {
		if c.ID != "" && c.ID == other.ID {
			return failed(doing, provider.Refused, "it is the one that goes on being used")
		}
		return p.itself(ctx, c)
	}
	path, _, err := source(doing, c)
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
	a, err := p.send(ctx, admin, c, web.Call{Doing: doing, Method: http.MethodDelete, Path: path + "/access_tokens/" + url.PathEscape(id)})
	if err != nil {
		return err
	}
	if (a.Status == http.StatusNotFound || a.Status == http.StatusBadRequest) && p.gone(ctx, admin, c, path, id) {
		return nil
	}
	return a.Done(http.StatusNoContent)
}

// gone reports whether a token is known to be no more.
func (p *Provider) gone(ctx context.Context, admin, c provider.Credential, path, id string) bool {
	if !c.Part("value").IsZero() {
		probe, err := p.Verify(ctx, c)
		return err == nil && probe.State == provider.Dead
	}
	a, err := p.send(ctx, admin, c, web.Call{Doing: "look for the token", Method: http.MethodGet, Path: path + "/access_tokens/" + url.PathEscape(id)})
	if err != nil {
		return false
	}
	var said struct {
		reason
		Revoked bool `json:"revoked"`
	}
	err = a.JSON(&said)
	// That the project is not found is no news of the token.
	return err == nil && (a.OK() && said.Revoked || a.Status == http.StatusNotFound && strings.HasSuffix(said.Message, "Access Token Not Found"))
}
