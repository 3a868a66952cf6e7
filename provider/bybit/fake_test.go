package bybit_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider/providertest"
)

// marked is in every secret, and must be in no error.
const marked = providertest.Marked

// fake is one environment of Bybit, as it is documented: it checks signatures, times,
// addresses and rights. What it says in words repeats the request and the secret. Accounts
// are known by their UIDs. Rights are written as "Spot:SpotTrade", and "write" is that of a
// key that is not read-only.
type fake struct {
	*providertest.Ledger[*fakeKey]
	demo bool
	slow int // calls for which a new key is not known, and a deleted one is
}

type fakeKey struct {
	providertest.Key
	parent, rsa   string
	master        bool
	kind          int
	hidden, dying int
}

// serve starts an environment, with a master account 1000 of a sub-account 1001.
func serve(t *testing.T) *fake {
	f := &fake{}
	f.Ledger = providertest.NewLedger(t, f.answer,
		&fakeKey{parent: "0", master: true, kind: 1, Key: providertest.Key{ID: "master", Secret: marked + "m", Account: "1000", IPs: []string{"192.0.2.1"}, Rights: []string{"Wallet:AccountTransfer", "write"}}},
		&fakeKey{parent: "1000", kind: 1, Key: providertest.Key{ID: "old", Secret: marked + "o", Account: "1001", IPs: []string{"192.0.2.1", "192.0.2.0"}, Label: "bot", Created: time.Unix(1.7e9, 0),
			Rights: []string{"Spot:SpotTrade", "ContractTrade:Order", "ContractTrade:Position", "Derivatives:DerivativesTrade", "write"}}},
	)
	return f
}

func (f *fake) answer(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	code, result := f.do(r, body)
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
	as := f.Find(h.Get("X-BAPI-API-KEY"))
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
			f.Drop(as.ID)
		}
	}
	mac := hmac.New(sha256.New, []byte(as.Secret))
	fmt.Fprintf(mac, "%d%s%d%s", timestamp, as.ID, window, payload)
	switch {
	case h.Get("X-BAPI-SIGN") != fmt.Sprintf("%x", mac.Sum(nil)):
		return 10004, nil
	case !as.Expires.IsZero() && as.Expires.Before(time.Now()):
		return 33004, nil
	case len(as.IPs) > 0 && !slices.Contains(as.IPs, "*") && !slices.Contains(as.IPs, f.From):
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
	moves := as.May("write") && (as.May("Wallet:AccountTransfer") || as.May("Wallet:SubMemberTransfer") || as.May("Wallet:Withdraw"))
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
		if !slices.ContainsFunc(f.Keys, func(k *fakeKey) bool { return k.Account == fmt.Sprint(in.Sub) && k.parent == "1000" }) {
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
		k := &fakeKey{parent: "1000", kind: 1, hidden: f.slow, Key: providertest.Key{Label: in.Note, Account: fmt.Sprint(in.Sub), IPs: []string{"*"}, Rights: []string{"Derivatives:DerivativesTrade"}}}
		for group, rights := range in.Permissions {
			for _, right := range rights {
				k.Rights = append(k.Rights, group+":"+right)
			}
		}
		if *in.ReadOnly == 0 {
			k.Rights = append(k.Rights, "write")
		}
		if in.IPs != "" && in.IPs != "*" {
			k.IPs = strings.Split(in.IPs, ",")
		} else {
			k.Expires = time.Now().AddDate(0, 0, 90)
		}
		f.Issue(k)
		got := f.query(k)
		got["secret"] = k.Secret
		return 0, got
	case route == "POST /v5/user/delete-sub-api":
		k := as
		switch {
		case !moves || as.master != (in.Key != nil):
			return 10005, nil
		case as.master:
			if k = f.Find(*in.Key); k == nil || k.master || k.dying > 0 {
				return 4711, nil // what there is is not documented
			}
		}
		if f.slow > 0 {
			k.dying = f.slow
		} else {
			f.Drop(k.ID)
		}
		return 0, nil
	case route == "POST /v5/user/delete-api":
		if !as.master || !moves {
			return 10005, nil
		}
		f.Drop(as.ID)
		return 0, nil
	}
	return 10017, nil
}

func (f *fake) query(k *fakeKey) map[string]any {
	expires := time.Unix(0, 0)
	if !k.Expires.IsZero() {
		expires = k.Expires
	}
	readOnly := 1
	if k.May("write") {
		readOnly = 0
	}
	groups := map[string][]string{"Options": {}} // there are empty ones
	for _, right := range k.Rights {
		if group, name, grouped := strings.Cut(right, ":"); grouped {
			groups[group] = append(groups[group], name)
		}
	}
	user, _ := strconv.ParseInt(k.Account, 10, 64)
	return map[string]any{
		"id": "1", "note": k.Label, "apiKey": k.ID, "readOnly": readOnly, "secret": "", "permissions": groups, "ips": k.IPs, "type": k.kind,
		"deadlineDay": -2, "expiredAt": expires.UTC().Format(time.RFC3339), "createdAt": k.Created.UTC().Format(time.RFC3339), "uta": 1, "userID": user,
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
	for _, k := range f.Keys {
		if k.dying > 0 || k.Account != q.Get("subMemberId") || k.master {
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
		e["secret"], e["readOnly"], e["status"], e["flag"] = "******", !k.May("write"), 1, "hmac"
		for _, name := range []string{"userID", "isMaster", "parentUid", "rsaPublicKey"} {
			delete(e, name)
		}
		page = append(page, e)
	}
	return 0, map[string]any{"result": page, "nextPageCursor": cursor}
}
