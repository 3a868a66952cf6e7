package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keywright/keywright/audit"
	"github.com/keywright/keywright/keystore"
)

// unlockOptions are the flags of unlock, as they were typed.
type unlockOptions struct {
	span   string
	reason string
	end    bool
}

const unlockLong = `Lets 'run' hand out the keys of a protected environment unasked, and 'rotate'
use them, for a while: for services and timers, which have nobody to ask. It
asks itself, as whatever is done in a protected environment does. Reason and end
are kept with the keys and shown by status; each use goes on record as ever.
What was started before the end keeps its keys. All other verbs go on to ask.
`

func newUnlock(term *terminal) *cobra.Command {
	var o unlockOptions
	c := &cobra.Command{
		Use:     "unlock ENV",
		Short:   "Let services use a protected environment for a while",
		Long:    unlockLong,
		Example: "  keywright unlock prod --for 12h --reason 'the trading bot restarts tonight'\n  keywright unlock prod --end",
		Args:    oneArg("the environment"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkEmpty(c.Flags()); err != nil {
				return err
			}
			if err := keystore.ValidEnv(args[0]); err != nil {
				return usageError{err, "for example: keywright unlock prod --for 12h"}
			}
			if o.end && c.Flags().NFlag() > 1 {
				return usagef("for example: keywright unlock "+args[0]+" --end", "--end takes no other flag")
			}
			if o.end {
				return runLock(c.Context(), term, args[0])
			}
			return runUnlock(c.Context(), term, o, args[0])
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.span, "for", "", "how long, `TIME`: 90m, 12h, 7d")
	f.StringVar(&o.reason, "reason", "", "`TEXT` that goes on record; asked for otherwise")
	f.BoolVar(&o.end, "end", false, "end it now")
	return c
}

func runUnlock(ctx context.Context, term *terminal, o unlockOptions, env string) error {
	span, err := parseSpan("--for", o.span)
	if err != nil {
		return err
	}
	keys, err := openKeys(term, mayAsk)
	if err != nil {
		return err
	}
	r := request{verb: "unlock", env: env, what: "Let programs have its keys unasked for " + o.span, reason: o.reason}
	switch asked, err := keys.permit(ctx, r); {
	case err != nil:
		return err
	case !asked:
		return &keystore.EnvError{Doing: "unlock", Env: env, Err: keystore.ErrNotProtected}
	}
	reason := keys.reason
	keys.reason = "for " + o.span + ": " + reason
	var until time.Time
	unlock := func() (err error) {
		until, err = keys.Unlock(ctx, actor(), env, reason, span)
		return err
	}
	if err := keys.do(ctx, unlock, environmentEntry("unlock", audit.Granted, env)); err != nil {
		return err
	}
	fmt.Fprintf(term.err, "keywright: %s is unlocked until %s\n", env, moment(until))
	return nil
}

func runLock(ctx context.Context, term *terminal, env string) error {
	keys, err := openKeys(term, mayAsk)
	if err != nil {
		return err
	}
	catalog, err := keys.Catalog(ctx)
	if err != nil {
		return err
	}
	switch p, protected := catalog.Protection(env); {
	case !protected:
		return &keystore.EnvError{Doing: "lock", Env: env, Err: keystore.ErrNotProtected}
	case p.Unlock == nil:
		return &keystore.EnvError{Doing: "lock", Env: env, Err: keystore.ErrNotUnlocked}
	}
	r, unrecorded := keys.write(ctx, environmentEntry("lock", audit.Granted, env)) // it is ended all the same
	if err := keys.Lock(ctx, actor(), env); err != nil {
		return keys.failed(ctx, r, err)
	}
	fmt.Fprintf(term.err, "keywright: %s is not unlocked any more\n", env)
	if unrecorded != nil {
		return hintedError{unrecorded, logHint}
	}
	return nil
}

// parseSpan reads how long something lasts: a number of days, or a duration as Go's.
func parseSpan(flag, s string) (time.Duration, error) {
	if s == "" {
		return 0, usagef("for example: "+flag+" 12h", "%s is needed", flag)
	}
	span, err := time.ParseDuration(s)
	if strings.HasSuffix(s, "d") {
		var days int
		days, err = parseDays(flag, s)
		span = time.Duration(days) * 24 * time.Hour
	}
	if err == nil && (span <= 0 || span > keystore.MaxUnlock) {
		err = errors.New("out of bounds")
	}
	if err != nil {
		return 0, usagef("for example: "+flag+" 12h; it is 30d at most", "%s: %s is not a time", flag, quote(s))
	}
	return span, nil
}

// moment writes a time for people.
func moment(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }
