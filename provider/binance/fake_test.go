package binance_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/secret"
)

// marked is in every secret, and must be in no error.
const marked = providertest.Marked

// fake is one environment of Binance, as it is documented: it checks signatures, times,
// addresses and rights. What it says in words repeats the request and the secret.
type fake struct {
	mu    sync.Mutex
	keys  []*fakeKey
	calls []string // routes, in order
	from  string   // the address that calls come from
	test  bool
	made  int
	// answer may answer in place of the fake. What it was asked may have been done.
	answer func(w http.ResponseWriter, r *http.Request, done func()) bool
}

type fakeKey struct {
	id, secret, name string
	email            string   // of the sub-account; empty for the master's
	can              []string // as they are asked for
	ips              []string
	restrict         bool
	flags            []string // further ones that it says of itself
	ts               int64
}

const sub = "a+b@example.com"

// serve starts an environment, with a master account that has a sub-account.
func serve(t *testing.T) (*fake, string) {
	f := &fake{from: "192.0.2.1", keys: []*fakeKey{
		{id: "master", secret: marked + "m", can: []string{"canTrade"}, ips: []string{"192.0.2.1"}, restrict: true},
		{id: "old", secret: marked + "o", email: sub, name: "bot", can: []string{"canTrade", "canFuturesTrade"}, ips: []string{"192.0.2.1", "192.0.2.0"}, restrict: true, ts: 1700000000123},
	}}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return f, s.URL
}

func (f *fake) find(id string) *fakeKey {
	for _, k := range f.keys {
		if k.id == id {
			return k
		}
	}
	return nil
}

func (f *fake) drop(id string) {
	f.keys = slices.DeleteFunc(f.keys, func(k *fakeKey) bool { return k.id == id })
}

// issued is how many keys were made, and there whether one exists.
func (f *fake) issued() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.made
}

func (f *fake) there(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.find(id) != nil
}

func (f *fake) called(route string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, c := range f.calls {
		if c == route {
			n++
		}
	}
	return n
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, r.Method+" "+r.URL.Path)
	ran, code, result := false, 0, any(nil)
	done := func() { ran = true; code, result = f.do(r) }
	if f.answer != nil && f.answer(w, r, done) {
		return
	}
	if !ran {
		done()
	}
	w.Header().Set("Content-Type", "application/json")
	if code != 0 {
		w.WriteHeader(http.StatusBadRequest)
		result = map[string]any{"code": code, "msg": fmt.Sprintf("%s %s %s", marked, r.URL, r.Header)}
	}
	json.NewEncoder(w).Encode(result)
}

// admit checks who asks.
func (f *fake) admit(r *http.Request) (as *fakeKey, q url.Values, code int) {
	as = f.find(r.Header.Get("X-MBX-APIKEY"))
	query, sig, _ := strings.Cut(r.URL.RawQuery, "&signature=") // which stands last
	q, err := url.ParseQuery(query)
	timestamp, _ := strconv.ParseInt(q.Get("timestamp"), 10, 64)
	window, _ := strconv.ParseInt(q.Get("recvWindow"), 10, 64)
	now := time.Now().UnixMilli()
	switch {
	case as == nil:
		return nil, nil, -2008
	case err != nil:
		return nil, nil, -1100
	case timestamp >= now+1000 || now-timestamp > window:
		return nil, nil, -1021
	}
	h := hmac.New(sha256.New, []byte(as.secret))
	h.Write([]byte(query))
	switch {
	case sig != fmt.Sprintf("%x", h.Sum(nil)):
		return nil, nil, -1022
	case as.restrict && !slices.Contains(as.ips, f.from):
		return nil, nil, -2015
	}
	return as, q, 0
}

// do does what a request asks for.
func (f *fake) do(r *http.Request) (code int, result any) {
	as, q, code := f.admit(r)
	if code != 0 {
		return code, nil
	}
	route := r.Method + " " + r.URL.Path
	if f.test {
		if route == "GET /api/v3/account" {
			return 0, map[string]any{"canTrade": true, "uid": 1}
		}
		return -1020, nil
	}
	if route == "GET /sapi/v1/account/apiRestrictions" {
		return 0, as.restrictions()
	}
	if as.email != "" || r.Method != http.MethodGet && !slices.Contains(as.can, "canTrade") {
		return -2015, nil
	}
	switch route {
	case "GET /sapi/v1/sub-account/subAccountApi":
		return f.list(q)
	case "GET /sapi/v1/sub-account/subAccountApi/ipRestriction":
		k := f.find(q.Get("subAccountApiKey"))
		if k == nil || k.email != q.Get("email") {
			return -1130, nil
		}
		return 0, map[string]any{"ipRestrict": strconv.FormatBool(k.restrict), "ipList": k.ips, "updateTime": k.ts, "apiKey": k.id}
	case "POST /sapi/v1/sub-account/subAccountApi":
		return f.create(q)
	case "DELETE /sapi/v1/sub-account/subAccountApi":
		k := f.find(q.Get("subAccountApiKey"))
		if k == nil || k.email == "" || k.email != q.Get("email") {
			return -4711, nil // what there is is not documented
		}
		f.drop(k.id)
		return 0, struct{}{}
	}
	return -1020, nil
}

var says = map[string]string{
	"canTrade": "enableSpotAndMarginTrading", "canMarginLoanRepay": "enableMargin", "canFuturesTrade": "enableFutures",
	"canUniversalTransfer": "permitsUniversalTransfer", "canVanillaOptions": "enableVanillaOptions",
}

func (k *fakeKey) restrictions() map[string]any {
	all := map[string]any{"ipRestrict": k.restrict, "createTime": k.ts, "enableReading": true, "enableWithdrawals": false}
	for can, flag := range says {
		all[flag] = slices.Contains(k.can, can)
	}
	for _, flag := range k.flags {
		all[flag] = true
	}
	return all
}

func (f *fake) list(q url.Values) (code int, result any) {
	page, _ := strconv.Atoi(q.Get("page"))
	size, _ := strconv.Atoi(q.Get("size"))
	if page < 1 || size < 1 || size > 100 {
		return -1130, nil
	}
	all := []any{}
	for _, k := range f.keys {
		if k.email == "" || k.email != q.Get("email") {
			continue
		}
		row := map[string]any{"email": k.email, "apiName": k.name, "apikey": k.id, "timestamp": k.ts}
		for can := range says {
			row[can] = slices.Contains(k.can, can)
		}
		all = append(all, row)
	}
	from := min(len(all), (page-1)*size)
	return 0, map[string]any{"total": len(all), "rows": all[from:min(len(all), from+size)]}
}

func (f *fake) create(q url.Values) (code int, result any) {
	if !slices.ContainsFunc(f.keys, func(k *fakeKey) bool { return k.email != "" && k.email == q.Get("email") }) || q.Get("apiName") == "" {
		return -1102, nil
	}
	k := &fakeKey{email: q.Get("email"), name: q.Get("apiName"), ts: time.Now().UnixMilli()}
	switch q.Get("status") {
	case "1":
	case "2":
		k.restrict, k.ips = true, strings.Split(q.Get("ipAddress"), ",")
	default:
		return -1130, nil
	}
	for can := range says {
		if q.Get(can) == "true" {
			k.can = append(k.can, can)
		}
	}
	f.made++
	k.id, k.secret = fmt.Sprintf("new%d", f.made), fmt.Sprintf("%sn%d", marked, f.made)
	f.keys = append(f.keys, k)
	return 0, map[string]any{"apiName": k.name, "apiKey": k.id, "secretKey": k.secret, "ipList": k.ips}
}

// credential is a key of an environment, as keywright holds it.
func (f *fake) credential(url, id string) provider.Credential {
	k := f.find(id)
	c := provider.Credential{
		ID: id, Params: map[string]string{"host": url},
		Parts: map[string]secret.Value{"id": secret.New([]byte(id)), "secret": secret.New([]byte(k.secret))},
	}
	if k.email != "" {
		c.Params["email"] = k.email
	}
	return c
}
