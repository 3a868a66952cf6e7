//go:build !unix

package launch

import (
	"os"
	"os/signal"
	"syscall"
)

// relay keeps keywright alive while the child decides what to do. There is nothing to
// pass on: the console sends ^C, and the news that it is closed, to all its programs.
type relay struct{ incoming chan os.Signal }

func newRelay() *relay {
	r := &relay{make(chan os.Signal, 8)}
	signal.Notify(r.incoming, os.Interrupt, syscall.SIGTERM)
	return r
}

func (r *relay) stop() { signal.Stop(r.incoming) }

func (r *relay) pass(os.Signal, *os.Process) {}

// ask cannot tell a child to end.
func ask(*os.Process) bool { return false }

// resultOf says how a child ended.
func resultOf(s *os.ProcessState) Result {
	if s == nil {
		return Result{}
	}
	return Result{Code: s.ExitCode()}
}
