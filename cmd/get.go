package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/secret"
)

const getLong = `Prints the value of a key, of the version that is current. A key with several
parts is asked for one of them: ENV/NAME#part. The value is printed as it is,
without a line break at its end; at a terminal only after a yes. A key whose use
is 'run' ('keywright edit --use') is not shown.

With --copy it goes to the clipboard instead, and keywright waits to take it off
again; what was copied meanwhile stays. A program that keeps what was copied, a
clipboard manager or another device's, may have it for longer.
`

// getOptions are the flags of get, as they were typed.
type getOptions struct {
	previous bool
	copy     bool
	clear    time.Duration
	reason   string
}

func newGet(term *terminal) *cobra.Command {
	var o getOptions
	c := &cobra.Command{
		Use:     "get ENV/NAME[#PART]",
		Short:   "Print the value of a key",
		Long:    getLong,
		Example: "  keywright get dev/DB#password | psql-wrapper\n  keywright get prod/ADMIN --copy",
		Args:    oneArg("the key's name"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkEmpty(c.Flags()); err != nil {
				return err
			}
			switch {
			case c.Flags().Changed("clear") && !o.copy:
				return usagef("did you mean --copy --clear "+o.clear.String()+"?", "--clear goes with --copy")
			case o.clear < leastClear || o.clear > longestClear:
				return usagef("for example: --clear 45s", "--clear: %s is not from %s to %s", o.clear, leastClear, longestClear)
			}
			return runGet(c.Context(), term, args[0], o)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.BoolVar(&o.previous, "previous", false, "the version before the current one")
	f.BoolVar(&o.copy, "copy", false, "put it on the clipboard, and do not print it")
	f.DurationVar(&o.clear, "clear", usualClear, "clear the clipboard after `TIME`")
	addReason(f, &o.reason)
	return c
}

func runGet(ctx context.Context, term *terminal, arg string, o getOptions) error {
	ref, err := keystore.ParseRef(arg)
	if err != nil {
		return usageError{err, "a key is written ENV/NAME, a part of it ENV/NAME#PART"}
	}
	keys, err := openKeys(term, mayAsk)
	if err != nil {
		return err
	}
	var board clipboard
	if o.copy {
		if board, err = systemClipboard(); err != nil {
			return err
		}
	}
	if err := o.agree(ctx, keys, ref); err != nil {
		return err
	}
	stage := keystore.Current
	if o.previous {
		stage = keystore.Previous
	}
	parts, key, err := keys.Get(ctx, ref.Name, stage)
	if err != nil {
		return err
	}
	defer parts.Wipe()
	if !key.MayReveal() {
		return keys.hidden(ctx, "get", key)
	}
	value, err := onePart(parts, key, ref.Part)
	if err != nil {
		return err
	}
	entry := use("get", key, stage)
	if o.copy {
		if err := checkCopy(value); err != nil {
			return err
		}
		entry.Reason = strings.TrimSuffix("to the clipboard: "+keys.reason, ": ")
	}
	if err := keys.append(ctx, entry); err != nil {
		return err
	}
	if o.copy {
		return board.hold(ctx, term, ref.String(), value, o.clear)
	}
	_, err = term.out.Write(value.Reveal())
	if err == nil && term.outTTY {
		_, err = term.out.Write([]byte("\n"))
	}
	return err
}

// agree asks whether a key may be shown: in a protected environment, and on a screen.
func (o getOptions) agree(ctx context.Context, keys *keyring, ref keystore.Ref) error {
	term := keys.term
	r := request{verb: "get", env: ref.Env, names: []keystore.Name{ref.Name}, what: "Print " + ref.String(), reason: o.reason}
	switch {
	case o.copy:
		r.what = "Copy " + ref.String() + " to the clipboard"
	case term.outTTY:
		r.what = "Show " + ref.String() + " on this screen"
	}
	asked, err := keys.permit(ctx, r)
	if err != nil || asked || o.copy || !term.outTTY {
		return err
	}
	yes, err := term.askYes(ctx, r.what+"?")
	switch {
	case errors.Is(err, errNobody):
		return usageError{err, "pipe it where it is wanted"}
	case err == nil && !yes:
		keys.refuse(ctx, r, "declined")
		fmt.Fprintln(term.err, "keywright: not shown")
		return outcome(exitFailed)
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
