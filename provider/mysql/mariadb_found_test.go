package mysql_test

import (
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/mysql"
	"github.com/keywright/keywright/provider/providertest/mysqlserver"
	"github.com/keywright/keywright/secret"
)

func found(scheme, user, host string) (provider.Credential, bool) {
	parts := map[string]secret.Value{}
	for role, text := range map[string]string{"scheme": scheme, "user": user, "host": host, "secret": "the-password"} {
		parts[role] = secret.New([]byte(text))
	}
	return mysql.MariaDB{}.RecognizeHost("database-url-password", parts)
}

// TestRecognizeHost: an address is one of a server with a user. TLS is left out on this
// machine alone, and a metadata service is not connected to.
func TestRecognizeHost(t *testing.T) {
	for _, c := range []struct{ scheme, user, host, sslmode string }{
		{"mysql", "app", "127.0.0.1", "disable"}, {"mariadb", "app", "localhost", "disable"},
		{"mysql", "app", "db.corp.net", ""}, {"mysql", "app", "10.0.0.1", ""},
		{"mysql", "", "db.corp.net", "none"}, {"mysqlx", "app", "db.corp.net", "none"}, {"postgres", "app", "db.corp.net", "none"},
	} {
		got, ok := found(c.scheme, c.user, c.host)
		if ok != (c.sslmode != "none") || ok && got.Params["sslmode"] != c.sslmode {
			t.Errorf("%v: %v, %v", c, got.Params, ok)
		}
	}
	c, _ := found("mysql", "app", "169.254.169.254")
	_, err := mysql.MariaDB{}.Verify(t.Context(), c)
	if e := (*provider.Error)(nil); !errors.As(err, &e) || e.Kind != provider.Unreached || !strings.Contains(err.Error(), "no address that is asked") {
		t.Error(err)
	}
}

// TestVerifyFound: whoever is let in is alive. What is refused may be refused for the
// address: it is not known.
func TestVerifyFound(t *testing.T) {
	s := mysqlserver.StartMariaDB(t)
	password := rand.Text()
	s.Do(t, "CREATE USER app@'%' IDENTIFIED BY '"+password+"'")
	for _, c := range []struct {
		password string
		want     provider.State
	}{{password, provider.Alive}, {rand.Text(), provider.Unknown}} {
		tried := s.Credential("app", c.password)
		tried.Found = true
		probe, err := mysql.MariaDB{}.Verify(t.Context(), tried)
		if err != nil || probe.State != c.want || c.want == provider.Unknown && !strings.HasPrefix(probe.Code, "1045") {
			t.Errorf("%+v, %v; want %s", probe, err, c.want)
		}
	}
}
