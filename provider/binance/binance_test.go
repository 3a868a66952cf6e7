package binance_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/binance"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/secret"
)

const (
	self  = "/sapi/v1/account/apiRestrictions"
	subs  = "/sapi/v1/sub-account/subAccountApi" // GET, POST and DELETE
	bound = subs + "/ipRestriction"
)

// open is the provider, with these as all environments that there are.
func open(urls ...string) *binance.Provider {
	p := binance.New(nil)
	p.Environments = nil
	for _, u := range urls {
		p.Environments = append(p.Environments, binance.Environment{URL: u})
	}
	return p
}

func say(status int, code string) providertest.Answer {
	return providertest.Text(status, fmt.Sprintf(`{"code":%s,"msg":"%s","secretKey":"%s"}`, code, marked, marked))
}

var exchange = providertest.Exchange[*fake, *fakeKey]{
	Start: serve, Admin: "master",
	Open: func(worlds ...string) providertest.Driver { return open(worlds...) },
	Another: func(f *fake, n int) provider.Credential {
		id := fmt.Sprint("test", n)
		f.Add(&fakeKey{Key: providertest.Key{ID: id, Secret: marked + id, Account: id + "@example.com", Rights: []string{"canTrade"}}})
		return f.Credential(id)
	},
	Self: "GET " + self, List: "GET " + subs, Create: "POST " + subs, Remove: "DELETE " + subs,
	Say: say, Good: "0",
	Like: func(old, next *fakeKey) bool { return old.restrict == next.restrict },
}

func TestConformance(t *testing.T) {
	exchange.Conformance(t, providertest.Subject{DeadCode: "-2008", WrongCode: "-1022", ByID: true})
}

// One is the example that Binance publishes; the others were recorded from its own SDK for
// Go: see testdata/sdk.
func TestSignatures(t *testing.T) {
	example := secret.New([]byte("NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP" + "1e3UZjInClVN65XAbvqqM6A7H5fATj0j"))
	const query = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
	if got := binance.Sign(example, query); got != "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71" {
		t.Error(got)
	}
	type request struct{ Method, Path, Query, Body string }
	for _, r := range providertest.Signed[request](t, 3) {
		query, sig, _ := strings.Cut(r.Query, "&signature=")
		if got := binance.Sign(secret.New([]byte("recorded-secret")), query); got != sig || r.Body != "" {
			t.Errorf("%s %s: %s, want %s", r.Method, r.Path, got, sig)
		}
	}
}

func TestVerify(t *testing.T) {
	f := serve(t)
	f.Add(&fakeKey{flags: []string{"enableWithdrawals"}, Key: providertest.Key{ID: "rich", Secret: marked}})
	exchange.Verify(t, f, map[string]provider.Identity{
		"old":  {ID: "old", Scopes: []string{"enableFutures", "enableReading", "enableSpotAndMarginTrading", "ipRestrict"}},
		"rich": {ID: "rich", Scopes: []string{"enableReading", "enableWithdrawals"}, Withdraw: true},
	})
	// From another address it says the same as of a key that does not exist, perhaps.
	p := open(f.URL)
	f.From = "198.51.100.1"
	if got := providertest.Probe(t, p, f.Credential("old")); got.State != provider.Unknown || got.Code != "-2015" {
		t.Errorf("%+v", got)
	}
	for _, body := range []string{`{}`, `{"ipRestrict":"` + marked + `"}`, `[]`, `"` + marked + `"`, "<html>" + marked} {
		f.Fault(self, providertest.Text(200, body))
		_, err := p.Verify(t.Context(), f.Credential("old"))
		providertest.Quiet(t, err, provider.Malformed)
	}
}

func TestRecognize(t *testing.T) {
	exchange.Recognizes(t, "binance-api-secret", "binance-client", "binance-key-and-secret")
}

func TestCodes(t *testing.T) {
	codes := map[provider.State][]string{
		provider.Dead:      {"-2008"}, // in all environments that there are, which is one here
		provider.Skewed:    {"-1021"},
		provider.Throttled: {"-1003", "-1008", "-1015"},
		provider.Unknown:   {"-1022", "-2014", "-2015", "-1002", "-1000", "-1001", "-1007", "-1020", "-1102", "-9000", "-4711"},
	}
	exchange.Codes(t, codes, 200, 400, 401, 418, 429)
	exchange.Statuses(t, map[int]provider.State{401: provider.Unknown, 403: provider.Throttled, 418: provider.Throttled, 429: provider.Throttled}, `{"code":"-2008"}`)
	// A server that failed may say whatever it likes.
	f := serve(t)
	for _, codes := range codes {
		for _, code := range codes {
			f.Fault(self, say(503, code))
			_, err := open(f.URL).Verify(t.Context(), f.Credential("old"))
			providertest.Quiet(t, err, provider.Unclear)
		}
	}
}

func TestEnvironments(t *testing.T) {
	exchange.Worlds(t, "-2008")

	main, test := serve(t), serve(t)
	test.test = true
	p := open(main.URL)
	p.Environments = append(p.Environments, binance.Environment{URL: test.URL, Test: true})
	c := main.Credential("old")
	main.Drop("old")
	check := func(name string, want provider.State, code string) {
		t.Helper()
		if got := providertest.Probe(t, p, c); got.State != want || got.Code != code {
			t.Errorf("%s: %+v; want %s, %s", name, got, want, code)
		}
	}
	check("in the test net", provider.Elsewhere, "-2008; "+test.Addr()+" knows it")
	test.From = "198.51.100.1"
	check("in the test net, from elsewhere", provider.Unknown, "-2008; "+test.Addr()+" could not tell")
	test.From = "192.0.2.1"
	delete(c.Params, "host")
	check("no host, in the test net", provider.Alive, "0")
	c.Params["host"] = test.URL
	check("in the test net, as it says", provider.Alive, "0")
	_, err := p.Plan(t.Context(), c, c)
	providertest.Quiet(t, err, provider.Refused)
}

func TestClock(t *testing.T) { exchange.Clock(t, "-1021") }

func TestIssue(t *testing.T) {
	exchange.Issue(t, map[string]func(*fakeKey){
		"reads":       func(k *fakeKey) { k.Rights = nil },
		"any address": func(k *fakeKey) { k.IPs, k.restrict = nil, false },
		"all": func(k *fakeKey) {
			k.Rights = []string{"canTrade", "canMarginLoanRepay", "canFuturesTrade", "canUniversalTransfer", "canVanillaOptions"}
		},
	})
	exchange.IssueRefused(t, map[string]func(f *fake, old *fakeKey){
		"gone":                       func(f *fake, _ *fakeKey) { f.Drop("old") },
		"of another":                 func(_ *fake, o *fakeKey) { o.Account = "c@example.com" },
		"a service's addresses":      func(_ *fake, o *fakeKey) { o.IPs = nil },
		"more addresses than it can": func(_ *fake, o *fakeKey) { o.IPs = slices.Repeat([]string{"192.0.2.111"}, 50) },
	})
}

func TestIssueWithoutEmail(t *testing.T) {
	f := serve(t)
	old := f.Credential("old")
	delete(old.Params, "email")
	_, err := open(f.URL).Issue(t.Context(), f.Credential("master"), old, providertest.Lineage)
	if e := providertest.Quiet(t, err, provider.Incomplete); !strings.Contains(e.Hint, "email") {
		t.Errorf("%+v", e)
	}
}

func TestIssueFaults(t *testing.T) {
	exchange.IssueFaults(t, providertest.Outcomes{
		provider.Forbidden: {"may not, or the address": say(401, "-2015"), "not known": say(401, "-2008"), "signature": say(400, "-1022")},
		provider.Refused:   {"parameter": say(400, "-1102"), "not supported": say(400, "-9000"), "clock": say(400, "-1021")},
		provider.Busy:      {"too many": say(429, "-1003"), "banned for a while": providertest.Text(418, "")},
		provider.Unclear: {
			"timeout": say(400, "-1007"), "busy, says a server that failed": say(503, "-1008"), "a code that is not documented": say(400, "-4711"),
		},
		provider.Malformed: {
			"half":                     providertest.Text(200, `{"secretKey":"`+marked),
			"nothing in it":            providertest.Text(200, `{}`),
			"no secret":                providertest.Text(200, `{"apiKey":"new","secretKey":""}`),
			"the old one":              providertest.Text(200, `{"apiKey":"old","secretKey":"`+marked+`"}`),
			"a secret of another type": providertest.Text(200, `{"apiKey":"new","secretKey":{"`+marked+`":1}}`),
		},
	})
}

func TestReadsFirst(t *testing.T) {
	for _, call := range []string{"GET " + subs, bound} {
		exchange.ReadsFirst(t, call, `{}`, `"`+marked+`"`)
	}
}

func TestList(t *testing.T) {
	f := serve(t)
	for i := range 204 {
		f.Add(&fakeKey{Key: providertest.Key{ID: fmt.Sprint("k", i), Account: sub, Label: fmt.Sprint("n", i), Created: time.UnixMilli(int64(i))}})
	}
	f.Add(&fakeKey{Key: providertest.Key{ID: "of another", Account: "c@example.com"}})
	exchange.Lists(t, f, 205, map[int]provider.Listed{
		0:   {Identity: provider.Identity{ID: "old", Label: "bot", Scopes: []string{"canFuturesTrade", "canTrade"}}, Created: time.UnixMilli(1700000000123).UTC()},
		204: {Identity: provider.Identity{ID: "k203", Label: "n203"}, Created: time.UnixMilli(203).UTC()},
	}, `{}`, `{"total":1}`, `{"rows":[]}`, `{"total":2,"rows":[]}`, `{"total":0,"rows":[{"apikey":"x"}]}`, `{"total":1,"rows":[{"apiName":"x"}]}`)

	p, admin, old := open(f.URL), f.Credential("master"), f.Credential("old")
	before := f.Count("GET " + subs)
	if _, err := p.List(t.Context(), admin, old); err != nil || f.Count("GET "+subs)-before != 3 {
		t.Errorf("%d pages, %v", f.Count("GET "+subs)-before, err)
	}
	_, err := p.List(t.Context(), old, old)
	providertest.Quiet(t, err, provider.Forbidden)
	_, err = p.List(t.Context(), admin, admin)
	providertest.Quiet(t, err, provider.Incomplete)
}

func TestPlan(t *testing.T) {
	type change = func(f *fake, master, old *fakeKey)
	exchange.Plan(t, "as it should be", func(*fake, *fakeKey, *fakeKey) {})
	exchange.Plan(t, "the master's key may withdraw", func(_ *fake, m, _ *fakeKey) { m.flags = []string{"enableWithdrawals"} }, "the master's key may withdraw")
	exchange.Plan(t, "no addresses", func(_ *fake, m, o *fakeKey) { m.restrict, o.restrict, o.IPs = false, false, nil }, "the master's key may be used from any", "and so may the new one")
	exchange.Plan(t, "more than can be given", func(_ *fake, _, o *fakeKey) { o.flags = []string{"enableFixApiTrade", "enableWithdrawals"} }, "without enableFixApiTrade", "without enableWithdrawals")
	exchange.Plan(t, "the old one is refused here", func(_ *fake, _, o *fakeKey) { o.IPs = []string{"198.51.100.7"} })
	exchange.NoPlan(t, map[provider.Kind]map[string]change{
		provider.Forbidden: {
			"no right":             func(_ *fake, m, _ *fakeKey) { m.Rights = nil },
			"not a master's":       func(_ *fake, m, _ *fakeKey) { m.Account = sub },
			"from another address": func(f *fake, _, _ *fakeKey) { f.From = "198.51.100.1" },
		},
		provider.Refused: {"not of this master's": func(_ *fake, _, o *fakeKey) { o.Account = "c@example.com" }},
		provider.Busy: {
			"the list is busy": func(f *fake, _, _ *fakeKey) { f.Fault(subs, say(429, "-1003")) },
			"the key is busy":  func(f *fake, _, _ *fakeKey) { f.Fault(self, say(429, "-1003")) },
		},
		provider.Unreached: {"not about a key": func(f *fake, _, _ *fakeKey) { f.Fault(self, providertest.Text(200, "{}")) }},
	})
}

func TestRevoke(t *testing.T) {
	exchange.Revoke(t, provider.Refused)

	f := serve(t)
	orphan := provider.Credential{ID: "old", Params: map[string]string{"host": f.URL}}
	providertest.Quiet(t, open(f.URL).Revoke(t.Context(), f.Credential("master"), orphan, provider.Credential{}), provider.Incomplete)
	// Which sub-account it is of, the other one says.
	if err := open(f.URL).Revoke(t.Context(), f.Credential("master"), orphan, provider.Credential{ID: "other", Params: map[string]string{"email": sub}}); err != nil || f.There("old") {
		t.Error(err)
	}
}

// Where the sub-account is the wrong one, a key that is not listed is not gone, and neither
// is one of which it is not known.
func TestRevokeElsewhere(t *testing.T) {
	f := serve(t)
	admin, old := f.Credential("master"), f.Credential("old")
	old.Params["email"] = "c@example.com"
	providertest.Quiet(t, open(f.URL).Revoke(t.Context(), admin, old, provider.Credential{}), provider.Unclear)
	f.Fault(self, say(429, "-1003"))
	providertest.Quiet(t, open(f.URL).Revoke(t.Context(), admin, old, provider.Credential{}), provider.Unclear)
	if !f.There("old") {
		t.Error("it is gone")
	}
}

func TestRevokeFaults(t *testing.T) {
	exchange.RevokeFaults(t, providertest.Outcomes{
		provider.Unclear:   {"timeout": say(400, "-1007"), "a code that is not documented": say(400, "-4711")},
		provider.Forbidden: {"may not": say(401, "-2015"), "not known": say(401, "-2008")},
		provider.Busy:      {"too many": say(429, "-1003")},
	})
}
