//go:build !linux

package cmd

// inLargePages reports that nothing was asked for: other systems decide by themselves.
func inLargePages([]byte) bool { return false }
