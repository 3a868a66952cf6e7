// Keywright finds credentials that leaked into files and Git history.
package main

import (
	"os"

	"github.com/keywright/keywright/cmd"
)

func main() {
	os.Exit(cmd.Main())
}
