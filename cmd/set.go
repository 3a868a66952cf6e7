package cmd

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/secret"
)

// setOptions are the flags of set, as they were typed.
type setOptions struct {
	details
	insistence
	parts []string
	undo  bool
}

const setLong = `Stores a key, or a new version of one. The version before it is kept and can be
had back with --undo; the one before that goes. The expiry is not carried over.

Each part is asked for at the terminal, without echo. Where standard input is
not a terminal it is read instead: the value of a key with one part, without
the line break at its end, or a line 'part=value' for each part.

A value whose shape says that it is live is refused in an environment called
dev, test, staging or the like, a test value in one called prod or live.
`

const setExample = `  keywright set prod/STRIPE_KEY --expires 90d
  keywright set prod/BINANCE --parts id,secret --provider binance
  pass show bot | keywright set dev/BOT_TOKEN`

func newSet(term *terminal) *cobra.Command {
	var o setOptions
	c := &cobra.Command{
		Use:     "set ENV/NAME",
		Short:   "Store a key",
		Long:    setLong,
		Example: setExample,
		Args:    oneArg("the key's name"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkEmpty(c.Flags()); err != nil {
				return err
			}
			if o.undo && c.Flags().NFlag() > 1 {
				return usagef("'keywright edit' changes what is known of the key", "--undo takes no other flag")
			}
			return runSet(c.Context(), term, o, args[0])
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringSliceVar(&o.parts, "parts", nil, "the key's parts, `LIST` of names\n(default: those of its provider, or one)")
	o.details.addFlags(f)
	o.insistence.addFlags(f)
	f.BoolVar(&o.undo, "undo", false, "make the previous version current again")
	return c
}

func runSet(ctx context.Context, term *terminal, o setOptions, arg string) error {
	name, err := keyName(arg)
	if err != nil {
		return err
	}
	describe, err := o.apply(time.Now())
	if err != nil {
		return err
	}
	if err := o.insistence.check(); err != nil {
		return err
	}
	keys, err := openKeys(term, mayAsk)
	if err != nil {
		return err
	}
	if o.undo {
		key, err := keys.findUndoable(ctx, name)
		if err != nil {
			return err
		}
		undo := func() error { return keys.Undo(ctx, actor(), name) }
		if err := keys.do(ctx, undo, use("undo", key, keystore.Previous)); err != nil {
			return err
		}
		fmt.Fprintf(term.err, "keywright: the previous version of %s is current again\n", name)
		return nil
	}
	known, err := o.known(ctx, keys, name)
	if err != nil {
		return err
	}
	if err := keys.usable(ctx, &o.details, name, known.Provider); err != nil {
		return err
	}
	if o.elsewhere() {
		if err := keys.permitElsewhere(ctx, "set", name, &o.details, "", len(known.Versions) == 0); err != nil {
			return err
		}
	}
	parts, err := term.readParts(ctx, name, known.PartNames())
	if err != nil {
		return err
	}
	defer parts.Wipe()
	if err := keys.fits(ctx, "set", known, parts, o.insistence); err != nil {
		return err
	}
	key, err := keys.put(ctx, "set", known, parts, func(k *keystore.Key) error {
		k.Expires = time.Time{}    // that was the old version's
		order := known.PartNames() // in which they were asked for
		slices.SortFunc(k.Parts, func(a, b keystore.Part) int {
			return cmp.Compare(slices.Index(order, a.Name), slices.Index(order, b.Name))
		})
		return describe(k)
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(term.err, "keywright: stored %s, version %d\n", name, key.Versions[0].Number)
	return nil
}

// findUndoable is what is known of a key that has a version to go back to.
func (k *keyring) findUndoable(ctx context.Context, name keystore.Name) (*keystore.Key, error) {
	key, err := k.find(ctx, "undo", name)
	if err != nil {
		return nil, err
	}
	if _, ok := key.Version(keystore.Previous); !ok {
		return nil, &keystore.KeyError{Doing: "undo", Name: name, Err: keystore.ErrNoVersion}
	}
	return key, nil
}

// known is the key if there is one, or else one with the parts that were asked for.
func (o setOptions) known(ctx context.Context, keys *keyring, name keystore.Name) (*keystore.Key, error) {
	fresh := &keystore.Key{Name: name, Provider: o.provider}
	names := o.parts
	if len(names) == 0 {
		names = partsAt(o.provider)
	}
	for i, n := range names {
		if err := keystore.ValidPart(n); err != nil {
			return nil, usageError{err, "for example: --parts id,secret"}
		}
		if slices.Contains(names[:i], n) {
			return nil, usagef("each part has a name of its own", "--parts names %s twice", quote(n))
		}
		fresh.Parts = append(fresh.Parts, keystore.Part{Name: n})
	}
	catalog, err := keys.Catalog(ctx)
	if err != nil {
		return nil, err
	}
	key, ok := catalog.Find(name)
	if !ok {
		return fresh, nil
	}
	if len(o.parts) > 0 && !slices.Equal(slices.Sorted(slices.Values(o.parts)), slices.Sorted(slices.Values(key.PartNames()))) {
		return nil, usagef("leave --parts out, or remove the key first: keywright rm "+name.String(),
			"%s has the parts %s", name, strings.Join(key.PartNames(), ", "))
	}
	set(&key.Provider, o.provider)
	return key, nil
}

// readParts reads the secrets of a key from standard input, or asks for them.
func (t *terminal) readParts(ctx context.Context, name keystore.Name, names []string) (keystore.Parts, error) {
	if !t.inTTY {
		return readParts(t.in, names)
	}
	parts := keystore.Parts{}
	for _, n := range names {
		prompt := fmt.Sprintf("%s, %s: ", name, n)
		if len(names) == 1 {
			prompt = name.String() + ": "
		}
		v, err := t.askValue(ctx, prompt)
		if errors.Is(err, errLines) {
			return nil, usageError{err, "nothing was stored; a value of several lines is read from a file: keywright set " + name.String() + " <FILE"}
		}
		if err != nil {
			return nil, err
		}
		if v.IsZero() {
			return nil, usagef("nothing was stored", "%s is empty", strings.TrimSuffix(prompt, ": "))
		}
		parts[n] = v
	}
	return parts, nil
}

func readParts(in io.Reader, names []string) (keystore.Parts, error) {
	data, err := io.ReadAll(io.LimitReader(in, keystore.MaxValue+1))
	defer clear(data)
	if err != nil {
		return nil, fmt.Errorf("read standard input: %w", err)
	}
	if len(data) > keystore.MaxValue {
		return nil, usagef("a key is at most 16 MiB", "standard input holds more than a key can")
	}
	if len(names) == 1 {
		value := bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r"))
		if len(value) == 0 {
			return nil, usagef("nothing was stored; was the command before the pipe right?", "standard input is empty")
		}
		return keystore.Parts{names[0]: secret.New(value)}, nil
	}
	parts := keystore.Parts{}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, len(data)+1)
	for n := 1; lines.Scan(); n++ {
		part, value, ok := bytes.Cut(lines.Bytes(), []byte("="))
		switch {
		case len(bytes.TrimSpace(lines.Bytes())) == 0:
			continue
		case !ok || !slices.Contains(names, string(part)):
			return nil, usagef("want lines 'part=value' for "+strings.Join(names, ", "), "line %d of standard input is of no part", n)
		case !parts[string(part)].IsZero():
			return nil, usagef("each part comes once", "line %d of standard input has %s again", n, quote(string(part)))
		case len(value) == 0:
			return nil, usagef("nothing was stored", "line %d of standard input: %s is empty", n, quote(string(part)))
		}
		parts[string(part)] = secret.New(value)
	}
	for _, n := range names {
		if parts[n].IsZero() {
			return nil, usagef("want lines 'part=value' for "+strings.Join(names, ", "), "standard input has no %s", n)
		}
	}
	return parts, nil
}

// parseExpiry reads a number of days, or a date: the end of that day, UTC.
func parseExpiry(s string, now time.Time) (time.Time, error) {
	if s == "" || s == none {
		return time.Time{}, nil
	}
	if days, err := parseDays("--expires", s); err == nil {
		return now.UTC().AddDate(0, 0, days).Truncate(time.Second), nil
	}
	day, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return day, usagef("for example: --expires 90d, --expires 2027-01-31", "--expires: %s is neither days nor a date", quote(s))
	}
	end := day.AddDate(0, 0, 1).Add(-time.Second)
	if end.Before(now) {
		return day, usagef("a key that is dead need not be stored", "--expires: %s is over", s)
	}
	return end, nil
}

// parseDays reads a number of days: 90d.
func parseDays(flag, s string) (int, error) {
	const most = 100_000
	digits, ok := strings.CutSuffix(s, "d")
	days, err := strconv.Atoi(digits)
	if !ok || err != nil || days < 1 || days > most || digits[0] == '+' {
		return 0, usagef("for example: "+flag+" 90d", "%s: %s is not a number of days", flag, quote(s))
	}
	return days, nil
}

// oneArg refuses any other number of arguments than one.
func oneArg(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		return usagef("see '"+c.CommandPath()+" --help'", "%s takes one argument, %s; got %d", c.CommandPath(), what, len(args))
	}
}
