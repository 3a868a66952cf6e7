package gh_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/nacl/box"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/rotate"
	"github.com/keywright/keywright/rotate/consumer"
	"github.com/keywright/keywright/rotate/consumer/consumertest"
	"github.com/keywright/keywright/secret"
)

const token = "marked-token"

// fake is GitHub's API of the secrets of one place, as documented.
type fake struct {
	path    string // of the secrets, escaped
	org     bool
	pub     *[32]byte
	priv    *[32]byte
	keyID   string
	scoped  bool        // the token may change secrets
	limit   http.Header // of answers to writes, as too many were made
	mu      sync.Mutex
	secrets map[string]*kept
	writes  int
}

type kept struct {
	value        string
	visibility   string
	repositories []int64
}

func newFake(t *testing.T, path string, held map[string]string) *fake {
	t.Helper()
	pub, priv, err := box.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{path: path, org: strings.HasPrefix(path, "/orgs/"), pub: pub, priv: priv, keyID: "568250167242549743", scoped: true, secrets: map[string]*kept{}}
	for name, v := range held {
		f.secrets[name] = &kept{value: v, visibility: "private"}
	}
	return f
}

func say(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	if v != nil {
		json.NewEncoder(w).Encode(v)
	}
}

type m map[string]any

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), f.path+"/")
	switch {
	case r.Header.Get("Authorization") != "Bearer "+token:
		say(w, 401, m{"message": "Bad credentials"})
	case r.Header.Get("X-GitHub-Api-Version") != "2022-11-28" || r.Header.Get("Accept") != "application/vnd.github+json" || r.Header.Get("User-Agent") == "":
		say(w, 400, m{"message": "headers"})
	case !ok:
		say(w, 404, m{"message": "Not Found"})
	case !f.scoped && r.Method != http.MethodGet:
		say(w, 403, m{"message": "Resource not accessible by personal access token"})
	case f.limit != nil && r.Method != http.MethodGet:
		maps.Copy(w.Header(), f.limit)
		say(w, 403, m{"message": "You have exceeded a secondary rate limit."})
	case rest == "public-key" && r.Method == http.MethodGet:
		say(w, 200, m{"key_id": f.keyID, "key": base64.StdEncoding.EncodeToString(f.pub[:])})
	case r.Method == http.MethodPut:
		f.put(w, r, rest)
	default:
		f.get(w, r, rest)
	}
}

func (f *fake) get(w http.ResponseWriter, r *http.Request, rest string) {
	name, sub, _ := strings.Cut(rest, "/")
	s := f.secrets[name]
	switch {
	case r.Method != http.MethodGet || s == nil || sub != "" && (sub != "repositories" || !f.org):
		say(w, 404, m{"message": "Not Found"})
	case sub != "" && s.visibility != "selected":
		say(w, 409, m{"message": "Visibility type not set to selected"})
	case sub != "":
		per, _ := strconv.Atoi(r.URL.Query().Get("per_page"))
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		list := []m{}
		for i, id := range s.repositories {
			if i/per == page-1 {
				list = append(list, m{"id": id, "name": fmt.Sprint("r", id)})
			}
		}
		say(w, 200, m{"total_count": len(s.repositories), "repositories": list})
	default:
		answer := m{"name": name, "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
		if f.org {
			answer["visibility"] = s.visibility
		}
		say(w, 200, answer)
	}
}

func (f *fake) put(w http.ResponseWriter, r *http.Request, name string) {
	var body struct {
		Value        string  `json:"encrypted_value"`
		KeyID        string  `json:"key_id"`
		Visibility   string  `json:"visibility"`
		Repositories []int64 `json:"selected_repository_ids"`
	}
	if json.NewDecoder(r.Body).Decode(&body) != nil || body.KeyID != f.keyID || f.org && body.Visibility == "" || !f.org && body.Visibility != "" {
		say(w, 422, m{"message": "Validation Failed"})
		return
	}
	sealed, err := base64.StdEncoding.DecodeString(body.Value)
	value, ok := box.OpenAnonymous(nil, sealed, f.pub, f.priv)
	if err != nil || !ok {
		say(w, 422, m{"message": "Bad request - improperly encrypted secret"})
		return
	}
	f.writes++
	status := 204
	if f.secrets[name] == nil {
		status = 201
	}
	f.secrets[name] = &kept{string(value), body.Visibility, body.Repositories}
	w.WriteHeader(status)
}

func (f *fake) world(t *testing.T, wire *consumertest.Wire) consumer.World {
	t.Helper()
	server := httptest.NewServer(providertest.Recorded(t, f))
	t.Cleanup(server.Close)
	return consumer.World{
		HTTP: &http.Client{Transport: wire},
		Auth: func(_ context.Context, key string) (provider.Credential, error) {
			if key != "prod/GITHUB" {
				return provider.Credential{}, errors.New("there is no such key")
			}
			return provider.Credential{Parts: map[string]secret.Value{"value": secret.New([]byte(token))}, Params: map[string]string{"url": server.URL}}, nil
		},
	}
}

func opens(t *testing.T, w consumer.World, spec string) rotate.Consumer {
	t.Helper()
	c, err := w.Open(spec)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func secrets(values map[string]string) map[string]secret.Value {
	all := map[string]secret.Value{}
	for n, v := range values {
		all[n] = secret.New([]byte(v))
	}
	return all
}

// places are the targets, and where GitHub has their secrets.
var places = map[string]string{
	"ada/bot":             "/repos/ada/bot/actions/secrets",
	"ada/bot.x/live/blue": "/repos/ada/bot.x/environments/live%2Fblue/secrets",
	"acme":                "/orgs/acme/actions/secrets",
}

func TestConformance(t *testing.T) {
	for target, path := range places {
		t.Run(target, func(t *testing.T) {
			consumertest.Run(t, []string{"id", "secret"}, func(t *testing.T, held map[string]string) consumertest.Place {
				f := newFake(t, path, map[string]string{"BOT_ID": held["id"], "BOT_SECRET": held["secret"]})
				wire := &consumertest.Wire{}
				return consumertest.Place{
					Consumer: opens(t, f.world(t, wire), "gh:"+target+",id=BOT_ID,secret=BOT_SECRET,auth=prod/GITHUB"),
					Got: func(*testing.T) map[string]string {
						f.mu.Lock()
						defer f.mu.Unlock()
						return map[string]string{"id": f.secrets["BOT_ID"].value, "secret": f.secrets["BOT_SECRET"].value}
					},
					Stamp: func(*testing.T) string {
						f.mu.Lock()
						defer f.mu.Unlock()
						return fmt.Sprint(f.writes)
					},
					Wire: wire, Apart: true,
				}
			})
		})
	}
}

// Who sees a secret of an organisation stays as it is, however many they are.
func TestOrganisationKeepsVisibility(t *testing.T) {
	var many []int64
	for i := range int64(201) {
		many = append(many, 1000+i)
	}
	for _, want := range []kept{{visibility: "all"}, {visibility: "private"}, {visibility: "selected"}, {visibility: "selected", repositories: many}} {
		f := newFake(t, places["acme"], map[string]string{"A": "old"})
		f.secrets["A"].visibility, f.secrets["A"].repositories = want.visibility, want.repositories
		c := opens(t, f.world(t, &consumertest.Wire{}), "gh:acme,p=A,auth=prod/GITHUB")
		if err := c.Deliver(t.Context(), secrets(map[string]string{"p": "old"}), secrets(map[string]string{"p": "new"})); err != nil {
			t.Fatal(err)
		}
		if got := f.secrets["A"]; got.value != "new" || got.visibility != want.visibility || !slices.Equal(got.repositories, want.repositories) {
			t.Errorf("%s with %d repositories became %s with %d", want.visibility, len(want.repositories), got.visibility, len(got.repositories))
		}
	}
}

// What is not there is said beforehand, and is not made.
func TestAbsent(t *testing.T) {
	f := newFake(t, places["ada/bot"], map[string]string{"A": "old"})
	w := f.world(t, &consumertest.Wire{})
	for _, spec := range []string{"gh:ada/bot,p=B,auth=prod/GITHUB", "gh:ada/other,p=A,auth=prod/GITHUB", "gh:ada/bot,p=A,q=B,auth=prod/GITHUB"} {
		c := opens(t, w, spec)
		_, held := c.Holds(t.Context())
		delivered := c.Deliver(t.Context(), secrets(map[string]string{"p": "old", "q": "old"}), secrets(map[string]string{"p": "new", "q": "new"}))
		for _, err := range []error{held, delivered} {
			var e *provider.Error
			if !errors.As(err, &e) || e.Code != "404" || e.Hint == "" || errors.Is(err, rotate.ErrUnreadable) {
				t.Errorf("%s: %v", spec, err)
			}
		}
	}
	if f.writes != 0 {
		t.Errorf("%d writes", f.writes)
	}
}

// A token that may look and not change is refused, and so are values that GitHub would not
// keep as they are, before anything is written.
func TestRefused(t *testing.T) {
	f := newFake(t, places["ada/bot"], map[string]string{"A": "old", "B": "old"})
	c := opens(t, f.world(t, &consumertest.Wire{}), "gh:ada/bot,p=A,q=B,auth=prod/GITHUB")
	for _, value := range []string{"\xff", strings.Repeat("x", 48<<10+1)} {
		var e *provider.Error
		err := c.Deliver(t.Context(), secrets(map[string]string{"p": "old", "q": "old"}), secrets(map[string]string{"p": "new", "q": value}))
		if !errors.As(err, &e) || e.Kind != provider.Incomplete || f.writes != 0 {
			t.Errorf("%d bytes: %v, %d writes", len(value), err, f.writes)
		}
	}
	f.scoped = false
	var e *provider.Error
	err := c.Deliver(t.Context(), secrets(map[string]string{"p": "old", "q": "old"}), secrets(map[string]string{"p": "new", "q": "new"}))
	if !errors.As(err, &e) || e.Kind != provider.Forbidden || f.writes != 0 {
		t.Errorf("a token that may only look: %v", err)
	}
}

// GitHub says with a 403, too, that it was asked too often.
func TestRateLimit(t *testing.T) {
	for _, limit := range []http.Header{{"Retry-After": {"60"}}, {"X-Ratelimit-Remaining": {"0"}}} {
		f := newFake(t, places["ada/bot"], map[string]string{"A": "old"})
		f.limit = limit
		c := opens(t, f.world(t, &consumertest.Wire{}), "gh:ada/bot,p=A,auth=prod/GITHUB")
		var e *provider.Error
		err := c.Deliver(t.Context(), secrets(map[string]string{"p": "old"}), secrets(map[string]string{"p": "new"}))
		if !errors.As(err, &e) || e.Kind != provider.Busy || f.writes != 0 {
			t.Errorf("%v: %v", limit, err)
		}
	}
}

// The token that a spec names is the one that is used, and nothing else is.
func TestAuth(t *testing.T) {
	f := newFake(t, places["ada/bot"], map[string]string{"A": "old"})
	w := f.world(t, &consumertest.Wire{})
	if _, err := opens(t, w, "gh:ada/bot,p=A,auth=prod/OTHER").Holds(t.Context()); err == nil || !strings.Contains(err.Error(), "prod/OTHER: there is no such key") {
		t.Error(err)
	}
	w.Auth = func(context.Context, string) (provider.Credential, error) {
		return provider.Credential{Parts: secrets(map[string]string{"id": "marked-id", "secret": "marked-secret"})}, nil
	}
	var e *provider.Error
	if _, err := opens(t, w, "gh:ada/bot,p=A,auth=prod/GITHUB").Holds(t.Context()); !errors.As(err, &e) || e.Kind != provider.Incomplete || strings.Contains(err.Error(), "marked") {
		t.Errorf("a key without a token: %v", err)
	}
	w.Auth = nil
	if _, err := opens(t, w, "gh:ada/bot,p=A,auth=prod/GITHUB").Holds(t.Context()); err == nil {
		t.Error("without a key")
	}
}
