// Package deploykey knows the deploy keys of repositories at GitHub. A new one is an
// ed25519 key that is made here; its public half stands beside the old one's until that is
// removed. Whether a key is alive is asked the way that it is used: by logging in over SSH.
package deploykey

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/web"
	"github.com/keywright/keywright/secret"
)

const (
	name    = "deploykey"
	api     = "https://api.github.com"
	version = "2022-11-28" // of the REST API
	page    = 100          // keys on a page of a list

	loginAt = "github.com:22"
)

// Provider implements provider.Verifier, Lister, Planner, Maker and Revoker.
type Provider struct{ web web.Client }

// New returns a Provider that uses the transport of h, which may be nil, for the API.
func New(h *http.Client) *Provider { return &Provider{web.New(name, h)} }

// Info is what is known without asking.
func (p *Provider) Info() provider.Info {
	return provider.Info{
		Name: name, Title: "GitHub deploy key",
		Parts: []provider.Part{{Name: "value"}},
		Params: []provider.Param{
			{Name: "repo", Meaning: "the repository: OWNER/NAME", Required: true},
			{Name: "url", Meaning: "the address of the API; on a server of your own it is https://HOST/api/v3", Default: api, Server: true},
			{Name: "ssh", Meaning: "where keys log in: HOST:PORT", Default: loginAt},
			{Name: "host_key", Meaning: "the fingerprint of the key of that host, SHA256:…, or several with commas; those of github.com are known"},
		},
		Admins:      []string{"github"},
		Admin:       "a token of an administrator of the repository: a classic one with the scope repo, or a fine-grained one that may write Administration",
		Propagation: 10 * time.Second, // nothing is said of it
		Uses:        true,
		Sources: []string{
			"https://docs.github.com/en/rest/deploy-keys/deploy-keys",
			"https://docs.github.com/en/rest/repos/repos#get-a-repository",
			"https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/githubs-ssh-key-fingerprints",
			"https://docs.github.com/en/authentication/connecting-to-github-with-ssh/testing-your-ssh-connection",
			"RFC 4252",
		},
		Tested: "a fake of the documentation, and an SSH server of golang.org/x/crypto",
	}
}

func failed(doing string, kind provider.Kind, why string) *provider.Error {
	return &provider.Error{Provider: name, Doing: doing, Kind: kind, Err: errors.New(why)}
}

// parse reads a private key. What is wrong with one is not said: it might quote it.
func parse(doing string, c provider.Credential) (ssh.Signer, error) {
	if c.Part("value").IsZero() {
		return nil, failed(doing, provider.Incomplete, "the private key is needed")
	}
	signer, err := ssh.ParsePrivateKey(c.Part("value").Reveal())
	if err != nil {
		return nil, failed(doing, provider.Incomplete, "the key is no private key in a form of OpenSSH's that needs no passphrase")
	}
	return signer, nil
}

// id is what a key is known by here: its fingerprint. GitHub's number is known only when
// a key was added.
func id(doing string, c provider.Credential) (string, error) {
	if c.Part("value").IsZero() && c.ID != "" {
		return c.ID, nil
	}
	signer, err := parse(doing, c)
	if err != nil {
		return "", err
	}
	return ssh.FingerprintSHA256(signer.PublicKey()), nil
}

// Make makes a key.
func (p *Provider) Make(_ context.Context, old provider.Credential) (provider.Credential, error) {
	const doing = "make a key"
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return provider.Credential{}, failed(doing, provider.Refused, "there is no randomness")
	}
	defer clear(private)
	sshPublic, err := ssh.NewPublicKey(public)
	if err != nil {
		return provider.Credential{}, failed(doing, provider.Refused, "the key is none")
	}
	block, err := ssh.MarshalPrivateKey(private, old.Params["repo"])
	if err != nil {
		return provider.Credential{}, failed(doing, provider.Refused, "the key cannot be written")
	}
	text := pem.EncodeToMemory(block)
	defer clear(text)
	return provider.Credential{ID: ssh.FingerprintSHA256(sshPublic), Parts: map[string]secret.Value{"value": secret.New(text)}, Params: maps.Clone(old.Params)}, nil
}

// listed is a deploy key, as GitHub lists it.
type listed struct {
	ID       int64     `json:"id"`
	Key      string    `json:"key"`
	Title    string    `json:"title"`
	ReadOnly bool      `json:"read_only"`
	Created  time.Time `json:"created_at"`
	Used     time.Time `json:"last_used"`
	Enabled  *bool     `json:"enabled"` // false if a policy forbids deploy keys

	fingerprint string
}

func (k listed) disabled() bool { return k.Enabled != nil && !*k.Enabled }

// send makes a call about the repository of a credential.
func (p *Provider) send(ctx context.Context, admin, at provider.Credential, call web.Call) (web.Answer, error) {
	token := web.Token(admin, "token")
	owner, repo, found := strings.Cut(at.Params["repo"], "/")
	switch {
	case token.IsZero():
		return web.Answer{}, failed(call.Doing, provider.Incomplete, "a token to make changes with is needed")
	case !found || strings.Trim(owner, word) != "" || strings.Trim(repo, word) != "":
		return web.Answer{}, failed(call.Doing, provider.Incomplete, "the repository is needed: OWNER/NAME")
	}
	as, err := provider.Acting(p, call.Doing, admin, at)
	if err != nil {
		return web.Answer{}, err
	}
	call.URL = strings.TrimSuffix(as.Params["url"], "/")
	if call.URL == "" {
		call.URL = api
	}
	call.Path = "/repos/" + owner + "/" + repo + call.Path
	if call.Header == nil {
		call.Header = http.Header{}
	}
	call.Header.Set("Accept", "application/vnd.github+json")
	call.Header.Set("X-Github-Api-Version", version)
	call.Header.Set("Authorization", "Bearer "+string(token.Reveal()))
	a, err := p.web.Do(ctx, call)
	if err != nil {
		return a, err
	}
	if a.Status == http.StatusForbidden && (a.Header.Get("X-Ratelimit-Remaining") == "0" || a.Header.Get("Retry-After") != "") {
		return a, a.Failure(provider.Busy, "", nil)
	}
	return a, nil
}

// word is what names at GitHub are made of.
const word = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

// keys are all deploy keys of the repository.
func (p *Provider) keys(ctx context.Context, admin, c provider.Credential) ([]listed, error) {
	const doing = "list the deploy keys"
	var all []listed
	seen := map[int64]bool{}
	for n := 1; ; n++ {
		a, err := p.send(ctx, admin, c, web.Call{Doing: doing, Method: http.MethodGet, Path: "/keys", Query: fmt.Sprintf("per_page=%d&page=%d", page, n)})
		if err == nil {
			err = a.Refusal()
		}
		var keys []listed
		if err == nil {
			err = a.JSON(&keys)
		}
		if err != nil {
			return nil, web.Beforehand(err)
		}
		for _, k := range keys {
			public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(k.Key))
			if k.ID == 0 || seen[k.ID] || err != nil {
				return nil, failed(doing, provider.Unreached, "the list is not one of keys")
			}
			seen[k.ID] = true
			k.fingerprint = ssh.FingerprintSHA256(public)
			all = append(all, k)
		}
		if len(keys) < page && !strings.Contains(a.Header.Get("Link"), `rel="next"`) {
			return all, nil
		}
	}
}

func find(keys []listed, fingerprint string) (listed, bool) {
	for _, k := range keys {
		if k.fingerprint == fingerprint {
			return k, true
		}
	}
	return listed{}, false
}

// List lists the deploy keys of the repository.
func (p *Provider) List(ctx context.Context, admin, c provider.Credential) ([]provider.Listed, error) {
	keys, err := p.keys(ctx, admin, c)
	if err != nil {
		return nil, err
	}
	var all []provider.Listed
	for _, k := range keys {
		l := provider.Listed{Identity: provider.Identity{ID: k.fingerprint, Label: k.Title, Scopes: []string{"read"}, LastUsed: k.Used}, Created: k.Created, Disabled: k.disabled()}
		if !k.ReadOnly {
			l.Scopes = append(l.Scopes, "write")
		}
		all = append(all, l)
	}
	return all, nil
}

// Plan looks whether the repository has the key, and whether the token may change its keys.
func (p *Provider) Plan(ctx context.Context, admin, old provider.Credential) (provider.Plan, error) {
	const doing = "look whether the key can be replaced"
	fingerprint, err := id(doing, old)
	if err != nil {
		return provider.Plan{}, err
	}
	a, err := p.send(ctx, admin, old, web.Call{Doing: doing, Method: http.MethodGet})
	if err == nil {
		err = a.Refusal()
	}
	var repo struct {
		ID          int64 `json:"id"`
		Archived    bool  `json:"archived"`
		Permissions *struct {
			Admin bool `json:"admin"`
		} `json:"permissions"`
	}
	if err == nil {
		err = a.JSON(&repo)
	}
	if err != nil {
		return provider.Plan{}, web.Beforehand(err)
	}
	scopes := strings.Split(strings.ReplaceAll(a.Header.Get("X-Oauth-Scopes"), " ", ""), ",")
	classic := len(a.Header.Values("X-Oauth-Scopes")) > 0
	switch {
	case repo.ID == 0:
		return provider.Plan{}, failed(doing, provider.Unreached, "what came is not about a repository")
	case repo.Permissions == nil || !repo.Permissions.Admin:
		return provider.Plan{}, failed(doing, provider.Forbidden, "whose the token to make changes with is, is no administrator of the repository")
	case repo.Archived:
		return provider.Plan{}, failed(doing, provider.Refused, "the repository is archived")
	case classic && !slices.Contains(scopes, "repo") && !slices.Contains(scopes, "public_repo"):
		return provider.Plan{}, failed(doing, provider.Forbidden, "the token to make changes with lacks the scope repo")
	}
	keys, err := p.keys(ctx, admin, old)
	if err != nil {
		return provider.Plan{}, err
	}
	k, found := find(keys, fingerprint)
	switch {
	case !found:
		return provider.Plan{}, failed(doing, provider.Refused, "the repository does not have the key "+fingerprint)
	case k.disabled():
		return provider.Plan{}, failed(doing, provider.Refused, "deploy keys are disabled there by a policy")
	}
	plan := provider.Plan{LastUsed: k.Used, Notes: []string{"the new key lives as long as the token that adds it: when a token is deleted, GitHub deletes the keys that it added"}}
	if !classic {
		plan.Notes = append(plan.Notes, "whether a fine-grained token may write Administration cannot be asked")
	}
	if !k.ReadOnly {
		plan.Notes = append(plan.Notes, "the key may write")
	}
	return plan, nil
}

// Apply adds the public half of the new key, with the title and the right of the old one.
func (p *Provider) Apply(ctx context.Context, admin, old, next provider.Credential) error {
	const doing = "add the new key"
	from, err := id(doing, old)
	if err != nil {
		return err
	}
	signer, err := parse(doing, next)
	if err != nil {
		return err
	}
	keys, err := p.keys(ctx, admin, next)
	if err != nil {
		return err
	}
	before, found := find(keys, from)
	if now, is := find(keys, ssh.FingerprintSHA256(signer.PublicKey())); is {
		if found && before.ReadOnly && !now.ReadOnly {
			return failed(doing, provider.Refused, "it is there, and may write, which the old one may not")
		}
		return nil
	}
	if !found {
		return failed(doing, provider.Refused, "the old key is not there: whether the new one is to write is not known")
	}
	a, err := p.send(ctx, admin, next, web.Call{Doing: doing, Method: http.MethodPost, Path: "/keys"}.With(struct {
		Title    string `json:"title"`
		Key      string `json:"key"`
		ReadOnly bool   `json:"read_only"`
	}{before.Title, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))), before.ReadOnly}))
	if err != nil {
		return err
	}
	if a.Status == http.StatusUnprocessableEntity {
		return a.Failure(provider.Refused, "", errors.New("GitHub does not take the key, or a policy forbids deploy keys"))
	}
	if err := a.Refusal(); err != nil {
		return err
	}
	var added listed
	if err := a.JSON(&added); err != nil {
		return err
	}
	if added.ID == 0 || before.ReadOnly && !added.ReadOnly {
		return a.Failure(provider.Malformed, "", errors.New("the key that was added is not like the old one"))
	}
	return nil
}

// Revoke deletes a key from the repository. Connections that are open end when what they
// were opened for is done.
func (p *Provider) Revoke(ctx context.Context, admin, c, other provider.Credential) error {
	const doing = "delete the key"
	fingerprint, err := id(doing, c)
	if err != nil {
		return err
	}
	if fingerprint == other.ID {
		return failed(doing, provider.Refused, "it is the one that goes on being used")
	}
	keys, err := p.keys(ctx, admin, c)
	if err != nil {
		return err
	}
	k, found := find(keys, fingerprint)
	if !found {
		return nil
	}
	a, err := p.send(ctx, admin, c, web.Call{Doing: doing, Method: http.MethodDelete, Path: fmt.Sprintf("/keys/%d", k.ID)})
	if err != nil {
		return err
	}
	if a.Status == http.StatusNotFound { // also what a token gets that may not delete it
		keys, err := p.keys(ctx, admin, c)
		if _, is := find(keys, fingerprint); err == nil && !is {
			return nil
		}
	}
	return a.Done(http.StatusNoContent)
}
