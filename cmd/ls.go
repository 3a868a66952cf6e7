package cmd

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
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
	complete(c, "format", textOrJSON)
	return c
}

// listed is a key as ls prints it for programs.
type listed struct {
	Name        string            `json:"name"`
	Parts       []string          `json:"parts"`
	Version     int               `json:"version"`
	Provider    string            `json:"provider,omitempty"`
	Params      map[string]string `json:"params,omitempty"`
	Admin       string            `json:"admin,omitempty"`
	Consumers   []string          `json:"consumers,omitempty"`
	Owner       string            `json:"owner,omitempty"`
	Description string            `json:"description,omitempty"`
	Use         keystore.Use      `json:"use,omitempty"`
	Forbidden   []string          `json:"forbidden,omitempty"`
	RequireIPs  bool              `json:"require_ip_list,omitempty"`
	Created     time.Time         `json:"created"` // of the current version
	Expires     time.Time         `json:"expires,omitzero"`
}

// listing is what ls prints for programs.
type listing struct {
	Authenticated bool     `json:"authenticated"`
	Keys          []listed `json:"keys"`
}

func runLs(ctx context.Context, term *terminal, format string, args []string) error {
	env, err := envArg(args)
	if err != nil {
		return err
	}
	if err := checkFormat(format); err != nil {
		return err
	}
	keys, err := openKeys(term, neverAsk)
	if err != nil {
		return err
	}
	catalog, authenticated, err := lookAtKeys(ctx, keys, env)
	if err != nil {
		return err
	}
	out := listing{authenticated, []listed{}}
	for i := range catalog.Keys {
		out.Keys = append(out.Keys, listedOf(&catalog.Keys[i]))
	}
	if format == "json" {
		e := json.NewEncoder(term.out)
		e.SetIndent("", "  ")
		return e.Encode(out)
	}
	return printKeys(term, out, env)
}

// envArg is the environment that was given; empty for all.
func envArg(args []string) (string, error) {
	if len(args) == 0 {
		return "", nil
	}
	if err := keystore.ValidEnv(args[0]); err != nil {
		return "", usageError{err, "for example: prod"}
	}
	return args[0], nil
}

// lookAtKeys reads the metadata of the keys of an environment, or of all. If the backend
// does not answer, it says so, and the metadata is not authenticated.
func lookAtKeys(ctx context.Context, keys *keyring, env string) (c *keystore.Catalog, authenticated bool, err error) {
	c, err = keys.Catalog(ctx)
	authenticated = err == nil
	if trouble := (*keystore.BackendError)(nil); errors.As(err, &trouble) {
		fmt.Fprintf(keys.term.err, "keywright: not authenticated: %s %s\n", escaped(trouble.Backend), trouble.Trouble)
		c, err = keys.Glance()
	}
	if err != nil {
		return nil, false, err
	}
	only(c, env)
	return c, authenticated, nil
}

// only takes out of a catalog what is not of an environment; nothing if it is empty.
func only(c *keystore.Catalog, env string) {
	if env == "" {
		return
	}
	c.Keys = slices.DeleteFunc(c.Keys, func(k keystore.Key) bool { return k.Env != env })
	c.Protected = slices.DeleteFunc(c.Protected, func(p keystore.Protection) bool { return p.Env != env })
}

func textOrJSON() []string { return []string{"text", "json"} }

func checkFormat(format string) error {
	if slices.Contains(textOrJSON(), format) {
		return nil
	}
	return usagef("the formats are text, json", "unknown format %s", quote(format))
}

// escaped makes text of the user's safe to print on one line.
func escaped(s string) string { return report.Escape(s) }

func listedOf(k *keystore.Key) listed {
	v, _ := k.Version(keystore.Current)
	return listed{k.Name.String(), k.PartNames(), v.Number, k.Provider, k.Params, k.Admin, k.Consumers, k.Owner, k.Description, k.Use, k.Forbidden, k.RequireIPs, v.Created, k.Expires}
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
	var rows [][]string
	for _, k := range l.Keys {
		notes := []string{"v" + fmt.Sprint(k.Version), ageOf(k.Created, time.Now()) + " old"}
		if !slices.Equal(k.Parts, []string{keystore.SinglePart}) {
			notes = append(notes, strings.Join(k.Parts, ","))
		}
		if !k.Expires.IsZero() {
			notes = append(notes, "expires "+k.Expires.Format(time.DateOnly))
		}
		if k.Use == keystore.Run {
			notes = append(notes, "for run alone")
		}
		rows = append(rows, []string{k.Name, escaped(k.Provider), strings.Join(notes, ", ")})
	}
	return term.printNamed(rows)
}

// printNamed prints rows that begin with the name of a key. A long one has a line of its
// own.
func (t *terminal) printNamed(rows [][]string) error {
	const long = 36
	var split [][]string
	for _, r := range rows {
		if len(r[0]) > long {
			split = append(split, r[:1])
			r = append([]string{""}, r[1:]...)
		}
		split = append(split, r)
	}
	return t.printWrapped("", split)
}

// ageOf is a span of time in the unit that tells most.
func ageOf(since, now time.Time) string {
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
