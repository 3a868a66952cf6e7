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
	catalog, err := k.Catalog(ctx)
	if err != nil {
		return false, err
	}
	k.reason = r.reason
	p, protected := catalog.Protection(r.env)
	switch {
	case !protected:
		return false, nil
	case r.unattended && p.Unlocked(time.Now()):
		k.reason = cmp.Or(k.reason, "unlocked: "+p.Unlock.Reason)
		return false, nil
	}
	k.reason, err = k.term.askReason(ctx, r)
	switch {
	case errors.Is(err, errNobody):
		k.refuse(ctx, r, "protected, and nobody to ask")
		hint := "try it at a terminal"
		if r.unattended {
			hint += "; for services: keywright unlock " + r.env + " --for 12h --reason TEXT"
		}
		return false, hintedError{fmt.Errorf("%s is protected, and %w", r.env, err), hint}
	case err != nil:
		return false, err
	case k.reason == "":
		k.refuse(ctx, r, "protected, and declined")
		return true, errDeclined
	}
	reason := k.reason
	if err := k.askCode(ctx, catalog); err != nil {
		k.refuse(ctx, r, "protected, and no right code")
		return true, err
	}
	k.reason = reason
	return true, nil
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
	k.reason = why
	entries := []audit.Entry{environmentEntry(r.verb, audit.Refused, r.env)}
	for i, n := range r.names {
		if i == 0 {
			entries = nil
		}
		entries = append(entries, entryFor(r.verb, audit.Refused, n))
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
