// Package bybit knows the API keys of Bybit's sub-accounts: with a key of the master
// account they are issued, listed and deleted. How far a key is alive, and what it may do,
// is asked with it alone. Only keys that sign with HMAC are issued.
//
// Nothing of Bybit takes a key out of use such that it could be taken back: a key that is
// made read-only goes on reading. So there is no Disabler.
package bybit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// Environment is one of Bybit's worlds: a key of one is unknown in the others.
type Environment struct {
	URL  string
	Demo bool // it has no calls about keys
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
			{URL: "https://api.bybit.com"},
			{URL: "https://api-testnet.bybit.com"},
			{URL: "https://api-demo.bybit.com", Demo: true},
			{URL: "https://api-demo-testnet.bybit.com", Demo: true},
		},
		web: web.New("bybit", h),
	}
}

// Info is what is known without asking.
func (p *Provider) Info() provider.Info {
	return provider.Info{
		Name: "bybit", Title: "Bybit API key of a sub-account", Page: "https://www.bybit.com/app/user/api-management",
		Others: "a country's own Bybit",
		Parts:  []provider.Part{{Name: "id", Public: true}, {Name: "secret"}},
		Params: []provider.Param{
			{Name: "host", Meaning: "the address of the environment that the key is of: https://api.bybit.com, https://api-testnet.bybit.com, or that of a country", Required: true},
			{Name: "subaccount", Meaning: "the UID of the sub-account; the key is asked if it is not given"},
		},
		Admin:       "a key of the master account with one of the rights Account Transfer, Subaccount Transfer and Withdrawal",
		Itself:      true,
		Revoking:    "A key with none of the rights Account Transfer, Subaccount Transfer and Withdrawal may not delete itself.",
		Propagation: 10 * time.Second, // a deleted key is said to be dead at once; of a new one nothing is said
		Sources: []string{
			"https://bybit-exchange.github.io/docs/v5/guide",
			"https://bybit-exchange.github.io/docs/v5/error",
			"https://bybit-exchange.github.io/docs/v5/demo",
			"https://bybit-exchange.github.io/docs/v5/rate-limit",
			"https://bybit-exchange.github.io/docs/v5/user/apikey-info",
			"https://bybit-exchange.github.io/docs/v5/user/create-subuid-apikey",
			"https://bybit-exchange.github.io/docs/v5/user/list-sub-apikeys",
			"https://bybit-exchange.github.io/docs/v5/user/rm-sub-apikey",
			"https://bybit-exchange.github.io/docs/v5/user/rm-master-apikey",
		},
		Tested: "a fake of the documentation; signatures against those of Bybit's SDK for Go",
	}
}

// key is what Bybit says of one, asked with it or listed.
type key struct {
	ID          string              `json:"apiKey"`
	Note        string              `json:"note"`
	ReadOnly    flag                `json:"readOnly"`
	Permissions map[string][]string `json:"permissions"`
	IPs         []string            `json:"ips"`
	Type        int                 `json:"type"` // 2 is one that is bound to an application
	Expired     time.Time           `json:"expiredAt"`
	Created     time.Time           `json:"createdAt"`

	// Not in lists.
	User   int64  `json:"userID"`
	Master bool   `json:"isMaster"`
	Parent string `json:"parentUid"`
	RSA    string `json:"rsaPublicKey"`
}

// flag is a boolean, or 0 or 1.
type flag bool

// UnmarshalJSON takes both.
func (f *flag) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "0", "false":
		*f = false
	case "1", "true":
		*f = true
	default:
		return errors.New("neither yes nor no")
	}
	return nil
}

func (k key) may(scope string) bool { return slices.Contains(k.scopes(), scope) }

// scopes are the rights of a key, and "write" if it is not read-only.
func (k key) scopes() []string {
	var all []string
	for group, rights := range k.Permissions {
		for _, r := range rights {
			all = append(all, group+":"+r)
		}
	}
	if !k.ReadOnly {
		all = append(all, "write")
	}
	slices.Sort(all)
	return all
}

// addresses are those that a key is bound to.
func (k key) addresses() []string {
	if len(k.IPs) == 0 || slices.Contains(k.IPs, "*") {
		return nil
	}
	return slices.Sorted(slices.Values(k.IPs))
}

func (k key) identity() provider.Identity {
	who := provider.Identity{ID: k.ID, Label: k.Note, Scopes: k.scopes(), IPs: k.addresses(), Withdraw: k.may("Wallet:Withdraw")}
	if k.User != 0 {
		who.Account = strconv.FormatInt(k.User, 10)
	}
	if k.Expired.Unix() > 0 { // 1970 is for ever
		who.Expires = k.Expired.UTC()
	}
	return who
}

// Recognize takes keys with their secrets, of whatever environment.
func (p *Provider) Recognize(rule string, parts map[string]secret.Value) (provider.Credential, bool) {
	if rule != "bybit-api-secret" && rule != "bybit-key-and-secret" || parts["id"].IsZero() {
		return provider.Credential{}, false
	}
	return exchange.Key(string(parts["id"].Reveal()), parts["secret"], map[string]string{"host": p.Environments[0].URL}), true
}

// Verify asks a key's environment about it, and the others if that does not know it. Without
// a host, all are asked, and what none knows may still be of a country's own host.
func (p *Provider) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	w := web.Worlds{Unheard: "10003", Ask: func(ctx context.Context, at string, home bool) (provider.Probe, bool, error) {
		return p.probe(ctx, c, Environment{at, p.demo(at)}, !home)
	}}
	for _, e := range p.Environments {
		w.Addresses = append(w.Addresses, e.URL)
	}
	return w.Verify(ctx, exchange.Host(c))
}

func (p *Provider) demo(host string) bool {
	return slices.ContainsFunc(p.Environments, func(e Environment) bool { return e.URL == host && e.Demo })
}

// probe tries a key in one environment. Briefly is by a call that all of them have, and
// that says nothing of the key.
func (p *Provider) probe(ctx context.Context, c provider.Credential, e Environment, briefly bool) (probe provider.Probe, invalid bool, err error) {
	r := request{doing: "ask what the key is", host: e.URL, path: "/v5/user/query-api"}
	if briefly || e.Demo {
		r.path = "/v5/account/info"
	}
	got, err := p.ask(ctx, c, r)
	if err != nil {
		return provider.Probe{}, false, err
	}
	if probe, invalid = got.Probe(); !got.Done {
		return probe, invalid, nil
	}
	if briefly || e.Demo {
		return probe, false, nil
	}
	var k key
	if json.Unmarshal(got.Data, &k) != nil || k.ID != exchange.Name(c) {
		return provider.Probe{}, false, got.Answer.Failure(provider.Malformed, "", errors.New("it is not about the key"))
	}
	probe.Who = k.identity()
	return probe, false, nil
}

// about asks what a key is, with it.
func (p *Provider) about(ctx context.Context, host string, c provider.Credential, which string) (key, error) {
	var k key
	err := p.done(ctx, c, request{doing: "ask what " + which + " is", host: host, path: "/v5/user/query-api"}, &k)
	return k, web.Beforehand(err)
}

// subaccount is the UID of the sub-account that keys are of: of the first that can say it.
func (p *Provider) subaccount(ctx context.Context, host string, keys ...provider.Credential) (int64, error) {
	const doing = "find the sub-account of the key"
	var last error
	for _, c := range keys {
		if text := c.Params["subaccount"]; text != "" {
			uid, err := strconv.ParseInt(text, 10, 64)
			if err != nil || uid <= 0 {
				return 0, failed(doing, provider.Incomplete, errors.New("the parameter subaccount is not a UID, which is a number"))
			}
			return uid, nil
		}
		if c.Part("secret").IsZero() {
			continue
		}
		k, err := p.about(ctx, host, c, "the key")
		var e *provider.Error
		switch {
		case errors.As(err, &e) && e.Kind != provider.Forbidden:
			return 0, err // it could not be asked
		case err != nil:
			last = err
		case k.Master || k.User == 0:
			last = failed(doing, provider.Refused, errors.New("the key is of a master account"))
		default:
			return k.User, nil
		}
	}
	e := failed(doing, provider.Incomplete, last)
	e.Hint = "give the key the parameter subaccount: the UID of the sub-account"
	return 0, e
}

// keys lists all keys of a sub-account.
func (p *Provider) keys(ctx context.Context, host string, admin provider.Credential, uid int64) ([]key, error) {
	r := request{doing: fmt.Sprintf("list the keys of sub-account %d", uid), host: host, path: "/v5/user/sub-apikeys"}
	var all []key
	seen := map[string]bool{}
	for cursor := ""; ; {
		r.query = url.Values{"subMemberId": {strconv.FormatInt(uid, 10)}, "limit": {"20"}}
		if cursor != "" {
			r.query.Set("cursor", cursor)
		}
		var page struct {
			Result *[]key `json:"result"`
			Cursor string `json:"nextPageCursor"`
		}
		if err := p.done(ctx, admin, r, &page); err != nil {
			return nil, err
		}
		if page.Result == nil || seen[page.Cursor] { // half of a list is none
			return nil, failed(r.doing, provider.Malformed, errors.New("the list is not complete"))
		}
		all = append(all, *page.Result...)
		if cursor = page.Cursor; cursor == "" {
			return all, nil
		}
		seen[cursor] = true
	}
}

// List lists the keys of the sub-account that a key is of.
func (p *Provider) List(ctx context.Context, admin, c provider.Credential) ([]provider.Listed, error) {
	host := exchange.Host(c)
	uid, err := p.subaccount(ctx, host, c)
	if err != nil {
		return nil, err
	}
	keys, err := p.keys(ctx, host, admin, uid)
	if err != nil {
		return nil, err
	}
	var all []provider.Listed
	for _, k := range keys {
		l := provider.Listed{Identity: k.identity(), Created: k.Created.UTC()}
		l.Account = strconv.FormatInt(uid, 10)
		all = append(all, l)
	}
	return all, nil
}

// template is the key that another is to be like: as it says of itself, or, if it is dead
// and the sub-account is given, as the master account lists it.
func (p *Provider) template(ctx context.Context, admin, old provider.Credential) (key, error) {
	host := exchange.Host(old)
	k, err := p.about(ctx, host, old, "the key to be replaced")
	if err == nil || old.Params["subaccount"] == "" {
		return k, err
	}
	uid, err := p.subaccount(ctx, host, old)
	if err != nil {
		return key{}, err
	}
	all, err := p.keys(ctx, host, admin, uid)
	if err != nil {
		return key{}, web.Beforehand(err)
	}
	i := slices.IndexFunc(all, func(k key) bool { return k.ID == exchange.Name(old) })
	if i < 0 {
		return key{}, failed("find the key to be replaced", provider.Refused, errors.New("it is refused, and not among those of the sub-account: what it may do is not known"))
	}
	k = all[i]
	k.User = uid
	return k, nil
}

// grantable are the groups of rights that a key of a sub-account can be given. Derivatives
// comes by itself with a unified account.
var grantable = []string{"ContractTrade", "Spot", "Options", "Wallet", "Exchange", "Earn"}

// Plan looks whether the master's key may issue and delete, and what there is to know of
// the key to be replaced.
func (p *Provider) Plan(ctx context.Context, admin, old provider.Credential) (provider.Plan, error) {
	const doing = "look whether the key can be replaced"
	host := exchange.Host(old)
	if p.demo(host) {
		return provider.Plan{}, failed(doing, provider.Refused, errors.New("keys of demo trading are made by hand"))
	}
	master, err := p.about(ctx, host, admin, "the master's key")
	if err != nil {
		return provider.Plan{}, err
	}
	k, err := p.template(ctx, admin, old)
	if err != nil {
		return provider.Plan{}, err
	}
	forbidden := func(why string) (provider.Plan, error) {
		e := failed(doing, provider.Forbidden, errors.New(why))
		e.Hint = p.Info().Page
		return provider.Plan{}, e
	}
	switch {
	case !master.Master:
		return forbidden("the key to make changes with is not of a master account")
	case bool(master.ReadOnly):
		return forbidden("the master's key is read-only")
	case !master.may("Wallet:AccountTransfer") && !master.may("Wallet:SubMemberTransfer") && !master.may("Wallet:Withdraw"):
		return forbidden("the master's key has none of the rights Account Transfer, Subaccount Transfer and Withdrawal")
	case k.Master:
		return provider.Plan{}, failed(doing, provider.Refused, errors.New("it is a key of a master account, and those are made by hand"))
	case k.Parent != "" && k.Parent != strconv.FormatInt(master.User, 10):
		return provider.Plan{}, failed(doing, provider.Refused, errors.New("it is of a sub-account of another master account"))
	case k.RSA != "":
		return provider.Plan{}, failed(doing, provider.Refused, errors.New("it signs with RSA: make a key pair, and give the public half to Bybit"))
	}
	if len(k.grants()) == 0 {
		return provider.Plan{}, failed(doing, provider.Refused, errors.New("it has no right that a new key could be given"))
	}
	return provider.Plan{Notes: p.notes(master, k)}, nil
}

// grants are the rights of a key that another can be given.
func (k key) grants() map[string][]string {
	all := map[string][]string{}
	for _, group := range grantable {
		if rights := k.Permissions[group]; len(rights) > 0 {
			all[group] = rights
		}
	}
	return all
}

func (p *Provider) notes(master, k key) []string {
	var notes []string
	if k.may("Wallet:Withdraw") {
		notes = append(notes, "the key may withdraw")
	}
	if master.may("Wallet:Withdraw") {
		notes = append(notes, "the master's key may withdraw: for this, Account Transfer is enough")
	}
	if at := master.identity().Expires; !at.IsZero() {
		notes = append(notes, "the master's key ends on "+at.Format(time.DateOnly))
	}
	if len(master.addresses()) == 0 {
		notes = append(notes, "the master's key may be used from any address")
	}
	if len(k.addresses()) == 0 {
		end := p.web.Now().UTC().AddDate(0, 0, 90)
		notes = append(notes, "without a list of addresses the new key ends after 90 days, on "+end.Format(time.DateOnly)+", and 7 days after a change of the password")
	}
	if k.Type == 2 {
		notes = append(notes, "the old key is bound to an application, the new one is not")
	}
	for _, group := range slices.Sorted(maps.Keys(k.Permissions)) {
		if len(k.Permissions[group]) > 0 && group != "Derivatives" && !slices.Contains(grantable, group) {
			notes = append(notes, "the new key is without "+group+": it cannot be given to one of a sub-account")
		}
	}
	return notes
}

// Issue makes a key that may do what the old one may, from where that may. The lineage is
// its note.
func (p *Provider) Issue(ctx context.Context, admin, old provider.Credential, lineage provider.Lineage) (provider.Credential, error) {
	k, err := p.template(ctx, admin, old)
	if err != nil {
		return provider.Credential{}, err
	}
	doing := fmt.Sprintf("issue a key of sub-account %d", k.User)
	if k.Master || k.User == 0 {
		return provider.Credential{}, failed(doing, provider.Refused, errors.New("the old one is not of a sub-account"))
	}
	body := struct {
		Sub         int64               `json:"subuid"`
		Note        string              `json:"note"`
		ReadOnly    int                 `json:"readOnly"`
		IPs         string              `json:"ips,omitempty"`
		Permissions map[string][]string `json:"permissions"`
	}{Sub: k.User, Note: lineage.Short(), IPs: strings.Join(k.addresses(), ","), Permissions: k.grants()}
	if k.ReadOnly {
		body.ReadOnly = 1
	}
	var issued struct {
		ID     string     `json:"apiKey"`
		Secret web.Secret `json:"secret"`
	}
	err = p.done(ctx, admin, request{doing: doing, host: exchange.Host(old), path: "/v5/user/create-sub-api", body: body}, &issued)
	if err != nil {
		return provider.Credential{}, err
	}
	next, ok := exchange.Issued(old, issued.ID, issued.Secret)
	if !ok {
		return provider.Credential{}, failed(doing, provider.Malformed, errors.New("there is no new key in the answer"))
	}
	return next, nil
}

// Revoke deletes a key: with the master's, or with itself if that is what it gets, in which
// case it may be one of a master account. It is dead at once. When the answer is not clear,
// it is looked whether it is still there.
func (p *Provider) Revoke(ctx context.Context, admin, c, other provider.Credential) error {
	const doing = "delete the key"
	id, host := exchange.Name(c), exchange.Host(c)
	switch id {
	case "":
		return failed(doing, provider.Incomplete, errors.New("which one is not known"))
	case exchange.Name(other):
		return failed(doing, provider.Refused, errors.New("it is the one that goes on being used"))
	case exchange.Name(admin):
		return p.revokeItself(ctx, c)
	}
	err := p.done(ctx, admin, request{doing: doing, host: host, path: "/v5/user/delete-sub-api", body: map[string]string{"apikey": id}}, nil)
	if exchange.Unsure(err) && p.gone(ctx, admin, c, other) {
		return nil
	}
	return err
}

// gone reports whether a key is known to exist no more: by the list of its sub-account, or,
// if nobody can say which that is, because no environment knows it.
func (p *Provider) gone(ctx context.Context, admin, c, other provider.Credential) bool {
	uid, err := p.subaccount(ctx, exchange.Host(c), c, other)
	if err != nil {
		return p.unknown(ctx, c)
	}
	all, err := p.keys(ctx, exchange.Host(c), admin, uid)
	return err == nil && !slices.ContainsFunc(all, func(k key) bool { return k.ID == exchange.Name(c) })
}

// unknown reports whether all environments were asked for a key, and none knows it. One
// that has expired is known.
func (p *Provider) unknown(ctx context.Context, c provider.Credential) bool {
	probe, err := p.Verify(ctx, c)
	return err == nil && probe.State == provider.Dead && (probe.Code == "10003" || probe.Code == "401")
}

func (p *Provider) revokeItself(ctx context.Context, c provider.Credential) error {
	host := exchange.Host(c)
	k, err := p.about(ctx, host, c, "the key to be deleted")
	if err != nil {
		if p.unknown(ctx, c) {
			return nil
		}
		return err
	}
	path := "/v5/user/delete-sub-api"
	if k.Master {
		path = "/v5/user/delete-api"
	}
	return p.done(ctx, c, request{doing: "delete the key, with itself", host: host, path: path, body: struct{}{}}, nil)
}
