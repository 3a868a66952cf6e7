// Package gitlab delivers to the CI/CD variables of a project or a group at GitLab. A
// variable can be read back unless it is hidden. GitLab does not refuse a write that comes
// after somebody else's, so that one between our look and our write is lost. Only the value
// is sent: whether a variable is protected, masked, hidden, expanded, and where it holds,
// stays as it is.
//
// A value is refused beforehand where jobs would get another: with a "$" in a variable
// whose references are expanded. What a masked variable may hold, GitLab itself decides.
//
// The token needs the scope api, and the role Maintainer in the project or Owner in the
// group. The parameter url of its key is the address of the server, as in package
// provider/gitlab.
//
// Written after https://docs.gitlab.com/api/project_level_variables/,
// https://docs.gitlab.com/api/group_level_variables/ and GitLab's own lib/api/ci/variables.rb;
// run against a fake of them.
package gitlab

import (
	"bytes"
	"context"
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

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/web"
	"github.com/keywright/keywright/rotate"
	"github.com/keywright/keywright/secret"
)

const (
	cloud = "https://gitlab.com"
	api   = "/api/v4/"
)

// What specs may say.
var (
	// Target is a project or a group, by its path or its number.
	Target = regexp.MustCompile(`^(projects|groups)/[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$`)
	// Name is that of a variable.
	Name = regexp.MustCompile(`^[A-Za-z0-9_]+$`) // how long it may be, the server knows
)

// Scope is the setting that says which of several variables of one name is meant: its
// environment scope.
const Scope = "scope"

// Store is the variables of one project or group. It is not to be used concurrently.
type Store struct {
	web   web.Client
	base  string
	path  string // of the variables
	scope string // empty for the only one
	token secret.Value
	kept  map[string]variable // as they were read
}

// variable is what GitLab says of one.
type variable struct {
	Key   string
	Value *web.Secret // nil for one that is hidden
	Raw   bool        // references in it are not expanded
	Scope string      `json:"environment_scope"`
}

// Open returns the variables of a target, reached with the part token of a credential,
// over the transport of h, which may be nil.
func Open(h *http.Client, target string, settings map[string]string, as provider.Credential) *Store {
	s := &Store{web: web.New("gitlab", h), base: cloud, scope: settings[Scope], token: as.Part("token"), kept: map[string]variable{}}
	if u := as.Params["url"]; u != "" {
		s.base = u
	}
	kind, path, _ := strings.Cut(target, "/")
	s.path = api + kind + "/" + url.PathEscape(path) + "/variables/"
	return s
}

func (s *Store) failed(doing string, kind provider.Kind, why string) error {
	return &provider.Error{Provider: s.web.Provider, Doing: doing, Kind: kind, Err: errors.New(why)}
}

// do reads a variable, or changes it, and returns it as it is then.
func (s *Store) do(ctx context.Context, doing, method, name string, body []byte) (v variable, err error) {
	if s.token.IsZero() {
		return v, s.failed(doing, provider.Incomplete, "the key to reach it with has no token")
	}
	h := http.Header{"Private-Token": {string(s.token.Reveal())}}
	if body != nil {
		h.Set("Content-Type", "application/json")
	}
	query := url.Values{}
	if s.scope != "" {
		query.Set("filter[environment_scope]", s.scope)
	}
	a, err := s.web.Do(ctx, web.Call{Doing: doing, Method: method, URL: s.base, Path: s.path + name, Query: query.Encode(), Header: h, Body: body})
	switch {
	case err != nil:
		return v, err
	case a.Status == http.StatusNotFound:
		e := a.Failure(provider.Refused, "", errors.New("it is not there, or the token may not see it"))
		e.Hint = "make it once by hand: keywright replaces what is there, and makes nothing"
		return v, e
	case a.Status == http.StatusConflict:
		e := a.Failure(provider.Refused, "", errors.New("there are several of this name"))
		e.Hint = "the option " + Scope + "= of the consumer says which is meant, by its environment scope"
		return v, e
	case a.Status == http.StatusBadRequest:
		e := a.Failure(provider.Refused, "", errors.New("GitLab does not take it for a value"))
		e.Hint = "a masked variable must be one line of at least 8 characters, without spaces"
		return v, e
	case !a.OK():
		return v, a.Refusal()
	}
	if err := a.JSON(&v); err != nil {
		return v, err
	}
	switch {
	case v.Key != name:
		return v, a.Failure(provider.Malformed, "", errors.New("it is not what GitLab answers"))
	case s.scope != "" && v.Scope != s.scope: // of groups, not every edition of GitLab looks at the scope
		return v, a.Failure(provider.Refused, "", fmt.Errorf("it is of the environment scope %q", v.Scope))
	}
	return v, nil
}

// Read returns the variables that are not hidden.
func (s *Store) Read(ctx context.Context, names []string) (map[string]secret.Value, error) {
	values, hidden := map[string]secret.Value{}, false
	for _, name := range names {
		v, err := s.do(ctx, "read the variable "+name, http.MethodGet, name, nil)
		if err != nil {
			return nil, err
		}
		s.kept[name] = v
		if v.Value == nil {
			hidden = true
			continue
		}
		values[name] = v.Value.Value
	}
	if hidden {
		return values, rotate.ErrUnreadable
	}
	return values, nil
}

// Write replaces the values of variables, one after the other.
func (s *Store) Write(ctx context.Context, values map[string]secret.Value) error {
	names := slices.Sorted(maps.Keys(values))
	for _, name := range names {
		doing, value := "replace the variable "+name, values[name].Reveal()
		switch {
		case !utf8.Valid(value) || bytes.IndexByte(value, 0) >= 0:
			return s.failed(doing, provider.Incomplete, "GitLab takes text")
		case !s.kept[name].Raw && bytes.IndexByte(value, '$') >= 0:
			return &provider.Error{
				Provider: s.web.Provider, Doing: doing, Kind: provider.Incomplete,
				Err:  errors.New("the value has a $, and GitLab would expand what follows as a variable"),
				Hint: "take “Expand variable reference” off the variable at GitLab",
			}
		}
	}
	for _, name := range names {
		text := string(values[name].Reveal())
		body, err := json.Marshal(struct {
			Value string `json:"value"`
		}{text})
		if err != nil {
			return fmt.Errorf("write the variable %s as JSON: %w", name, err)
		}
		_, err = s.do(ctx, "replace the variable "+name, http.MethodPut, name, body)
		clear(body)
		if err != nil {
			return err
		}
	}
	return nil
}
