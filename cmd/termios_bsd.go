//go:build darwin || freebsd || netbsd || openbsd || dragonfly

package cmd

import "golang.org/x/sys/unix"

// The requests of tcgetattr, and of tcsetattr with TCSAFLUSH.
const (
	getTermios         = unix.TIOCGETA
	setTermiosAndFlush = unix.TIOCSETAF
)
