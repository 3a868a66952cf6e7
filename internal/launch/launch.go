// Package launch starts a program with secrets: as variables of its environment, or
// as files that never reach a disk. It passes signals on, masks the program's output,
// and reports how it ended. Secrets are never put into arguments, which every user of
// the machine can read, nor into an error.
package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/keywright/keywright/secret"
)

// A Command says what to start, and with what. It is not changed.
type Command struct {
	// Argv is the program and its arguments. A name without a slash is looked up
	// in keywright's own PATH, not in Env's: whoever wrote a .env file does not
	// choose which program gets the secrets.
	Argv []string
	// Dir is the working directory; keywright's own if empty. A relative path to
	// the program starts here.
	Dir string
	// Env holds the other variables, NAME=value, as the child shall have them. Those of a
	// .env file may be secrets, too.
	Env []secret.Value
	// Secrets are put into the environment by name; one takes the place of another
	// variable of its name.
	Secrets map[string]secret.Value
	// Files are delivered as files: the path is put into the variable NAME_FILE,
	// and NAME is taken from Env. On Linux it is a sealed file in memory that the
	// child inherits, which it can read at any place and as often as it likes, and
	// so can its own children if it leaves them its descriptors. On other Unixes it
	// is a FIFO, good for being opened and read to its end, any number of times,
	// one after the other; it cannot be sought in, and has no size. Windows has
	// neither, and gives an error.
	Files map[string]secret.Value
	// Mask replaces all secrets in the output: see Masker, which says what it is
	// worth. The child then writes to pipes, not to a terminal.
	Mask bool

	// Stdin, Stdout and Stderr are the child's; nil is the null device. An *os.File
	// is handed over as it is, unless output is masked. If Stdout and Stderr are the
	// same writer, one goroutine at a time writes to it.
	Stdin          io.Reader
	Stdout, Stderr io.Writer

	// Inherit, if not nil, is called with what starts the child, and calls it: it may
	// give the process, meanwhile, what the child shall have of it.
	Inherit func(start func() error) error
	// Started, if not nil, is called once the child runs, before anything waits
	// for it. If it returns an error the child is ended as when ctx is done.
	Started func(Process) error
	// Grace is how long the child has to end once it was asked to; 10 s if zero.
	Grace time.Duration
}

// A Process is named so that no other process ever has the same name: the system uses
// PIDs again. Start and Boot are zero where the system does not tell.
type Process struct {
	PID   int
	Start uint64 // when it started, in the system's own unit
	Boot  string // which run of the system that was
	Name  string // of its program, for people: it may be cut
}

// Result says how a child ended.
type Result struct {
	// Code is the exit status as a shell reports it: 128+n for signal n.
	Code int
	// Signal is what killed the child, 0 if it exited by itself.
	Signal syscall.Signal
}

// The codes of an Error: what shells, env and nohup exit with in these cases.
const (
	CodeOwn        = 125 // keywright itself failed
	CodeNotStarted = 126 // the program was found but could not be executed
	CodeNotFound   = 127 // there is no such program
)

// An Error is a failure because of which nothing was started, or, with CodeOwn, that
// of Command.Started.
type Error struct {
	Code int // CodeOwn, CodeNotStarted or CodeNotFound
	Err  error
}

// Error says what was attempted on what, and why it failed.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

const (
	defaultGrace = 10 * time.Second

	// linger is how long output is waited for after the child has ended: a
	// grandchild may keep its pipes open for ever.
	linger = time.Second
)

// Run starts a command and waits for its end. Signals that keywright gets meanwhile
// (SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP, SIGCONT) are
// passed on, apart from those that the terminal sends to both; so ctx must not be one
// that signals cancel. When ctx is done the child gets SIGTERM, and after Command.Grace
// SIGKILL (Windows knows only the latter).
//
// The error holds an *Error (see errors.As) if nothing was started or Command.Started
// failed. Otherwise Result is right even beside an error, which then tells of the
// output, or of a FIFO, only. No goroutine, file or descriptor is left, unless the system cannot end a read
// (Windows) or Stdin is no file and does not return. Only one Run or Exec may be on its
// way to the start at a time, as descriptors for the child are inheritable meanwhile.
func Run(ctx context.Context, c Command) (Result, error) {
	return run(ctx, c, deliver)
}

// run is Run with a way to deliver files.
func run(ctx context.Context, c Command, deliver deliverer) (_ Result, err error) {
	p, err := prepare(ctx, c, deliver)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, p.files.end()) }()
	cmd := &exec.Cmd{Path: p.path, Args: c.Argv, Dir: c.Dir, Env: p.env, Stdin: c.Stdin, WaitDelay: linger}
	out, err := connect(cmd, c)
	if err != nil {
		return Result{}, own(err)
	}
	// Signals are taken before the start, so that none ends keywright alone in between.
	signals := newRelay()
	defer signals.stop()
	err = c.inherit(cmd.Start)
	p.files.started()
	out.started()
	if err != nil {
		return Result{}, errors.Join(notStarted(c.Argv[0], err), out.end())
	}
	result, err := supervise(ctx, c, cmd, signals)
	err = errors.Join(err, p.files.end())
	signals.stop() // whoever waits for the rest of the output may interrupt it
	return result, errors.Join(err, out.end())
}

func (c Command) inherit(start func() error) error {
	if c.Inherit == nil {
		return start()
	}
	return c.Inherit(start)
}

// prepared is what stands before a start.
type prepared struct {
	path  string
	env   []string
	files delivery
}

// prepare checks a command and makes all that its start needs. All its errors hold an
// *Error; when it returns one, nothing is left over.
func prepare(ctx context.Context, c Command, deliver deliverer) (prepared, error) {
	if err := ctx.Err(); err != nil {
		return prepared{}, own(fmt.Errorf("start %s: %w", called(c), err))
	}
	path, err := find(c)
	if err != nil {
		return prepared{}, err
	}
	if err := checkFiles(c); err != nil {
		return prepared{}, own(err)
	}
	files, err := deliver(c.Files)
	if err != nil {
		return prepared{}, own(err)
	}
	vars := maps.Clone(c.Secrets)
	if vars == nil {
		vars = map[string]secret.Value{}
	}
	for name, path := range files.paths {
		vars[name+fileSuffix] = secret.New([]byte(path))
	}
	isFile := func(name string) bool { _, is := c.Files[name]; return is }
	env, err := Environ(c.Env, isFile, vars)
	if err != nil {
		return prepared{}, errors.Join(own(err), files.end())
	}
	return prepared{path, env, files}, nil
}

// fileSuffix makes the name of the variable with a file's path.
const fileSuffix = "_FILE"

// checkFiles refuses names that cannot be part of a path or are taken.
func checkFiles(c Command) error {
	for _, name := range slices.Sorted(maps.Keys(c.Files)) {
		if err := checkVariable(name, nil); err != nil {
			return err
		}
		if strings.ContainsAny(name, `/\`) {
			return fmt.Errorf("deliver %q as a file: its name holds a slash", name)
		}
		if _, taken := c.Secrets[name+fileSuffix]; taken {
			return fmt.Errorf("deliver %s as a file: another secret is called %s%s", name, name, fileSuffix)
		}
	}
	return nil
}

// called is what to call a command in an error: never its arguments.
func called(c Command) string {
	if len(c.Argv) == 0 {
		return "a command"
	}
	return c.Argv[0]
}

func own(err error) error { return &Error{CodeOwn, err} }

// find returns the path of the program.
func find(c Command) (string, error) {
	if len(c.Argv) == 0 || c.Argv[0] == "" {
		return "", own(errors.New("start a command: it is empty"))
	}
	if c.Dir != "" {
		info, err := os.Stat(c.Dir)
		if err == nil && !info.IsDir() {
			err = syscall.ENOTDIR
		}
		if err != nil {
			return "", own(fmt.Errorf("start %s in %s: %w", c.Argv[0], c.Dir, reason(err)))
		}
	}
	program := c.Argv[0]
	if filepath.Base(program) != program && !filepath.IsAbs(program) {
		// The child changes its directory before it looks for the program.
		abs, err := filepath.Abs(filepath.Join(c.Dir, program))
		if err != nil {
			return "", own(fmt.Errorf("find %s: %w", program, err))
		}
		program = abs
	}
	path, err := exec.LookPath(program)
	switch {
	case err == nil:
		if path, err = filepath.Abs(path); err != nil {
			return "", own(fmt.Errorf("find %s: %w", program, err))
		}
		return path, nil
	case !exists(program):
		return "", &Error{CodeNotFound, fmt.Errorf("find %s: %w", c.Argv[0], reason(err))}
	case errors.Is(err, exec.ErrNotFound):
		err = fs.ErrPermission // what shells say
	}
	return "", notStarted(c.Argv[0], err)
}

// exists reports whether there is something of a program's name that cannot be
// executed: LookPath passes over such files in PATH.
func exists(program string) bool {
	if filepath.Base(program) != program {
		_, err := os.Stat(program)
		return err == nil
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if info, err := os.Stat(filepath.Join(dir, program)); err == nil && !info.IsDir() {
			return true
		}
	}
	return false
}

// reason takes from an error of os or os/exec the path that it repeats.
func reason(err error) error {
	var e *exec.Error
	if errors.As(err, &e) {
		err = e.Err
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return err
}

// notStarted is the error of a program that is there. Errors of the system say the
// path and the cause, never arguments or variables.
func notStarted(program string, err error) error {
	err = reason(err)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("the interpreter or loader that it names: %w", err)
	}
	return &Error{CodeNotStarted, fmt.Errorf("execute %s: %w", program, err)}
}

// supervise waits for a child that runs, and meanwhile does all that comes between.
func supervise(ctx context.Context, c Command, cmd *exec.Cmd, signals *relay) (Result, error) {
	var failed error
	end := ctx.Done()
	if c.Started != nil {
		p, _ := Inspect(cmd.Process.Pid) // the PID is always known
		if err := c.Started(p); err != nil {
			failed = own(fmt.Errorf("start %s: %w", c.Argv[0], err))
			now := make(chan struct{})
			close(now)
			end = now
		}
	}

	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	grace := c.Grace
	if grace <= 0 {
		grace = defaultGrace
	}
	var kill <-chan time.Time
	for {
		select {
		case err := <-ended:
			return resultOf(cmd.ProcessState), errors.Join(failed, failure(c, err))
		case s := <-signals.incoming:
			signals.pass(s, cmd.Process)
		case <-end:
			end = nil
			if !ask(cmd.Process) {
				grace = 0
			}
			kill = time.After(grace)
		case <-kill:
			kill = nil
			cmd.Process.Kill() // an error means that it has ended
		}
	}
}

// failure is what of an error of Wait is no exit status.
func failure(c Command, err error) error {
	var status *exec.ExitError
	if err == nil || errors.As(err, &status) || errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	return fmt.Errorf("wait for %s: %w", c.Argv[0], err)
}
