package cmd

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/scan/report"
)

const lsLong = `Lists the keys that are stored, of one environment or of all. Values are never
shown. Where the keychain is locked or absent the list comes from the metadata
alone and says so.
`

func newLs(term *terminal) *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "ls [ENV]",
		Short: "List keys",
		Long:  lsLong,
		Args:  atMostOneArg("an environment"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkEmpty(c.Flags()); err != nil {
				return err
			}
			return runLs(c.Context(), term, format, args)
		},
	}
	c.Flags().StringVar(&format, "format", "text", "`FORMAT` is text or json")
	complete(c, "format", func() []string { return []string{"text", "json"} })
	return c
}

// listed is a key as ls prints it for programs.
type listed struct {
	Name        string    `json:"name"`
	Parts       []string  `json:"parts"`
	Version     int       `json:"version"`
	Provider    string    `json:"provider,omitempty"`
	Owner       string    `json:"owner,omitempty"`
	Description string    `json:"description,omitempty"`
	Created     time.Time `json:"created"` // of the current version
	Expires     time.Time `json:"expires,omitzero"`
}

// listing is what ls prints for programs.
type listing struct {
	Authenticated bool     `json:"authenticated"`
	Keys          []listed `json:"keys"`
}

func runLs(ctx context.Context, term *terminal, format string, args []string) error {
	env := ""
	if len(args) == 1 {
		if env = args[0]; keystore.ValidEnv(env) != nil {
			return usageError{keystore.ValidEnv(env), "for example: keywright ls prod"}
		}
	}
	store, err := openStore(term, neverAsk)
	if err != nil {
		return err
	}
	catalog, err := store.Catalog(ctx)
	authenticated := err == nil
	if _, backend := keystore.TroubleOf(err); backend {
		fmt.Fprintln(term.err, "keywright: not authenticated:", report.Escape(err.Error()))
		catalog, err = store.Glance()
	}
	if err != nil {
		return err
	}
	out := listing{authenticated, []listed{}}
	for i := range catalog.Keys {
		if k := &catalog.Keys[i]; env == "" || k.Env == env {
			out.Keys = append(out.Keys, listedOf(k))
		}
	}
	switch format {
	case "json":
		e := json.NewEncoder(term.out)
		e.SetIndent("", "  ")
		return e.Encode(out)
	case "text":
		return printKeys(term, out, env)
	}
	return usagef("the formats are text, json", "unknown format %s", quote(format))
}

func listedOf(k *keystore.Key) listed {
	v, _ := k.Version(keystore.Current)
	return listed{k.Name.String(), k.PartNames(), v.Number, k.Provider, k.Owner, k.Description, v.Created, k.Expires}
}

func printKeys(term *terminal, l listing, env string) error {
	if len(l.Keys) == 0 {
		where := ""
		if env != "" {
			where = " in " + env
		}
		fmt.Fprintf(term.err, "keywright: no keys%s; to store one: keywright set %s/NAME\n", where, cmp.Or(env, "dev"))
		return nil
	}
	w := tabwriter.NewWriter(term.out, 0, 0, 2, ' ', 0)
	for _, k := range l.Keys {
		notes := []string{"v" + fmt.Sprint(k.Version), age(k.Created, time.Now()) + " old"}
		if !slices.Equal(k.Parts, []string{keystore.SinglePart}) {
			notes = append(notes, strings.Join(k.Parts, ","))
		}
		if !k.Expires.IsZero() {
			notes = append(notes, "expires "+k.Expires.Format(time.DateOnly))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", k.Name, report.Escape(k.Provider), strings.Join(notes, ", "))
	}
	return w.Flush()
}

// age is a span of time in the unit that tells most.
func age(since, now time.Time) string {
	switch d := now.Sub(since); {
	case d < time.Hour:
		return fmt.Sprintf("%d min", max(0, int(d.Minutes())))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d d", int(d.Hours()/24))
	}
}

func atMostOneArg(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) <= 1 {
			return nil
		}
		return usagef("see '"+c.CommandPath()+" --help'", "%s takes at most one argument, %s; got %d", c.CommandPath(), what, len(args))
	}
}
