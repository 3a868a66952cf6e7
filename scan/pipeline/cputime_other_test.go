//go:build !unix

package pipeline

import "time"

var started = time.Now()

func cpuTime() time.Duration { return time.Since(started) }
