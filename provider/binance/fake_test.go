package binance_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider/providertest"
)

// marked is in every secret, and must be in no error.
const marked = providertest.Marked

// fake is one environment of Binance, as it is documented: it checks signatures, times,
// addresses and rights. What it says in words repeats the request and the secret. Accounts
// are known by the email addresses of sub-accounts, and the master's has none; rights are
// those that a key is asked for with.
type fake struct {
	*providertest.Ledger[*fakeKey]
	test bool
}

type fakeKey struct {
	providertest.Key
	restrict bool     // it may be used from its addresses alone
	flags    []string // further ones that it says of itself
}

const sub = "a+b@example.com"

// serve starts an environment, with a master account that has a sub-account.
func serve(t *testing.T) *fake {
	f := &fake{}
	f.Ledger = providertest.NewLedger(t, f.answer,
		&fakeKey{restrict: true, Key: providertest.Key{ID: "master", Secret: marked + "m", Rights: []string{"canTrade"}, IPs: []string{"192.0.2.1"}}},
		&fakeKey{restrict: true, Key: providertest.Key{ID: "old", Secret: marked + "o", Account: sub, Label: "bot", Rights: []string{"canTrade", "canFuturesTrade"}, IPs: []string{"192.0.2.1", "192.0.2.0"}, Created: time.UnixMilli(1700000000123)}},
	)
	f.Param = "email"
	return f
}

func (f *fake) answer(w http.ResponseWriter, r *http.Request) {
	code, result := f.do(r)
	w.Header().Set("Content-Type", "application/json")
	if code != 0 {
		w.WriteHeader(http.StatusBadRequest)
		result = map[string]any{"code": code, "msg": fmt.Sprintf("%s %s %s", marked, r.URL, r.Header)}
	}
	json.NewEncoder(w).Encode(result)
}

// admit checks who asks.
func (f *fake) admit(r *http.Request) (as *fakeKey, q url.Values, code int) {
	as = f.Find(r.Header.Get("X-MBX-APIKEY"))
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
	h := hmac.New(sha256.New, []byte(as.Secret))
	h.Write([]byte(query))
	switch {
	case sig != fmt.Sprintf("%x", h.Sum(nil)):
		return nil, nil, -1022
	case as.restrict && !slices.Contains(as.IPs, f.From):
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
	if as.Account != "" || r.Method != http.MethodGet && !as.May("canTrade") {
		return -2015, nil
	}
	switch route {
	case "GET /sapi/v1/sub-account/subAccountApi":
		return f.list(q)
	case "GET /sapi/v1/sub-account/subAccountApi/ipRestriction":
		k := f.Find(q.Get("subAccountApiKey"))
		if k == nil || k.Account != q.Get("email") {
			return -1130, nil
		}
		return 0, map[string]any{"ipRestrict": strconv.FormatBool(k.restrict), "ipList": k.IPs, "updateTime": k.Milli(), "apiKey": k.ID}
	case "POST /sapi/v1/sub-account/subAccountApi":
		return f.create(q)
	case "DELETE /sapi/v1/sub-account/subAccountApi":
		k := f.Find(q.Get("subAccountApiKey"))
		if k == nil || k.Account == "" || k.Account != q.Get("email") {
			return -4711, nil // what there is is not documented
		}
		f.Drop(k.ID)
		return 0, struct{}{}
	}
	return -1020, nil
}

var says = map[string]string{
	"canTrade": "enableSpotAndMarginTrading", "canMarginLoanRepay": "enableMargin", "canFuturesTrade": "enableFutures",
	"canUniversalTransfer": "permitsUniversalTransfer", "canVanillaOptions": "enableVanillaOptions",
}

func (k *fakeKey) restrictions() map[string]any {
	all := map[string]any{"ipRestrict": k.restrict, "createTime": k.Milli(), "enableReading": true, "enableWithdrawals": false}
	for can, flag := range says {
		all[flag] = k.May(can)
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
	for _, k := range f.Keys {
		if k.Account == "" || k.Account != q.Get("email") {
			continue
		}
		row := map[string]any{"email": k.Account, "apiName": k.Label, "apikey": k.ID, "timestamp": k.Milli()}
		for can := range says {
			row[can] = k.May(can)
		}
		all = append(all, row)
	}
	from := min(len(all), (page-1)*size)
	return 0, map[string]any{"total": len(all), "rows": all[from:min(len(all), from+size)]}
}

func (f *fake) create(q url.Values) (code int, result any) {
	if !slices.ContainsFunc(f.Keys, func(k *fakeKey) bool { return k.Account != "" && k.Account == q.Get("email") }) || q.Get("apiName") == "" {
		return -1102, nil
	}
	k := &fakeKey{Key: providertest.Key{Account: q.Get("email"), Label: q.Get("apiName")}}
	switch q.Get("status") {
	case "1":
	case "2":
		k.restrict, k.IPs = true, strings.Split(q.Get("ipAddress"), ",")
	default:
		return -1130, nil
	}
	for can := range says {
		if q.Get(can) == "true" {
			k.Rights = append(k.Rights, can)
		}
	}
	f.Issue(k)
	return 0, map[string]any{"apiName": k.Label, "apiKey": k.ID, "secretKey": k.Secret, "ipList": k.IPs}
}
