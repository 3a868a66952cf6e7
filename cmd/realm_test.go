package cmd

import (
	"testing"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/secret"
)

// What the shapes say of parts, alone and together, as they stand in keys.
func TestShapes(t *testing.T) {
	g := scan.NewGen(1)
	for _, c := range []struct {
		key   keystore.Key
		parts map[string]string
		want  keystore.Realm
	}{
		{keystore.Key{Name: keystore.Name{Env: "prod", Key: "PAY"}}, map[string]string{"value": "sk_" + "test_" + g.String(scan.Base62, 24)}, keystore.Test},
		{keystore.Key{Name: keystore.Name{Env: "dev", Key: "PAY"}}, map[string]string{"value": "sk_" + "live_" + g.String(scan.Base62, 24)}, keystore.Live},
		{keystore.Key{Name: keystore.Name{Env: "prod", Key: "MOLLIE"}}, map[string]string{"value": "test_" + g.String(scan.Base62, 30)}, keystore.Test},
		{keystore.Key{Name: keystore.Name{Env: "prod", Key: "PAY"}, Provider: "mollie"}, map[string]string{"value": "test_" + g.String(scan.Base62, 30)}, keystore.Test},
		{keystore.Key{Name: keystore.Name{Env: "dev", Key: "PAY"}}, map[string]string{"id": "rzp_" + "live_" + g.String(scan.Base62, 14), "secret": g.String(scan.Base62, 24)}, keystore.Live},
		{keystore.Key{Name: keystore.Name{Env: "dev", Key: "PAY"}}, map[string]string{"value": `{"stripe": "sk_` + "live_" + g.String(scan.Base62, 24) + `"}`}, keystore.Live},
		{keystore.Key{Name: keystore.Name{Env: "dev", Key: "PAY"}}, map[string]string{"value": g.String(scan.Base62, 40)}, ""},
		{keystore.Key{Name: keystore.Name{Env: "dev", Key: "LIVE"}}, map[string]string{"value": "live"}, ""},
	} {
		parts := keystore.Parts{}
		for name, v := range c.parts {
			parts[name] = secret.New([]byte(v))
		}
		err := keystore.CheckRealm(newShapes(), &c.key, parts)
		got := keystore.Realm("")
		if misfit, ok := err.(*keystore.RealmError); ok {
			got, err = misfit.Sign.Realm, nil
		}
		if got != c.want || err != nil {
			t.Errorf("%s with %d parts: %q (%v), want %q", c.key.Name, len(parts), got, err, c.want)
		}
	}
}

// BenchmarkShapes is what the first look at a value costs a command.
func BenchmarkShapes(b *testing.B) {
	value := secret.New([]byte("PAY=sk_" + "live_" + scan.NewGen(1).String(scan.Base62, 24) + "\n"))
	for b.Loop() {
		if signs, err := newShapes().Signs(value); err != nil || len(signs) != 1 {
			b.Fatal(signs, err)
		}
	}
}
