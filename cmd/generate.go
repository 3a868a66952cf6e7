package cmd

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keywright/keywright/keystore"
)

// generateOptions are the flags of generate, as they were typed.
type generateOptions struct {
	details
	kind  string
	signs string
	size  int
}

func generateLong() string {
	var b strings.Builder
	b.WriteString("Makes a secret and stores it as the current version of a key, unseen. Of a key\npair the public half is printed. The kinds are\n\n")
	for _, k := range keystore.Kinds() {
		size := ""
		if k.Unit != "" {
			size = fmt.Sprintf(" (%d %s)", k.Size, k.Unit)
		}
		fmt.Fprintf(&b, "    %-13s %s%s\n", k.Name, k.Title, size)
	}
	b.WriteString("\nHow hard it is to guess is said in bits, but for a UUID and key pairs. All of a\nkind and size are equally likely. A password has a small and a capital letter, a\ndigit and a sign at least; signs are " + keystore.Signs + ", or those of --signs.\n")
	return b.String()
}

func kindNames() (names []string) {
	for _, k := range keystore.Kinds() {
		names = append(names, k.Name)
	}
	return names
}

func newGenerate(term *terminal) *cobra.Command {
	var o generateOptions
	c := &cobra.Command{
		Use:     "generate ENV/NAME",
		Short:   "Make a secret and store it",
		Long:    generateLong(),
		Example: "  keywright generate dev/SESSION_KEY --kind hex\n  keywright generate dev/VAULT --kind passphrase\n  keywright generate prod/BOT_KEY --kind ed25519 >public.pem",
		Args:    oneArg("the key's name"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkEmpty(c.Flags()); err != nil {
				return err
			}
			if c.Flags().Changed("size") && o.size < 1 {
				return usagef("leave --size out for the usual one", "--size is %d", o.size)
			}
			return runGenerate(c.Context(), term, o, args[0])
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.kind, "kind", "alphanumeric", "`KIND` of secret")
	f.StringVar(&o.signs, "signs", "", "signs of a password, `CHARS`; none for none")
	f.IntVar(&o.size, "size", 0, "`N` characters, words or bytes of it")
	o.addFlags(f)
	complete(c, "kind", kindNames)
	return c
}

// entropy says how hard a secret is to guess.
func entropy(k keystore.Kind, size int) string {
	if k.Entropy(size) == 0 {
		return ""
	}
	return fmt.Sprintf("; %d bits of entropy", k.Entropy(size))
}

// chosen is the kind that was asked for.
func (o generateOptions) chosen() (keystore.Kind, error) {
	k, err := keystore.KindOf(o.kind)
	switch {
	case err != nil:
		return k, usageError{err, "the kinds are " + strings.Join(kindNames(), ", ")}
	case o.signs == "":
		return k, nil
	case o.kind != "password":
		return k, usagef("for example: --kind password --signs '$&'", "--signs goes with --kind password")
	case o.signs == none:
		o.signs = ""
	}
	if k, err = keystore.Password(o.signs); err != nil {
		return k, usageError{fmt.Errorf("--signs: %w", err), "for example: --signs '$&', --signs none"}
	}
	return k, nil
}

func runGenerate(ctx context.Context, term *terminal, o generateOptions, arg string) error {
	name, err := keyName(arg)
	if err != nil {
		return err
	}
	describe, err := o.apply(time.Now())
	if err != nil {
		return err
	}
	kind, err := o.chosen()
	if err != nil {
		return err
	}
	value, public, err := kind.Generate(o.size)
	if err != nil {
		return usageError{err, "see 'keywright generate --help'"}
	}
	defer value.Wipe()
	keys, err := openKeys(term, mayAsk)
	if err != nil {
		return err
	}
	catalog, err := keys.Catalog(ctx)
	if err != nil {
		return err
	}
	known, exists := catalog.Find(name)
	if !exists {
		known = &keystore.Key{Name: name, Parts: []keystore.Part{{Name: keystore.SinglePart}}}
	}
	set(&known.Provider, o.provider)
	if err := keys.usable(ctx, &o.details, name, known.Provider); err != nil {
		return err
	}
	if o.elsewhere() {
		if err := keys.permitElsewhere(ctx, "generate", name, &o.details, "", !exists); err != nil {
			return err
		}
	}
	key, err := keys.put(ctx, "generate", known, keystore.Parts{keystore.SinglePart: value}, func(k *keystore.Key) error {
		k.Expires = time.Time{} // that was the old version's
		return describe(k)
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(term.err, "keywright: stored %s, version %d%s\n", name, key.Versions[0].Number, entropy(kind, o.size))
	_, err = fmt.Fprint(term.out, public)
	return err
}
