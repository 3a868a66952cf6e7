package deribit_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/deribit"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/secret"
)

var _ provider.Disabler = (*deribit.Provider)(nil)

const (
	login  = "/api/v2/public/auth"
	list   = "/api/v2/private/list_api_keys"
	create = "/api/v2/private/create_api_key"
	edit   = "/api/v2/private/edit_api_key"
	remove = "/api/v2/private/remove_api_key"
)

// open is the provider, with these as all worlds that there are.
func open(urls ...string) *deribit.Provider {
	p := deribit.New(nil)
	p.Worlds = urls
	return p
}

func say(status int, code string) providertest.Answer {
	return providertest.Text(status, fmt.Sprintf(`{"jsonrpc":"2.0","error":{"code":%s,"message":"%s","data":{"reason":"%s"}}}`, code, marked, marked))
}

// asksForCode is how Deribit asks for a code of an authenticator.
var asksForCode = providertest.Text(200, `{"result":{"security_key_authorization_required":true,"challenge":"`+marked+`"}}`)

var exchange = providertest.Exchange[*fake, *fakeKey]{
	Start: serve, Admin: "admin",
	Open: func(worlds ...string) providertest.Driver { return open(worlds...) },
	Another: func(f *fake, n int) provider.Credential {
		id := fmt.Sprint("test", n)
		f.Add(&fakeKey{number: int64(10000 + n), Key: providertest.Key{ID: id, Secret: marked + id, Rights: []string{"trade:read_write"}, IPs: []string{"192.0.2.1"}}})
		return f.Credential(id)
	},
	Self: "POST " + login, List: "POST " + list, Create: "POST " + create, Remove: "POST " + remove,
	Say: say, Good: "0",
	Like: func(old, next *fakeKey) bool { return slices.Equal(old.features, next.features) },
}

func TestConformance(t *testing.T) {
	roomy := exchange
	roomy.Open = func(worlds ...string) providertest.Driver {
		p := open(worlds...)
		p.SetRoom(1000) // all tests' keys stand in one account
		return p
	}
	roomy.Conformance(t, providertest.Subject{
		DeadCode: "13004", WrongCode: "13009", ByID: true,
	})
}

// The first is the one that Deribit publishes, in its article on authentication. Of requests
// over HTTP it publishes the formula alone.
func TestSignatures(t *testing.T) {
	key := secret.New([]byte("AMANDA" + "SECRECT"))
	if got := deribit.Sign(key, "1576074319000", "1iqt2wls", ""); got != "56590594f97921b09b18f166befe0d1319b198bbcdad7ca73382de2f88fe9aa1" {
		t.Error(got)
	}
	if got := deribit.Signed("POST", "/api/v2/private/x", "{}"); got != "POST\n/api/v2/private/x\n{}\n" {
		t.Errorf("%q", got)
	}
}

func TestVerify(t *testing.T) {
	f := serve(t)
	f.Add(&fakeKey{number: 3, Key: providertest.Key{ID: "rich", Secret: marked, Rights: []string{"wallet:read_write", "trade:none"}}})
	exchange.Verify(t, f, map[string]provider.Identity{
		"old":  {ID: "old", Scopes: []string{"account:read", "trade:read_write"}},
		"rich": {ID: "rich", Scopes: []string{"wallet:read_write"}, Withdraw: true},
	})
	if n := f.Count("POST " + login); n != f.Count("") {
		t.Errorf("%d other calls", f.Count("")-n)
	}
	f.Fault(login, providertest.Text(200, `{"result":{"access_token":"`+marked+`"}}`))
	_, err := open(f.URL).Verify(t.Context(), f.Credential("old"))
	providertest.Quiet(t, err, provider.Malformed)
}

func TestRecognize(t *testing.T) { exchange.Recognizes(t, "deribit-api-secret") }

func TestCodes(t *testing.T) {
	exchange.Codes(t, map[provider.State][]string{
		provider.Dead:      {"13004"}, // in all worlds that there are, which is one here
		provider.Narrow:    {"13021", "13403", "13012"},
		provider.Throttled: {"10028", "11051", "12998"},
		provider.Blocked:   {"12005"},
		provider.Unknown:   {"13009", "10000", "13031", "13668", "13904", "11050", "11094", "13016", "13028", "13888", "-32602", "4711"},
	}, 200, 400, 401, 429, 500)
	exchange.Statuses(t, map[int]provider.State{401: provider.Unknown, 403: provider.Unknown, 429: provider.Throttled}, `{"error":13004}`)
}

func TestWorlds(t *testing.T) { exchange.Worlds(t, "13004") }

func TestClock(t *testing.T) {
	exchange.Clock(t, "13009")
	// While the clock is wrong, no code means that a key is dead.
	f := serve(t)
	p, c := open(f.URL), f.Credential("old")
	c.ID = "gone"
	for _, off := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		p.SetNow(func() time.Time { return time.Now().Add(off) })
		if got := providertest.Probe(t, p, c); got.State != provider.Skewed || !strings.HasPrefix(got.Code, "13004, the clock here is ") {
			t.Errorf("%v: %+v", off, got)
		}
	}
}

func TestIssue(t *testing.T) {
	exchange.Issue(t, map[string]func(*fakeKey){
		"read-only":   func(k *fakeKey) { k.Rights = []string{"trade:read", "account:none"} },
		"any address": func(k *fakeKey) { k.IPs = nil },
		"restricted": func(k *fakeKey) {
			k.Rights, k.features = []string{"block_trade:read"}, []string{"restricted_block_trades"}
		},
		"disabled": func(k *fakeKey) { k.Disabled = true },
	})
	exchange.IssueRefused(t, map[string]func(f *fake, old *fakeKey){
		"gone":       func(f *fake, _ *fakeKey) { f.Drop("old") },
		"a key pair": func(_ *fake, o *fakeKey) { o.public = "-----BEGIN PUBLIC KEY-----" },
		"no right":   func(_ *fake, o *fakeKey) { o.Rights = []string{"trade:none"} },
	})
}

// A new key that cannot be made like the old one is deleted.
func TestIssueTakesBack(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(f *fake)
		kind    provider.Kind
		remains bool
	}{
		{"may not be bound", func(f *fake) { f.Fault(edit, say(400, "13021")) }, provider.Forbidden, false},
		{"busy", func(f *fake) { f.Fault(edit, say(429, "10028")) }, provider.Busy, false},
		{"the server failed", func(f *fake) { f.Fault(edit, providertest.Text(500, marked)) }, provider.Unreached, false},
		{"no answer", func(f *fake) { f.Fault(edit, providertest.HangUp) }, provider.Unreached, false},
		{"a code is asked for", func(f *fake) { f.Fault(edit, asksForCode) }, provider.Forbidden, false},
		{"the addresses are forgotten", func(f *fake) { f.loose = true }, provider.Refused, false},
		{"it cannot be deleted", func(f *fake) {
			f.Answer = func(w http.ResponseWriter, r *http.Request, _ func()) bool {
				if r.URL.Path != edit && r.URL.Path != remove {
					return false
				}
				say(400, "13021")(w, nil)
				return true
			}
		}, provider.Unclear, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := serve(t)
			c.change(f)
			_, err := open(f.URL).Issue(t.Context(), f.Credential("admin"), f.Credential("old"), providertest.Lineage)
			providertest.Quiet(t, err, c.kind)
			if f.Issued() != 1 || f.There("new1") != c.remains || !f.There("old") {
				t.Errorf("%d made, it is there: %v", f.Issued(), f.There("new1"))
			}
		})
	}
}

func TestIssueFaults(t *testing.T) {
	exchange.IssueFaults(t, providertest.Outcomes{
		provider.Forbidden: {
			"may not": say(400, "13021"), "more than the admin's": say(400, "13403"), "not valid": say(400, "13004"), "signature": say(401, "13009"),
			"a code is asked for": asksForCode, "a wrong code": say(400, "13668"),
		},
		provider.Refused: {"parameter": say(400, "-32602")},
		provider.Busy:    {"too many": say(429, "10028")},
		provider.Unclear: {"the server failed": say(500, "11094"), "the server was too slow": say(400, "13028"), "a code that is not documented": say(400, "4711"),
			"a result of what failed": providertest.Text(500, `{"result":{"id":9,"client_id":"new","client_secret":"`+marked+`"}}`)},
		provider.Malformed: {
			"half":                     providertest.Text(200, `{"result":{"client_secret":"`+marked),
			"neither nor":              providertest.Text(200, `{"jsonrpc":"2.0"}`),
			"an empty result":          providertest.Text(200, `{"result":{}}`),
			"no secret":                providertest.Text(200, `{"result":{"id":9,"client_id":"new","client_secret":""}}`),
			"the old one":              providertest.Text(200, `{"result":{"id":2,"client_id":"old","client_secret":"`+marked+`"}}`),
			"a secret of another type": providertest.Text(200, `{"result":{"id":9,"client_id":"new","client_secret":{"`+marked+`":1}}}`),
		},
	})
}

func TestReadsFirst(t *testing.T) {
	bodies := []string{`{"result":"` + marked + `"}`, `{"result":null}`, `{"result":[{"client_id":"old"}]}`}
	exchange.ReadsFirst(t, list, bodies...)

	f := serve(t)
	p, admin, old := open(f.URL), f.Credential("admin"), f.Credential("old")
	answers := []providertest.Answer{providertest.Text(500, marked), providertest.HangUp, providertest.Text(200, "<html>"+marked)}
	for _, body := range bodies {
		answers = append(answers, providertest.Text(200, body))
	}
	for _, answer := range answers {
		f.Fault(list, answer)
		providertest.Quiet(t, p.Revoke(t.Context(), admin, old, provider.Credential{}), provider.Unreached)
		providertest.Quiet(t, p.Disable(t.Context(), admin, old), provider.Unreached)
	}
	if n := f.Count("POST " + list); n != f.Count("") {
		t.Errorf("%d other calls", f.Count("")-n)
	}
}

func TestList(t *testing.T) {
	f := serve(t)
	f.Add(&fakeKey{number: 3, Key: providertest.Key{ID: "off", Label: providertest.Lineage.Short(), Disabled: true, Rights: []string{"wallet:read_write"}, Created: time.UnixMilli(1)}})
	exchange.Lists(t, f, 3, map[int]provider.Listed{
		1: {Identity: provider.Identity{ID: "old", Label: "bot", Scopes: []string{"account:read", "trade:read_write"}, IPs: []string{"192.0.2.0", "192.0.2.1"}}, Created: time.UnixMilli(1700000000123).UTC()},
		2: {Identity: provider.Identity{ID: "off", Label: providertest.Lineage.Short(), Scopes: []string{"wallet:read_write"}, Withdraw: true}, Created: time.UnixMilli(1).UTC(), Disabled: true},
	}, `{"result":null}`, `{"result":[{"id":1}]}`, `{"result":[{"client_id":"old"}]}`)
	f.Find("old").Rights = []string{"trade:read_write"}
	old := f.Credential("old")
	_, err := open(f.URL).List(t.Context(), old, old)
	providertest.Quiet(t, err, provider.Forbidden)
}

func TestPlan(t *testing.T) {
	type change = func(f *fake, admin, old *fakeKey)
	exchange.Plan(t, "as it should be", func(*fake, *fakeKey, *fakeKey) {})
	exchange.Plan(t, "withdraws", func(_ *fake, a, o *fakeKey) {
		a.Rights, o.Rights = []string{"account:read_write", "wallet:read_write"}, []string{"wallet:read_write"}
	}, "may withdraw")
	exchange.Plan(t, "no addresses", func(_ *fake, _, o *fakeKey) { o.IPs = nil }, "any address")
	exchange.Plan(t, "seven keys", func(f *fake, _, _ *fakeKey) { f.fill(7) })
	exchange.NoPlan(t, map[provider.Kind]map[string]change{
		provider.Forbidden: {
			"reads only":    func(_ *fake, a, _ *fakeKey) { a.Rights = []string{"account:read", "trade:read_write"} },
			"does not read": func(_ *fake, a, _ *fakeKey) { a.Rights = []string{"trade:read_write"} },
			"fewer scopes":  func(_ *fake, a, _ *fakeKey) { a.Rights = []string{"account:read_write", "trade:read"} },
		},
		provider.NoSlot: {"full": func(f *fake, _, _ *fakeKey) { f.fill(8) }},
		provider.Busy: {
			"the list is busy":  func(f *fake, _, _ *fakeKey) { f.Fault(list, say(429, "10028")) },
			"the login is busy": func(f *fake, _, _ *fakeKey) { f.Fault(login, say(429, "10028")) },
		},
		provider.Unreached: {"no scope": func(f *fake, _, _ *fakeKey) {
			f.Fault(login, providertest.Text(200, `{"result":{"access_token":"`+marked+`"}}`))
		}},
	})
}

// Where the account asks for a code, it is said how it is done by hand.
func TestPlanByHand(t *testing.T) {
	f := serve(t)
	f.tfa = true
	_, err := open(f.URL).Plan(t.Context(), f.Credential("admin"), f.Credential("old"))
	if e := providertest.Quiet(t, err, provider.Forbidden); !strings.Contains(e.Hint, "make another at") {
		t.Error(e.Hint)
	}
}

// fill makes it so many keys.
func (f *fake) fill(n int) {
	for i := len(f.Keys); i < n; i++ {
		f.Add(&fakeKey{number: int64(50 + i), Key: providertest.Key{ID: fmt.Sprint("k", i)}})
	}
}

func TestRevoke(t *testing.T) {
	exchange.Revoke(t, provider.Forbidden)

	f := serve(t)
	admin := f.Credential("admin")
	for range 2 { // with itself
		if err := open(f.URL).Revoke(t.Context(), admin, admin, provider.Credential{}); err != nil || f.There("admin") || !f.There("old") {
			t.Error(err)
		}
	}
}

// A key of another account is not gone because it is not listed.
func TestRevokeElsewhere(t *testing.T) {
	f := serve(t)
	f.Fault(list, providertest.Text(200, `{"result":[{"id":1,"client_id":"admin"}]}`))
	providertest.Quiet(t, open(f.URL).Revoke(t.Context(), f.Credential("admin"), f.Credential("old"), provider.Credential{}), provider.Refused)
	providertest.Quiet(t, open(f.URL).Disable(t.Context(), f.Credential("admin"), f.Credential("old")), provider.Refused)
	if n := f.Count("POST " + list); n != 2 || f.Count("")-n != f.Count("POST "+login) {
		t.Error("it was to be changed")
	}
}

func TestRevokeFaults(t *testing.T) {
	exchange.RevokeFaults(t, providertest.Outcomes{
		provider.Unclear:   {"the server failed": say(500, "11094"), "a code that is not documented": say(400, "4711")},
		provider.Forbidden: {"a code is asked for": asksForCode, "may not": say(400, "13403")},
		provider.Busy:      {"too many": say(429, "10028")},
	})
}
