// Package kucoin knows the API keys of KuCoin's sub-accounts: with a key of the master
// account they are issued, listed and deleted. How far a key is alive, and what it may do,
// is asked with it alone. Only keys of version 3 are known.
//
// KuCoin deletes a key only for who knows its passphrase. So the passphrase of a new key is
// derived from the lineage under the secret of the master's key: who issued a key and died
// before it was stored can still delete it. Nothing else can be derived that way.
//
// Nothing of KuCoin takes a key out of use such that it could be taken back, as one with the
// right General alone goes on reading. So there is no Disabler. Keys of master accounts are
// made and deleted by hand. When a key ends, KuCoin does not say.
package kucoin

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
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
	Host string // that is asked when a credential has none

	web web.Client
}

// New returns a Provider that uses the transport of h, which may be nil.
func New(h *http.Client) *Provider {
	return &Provider{Host: "https://api.kucoin.com", web: web.New("kucoin", h)}
}

// Info is what is known without asking.
func (p *Provider) Info() provider.Info {
	return provider.Info{
		Name: "kucoin", Title: "KuCoin API key of a sub-account", Page: "https://www.kucoin.com/account/api",
		Parts: []provider.Part{{Name: "id", Public: true}, {Name: "secret"}, {Name: "passphrase"}},
		Params: []provider.Param{
			{Name: "host", Meaning: "the address of the API that the key is of: https://api.kucoin.com", Required: true},
			{Name: "subaccount", Meaning: "the name of the sub-account; the key is asked if it is not given"},
			{Name: "valid_days", Meaning: "for how many days a new key is good: 30, 90, 180 or 360; otherwise it does not end"},
		},
		Admin:       "a key of the master account with the right General",
		Propagation: 10 * time.Second, // nothing is said of it
		Sources: []string{
			"https://www.kucoin.com/docs-new/authentication",
			"https://www.kucoin.com/docs-new/error-code/websocket",
			"https://www.kucoin.com/docs/basic-info/errors-code/spot-errors-code",
			"https://www.kucoin.com/docs-new/api-3470138",
			"https://www.kucoin.com/docs-new/api-3470136",
			"https://www.kucoin.com/docs-new/api-3470137",
			"https://github.com/Kucoin/kucoin-universal-sdk/tree/v1.3.0/spec/rest/api",
		},
		Tested: "a fake of the documentation; signatures against those of KuCoin's SDK for Go",
	}
}

// key is what KuCoin says of one, asked with it or listed.
type key struct {
	ID         string `json:"apiKey"`
	Remark     string `json:"remark"`
	Permission string `json:"permission"`  // with commas
	IPs        string `json:"ipWhitelist"` // with commas; empty for any
	Created    int64  `json:"createdAt"`   // in milliseconds
	UID        int64  `json:"uid"`
	Master     bool   `json:"isMaster"`
	Sub        string `json:"subName"`
}

func (k key) may(right string) bool { return slices.Contains(k.scopes(), right) }

func (k key) scopes() []string    { return exchange.Words(k.Permission) }
func (k key) addresses() []string { return exchange.Words(k.IPs) }

// identity is what is said of a key. The right Transfer holds that of withdrawing.
func (k key) identity() provider.Identity {
	who := provider.Identity{ID: k.ID, Label: k.Remark, Scopes: k.scopes(), IPs: k.addresses(), Withdraw: k.may("Transfer")}
	if k.UID != 0 {
		who.Account = strconv.FormatInt(k.UID, 10)
	}
	return who
}

// phrase is the passphrase of a key that the lineage names: of 7 to 32 characters, none of
// them a space.
func phrase(admin provider.Credential, lineage provider.Lineage) secret.Value {
	h := hmac.New(sha256.New, admin.Part("secret").Reveal())
	h.Write([]byte("keywright: the passphrase of " + lineage.String()))
	return secret.New([]byte(hex.EncodeToString(h.Sum(nil))[:32]))
}

// Recognize takes keys with their secrets and passphrases. Without the passphrase nothing
// can be asked.
func (p *Provider) Recognize(rule string, parts map[string]secret.Value) (provider.Credential, bool) {
	if rule != "kucoin-api-secret" || parts["id"].IsZero() || parts["passphrase"].IsZero() {
		return provider.Credential{}, false
	}
	return provider.Credential{
		ID:    string(parts["id"].Reveal()),
		Parts: map[string]secret.Value{"id": parts["id"], "secret": parts["secret"], "passphrase": parts["passphrase"]},
	}, true
}

// Verify asks about a key with it. Without a host, who does not know it may not be the one
// that it is of.
func (p *Provider) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	r := request{doing: "ask what the key is", host: exchange.Host(c), path: "/api/v1/user/api-key"}
	if r.host == "" {
		r.host = p.Host
	}
	got, err := p.ask(ctx, c, r)
	if err != nil {
		return provider.Probe{}, err
	}
	probe, _ := got.Probe()
	if !got.Done {
		if probe.State == provider.Dead && exchange.Host(c) == "" {
			probe.State = provider.Unknown
		}
		return probe, nil
	}
	var k key
	if json.Unmarshal(got.Data, &k) != nil || k.ID != exchange.Name(c) {
		return provider.Probe{}, got.Answer.Failure(provider.Malformed, "", errors.New("it is not about the key"))
	}
	probe.Who = k.identity()
	return probe, nil
}

// about asks what a key is, with it.
func (p *Provider) about(ctx context.Context, host string, c provider.Credential, which string) (key, error) {
	var k key
	r := request{doing: "ask what " + which + " is", host: host, path: "/api/v1/user/api-key"}
	if err := p.done(ctx, c, r, &k); err != nil {
		return key{}, web.Beforehand(err)
	}
	if k.ID != exchange.Name(c) {
		return key{}, web.Beforehand(failed(r.doing, provider.Malformed, errors.New("it is not about the key")))
	}
	return k, nil
}

// subaccount is the name of the sub-account that keys are of: of the first that can say it.
func (p *Provider) subaccount(ctx context.Context, keys ...provider.Credential) (string, error) {
	const doing = "find the sub-account of the key"
	var last error
	for _, c := range keys {
		if sub := c.Params["subaccount"]; sub != "" {
			return sub, nil
		}
		if c.Part("secret").IsZero() {
			continue
		}
		k, err := p.about(ctx, exchange.Host(c), c, "the key")
		var e *provider.Error
		switch {
		case errors.As(err, &e) && e.Kind != provider.Forbidden:
			return "", err // it could not be asked
		case err != nil:
			last = err
		case k.Master || k.Sub == "":
			last = failed(doing, provider.Refused, errors.New("the key is of a master account"))
		default:
			return k.Sub, nil
		}
	}
	e := failed(doing, provider.Incomplete, last)
	e.Hint = "give the key the parameter subaccount: the name of the sub-account"
	return "", e
}

// keys lists all keys of a sub-account.
func (p *Provider) keys(ctx context.Context, host string, admin provider.Credential, sub string) ([]key, error) {
	r := request{doing: "list the keys of sub-account " + sub, host: host, path: "/api/v1/sub/api-key", query: []pair{public("subName", sub)}}
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
	sub, err := p.subaccount(ctx, c)
	if err != nil {
		return nil, err
	}
	keys, err := p.keys(ctx, exchange.Host(c), admin, sub)
	if err != nil {
		return nil, err
	}
	var all []provider.Listed
	for _, k := range keys {
		l := provider.Listed{Identity: k.identity()}
		if k.Created > 0 {
			l.Created = time.UnixMilli(k.Created).UTC()
		}
		all = append(all, l)
	}
	return all, nil
}

// template is the key that another is to be like: as it says of itself, or, if it is
// refused and the sub-account is given, as the master account lists it.
func (p *Provider) template(ctx context.Context, admin, old provider.Credential) (key, error) {
	k, err := p.about(ctx, exchange.Host(old), old, "the key to be replaced")
	sub := old.Params["subaccount"]
	switch {
	case err == nil && (k.Master || k.Sub == ""):
		return key{}, failed("look at the key to be replaced", provider.Refused, errors.New("it is a key of a master account, and those are made by hand"))
	case err == nil || sub == "":
		return k, err
	}
	all, err := p.keys(ctx, exchange.Host(old), admin, sub)
	if err != nil {
		return key{}, web.Beforehand(err)
	}
	i := slices.IndexFunc(all, func(k key) bool { return k.ID == exchange.Name(old) })
	if i < 0 {
		return key{}, failed("find the key to be replaced", provider.Refused, errors.New("it is refused, and not among those of the sub-account: what it may do is not known"))
	}
	k = all[i]
	k.Sub = sub
	return k, nil
}

// grants are the rights of a key that another can be given.
func (k key) grants() []string {
	all := []string{"General", "Spot", "Futures", "Margin", "InnerTransfer"}
	return slices.DeleteFunc(k.scopes(), func(right string) bool { return !slices.Contains(all, right) })
}

// expire is for how long a new key is good, in KuCoin's words.
func expire(c provider.Credential) (string, error) {
	switch days := c.Params["valid_days"]; days {
	case "":
		return "-1", nil
	case "30", "90", "180", "360":
		return days, nil
	}
	return "", failed("look for how long the new key is to be good", provider.Incomplete, errors.New("the parameter valid_days is none of 30, 90, 180 and 360"))
}

// Plan looks whether the master's key may issue and delete, and what there is to know of
// the key to be replaced. How many keys a sub-account takes KuCoin does not document.
func (p *Provider) Plan(ctx context.Context, admin, old provider.Credential) (provider.Plan, error) {
	const doing = "look whether the key can be replaced"
	days, err := expire(old)
	if err != nil {
		return provider.Plan{}, err
	}
	master, err := p.about(ctx, exchange.Host(old), admin, "the master's key")
	if err != nil {
		return provider.Plan{}, err
	}
	if !master.Master || !master.may("General") {
		e := failed(doing, provider.Forbidden, errors.New("the key to make changes with is not of a master account, or without the right General"))
		e.Hint = p.Info().Page
		return provider.Plan{}, e
	}
	k, err := p.template(ctx, admin, old)
	switch {
	case err != nil:
		return provider.Plan{}, err
	case len(k.grants()) == 0:
		return provider.Plan{}, failed(doing, provider.Refused, errors.New("it has no right that a new key could be given"))
	}
	// That it is of a sub-account of this master's, the list of its keys says.
	all, err := p.keys(ctx, exchange.Host(old), admin, k.Sub)
	switch {
	case err != nil:
		return provider.Plan{}, web.Beforehand(err)
	case !slices.ContainsFunc(all, func(k key) bool { return k.ID == exchange.Name(old) }):
		return provider.Plan{}, failed(doing, provider.Refused, errors.New("it is not among the keys that the master account lists"))
	}
	return provider.Plan{Notes: notes(master, k, days)}, nil
}

func notes(master, k key, days string) []string {
	var notes []string
	if master.may("Transfer") {
		notes = append(notes, "the master's key may withdraw: for this, General is enough")
	}
	if len(master.addresses()) == 0 {
		notes = append(notes, "the master's key may be used from any address")
	}
	if days == "-1" {
		notes = append(notes, "the new key does not end by itself; whether the old one does KuCoin does not say")
	}
	for _, right := range k.scopes() {
		if !slices.Contains(k.grants(), right) {
			notes = append(notes, "the new key is without "+right+": it cannot be given to one of a sub-account")
		}
	}
	return notes
}

// Issue makes a key that may do what the old one may, from where that may. The lineage is
// its remark.
func (p *Provider) Issue(ctx context.Context, admin, old provider.Credential, lineage provider.Lineage) (provider.Credential, error) {
	days, err := expire(old)
	if err != nil {
		return provider.Credential{}, err
	}
	k, err := p.template(ctx, admin, old)
	if err != nil {
		return provider.Credential{}, err
	}
	r := request{doing: "issue a key of sub-account " + k.Sub, host: exchange.Host(old), method: http.MethodPost, path: "/api/v1/sub/api-key"}
	rights := k.grants()
	if len(rights) == 0 { // and KuCoin would give it General
		return provider.Credential{}, failed(r.doing, provider.Refused, errors.New("the old one has no right that a new one could be given"))
	}
	passphrase := phrase(admin, lineage)
	r.body = struct {
		Sub        string    `json:"subName"`
		Remark     string    `json:"remark"`
		Passphrase web.Plain `json:"passphrase"`
		Permission string    `json:"permission"`
		IPs        string    `json:"ipWhitelist,omitempty"`
		Expire     string    `json:"expire"`
	}{k.Sub, lineage.Short(), web.Plain{Value: passphrase}, strings.Join(rights, ","), strings.Join(k.addresses(), ","), days}
	var issued struct {
		ID     string     `json:"apiKey"`
		Secret web.Secret `json:"apiSecret"`
	}
	if err := p.done(ctx, admin, r, &issued); err != nil {
		return provider.Credential{}, err
	}
	next, ok := exchange.Issued(old, issued.ID, issued.Secret)
	if !ok {
		return provider.Credential{}, failed(r.doing, provider.Malformed, errors.New("there is no new key in the answer"))
	}
	next.Parts["passphrase"] = passphrase
	return next, nil
}

// Revoke deletes a key with the master's. Of a key whose passphrase is not known, it must be
// one that was issued here, with the same key of the master account. When the answer is not
// clear, it is looked whether it is still there.
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
		return p.byHand(failed(doing, provider.Refused, errors.New("a key cannot delete itself")))
	}
	sub, err := p.subaccount(ctx, c, other)
	if err != nil {
		if p.dead(ctx, c) {
			return nil
		}
		return err
	}
	passphrase := c.Part("passphrase")
	if passphrase.IsZero() {
		all, err := p.keys(ctx, exchange.Host(c), admin, sub)
		if err != nil {
			return web.Beforehand(err)
		}
		i := slices.IndexFunc(all, func(k key) bool { return k.ID == id })
		if i < 0 && (c.Part("secret").IsZero() || p.dead(ctx, c)) {
			return nil
		}
		var lineage provider.Lineage
		ours := false
		if i >= 0 {
			lineage, ours = provider.ParseLineage(all[i].Remark)
		}
		if !ours {
			return p.byHand(failed(doing, provider.Incomplete, errors.New("it takes its passphrase to delete it")))
		}
		passphrase = phrase(admin, lineage)
	}
	return p.remove(ctx, admin, c, sub, passphrase)
}

// byHand adds what to do where nothing else can be done.
func (p *Provider) byHand(e *provider.Error) error {
	e.Hint = "delete it at " + p.Info().Page
	return e
}

// remove deletes a key, of which the sub-account and the passphrase are known.
func (p *Provider) remove(ctx context.Context, admin, c provider.Credential, sub string, passphrase secret.Value) error {
	r := request{
		doing: "delete the key of sub-account " + sub, host: exchange.Host(c), method: http.MethodDelete, path: "/api/v1/sub/api-key",
		query: []pair{public("apiKey", exchange.Name(c)), {"passphrase", passphrase}, public("subName", sub)},
	}
	var deleted struct{}
	err := p.done(ctx, admin, r, &deleted)
	if exchange.Unsure(err) && p.gone(ctx, admin, c, sub) {
		return nil
	}
	return err
}

// gone reports whether a key is known to exist no more: it is not listed, and, as the name
// of the sub-account may be wrong, no longer accepted, where that can be tried.
func (p *Provider) gone(ctx context.Context, admin, c provider.Credential, sub string) bool {
	all, err := p.keys(ctx, exchange.Host(c), admin, sub)
	if err != nil || slices.ContainsFunc(all, func(k key) bool { return k.ID == exchange.Name(c) }) {
		return false
	}
	return c.Part("secret").IsZero() || p.dead(ctx, c)
}

func (p *Provider) dead(ctx context.Context, c provider.Credential) bool {
	probe, err := p.Verify(ctx, c)
	return err == nil && probe.State == provider.Dead
}
