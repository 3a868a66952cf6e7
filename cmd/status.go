package cmd

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/keywright/keywright/keystore"
)

// statusOptions are the flags of status, as they were typed.
type statusOptions struct {
	within string
	fail   bool
	format string
}

const statusLong = `Says which keys need attention: those that have expired or will soon, and
those that are older than they are meant to become. Values are neither shown
nor asked for.
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
	When    time.Time        `json:"when"`
	Owner   string           `json:"owner,omitempty"`
}

// statusReport is what status prints for programs.
type statusReport struct {
	Authenticated bool     `json:"authenticated"`
	Keys          int      `json:"keys"`
	Due           []dueKey `json:"due"`
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
	if o.format == "json" {
		r := statusReport{authenticated, len(catalog.Keys), []dueKey{}}
		for _, d := range due {
			r.Due = append(r.Due, dueKey{d.Key.Name.String(), d.Concern, d.When, d.Key.Owner})
		}
		e := json.NewEncoder(term.out)
		e.SetIndent("", "  ")
		err = e.Encode(r)
	} else {
		err = printDue(term, due, len(catalog.Keys), now)
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

func printDue(term *terminal, due []keystore.Due, keys int, now time.Time) error {
	w := tabwriter.NewWriter(term.out, 0, 0, 2, ' ', 0)
	for _, d := range due {
		fmt.Fprintf(w, "%s\t%s\t%s\n", d.Key.Name, d.Text(now), escaped(d.Key.Owner))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(due) > 0 {
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
