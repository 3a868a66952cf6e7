package consumer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/keywright/keywright/internal/edit"
	"github.com/keywright/keywright/rotate"
	"github.com/keywright/keywright/secret"
)

// limits are how long programs may take.
type limits struct {
	command time.Duration
	attempt time.Duration // one at being ready
	ready   time.Duration // all of them
	pause   time.Duration // between them
}

// grace is how long a program that was stopped may keep its streams open, through others
// that it started.
const grace = 2 * time.Second

// program is one with its arguments.
type program struct {
	words []string
	dir   string // that it runs in
}

// newProgram reads a command; nil if it is empty. Without a directory it is the program's
// own.
func newProgram(spec, text, dir string) (*program, error) {
	if text == "" {
		return nil, nil
	}
	list, _, err := words(text)
	switch {
	case err != nil:
		return nil, &SpecError{spec, err.Error()}
	case !filepath.IsAbs(list[0]):
		return nil, &SpecError{spec, fmt.Sprintf("the path of the program %q is not absolute", list[0])}
	case dir == "":
		dir = filepath.Dir(list[0])
	}
	return &program{list, dir}, nil
}

// run runs the program with an input. What it prints is not kept: it may hold the secret.
func (p *program) run(ctx context.Context, within time.Duration, input []byte) error {
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	c := exec.CommandContext(limited, p.words[0], p.words[1:]...)
	c.Dir = p.dir
	c.WaitDelay = grace
	c.Env = slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(strings.ToUpper(e), "KEYWRIGHT_") })
	if input != nil {
		c.Stdin = bytes.NewReader(input)
	}
	err := c.Run()
	switch {
	case err == nil:
		return nil
	case c.Process == nil:
		return fmt.Errorf("%w: %w", ErrNotStarted, bare(err))
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		return fmt.Errorf("%w: it had %v", ErrStopped, within)
	}
	return bare(err)
}

// check is an error if the program is not there, or is none.
func (p *program) check() error {
	if _, err := exec.LookPath(p.words[0]); err != nil {
		var why *exec.Error
		if errors.As(err, &why) {
			err = why.Err
		}
		return fmt.Errorf("%w: %w", ErrNotStarted, bare(err))
	}
	return nil
}

// command is a program that passes the secret on.
type command struct {
	program *program
	part    string // empty for all
	limits  limits
}

func (c *command) fail(err error) error {
	return &Error{"deliver to", c.program.words[0], "", err}
}

// Holds implements rotate.Consumer: nobody knows.
func (c *command) Holds(ctx context.Context) (map[string]secret.Value, error) {
	return nil, &Error{"read", c.program.words[0], "", rotate.ErrUnreadable}
}

// Check implements rotate.Checker: the program is there.
func (c *command) Check(context.Context) error {
	if err := c.program.check(); err != nil {
		return c.fail(err)
	}
	return nil
}

// Deliver implements rotate.Consumer. It cannot look at what is there before.
func (c *command) Deliver(ctx context.Context, _, to map[string]secret.Value) error {
	input, err := c.input(to)
	defer clear(input)
	if err != nil {
		return &rotate.Untouched{Err: c.fail(err)}
	}
	err = c.program.run(ctx, c.limits.command, input)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrNotStarted):
		return &rotate.Untouched{Err: c.fail(err)}
	}
	return c.fail(err)
}

// input is what the program reads: a part as it is, or several as JSON.
func (c *command) input(parts map[string]secret.Value) ([]byte, error) {
	if c.part == "" && len(parts) > 1 {
		return edit.Write("json", parts)
	}
	for name, v := range parts {
		if (name == c.part || c.part == "") && !v.IsZero() {
			return bytes.Clone(v.Reveal()), nil
		}
	}
	if c.part == "" {
		return nil, ErrNoPart
	}
	return nil, fmt.Errorf("%w: %s", ErrNoPart, c.part)
}

// reloader is a consumer that takes up what it got when it is told to.
type reloader struct {
	rotate.Consumer
	reload *program // nil for none
	ready  *program // nil for none
	limits limits
}

// Check implements rotate.Checker: the place can be delivered to, and the programs are there.
func (r *reloader) Check(ctx context.Context) error {
	if c, ok := r.Consumer.(rotate.Checker); ok {
		if err := c.Check(ctx); err != nil {
			return err
		}
	}
	for _, x := range []struct {
		doing string
		*program
	}{{"reload with", r.reload}, {"wait for", r.ready}} {
		if x.program == nil {
			continue
		}
		if err := x.check(); err != nil {
			return &Error{x.doing, x.words[0], "", err}
		}
	}
	return nil
}

// Reload implements rotate.Reloader.
func (r *reloader) Reload(ctx context.Context) error {
	if r.reload != nil {
		if err := r.reload.run(ctx, r.limits.command, nil); err != nil {
			return &Error{"reload with", r.reload.words[0], "", err}
		}
	}
	if r.ready == nil {
		return nil
	}
	attempt := func() (struct{}, error) {
		err := r.ready.run(ctx, r.limits.attempt, nil)
		var exit *exec.ExitError
		if err == nil || errors.As(err, &exit) || errors.Is(err, ErrStopped) {
			return struct{}{}, err
		}
		return struct{}{}, backoff.Permanent(err) // it cannot be run at all
	}
	_, err := backoff.Retry(ctx, attempt, backoff.WithBackOff(backoff.NewConstantBackOff(r.limits.pause)), backoff.WithMaxElapsedTime(r.limits.ready))
	if err == nil {
		return nil
	}
	if ctx.Err() == nil {
		err = fmt.Errorf("%w: %w", ErrNotReady, err)
	}
	return &Error{"wait for", r.ready.words[0], "", err}
}
