package cmd

import (
	"os"

	"golang.org/x/sys/windows"
)

// prepare makes a Windows console understand escape sequences, and reports whether
// it does.
func prepare(f *os.File) bool {
	h := windows.Handle(f.Fd())
	var mode uint32
	if windows.GetConsoleMode(h, &mode) != nil {
		return false
	}
	return windows.SetConsoleMode(h, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}
