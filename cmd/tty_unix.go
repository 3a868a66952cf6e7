//go:build !windows

package cmd

import "golang.org/x/sys/unix"

// pasted is how long the rest of what is pasted may take to come, in milliseconds.
const pasted = 50

// mute ends the echo.
func (t *tty) mute() {
	fd := int(t.in.Fd())
	if state, err := unix.IoctlGetTermios(fd, getTermios); err == nil {
		state.Lflag &^= unix.ECHO
		_ = unix.IoctlSetTermios(fd, setTermios, state)
	}
}

// drop throws away what was typed and not read, and reports whether that were lines.
func (t *tty) drop() bool {
	fd := int(t.in.Fd())
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, pasted)
	if err != nil || n == 0 {
		return false
	}
	if state, err := unix.IoctlGetTermios(fd, getTermios); err == nil {
		_ = unix.IoctlSetTermios(fd, setTermiosAndFlush, state)
	}
	return true
}
