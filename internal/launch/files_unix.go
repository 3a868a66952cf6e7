//go:build unix && !linux

package launch

import "github.com/keywright/keywright/secret"

// filesInPlace says that something has to be done for files while a child runs.
const filesInPlace = false

// deliver uses FIFOs: these systems have no files in memory that a path leads to.
func deliver(files map[string]secret.Value) (delivery, error) { return deliverFIFOs(files) }
