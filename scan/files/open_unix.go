//go:build unix

package files

import (
	"errors"
	"io"
	"io/fs"
	"syscall"
)

// regular is an open regular file. It goes round package os, whose bookkeeping
// for each file costs more than reading a small one.
type regular int

// openRegular opens a regular file and returns its size. It neither follows a
// symbolic link nor waits for a pipe's other end, and looks at what it opened
// before reading: a path may have changed since it was listed.
func openRegular(name string) (regular, int64, error) {
	fd, err := retry(func() (int, error) {
		return syscall.Open(name, syscall.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	})
	switch {
	case errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.EMLINK): // the BSDs say EMLINK
		return 0, 0, errLink
	case errors.Is(err, syscall.ENXIO):
		return 0, 0, errSpecial // a socket
	case err != nil:
		return 0, 0, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		syscall.Close(fd)
		return 0, 0, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	switch uint32(st.Mode) & syscall.S_IFMT {
	case syscall.S_IFREG:
		return regular(fd), st.Size, nil
	case syscall.S_IFDIR:
		err = errDir
	default:
		err = errSpecial
	}
	syscall.Close(fd)
	return 0, 0, err
}

// Read implements io.Reader.
func (f regular) Read(p []byte) (int, error) {
	n, err := retry(func() (int, error) { return syscall.Read(int(f), p) })
	switch {
	case err != nil:
		return 0, err
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}

// Close closes the file.
func (f regular) Close() error { return syscall.Close(int(f)) }

// retry repeats a system call that a signal interrupted.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != syscall.EINTR {
			return n, err
		}
	}
}
