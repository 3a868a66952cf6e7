// Package consumer delivers new secrets to the places that use them.
//
// A place is described by one line of text, which a key's metadata keeps:
//
//	KIND:TARGET[,OPTION]...
//
//	env:/srv/bot/.env,BINANCE_SECRET
//	env:/srv/bot/.env,id=BINANCE_KEY,secret=BINANCE_SECRET
//	json:/srv/bot/config.json,id=exchange.key,secret=exchange.secret,reload=systemctl restart bot
//	yaml:/srv/app/config.yaml,value=database.password,ready=/srv/app/healthy
//	command:gh secret set BINANCE_SECRET --repo ada/bot,part=secret
//
// The kinds are
//
//   - env: a .env file, or another of lines NAME=value. An option PART=NAME says which
//     variable a part of the key goes to; of a key with one part NAME is enough.
//   - json, yaml: a value by the path to it, PART=PATH: names joined by dots, elements of
//     lists counted from 0. JSON may have comments.
//   - command: any program. It gets the secret on its standard input: the bytes of a
//     part, if there is one or the option part=NAME chooses one, or else an object of
//     JSON with all parts. Exit status 0 means that it was delivered; the program may be
//     called again with the same. What it got is never known to be there still.
//
// Each may have the options reload=COMMAND, run after a delivery, and ready=COMMAND, run
// until its exit status is 0 or five minutes are over. So no part of a key that is called
// "reload" or "ready" can be delivered to a file.
//
// A comma that does not end a target or an option is written twice. Nothing else needs
// escaping, and what is special to no shell needs no quotes there.
//
// Commands are words separated by spaces; what stands in single or in double quotes is
// taken as it is. No shell sees them, unless it is the command: sh -c '…'. They run in the
// directory of the file, or in that of the program where there is none, with a deadline
// of five minutes (30 s for one attempt at ready), without keywright's own variables, and
// what they print goes nowhere, as it may hold the secret.
//
// A file is changed by replacing it, if it is still what was read, as package edit does:
// all but the value stays as it is, mode and owner included. Other processes must not
// replace it in the very moment between the last look at it and that.
package consumer

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/keywright/keywright/internal/durable"
	"github.com/keywright/keywright/rotate"
)

// Error is an error about a consumer. It holds no secret. It matches rotate.ErrDrift,
// rotate.ErrUnreadable, one of the errors below, one of package edit's (ErrLink,
// ErrNames, ErrChanged…; ErrAbsent and ErrNotTaken for a field), *edit.SyntaxError, or
// one of the system's: fs.ErrNotExist, fs.ErrPermission.
type Error struct {
	Doing string // "read", "deliver to"
	Where string // the file, or the program
	Field string // of a file; may be empty
	Err   error
}

func (e *Error) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("%s %s: %v", e.Doing, e.Where, e.Err)
	}
	return fmt.Sprintf("%s %s: %s: %v", e.Doing, e.Where, e.Field, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// The errors of this package.
var (
	ErrNoPart   = errors.New("the key has no such part")
	ErrNotReady = errors.New("it did not become ready")
	ErrStopped  = errors.New("it did not end in time, and was stopped")
)

// Open returns the consumer that a spec describes, as Normalize gives it. It touches
// nothing. A consumer may be used by several goroutines at once. It is a rotate.Reloader
// if it has something to do there.
func Open(spec string) (rotate.Consumer, error) { return OpenOn(durable.Disk{}, spec) }

// OpenOn is Open for files on a disk.
func OpenOn(disk durable.Disk, spec string) (rotate.Consumer, error) {
	return open(disk, spec, limits{command: 5 * time.Minute, attempt: 30 * time.Second, ready: 5 * time.Minute, pause: 2 * time.Second})
}

func open(disk durable.Disk, text string, l limits) (rotate.Consumer, error) {
	s, err := Parse(text)
	if err != nil {
		return nil, err
	}
	var (
		c   rotate.Consumer
		dir string
	)
	switch format := formats[s.Kind]; {
	case format == "":
		program, err := newProgram(text, s.Target, "")
		if err != nil {
			return nil, err
		}
		dir = program.dir
		c = &command{program, s.Part, l}
	case !filepath.IsAbs(s.Target):
		return nil, &SpecError{text, "its path is not absolute"}
	case s.Fields[0].Part == "":
		return nil, &SpecError{text, "it does not say which part goes to " + s.Fields[0].Name}
	default:
		dir = filepath.Dir(s.Target)
		c = &file{disk, s.Target, format, s.Fields}
	}
	r := reloader{Consumer: c, limits: l}
	if r.reload, err = newProgram(text, s.Reload, dir); err != nil {
		return nil, err
	}
	if r.ready, err = newProgram(text, s.Ready, dir); err != nil {
		return nil, err
	}
	if r.reload == nil && r.ready == nil {
		return c, nil
	}
	return &r, nil
}

// bare takes the operation and the path off an error of the system's.
func bare(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
