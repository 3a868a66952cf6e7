package gitlab_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/rotate"
	"github.com/keywright/keywright/rotate/consumer"
	"github.com/keywright/keywright/rotate/consumer/consumertest"
	"github.com/keywright/keywright/secret"
)

const token = "marked-token"

// fake is GitLab's API of the variables of one project or group, as documented.
type fake struct {
	path      string // of the variables, escaped
	readOnly  bool   // the token may not change them
	unscoped  bool   // an edition that does not look at the scope
	mu        sync.Mutex
	variables []*kept
	writes    int
}

type kept struct {
	Type      string  `json:"variable_type"`
	Key       string  `json:"key"`
	Value     *string `json:"value"`
	Protected bool    `json:"protected"`
	Masked    bool    `json:"masked"`
	Hidden    bool    `json:"hidden"`
	Raw       bool    `json:"raw"`
	Scope     string  `json:"environment_scope"`
}

func plain(key, value string) *kept {
	return &kept{Type: "env_var", Key: key, Value: &value, Raw: true, Scope: "*"}
}

func say(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

type m map[string]any

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name, ok := strings.CutPrefix(r.URL.EscapedPath(), f.path)
	var found []*kept
	scope := r.URL.Query().Get("filter[environment_scope]")
	for _, v := range f.variables {
		if v.Key == name && (scope == "" || f.unscoped || v.Scope == scope) {
			found = append(found, v)
		}
	}
	switch {
	case r.Header.Get("PRIVATE-TOKEN") != token:
		say(w, 401, m{"message": "401 Unauthorized"})
	case !ok:
		say(w, 404, m{"message": "404 Project Not Found"})
	case f.readOnly && r.Method != http.MethodGet:
		say(w, 403, m{"error": "insufficient_scope", "error_description": "The request requires higher privileges than provided by the access token.", "scope": "api"})
	case len(found) == 0:
		say(w, 404, m{"message": "404 Variable Not Found"})
	case len(found) > 1:
		say(w, 409, m{"message": "There are multiple variables with provided parameters. Please use 'filter[environment_scope]'"})
	case r.Method == http.MethodPut:
		f.put(w, r, found[0])
	default:
		show(w, *found[0])
	}
}

func show(w http.ResponseWriter, v kept) {
	if v.Hidden {
		v.Value = nil
	}
	say(w, 200, v)
}

// put changes what is sent, and nothing else.
func (f *fake) put(w http.ResponseWriter, r *http.Request, v *kept) {
	var body struct {
		Value             *string
		Protected, Masked *bool
	}
	if json.NewDecoder(r.Body).Decode(&body) != nil || body.Value == nil || body.Protected != nil || body.Masked != nil {
		say(w, 400, m{"error": "value is missing"})
		return
	}
	if v.Masked && (len(*body.Value) < 8 || strings.ContainsFunc(*body.Value, unicode.IsSpace)) {
		say(w, 400, m{"message": m{"value": []string{"is invalid"}}})
		return
	}
	f.writes++
	v.Value = body.Value
	show(w, *v)
}

func (f *fake) find(key string) *kept {
	for _, v := range f.variables {
		if v.Key == key {
			return v
		}
	}
	return nil
}

func (f *fake) world(t *testing.T, wire *consumertest.Wire) consumer.World {
	t.Helper()
	server := httptest.NewServer(providertest.Recorded(t, f))
	t.Cleanup(server.Close)
	return consumer.World{
		HTTP: &http.Client{Transport: wire},
		Auth: func(context.Context, string) (provider.Credential, error) {
			return provider.Credential{Parts: secrets("token", token), Params: map[string]string{"url": server.URL + "/"}}, nil
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

// secrets are pairs of part and value.
func secrets(pairs ...string) map[string]secret.Value {
	all := map[string]secret.Value{}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = secret.New([]byte(pairs[i+1]))
	}
	return all
}

const variables = "/api/v4/projects/ada%2Fbots%2Fbot.x/variables/"

func TestConformance(t *testing.T) {
	for target, path := range map[string]string{"projects/ada/bots/bot.x": variables, "groups/42": "/api/v4/groups/42/variables/"} {
		for _, hidden := range []int{0, 1, 2} {
			t.Run(fmt.Sprintf("%s, %d hidden", target, hidden), func(t *testing.T) {
				consumertest.Run(t, []string{"id", "secret"}, func(t *testing.T, held map[string]string) consumertest.Place {
					f := &fake{path: path, variables: []*kept{plain("BOT_ID", held["id"]), plain("BOT_SECRET", held["secret"])}}
					for _, v := range f.variables[:hidden] {
						v.Hidden = true
					}
					names := map[string]string{"id": "BOT_ID", "secret": "BOT_SECRET"}
					wire := &consumertest.Wire{}
					return consumertest.Place{
						Consumer: opens(t, f.world(t, wire), "gitlab:"+target+",id=BOT_ID,secret=BOT_SECRET,auth=prod/GITLAB"),
						Got: func(*testing.T) map[string]string {
							f.mu.Lock()
							defer f.mu.Unlock()
							return map[string]string{"id": *f.find("BOT_ID").Value, "secret": *f.find("BOT_SECRET").Value}
						},
						Put: func(_ *testing.T, part, value string) {
							f.mu.Lock()
							defer f.mu.Unlock()
							f.find(names[part]).Value = &value
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
}

// All but the value stays as it is.
func TestKeepsFlags(t *testing.T) {
	old := "old-value"
	f := &fake{path: variables, variables: []*kept{
		{Type: "file", Key: "A", Value: &old, Protected: true, Masked: true, Hidden: true, Raw: true, Scope: "production"},
	}}
	want := *f.variables[0]
	c := opens(t, f.world(t, &consumertest.Wire{}), "gitlab:projects/ada/bots/bot.x,p=A,auth=prod/GITLAB")
	if err := c.Deliver(t.Context(), secrets("p", old), secrets("p", "new-value")); err != nil {
		t.Fatal(err)
	}
	got := *f.variables[0]
	if *got.Value != "new-value" {
		t.Errorf("it is %q", *got.Value)
	}
	if got.Value = want.Value; got != want {
		t.Errorf("%+v became %+v", want, got)
	}
}

// Of several variables of one name, the one of the scope that is said is meant; where none
// is said it is an error, and where GitLab does not look at scopes, too.
func TestScopes(t *testing.T) {
	for _, c := range []struct {
		spec     string
		unscoped bool
		want     string // code of the error
	}{
		{"gitlab:projects/ada/bots/bot.x,p=A,auth=prod/GITLAB", false, "409"},
		{"gitlab:projects/ada/bots/bot.x,p=A,scope=live/*,auth=prod/GITLAB", false, ""},
		{"gitlab:projects/ada/bots/bot.x,p=A,scope=none,auth=prod/GITLAB", false, "404"},
		{"gitlab:projects/ada/bots/bot.x,p=B,scope=live/*,auth=prod/GITLAB", true, "200"},
	} {
		f := &fake{path: variables, unscoped: c.unscoped, variables: []*kept{plain("A", "old"), plain("A", "old"), plain("B", "old")}}
		f.variables[1].Scope = "live/*"
		err := opens(t, f.world(t, &consumertest.Wire{}), c.spec).Deliver(t.Context(), secrets("p", "old"), secrets("p", "new"))
		var e *provider.Error
		if c.want == "" && (err != nil || *f.variables[0].Value != "old" || *f.variables[1].Value != "new") {
			t.Errorf("%s: %v, %s, %s", c.spec, err, *f.variables[0].Value, *f.variables[1].Value)
		}
		if c.want != "" && (!errors.As(err, &e) || e.Code != c.want || f.writes > 0) {
			t.Errorf("%s: %v, %d writes", c.spec, err, f.writes)
		}
	}
}

// A hidden variable is journalled as such, and one beside it that can be read is compared.
func TestHiddenBesideReadable(t *testing.T) {
	f := &fake{path: variables, variables: []*kept{plain("A", "old"), plain("B", "somebody-else's")}}
	f.variables[0].Hidden = true
	c := opens(t, f.world(t, &consumertest.Wire{}), "gitlab:projects/ada/bots/bot.x,p=A,q=B,auth=prod/GITLAB")
	if _, err := c.Holds(t.Context()); !errors.Is(err, rotate.ErrUnreadable) {
		t.Error(err)
	}
	if err := c.Deliver(t.Context(), secrets("p", "old", "q", "old"), secrets("p", "new", "q", "new")); !errors.Is(err, rotate.ErrDrift) || f.writes > 0 {
		t.Errorf("%v, %d writes", err, f.writes)
	}
}

// What GitLab, or a job, would not take as it is, is refused; so is a token that may only
// look. Nothing is written then, of no variable.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		set    func(*fake)
		value  string
		kind   provider.Kind
		hinted bool
	}{
		{"expanded", func(f *fake) { f.find("B").Raw = false }, "a$b", provider.Incomplete, true},
		{"no text", func(*fake) {}, "\xff", provider.Incomplete, false},
		{"zero", func(*fake) {}, "a\x00", provider.Incomplete, false},
		{"read only", func(f *fake) { f.readOnly = true }, "new", provider.Forbidden, false},
		{"masked", func(f *fake) { f.find("A").Masked = true }, "new", provider.Refused, true},
	} {
		f := &fake{path: variables, variables: []*kept{plain("A", "old"), plain("B", "old")}}
		c.set(f)
		p := opens(t, f.world(t, &consumertest.Wire{}), "gitlab:projects/ada/bots/bot.x,p=A,q=B,auth=prod/GITLAB")
		var e *provider.Error
		err := p.Deliver(t.Context(), secrets("p", "old", "q", "old"), secrets("p", "new", "q", c.value))
		if !errors.As(err, &e) || e.Kind != c.kind || (e.Hint != "") != c.hinted || f.writes > 0 {
			t.Errorf("%s: %v, %d writes", c.name, err, f.writes)
		}
	}
}
