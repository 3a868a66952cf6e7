// Package deribit knows Deribit's API keys: with a key of the same account they are issued,
// listed, disabled and deleted. How far a key is alive, and what it may do, is asked with it
// alone. Only keys with a secret are issued, not those that sign with a key pair.
//
// Deribit can also give a key another secret, at which the one before dies at once. That is
// not used: a new key beside the old one leaves no gap.
//
// Where an account asks for a code of its authenticator to manage keys, Deribit wants one for
// each call that lists, makes or edits a key, to be sent with a challenge while that and the
// code are good. A rotation takes several of those, also where nobody is there to read a
// code. So there is no way for it here: Plan, which lists keys, is refused beforehand, and
// says how it is done by hand.
//
// Deribit's lists of keys hold their secrets. They are not decoded.
//
// With which code a disabled key is refused, or one that is used from an address that is not
// among its own, is not documented: the first may look dead, the second unknown.
package deribit

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/exchange"
	"github.com/keywright/keywright/provider/web"
	"github.com/keywright/keywright/secret"
)

const page = "https://www.deribit.com/account/BTC/api"

// Provider implements provider.Verifier, Recognizer, Lister, Planner, Issuer, Disabler and Revoker.
type Provider struct {
	// Worlds are the addresses of those parts of Deribit that do not know each other's keys.
	Worlds []string

	web  web.Client
	room int // how many keys an account takes
}

// New returns a Provider that uses the transport of h, which may be nil.
func New(h *http.Client) *Provider {
	return &Provider{Worlds: []string{"https://www.deribit.com", "https://test.deribit.com"}, web: web.New("deribit", h), room: 8}
}

// Info is what is known without asking.
func (p *Provider) Info() provider.Info {
	return provider.Info{
		Name: "deribit", Title: "Deribit API key", Page: page,
		Parts: []provider.Part{{Name: "id", Public: true}, {Name: "secret"}},
		Params: []provider.Param{
			{Name: "host", Meaning: "the address of the API that the key is of: https://www.deribit.com or https://test.deribit.com", Required: true},
		},
		Admin:       "a key of the same account with the scope account:read_write and those of the key; the key itself if it has that",
		Lingers:     provider.Lingers{What: "access and refresh tokens that were got with it, unless Deribit ends them with the key, of which it says nothing"},
		Propagation: 10 * time.Second, // changes are said to be known at once
		Sources: []string{
			"https://docs.deribit.com/articles/authentication",
			"https://docs.deribit.com/articles/access-scope",
			"https://docs.deribit.com/articles/creating-api-key",
			"https://docs.deribit.com/articles/security-keys",
			"https://docs.deribit.com/articles/errors",
			"https://docs.deribit.com/api-reference/authentication/public-auth",
			"https://docs.deribit.com/api-reference/account-management/private-list_api_keys",
			"https://docs.deribit.com/api-reference/account-management/private-create_api_key",
			"https://docs.deribit.com/api-reference/account-management/private-edit_api_key",
			"https://docs.deribit.com/api-reference/account-management/private-enable_api_key",
			"https://docs.deribit.com/api-reference/account-management/private-remove_api_key",
		},
		Tested: "a fake of the documentation; a signature against the one that is published",
	}
}

// key is what Deribit lists of one. It has no field for the secret.
type key struct {
	Number    int64    `json:"id"` // by which keys are changed
	ID        string   `json:"client_id"`
	Name      string   `json:"name"`
	MaxScope  string   `json:"max_scope"` // with spaces
	Enabled   bool     `json:"enabled"`
	Timestamp int64    `json:"timestamp"` // when it was made or changed, in milliseconds
	Features  []string `json:"enabled_features"`
	IPs       []string `json:"ip_whitelist"`
	PublicKey string   `json:"public_key"`
}

func (k key) addresses() []string { return slices.Sorted(slices.Values(k.IPs)) }

// scopes are the rights in a list with spaces, sorted. What says of a connection how it is
// used, and of a group that there is none, is left out.
func scopes(list string) []string {
	var all []string
	for word := range strings.FieldsSeq(list) {
		if _, level, _ := strings.Cut(word, ":"); level == "read" || level == "read_write" {
			all = append(all, word)
		}
	}
	slices.Sort(all)
	return all
}

const withdraws = "wallet:read_write"

func (k key) identity() provider.Identity {
	all := scopes(k.MaxScope)
	return provider.Identity{ID: k.ID, Label: k.Name, Scopes: all, IPs: k.addresses(), Withdraw: slices.Contains(all, withdraws)}
}

// Recognize takes keys with their secrets, of whatever world.
func (p *Provider) Recognize(rule string, parts map[string]secret.Value) (provider.Credential, bool) {
	if rule != "deribit-api-secret" || parts["id"].IsZero() {
		return provider.Credential{}, false
	}
	return exchange.Key(string(parts["id"].Reveal()), parts["secret"], map[string]string{"host": p.Worlds[0]}), true
}

// Verify asks a key's world about it, and the others if that does not know it. Without a
// host, all are asked.
func (p *Provider) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	w := web.Worlds{Addresses: p.Worlds, Unheard: "13004", Ask: func(ctx context.Context, at string, _ bool) (provider.Probe, bool, error) {
		return p.probe(ctx, c, at)
	}}
	return w.Verify(ctx, exchange.Host(c))
}

// login is a request to log in with a key, of which the token is thrown away.
func (p *Provider) login(c provider.Credential, host, doing string) request {
	timestamp, nonce := p.now(), rand.Text()
	return request{doing: doing, host: host, method: "public/auth", params: map[string]any{
		"grant_type": "client_signature", "client_id": exchange.Name(c), "timestamp": json.Number(timestamp), "nonce": nonce,
		"data": "", "signature": sign(c.Part("secret"), timestamp, nonce, ""),
	}}
}

// grant is what a login says of the key.
type grant struct {
	Scope *string `json:"scope"`
}

var errNoScope = errors.New("it does not say what the key may do")

// probe tries a key in one world.
func (p *Provider) probe(ctx context.Context, c provider.Credential, host string) (probe provider.Probe, unheard bool, err error) {
	got, err := p.ask(ctx, c, p.login(c, host, "log in with the key"))
	if err != nil {
		return provider.Probe{}, false, err
	}
	defer clear(got.Data) // there are tokens in it
	if probe, unheard = got.Probe(); !got.Done {
		return probe, unheard, nil
	}
	var granted grant
	if json.Unmarshal(got.Data, &granted) != nil || granted.Scope == nil {
		return provider.Probe{}, false, got.Answer.Failure(provider.Malformed, "", errNoScope)
	}
	probe.Who = provider.Identity{ID: exchange.Name(c), Scopes: scopes(*granted.Scope)}
	probe.Who.Withdraw = slices.Contains(probe.Who.Scopes, withdraws)
	return probe, false, nil
}

// may asks what the key to make changes with may do, with it.
func (p *Provider) may(ctx context.Context, admin provider.Credential, host string) ([]string, error) {
	r := p.login(admin, host, "log in with the key to make changes with")
	var granted grant
	if err := p.done(ctx, admin, r, &granted); err != nil {
		return nil, web.Beforehand(err)
	}
	if granted.Scope == nil {
		return nil, web.Beforehand(failed(r.doing, provider.Malformed, errNoScope))
	}
	return scopes(*granted.Scope), nil
}

// keys lists all keys of an account.
func (p *Provider) keys(ctx context.Context, host string, admin provider.Credential) ([]key, error) {
	r := request{doing: "list the keys of the account", host: host, method: "private/list_api_keys", params: map[string]any{}}
	var all []key
	if err := p.done(ctx, admin, r, &all); err != nil {
		return nil, err
	}
	if all == nil || slices.ContainsFunc(all, func(k key) bool { return k.ID == "" || k.Number == 0 }) {
		return nil, failed(r.doing, provider.Malformed, errors.New("it is no list of keys"))
	}
	return all, nil
}

func pick(all []key, c provider.Credential) (key, bool) {
	i := slices.IndexFunc(all, func(k key) bool { return k.ID == exchange.Name(c) })
	if i < 0 {
		return key{}, false
	}
	return all[i], true
}

// List lists the keys of the account.
func (p *Provider) List(ctx context.Context, admin, c provider.Credential) ([]provider.Listed, error) {
	keys, err := p.keys(ctx, exchange.Host(c), admin)
	if err != nil {
		return nil, err
	}
	var all []provider.Listed
	for _, k := range keys {
		all = append(all, provider.Listed{Identity: k.identity(), Created: time.UnixMilli(k.Timestamp).UTC(), Disabled: !k.Enabled})
	}
	return all, nil
}

// template is the key that another is to be like, and how many there are.
func (p *Provider) template(ctx context.Context, admin, old provider.Credential) (key, int, error) {
	const doing = "find the key to be replaced"
	all, err := p.keys(ctx, exchange.Host(old), admin)
	if err != nil {
		return key{}, 0, web.Beforehand(err)
	}
	k, found := pick(all, old)
	switch {
	case !found:
		return key{}, 0, failed(doing, provider.Refused, errors.New("it is not among those of the account: what it may do is not known"))
	case k.PublicKey != "":
		return key{}, 0, failed(doing, provider.Refused, errors.New("it signs with a key pair: make one, and give the public half to Deribit"))
	case len(scopes(k.MaxScope)) == 0:
		return key{}, 0, failed(doing, provider.Refused, errors.New("it has no right that a new key could be given"))
	}
	return k, len(all), nil
}

// Plan looks whether keys can be managed with the admin's, whether there is room for another,
// and what there is to know of the one to be replaced.
func (p *Provider) Plan(ctx context.Context, admin, old provider.Credential) (provider.Plan, error) {
	const doing = "look whether the key can be replaced"
	k, n, err := p.template(ctx, admin, old)
	if err != nil {
		return provider.Plan{}, err
	}
	has, err := p.may(ctx, admin, exchange.Host(old))
	if err != nil {
		return provider.Plan{}, err
	}
	may := func(scope string) bool {
		group, _, _ := strings.Cut(scope, ":")
		return slices.Contains(has, scope) || slices.Contains(has, group+":read_write")
	}
	for _, scope := range append([]string{"account:read_write"}, scopes(k.MaxScope)...) {
		if !may(scope) {
			e := failed(doing, provider.Forbidden, errors.New("the key to make changes with has not the scope "+scope))
			e.Hint = page
			return provider.Plan{}, e
		}
	}
	if n >= p.room {
		return provider.Plan{}, failed(doing, provider.NoSlot, fmt.Errorf("the account has %d keys, and takes no more", n))
	}
	var notes []string
	if k.identity().Withdraw {
		notes = append(notes, "the key may withdraw, and so may the new one")
	}
	if len(k.IPs) == 0 {
		notes = append(notes, "the key may be used from any address, and so may the new one")
	}
	return provider.Plan{Notes: notes}, nil
}

// Issue makes a key that may do what the old one may, from where that may. The lineage is in
// its name. It is bound to addresses by a second call; if that fails, the key is deleted.
func (p *Provider) Issue(ctx context.Context, admin, old provider.Credential, lineage provider.Lineage) (provider.Credential, error) {
	k, _, err := p.template(ctx, admin, old)
	if err != nil {
		return provider.Credential{}, err
	}
	r := request{doing: "issue a key", host: exchange.Host(old), method: "private/create_api_key", params: map[string]any{
		"name": lineage.Short(), "max_scope": k.MaxScope,
	}}
	if len(k.Features) > 0 {
		r.params["enabled_features"] = k.Features // some of them take rights away
	}
	var issued struct {
		Number int64      `json:"id"`
		ID     string     `json:"client_id"`
		Secret web.Secret `json:"client_secret"`
	}
	if err := p.done(ctx, admin, r, &issued); err != nil {
		return provider.Credential{}, err
	}
	next, ok := exchange.Issued(old, issued.ID, issued.Secret)
	if !ok || issued.Number == 0 {
		return provider.Credential{}, failed(r.doing, provider.Malformed, errors.New("there is no new key in the answer"))
	}
	if err := p.bind(ctx, admin, next, k, issued.Number, r.params); err != nil {
		return provider.Credential{}, p.takeBack(ctx, admin, next, err)
	}
	return next, nil
}

// bind gives a new key the addresses and all else of an old one, and sees that it has them.
func (p *Provider) bind(ctx context.Context, admin, next provider.Credential, old key, number int64, params map[string]any) error {
	if len(old.IPs) > 0 {
		r := request{doing: "bind the new key to addresses", host: exchange.Host(next), method: "private/edit_api_key", params: map[string]any{
			"id": number, "enabled": true, "ip_whitelist": old.addresses(),
		}}
		for name, value := range params {
			r.params[name] = value
		}
		var edited struct{}
		if err := p.done(ctx, admin, r, &edited); err != nil {
			return err
		}
	}
	all, err := p.keys(ctx, exchange.Host(next), admin)
	if err != nil {
		return err
	}
	k, found := pick(all, next)
	same := slices.Equal(k.addresses(), old.addresses()) && slices.Equal(scopes(k.MaxScope), scopes(old.MaxScope)) &&
		slices.Equal(slices.Sorted(slices.Values(k.Features)), slices.Sorted(slices.Values(old.Features)))
	if !found || !same {
		return failed("look at the new key", provider.Refused, errors.New("it is not like the old one"))
	}
	return nil
}

// takeBack deletes a key that was issued and is not as it should be. Where that does not
// work, the error says that there may be one.
func (p *Provider) takeBack(ctx context.Context, admin, next provider.Credential, why error) error {
	const doing = "issue a key"
	if err := p.Revoke(context.WithoutCancel(ctx), admin, next, provider.Credential{}); err != nil {
		return failed(doing, provider.Unclear, fmt.Errorf("%w; and it could not be deleted again: %w", why, err))
	}
	var e *provider.Error
	if errors.As(why, &e) && e.Kind != provider.Unclear && e.Kind != provider.Malformed {
		return why
	}
	return failed(doing, provider.Unreached, fmt.Errorf("it was made, and deleted again: %w", why))
}

// Disable takes a key out of use.
func (p *Provider) Disable(ctx context.Context, admin, c provider.Credential) error {
	return p.enable(ctx, admin, c, "disable the key", "private/disable_api_key", false)
}

// Enable takes it back into use.
func (p *Provider) Enable(ctx context.Context, admin, c provider.Credential) error {
	return p.enable(ctx, admin, c, "enable the key", "private/enable_api_key", true)
}

func (p *Provider) enable(ctx context.Context, admin, c provider.Credential, doing, method string, enabled bool) error {
	all, err := p.keys(ctx, exchange.Host(c), admin)
	if err != nil {
		return web.Beforehand(err)
	}
	k, found := pick(all, c)
	switch {
	case !found:
		return failed(doing, provider.Refused, errors.New("it is not among those of the account"))
	case k.Enabled == enabled:
		return nil
	}
	var changed struct{}
	return p.done(ctx, admin, request{doing: doing, host: exchange.Host(c), method: method, params: map[string]any{"id": k.Number}}, &changed)
}

// Revoke deletes a key: also with itself, if that may do so. When the answer is not clear, it
// is looked whether it is still there.
func (p *Provider) Revoke(ctx context.Context, admin, c, other provider.Credential) error {
	const doing = "delete the key"
	switch id := exchange.Name(c); {
	case id == "":
		return failed(doing, provider.Incomplete, errors.New("which one is not known"))
	case id == exchange.Name(other):
		return failed(doing, provider.Refused, errors.New("it is the one that goes on being used"))
	}
	all, err := p.keys(ctx, exchange.Host(c), admin)
	if err != nil {
		if exchange.Name(admin) == exchange.Name(c) && p.dead(ctx, c) {
			return nil
		}
		return web.Beforehand(err)
	}
	k, found := pick(all, c)
	if !found {
		if c.Part("secret").IsZero() || p.dead(ctx, c) {
			return nil
		}
		return failed(doing, provider.Refused, errors.New("it is not among those of the account, and not known to be dead"))
	}
	var ok string
	err = p.done(ctx, admin, request{doing: doing, host: exchange.Host(c), method: "private/remove_api_key", params: map[string]any{"id": k.Number}}, &ok)
	if exchange.Unsure(err) && p.gone(ctx, admin, c) {
		return nil
	}
	return err
}

// gone reports whether a key is not listed any more: with itself, whether no world knows it.
func (p *Provider) gone(ctx context.Context, admin, c provider.Credential) bool {
	if exchange.Name(admin) == exchange.Name(c) {
		return p.dead(ctx, c)
	}
	all, err := p.keys(ctx, exchange.Host(c), admin)
	_, found := pick(all, c)
	return err == nil && !found
}

func (p *Provider) dead(ctx context.Context, c provider.Credential) bool {
	probe, err := p.Verify(ctx, c)
	return err == nil && probe.State == provider.Dead
}
