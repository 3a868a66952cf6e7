package cmd

import (
	"strings"
	"testing"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/rotate"
	"github.com/keywright/keywright/secret"
)

// TestRotationsUseWhatIsPermitted: whatever a rotation comes to use, a key of a protected
// environment is not among it unless that was permitted.
func TestRotationsUseWhatIsPermitted(t *testing.T) {
	keys, _, _ := memoryKeys(t)
	keys.permits = map[string]string{}
	for _, env := range []string{"dev", "prod"} {
		parts := keystore.Parts{keystore.SinglePart: secret.New([]byte("v"))}
		if _, err := keys.Put(t.Context(), "t", keystore.Name{Env: env, Key: "A"}, parts, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := keys.Protect(t.Context(), "t", "prod"); err != nil {
		t.Fatal(err)
	}
	r := rotor{keys}
	if _, err := r.Secrets(t.Context(), "dev/A", 1); err != nil {
		t.Error(err)
	}
	for range 2 {
		if parts, err := r.Secrets(t.Context(), "prod/A", 1); err == nil || parts != nil || !strings.Contains(err.Error(), "prod is protected") {
			t.Errorf("%v, %v", parts, err)
		}
		if _, err := r.credential(t.Context(), "prod/A"); err == nil {
			t.Error("a consumer is reached with it")
		}
	}
	keys.permits["prod"] = "friday"
	if _, err := r.Secrets(t.Context(), "prod/A", 1); err != nil {
		t.Error(err)
	}
	if _, err := r.credential(t.Context(), "prod/A"); err != nil {
		t.Error(err)
	}
}

// TestRequests: one for each environment, that of the keys first, which says what it is
// about and goes on record with the keys of that environment.
func TestRequests(t *testing.T) {
	name := func(text string) keystore.Name {
		n, err := keystore.ParseName(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	catalog := &keystore.Catalog{Keys: []keystore.Key{
		{Name: name("dev/A"), Admin: "prod/ROOT", Consumers: []string{"gh:ada/bot,v=S,auth=prod/GH", "env:/a,v=S"}},
		{Name: name("dev/B"), Admin: "prod/ROOT", Consumers: []string{"vault:kv/data/a,v=S,auth=ops/VAULT"}},
		{Name: name("ops/VAULT"), Consumers: []string{"vault:kv/data/a,v=S,auth=ops/VAULT"}},
		{Name: name("prod/ROOT"), Admin: "not a name"},
	}}
	for i, c := range []struct {
		all  []replaced
		want string
	}{
		{[]replaced{replacing(catalog, name("dev/A"))}, "dev: Do dev/A [dev/A]; prod: Do dev/A, using prod/ROOT, prod/GH [prod/ROOT prod/GH]"},
		{[]replaced{planning(catalog, name("dev/A"))}, "dev: Do dev/A [dev/A]; prod: Do dev/A, using prod/ROOT [prod/ROOT]"},
		{[]replaced{replacing(catalog, name("ops/VAULT"))}, "ops: Do ops/VAULT [ops/VAULT]"},
		{[]replaced{replacing(catalog, name("prod/NONE"))}, "prod: Do prod/NONE [prod/NONE]"},
		{[]replaced{replacing(catalog, name("dev/A")), replacing(catalog, name("dev/B")), replacing(catalog, name("prod/ROOT"))},
			"dev: Do dev/A, dev/B [dev/A dev/B]; prod: Do dev/A, dev/B, prod/ROOT, using prod/ROOT, prod/GH [prod/ROOT prod/GH]; ops: Do dev/B, using ops/VAULT [ops/VAULT]"},
		{[]replaced{resuming(catalog, &rotate.Journal{Key: "prod/ROOT", Steps: []rotate.Step{{Name: rotate.Make}, {Name: rotate.Deliver, Consumer: "gh:ada/old,v=S,auth=live/GH"}}})},
			"prod: Do prod/ROOT [prod/ROOT]; live: Do prod/ROOT, using live/GH [live/GH]"},
	} {
		var texts []string
		for _, r := range requests("Do", "why", c.all) {
			var names []string
			for _, n := range r.names {
				names = append(names, n.String())
			}
			texts = append(texts, r.env+": "+r.what+" ["+strings.Join(names, " ")+"]")
			if r.reason != "why" || !r.unattended {
				t.Errorf("%+v", r)
			}
		}
		if got := strings.Join(texts, "; "); got != c.want {
			t.Errorf("%d: %s\nwant %s", i, got, c.want)
		}
	}
}
