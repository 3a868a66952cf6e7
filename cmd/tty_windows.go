package cmd

import "golang.org/x/term"

// drop drops nothing: what follows a first line that was pasted goes to the shell here.
func (*tty) drop() bool { return false }

// readMuted reads a line that does not show.
func (t *tty) readMuted() ([]byte, error) { return term.ReadPassword(int(t.in.Fd())) }

// mute does nothing: what is typed before it is asked for shows here.
func (*tty) mute() {}
