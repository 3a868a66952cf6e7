package harden

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// conceal makes the process not dumpable. Executing another program undoes it, in a
// child as in its own place.
func conceal(bool) error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("make the process not dumpable: %w", err)
	}
	return nil
}
