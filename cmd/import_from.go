package cmd

import (
	"context"
	"fmt"
	"slices"

	"github.com/keywright/keywright/audit"
	"github.com/keywright/keywright/keystore"
)

// importFrom copies keys of one environment to another: their current versions, and what
// is known of them.
func (o importOptions) importFrom(ctx context.Context, keys *keyring, env string) error {
	if o.from == env {
		return usagef("for example: keywright import test --from dev", "--from is %s itself", env)
	}
	if _, err := keys.permit(ctx, request{verb: "import", env: o.from, what: "Copy its keys to " + env, reason: o.reason}); err != nil {
		return err
	}
	opened, err := keys.Select(ctx, func(k *keystore.Key) bool {
		return (k.Env == o.from || k.Env == env) && o.wants(k.Name.Key)
	})
	if err != nil {
		return err
	}
	defer wipe(opened)
	there, from := map[string]keystore.Opened{}, []keystore.Opened{}
	for _, k := range opened {
		if k.Key.Env == env {
			there[k.Key.Name.Key] = k
			continue
		}
		from = append(from, k)
	}
	for _, n := range o.only {
		if !slices.ContainsFunc(from, func(k keystore.Opened) bool { return k.Key.Name.Key == n }) {
			return usagef("'keywright ls "+o.from+"' names those there are", "--only: there is no key %s/%s", o.from, n)
		}
	}
	if len(from) == 0 {
		return usagef("'keywright ls' names the keys there are", "there is no key in %s", o.from)
	}
	p := &importPlan{}
	left := 0
	var list []keystore.NewVersion
	var entries []audit.Entry
	for _, k := range from {
		to := keystore.Name{Env: env, Key: k.Key.Name.Key}
		old, exists := there[to.Key]
		switch {
		case exists && equalParts(old.Parts, k.Parts):
			p.same++
			continue
		case exists && !o.replace:
			fmt.Fprintf(keys.term.err, "keywright: not taken: %s is there already, with another value: --replace stores a new version\n", to)
			left++
			continue
		}
		t := take{name: to, known: old.Key, parts: k.Parts}
		if !exists {
			t.known = &keystore.Key{Name: to}
		}
		why, err := o.judge(ctx, keys, k.Key, &t)
		switch {
		case err != nil:
			return err
		case why != "":
			fmt.Fprintf(keys.term.err, "keywright: not taken: %s\n", why)
			left++
			continue
		}
		granted := storing("import", t.known)
		granted.Reason = t.reason
		list = append(list, keystore.NewVersion{Name: to, Parts: k.Parts, Edit: func(key *keystore.Key) error {
			copyKnown(key, k.Key)
			return t.asKnown(key)
		}})
		entries = append(entries, use("import", k.Key, keystore.Current), granted)
	}
	if err := keys.putAll(ctx, list, entries...); err != nil {
		return err
	}
	p.stored = len(list)
	fmt.Fprintf(keys.term.err, "keywright: stored %s in %s%s\n", plural(p.stored, "key"), env, p.unchanged())
	if left > 0 {
		return outcome(exitIncomplete)
	}
	return nil
}

// copyKnown gives a key what is known of another.
func copyKnown(key, known *keystore.Key) {
	key.Provider, key.Params, key.PublicID = known.Provider, known.Params, known.PublicID
	key.Owner, key.Description, key.Scopes, key.Tags = known.Owner, known.Description, known.Scopes, known.Tags
	key.Expires, key.RotateEvery, key.Parts, key.Use = known.Expires, known.RotateEvery, known.Parts, known.Use
	key.Forbidden, key.RequireIPs = known.Forbidden, known.RequireIPs
}
