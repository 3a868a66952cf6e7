//go:build unix

package pipeline

import (
	"syscall"
	"time"
)

// cpuTime is the processor time that the process has taken: other work on the
// machine does not count.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
