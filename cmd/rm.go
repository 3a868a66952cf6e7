package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keywright/keywright/audit"
	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/rotate/consumer"
)

func newRm(term *terminal) *cobra.Command {
	var (
		yes bool
		i   insistence
	)
	c := &cobra.Command{
		Use:   "rm ENV/NAME",
		Short: "Remove a key",
		Long: `Removes a key with all its versions. That cannot be undone, so it asks;
without a terminal it wants --yes. At its provider the key goes on to work.

Keys that are changed or delivered with it are named before it asks: without it
they cannot be replaced. Where nobody is asked, that wants --force, too.
`,
		Args: oneArg("the key's name"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := cmp.Or(checkEmpty(c.Flags()), i.check()); err != nil {
				return err
			}
			return runRm(c.Context(), term, args[0], yes, i)
		},
	}
	c.Flags().SortFlags = false
	c.Flags().BoolVar(&yes, "yes", false, "remove it without asking")
	i.addFlagsFor(c.Flags(), "also if other keys cannot be replaced without it")
	return c
}

func runRm(ctx context.Context, term *terminal, arg string, yes bool, i insistence) error {
	name, err := keyName(arg)
	if err != nil {
		return err
	}
	keys, err := openKeys(term, mayAsk)
	if err != nil {
		return err
	}
	catalog, err := keys.Catalog(ctx)
	if err != nil {
		return err
	}
	key, ok := catalog.Find(name)
	if !ok {
		return &keystore.KeyError{Doing: "remove", Name: name, Err: keystore.ErrNoKey}
	}
	r := request{verb: "rm", env: name.Env, names: []keystore.Name{name}, what: "Remove " + name.String() + " and all its versions for good", reason: i.reason}
	insist := "--yes " + name.String()
	needed := catalog.Dependents(name, consumer.Auth)
	if len(needed) > 0 {
		insist = "--yes --force --reason TEXT " + name.String()
	}
	if _, protected := catalog.Protection(name.Env); len(needed) > 0 && yes && !i.force && !protected { // nobody would be asked
		keys.refuse(ctx, r, "needed by "+namesOfDependents(needed))
		return stillNeeded(name, needed, insist)
	}
	for _, d := range needed {
		fmt.Fprintln(term.err, "keywright:", escaped(d.Text()))
	}
	asked, err := keys.permit(ctx, r)
	if err != nil {
		return err
	}
	if !asked && !yes {
		yes, err = term.askYes(ctx, r.what+"?")
		switch {
		case errors.Is(err, errNobody):
			return usageError{err, "to remove it without asking: keywright rm " + insist}
		case err != nil:
			return err
		case !yes:
			keys.refuse(ctx, r, "declined")
			fmt.Fprintln(term.err, "keywright: not removed")
			return outcome(exitFailed)
		}
	}
	if i.force && len(needed) > 0 {
		keys.reason = "forced (needed by " + namesOfDependents(needed) + "): " + keys.reason
	}
	remove := func() error { return keys.Remove(ctx, actor(), name) }
	if err := keys.do(ctx, remove, use("rm", key, keystore.Current)); err != nil {
		return err
	}
	fmt.Fprintf(term.err, "keywright: removed %s\n", name)
	return nil
}

// stillNeeded refuses to remove a key that others cannot be replaced without.
func stillNeeded(name keystore.Name, by []keystore.Dependent, insist string) error {
	var texts []string
	for _, d := range by {
		texts = append(texts, d.Text())
	}
	return usagef("name another for each first: keywright edit, with --admin or --consumer\nto remove it all the same: keywright rm "+insist, "remove %s: %s", name, strings.Join(texts, "; "))
}

func namesOfDependents(list []keystore.Dependent) string {
	var names []keystore.Name
	for _, d := range list {
		names = append(names, d.Name)
	}
	return listOf(slices.Compact(names))
}

func newMv(term *terminal) *cobra.Command {
	var i insistence
	c := &cobra.Command{
		Use:   "mv ENV/NAME ENV/NAME",
		Short: "Rename a key",
		Long:  "Gives a key another name, or moves it to another environment, with all its\nversions. Keys that are changed or delivered with it know it by the new name.\n",
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
	key, err := keys.findMovable(ctx, old, next)
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
	left := use("mv", key, keystore.Current)
	came := entryFor("mv", audit.Granted, next)
	came.Version = left.Version
	move := func() error { return keys.Move(ctx, actor(), old, next) }
	if err := keys.do(ctx, move, left, came); err != nil {
		return err
	}
	fmt.Fprintf(term.err, "keywright: %s is now %s\n", old, next)
	return nil
}

// findMovable is what is known of a key that may have another name.
func (k *keyring) findMovable(ctx context.Context, from, to keystore.Name) (*keystore.Key, error) {
	catalog, err := k.Catalog(ctx)
	if err != nil {
		return nil, err
	}
	key, ok := catalog.Find(from)
	if !ok {
		return nil, &keystore.KeyError{Doing: "move", Name: from, Err: keystore.ErrNoKey}
	}
	if _, taken := catalog.Find(to); taken {
		return nil, &keystore.KeyError{Doing: "move", Name: from, Err: fmt.Errorf("%w: %s", keystore.ErrExists, to)}
	}
	return key, nil
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
