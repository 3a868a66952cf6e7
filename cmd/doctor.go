package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/keywright/keywright/audit"
	"github.com/keywright/keywright/keystore"
)

const doctorLong = `Looks whether the keys are in order: that the backend answers, that their
directory can be written, that the metadata is what keywright wrote, that every
version of every key can be read, and that the audit log verifies. It changes
nothing, and shows no value.

With --begin-anew it gives up what cannot be trusted any more, after a yes, and
records that: without the metadata there are no keys until they are restored or
stored again; a new audit log says where the old one stood. What is in order is
kept: so is an audit log whose hashes alone are wrong; they are made again. The
old files stay, under names that begin with "old-".
`

func newDoctor(term *terminal) *cobra.Command {
	var anew, yes bool
	c := &cobra.Command{
		Use:     "doctor",
		Short:   "Check that the keys are in order",
		Long:    doctorLong,
		Example: "  keywright doctor\n  keywright doctor --begin-anew",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if yes && !anew {
				return usagef("doctor asks nothing without it", "--yes goes with --begin-anew")
			}
			if anew {
				return runBeginAnew(c.Context(), term, yes)
			}
			return runDoctor(c.Context(), term)
		},
	}
	c.Flags().SortFlags = false
	c.Flags().BoolVar(&anew, "begin-anew", false, "give up what cannot be trusted any more")
	c.Flags().BoolVar(&yes, "yes", false, "begin anew without asking")
	return c
}

func runDoctor(ctx context.Context, term *terminal) error {
	dir, err := keysDir()
	if err != nil {
		return err
	}
	keys, err := openKeys(term, mayAsk)
	if err != nil {
		return err
	}
	d := &doctor{term: term}
	d.say("keys are in %s", dir)
	d.permissions(dir)
	d.writable(dir)
	if err := d.keys(ctx, keys); err != nil {
		return err
	}
	if err := d.audit(ctx, keys); err != nil {
		return err
	}
	if os.Getenv(envKeystore) == "agefile" {
		d.note("an older copy of the whole directory in its place would not be noticed:", "keep 'keywright audit checkpoint' elsewhere, for 'audit verify --against'")
	}
	if d.wrong > 0 {
		return outcome(exitFailed)
	}
	return nil
}

// doctor counts what is wrong.
type doctor struct {
	term  *terminal
	wrong int
}

func (d *doctor) say(format string, args ...any) {
	fmt.Fprintln(d.term.out, "ok     ", escaped(fmt.Sprintf(format, args...)))
}

// note says what cannot be checked.
func (d *doctor) note(what, hint string) {
	fmt.Fprintln(d.term.out, "note   ", what)
	fmt.Fprintln(d.term.out, "       ", hint)
}

func (d *doctor) complain(hint, format string, args ...any) {
	d.wrong++
	fmt.Fprintln(d.term.out, "WRONG  ", escaped(fmt.Sprintf(format, args...)))
	if hint != "" {
		fmt.Fprintln(d.term.out, "       ", hint)
	}
}

// permissions wants nobody else to have access to the keys' directory.
func (d *doctor) permissions(dir string) {
	info, err := os.Stat(dir)
	if err != nil || isWindows || info.Mode().Perm()&0o077 == 0 {
		return
	}
	d.complain("chmod 700 "+quote(dir), "others have access to the directory of the keys")
}

// writable wants the directory of the keys to take a file, if it is there. Nothing of the
// trial stays.
func (d *doctor) writable(dir string) {
	const trial = 4096 // bytes: a file may be empty where the disk is full
	if _, err := os.Stat(dir); err != nil {
		return
	}
	f := d.term.disk.Create(filepath.Join(dir, "doctor"), 0o600)
	defer f.Discard()
	if _, err := f.Write(make([]byte, trial)); err != nil {
		_, hint, _ := explain(err)
		d.complain(hint, "the directory of the keys cannot be written: %v", bare(err))
		return
	}
	d.say("their directory can be written")
}

func (d *doctor) keys(ctx context.Context, keys *keyring) error {
	c, err := keys.Check(ctx)
	var tampered *keystore.TamperError
	_, backend := keystore.TroubleOf(err)
	switch {
	case errors.As(err, &tampered), backend:
		_, hint, _ := explain(err)
		d.complain(hint, "%v", err)
		return nil
	case err != nil:
		return err
	}
	d.say("the metadata is authentic")
	for _, a := range c.Ailments {
		d.complain("keywright set "+a.Name.String()+" stores it anew", "%v", a)
	}
	if len(c.Ailments) == 0 {
		d.say("%s in %s can be read", plural(c.Keys, "key"), plural(c.Versions, "version"))
	}
	switch err := keys.CheckTOTP(ctx); {
	case errors.Is(err, keystore.ErrNotEnrolled):
	case err != nil:
		_, hint, _ := explain(err)
		d.complain(hint, "%v", err)
	default:
		d.say("the authenticator's secret can be read")
	}
	if c.Loose > 0 {
		d.say("%s left over, to be removed with a later change", plural(c.Loose, "item"))
	}
	return nil
}

func (d *doctor) audit(ctx context.Context, keys *keyring) error {
	r, err := keys.log.Verify(ctx)
	var fault *audit.Fault
	_, backend := keystore.TroubleOf(err)
	switch {
	case errors.As(err, &fault) && fault.Kind == audit.BadHashes:
		d.complain("keywright doctor --begin-anew makes the hashes again, and the log goes on", "the audit log: %v", fault)
	case errors.As(err, &fault):
		d.complain("put its directory back from a copy, or begin a new one: keywright doctor --begin-anew", "the audit log: %v", fault)
	case backend:
		d.complain("", "the audit log cannot be verified: %v", err)
	case err != nil:
		return err
	default:
		d.say("the audit log has %s, all as written", entries(r.Size))
		if err := keys.log.Writable(); err != nil {
			_, hint, _ := explain(err)
			d.complain(hint, "the audit log cannot be written: %v", bare(err))
		}
		if text := setBack(r); text != "" {
			d.say("%s", text)
		}
	}
	return nil
}
