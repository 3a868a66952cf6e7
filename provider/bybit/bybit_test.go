package bybit_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/bybit"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/secret"
)

var (
	_ provider.Verifier = (*bybit.Provider)(nil)
	_ provider.Lister   = (*bybit.Provider)(nil)
	_ provider.Planner  = (*bybit.Provider)(nil)
	_ provider.Issuer   = (*bybit.Provider)(nil)
	_ provider.Revoker  = (*bybit.Provider)(nil)
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

// The requests were recorded from Bybit's own SDK for Go: see testdata/sdk.
func TestSignatures(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "signed.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []struct{ Method, Path, Query, Body, Timestamp, Key, Window, Sign string }
	if err := json.Unmarshal(data, &all); err != nil || len(all) != 4 {
		t.Fatal(len(all), err)
	}
	for _, r := range all {
		payload := r.Query
		if r.Method == http.MethodPost {
			payload = r.Body
		}
		if got := bybit.Sign(secret.New([]byte("recorded-secret")), r.Timestamp, r.Key, r.Window, payload); got != r.Sign {
			t.Errorf("%s %s: %s, want %s", r.Method, r.Path, got, r.Sign)
		}
	}
}

func TestConformance(t *testing.T) {
	f, url := serve(t)
	made := 0
	providertest.Provider(t, providertest.Subject{
		Provider: open(url),
		Admin:    f.credential(url, "master"),
		New: func(t *testing.T) provider.Credential {
			f.mu.Lock()
			defer f.mu.Unlock()
			made++
			id := fmt.Sprint("test", made)
			f.keys = append(f.keys, &fakeKey{id: id, secret: marked + id, user: 2000 + int64(made), parent: "1000", ips: []string{"*"}, rights: map[string][]string{"Spot": {"SpotTrade"}}})
			return f.credential(url, id)
		},
		Accepts: func(t *testing.T, c provider.Credential) bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			k := f.find(string(c.Part("id").Reveal()))
			return k != nil && k.secret == string(c.Part("secret").Reveal())
		},
		DeadCode:  "10003",
		WrongCode: "10004",
		ByID:      true,
		Addr:      strings.TrimPrefix(url, "http://"),
		At: func(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
			c.Params = map[string]string{"host": "http://" + addr}
			return open(url), c
		},
	})
}

// That a key has expired does not mean that it was deleted.
func TestRevokeExpired(t *testing.T) {
	f, url := serve(t)
	f.find("old").expires = time.Unix(1, 0)
	f.fault("/v5/user/delete-sub-api", say(10016))
	admin, old := f.credential(url, "master"), f.credential(url, "old")
	providertest.Quiet(t, open(url).Revoke(t.Context(), admin, old, provider.Credential{}), provider.Unclear)
	f.find("old").gone = true
	if err := open(url).Revoke(t.Context(), admin, old, provider.Credential{}); err != nil {
		t.Error(err)
	}
}

func TestVerify(t *testing.T) {
	f, url := serve(t)
	p := open(url)
	f.keys = append(f.keys,
		&fakeKey{id: "open", secret: marked, user: 1001, parent: "1000", readOnly: true, ips: []string{"*"}, rights: map[string][]string{"Spot": {"SpotTrade"}}, expires: time.Date(2099, 1, 2, 3, 4, 5, 0, time.UTC)},
		&fakeKey{id: "rich", secret: marked, user: 1000, master: true, parent: "0", rights: map[string][]string{"Wallet": {"Withdraw", "AccountTransfer"}}},
	)
	for id, want := range map[string]provider.Identity{
		"old":  {Account: "1001", ID: "old", Label: "bot", Scopes: []string{"ContractTrade:Order", "ContractTrade:Position", "Derivatives:DerivativesTrade", "Spot:SpotTrade", "write"}, IPs: []string{"192.0.2.0", "192.0.2.1"}},
		"open": {Account: "1001", ID: "open", Scopes: []string{"Spot:SpotTrade"}, Expires: time.Date(2099, 1, 2, 3, 4, 5, 0, time.UTC)},
		"rich": {Account: "1000", ID: "rich", Scopes: []string{"Wallet:AccountTransfer", "Wallet:Withdraw", "write"}, Withdraw: true},
	} {
		for _, host := range []string{url, url + "/", ""} {
			c := f.credential(url, id)
			c.Params["host"] = host
			if got := providertest.Probe(t, p, c); got.State != provider.Alive || got.Code != "0" || !reflect.DeepEqual(got.Who, want) {
				t.Errorf("%s: %+v, want %+v", id, got, want)
			}
		}
	}
}

// What each code means for a key, and which of them mean that it is dead.
func TestCodes(t *testing.T) {
	for code, want := range map[int]provider.State{
		-1: provider.Skewed, 10002: provider.Skewed,
		-2015: provider.Dead, 33004: provider.Dead,
		10003: provider.Dead, // in all environments that there are, which is one here
		10004: provider.Unknown, 10007: provider.Unknown, 10008: provider.Unknown, 10024: provider.Unknown, 10027: provider.Unknown,
		10005: provider.Narrow, 10028: provider.Narrow, 100028: provider.Narrow,
		10006: provider.Throttled, 10018: provider.Throttled, 429: provider.Throttled, 403: provider.Throttled,
		10009: provider.Blocked, 10010: provider.Blocked,
		10000: provider.Unknown, 10001: provider.Unknown, 10014: provider.Unknown, 10016: provider.Unknown, 10017: provider.Unknown, 4711: provider.Unknown,
	} {
		f, url := serve(t)
		f.answer = func(w http.ResponseWriter, r *http.Request, _ func()) bool {
			fmt.Fprintf(w, `{"retCode":%d,"retMsg":"%s","result":{}}`, code, marked)
			return true
		}
		got := providertest.Probe(t, open(url), f.credential(url, "old"))
		word, _, _ := strings.Cut(got.Code, ", the clock here is ") // which may differ by a second
		if got.State != want || word != fmt.Sprint(code) {
			t.Errorf("%d: %+v, want %s", code, got, want)
		}
	}
	for status, want := range map[int]provider.State{401: provider.Dead, 403: provider.Throttled, 429: provider.Throttled} {
		for _, body := range []string{"", "<html>" + marked, `{"message":"` + marked + `"}`} {
			f, url := serve(t)
			f.answer = func(w http.ResponseWriter, r *http.Request, _ func()) bool {
				w.WriteHeader(status)
				fmt.Fprint(w, body)
				return true
			}
			if got := providertest.Probe(t, open(url), f.credential(url, "old")); got.State != want || got.Code != fmt.Sprint(status) {
				t.Errorf("HTTP %d: %+v, want %s", status, got, want)
			}
		}
	}
}

// A key that its environment does not know is dead if no other one does, and not while one
// of them cannot be asked.
func TestEnvironments(t *testing.T) {
	main, mainURL := serve(t)
	test, testURL := serve(t)
	demo, demoURL := serve(t)
	demo.demo = true
	p := open(mainURL, testURL)
	p.Environments = append(p.Environments, bybit.Environment{URL: demoURL, Demo: true})
	c := main.credential(mainURL, "old")
	for _, f := range []*fake{main, test, demo} {
		f.keys = nil
	}
	known := []*fakeKey{{id: "old", secret: marked + "o", user: 1001}}
	check := func(name string, want provider.State, code string) {
		t.Helper()
		if got := providertest.Probe(t, p, c); got.State != want || got.Code != code {
			t.Errorf("%s: %+v; want %s, %s", name, got, want, code)
		}
	}
	check("nowhere", provider.Dead, "10003")

	host := func(url string) string { return strings.TrimPrefix(url, "http://") }
	test.keys = known
	check("in the test net", provider.Elsewhere, "10003; "+host(testURL)+" knows it")
	test.from, known[0].ips = "198.51.100.1", []string{"192.0.2.1"}
	check("in the test net, from elsewhere", provider.Elsewhere, "10003; "+host(testURL)+" knows it")
	test.keys, demo.keys = nil, []*fakeKey{{id: "old", secret: marked + "o"}}
	check("in the demo", provider.Elsewhere, "10003; "+host(demoURL)+" knows it")

	demo.keys = nil
	test.answer = func(w http.ResponseWriter, r *http.Request, _ func()) bool { w.WriteHeader(502); return true }
	check("the test net is down", provider.Unknown, "10003; "+host(testURL)+" could not tell")
	test.answer = func(w http.ResponseWriter, r *http.Request, _ func()) bool {
		fmt.Fprint(w, `{"retCode":10006,"result":{}}`)
		return true
	}
	check("the test net is busy", provider.Unknown, "10003; "+host(testURL)+" could not tell")

	// Without a host, nobody has said which environment it is of.
	test.answer = nil
	delete(c.Params, "host")
	check("no host, nowhere", provider.Unknown, "10003 wherever it was asked")
	demo.keys = []*fakeKey{{id: "old", secret: marked + "o"}}
	check("no host, in the demo", provider.Alive, "0")
	demo.keys = nil
	test.keys = []*fakeKey{{id: "old", secret: marked + "o", expires: time.Unix(1, 0)}}
	check("no host, expired", provider.Dead, "33004")
	test.keys = []*fakeKey{{id: "old", secret: marked + "x"}}
	check("no host, another secret", provider.Unknown, "10004")
}

func TestClock(t *testing.T) {
	for _, off := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		f, url := serve(t)
		p := open(url)
		p.SetNow(func() time.Time { return time.Now().Add(off) })
		got := providertest.Probe(t, p, f.credential(url, "old"))
		direction := map[bool]string{true: "fast", false: "slow"}[off > 0]
		if got.State != provider.Skewed || !strings.HasPrefix(got.Code, "10002, the clock here is ") || !strings.HasSuffix(got.Code, direction) {
			t.Errorf("%v: %+v", off, got)
		}
		_, err := p.Issue(t.Context(), f.credential(url, "master"), f.credential(url, "old"), "keywright-1")
		if e := providertest.Quiet(t, err, provider.Refused); e.Hint == "" || f.made != 0 {
			t.Errorf("%+v", e)
		}
	}
}

// The new key may do what the old one may, from where that may, and bears the lineage.
func TestIssue(t *testing.T) {
	for name, change := range map[string]func(*fakeKey){
		"as it is":     func(k *fakeKey) {},
		"read-only":    func(k *fakeKey) { k.readOnly = true },
		"any address":  func(k *fakeKey) { k.ips = []string{"*"}; k.expires = time.Now().Add(time.Hour) },
		"no addresses": func(k *fakeKey) { k.ips = nil; k.expires = time.Now().Add(time.Hour) },
		"transfers":    func(k *fakeKey) { k.rights["Wallet"] = []string{"AccountTransfer", "SubMemberTransferList"} },
		"earns, changes": func(k *fakeKey) {
			k.rights["Earn"], k.rights["Exchange"] = []string{"Earn"}, []string{"ExchangeHistory"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, url := serve(t)
			change(f.find("old"))
			p, admin, old := open(url), f.credential(url, "master"), f.credential(url, "old")
			before := providertest.Probe(t, p, old).Who
			got, err := p.Issue(t.Context(), admin, old, "keywright-1")
			if err != nil {
				t.Fatal(err)
			}
			after := providertest.Probe(t, p, got).Who
			if got.ID != "new1" || string(got.Part("id").Reveal()) != "new1" || string(got.Part("secret").Reveal()) != marked+"n1" || after.Label != "keywright-1" {
				t.Errorf("%s, %+v", got.ID, after)
			}
			if !slices.Equal(before.Scopes, after.Scopes) || !slices.Equal(before.IPs, after.IPs) || before.Account != after.Account || before.Withdraw != after.Withdraw || before.Expires.IsZero() != after.Expires.IsZero() {
				t.Errorf("%+v\nis not like\n%+v", after, before)
			}
			if providertest.Probe(t, p, old).State != provider.Alive {
				t.Error("the old one is gone")
			}
		})
	}
}

// A key that has expired says nothing of itself any more: the master account does.
func TestIssueForDeadKey(t *testing.T) {
	f, url := serve(t)
	f.find("old").expires = time.Unix(1, 0)
	f.find("old").readOnly = true
	p, admin, old := open(url), f.credential(url, "master"), f.credential(url, "old")
	_, err := p.Issue(t.Context(), admin, old, "keywright-1")
	providertest.Quiet(t, err, provider.Forbidden)
	old.Params["subaccount"] = "1001"
	got, err := p.Issue(t.Context(), admin, old, "keywright-1")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"ContractTrade:Order", "ContractTrade:Position", "Derivatives:DerivativesTrade", "Spot:SpotTrade"}
	if who := providertest.Probe(t, p, got).Who; !slices.Equal(who.Scopes, want) || len(who.IPs) != 2 {
		t.Errorf("%+v", who)
	}
	f.find("old").gone = true
	_, err = p.Issue(t.Context(), admin, old, "keywright-1")
	providertest.Quiet(t, err, provider.Refused)
	if f.made != 1 {
		t.Errorf("%d were made", f.made)
	}
}

// fault answers calls of one path.
func (f *fake) fault(path string, answer providertest.Answer) {
	f.answer = func(w http.ResponseWriter, r *http.Request, done func()) bool {
		if r.URL.Path != path {
			return false
		}
		answer(w, done)
		return true
	}
}

func say(code int) providertest.Answer {
	return func(w http.ResponseWriter, _ func()) {
		fmt.Fprintf(w, `{"retCode":%d,"retMsg":"%s","result":{"secret":"%s"}}`, code, marked, marked)
	}
}

// What is known after a create that did not go well: Unclear and Malformed say that there
// may be a key that nobody holds.
func TestIssueFaults(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer providertest.Answer
		kind   provider.Kind
	}{
		{"may not", say(10005), provider.Forbidden},
		{"address", say(10010), provider.Forbidden},
		{"not valid", say(10003), provider.Forbidden},
		{"not valid, without a word", providertest.Text(401, ""), provider.Forbidden},
		{"signature", say(10004), provider.Forbidden},
		{"parameter", say(10001), provider.Refused},
		{"not its sub-account", say(500010), provider.Refused},
		{"Europe", say(81007), provider.Refused},
		{"too many", say(10006), provider.Busy},
		{"too many from here", providertest.Text(403, "<html>"+marked), provider.Busy},
		{"system busy", providertest.Text(429, ""), provider.Busy},
		{"the server was too slow", providertest.After(say(10000)), provider.Unclear},
		{"the server failed", providertest.After(say(10016)), provider.Unclear},
		{"asked before", say(10014), provider.Unclear},
		{"a code that is not documented", say(4711), provider.Unclear},
		{"500", providertest.After(providertest.Text(500, marked)), provider.Unclear},
		{"502", providertest.After(providertest.Text(502, "<html>"+marked)), provider.Unclear},
		{"no answer", providertest.After(providertest.HangUp), provider.Unclear},
		{"a page", providertest.Text(200, "<html>"+marked), provider.Malformed},
		{"half", providertest.After(providertest.Text(200, `{"retCode":0,"result":{"secret":"`+marked)), provider.Malformed},
		{"no code", providertest.Text(200, `{"result":{"secret":"`+marked+`"}}`), provider.Malformed},
		{"no result", providertest.Text(200, `{"retCode":0}`), provider.Malformed},
		{"an empty result", providertest.Text(200, `{"retCode":0,"result":{}}`), provider.Malformed},
		{"no secret", providertest.Text(200, `{"retCode":0,"result":{"apiKey":"new","secret":""}}`), provider.Malformed},
		{"the old one", providertest.Text(200, `{"retCode":0,"result":{"apiKey":"old","secret":"`+marked+`"}}`), provider.Malformed},
		{"a secret of another type", providertest.Text(200, `{"retCode":0,"result":{"apiKey":"new","secret":{"`+marked+`":1}}}`), provider.Malformed},
		{"moved", providertest.Text(307, ""), provider.Refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, url := serve(t)
			f.fault("/v5/user/create-sub-api", c.answer)
			p, admin, old := open(url), f.credential(url, "master"), f.credential(url, "old")
			_, err := p.Issue(t.Context(), admin, old, "keywright-1")
			providertest.Quiet(t, err, c.kind)
			if n := f.called("/v5/user/create-sub-api"); n != 1 {
				t.Errorf("asked for %d times", n)
			}
			// What was made all the same is found by its lineage.
			f.mu.Lock()
			f.answer = nil
			f.mu.Unlock()
			all, err := p.List(t.Context(), admin, old)
			if err != nil {
				t.Fatal(err)
			}
			if found := slices.ContainsFunc(all, func(l provider.Listed) bool { return l.Label == "keywright-1" }); found != (f.issued() == 1) {
				t.Errorf("%d made, found: %v", f.issued(), found)
			}
			if f.issued() == 1 && c.kind != provider.Unclear && c.kind != provider.Malformed {
				t.Error("a key was made, and the error denies it")
			}
		})
	}
}

// When a key cannot be read first, none is asked for, and nothing has happened.
func TestIssueReadsFirst(t *testing.T) {
	for name, answer := range map[string]providertest.Answer{
		"500": providertest.Text(500, marked), "no answer": providertest.HangUp, "a page": providertest.Text(200, "<html>"+marked), "no result": providertest.Text(200, `{"retCode":0,"result":"`+marked+`"}`),
	} {
		f, url := serve(t)
		f.fault("/v5/user/query-api", answer)
		_, err := open(url).Issue(t.Context(), f.credential(url, "master"), f.credential(url, "old"), "keywright-1")
		providertest.Quiet(t, err, provider.Unreached)
		if n := f.called("/v5/user/create-sub-api"); n != 0 {
			t.Errorf("%s: asked for %d times", name, n)
		}
	}
	f, url := serve(t)
	f.find("old").gone = true
	f.fault("/v5/user/sub-apikeys", providertest.Text(200, "<html>"+marked))
	old := provider.Credential{ID: "old", Params: map[string]string{"host": url, "subaccount": "1001"}}
	_, err := open(url).Issue(t.Context(), f.credential(url, "master"), old, "keywright-1")
	providertest.Quiet(t, err, provider.Unreached)
}

func TestList(t *testing.T) {
	f, url := serve(t)
	for i := range 44 {
		f.keys = append(f.keys, &fakeKey{id: fmt.Sprint("k", i), user: 1001, parent: "1000", readOnly: i%2 == 0, note: fmt.Sprint("n", i)})
	}
	f.keys = append(f.keys, &fakeKey{id: "of another", user: 1002, parent: "1000"})
	p, admin, old := open(url), f.credential(url, "master"), f.credential(url, "old")
	all, err := p.List(t.Context(), admin, old)
	if err != nil || len(all) != 45 {
		t.Fatalf("%d, %v", len(all), err)
	}
	if all[0].ID != "old" || all[0].Label != "bot" || all[0].Account != "1001" || !all[0].Created.Equal(time.Unix(1.7e9, 0)) || len(all[0].IPs) != 2 || !slices.Contains(all[0].Scopes, "write") {
		t.Errorf("%+v", all[0])
	}
	if all[44].ID != "k43" || all[1].Scopes != nil {
		t.Errorf("%+v", all[44])
	}

	// Half of a list is none.
	pages := 0
	f.answer = func(w http.ResponseWriter, r *http.Request, done func()) bool {
		if r.URL.Path != "/v5/user/sub-apikeys" {
			return false
		}
		if pages++; pages < 3 {
			return false
		}
		say(10006)(w, nil)
		return true
	}
	_, err = p.List(t.Context(), admin, old)
	providertest.Quiet(t, err, provider.Busy)
	for _, body := range []string{`{"retCode":0,"result":{}}`, `{"retCode":0,"result":{"result":null,"nextPageCursor":""}}`, `{"retCode":0,"result":{"result":[],"nextPageCursor":"again"}}`} {
		f.fault("/v5/user/sub-apikeys", providertest.Text(200, body))
		_, err = p.List(t.Context(), admin, old)
		providertest.Quiet(t, err, provider.Malformed)
	}
	f.fault("/v5/user/sub-apikeys", providertest.Text(200, "<html>"+marked))
	_, err = p.List(t.Context(), admin, old)
	providertest.Quiet(t, err, provider.Malformed)
	f.answer = nil
	_, err = p.List(t.Context(), old, old)
	providertest.Quiet(t, err, provider.Forbidden)
}

func TestSubaccount(t *testing.T) {
	f, url := serve(t)
	p, admin, old := open(url), f.credential(url, "master"), f.credential(url, "old")
	f.find("old").gone = true
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
	for _, c := range []struct {
		name   string
		change func(f *fake, master, old *fakeKey)
		kind   provider.Kind
		notes  []string // parts of them, in order
	}{
		{"as it should be", func(*fake, *fakeKey, *fakeKey) {}, "", nil},
		{"another right that is enough", func(_ *fake, m, _ *fakeKey) { m.rights = map[string][]string{"Wallet": {"SubMemberTransfer"}} }, "", nil},
		{"the master's key may withdraw", func(_ *fake, m, _ *fakeKey) { m.rights["Wallet"] = []string{"Withdraw"} }, "", []string{"the master's key may withdraw"}},
		{"no addresses", func(_ *fake, m, o *fakeKey) { m.ips, o.ips = nil, []string{"*"} }, "", []string{"from any address", "90 days"}},
		{"it ends", func(_ *fake, m, _ *fakeKey) { m.expires = time.Date(2099, 1, 2, 0, 0, 0, 0, time.UTC) }, "", []string{"ends on 2099-01-02"}},
		{"an application's", func(_ *fake, _, o *fakeKey) { o.kind = 2 }, "", []string{"application"}},
		{"more than can be given", func(_ *fake, _, o *fakeKey) { o.rights["BlockTrade"] = []string{"BlockTrade"} }, "", []string{"without BlockTrade"}},
		{"the old one may withdraw", func(_ *fake, _, o *fakeKey) { o.rights["Wallet"] = []string{"Withdraw"} }, "", []string{"the key may withdraw"}},

		{"no right", func(_ *fake, m, _ *fakeKey) { m.rights = map[string][]string{"Spot": {"SpotTrade"}} }, provider.Forbidden, nil},
		{"read-only", func(_ *fake, m, _ *fakeKey) { m.readOnly = true }, provider.Forbidden, nil},
		{"not a master's", func(_ *fake, m, _ *fakeKey) { m.master = false }, provider.Forbidden, nil},
		{"from another address", func(f *fake, m, _ *fakeKey) { f.from = "198.51.100.1" }, provider.Forbidden, nil},
		{"expired", func(_ *fake, m, _ *fakeKey) { m.expires = time.Unix(1, 0) }, provider.Forbidden, nil},
		{"unknown", func(_ *fake, m, _ *fakeKey) { m.gone = true }, provider.Forbidden, nil},
		{"the old one is a master's", func(_ *fake, _, o *fakeKey) { o.master, o.parent = true, "0" }, provider.Refused, nil},
		{"of another master", func(_ *fake, _, o *fakeKey) { o.parent = "2000" }, provider.Refused, nil},
		{"RSA", func(_ *fake, _, o *fakeKey) { o.rsa = "-----BEGIN PUBLIC KEY-----" }, provider.Refused, nil},
		{"nothing to give", func(_ *fake, _, o *fakeKey) { o.rights = map[string][]string{"Affiliate": {"Affiliate"}} }, provider.Refused, nil},
		{"busy", func(f *fake, _, _ *fakeKey) { f.fault("/v5/user/query-api", say(10006)) }, provider.Busy, nil},
		{"down", func(f *fake, _, _ *fakeKey) { f.fault("/v5/user/query-api", providertest.Text(500, marked)) }, provider.Unreached, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, url := serve(t)
			admin, old := f.credential(url, "master"), f.credential(url, "old")
			c.change(f, f.find("master"), f.find("old"))
			got, err := open(url).Plan(t.Context(), admin, old)
			if n := f.called("/v5/user/create-sub-api") + f.called("/v5/user/delete-sub-api"); n != 0 {
				t.Errorf("%d changes", n)
			}
			if c.kind != "" {
				providertest.Quiet(t, err, c.kind)
				return
			}
			if err != nil || got.InPlace || got.Outage != "" || len(got.Notes) != len(c.notes) {
				t.Fatalf("%+v, %v", got, err)
			}
			for i, part := range c.notes {
				if !strings.Contains(got.Notes[i], part) {
					t.Errorf("%q does not say %q", got.Notes[i], part)
				}
			}
		})
	}
	p := open()
	p.Environments = []bybit.Environment{{URL: "https://demo.example.com", Demo: true}}
	_, err := p.Plan(t.Context(), provider.Credential{}, provider.Credential{Params: map[string]string{"host": "https://demo.example.com/"}})
	providertest.Quiet(t, err, provider.Refused)
	_, err = p.Plan(t.Context(), provider.Credential{}, provider.Credential{})
	providertest.Quiet(t, err, provider.Incomplete)
}

func TestRevoke(t *testing.T) {
	f, url := serve(t)
	p, admin, old := open(url), f.credential(url, "master"), f.credential(url, "old")
	next, err := p.Issue(t.Context(), admin, old, "keywright-1")
	if err != nil {
		t.Fatal(err)
	}
	providertest.Quiet(t, p.Revoke(t.Context(), admin, next, next), provider.Refused)
	providertest.Quiet(t, p.Revoke(t.Context(), admin, provider.Credential{Params: old.Params}, next), provider.Incomplete)
	if f.find("old") == nil || f.find("new1") == nil {
		t.Fatal("one is gone")
	}
	for range 2 { // of the second time nothing is documented but what the list shows
		if err := p.Revoke(t.Context(), admin, old, next); err != nil {
			t.Fatal(err)
		}
	}
	if f.find("old") != nil || f.find("new1") == nil || f.find("master") == nil {
		t.Error("the wrong one is gone")
	}
	if got := providertest.Probe(t, p, old); got.State != provider.Dead {
		t.Errorf("%+v", got)
	}
	// An orphan, of which the name is all that there is.
	orphan := provider.Credential{ID: "new1", Params: map[string]string{"host": url}}
	if err := p.Revoke(t.Context(), admin, orphan, provider.Credential{}); err != nil || f.find("new1") != nil {
		t.Error(err)
	}
}

// Whoever holds a key can end it with itself.
func TestRevokeByPossession(t *testing.T) {
	for _, id := range []string{"old", "master"} {
		f, url := serve(t)
		f.find("old").rights["Wallet"] = []string{"AccountTransfer"}
		p, c := open(url), f.credential(url, id)
		for range 2 {
			if err := p.Revoke(t.Context(), c, c, provider.Credential{}); err != nil {
				t.Fatal(id, err)
			}
		}
		if len(f.keys) != 2 || f.find(id) != nil || f.find(map[string]string{"old": "master", "master": "old"}[id]) == nil {
			t.Errorf("%s: the wrong one is gone", id)
		}
	}
	f, url := serve(t) // without the right to
	c := f.credential(url, "old")
	providertest.Quiet(t, open(url).Revoke(t.Context(), c, c, provider.Credential{}), provider.Forbidden)
}

// A delete without a clear answer is done if the key is on no list any more.
func TestRevokeFaults(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer providertest.Answer
		kind   provider.Kind // empty if it is done
	}{
		{"done, no answer", providertest.After(providertest.HangUp), ""},
		{"done, 500", providertest.After(providertest.Text(500, marked)), ""},
		{"done, a page", providertest.After(providertest.Text(200, "<html>"+marked)), ""},
		{"done, and the server failed", providertest.After(say(10016)), ""},
		{"not done, no answer", providertest.HangUp, provider.Unclear},
		{"not done, 500", providertest.Text(500, marked), provider.Unclear},
		{"not done, a page", providertest.Text(200, "<html>"+marked), provider.Malformed},
		{"not done, a code that is not documented", say(4711), provider.Unclear},
		{"may not", say(10005), provider.Forbidden},
		{"too many", say(10006), provider.Busy},
		{"not valid", say(10003), provider.Forbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, url := serve(t)
			f.keys = append(f.keys, &fakeKey{id: "new", secret: marked, user: 1001, parent: "1000"})
			f.fault("/v5/user/delete-sub-api", c.answer)
			p, admin, old, next := open(url), f.credential(url, "master"), f.credential(url, "old"), f.credential(url, "new")
			err := p.Revoke(t.Context(), admin, old, next)
			if c.kind == "" {
				if err != nil || f.there("old") {
					t.Error(err)
				}
				return
			}
			providertest.Quiet(t, err, c.kind)
			if n := f.called("/v5/user/delete-sub-api"); n != 1 || !f.there("old") {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

// A new key takes a while to be known, and a deleted one to be forgotten. The first is
// never said to be more than not yet known, the second never to be dead too early.
func TestPropagation(t *testing.T) {
	f, url := serve(t)
	f.slow = 3
	p, admin, old := open(url), f.credential(url, "master"), f.credential(url, "old")
	next, err := p.Issue(t.Context(), admin, old, "keywright-1")
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
