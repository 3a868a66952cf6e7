package cmd

import (
	"cmp"
	"context"
	"errors"
	"sync"

	"github.com/spf13/pflag"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/match"
	"github.com/keywright/keywright/scan/rules"
	"github.com/keywright/keywright/secret"
)

// insistence is what somebody says to have what keywright refuses.
type insistence struct {
	force  bool
	reason string
}

func (i *insistence) addFlags(f *pflag.FlagSet) {
	i.addFlagsFor(f, "a live value in a test environment, or reverse")
}

// addFlagsFor is addFlags of a verb that refuses something else.
func (i *insistence) addFlagsFor(f *pflag.FlagSet, what string) {
	f.BoolVar(&i.force, "force", false, what)
	f.StringVar(&i.reason, "reason", "", "`TEXT` that goes on record")
}

func (i *insistence) check() error {
	if i.force && i.reason == "" {
		return usagef("it goes on record: --force --reason TEXT", "--force wants a --reason")
	}
	return nil
}

// shapes is what the rules of the scanner know of live and test values.
type shapes struct{ engine func() (*match.Engine, error) }

func newShapes() shapes {
	return shapes{sync.OnceValues(func() (*match.Engine, error) {
		var tell []*scan.Rule
		for _, r := range rules.All() {
			if r.Realm != nil {
				tell = append(tell, r)
			}
		}
		return match.NewWith(tell, rules.Table())
	})}
}

var realmNames = map[scan.Realm]keystore.Realm{scan.Live: keystore.Live, scan.Test: keystore.Test}

// Signs makes shapes a keystore.Judge.
func (s shapes) Signs(text secret.Value) ([]keystore.Sign, error) {
	engine, err := s.engine()
	if err != nil {
		return nil, err
	}
	var signs []keystore.Sign
	for _, sign := range engine.Signs(text.Reveal()) {
		signs = append(signs, keystore.Sign{Realm: realmNames[sign.Realm], Kind: sign.Rule.Title})
	}
	return signs, nil
}

// fits refuses secrets whose shape says that they do not belong into the environment of
// their key, and puts that on record. Who insists is let through, with the reason.
func (k *keyring) fits(ctx context.Context, verb string, key *keystore.Key, parts keystore.Parts, i insistence) error {
	k.reason = cmp.Or(k.reason, i.reason)
	err := keystore.CheckRealm(k.shapes, key, parts)
	var misfit *keystore.RealmError
	switch {
	case !errors.As(err, &misfit):
		return err
	case i.force:
		k.reason = "forced (" + string(misfit.Sign.Realm) + " value): " + i.reason
		return nil
	}
	k.refuse(ctx, request{verb: verb, env: key.Env, names: []keystore.Name{key.Name}}, string(misfit.Sign.Realm)+" value: "+misfit.Sign.Kind)
	return err
}
