package cmd

import "golang.org/x/sys/unix"

// The requests of tcgetattr, and of tcsetattr with TCSANOW and with TCSAFLUSH.
const (
	getTermios         = unix.TCGETS
	setTermios         = unix.TCSETS
	setTermiosAndFlush = unix.TCSETSF
)
