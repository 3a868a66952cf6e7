package provider_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/keywright/keywright/provider"
)

// somebody has a server with a host and a port, and a way to it.
type somebody struct{}

func (somebody) Info() provider.Info {
	return provider.Info{Name: "some", Params: []provider.Param{
		{Name: "host", Required: true, Server: true}, {Name: "port", Default: "5432", Server: true}, {Name: "database"},
	}}
}

// TestActing: the server is the key's, the way there the admin's, and two servers are one too
// many.
func TestActing(t *testing.T) {
	params := func(text string) map[string]string {
		all := map[string]string{}
		for f := range strings.FieldsSeq(text) {
			name, value, _ := strings.Cut(f, "=")
			all[name] = value
		}
		return all
	}
	for _, c := range []struct{ admin, key, want, refused string }{
		{"", "host=a port=1 database=d", "host=a port=1 database=d", ""},
		{"database=e", "host=a port=1 database=d", "host=a port=1 database=e", ""},
		{"host=a port=1", "host=a port=1", "host=a port=1", ""},
		{"host=a", "host=a port=5432", "host=a port=5432", ""},
		{"host=a port=5432", "host=a", "host=a", ""},
		{"host=https://a/", "host=https://a", "host=https://a", ""},
		{"host=b", "host=a", "", "the key says host=a port=5432, the one to make changes with host=b port=5432"},
		{"host=a", "host=a port=5433", "", "the key says host=a port=5433, the one to make changes with host=a port=5432"},
		{"port=1", "host=a port=2", "", "the key says port=2, the one to make changes with port=1"},
		{"host=a", "", "", ""}, // nobody takes the admin's for the key's
	} {
		admin := provider.Credential{ID: "admin", Params: params(c.admin)}
		got, err := provider.Acting(somebody{}, "do", admin, provider.Credential{Params: params(c.key)})
		if !maps.Equal(admin.Params, params(c.admin)) {
			t.Errorf("%q: the admin is changed: %v", c.admin, admin.Params)
		}
		if c.refused == "" {
			if err != nil || got.ID != "admin" || !maps.Equal(got.Params, params(c.want)) {
				t.Errorf("%q for %q: %v, %v", c.admin, c.key, got.Params, err)
			}
			continue
		}
		var e *provider.Error
		if !errors.As(err, &e) || e.Kind != provider.Incomplete || !strings.Contains(e.Error(), c.refused) || !strings.Contains(e.Hint, "port") {
			t.Errorf("%q for %q: %v", c.admin, c.key, err)
		}
	}
}
