package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/keywright/keywright/audit"
	"github.com/keywright/keywright/internal/launch"
	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/secret"
)

// runOptions are the flags of run, as they were typed.
type runOptions struct {
	env      string
	only     []string
	envFiles []string
	all      bool
	trust    bool
	files    bool
	mask     bool

	reason string
}

const runLong = `Starts a program and hands it the keys of an environment, as variables. They
are in the memory and the environment of the program and of what it starts,
and nowhere else. Variables that begin with KEYWRIGHT_ are taken from it, and no
key goes into one. Each use goes on record before the program starts.

A part goes into the variable that 'keywright edit --variable' gave it;
otherwise the one named like the key, with the part behind it if there are
several: DB_PASSWORD.

With --files each is a file instead, whose path is in NAME_FILE. On Linux it is
in memory, and inherited: a program that closes what it inherits, as Python does
when it starts another, leaves that one without. On other Unixes it is a FIFO,
without a size, to be read from its beginning to its end. Windows has neither.

With --mask the program's output is a pipe, and what is shown of it has *** for
the values: against accidents. One of less than 8 bytes shows, and so does one
that is written in pieces more than 50 ms apart; one of over 64 KiB is refused.

A variable whose value is a reference, keywright://ENV/NAME#part, gets what it
refers to, if that is in the same environment. Such variables may be in the
environment, or in a .env file that is read with --env-file, whose other
variables are handed over as they are. A later file goes before an earlier
one, files before the environment, and keys before variables that are no
references.

In a project, whose .keywright.toml declares which keys it needs, a program
gets those and no others, unless --all says otherwise. What that file and a
.env file with references ask for is shown once, and again when they have
changed; without a terminal --trust is the answer.

A variable that a key of another environment would go into is taken from the
program, unless it comes from a .env file or one of its own keys.

The program's exit status is keywright's. Before it starts, keywright's own
are 126 if the program cannot be executed, 127 if it is not there, and 125 for
every other reason.
`

func newRun(term *terminal) *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use:     "run --env ENV [flags] -- PROGRAM [ARGUMENT...]",
		Short:   "Run a program with the keys of an environment",
		Long:    runLong,
		Example: "  keywright run --env dev -- ./bot\n  keywright run --env prod --only BINANCE,DB --mask -- make deploy",
		Args:    cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkEmpty(c.Flags()); err != nil {
				return ownFailure(term, err)
			}
			return ownFailure(term, asked(c, runRun(c.Context(), term, o, args)))
		},
	}
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return ownFailure(term, flagError(c, err)) })
	f := c.Flags()
	f.SetInterspersed(false)
	f.SortFlags = false
	f.StringVar(&o.env, "env", "", "the `ENV` whose keys are handed over")
	f.StringSliceVar(&o.only, "only", nil, "only the keys in `LIST` (names, without the environment)")
	f.BoolVar(&o.all, "all", false, "all keys of ENV, whatever the project declares")
	f.BoolVar(&o.trust, "trust", false, "say yes to what .keywright.toml and FILE ask for")
	f.StringArrayVar(&o.envFiles, "env-file", nil, "variables and references from a .env `FILE` (repeatable)")
	f.BoolVar(&o.files, "files", false, "hand the values over as files, their paths in NAME_FILE")
	f.BoolVar(&o.mask, "mask", false, "show *** for the values in the program's output")
	addReason(f, &o.reason)
	return c
}

func runRun(ctx context.Context, term *terminal, o runOptions, args []string) error {
	if o.env == "" {
		return usagef("for example: keywright run --env dev -- ./bot", "--env is needed")
	}
	if err := keystore.ValidEnv(o.env); err != nil {
		return usageError{err, "for example: --env dev"}
	}
	if len(args) == 0 {
		return usagef("for example: keywright run --env "+o.env+" -- ./bot", "no program is given")
	}
	var files []*envFile
	for _, path := range o.envFiles {
		f, err := readEnvFile(path)
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	around, err := look(os.Environ(), files)
	if err != nil {
		return err
	}
	project, err := o.project()
	if err != nil {
		return err
	}
	keys, err := openKeys(term, mayAsk)
	if err != nil {
		return err
	}
	refs := around.sorted()
	if err := keys.checkRefs(ctx, "run", o.env, o.only, refs); err != nil {
		return err
	}
	if err := keys.checkTrust(ctx, o, project, files); err != nil {
		return err
	}
	if _, err := keys.permit(ctx, request{verb: "run", env: o.env, what: "Run " + quote(args[0]) + " with its keys", reason: o.reason, unattended: true}); err != nil {
		return err
	}
	got, err := keys.gather(ctx, "run", wanted{env: o.env, only: o.only, refs: refs, project: project})
	if err != nil {
		return err
	}
	values, uses := got.values, got.uses
	command := launch.Command{
		Argv: args, Env: around.without(got.others), Mask: o.mask, Secrets: values,
		Stdin: term.in, Stdout: term.out, Stderr: term.err, Inherit: term.limits.Inherit,
	}
	if o.files {
		command.Secrets, command.Files = nil, values
	}
	if o.mask {
		warnUnmasked(term, values)
	}
	granted := &onRecord{}
	if err := keys.recordRun(ctx, &command, uses, granted); err != nil {
		return err
	}
	// The program gets the signals: what ended with the first interrupt would end it.
	result, err := launch.Exec(context.WithoutCancel(ctx), command)
	var failed *launch.Error
	if errors.As(err, &failed) {
		_ = keys.failed(ctx, *granted, failed)
		if hint := instead(err, command.Secrets); hint != "" {
			err = hintedError{err, hint}
		}
		conclude(term, err)
		return outcome(failed.Code)
	}
	if err != nil && !closedPipe(err) {
		fmt.Fprintf(term.err, "keywright: warning: %s\n", escaped(err.Error()))
	}
	return outcome(result.Code)
}

// instead says what to do about a value that no environment takes.
func instead(err error, variables map[string]secret.Value) string {
	const files = "--files hands values over as files"
	const large = 16 << 10 // what is less is not to blame
	switch {
	case errors.Is(err, launch.ErrNUL):
		return files
	case errors.Is(err, syscall.E2BIG) && len(variables) > 0:
		largest := slices.MaxFunc(slices.Sorted(maps.Keys(variables)), func(a, b string) int { return variables[a].Len() - variables[b].Len() })
		if n := variables[largest].Len(); n > large {
			return fmt.Sprintf("%s has %d bytes: %s", largest, n, files)
		}
	}
	return ""
}

// warnUnmasked names the values that are too short to be masked.
func warnUnmasked(term *terminal, values map[string]secret.Value) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if values[name].Len() < launch.MinMask {
			fmt.Fprintf(term.err, "keywright: warning: %s is not masked: it has less than %d bytes\n", name, launch.MinMask)
		}
	}
}

// ownFailure says why nothing was started, with a code that programs leave to what starts
// them. What has been said already, and an interrupt, keep theirs.
func ownFailure(term *terminal, err error) error {
	if errors.As(err, new(outcome)) {
		return err
	}
	if conclude(term, err) == exitInterrupted {
		return outcome(exitInterrupted)
	}
	return outcome(launch.CodeOwn)
}

// recordRun puts on record who gets the keys, before that happens, and which process
// that is: where it takes keywright's place, that is known before. Granted is what was put
// on record by the time that the program starts, or fails to.
func (k *keyring) recordRun(ctx context.Context, c *launch.Command, uses []audit.Entry, granted *onRecord) (err error) {
	if launch.InPlace(*c) {
		c.Started = func(p launch.Process) (err error) {
			for i := range uses {
				uses[i].Child = childOf(p)
			}
			*granted, err = k.enter(ctx, uses...)
			return err
		}
		return nil
	}
	if *granted, err = k.enter(ctx, uses...); err != nil {
		return err
	}
	c.Started = func(p launch.Process) error {
		results := granted.results("started")
		for i := range results {
			results[i].Child = childOf(p)
		}
		return k.append(ctx, results...)
	}
	return nil
}

func childOf(p launch.Process) *audit.Child {
	return &audit.Child{PID: p.PID, Started: time.Now(), Start: p.Start, Boot: p.Boot}
}

// wanted says which keys are to be handed over.
type wanted struct {
	env     string
	only    []string    // these alone, if there are any
	refs    []reference // variables that refer to keys of the environment
	project *project    // that declares which it needs; nil if there is none
	text    bool        // they are given out as text, not to a program
}

// names reports whether a key is wanted for itself, not only because something refers
// to it.
func (w wanted) names(k *keystore.Key) bool {
	if k.Env != w.env || len(w.only) > 0 && !slices.Contains(w.only, k.Name.Key) {
		return false
	}
	_, needed := w.need(k.Name)
	return needed
}

// need is what the project says of a key, and whether it needs that at all.
func (w wanted) need(n keystore.Name) (keystore.Need, bool) {
	if w.project == nil {
		return keystore.Need{}, true
	}
	i := slices.IndexFunc(w.project.needs, func(need keystore.Need) bool { return need.Name == n })
	if i < 0 {
		return keystore.Need{}, false
	}
	return w.project.needs[i], true
}

// lacks are the needs of the project that the keys do not meet.
func (w wanted) lacks(opened []keystore.Opened) []keystore.Lack {
	if w.project == nil {
		return nil
	}
	there := &keystore.Catalog{}
	for _, o := range opened {
		there.Keys = append(there.Keys, *o.Key)
	}
	return there.Lacks(slices.DeleteFunc(w.project.in(w.env), func(n keystore.Need) bool {
		return len(w.only) > 0 && !slices.Contains(w.only, n.Key)
	}))
}

func (w wanted) refersTo(k *keystore.Key) bool {
	return slices.ContainsFunc(w.refs, func(r reference) bool { return r.ref.Name == k.Name })
}

// gathered are keys on their way to a program.
type gathered struct {
	values map[string]secret.Value // by variable
	uses   []audit.Entry           // that go on record
	others map[string]bool         // the variables that keys of other environments go into
}

// gather reads the keys that are wanted. What refers to a key says where it goes; else the
// key does.
func (k *keyring) gather(ctx context.Context, verb string, w wanted) (gathered, error) {
	others := map[string]bool{}
	opened, err := k.Select(ctx, func(key *keystore.Key) bool {
		for _, p := range key.Parts {
			if key.Env != w.env {
				others[variableOf(key, p)] = true
			}
		}
		return w.names(key) || w.refersTo(key)
	})
	if err != nil {
		return gathered{}, err
	}
	if i := slices.IndexFunc(opened, func(o keystore.Opened) bool { return w.text && !o.Key.MayReveal() }); i >= 0 {
		defer wipe(opened)
		return gathered{}, k.hidden(ctx, verb, opened[i].Key)
	}
	for _, name := range w.only {
		if !slices.ContainsFunc(opened, func(o keystore.Opened) bool { return o.Key.Name.Key == name }) {
			return gathered{}, usagef("'keywright ls "+w.env+"' names those there are", "--only: there is no key %s/%s", w.env, name)
		}
	}
	if lacks := w.lacks(opened); len(lacks) > 0 {
		return gathered{}, lackError(lacks)
	}
	values, of := map[string]secret.Value{}, map[string]keystore.Name{}
	for _, r := range w.refs {
		if values[r.variable], err = r.resolve(opened); err != nil {
			return gathered{}, err
		}
	}
	if len(opened) == 0 && w.project != nil {
		return gathered{}, usagef("--all hands over keys that it does not declare", "the project of %s needs no key of %s", quote(w.project.file), w.env)
	}
	if len(opened) == 0 {
		return gathered{}, usagef("'keywright ls' names the keys there are", "there is no key in %s", w.env)
	}
	var uses []audit.Entry
	for _, o := range opened {
		uses = append(uses, use(verb, o.Key, keystore.Current))
		need, _ := w.need(o.Key.Name)
		if !w.names(o.Key) {
			continue
		}
		for _, p := range o.Key.Parts {
			variable := cmp.Or(need.Variables[p.Name], variableOf(o.Key, p))
			if _, referred := values[variable]; referred && of[variable] == (keystore.Name{}) {
				continue
			}
			another := "keywright edit " + o.Key.Name.String() + " --variable " + p.Name + "=NAME"
			if isOurs(variable) && !w.text {
				return gathered{}, usagef("give it another: "+another, "%s goes into the variable %s, and no program gets one that begins with %s", o.Key.Name, variable, ours)
			}
			if other, taken := of[variable]; taken {
				return gathered{}, usagef("give one of them another: "+another, "%s and %s both go into the variable %s", other, o.Key.Name, variable)
			}
			values[variable], of[variable] = o.Parts[p.Name], o.Key.Name
		}
	}
	return gathered{values, uses, others}, nil
}

// variableOf is the variable that a part of a key goes into.
func variableOf(k *keystore.Key, p keystore.Part) string {
	if p.Variable != "" {
		return p.Variable
	}
	name := k.Name.Key
	if len(k.Parts) > 1 {
		name += "_" + p.Name
	}
	upper := strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(name))
	if '0' <= upper[0] && upper[0] <= '9' {
		upper = "_" + upper
	}
	return upper
}

// ours is what keywright's own variables begin with: they say how to open the keys.
const ours = "KEYWRIGHT_"

// isOurs reports whether a variable is one that no program gets.
func isOurs(variable string) bool { return strings.HasPrefix(strings.ToUpper(variable), ours) }
