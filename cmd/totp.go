package cmd

import (
	"context"
	"errors"
	"fmt"
	"image/color"
	"io"
	"strings"
	"time"

	"github.com/boombuler/barcode/qr"
	"github.com/spf13/cobra"

	"github.com/keywright/keywright/audit"
	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/secret"
)

const totpLong = `Says whether protected environments ask for a code of an authenticator app
(a time-based one-time password), and enrols or disables one. There is one for
all environments.

A code is a confirmation against slips, not a second factor: its secret lies
beside the keys, and code that runs as you can read either.
`

func newTOTP(term *terminal) *cobra.Command {
	c := &cobra.Command{
		Use:   "totp",
		Short: "Have protected environments ask for a code",
		Long:  totpLong,
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return runTOTP(c.Context(), term) },
	}
	c.AddCommand(&cobra.Command{
		Use:   "enrol",
		Short: "Enrol an authenticator app",
		Long: `Shows a secret for an authenticator app, as a QR code and as text, and takes
the app's first code. Then it shows ten recovery codes, each of which is good
for once in place of a code. Neither is shown again.
`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runEnrol(c.Context(), term) },
	}, &cobra.Command{
		Use:   "disable",
		Short: "Forget the authenticator app",
		Long:  "Forgets the authenticator app, for a code of it or a recovery code. Protected\nenvironments ask for a reason only, from then on.\n",
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return runDisable(c.Context(), term) },
	})
	return c
}

func runTOTP(ctx context.Context, term *terminal) error {
	keys, err := openKeys(term, neverAsk)
	if err != nil {
		return err
	}
	catalog, _, err := lookAtKeys(ctx, keys, "")
	if err != nil {
		return err
	}
	o := catalog.TOTP
	if o == nil {
		_, err = fmt.Fprintln(term.out, "no authenticator: protected environments ask for a reason only")
		return err
	}
	_, err = fmt.Fprintf(term.out, "an authenticator since %s; %s left\n", o.Enrolled.Local().Format(time.DateOnly), plural(len(o.Recovery), "recovery code"))
	if err == nil && time.Now().Before(o.Until) {
		_, err = fmt.Fprintln(term.out, escaped((&keystore.LockedOutError{Until: o.Until}).Error()))
	}
	return err
}

func runEnrol(ctx context.Context, term *terminal) error {
	keys, err := openKeys(term, mayAsk)
	if err != nil {
		return err
	}
	catalog, err := keys.Catalog(ctx)
	switch {
	case err != nil:
		return err
	case catalog.TOTP != nil:
		return fmt.Errorf("enrol an authenticator: %w", keystore.ErrEnrolled)
	}
	v := keystore.NewTOTP()
	defer v.Wipe()
	code, err := term.introduce(ctx, v)
	if err != nil {
		return err
	}
	if err := keys.CheckFirst(v, code); err != nil {
		keys.refuse(ctx, request{verb: "enrol"}, "the first code is wrong")
		return fmt.Errorf("enrol an authenticator: %w", err)
	}
	var recovery []secret.Value
	enrol := func() (err error) {
		recovery, err = keys.Enrol(ctx, actor(), v, code)
		return err
	}
	if err := keys.do(ctx, enrol, environmentEntry("enrol", audit.Granted, "")); err != nil {
		return err
	}
	if err := term.showRecovery(recovery); err != nil {
		return err
	}
	if len(catalog.Protected) == 0 {
		fmt.Fprintln(term.err, "keywright: no environment is protected: 'keywright edit prod --protected' makes one ask for codes")
	}
	return nil
}

// introduce shows a secret to whoever sits at the terminal, and asks for a first code.
func (t *terminal) introduce(ctx context.Context, v secret.Value) (code secret.Value, err error) {
	address, typed, err := keystore.TOTPAddress(v, actor())
	if err != nil {
		return code, err
	}
	defer address.Wipe()
	defer typed.Wipe()
	tty, err := openTTY()
	if err != nil {
		return code, usageError{err, "a secret is shown at a terminal only"}
	}
	fmt.Fprintln(tty.out, "Read this with an authenticator app:")
	err = printQR(tty.out, address)
	if err == nil {
		_, err = fmt.Fprintf(tty.out, "or type into it: %s\n", typed.Reveal())
	}
	tty.close()
	if err != nil {
		return code, err
	}
	return t.askSecret(ctx, "The code that it shows: ")
}

func (t *terminal) showRecovery(codes []secret.Value) error {
	tty, err := openTTY()
	if err != nil {
		return err
	}
	defer tty.close()
	fmt.Fprintln(tty.out, "Recovery codes, each good for once. Keep them on paper; not shown again:")
	for _, c := range codes {
		fmt.Fprintf(tty.out, "  %s\n", c.Reveal())
		c.Wipe()
	}
	return nil
}

func runDisable(ctx context.Context, term *terminal) error {
	keys, err := openKeys(term, mayAsk)
	if err != nil {
		return err
	}
	refused := request{verb: "disable"}
	switch err := keys.CheckTOTP(ctx); {
	case errors.Is(err, keystore.ErrSecretGone):
		yes, err := term.askYes(ctx, "The authenticator's secret is gone. Forget it?")
		if err != nil {
			return err
		}
		if !yes {
			keys.refuse(ctx, refused, "declined")
			return errDeclined
		}
	case err != nil:
		return fmt.Errorf("forget the authenticator: %w", err)
	default:
		code, err := term.askSecret(ctx, "Code: ")
		if err != nil {
			return err
		}
		defer code.Wipe()
		if err := keys.CheckCode(ctx, actor(), code); err != nil {
			keys.refuse(ctx, refused, "no right code")
			return fmt.Errorf("forget the authenticator: %w", err)
		}
	}
	forget := func() error { return keys.Disenrol(ctx, actor()) }
	if err := keys.do(ctx, forget, environmentEntry("disable", audit.Granted, "")); err != nil {
		return err
	}
	fmt.Fprintln(term.err, "keywright: the authenticator is forgotten")
	return nil
}

// askCode asks for a code of the authenticator, if there is one, and checks it.
func (k *keyring) askCode(ctx context.Context, catalog *keystore.Catalog) error {
	if catalog.TOTP == nil {
		return nil
	}
	code, err := k.term.askSecret(ctx, "Code of the authenticator: ")
	if err != nil {
		return err
	}
	defer code.Wipe()
	return k.CheckCode(ctx, actor(), code)
}

// printQR writes a text as a QR code: two modules to a character, dark on light whatever
// the terminal's colours are, with the margin of four modules that readers want.
func printQR(w io.Writer, text secret.Value) error {
	const margin = 4
	code, err := qr.Encode(string(text.Reveal()), qr.L, qr.Auto)
	if err != nil {
		return errors.New("make a QR code") // the cause may hold the text
	}
	size := code.Bounds().Dx()
	dark := func(x, y int) bool {
		return x >= 0 && y >= 0 && x < size && y < size && code.At(x, y) == color.Black
	}
	var b strings.Builder
	for y := -margin; y < size+margin; y += 2 {
		b.WriteString("\x1b[30;107m")
		for x := -margin; x < size+margin; x++ {
			switch {
			case dark(x, y) && dark(x, y+1):
				b.WriteString("█")
			case dark(x, y):
				b.WriteString("▀")
			case dark(x, y+1):
				b.WriteString("▄")
			default:
				b.WriteString(" ")
			}
		}
		b.WriteString("\x1b[0m\n")
	}
	_, err = io.WriteString(w, b.String())
	return err
}
