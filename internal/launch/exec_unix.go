//go:build unix

package launch

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// replaceable reports whether a command can take keywright's place.
func replaceable(c Command) bool {
	file := func(stream any) bool {
		_, is := stream.(*os.File)
		return stream == nil || is
	}
	return !c.Mask && (len(c.Files) == 0 || filesInPlace) && file(c.Stdin) && file(c.Stdout) && file(c.Stderr)
}

// replace executes a command in keywright's place. It returns only to say why not,
// always with an *Error.
func replace(ctx context.Context, c Command) error {
	p, err := prepare(ctx, c, deliver)
	if err != nil {
		return err
	}
	fail := func(err error) error { return errors.Join(err, p.files.end()) }
	if c.Started != nil {
		self, _ := Inspect(os.Getpid()) // the PID is always known
		if err := c.Started(self); err != nil {
			return fail(own(fmt.Errorf("start %s: %w", c.Argv[0], err)))
		}
	}
	if err := takeStreams(c); err != nil {
		return fail(own(fmt.Errorf("start %s: %w", c.Argv[0], err)))
	}
	if c.Dir != "" {
		if err := os.Chdir(c.Dir); err != nil {
			return fail(own(fmt.Errorf("start %s in %s: %w", c.Argv[0], c.Dir, reason(err))))
		}
	}
	err = c.inherit(func() error { return unix.Exec(p.path, c.Argv, p.env) })
	return fail(notStarted(c.Argv[0], err))
}

// takeStreams makes the command's streams keywright's own.
func takeStreams(c Command) error {
	var copies [3]*os.File
	for i, s := range []any{c.Stdin, c.Stdout, c.Stderr} {
		f, err := copyOf(s)
		if err != nil {
			return fmt.Errorf("take over stream %d: %w", i, err)
		}
		defer f.Close()
		copies[i] = f
	}
	for i, f := range copies {
		if err := unix.Dup2(int(f.Fd()), i); err != nil {
			return fmt.Errorf("take over stream %d: %w", i, err)
		}
	}
	return nil
}

// copyOf duplicates a stream out of the way of those that are about to be replaced.
func copyOf(stream any) (*os.File, error) {
	f, _ := stream.(*os.File)
	if f == nil {
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		defer null.Close()
		f = null
	}
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}
