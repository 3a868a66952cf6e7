package cmd

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keywright/keywright/audit"
	"github.com/keywright/keywright/internal/edit"
	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/secret"
)

const importLong = `Stores the values of a file as keys of an environment: each variable of a .env
file under its name, each text and number of JSON or YAML under the path to
it, database.password, elements of lists counted from 0. Of freqtrade's
config.json the exchange's key, secret and password become one key with the
parts id, secret and passphrase; the rest of it that is no secret stays out.

A line of a .env file is NAME=value, with 'export' before it or not. A value
ends with its line or before a comment, " #"; in single quotes it stands as it
is; in double quotes \n, \r, \t, \", \\ and \$ mean what they usually do. In
quotes it may have several lines. One that refers to another variable or runs a
command, $NAME or $(...) outside of single quotes, is not taken: loaders differ.

A key that is there already with the same value stays as it is; with another
it is left alone, unless --replace says otherwise. Each line that could not be
taken is named, and the exit code is 3 then.

With --rewrite a reference, keywright://ENV/NAME#part, takes the place of each
value that is stored, once all of them were read back; all else in the file
stays as it is. 'keywright run --env-file' reads such a .env file; a program
that reads JSON or YAML by itself has to take the value from the variable that
'keywright run' sets. What was in Git, in backups and on the disk stays there.

FILE is - for standard input, a .env file unless --format says otherwise. With
--from the keys of another environment are copied, instead of a file's.
`

const importExample = `  keywright import dev .env --rewrite
  keywright import prod config.yaml --only database.password,api.token
  pass show bot/env | keywright import dev -
  keywright import test --from dev`

// importOptions are the flags of import, as they were typed.
type importOptions struct {
	format string
	from   string
	only   []string
	insistence
	replace bool
	rewrite bool
}

func newImport(term *terminal) *cobra.Command {
	var o importOptions
	c := &cobra.Command{
		Use:     "import ENV FILE | import ENV --from ENV",
		Short:   "Store the values of a file, or of another environment",
		Long:    importLong,
		Example: importExample,
		Args:    cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkEmpty(c.Flags()); err != nil {
				return err
			}
			return runImport(c.Context(), term, o, args)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.format, "format", "", "read FILE as `FORMAT`: "+strings.Join(edit.ReadFormats(), ", ")+"\n(default: by its name and content)")
	f.StringVar(&o.from, "from", "", "copy the keys of the environment `ENV`")
	f.StringSliceVar(&o.only, "only", nil, "only the values in `LIST`: variables, paths or keys")
	f.BoolVar(&o.replace, "replace", false, "store new versions of keys that are there already")
	f.BoolVar(&o.rewrite, "rewrite", false, "put references in place of the values in FILE")
	complete(c, "format", edit.ReadFormats)
	o.insistence.addFlags(f)
	return c
}

func runImport(ctx context.Context, term *terminal, o importOptions, args []string) error {
	const hint = "for example: keywright import dev .env, keywright import test --from dev"
	want := 2
	if o.from != "" {
		want = 1
	}
	if err := o.insistence.check(); err != nil {
		return err
	}
	switch {
	case o.from != "" && (o.rewrite || o.format != ""):
		return usagef("they are for files", "--from goes with neither --rewrite nor --format")
	case len(args) != want:
		return usagef(hint, "import takes an environment, and a file or --from; got %d arguments", len(args))
	}
	for _, env := range []string{args[0], o.from} {
		if err := keystore.ValidEnv(env); env != "" && err != nil || args[0] == "" {
			return usageError{err, hint}
		}
	}
	keys, err := openKeys(term, mayAsk)
	switch {
	case err != nil:
		return err
	case o.from != "":
		return o.importFrom(ctx, keys, args[0])
	}
	return o.importFile(ctx, keys, args[0], args[1])
}

func (o importOptions) importFile(ctx context.Context, keys *keyring, env, path string) error {
	term, doing := keys.term, "import "+quote(path)
	if path == "-" {
		doing = "import standard input"
	}
	data, original, err := openImport(term, path, o.rewrite)
	if err != nil {
		return err
	}
	defer clear(data)
	format := o.format
	switch {
	case format == "":
		format = edit.Guess(path, data)
	case !slices.Contains(edit.ReadFormats(), format):
		return usagef("the formats are "+strings.Join(edit.ReadFormats(), ", "), "unknown format %s", quote(format))
	}
	file, err := edit.Read(format, data)
	if err != nil {
		return usageError{fmt.Errorf("%s: %w", doing, err), "--format says what it is, if its name does not"}
	}
	defer file.Wipe()
	if format == edit.FormatFreqtrade {
		fmt.Fprintln(term.err, "keywright: read as freqtrade's configuration; other values in it stay as they are")
	}
	plan, err := o.plan(ctx, keys, env, file)
	if err != nil {
		return err
	}
	var rewritten []byte
	if o.rewrite && len(plan.texts) > 0 {
		if rewritten, err = file.Rewrite(plan.texts); err != nil {
			return hintedError{fmt.Errorf("rewrite %s: %w", quote(path), err), "nothing was stored; import it without --rewrite, or less of it with --only"}
		}
		defer clear(rewritten)
	}
	if err := plan.store(ctx, keys); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	for _, p := range plan.problems {
		fmt.Fprintf(term.err, "keywright: not taken: %s\n", escaped(p.String()))
	}
	fmt.Fprintf(term.err, "keywright: stored %s in %s%s\n", plural(plan.stored, "key"), env, plan.unchanged())
	if rewritten != nil {
		if err := original.Replace(rewritten); err != nil {
			return hintedError{fmt.Errorf("rewrite %s: %w", quote(path), err), "the keys are stored, and the file is as it was: try again"}
		}
		fmt.Fprintf(term.err, "keywright: rewrote %s: references in place of %s\n", quote(path), plural(len(plan.texts), "value"))
	}
	if len(plan.problems) > 0 {
		return outcome(exitIncomplete)
	}
	return nil
}

// openImport reads the file that is to be imported, or standard input. One that is to be
// rewritten is the file itself, and has no other name; original is nil otherwise.
func openImport(term *terminal, path string, rewrite bool) (data []byte, original *edit.Original, err error) {
	switch {
	case path == "-" && rewrite:
		return nil, nil, usagef("give the file itself", "--rewrite does not go with standard input")
	case path == "-" && term.inTTY:
		return nil, nil, usagef("for example: pass show bot/env | keywright import dev -", "standard input is a terminal, which shows what is typed")
	case path == "-":
		data, err = readText("import standard input", term.in)
		return data, nil, err
	case !rewrite:
		data, err = readSmall("import", path)
		return data, nil, err
	}
	original, err = edit.Open(path, keystore.MaxValue)
	hint := "check the path"
	switch {
	case err == nil:
		return original.Data(), original, nil
	case errors.Is(err, edit.ErrLink):
		hint = "give the file that it leads to"
	case errors.Is(err, edit.ErrNames):
		hint = "import it without --rewrite, or remove the other name"
	case errors.Is(err, edit.ErrLarge):
		hint = "such a file is small; is it the right one?"
	}
	return nil, nil, usageError{fmt.Errorf("import %s: %w", quote(path), bare(err)), hint}
}

// importPlan is what an import is going to do.
type importPlan struct {
	takes    []take
	texts    map[string]string // references by the names of the values
	problems []edit.Problem
	same     int // keys that have their values already
	referred int // values that are references
	stored   int
}

// take is a key that is to be stored.
type take struct {
	name      keystore.Name
	known     *keystore.Key // no more than its name, if it is new
	parts     keystore.Parts
	variables map[string]string // by part
	provider  string
	reason    string // why it is taken all the same
	line      int
}

func (p *importPlan) problem(line int, name, why string) {
	p.problems = append(p.problems, edit.Problem{Line: line, Name: name, Why: why})
}

// unchanged says what was there already.
func (p *importPlan) unchanged() string {
	var text string
	if p.same > 0 {
		text += fmt.Sprintf("; %d there already", p.same)
	}
	if p.referred > 0 {
		text += fmt.Sprintf("; %s already", plural(p.referred, "reference"))
	}
	return text
}

// wants reports whether --only lets a value pass, by any of its names.
func (o importOptions) wants(names ...string) bool {
	return len(o.only) == 0 || slices.ContainsFunc(names, func(n string) bool { return slices.Contains(o.only, n) })
}

// plan compares what is in a file with what is stored.
func (o importOptions) plan(ctx context.Context, keys *keyring, env string, file *edit.File) (*importPlan, error) {
	p := &importPlan{texts: map[string]string{}}
	for _, problem := range file.Problems {
		if o.wants(problem.Name) {
			p.problems = append(p.problems, problem)
		}
	}
	var chosen []edit.Credential
	seen := map[string]bool{}
	for _, problem := range file.Problems {
		seen[problem.Name] = true
	}
	for _, c := range file.Credentials() {
		names := []string{c.Name}
		for _, f := range c.Parts {
			names = append(names, f.Name)
		}
		for _, n := range names {
			seen[n] = true
		}
		if o.wants(names...) {
			chosen = append(chosen, c)
		}
	}
	for _, n := range o.only {
		if !seen[n] {
			return nil, usagef("in JSON and YAML they are paths: database.password", "--only: the file has no %s", quote(n))
		}
	}
	held, err := keys.Select(ctx, func(k *keystore.Key) bool {
		return k.Env == env && slices.ContainsFunc(chosen, func(c edit.Credential) bool { return c.Name == k.Name.Key })
	})
	if err != nil {
		return nil, err
	}
	defer wipe(held)
	for _, c := range chosen {
		if err := o.planOne(ctx, keys, p, held, keystore.Name{Env: env, Key: c.Name}, c); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(p.problems, func(a, b edit.Problem) int { return a.Line - b.Line })
	return p, nil
}

func wipe(held []keystore.Opened) {
	for _, h := range held {
		h.Parts.Wipe()
	}
}

// planOne decides what becomes of a credential.
func (o importOptions) planOne(ctx context.Context, keys *keyring, p *importPlan, held []keystore.Opened, name keystore.Name, c edit.Credential) error {
	label := c.Name
	if len(c.Parts) > 1 {
		label = c.Parts[0].Name
	}
	refused := func(why string) { p.problem(c.Line(), label, why) }
	if _, err := keystore.ParseName(name.String()); err != nil {
		refused(err.Error())
		return nil
	}
	references := 0
	for _, f := range c.Parts {
		switch {
		case f.Value.IsZero():
			p.problem(f.Line, f.Name, "its value is empty")
			return nil
		case keystore.IsReference(f.Value):
			if _, err := keystore.ParseReference(f.Value); err != nil {
				p.problem(f.Line, f.Name, err.Error())
				return nil
			}
			references++
		}
	}
	switch {
	case references == len(c.Parts):
		p.referred += references
		return nil
	case references > 0:
		refused("some of its parts are references, and some are not")
		return nil
	}
	t := take{name: name, parts: keystore.Parts{}, variables: map[string]string{}, provider: c.Provider, line: c.Line()}
	i := slices.IndexFunc(held, func(h keystore.Opened) bool { return h.Key.Name == name })
	for _, f := range c.Parts {
		part := f.Part
		switch {
		case part != "":
		case i < 0:
			part = keystore.SinglePart
		case len(held[i].Key.Parts) == 1:
			part = held[i].Key.Parts[0].Name
		default:
			refused(name.String() + " has several parts")
			return nil
		}
		if i < 0 && isOurs(variableOf(&keystore.Key{Name: name}, keystore.Part{Name: part, Variable: f.Env})) {
			p.problem(f.Line, f.Name, "no program gets a variable that begins with "+ours)
			return nil
		}
		t.parts[part], t.variables[part] = f.Value, f.Env
	}
	key := &keystore.Key{Name: name, Provider: t.provider}
	if i >= 0 {
		key = held[i].Key
	}
	switch {
	case i < 0:
	case !slices.Equal(slices.Sorted(maps.Keys(t.parts)), slices.Sorted(slices.Values(held[i].Key.PartNames()))):
		refused(fmt.Sprintf("%s is there already, with the parts %s", name, strings.Join(held[i].Key.PartNames(), ", ")))
		return nil
	case equalParts(held[i].Parts, t.parts):
		p.same++
		p.refer(name, c)
		return nil
	case !o.replace:
		refused(name.String() + " is there already, with another value: --replace stores a new version")
		return nil
	}
	t.known = key
	why, err := o.judge(ctx, keys, key, &t)
	switch {
	case err != nil:
		return err
	case why != "":
		refused(why)
		return nil
	}
	p.takes = append(p.takes, t)
	p.refer(name, c)
	return nil
}

// judge says why a key is not taken, because of what its values look like; nothing if it
// is. What is known of it is that of another key.
func (o importOptions) judge(ctx context.Context, keys *keyring, known *keystore.Key, t *take) (why string, err error) {
	key := *known
	key.Name = t.name
	before := keys.reason
	err = keys.fits(ctx, "import", &key, t.parts, o.insistence)
	t.reason, keys.reason = keys.reason, before
	if misfit := (*keystore.RealmError)(nil); errors.As(err, &misfit) {
		return err.Error() + ": --force --reason TEXT takes it", nil
	}
	return "", err
}

// refer puts references in place of the values of a credential.
func (p *importPlan) refer(name keystore.Name, c edit.Credential) {
	for _, f := range c.Parts {
		p.texts[f.Name] = keystore.Ref{Name: name, Part: f.Part}.Reference()
	}
}

// equalParts compares secrets.
func equalParts(a, b keystore.Parts) bool {
	key := []byte(rand.Text())
	return maps.EqualFunc(a, b, func(v, w secret.Value) bool { return v.Digest(key) == w.Digest(key) })
}

// store stores what is to be, all of it or nothing, and reads it back.
func (p *importPlan) store(ctx context.Context, keys *keyring) error {
	if len(p.takes) == 0 {
		return nil
	}
	var list []keystore.NewVersion
	var entries []audit.Entry
	for _, t := range p.takes {
		list = append(list, keystore.NewVersion{Name: t.name, Parts: t.parts, Edit: t.describe})
		granted := storing("import", t.known)
		granted.Reason = t.reason
		entries = append(entries, granted)
	}
	if err := keys.putAll(ctx, list, entries...); err != nil {
		return hintedError{p.atLine(err), "nothing was stored; the file is as it was; try again"}
	}
	p.stored = len(p.takes)
	held, err := keys.Select(ctx, func(k *keystore.Key) bool {
		return slices.ContainsFunc(p.takes, func(t take) bool { return t.name == k.Name })
	})
	if err != nil {
		return fmt.Errorf("read back what was stored: %w", err)
	}
	defer wipe(held)
	for _, t := range p.takes {
		i := slices.IndexFunc(held, func(h keystore.Opened) bool { return h.Key.Name == t.name })
		if i < 0 || !equalParts(held[i].Parts, t.parts) {
			return hintedError{fmt.Errorf("read back %s: it is not what was stored", t.name), "is another program storing keys? The file is as it was"}
		}
	}
	return nil
}

// atLine says of an error where the key that it is about comes from.
func (p *importPlan) atLine(err error) error {
	var known *keystore.KeyError
	if !errors.As(err, &known) {
		return err
	}
	if i := slices.IndexFunc(p.takes, func(t take) bool { return t.name == known.Name }); i >= 0 {
		return fmt.Errorf("line %d: %w", p.takes[i].line, err)
	}
	return err
}

var errChangedSince = errors.New("somebody else has stored it meanwhile")

// asKnown refuses to replace what was not there when it was looked at.
func (t take) asKnown(k *keystore.Key) error {
	now, _ := k.Version(keystore.Current)
	then, _ := t.known.Version(keystore.Current)
	if now.Item != then.Item {
		return errChangedSince
	}
	return nil
}

// describe is what else is known of a key then.
func (t take) describe(k *keystore.Key) error {
	if err := t.asKnown(k); err != nil {
		return err
	}
	k.Expires = time.Time{} // that was the old version's
	k.Provider = cmp.Or(k.Provider, t.provider)
	for i, part := range k.Parts {
		k.Parts[i].Variable = cmp.Or(part.Variable, t.variables[part.Name])
	}
	return nil
}

// readSmall reads a file of which a person has written each line; doing says for what.
func readSmall(doing, path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, usageError{fmt.Errorf("%s %s: %w", doing, quote(path), bare(err)), "check the path"}
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, usagef("give a file in it", "%s %s: it is a directory", doing, quote(path))
	}
	return readText(doing+" "+quote(path), f)
}

// readText reads what readSmall does; doing says from where, too.
func readText(doing string, r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, keystore.MaxValue+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, bare(err))
	}
	if len(data) > keystore.MaxValue {
		clear(data)
		return nil, usagef("such a file is small; is it the right one?", "%s: it has more than 16 MiB", doing)
	}
	return data, nil
}
