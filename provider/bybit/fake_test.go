package bybit_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
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

// fake is one environment of Bybit, as it is documented: it checks signatures, times,
// addresses and rights. What it says in words repeats the request and the secret.
type fake struct {
	mu    sync.Mutex
	keys  []*fakeKey
	calls []string // paths, in order
	from  string   // the address that calls come from
	demo  bool
	slow  int // calls for which a new key is not known, and a deleted one is
	made  int
	// answer may answer in place of the fake. What it was asked may have been done.
	answer func(w http.ResponseWriter, r *http.Request, done func()) bool
}

type fakeKey struct {
	id, secret, note, parent, rsa string
	user                          int64
	master, readOnly, gone        bool
	rights                        map[string][]string
	ips                           []string
	kind                          int
	created, expires              time.Time
	hidden, dying                 int
}

// serve starts an environment, with a master account 1000 of a sub-account 1001.
func serve(t *testing.T) (*fake, string) {
	f := &fake{from: "192.0.2.1", keys: []*fakeKey{
		{id: "master", secret: marked + "m", user: 1000, parent: "0", master: true, kind: 1, ips: []string{"192.0.2.1"}, rights: map[string][]string{"Wallet": {"AccountTransfer"}}},
		{id: "old", secret: marked + "o", user: 1001, parent: "1000", kind: 1, ips: []string{"192.0.2.1", "192.0.2.0"}, note: "bot", created: time.Unix(1.7e9, 0).UTC(),
			rights: map[string][]string{"Spot": {"SpotTrade"}, "ContractTrade": {"Order", "Position"}, "Options": {}, "Derivatives": {"DerivativesTrade"}}},
	}}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return f, s.URL
}

func (f *fake) find(id string) *fakeKey {
	for _, k := range f.keys {
		if k.id == id && !k.gone {
			return k
		}
	}
	return nil
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

func (f *fake) called(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, c := range f.calls {
		if c == path {
			n++
		}
	}
	return n
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, r.URL.Path)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	code, result := -1, any(nil)
	done := func() { code, result = f.do(r, body) }
	if f.answer != nil && f.answer(w, r, done) {
		return
	}
	if code == -1 {
		done()
	}
	if result == nil {
		result = struct{}{}
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	json.NewEncoder(w).Encode(map[string]any{
		"retCode": code, "retMsg": fmt.Sprintf("%s %s %s", marked, body, r.Header), "result": result,
		"retExtInfo": struct{}{}, "time": time.Now().UnixMilli(),
	})
}

// do does what a request asks for.
func (f *fake) do(r *http.Request, body []byte) (code int, result any) {
	h := r.Header
	as := f.find(h.Get("X-BAPI-API-KEY"))
	timestamp, _ := strconv.ParseInt(h.Get("X-BAPI-TIMESTAMP"), 10, 64)
	window, _ := strconv.ParseInt(h.Get("X-BAPI-RECV-WINDOW"), 10, 64)
	now := time.Now().UnixMilli()
	payload := r.URL.RawQuery
	if r.Method == http.MethodPost {
		payload = string(body)
	}
	switch {
	case as == nil:
		return 10003, nil
	case as.hidden > 0:
		as.hidden--
		return 10003, nil
	case timestamp < now-window || timestamp >= now+1000:
		return 10002, nil
	}
	if as.dying > 0 {
		if as.dying--; as.dying == 0 {
			as.gone = true
		}
	}
	mac := hmac.New(sha256.New, []byte(as.secret))
	fmt.Fprintf(mac, "%d%s%d%s", timestamp, as.id, window, payload)
	switch {
	case h.Get("X-BAPI-SIGN") != fmt.Sprintf("%x", mac.Sum(nil)):
		return 10004, nil
	case !as.expires.IsZero() && as.expires.Before(time.Now()):
		return 33004, nil
	case len(as.ips) > 0 && !slices.Contains(as.ips, "*") && !slices.Contains(as.ips, f.from):
		return 10010, nil
	}
	var in struct {
		Sub         int64               `json:"subuid"`
		ReadOnly    *int                `json:"readOnly"`
		Note, IPs   string              //
		Permissions map[string][]string `json:"permissions"`
		Key         *string             `json:"apikey"`
	}
	if r.Method == http.MethodPost && (h.Get("Content-Type") != "application/json" || json.Unmarshal(body, &in) != nil) {
		return 10001, nil
	}
	moves := !as.readOnly && (slices.Contains(as.rights["Wallet"], "AccountTransfer") || slices.Contains(as.rights["Wallet"], "SubMemberTransfer") || slices.Contains(as.rights["Wallet"], "Withdraw"))
	switch route := r.Method + " " + r.URL.Path; {
	case route == "GET /v5/account/info":
		return 0, map[string]any{"unifiedMarginStatus": 3}
	case f.demo:
		return 10017, nil
	case route == "GET /v5/user/query-api":
		return 0, f.query(as)
	case route == "GET /v5/user/sub-apikeys":
		if !as.master {
			return 10005, nil
		}
		return f.list(r)
	case route == "POST /v5/user/create-sub-api":
		if !as.master || !moves {
			return 10005, nil
		}
		if !slices.ContainsFunc(f.keys, func(k *fakeKey) bool { return k.user == in.Sub && k.parent == "1000" }) {
			return 500010, nil
		}
		for group := range in.Permissions {
			if !slices.Contains([]string{"ContractTrade", "Spot", "Options", "Wallet", "Exchange", "Earn"}, group) {
				return 10001, nil
			}
		}
		if in.ReadOnly == nil || len(in.Permissions) == 0 {
			return 10001, nil
		}
		f.made++
		k := &fakeKey{
			id: fmt.Sprintf("new%d", f.made), secret: fmt.Sprintf("%sn%d", marked, f.made), note: in.Note, user: in.Sub, parent: "1000", kind: 1,
			readOnly: *in.ReadOnly == 1, rights: in.Permissions, created: time.Now().UTC(), hidden: f.slow,
		}
		if k.ips = []string{"*"}; in.IPs != "" && in.IPs != "*" {
			k.ips = strings.Split(in.IPs, ",")
		} else {
			k.expires = k.created.AddDate(0, 0, 90)
		}
		k.rights["Derivatives"] = []string{"DerivativesTrade"}
		f.keys = append(f.keys, k)
		got := f.query(k)
		got["secret"] = k.secret
		return 0, got
	case route == "POST /v5/user/delete-sub-api":
		k := as
		switch {
		case !moves || as.master != (in.Key != nil):
			return 10005, nil
		case as.master:
			if k = f.find(*in.Key); k == nil || k.master || k.dying > 0 {
				return 4711, nil // what there is is not documented
			}
		}
		if f.slow > 0 {
			k.dying = f.slow
		} else {
			k.gone = true
		}
		return 0, nil
	case route == "POST /v5/user/delete-api":
		if !as.master || !moves {
			return 10005, nil
		}
		as.gone = true
		return 0, nil
	}
	return 10017, nil
}

func (f *fake) query(k *fakeKey) map[string]any {
	expires := time.Unix(0, 0).UTC()
	if !k.expires.IsZero() {
		expires = k.expires.UTC().Truncate(time.Second)
	}
	readOnly := 0
	if k.readOnly {
		readOnly = 1
	}
	return map[string]any{
		"id": "1", "note": k.note, "apiKey": k.id, "readOnly": readOnly, "secret": "", "permissions": k.rights, "ips": k.ips, "type": k.kind,
		"deadlineDay": -2, "expiredAt": expires.Format(time.RFC3339), "createdAt": k.created.Format(time.RFC3339), "uta": 1, "userID": k.user,
		"isMaster": k.master, "parentUid": k.parent, "rsaPublicKey": k.rsa,
	}
}

// list is a page of the keys of a sub-account.
func (f *fake) list(r *http.Request) (code int, result any) {
	q := r.URL.Query()
	limit, _ := strconv.Atoi(q.Get("limit"))
	from, _ := strconv.Atoi(strings.TrimPrefix(q.Get("cursor"), "at="))
	if limit < 1 || limit > 20 {
		return 10001, nil
	}
	page, cursor := []map[string]any{}, ""
	n := 0
	for _, k := range f.keys {
		if k.gone || k.dying > 0 || strconv.FormatInt(k.user, 10) != q.Get("subMemberId") || k.master {
			continue
		}
		if n++; n <= from {
			continue
		}
		if len(page) == limit {
			cursor = fmt.Sprintf("at=%d", from+limit)
			break
		}
		e := f.query(k)
		e["secret"], e["readOnly"], e["status"], e["flag"] = "******", k.readOnly, 1, "hmac"
		for _, name := range []string{"userID", "isMaster", "parentUid", "rsaPublicKey"} {
			delete(e, name)
		}
		page = append(page, e)
	}
	return 0, map[string]any{"result": page, "nextPageCursor": cursor}
}

// credential is a key of an environment, as keywright holds it.
func (f *fake) credential(url, id string) provider.Credential {
	k := f.find(id)
	return provider.Credential{
		ID: id, Params: map[string]string{"host": url},
		Parts: map[string]secret.Value{"id": secret.New([]byte(id)), "secret": secret.New([]byte(k.secret))},
	}
}
