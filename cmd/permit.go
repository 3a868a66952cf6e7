package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/keywright/keywright/audit"
	"github.com/keywright/keywright/keystore"
)

// request is what a command is about to do with keys of an environment.
type request struct {
	verb   string
	env    string
	names  []keystore.Name // that go on record when it is refused; none for the environment
	what   string          // a question without its mark: "Remove prod/DB"
	reason string          // that was given with --reason

	unattended bool // it needs nobody while the environment is unlocked
}

func addReason(f *pflag.FlagSet, reason *string) {
	f.StringVar(reason, "reason", "", "`TEXT` that goes on record; protected environments ask")
}

// permit asks before something is done in a protected environment, and says whether it
// did. It is a confirmation: code that runs as the user can go round it. The reason goes
// on record with whatever is done from now on.
func (k *keyring) permit(ctx context.Context, r request) (asked bool, err error) {
	all, err := k.permitAll(ctx, []request{r})
	if err != nil {
		return false, err
	}
	p := all[r.env]
	k.reason = p.reason
	return p.asked, p.err
}

// permission is the answer to a request.
type permission struct {
	reason string
	asked  bool
	err    error // nil if it may be done
}

// permitAll is permit for several environments, of each of which there is one request. A
// reason is good for all of them, and so is a code of the authenticator.
func (k *keyring) permitAll(ctx context.Context, list []request) (map[string]permission, error) {
	catalog, err := k.Catalog(ctx)
	if err != nil {
		return nil, err
	}
	all, said, given := map[string]permission{}, "", []request{}
	for _, r := range list {
		reason, free := unasked(catalog, r)
		if free {
			all[r.env] = permission{reason: reason}
			continue
		}
		r.reason = cmp.Or(r.reason, said)
		p := k.confirm(ctx, r)
		if ctx.Err() != nil { // nobody wants to be asked any more
			return nil, ctx.Err()
		}
		if all[r.env] = p; p.err == nil {
			said = p.reason
			given = append(given, r)
		}
	}
	if len(given) == 0 {
		return all, nil
	}
	if err := k.askCode(ctx, catalog); err != nil {
		for _, r := range given {
			k.refuse(ctx, r, "protected, and no right code")
			all[r.env] = permission{asked: true, err: err}
		}
	}
	return all, nil
}

// unasked reports whether a request needs no answer, and the reason that goes on record.
func unasked(catalog *keystore.Catalog, r request) (reason string, free bool) {
	p, protected := catalog.Protection(r.env)
	switch {
	case !protected:
		return r.reason, true
	case r.unattended && p.Unlocked(time.Now()):
		return cmp.Or(r.reason, "unlocked: "+p.Unlock.Reason), true
	}
	return r.reason, false
}

// confirm asks for the reason of a request, or for a yes to the one that it has. What is
// refused goes on record.
func (k *keyring) confirm(ctx context.Context, r request) permission {
	reason, err := k.term.askReason(ctx, r)
	switch {
	case errors.Is(err, errNobody):
		k.refuse(ctx, r, "protected, and nobody to ask")
		hint := "try it at a terminal"
		if r.unattended {
			hint += "; for services: keywright unlock " + r.env + " --for 12h --reason TEXT"
		}
		return permission{err: hintedError{fmt.Errorf("%s is protected, and %w", r.env, err), hint}}
	case err != nil:
		return permission{err: err}
	case reason == "":
		k.refuse(ctx, r, "protected, and declined")
		return permission{asked: true, err: errDeclined}
	}
	return permission{reason: reason, asked: true}
}

var errDeclined = hintedError{errors.New("declined: nothing was done"), "a protected environment wants a reason, or a yes to the one given"}

// hidden refuses to give out a key as text that is for programs alone.
func (k *keyring) hidden(ctx context.Context, verb string, key *keystore.Key) error {
	k.refuse(ctx, request{verb: verb, env: key.Env, names: []keystore.Name{key.Name}}, "its use is "+string(key.Use))
	return hintedError{fmt.Errorf("%s is handed to programs alone", key.Name),
		fmt.Sprintf("keywright run --env %s --only %s -- PROGRAM\nto have it shown all the same: keywright edit %s --use reveal", key.Env, key.Name.Key, key.Name)}
}

// refuse puts on record that something was not done.
func (k *keyring) refuse(ctx context.Context, r request, why string) {
	entries := []audit.Entry{environmentEntry(r.verb, audit.Refused, r.env)}
	for i, n := range r.names {
		if i == 0 {
			entries = nil
		}
		entries = append(entries, entryFor(r.verb, audit.Refused, n))
	}
	for i := range entries {
		entries[i].Reason = why
	}
	if err := k.append(ctx, entries...); err != nil {
		fmt.Fprintln(k.term.err, "keywright: warning:", escaped(err.Error()))
	}
}

// askReason asks for a reason; for a yes if one was given. None is a no.
func (t *terminal) askReason(ctx context.Context, r request) (string, error) {
	question := r.env + " is protected. " + r.what + "?"
	if r.reason == "" {
		return t.askLine(ctx, question+"\nReason (empty: no): ")
	}
	yes, err := t.askYes(ctx, question)
	if !yes {
		return "", err
	}
	return r.reason, err
}
