package keystore

import (
	"errors"
	"strings"
	"testing"

	"github.com/keywright/keywright/secret"
)

func TestRealmOf(t *testing.T) {
	for env, want := range map[string]Realm{
		"dev": Test, "test": Test, "staging": Test, "ci": Test, "dev-ada": Test, "eu.test": Test,
		"prod": Live, "production": Live, "prod-eu": Live, "eu_live": Live,
		"pre-prod": Test, "preprod": Test, "non-prod": Test, "prod-test": Test,
		"home": "", "product": "", "devil": "", "default": "", "reproduction": "",
	} {
		if got := RealmOf(env); got != want {
			t.Errorf("RealmOf(%q) = %q, want %q", env, got, want)
		}
	}
}

// judge is a Judge that knows two words, and keeps what it was shown.
type judge struct {
	shown string
	err   error
}

func (j *judge) Signs(text secret.Value) (signs []Sign, err error) {
	j.shown = string(text.Reveal())
	for _, r := range []Realm{Live, Test} {
		if strings.Contains(j.shown, "it-is-"+string(r)) {
			signs = append(signs, Sign{r, "toy"})
		}
	}
	return signs, j.err
}

func TestCheckRealm(t *testing.T) {
	for _, c := range []struct {
		env, value string
		refused    bool
	}{
		{"dev", "it-is-live", true}, {"dev", "it-is-test", false}, {"dev", "neither", false}, {"dev", "it-is-test it-is-live", true},
		{"staging", "it-is-live", true}, {"staging", "it-is-test", false},
		{"prod", "it-is-test", true}, {"prod", "it-is-live", false}, {"prod", "neither", false}, {"prod", "it-is-live it-is-test", true},
		{"home", "it-is-test", false}, {"home", "it-is-live", false},
	} {
		k := &Key{Name: Name{c.env, "PAY"}, Provider: "acme"}
		err := CheckRealm(&judge{}, k, Parts{"id": secret.New([]byte("x")), "value": secret.New([]byte(c.value))})
		var misfit *RealmError
		if errors.As(err, &misfit) != c.refused || err != nil && !c.refused {
			t.Errorf("%s in %s: %v", c.value, c.env, err)
		}
	}
}

func TestCheckRealmShows(t *testing.T) {
	j := &judge{}
	k := &Key{Name: Name{"dev", "api-key"}, Provider: "acme"}
	if err := CheckRealm(j, k, Parts{"secret": secret.New([]byte("s")), "id": secret.New([]byte("i"))}); err != nil {
		t.Fatal(err)
	}
	if want := "ACME_API-KEY_ID=i\nACME_API-KEY_SECRET=s\n"; j.shown != want {
		t.Errorf("shown %q, want %q", j.shown, want)
	}
	broken := &judge{err: errors.New("no rules")}
	if err := CheckRealm(broken, k, Parts{"value": secret.New([]byte("s"))}); !errors.Is(err, broken.err) {
		t.Errorf("error %v", err)
	}
}
