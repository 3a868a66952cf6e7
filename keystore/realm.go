package keystore

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/keywright/keywright/secret"
)

// Realm is the world that a secret works in, and that an environment is for.
type Realm string

// The realms. The empty one means that nothing tells.
const (
	Live Realm = "live" // real money, real customers
	Test Realm = "test" // a sandbox, a test mode, a test network
)

// Sign is what the shape of a secret says of it.
type Sign struct {
	Realm Realm
	Kind  string // what it looks like: "Stripe secret key"
}

// A Judge knows the shapes of secrets. It is shown lines NAME=value, as a .env file has
// them, and returns what those say that tell a realm.
type Judge interface {
	Signs(text secret.Value) ([]Sign, error)
}

// RealmError says that a secret is of another realm than the environment.
type RealmError struct {
	Name Name
	Env  Realm
	Sign Sign
}

func (e *RealmError) Error() string {
	return fmt.Sprintf("%s looks like a %s, which is %s; %s is a %s environment", e.Name, e.Sign.Kind, e.Sign.Realm, e.Name.Env, e.Env)
}

// The words that environments of a realm are called by. Staging is for test values: a
// live one there is a slip.
var (
	testWords = []string{"dev", "develop", "development", "test", "tests", "testing", "testnet", "ci", "qa", "uat", "local", "sandbox", "staging", "stage", "stg",
		"preview", "demo", "preprod", "pre", "non", "nonprod"}
	liveWords = []string{"prod", "production", "prd", "live", "mainnet"}
)

// RealmOf is the realm that the name of an environment says: one of its words is known,
// as in "prod-eu". One of both, "pre-prod", is a test.
func RealmOf(env string) Realm {
	words := strings.FieldsFunc(env, func(r rune) bool { return r == '-' || r == '_' || r == '.' })
	has := func(known []string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(known, w) })
	}
	switch {
	case has(testWords):
		return Test
	case has(liveWords):
		return Live
	}
	return ""
}

// CheckRealm returns a *RealmError if the secrets of a key say that they do not belong
// into its environment. Of the key, the name and the provider are looked at. A judge is
// only asked if the environment's name says a realm.
func CheckRealm(j Judge, k *Key, parts Parts) error {
	env := RealmOf(k.Env)
	if env == "" {
		return nil
	}
	text := lines(k, parts)
	defer text.Wipe()
	signs, err := j.Signs(text)
	if err != nil {
		return err
	}
	for _, s := range signs {
		if s.Realm != env {
			return &RealmError{k.Name, env, s}
		}
	}
	return nil
}

// lines writes a line for each part: many shapes are only told by a name before them,
// or by standing together.
func lines(k *Key, parts Parts) secret.Value {
	var b bytes.Buffer
	for _, part := range slices.Sorted(maps.Keys(parts)) {
		name := strings.Trim(k.Provider+"_"+k.Name.Key+"_"+part, "_")
		fmt.Fprintf(&b, "%s=%s\n", strings.ToUpper(name), parts[part].Reveal())
	}
	v := secret.New(b.Bytes())
	clear(b.Bytes())
	return v
}
