package guided_test

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/guided"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/scan/rules"
	"github.com/keywright/keywright/secret"
)

// marked is in every key, and must be in no error.
const marked = "marked4711"

// contract is what a service is documented to answer, written down apart from the rows.
type contract struct {
	name, host, call string
	key              func(r *http.Request) (string, bool)
	live             string
	dead             int
	deadly           string
	code             string
	who              provider.Identity
}

func header(name, before string) func(*http.Request) (string, bool) {
	return func(r *http.Request) (string, bool) {
		key, ok := strings.CutPrefix(r.Header.Get(name), before)
		return key, ok && r.URL.RawQuery == ""
	}
}

func contracts() []contract {
	return []contract{
		{
			name: "coinmarketcap", host: "pro-api.coinmarketcap.com", call: "GET /v1/key/info", key: header("X-CMC_PRO_API_KEY", ""),
			live: `{"status":{"error_code":0,"error_message":null,"credit_count":0},"data":{"plan":{"credit_limit_monthly":120000,"rate_limit_minute":60},"usage":{}}}`,
			dead: 401, deadly: `{"status":{"error_code":1001,"error_message":"This API Key is invalid."}}`, code: "401 1001",
		}, {
			name: "etherscan", host: "api.etherscan.io", call: "GET /v2/api",
			key: func(r *http.Request) (string, bool) {
				q := r.URL.Query()
				return q.Get("apikey"), q.Get("module") == "getapilimit" && q.Get("action") == "getapilimit" && q.Get("chainid") == "1" && len(q) == 4
			},
			live: `{"status":"1","message":"OK","result":{"creditsUsed":22,"creditsAvailable":1499978,"creditLimit":1500000,"limitInterval":"daily"}}`,
			dead: 200, deadly: `{"status":"0","message":"NOTOK","result":"Invalid API Key"}`, code: "200 Invalid API Key",
		}, {
			name: "stripe", host: "api.stripe.com", call: "GET /v1/account", key: header("Authorization", "Bearer "),
			live: `{"id":"acct_1","object":"account","settings":{"dashboard":{"display_name":"Acme"}}}`,
			dead: 401, deadly: `{"error":{"message":"Invalid API Key provided: sk_*****KEY","type":"invalid_request_error"}}`, code: "401 Invalid API Key provided",
			who: provider.Identity{Account: "acct_1", Label: "Acme"},
		},
	}
}

// fake keeps a contract. What it says in refusals repeats the key.
type fake struct {
	contract
	mu     sync.Mutex
	keys   map[string]bool
	answer func(http.ResponseWriter, *http.Request) bool
}

func serve(t *testing.T, h http.Handler) (addr string) {
	s := httptest.NewServer(providertest.Recorded(t, h))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.answer != nil && f.answer(w, r) {
		return
	}
	key, ok := f.key(r)
	switch {
	case r.Method+" "+r.URL.Path != f.call || r.Host != f.host || r.UserAgent() != "keywright" || !ok:
		w.WriteHeader(404)
	case !f.keys[key]:
		w.WriteHeader(f.dead)
		io.WriteString(w, strings.Replace(strings.Replace(f.deadly, "KEY", key, 1), "}", `,"seen":"`+key+`"}`, 1))
	default:
		io.WriteString(w, f.live)
	}
}

func named(t *testing.T, name string, all []provider.Provider) provider.Provider {
	i := slices.IndexFunc(all, func(p provider.Provider) bool { return p.Info().Name == name })
	if i < 0 {
		t.Fatal("there is no", name)
	}
	return all[i]
}

func at(t *testing.T, name, addr string) provider.Provider {
	return named(t, name, guided.All(&http.Client{Transport: providertest.Detour(addr)}))
}

func credential(parts map[string]string) provider.Credential {
	c := provider.Credential{Parts: map[string]secret.Value{}}
	for name, text := range parts {
		c.Parts[name] = secret.New([]byte(text))
	}
	return c
}

// quiet fails unless an error is of this kind, and shows no key.
func quiet(t *testing.T, err error, kind provider.Kind) {
	t.Helper()
	var e *provider.Error
	if !errors.As(err, &e) || e.Kind != kind {
		t.Fatalf("%v, want %s", err, kind)
	}
	for err := error(e); err != nil; err = errors.Unwrap(err) {
		if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, marked) {
			t.Errorf("it shows the key: %s", text)
		}
	}
}

func TestConformance(t *testing.T) {
	for _, c := range contracts() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := &fake{contract: c, keys: map[string]bool{}}
			addr := serve(t, f)
			made := 0
			providertest.Provider(t, providertest.Subject{
				Provider: at(t, c.name, addr),
				New: func(*testing.T) provider.Credential {
					f.mu.Lock()
					defer f.mu.Unlock()
					made++
					key := fmt.Sprint(marked, "number", made)
					f.keys[key] = true
					return credential(map[string]string{"value": key})
				},
				Accepts: func(_ *testing.T, c provider.Credential) bool {
					f.mu.Lock()
					defer f.mu.Unlock()
					return f.keys[string(c.Part("value").Reveal())]
				},
				DeadCode: c.code, Addr: addr,
				At: func(addr string, made provider.Credential) (provider.Provider, provider.Credential) {
					return at(t, c.name, addr), made
				},
			})
		})
	}
	for _, p := range guided.All(nil) {
		if _, ok := p.(provider.Verifier); !ok {
			t.Run(p.Info().Name, func(t *testing.T) { providertest.Provider(t, providertest.Subject{Provider: p}) })
		}
	}
}

func TestVerify(t *testing.T) {
	for _, c := range contracts() {
		f := &fake{contract: c, keys: map[string]bool{marked: true}}
		p := at(t, c.name, serve(t, f)).(provider.Verifier)
		one := credential(map[string]string{"value": marked})
		want := provider.Probe{State: provider.Alive, Code: "200", Who: c.who}
		if got, err := p.Verify(t.Context(), one); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, err, want)
		}
		for _, r := range []struct {
			status int
			body   string
			want   provider.State
			kind   provider.Kind
		}{
			{401, `<html>` + marked, provider.Unknown, ""},
			{401, `{"error":{"message":"` + marked + `","type":"x"}}`, provider.Unknown, ""},
			{403, `{"message":"` + marked + `"}`, provider.Unknown, ""},
			{429, `{}`, provider.Throttled, ""},
			{500, marked, "", provider.Unclear},
			{302, marked, "", provider.Refused},
			{200, `<html>` + marked, "", provider.Malformed},
			{200, `{"seen":"` + marked + `"}`, "", provider.Malformed},
		} {
			f.answer = func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Location", "https://example.com/"+marked)
				w.WriteHeader(r.status)
				io.WriteString(w, r.body)
				return true
			}
			got, err := p.Verify(t.Context(), one)
			if r.kind != "" {
				quiet(t, err, r.kind)
			} else if err != nil || got.State != r.want || strings.Contains(got.Code, marked) {
				t.Errorf("%s: %d %s: %+v, %v; want %s", c.name, r.status, r.body, got, err, r.want)
			}
		}
	}
}

// TestStates: what only one service says.
func TestStates(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   provider.State
	}{
		{"stripe", 401, `{"error":{"message":"Expired API Key provided: ` + marked + `","type":"api_error","code":"api_key_expired"}}`, provider.Dead},
		{"stripe", 403, `{"error":{"message":"The provided key '` + marked + `' does not have the required permissions","type":"invalid_request_error"}}`, provider.Narrow},
		{"stripe", 401, `{"error":{"message":"You did not provide an API key.","type":"invalid_request_error"}}`, provider.Unknown},
		{"coinmarketcap", 401, `{"status":{"error_code":1002}}`, provider.Unknown},
		{"coinmarketcap", 402, `{"status":{"error_code":1004}}`, provider.Narrow},
		{"coinmarketcap", 403, `{"status":{"error_code":1007}}`, provider.Unknown},
		{"etherscan", 200, `{"status":"0","message":"NOTOK","result":"Max rate limit reached, please use API Key for higher rate limit"}`, provider.Throttled},
		{"etherscan", 200, `{"status":"0","message":"NOTOK","result":"Too many invalid api key attempts, please try again later"}`, provider.Throttled},
		{"etherscan", 200, `{"status":"0","message":"NOTOK","result":"Missing or unsupported chainid parameter ` + marked + `"}`, provider.Unknown},
		{"kraken", 200, `{"error":["EGeneral:Permission denied"]}`, provider.Narrow},
		{"kraken", 200, `{"error":["EGeneral:Temporary lockout"]}`, provider.Throttled},
		{"kraken", 200, `{"error":["EGeneral:Unknown method ` + marked + `"]}`, provider.Unknown},
	} {
		addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			io.WriteString(w, c.body)
		}))
		one := credential(map[string]string{"value": marked, "id": marked, "secret": base64.StdEncoding.EncodeToString([]byte(marked))})
		got, err := at(t, c.name, addr).(provider.Verifier).Verify(t.Context(), one)
		if err != nil || got.State != c.want || strings.Contains(got.Code, marked) {
			t.Errorf("%s: %s: %+v, %v; want %s", c.name, c.body, got, err, c.want)
		}
	}
}

// TestSign: the signature is the one that Kraken's documentation works out.
func TestSign(t *testing.T) {
	const nonce = "1616492376594"
	// of the documentation; in two pieces, for it looks like a key that somebody lost
	by, err := base64.StdEncoding.DecodeString("kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76s" + "z84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg==")
	if err != nil {
		t.Fatal(err)
	}
	want := "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8" + "+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="
	if got := guided.Sign("/0/private/AddOrder", nonce, "nonce="+nonce+"&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25", by); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// exchange is Kraken, as it is documented: it counts.
type exchange struct {
	mu      sync.Mutex
	secrets map[string]string // by key
	nonces  map[string]uint64
}

func (e *exchange) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	form, err := url.ParseQuery(string(body))
	nonce, wrong := strconv.ParseUint(form.Get("nonce"), 10, 64)
	key := r.Header.Get("API-Key")
	by, known := e.secrets[key]
	raw, _ := base64.StdEncoding.DecodeString(by)
	digest := sha256.Sum256(append([]byte(form.Get("nonce")), body...))
	mac := hmac.New(sha512.New, raw)
	mac.Write([]byte(r.URL.Path))
	mac.Write(digest[:])
	refuse := func(what string) { fmt.Fprintf(w, `{"error":[%q],"seen":%q}`, what, key) }
	switch {
	case r.Host != "api.kraken.com" || r.UserAgent() != "keywright" || r.Method != "POST" || r.URL.Path != "/0/private/GetApiKeyInfo" || err != nil || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded":
		refuse("EGeneral:Unknown method")
	case !known:
		refuse("EAPI:Invalid key")
	case r.Header.Get("API-Sign") != base64.StdEncoding.EncodeToString(mac.Sum(nil)):
		refuse("EAPI:Invalid signature")
	case wrong != nil || nonce <= e.nonces[key]:
		refuse("EAPI:Invalid nonce")
	default:
		e.nonces[key] = nonce
		fmt.Fprintf(w, `{"error":[],"result":{"api_key_name":"bot","api_key":%q,"permissions":["query-funds","modify-trades"],"ip_allowlist":["192.0.2.1"],"nonce":"%d","nonce_window":"0"}}`, key, nonce)
	}
}

func TestKraken(t *testing.T) {
	e := &exchange{secrets: map[string]string{}, nonces: map[string]uint64{}}
	addr := serve(t, e)
	random := func() string {
		b := make([]byte, 64)
		rand.Read(b)
		return base64.StdEncoding.EncodeToString(b)
	}
	made := 0
	providertest.Provider(t, providertest.Subject{
		Provider: at(t, "kraken", addr),
		New: func(*testing.T) provider.Credential {
			e.mu.Lock()
			defer e.mu.Unlock()
			made++
			key := fmt.Sprint("key", made)
			e.secrets[key] = random()
			return credential(map[string]string{"id": key, "secret": e.secrets[key]})
		},
		Accepts: func(_ *testing.T, c provider.Credential) bool {
			e.mu.Lock()
			defer e.mu.Unlock()
			return e.secrets[string(c.Part("id").Reveal())] == string(c.Part("secret").Reveal())
		},
		Wrong: func(c provider.Credential, part string) provider.Credential {
			c.Parts = maps.Clone(c.Parts)
			c.Parts[part] = secret.New([]byte(random()))
			return c
		},
		DeadCode: "200 EAPI:Invalid key", WrongCode: "200 EAPI:Invalid signature", Addr: addr,
		At: func(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
			time.Sleep(5 * time.Millisecond) // another process would not begin in the same millisecond, which its nonces are
			return at(t, "kraken", addr), c
		},
	})
	v := at(t, "kraken", addr).(provider.Verifier)
	e.secrets["gone"] = random()
	c := credential(map[string]string{"id": "gone", "secret": e.secrets["gone"]})
	want := provider.Probe{State: provider.Alive, Code: "200", Who: provider.Identity{ID: "gone", Label: "bot", Scopes: []string{"modify-trades", "query-funds"}, IPs: []string{"192.0.2.1"}}}
	if got, err := v.Verify(t.Context(), c); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	// As a bot does that counts finer than we do: it is told, and nothing is said of the key.
	e.nonces["gone"] *= 1000
	if got, err := v.Verify(t.Context(), c); err != nil || got.State != provider.Unknown || got.Code != "200 EAPI:Invalid nonce" {
		t.Errorf("%+v, %v", got, err)
	}
	delete(e.secrets, "gone")
	if got, err := v.Verify(t.Context(), c); err != nil || got.State != provider.Dead || got.Code != "200 EAPI:Invalid key" {
		t.Errorf("%+v, %v", got, err)
	}
	_, err := v.Verify(t.Context(), credential(map[string]string{"id": "x", "secret": marked + "!"}))
	quiet(t, err, provider.Incomplete)
}

// TestWithdraw: a key by which money can leave says so.
func TestWithdraw(t *testing.T) {
	for rights, want := range map[string]bool{`"query-funds"`: false, `"query-funds","withdraw-funds"`: true, `"add-withdraw-address"`: true} {
		addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"error":[],"result":{"api_key_name":"bot","permissions":[%s]}}`, rights)
		}))
		one := credential(map[string]string{"id": "k", "secret": "c2VjcmV0"})
		if got, err := at(t, "kraken", addr).(provider.Verifier).Verify(t.Context(), one); err != nil || got.Who.Withdraw != want {
			t.Errorf("%s: %+v, %v", rights, got, err)
		}
	}
}

// TestRecognize: the rules exist, and what is not certain to be a service's is not sent.
func TestRecognize(t *testing.T) {
	known := map[string]bool{}
	for _, r := range rules.All() {
		known[r.ID] = true
	}
	for rule, want := range map[string]string{
		"stripe-secret-key": "stripe", "stripe-restricted-key": "stripe", "stripe-test-key": "stripe", "coinmarketcap-api-key": "coinmarketcap", "kraken-api-secret": "kraken",
		"stripe-webhook-secret": "", "etherscan-api-key": "", "etherscan-url": "", "coingecko-api-key": "", "coinbase-cdp-key": "", "bitfinex-api-secret": "",
		"npm-token": "", "pypi-token": "", "token-metrics-api-key": "",
	} {
		var by []string
		for _, p := range guided.All(nil) {
			r, ok := p.(provider.Recognizer)
			if !ok {
				continue
			}
			parts := map[string]secret.Value{"secret": secret.New([]byte(marked)), "id": secret.New([]byte("id"))}
			if c, ok := r.Recognize(rule, parts); ok {
				by = append(by, p.Info().Name)
				if len(c.Params) > 0 || len(c.Parts) != len(p.Info().Parts) {
					t.Errorf("%s: %v", rule, c)
				}
			}
			delete(parts, "id")
			if c, ok := r.Recognize(rule, parts); ok && rule == "kraken-api-secret" {
				t.Errorf("%s without its key: %v", rule, c)
			}
		}
		if strings.Join(by, " ") != want || !known[rule] {
			t.Errorf("%s is taken by %v", rule, by)
		}
	}
}

// TestGuides: each says where and what; no page is anybody else's, and no key is shown.
func TestGuides(t *testing.T) {
	for _, p := range guided.All(nil) {
		info := p.Info()
		parts := map[string]string{}
		for _, part := range info.Parts {
			parts[part.Name] = marked
		}
		s := p.(provider.Guide).Guide(credential(parts))
		if len(s.Issue) == 0 || len(s.Revoke) == 0 || strings.Contains(fmt.Sprint(s), marked) {
			t.Errorf("%s: %+v", info.Name, s)
		}
		for _, at := range []string{s.IssueAt, s.RevokeAt, info.Page} {
			if !strings.HasPrefix(at, "https://") {
				t.Errorf("%s: %s", info.Name, at)
			}
		}
		if _, asks := p.(provider.Verifier); asks == strings.HasPrefix(info.Tested, "nothing") || info.Nonce != (info.Name == "kraken") {
			t.Errorf("%s: %+v", info.Name, info)
		}
	}
	stripe := named(t, "stripe", guided.All(nil)).(provider.Guide)
	for begin, want := range map[string]string{"sk_live_": "https://dashboard.stripe.com/apikeys", "rk_test_": "https://dashboard.stripe.com/test/apikeys"} {
		if s := stripe.Guide(credential(map[string]string{"value": begin + marked})); s.IssueAt != want || s.RevokeAt != want {
			t.Errorf("%s: %s, %s", begin, s.IssueAt, s.RevokeAt)
		}
	}
}
