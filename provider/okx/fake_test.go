package okx_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
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

// fake is one world of OKX, as it is documented: it checks signatures, passphrases, times,
// addresses and rights. What it says in words repeats the request and the secret.
type fake struct {
	mu    sync.Mutex
	keys  []*fakeKey
	subs  []fakeSub
	calls []string // paths, in order
	from  string   // the address that calls come from
	made  int
	// answer may answer in place of the fake. What it was asked may have been done.
	answer func(w http.ResponseWriter, r *http.Request, done func()) bool
}

type fakeSub struct {
	name, uid string
	ts        int64
}

type fakeKey struct {
	id, secret, phrase, label, perm, ip string
	uid                                 string
	demo                                bool
	ts                                  int64
}

// serve starts a world, with a master account 1000 of a sub-account 1001.
func serve(t *testing.T) (*fake, string) {
	f := &fake{from: "192.0.2.1", subs: []fakeSub{{"subone", "1001", 1700000000000}}, keys: []*fakeKey{
		{id: "master", secret: marked + "m", phrase: marked + "pm", uid: "1000", perm: "read_only,trade", ip: "192.0.2.1"},
		{id: "old", secret: marked + "o", phrase: marked + "po", uid: "1001", label: "bot", perm: "trade,read_only", ip: "192.0.2.1,192.0.2.0", ts: 1700000000123},
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
	status, code, data := 0, "", any(nil)
	done := func() { status, code, data = f.do(r, body) }
	if f.answer != nil && f.answer(w, r, done) {
		return
	}
	if code == "" {
		done()
	}
	if data == nil {
		data = []struct{}{}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"code": code, "msg": fmt.Sprintf("%s %s %s", marked, body, r.Header), "data": data})
}

// admit checks who asks, as the documentation of signatures and of error codes says.
func (f *fake) admit(r *http.Request, body []byte) (as *fakeKey, status int, code string) {
	h := r.Header
	as = f.find(h.Get("OK-ACCESS-KEY"))
	timestamp := h.Get("OK-ACCESS-TIMESTAMP")
	at, err := time.Parse("2006-01-02T15:04:05.000Z", timestamp)
	switch {
	case as == nil:
		return nil, 200, "50119"
	case err != nil:
		return nil, 401, "50112"
	case time.Since(at).Abs() > 30*time.Second:
		return nil, 401, "50102"
	case as.demo != (h.Get("x-simulated-trading") == "1"):
		return nil, 401, "50101"
	case h.Get("OK-ACCESS-PASSPHRASE") != as.phrase:
		return nil, 401, "50105"
	}
	mac := hmac.New(sha256.New, []byte(as.secret))
	fmt.Fprintf(mac, "%s%s%s%s", timestamp, r.Method, r.URL.RequestURI(), body)
	switch {
	case h.Get("OK-ACCESS-SIGN") != base64.StdEncoding.EncodeToString(mac.Sum(nil)):
		return nil, 401, "50113"
	case as.ip != "" && !slices.Contains(strings.Split(as.ip, ","), f.from):
		return nil, 401, "50110"
	case r.Method == http.MethodPost && h.Get("Content-Type") != "application/json":
		return nil, 400, "50006"
	}
	return as, 200, ""
}

// do does what a request asks for.
func (f *fake) do(r *http.Request, body []byte) (status int, code string, data any) {
	as, status, code := f.admit(r, body)
	if code != "" {
		return status, code, nil
	}
	var in struct{ SubAcct, Label, Passphrase, Perm, IP, APIKey string }
	if r.Method == http.MethodPost && json.Unmarshal(body, &in) != nil {
		return 400, "50002", nil
	}
	route := r.Method + " " + r.URL.Path
	if route == "GET /api/v5/account/config" {
		return 200, "0", []any{map[string]any{"uid": as.uid, "mainUid": "1000", "label": as.label, "perm": as.perm, "ip": as.ip, "acctLv": "2", "traderInsts": []string{}}}
	}
	if as.uid != "1000" {
		return 200, "59500", nil
	}
	if r.Method == http.MethodPost {
		switch {
		case as.ip == "":
			return 403, "50035", nil
		case !strings.Contains(as.perm, "trade"):
			return 200, "50120", nil
		}
	}
	switch route {
	case "GET /api/v5/users/subaccount/list":
		return 200, "0", f.list(r)
	case "GET /api/v5/users/subaccount/apikey":
		return f.query(r.URL.Query().Get("subAcct"))
	case "POST /api/v5/users/subaccount/apikey":
		return f.create(in.SubAcct, fakeKey{label: in.Label, phrase: in.Passphrase, perm: in.Perm, ip: in.IP, demo: as.demo})
	case "POST /api/v5/users/subaccount/delete-apikey":
		uid := f.uid(in.SubAcct)
		k := f.find(in.APIKey)
		switch {
		case uid == "":
			return 200, "59510", nil
		case k == nil || k.uid != uid:
			return 200, "59506", nil
		}
		f.drop(k.id)
		return 200, "0", []any{map[string]any{"subAcct": in.SubAcct}}
	}
	return 405, "50115", nil
}

func (f *fake) uid(name string) string {
	for _, s := range f.subs {
		if s.name == name {
			return s.uid
		}
	}
	return ""
}

// list is a page of the sub-accounts: the newest first.
func (f *fake) list(r *http.Request) any {
	all := slices.Clone(f.subs)
	slices.SortFunc(all, func(a, b fakeSub) int { return int(b.ts - a.ts) })
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	after, err := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	page := []any{}
	for _, s := range all {
		if (err != nil || s.ts < after) && len(page) < limit {
			page = append(page, map[string]any{"subAcct": s.name, "uid": s.uid, "ts": fmt.Sprint(s.ts), "enable": true})
		}
	}
	return page
}

func (f *fake) query(sub string) (status int, code string, data any) {
	uid := f.uid(sub)
	if uid == "" {
		return 200, "59510", nil
	}
	all := []any{}
	for _, k := range f.keys {
		if k.uid == uid {
			all = append(all, map[string]any{"label": k.label, "apiKey": k.id, "perm": k.perm, "ip": k.ip, "ts": fmt.Sprint(k.ts)})
		}
	}
	return 200, "0", all
}

var classes = []*regexp.Regexp{regexp.MustCompile(`^.{8,32}$`), regexp.MustCompile(`[0-9]`), regexp.MustCompile(`[A-Z]`), regexp.MustCompile(`[a-z]`), regexp.MustCompile(`[!@#$%]`)}

func (f *fake) create(sub string, k fakeKey) (status int, code string, data any) {
	k.uid = f.uid(sub)
	n := 0
	for _, other := range f.keys {
		if other.uid == k.uid {
			n++
			if other.label == k.label {
				return 200, "59502", nil
			}
		}
	}
	switch {
	case k.uid == "":
		return 200, "59510", nil
	case n >= 50:
		return 200, "59501", nil
	case slices.ContainsFunc(classes, func(re *regexp.Regexp) bool { return !re.MatchString(k.phrase) }):
		return 200, "59505", nil
	case len(strings.Split(k.ip, ",")) > 20:
		return 200, "59503", nil
	}
	for right := range strings.SplitSeq(k.perm, ",") {
		if right != "read_only" && right != "trade" {
			return 200, "59504", nil
		}
	}
	f.made++
	k.id, k.secret, k.ts = fmt.Sprintf("new%d", f.made), fmt.Sprintf("%sn%d", marked, f.made), time.Now().UnixMilli()
	f.keys = append(f.keys, &k)
	return 200, "0", []any{map[string]any{
		"subAcct": sub, "label": k.label, "apiKey": k.id, "secretKey": k.secret, "passphrase": k.phrase, "perm": k.perm, "ip": k.ip, "ts": fmt.Sprint(k.ts),
	}}
}

// credential is a key of a world, as keywright holds it.
func (f *fake) credential(url, id string) provider.Credential {
	k := f.find(id)
	return provider.Credential{
		ID: id, Params: map[string]string{"host": url},
		Parts: map[string]secret.Value{"id": secret.New([]byte(id)), "secret": secret.New([]byte(k.secret)), "passphrase": secret.New([]byte(k.phrase))},
	}
}
