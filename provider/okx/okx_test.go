package okx_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/okx"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/secret"
)

const (
	config = "/api/v5/account/config"
	create = "/api/v5/users/subaccount/apikey" // and, to GET, the list
	remove = "/api/v5/users/subaccount/delete-apikey"
)

// open is the provider, with these as all worlds that there are.
func open(urls ...string) *okx.Provider {
	p := okx.New(nil)
	p.Worlds = urls
	return p
}

func say(status int, code string) providertest.Answer {
	return providertest.Text(status, fmt.Sprintf(`{"code":"%s","msg":"%s","data":[{"secretKey":"%s"}]}`, code, marked, marked))
}

var exchange = providertest.Exchange[*fake, *fakeKey]{
	Start: serve, Admin: "master",
	Open: func(worlds ...string) providertest.Driver { return open(worlds...) },
	Another: func(f *fake, n int) provider.Credential {
		id, sub, uid := fmt.Sprint("test", n), fmt.Sprint("subtest", n), fmt.Sprint(2000+n)
		f.subs = append(f.subs, fakeSub{sub, uid, int64(n)})
		f.Add(&fakeKey{Key: providertest.Key{ID: id, Secret: marked + id, Phrase: marked + "p" + id, Account: uid, Rights: []string{"read_only", "trade"}}})
		c := f.Credential(id)
		c.Params["subaccount"] = sub
		return c
	},
	Self: "GET " + config, List: "GET " + create, Create: "POST " + create, Remove: "POST " + remove,
	Say: say, Good: "0",
	Like: func(old, next *fakeKey) bool { return old.demo == next.demo },
}

func TestConformance(t *testing.T) {
	exchange.Conformance(t, providertest.Subject{DeadCode: "50119", WrongCodes: map[string]string{"secret": "50113", "passphrase": "50105"}, ByID: true})
}

// The requests were recorded from OKX's own SDK for Python: see testdata/sdk.
func TestSignatures(t *testing.T) {
	type request struct{ Method, Path, Body, Timestamp, Sign string }
	for _, r := range providertest.Signed[request](t, 4) {
		if got := okx.Sign(secret.New([]byte("recorded-secret")), r.Timestamp, r.Method, r.Path, []byte(r.Body)); got != r.Sign {
			t.Errorf("%s %s: %s, want %s", r.Method, r.Path, got, r.Sign)
		}
	}
}

func TestVerify(t *testing.T) {
	f := serve(t)
	f.Add(&fakeKey{Key: providertest.Key{ID: "rich", Secret: marked, Phrase: marked, Account: "1000", Rights: []string{"read_only", "withdraw", "trade"}}})
	exchange.Verify(t, f, map[string]provider.Identity{
		"old":  {Account: "1001", ID: "old", Label: "bot", Scopes: []string{"read_only", "trade"}, IPs: []string{"192.0.2.0", "192.0.2.1"}},
		"rich": {Account: "1000", ID: "rich", Scopes: []string{"read_only", "trade", "withdraw"}, Withdraw: true},
	})
	for _, data := range []string{`[]`, `[{}]`, `[{"uid":1}]`, `{}`} {
		f.Fault(config, providertest.Text(200, `{"code":"0","data":`+data+`}`))
		_, err := open(f.URL).Verify(t.Context(), f.Credential("old"))
		providertest.Quiet(t, err, provider.Malformed)
	}
}

func TestCodes(t *testing.T) {
	exchange.Codes(t, map[provider.State][]string{
		provider.Dead:      {"50111", "50119"}, // in all worlds that there are, which is one here
		provider.Skewed:    {"50102", "50112"},
		provider.Elsewhere: {"50101"},
		provider.Narrow:    {"50030", "50114", "50120", "50035", "59500"},
		provider.Throttled: {"50011", "50013", "50040"},
		provider.Blocked:   {"50110", "50121"},
		provider.Unknown:   {"50105", "50113", "50007", "50100", "50051", "50060", "1", "50001", "50004", "50026", "59506", "4711", marked},
	}, 200, 401, 429, 500)
	exchange.Statuses(t, map[int]provider.State{401: provider.Unknown, 403: provider.Unknown, 429: provider.Throttled}, `{"code":50119}`)
}

func TestClock(t *testing.T) { exchange.Clock(t, "50102") }

func TestWorlds(t *testing.T) {
	exchange.Worlds(t, "50119")

	home, other := serve(t), serve(t)
	p, c := open(home.URL, other.URL), home.Credential("old")
	home.Drop("old")
	knows := func(name string) {
		t.Helper()
		if got := providertest.Probe(t, p, c); got.State != provider.Elsewhere || got.Code != "50119; "+other.Addr()+" knows it" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	other.From = "198.51.100.1"
	knows("from another address")
	other.Find("old").demo = true
	knows("in demo trading")
}

func TestDemo(t *testing.T) {
	f := serve(t)
	f.Find("master").demo, f.Find("old").demo = true, true
	p, admin, old := open(f.URL), f.Credential("master"), f.Credential("old")
	if got := providertest.Probe(t, p, old); got.State != provider.Elsewhere || got.Code != "50101" {
		t.Errorf("%+v", got)
	}
	_, err := p.Plan(t.Context(), admin, old)
	if e := providertest.Quiet(t, err, provider.Forbidden); !strings.Contains(e.Hint, "demo") {
		t.Errorf("%+v", e)
	}
	old.Params["demo"] = "yes"
	if got := providertest.Probe(t, p, old); got.State != provider.Alive {
		t.Errorf("%+v", got)
	}
	if plan, err := p.Plan(t.Context(), admin, old); err != nil || len(plan.Notes) != 1 {
		t.Errorf("%+v, %v", plan, err)
	}
	if _, err := p.Issue(t.Context(), admin, old, providertest.Lineage); err != nil || !f.Find("new1").demo {
		t.Error(err)
	}
}

func TestIssue(t *testing.T) {
	exchange.Issue(t, map[string]func(*fakeKey){
		"read-only":   func(k *fakeKey) { k.Rights = []string{"read_only"} },
		"any address": func(k *fakeKey) { k.IPs = nil },
	})
	exchange.IssueWithout(t, "withdraw", "read_only")
	exchange.IssueForRefused(t, "subone", func(k *fakeKey) { k.IPs = []string{"198.51.100.7"} })
}

func TestIssueFaults(t *testing.T) {
	exchange.IssueFaults(t, providertest.Outcomes{
		provider.Forbidden: {
			"may not": say(200, "50120"), "not a master's": say(200, "59500"), "not bound to addresses": say(403, "50035"),
			"address": say(401, "50110"), "not known": say(200, "50119"), "signature": say(401, "50113"),
		},
		provider.NoSlot: {"full": say(200, "59501")},
		provider.Refused: {
			"the label is taken": say(200, "59502"), "passphrase": say(200, "59505"), "demo": say(200, "50038"), "parameter": say(400, "50014"),
		},
		provider.Busy: {"too many": say(429, "50011")},
		provider.Unclear: {
			"failed": say(200, "1"), "the server was too slow": say(400, "50004"), "the server failed": say(500, "50026"),
			"unavailable": say(503, "50001"), "a code that is not documented": say(200, "4711"), "a word for a code": say(200, marked),
		},
		provider.Malformed: {
			"half":                     providertest.Text(200, `{"code":"0","data":[{"secretKey":"`+marked),
			"no code":                  providertest.Text(200, `{"data":[{"secretKey":"`+marked+`"}]}`),
			"no data":                  providertest.Text(200, `{"code":"0"}`),
			"empty data":               providertest.Text(200, `{"code":"0","data":[]}`),
			"no secret":                providertest.Text(200, `{"code":"0","data":[{"apiKey":"new","secretKey":""}]}`),
			"the old one":              providertest.Text(200, `{"code":"0","data":[{"apiKey":"old","secretKey":"`+marked+`"}]}`),
			"a secret of another type": providertest.Text(200, `{"code":"0","data":[{"apiKey":"new","secretKey":{"`+marked+`":1}}]}`),
		},
	})
}

func TestReadsFirst(t *testing.T) {
	exchange.ReadsFirst(t, config, `{"code":"0","data":"`+marked+`"}`, `{"code":"0","data":[]}`)
	exchange.ReadsFirst(t, "/api/v5/users/subaccount/list", `{"code":"0","data":"`+marked+`"}`)
}

func TestList(t *testing.T) {
	f := serve(t)
	f.Add(
		&fakeKey{Key: providertest.Key{ID: "of another", Account: "1002"}},
		&fakeKey{Key: providertest.Key{ID: "k1", Account: "1001", Label: "n1", Rights: []string{"read_only"}, Created: time.UnixMilli(1)}},
	)
	exchange.Lists(t, f, 2, map[int]provider.Listed{
		0: {Identity: provider.Identity{ID: "old", Label: "bot", Scopes: []string{"read_only", "trade"}, IPs: []string{"192.0.2.0", "192.0.2.1"}}, Created: time.UnixMilli(1700000000123).UTC()},
		1: {Identity: provider.Identity{ID: "k1", Label: "n1", Scopes: []string{"read_only"}}, Created: time.UnixMilli(1).UTC()},
	}, `{"code":"0"}`, `{"code":"0","data":null}`, `{"code":"0","data":[{"label":"x"}]}`, `{"code":"0","data":{}}`)
	old := f.Credential("old")
	old.Params["subaccount"] = "subone"
	_, err := open(f.URL).List(t.Context(), old, old)
	providertest.Quiet(t, err, provider.Forbidden)
}

// The name of a sub-account is looked for on all pages.
func TestSubaccount(t *testing.T) {
	f := serve(t)
	for i := range 250 {
		f.subs = append(f.subs, fakeSub{fmt.Sprint("more", i), fmt.Sprint(3000 + i), 1700000000001 + int64(i)})
	}
	p, admin, old := open(f.URL), f.Credential("master"), f.Credential("old")
	if all, err := p.List(t.Context(), admin, old); err != nil || len(all) != 1 {
		t.Errorf("%v, %v", all, err)
	}
	if n := f.Count("GET /api/v5/users/subaccount/list"); n != 3 {
		t.Errorf("%d pages", n)
	}
	f.subs = f.subs[1:]
	_, err := p.List(t.Context(), admin, old)
	providertest.Quiet(t, err, provider.Refused)
	_, err = p.List(t.Context(), admin, admin)
	providertest.Quiet(t, err, provider.Incomplete)
	f.Drop("old")
	_, err = p.List(t.Context(), admin, old)
	if e := providertest.Quiet(t, err, provider.Incomplete); !strings.Contains(e.Hint, "subaccount") {
		t.Error(e.Hint)
	}
}

func TestPlan(t *testing.T) {
	type change = func(f *fake, master, old *fakeKey)
	exchange.Plan(t, "as it should be", func(*fake, *fakeKey, *fakeKey) {})
	exchange.Plan(t, "the master's key may withdraw", func(_ *fake, m, _ *fakeKey) { m.Rights = append(m.Rights, "withdraw") }, "the master's key may withdraw")
	exchange.Plan(t, "no addresses", func(_ *fake, _, o *fakeKey) { o.IPs = nil }, "14 days")
	exchange.Plan(t, "no addresses, read-only", func(_ *fake, _, o *fakeKey) { o.IPs, o.Rights = nil, []string{"read_only"} })
	exchange.NoPlan(t, map[provider.Kind]map[string]change{
		provider.Forbidden: {
			"no right":               func(_ *fake, m, _ *fakeKey) { m.Rights = []string{"read_only"} },
			"not bound to addresses": func(_ *fake, m, _ *fakeKey) { m.IPs = nil },
			"not a master's":         func(_ *fake, m, _ *fakeKey) { m.Account = "1001" },
			"from another address":   func(f *fake, _, _ *fakeKey) { f.From = "198.51.100.1" },
		},
		provider.Refused: {"the old one is a master's": func(_ *fake, _, o *fakeKey) { o.Account = "1000" }},
		provider.NoSlot: {"full": func(f *fake, _, _ *fakeKey) {
			for i := range 49 {
				f.Add(&fakeKey{Key: providertest.Key{ID: fmt.Sprint("k", i), Account: "1001"}})
			}
		}},
		provider.Busy:      {"busy": func(f *fake, _, _ *fakeKey) { f.Fault(config, say(429, "50011")) }},
		provider.Unreached: {"no list": func(f *fake, _, _ *fakeKey) { f.Fault(create, providertest.Text(500, marked)) }},
	})
}

// A sub-account is one of the master account that it says that it is of.
func TestPlanForAnothersKey(t *testing.T) {
	for main, kind := range map[string]provider.Kind{"1": "", "2": provider.Refused} {
		f := serve(t)
		uid, of := "1", "1"
		f.Fault(config, func(w http.ResponseWriter, _ func()) { // the first is the master's, the second a sub-account's
			providertest.Text(200, fmt.Sprintf(`{"code":"0","data":[{"uid":"%s","mainUid":"%s","perm":"trade","ip":"192.0.2.1"}]}`, uid, of))(w, nil)
			uid, of = "3", main
		})
		admin, old := f.Credential("master"), f.Credential("old")
		old.Params["subaccount"] = "subone"
		if _, err := open(f.URL).Plan(t.Context(), admin, old); kind != "" {
			providertest.Quiet(t, err, kind)
		} else if err != nil {
			t.Error(err)
		}
	}
}

func TestRevoke(t *testing.T) { exchange.Revoke(t, provider.Refused) }

// Of an orphan, where nobody says which sub-account it is of, nothing is known.
func TestRevokeNowhere(t *testing.T) {
	f := serve(t)
	orphan := provider.Credential{ID: "old", Params: map[string]string{"host": f.URL}}
	providertest.Quiet(t, open(f.URL).Revoke(t.Context(), f.Credential("master"), orphan, provider.Credential{}), provider.Incomplete)
}

// Where the name of the sub-account is wrong, a key that is not listed is not gone.
func TestRevokeElsewhere(t *testing.T) {
	f := serve(t)
	f.subs = append(f.subs, fakeSub{"subtwo", "1002", 1})
	admin, old := f.Credential("master"), f.Credential("old")
	old.Params["subaccount"] = "subtwo"
	providertest.Quiet(t, open(f.URL).Revoke(t.Context(), admin, old, provider.Credential{}), provider.Refused)
	old.Params["subaccount"] = "nobody"
	providertest.Quiet(t, open(f.URL).Revoke(t.Context(), admin, old, provider.Credential{}), provider.Refused)
	if !f.There("old") {
		t.Error("it is gone")
	}
}

func TestRevokeFaults(t *testing.T) {
	exchange.RevokeFaults(t, providertest.Outcomes{
		provider.Unclear:   {"the server failed": say(500, "50026"), "a code that is not documented": say(200, "4711")},
		provider.Malformed: {"no data": providertest.Text(200, `{"code":"0"}`)},
		provider.Forbidden: {"may not": say(200, "50120"), "not known": say(200, "50119")},
		provider.Busy:      {"too many": say(429, "50011")},
	})
}

func TestRecognize(t *testing.T) {
	exchange.Recognize(t, "okx-api-secret", "50105", "50119 wherever it was asked")
}
