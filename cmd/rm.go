package cmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/keywright/keywright/audit"
	"github.com/keywright/keywright/keystore"
)

func newRm(term *terminal) *cobra.Command {
	var (
		yes    bool
		reason string
	)
	c := &cobra.Command{
		Use:   "rm ENV/NAME",
		Short: "Remove a key",
		Long: `Removes a key with all its versions. That cannot be undone, so it asks;
without a terminal it wants --yes. At its provider the key goes on to work.
`,
		Args: oneArg("the key's name"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkEmpty(c.Flags()); err != nil {
				return err
			}
			return runRm(c.Context(), term, args[0], yes, reason)
		},
	}
	c.Flags().BoolVar(&yes, "yes", false, "remove it without asking")
	addReason(c.Flags(), &reason)
	return c
}

func runRm(ctx context.Context, term *terminal, arg string, yes bool, reason string) error {
	name, err := keyName(arg)
	if err != nil {
		return err
	}
	keys, err := openKeys(term, mayAsk)
	if err != nil {
		return err
	}
	r := request{verb: "rm", env: name.Env, names: []keystore.Name{name}, what: "Remove " + name.String() + " and all its versions for good", reason: reason}
	asked, err := keys.permit(ctx, r)
	if err != nil {
		return err
	}
	if !asked && !yes {
		yes, err = term.askYes(ctx, r.what+"?")
		switch {
		case errors.Is(err, errNobody):
			return usageError{err, "to remove it without asking: keywright rm --yes " + name.String()}
		case err != nil:
			return err
		case !yes:
			keys.refuse(ctx, r, "declined")
			fmt.Fprintln(term.err, "keywright: not removed")
			return outcome(exitFailed)
		}
	}
	if err := keys.record(ctx, "rm", audit.Granted, name); err != nil {
		return err
	}
	if err := keys.Remove(ctx, actor(), name); err != nil {
		return err
	}
	fmt.Fprintf(term.err, "keywright: removed %s\n", name)
	return nil
}

func newMv(term *terminal) *cobra.Command {
	var i insistence
	c := &cobra.Command{
		Use:   "mv ENV/NAME ENV/NAME",
		Short: "Rename a key",
		Long:  "Gives a key another name, or moves it to another environment, with all its\nversions.\n",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 2 {
				return nil
			}
			return usagef("for example: keywright mv dev/OLD dev/NEW", "%s takes the old and the new name, got %d arguments", c.CommandPath(), len(args))
		},
		RunE: func(c *cobra.Command, args []string) error { return runMv(c.Context(), term, i, args[0], args[1]) },
	}
	i.addFlags(c.Flags())
	return c
}

func runMv(ctx context.Context, term *terminal, i insistence, from, to string) error {
	if err := i.check(); err != nil {
		return err
	}
	old, err := keyName(from)
	if err != nil {
		return err
	}
	next, err := keyName(to)
	if err != nil {
		return err
	}
	keys, err := openKeys(term, mayAsk)
	if err != nil {
		return err
	}
	r := request{verb: "mv", env: old.Env, names: []keystore.Name{old}, what: "Move " + old.String() + " to " + next.String(), reason: i.reason}
	if _, err := keys.permit(ctx, r); err != nil {
		return err
	}
	if err := keys.fitsElsewhere(ctx, old, next, i); err != nil {
		return err
	}
	if err := keys.record(ctx, "mv", audit.Granted, old, next); err != nil {
		return err
	}
	if err := keys.Move(ctx, actor(), old, next); err != nil {
		return err
	}
	fmt.Fprintf(term.err, "keywright: %s is now %s\n", old, next)
	return nil
}

// fitsElsewhere refuses a move into an environment that one of the key's versions says it
// does not belong into.
func (k *keyring) fitsElsewhere(ctx context.Context, from, to keystore.Name, i insistence) error {
	if keystore.RealmOf(from.Env) == keystore.RealmOf(to.Env) {
		return nil
	}
	for _, stage := range []keystore.Stage{keystore.Current, keystore.Pending, keystore.Previous} {
		parts, key, err := k.Get(ctx, from, stage)
		switch {
		case errors.Is(err, keystore.ErrNoVersion):
			continue
		case err != nil:
			return err
		}
		moved := *key
		moved.Name = to
		err = k.fits(ctx, "mv", &moved, parts, i)
		parts.Wipe()
		if err != nil {
			return err
		}
	}
	return nil
}
