// Package github knows the personal access tokens of GitHub, classic and fine-grained. No
// API makes one: that is done by hand, at a page. Whether one is alive can be asked with it
// alone, and whoever holds one can end it.
package github

import (
	"context"
	"encoding/json"
	"errors"
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
	api       = "https://api.github.com"
	version   = "2022-11-28" // of the REST API
	finePlain = "github_pat_"
)

// Provider implements provider.Verifier, Recognizer, Revoker and Guide.
type Provider struct{ web web.Client }

// New returns a Provider that uses the transport of h, which may be nil.
func New(h *http.Client) *Provider { return &Provider{web.New("github", h)} }

// Info is what is known without asking.
func (p *Provider) Info() provider.Info {
	return provider.Info{
		Name: "github", Title: "GitHub personal access token", Page: "https://github.com/settings/tokens",
		Others:      "a GitHub server of your own",
		Itself:      true,
		Parts:       []provider.Part{{Name: "value"}},
		Params:      []provider.Param{{Name: "url", Meaning: "the address of the API; on a server of your own it is https://HOST/api/v3", Default: api}},
		Propagation: time.Minute, // revocations are accepted, and done later; nothing says how much
		Revoking:    "Its owner is told. GitHub accepts any token, and does not say whether it was alive.",
		Sources: []string{
			"https://docs.github.com/en/rest/credentials/revoke",
			"https://docs.github.com/en/enterprise-server@3.19/rest/credentials/revoke",
			"https://docs.github.com/en/rest/users/users#get-the-authenticated-user",
			"https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api",
			"https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/managing-your-personal-access-tokens",
		},
		Tested: "a fake of the documentation",
	}
}

func base(c provider.Credential) string {
	if u := strings.TrimSuffix(c.Params["url"], "/"); u != "" {
		return u
	}
	return api
}

// pages is where the pages of an API's users are.
func pages(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return base
	}
	u.Host = strings.TrimPrefix(u.Host, "api.") // github.com, SUBDOMAIN.ghe.com
	u.Path = ""                                 // a server of one's own has /api/v3
	return u.String()
}

// call is a request, with the token of a credential if there is one.
func call(base, doing, method, path string, as provider.Credential, body []byte) web.Call {
	h := http.Header{"Accept": {"application/vnd.github+json"}, "X-Github-Api-Version": {version}}
	if token := as.Part("value"); !token.IsZero() {
		h.Set("Authorization", "Bearer "+string(token.Reveal()))
	}
	if body != nil {
		h.Set("Content-Type", "application/json")
	}
	return web.Call{Doing: doing, Method: method, URL: base, Path: path, Header: h, Body: body}
}

func incomplete(doing string) error {
	return &provider.Error{Provider: "github", Doing: doing, Kind: provider.Incomplete, Err: errors.New("the token itself is needed: GitHub knows it by nothing else")}
}

// Recognize takes the tokens that belong to a user.
func (p *Provider) Recognize(rule string, parts map[string]secret.Value) (provider.Credential, bool) {
	switch rule {
	case "github-pat", "github-fine-grained-pat", "github-oauth-token", "github-user-token":
		return provider.Credential{Parts: map[string]secret.Value{"value": parts["secret"]}}, true
	}
	return provider.Credential{}, false
}

// Verify asks who a token belongs to. What a fine-grained one may do cannot be asked.
func (p *Provider) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	const doing = "ask whose the token is"
	if c.Part("value").IsZero() {
		return provider.Probe{}, incomplete(doing)
	}
	a, err := p.web.Do(ctx, call(base(c), doing, http.MethodGet, "/user", c, nil))
	if err != nil {
		return provider.Probe{}, err
	}
	var body struct{ Login, Message string }
	code := strconv.Itoa(a.Status)
	switch {
	case a.Status == http.StatusOK:
		if err := a.JSON(&body); err != nil {
			return provider.Probe{}, err
		}
		if body.Login == "" {
			return provider.Probe{}, a.Failure(provider.Malformed, "", errors.New("it does not say whose it is"))
		}
		return provider.Probe{State: provider.Alive, Code: code, Who: provider.Identity{
			Account: body.Login, Scopes: scopes(a.Header), Expires: expires(a.Header),
		}}, nil
	case a.Status == http.StatusUnauthorized, a.Status == http.StatusForbidden:
		if err := a.JSON(&body); err != nil {
			return provider.Probe{State: provider.Unknown, Code: code}, nil // a proxy, or a login page
		}
		state, word := refusal(a, body.Message)
		return provider.Probe{State: state, Code: strings.TrimSpace(code + " " + word), After: a.After}, nil
	}
	return a.Bare()
}

// refusal tells what GitHub means by a 401 or a 403. What it says is compared, not shown.
func refusal(a web.Answer, message string) (state provider.State, word string) {
	said := func(words string) bool { return strings.Contains(strings.ToLower(message), words) }
	switch {
	case a.Status == http.StatusUnauthorized && message == "Bad credentials":
		return provider.Dead, message
	case a.Status == http.StatusUnauthorized:
		return provider.Unknown, ""
	case a.Header.Get("X-Ratelimit-Remaining") == "0", a.Header.Get("Retry-After") != "", said("rate limit"):
		return provider.Throttled, "rate limit"
	case a.Header.Get("X-Github-Sso") != "":
		return provider.Narrow, "not authorized for single sign-on"
	case said("ip allow list"):
		return provider.Blocked, "IP allow list"
	case said("resource not accessible by personal access token"):
		return provider.Narrow, "resource not accessible"
	}
	return provider.Unknown, ""
}

// scopes are those of a classic token: fine-grained ones have no such header.
func scopes(h http.Header) []string {
	var all []string
	for s := range strings.SplitSeq(h.Get("X-Oauth-Scopes"), ",") {
		if s = strings.TrimSpace(s); s != "" {
			all = append(all, s)
		}
	}
	slices.Sort(all)
	return all
}

func expires(h http.Header) time.Time {
	text := h.Get("Github-Authentication-Token-Expiration")
	for _, layout := range []string{"2006-01-02 15:04:05 MST", "2006-01-02 15:04:05 -0700"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// Revoke submits a token to be revoked: its owner is told, and it cannot be undone. GitHub
// does not say whether the token was alive, so twice is as good as once. On github.com that
// is asked without a credential; a server of one's own wants one, and the other is shown.
func (p *Provider) Revoke(ctx context.Context, _, c, other provider.Credential) error {
	const doing = "revoke the token"
	token := c.Part("value")
	if token.IsZero() {
		return incomplete(doing)
	}
	as, itself := provider.Credential{}, false
	if strings.HasSuffix(base(c), "/api/v3") {
		if as = other; as.Part("value").IsZero() {
			as, itself = c, true
		}
	}
	body, err := json.Marshal(map[string][]string{"credentials": {string(token.Reveal())}})
	if err != nil {
		return incomplete(doing)
	}
	defer clear(body)
	a, err := p.web.Do(ctx, call(base(c), doing, http.MethodPost, "/credentials/revoke", as, body))
	switch {
	case err != nil:
		return err
	case a.Status == http.StatusUnauthorized && itself:
		var body struct{ Message string }
		if a.JSON(&body) == nil {
			if state, _ := refusal(a, body.Message); state == provider.Dead {
				return nil
			}
		}
	case a.Status == http.StatusForbidden && (a.Header.Get("X-Ratelimit-Remaining") == "0" || a.Header.Get("Retry-After") != ""):
		return a.Failure(provider.Busy, "", errors.New("60 requests an hour are answered"))
	case a.Status == http.StatusUnprocessableEntity:
		return a.Failure(provider.Refused, "", errors.New("GitHub takes it for no token of its own, or was asked too often"))
	}
	return a.Done(http.StatusAccepted)
}

// Guide says how a token like the old one is made. The pages take nothing that could be
// filled in for the user: the documentation of that was withdrawn in May 2026.
func (p *Provider) Guide(old provider.Credential) provider.Steps {
	at := pages(base(old))
	last := []string{
		"Choose an expiration; keywright reads it, and says when the token is due.",
		"Do not regenerate the old token instead: that would end it at once.",
		"Choose “Generate token” and copy the token: it is shown once.",
	}
	if strings.HasPrefix(string(old.Part("value").Reveal()), finePlain) {
		list := at + "/settings/personal-access-tokens"
		return provider.Steps{
			IssueAt: list + "/new",
			Issue: append([]string{
				"Choose the resource owner, the repositories and the permissions of the old token, which is at " + list + ".",
				"If the organization approves tokens, wait for that: until then it reads what is public.",
			}, last...),
			RevokeAt: list,
			Revoke:   []string{"Choose “Delete” beside the old token."},
		}
	}
	list := at + "/settings/tokens"
	return provider.Steps{
		IssueAt: list + "/new",
		Issue: append([]string{
			"Choose the scopes of the old token, which is at " + list + "; better, use a fine-grained one: " + at + "/settings/personal-access-tokens/new",
			"If the old one was authorized for single sign-on, authorize this one, too: “Configure SSO” beside it.",
		}, last...),
		RevokeAt: list,
		Revoke:   []string{"Choose “Delete” beside the old token."},
	}
}
