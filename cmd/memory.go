package cmd

import (
	"runtime"
	"runtime/debug"
)

// usualPercent is the runtime's own setting, by which garbage is collected for
// the first time when the heap has 4 MiB.
const usualPercent = 100

// largeHeap is what of the heap of a scan of a history is to lie in large pages.
const largeHeap = 256 << 20

// prepareMemory sets the heap up for a scan. What a history will take is asked of the
// system in one piece, in large pages.
func prepareMemory(mode scanMode) {
	collectLater()
	if mode != scanEverything && mode != scanHistory {
		return
	}
	// The runtime maps the piece, which costs nothing until it is touched, and gives
	// its addresses to what is allocated after it was collected.
	if inLargePages(make([]byte, largeHeap)) {
		runtime.GC()
	}
}

// collectLater lets the heap grow to 32 MiB before garbage is collected, and as usual
// from then on. Starting allocates about 4 MiB, nearly all of it kept: three
// collections that free nothing took a quarter of a short scan. What GOGC says is
// left alone.
func collectLater() {
	if before := debug.SetGCPercent(8 * usualPercent); before != usualPercent {
		debug.SetGCPercent(before)
		return
	}
	runtime.AddCleanup(new([64]byte), func(percent int) { debug.SetGCPercent(percent) }, usualPercent)
}
