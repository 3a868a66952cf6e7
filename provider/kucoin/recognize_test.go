package kucoin_test

import (
	"maps"
	"testing"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/kucoin"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/secret"
)

// TestRecognize: what a scan finds can be asked about if all three parts are there. That
// a passphrase is wrong does not make a key dead, nor that it is not known here.
func TestRecognize(t *testing.T) {
	f := serve(t)
	p := kucoin.New(nil)
	p.Host = f.URL
	whole := f.Credential("old").Parts
	for _, missing := range []string{"id", "passphrase"} {
		parts := maps.Clone(whole)
		delete(parts, missing)
		if _, ok := p.Recognize("kucoin-api-secret", parts); ok {
			t.Errorf("without its %s", missing)
		}
	}
	if _, ok := p.Recognize("bitget-api-secret", whole); ok {
		t.Error("another's key")
	}
	try := func(want provider.State, code string) {
		t.Helper()
		c, ok := p.Recognize("kucoin-api-secret", whole)
		if !ok || c.Params["host"] != "" || c.Found {
			t.Fatalf("%+v", c)
		}
		if got := providertest.Probe(t, p, c); got.State != want || code != "" && got.Code != code {
			t.Errorf("%+v, want %s %s", got, want, code)
		}
	}
	try(provider.Alive, "")
	right := whole["passphrase"]
	whole["passphrase"] = secret.New([]byte("another"))
	try(provider.Unknown, "400004")
	whole["passphrase"] = right
	f.Drop("old")
	try(provider.Unknown, "400003")
}
