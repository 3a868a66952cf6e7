//go:build unix

package files

import (
	"errors"
	"io"
	"io/fs"

	"golang.org/x/sys/unix"
)

// regular is an open regular file. It goes round package os, whose bookkeeping
// for each file costs more than reading a small one.
type regular int

// openRegular opens a regular file and returns its size and stamp. It neither follows
// a symbolic link nor waits for a pipe's other end, and looks at what it opened
// before reading: a path may have changed since it was listed.
func openRegular(name string) (regular, int64, Stamp, error) {
	fd, err := retry(func() (int, error) {
		return unix.Open(name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	})
	switch {
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.EMLINK): // the BSDs say EMLINK
		return 0, 0, Stamp{}, errLink
	case errors.Is(err, unix.ENXIO):
		return 0, 0, Stamp{}, errSpecial // a socket
	case err != nil:
		return 0, 0, Stamp{}, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return 0, 0, Stamp{}, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	switch uint32(st.Mode) & unix.S_IFMT {
	case unix.S_IFREG:
		return regular(fd), st.Size, stampOf(&st), nil
	case unix.S_IFDIR:
		err = errDir
	default:
		err = errSpecial
	}
	unix.Close(fd)
	return 0, 0, Stamp{}, err
}

// lookAt returns the stamp of a regular file without opening it.
func lookAt(name string) (Stamp, bool) {
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); err != nil || uint32(st.Mode)&unix.S_IFMT != unix.S_IFREG {
		return Stamp{}, false
	}
	return stampOf(&st), true
}

func stampOf(st *unix.Stat_t) Stamp {
	return Stamp{Device: uint64(st.Dev), Inode: uint64(st.Ino), Size: st.Size, Modified: st.Mtim.Nano(), Changed: st.Ctim.Nano()}
}

// Read implements io.Reader.
func (f regular) Read(p []byte) (int, error) {
	n, err := retry(func() (int, error) { return unix.Read(int(f), p) })
	switch {
	case err != nil:
		return 0, err
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}

// Close closes the file.
func (f regular) Close() error { return unix.Close(int(f)) }

// retry repeats a system call that a signal interrupted.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}
