package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/secret"
)

const getLong = `Prints the value of a key, of the version that is current. A key with several
parts is asked for one of them: ENV/NAME#part. The value is printed as it is,
without a line break at its end; at a terminal only after a yes.
`

func newGet(term *terminal) *cobra.Command {
	var (
		previous bool
		reason   string
	)
	c := &cobra.Command{
		Use:     "get ENV/NAME[#PART]",
		Short:   "Print the value of a key",
		Long:    getLong,
		Example: "  keywright get dev/DB#password | psql-wrapper",
		Args:    oneArg("the key's name"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkEmpty(c.Flags()); err != nil {
				return err
			}
			return runGet(c.Context(), term, args[0], previous, reason)
		},
	}
	c.Flags().BoolVar(&previous, "previous", false, "print the version before the current one")
	addReason(c.Flags(), &reason)
	return c
}

func runGet(ctx context.Context, term *terminal, arg string, previous bool, reason string) error {
	ref, err := keystore.ParseRef(arg)
	if err != nil {
		return usageError{err, "a key is written ENV/NAME, a part of it ENV/NAME#PART"}
	}
	keys, err := openKeys(term, mayAsk)
	if err != nil {
		return err
	}
	r := request{verb: "get", env: ref.Env, names: []keystore.Name{ref.Name}, what: "Print " + ref.String(), reason: reason}
	if term.outTTY {
		r.what = "Show " + ref.String() + " on this screen"
	}
	asked, err := keys.permit(ctx, r)
	if err != nil {
		return err
	}
	if term.outTTY && !asked {
		yes, err := term.askYes(r.what + "?")
		switch {
		case errors.Is(err, errNobody):
			return usageError{err, "pipe it where it is wanted"}
		case err != nil:
			return err
		case !yes:
			keys.refuse(ctx, r, "declined")
			fmt.Fprintln(term.err, "keywright: not shown")
			return outcome(exitFailed)
		}
	}
	stage := keystore.Current
	if previous {
		stage = keystore.Previous
	}
	parts, key, err := keys.Get(ctx, ref.Name, stage)
	if err != nil {
		return err
	}
	defer parts.Wipe()
	value, err := onePart(parts, key, ref.Part)
	if err != nil {
		return err
	}
	if err := keys.append(ctx, use("get", key, stage)); err != nil {
		return err
	}
	_, err = term.out.Write(value.Reveal())
	if err == nil && term.outTTY {
		_, err = term.out.Write([]byte("\n"))
	}
	return err
}

// onePart is the part that was asked for, or the only one.
func onePart(parts keystore.Parts, key *keystore.Key, part string) (secret.Value, error) {
	names := key.PartNames()
	if part == "" && len(names) == 1 {
		part = names[0]
	}
	value, ok := parts[part]
	switch {
	case ok:
		return value, nil
	case part == "":
		return value, usagef("for example: keywright get '"+key.Name.String()+"#"+names[0]+"'", "%s has the parts %s: say which", key.Name, strings.Join(names, ", "))
	}
	return value, usagef("its parts are "+strings.Join(names, ", "), "%s has no part %s", key.Name, quote(part))
}
