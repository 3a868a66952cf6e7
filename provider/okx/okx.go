// Package okx knows the API keys of OKX's sub-accounts: with a key of the master account
// they are issued, listed and deleted. How far a key is alive, and what it may do, is asked
// with it alone. The passphrase of a new key is made here.
//
// Nothing of OKX takes a key out of use such that it could be taken back: a key that may
// only read goes on reading. So there is no Disabler. Keys of master accounts are made and
// deleted by hand. Of issuing keys in demo trading nothing is documented; it is tried.
package okx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/exchange"
	"github.com/keywright/keywright/provider/web"
	"github.com/keywright/keywright/secret"
)

// Provider implements provider.Verifier, Recognizer, Lister, Planner, Issuer and Revoker.
type Provider struct {
	// Worlds are the addresses of those parts of OKX that do not know each other's keys.
	Worlds []string

	web web.Client
}

// New returns a Provider that uses the transport of h, which may be nil.
func New(h *http.Client) *Provider {
	return &Provider{
		Worlds: []string{"https://openapi.okx.com", "https://eea.okx.com", "https://us.okx.com"},
		web:    web.New("okx", h),
	}
}

// Info is what is known without asking.
func (p *Provider) Info() provider.Info {
	return provider.Info{
		Name: "okx", Title: "OKX API key of a sub-account", Page: "https://www.okx.com/account/my-api",
		Parts: []provider.Part{{Name: "id", Public: true}, {Name: "secret"}, {Name: "passphrase"}},
		Params: []provider.Param{
			{Name: "host", Meaning: "the address of the API that the key is of: https://openapi.okx.com, https://eea.okx.com or https://us.okx.com", Required: true},
			{Name: "demo", Meaning: "yes for a key of demo trading", Default: "no"},
			{Name: "subaccount", Meaning: "the name of the sub-account; the key is asked if it is not given"},
		},
		Admin:       "a key of the master account that may trade, and is bound to addresses",
		Propagation: 10 * time.Second, // nothing is said of it
		Sources: []string{
			"https://www.okx.com/docs-v5/en/#overview-rest-authentication",
			"https://www.okx.com/docs-v5/en/#overview-production-trading-services",
			"https://www.okx.com/docs-v5/en/#overview-demo-trading-services",
			"https://www.okx.com/docs-v5/en/#trading-account-rest-api-get-account-configuration",
			"https://www.okx.com/docs-v5/en/#sub-account-rest-api-get-sub-account-list",
			"https://www.okx.com/docs-v5/en/#sub-account-rest-api-create-an-api-key-for-a-sub-account",
			"https://www.okx.com/docs-v5/en/#sub-account-rest-api-query-the-api-key-of-a-sub-account",
			"https://www.okx.com/docs-v5/en/#sub-account-rest-api-delete-the-api-key-of-sub-accounts",
			"https://www.okx.com/docs-v5/en/#error-code-rest-api",
		},
		Tested: "a fake of the documentation; signatures against those of OKX's SDK for Python",
	}
}

func demo(c provider.Credential) bool { return c.Params["demo"] == "yes" }

// in is a request in the world of a credential.
func in(c provider.Credential, doing, path string) request {
	return request{doing: doing, host: exchange.Host(c), demo: demo(c), path: path}
}

// key is what OKX says of one, asked with it or listed.
type key struct {
	Label string `json:"label"`
	Perm  string `json:"perm"` // with commas
	IP    string `json:"ip"`   // with commas; empty for any

	// Not in what the key says of itself.
	ID string `json:"apiKey"`
	TS string `json:"ts"` // when it was made, in milliseconds

	// Not in lists.
	UID  string `json:"uid"`
	Main string `json:"mainUid"`
}

func (k key) master() bool { return k.UID == k.Main }

func (k key) may(right string) bool { return slices.Contains(k.scopes(), right) }

func (k key) scopes() []string    { return exchange.Words(k.Perm) }
func (k key) addresses() []string { return exchange.Words(k.IP) }

func (k key) identity() provider.Identity {
	return provider.Identity{Account: k.UID, ID: k.ID, Label: k.Label, Scopes: k.scopes(), IPs: k.addresses(), Withdraw: k.may("withdraw")}
}

// Recognize takes keys with their secrets and passphrases, of whatever world. Without the
// passphrase nothing can be asked.
func (p *Provider) Recognize(rule string, parts map[string]secret.Value) (provider.Credential, bool) {
	if rule != "okx-api-secret" || parts["id"].IsZero() || parts["passphrase"].IsZero() {
		return provider.Credential{}, false
	}
	return provider.Credential{
		ID:    string(parts["id"].Reveal()),
		Parts: map[string]secret.Value{"id": parts["id"], "secret": parts["secret"], "passphrase": parts["passphrase"]},
	}, true
}

// Verify asks a key's world about it, and the others if that does not know it. Without a
// host, all are asked.
func (p *Provider) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	w := web.Worlds{Addresses: p.Worlds, Unheard: "50119", Ask: func(ctx context.Context, at string, _ bool) (provider.Probe, bool, error) {
		return p.probe(ctx, c, at)
	}}
	return w.Verify(ctx, exchange.Host(c))
}

// probe tries a key in one world.
func (p *Provider) probe(ctx context.Context, c provider.Credential, host string) (probe provider.Probe, unheard bool, err error) {
	r := in(c, "ask what the key is", "/api/v5/account/config")
	r.host = host
	got, err := p.ask(ctx, c, r)
	if err != nil {
		return provider.Probe{}, false, err
	}
	if probe, unheard = got.Probe(); !got.Done {
		return probe, unheard, nil
	}
	var all []key
	if json.Unmarshal(got.Data, &all) != nil || len(all) != 1 || all[0].UID == "" {
		return provider.Probe{}, false, got.Answer.Failure(provider.Malformed, "", errors.New("it is not about an account"))
	}
	all[0].ID = exchange.Name(c)
	probe.Who = all[0].identity()
	return probe, false, nil
}

// about asks what a key is, with it, in the world of another.
func (p *Provider) about(ctx context.Context, c, where provider.Credential, which string) (key, error) {
	var all []key
	r := in(where, "ask what "+which+" is", "/api/v5/account/config")
	if err := p.done(ctx, c, r, &all); err != nil {
		return key{}, web.Beforehand(err)
	}
	if len(all) != 1 || all[0].UID == "" || all[0].Main == "" {
		return key{}, web.Beforehand(failed(r.doing, provider.Malformed, errors.New("it is not about an account")))
	}
	all[0].ID = exchange.Name(c)
	return all[0], nil
}

// subaccount is the name of the sub-account that keys are of: of the first that can say it.
func (p *Provider) subaccount(ctx context.Context, admin provider.Credential, keys ...provider.Credential) (string, error) {
	const doing = "find the sub-account of the key"
	var last error
	for _, c := range keys {
		if name := c.Params["subaccount"]; name != "" {
			return name, nil
		}
		if c.Part("secret").IsZero() {
			continue
		}
		k, err := p.about(ctx, c, c, "the key")
		var e *provider.Error
		switch {
		case errors.As(err, &e) && e.Kind != provider.Forbidden:
			return "", err // it could not be asked
		case err != nil:
			last = err
		case k.master():
			last = failed(doing, provider.Refused, errors.New("the key is of a master account"))
		default:
			return p.named(ctx, admin, c, k.UID)
		}
	}
	e := failed(doing, provider.Incomplete, last)
	e.Hint = "give the key the parameter subaccount: the name of the sub-account"
	return "", e
}

// named finds the name of a sub-account among all that the master account has.
func (p *Provider) named(ctx context.Context, admin, c provider.Credential, uid string) (string, error) {
	const most = 100 // on a page
	r := in(c, "find the sub-account of the key", "/api/v5/users/subaccount/list")
	last := int64(1<<63 - 1)
	for {
		r.query = url.Values{"limit": {strconv.Itoa(most)}}
		if last != 1<<63-1 {
			r.query.Set("after", strconv.FormatInt(last, 10))
		}
		var page []struct {
			Name string `json:"subAcct"`
			UID  string `json:"uid"`
			TS   string `json:"ts"`
		}
		if err := p.done(ctx, admin, r, &page); err != nil {
			return "", web.Beforehand(err)
		}
		before := last
		for _, s := range page {
			if s.UID == uid && s.Name != "" {
				return s.Name, nil
			}
			if ts, err := strconv.ParseInt(s.TS, 10, 64); err == nil {
				last = min(last, ts)
			}
		}
		if len(page) < most || last == before {
			return "", failed(r.doing, provider.Refused, errors.New("it is not among those of the master account"))
		}
	}
}

// keys lists all keys of a sub-account.
func (p *Provider) keys(ctx context.Context, admin, c provider.Credential, sub string) ([]key, error) {
	r := in(c, "list the keys of sub-account "+sub, "/api/v5/users/subaccount/apikey")
	r.query = url.Values{"subAcct": {sub}}
	var all []key
	if err := p.done(ctx, admin, r, &all); err != nil {
		return nil, err
	}
	if all == nil || slices.ContainsFunc(all, func(k key) bool { return k.ID == "" }) {
		return nil, failed(r.doing, provider.Malformed, errors.New("it is no list of keys"))
	}
	return all, nil
}

// List lists the keys of the sub-account that a key is of.
func (p *Provider) List(ctx context.Context, admin, c provider.Credential) ([]provider.Listed, error) {
	sub, err := p.subaccount(ctx, admin, c)
	if err != nil {
		return nil, err
	}
	keys, err := p.keys(ctx, admin, c, sub)
	if err != nil {
		return nil, err
	}
	var all []provider.Listed
	for _, k := range keys {
		l := provider.Listed{Identity: k.identity()}
		if ms, err := strconv.ParseInt(k.TS, 10, 64); err == nil {
			l.Created = time.UnixMilli(ms).UTC()
		}
		all = append(all, l)
	}
	return all, nil
}

// template is the key that another is to be like, and the name of its sub-account: as it
// says of itself, or, if it is dead and the sub-account is given, as the master account
// lists it.
func (p *Provider) template(ctx context.Context, admin, old provider.Credential) (key, string, error) {
	k, err := p.about(ctx, old, old, "the key to be replaced")
	if err == nil && k.master() {
		return key{}, "", failed("look at the key to be replaced", provider.Refused, errors.New("it is a key of a master account, and those are made by hand"))
	}
	sub := old.Params["subaccount"]
	switch {
	case err == nil && sub == "":
		sub, err = p.named(ctx, admin, old, k.UID)
		return k, sub, err
	case err == nil || sub == "":
		return k, sub, err
	}
	all, err := p.keys(ctx, admin, old, sub)
	if err != nil {
		return key{}, "", web.Beforehand(err)
	}
	i := slices.IndexFunc(all, func(k key) bool { return k.ID == exchange.Name(old) })
	if i < 0 {
		return key{}, "", failed("find the key to be replaced", provider.Refused, errors.New("it is refused, and not among those of the sub-account: what it may do is not known"))
	}
	return all[i], sub, nil
}

// grants are the rights of a key that another can be given: withdrawing is not among them.
func (k key) grants() []string {
	return slices.DeleteFunc(k.scopes(), func(right string) bool { return right != "read_only" && right != "trade" })
}

// room is how many keys a sub-account takes.
const room = 50

// Plan looks whether the master's key may issue and delete, whether there is room for
// another key, and what there is to know of the one to be replaced.
func (p *Provider) Plan(ctx context.Context, admin, old provider.Credential) (provider.Plan, error) {
	const doing = "look whether the key can be replaced"
	master, err := p.about(ctx, admin, old, "the master's key")
	if err != nil {
		return provider.Plan{}, err
	}
	forbidden := func(why string) (provider.Plan, error) {
		e := failed(doing, provider.Forbidden, errors.New(why))
		e.Hint = p.Info().Page
		return provider.Plan{}, e
	}
	switch {
	case !master.master():
		return forbidden("the key to make changes with is not of a master account")
	case !master.may("trade"):
		return forbidden("the master's key may not trade, which is what it takes to issue keys")
	case len(master.addresses()) == 0:
		return forbidden("the master's key is not bound to addresses, which is what it takes to issue keys")
	}
	k, sub, err := p.template(ctx, admin, old)
	switch {
	case err != nil:
		return provider.Plan{}, err
	case k.Main != "" && k.Main != master.UID:
		return provider.Plan{}, failed(doing, provider.Refused, errors.New("it is of a sub-account of another master account"))
	case len(k.grants()) == 0:
		return provider.Plan{}, failed(doing, provider.Refused, errors.New("it has no right that a new key could be given"))
	}
	all, err := p.keys(ctx, admin, old, sub)
	switch {
	case err != nil:
		return provider.Plan{}, web.Beforehand(err)
	case len(all) >= room:
		return provider.Plan{}, failed(doing, provider.NoSlot, fmt.Errorf("the sub-account has %d keys, and takes no more", len(all)))
	}
	return provider.Plan{Notes: notes(master, k, demo(old))}, nil
}

func notes(master, k key, demo bool) []string {
	var notes []string
	if master.may("withdraw") {
		notes = append(notes, "the master's key may withdraw: for this, Trade is enough")
	}
	if len(k.addresses()) == 0 && k.may("trade") && !demo {
		notes = append(notes, "without a list of addresses the new key ends when it is not used for 14 days")
	}
	for _, right := range k.scopes() {
		if !slices.Contains(k.grants(), right) {
			notes = append(notes, "the new key is without "+right+": it cannot be given to one of a sub-account")
		}
	}
	if demo {
		notes = append(notes, "whether OKX issues keys for demo trading is not documented")
	}
	return notes
}

// phrase makes a passphrase: of 8 to 32 characters, with a digit, letters of both kinds and
// a special character among them.
func phrase() secret.Value {
	const digits, lower, upper = "0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	var b []byte
	for _, part := range []secret.Value{
		secret.Random(24, digits+lower+upper), secret.Random(1, digits), secret.Random(1, lower), secret.Random(1, upper), secret.Random(1, "!@#$%"),
	} {
		b = append(b, part.Reveal()...)
	}
	return secret.New(b)
}

// Issue makes a key that may do what the old one may, from where that may. The lineage is
// its label.
func (p *Provider) Issue(ctx context.Context, admin, old provider.Credential, lineage provider.Lineage) (provider.Credential, error) {
	k, sub, err := p.template(ctx, admin, old)
	if err != nil {
		return provider.Credential{}, err
	}
	r := in(old, "issue a key of sub-account "+sub, "/api/v5/users/subaccount/apikey")
	rights := k.grants()
	if len(rights) == 0 {
		return provider.Credential{}, failed(r.doing, provider.Refused, errors.New("the old one has no right that a new one could be given"))
	}
	passphrase := phrase()
	r.body = struct {
		Sub        string    `json:"subAcct"`
		Label      string    `json:"label"`
		Passphrase web.Plain `json:"passphrase"`
		Perm       string    `json:"perm"`
		IP         string    `json:"ip,omitempty"`
	}{sub, lineage.Short(), web.Plain{Value: passphrase}, strings.Join(rights, ","), strings.Join(k.addresses(), ",")}
	var issued []struct {
		ID     string     `json:"apiKey"`
		Secret web.Secret `json:"secretKey"`
	}
	if err := p.done(ctx, admin, r, &issued); err != nil {
		return provider.Credential{}, err
	}
	if len(issued) == 1 {
		if next, ok := exchange.Issued(old, issued[0].ID, issued[0].Secret); ok {
			next.Parts["passphrase"] = passphrase
			return next, nil
		}
	}
	return provider.Credential{}, failed(r.doing, provider.Malformed, errors.New("there is no new key in the answer"))
}

// Revoke deletes a key with the master's. When the answer is not clear, it is looked whether
// it is still there.
func (p *Provider) Revoke(ctx context.Context, admin, c, other provider.Credential) error {
	const doing = "delete the key"
	id := exchange.Name(c)
	switch id {
	case "":
		return failed(doing, provider.Incomplete, errors.New("which one is not known"))
	case exchange.Name(other):
		return failed(doing, provider.Refused, errors.New("it is the one that goes on being used"))
	case exchange.Name(admin):
		if p.dead(ctx, c) {
			return nil
		}
		e := failed(doing, provider.Refused, errors.New("a key cannot delete itself"))
		e.Hint = "delete it at " + p.Info().Page
		return e
	}
	sub, err := p.subaccount(ctx, admin, c, other)
	if err != nil {
		if p.dead(ctx, c) {
			return nil
		}
		return err
	}
	r := in(c, doing+" of sub-account "+sub, "/api/v5/users/subaccount/delete-apikey")
	r.body = map[string]string{"subAcct": sub, "apiKey": id}
	var deleted []struct{}
	err = p.done(ctx, admin, r, &deleted)
	if exchange.Unsure(err) && p.gone(ctx, admin, c, sub) {
		return nil
	}
	return err
}

// gone reports whether a key is known to exist no more: it is not listed, and, as the name
// of the sub-account may be wrong, no longer accepted, where that can be tried.
func (p *Provider) gone(ctx context.Context, admin, c provider.Credential, sub string) bool {
	all, err := p.keys(ctx, admin, c, sub)
	if err != nil || slices.ContainsFunc(all, func(k key) bool { return k.ID == exchange.Name(c) }) {
		return false
	}
	return c.Part("secret").IsZero() || p.dead(ctx, c)
}

// dead reports whether all worlds were asked for a key, and none knows it.
func (p *Provider) dead(ctx context.Context, c provider.Credential) bool {
	probe, err := p.Verify(ctx, c)
	return err == nil && probe.State == provider.Dead
}
