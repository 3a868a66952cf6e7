package postgres_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/postgres"
	"github.com/keywright/keywright/secret"
)

// TestRecognizeHost: an address is one of a server with a user. TLS is left out on this
// machine alone, and a metadata service is not connected to.
func TestRecognizeHost(t *testing.T) {
	for _, c := range []struct{ scheme, user, host, sslmode string }{
		{"postgres", "app", "127.0.0.1", "disable"}, {"postgresql", "app", "localhost", "disable"}, {"postgres", "app", "[::1]", "disable"},
		{"postgres", "app", "db.corp.net", ""}, {"postgres", "app", "10.0.0.1", ""},
		{"postgres", "", "db.corp.net", "none"}, {"mysql", "app", "db.corp.net", "none"},
	} {
		got, ok := found(c.scheme, c.user, c.host)
		if ok != (c.sslmode != "none") || ok && got.Params["sslmode"] != c.sslmode {
			t.Errorf("%v: %v, %v", c, got.Params, ok)
		}
	}
	c, _ := found("postgres", "app", "169.254.169.254")
	_, err := postgres.Provider{}.Verify(t.Context(), c)
	if e := (*provider.Error)(nil); !errors.As(err, &e) || e.Kind != provider.Unreached || !strings.Contains(err.Error(), "no address that is asked") {
		t.Error(err)
	}
}

func found(scheme, user, host string) (provider.Credential, bool) {
	parts := map[string]secret.Value{}
	for role, text := range map[string]string{"scheme": scheme, "user": user, "host": host, "secret": "the-password"} {
		parts[role] = secret.New([]byte(text))
	}
	return postgres.Provider{}.RecognizeHost("database-url-password", parts)
}
