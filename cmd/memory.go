package cmd

import (
	"runtime"
	"runtime/debug"
)

// usualPercent is the runtime's own setting, by which garbage is collected for
// the first time when the heap has 4 MiB.
const usualPercent = 100

// collectLater lets the heap grow to 32 MiB before garbage is collected for the
// first time, and as usual from then on. Starting allocates about 5 MiB, nearly
// all of it kept: three collections that free nothing took a quarter of a short
// scan. What GOGC says is left alone.
func collectLater() {
	if before := debug.SetGCPercent(8 * usualPercent); before != usualPercent {
		debug.SetGCPercent(before)
		return
	}
	runtime.AddCleanup(new([64]byte), func(percent int) { debug.SetGCPercent(percent) }, usualPercent)
}
