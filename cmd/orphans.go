package cmd

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"
)

func newRotateOrphans(term *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "orphans",
		Short: "List keys that were issued at providers and belong to nothing",
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return runOrphans(c.Context(), term) },
	}
}

func runOrphans(ctx context.Context, term *terminal) error {
	keys, err := openKeys(term, mayAsk)
	if err != nil {
		return err
	}
	engine, err := keys.engine()
	if err != nil {
		return err
	}
	known, err := rotor{keys}.journals(ctx)
	if err != nil {
		return err
	}
	catalog, err := keys.Catalog(ctx)
	if err != nil {
		return err
	}
	var all []replaced
	for i := range catalog.Keys {
		if lists(engine, &catalog.Keys[i]) {
			all = append(all, planning(catalog, catalog.Keys[i].Name))
		}
	}
	given, err := keys.permitReplacing(ctx, "Look for orphans of", "", all)
	if err != nil {
		return err
	}
	for _, env := range slices.Sorted(maps.Keys(given)) {
		conclude(term, given[env].err)
	}
	var rows [][]string
	unread := 0
	for _, r := range all {
		name := r.key.String()
		if given.refused(r) != nil {
			fmt.Fprintln(term.err, "keywright: not looked for: orphans of", name)
			unread++
			continue
		}
		if err := keys.recordPlan(ctx, r.key); err != nil {
			return err
		}
		orphans, err := engine.Orphans(ctx, name, known)
		if err != nil {
			fmt.Fprintln(term.err, "keywright: not looked for:", escaped(err.Error()))
			unread++
		}
		for _, o := range orphans {
			rows = append(rows, []string{name, escaped(o.ID), escaped(o.Label), o.Created.Format(time.DateOnly)})
		}
	}
	if err := printTable(term.out, "", rows); err != nil {
		return err
	}
	switch {
	case len(rows) > 0:
		return outcome(exitFindings)
	case unread > 0:
		return outcome(exitIncomplete)
	}
	fmt.Fprintln(term.out, "no orphan is there")
	return nil
}
