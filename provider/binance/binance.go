// Package binance knows the API keys of Binance's sub-accounts: with a key of the master
// account they are issued, listed and deleted, which Binance offers since July 2026. How far
// a key is alive, and what it may do, is asked with it alone. Only keys that sign with HMAC
// are known.
//
// Keys of master accounts, of the test net and of demo trading are made and deleted by hand.
// Nothing of Binance takes a key out of use such that it could be taken back: one without
// rights goes on reading. So there is no Disabler. How many keys a sub-account takes is not
// documented.
//
// A deleted key is dead by -2008, "Invalid Api-Key ID", alone. Should Binance refuse it by
// -2015 instead, which may as well mean an address or a right, it is never said to be dead.
package binance

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
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

// Environment is one of Binance's worlds: a key of one is unknown in the others.
type Environment struct {
	URL  string
	Test bool // it has no calls about keys
}

// Provider implements provider.Verifier, Recognizer, Lister, Planner, Issuer and Revoker.
type Provider struct {
	Environments []Environment

	web web.Client
}

// New returns a Provider that uses the transport of h, which may be nil.
func New(h *http.Client) *Provider {
	return &Provider{
		Environments: []Environment{
			{URL: "https://api.binance.com"},
			{URL: "https://testnet.binance.vision", Test: true},
			{URL: "https://demo-api.binance.com", Test: true},
		},
		web: web.New("binance", h),
	}
}

const page = "https://www.binance.com/en/my/settings/api-management"

// Info is what is known without asking.
func (p *Provider) Info() provider.Info {
	return provider.Info{
		Name: "binance", Title: "Binance API key of a sub-account", Page: page,
		Others: "Binance.US or another sister exchange",
		Parts:  []provider.Part{{Name: "id", Public: true}, {Name: "secret"}},
		Params: []provider.Param{
			{Name: "host", Meaning: "the address of the environment that the key is of: https://api.binance.com, https://testnet.binance.vision or https://demo-api.binance.com", Required: true},
			{Name: "email", Meaning: "the email address of the sub-account, which all but looking at the key takes"},
		},
		Admin:       "a key of the master account that may trade",
		Propagation: 10 * time.Second, // nothing is said of it
		Sources: []string{
			"https://developers.binance.com/docs/binance-spot-api-docs/rest-api/request-security",
			"https://developers.binance.com/docs/binance-spot-api-docs/errors",
			"https://developers.binance.com/docs/wallet/account/api-key-permission",
			"https://developers.binance.com/legacy-docs/sub_account/api-management/Create-Sub-account-API-Key",
			"https://developers.binance.com/legacy-docs/zh-CN/sub_account/api-management/Delete-Sub-account-API-Key",
			"https://developers.binance.com/en/docs/catalog/vip-and-institutional-sub-account/api/rest-api/api-management",
			"https://github.com/binance/binance-connector-go/blob/master/clients/subaccount/CHANGELOG.md",
		},
		Tested: "a fake of the documentation; signatures against the published example and those of Binance's SDK for Go",
	}
}

// key is what the master account lists of one.
type key struct {
	ID        string `json:"apikey"`
	Name      string `json:"apiName"`
	Timestamp int64  `json:"timestamp"` // when it was made, in milliseconds
	Trade     bool   `json:"canTrade"`
	Margin    bool   `json:"canMarginLoanRepay"`
	Futures   bool   `json:"canFuturesTrade"`
	Transfer  bool   `json:"canUniversalTransfer"`
	Options   bool   `json:"canVanillaOptions"`
}

// rights are those that a key can be given, by the names under which they are asked for.
func (k key) rights() map[string]bool {
	return map[string]bool{
		"canTrade": k.Trade, "canMarginLoanRepay": k.Margin, "canFuturesTrade": k.Futures, "canUniversalTransfer": k.Transfer, "canVanillaOptions": k.Options,
	}
}

func (k key) identity() provider.Identity {
	who := provider.Identity{ID: k.ID, Label: k.Name}
	for right, has := range k.rights() {
		if has {
			who.Scopes = append(who.Scopes, right)
		}
	}
	slices.Sort(who.Scopes)
	return who
}

// Recognize takes keys with their secrets, of whatever environment.
func (p *Provider) Recognize(rule string, parts map[string]secret.Value) (provider.Credential, bool) {
	if rule != "binance-api-secret" && rule != "binance-client" && rule != "binance-key-and-secret" || parts["id"].IsZero() {
		return provider.Credential{}, false
	}
	return exchange.Key(string(parts["id"].Reveal()), parts["secret"], map[string]string{"host": p.Environments[0].URL}), true
}

// Verify asks a key's environment about it, and the others if that does not know it. Without
// a host, all are asked.
func (p *Provider) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	w := web.Worlds{Unheard: "-2008", Ask: func(ctx context.Context, at string, _ bool) (provider.Probe, bool, error) {
		return p.probe(ctx, c, Environment{at, p.test(at)})
	}}
	for _, e := range p.Environments {
		w.Addresses = append(w.Addresses, e.URL)
	}
	return w.Verify(ctx, exchange.Host(c))
}

func (p *Provider) test(host string) bool {
	return slices.ContainsFunc(p.Environments, func(e Environment) bool { return e.URL == host && e.Test })
}

// probe tries a key in one environment: where there are no calls about keys, by one that says
// nothing of it.
func (p *Provider) probe(ctx context.Context, c provider.Credential, e Environment) (probe provider.Probe, unheard bool, err error) {
	r := request{doing: "ask what the key is", host: e.URL, path: restrictions}
	if e.Test {
		r.path = "/api/v3/account"
	}
	got, err := p.ask(ctx, c, r)
	if err != nil {
		return provider.Probe{}, false, err
	}
	if probe, unheard = got.Probe(); !got.Done {
		return probe, unheard, nil
	}
	var said map[string]any
	err = json.Unmarshal(got.Data, &said)
	who, about := identity(c, said)
	if err != nil || !about && !e.Test {
		return provider.Probe{}, false, got.Answer.Failure(provider.Malformed, "", errNotAbout)
	}
	if probe.Who = who; e.Test {
		probe.Who = provider.Identity{ID: exchange.Name(c)}
	}
	return probe, false, nil
}

const restrictions = "/sapi/v1/account/apiRestrictions"

var errNotAbout = errors.New("it is not about a key")

// identity is what a key says of itself, each thing that is true, and whether it is a key
// that says it.
func identity(c provider.Credential, said map[string]any) (who provider.Identity, about bool) {
	who.ID = exchange.Name(c)
	for flag, value := range said {
		if value == true {
			who.Scopes = append(who.Scopes, flag)
		}
	}
	slices.Sort(who.Scopes)
	who.Withdraw = slices.Contains(who.Scopes, "enableWithdrawals")
	_, about = said["ipRestrict"].(bool)
	return who, about
}

// master asks what the master's key may do, with it.
func (p *Provider) master(ctx context.Context, host string, admin provider.Credential) (provider.Identity, error) {
	r := request{doing: "ask what the master's key is", host: host, path: restrictions}
	var said map[string]any
	if err := p.done(ctx, admin, r, &said); err != nil {
		return provider.Identity{}, web.Beforehand(err)
	}
	who, about := identity(admin, said)
	if !about {
		return provider.Identity{}, web.Beforehand(failed(r.doing, provider.Malformed, errNotAbout))
	}
	return who, nil
}

// email is the address of the sub-account of a key: of the first that says it.
func email(doing string, keys ...provider.Credential) (string, error) {
	for _, c := range keys {
		if text := c.Params["email"]; text != "" {
			return text, nil
		}
	}
	e := failed(doing, provider.Incomplete, errors.New("the sub-account of the key is not known"))
	e.Hint = "give the key the parameter email: the email address of the sub-account"
	return "", e
}

const about = "/sapi/v1/sub-account/subAccountApi"

// keys lists all keys of a sub-account.
func (p *Provider) keys(ctx context.Context, host string, admin provider.Credential, email string) ([]key, error) {
	const most = 100 // on a page
	r := request{doing: "list the keys of sub-account " + email, host: host, path: about}
	var all []key
	for n := 1; ; n++ {
		r.query = url.Values{"email": {email}, "page": {strconv.Itoa(n)}, "size": {strconv.Itoa(most)}}
		var page struct {
			Total *int   `json:"total"`
			Rows  *[]key `json:"rows"`
		}
		if err := p.done(ctx, admin, r, &page); err != nil {
			return nil, err
		}
		if page.Total == nil || page.Rows == nil || slices.ContainsFunc(*page.Rows, func(k key) bool { return k.ID == "" }) {
			return nil, failed(r.doing, provider.Malformed, errors.New("it is no list of keys"))
		}
		all = append(all, *page.Rows...)
		switch {
		case len(all) == *page.Total:
			return all, nil
		case len(all) > *page.Total || len(*page.Rows) == 0: // half of a list is none
			return nil, failed(r.doing, provider.Malformed, errors.New("the list is not complete"))
		}
	}
}

// List lists the keys of the sub-account that a key is of. To which addresses each is bound
// would take a call for each, and is left out.
func (p *Provider) List(ctx context.Context, admin, c provider.Credential) ([]provider.Listed, error) {
	email, err := email("list the keys of a sub-account", c)
	if err != nil {
		return nil, err
	}
	keys, err := p.keys(ctx, exchange.Host(c), admin, email)
	if err != nil {
		return nil, err
	}
	var all []provider.Listed
	for _, k := range keys {
		all = append(all, provider.Listed{Identity: k.identity(), Created: time.UnixMilli(k.Timestamp).UTC()})
	}
	return all, nil
}

// template is the key that another is to be like, and to which addresses it is bound.
func (p *Provider) template(ctx context.Context, admin, old provider.Credential, email string) (key, []string, error) {
	const doing = "find the key to be replaced"
	all, err := p.keys(ctx, exchange.Host(old), admin, email)
	if err != nil {
		return key{}, nil, web.Beforehand(err)
	}
	i := slices.IndexFunc(all, func(k key) bool { return k.ID == exchange.Name(old) })
	if i < 0 {
		return key{}, nil, failed(doing, provider.Refused, errors.New("it is not among those of the sub-account: what it may do is not known"))
	}
	var bound struct {
		Restrict string   `json:"ipRestrict"`
		IPs      []string `json:"ipList"`
	}
	r := request{doing: "ask from where the key may be used", host: exchange.Host(old), path: about + "/ipRestriction", query: url.Values{"email": {email}, "subAccountApiKey": {exchange.Name(old)}}}
	if err := p.done(ctx, admin, r, &bound); err != nil {
		return key{}, nil, web.Beforehand(err)
	}
	slices.Sort(bound.IPs)
	switch {
	case bound.Restrict == "false" && len(bound.IPs) == 0:
	case bound.Restrict != "true":
		return key{}, nil, web.Beforehand(failed(r.doing, provider.Malformed, errors.New("it says neither yes nor no")))
	case len(bound.IPs) == 0:
		return key{}, nil, failed(doing, provider.Refused, errors.New("it is bound to the addresses of somebody else's service: make such a key by hand"))
	case len(strings.Join(bound.IPs, ",")) > 500:
		return key{}, nil, failed(doing, provider.Refused, errors.New("it has more addresses than a new key can be given at once"))
	}
	return all[i], bound.IPs, nil
}

// Plan looks whether the master's key may issue and delete, and what there is to know of the
// key to be replaced.
func (p *Provider) Plan(ctx context.Context, admin, old provider.Credential) (provider.Plan, error) {
	const doing = "look whether the key can be replaced"
	if p.test(exchange.Host(old)) {
		return provider.Plan{}, failed(doing, provider.Refused, errors.New("keys of the test net and of demo trading are made by hand"))
	}
	email, err := email(doing, old)
	if err != nil {
		return provider.Plan{}, err
	}
	k, ips, err := p.template(ctx, admin, old, email) // of a master account, or it is refused
	if err != nil {
		return provider.Plan{}, err
	}
	master, err := p.master(ctx, exchange.Host(old), admin)
	switch {
	case err != nil:
		return provider.Plan{}, err
	case !slices.Contains(master.Scopes, "enableSpotAndMarginTrading"):
		e := failed(doing, provider.Forbidden, errors.New("the master's key may not trade, which is what it takes to issue keys"))
		e.Hint = page
		return provider.Plan{}, e
	}
	was, err := p.Verify(ctx, old)
	if err != nil {
		return provider.Plan{}, web.Beforehand(err)
	}
	return provider.Plan{Notes: notes(master, was.Who, k, ips)}, nil
}

// same are the names under which a key says of itself what the master account lists.
var same = map[string]string{
	"enableSpotAndMarginTrading": "canTrade", "enableMargin": "canMarginLoanRepay", "enableFutures": "canFuturesTrade",
	"permitsUniversalTransfer": "canUniversalTransfer", "enableVanillaOptions": "canVanillaOptions",
}

func notes(master, old provider.Identity, k key, ips []string) []string {
	var notes []string
	if master.Withdraw {
		notes = append(notes, "the master's key may withdraw: for this, trading is enough")
	}
	if !slices.Contains(master.Scopes, "ipRestrict") {
		notes = append(notes, "the master's key may be used from any address")
	}
	if len(ips) == 0 {
		notes = append(notes, "the key may be used from any address, and so may the new one")
	}
	rights := k.rights()
	for _, flag := range old.Scopes {
		if flag != "enableReading" && flag != "ipRestrict" && !rights[same[flag]] {
			notes = append(notes, "the new key is without "+flag)
		}
	}
	return notes
}

// Issue makes a key that may do what the old one may, from where that may. The lineage is
// its name. No key of a sub-account is given the right to withdraw.
func (p *Provider) Issue(ctx context.Context, admin, old provider.Credential, lineage provider.Lineage) (provider.Credential, error) {
	email, err := email("issue a key of a sub-account", old)
	if err != nil {
		return provider.Credential{}, err
	}
	k, ips, err := p.template(ctx, admin, old, email)
	if err != nil {
		return provider.Credential{}, err
	}
	r := request{doing: "issue a key of sub-account " + email, host: exchange.Host(old), method: http.MethodPost, path: about, query: url.Values{
		"email": {email}, "apiName": {lineage.Short()}, "status": {"1"},
	}}
	if len(ips) > 0 {
		r.query.Set("status", "2")
		r.query.Set("ipAddress", strings.Join(ips, ","))
	}
	rights := k.rights()
	for _, right := range slices.Sorted(maps.Keys(rights)) {
		r.query.Set(right, strconv.FormatBool(rights[right]))
	}
	var issued struct {
		ID     string     `json:"apiKey"`
		Secret web.Secret `json:"secretKey"`
	}
	if err := p.done(ctx, admin, r, &issued); err != nil {
		return provider.Credential{}, err
	}
	next, ok := exchange.Issued(old, issued.ID, issued.Secret)
	if !ok {
		return provider.Credential{}, failed(r.doing, provider.Malformed, errors.New("there is no new key in the answer"))
	}
	return next, nil
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
		if probe, err := p.Verify(ctx, c); err == nil && probe.State == provider.Dead {
			return nil
		}
		e := failed(doing, provider.Refused, errors.New("a key cannot delete itself"))
		e.Hint = "delete it at " + page
		return e
	}
	email, err := email(doing, c, other)
	if err != nil {
		return err
	}
	r := request{doing: "delete the key of sub-account " + email, host: exchange.Host(c), method: http.MethodDelete, path: about, query: url.Values{"email": {email}, "subAccountApiKey": {id}}}
	var deleted struct{}
	err = p.done(ctx, admin, r, &deleted)
	if exchange.Unsure(err) && p.gone(ctx, admin, c, email) {
		return nil
	}
	return err
}

// gone reports whether a key is known to exist no more: it is not listed, and, as the
// sub-account may be the wrong one, no longer accepted, where that can be tried.
func (p *Provider) gone(ctx context.Context, admin, c provider.Credential, email string) bool {
	all, err := p.keys(ctx, exchange.Host(c), admin, email)
	if err != nil || slices.ContainsFunc(all, func(k key) bool { return k.ID == exchange.Name(c) }) {
		return false
	}
	if c.Part("secret").IsZero() {
		return true
	}
	probe, err := p.Verify(ctx, c)
	return err == nil && (probe.State == provider.Dead || probe.Code == "-2015")
}
