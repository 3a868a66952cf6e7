package vault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/rotate"
	"github.com/keywright/keywright/rotate/consumer"
	"github.com/keywright/keywright/rotate/consumer/consumertest"
	"github.com/keywright/keywright/secret"
)

const token = "marked-token"

// fake is a server with one secret of a KV engine, version 2, as documented.
type fake struct {
	namespace string
	readOnly  bool // the token has not the capability update
	first     bool // the engine is of version 1
	mu        sync.Mutex
	data      map[string]any // of the current version
	version   int
	deleted   bool
}

func say(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

type m map[string]any

func refuse(w http.ResponseWriter, status int, words ...string) {
	say(w, status, m{"errors": append([]string{}, words...)})
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	metadata := m{"version": f.version, "created_time": "2026-01-01T00:00:00Z", "deletion_time": "", "destroyed": false, "custom_metadata": nil}
	switch {
	case r.Header.Get("X-Vault-Token") != token || r.Header.Get("X-Vault-Namespace") != f.namespace:
		refuse(w, 403, "permission denied")
	case r.URL.EscapedPath() != "/v1/team%20a/kv/data/prod/bot":
		refuse(w, 404)
	case r.Method == http.MethodGet && f.first:
		say(w, 200, m{"data": f.data, "lease_duration": 2764800})
	case r.Method == http.MethodGet && f.deleted:
		metadata["deletion_time"] = "2026-02-01T00:00:00Z"
		say(w, 404, m{"data": m{"data": nil, "metadata": metadata}})
	case r.Method == http.MethodGet:
		say(w, 200, m{"request_id": "r", "lease_id": "", "data": m{"data": f.data, "metadata": metadata}})
	case f.readOnly:
		refuse(w, 403, "1 error occurred:\n\t* permission denied\n\n")
	default:
		f.write(w, r, metadata)
	}
}

func (f *fake) write(w http.ResponseWriter, r *http.Request, metadata m) {
	var body struct {
		Options struct{ CAS *int }
		Data    map[string]any
	}
	d := json.NewDecoder(r.Body)
	d.UseNumber()
	switch err := d.Decode(&body); {
	case r.Method != http.MethodPost && r.Method != http.MethodPut:
		refuse(w, 405, "unsupported operation")
	case err != nil || body.Data == nil:
		refuse(w, 400, "no data provided")
	case body.Options.CAS == nil:
		refuse(w, 400, "check-and-set parameter required for this call")
	case *body.Options.CAS != f.version:
		refuse(w, 400, "check-and-set parameter did not match the current version")
	default:
		f.version++
		f.data = body.Data
		metadata["version"] = f.version
		say(w, 200, m{"data": metadata})
	}
}

func (f *fake) world(t *testing.T, wire *consumertest.Wire) consumer.World {
	t.Helper()
	server := httptest.NewServer(providertest.Recorded(t, f))
	t.Cleanup(server.Close)
	return consumer.World{
		HTTP: &http.Client{Transport: wire},
		Auth: func(context.Context, string) (provider.Credential, error) {
			return provider.Credential{
				Parts:  map[string]secret.Value{"token": secret.New([]byte(token)), "accessor": secret.New([]byte("marked-accessor"))},
				Params: map[string]string{"url": server.URL, "namespace": f.namespace},
			}, nil
		},
	}
}

func secrets(pairs ...string) map[string]secret.Value {
	all := map[string]secret.Value{}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = secret.New([]byte(pairs[i+1]))
	}
	return all
}

const at = "vault:team a/kv/data/prod/bot,"

func opens(t *testing.T, w consumer.World, spec string) rotate.Consumer {
	t.Helper()
	c, err := w.Open(spec)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// others are values of a secret that are nobody's business, of each kind that JSON has.
func others() map[string]any {
	return map[string]any{"text": "a<b>&\u2028", "number": json.Number("1.50"), "yes": true, "none": nil, "list": []any{"x", json.Number("1")}, "map": map[string]any{"a": "b"}}
}

func TestConformance(t *testing.T) {
	for _, namespace := range []string{"", "team/a"} {
		t.Run("namespace "+namespace, func(t *testing.T) {
			consumertest.Run(t, []string{"id", "secret"}, func(t *testing.T, held map[string]string) consumertest.Place {
				f := &fake{namespace: namespace, version: 7, data: others()}
				f.data["bot id"], f.data["bot.secret"] = held["id"], held["secret"]
				names := map[string]string{"id": "bot id", "secret": "bot.secret"}
				wire := &consumertest.Wire{}
				return consumertest.Place{
					Consumer: opens(t, f.world(t, wire), at+"id=bot id,secret=bot.secret,auth=prod/VAULT"),
					Got: func(t *testing.T) map[string]string {
						f.mu.Lock()
						defer f.mu.Unlock()
						for name, want := range others() {
							if fmt.Sprint(f.data[name]) != fmt.Sprint(want) {
								t.Errorf("%s became %v", name, f.data[name])
							}
						}
						return map[string]string{"id": f.data["bot id"].(string), "secret": f.data["bot.secret"].(string)}
					},
					Put: func(_ *testing.T, part, value string) {
						f.mu.Lock()
						defer f.mu.Unlock()
						f.data[names[part]] = value
						f.version++
					},
					Stamp: func(*testing.T) string {
						f.mu.Lock()
						defer f.mu.Unlock()
						return strconv.Itoa(f.version)
					},
					Wire: wire, Guarded: true,
				}
			})
		})
	}
}

// Each trouble is said, and nothing is written.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name, field, value string
		set                func(*fake)
		kind               provider.Kind
		says               string
	}{
		{"deleted", "A", "new", func(f *fake) { f.deleted = true }, provider.Refused, "its current version is deleted"},
		{"absent", "B", "new", func(*fake) {}, provider.Refused, `no value "B"`},
		{"a number", "N", "new", func(*fake) {}, provider.Refused, "no text"},
		{"null", "Z", "new", func(*fake) {}, provider.Refused, "no text"},
		{"of version 1", "A", "new", func(f *fake) { f.first = true }, provider.Unreached, "not of a KV engine, version 2"},
		{"another namespace", "A", "new", func(f *fake) { f.namespace = "x" }, provider.Forbidden, "not permitted (403)"},
		{"read only", "A", "new", func(f *fake) { f.readOnly = true }, provider.Forbidden, "write a version"},
		{"no text", "A", "\xff", func(*fake) {}, provider.Incomplete, "no text"},
	} {
		f := &fake{version: 7, data: map[string]any{"A": "old", "N": 1, "Z": nil}}
		w := f.world(t, &consumertest.Wire{})
		was, _ := w.Auth(t.Context(), "") // before the namespace changes
		w.Auth = func(context.Context, string) (provider.Credential, error) { return was, nil }
		c.set(f)
		err := opens(t, w, at+"p="+c.field+",auth=prod/VAULT").Deliver(t.Context(), secrets("p", "old"), secrets("p", c.value))
		var e *provider.Error
		if !errors.As(err, &e) || e.Kind != c.kind || !strings.Contains(err.Error(), c.says) || f.version != 7 {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// A key that does not say where the server is, or has no token, is asked for that.
func TestAuth(t *testing.T) {
	for _, c := range []provider.Credential{
		{Parts: secrets("token", token)},
		{Parts: secrets("role_id", "a", "secret_id", "marked-b"), Params: map[string]string{"url": "https://127.0.0.1:1"}},
		{Parts: secrets("token", token), Params: map[string]string{"url": "http://vault.example.com"}},
	} {
		w := consumer.World{Auth: func(context.Context, string) (provider.Credential, error) { return c, nil }}
		_, err := opens(t, w, at+"p=A,auth=prod/VAULT").Holds(t.Context())
		var e *provider.Error
		if !errors.As(err, &e) || e.Kind != provider.Incomplete || strings.Contains(err.Error(), "marked") {
			t.Errorf("%v", err)
		}
	}
}
