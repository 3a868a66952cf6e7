//go:build !windows

package cmd

import (
	"bytes"
	"errors"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// pasted is how long the rest of what is pasted may take to come, in milliseconds.
const pasted = 50

// mute ends the echo, and the terminal's own editing of lines: it cuts them, on Linux at
// 4,095 bytes and on macOS at 1,024, and says nothing.
func (t *tty) mute() {
	fd := int(t.in.Fd())
	if state, err := unix.IoctlGetTermios(fd, getTermios); err == nil {
		state.Lflag &^= unix.ECHO | unix.ICANON
		state.Cc[unix.VMIN], state.Cc[unix.VTIME] = 1, 0
		_ = unix.IoctlSetTermios(fd, setTermios, state)
	}
}

// The keys that correct a line, or end it, where a terminal does that itself.
const (
	endOfFile  = 'D' & 0x1f
	backspace  = 'H' & 0x1f
	eraseLine  = 'U' & 0x1f
	eraseWord  = 'W' & 0x1f
	deleteLast = 0x7f
)

// readMuted reads a line, of any length, from a terminal that mute was called for.
func (t *tty) readMuted() ([]byte, error) {
	state, err := unix.IoctlGetTermios(int(t.in.Fd()), getTermios)
	if err == nil && state.Lflag&unix.ECHO != 0 {
		err = errors.New("what is typed would show")
	}
	if err != nil {
		return nil, err
	}
	line := make([]byte, 0, 1<<12)
	cut := func(n int) {
		clear(line[n:])
		line = line[:n]
	}
	var key [1]byte
	for {
		if _, err := t.in.Read(key[:]); err != nil {
			cut(0)
			return nil, err
		}
		switch key[0] {
		case '\n', '\r', endOfFile:
			return line, nil
		case backspace, deleteLast:
			_, size := utf8.DecodeLastRune(line)
			cut(len(line) - size)
		case eraseWord:
			cut(bytes.LastIndexByte(bytes.TrimRight(line, " "), ' ') + 1)
		case eraseLine:
			cut(0)
		default:
			if len(line) == cap(line) {
				short := line
				line = append(make([]byte, 0, 2*len(short)), short...)
				clear(short)
			}
			line = append(line, key[0])
		}
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
