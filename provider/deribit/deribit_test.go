package deribit_test

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/deribit"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/secret"
)

var (
	_ provider.Verifier = (*deribit.Provider)(nil)
	_ provider.Lister   = (*deribit.Provider)(nil)
	_ provider.Planner  = (*deribit.Provider)(nil)
	_ provider.Issuer   = (*deribit.Provider)(nil)
	_ provider.Disabler = (*deribit.Provider)(nil)
	_ provider.Revoker  = (*deribit.Provider)(nil)
)

const (
	list    = "private/list_api_keys"
	create  = "private/create_api_key"
	edit    = "private/edit_api_key"
	remove  = "private/remove_api_key"
	lineage = "keywright-20260102-0123abcd"
)

// open is the provider, with these as all worlds that there are.
func open(urls ...string) *deribit.Provider {
	p := deribit.New(nil)
	p.Worlds = urls
	return p
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

func TestConformance(t *testing.T) {
	f, url := serve(t)
	made := 0
	p := open(url)
	p.SetRoom(1000) // all tests' keys stand in one account
	providertest.Provider(t, providertest.Subject{
		Provider: p,
		Admin:    f.credential(url, "admin"),
		New: func(t *testing.T) provider.Credential {
			f.mu.Lock()
			defer f.mu.Unlock()
			made++
			id := fmt.Sprint("test", made)
			f.keys = append(f.keys, &fakeKey{number: int64(10000 + made), id: id, secret: marked + id, scope: "trade:read_write", ips: []string{"192.0.2.1"}})
			return f.credential(url, id)
		},
		Accepts: func(t *testing.T, c provider.Credential) bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			k := f.find(string(c.Part("id").Reveal()))
			return k != nil && !k.disabled && k.secret == string(c.Part("secret").Reveal())
		},
		DeadCode:  "13004",
		WrongCode: "13009",
		ByID:      true,
		Nameless:  true, // a name holds keywright's own lineages alone
		Addr:      strings.TrimPrefix(url, "http://"),
		At: func(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
			c.Params = map[string]string{"host": "http://" + addr}
			p := open(url)
			p.SetRoom(1000)
			return p, c
		},
	})
}

func TestVerify(t *testing.T) {
	f, url := serve(t)
	p := open(url)
	f.keys = append(f.keys, &fakeKey{number: 3, id: "rich", secret: marked, scope: "wallet:read_write trade:none"})
	for id, want := range map[string]provider.Identity{
		"old":  {ID: "old", Scopes: []string{"account:read", "trade:read_write"}},
		"rich": {ID: "rich", Scopes: []string{"wallet:read_write"}, Withdraw: true},
	} {
		for _, host := range []string{url, url + "/", ""} {
			c := f.credential(url, id)
			c.Params["host"] = host
			if got := providertest.Probe(t, p, c); got.State != provider.Alive || got.Code != "0" || !reflect.DeepEqual(got.Who, want) {
				t.Errorf("%s: %+v, want %+v", id, got, want)
			}
		}
	}
	if n := f.called("public/auth"); n != len(f.calls) {
		t.Errorf("other calls: %v", f.calls)
	}
	f.fault("public/auth", providertest.Text(200, `{"result":{"access_token":"`+marked+`"}}`))
	_, err := p.Verify(t.Context(), f.credential(url, "old"))
	providertest.Quiet(t, err, provider.Malformed)
}

// What each code means for a key, and which of them mean that it is dead.
func TestCodes(t *testing.T) {
	for code, want := range map[int]provider.State{
		13004: provider.Dead, // in all worlds that there are, which is one here
		13009: provider.Unknown, 10000: provider.Unknown, 13031: provider.Unknown, 13668: provider.Unknown, 13904: provider.Unknown,
		13021: provider.Narrow, 13403: provider.Narrow, 13012: provider.Narrow,
		10028: provider.Throttled, 11051: provider.Throttled, 12998: provider.Throttled,
		12005: provider.Blocked,
		11050: provider.Unknown, 11094: provider.Unknown, 13016: provider.Unknown, 13028: provider.Unknown, 13888: provider.Unknown, -32602: provider.Unknown, 4711: provider.Unknown,
	} {
		for _, status := range []int{200, 400, 401, 429, 500} {
			f, url := serve(t)
			f.fault("public/auth", say(status, code))
			if got := providertest.Probe(t, open(url), f.credential(url, "old")); got.State != want || got.Code != fmt.Sprint(code) {
				t.Errorf("%d: %+v, want %s", code, got, want)
			}
		}
	}
	for status, want := range map[int]provider.State{401: provider.Unknown, 403: provider.Unknown, 429: provider.Throttled} {
		for _, body := range []string{"", "<html>" + marked, `{"message":"` + marked + `"}`, `{"error":13004}`} {
			f, url := serve(t)
			f.fault("public/auth", providertest.Text(status, body))
			if got := providertest.Probe(t, open(url), f.credential(url, "old")); got.State != want || got.Code != fmt.Sprint(status) {
				t.Errorf("HTTP %d: %+v, want %s", status, got, want)
			}
		}
	}
}

// A key that its world does not know is dead if no other one does, and not while one of them
// cannot be asked.
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
	check("nowhere", provider.Dead, "13004")
	test.keys = []*fakeKey{known}
	check("in the test net", provider.Elsewhere, "13004; "+host+" knows it")
	test.keys = []*fakeKey{{id: "old", secret: "another"}}
	check("in the test net, with another secret", provider.Unknown, "13004; "+host+" could not tell")
	test.answer = func(w http.ResponseWriter, _ string, _ func()) bool { w.WriteHeader(502); return true }
	check("the test net is down", provider.Unknown, "13004; "+host+" could not tell")

	// Without a host, nobody has said which world it is of.
	test.answer, test.keys = nil, nil
	delete(c.Params, "host")
	check("no host, nowhere", provider.Unknown, "13004 wherever it was asked")
	test.keys = []*fakeKey{known}
	check("no host, in the test net", provider.Alive, "0")
}

// While the clock is wrong, no code means that a key is dead.
func TestClock(t *testing.T) {
	for _, off := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		f, url := serve(t)
		p := open(url)
		p.SetNow(func() time.Time { return time.Now().Add(off) })
		direction := map[bool]string{true: "fast", false: "slow"}[off > 0]
		old, gone := f.credential(url, "old"), f.credential(url, "old")
		gone.ID = "gone"
		for code, c := range map[string]provider.Credential{"13009": old, "13004": gone} {
			got := providertest.Probe(t, p, c)
			if got.State != provider.Skewed || !strings.HasPrefix(got.Code, code+", the clock here is ") || !strings.HasSuffix(got.Code, direction) {
				t.Errorf("%v: %+v", off, got)
			}
		}
		_, err := p.Issue(t.Context(), f.credential(url, "admin"), old, lineage)
		if e := providertest.Quiet(t, err, provider.Refused); e.Hint == "" || f.made != 0 {
			t.Errorf("%+v", e)
		}
	}
}

// The new key may do what the old one may, from where that may, and bears the lineage.
func TestIssue(t *testing.T) {
	for name, change := range map[string]func(*fakeKey){
		"as it is":    func(k *fakeKey) {},
		"read-only":   func(k *fakeKey) { k.scope = "trade:read account:none" },
		"any address": func(k *fakeKey) { k.ips = nil },
		"restricted": func(k *fakeKey) {
			k.scope, k.features = "block_trade:read", []string{"restricted_block_trades"}
		},
		"disabled": func(k *fakeKey) { k.disabled = true },
	} {
		t.Run(name, func(t *testing.T) {
			f, url := serve(t)
			change(f.find("old"))
			p, admin, old := open(url), f.credential(url, "admin"), f.credential(url, "old")
			got, err := p.Issue(t.Context(), admin, old, lineage)
			if err != nil {
				t.Fatal(err)
			}
			if got.ID != "new1" || string(got.Part("id").Reveal()) != "new1" || string(got.Part("secret").Reveal()) != marked+"n1" {
				t.Errorf("%+v", got)
			}
			o, n := f.find("old"), f.find("new1")
			if o.scope != n.scope || !slices.Equal(slices.Sorted(slices.Values(o.ips)), n.ips) || !slices.Equal(o.features, n.features) || n.disabled {
				t.Errorf("%+v\nis not like\n%+v", n, o)
			}
			if providertest.Probe(t, p, got).State != provider.Alive {
				t.Error("the new one is not accepted")
			}
			all, err := p.List(t.Context(), admin, old)
			if err != nil || all[2].Label != lineage {
				t.Errorf("%+v, %v", all, err)
			}
		})
	}
}

// A new key that cannot be made like the old one is deleted.
func TestIssueTakesBack(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(f *fake)
		kind    provider.Kind
		remains bool
	}{
		{"may not be bound", func(f *fake) { f.fault(edit, say(400, 13021)) }, provider.Forbidden, false},
		{"busy", func(f *fake) { f.fault(edit, say(429, 10028)) }, provider.Busy, false},
		{"the server failed", func(f *fake) { f.fault(edit, providertest.Text(500, marked)) }, provider.Unreached, false},
		{"no answer", func(f *fake) { f.fault(edit, providertest.HangUp) }, provider.Unreached, false},
		{"a code is asked for", func(f *fake) {
			f.fault(edit, providertest.Text(200, `{"result":{"security_key_authorization_required":true,"challenge":"`+marked+`"}}`))
		}, provider.Forbidden, false},
		{"the addresses are forgotten", func(f *fake) { f.loose = true }, provider.Refused, false},
		{"it cannot be deleted", func(f *fake) {
			f.answer = func(w http.ResponseWriter, method string, _ func()) bool {
				if method != edit && method != remove {
					return false
				}
				say(400, 13021)(w, nil)
				return true
			}
		}, provider.Unclear, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, url := serve(t)
			c.change(f)
			_, err := open(url).Issue(t.Context(), f.credential(url, "admin"), f.credential(url, "old"), lineage)
			providertest.Quiet(t, err, c.kind)
			if f.issued() != 1 || f.there("new1") != c.remains || !f.there("old") {
				t.Errorf("%d made, it is there: %v", f.issued(), f.there("new1"))
			}
		})
	}
}

func TestIssueRefused(t *testing.T) {
	for name, change := range map[string]func(f *fake, old *fakeKey){
		"gone":       func(f *fake, _ *fakeKey) { f.drop("old") },
		"a key pair": func(_ *fake, o *fakeKey) { o.public = "-----BEGIN PUBLIC KEY-----" },
		"no right":   func(_ *fake, o *fakeKey) { o.scope = "trade:none" },
	} {
		f, url := serve(t)
		admin, old := f.credential(url, "admin"), f.credential(url, "old")
		change(f, f.find("old"))
		_, err := open(url).Issue(t.Context(), admin, old, lineage)
		providertest.Quiet(t, err, provider.Refused)
		_, err = open(url).Plan(t.Context(), admin, old)
		providertest.Quiet(t, err, provider.Refused)
		if f.made != 0 {
			t.Errorf("%s: one was made", name)
		}
	}
}

// fault answers calls of one method.
func (f *fake) fault(method string, answer providertest.Answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = func(w http.ResponseWriter, m string, done func()) bool {
		if m == method {
			answer(w, done)
		}
		return m == method
	}
}

func say(status, code int) providertest.Answer {
	return providertest.Text(status, fmt.Sprintf(`{"jsonrpc":"2.0","error":{"code":%d,"message":"%s","data":{"reason":"%s"}}}`, code, marked, marked))
}

// What is known after a create that did not go well: Unclear and Malformed say that there
// may be a key that nobody holds.
func TestIssueFaults(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer providertest.Answer
		kind   provider.Kind
	}{
		{"may not", say(400, 13021), provider.Forbidden},
		{"more than the admin's", say(400, 13403), provider.Forbidden},
		{"not valid", say(400, 13004), provider.Forbidden},
		{"signature", say(401, 13009), provider.Forbidden},
		{"a code is asked for", providertest.Text(200, `{"result":{"security_key_authorization_required":true,"challenge":"`+marked+`"}}`), provider.Forbidden},
		{"a wrong code", say(400, 13668), provider.Forbidden},
		{"without a word", providertest.Text(401, ""), provider.Forbidden},
		{"parameter", say(400, -32602), provider.Refused},
		{"too many", say(429, 10028), provider.Busy},
		{"too many, without a word", providertest.Text(429, "<html>"+marked), provider.Busy},
		{"the server failed", providertest.After(say(500, 11094)), provider.Unclear},
		{"the server was too slow", providertest.After(say(400, 13028)), provider.Unclear},
		{"a code that is not documented", providertest.After(say(400, 4711)), provider.Unclear},
		{"500", providertest.After(providertest.Text(500, marked)), provider.Unclear},
		{"no answer", providertest.After(providertest.HangUp), provider.Unclear},
		{"a page", providertest.Text(200, "<html>"+marked), provider.Malformed},
		{"half", providertest.After(providertest.Text(200, `{"result":{"client_secret":"`+marked)), provider.Malformed},
		{"nothing", providertest.Text(200, `{"jsonrpc":"2.0"}`), provider.Malformed},
		{"an empty result", providertest.Text(200, `{"result":{}}`), provider.Malformed},
		{"no secret", providertest.Text(200, `{"result":{"id":9,"client_id":"new","client_secret":""}}`), provider.Malformed},
		{"the old one", providertest.Text(200, `{"result":{"id":2,"client_id":"old","client_secret":"`+marked+`"}}`), provider.Malformed},
		{"a secret of another type", providertest.Text(200, `{"result":{"id":9,"client_id":"new","client_secret":{"`+marked+`":1}}}`), provider.Malformed},
		{"moved", providertest.Text(307, ""), provider.Refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, url := serve(t)
			f.fault(create, c.answer)
			p, admin, old := open(url), f.credential(url, "admin"), f.credential(url, "old")
			_, err := p.Issue(t.Context(), admin, old, lineage)
			providertest.Quiet(t, err, c.kind)
			if n := f.called(create); n != 1 {
				t.Errorf("asked for %d times", n)
			}
			// What was made all the same is found by its lineage.
			all, err := p.List(t.Context(), admin, old)
			if err != nil {
				t.Fatal(err)
			}
			if found := slices.ContainsFunc(all, func(l provider.Listed) bool { return l.Label == lineage }); found != (f.issued() == 1) {
				t.Errorf("%d made, found: %v", f.issued(), found)
			}
			if f.issued() == 1 && c.kind != provider.Unclear && c.kind != provider.Malformed {
				t.Error("a key was made, and the error denies it")
			}
		})
	}
}

// When the keys cannot be read first, nothing has happened.
func TestReadsFirst(t *testing.T) {
	for name, answer := range map[string]providertest.Answer{
		"500": providertest.Text(500, marked), "no answer": providertest.HangUp, "a page": providertest.Text(200, "<html>"+marked), "no list": providertest.Text(200, `{"result":"`+marked+`"}`), "null": providertest.Text(200, `{"result":null}`), "without numbers": providertest.Text(200, `{"result":[{"client_id":"old"}]}`),
	} {
		f, url := serve(t)
		f.fault(list, answer)
		p, admin, old := open(url), f.credential(url, "admin"), f.credential(url, "old")
		_, err := p.Issue(t.Context(), admin, old, lineage)
		providertest.Quiet(t, err, provider.Unreached)
		providertest.Quiet(t, p.Revoke(t.Context(), admin, old, provider.Credential{}), provider.Unreached)
		providertest.Quiet(t, p.Disable(t.Context(), admin, old), provider.Unreached)
		_, err = p.Plan(t.Context(), admin, old)
		providertest.Quiet(t, err, provider.Unreached)
		if n := f.called(list); n != len(f.calls) {
			t.Errorf("%s: %v", name, f.calls)
		}
	}
}

func TestList(t *testing.T) {
	f, url := serve(t)
	f.find("admin").disabled = false
	f.keys = append(f.keys, &fakeKey{number: 3, id: "off", name: "k260102_0123abcd", disabled: true, scope: "wallet:read_write"})
	p, admin, old := open(url), f.credential(url, "admin"), f.credential(url, "old")
	all, err := p.List(t.Context(), admin, old)
	if err != nil || len(all) != 3 {
		t.Fatalf("%d, %v", len(all), err)
	}
	if text := fmt.Sprintf("%+v", all); strings.Contains(text, marked) {
		t.Error("it shows a secret")
	}
	if all[1].ID != "old" || all[1].Label != "bot" || !all[1].Created.Equal(time.UnixMilli(1700000000123)) || !slices.Equal(all[1].IPs, []string{"192.0.2.0", "192.0.2.1"}) || all[1].Disabled {
		t.Errorf("%+v", all[1])
	}
	if all[2].Label != lineage || !all[2].Disabled || !all[2].Withdraw || all[2].IPs != nil {
		t.Errorf("%+v", all[2])
	}
	f.find("old").scope = "trade:read_write"
	_, err = p.List(t.Context(), old, old)
	providertest.Quiet(t, err, provider.Forbidden)
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(f *fake, admin, old *fakeKey)
		kind   provider.Kind
		notes  []string // parts of them, in order; of an error, parts of its hint
	}{
		{"as it should be", func(*fake, *fakeKey, *fakeKey) {}, "", nil},
		{"withdraws", func(_ *fake, a, o *fakeKey) {
			a.scope, o.scope = "account:read_write wallet:read_write", "wallet:read_write"
		}, "", []string{"may withdraw"}},
		{"no addresses", func(_ *fake, _, o *fakeKey) { o.ips = nil }, "", []string{"any address"}},
		{"seven keys", func(f *fake, _, _ *fakeKey) { f.fill(7) }, "", nil},

		{"reads only", func(_ *fake, a, _ *fakeKey) { a.scope = "account:read trade:read_write" }, provider.Forbidden, nil},
		{"does not read", func(_ *fake, a, _ *fakeKey) { a.scope = "trade:read_write" }, provider.Forbidden, nil},
		{"fewer scopes", func(_ *fake, a, _ *fakeKey) { a.scope = "account:read_write trade:read" }, provider.Forbidden, nil},
		{"unknown", func(f *fake, _, _ *fakeKey) { f.drop("admin") }, provider.Forbidden, nil},
		{"a code is asked for", func(f *fake, _, _ *fakeKey) { f.tfa = true }, provider.Forbidden, []string{"make another at"}},
		{"full", func(f *fake, _, _ *fakeKey) { f.fill(8) }, provider.NoSlot, nil},
		{"busy", func(f *fake, _, _ *fakeKey) { f.fault(list, say(429, 10028)) }, provider.Busy, nil},
		{"login is down", func(f *fake, _, _ *fakeKey) { f.fault("public/auth", providertest.Text(500, marked)) }, provider.Unreached, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, url := serve(t)
			admin, old := f.credential(url, "admin"), f.credential(url, "old")
			c.change(f, f.find("admin"), f.find("old"))
			got, err := open(url).Plan(t.Context(), admin, old)
			if n := f.called(list) + f.called("public/auth"); n != len(f.calls) {
				t.Errorf("changes: %v", f.calls)
			}
			if c.kind != "" {
				e := providertest.Quiet(t, err, c.kind)
				for _, part := range c.notes {
					if !strings.Contains(e.Hint, part) {
						t.Errorf("the hint %q does not say %q", e.Hint, part)
					}
				}
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

// fill makes it so many keys.
func (f *fake) fill(n int) {
	for i := len(f.keys); i < n; i++ {
		f.keys = append(f.keys, &fakeKey{number: int64(50 + i), id: fmt.Sprint("k", i)})
	}
}

func TestRevoke(t *testing.T) {
	f, url := serve(t)
	p, admin, old := open(url), f.credential(url, "admin"), f.credential(url, "old")
	next, err := p.Issue(t.Context(), admin, old, lineage)
	if err != nil {
		t.Fatal(err)
	}
	providertest.Quiet(t, p.Revoke(t.Context(), admin, next, next), provider.Refused)
	providertest.Quiet(t, p.Revoke(t.Context(), admin, provider.Credential{Params: old.Params}, next), provider.Incomplete)
	if f.find("old") == nil || f.find("new1") == nil {
		t.Fatal("one is gone")
	}
	for range 2 {
		if err := p.Revoke(t.Context(), admin, old, next); err != nil {
			t.Fatal(err)
		}
	}
	if f.find("old") != nil || f.find("new1") == nil || f.find("admin") == nil {
		t.Error("the wrong one is gone")
	}
	if got := providertest.Probe(t, p, old); got.State != provider.Dead {
		t.Errorf("%+v", got)
	}
	// An orphan, of which the name is all that there is.
	orphan := provider.Credential{ID: "new1", Params: old.Params}
	if err := p.Revoke(t.Context(), admin, orphan, provider.Credential{}); err != nil || f.find("new1") != nil {
		t.Error(err)
	}
	for range 2 { // with itself
		if err := p.Revoke(t.Context(), admin, admin, provider.Credential{}); err != nil || f.find("admin") != nil {
			t.Error(err)
		}
	}
}

// A key of another account is not gone because it is not listed.
func TestRevokeElsewhere(t *testing.T) {
	f, url := serve(t)
	f.fault(list, providertest.Text(200, `{"result":[{"id":1,"client_id":"admin"}]}`))
	providertest.Quiet(t, open(url).Revoke(t.Context(), f.credential(url, "admin"), f.credential(url, "old"), provider.Credential{}), provider.Refused)
	if n := f.called(remove); n != 0 {
		t.Error("it was to be deleted")
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
		{"done, and the server failed", providertest.After(say(500, 11094)), ""},
		{"not done, no answer", providertest.HangUp, provider.Unclear},
		{"not done, 500", providertest.Text(500, marked), provider.Unclear},
		{"not done, a page", providertest.Text(200, "<html>"+marked), provider.Malformed},
		{"not done, a code that is not documented", say(400, 4711), provider.Unclear},
		{"a code is asked for", providertest.Text(200, `{"result":{"security_key_authorization_required":true,"challenge":"`+marked+`"}}`), provider.Forbidden},
		{"may not", say(400, 13403), provider.Forbidden},
		{"too many", say(429, 10028), provider.Busy},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, url := serve(t)
			f.fault(remove, c.answer)
			err := open(url).Revoke(t.Context(), f.credential(url, "admin"), f.credential(url, "old"), provider.Credential{})
			if c.kind == "" {
				if err != nil || f.there("old") {
					t.Error(err)
				}
				return
			}
			providertest.Quiet(t, err, c.kind)
			if n := f.called(remove); n != 1 || !f.there("old") {
				t.Errorf("asked %d times", n)
			}
		})
	}
}
