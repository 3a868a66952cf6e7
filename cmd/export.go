package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keywright/keywright/internal/durable"
	"github.com/keywright/keywright/internal/edit"
	"github.com/keywright/keywright/keystore"
)

// exportOptions are the flags of export, as they were typed.
type exportOptions struct {
	format string
	output string
	only   []string
	yes    bool
	reason string
}

const exportLong = `Prints the keys of an environment, in clear, in a format that another tool
reads. What was exported is out of keywright's hands: it asks before, and
without a terminal it wants --yes-plaintext. To hand keys to a program,
'keywright run' is better; a key whose use is 'run' ('keywright edit --use') is
not exported.
`

func newExport(term *terminal) *cobra.Command {
	var o exportOptions
	c := &cobra.Command{
		Use:     "export ENV",
		Short:   "Print the keys of an environment for another tool",
		Long:    exportLong,
		Example: "  keywright export dev --format kubernetes --yes-plaintext | kubectl apply -f -",
		Args:    oneArg("an environment"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkEmpty(c.Flags()); err != nil {
				return err
			}
			return runExport(c.Context(), term, o, args[0])
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.format, "format", "dotenv", "`FORMAT` is one of\n"+strings.Join(edit.Formats()[:3], ", ")+",\n"+strings.Join(edit.Formats()[3:], ", "))
	f.StringVarP(&o.output, "output", "o", "", "write to `FILE`, for you alone to read")
	f.StringSliceVar(&o.only, "only", nil, "only the keys in `LIST` (names, without the environment)")
	f.BoolVar(&o.yes, "yes-plaintext", false, "do not ask")
	addReason(f, &o.reason)
	complete(c, "format", edit.Formats)
	return c
}

func runExport(ctx context.Context, term *terminal, o exportOptions, env string) error {
	if err := keystore.ValidEnv(env); err != nil {
		return usageError{err, "for example: keywright export dev"}
	}
	if !slices.Contains(edit.Formats(), o.format) {
		return usagef("the formats are "+strings.Join(edit.Formats(), ", "), "unknown format %s", quote(o.format))
	}
	keys, err := openKeys(term, mayAsk)
	if err != nil {
		return err
	}
	r := request{verb: "export", env: env, what: "Export the keys of " + env + " in clear", reason: o.reason}
	asked, err := keys.permit(ctx, r)
	if err != nil {
		return err
	}
	if !asked && !o.yes {
		yes, err := term.askYes(ctx, r.what+"?")
		switch {
		case errors.Is(err, errNobody):
			return usageError{err, "to export without being asked: --yes-plaintext"}
		case err != nil:
			return err
		case !yes:
			keys.refuse(ctx, r, "declined")
			fmt.Fprintln(term.err, "keywright: not exported")
			return outcome(exitFailed)
		}
	}
	got, err := keys.gather(ctx, "export", wanted{env: env, only: o.only, text: true})
	if err != nil {
		return err
	}
	text, err := edit.Write(o.format, got.values)
	defer clear(text)
	if err != nil {
		return usageError{err, "choose another --format, or leave it out with --only"}
	}
	return keys.do(ctx, func() error { return o.write(term, text) }, got.uses...)
}

// write writes an export to where it is wanted.
func (o exportOptions) write(term *terminal, text []byte) error {
	if o.output == "" || o.output == "-" {
		_, err := term.out.Write(text)
		return err
	}
	const private = 0o600
	if err := durable.WriteFile(o.output, func(w io.Writer) error { _, err := w.Write(text); return err }, private); err != nil {
		return unwritten("export to", o.output, err)
	}
	return nil
}
