package durable

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
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
	l, err := newLock(path)
	if err != nil {
		return nil, err
	}
	if _, err := l.TryLockContext(ctx, lockRetry); err != nil {
		return nil, &fs.PathError{Op: "lock", Path: path, Err: bare(err)}
	}
	return unlocker(l), nil
}

// TryLock is Lock for those who do not wait: if someone else holds the lock, it
// returns a nil unlock and no error.
func TryLock(path string) (unlock func() error, err error) {
	l, err := newLock(path)
	if err != nil {
		return nil, err
	}
	switch held, err := l.TryLock(); {
	case err != nil:
		return nil, &fs.PathError{Op: "lock", Path: path, Err: bare(err)}
	case !held:
		return nil, nil
	}
	return unlocker(l), nil
}

// Claim is TryLock that says who holds the lock, as the file does: the process whose id
// holder is, or zero if that is not known. Right after a holder died, it may be that one's.
func Claim(path string) (unlock func() error, holder int, err error) {
	free, err := TryLock(path)
	switch {
	case err != nil:
		return nil, 0, err
	case free == nil:
		return nil, readHolder(path), nil
	}
	writeHolder(path, os.Getpid())
	return func() error {
		writeHolder(path, 0)
		return free()
	}, 0, nil
}

// The holder's id stands behind the first byte, which Windows lets nobody read while it is
// locked, in a fixed width. It is a courtesy: what goes wrong with it keeps nobody from
// the lock.
const (
	holderAt    = 1
	holderWidth = 20
)

func writeHolder(path string, pid int) {
	f, err := os.OpenFile(path, os.O_WRONLY, lockPerm)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = f.WriteAt(fmt.Appendf(nil, "%-*d", holderWidth, pid), holderAt)
}

func readHolder(path string) int {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	b := make([]byte, holderWidth)
	n, _ := f.ReadAt(b, holderAt)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil {
		return 0
	}
	return pid
}

func newLock(path string) (*flock.Flock, error) {
	if err := regular("lock", path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return flock.New(path, flock.SetPermissions(fs.FileMode(lockPerm))), nil
}

func unlocker(l *flock.Flock) func() error {
	return func() error {
		if err := l.Unlock(); err != nil {
			return fmt.Errorf("unlock %s: %w", l.Path(), err)
		}
		return nil
	}
}
