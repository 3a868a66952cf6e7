package cmd

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keywright/keywright/audit"
	"github.com/keywright/keywright/keystore"
)

// details are the flags that say what a key is; set and edit share them.
type details struct {
	provider    string
	publicID    string
	owner       string
	description string
	expires     string
	rotateEvery string
	scopes      []string
	tags        []string
	variables   []string
}

func (d *details) addFlags(f *pflag.FlagSet) {
	f.StringVar(&d.provider, "provider", "", "`NAME` of the service that issues it")
	f.StringVar(&d.publicID, "public-id", "", "`ID` that the service calls it by")
	f.StringVar(&d.owner, "owner", "", "`WHO` is responsible for it")
	f.StringVar(&d.description, "description", "", "`TEXT` to remember it by")
	f.StringVar(&d.expires, "expires", "", "it expires in or on `WHEN`: 90d, 2027-01-31")
	f.StringVar(&d.rotateEvery, "rotate-every", "", "replace it every so many `DAYS`: 90d")
	f.StringSliceVar(&d.scopes, "scopes", nil, "what it may do, `LIST`")
	f.StringSliceVar(&d.tags, "tags", nil, "`LIST` of words to find it by")
	f.StringArrayVar(&d.variables, "variable", nil, "`PART=NAME`, a variable for a part (may be repeated)")
}

// apply is the change of a key that the flags mean.
func (d *details) apply(now time.Time) (func(*keystore.Key) error, error) {
	expires, err := parseExpiry(d.expires, now)
	if err != nil {
		return nil, err
	}
	days := 0
	if d.rotateEvery != "" {
		if days, err = parseDays("--rotate-every", d.rotateEvery); err != nil {
			return nil, err
		}
	}
	return func(k *keystore.Key) error {
		set(&k.Provider, d.provider)
		set(&k.PublicID, d.publicID)
		set(&k.Owner, d.owner)
		set(&k.Description, d.description)
		if d.expires != "" {
			k.Expires = expires
		}
		if days > 0 {
			k.RotateEvery = keystore.Days(days)
		}
		if len(d.scopes) > 0 {
			k.Scopes = d.scopes
		}
		if len(d.tags) > 0 {
			k.Tags = d.tags
		}
		return d.setVariables(k)
	}, nil
}

func (d *details) setVariables(k *keystore.Key) error {
	for _, v := range d.variables {
		part, name, ok := strings.Cut(v, "=")
		i := slices.IndexFunc(k.Parts, func(p keystore.Part) bool { return p.Name == part })
		switch {
		case !ok || !isVariable(name):
			return usagef("for example: --variable secret=BINANCE_SECRET", "--variable: %s is not PART=NAME", quote(v))
		case i < 0:
			return usagef("its parts are "+strings.Join(k.PartNames(), ", "), "%s has no part %s", k.Name, quote(part))
		}
		k.Parts[i].Variable = name
	}
	return nil
}

// isVariable reports whether a name is one that every shell takes for a variable's.
func isVariable(name string) bool {
	for i, c := range []byte(name) {
		if !(c == '_' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || i > 0 && '0' <= c && c <= '9') {
			return false
		}
	}
	return name != ""
}

// set replaces a field if something was given for it.
func set(field *string, given string) {
	if given != "" {
		*field = given
	}
}

const editLong = `Changes what is known of a key: all but its secrets and its name. Or, with
--protected, of an environment: in a protected one get, export, rm, mv and run
ask at the terminal, want a reason that goes on record, and do nothing when the
audit log cannot be written. If 'keywright totp' knows an authenticator, they
want its code. To end that, with --protected=false, is asked for
in the same way. This is a confirmation against slips, not a lock: code that
runs as you can ask the keychain itself.
`

func newEdit(term *terminal) *cobra.Command {
	var (
		d         details
		protected bool
		reason    string
	)
	c := &cobra.Command{
		Use:     "edit ENV/NAME | ENV",
		Short:   "Change what is known of a key, or protect an environment",
		Long:    editLong,
		Example: "  keywright edit prod/DB --owner ada@example.com --rotate-every 90d\n  keywright edit prod --protected",
		Args:    oneArg("the name of a key or an environment"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkEmpty(c.Flags()); err != nil {
				return err
			}
			if c.Flags().NFlag() == 0 {
				return usagef("see 'keywright edit --help'", "nothing is to be changed")
			}
			if c.Flags().Changed("protected") {
				others := c.Flags().NFlag() - 1
				if reason != "" {
					others--
				}
				if others > 0 || strings.Contains(args[0], "/") {
					return usagef("for example: keywright edit prod --protected", "--protected is of an environment, and all else of a key")
				}
				return runProtect(c.Context(), term, args[0], protected, reason)
			}
			if reason != "" {
				return usagef("leave it out", "--reason goes with --protected")
			}
			return runEdit(c.Context(), term, &d, args[0])
		},
	}
	c.Flags().SortFlags = false
	d.addFlags(c.Flags())
	c.Flags().BoolVar(&protected, "protected", false, "ask before an environment's keys are used")
	c.Flags().StringVar(&reason, "reason", "", "`TEXT` that goes on record, with --protected")
	return c
}

// runProtect protects an environment, or ends that.
func runProtect(ctx context.Context, term *terminal, env string, protect bool, reason string) error {
	if err := keystore.ValidEnv(env); err != nil {
		return usageError{err, "for example: keywright edit prod --protected"}
	}
	keys, err := openKeys(term, mayAsk)
	if err != nil {
		return err
	}
	r := request{verb: "unprotect", env: env, what: "End that", reason: reason}
	change, done := keys.Unprotect, "not protected any more"
	if protect {
		r.verb, done = "protect", "protected"
		change = func(ctx context.Context, env string) error { return keys.Protect(ctx, actor(), env) }
		keys.reason = reason
	} else if _, err := keys.permit(ctx, r); err != nil {
		return err
	}
	if err := keys.append(ctx, environmentEntry(r.verb, audit.Granted, env)); err != nil {
		return err
	}
	if err := change(ctx, env); err != nil {
		return err
	}
	fmt.Fprintf(term.err, "keywright: %s is %s\n", env, done)
	return nil
}

func runEdit(ctx context.Context, term *terminal, d *details, arg string) error {
	name, err := keyName(arg)
	if err != nil {
		return err
	}
	change, err := d.apply(time.Now())
	if err != nil {
		return err
	}
	keys, err := openKeys(term, mayAsk)
	if err != nil {
		return err
	}
	if err := keys.record(ctx, "edit", audit.Granted, name); err != nil {
		return err
	}
	if err := keys.Edit(ctx, name, change); err != nil {
		return err
	}
	fmt.Fprintf(term.err, "keywright: changed %s\n", name)
	return nil
}
