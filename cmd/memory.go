package cmd

import (
	"runtime"
	"runtime/debug"
)

// usualPercent is the runtime's own setting, by which garbage is collected for
// the first time when the heap has 4 MiB.
const usualPercent = 100

// What of the heap is to lie in large pages: what a short scan needs, and a long one.
const (
	shortHeap = 64 << 20
	longHeap  = 256 << 20
)

// prepareMemory sets the heap up for a scan: what it will take is asked of the system
// in one piece, in large pages, and nothing is collected before it has 32 MiB.
func prepareMemory(mode scanMode) {
	size := shortHeap
	if mode == scanEverything || mode == scanHistory {
		size = longHeap
	}
	// The runtime maps the piece, which costs nothing until it is touched, and gives
	// its addresses to what is allocated after it was collected.
	if inLargePages(make([]byte, size)) {
		runtime.GC()
	}
	collectLater()
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
