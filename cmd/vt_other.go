//go:build !windows

package cmd

import "os"

// prepare reports whether a terminal understands escape sequences.
func prepare(*os.File) bool { return os.Getenv("TERM") != "dumb" }
