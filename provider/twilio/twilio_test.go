package twilio_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/provider/twilio"
	"github.com/keywright/keywright/secret"
)

var (
	_ provider.Verifier = (*twilio.Provider)(nil)
	_ provider.Lister   = (*twilio.Provider)(nil)
	_ provider.Planner  = (*twilio.Provider)(nil)
	_ provider.Issuer   = (*twilio.Provider)(nil)
	_ provider.Revoker  = (*twilio.Provider)(nil)
)

// SIDs have 34 characters.
var of = "AC" + strings.Repeat("0", 32)

func sk(n int) string { return fmt.Sprintf("SK%032x", n) }

var admins, olds = sk(0xAD), sk(0x01D)

// fake is Twilio with one account.
type fake struct {
	*providertest.HTTP
	keys []*fakeKey
	made int
	page int // keys on a page, if that is less than asked for
}

type fakeKey struct {
	sid, name, secret string
	main              bool
	policy            any
}

func serve(t *testing.T) *fake {
	f := &fake{page: 1000, keys: []*fakeKey{
		{sid: admins, name: "admin", secret: providertest.Marked + "-admin", main: true},
		{sid: olds, name: "app", secret: providertest.Marked + "-old"},
	}}
	f.HTTP = providertest.Serve(t, f.serve)
	return f
}

func open(url string) *twilio.Provider {
	p := twilio.New(nil)
	p.API, p.IAM = url, url
	return p
}

func (f *fake) find(sid string) *fakeKey {
	for _, k := range f.keys {
		if k.sid == sid {
			return k
		}
	}
	return nil
}

func (f *fake) credential(sid string) provider.Credential {
	return provider.Credential{ID: sid, Params: map[string]string{"account": of},
		Parts: map[string]secret.Value{"sid": secret.New([]byte(sid)), "secret": secret.New([]byte(f.find(sid).secret))}}
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	fail := func(status, code int, words string) {
		answer(w, status, map[string]any{"status": status, "code": code, "message": words, "more_info": providertest.Marked})
	}
	name, password, _ := r.BasicAuth()
	as := f.find(name)
	sid, one := strings.CutPrefix(r.URL.Path, "/v1/Keys/")
	k := f.find(sid)
	switch {
	case as == nil || as.secret != password:
		fail(401, 20003, "Authenticate")
	case r.URL.Path == "/2010-04-01/Accounts/"+of+"/Queues.json":
		answer(w, 200, map[string]any{"queues": []any{}, "page": 0})
	case !strings.HasPrefix(r.URL.Path, "/v1/Keys"):
		fail(404, 20404, "The requested resource was not found")
	case !as.main:
		fail(401, 20003, "Permission Denied")
	case r.Method == http.MethodPost:
		if r.FormValue("AccountSid") != of || r.FormValue("KeyType") != "" || len(r.FormValue("FriendlyName")) > 64 {
			fail(400, 20001, "Invalid parameter")
			return
		}
		f.made++
		k := &fakeKey{sid: sk(0x1000 + f.made), name: r.FormValue("FriendlyName"), secret: fmt.Sprint(providertest.Marked, "-new", f.made)}
		f.keys = append(f.keys, k)
		answer(w, 201, map[string]any{"sid": k.sid, "friendly_name": k.name, "secret": k.secret, "policy": nil, "date_created": time.Now().UTC().Format(time.RFC1123Z)})
	case !one:
		f.list(w, r)
	case k == nil:
		fail(404, 20404, "The requested resource was not found")
	case r.Method == http.MethodDelete:
		f.keys = slices.DeleteFunc(f.keys, func(other *fakeKey) bool { return other == k })
		w.WriteHeader(204)
	default:
		answer(w, 200, map[string]any{"sid": k.sid, "friendly_name": k.name, "policy": k.policy})
	}
}

func (f *fake) list(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.FormValue("Page"))
	size, _ := strconv.Atoi(r.FormValue("PageSize"))
	size = min(size, f.page)
	from := min(n*size, len(f.keys))
	all := []any{}
	for _, k := range f.keys[from:min(from+size, len(f.keys))] {
		all = append(all, map[string]any{"sid": k.sid, "friendly_name": k.name, "date_created": "Mon, 13 Jun 2016 22:50:08 +0000"})
	}
	meta := map[string]any{"next_page_url": nil}
	if from+size < len(f.keys) {
		meta["next_page_url"] = fmt.Sprintf("https://elsewhere.example/v1/Keys?AccountSid=%s&PageSize=%d&Page=%d", of, size, n+1)
	}
	answer(w, 200, map[string]any{"keys": all, "meta": meta})
}

func TestConformance(t *testing.T) {
	f := serve(t)
	providertest.Provider(t, providertest.Subject{
		Provider: open(f.URL),
		Admin:    f.credential(admins),
		New: func(t *testing.T) provider.Credential {
			f.Lock()
			defer f.Unlock()
			f.made++
			k := &fakeKey{sid: sk(0x2000 + f.made), secret: fmt.Sprint(providertest.Marked, "-test", f.made)}
			f.keys = append(f.keys, k)
			return f.credential(k.sid)
		},
		Accepts: func(t *testing.T, c provider.Credential) bool {
			f.Lock()
			defer f.Unlock()
			k := f.find(string(c.Part("sid").Reveal()))
			return k != nil && k.secret == string(c.Part("secret").Reveal())
		},
		DeadCode: "401 20003",
		ByID:     true,
		Addr:     f.Addr(),
		At: func(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
			return open("http://" + addr), c
		},
	})
}

func TestVerify(t *testing.T) {
	f := serve(t)
	old := f.credential(olds)
	got, err := open(f.URL).Verify(t.Context(), old)
	want := provider.Probe{State: provider.Alive, Code: "200", Who: provider.Identity{ID: olds, Account: of}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	providertest.Replies(t, f.HTTP, open(f.URL), old, "GET /2010-04-01/", []providertest.Reply{
		{Status: 401, Body: `{"code":20003,"message":"Authenticate","more_info":"","status":401}`, State: provider.Dead, Code: "401 20003"},
		{Status: 401, Body: `{"code":20003,"message":"Authentication Error - invalid username"}`, State: provider.Dead, Code: "401 20003"},
		{Status: 401, Body: `{"code":20003,"message":"Permission Denied"}`, State: provider.Unknown, Code: "401 20003"},
		{Status: 403, Body: `{"code":20003,"message":"Authenticate"}`, State: provider.Unknown, Code: "403 20003"},
		{Status: 403, Body: `{"code":70051,"message":"Authorization Failed"}`, State: provider.Unknown, Code: "403 70051"},
		{Status: 401, Body: `<html>`, State: provider.Unknown, Code: "401"},
		{Status: 404, Body: `{"code":20404}`, State: provider.Unknown, Code: "404 20404"},
		{Status: 429, Body: `{"code":20429}`, State: provider.Throttled, Code: "429"},
		{Status: 200, Body: `{}`}, {Status: 200, Body: `<html>`}, {Status: 500}, {Status: 307},
	})
	for _, bad := range []string{"", "SK1", "AC1/../x", "AC1?x"} {
		old.Params = map[string]string{"account": bad}
		_, err := open(f.URL).Verify(t.Context(), old)
		providertest.Quiet(t, err, provider.Incomplete)
	}
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(f *fake, admin, old *provider.Credential)
		kind   provider.Kind
		says   string
	}{
		{"may", func(*fake, *provider.Credential, *provider.Credential) {}, "", ""},
		{"by its id", func(_ *fake, _, old *provider.Credential) { old.Parts = nil }, "", ""},
		{"may nothing", func(f *fake, a, old *provider.Credential) { *a = *old }, provider.Forbidden, ""},
		{"restricted", func(f *fake, _, _ *provider.Credential) {
			f.find(olds).policy = map[string]any{"allow": []string{"/twilio/messaging/messages/read"}}
		}, provider.Refused, "restricted"},
		{"a main key", func(f *fake, _, _ *provider.Credential) { f.find(olds).main = true }, provider.Refused, "main key"},
		{"of another account", func(f *fake, _, old *provider.Credential) {
			old.ID, old.Parts = sk(0x99), nil
		}, provider.Refused, "404"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := serve(t)
			admin, old := f.credential(admins), f.credential(olds)
			c.change(f, &admin, &old)
			_, err := open(f.URL).Plan(t.Context(), admin, old)
			if c.kind != "" {
				if e := providertest.Quiet(t, err, c.kind); !strings.Contains(e.Error(), c.says) {
					t.Errorf("%q does not say %q", e, c.says)
				}
			} else if err != nil {
				t.Fatal(err)
			}
			if n := f.Changes(); n != 0 {
				t.Errorf("%d changes", n)
			}
		})
	}
}

// A restricted key gets no successor that may do everything.
func TestParity(t *testing.T) {
	f := serve(t)
	p := open(f.URL)
	next, err := p.Issue(t.Context(), f.credential(admins), f.credential(olds), providertest.Lineage)
	if err != nil || f.find(next.ID).name != providertest.Lineage.String() {
		t.Errorf("%v", err)
	}
	f.find(olds).policy = map[string]any{"allow": []string{}}
	_, err = p.Issue(t.Context(), f.credential(admins), f.credential(olds), providertest.Lineage)
	providertest.Quiet(t, err, provider.Refused)
	if n := f.Count("POST"); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// The addresses of further pages are not followed to where they point.
func TestPages(t *testing.T) {
	f := serve(t)
	f.page = 3
	for n := range 9 {
		f.keys = append(f.keys, &fakeKey{sid: sk(n)})
	}
	all, err := open(f.URL).List(t.Context(), f.credential(admins), f.credential(olds))
	if err != nil || len(all) != 11 || all[10].Created.Year() != 2016 {
		t.Errorf("%d keys, %v", len(all), err)
	}
}

func TestRevokeElsewhere(t *testing.T) {
	f := serve(t)
	p, old, admin := open(f.URL), f.credential(olds), f.credential(admins)
	providertest.Quiet(t, p.Revoke(t.Context(), admin, old, old), provider.Refused)
	providertest.Quiet(t, p.Revoke(t.Context(), admin, provider.Credential{ID: of, Params: old.Params}, provider.Credential{}), provider.Incomplete)
	f.Answer = func(w http.ResponseWriter, r *http.Request, _ func()) bool { // the key is of another account
		if r.Method == http.MethodDelete {
			answer(w, 404, map[string]any{"code": 20404})
		}
		return r.Method == http.MethodDelete
	}
	providertest.Quiet(t, p.Revoke(t.Context(), admin, old, provider.Credential{}), provider.Refused)
}
