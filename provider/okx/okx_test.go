package okx_test

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
	"github.com/keywright/keywright/provider/okx"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/secret"
)

var (
	_ provider.Verifier = (*okx.Provider)(nil)
	_ provider.Lister   = (*okx.Provider)(nil)
	_ provider.Planner  = (*okx.Provider)(nil)
	_ provider.Issuer   = (*okx.Provider)(nil)
	_ provider.Revoker  = (*okx.Provider)(nil)
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

// The requests were recorded from OKX's own SDK for Python: see testdata/sdk.
func TestSignatures(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "signed.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []struct{ Method, Path, Body, Timestamp, Sign string }
	if err := json.Unmarshal(data, &all); err != nil || len(all) != 4 {
		t.Fatal(len(all), err)
	}
	for _, r := range all {
		if got := okx.Sign(secret.New([]byte("recorded-secret")), r.Timestamp, r.Method, r.Path, []byte(r.Body)); got != r.Sign {
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
			id, sub := fmt.Sprint("test", made), fmt.Sprint("subtest", made)
			f.subs = append(f.subs, fakeSub{sub, fmt.Sprint(2000 + made), int64(made)})
			f.keys = append(f.keys, &fakeKey{id: id, secret: marked + id, phrase: marked + "p" + id, uid: fmt.Sprint(2000 + made), perm: "read_only,trade"})
			c := f.credential(url, id)
			c.Params["subaccount"] = sub
			return c
		},
		Accepts: func(t *testing.T, c provider.Credential) bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			k := f.find(string(c.Part("id").Reveal()))
			return k != nil && k.secret == string(c.Part("secret").Reveal()) && k.phrase == string(c.Part("passphrase").Reveal())
		},
		DeadCode:   "50119",
		WrongCodes: map[string]string{"secret": "50113", "passphrase": "50105"},
		ByID:       true,
		Addr:       strings.TrimPrefix(url, "http://"),
		At: func(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
			c.Params = map[string]string{"host": "http://" + addr, "subaccount": c.Params["subaccount"]}
			return open(url), c
		},
	})
}

func TestVerify(t *testing.T) {
	f, url := serve(t)
	p := open(url)
	f.keys = append(f.keys, &fakeKey{id: "rich", secret: marked, phrase: marked, uid: "1000", perm: "read_only,withdraw,trade"})
	for id, want := range map[string]provider.Identity{
		"old":  {Account: "1001", ID: "old", Label: "bot", Scopes: []string{"read_only", "trade"}, IPs: []string{"192.0.2.0", "192.0.2.1"}},
		"rich": {Account: "1000", ID: "rich", Scopes: []string{"read_only", "trade", "withdraw"}, Withdraw: true},
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
	for code, want := range map[string]provider.State{
		"50111": provider.Dead, "50119": provider.Dead, // in all worlds that there are, which is one here
		"50102": provider.Skewed, "50112": provider.Skewed,
		"50101": provider.Elsewhere,
		"50105": provider.Unknown, "50113": provider.Unknown, "50007": provider.Unknown, "50100": provider.Unknown, "50051": provider.Unknown, "50060": provider.Unknown,
		"50030": provider.Narrow, "50114": provider.Narrow, "50120": provider.Narrow, "50035": provider.Narrow, "59500": provider.Narrow,
		"50011": provider.Throttled, "50013": provider.Throttled, "50040": provider.Throttled,
		"50110": provider.Blocked, "50121": provider.Blocked,
		"1": provider.Unknown, "50001": provider.Unknown, "50004": provider.Unknown, "50026": provider.Unknown, "59506": provider.Unknown, "4711": provider.Unknown,
	} {
		for _, status := range []int{200, 401, 429, 500} {
			f, url := serve(t)
			f.answer = func(w http.ResponseWriter, r *http.Request, _ func()) bool {
				say(status, code)(w, nil)
				return true
			}
			got := providertest.Probe(t, open(url), f.credential(url, "old"))
			word, _, _ := strings.Cut(got.Code, ", the clock here is ") // which may differ by a second
			if got.State != want || word != code {
				t.Errorf("%s: %+v, want %s", code, got, want)
			}
		}
	}
	for status, want := range map[int]provider.State{401: provider.Unknown, 403: provider.Unknown, 429: provider.Throttled} {
		for _, body := range []string{"", "<html>" + marked, `{"message":"` + marked + `"}`, `{"code":50119}`} {
			f, url := serve(t)
			f.answer = func(w http.ResponseWriter, r *http.Request, _ func()) bool {
				providertest.Text(status, body)(w, nil)
				return true
			}
			if got := providertest.Probe(t, open(url), f.credential(url, "old")); got.State != want || got.Code != fmt.Sprint(status) {
				t.Errorf("HTTP %d: %+v, want %s", status, got, want)
			}
		}
	}
	f, url := serve(t)
	f.fault(config, say(200, marked))
	if got := providertest.Probe(t, open(url), f.credential(url, "old")); got.State != provider.Unknown {
		t.Errorf("%+v", got)
	}
}

// A key that its world does not know is dead if no other one does, and not while one of
// them cannot be asked.
func TestWorlds(t *testing.T) {
	main, mainURL := serve(t)
	test, testURL := serve(t)
	p := open(mainURL, testURL)
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
	check("nowhere", provider.Dead, "50119")
	test.keys = []*fakeKey{known}
	check("there", provider.Elsewhere, "50119; "+host+" knows it")
	test.from = "198.51.100.1"
	check("there, from another address", provider.Elsewhere, "50119; "+host+" knows it")
	known.demo = true
	check("there, in demo trading", provider.Elsewhere, "50119; "+host+" knows it")
	test.keys = []*fakeKey{{id: "old"}}
	check("there, with another passphrase", provider.Unknown, "50119; "+host+" could not tell")
	test.answer = func(w http.ResponseWriter, r *http.Request, _ func()) bool { w.WriteHeader(502); return true }
	check("it is down", provider.Unknown, "50119; "+host+" could not tell")

	// Without a host, nobody has said which world it is of.
	test.answer, test.keys = nil, nil
	delete(c.Params, "host")
	check("no host, nowhere", provider.Unknown, "50119 wherever it was asked")
	test.keys, known.demo, test.from = []*fakeKey{known}, false, "192.0.2.1"
	check("no host, there", provider.Alive, "0")
}

func TestDemo(t *testing.T) {
	f, url := serve(t)
	f.find("master").demo, f.find("old").demo = true, true
	p, admin, old := open(url), f.credential(url, "master"), f.credential(url, "old")
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
	if _, err := p.Issue(t.Context(), admin, old, "keywright-1"); err != nil || !f.find("new1").demo {
		t.Error(err)
	}
}

func TestClock(t *testing.T) {
	for _, off := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		f, url := serve(t)
		p := open(url)
		p.SetNow(func() time.Time { return time.Now().Add(off) })
		got := providertest.Probe(t, p, f.credential(url, "old"))
		direction := map[bool]string{true: "fast", false: "slow"}[off > 0]
		if got.State != provider.Skewed || !strings.HasPrefix(got.Code, "50102, the clock here is ") || !strings.HasSuffix(got.Code, direction) {
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
		"read-only":   func(k *fakeKey) { k.perm = "read_only" },
		"any address": func(k *fakeKey) { k.ip = "" },
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
			if !slices.Equal(before.Scopes, after.Scopes) || !slices.Equal(before.IPs, after.IPs) || before.Account != after.Account || before.Withdraw != after.Withdraw {
				t.Errorf("%+v\nis not like\n%+v", after, before)
			}
			if providertest.Probe(t, p, old).State != provider.Alive {
				t.Error("the old one is gone")
			}
			again, err := p.Issue(t.Context(), admin, old, "keywright-2")
			if err != nil || string(again.Part("passphrase").Reveal()) == string(got.Part("passphrase").Reveal()) {
				t.Error("the same passphrase twice:", err)
			}
		})
	}
}

// A right that no key of a sub-account can have is not asked for.
func TestIssueWithoutWithdraw(t *testing.T) {
	f, url := serve(t)
	f.find("old").perm = "read_only,withdraw"
	p, admin, old := open(url), f.credential(url, "master"), f.credential(url, "old")
	plan, err := p.Plan(t.Context(), admin, old)
	if err != nil || len(plan.Notes) != 1 || !strings.Contains(plan.Notes[0], "without withdraw") {
		t.Errorf("%+v, %v", plan, err)
	}
	if _, err := p.Issue(t.Context(), admin, old, "keywright-1"); err != nil || f.find("new1").perm != "read_only" {
		t.Errorf("%+v, %v", f.find("new1"), err)
	}
	f.find("old").perm = "withdraw"
	_, err = p.Issue(t.Context(), admin, old, "keywright-2")
	providertest.Quiet(t, err, provider.Refused)
	_, err = p.Plan(t.Context(), admin, old)
	providertest.Quiet(t, err, provider.Refused)
	_, err = p.Issue(t.Context(), admin, admin, "keywright-2")
	providertest.Quiet(t, err, provider.Refused)
	if f.made != 1 {
		t.Errorf("%d were made", f.made)
	}
}

// A key that is refused says nothing of itself any more: the master account does.
func TestIssueForRefusedKey(t *testing.T) {
	f, url := serve(t)
	p, admin, old := open(url), f.credential(url, "master"), f.credential(url, "old")
	f.find("old").ip = "198.51.100.7"
	_, err := p.Issue(t.Context(), admin, old, "keywright-1")
	providertest.Quiet(t, err, provider.Forbidden)
	old.Params["subaccount"] = "subone"
	if _, err := p.Issue(t.Context(), admin, old, "keywright-1"); err != nil {
		t.Fatal(err)
	}
	if k := f.find("new1"); k.ip != "198.51.100.7" || k.perm != "read_only,trade" {
		t.Errorf("%+v", k)
	}
	f.drop("old")
	_, err = p.Issue(t.Context(), admin, old, "keywright-2")
	providertest.Quiet(t, err, provider.Refused)
	if f.made != 1 {
		t.Errorf("%d were made", f.made)
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

func say(status int, code string) providertest.Answer {
	return providertest.Text(status, fmt.Sprintf(`{"code":"%s","msg":"%s","data":[{"secretKey":"%s"}]}`, code, marked, marked))
}

// What is known after a create that did not go well: Unclear and Malformed say that there
// may be a key that nobody holds.
func TestIssueFaults(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer providertest.Answer
		kind   provider.Kind
	}{
		{"may not", say(200, "50120"), provider.Forbidden},
		{"not a master's", say(200, "59500"), provider.Forbidden},
		{"not bound to addresses", say(403, "50035"), provider.Forbidden},
		{"address", say(401, "50110"), provider.Forbidden},
		{"not known", say(200, "50119"), provider.Forbidden},
		{"signature", say(401, "50113"), provider.Forbidden},
		{"without a word", providertest.Text(401, ""), provider.Forbidden},
		{"full", say(200, "59501"), provider.NoSlot},
		{"the label is taken", say(200, "59502"), provider.Refused},
		{"passphrase", say(200, "59505"), provider.Refused},
		{"demo", say(200, "50038"), provider.Refused},
		{"parameter", say(400, "50014"), provider.Refused},
		{"too many", say(429, "50011"), provider.Busy},
		{"too many, without a word", providertest.Text(429, "<html>"+marked), provider.Busy},
		{"failed", providertest.After(say(200, "1")), provider.Unclear},
		{"the server was too slow", providertest.After(say(400, "50004")), provider.Unclear},
		{"the server failed", providertest.After(say(500, "50026")), provider.Unclear},
		{"unavailable", providertest.After(say(503, "50001")), provider.Unclear},
		{"a code that is not documented", providertest.After(say(200, "4711")), provider.Unclear},
		{"a word for a code", providertest.After(say(200, marked)), provider.Unclear},
		{"500", providertest.After(providertest.Text(500, marked)), provider.Unclear},
		{"502", providertest.After(providertest.Text(502, "<html>"+marked)), provider.Unclear},
		{"no answer", providertest.After(providertest.HangUp), provider.Unclear},
		{"a page", providertest.Text(200, "<html>"+marked), provider.Malformed},
		{"half", providertest.After(providertest.Text(200, `{"code":"0","data":[{"secretKey":"`+marked)), provider.Malformed},
		{"no code", providertest.Text(200, `{"data":[{"secretKey":"`+marked+`"}]}`), provider.Malformed},
		{"no data", providertest.Text(200, `{"code":"0"}`), provider.Malformed},
		{"empty data", providertest.Text(200, `{"code":"0","data":[]}`), provider.Malformed},
		{"no secret", providertest.Text(200, `{"code":"0","data":[{"apiKey":"new","secretKey":""}]}`), provider.Malformed},
		{"the old one", providertest.Text(200, `{"code":"0","data":[{"apiKey":"old","secretKey":"`+marked+`"}]}`), provider.Malformed},
		{"a secret of another type", providertest.Text(200, `{"code":"0","data":[{"apiKey":"new","secretKey":{"`+marked+`":1}}]}`), provider.Malformed},
		{"moved", providertest.Text(307, ""), provider.Refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, url := serve(t)
			f.fault("POST "+create, c.answer)
			p, admin, old := open(url), f.credential(url, "master"), f.credential(url, "old")
			_, err := p.Issue(t.Context(), admin, old, "keywright-1")
			providertest.Quiet(t, err, c.kind)
			if n := f.called("POST " + create); n != 1 {
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
	for _, path := range []string{config, "/api/v5/users/subaccount/list"} {
		for name, answer := range map[string]providertest.Answer{
			"500": providertest.Text(500, marked), "no answer": providertest.HangUp, "a page": providertest.Text(200, "<html>"+marked), "no list": providertest.Text(200, `{"code":"0","data":"`+marked+`"}`),
		} {
			f, url := serve(t)
			f.fault(path, answer)
			_, err := open(url).Issue(t.Context(), f.credential(url, "master"), f.credential(url, "old"), "keywright-1")
			providertest.Quiet(t, err, provider.Unreached)
			if n := f.called("POST " + create); n != 0 {
				t.Errorf("%s: asked for %d times", name, n)
			}
		}
	}
	f, url := serve(t)
	f.fault(config, providertest.Text(200, `{"code":"0","data":[]}`))
	_, err := open(url).Issue(t.Context(), f.credential(url, "master"), f.credential(url, "old"), "keywright-1")
	providertest.Quiet(t, err, provider.Unreached)
}

func TestList(t *testing.T) {
	f, url := serve(t)
	f.keys = append(f.keys, &fakeKey{id: "of another", uid: "1002"}, &fakeKey{id: "k1", uid: "1001", label: "n1", perm: "read_only"})
	p, admin, old := open(url), f.credential(url, "master"), f.credential(url, "old")
	all, err := p.List(t.Context(), admin, old)
	if err != nil || len(all) != 2 {
		t.Fatalf("%d, %v", len(all), err)
	}
	if all[0].ID != "old" || all[0].Label != "bot" || !all[0].Created.Equal(time.UnixMilli(1700000000123)) || len(all[0].IPs) != 2 || !slices.Contains(all[0].Scopes, "trade") {
		t.Errorf("%+v", all[0])
	}
	if all[1].ID != "k1" || all[1].Label != "n1" || all[1].IPs != nil {
		t.Errorf("%+v", all[1])
	}
	for _, body := range []string{`{"code":"0"}`, `{"code":"0","data":null}`, `{"code":"0","data":[{"label":"x"}]}`, `{"code":"0","data":{}}`, "<html>" + marked} {
		f.fault(create, providertest.Text(200, body))
		_, err = p.List(t.Context(), admin, old)
		providertest.Quiet(t, err, provider.Malformed)
	}
	f.answer = nil
	old.Params["subaccount"] = "subone"
	_, err = p.List(t.Context(), old, old)
	providertest.Quiet(t, err, provider.Forbidden)
}

// The name of a sub-account is looked for on all pages.
func TestSubaccount(t *testing.T) {
	f, url := serve(t)
	for i := range 250 {
		f.subs = append(f.subs, fakeSub{fmt.Sprint("more", i), fmt.Sprint(3000 + i), 1700000000001 + int64(i)})
	}
	p, admin, old := open(url), f.credential(url, "master"), f.credential(url, "old")
	if all, err := p.List(t.Context(), admin, old); err != nil || len(all) != 1 {
		t.Errorf("%v, %v", all, err)
	}
	if n := f.called("GET /api/v5/users/subaccount/list"); n != 3 {
		t.Errorf("%d pages", n)
	}
	f.subs = f.subs[1:]
	_, err := p.List(t.Context(), admin, old)
	providertest.Quiet(t, err, provider.Refused)
	_, err = p.List(t.Context(), admin, admin)
	providertest.Quiet(t, err, provider.Incomplete)
	f.drop("old")
	_, err = p.List(t.Context(), admin, old)
	if e := providertest.Quiet(t, err, provider.Incomplete); !strings.Contains(e.Hint, "subaccount") {
		t.Error(e.Hint)
	}
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(f *fake, master, old *fakeKey)
		kind   provider.Kind
		notes  []string // parts of them, in order
	}{
		{"as it should be", func(*fake, *fakeKey, *fakeKey) {}, "", nil},
		{"the master's key may withdraw", func(_ *fake, m, _ *fakeKey) { m.perm += ",withdraw" }, "", []string{"the master's key may withdraw"}},
		{"no addresses", func(_ *fake, _, o *fakeKey) { o.ip = "" }, "", []string{"14 days"}},
		{"no addresses, read-only", func(_ *fake, _, o *fakeKey) { o.ip, o.perm = "", "read_only" }, "", nil},

		{"no right", func(_ *fake, m, _ *fakeKey) { m.perm = "read_only" }, provider.Forbidden, nil},
		{"not bound to addresses", func(_ *fake, m, _ *fakeKey) { m.ip = "" }, provider.Forbidden, nil},
		{"not a master's", func(_ *fake, m, _ *fakeKey) { m.uid = "1001" }, provider.Forbidden, nil},
		{"from another address", func(f *fake, _, _ *fakeKey) { f.from = "198.51.100.1" }, provider.Forbidden, nil},
		{"unknown", func(f *fake, _, _ *fakeKey) { f.drop("master") }, provider.Forbidden, nil},
		{"the old one is a master's", func(_ *fake, _, o *fakeKey) { o.uid = "1000" }, provider.Refused, nil},
		{"full", func(f *fake, _, _ *fakeKey) {
			for i := range 49 {
				f.keys = append(f.keys, &fakeKey{id: fmt.Sprint("k", i), uid: "1001"})
			}
		}, provider.NoSlot, nil},
		{"busy", func(f *fake, _, _ *fakeKey) { f.fault(config, say(429, "50011")) }, provider.Busy, nil},
		{"down", func(f *fake, _, _ *fakeKey) { f.fault(config, providertest.Text(500, marked)) }, provider.Unreached, nil},
		{"no list", func(f *fake, _, _ *fakeKey) { f.fault(create, providertest.Text(500, marked)) }, provider.Unreached, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, url := serve(t)
			admin, old := f.credential(url, "master"), f.credential(url, "old")
			c.change(f, f.find("master"), f.find("old"))
			got, err := open(url).Plan(t.Context(), admin, old)
			if n := f.called("POST "+create) + f.called("POST "+remove); n != 0 {
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
	f, url := serve(t)
	f.fault(config, func(w http.ResponseWriter, _ func()) {
		n := len(f.calls) // the first is of the master account, the second of a sub-account of it
		providertest.Text(200, fmt.Sprintf(`{"code":"0","data":[{"uid":"%d","mainUid":"1","perm":"trade","ip":"192.0.2.1"}]}`, n))(w, nil)
	})
	admin, old := f.credential(url, "master"), f.credential(url, "old")
	old.Params["subaccount"] = "subone"
	if _, err := open(url).Plan(t.Context(), admin, old); err != nil {
		t.Error(err)
	}
	f.calls = nil
	f.fault(config, func(w http.ResponseWriter, _ func()) {
		n := len(f.calls) // the second is of a sub-account of another
		providertest.Text(200, fmt.Sprintf(`{"code":"0","data":[{"uid":"1","mainUid":"%d","perm":"trade","ip":"192.0.2.1"}]}`, n))(w, nil)
	})
	_, err := open(url).Plan(t.Context(), admin, old)
	providertest.Quiet(t, err, provider.Refused)
	_, err = open().Plan(t.Context(), provider.Credential{}, provider.Credential{})
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
	if f.find("old") == nil || f.find("new1") == nil {
		t.Fatal("one is gone")
	}
	// An orphan, of which the name is all that there is, and who stands beside it.
	orphan := provider.Credential{ID: "new1", Params: map[string]string{"host": url}}
	for range 2 {
		if err := p.Revoke(t.Context(), admin, orphan, old); err != nil || f.find("new1") != nil || f.find("old") == nil {
			t.Error(err)
		}
	}
	providertest.Quiet(t, p.Revoke(t.Context(), admin, orphan, provider.Credential{}), provider.Incomplete)
	for range 2 {
		if err := p.Revoke(t.Context(), admin, old, provider.Credential{}); err != nil {
			t.Fatal(err)
		}
	}
	if f.find("old") != nil || f.find("master") == nil {
		t.Error("the wrong one is gone")
	}
	if got := providertest.Probe(t, p, old); got.State != provider.Dead {
		t.Errorf("%+v", got)
	}
	if err := p.Revoke(t.Context(), old, old, provider.Credential{}); err != nil { // it is gone
		t.Error(err)
	}
}

// Where the name of the sub-account is wrong, a key that is not listed is not gone.
func TestRevokeElsewhere(t *testing.T) {
	f, url := serve(t)
	f.subs = append(f.subs, fakeSub{"subtwo", "1002", 1})
	admin, old := f.credential(url, "master"), f.credential(url, "old")
	old.Params["subaccount"] = "subtwo"
	providertest.Quiet(t, open(url).Revoke(t.Context(), admin, old, provider.Credential{}), provider.Refused)
	old.Params["subaccount"] = "nobody"
	providertest.Quiet(t, open(url).Revoke(t.Context(), admin, old, provider.Credential{}), provider.Refused)
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
		{"done, and the server failed", providertest.After(say(500, "50026")), ""},
		{"done, and no data", providertest.After(providertest.Text(200, `{"code":"0"}`)), ""},
		{"not done, no answer", providertest.HangUp, provider.Unclear},
		{"not done, 500", providertest.Text(500, marked), provider.Unclear},
		{"not done, a page", providertest.Text(200, "<html>"+marked), provider.Malformed},
		{"not done, a code that is not documented", say(200, "4711"), provider.Unclear},
		{"may not", say(200, "50120"), provider.Forbidden},
		{"too many", say(429, "50011"), provider.Busy},
		{"not known", say(200, "50119"), provider.Forbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, url := serve(t)
			f.keys = append(f.keys, &fakeKey{id: "new", secret: marked, phrase: marked, uid: "1001"})
			f.fault(remove, c.answer)
			p, admin, old, next := open(url), f.credential(url, "master"), f.credential(url, "old"), f.credential(url, "new")
			err := p.Revoke(t.Context(), admin, old, next)
			if c.kind == "" {
				if err != nil || f.there("old") {
					t.Error(err)
				}
				return
			}
			providertest.Quiet(t, err, c.kind)
			if n := f.called("POST " + remove); n != 1 || !f.there("old") {
				t.Errorf("asked %d times", n)
			}
		})
	}
}
