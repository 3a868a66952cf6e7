package kucoin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/kucoin"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/secret"
)

var (
	_ provider.Verifier = (*kucoin.Provider)(nil)
	_ provider.Lister   = (*kucoin.Provider)(nil)
	_ provider.Planner  = (*kucoin.Provider)(nil)
	_ provider.Issuer   = (*kucoin.Provider)(nil)
	_ provider.Revoker  = (*kucoin.Provider)(nil)
)

const (
	self = "/api/v1/user/api-key"
	subs = "/api/v1/sub/api-key" // GET, POST and DELETE
)

// The requests were recorded from KuCoin's own SDK for Go: see testdata/sdk. What is signed
// of a query is the text before it was encoded.
func TestSignatures(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "signed.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []struct{ Method, URI, Body, Timestamp, Sign, Passphrase string }
	if err := json.Unmarshal(data, &all); err != nil || len(all) != 4 {
		t.Fatal(len(all), err)
	}
	key := secret.New([]byte("recorded-secret"))
	for _, r := range all {
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

func TestConformance(t *testing.T) {
	f, url := serve(t)
	made := 0
	providertest.Provider(t, providertest.Subject{
		Provider: kucoin.New(nil),
		Admin:    f.credential(url, "master"),
		New: func(t *testing.T) provider.Credential {
			f.mu.Lock()
			defer f.mu.Unlock()
			made++
			id, sub := fmt.Sprint("test", made), fmt.Sprint("subtest", made)
			f.keys = append(f.keys, &fakeKey{id: id, secret: marked + id, phrase: marked + "p" + id, uid: int64(2000 + made), sub: sub, rights: "General,Spot"})
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
		DeadCode:   "400003",
		WrongCodes: map[string]string{"secret": "400005", "passphrase": "400004"},
		Addr:       strings.TrimPrefix(url, "http://"),
		At: func(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
			c.Params = map[string]string{"host": "http://" + addr, "subaccount": c.Params["subaccount"]}
			return kucoin.New(nil), c
		},
	})
}

func TestVerify(t *testing.T) {
	f, url := serve(t)
	p := kucoin.New(nil)
	p.Host = url
	f.keys = append(f.keys, &fakeKey{id: "rich", secret: marked, phrase: marked, uid: 1000, rights: "General,Transfer"})
	for id, want := range map[string]provider.Identity{
		"old":  {Account: "1001", ID: "old", Label: "bot", Scopes: []string{"General", "Spot"}, IPs: []string{"192.0.2.0", "192.0.2.1"}},
		"rich": {Account: "1000", ID: "rich", Scopes: []string{"General", "Transfer"}, Withdraw: true},
	} {
		for _, host := range []string{url, url + "/", ""} {
			c := f.credential(url, id)
			c.Params["host"] = host
			if got := providertest.Probe(t, p, c); got.State != provider.Alive || got.Code != "200000" || !reflect.DeepEqual(got.Who, want) {
				t.Errorf("%s: %+v, want %+v", id, got, want)
			}
		}
	}
	// Nobody has said that it is of this host.
	c := f.credential(url, "old")
	delete(c.Params, "host")
	f.drop("old")
	if got := providertest.Probe(t, p, c); got.State != provider.Unknown || got.Code != "400003" {
		t.Errorf("%+v", got)
	}
	f.fault(self, providertest.Text(200, `{"code":"200000","data":{"apiKey":"another","remark":"`+marked+`"}}`))
	_, err := p.Verify(t.Context(), c)
	providertest.Quiet(t, err, provider.Malformed)
}

// What each code means for a key, and which of them mean that it is dead.
func TestCodes(t *testing.T) {
	for code, want := range map[string]provider.State{
		"400003": provider.Dead,
		"400002": provider.Skewed,
		"400004": provider.Unknown, "400005": provider.Unknown, "400008": provider.Unknown, "400009": provider.Unknown, "400301": provider.Unknown, "411100": provider.Unknown,
		"400007": provider.Narrow, "400010": provider.Narrow,
		"429000": provider.Throttled,
		"400006": provider.Blocked,
		"400001": provider.Unknown, "400100": provider.Unknown, "404000": provider.Unknown, "500000": provider.Unknown, "4711": provider.Unknown,
	} {
		for _, status := range []int{200, 400, 401, 429, 500} {
			f, url := serve(t)
			f.fault(self, say(status, code))
			got := providertest.Probe(t, kucoin.New(nil), f.credential(url, "old"))
			word, _, _ := strings.Cut(got.Code, ", the clock here is ") // which may differ by a second
			if got.State != want || word != code {
				t.Errorf("%s: %+v, want %s", code, got, want)
			}
		}
	}
	for status, want := range map[int]provider.State{401: provider.Unknown, 403: provider.Unknown, 429: provider.Throttled} {
		for _, body := range []string{"", "<html>" + marked, `{"message":"` + marked + `"}`, `{"code":400003}`} {
			f, url := serve(t)
			f.fault(self, providertest.Text(status, body))
			if got := providertest.Probe(t, kucoin.New(nil), f.credential(url, "old")); got.State != want || got.Code != fmt.Sprint(status) {
				t.Errorf("HTTP %d: %+v, want %s", status, got, want)
			}
		}
	}
	f, url := serve(t)
	f.fault(self, say(200, marked))
	if got := providertest.Probe(t, kucoin.New(nil), f.credential(url, "old")); got.State != provider.Unknown {
		t.Errorf("%+v", got)
	}
}

func TestClock(t *testing.T) {
	for _, off := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		f, url := serve(t)
		p := kucoin.New(nil)
		p.SetNow(func() time.Time { return time.Now().Add(off) })
		got := providertest.Probe(t, p, f.credential(url, "old"))
		direction := map[bool]string{true: "fast", false: "slow"}[off > 0]
		if got.State != provider.Skewed || !strings.HasPrefix(got.Code, "400002, the clock here is ") || !strings.HasSuffix(got.Code, direction) {
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
	const lineage = "keywright-20260102-0123abcd" // longer than a remark
	for name, change := range map[string]func(*fakeKey){
		"as it is":    func(k *fakeKey) {},
		"reads":       func(k *fakeKey) { k.rights = "General" },
		"any address": func(k *fakeKey) { k.ips = "" },
		"transfers":   func(k *fakeKey) { k.rights = "General,InnerTransfer,Margin,Futures" },
	} {
		t.Run(name, func(t *testing.T) {
			f, url := serve(t)
			change(f.find("old"))
			p, admin, old := kucoin.New(nil), f.credential(url, "master"), f.credential(url, "old")
			before := providertest.Probe(t, p, old).Who
			got, err := p.Issue(t.Context(), admin, old, lineage)
			if err != nil {
				t.Fatal(err)
			}
			after := providertest.Probe(t, p, got).Who
			if got.ID != "new1" || string(got.Part("id").Reveal()) != "new1" || string(got.Part("secret").Reveal()) != marked+"n1" || after.Label != lineage || f.find("new1").expire != "-1" {
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

func TestIssueValidDays(t *testing.T) {
	f, url := serve(t)
	p, admin, old := kucoin.New(nil), f.credential(url, "master"), f.credential(url, "old")
	old.Params["valid_days"] = "90"
	if _, err := p.Issue(t.Context(), admin, old, "keywright-1"); err != nil || f.find("new1").expire != "90" {
		t.Error(err)
	}
	if plan, err := p.Plan(t.Context(), admin, old); err != nil || len(plan.Notes) != 0 {
		t.Errorf("%+v, %v", plan, err)
	}
	old.Params["valid_days"] = "91"
	_, err := p.Issue(t.Context(), admin, old, "keywright-2")
	providertest.Quiet(t, err, provider.Incomplete)
	_, err = p.Plan(t.Context(), admin, old)
	providertest.Quiet(t, err, provider.Incomplete)
}

// A right that no key of a sub-account can have is not asked for.
func TestIssueWithoutTransfer(t *testing.T) {
	f, url := serve(t)
	f.find("old").rights = "General, Transfer"
	p, admin, old := kucoin.New(nil), f.credential(url, "master"), f.credential(url, "old")
	plan, err := p.Plan(t.Context(), admin, old)
	if err != nil || len(plan.Notes) != 2 || !strings.Contains(plan.Notes[1], "without Transfer") {
		t.Errorf("%+v, %v", plan, err)
	}
	if _, err := p.Issue(t.Context(), admin, old, "keywright-1"); err != nil || f.find("new1").rights != "General" {
		t.Errorf("%+v, %v", f.find("new1"), err)
	}
	f.find("old").rights = "Transfer"
	_, err = p.Issue(t.Context(), admin, old, "keywright-2")
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
	p, admin, old := kucoin.New(nil), f.credential(url, "master"), f.credential(url, "old")
	f.find("old").ips = "198.51.100.7"
	_, err := p.Issue(t.Context(), admin, old, "keywright-1")
	providertest.Quiet(t, err, provider.Forbidden)
	old.Params["subaccount"] = "subone"
	if _, err := p.Issue(t.Context(), admin, old, "keywright-1"); err != nil {
		t.Fatal(err)
	}
	if k := f.find("new1"); k.ips != "198.51.100.7" || k.rights != "General,Spot" {
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
	return providertest.Text(status, fmt.Sprintf(`{"code":"%s","msg":"%s","data":{"apiSecret":"%s"}}`, code, marked, marked))
}

// What is known after a create that did not go well: Unclear and Malformed say that there
// may be a key that nobody holds. It can be deleted all the same.
func TestIssueFaults(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer providertest.Answer
		kind   provider.Kind
	}{
		{"may not", say(200, "400007"), provider.Forbidden},
		{"address", say(200, "400006"), provider.Forbidden},
		{"not known", say(401, "400003"), provider.Forbidden},
		{"signature", say(401, "400005"), provider.Forbidden},
		{"without a word", providertest.Text(401, ""), provider.Forbidden},
		{"region", say(200, "400301"), provider.Forbidden},
		{"parameter", say(200, "400100"), provider.Refused},
		{"too many", say(429, "429000"), provider.Busy},
		{"too many, without a word", providertest.Text(429, "<html>"+marked), provider.Busy},
		{"the server failed", providertest.After(say(500, "500000")), provider.Unclear},
		{"a code that is not documented", providertest.After(say(200, "4711")), provider.Unclear},
		{"a word for a code", providertest.After(say(200, marked)), provider.Unclear},
		{"500", providertest.After(providertest.Text(500, marked)), provider.Unclear},
		{"502", providertest.After(providertest.Text(502, "<html>"+marked)), provider.Unclear},
		{"no answer", providertest.After(providertest.HangUp), provider.Unclear},
		{"a page", providertest.Text(200, "<html>"+marked), provider.Malformed},
		{"half", providertest.After(providertest.Text(200, `{"code":"200000","data":{"apiSecret":"`+marked)), provider.Malformed},
		{"no code", providertest.Text(200, `{"data":{"apiSecret":"`+marked+`"}}`), provider.Malformed},
		{"no data", providertest.Text(200, `{"code":"200000"}`), provider.Malformed},
		{"empty data", providertest.Text(200, `{"code":"200000","data":{}}`), provider.Malformed},
		{"no secret", providertest.Text(200, `{"code":"200000","data":{"apiKey":"new","apiSecret":""}}`), provider.Malformed},
		{"the old one", providertest.Text(200, `{"code":"200000","data":{"apiKey":"old","apiSecret":"`+marked+`"}}`), provider.Malformed},
		{"a secret of another type", providertest.Text(200, `{"code":"200000","data":{"apiKey":"new","apiSecret":{"`+marked+`":1}}}`), provider.Malformed},
		{"moved", providertest.Text(307, ""), provider.Refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, url := serve(t)
			f.fault("POST "+subs, c.answer)
			p, admin, old := kucoin.New(nil), f.credential(url, "master"), f.credential(url, "old")
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
			i := slices.IndexFunc(all, func(l provider.Listed) bool { return l.Label == "keywright-1" })
			if i >= 0 != (f.issued() == 1) {
				t.Errorf("%d made, found: %v", f.issued(), i >= 0)
			}
			if f.issued() != 1 {
				return
			}
			if c.kind != provider.Unclear && c.kind != provider.Malformed {
				t.Error("a key was made, and the error denies it")
			}
			orphan := provider.Credential{ID: all[i].ID, Params: old.Params}
			for range 2 {
				if err := p.Revoke(t.Context(), admin, orphan, old); err != nil || f.there("new1") || !f.there("old") {
					t.Error(err)
				}
			}
		})
	}
}

// When a key cannot be read first, none is asked for, and nothing has happened.
func TestIssueReadsFirst(t *testing.T) {
	for name, answer := range map[string]providertest.Answer{
		"500": providertest.Text(500, marked), "no answer": providertest.HangUp, "a page": providertest.Text(200, "<html>"+marked), "nothing": providertest.Text(200, `{"code":"200000","data":"`+marked+`"}`), "another": providertest.Text(200, `{"code":"200000","data":{"apiKey":"another"}}`),
	} {
		f, url := serve(t)
		f.fault(self, answer)
		_, err := kucoin.New(nil).Issue(t.Context(), f.credential(url, "master"), f.credential(url, "old"), "keywright-1")
		providertest.Quiet(t, err, provider.Unreached)
		if n := f.called("POST " + subs); n != 0 {
			t.Errorf("%s: asked for %d times", name, n)
		}
	}
}

func TestList(t *testing.T) {
	f, url := serve(t)
	f.keys = append(f.keys, &fakeKey{id: "of another", sub: "subtwo"}, &fakeKey{id: "k1", sub: "subone", remark: "n1", rights: "General"})
	p, admin, old := kucoin.New(nil), f.credential(url, "master"), f.credential(url, "old")
	all, err := p.List(t.Context(), admin, old)
	if err != nil || len(all) != 2 {
		t.Fatalf("%d, %v", len(all), err)
	}
	if all[0].ID != "old" || all[0].Label != "bot" || !all[0].Created.Equal(time.UnixMilli(1700000000123)) || len(all[0].IPs) != 2 || !slices.Contains(all[0].Scopes, "Spot") {
		t.Errorf("%+v", all[0])
	}
	if all[1].ID != "k1" || all[1].Label != "n1" || all[1].IPs != nil {
		t.Errorf("%+v", all[1])
	}
	for _, body := range []string{`{"code":"200000"}`, `{"code":"200000","data":null}`, `{"code":"200000","data":[{"remark":"x"}]}`, `{"code":"200000","data":{}}`, "<html>" + marked} {
		f.fault(subs, providertest.Text(200, body))
		_, err = p.List(t.Context(), admin, old)
		providertest.Quiet(t, err, provider.Malformed)
	}
	f.answer = nil
	_, err = p.List(t.Context(), old, old)
	providertest.Quiet(t, err, provider.Forbidden)
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
		{"as it should be", func(*fake, *fakeKey, *fakeKey) {}, "", []string{"does not end"}},
		{"the master's key may withdraw", func(_ *fake, m, _ *fakeKey) { m.rights += ",Transfer" }, "", []string{"the master's key may withdraw", "does not end"}},
		{"the master's key from anywhere", func(_ *fake, m, _ *fakeKey) { m.ips = "" }, "", []string{"any address", "does not end"}},

		{"no right", func(_ *fake, m, _ *fakeKey) { m.rights = "Spot" }, provider.Forbidden, nil},
		{"not a master's", func(_ *fake, m, _ *fakeKey) { m.sub = "subone" }, provider.Forbidden, nil},
		{"from another address", func(f *fake, _, _ *fakeKey) { f.from = "198.51.100.1" }, provider.Forbidden, nil},
		{"unknown", func(f *fake, _, _ *fakeKey) { f.drop("master") }, provider.Forbidden, nil},
		{"the old one is a master's", func(_ *fake, _, o *fakeKey) { o.sub = "" }, provider.Refused, nil},
		{"of another master", func(f *fake, _, _ *fakeKey) { f.fault(subs, providertest.Text(200, `{"code":"200000","data":[]}`)) }, provider.Refused, nil},
		{"nothing to give", func(_ *fake, _, o *fakeKey) { o.rights = "Earn" }, provider.Refused, nil},
		{"busy", func(f *fake, _, _ *fakeKey) { f.fault(self, say(429, "429000")) }, provider.Busy, nil},
		{"down", func(f *fake, _, _ *fakeKey) { f.fault(self, providertest.Text(500, marked)) }, provider.Unreached, nil},
		{"no list", func(f *fake, _, _ *fakeKey) { f.fault(subs, providertest.Text(500, marked)) }, provider.Unreached, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, url := serve(t)
			admin, old := f.credential(url, "master"), f.credential(url, "old")
			c.change(f, f.find("master"), f.find("old"))
			got, err := kucoin.New(nil).Plan(t.Context(), admin, old)
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
	_, err := kucoin.New(nil).Plan(t.Context(), provider.Credential{}, provider.Credential{})
	providertest.Quiet(t, err, provider.Incomplete)
}

func TestRevoke(t *testing.T) {
	f, url := serve(t)
	p, admin, old := kucoin.New(nil), f.credential(url, "master"), f.credential(url, "old")
	next, err := p.Issue(t.Context(), admin, old, "keywright-1")
	if err != nil {
		t.Fatal(err)
	}
	providertest.Quiet(t, p.Revoke(t.Context(), admin, next, next), provider.Refused)
	providertest.Quiet(t, p.Revoke(t.Context(), admin, provider.Credential{Params: old.Params}, next), provider.Incomplete)
	providertest.Quiet(t, p.Revoke(t.Context(), old, old, next), provider.Refused)
	// Whose passphrase nobody knows, and was not made here.
	if e := providertest.Quiet(t, p.Revoke(t.Context(), admin, provider.Credential{ID: "old", Params: old.Params}, next), provider.Incomplete); e.Hint == "" {
		t.Errorf("%+v", e)
	}
	if f.find("old") == nil || f.find("new1") == nil {
		t.Fatal("one is gone")
	}
	for range 2 {
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
	if err := p.Revoke(t.Context(), old, old, provider.Credential{}); err != nil { // it is gone
		t.Error(err)
	}
}

// With another key of the master account, the passphrase of one that was lost is another.
func TestRevokeOrphanOfAnotherKey(t *testing.T) {
	f, url := serve(t)
	f.keys = append(f.keys, &fakeKey{id: "other", secret: marked + "x", phrase: marked, uid: 1000, rights: "General"})
	p, admin, old := kucoin.New(nil), f.credential(url, "master"), f.credential(url, "old")
	if _, err := p.Issue(t.Context(), admin, old, "keywright-1"); err != nil {
		t.Fatal(err)
	}
	orphan := provider.Credential{ID: "new1", Params: old.Params}
	providertest.Quiet(t, p.Revoke(t.Context(), f.credential(url, "other"), orphan, old), provider.Unclear)
	if f.find("new1") == nil {
		t.Error("it is gone")
	}
}

// Where the name of the sub-account is wrong, a key that is not listed is not gone.
func TestRevokeElsewhere(t *testing.T) {
	f, url := serve(t)
	admin, old := f.credential(url, "master"), f.credential(url, "old")
	old.Params["subaccount"] = "subtwo"
	providertest.Quiet(t, kucoin.New(nil).Revoke(t.Context(), admin, old, provider.Credential{}), provider.Unclear)
	delete(old.Parts, "passphrase")
	providertest.Quiet(t, kucoin.New(nil).Revoke(t.Context(), admin, old, provider.Credential{}), provider.Incomplete)
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
		{"done, and the server failed", providertest.After(say(500, "500000")), ""},
		{"done, and no data", providertest.After(providertest.Text(200, `{"code":"200000"}`)), ""},
		{"not done, no answer", providertest.HangUp, provider.Unclear},
		{"not done, 500", providertest.Text(500, marked), provider.Unclear},
		{"not done, a page", providertest.Text(200, "<html>"+marked), provider.Malformed},
		{"not done, a code that is not documented", say(200, "4711"), provider.Unclear},
		{"may not", say(200, "400007"), provider.Forbidden},
		{"too many", say(429, "429000"), provider.Busy},
		{"not known", say(200, "400003"), provider.Forbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, url := serve(t)
			f.keys = append(f.keys, &fakeKey{id: "new", secret: marked, phrase: marked, uid: 1001, sub: "subone"})
			f.fault("DELETE "+subs, c.answer)
			p, admin, old, next := kucoin.New(nil), f.credential(url, "master"), f.credential(url, "old"), f.credential(url, "new")
			err := p.Revoke(t.Context(), admin, old, next)
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
