package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/rotate"
)

const orphansLong = `Lists keys that were issued at providers for keys here, and that belong to
nothing: no key and no open rotation has them. They are left of a rotation that
could not clean up, or whose journal is lost. It ends with 1 if there are any.

With --delete those of one key are deleted there, each after a yes, or only the
one whose ID is given. That cannot be undone. What is in use is never deleted,
nor what a rotation that is open has made. A key's label says which installation
of keywright issued it: what others issued is listed apart, and is never deleted
from here.
`

const orphansExample = `  keywright rotate orphans
  keywright rotate orphans prod/AWS --delete`

func newRotateOrphans(term *terminal) *cobra.Command {
	var end bool
	c := &cobra.Command{
		Use:     "orphans [ENV/NAME [ID]]",
		Short:   "List keys that were issued at providers and belong to nothing",
		Long:    orphansLong,
		Example: orphansExample,
		Args:    cobra.MaximumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case end && len(args) == 0:
				return usagef("for example: keywright rotate orphans prod/AWS --delete", "--delete is for the orphans of one key")
			case !end && len(args) == 2:
				return usagef("to delete it: keywright rotate orphans "+args[0]+" "+args[1]+" --delete", "an ID goes with --delete")
			}
			return runOrphans(c.Context(), term, args, end)
		},
	}
	c.Flags().BoolVar(&end, "delete", false, "delete them at the provider, each after a yes")
	return c
}

// orphan is a key at a provider that belongs to nothing.
type orphan struct {
	of keystore.Name
	at provider.Info
	provider.Listed
	kept bool // as the previous version: a rotation that made it was given up
}

func runOrphans(ctx context.Context, term *terminal, args []string, end bool) error {
	keys, engine, err := openEngine(ctx, term)
	if err != nil {
		return err
	}
	catalog, err := keys.Catalog(ctx)
	if err != nil {
		return err
	}
	asked, err := listers(catalog, engine, args)
	if err != nil {
		return err
	}
	doing := "Look for orphans of"
	if end {
		doing = "Delete orphans of"
	}
	given, err := keys.permitReplacing(ctx, doing, "", asked)
	if err != nil {
		return err
	}
	for _, env := range slices.Sorted(maps.Keys(given)) {
		conclude(term, given[env].err)
	}
	orphans, others, unread, err := keys.orphans(ctx, engine, catalog, asked, given)
	switch {
	case err != nil:
		return err
	case end:
		return keys.endOrphans(ctx, engine, orphans, others, args, unread)
	}
	if len(orphans)+unread == 0 {
		fmt.Fprintln(term.out, "no orphan is there")
	}
	if err := listOrphans(term, engine.Origin, orphans, others, time.Now()); err != nil {
		return err
	}
	switch {
	case len(orphans) > 0:
		return outcome(exitFindings)
	case unread > 0:
		return outcome(exitIncomplete)
	}
	return nil
}

// listers are the keys whose providers list what they issued: all, or the one that is named.
func listers(catalog *keystore.Catalog, engine *rotate.Engine, args []string) (asked []replaced, err error) {
	if len(args) == 0 {
		for i := range catalog.Keys {
			if lists(engine, &catalog.Keys[i]) {
				asked = append(asked, planning(catalog, catalog.Keys[i].Name))
			}
		}
		return asked, nil
	}
	name, err := keyName(args[0])
	if err != nil {
		return nil, err
	}
	key, ok := catalog.Find(name)
	switch {
	case !ok:
		return nil, &keystore.KeyError{Doing: "look for orphans of", Name: name, Err: keystore.ErrNoKey}
	case !lists(engine, key):
		return nil, hintedError{fmt.Errorf("look for orphans of %s: its provider lists no keys", name), "'keywright providers' says which do"}
	}
	return []replaced{planning(catalog, name)}, nil
}

// orphans asks providers, of which some are not read: that is said. Others are what other
// installations issued.
func (k *keyring) orphans(ctx context.Context, engine *rotate.Engine, catalog *keystore.Catalog, asked []replaced, given permissions) (all, others []orphan, unread int, err error) {
	known, err := rotor{k}.journals(ctx)
	if err != nil {
		return nil, nil, 0, err
	}
	for _, r := range asked {
		if given.refused(r) != nil {
			fmt.Fprintln(k.term.err, "keywright: not looked for: orphans of", r.key)
			unread++
			continue
		}
		if err := k.recordPlan(ctx, r.key); err != nil {
			return nil, nil, 0, err
		}
		found, theirs, err := engine.Orphans(ctx, r.key.String(), known)
		if err != nil {
			fmt.Fprintln(k.term.err, "keywright: not looked for:", escaped(err.Error()))
			unread++
		}
		key, _ := catalog.Find(r.key)
		p, _ := engine.Provider(key.Provider)
		for _, l := range found {
			if !slices.ContainsFunc(catalog.Keys, func(k keystore.Key) bool { return k.Provider == key.Provider && k.PublicID == l.ID }) {
				kept := slices.ContainsFunc(known, func(j *rotate.Journal) bool { return j.Result == rotate.GivenUp && j.NewID == l.ID })
				all = append(all, orphan{r.key, p.Info(), l, kept})
			}
		}
		for _, l := range theirs {
			others = append(others, orphan{r.key, p.Info(), l, false})
		}
	}
	return all, others, unread, nil
}

// notTold stands for a time that a provider does not tell.
const notTold = "not told"

func listOrphans(term *terminal, here string, orphans, others []orphan, now time.Time) error {
	table := func(title string, all []orphan) error {
		rows := [][]string{{title, "AGE", "LAST USED", "LABEL", "ID"}}
		for _, o := range all {
			age, used := notTold, notTold
			if !o.Created.IsZero() {
				age = ageOf(o.Created, now)
			}
			if !o.LastUsed.IsZero() {
				used = ageOf(o.LastUsed, now) + " ago"
			}
			rows = append(rows, []string{o.of.String(), age, used, escaped(o.Label), escaped(o.ID)})
		}
		return term.printWrapped("", rows)
	}
	if len(orphans) > 0 {
		if err := table("ORPHAN OF", orphans); err != nil {
			return err
		}
		fmt.Fprintln(term.out)
		var how []string
		for _, o := range orphans {
			if h := "keywright rotate orphans " + o.of.String() + " --delete"; !slices.Contains(how, h) {
				how = append(how, h)
				fmt.Fprintln(term.out, "→", h)
			}
		}
	}
	if len(others) == 0 {
		return nil
	}
	fmt.Fprintln(term.out)
	term.print("", "Issued by other installations than this one, "+here+", which know whether it is in use:")
	return table("BESIDE", others)
}

// question asks whether an orphan is to go.
func (o orphan) question(now time.Time) string {
	told := func(at time.Time) string {
		if at.IsZero() {
			return notTold
		}
		return moment(at) + ", " + ageOf(at, now) + " ago"
	}
	note := ""
	if l, ok := provider.ParseLineage(o.Label); ok && l.Installation == "" {
		note = " Its label does not say which installation of keywright issued it: it may be another's."
	}
	if o.kept {
		note += " It is the previous version of " + o.of.String() + ", which some places may have."
	}
	return fmt.Sprintf("%s %q at %s, made: %s; last used: %s.%s Whatever uses it stops working, for good. Delete it?", o.ID, o.Label, o.at.Title, told(o.Created), told(o.LastUsed), note)
}

// endOrphans deletes the orphan that is named, or all, each after a yes.
func (k *keyring) endOrphans(ctx context.Context, engine *rotate.Engine, all, others []orphan, args []string, unread int) error {
	name := args[0]
	if unread > 0 { // it was said why
		return outcome(exitFailed)
	}
	if len(args) > 1 {
		all = slices.DeleteFunc(all, func(o orphan) bool { return o.ID != args[1] })
		if i := slices.IndexFunc(others, func(o orphan) bool { return o.ID == args[1] }); len(all) == 0 && i >= 0 {
			l, _ := provider.ParseLineage(others[i].Label)
			return hintedError{fmt.Errorf("%s was issued by another installation, %s, in its rotation %s", quote(args[1]), l.Installation, l.Rotation), "it is deleted from there, or by hand: " + cmp.Or(others[i].at.Page, "at "+others[i].at.Title)}
		}
		if len(all) == 0 {
			return hintedError{fmt.Errorf("%s is no orphan of %s", quote(args[1]), name), "they are named by: keywright rotate orphans " + name}
		}
	}
	if len(all) == 0 {
		fmt.Fprintln(k.term.out, "no orphan is there")
		return nil
	}
	left := 0
	for _, o := range all {
		question := o.question(time.Now())
		yes, err := k.term.askYes(ctx, hang("", "", escaped(question), k.term.columns()-len(" [y/N] y")))
		switch {
		case errors.Is(err, errNobody):
			return hintedError{fmt.Errorf("%w: %s", err, question), "at a terminal: keywright rotate orphans " + name + " --delete"}
		case err != nil:
			return err
		case !yes:
			left++
			continue
		}
		if err := k.endOrphan(ctx, engine, o); err != nil {
			return err
		}
		fmt.Fprintln(k.term.out, "deleted", escaped(o.ID))
	}
	if left > 0 {
		return outcome(exitFindings)
	}
	return nil
}

// endOrphan deletes an orphan, if it is still one: of the keys and the rotations as they
// are now.
func (k *keyring) endOrphan(ctx context.Context, engine *rotate.Engine, o orphan) error {
	known, err := rotor{k}.journals(ctx)
	if err != nil {
		return err
	}
	err = engine.EndOrphan(ctx, o.of.String(), o.ID, known)
	failed := (*provider.Error)(nil)
	switch {
	case errors.Is(err, rotate.ErrKept):
		return hintedError{err, "by hand: " + o.at.Page}
	case errors.Is(err, rotate.ErrWhich):
		return hintedError{err, "say which, when no rotation of it is open: keywright edit " + o.of.String() + " --public-id ID"}
	case errors.As(err, &failed):
		return hintedError{err, cmp.Or(failed.Hint, "what is left: keywright rotate orphans "+o.of.String())}
	}
	return err
}
