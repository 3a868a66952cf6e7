package harden

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// conceal keeps debuggers away. That would stay with a program that takes the process's
// place, and end the process if it is being debugged.
func conceal(replaced bool) error {
	if replaced {
		return nil
	}
	if err := unix.PtraceDenyAttach(); err != nil {
		return fmt.Errorf("keep debuggers away: %w", err)
	}
	return nil
}
