package cmd

import (
	"io"
	"os"
	"runtime"

	"golang.org/x/term"
)

const isWindows = runtime.GOOS == "windows"

// terminal is the outside world of a command: its streams, and what can be said
// to each. Tests make one of buffers.
type terminal struct {
	in       io.Reader
	out, err io.Writer
	inTTY    bool // a person types
	outTTY   bool // a person reads the output
	errTTY   bool // a person watches: progress may be shown
	width    int  // columns of the output, 0 if unknown
	noColour bool // by the environment or by --no-color
}

// colour reports whether the output is to be coloured. It is asked when flags
// have been read.
func (t *terminal) colour() bool { return t.outTTY && !t.noColour }

// systemTerminal is the process's own terminal.
func systemTerminal() *terminal {
	t := &terminal{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		inTTY:    term.IsTerminal(int(os.Stdin.Fd())),
		outTTY:   term.IsTerminal(int(os.Stdout.Fd())),
		errTTY:   term.IsTerminal(int(os.Stderr.Fd())),
		noColour: os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb",
	}
	if t.outTTY {
		if width, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
			t.width = width
		}
	}
	if os.Getenv("TERM") == "dumb" {
		t.errTTY = false // no line can be rewritten
	}
	return t
}
