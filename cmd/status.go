package cmd

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/keywright/keywright/audit"
	"github.com/keywright/keywright/keystore"
)

// statusOptions are the flags of status, as they were typed.
type statusOptions struct {
	within string
	fail   bool
	format string
}

const statusLong = `Says which keys need attention: those that a scan met somewhere, that have
expired or will soon, that are older than they are meant to become or than
their provider allows, and those whose secret is that of another environment,
too. Notes follow on keys that were never used through keywright, and on parts
that scans do not look for. Values are neither shown nor asked for.
`

func newStatus(term *terminal) *cobra.Command {
	var o statusOptions
	c := &cobra.Command{
		Use:     "status [ENV]",
		Short:   "Say which keys need attention",
		Long:    statusLong,
		Example: "  keywright status --within 30d\n  keywright status prod --fail      in CI: exit 1 if something is due",
		Args:    atMostOneArg("an environment"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkEmpty(c.Flags()); err != nil {
				return err
			}
			return runStatus(c.Context(), term, o, args)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.within, "within", "14d", "`DAYS` before its expiry a key is named")
	f.BoolVar(&o.fail, "fail", false, "exit 1 if a key needs attention")
	f.StringVar(&o.format, "format", "text", "`FORMAT` is text or json")
	complete(c, "format", textOrJSON)
	return c
}

// dueKey is a key that needs attention, as status prints it for programs.
type dueKey struct {
	Name    string           `json:"name"`
	Concern keystore.Concern `json:"concern"`
	When    time.Time        `json:"when,omitzero"`
	Where   string           `json:"where,omitempty"`
	Owner   string           `json:"owner,omitempty"`
}

// statusReport is what status prints for programs.
type statusReport struct {
	Authenticated bool     `json:"authenticated"`
	Keys          int      `json:"keys"`
	Due           []dueKey `json:"due"`
	Notes         []dueKey `json:"notes"`
}

func dueKeys(list []keystore.Due) []dueKey {
	out := []dueKey{}
	for _, d := range list {
		out = append(out, dueKey{d.Key.Name.String(), d.Concern, d.When, d.Where, d.Key.Owner})
	}
	return out
}

func runStatus(ctx context.Context, term *terminal, o statusOptions, args []string) error {
	env, err := envArg(args)
	if err != nil {
		return err
	}
	within, err := parseDays("--within", o.within)
	if err != nil {
		return err
	}
	if err := checkFormat(o.format); err != nil {
		return err
	}
	catalog, authenticated, err := lookAtKeys(ctx, term, env)
	if err != nil {
		return err
	}
	now := time.Now()
	due := catalog.Due(now, time.Duration(within)*24*time.Hour)
	var notes []keystore.Due
	if authenticated {
		var shared []keystore.Due
		if shared, notes, err = comparison(ctx, term, catalog, now); err != nil {
			return err
		}
		due = append(due, shared...)
	}
	if o.format == "json" {
		e := json.NewEncoder(term.out)
		e.SetIndent("", "  ")
		err = e.Encode(statusReport{authenticated, len(catalog.Keys), dueKeys(due), dueKeys(notes)})
	} else {
		err = printDue(term, due, notes, len(catalog.Keys), now)
	}
	switch {
	case err != nil || !o.fail:
		return err
	case len(due) > 0:
		return outcome(exitFindings)
	case !authenticated: // nobody can vouch for it that nothing is due
		return outcome(exitIncomplete)
	}
	return nil
}

// newKey is how old a key is at least when it is said that it was never used.
const newKey = 7 * 24 * time.Hour

// comparison is what is to be said of keys beside their dates: secrets that another
// environment has, too; and notes on those that were never used, or that scans do not
// look for.
func comparison(ctx context.Context, term *terminal, catalog *keystore.Catalog, now time.Time) (shared, notes []keystore.Due, err error) {
	keys, err := openKeys(term, neverAsk)
	if err != nil {
		return nil, nil, err
	}
	f, err := keys.Findable(ctx)
	if err != nil {
		return nil, nil, err
	}
	same, weak, used := f.Shared(), f.Weak(), map[string]bool{}
	for e, err := range keys.log.Entries(ctx, audit.Filter{Decision: audit.Granted}) {
		if err == nil && slices.Contains([]string{"get", "run", "export"}, e.Verb) {
			used[e.Key] = true
		}
	}
	for i := range catalog.Keys {
		k := &catalog.Keys[i]
		if others := same[k.Name]; others != nil {
			shared = append(shared, keystore.Due{Key: k, Concern: keystore.Shared, Where: listOf(others)})
		}
		if !used[k.Name.String()] && now.Sub(k.Created) > newKey {
			notes = append(notes, keystore.Due{Key: k, Concern: keystore.Unused})
		}
		if parts := weak[k.Name]; parts != nil {
			notes = append(notes, keystore.Due{Key: k, Concern: keystore.Weak, Where: strings.Join(parts, ", ")})
		}
	}
	return shared, notes, nil
}

func listOf(names []keystore.Name) string {
	var words []string
	for _, n := range names {
		words = append(words, n.String())
	}
	return strings.Join(words, ", ")
}

func printDue(term *terminal, due, notes []keystore.Due, keys int, now time.Time) error {
	w := tabwriter.NewWriter(term.out, 0, 0, 2, ' ', 0)
	for _, d := range slices.Concat(due, notes) {
		fmt.Fprintf(w, "%s\t%s", d.Key.Name, escaped(d.Text(now)))
		if owner := d.Key.Owner; owner != "" {
			fmt.Fprintf(w, "\t%s", escaped(owner))
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(due)+len(notes) > 0 {
		fmt.Fprintln(term.out)
	}
	_, err := fmt.Fprintf(term.out, "%s; %s\n", plural(keys, "key"), attention(len(due)))
	return err
}

func attention(n int) string {
	if n == 0 {
		return "nothing is due"
	}
	return fmt.Sprintf("%d due", n)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
