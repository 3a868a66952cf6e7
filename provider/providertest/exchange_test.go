package providertest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/exchange"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/provider/web"
	"github.com/keywright/keywright/secret"
)

// market is an exchange with an account main and others below it. Its codes are of the kind
// that they begin with.
type market struct {
	*providertest.Ledger[*providertest.Key]
}

const (
	good = "0"
	none = "10" // there is no such key
	late = "20"
	mine = "30" // the address, the secret or the right
	what = "40" // a parameter
	busy = "50"
)

func openMarket(t *testing.T) market {
	var m market
	m.Ledger = providertest.NewLedger(t, func(w http.ResponseWriter, r *http.Request) {
		code, data := m.do(r)
		json.NewEncoder(w).Encode(map[string]any{"code": code, "data": data})
	},
		&providertest.Key{ID: "main", Secret: providertest.Marked + "m", Account: "main", Rights: []string{"read", "issue"}},
		&providertest.Key{ID: "old", Secret: providertest.Marked + "o", Account: "sub", Label: "bot", Rights: []string{"read", "trade"}, IPs: []string{"192.0.2.1"}},
	)
	return m
}

func (m market) do(r *http.Request) (code string, data any) {
	as := m.Find(r.Header.Get("Id"))
	at, _ := strconv.ParseInt(r.Header.Get("Time"), 10, 64)
	switch {
	case as == nil:
		return none, nil
	case time.Since(time.Unix(at, 0)).Abs() > time.Minute:
		return late, nil
	case r.Header.Get("Secret") != as.Secret || len(as.IPs) > 0 && !slices.Contains(as.IPs, m.From):
		return mine, nil
	case r.URL.Path == "/self":
		return good, as.Base()
	case !as.May("issue"):
		return mine, nil
	}
	var in providertest.Key
	if r.Method == http.MethodPost && json.NewDecoder(r.Body).Decode(&in) != nil {
		return what, nil
	}
	switch r.Method + " " + r.URL.Path {
	case "GET /keys":
		all := []*providertest.Key{}
		for _, k := range m.Keys {
			if k.Account == "sub" {
				all = append(all, k)
			}
		}
		return good, all
	case "POST /keys":
		in.Account = "sub"
		m.Issue(&in)
		return good, in
	case "POST /remove":
		if m.Find(in.ID) == nil {
			return what, nil
		}
		m.Drop(in.ID)
		return good, in
	}
	return what, nil
}

// trader is the provider of a market. It is wrong in the way that broken says.
type trader struct {
	worlds []string
	broken string
	web    *web.Client
}

func (p trader) SetNow(now func() time.Time) { p.web.Now = now }

func (p trader) Info() provider.Info {
	return provider.Info{Name: "market", Parts: []provider.Part{{Name: "id", Public: true}, {Name: "secret"}}}
}

func (p trader) fail(kind provider.Kind, why string) error {
	return &provider.Error{Provider: "market", Doing: "ask", Kind: kind, Err: errors.New(why)}
}

func (p trader) ask(ctx context.Context, as provider.Credential, host, method, path string, body any) (exchange.Reply, error) {
	if host == "" || exchange.Name(as) == "" || as.Part("secret").IsZero() {
		return exchange.Reply{}, p.fail(provider.Incomplete, "not enough")
	}
	call := web.Call{Doing: "ask", Method: method, URL: host, Path: path}.With(body)
	call.Header.Set("Id", exchange.Name(as))
	call.Header.Set("Secret", string(as.Part("secret").Reveal()))
	call.Header.Set("Time", fmt.Sprint(p.web.Now().Unix()))
	a, err := p.web.Do(ctx, call)
	if err != nil {
		return exchange.Reply{}, err
	}
	var said struct {
		Code string
		Data json.RawMessage
	}
	err = a.JSON(&said)
	r := exchange.Reply{Answer: a, Code: web.Number(said.Code), Done: said.Code == good, Data: said.Data}
	if err != nil || said.Code == "" || r.Done && !a.OK() {
		r, err = exchange.Uncoded(a, err)
	}
	r.Meaning = p.meaning(r.Code)
	return r, err
}

func (p trader) meaning(code string) exchange.Meaning {
	switch {
	case code == none:
		return exchange.Means("", provider.Forbidden, "it is not known")
	case code == late && p.broken == "a late key is dead", code == "401" && p.broken == "a status kills", code == busy && p.broken == "a busy key is dead":
		return exchange.Means(provider.Dead, provider.Forbidden, "it is dead")
	case code == late:
		return exchange.Means(provider.Skewed, provider.Refused, "it is late", exchange.SetClock)
	case code == mine, code == "401", code == "403":
		return exchange.Means(provider.Unknown, provider.Forbidden, "it may not")
	case code == what:
		return exchange.Means(provider.Unknown, provider.Refused, "a parameter")
	case code == busy, code == "429":
		return exchange.Means(provider.Throttled, provider.Busy, "too many")
	}
	return exchange.Means(provider.Unknown, provider.Unclear, "who knows")
}

func (p trader) done(ctx context.Context, as provider.Credential, host, method, path string, body, into any) error {
	r, err := p.ask(ctx, as, host, method, path, body)
	if err != nil {
		return err
	}
	return r.Decode(into)
}

func (p trader) about(ctx context.Context, c provider.Credential, host string) (k providertest.Key, err error) {
	if err = p.done(ctx, c, host, http.MethodGet, "/self", nil, &k); err == nil && k.ID == "" {
		err = p.fail(provider.Malformed, "nothing")
	}
	return k, web.Beforehand(err)
}

func (p trader) who(k providertest.Key) provider.Identity {
	slices.Sort(k.Rights)
	who := provider.Identity{ID: k.ID, Account: k.Account, Label: k.Label, Scopes: k.Rights, IPs: k.IPs, Withdraw: k.May("withdraw")}
	if p.broken == "withdrawing is not seen" {
		who.Withdraw = false
	}
	return who
}

func (p trader) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	w := web.Worlds{Addresses: p.worlds, Unheard: none, Ask: func(ctx context.Context, at string, _ bool) (provider.Probe, bool, error) {
		r, err := p.ask(ctx, c, at, http.MethodGet, "/self", nil)
		if err != nil {
			return provider.Probe{}, false, err
		}
		probe, unheard := r.Probe()
		var k providertest.Key
		if r.Done {
			if err := r.Decode(&k); err != nil {
				return provider.Probe{}, false, err
			}
			probe.Who = p.who(k)
		}
		return probe, unheard, nil
	}}
	if p.broken == "one world is all" {
		w.Addresses = p.worlds[:1]
	}
	return w.Verify(ctx, exchange.Host(c))
}

func (p trader) Recognize(rule string, parts map[string]secret.Value) (provider.Credential, bool) {
	if rule != "market-key" && p.broken != "it recognizes all" || parts["id"].IsZero() {
		return provider.Credential{}, false
	}
	return exchange.Key(string(parts["id"].Reveal()), parts["secret"], map[string]string{"host": p.worlds[0]}), true
}

func (p trader) keys(ctx context.Context, admin, c provider.Credential) (all []providertest.Key, err error) {
	err = p.done(ctx, admin, exchange.Host(c), http.MethodGet, "/keys", nil, &all)
	if err == nil && all == nil && p.broken != "no list is empty" {
		err = p.fail(provider.Malformed, "no list")
	}
	return all, err
}

func (p trader) List(ctx context.Context, admin, c provider.Credential) (all []provider.Listed, err error) {
	keys, err := p.keys(ctx, admin, c)
	for _, k := range keys {
		all = append(all, provider.Listed{Identity: p.who(k), Created: k.Created})
	}
	return all, err
}

func (p trader) template(ctx context.Context, admin, old provider.Credential) (providertest.Key, error) {
	k, err := p.about(ctx, old, exchange.Host(old))
	var e *provider.Error
	if errors.As(err, &e) && e.Kind == provider.Forbidden && old.Params["subaccount"] != "" {
		all, err := p.keys(ctx, admin, old)
		if err != nil {
			return k, web.Beforehand(err)
		}
		i := slices.IndexFunc(all, func(k providertest.Key) bool { return k.ID == old.ID })
		if i < 0 {
			return k, p.fail(provider.Refused, "it is gone")
		}
		return all[i], nil
	}
	if err == nil && k.Account == "main" {
		err = p.fail(provider.Refused, "of the main account")
	}
	return k, err
}

func grants(k providertest.Key) []string {
	return slices.DeleteFunc(slices.Clone(k.Rights), func(r string) bool { return r == "withdraw" })
}

func (p trader) Plan(ctx context.Context, admin, old provider.Credential) (plan provider.Plan, err error) {
	m, err := p.about(ctx, admin, exchange.Host(old))
	if err != nil {
		return plan, err
	}
	k, err := p.template(ctx, admin, old)
	switch {
	case err != nil:
		return plan, err
	case !m.May("issue") && p.broken != "all may issue":
		return plan, p.fail(provider.Forbidden, "it may not issue")
	case len(grants(k)) == 0:
		return plan, p.fail(provider.Refused, "no right")
	case k.May("withdraw"):
		plan.Notes = append(plan.Notes, "the new key is without withdraw")
	}
	if len(k.IPs) == 0 && p.broken != "addresses are not noted" {
		plan.Notes = append(plan.Notes, "from any address")
	}
	if p.broken == "it plans by trying" {
		_, err = p.Issue(ctx, admin, old, provider.Lineage{})
	}
	return plan, err
}

func (p trader) Issue(ctx context.Context, admin, old provider.Credential, lineage provider.Lineage) (provider.Credential, error) {
	k, err := p.template(ctx, admin, old)
	if err == nil && len(grants(k)) == 0 {
		err = p.fail(provider.Refused, "no right")
	}
	if err != nil && p.broken != "it does not read first" {
		return provider.Credential{}, err
	}
	next := providertest.Key{Label: lineage.Short(), Rights: grants(k), IPs: k.IPs}
	switch p.broken {
	case "no lineage":
		next.Label = ""
	case "no addresses":
		next.IPs = nil
	case "fewer rights":
		next.Rights = []string{"read"}
	case "all rights":
		next.Rights = k.Rights
	}
	var issued struct {
		ID     string
		Secret web.Secret
	}
	create := func() error {
		return p.done(ctx, admin, exchange.Host(old), http.MethodPost, "/keys", next, &issued)
	}
	if err = create(); err != nil && p.broken == "it tries again" {
		err = create()
	}
	if err != nil && p.broken == "nothing was made" {
		err = p.fail(provider.Refused, "no")
	}
	if err != nil {
		return provider.Credential{}, err
	}
	got, ok := exchange.Issued(old, issued.ID, issued.Secret)
	if !ok && p.broken != "any key is new" {
		return got, p.fail(provider.Malformed, "no new key")
	}
	return got, nil
}

func (p trader) Revoke(ctx context.Context, admin, c, other provider.Credential) error {
	dead := func() bool {
		probe, err := p.Verify(ctx, c)
		return err == nil && probe.State == provider.Dead
	}
	switch id := exchange.Name(c); {
	case id == "":
		return p.fail(provider.Incomplete, "which")
	case id == exchange.Name(other) && p.broken != "the other is none":
		return p.fail(provider.Refused, "in use")
	case id == exchange.Name(admin):
		if dead() {
			return nil
		}
		return p.fail(provider.Refused, "not itself")
	}
	err := p.done(ctx, admin, exchange.Host(c), http.MethodPost, "/remove", providertest.Key{ID: exchange.Name(c)}, &struct{}{})
	if exchange.Unsure(err) && p.broken != "it does not look" {
		all, failed := p.keys(ctx, admin, c)
		if p.broken == "it believes" || (failed == nil || p.broken == "no list is gone") && !slices.ContainsFunc(all, func(k providertest.Key) bool { return k.ID == exchange.Name(c) }) {
			return nil
		}
	}
	return err
}

// trade runs all tests of exchanges over a trader.
func trade(t *testing.T, broken string) {
	type key = providertest.Key
	x := providertest.Exchange[market, *key]{
		Start: openMarket, Admin: "main",
		Open: func(worlds ...string) providertest.Driver {
			client := web.New("market", nil)
			return trader{worlds, broken, &client}
		},
		Self: "GET /self", List: "GET /keys", Create: "POST /keys", Remove: "POST /remove", Good: good,
		Say: func(status int, code string) providertest.Answer {
			return providertest.Text(status, fmt.Sprintf(`{"code":%q,"data":{"Secret":%q}}`, code, providertest.Marked))
		},
	}
	t.Run("verify", func(t *testing.T) {
		m := openMarket(t)
		m.Add(&key{ID: "rich", Secret: providertest.Marked, Account: "main", Rights: []string{"withdraw"}})
		x.Verify(t, m, map[string]provider.Identity{"rich": {ID: "rich", Account: "main", Scopes: []string{"withdraw"}, Withdraw: true}})
		x.Recognizes(t, "market-key")
	})
	t.Run("codes", func(t *testing.T) {
		x.Codes(t, map[provider.State][]string{provider.Dead: {none}, provider.Skewed: {late}, provider.Throttled: {busy}, provider.Unknown: {mine, what, "60", providertest.Marked}}, 200, 401, 500)
		x.Statuses(t, map[int]provider.State{401: provider.Unknown, 429: provider.Throttled}, `{"code":10}`)
	})
	t.Run("worlds", func(t *testing.T) { x.Worlds(t, none) })
	t.Run("clock", func(t *testing.T) { x.Clock(t, late) })
	t.Run("issue", func(t *testing.T) {
		x.Issue(t, map[string]func(*key){"any address": func(k *key) { k.IPs = nil }})
		x.IssueWithout(t, "withdraw", "read")
		x.IssueForRefused(t, "sub", func(k *key) { k.IPs = []string{"198.51.100.7"} })
		x.IssueRefused(t, map[string]func(m market, old *key){"the main account's": func(_ market, o *key) { o.Account = "main" }})
	})
	t.Run("faults", func(t *testing.T) {
		x.IssueFaults(t, providertest.Outcomes{provider.Busy: {"busy": x.Say(200, busy)}, provider.Malformed: {"the old one": providertest.Text(200, `{"code":"0","data":{"ID":"old","Secret":"`+providertest.Marked+`"}}`)}})
	})
	t.Run("reads first", func(t *testing.T) { x.ReadsFirst(t, "/self", `{"code":"0","data":{}}`) })
	t.Run("lists", func(t *testing.T) {
		x.Lists(t, openMarket(t), 1, map[int]provider.Listed{0: {Identity: provider.Identity{ID: "old", Account: "sub", Label: "bot", Scopes: []string{"read", "trade"}, IPs: []string{"192.0.2.1"}}}}, `{"code":"0","data":null}`)
	})
	t.Run("plan", func(t *testing.T) {
		x.Plan(t, "any address", func(_ market, _, o *key) { o.IPs = nil }, "from any address")
		x.NoPlan(t, map[provider.Kind]map[string]func(m market, admin, old *key){provider.Forbidden: {"no right": func(_ market, a, _ *key) { a.Rights = []string{"read"} }}})
	})
	t.Run("revoke", func(t *testing.T) { x.Revoke(t, provider.Refused) })
	t.Run("revoke faults", func(t *testing.T) { x.RevokeFaults(t, nil) })
}

func TestExchange(t *testing.T) { trade(t, "") }

// Each way of being wrong is found, by the test that looks for it.
func TestBrokenExchange(t *testing.T) {
	if broken := os.Getenv(brokenVar); broken != "" {
		trade(t, broken)
		return
	}
	for broken, by := range map[string]string{
		"withdrawing is not seen": "verify",
		"it recognizes all":       "verify",
		"a busy key is dead":      "codes",
		"a status kills":          "codes",
		"one world is all":        "worlds",
		"a late key is dead":      "clock",
		"no lineage":              "issue",
		"no addresses":            "issue",
		"fewer rights":            "issue",
		"all rights":              "issue",
		"it tries again":          "faults",
		"nothing was made":        "faults",
		"any key is new":          "faults",
		"it does not read first":  "reads_first",
		"no list is empty":        "lists",
		"addresses are not noted": "plan",
		"all may issue":           "plan",
		"it plans by trying":      "plan",
		"the other is none":       "revoke",
		"it believes":             "revoke_faults",
		"it does not look":        "revoke_faults",
		"no list is gone":         "revoke_faults",
	} {
		t.Run(broken, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBrokenExchange$/^"+by+"$")
			cmd.Env = append(os.Environ(), brokenVar+"="+broken)
			out, err := cmd.CombinedOutput()
			if failed := (*exec.ExitError)(nil); !errors.As(err, &failed) || !bytes.Contains(out, fmt.Appendf(nil, "--- FAIL: TestBrokenExchange/%s", by)) {
				t.Errorf("it is not found: %v\n%s", err, out)
			}
		})
	}
}
