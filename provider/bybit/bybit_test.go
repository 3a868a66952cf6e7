package bybit_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/bybit"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/secret"
)

const (
	self   = "/v5/user/query-api"
	list   = "/v5/user/sub-apikeys"
	create = "/v5/user/create-sub-api"
	remove = "/v5/user/delete-sub-api"
)

// open is the provider, with these as all environments that there are.
func open(urls ...string) *bybit.Provider {
	p := bybit.New(nil)
	p.Environments = nil
	for _, u := range urls {
		p.Environments = append(p.Environments, bybit.Environment{URL: u})
	}
	return p
}

func say(status int, code string) providertest.Answer {
	return providertest.Text(status, fmt.Sprintf(`{"retCode":%s,"retMsg":"%s","result":{"secret":"%s"}}`, code, marked, marked))
}

var exchange = providertest.Exchange[*fake, *fakeKey]{
	Start: serve, Admin: "master",
	Open: func(worlds ...string) providertest.Driver { return open(worlds...) },
	Another: func(f *fake, n int) provider.Credential {
		id := fmt.Sprint("test", n)
		f.Add(&fakeKey{parent: "1000", Key: providertest.Key{ID: id, Secret: marked + id, Account: fmt.Sprint(2000 + n), IPs: []string{"*"}, Rights: []string{"Spot:SpotTrade", "write"}}})
		return f.Credential(id)
	},
	Self: "GET " + self, List: "GET " + list, Create: "POST " + create, Remove: "POST " + remove,
	Say: say, Good: "0",
	Like: func(old, next *fakeKey) bool { return old.parent == next.parent && old.kind == next.kind },
}

func TestConformance(t *testing.T) {
	exchange.Conformance(t, providertest.Subject{DeadCode: "10003", WrongCode: "10004", ByID: true})
}

// The requests were recorded from Bybit's own SDK for Go: see testdata/sdk.
func TestSignatures(t *testing.T) {
	type request struct{ Method, Path, Query, Body, Timestamp, Key, Window, Sign string }
	for _, r := range providertest.Signed[request](t, 4) {
		payload := r.Query
		if r.Method == http.MethodPost {
			payload = r.Body
		}
		if got := bybit.Sign(secret.New([]byte("recorded-secret")), r.Timestamp, r.Key, r.Window, payload); got != r.Sign {
			t.Errorf("%s %s: %s, want %s", r.Method, r.Path, got, r.Sign)
		}
	}
}

func TestVerify(t *testing.T) {
	f := serve(t)
	f.Add(
		&fakeKey{parent: "1000", Key: providertest.Key{ID: "open", Secret: marked, Account: "1001", IPs: []string{"*"}, Rights: []string{"Spot:SpotTrade"}, Expires: time.Date(2099, 1, 2, 3, 4, 5, 0, time.UTC)}},
		&fakeKey{parent: "0", master: true, Key: providertest.Key{ID: "rich", Secret: marked, Account: "1000", Rights: []string{"Wallet:Withdraw", "Wallet:AccountTransfer", "write"}}},
	)
	exchange.Verify(t, f, map[string]provider.Identity{
		"old":  {Account: "1001", ID: "old", Label: "bot", Scopes: []string{"ContractTrade:Order", "ContractTrade:Position", "Derivatives:DerivativesTrade", "Spot:SpotTrade", "write"}, IPs: []string{"192.0.2.0", "192.0.2.1"}},
		"open": {Account: "1001", ID: "open", Scopes: []string{"Spot:SpotTrade"}, Expires: time.Date(2099, 1, 2, 3, 4, 5, 0, time.UTC)},
		"rich": {Account: "1000", ID: "rich", Scopes: []string{"Wallet:AccountTransfer", "Wallet:Withdraw", "write"}, Withdraw: true},
	})
}

func TestRecognize(t *testing.T) { exchange.Recognizes(t, "bybit-api-secret", "bybit-key-and-secret") }

func TestCodes(t *testing.T) {
	exchange.Codes(t, map[provider.State][]string{
		provider.Skewed:    {"-1", "10002"},
		provider.Dead:      {"-2015", "33004", "10003"}, // the last in all environments that there are, which is one here
		provider.Narrow:    {"10005", "10028", "100028"},
		provider.Throttled: {"10006", "10018", "429", "403"},
		provider.Blocked:   {"10009", "10010"},
		provider.Unknown:   {"10004", "10007", "10008", "10024", "10027", "10000", "10001", "10014", "10016", "10017", "4711"},
	}, 200, 400, 401, 429, 500)
	exchange.Statuses(t, map[int]provider.State{401: provider.Dead, 403: provider.Throttled, 429: provider.Throttled}, `{"retCode":"33004"}`)
}

func TestEnvironments(t *testing.T) {
	exchange.Worlds(t, "10003")

	main, test, demo := serve(t), serve(t), serve(t)
	demo.demo = true
	p := open(main.URL, test.URL)
	p.Environments = append(p.Environments, bybit.Environment{URL: demo.URL, Demo: true})
	c := main.Credential("old")
	known := main.Find("old")
	for _, f := range []*fake{main, test, demo} {
		f.Keys = nil
	}
	check := func(name string, want provider.State, code string) {
		t.Helper()
		if got := providertest.Probe(t, p, c); got.State != want || got.Code != code {
			t.Errorf("%s: %+v; want %s, %s", name, got, want, code)
		}
	}
	test.Add(known)
	test.From = "198.51.100.1"
	check("in the test net, from elsewhere", provider.Elsewhere, "10003; "+test.Addr()+" knows it")
	test.Keys = nil
	demo.Add(known)
	check("in the demo", provider.Elsewhere, "10003; "+demo.Addr()+" knows it")
	demo.Keys = nil
	test.Fault("/v5/account/info", say(200, "10006"))
	check("the test net is busy", provider.Unknown, "10003; "+test.Addr()+" could not tell")

	// Without a host, nobody has said which environment it is of.
	test.Answer = nil
	delete(c.Params, "host")
	demo.Add(known)
	check("no host, in the demo", provider.Alive, "0")
	demo.Keys = nil
	test.Add(known)
	known.Expires = time.Unix(1, 0)
	check("no host, expired", provider.Dead, "33004")
	known.Expires, known.Secret = time.Time{}, marked+"x"
	check("no host, another secret", provider.Unknown, "10004")
}

func TestClock(t *testing.T) { exchange.Clock(t, "10002") }

func TestIssue(t *testing.T) {
	add := func(rights ...string) func(*fakeKey) {
		return func(k *fakeKey) { k.Rights = append(k.Rights, rights...) }
	}
	exchange.Issue(t, map[string]func(*fakeKey){
		"read-only":      func(k *fakeKey) { k.Rights = []string{"Spot:SpotTrade", "Derivatives:DerivativesTrade"} },
		"any address":    func(k *fakeKey) { k.IPs = []string{"*"}; k.Expires = time.Now().Add(time.Hour) },
		"no addresses":   func(k *fakeKey) { k.IPs = nil; k.Expires = time.Now().Add(time.Hour) },
		"transfers":      add("Wallet:AccountTransfer", "Wallet:SubMemberTransferList"),
		"earns, changes": add("Earn:Earn", "Exchange:ExchangeHistory"),
	})
	exchange.IssueWithout(t, "BlockTrade:BlockTrade", "Derivatives:DerivativesTrade", "Spot:SpotTrade")
	exchange.IssueForRefused(t, "1001", func(k *fakeKey) { // which has expired
		k.Expires, k.Rights = time.Unix(1, 0), []string{"ContractTrade:Order", "ContractTrade:Position", "Derivatives:DerivativesTrade", "Spot:SpotTrade"}
	})
}

func TestIssueFaults(t *testing.T) {
	exchange.IssueFaults(t, providertest.Outcomes{
		provider.Forbidden: {"may not": say(200, "10005"), "address": say(200, "10010"), "not valid": say(200, "10003"), "signature": say(200, "10004")},
		provider.Refused:   {"parameter": say(200, "10001"), "not its sub-account": say(200, "500010"), "Europe": say(200, "81007")},
		provider.Busy:      {"too many": say(200, "10006"), "too many from here": providertest.Text(403, "<html>"+marked)},
		provider.Unclear: {
			"the server was too slow": say(200, "10000"), "the server failed": say(200, "10016"), "asked before": say(200, "10014"),
			"a code that is not documented": say(200, "4711"),
		},
		provider.Malformed: {
			"half":                     providertest.Text(200, `{"retCode":0,"result":{"secret":"`+marked),
			"no code":                  providertest.Text(200, `{"result":{"secret":"`+marked+`"}}`),
			"no result":                providertest.Text(200, `{"retCode":0}`),
			"an empty result":          providertest.Text(200, `{"retCode":0,"result":{}}`),
			"no secret":                providertest.Text(200, `{"retCode":0,"result":{"apiKey":"new","secret":""}}`),
			"the old one":              providertest.Text(200, `{"retCode":0,"result":{"apiKey":"old","secret":"`+marked+`"}}`),
			"a secret of another type": providertest.Text(200, `{"retCode":0,"result":{"apiKey":"new","secret":{"`+marked+`":1}}}`),
		},
	})
}

func TestReadsFirst(t *testing.T) {
	exchange.ReadsFirst(t, self, `{"retCode":0,"result":"`+marked+`"}`)

	f := serve(t)
	f.Drop("old")
	f.Fault(list, providertest.Text(200, "<html>"+marked))
	old := provider.Credential{ID: "old", Params: map[string]string{"host": f.URL, "subaccount": "1001"}}
	_, err := open(f.URL).Issue(t.Context(), f.Credential("master"), old, providertest.Lineage)
	providertest.Quiet(t, err, provider.Unreached)
}

func TestList(t *testing.T) {
	f := serve(t)
	for i := range 44 {
		k := &fakeKey{parent: "1000", Key: providertest.Key{ID: fmt.Sprint("k", i), Account: "1001", Label: fmt.Sprint("n", i)}}
		if i%2 == 1 {
			k.Rights = []string{"write"}
		}
		f.Add(k)
	}
	f.Add(&fakeKey{parent: "1000", Key: providertest.Key{ID: "of another", Account: "1002"}})
	exchange.Lists(t, f, 45, map[int]provider.Listed{
		0: {Created: time.Unix(1.7e9, 0).UTC(), Identity: provider.Identity{
			Account: "1001", ID: "old", Label: "bot", IPs: []string{"192.0.2.0", "192.0.2.1"},
			Scopes: []string{"ContractTrade:Order", "ContractTrade:Position", "Derivatives:DerivativesTrade", "Spot:SpotTrade", "write"},
		}},
		1:  {Identity: provider.Identity{Account: "1001", ID: "k0", Label: "n0"}},
		44: {Identity: provider.Identity{Account: "1001", ID: "k43", Label: "n43", Scopes: []string{"write"}}},
	}, `{"retCode":0,"result":{}}`, `{"retCode":0,"result":{"result":null,"nextPageCursor":""}}`, `{"retCode":0,"result":{"result":[],"nextPageCursor":"again"}}`)

	// Half of a list is none.
	p, admin, old := open(f.URL), f.Credential("master"), f.Credential("old")
	pages := 0
	f.Answer = func(w http.ResponseWriter, r *http.Request, _ func()) bool {
		if r.URL.Path != list {
			return false
		}
		if pages++; pages < 3 {
			return false
		}
		say(200, "10006")(w, nil)
		return true
	}
	_, err := p.List(t.Context(), admin, old)
	providertest.Quiet(t, err, provider.Busy)
	f.Answer = nil
	_, err = p.List(t.Context(), old, old)
	providertest.Quiet(t, err, provider.Forbidden)
}

func TestSubaccount(t *testing.T) {
	f := serve(t)
	p, admin, old := open(f.URL), f.Credential("master"), f.Credential("old")
	f.Drop("old")
	_, err := p.List(t.Context(), admin, old)
	if e := providertest.Quiet(t, err, provider.Incomplete); !strings.Contains(e.Hint, "subaccount") {
		t.Error(e.Hint)
	}
	old.Params["subaccount"] = "1001"
	if all, err := p.List(t.Context(), admin, old); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
	old.Params["subaccount"] = "mine"
	_, err = p.List(t.Context(), admin, old)
	providertest.Quiet(t, err, provider.Incomplete)
	_, err = p.List(t.Context(), admin, admin)
	providertest.Quiet(t, err, provider.Incomplete)
}

func TestPlan(t *testing.T) {
	type change = func(f *fake, master, old *fakeKey)
	exchange.Plan(t, "as it should be", func(*fake, *fakeKey, *fakeKey) {})
	exchange.Plan(t, "another right that is enough", func(_ *fake, m, _ *fakeKey) { m.Rights = []string{"Wallet:SubMemberTransfer", "write"} })
	exchange.Plan(t, "the master's key may withdraw", func(_ *fake, m, _ *fakeKey) { m.Rights = []string{"Wallet:Withdraw", "write"} }, "the master's key may withdraw")
	exchange.Plan(t, "no addresses", func(_ *fake, m, o *fakeKey) { m.IPs, o.IPs = nil, []string{"*"} }, "from any address", "90 days")
	exchange.Plan(t, "it ends", func(_ *fake, m, _ *fakeKey) { m.Expires = time.Date(2099, 1, 2, 0, 0, 0, 0, time.UTC) }, "ends on 2099-01-02")
	exchange.Plan(t, "an application's", func(_ *fake, _, o *fakeKey) { o.kind = 2 }, "application")
	exchange.Plan(t, "more than can be given", func(_ *fake, _, o *fakeKey) { o.Rights = append(o.Rights, "BlockTrade:BlockTrade") }, "without BlockTrade")
	exchange.Plan(t, "the old one may withdraw", func(_ *fake, _, o *fakeKey) { o.Rights = append(o.Rights, "Wallet:Withdraw") }, "the key may withdraw")
	exchange.NoPlan(t, map[provider.Kind]map[string]change{
		provider.Forbidden: {
			"no right":             func(_ *fake, m, _ *fakeKey) { m.Rights = []string{"Spot:SpotTrade", "write"} },
			"read-only":            func(_ *fake, m, _ *fakeKey) { m.Rights = []string{"Wallet:AccountTransfer"} },
			"not a master's":       func(_ *fake, m, _ *fakeKey) { m.master = false },
			"from another address": func(f *fake, _, _ *fakeKey) { f.From = "198.51.100.1" },
			"expired":              func(_ *fake, m, _ *fakeKey) { m.Expires = time.Unix(1, 0) },
		},
		provider.Refused: {
			"the old one is a master's": func(_ *fake, _, o *fakeKey) { o.master, o.parent = true, "0" },
			"of another master":         func(_ *fake, _, o *fakeKey) { o.parent = "2000" },
			"RSA":                       func(_ *fake, _, o *fakeKey) { o.rsa = "-----BEGIN PUBLIC KEY-----" },
			"nothing to give":           func(_ *fake, _, o *fakeKey) { o.Rights = []string{"Affiliate:Affiliate", "write"} },
		},
		provider.Busy: {"busy": func(f *fake, _, _ *fakeKey) { f.Fault(self, say(200, "10006")) }},
	})
	p := open()
	p.Environments = []bybit.Environment{{URL: "https://demo.example.com", Demo: true}}
	_, err := p.Plan(t.Context(), provider.Credential{}, provider.Credential{Params: map[string]string{"host": "https://demo.example.com/"}})
	providertest.Quiet(t, err, provider.Refused)
}

func TestRevoke(t *testing.T) { exchange.Revoke(t, provider.Forbidden) }

// Whoever holds a key can end it with itself, unless it has expired, which is not to be gone.
func TestRevokeByPossession(t *testing.T) {
	for id, other := range map[string]string{"old": "master", "master": "old"} {
		f := serve(t)
		k := f.Find("old")
		k.Rights = append(k.Rights, "Wallet:AccountTransfer")
		p, c := open(f.URL), f.Credential(id)
		for range 2 {
			if err := p.Revoke(t.Context(), c, c, provider.Credential{}); err != nil {
				t.Fatal(id, err)
			}
		}
		if f.There(id) || !f.There(other) {
			t.Errorf("%s: the wrong one is gone", id)
		}
	}
	f := serve(t)
	f.Find("old").Expires = time.Unix(1, 0)
	c := f.Credential("old")
	providertest.Quiet(t, open(f.URL).Revoke(t.Context(), c, c, provider.Credential{}), provider.Forbidden)
}

// That a key has expired does not mean that it was deleted.
func TestRevokeExpired(t *testing.T) {
	f := serve(t)
	f.Find("old").Expires = time.Unix(1, 0)
	f.Fault(remove, say(200, "10016"))
	admin, old := f.Credential("master"), f.Credential("old")
	providertest.Quiet(t, open(f.URL).Revoke(t.Context(), admin, old, provider.Credential{}), provider.Unclear)
	f.Drop("old")
	if err := open(f.URL).Revoke(t.Context(), admin, old, provider.Credential{}); err != nil {
		t.Error(err)
	}
}

func TestRevokeFaults(t *testing.T) {
	exchange.RevokeFaults(t, providertest.Outcomes{
		provider.Unclear:   {"the server failed": say(200, "10016"), "a code that is not documented": say(200, "4711")},
		provider.Forbidden: {"may not": say(200, "10005"), "not valid": say(200, "10003")},
		provider.Busy:      {"too many": say(200, "10006")},
	})
}

// A new key takes a while to be known, and a deleted one to be forgotten. The first is
// never said to be more than not yet known, the second never to be dead too early.
func TestPropagation(t *testing.T) {
	f := serve(t)
	f.slow = 3
	p, admin, old := open(f.URL), f.Credential("master"), f.Credential("old")
	next, err := p.Issue(t.Context(), admin, old, providertest.Lineage)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if got := providertest.Probe(t, p, next); got.State.Lives() {
			t.Errorf("%+v", got)
		}
	}
	if got := providertest.Probe(t, p, next); got.State != provider.Alive {
		t.Errorf("%+v", got)
	}
	if err := p.Revoke(t.Context(), admin, old, next); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if got := providertest.Probe(t, p, old); got.State != provider.Alive {
			t.Errorf("%+v", got)
		}
	}
	if got := providertest.Probe(t, p, old); got.State != provider.Dead {
		t.Errorf("%+v", got)
	}
}
