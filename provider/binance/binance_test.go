package binance_test

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
	"github.com/keywright/keywright/provider/binance"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/secret"
)

var (
	_ provider.Verifier = (*binance.Provider)(nil)
	_ provider.Lister   = (*binance.Provider)(nil)
	_ provider.Planner  = (*binance.Provider)(nil)
	_ provider.Issuer   = (*binance.Provider)(nil)
	_ provider.Revoker  = (*binance.Provider)(nil)
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

// One is the example that Binance publishes; the others were recorded from its own SDK for
// Go: see testdata/sdk.
func TestSignatures(t *testing.T) {
	example := secret.New([]byte("NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP" + "1e3UZjInClVN65XAbvqqM6A7H5fATj0j"))
	const query = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
	if got := binance.Sign(example, query); got != "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71" {
		t.Error(got)
	}
	data, err := os.ReadFile(filepath.Join("testdata", "signed.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []struct{ Method, Path, Query, Body string }
	if err := json.Unmarshal(data, &all); err != nil || len(all) != 3 {
		t.Fatal(len(all), err)
	}
	for _, r := range all {
		query, sig, _ := strings.Cut(r.Query, "&signature=")
		if got := binance.Sign(secret.New([]byte("recorded-secret")), query); got != sig || r.Body != "" {
			t.Errorf("%s %s: %s, want %s", r.Method, r.Path, got, sig)
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
			f.keys = append(f.keys, &fakeKey{id: id, secret: marked + id, email: id + "@example.com", can: []string{"canTrade"}})
			return f.credential(url, id)
		},
		Accepts: func(t *testing.T, c provider.Credential) bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			k := f.find(string(c.Part("id").Reveal()))
			return k != nil && k.secret == string(c.Part("secret").Reveal())
		},
		DeadCode:  "-2008",
		WrongCode: "-1022",
		ByID:      true,
		Addr:      strings.TrimPrefix(url, "http://"),
		At: func(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
			c.Params = map[string]string{"host": "http://" + addr, "email": c.Params["email"]}
			return open(url), c
		},
	})
}

func TestVerify(t *testing.T) {
	f, url := serve(t)
	p := open(url)
	f.keys = append(f.keys, &fakeKey{id: "rich", secret: marked, flags: []string{"enableWithdrawals"}})
	for id, want := range map[string]provider.Identity{
		"old":  {ID: "old", Scopes: []string{"enableFutures", "enableReading", "enableSpotAndMarginTrading", "ipRestrict"}},
		"rich": {ID: "rich", Scopes: []string{"enableReading", "enableWithdrawals"}, Withdraw: true},
	} {
		for _, host := range []string{url, url + "/", ""} {
			c := f.credential(url, id)
			c.Params["host"] = host
			if got := providertest.Probe(t, p, c); got.State != provider.Alive || got.Code != "0" || !reflect.DeepEqual(got.Who, want) {
				t.Errorf("%s: %+v, want %+v", id, got, want)
			}
		}
	}
	// From another address it says the same as of a key that does not exist, perhaps.
	f.from = "198.51.100.1"
	if got := providertest.Probe(t, p, f.credential(url, "old")); got.State != provider.Unknown || got.Code != "-2015" {
		t.Errorf("%+v", got)
	}
	for _, body := range []string{`{}`, `{"ipRestrict":"` + marked + `"}`, `[]`, `"` + marked + `"`, "<html>" + marked} {
		f.fault(self, providertest.Text(200, body))
		_, err := p.Verify(t.Context(), f.credential(url, "old"))
		providertest.Quiet(t, err, provider.Malformed)
	}
}

// What each code means for a key, and which of them mean that it is dead.
func TestCodes(t *testing.T) {
	for code, want := range map[int]provider.State{
		-2008: provider.Dead, // in all environments that there are, which is one here
		-1021: provider.Skewed,
		-1022: provider.Unknown, -2014: provider.Unknown, -2015: provider.Unknown, -1002: provider.Unknown,
		-1003: provider.Throttled, -1008: provider.Throttled, -1015: provider.Throttled,
		-1000: provider.Unknown, -1001: provider.Unknown, -1007: provider.Unknown, -1020: provider.Unknown, -1102: provider.Unknown, -9000: provider.Unknown, -4711: provider.Unknown,
	} {
		for _, status := range []int{200, 400, 401, 418, 429} {
			f, url := serve(t)
			f.fault(self, say(status, code))
			got := providertest.Probe(t, open(url), f.credential(url, "old"))
			word, _, _ := strings.Cut(got.Code, ", the clock here is ") // which may differ by a second
			if got.State != want || word != fmt.Sprint(code) {
				t.Errorf("%d: %+v, want %s", code, got, want)
			}
		}
		// Whatever a server that failed says.
		f, url := serve(t)
		f.fault(self, say(503, code))
		_, err := open(url).Verify(t.Context(), f.credential(url, "old"))
		providertest.Quiet(t, err, provider.Unclear)
	}
	for status, want := range map[int]provider.State{401: provider.Unknown, 403: provider.Throttled, 418: provider.Throttled, 429: provider.Throttled} {
		for _, body := range []string{"", "<html>" + marked, `{"message":"` + marked + `"}`, `{"code":"-2008"}`} {
			f, url := serve(t)
			f.fault(self, providertest.Text(status, body))
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
	test.test = true
	p := open(mainURL)
	p.Environments = append(p.Environments, binance.Environment{URL: testURL, Test: true})
	c := main.credential(mainURL, "old")
	known := main.find("old")
	main.keys, test.keys = nil, nil
	check := func(name string, want provider.State, code string) {
		t.Helper()
		if got := providertest.Probe(t, p, c); got.State != want || got.Code != code {
			t.Errorf("%s: %+v; want %s, %s", name, got, want, code)
		}
	}
	host := strings.TrimPrefix(testURL, "http://")
	check("nowhere", provider.Dead, "-2008")
	test.keys = []*fakeKey{known}
	check("in the test net", provider.Elsewhere, "-2008; "+host+" knows it")
	test.from = "198.51.100.1"
	check("in the test net, from elsewhere", provider.Unknown, "-2008; "+host+" could not tell")
	test.answer = func(w http.ResponseWriter, _ *http.Request, _ func()) bool { w.WriteHeader(502); return true }
	check("the test net is down", provider.Unknown, "-2008; "+host+" could not tell")

	// Without a host, nobody has said which environment it is of.
	test.answer, test.keys = nil, nil
	delete(c.Params, "host")
	check("no host, nowhere", provider.Unknown, "-2008 wherever it was asked")
	test.keys, test.from = []*fakeKey{known}, "192.0.2.1"
	check("no host, in the test net", provider.Alive, "0")
	c.Params["host"] = testURL
	check("in the test net, as it says", provider.Alive, "0")
	_, err := p.Plan(t.Context(), c, c)
	providertest.Quiet(t, err, provider.Refused)
}

func TestClock(t *testing.T) {
	for _, off := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		f, url := serve(t)
		p := open(url)
		p.SetNow(func() time.Time { return time.Now().Add(off) })
		got := providertest.Probe(t, p, f.credential(url, "old"))
		direction := map[bool]string{true: "fast", false: "slow"}[off > 0]
		if got.State != provider.Skewed || !strings.HasPrefix(got.Code, "-1021, the clock here is ") || !strings.HasSuffix(got.Code, direction) {
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
		"as it is":    func(k *fakeKey) {},
		"reads":       func(k *fakeKey) { k.can = nil },
		"any address": func(k *fakeKey) { k.ips, k.restrict = nil, false },
		"all": func(k *fakeKey) {
			k.can = []string{"canTrade", "canMarginLoanRepay", "canFuturesTrade", "canUniversalTransfer", "canVanillaOptions"}
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
			if got.ID != "new1" || string(got.Part("id").Reveal()) != "new1" || string(got.Part("secret").Reveal()) != marked+"n1" {
				t.Errorf("%+v", got)
			}
			after := providertest.Probe(t, p, got).Who
			o, n := f.find("old"), f.find("new1")
			if !slices.Equal(before.Scopes, after.Scopes) || !slices.Equal(slices.Sorted(slices.Values(o.ips)), n.ips) || o.restrict != n.restrict || n.name != "keywright-1" || n.email != sub {
				t.Errorf("%+v\nis not like\n%+v", n, o)
			}
			if providertest.Probe(t, p, old).State != provider.Alive {
				t.Error("the old one is gone")
			}
		})
	}
}

func TestIssueRefused(t *testing.T) {
	for name, change := range map[string]func(f *fake, old *fakeKey){
		"gone":                       func(f *fake, _ *fakeKey) { f.drop("old") },
		"of another":                 func(_ *fake, o *fakeKey) { o.email = "c@example.com" },
		"a service's addresses":      func(_ *fake, o *fakeKey) { o.ips = nil },
		"more addresses than it can": func(_ *fake, o *fakeKey) { o.ips = slices.Repeat([]string{"192.0.2.111"}, 50) },
	} {
		f, url := serve(t)
		admin, old := f.credential(url, "master"), f.credential(url, "old")
		change(f, f.find("old"))
		_, err := open(url).Issue(t.Context(), admin, old, "keywright-1")
		providertest.Quiet(t, err, provider.Refused)
		if f.made != 0 {
			t.Errorf("%s: one was made", name)
		}
	}
	f, url := serve(t)
	admin, old := f.credential(url, "master"), f.credential(url, "old")
	delete(old.Params, "email")
	_, err := open(url).Issue(t.Context(), admin, old, "keywright-1")
	if e := providertest.Quiet(t, err, provider.Incomplete); !strings.Contains(e.Hint, "email") {
		t.Errorf("%+v", e)
	}
}

// fault answers calls of one path: with a method before it, of that alone.
func (f *fake) fault(route string, answer providertest.Answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = func(w http.ResponseWriter, r *http.Request, done func()) bool {
		if r.URL.Path != route && r.Method+" "+r.URL.Path != route {
			return false
		}
		answer(w, done)
		return true
	}
}

func say(status, code int) providertest.Answer {
	return providertest.Text(status, fmt.Sprintf(`{"code":%d,"msg":"%s","secretKey":"%s"}`, code, marked, marked))
}

// What is known after a create that did not go well: Unclear and Malformed say that there
// may be a key that nobody holds.
func TestIssueFaults(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer providertest.Answer
		kind   provider.Kind
	}{
		{"may not, or the address", say(401, -2015), provider.Forbidden},
		{"not known", say(401, -2008), provider.Forbidden},
		{"signature", say(400, -1022), provider.Forbidden},
		{"without a word", providertest.Text(401, ""), provider.Forbidden},
		{"parameter", say(400, -1102), provider.Refused},
		{"not supported", say(400, -9000), provider.Refused},
		{"clock", say(400, -1021), provider.Refused},
		{"too many", say(429, -1003), provider.Busy},
		{"banned for a while", providertest.Text(418, ""), provider.Busy},
		{"too many, without a word", providertest.Text(429, "<html>"+marked), provider.Busy},
		{"timeout", providertest.After(say(400, -1007)), provider.Unclear},
		{"busy, says a server that failed", providertest.After(say(503, -1008)), provider.Unclear},
		{"a code that is not documented", providertest.After(say(400, -4711)), provider.Unclear},
		{"500", providertest.After(providertest.Text(500, marked)), provider.Unclear},
		{"no answer", providertest.After(providertest.HangUp), provider.Unclear},
		{"a page", providertest.Text(200, "<html>"+marked), provider.Malformed},
		{"half", providertest.After(providertest.Text(200, `{"secretKey":"`+marked)), provider.Malformed},
		{"nothing", providertest.Text(200, `{}`), provider.Malformed},
		{"no secret", providertest.Text(200, `{"apiKey":"new","secretKey":""}`), provider.Malformed},
		{"the old one", providertest.Text(200, `{"apiKey":"old","secretKey":"`+marked+`"}`), provider.Malformed},
		{"a secret of another type", providertest.Text(200, `{"apiKey":"new","secretKey":{"`+marked+`":1}}`), provider.Malformed},
		{"moved", providertest.Text(307, ""), provider.Refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, url := serve(t)
			f.fault("POST "+subs, c.answer)
			p, admin, old := open(url), f.credential(url, "master"), f.credential(url, "old")
			_, err := p.Issue(t.Context(), admin, old, "keywright-1")
			providertest.Quiet(t, err, c.kind)
			if n := f.called("POST " + subs); n != 1 {
				t.Errorf("asked for %d times", n)
			}
			// What was made all the same is found by its lineage.
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
	for _, route := range []string{"GET " + subs, bound} {
		for name, answer := range map[string]providertest.Answer{
			"500": providertest.Text(500, marked), "no answer": providertest.HangUp, "a page": providertest.Text(200, "<html>"+marked), "nothing": providertest.Text(200, `{}`), "a text": providertest.Text(200, `"`+marked+`"`),
		} {
			f, url := serve(t)
			f.fault(route, answer)
			_, err := open(url).Issue(t.Context(), f.credential(url, "master"), f.credential(url, "old"), "keywright-1")
			providertest.Quiet(t, err, provider.Unreached)
			if n := f.called("POST " + subs); n != 0 {
				t.Errorf("%s: asked for %d times", name, n)
			}
		}
	}
}

func TestList(t *testing.T) {
	f, url := serve(t)
	for i := range 204 {
		f.keys = append(f.keys, &fakeKey{id: fmt.Sprint("k", i), email: sub, name: fmt.Sprint("n", i)})
	}
	f.keys = append(f.keys, &fakeKey{id: "of another", email: "c@example.com"})
	p, admin, old := open(url), f.credential(url, "master"), f.credential(url, "old")
	all, err := p.List(t.Context(), admin, old)
	if err != nil || len(all) != 205 || f.called("GET "+subs) != 3 {
		t.Fatalf("%d, %v", len(all), err)
	}
	if all[0].ID != "old" || all[0].Label != "bot" || !all[0].Created.Equal(time.UnixMilli(1700000000123)) || !slices.Equal(all[0].Scopes, []string{"canFuturesTrade", "canTrade"}) || all[204].ID != "k203" {
		t.Errorf("%+v", all[0])
	}
	for _, body := range []string{`{}`, `{"total":1}`, `{"rows":[]}`, `{"total":2,"rows":[]}`, `{"total":0,"rows":[{"apikey":"x"}]}`, `{"total":1,"rows":[{"apiName":"x"}]}`, "<html>" + marked} {
		f.fault(subs, providertest.Text(200, body))
		_, err = p.List(t.Context(), admin, old)
		providertest.Quiet(t, err, provider.Malformed)
	}
	f.answer = nil
	_, err = p.List(t.Context(), old, old)
	providertest.Quiet(t, err, provider.Forbidden)
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
		{"the master's key may withdraw", func(_ *fake, m, _ *fakeKey) { m.flags = []string{"enableWithdrawals"} }, "", []string{"the master's key may withdraw"}},
		{"no addresses", func(_ *fake, m, o *fakeKey) { m.restrict, o.restrict, o.ips = false, false, nil }, "", []string{"the master's key may be used from any", "and so may the new one"}},
		{"more than can be given", func(_ *fake, _, o *fakeKey) { o.flags = []string{"enableFixApiTrade", "enableWithdrawals"} }, "", []string{"without enableFixApiTrade", "without enableWithdrawals"}},
		{"the old one is refused here", func(_ *fake, _, o *fakeKey) { o.ips = []string{"198.51.100.7"} }, "", nil},

		{"no right", func(_ *fake, m, _ *fakeKey) { m.can = nil }, provider.Forbidden, nil},
		{"not a master's", func(_ *fake, m, _ *fakeKey) { m.email = sub }, provider.Forbidden, nil},
		{"from another address", func(f *fake, _, _ *fakeKey) { f.from = "198.51.100.1" }, provider.Forbidden, nil},
		{"unknown", func(f *fake, _, _ *fakeKey) { f.drop("master") }, provider.Forbidden, nil},
		{"not of this master's", func(_ *fake, _, o *fakeKey) { o.email = "c@example.com" }, provider.Refused, nil},
		{"busy", func(f *fake, _, _ *fakeKey) { f.fault(self, providertest.Text(500, marked)) }, provider.Unreached, nil},
		{"no list", func(f *fake, _, _ *fakeKey) { f.fault(subs, say(429, -1003)) }, provider.Busy, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, url := serve(t)
			admin, old := f.credential(url, "master"), f.credential(url, "old")
			c.change(f, f.find("master"), f.find("old"))
			got, err := open(url).Plan(t.Context(), admin, old)
			if n := f.called("POST "+subs) + f.called("DELETE "+subs); n != 0 {
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
	_, err := open().Plan(t.Context(), provider.Credential{}, provider.Credential{})
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
	providertest.Quiet(t, p.Revoke(t.Context(), old, old, next), provider.Refused)
	providertest.Quiet(t, p.Revoke(t.Context(), admin, provider.Credential{ID: "old", Params: map[string]string{"host": url}}, provider.Credential{}), provider.Incomplete)
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
	if err := p.Revoke(t.Context(), admin, orphan, old); err != nil || f.find("new1") != nil {
		t.Error(err)
	}
	if err := p.Revoke(t.Context(), old, old, provider.Credential{}); err != nil { // it is gone
		t.Error(err)
	}
}

// Where the sub-account is the wrong one, a key that is not listed is not gone, and neither
// is one of which it is not known.
func TestRevokeElsewhere(t *testing.T) {
	f, url := serve(t)
	admin, old := f.credential(url, "master"), f.credential(url, "old")
	old.Params["email"] = "c@example.com"
	providertest.Quiet(t, open(url).Revoke(t.Context(), admin, old, provider.Credential{}), provider.Unclear)
	f.fault(self, say(429, -1003))
	providertest.Quiet(t, open(url).Revoke(t.Context(), admin, old, provider.Credential{}), provider.Unclear)
	if f.find("old") == nil {
		t.Error("it is gone")
	}
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
		{"done, timeout", providertest.After(say(400, -1007)), ""},
		{"not done, no answer", providertest.HangUp, provider.Unclear},
		{"not done, 500", providertest.Text(500, marked), provider.Unclear},
		{"not done, a page", providertest.Text(200, "<html>"+marked), provider.Malformed},
		{"not done, a code that is not documented", say(400, -4711), provider.Unclear},
		{"may not", say(401, -2015), provider.Forbidden},
		{"too many", say(429, -1003), provider.Busy},
		{"not known", say(401, -2008), provider.Forbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, url := serve(t)
			f.fault("DELETE "+subs, c.answer)
			err := open(url).Revoke(t.Context(), f.credential(url, "master"), f.credential(url, "old"), provider.Credential{})
			if c.kind == "" {
				if err != nil || f.there("old") {
					t.Error(err)
				}
				return
			}
			providertest.Quiet(t, err, c.kind)
			if n := f.called("DELETE " + subs); n != 1 || !f.there("old") {
				t.Errorf("asked %d times", n)
			}
		})
	}
}
