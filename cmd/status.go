package cmd

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/rotate/consumer"
)

// statusOptions are the flags of status, as they were typed.
type statusOptions struct {
	within  string
	project bool
	fail    bool
	format  string
}

const statusLong = `Says which keys need attention: those that a scan met somewhere (first those
in a commit that is on a remote branch, as of the last fetch), that have
expired or will soon, that are older than they are meant to become or than
their provider allows, those whose secret is that of another environment, too,
and those that are changed or delivered with a key that is not there. Notes
follow on keys that were never used through keywright, and on parts that scans
do not look for. It says which environments are protected, and which of these
are unlocked. Values are neither shown nor asked for. In a
project, its .keywright.toml may set an age that its keys may have, and owners.

With --project it speaks of the keys that the project declares alone, and says
which of them are not there, and how to store them.
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
	f.BoolVar(&o.project, "project", false, "what the project here lacks")
	f.BoolVar(&o.fail, "fail", false, "exit 1 if a key needs attention, or is lacking")
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
	Pushed  bool             `json:"pushed,omitempty"` // leaked: on a remote branch as of the last fetch
	Owner   string           `json:"owner,omitempty"`
}

// protectedEnv is a protected environment, as status prints it for programs.
type protectedEnv struct {
	Name   string    `json:"name"`
	Until  time.Time `json:"unlocked_until,omitzero"`
	Reason string    `json:"reason,omitempty"`
}

// protectedOf lists the protected environments, with unlocks that are in force.
func protectedOf(c *keystore.Catalog, now time.Time) (list []protectedEnv) {
	for i := range c.Protected {
		p := &c.Protected[i]
		e := protectedEnv{Name: p.Env}
		if p.Unlocked(now) {
			e.Until, e.Reason = p.Unlock.Until, p.Unlock.Reason
		}
		list = append(list, e)
	}
	return list
}

// statusReport is what status prints for programs.
type statusReport struct {
	Authenticated bool     `json:"authenticated"`
	Keys          int      `json:"keys"`
	Due           []dueKey `json:"due"`
	Notes         []dueKey `json:"notes"`

	Protected []protectedEnv `json:"protected,omitempty"`

	Project *projectReport `json:"project,omitempty"`
}

// projectReport is what status says of a project.
type projectReport struct {
	File  string    `json:"file"`
	Needs int       `json:"needs"`
	Lacks []lackKey `json:"lacks"`
}

// lackKey is a key that a project lacks.
type lackKey struct {
	Name  string `json:"name"`
	Why   string `json:"why"`
	Owner string `json:"owner,omitempty"`
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
	project, err := findProject()
	switch {
	case err != nil:
		return err
	case project == nil && o.project:
		return usagef("a project declares the keys that it needs in [project] of its .keywright.toml", "there is no project here")
	}
	keys, err := openKeys(term, neverAsk)
	if err != nil {
		return err
	}
	catalog, authenticated, err := lookAtKeys(ctx, keys, "")
	if err != nil {
		return err
	}
	stranded := catalog.Stranded(consumer.Auth) // what they need may be in any environment
	only(catalog, env)
	r := statusReport{Authenticated: authenticated}
	var lacks []keystore.Lack
	if project != nil {
		catalog.Require(project.needs)
	}
	if o.project {
		r.Project, lacks = project.status(catalog, env)
	}
	now := time.Now()
	r.Protected = protectedOf(catalog, now)
	due := catalog.Due(now, time.Duration(within)*24*time.Hour)
	r.Keys = len(catalog.Keys)
	if o.fail && env != "" && r.Keys == 0 && !o.project { // a slip would pass for ever
		return usagef("'keywright ls' names the keys there are", "there is no key in %s", env)
	}
	var notes []keystore.Due
	if authenticated {
		var shared []keystore.Due
		if shared, notes, err = comparison(ctx, keys, catalog, now); err != nil {
			return err
		}
		due = append(due, shared...)
	}
	for i := range catalog.Keys {
		for _, need := range stranded[catalog.Keys[i].Name] {
			due = append(due, keystore.Due{Key: &catalog.Keys[i], Concern: keystore.Stranded, Where: need})
		}
	}
	r.Due, r.Notes = dueKeys(due), dueKeys(notes)
	if o.format == "json" {
		e := json.NewEncoder(term.out)
		e.SetIndent("", "  ")
		err = e.Encode(r)
	} else {
		printProtected(term, r.Protected)
		err = printStatus(term, r, slices.Concat(due, notes), lacks, now)
	}
	switch {
	case err != nil || !o.fail:
		return err
	case len(due)+len(lacks) > 0:
		return outcome(exitFindings)
	case !authenticated: // nobody can vouch for it that nothing is due
		return outcome(exitIncomplete)
	}
	return nil
}

// status takes the keys out of the catalog that the project does not declare, in an
// environment or in all, and says which of its own are not there.
func (p *project) status(catalog *keystore.Catalog, env string) (r *projectReport, lacks []keystore.Lack) {
	needs := p.needs
	if env != "" {
		needs = p.in(env)
	}
	catalog.Keys = slices.DeleteFunc(catalog.Keys, func(k keystore.Key) bool {
		return !slices.ContainsFunc(needs, func(n keystore.Need) bool { return n.Name == k.Name })
	})
	lacks = catalog.Lacks(needs)
	r = &projectReport{p.file, len(needs), []lackKey{}}
	for _, l := range lacks {
		r.Lacks = append(r.Lacks, lackKey{l.Name.String(), l.Why, l.Owner})
	}
	return r, lacks
}

// printProtected says which environments are protected, and unlocked.
func printProtected(term *terminal, list []protectedEnv) {
	for _, e := range list {
		if e.Until.IsZero() {
			fmt.Fprintf(term.out, "%s is protected\n", e.Name)
			continue
		}
		term.print(e.Name+" ", fmt.Sprintf("is protected, and unlocked until %s: %s", moment(e.Until), escaped(e.Reason)))
	}
	if len(list) > 0 {
		fmt.Fprintln(term.out)
	}
}

func printStatus(term *terminal, r statusReport, due []keystore.Due, lacks []keystore.Lack, now time.Time) error {
	var rows [][]string
	for _, l := range lacks {
		rows = append(rows, []string{l.Name.String(), escaped(l.Owner), escaped(l.Why)})
	}
	for _, d := range due {
		rows = append(rows, []string{d.Key.Name.String(), escaped(d.Key.Owner), escaped(d.Text(now))})
	}
	if !slices.ContainsFunc(rows, func(r []string) bool { return r[1] != "" }) {
		for i, r := range rows {
			rows[i] = []string{r[0], r[2]}
		}
	}
	if err := term.printNamed(rows); err != nil {
		return err
	}
	if len(due)+len(lacks) > 0 {
		fmt.Fprintln(term.out)
	}
	for _, l := range lacks {
		if l.Absent {
			fmt.Fprintln(term.out, "→", howToStore(l.Need))
		}
	}
	summary := fmt.Sprintf("%s; %s", plural(r.Keys, "key"), attention(len(r.Due)))
	if r.Project != nil {
		summary += fmt.Sprintf("; the project needs %d, and lacks %d", r.Project.Needs, len(lacks))
	}
	_, err := fmt.Fprintln(term.out, summary)
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
