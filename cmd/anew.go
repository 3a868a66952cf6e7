package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/keywright/keywright/audit"
	"github.com/keywright/keywright/keystore"
)

// runBeginAnew gives up what doctor finds beyond trust: the metadata, and with it all
// keys; the audit log; or both. The record of that comes first.
func runBeginAnew(ctx context.Context, term *terminal, yes bool) error {
	keys, err := openKeys(term, mayAsk)
	if err != nil {
		return err
	}
	wrong, err := keys.untrusted(ctx)
	if err != nil {
		return err
	}
	if wrong == (untrusted{}) {
		fmt.Fprintln(term.err, "keywright: metadata and audit log are in order: there is nothing to give up")
		return nil
	}
	for _, what := range wrong.words() {
		fmt.Fprintf(term.err, "keywright: %s\n", escaped(what))
	}
	if !yes {
		yes, err = term.askYes(ctx, wrong.question())
		switch {
		case errors.Is(err, errNobody):
			return usageError{err, "to begin anew without asking: keywright doctor --begin-anew --yes"}
		case err != nil:
			return err
		case !yes:
			fmt.Fprintln(term.err, "keywright: nothing was changed")
			return outcome(exitFailed)
		}
	}
	if wrong.file != nil {
		aside, err := keys.items.(setAsider).SetAside(ctx)
		if err != nil {
			return fmt.Errorf("begin anew: %w", err)
		}
		fmt.Fprintln(term.err, "keywright: what it held is in", quote(aside))
		if wrong, err = keys.untrusted(ctx); err != nil {
			return err
		}
	}
	r, err := keys.recordBeginning(ctx, wrong)
	if err != nil {
		return err
	}
	switch {
	case wrong.metadata != nil:
	case wrong.hashesOnly():
		fmt.Fprintln(term.err, "keywright: the hashes of the audit log were made again from its entries")
		return nil
	default:
		fmt.Fprintln(term.err, "keywright: a new audit log has begun")
		return nil
	}
	if err := keys.BeginAnew(ctx, actor()); err != nil {
		return keys.failed(ctx, r, fmt.Errorf("begin anew: %w", err))
	}
	fmt.Fprintln(term.err, "keywright: begun anew, without keys; 'keywright restore FILE' brings those of a backup back")
	return nil
}

// untrusted is what cannot be trusted any more; nil for what can.
type untrusted struct {
	file     *keystore.BackendError // then nothing is known of the others
	metadata *keystore.TamperError
	log      *audit.Fault
}

// setAsider is a backend that is a file, which can be damaged as a whole.
type setAsider interface {
	SetAside(ctx context.Context) (aside string, err error)
}

// untrusted looks for it. The error is any other trouble.
func (k *keyring) untrusted(ctx context.Context) (u untrusted, err error) {
	_, isFile := k.items.(setAsider)
	switch _, err := k.Catalog(ctx); {
	case err == nil, errors.As(err, &u.metadata):
	case isFile && errors.As(err, &u.file) && u.file.Trouble == keystore.Damaged:
		return u, nil
	default:
		return untrusted{}, err
	}
	if _, err := k.log.Verify(ctx); err != nil && !errors.As(err, &u.log) {
		return u, err
	}
	return u, nil
}

func (u untrusted) words() (all []string) {
	if u.file != nil {
		all = append(all, u.file.Error())
	}
	if u.metadata != nil {
		all = append(all, u.metadata.Error())
	}
	switch {
	case u.hashesOnly():
		all = append(all, "the audit log: "+u.log.Error())
	case u.log != nil:
		all = append(all, "the audit log cannot be trusted: "+u.log.Error())
	}
	return all
}

// hashesOnly reports whether the entries of the audit log are right, so that it can go on.
func (u untrusted) hashesOnly() bool { return u.log != nil && u.log.Kind == audit.BadHashes }

func (u untrusted) question() string {
	if u.metadata == nil && u.file == nil {
		if u.hashesOnly() {
			return "Make its hashes again from the entries?"
		}
		return "Begin a new audit log?"
	}
	return "Begin anew, without any key? What another directory keeps in this backend is given up, too."
}

// recordBeginning puts on record that something is given up: in a new log that cites the
// old one if it is that. Of a log whose hashes alone are wrong they are made again.
func (k *keyring) recordBeginning(ctx context.Context, u untrusted) (onRecord, error) {
	e := who()
	e.Verb, e.Decision, e.Reason = "begin-anew", audit.Granted, strings.Join(u.words(), "; ")
	if u.metadata != nil && u.metadata.Last != "" {
		e.Reason += "; the last metadata was sha256:" + u.metadata.Last
	}
	if u.hashesOnly() {
		if err := k.log.Rehash(ctx); err != nil {
			return onRecord{}, err
		}
		return k.write(ctx, e)
	}
	if u.log != nil {
		return onRecord{0, []audit.Entry{e}}, k.log.Restart(ctx, k.completed(e)[0])
	}
	return k.write(ctx, e)
}
