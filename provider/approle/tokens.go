package approle

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/web"
)

// What a token is got for with a secret id outlives that. It bears the secret id's metadata,
// and so the lineage of one that was issued here: by that it is known, and by its accessor
// ended. Nothing tells the tokens of other secret ids apart, some of which are good for one
// login only and gone when their tokens are in use: those are left alone.

// ending is what takes to end tokens by their accessors.
var ending = map[string][]string{
	"auth/token/accessors": {"sudo", "list"}, "auth/token/lookup-accessor": {"update"}, "auth/token/revoke-accessor": {"update"},
}

// few are so many tokens that each can be looked at.
const few = 1000

// settings are what a role says of the tokens that it gives; in seconds, zero if the server
// decides.
type settings struct {
	TTL      int64  `json:"token_ttl"`
	Max      int64  `json:"token_max_ttl"`
	Explicit int64  `json:"token_explicit_max_ttl"`
	Period   int64  `json:"token_period"` // renewed each time, for ever
	Type     string `json:"token_type"`
}

// longest is how long a token lives at most; zero if that is not known, or for ever.
func (s settings) longest(batch bool) time.Duration {
	most := s.Explicit
	switch {
	case batch: // it is not renewed
		most = s.TTL
	case s.Period == 0 && s.Max > 0 && (most == 0 || s.Max < most):
		most = s.Max
	}
	return time.Duration(max(most, 0)) * time.Second
}

// lingers is what outlives a secret id; nil if no more is known of that than in general.
func (p *Provider) lingers(ctx context.Context, admin, c provider.Credential, old secretID) (*provider.Lingers, error) {
	const doing = "ask how long tokens of the role live"
	at, err := role(doing, c)
	if err != nil {
		return nil, err
	}
	_, ends, err := p.accessors(ctx, admin, c, few)
	if err != nil {
		return nil, err
	}
	a, err := p.administer(ctx, admin, c, web.Call{Doing: doing, Method: http.MethodGet, Path: at})
	if err != nil {
		return nil, web.Beforehand(err)
	}
	if a.Status == http.StatusForbidden { // for which it need not be allowed
		return nil, nil
	}
	var got struct{ Data *settings }
	if err = a.Refusal(); err == nil {
		err = a.JSON(&got)
	}
	switch {
	case err != nil:
		return nil, web.Beforehand(err)
	case got.Data == nil:
		return nil, failed(doing, provider.Unreached, "there is no role in it")
	}
	batch := got.Data.Type == "batch" || got.Data.Type == "default-batch"
	switch ends = ends && old.Metadata[label] != ""; {
	case ends && (got.Data.Type == "service" || got.Data.Type == "default-service"):
		return &provider.Lingers{}, nil
	case ends && !batch:
		return &provider.Lingers{What: "batch " + tokens + ", if the auth method gives any", Longest: got.Data.longest(true)}, nil
	}
	return &provider.Lingers{What: tokens, Longest: got.Data.longest(batch)}, nil
}

// accessors are those of all tokens of the server, or namespace; false if the token to make
// changes with may not end tokens by them, or if they are too many to be looked at.
func (p *Provider) accessors(ctx context.Context, admin, c provider.Credential, most int) (all []string, may bool, err error) {
	const doing = "list the tokens"
	missing, err := p.missing(ctx, "look whether tokens can be ended", admin, c, ending)
	if err != nil || len(missing) > 0 {
		return nil, false, err
	}
	a, err := p.administer(ctx, admin, c, web.Call{Doing: doing, Method: http.MethodGet, Path: "auth/token/accessors", Query: "list=true"})
	if err == nil {
		err = a.Refusal()
	}
	var got struct{ Data *struct{ Keys []string } }
	if err == nil {
		err = a.JSON(&got)
	}
	switch {
	case errors.Is(err, web.ErrLong):
		return nil, false, nil
	case err != nil:
		return nil, false, web.Beforehand(err)
	case got.Data == nil:
		return nil, false, failed(doing, provider.Unreached, "there is no list in it")
	}
	return got.Data.Keys, len(got.Data.Keys) <= most, nil
}

// endTokens ends the tokens of the role that were got with the secret id of a lineage; if that
// is not known, because it was gone already, with any that was issued here and is gone.
func (p *Provider) endTokens(ctx context.Context, admin, c provider.Credential, of string) error {
	all, may, err := p.accessors(ctx, admin, c, 10*few)
	if err != nil || !may {
		return err
	}
	ids, err := p.ids(ctx, admin, c)
	if err != nil {
		return err
	}
	for _, accessor := range all {
		line, err := p.lineage(ctx, admin, c, accessor)
		if err != nil {
			return err
		}
		if line == "" || of != "" && line != of || slices.ContainsFunc(ids, func(s secretID) bool { return s.Metadata[label] == line }) {
			continue
		}
		if err := p.endToken(ctx, admin, c, accessor); err != nil {
			return err
		}
	}
	return nil
}

func (p *Provider) endToken(ctx context.Context, admin, c provider.Credential, accessor string) error {
	a, err := p.administer(ctx, admin, c, post("end a token that was got with the secret id", "auth/token/revoke-accessor", map[string]string{"accessor": accessor}))
	if err != nil {
		return err
	}
	done := a.Done(http.StatusNoContent)
	var said struct{ Warnings []string }
	if done != nil && a.Status == http.StatusOK && a.JSON(&said) == nil && len(said.Warnings) > 0 {
		return nil // it has ended since it was looked up
	}
	return done
}

// lineage is that of the secret id that a token was got with; empty if it is of none that was
// issued here, or not of the role, or has ended.
func (p *Provider) lineage(ctx context.Context, admin, c provider.Credential, accessor string) (string, error) {
	a, err := p.administer(ctx, admin, c, post("look up a token by its accessor", "auth/token/lookup-accessor", map[string]string{"accessor": accessor}))
	if err != nil {
		return "", err
	}
	var token struct {
		Errors []string
		Data   struct {
			Path string            `json:"path"` // where it was got, perhaps behind the namespace
			Meta map[string]string `json:"meta"`
		}
	}
	refusal := a.Refusal()
	if err := a.JSON(&token); err != nil {
		return "", cmp.Or(refusal, err)
	}
	why := strings.Join(token.Errors, " ")
	switch {
	case refusal != nil && a.Status < 500 && (strings.Contains(why, "invalid accessor") || strings.Contains(why, "bad token")):
		return "", nil // it has ended since it was listed
	case refusal != nil:
		return "", refusal
	case token.Data.Path == "":
		return "", a.Failure(provider.Malformed, "", errors.New("it does not say where the token was got"))
	case !strings.HasSuffix("/"+token.Data.Path, "/"+mount(c)+"/login") || !strings.EqualFold(token.Data.Meta["role_name"], c.Params["role"]):
		return "", nil
	}
	return token.Data.Meta[label], nil
}
