package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keywright/keywright/audit"
	"github.com/keywright/keywright/config"
	"github.com/keywright/keywright/internal/durable"
	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/keystore/backup"
	"github.com/keywright/keywright/keystore/keychain"
	"github.com/keywright/keywright/rotate"
	"github.com/keywright/keywright/scan/files"
	"github.com/keywright/keywright/scan/gitrepo"
	"github.com/keywright/keywright/scan/pipeline"
	"github.com/keywright/keywright/scan/report"
)

// The exit codes, the same for every command.
const (
	exitOK          = 0
	exitFindings    = 1
	exitUsage       = 2
	exitIncomplete  = 3
	exitFailed      = 4
	exitInterrupted = 130
)

// exitStatus ends every command's help.
const exitStatus = `
EXIT STATUS
    0    done; for a scan: nothing found, and everything was read
    1    credentials were found; a key is due; the audit log is not as written
    2    the command line or the configuration is wrong
    3    nothing was found, but not everything could be read, or stored
    4    the operation failed
    130  interrupted; what was found until then is printed
`

// usageError is an error in what was asked: flags, arguments, configuration.
type usageError struct {
	error
	hint string
}

func (e usageError) Unwrap() error { return e.error }

func usagef(hint, format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...), hint}
}

// hintedError is an error with what to do about it, that is not in what was asked.
type hintedError struct {
	error
	hint string
}

func (e hintedError) Unwrap() error { return e.error }

// outcome is the end of a command that has said all there is to say: only the
// exit code is left.
type outcome int

func (o outcome) Error() string { return "exit status " + strconv.Itoa(int(o)) }

// explain is the table from an error to what is printed and the exit code. An
// empty message prints nothing.
func explain(err error) (message, hint string, code int) {
	var (
		done   outcome
		usage  usageError
		hinted hintedError
		step   *rotate.StepError
	)
	switch {
	case err == nil:
		return "", "", exitOK
	case errors.As(err, &done):
		return "", "", int(done)
	case closedPipe(err):
		return "", "", exitOK
	case errors.Is(err, context.Canceled):
		switch { // what is left half done says how to go on with it
		case errors.As(err, &hinted):
			hint = hinted.hint
		case errors.As(err, &step):
			hint = step.Hint
		}
		return "interrupted", hint, exitInterrupted
	case errors.As(err, &usage):
		return err.Error(), usage.hint, exitUsage
	case errors.As(err, &hinted):
		return err.Error(), hinted.hint, exitFailed
	case errors.As(err, &step) && step.Hint != "":
		return err.Error(), step.Hint, exitFailed
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return err.Error(), "make room on that disk and try again", exitFailed
	case errors.Is(err, durable.ErrSpecial):
		return err.Error(), "move away what stands in its place", exitFailed
	}
	if missing := (*gitrepo.MissingError)(nil); errors.As(err, &missing) && !errors.As(err, new(*gitrepo.RevisionError)) {
		return err.Error(), "'git fsck' names what else is missing; 'git fetch --refetch --no-filter' brings it, if the remote has it", exitFailed
	}
	if hint, ok := explainRepository(err); ok {
		return err.Error(), hint, exitUsage
	}
	if hint, code, ok := explainKeys(err); ok {
		return err.Error(), hint, code
	}
	var configured *config.Error
	switch {
	case errors.As(err, &configured):
		return err.Error(), cmp.Or(configured.Hint(), "docs/config.md says what it may hold"), exitUsage
	case errors.Is(err, syscall.EROFS):
		return err.Error(), unwritableHint, exitFailed
	case errors.Is(err, fs.ErrPermission):
		return err.Error(), "look at its owner and its mode", exitFailed
	}
	return err.Error(), "", exitFailed
}

// explainKeys knows the errors of keys and of where they are kept.
func explainKeys(err error) (hint string, code int, ok bool) {
	var (
		name     *keystore.NameError
		tampered *keystore.TamperError
		misfit   *keystore.RealmError
		locked   *keystore.LockedOutError
	)
	switch {
	case errors.As(err, &name):
		return "a key is written ENV/NAME: prod/BINANCE", exitUsage, true
	case errors.As(err, &misfit):
		return "is it the right environment? To have it there all the same: --force --reason TEXT", exitUsage, true
	case errors.Is(err, keystore.ErrNotProtected):
		return "'keywright edit ENV --protected' protects an environment", exitFailed, true
	case errors.Is(err, keystore.ErrNotUnlocked):
		return "'keywright status' says what is", exitFailed, true
	case errors.Is(err, keystore.ErrCode):
		return "wait for the next code, or take a recovery code", exitFailed, true
	case errors.As(err, &locked):
		return "wait, and look at what is typed; after some wrong codes each costs more time", exitFailed, true
	case errors.Is(err, keystore.ErrEnrolled):
		return "'keywright totp disable' forgets it", exitFailed, true
	case errors.Is(err, keystore.ErrNotEnrolled):
		return "'keywright totp enrol' enrols one", exitFailed, true
	case errors.Is(err, keystore.ErrSecretGone):
		return "'keywright totp disable' forgets the authenticator, without a code", exitFailed, true
	case errors.Is(err, keystore.ErrNoKey):
		return "'keywright ls' names the keys there are", exitFailed, true
	case errors.Is(err, keystore.ErrNoVersion):
		return "a version is kept when the next one is stored", exitFailed, true
	case errors.Is(err, backup.ErrLocked):
		return "a backup opens with what it was locked with: --passphrase-file, or --identity", exitFailed, true
	case errors.Is(err, backup.ErrNoBackup):
		return "it is a file that 'keywright backup' wrote; if this was one, take another copy", exitFailed, true
	case errors.Is(err, backup.ErrFormat):
		return "restore it with the keywright that wrote it, or a later one", exitFailed, true
	case errors.Is(err, keystore.ErrRotating):
		return "'keywright rotate resume' goes on with that, 'keywright rotate abort' takes it back", exitFailed, true
	case errors.Is(err, keystore.ErrNoRotation):
		return "'keywright rotate ls' names them", exitFailed, true
	case errors.Is(err, keystore.ErrExists):
		return "remove that one first, or choose another name", exitFailed, true
	case errors.Is(err, audit.ErrOtherKey):
		return "it is of another log: of another machine, or of before 'keywright doctor --begin-anew'", exitFailed, true
	case errors.Is(err, audit.ErrNoLog):
		return "the log begins with the first use of a key", exitFailed, true
	case errors.Is(err, audit.ErrNoEntry):
		return "'keywright audit show' numbers them", exitFailed, true
	case errors.As(err, &tampered):
		return "put the directory of the keys back from a copy; if there is none: keywright doctor --begin-anew", exitFailed, true
	}
	var trouble *keystore.BackendError
	if !errors.As(err, &trouble) {
		return "", exitFailed, false
	}
	hint = troubleHints[trouble.Trouble]
	if trouble.Backend != keychain.Name {
		hint = cmp.Or(fileHints[trouble.Trouble], hint)
	}
	return hint, exitFailed, true
}

// unwritableHint says what to do about a directory of the keys that takes no change.
const unwritableHint = "make it one that can be written, or choose another: " + envHome

// troubleHints say what to do about a backend's trouble.
var troubleHints = map[keystore.Trouble]string{
	keystore.Absent:    "to keep keys in an encrypted file instead: export " + envKeystore + "=agefile",
	keystore.Locked:    "unlock it, and try again",
	keystore.Dismissed: "try again, and answer what is asked",
	keystore.Silent:    "it may be waiting for a password in another window",
	keystore.Full:      "make room, or store less",
	keystore.Fixed:     unwritableHint,
	keystore.Damaged:   "put it back from a copy; if there is none: keywright doctor --begin-anew",
}

// fileHints are those of the encrypted file, where they differ.
var fileHints = map[keystore.Trouble]string{
	keystore.Absent: "put the directory of the keys back from a copy",
	keystore.Locked: "it opens with what " + envIdentity + " or " + envPassphrase + " names,\nor else with a passphrase, which is asked for at a terminal",
}

// asked begins an error of a backend with what the user asked for, if it says nothing of
// that yet.
func asked(c *cobra.Command, err error) error {
	var trouble *keystore.BackendError
	if !errors.As(err, &trouble) || !strings.HasPrefix(err.Error(), trouble.Backend) {
		return err
	}
	doing := strings.TrimPrefix(c.CommandPath(), c.Root().Name()+" ")
	if env := c.Flags().Lookup("env"); env != nil && env.Changed {
		doing += " --env " + env.Value.String()
	} else if c.Flags().NArg() > 0 {
		doing += " " + c.Flags().Arg(0)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// explainRepository knows the errors that mean "what was asked cannot be, here".
func explainRepository(err error) (hint string, ok bool) {
	var (
		revision    *gitrepo.RevisionError
		shallow     *gitrepo.ShallowError
		unsupported *gitrepo.UnsupportedError
		gitConfig   *gitrepo.ConfigError
		special     *files.NotRegularError
		lack        *pipeline.LackError
	)
	switch {
	case errors.As(err, &lack) && lack.Lack == pipeline.SingleFile:
		return "give the directory of its repository, or no path: history and index are scanned whole", true
	case errors.As(err, &lack) && lack.Lack == pipeline.BareRepository:
		return "its history holds all there is: keywright scan " + quote(lack.Path), true
	case errors.As(err, &lack), errors.Is(err, gitrepo.ErrNotRepository):
		return "run it in a repository, or scan files alone: keywright scan PATH", true
	case errors.Is(err, gitrepo.ErrGitDir):
		return "unset GIT_DIR, or let it name the .git directory", true
	case errors.As(err, &shallow):
		return "fetch what is missing: " + shallow.Hint(), true
	case errors.As(err, &revision):
		return cmp.Or(revision.Hint, "'git branch --all' and 'git tag' list what there is; 'git fetch' brings more"), true
	case errors.As(err, &unsupported):
		return "to scan its files alone: git archive HEAD | tar -xC DIR, then keywright scan DIR", true
	case errors.As(err, &gitConfig):
		return "'git config --list' says what Git makes of it", true
	case errors.As(err, &special):
		return "to scan a stream: keywright scan -", true
	}
	return "", false
}

// conclude prints an error as keywright's errors look and returns the exit code.
func conclude(term *terminal, err error) int {
	message, hint, code := explain(err)
	if message != "" {
		fmt.Fprintf(term.err, "keywright: error: %s\n", report.Escape(message))
	}
	for line := range strings.Lines(hint) {
		fmt.Fprintf(term.err, "keywright: hint: %s\n", report.Escape(strings.TrimSuffix(line, "\n")))
	}
	return code
}

// closedPipe reports whether whoever read our output has gone.
func closedPipe(err error) bool {
	const windowsNoData = syscall.Errno(232) // ERROR_NO_DATA, "the pipe is being closed"
	return errors.Is(err, syscall.EPIPE) || isWindows && errors.Is(err, windowsNoData)
}

// flagError gives an unknown flag the hint that it deserves: flags of other
// scanners and flags with a typing error are answered with ours.
func flagError(c *cobra.Command, err error) error {
	hint := fmt.Sprintf("see '%s --help'", c.CommandPath())
	if name, ok := strings.CutPrefix(err.Error(), "unknown flag: --"); ok {
		hint = cmp.Or(misplacedFlag(c, name), foreignFlag(c, name), similarFlag(c, name), hint)
	}
	return usageError{err, hint}
}

// misplacedFlag answers a flag that was given without the command that has it.
func misplacedFlag(c *cobra.Command, name string) string {
	if name == "version" {
		return fmt.Sprintf("did you mean '%s version'?", c.Root().Name())
	}
	for _, sub := range c.Commands() {
		if sub.Flags().Lookup(name) != nil {
			return fmt.Sprintf("did you mean '%s --%s'?", sub.CommandPath(), name)
		}
	}
	return ""
}

// similarFlag finds the flag that was meant the way Cobra finds commands.
func similarFlag(c *cobra.Command, name string) string {
	names := &cobra.Command{SuggestionsMinimumDistance: 2}
	c.Flags().VisitAll(func(f *pflag.Flag) {
		names.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
	})
	if similar := names.SuggestionsFor(name); len(similar) > 0 {
		return fmt.Sprintf("did you mean --%s?", similar[0])
	}
	return ""
}

func foreignFlag(c *cobra.Command, name string) string {
	if c.Name() != "scan" {
		return ""
	}
	switch name {
	case "json", "jsonl", "sarif":
		return "did you mean --format " + name + "?"
	case "report-format":
		return "did you mean --format?"
	case "report-path", "out":
		return "did you mean --output?"
	case "source", "path", "dir", "repo":
		return "the path is an argument: keywright scan PATH"
	case "no-git":
		return "did you mean --no-history?"
	case "log-opts", "commits":
		return "did you mean --range A..B?"
	case "config":
		return "the configuration is .keywright.toml in the root of what is scanned"
	case "baseline", "baseline-path":
		return "findings are accepted in .keywrightignore, by their fingerprints"
	case "redact":
		return "reports are always redacted; --show-secrets shows the secrets"
	case "all":
		return "everything is scanned unless you narrow it with --staged, --range, --since, --no-history or --history-only"
	}
	return ""
}

// bare takes the operation and the path off an error that is told with both.
func bare(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// unwritten is the error of writing a file that the user named: with that name, once, and
// what to do about it.
func unwritten(doing, name string, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) && err == error(path) {
		err = path.Err
	}
	hint := ""
	switch {
	case errors.Is(err, keystore.ErrNoItem), errors.As(err, new(*keystore.BackendError)): // it is the keys'
	case errors.Is(err, fs.ErrNotExist):
		hint = "make the directory first"
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		hint = "choose another place"
	}
	err = fmt.Errorf("%s %s: %w", doing, quote(name), err)
	if hint != "" {
		return hintedError{err, hint}
	}
	return err
}

// quote puts a name that came from outside in quotes, with everything escaped
// that could move a terminal's cursor.
func quote(s string) string { return strconv.Quote(s) }
