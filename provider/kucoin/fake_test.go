package kucoin_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
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

// marked is in every secret that the fake gives away, and must be in no error.
const marked = providertest.Marked

// fake is KuCoin, as it is documented: it checks signatures, passphrases, times, addresses
// and rights. What it says in words repeats the request and the secret.
type fake struct {
	mu    sync.Mutex
	keys  []*fakeKey
	calls []string // routes, in order
	from  string   // the address that calls come from
	made  int
	// answer may answer in place of the fake. What it was asked may have been done.
	answer func(w http.ResponseWriter, r *http.Request, done func()) bool
}

type fakeKey struct {
	id, secret, phrase, remark, rights, ips, sub string
	uid, created                                 int64
	expire                                       string
}

// serve starts a KuCoin, with a master account 1000 of a sub-account 1001.
func serve(t *testing.T) (*fake, string) {
	f := &fake{from: "192.0.2.1", keys: []*fakeKey{
		{id: "master", secret: marked + "m", phrase: marked + "pm", uid: 1000, rights: "General", ips: "192.0.2.1"},
		{id: "old", secret: marked + "o", phrase: marked + "p!@#+/ä", uid: 1001, sub: "subone", remark: "bot", rights: "Spot,General", ips: "192.0.2.1,192.0.2.0", created: 1700000000123},
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
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	code, data := "", any(nil)
	done := func() { code, data = f.do(r, body) }
	if f.answer != nil && f.answer(w, r, done) {
		return
	}
	if code == "" {
		done()
	}
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
	as = f.find(h.Get("KC-API-KEY"))
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
	case h.Get("KC-API-SIGN") != mac(as.secret, signed+string(body)):
		return nil, "400005"
	case h.Get("KC-API-PASSPHRASE") != mac(as.secret, as.phrase):
		return nil, "400004"
	case as.ips != "" && !slices.Contains(strings.Split(as.ips, ","), f.from):
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
	master := as.sub == ""
	q := r.URL.Query()
	switch route := r.Method + " " + r.URL.Path; {
	case route == "GET /api/v1/user/api-key":
		return "200000", as.show()
	case r.URL.Path == "/api/v1/sub/api-key" && (!master || !strings.Contains(as.rights, "General")):
		return "400007", nil
	case route == "GET /api/v1/sub/api-key":
		all := []any{}
		for _, k := range f.keys {
			if k.sub == q.Get("subName") && k.sub != "" {
				all = append(all, k.show())
			}
		}
		return "200000", all
	case route == "POST /api/v1/sub/api-key":
		return f.create(body)
	case route == "DELETE /api/v1/sub/api-key":
		k := f.find(q.Get("apiKey"))
		if k == nil || k.sub == "" || k.sub != q.Get("subName") || k.phrase != q.Get("passphrase") {
			return "4711", nil // what there is is not documented
		}
		f.drop(k.id)
		return "200000", map[string]any{"subName": k.sub, "apiKey": k.id}
	}
	return "404000", nil
}

func (k *fakeKey) show() map[string]any {
	all := map[string]any{
		"remark": k.remark, "apiKey": k.id, "apiVersion": 3, "permission": k.rights, "createdAt": k.created, "uid": k.uid, "isMaster": k.sub == "",
	}
	if k.sub != "" {
		all["subName"] = k.sub
	}
	if k.ips != "" {
		all["ipWhitelist"] = k.ips
	}
	return all
}

func (f *fake) create(body []byte) (code string, data any) {
	var in struct{ SubName, Remark, Passphrase, Permission, IPWhitelist, Expire string }
	if json.Unmarshal(body, &in) != nil {
		return "400100", nil
	}
	var uid int64
	for _, k := range f.keys {
		if k.sub == in.SubName {
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
	f.made++
	k := &fakeKey{
		id: fmt.Sprintf("new%d", f.made), secret: fmt.Sprintf("%sn%d", marked, f.made), phrase: in.Passphrase, remark: in.Remark,
		rights: in.Permission, ips: in.IPWhitelist, sub: in.SubName, uid: uid, created: time.Now().UnixMilli(), expire: in.Expire,
	}
	f.keys = append(f.keys, k)
	all := k.show()
	all["apiSecret"], all["passphrase"] = k.secret, k.phrase
	return "200000", all
}

// credential is a key, as keywright holds it.
func (f *fake) credential(url, id string) provider.Credential {
	k := f.find(id)
	return provider.Credential{
		ID: id, Params: map[string]string{"host": url},
		Parts: map[string]secret.Value{"id": secret.New([]byte(id)), "secret": secret.New([]byte(k.secret)), "passphrase": secret.New([]byte(k.phrase))},
	}
}
