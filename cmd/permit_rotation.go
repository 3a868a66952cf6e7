package cmd

import (
	"context"
	"fmt"
	"slices"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/rotate"
	"github.com/keywright/keywright/rotate/consumer"
)

// replaced is a key that is replaced, or about which its provider is asked, and the keys
// that this is done with.
type replaced struct {
	key  keystore.Name
	with []keystore.Name
}

// replacing is a key that is replaced: with the key that it is changed with, and with those
// that its consumers are reached with, also consumers that it had when the rotation began.
func replacing(catalog *keystore.Catalog, name keystore.Name, before ...string) replaced {
	r := planning(catalog, name)
	if k, ok := catalog.Find(name); ok {
		before = append(before, k.Consumers...)
	}
	for _, spec := range before {
		r.use(consumer.Auth(spec))
	}
	return r
}

// planning is a key about which its provider is asked: consumers are not.
func planning(catalog *keystore.Catalog, name keystore.Name) replaced {
	r := replaced{key: name}
	if k, ok := catalog.Find(name); ok {
		r.use(k.Admin)
	}
	return r
}

func (r *replaced) use(text string) {
	if n, err := keystore.ParseName(text); err == nil && n != r.key && !slices.Contains(r.with, n) {
		r.with = append(r.with, n)
	}
}

// resuming is a key whose rotation goes on, or is taken back.
func resuming(catalog *keystore.Catalog, j *rotate.Journal) replaced {
	name, _ := keystore.ParseName(j.Key) // what is no name names no key
	var consumers []string
	for _, s := range j.Steps {
		consumers = append(consumers, s.Consumer)
	}
	return replacing(catalog, name, consumers...)
}

// lists reports whether the provider of a key lists its credentials.
func lists(engine *rotate.Engine, k *keystore.Key) bool {
	p, ok := engine.Provider(k.Provider)
	return ok && is[provider.Lister](p)
}

// permissions are the answers for environments.
type permissions map[string]permission

// refused is why a key is not replaced; nil if nothing is in the way.
func (p permissions) refused(x replaced) error {
	for _, n := range append([]keystore.Name{x.key}, x.with...) {
		if err := p[n.Env].err; err != nil {
			return err
		}
	}
	return nil
}

// permitReplacing asks before keys are replaced, or providers are asked about them: once
// for each protected environment whose keys are used.
func (k *keyring) permitReplacing(ctx context.Context, doing, reason string, all []replaced) (permissions, error) {
	given, err := k.permitAll(ctx, requests(doing, reason, all))
	for env, p := range given {
		if p.err == nil {
			k.permits[env] = p.reason
		}
	}
	return given, err
}

// requests are one for each environment of keys that are used.
func requests(doing, reason string, all []replaced) (list []request) {
	var envs []string
	for _, x := range all {
		envs = append(envs, x.key.Env)
	}
	for _, x := range all {
		for _, n := range x.with {
			envs = append(envs, n.Env)
		}
	}
	for i, env := range envs {
		if slices.Contains(envs[:i], env) {
			continue
		}
		var keys, with []keystore.Name // the keys that it is about, and those of it that they are changed with
		for _, x := range all {
			used := slices.DeleteFunc(slices.Clone(x.with), func(n keystore.Name) bool { return n.Env != env || slices.Contains(with, n) })
			if x.key.Env == env || slices.ContainsFunc(x.with, func(n keystore.Name) bool { return n.Env == env }) {
				keys = append(keys, x.key)
			}
			with = append(with, used...)
		}
		r := request{verb: "rotate", env: env, what: doing + " " + some(keys), reason: reason, unattended: true}
		if len(with) > 0 {
			r.what += ", using " + some(with)
		}
		for _, n := range append(keys, with...) {
			if n.Env == env && !slices.Contains(r.names, n) {
				r.names = append(r.names, n)
			}
		}
		list = append(list, r)
	}
	return list
}

// some names keys, if they are few.
func some(names []keystore.Name) string {
	const few = 3
	if len(names) > few {
		return fmt.Sprintf("%d keys", len(names))
	}
	return listOf(names)
}

// permitted is an error unless somebody was asked, if that is needed, before a key of an
// environment is used.
func (k *keyring) permitted(ctx context.Context, env string) error {
	if _, ok := k.permits[env]; ok {
		return nil
	}
	catalog, err := k.Catalog(ctx)
	if err != nil {
		return err
	}
	if _, protected := catalog.Protection(env); protected { // the key was changed since it was asked
		return hintedError{fmt.Errorf("%s is protected, and nobody was asked", env), "try it again: keywright rotate resume"}
	}
	return nil
}
