package kucoin_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/kucoin"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/secret"
)

const (
	self = "/api/v1/user/api-key"
	subs = "/api/v1/sub/api-key" // GET, POST and DELETE
)

func say(status int, code string) providertest.Answer {
	return providertest.Text(status, fmt.Sprintf(`{"code":"%s","msg":"%s","data":{"apiSecret":"%s"}}`, code, marked, marked))
}

var exchange = providertest.Exchange[*fake, *fakeKey]{
	Start: serve, Admin: "master",
	Open: func(worlds ...string) providertest.Driver {
		p := kucoin.New(nil)
		if len(worlds) > 0 { // there is but one
			p.Host = worlds[0]
		}
		return p
	},
	Another: func(f *fake, n int) provider.Credential {
		id, sub := fmt.Sprint("test", n), fmt.Sprint("subtest", n)
		f.Add(&fakeKey{uid: int64(2000 + n), Key: providertest.Key{ID: id, Secret: marked + id, Phrase: marked + "p" + id, Account: sub, Rights: []string{"General", "Spot"}}})
		c := f.Credential(id)
		c.Params["subaccount"] = sub
		return c
	},
	Self: "GET " + self, List: "GET " + subs, Create: "POST " + subs, Remove: "DELETE " + subs,
	Say: say, Good: "200000",
	Like: func(old, next *fakeKey) bool { return old.expire == next.expire && old.uid == next.uid },
}

func TestConformance(t *testing.T) {
	exchange.Conformance(t, providertest.Subject{DeadCode: "400003", WrongCodes: map[string]string{"secret": "400005", "passphrase": "400004"}})
}

// The requests were recorded from KuCoin's own SDK for Go: see testdata/sdk. What is signed
// of a query is the text before it was encoded.
func TestSignatures(t *testing.T) {
	type request struct{ Method, URI, Body, Timestamp, Sign, Passphrase string }
	key := secret.New([]byte("recorded-secret"))
	for _, r := range providertest.Signed[request](t, 4) {
		uri, err := url.QueryUnescape(r.URI)
		if err != nil {
			t.Fatal(err)
		}
		if got := kucoin.Sign(key, []byte(r.Timestamp+r.Method+uri+r.Body)); got != r.Sign {
			t.Errorf("%s %s: %s, want %s", r.Method, r.URI, got, r.Sign)
		}
		if got := kucoin.Sign(key, []byte("recorded-phrase")); got != r.Passphrase {
			t.Errorf("the passphrase: %s, want %s", got, r.Passphrase)
		}
	}
}

func TestVerify(t *testing.T) {
	f := serve(t)
	f.Add(&fakeKey{uid: 1000, Key: providertest.Key{ID: "rich", Secret: marked, Phrase: marked, Rights: []string{"General", "Transfer"}}})
	exchange.Verify(t, f, map[string]provider.Identity{
		"old":  {Account: "1001", ID: "old", Label: "bot", Scopes: []string{"General", "Spot"}, IPs: []string{"192.0.2.0", "192.0.2.1"}},
		"rich": {Account: "1000", ID: "rich", Scopes: []string{"General", "Transfer"}, Withdraw: true},
	})
	// Nobody has said that it is of this host.
	p, c := exchange.Open(f.URL), f.Credential("old")
	delete(c.Params, "host")
	f.Drop("old")
	if got := providertest.Probe(t, p, c); got.State != provider.Unknown || got.Code != "400003" {
		t.Errorf("%+v", got)
	}
	f.Fault(self, providertest.Text(200, `{"code":"200000","data":{"apiKey":"another","remark":"`+marked+`"}}`))
	_, err := p.Verify(t.Context(), c)
	providertest.Quiet(t, err, provider.Malformed)
}

func TestCodes(t *testing.T) {
	exchange.Codes(t, map[provider.State][]string{
		provider.Dead:      {"400003"},
		provider.Skewed:    {"400002"},
		provider.Narrow:    {"400007", "400010"},
		provider.Throttled: {"429000"},
		provider.Blocked:   {"400006"},
		provider.Unknown:   {"400004", "400005", "400008", "400009", "400301", "411100", "400001", "400100", "404000", "500000", "4711", marked},
	}, 200, 400, 401, 429, 500)
	exchange.Statuses(t, map[int]provider.State{401: provider.Unknown, 403: provider.Unknown, 429: provider.Throttled}, `{"code":400003}`)
}

func TestClock(t *testing.T) { exchange.Clock(t, "400002") }

func TestIssue(t *testing.T) {
	exchange.Issue(t, map[string]func(*fakeKey){
		"reads":       func(k *fakeKey) { k.Rights = []string{"General"} },
		"any address": func(k *fakeKey) { k.IPs = nil },
		"transfers":   func(k *fakeKey) { k.Rights = []string{"General", "InnerTransfer", "Margin", "Futures"} },
	})
	exchange.IssueWithout(t, " Transfer", "General") // with a space before it
	exchange.IssueForRefused(t, "subone", func(k *fakeKey) { k.IPs = []string{"198.51.100.7"} })
}

func TestIssueValidDays(t *testing.T) {
	f := serve(t)
	p, admin, old := kucoin.New(nil), f.Credential("master"), f.Credential("old")
	old.Params["valid_days"] = "90"
	if _, err := p.Issue(t.Context(), admin, old, providertest.Lineage); err != nil || f.Find("new1").expire != "90" {
		t.Error(err)
	}
	if plan, err := p.Plan(t.Context(), admin, old); err != nil || len(plan.Notes) != 0 {
		t.Errorf("%+v, %v", plan, err)
	}
	old.Params["valid_days"] = "91"
	_, err := p.Issue(t.Context(), admin, old, providertest.Lineage)
	providertest.Quiet(t, err, provider.Incomplete)
	_, err = p.Plan(t.Context(), admin, old)
	providertest.Quiet(t, err, provider.Incomplete)
}

// TestOlderLabel: a key that an older version issued and lost has the passphrase that its
// label says.
func TestOlderLabel(t *testing.T) {
	f := serve(t)
	p, admin, old := kucoin.New(nil), f.Credential("master"), f.Credential("old")
	if _, err := p.Issue(t.Context(), admin, old, provider.Lineage{Rotation: "20260102-0123abcd"}); err != nil {
		t.Fatal(err)
	}
	f.Find("new1").Label = "keyw-20260102-0123abcd"
	if err := p.Revoke(t.Context(), admin, provider.Credential{ID: "new1", Params: old.Params}, old); err != nil || f.Find("new1") != nil {
		t.Errorf("%v, it is there: %v", err, f.Find("new1") != nil)
	}
}

func TestIssueFaults(t *testing.T) {
	exchange.IssueFaults(t, providertest.Outcomes{
		provider.Forbidden: {
			"may not": say(200, "400007"), "address": say(200, "400006"), "not known": say(401, "400003"), "signature": say(401, "400005"), "region": say(200, "400301"),
		},
		provider.Refused: {"parameter": say(200, "400100")},
		provider.Busy:    {"too many": say(429, "429000")},
		provider.Unclear: {"the server failed": say(500, "500000"), "a code that is not documented": say(200, "4711"), "a word for a code": say(200, marked)},
		provider.Malformed: {
			"half":                     providertest.Text(200, `{"code":"200000","data":{"apiSecret":"`+marked),
			"no code":                  providertest.Text(200, `{"data":{"apiSecret":"`+marked+`"}}`),
			"no data":                  providertest.Text(200, `{"code":"200000"}`),
			"empty data":               providertest.Text(200, `{"code":"200000","data":{}}`),
			"no secret":                providertest.Text(200, `{"code":"200000","data":{"apiKey":"new","apiSecret":""}}`),
			"the old one":              providertest.Text(200, `{"code":"200000","data":{"apiKey":"old","apiSecret":"`+marked+`"}}`),
			"a secret of another type": providertest.Text(200, `{"code":"200000","data":{"apiKey":"new","apiSecret":{"`+marked+`":1}}}`),
		},
	})
}

func TestReadsFirst(t *testing.T) {
	exchange.ReadsFirst(t, self, `{"code":"200000","data":"`+marked+`"}`, `{"code":"200000","data":{"apiKey":"another"}}`)
}

func TestList(t *testing.T) {
	f := serve(t)
	f.Add(
		&fakeKey{Key: providertest.Key{ID: "of another", Account: "subtwo"}},
		&fakeKey{Key: providertest.Key{ID: "k1", Account: "subone", Label: "n1", Rights: []string{"General"}}},
	)
	exchange.Lists(t, f, 2, map[int]provider.Listed{
		0: {Identity: provider.Identity{Account: "1001", ID: "old", Label: "bot", Scopes: []string{"General", "Spot"}, IPs: []string{"192.0.2.0", "192.0.2.1"}}, Created: time.UnixMilli(1700000000123).UTC()},
		1: {Identity: provider.Identity{ID: "k1", Label: "n1", Scopes: []string{"General"}}},
	}, `{"code":"200000"}`, `{"code":"200000","data":null}`, `{"code":"200000","data":[{"remark":"x"}]}`, `{"code":"200000","data":{}}`)
	p, admin, old := kucoin.New(nil), f.Credential("master"), f.Credential("old")
	_, err := p.List(t.Context(), old, old)
	providertest.Quiet(t, err, provider.Forbidden)
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
	exchange.Plan(t, "as it should be", func(*fake, *fakeKey, *fakeKey) {}, "does not end")
	exchange.Plan(t, "the master's key may withdraw", func(_ *fake, m, _ *fakeKey) { m.Rights = append(m.Rights, "Transfer") }, "the master's key may withdraw", "does not end")
	exchange.Plan(t, "the master's key from anywhere", func(_ *fake, m, _ *fakeKey) { m.IPs = nil }, "any address", "does not end")
	exchange.NoPlan(t, map[provider.Kind]map[string]change{
		provider.Forbidden: {
			"no right":             func(_ *fake, m, _ *fakeKey) { m.Rights = []string{"Spot"} },
			"not a master's":       func(_ *fake, m, _ *fakeKey) { m.Account = "subone" },
			"from another address": func(f *fake, _, _ *fakeKey) { f.From = "198.51.100.1" },
		},
		provider.Refused: {
			"the old one is a master's": func(_ *fake, _, o *fakeKey) { o.Account = "" },
			"of another master":         func(f *fake, _, _ *fakeKey) { f.Fault(subs, providertest.Text(200, `{"code":"200000","data":[]}`)) },
			"nothing to give":           func(_ *fake, _, o *fakeKey) { o.Rights = []string{"Earn"} },
		},
		provider.Busy:      {"busy": func(f *fake, _, _ *fakeKey) { f.Fault(self, say(429, "429000")) }},
		provider.Unreached: {"no list": func(f *fake, _, _ *fakeKey) { f.Fault(subs, providertest.Text(500, marked)) }},
	})
}

func TestRevoke(t *testing.T) {
	exchange.Revoke(t, provider.Refused)

	// Whose passphrase nobody knows, and was not made here.
	f := serve(t)
	c := provider.Credential{ID: "old", Params: map[string]string{"host": f.URL, "subaccount": "subone"}}
	err := kucoin.New(nil).Revoke(t.Context(), f.Credential("master"), c, provider.Credential{})
	if e := providertest.Quiet(t, err, provider.Incomplete); e.Hint == "" || !f.There("old") {
		t.Errorf("%+v", e)
	}
}

// With another key of the master account, the passphrase of one that was lost is another.
func TestRevokeOrphanOfAnotherKey(t *testing.T) {
	f := serve(t)
	f.Add(&fakeKey{uid: 1000, Key: providertest.Key{ID: "other", Secret: marked + "x", Phrase: marked, Rights: []string{"General"}}})
	p, admin, old := kucoin.New(nil), f.Credential("master"), f.Credential("old")
	if _, err := p.Issue(t.Context(), admin, old, providertest.Lineage); err != nil {
		t.Fatal(err)
	}
	orphan := provider.Credential{ID: "new1", Params: old.Params}
	providertest.Quiet(t, p.Revoke(t.Context(), f.Credential("other"), orphan, old), provider.Unclear)
	if !f.There("new1") {
		t.Error("it is gone")
	}
}

// Where the name of the sub-account is wrong, a key that is not listed is not gone.
func TestRevokeElsewhere(t *testing.T) {
	f := serve(t)
	admin, old := f.Credential("master"), f.Credential("old")
	old.Params["subaccount"] = "subtwo"
	providertest.Quiet(t, kucoin.New(nil).Revoke(t.Context(), admin, old, provider.Credential{}), provider.Unclear)
	delete(old.Parts, "passphrase")
	providertest.Quiet(t, kucoin.New(nil).Revoke(t.Context(), admin, old, provider.Credential{}), provider.Incomplete)
	if !f.There("old") {
		t.Error("it is gone")
	}
}

func TestRevokeFaults(t *testing.T) {
	exchange.RevokeFaults(t, providertest.Outcomes{
		provider.Unclear:   {"the server failed": say(500, "500000"), "a code that is not documented": say(200, "4711")},
		provider.Malformed: {"no data": providertest.Text(200, `{"code":"200000"}`)},
		provider.Forbidden: {"may not": say(200, "400007"), "not known": say(200, "400003")},
		provider.Busy:      {"too many": say(429, "429000")},
	})
}

func TestRecognize(t *testing.T) {
	exchange.Recognize(t, "kucoin-api-secret", "400004", "400003")
}
