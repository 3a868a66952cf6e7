// Profile is keywright with a profile of its processor time written to a file, for
// bench/profile.sh: profile FILE ARGUMENT...
package main

import (
	"fmt"
	"os"
	"runtime/pprof"

	"github.com/keywright/keywright/cmd"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: profile FILE ARGUMENT...")
		os.Exit(2)
	}
	file := os.Args[1]
	os.Args = append(os.Args[:1], os.Args[2:]...)
	if err := profiled(file); err != nil {
		fmt.Fprintln(os.Stderr, "profile:", err)
		os.Exit(2)
	}
}

// profiled runs keywright. What its exit code says is not an error.
func profiled(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return fmt.Errorf("profile into %s: %w", file, err)
	}
	cmd.Main()
	pprof.StopCPUProfile()
	return f.Close()
}
