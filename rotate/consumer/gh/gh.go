// Package gh delivers to the secrets of GitHub Actions: of a repository, of an environment
// of one, of an organisation. GitHub gives none of them back. So what is there cannot be
// compared, and nobody else's change is noticed: what can be known is that a secret is
// there, and that the token reaches it.
//
// A value is sealed for the public key that GitHub names, and replaces the one before. A
// secret of an organisation stays visible to the repositories that it was visible to.
//
// The token needs the permission "Secrets: read and write" ("Environments" for those of an
// environment; of an organisation "Organization secrets"), or, if it is a classic one, the
// scope repo or admin:org. The parameter url of its key is the address of the API, as in
// package provider/github.
//
// Written after https://docs.github.com/en/rest/actions/secrets and
// https://docs.github.com/en/rest/guides/encrypting-secrets-for-the-rest-api; run against
// a fake of them.
package gh

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/nacl/box"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/web"
	"github.com/keywright/keywright/rotate"
	"github.com/keywright/keywright/secret"
)

const (
	api      = "https://api.github.com"
	version  = "2022-11-28" // of the REST API
	longest  = 48 << 10     // bytes of a secret
	selected = "selected"   // a visibility
	perPage  = 100          // repositories
	maxPages = 100
)

// What specs may say.
var (
	// Target is a repository, an environment of one, or an organisation.
	Target = regexp.MustCompile(`^[A-Za-z0-9_-]+(/[A-Za-z0-9._-]+(/.+)?)?$`)
	// Name is that of a secret.
	Name = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// Store is the secrets of one place. It is not to be used concurrently.
type Store struct {
	web     web.Client
	base    string
	token   secret.Value
	path    string // of the secrets
	org     bool
	sharing map[string]sharing // of an organisation's secrets, by name
}

// sharing says which repositories of an organisation see a secret.
type sharing struct {
	Visibility   string  `json:"visibility,omitempty"`
	Repositories []int64 `json:"selected_repository_ids,omitempty"`
}

// Open returns the secrets of a target, reached with the part token of a credential, over
// the transport of h, which may be nil.
func Open(h *http.Client, target string, as provider.Credential) *Store {
	s := &Store{web: web.New("github", h), base: api, token: as.Part("token"), sharing: map[string]sharing{}}
	if u := as.Params["url"]; u != "" {
		s.base = u
	}
	words := strings.SplitN(target, "/", 3)
	for i := range words {
		words[i] = url.PathEscape(words[i])
	}
	switch len(words) {
	case 1:
		s.org, s.path = true, "/orgs/"+words[0]+"/actions/secrets"
	case 2:
		s.path = "/repos/" + words[0] + "/" + words[1] + "/actions/secrets"
	default:
		s.path = "/repos/" + words[0] + "/" + words[1] + "/environments/" + words[2] + "/secrets"
	}
	return s
}

// do makes a call, and reads the answer into v if it is not nil.
func (s *Store) do(ctx context.Context, doing, method, path, query string, body []byte, v any) error {
	if s.token.IsZero() {
		return &provider.Error{Provider: s.web.Provider, Doing: doing, Kind: provider.Incomplete, Err: errors.New("the key to reach it with has no token")}
	}
	h := http.Header{
		"Accept": {"application/vnd.github+json"}, "X-Github-Api-Version": {version},
		"Authorization": {"Bearer " + string(s.token.Reveal())},
	}
	if body != nil {
		h.Set("Content-Type", "application/json")
	}
	a, err := s.web.Do(ctx, web.Call{Doing: doing, Method: method, URL: s.base, Path: path, Query: query, Header: h, Body: body})
	switch {
	case err != nil:
		return err
	case a.Status == http.StatusNotFound:
		e := a.Failure(provider.Refused, "", errors.New("it is not there, or the token may not see it"))
		e.Hint = "make it once by hand: keywright replaces what is there, and makes nothing"
		return e
	case limited(a):
		return a.Failure(provider.Busy, "", nil)
	case !a.OK():
		return a.Refusal()
	case v != nil:
		return a.JSON(v)
	case a.Status == http.StatusCreated, a.Status == http.StatusNoContent:
		return nil
	}
	return a.Failure(provider.Malformed, "", errors.New("it is not what GitHub answers"))
}

// limited reports whether GitHub was asked too often, which it also says with a 403.
func limited(a web.Answer) bool {
	return a.Status == http.StatusTooManyRequests ||
		a.Status == http.StatusForbidden && (a.Header.Get("X-Ratelimit-Remaining") == "0" || a.Header.Get("Retry-After") != "")
}

// Read fails unless all secrets are there, and returns none.
func (s *Store) Read(ctx context.Context, names []string) (map[string]secret.Value, error) {
	for _, name := range names {
		doing := "look for the secret " + name
		var found struct {
			Name string
			sharing
		}
		if err := s.do(ctx, doing, http.MethodGet, s.path+"/"+name, "", nil, &found); err != nil {
			return nil, err
		}
		if !strings.EqualFold(found.Name, name) || s.org && found.Visibility == "" {
			return nil, &provider.Error{Provider: s.web.Provider, Doing: doing, Kind: provider.Malformed, Err: errors.New("it is not what GitHub answers")}
		}
		if !s.org {
			continue
		}
		shared := sharing{Visibility: found.Visibility}
		if shared.Visibility == selected {
			var err error
			if shared.Repositories, err = s.repositories(ctx, name); err != nil {
				return nil, err
			}
		}
		s.sharing[name] = shared
	}
	return nil, rotate.ErrUnreadable
}

// repositories are all that see a secret of an organisation: a call that replaces it has
// to name them, or they would see it no more.
func (s *Store) repositories(ctx context.Context, name string) (ids []int64, err error) {
	doing := "list the repositories that see the secret " + name
	for page := 1; page <= maxPages; page++ {
		var list struct {
			Total        int `json:"total_count"`
			Repositories []struct{ ID int64 }
		}
		query := fmt.Sprintf("per_page=%d&page=%d", perPage, page)
		if err := s.do(ctx, doing, http.MethodGet, s.path+"/"+name+"/repositories", query, nil, &list); err != nil {
			return nil, err
		}
		for _, r := range list.Repositories {
			ids = append(ids, r.ID)
		}
		if len(ids) == list.Total {
			return ids, nil
		}
		if len(list.Repositories) == 0 {
			break
		}
	}
	return nil, &provider.Error{Provider: s.web.Provider, Doing: doing, Kind: provider.Malformed, Err: errors.New("it is not as long as it says")}
}

// Write replaces secrets, one after the other.
func (s *Store) Write(ctx context.Context, values map[string]secret.Value) error {
	names := slices.Sorted(maps.Keys(values))
	for _, name := range names {
		if v := values[name]; !utf8.Valid(v.Reveal()) || v.Len() > longest {
			return &provider.Error{
				Provider: s.web.Provider, Doing: "replace the secret " + name, Kind: provider.Incomplete,
				Err: fmt.Errorf("GitHub takes text of up to %d bytes", longest),
			}
		}
	}
	id, key, err := s.publicKey(ctx)
	if err != nil {
		return web.Beforehand(err)
	}
	for _, name := range names {
		sealed, err := box.SealAnonymous(nil, values[name].Reveal(), key, rand.Reader)
		if err != nil {
			return fmt.Errorf("seal the secret %s: %w", name, err)
		}
		body, err := json.Marshal(struct {
			Value string `json:"encrypted_value"`
			KeyID string `json:"key_id"`
			sharing
		}{base64.StdEncoding.EncodeToString(sealed), id, s.sharing[name]})
		if err != nil {
			return fmt.Errorf("write the secret %s as JSON: %w", name, err)
		}
		if err := s.do(ctx, "replace the secret "+name, http.MethodPut, s.path+"/"+name, "", body, nil); err != nil {
			return err
		}
	}
	return nil
}

// publicKey is what GitHub wants secrets of the place to be sealed with.
func (s *Store) publicKey(ctx context.Context) (id string, key *[32]byte, err error) {
	const doing = "ask for the public key that secrets are sealed with"
	var answer struct {
		ID  string `json:"key_id"`
		Key string
	}
	if err := s.do(ctx, doing, http.MethodGet, s.path+"/public-key", "", nil, &answer); err != nil {
		return "", nil, err
	}
	raw, err := base64.StdEncoding.DecodeString(answer.Key)
	if err != nil || len(raw) != len(key) || answer.ID == "" {
		return "", nil, &provider.Error{Provider: s.web.Provider, Doing: doing, Kind: provider.Malformed, Err: errors.New("it is no key of 32 bytes")}
	}
	return answer.ID, (*[32]byte)(raw), nil
}
