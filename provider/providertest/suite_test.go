package providertest_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/secret"
)

// bank is a server that can do everything.
type bank struct {
	mu   sync.Mutex
	keys map[string]*key // by id
}

type key struct {
	secret, label string
	disabled      bool
}

// ask is a request, and what the server knows in reply.
type ask struct {
	Op, Admin, ID, Secret, Other, Label string
	IDs, Labels                         []string
	Code                                string
}

func (b *bank) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var a ask
	if err := json.NewDecoder(r.Body).Decode(&a); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.keys[a.ID]
	switch {
	case a.Op == "verify":
		a.Code = "ok"
		if k == nil || k.disabled || k.secret != a.Secret {
			a.Code = "E401"
		}
	case a.Admin != "admin-secret":
		a.Code = "E403"
	case a.Op == "apply":
		b.keys[a.ID] = &key{secret: a.Secret, label: a.Label}
	case a.Op == "disable" && k != nil:
		k.disabled = true
	case a.Op == "enable" && k != nil:
		k.disabled = false
	case a.Op == "revoke":
		delete(b.keys, a.ID)
	case a.Op == "list":
		a.IDs = slices.Sorted(maps.Keys(b.keys))
		for _, id := range a.IDs {
			a.Labels = append(a.Labels, b.keys[id].label)
		}
	}
	a.Secret, a.Admin = "", ""
	json.NewEncoder(w).Encode(a)
}

// fake is a provider for a bank. It is wrong in the way that broken says.
type fake struct {
	url    string
	broken string
}

func (f fake) Info() provider.Info {
	i := provider.Info{Name: "fake", Title: "Fake", Tested: "itself", Sources: []string{"RFC 9110"},
		Parts: []provider.Part{{Name: "id", Public: true}, {Name: "secret"}}}
	if f.broken == "no sources" {
		i.Sources = nil
	}
	return i
}

func (f fake) call(ctx context.Context, op string, admin, c provider.Credential, label string) (ask, error) {
	if f.broken == "ignores its context" {
		ctx = context.WithoutCancel(ctx)
	}
	fail := func(kind provider.Kind, err error) (ask, error) {
		if f.broken == "claims that nothing was sent" {
			kind = provider.Unreached
		}
		e := &provider.Error{Provider: "fake", Doing: op, Kind: kind, Err: err}
		switch f.broken {
		case "shows the secret":
			e.Err = errors.New("with " + string(c.Part("secret").Reveal()))
		case "errors of no kind":
			return ask{}, err
		}
		return ask{}, e
	}
	if op == "verify" && c.Part("secret").IsZero() && f.broken != "tries without a secret" {
		return fail(provider.Incomplete, errors.New("no secret"))
	}
	id := string(c.Part("id").Reveal())
	if id == "" {
		id = c.ID
	}
	body, _ := json.Marshal(ask{Op: op, Admin: string(admin.Part("secret").Reveal()), ID: id, Secret: string(c.Part("secret").Reveal()), Label: label})
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url, bytes.NewReader(body))
	if err != nil {
		return fail(provider.Incomplete, errors.New("no address"))
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		if strings.Contains(err.Error(), "refused") {
			return fail(provider.Unreached, err)
		}
		return fail(provider.Unclear, err)
	}
	defer answer.Body.Close()
	var a ask
	if err := json.NewDecoder(answer.Body).Decode(&a); err != nil {
		return fail(provider.Malformed, err)
	}
	if a.Code == "E403" {
		return fail(provider.Forbidden, nil)
	}
	return a, nil
}

func (f fake) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	a, err := f.call(ctx, "verify", provider.Credential{}, c, "")
	switch {
	case err != nil && f.broken == "takes silence for death":
		return provider.Probe{State: provider.Dead}, nil
	case err != nil:
		return provider.Probe{}, err
	case a.Code == "ok":
		return provider.Probe{State: provider.Alive}, nil
	case f.broken == "another code":
		return provider.Probe{State: provider.Dead, Code: "E404"}, nil
	case f.broken == "nothing is ever dead":
		return provider.Probe{State: provider.Unknown, Code: a.Code}, nil
	default:
		return provider.Probe{State: provider.Dead, Code: a.Code}, nil
	}
}

func credential(url string) provider.Credential {
	id := strings.ToLower(rand.Text())
	return provider.Credential{ID: id, Params: map[string]string{"url": url},
		Parts: map[string]secret.Value{"id": secret.New([]byte(id)), "secret": secret.New([]byte(rand.Text()))}}
}

func (f fake) Make(ctx context.Context, old provider.Credential) (provider.Credential, error) {
	next := credential(old.Params["url"])
	switch f.broken {
	case "the same secret":
		next.Parts["secret"] = old.Part("secret")
	case "makes what is there at once":
		_, _ = f.call(ctx, "apply", admin(), next, "")
	}
	return next, nil
}

func (f fake) Apply(ctx context.Context, admin, old, next provider.Credential) error {
	if probe, err := f.Verify(ctx, next); f.broken == "applies but once" && err == nil && probe.State.Lives() {
		return &provider.Error{Provider: "fake", Doing: "apply", Kind: provider.Refused}
	}
	if f.broken == "ends the old one early" {
		_, _ = f.call(ctx, "revoke", admin, old, "")
	}
	_, err := f.call(ctx, "apply", admin, next, "")
	return err
}

func (f fake) Issue(ctx context.Context, admin, old provider.Credential, lineage provider.Lineage) (provider.Credential, error) {
	next := credential(old.Params["url"])
	label := lineage.String()
	if f.broken == "forgets the lineage" {
		label = ""
	}
	_, err := f.call(ctx, "apply", admin, next, label)
	if err != nil {
		return provider.Credential{}, err
	}
	return next, nil
}

func (f fake) List(ctx context.Context, admin, c provider.Credential) (all []provider.Listed, err error) {
	a, err := f.call(ctx, "list", admin, c, "")
	for n, id := range a.IDs {
		if id == c.ID && f.broken == "lists the others alone" {
			continue
		}
		all = append(all, provider.Listed{Identity: provider.Identity{ID: id, Label: a.Labels[n]}})
	}
	return all, err
}

func (f fake) Disable(ctx context.Context, admin, c provider.Credential) error {
	op := "disable"
	if f.broken == "disables for good" {
		op = "revoke"
	}
	_, err := f.call(ctx, op, admin, c, "")
	return err
}

func (f fake) Enable(ctx context.Context, admin, c provider.Credential) error {
	_, err := f.call(ctx, "enable", admin, c, "")
	return err
}

func (f fake) Revoke(ctx context.Context, admin, c, other provider.Credential) error {
	switch f.broken {
	case "says that it revoked":
		return nil
	case "revokes in two calls": // and says of the second what it would of the first
		if _, err := f.call(ctx, "disable", admin, c, ""); err != nil {
			return err
		}
	case "revokes both":
		_, _ = f.call(ctx, "revoke", admin, other, "")
	case "revokes but once":
		if probe, err := f.Verify(ctx, c); err == nil && !probe.State.Lives() {
			return &provider.Error{Provider: "fake", Doing: "revoke", Kind: provider.Refused}
		}
	}
	_, err := f.call(ctx, "revoke", admin, c, "")
	return err
}

func admin() provider.Credential {
	return provider.Credential{Parts: map[string]secret.Value{"secret": secret.New([]byte("admin" + "-secret"))}}
}

// conform runs the suite over a provider that is wrong in some way, or right.
func conform(t *testing.T, broken string) {
	b := &bank{keys: map[string]*key{}}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	providertest.Provider(t, providertest.Subject{
		Provider: fake{server.URL, broken}, Admin: admin(), DeadCode: "E401", ByID: true,
		New: func(t *testing.T) provider.Credential {
			c := credential(server.URL)
			b.mu.Lock()
			defer b.mu.Unlock()
			b.keys[c.ID] = &key{secret: string(c.Part("secret").Reveal())}
			return c
		},
		Accepts: func(t *testing.T, c provider.Credential) bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			k := b.keys[c.ID]
			return k != nil && !k.disabled && k.secret == string(c.Part("secret").Reveal())
		},
		Addr: server.Listener.Addr().String(), Wire: true, // it speaks as no service does
		At: func(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
			return fake{"http://" + addr, broken}, c
		},
	})
}

func TestSuite(t *testing.T) { conform(t, "") }

const brokenVar = "KEYWRIGHT_TEST_BROKEN"

// Each way of being wrong is found, by the test that looks for it.
func TestBroken(t *testing.T) {
	if broken := os.Getenv(brokenVar); broken != "" {
		conform(t, broken)
		return
	}
	for broken, by := range map[string]string{
		"no sources":                   "info",
		"another code":                 "verify",
		"nothing is ever dead":         "verify",
		"the same secret":              "make",
		"makes what is there at once":  "make",
		"applies but once":             "apply",
		"ends the old one early":       "apply",
		"forgets the lineage":          "issue",
		"lists the others alone":       "list",
		"disables for good":            "disable",
		"says that it revoked":         "revoke",
		"revokes both":                 "revoke",
		"revokes but once":             "revoke",
		"ignores its context":          "cancelled",
		"tries without a secret":       "told_too_little",
		"takes silence for death":      "faults",
		"shows the secret":             "faults",
		"errors of no kind":            "faults",
		"claims that nothing was sent": "cut_off",
		"revokes in two calls":         "nobody_any_more",
	} {
		t.Run(broken, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBroken$/^"+by+"$", "-test.short")
			cmd.Env = append(os.Environ(), brokenVar+"="+broken)
			out, err := cmd.CombinedOutput()
			if failed := (*exec.ExitError)(nil); !errors.As(err, &failed) || !bytes.Contains(out, fmt.Appendf(nil, "--- FAIL: TestBroken/%s", by)) {
				t.Errorf("it is not found: %v\n%s", err, out)
			}
		})
	}
}
