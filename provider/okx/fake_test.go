package okx_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider/providertest"
)

// marked is in every secret that the fake gives away, and must be in no error.
const marked = providertest.Marked

// fake is one world of OKX, as it is documented: it checks signatures, passphrases, times,
// addresses and rights. What it says in words repeats the request and the secret. Accounts
// are known by their UIDs, and 1000 is the master's.
type fake struct {
	*providertest.Ledger[*fakeKey]
	subs []fakeSub
}

type fakeSub struct {
	name, uid string
	ts        int64
}

type fakeKey struct {
	providertest.Key
	demo bool
}

// serve starts a world, with a master account 1000 of a sub-account 1001.
func serve(t *testing.T) *fake {
	f := &fake{subs: []fakeSub{{"subone", "1001", 1700000000000}}}
	f.Ledger = providertest.NewLedger(t, f.answer,
		&fakeKey{Key: providertest.Key{ID: "master", Secret: marked + "m", Phrase: marked + "pm", Account: "1000", Rights: []string{"read_only", "trade"}, IPs: []string{"192.0.2.1"}}},
		&fakeKey{Key: providertest.Key{ID: "old", Secret: marked + "o", Phrase: marked + "po", Account: "1001", Label: "bot", Rights: []string{"trade", "read_only"}, IPs: []string{"192.0.2.1", "192.0.2.0"}, Created: time.UnixMilli(1700000000123)}},
	)
	return f
}

func (f *fake) answer(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	status, code, data := f.do(r, body)
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
	as = f.Find(h.Get("OK-ACCESS-KEY"))
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
	case h.Get("OK-ACCESS-PASSPHRASE") != as.Phrase:
		return nil, 401, "50105"
	}
	mac := hmac.New(sha256.New, []byte(as.Secret))
	fmt.Fprintf(mac, "%s%s%s%s", timestamp, r.Method, r.URL.RequestURI(), body)
	switch {
	case h.Get("OK-ACCESS-SIGN") != base64.StdEncoding.EncodeToString(mac.Sum(nil)):
		return nil, 401, "50113"
	case len(as.IPs) > 0 && !slices.Contains(as.IPs, f.From):
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
		return 200, "0", []any{map[string]any{"uid": as.Account, "mainUid": "1000", "label": as.Label, "perm": strings.Join(as.Rights, ","), "ip": strings.Join(as.IPs, ","), "acctLv": "2", "traderInsts": []string{}}}
	}
	if as.Account != "1000" {
		return 200, "59500", nil
	}
	if r.Method == http.MethodPost {
		switch {
		case len(as.IPs) == 0:
			return 403, "50035", nil
		case !as.May("trade"):
			return 200, "50120", nil
		}
	}
	switch route {
	case "GET /api/v5/users/subaccount/list":
		return 200, "0", f.list(r)
	case "GET /api/v5/users/subaccount/apikey":
		return f.query(r.URL.Query().Get("subAcct"))
	case "POST /api/v5/users/subaccount/apikey":
		k := &fakeKey{Key: providertest.Key{Label: in.Label, Phrase: in.Passphrase, Rights: strings.Split(in.Perm, ",")}, demo: as.demo}
		if in.IP != "" {
			k.IPs = strings.Split(in.IP, ",")
		}
		return f.create(in.SubAcct, k)
	case "POST /api/v5/users/subaccount/delete-apikey":
		uid := f.uid(in.SubAcct)
		k := f.Find(in.APIKey)
		switch {
		case uid == "":
			return 200, "59510", nil
		case k == nil || k.Account != uid:
			return 200, "59506", nil
		}
		f.Drop(k.ID)
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
	for _, k := range f.Keys {
		if k.Account == uid {
			all = append(all, k.show())
		}
	}
	return 200, "0", all
}

func (k *fakeKey) show() map[string]any {
	return map[string]any{"label": k.Label, "apiKey": k.ID, "perm": strings.Join(k.Rights, ","), "ip": strings.Join(k.IPs, ","), "ts": fmt.Sprint(k.Milli())}
}

var classes = []*regexp.Regexp{regexp.MustCompile(`^.{8,32}$`), regexp.MustCompile(`[0-9]`), regexp.MustCompile(`[A-Z]`), regexp.MustCompile(`[a-z]`), regexp.MustCompile(`[!@#$%]`)}

func (f *fake) create(sub string, k *fakeKey) (status int, code string, data any) {
	k.Account = f.uid(sub)
	n := 0
	for _, other := range f.Keys {
		if other.Account == k.Account {
			n++
			if other.Label == k.Label {
				return 200, "59502", nil
			}
		}
	}
	switch {
	case k.Account == "":
		return 200, "59510", nil
	case n >= 50:
		return 200, "59501", nil
	case slices.ContainsFunc(classes, func(re *regexp.Regexp) bool { return !re.MatchString(k.Phrase) }):
		return 200, "59505", nil
	case len(k.IPs) > 20:
		return 200, "59503", nil
	}
	for _, right := range k.Rights {
		if right != "read_only" && right != "trade" {
			return 200, "59504", nil
		}
	}
	f.Issue(k)
	all := k.show()
	all["subAcct"], all["secretKey"], all["passphrase"] = sub, k.Secret, k.Phrase
	return 200, "0", []any{all}
}
