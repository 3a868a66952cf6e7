package cmd

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersion(term *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print keywright's version",
		Long:  "Prints keywright's version, the commit it was built from where that is known,\nand the Go release and platform it was built with.",
		Args:  noArgs,
		RunE:  func(*cobra.Command, []string) error { return runVersion(term) },
	}
}

func runVersion(term *terminal) error {
	version, commit := buildVersion()
	if commit != "" {
		commit = " (" + commit + ")"
	}
	_, err := fmt.Fprintf(term.out, "keywright %s%s %s %s/%s\n", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// buildVersion is what the Go toolchain wrote into the binary: the module's
// version, "devel" if it has none, and the commit, empty if unknown.
func buildVersion() (version, commit string) {
	version = "devel"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version, ""
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		version = v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			commit = s.Value[:12]
		}
	}
	return version, commit
}

// noArgs refuses arguments with our own kind of error.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usagef("see '"+c.CommandPath()+" --help'", "%s takes no argument, got %s", c.CommandPath(), quote(args[0]))
}
