package cmd

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/keywright/keywright/audit"
	"github.com/keywright/keywright/internal/edit"
	"github.com/keywright/keywright/keystore"
)

const importLong = `Stores each variable of a .env file as a key of an environment, under the
variable's name. The file stays as it is: remove it when the keys work. A key
that is there already is left alone, unless --replace says otherwise. Each
line that could not be taken is named, and the exit code is 3 then.
`

// importOptions are the flags of import, as they were typed.
type importOptions struct {
	replace bool
}

func newImport(term *terminal) *cobra.Command {
	var o importOptions
	c := &cobra.Command{
		Use:     "import ENV FILE",
		Short:   "Store the variables of a .env file",
		Long:    importLong,
		Example: "  keywright import dev .env",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 2 {
				return nil
			}
			return usagef("for example: keywright import dev .env", "%s takes an environment and a file, got %d arguments", c.CommandPath(), len(args))
		},
		RunE: func(c *cobra.Command, args []string) error {
			return runImport(c.Context(), term, o, args[0], args[1])
		},
	}
	c.Flags().BoolVar(&o.replace, "replace", false, "store new versions of keys that are there already")
	return c
}

func runImport(ctx context.Context, term *terminal, o importOptions, env, file string) error {
	if err := keystore.ValidEnv(env); err != nil {
		return usageError{err, "for example: keywright import dev .env"}
	}
	data, err := readSmall("import", file)
	if err != nil {
		return err
	}
	variables, problems := edit.Dotenv(data)
	clear(data)
	keys, err := openKeys(term, mayAsk)
	if err != nil {
		return err
	}
	catalog, err := keys.Catalog(ctx)
	if err != nil {
		return err
	}
	stored := 0
	for _, v := range variables {
		why, err := o.take(ctx, keys, catalog, keystore.Name{Env: env, Key: v.Name}, v)
		switch {
		case err != nil:
			fmt.Fprintf(term.err, "keywright: %s stored before that\n", plural(stored, "key"))
			return fmt.Errorf("line %d of %s: %w", v.Line, quote(file), err)
		case why != "":
			problems = append(problems, edit.Problem{Line: v.Line, Why: why})
		default:
			stored++
		}
	}
	for _, p := range problems {
		fmt.Fprintf(term.err, "keywright: not taken: %s\n", escaped(p.String()))
	}
	fmt.Fprintf(term.err, "keywright: stored %s in %s\n", plural(stored, "key"), env)
	if len(problems) > 0 {
		return outcome(exitIncomplete)
	}
	return nil
}

// take stores a variable, or says why not.
func (o importOptions) take(ctx context.Context, keys *keyring, catalog *keystore.Catalog, name keystore.Name, v edit.Variable) (why string, err error) {
	if _, err := keystore.ParseName(name.String()); err != nil {
		return err.Error(), nil
	}
	if v.Value.IsZero() {
		return v.Name + ": its value is empty", nil
	}
	key, there := catalog.Find(name)
	switch {
	case there && !o.replace:
		return name.String() + " is there already: --replace stores a new version", nil
	case there && len(key.Parts) != 1:
		return name.String() + " has several parts", nil
	}
	part := keystore.SinglePart
	if there {
		part = key.Parts[0].Name
	}
	keys.record(ctx, "import", audit.Granted, name)
	_, err = keys.Put(ctx, actor(), name, keystore.Parts{part: v.Value}, func(k *keystore.Key) error {
		k.Expires = time.Time{}
		k.Parts[0].Variable = v.Name
		return nil
	})
	return "", err
}

// readSmall reads a file of which a person has written each line; doing says for what.
func readSmall(doing, path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, usageError{fmt.Errorf("%s %s: %w", doing, quote(path), bare(err)), "check the path"}
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, keystore.MaxValue+1))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", doing, quote(path), bare(err))
	}
	if len(data) > keystore.MaxValue {
		clear(data)
		return nil, usagef("such a file is small; is it the right one?", "%s %s: it has more than 16 MiB", doing, quote(path))
	}
	return data, nil
}
