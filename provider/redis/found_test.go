package redis_test

import (
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/providertest/redisserver"
	"github.com/keywright/keywright/provider/redis"
	"github.com/keywright/keywright/secret"
)

// TestRecognizeHost: without a user an address means the one for everybody. It does not
// take TLS to this machine, unless it says so, and a metadata service is not connected to.
func TestRecognizeHost(t *testing.T) {
	found := func(scheme, user, host string) (provider.Credential, bool) {
		parts := map[string]secret.Value{}
		for role, text := range map[string]string{"scheme": scheme, "user": user, "host": host, "secret": "the-password"} {
			parts[role] = secret.New([]byte(text))
		}
		return redis.Provider{}.RecognizeHost("database-url-password", parts)
	}
	for _, c := range []struct{ scheme, user, want, tls string }{
		{"redis", "app", "app", ""}, {"redis", "", "default", ""}, {"rediss", "", "default", "yes"}, {"valkey", "app", "app", ""}, {"postgres", "app", "", ""},
	} {
		got, ok := found(c.scheme, c.user, "db.corp.net")
		if ok != (c.want != "") || ok && (provider.User(got) != c.want || got.Params["tls"] != c.tls) {
			t.Errorf("%v: %v, %v", c, got.Params, ok)
		}
	}
	c, _ := found("redis", "", "169.254.169.254")
	_, err := redis.Provider{}.Verify(t.Context(), c)
	if e := (*provider.Error)(nil); !errors.As(err, &e) || e.Kind != provider.Unreached || !strings.Contains(err.Error(), "no address that is asked") {
		t.Error(err)
	}
}

// TestVerifyFound: a user without a password takes any, and so says nothing of one that
// was found.
func TestVerifyFound(t *testing.T) {
	s := redisserver.Start(t, "config file")
	password := rand.Text()
	s.Do(t, "ACL SETUSER app on >"+password+" +@all")
	s.Do(t, "ACL SETUSER open on nopass +@all")
	for _, c := range []struct {
		user, password string
		want           provider.State
	}{{"app", password, provider.Alive}, {"app", rand.Text(), provider.Dead}, {"open", password, provider.Unknown}} {
		tried := s.Credential(c.user, c.password)
		tried.Found = true
		if probe, err := (redis.Provider{}).Verify(t.Context(), tried); err != nil || probe.State != c.want {
			t.Errorf("%s: %+v, %v; want %s", c.user, probe, err, c.want)
		}
	}
}
