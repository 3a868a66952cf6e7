// Package vault delivers to a secret of a KV engine, version 2, of Vault or OpenBao. It is
// read with its version, and written only if that is still the current one (cas). All
// parts of a key change at once; the other values are written again as they were read.
//
// The token needs the capabilities read and update on the path. The parameter url of its
// key is the address of the server, the parameter namespace that of Vault Enterprise and of
// OpenBao, if there is one.
//
// Written after https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2,
// https://developer.hashicorp.com/vault/api-docs#http-status-codes and OpenBao's own
// builtin/logical/kv/path_data.go; run against a fake of them.
package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/web"
	"github.com/keywright/keywright/secret"
)

// conflict is what a server says when a version is not the current one any more.
const conflict = "check-and-set parameter did not match"

// What specs may say.
var (
	// Target is the path of a secret as the API and policies have it.
	Target = regexp.MustCompile(`^[^/]+(/[^/]+)*/data(/[^/]+)+$`)
	// Name is that of a value in it.
	Name = regexp.MustCompile(`^.+$`)
)

// Store is a secret of a KV engine. It is not to be used concurrently.
type Store struct {
	web       web.Client
	base      string
	path      string
	namespace string
	token     secret.Value
	version   int                        // that was read
	others    map[string]json.RawMessage // all values that were read
}

// Open returns the secret at a target, reached with the part token of a credential, over
// the transport of h, which may be nil.
func Open(h *http.Client, target string, as provider.Credential) *Store {
	words := strings.Split(target, "/")
	for i := range words {
		words[i] = url.PathEscape(words[i])
	}
	return &Store{
		web: web.New("vault", h), base: as.Params["url"], namespace: as.Params["namespace"], token: as.Part("token"),
		path: "/v1/" + strings.Join(words, "/"),
	}
}

func (s *Store) failed(doing string, kind provider.Kind, format string, args ...any) error {
	return &provider.Error{Provider: s.web.Provider, Doing: doing, Kind: kind, Err: fmt.Errorf(format, args...)}
}

// do makes a call, and reads the answer into v.
func (s *Store) do(ctx context.Context, doing, method string, body []byte, v any) error {
	switch {
	case s.token.IsZero():
		return s.failed(doing, provider.Incomplete, "the key to reach it with has no token")
	case s.base == "":
		return &provider.Error{
			Provider: s.web.Provider, Doing: doing, Kind: provider.Incomplete,
			Err: errors.New("the key to reach it with does not say where the server is"), Hint: "keywright edit KEY --param url=https://vault.example.com:8200",
		}
	}
	h := http.Header{"X-Vault-Token": {string(s.token.Reveal())}, "X-Vault-Request": {"true"}}
	if s.namespace != "" {
		h.Set("X-Vault-Namespace", s.namespace)
	}
	if body != nil {
		h.Set("Content-Type", "application/json")
	}
	a, err := s.web.Do(ctx, web.Call{Doing: doing, Method: method, URL: s.base, Path: s.path, Header: h, Body: body})
	switch {
	case err != nil:
		return err
	case a.Status == http.StatusNotFound:
		e := a.Failure(provider.Refused, "", errors.New("it is not there, or its current version is deleted"))
		e.Hint = "make it once by hand: keywright replaces what is there, and makes nothing; the path is MOUNT/data/PATH"
		return e
	case a.Status == http.StatusBadRequest:
		var said struct{ Errors []string }
		if a.JSON(&said) == nil && len(said.Errors) > 0 && strings.HasPrefix(said.Errors[0], conflict) {
			return a.Failure(provider.Refused, "", errors.New("somebody else has changed it since it was read"))
		}
		return a.Failure(provider.Refused, "", nil)
	case !a.OK():
		return a.Refusal()
	}
	return a.JSON(v)
}

// Read returns values of the secret.
func (s *Store) Read(ctx context.Context, names []string) (map[string]secret.Value, error) {
	const doing = "read the secret"
	var answer struct {
		Data struct {
			Data     map[string]json.RawMessage
			Metadata struct{ Version int }
		}
	}
	if err := s.do(ctx, doing, http.MethodGet, nil, &answer); err != nil {
		return nil, err
	}
	s.wipe()
	s.version, s.others = answer.Data.Metadata.Version, answer.Data.Data
	if s.version < 1 || s.others == nil {
		return nil, s.failed(doing, provider.Malformed, "it is not of a KV engine, version 2")
	}
	values := map[string]secret.Value{}
	for _, name := range names {
		raw, ok := s.others[name]
		if !ok {
			return nil, s.failed(doing, provider.Refused, "it has no value %q, and keywright makes none", name)
		}
		var v *web.Secret
		if err := json.Unmarshal(raw, &v); err != nil || v == nil {
			return nil, s.failed(doing, provider.Refused, "its value %q is no text", name)
		}
		values[name] = v.Value
	}
	return values, nil
}

// wipe forgets what was read.
func (s *Store) wipe() {
	for _, raw := range s.others {
		clear(raw)
	}
	s.others = nil
}

// Write makes a version with other values, if the one that was read is the current one.
func (s *Store) Write(ctx context.Context, values map[string]secret.Value) error {
	const doing = "write a version of the secret"
	defer s.wipe()
	var body struct {
		Options struct {
			CAS int `json:"cas"`
		} `json:"options"`
		Data map[string]json.RawMessage `json:"data"`
	}
	body.Options.CAS, body.Data = s.version, s.others
	for name, v := range values {
		if !utf8.Valid(v.Reveal()) {
			return s.failed(doing, provider.Incomplete, "the value for %q is no text", name)
		}
		raw, err := json.Marshal(string(v.Reveal()))
		if err != nil {
			return fmt.Errorf("write the value %q as JSON: %w", name, err)
		}
		clear(body.Data[name])
		body.Data[name] = raw
	}
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("write the secret as JSON: %w", err)
	}
	defer clear(text)
	var answer struct{ Data struct{ Version int } }
	if err := s.do(ctx, doing, http.MethodPost, text, &answer); err != nil {
		return err
	}
	if answer.Data.Version != s.version+1 {
		return s.failed(doing, provider.Malformed, "it does not name the next version")
	}
	return nil
}
