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
//	command:wrangler secret put BINANCE_SECRET,part=secret
//	gh:ada/bot,secret=BINANCE_SECRET,auth=prod/GITHUB
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
//   - gh: secrets of GitHub Actions. The target is OWNER/REPOSITORY, with /ENVIRONMENT
//     for those of an environment, or an organisation; see package gh.
//   - gitlab: CI/CD variables of GitLab. The target is projects/PATH or groups/PATH; see
//     package gitlab.
//   - k8s: a Secret of Kubernetes. The target is NAMESPACE/SECRET; see package k8s.
//   - ssm, secretsmanager: parameters of the SSM Parameter Store of AWS, the target being
//     the REGION, and a secret of AWS Secrets Manager, REGION/SECRET; see package aws.
//   - vault: a secret of a KV engine of Vault or OpenBao. The target is MOUNT/data/PATH;
//     see package vault.
//
// The last ones are services, which are asked in the name of a key of the user's:
// auth=ENV/NAME; for k8s there may be none. PART=NAME says what a part is called there. A
// value that is not there is not made: keywright replaces what is.
//
// Each may have the options reload=COMMAND, run after a delivery, and ready=COMMAND, run
// until its exit status is 0 or five minutes are over. So no part of a key that is called
// "reload" or "ready" can be delivered to a file, and to a service none that has the name
// of an option there.
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
// replace it in the very moment between the last look at it and that; keywrights wait for
// each other.
package consumer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"time"

	"github.com/keywright/keywright/internal/durable"
	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/rotate"
)

// Error is an error about a consumer. It holds no secret. It matches rotate.ErrDrift,
// rotate.ErrUnreadable, one of the errors below, one of package edit's (ErrLink,
// ErrNames, ErrChanged…; ErrAbsent and ErrNotTaken for a field), *edit.SyntaxError,
// *provider.Error for a service, or one of the system's: fs.ErrNotExist, fs.ErrPermission.
type Error struct {
	Doing string // "read", "deliver to"
	Where string // the file, the program, or the service and what it has there
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
	ErrNoPart     = errors.New("the key has no such part")
	ErrNotStarted = errors.New("it could not be started")
	ErrNotReady   = errors.New("it did not become ready")
	ErrStopped    = errors.New("it did not end in time, and was stopped")
)

// World is what consumers work with.
type World struct {
	Disk durable.Disk // that files are on
	HTTP *http.Client // whose transport services are reached over; nil for one of our own

	// Lock keeps other keywrights from changing files until release is called: another key
	// may stand in the same one. With nil, nobody is kept from it.
	Lock func(ctx context.Context) (release func() error, err error)

	// Auth returns the current version of a key, by its name ENV/NAME: a service is asked
	// in its name. It is called whenever a place is looked at or delivered to, once, as the
	// key may have been replaced since; with nil, no service can be reached.
	Auth func(ctx context.Context, key string) (provider.Credential, error)
}

// Open returns the consumer that a spec describes, as Normalize gives it. It touches
// nothing. A consumer may be used by several goroutines at once. It is a rotate.Reloader
// if it has something to do there.
func (w World) Open(spec string) (rotate.Consumer, error) {
	return w.open(spec, limits{command: 5 * time.Minute, attempt: 30 * time.Second, ready: 5 * time.Minute, pause: 2 * time.Second})
}

func (w World) open(text string, l limits) (rotate.Consumer, error) {
	s, err := Parse(text)
	if err != nil {
		return nil, err
	}
	c, dir, err := w.place(s, text, l)
	if err != nil {
		return nil, err
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

// place is what a spec describes, without what is to be done there afterwards, and the
// directory that this is done in; empty for each program's own.
func (w World) place(s Spec, text string, l limits) (c rotate.Consumer, dir string, err error) {
	if s.Kind == kindCommand {
		program, err := newProgram(text, s.Target, "")
		if err != nil {
			return nil, "", err
		}
		return &command{program, s.Part, l}, program.dir, nil
	}
	format, isFile := formats[s.Kind]
	switch {
	case isFile && !filepath.IsAbs(s.Target):
		return nil, "", &SpecError{text, "its path is not absolute"}
	case s.Fields[0].Part == "":
		return nil, "", &SpecError{text, "it does not say which part goes to " + s.Fields[0].Name}
	case isFile:
		return &file{w, s.Target, format, s.Fields}, filepath.Dir(s.Target), nil
	}
	return &remote{w, s}, "", nil
}

// bare takes the operation and the path off an error of the system's.
func bare(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
