package kucoin_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider/providertest"
)

// marked is in every secret that the fake gives away, and must be in no error.
const marked = providertest.Marked

// fake is KuCoin, as it is documented: it checks signatures, passphrases, times, addresses
// and rights. What it says in words repeats the request and the secret. Accounts are known by
// the names of sub-accounts, and the master's has none.
type fake struct {
	*providertest.Ledger[*fakeKey]
}

type fakeKey struct {
	providertest.Key
	uid    int64
	expire string
}

// serve starts a KuCoin, with a master account 1000 of a sub-account 1001.
func serve(t *testing.T) *fake {
	f := &fake{}
	f.Ledger = providertest.NewLedger(t, f.answer,
		&fakeKey{uid: 1000, Key: providertest.Key{ID: "master", Secret: marked + "m", Phrase: marked + "pm", Rights: []string{"General"}, IPs: []string{"192.0.2.1"}}},
		&fakeKey{uid: 1001, expire: "-1", Key: providertest.Key{ID: "old", Secret: marked + "o", Phrase: marked + "p!@#+/ä", Account: "subone", Label: "bot", Rights: []string{"Spot", "General"}, IPs: []string{"192.0.2.1", "192.0.2.0"}, Created: time.UnixMilli(1700000000123)}},
	)
	return f
}

func (f *fake) answer(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	code, data := f.do(r, body)
	w.Header().Set("Content-Type", "application/json")
	answer := map[string]any{"code": code, "data": data}
	if code != "200000" {
		answer = map[string]any{"code": code, "msg": fmt.Sprintf("%s %s %s %s", marked, body, r.URL, r.Header)}
	}
	json.NewEncoder(w).Encode(answer)
}

func mac(key, text string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// admit checks who asks.
func (f *fake) admit(r *http.Request, body []byte) (as *fakeKey, code string) {
	h := r.Header
	as = f.Find(h.Get("KC-API-KEY"))
	timestamp := h.Get("KC-API-TIMESTAMP")
	ms, err := strconv.ParseInt(timestamp, 10, 64)
	switch {
	case as == nil:
		return nil, "400003"
	case err != nil || time.Since(time.UnixMilli(ms)).Abs() > 5*time.Second:
		return nil, "400002"
	case h.Get("KC-API-KEY-VERSION") != "3":
		return nil, "400009"
	}
	signed := timestamp + r.Method + r.URL.Path
	if r.URL.RawQuery != "" { // as it was before it was encoded
		raw, err := url.QueryUnescape(r.URL.RawQuery)
		if err != nil {
			return nil, "400001"
		}
		signed += "?" + raw
	}
	switch {
	case h.Get("KC-API-SIGN") != mac(as.Secret, signed+string(body)):
		return nil, "400005"
	case h.Get("KC-API-PASSPHRASE") != mac(as.Secret, as.Phrase):
		return nil, "400004"
	case len(as.IPs) > 0 && !slices.Contains(as.IPs, f.From):
		return nil, "400006"
	case h.Get("Content-Type") != "application/json":
		return nil, "415000"
	}
	return as, ""
}

// do does what a request asks for.
func (f *fake) do(r *http.Request, body []byte) (code string, data any) {
	as, code := f.admit(r, body)
	if code != "" {
		return code, nil
	}
	master := as.Account == ""
	q := r.URL.Query()
	switch route := r.Method + " " + r.URL.Path; {
	case route == "GET /api/v1/user/api-key":
		return "200000", as.show()
	case r.URL.Path == "/api/v1/sub/api-key" && (!master || !as.May("General")):
		return "400007", nil
	case route == "GET /api/v1/sub/api-key":
		all := []any{}
		for _, k := range f.Keys {
			if k.Account == q.Get("subName") && k.Account != "" {
				all = append(all, k.show())
			}
		}
		return "200000", all
	case route == "POST /api/v1/sub/api-key":
		return f.create(body)
	case route == "DELETE /api/v1/sub/api-key":
		k := f.Find(q.Get("apiKey"))
		if k == nil || k.Account == "" || k.Account != q.Get("subName") || k.Phrase != q.Get("passphrase") {
			return "4711", nil // what there is is not documented
		}
		f.Drop(k.ID)
		return "200000", map[string]any{"subName": k.Account, "apiKey": k.ID}
	}
	return "404000", nil
}

func (k *fakeKey) show() map[string]any {
	all := map[string]any{
		"remark": k.Label, "apiKey": k.ID, "apiVersion": 3, "permission": strings.Join(k.Rights, ","), "createdAt": k.Milli(), "uid": k.uid, "isMaster": k.Account == "",
	}
	if k.Account != "" {
		all["subName"] = k.Account
	}
	if len(k.IPs) > 0 {
		all["ipWhitelist"] = strings.Join(k.IPs, ",")
	}
	return all
}

func (f *fake) create(body []byte) (code string, data any) {
	var in struct{ SubName, Remark, Passphrase, Permission, IPWhitelist, Expire string }
	if json.Unmarshal(body, &in) != nil {
		return "400100", nil
	}
	var uid int64
	for _, k := range f.Keys {
		if k.Account == in.SubName {
			uid = k.uid
		}
	}
	n, m := len(in.Remark), len(in.Passphrase)
	if uid == 0 || n < 1 || n > 24 || m < 7 || m > 32 || strings.Contains(in.Passphrase, " ") || !slices.Contains([]string{"-1", "30", "90", "180", "360"}, in.Expire) {
		return "400100", nil
	}
	for right := range strings.SplitSeq(in.Permission, ",") {
		if !slices.Contains([]string{"General", "Spot", "Futures", "Margin", "InnerTransfer"}, right) {
			return "400100", nil
		}
	}
	k := &fakeKey{uid: uid, expire: in.Expire, Key: providertest.Key{Label: in.Remark, Phrase: in.Passphrase, Account: in.SubName, Rights: strings.Split(in.Permission, ",")}}
	if in.IPWhitelist != "" {
		k.IPs = strings.Split(in.IPWhitelist, ",")
	}
	f.Issue(k)
	all := k.show()
	all["apiSecret"], all["passphrase"] = k.Secret, k.Phrase
	return "200000", all
}
