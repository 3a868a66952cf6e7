// Manual writes keywright's man pages and shell completions below a directory,
// for the release archives: manual DIR.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/keywright/keywright/cmd"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: manual DIR")
		os.Exit(2)
	}
	if err := write(cmd.Root(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "manual:", err)
		os.Exit(1)
	}
}

func write(root *cobra.Command, dir string) error {
	man, completions := filepath.Join(dir, "man"), filepath.Join(dir, "completions")
	for _, d := range []string{man, completions} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	root.DisableAutoGenTag = true
	date := buildDate()
	header := &doc.GenManHeader{Title: "KEYWRIGHT", Section: "1", Source: "keywright", Manual: "keywright manual", Date: &date}
	if err := doc.GenManTree(root, header, man); err != nil {
		return fmt.Errorf("write man pages: %w", err)
	}
	file := func(name string) string { return filepath.Join(completions, name) }
	if err := root.GenBashCompletionFileV2(file("keywright.bash"), true); err != nil {
		return fmt.Errorf("write the completion for bash: %w", err)
	}
	if err := root.GenZshCompletionFile(file("_keywright")); err != nil {
		return fmt.Errorf("write the completion for zsh: %w", err)
	}
	if err := root.GenFishCompletionFile(file("keywright.fish"), true); err != nil {
		return fmt.Errorf("write the completion for fish: %w", err)
	}
	if err := root.GenPowerShellCompletionFileWithDesc(file("keywright.ps1")); err != nil {
		return fmt.Errorf("write the completion for PowerShell: %w", err)
	}
	return nil
}

// buildDate is the commit's, if SOURCE_DATE_EPOCH says so: the same commit makes
// the same pages.
func buildDate() time.Time {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return time.Unix(0, 0).UTC()
	}
	return time.Unix(seconds, 0).UTC()
}
