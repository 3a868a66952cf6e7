package deribit_test

import (
	"crypto/hmac"
	"crypto/sha256"
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

// fake is one world of Deribit with one account, as it is documented: it checks signatures,
// times, nonces and scopes. What it says in words repeats the request and the secret.
type fake struct {
	mu     sync.Mutex
	keys   []*fakeKey
	calls  []string // methods, in order
	nonces map[string]bool
	made   int
	ahead  time.Duration // of its clock
	tfa    bool          // it asks for a code to manage keys
	loose  bool          // it forgets the addresses that a key is to be bound to
	// answer may answer in place of the fake. What it was asked may have been done.
	answer func(w http.ResponseWriter, method string, done func()) bool
}

type fakeKey struct {
	number                  int64
	id, secret, name, scope string
	disabled                bool
	ips, features           []string
	public                  string
	ts                      int64
}

// serve starts a world.
func serve(t *testing.T) (*fake, string) {
	f := &fake{nonces: map[string]bool{}, keys: []*fakeKey{
		{number: 1, id: "admin", secret: marked + "a", name: "admin", scope: "account:read_write trade:read_write wallet:read block_trade:read"},
		{number: 2, id: "old", secret: marked + "o", name: "bot", scope: "account:read trade:read_write wallet:none", ips: []string{"192.0.2.1", "192.0.2.0"}, ts: 1700000000123},
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

func (f *fake) called(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, c := range f.calls {
		if c == method {
			n++
		}
	}
	return n
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	method := strings.TrimPrefix(r.URL.Path, "/api/v2/")
	f.calls = append(f.calls, method)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	w.Header().Set("Date", time.Now().Add(f.ahead).UTC().Format(http.TimeFormat))
	ran, code, result := false, 0, any(nil)
	done := func() { ran = true; code, result = f.do(r, method, body) }
	if f.answer != nil && f.answer(w, method, done) {
		return
	}
	if !ran {
		done()
	}
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
	as = f.find(id)
	ms, err := strconv.ParseInt(timestamp, 10, 64)
	switch {
	case as == nil || as.disabled:
		return nil, 13004
	case err != nil || time.Since(time.UnixMilli(ms).Add(-f.ahead)).Abs() > time.Minute || nonce == "" || f.nonces[nonce]:
		return nil, 13009
	}
	f.nonces[nonce] = true
	h := hmac.New(sha256.New, []byte(as.secret))
	h.Write([]byte(timestamp + "\n" + nonce + "\n" + data))
	if sig != fmt.Sprintf("%x", h.Sum(nil)) {
		return nil, 13009
	}
	return as, 0
}

var credentials = regexp.MustCompile(`^deri-hmac-sha256 id=([^,]*),ts=([^,]*),nonce=([^,]*),sig=([^,]*)$`)

func may(k *fakeKey, scope string) bool {
	group, _, _ := strings.Cut(scope, ":")
	all := strings.Fields(k.scope)
	return slices.Contains(all, scope) || slices.Contains(all, group+":read_write")
}

// exceeds reports whether a scope holds more than a key may.
func exceeds(k *fakeKey, scope string) bool {
	return slices.ContainsFunc(strings.Fields(scope), func(s string) bool { return !strings.HasSuffix(s, ":none") && !may(k, s) })
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
		return 0, map[string]any{"access_token": marked, "refresh_token": marked, "expires_in": 900, "token_type": "bearer", "scope": as.scope + " connection mainaccount"}
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
		for _, k := range f.keys {
			all = append(all, k.show())
		}
		return 0, all
	}
	if method == "private/create_api_key" {
		if exceeds(as, p.Scope) {
			return 13403, nil
		}
		if !regexp.MustCompile(`^[A-Za-z0-9_]{0,16}$`).MatchString(p.Name) {
			return 13016, nil
		}
		f.made++
		k := &fakeKey{number: int64(100 + f.made), id: fmt.Sprintf("new%d", f.made), secret: fmt.Sprintf("%sn%d", marked, f.made), name: p.Name, scope: p.Scope, features: p.Features, ts: time.Now().UnixMilli()}
		f.keys = append(f.keys, k)
		return 0, k.show()
	}
	return f.change(as, method, p.ID, p.Name, p.Scope, p.Features, p.IPs)
}

func (f *fake) change(as *fakeKey, method string, number int64, name, scope string, features, ips []string) (code int, result any) {
	i := slices.IndexFunc(f.keys, func(k *fakeKey) bool { return k.number == number })
	if i < 0 {
		return 13016, nil // what there is is not documented
	}
	k := f.keys[i]
	if exceeds(as, k.scope) {
		return 13403, nil
	}
	switch method {
	case "private/edit_api_key":
		k.name, k.scope, k.features, k.ips = name, scope, features, ips
		if f.loose {
			k.ips = nil
		}
	case "private/enable_api_key", "private/disable_api_key":
		off := method == "private/disable_api_key"
		if k.disabled == off {
			return 13016, nil // nor is that
		}
		k.disabled = off
	case "private/remove_api_key":
		f.drop(k.id)
		return 0, "ok"
	default:
		return -32601, nil
	}
	return 0, k.show()
}

func (k *fakeKey) show() map[string]any {
	return map[string]any{
		"id": k.number, "client_id": k.id, "client_secret": k.secret, "name": k.name, "max_scope": k.scope, "enabled": !k.disabled,
		"default": false, "timestamp": k.ts, "enabled_features": k.features, "ip_whitelist": k.ips, "public_key": k.public,
	}
}

// credential is a key of a world, as keywright holds it.
func (f *fake) credential(url, id string) provider.Credential {
	k := f.find(id)
	return provider.Credential{
		ID: id, Params: map[string]string{"host": url},
		Parts: map[string]secret.Value{"id": secret.New([]byte(id)), "secret": secret.New([]byte(k.secret))},
	}
}
