package durable

import (
	"context"
	"fmt"
	"io/fs"
	"time"

	"github.com/gofrs/flock"
)

const (
	lockPerm  = 0o600
	lockRetry = 20 * time.Millisecond
)

// Lock takes the lock that is the file at path, made if it is not there, and waits
// for whoever holds it until ctx is done. The lock ends with unlock or with the
// process, however that dies; the file stays. It keeps out other processes and
// other callers in this one, as far as they ask for it. Do not lock a file that is
// itself replaced: the lock would stay with the old one.
func Lock(ctx context.Context, path string) (unlock func() error, err error) {
	l := newLock(path)
	if _, err := l.TryLockContext(ctx, lockRetry); err != nil {
		return nil, &fs.PathError{Op: "lock", Path: path, Err: bare(err)}
	}
	return unlocker(l), nil
}

// TryLock is Lock for those who do not wait: if someone else holds the lock, it
// returns a nil unlock and no error.
func TryLock(path string) (unlock func() error, err error) {
	l := newLock(path)
	switch held, err := l.TryLock(); {
	case err != nil:
		return nil, &fs.PathError{Op: "lock", Path: path, Err: bare(err)}
	case !held:
		return nil, nil
	}
	return unlocker(l), nil
}

func newLock(path string) *flock.Flock {
	return flock.New(path, flock.SetPermissions(fs.FileMode(lockPerm)))
}

func unlocker(l *flock.Flock) func() error {
	return func() error {
		if err := l.Unlock(); err != nil {
			return fmt.Errorf("unlock %s: %w", l.Path(), err)
		}
		return nil
	}
}
