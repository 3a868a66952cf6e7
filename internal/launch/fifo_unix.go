//go:build unix

package launch

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keywright/keywright/secret"
)

// deliverFIFOs gives each secret a FIFO in a directory that only this user can enter,
// and writes to it whenever somebody opens it to read. Of the secrets only what fits
// into a pipe ever leaves keywright's memory, and nothing reaches the disk.
func deliverFIFOs(files map[string]secret.Value) (delivery, error) {
	if len(files) == 0 {
		return delivery{}, nil
	}
	dir, err := os.MkdirTemp("", "keywright-")
	if err != nil {
		return delivery{}, fmt.Errorf("make a directory for FIFOs: %w", err)
	}
	s := &server{stopped: make(chan struct{})}
	d := delivery{paths: map[string]string{}}
	d.onEnd = append(d.onEnd, func() error { return s.stop(dir) })
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(dir, name+fileSuffix)
		if err := makeFIFO(path); err != nil {
			d.end()
			return delivery{}, fmt.Errorf("deliver %s as a file: %w", name, err)
		}
		d.paths[name] = path
		s.paths = append(s.paths, path)
		s.writers.Go(func() { s.serve(path, files[name].Reveal()) })
	}
	return d, nil
}

func makeFIFO(path string) error {
	if err := unix.Mkfifo(path, 0o600); err != nil {
		return &fs.PathError{Op: "mkfifo", Path: path, Err: err}
	}
	return nil
}

// server writes secrets to FIFOs, with a goroutine for each.
type server struct {
	paths   []string
	stopped chan struct{}
	writers sync.WaitGroup
}

// serve gives the content to one reader after the other. Opening waits for a reader.
// Each gets a FIFO of its own: as soon as one has opened it, another one takes its
// place. Otherwise a reader that is still busy when the content ends would be taken for
// the next one, and read everything twice. A second reader that opens the same FIFO in
// the microseconds before it is replaced shares the content with the first: those who
// read at the same instant need another way.
func (s *server) serve(path string, content []byte) {
	for {
		fd, err := retry(func() (int, error) { return unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0) })
		if err != nil {
			os.Remove(path) // a reader shall fail, not wait for ever
			return
		}
		if s.done() {
			unix.Close(fd)
			return
		}
		err = replaceFIFO(path)
		s.write(fd, content)
		unix.Close(fd)
		if err != nil || s.done() {
			os.Remove(path)
			return
		}
	}
}

// replaceFIFO puts a fresh FIFO in the place of one that a reader has.
func replaceFIFO(path string) error {
	next := path + ".next"
	if err := makeFIFO(next); err != nil {
		return err
	}
	return os.Rename(next, path)
}

// write fills a pipe until its reader has everything, closes it, or nobody is waited
// for any more. It looks again every few milliseconds while the pipe is full: not
// every system can wait for a FIFO and for something else at once.
func (s *server) write(fd int, content []byte) {
	if err := unix.SetNonblock(fd, true); err != nil {
		return
	}
	for len(content) > 0 {
		n, err := retry(func() (int, error) { return unix.Write(fd, content) })
		if n > 0 {
			content = content[n:]
		}
		switch {
		case err == nil:
		case errors.Is(err, unix.EAGAIN):
			select {
			case <-s.stopped:
				return
			case <-time.After(5 * time.Millisecond):
			}
		default:
			return // the reader went away, which is its right
		}
	}
}

func (s *server) done() bool {
	select {
	case <-s.stopped:
		return true
	default:
		return false
	}
}

// stop ends the writers and removes the directory. A writer that waits for a reader is
// woken by becoming one: stopped is closed first, and what is opened here stays open
// until the writers are gone, so that none can miss it.
func (s *server) stop(dir string) error {
	close(s.stopped)
	for _, path := range s.paths {
		fd, err := retry(func() (int, error) { return unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0) })
		if err == nil {
			defer unix.Close(fd)
		}
	}
	s.writers.Wait()
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove the FIFOs: %w", err)
	}
	return nil
}

// retry repeats a system call that a signal interrupted.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}
