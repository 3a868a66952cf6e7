package cmd

import (
	"fmt"
	"io"
	"os"
	"runtime"

	"golang.org/x/term"

	"github.com/keywright/keywright/internal/durable"
	"github.com/keywright/keywright/internal/harden"
	"github.com/keywright/keywright/keystore"
)

const isWindows = runtime.GOOS == "windows"

// terminal is the outside world of a command: its streams, what can be said to
// each, and where keys are kept. Tests make one of buffers.
type terminal struct {
	in       io.Reader
	out, err io.Writer
	inTTY    bool // a person types
	outTTY   bool // a person reads the output
	errTTY   bool // a person watches, and progress can be shown
	width    int  // columns of the output, 0 if unknown
	errWidth int  // columns of standard error, 0 if unknown
	noColour bool // says the environment
	plain    bool // says --no-color

	limits harden.Limits // that the programs get which are started

	// Where keys are kept. Tests put others in their place, which fail.
	disk  durable.Disk
	items func(dir string, ask asking) (keystore.Items, error) // nil for what the environment says
}

// colour reports whether the output is to be coloured. It is asked when flags
// have been read.
func (t *terminal) colour() bool { return t.outTTY && !t.noColour && !t.plain }

// harden closes the process to others, before a command touches a secret. Replaced says
// that a program may take its place.
func (t *terminal) harden(replaced bool) {
	limits, err := harden.Process(replaced)
	t.limits = limits
	if err != nil {
		fmt.Fprintln(t.err, "keywright: warning: other programs of yours may read keywright's memory:", escaped(err.Error()))
	}
}

// systemTerminal is the process's own terminal.
func systemTerminal() *terminal {
	t := &terminal{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		inTTY:    term.IsTerminal(int(os.Stdin.Fd())),
		outTTY:   term.IsTerminal(int(os.Stdout.Fd())),
		errTTY:   term.IsTerminal(int(os.Stderr.Fd())),
		noColour: os.Getenv("NO_COLOR") != "",
	}
	if t.outTTY {
		t.width = columns(os.Stdout)
		t.noColour = !prepare(os.Stdout) || t.noColour
	}
	if t.errTTY {
		t.errWidth = columns(os.Stderr)
		t.errTTY = prepare(os.Stderr) // a line can be rewritten
	}
	return t
}

// columns is the width of a terminal, 0 of anything else.
func columns(f *os.File) int {
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}
