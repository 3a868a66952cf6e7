//go:build !linux && !darwin

package packfile

import "os"

// mapFile returns nil: packs are read by position. Windows would not let Git delete a
// pack that is mapped.
func mapFile(*os.File, int64) mapping { return nil }

func (m mapping) release() {}

func (m mapping) close() error { return nil }
