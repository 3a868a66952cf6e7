package deribit_test

import (
	"crypto/hmac"
	"crypto/sha256"
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

// fake is one world of Deribit with one account, as it is documented: it checks signatures,
// times, nonces and scopes. What it says in words repeats the request and the secret. Rights
// are the scopes of a key, also those that say that there are none.
type fake struct {
	*providertest.Ledger[*fakeKey]
	nonces  map[string]bool
	numbers int64 // by which keys are changed
	tfa     bool  // it asks for a code to manage keys
	loose   bool  // it forgets the addresses that a key is to be bound to
}

type fakeKey struct {
	providertest.Key
	number   int64
	features []string
	public   string
}

// serve starts a world.
func serve(t *testing.T) *fake {
	f := &fake{nonces: map[string]bool{}, numbers: 100}
	f.Ledger = providertest.NewLedger(t, f.answer,
		&fakeKey{number: 1, Key: providertest.Key{ID: "admin", Secret: marked + "a", Label: "admin", Rights: []string{"account:read_write", "trade:read_write", "wallet:read", "block_trade:read"}}},
		&fakeKey{number: 2, Key: providertest.Key{ID: "old", Secret: marked + "o", Label: "bot", Rights: []string{"account:read", "trade:read_write", "wallet:none"}, IPs: []string{"192.0.2.1", "192.0.2.0"}, Created: time.UnixMilli(1700000000123)}},
	)
	return f
}

func (f *fake) answer(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	code, result := f.do(r, strings.TrimPrefix(r.URL.Path, "/api/v2/"), body)
	w.Header().Set("Content-Type", "application/json")
	answer := map[string]any{"jsonrpc": "2.0", "id": 1, "usIn": 1, "usOut": 2, "usDiff": 1}
	if code != 0 {
		w.WriteHeader(http.StatusBadRequest)
		answer["error"] = map[string]any{"code": code, "message": fmt.Sprintf("%s %s %s", marked, body, r.Header), "data": map[string]any{"reason": marked}}
	} else {
		answer["result"] = result
	}
	json.NewEncoder(w).Encode(answer)
}

// admit checks a signature. The documentation says of 13009 that it is for bad ones.
func (f *fake) admit(id, timestamp, nonce, sig, data string) (as *fakeKey, code int) {
	as = f.Find(id)
	ms, err := strconv.ParseInt(timestamp, 10, 64)
	switch {
	case as == nil || as.Disabled:
		return nil, 13004
	case err != nil || time.Since(time.UnixMilli(ms)).Abs() > time.Minute || nonce == "" || f.nonces[nonce]:
		return nil, 13009
	}
	f.nonces[nonce] = true
	h := hmac.New(sha256.New, []byte(as.Secret))
	h.Write([]byte(timestamp + "\n" + nonce + "\n" + data))
	if sig != fmt.Sprintf("%x", h.Sum(nil)) {
		return nil, 13009
	}
	return as, 0
}

var credentials = regexp.MustCompile(`^deri-hmac-sha256 id=([^,]*),ts=([^,]*),nonce=([^,]*),sig=([^,]*)$`)

func may(k *fakeKey, scope string) bool {
	group, _, _ := strings.Cut(scope, ":")
	return k.May(scope) || k.May(group+":read_write")
}

// exceeds reports whether scopes hold more than a key may.
func exceeds(k *fakeKey, scopes []string) bool {
	return slices.ContainsFunc(scopes, func(s string) bool { return !strings.HasSuffix(s, ":none") && !may(k, s) })
}

// do does what a request asks for.
func (f *fake) do(r *http.Request, method string, body []byte) (code int, result any) {
	var in struct {
		Method string `json:"method"`
		Params struct {
			Grant     string      `json:"grant_type"`
			Client    string      `json:"client_id"`
			Timestamp json.Number `json:"timestamp"`
			Nonce     string      `json:"nonce"`
			Signature string      `json:"signature"`

			ID       int64    `json:"id"`
			Name     string   `json:"name"`
			Scope    string   `json:"max_scope"`
			Features []string `json:"enabled_features"`
			IPs      []string `json:"ip_whitelist"`
		} `json:"params"`
	}
	if json.Unmarshal(body, &in) != nil || in.Method != method || r.Header.Get("Content-Type") != "application/json" {
		return 11050, nil
	}
	p := in.Params
	if method == "public/auth" {
		as, code := f.admit(p.Client, p.Timestamp.String(), p.Nonce, p.Signature, "")
		switch {
		case p.Grant != "client_signature":
			return -32602, nil
		case code != 0:
			return code, nil
		}
		return 0, map[string]any{"access_token": marked, "refresh_token": marked, "expires_in": 900, "token_type": "bearer", "scope": strings.Join(as.Rights, " ") + " connection mainaccount"}
	}
	m := credentials.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil {
		return 10000, nil
	}
	as, code := f.admit(m[1], m[2], m[3], m[4], r.Method+"\n"+r.URL.RequestURI()+"\n"+string(body)+"\n")
	if code != 0 {
		return code, nil
	}
	if need := map[bool]string{true: "account:read", false: "account:read_write"}[method == "private/list_api_keys"]; !may(as, need) {
		return 13021, nil
	}
	if f.tfa {
		return 0, map[string]any{"security_key_authorization_required": true, "challenge": marked, "rp_id": "test", "security_keys": []any{map[string]any{"type": "tfa"}}}
	}
	if method == "private/list_api_keys" {
		all := []any{}
		for _, k := range f.Keys {
			all = append(all, k.show())
		}
		return 0, all
	}
	if method == "private/create_api_key" {
		if exceeds(as, strings.Fields(p.Scope)) {
			return 13403, nil
		}
		if !regexp.MustCompile(`^[A-Za-z0-9_]{0,16}$`).MatchString(p.Name) {
			return 13016, nil
		}
		f.numbers++
		k := &fakeKey{number: f.numbers, features: p.Features, Key: providertest.Key{Label: p.Name, Rights: strings.Fields(p.Scope)}}
		f.Issue(k)
		return 0, k.show()
	}
	return f.change(as, method, p.ID, p.Name, strings.Fields(p.Scope), p.Features, p.IPs)
}

func (f *fake) change(as *fakeKey, method string, number int64, name string, scopes, features, ips []string) (code int, result any) {
	i := slices.IndexFunc(f.Keys, func(k *fakeKey) bool { return k.number == number })
	if i < 0 {
		return 13016, nil // what there is is not documented
	}
	k := f.Keys[i]
	if exceeds(as, k.Rights) {
		return 13403, nil
	}
	switch method {
	case "private/edit_api_key":
		k.Label, k.Rights, k.features, k.IPs = name, scopes, features, ips
		if f.loose {
			k.IPs = nil
		}
	case "private/enable_api_key", "private/disable_api_key":
		off := method == "private/disable_api_key"
		if k.Disabled == off {
			return 13016, nil // nor is that
		}
		k.Disabled = off
	case "private/remove_api_key":
		f.Drop(k.ID)
		return 0, "ok"
	default:
		return -32601, nil
	}
	return 0, k.show()
}

func (k *fakeKey) show() map[string]any {
	return map[string]any{
		"id": k.number, "client_id": k.ID, "client_secret": k.Secret, "name": k.Label, "max_scope": strings.Join(k.Rights, " "), "enabled": !k.Disabled,
		"default": false, "timestamp": k.Milli(), "enabled_features": k.features, "ip_whitelist": k.IPs, "public_key": k.public,
	}
}
