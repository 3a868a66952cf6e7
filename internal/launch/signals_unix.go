//go:build unix

package launch

import (
	"errors"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// relay passes the signals that keywright gets on to the child.
//
// The child stays in keywright's process group: in one of its own it could not read
// from the terminal, and in the foreground it would push a pager behind keywright in
// the same pipeline out of it. So what a terminal sends (for ^C, ^\, ^Z, a new size of
// the window, a lost line) reaches the child without help, as it goes to the whole
// foreground group; passed on, it would come twice, and for many programs the second ^C
// means: stop at once, leave the orders open. What somebody sends to keywright's PID
// alone (kill, a supervisor, docker stop) must be passed on. Who sent a signal is not
// told to Go programs, so it is derived:
//
//   - SIGTERM, SIGUSR1 and SIGUSR2 never come from a terminal: passed on.
//   - SIGINT, SIGQUIT and SIGWINCH come from the terminal if our group is in its
//     foreground, and are passed on otherwise, or if there is no terminal. That takes a
//     kill -INT of keywright's PID in the foreground of a terminal for a ^C; who wants
//     to end that child has SIGTERM.
//   - SIGHUP comes when the terminal is lost. The kernel tells the leader of the session
//     alone, usually a shell, which tells the whole groups of its jobs. Passed on if the
//     terminal is still there, if there was none, or if we are the leader.
//   - SIGTSTP and SIGCONT are left to the kernel where there is a terminal: ^Z, fg and
//     bg reach the whole group, and keywright has to stop so that the shell notices. A
//     Go program that once took SIGTSTP cannot get its default action back, nor can it
//     know where nothing may be stopped because no shell would continue it. Without a
//     terminal they are passed on, and keywright goes on waiting.
//
// A signal sent to the whole group with kill (kill %1) cannot be told from one to
// keywright alone, and arrives twice. What keywright was started with as ignored
// (nohup) is left alone, and so is ignored by the child.
type relay struct {
	incoming chan os.Signal
	terminal int // a descriptor of the controlling terminal, -1 if there is none
}

// newRelay begins to take signals.
func newRelay() *relay {
	r := &relay{incoming: make(chan os.Signal, 32), terminal: -1}
	if fd, err := unix.Open("/dev/tty", unix.O_RDONLY|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err == nil {
		r.terminal = fd
	}
	relayed := []os.Signal{
		syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH,
	}
	if r.terminal < 0 {
		relayed = append(relayed, syscall.SIGTSTP, syscall.SIGCONT)
	}
	// No signals at all would mean every signal.
	if relayed = slices.DeleteFunc(relayed, signal.Ignored); len(relayed) > 0 {
		signal.Notify(r.incoming, relayed...)
	}
	return r
}

// stop gives signals back to whoever had them.
func (r *relay) stop() {
	signal.Stop(r.incoming)
	if r.terminal >= 0 {
		unix.Close(r.terminal)
		r.terminal = -1
	}
}

// pass sends a signal to the child, unless the terminal did. That the child has ended
// meanwhile is no error: its status will say so.
func (r *relay) pass(s os.Signal, child *os.Process) {
	if !r.fromTerminal(s) {
		child.Signal(s)
	}
}

// fromTerminal reports whether the terminal sent a signal, to the child as well.
func (r *relay) fromTerminal(s os.Signal) bool {
	if r.terminal < 0 {
		return false
	}
	group, err := foreground(r.terminal)
	switch s {
	case syscall.SIGINT, syscall.SIGQUIT, syscall.SIGWINCH:
		return err == nil && group == unix.Getpgrp()
	case syscall.SIGHUP:
		return err != nil && !leader()
	}
	return false
}

// foreground returns the process group in the foreground of a terminal, an error if
// the terminal is lost.
func foreground(terminal int) (int, error) {
	return retry(func() (int, error) { return unix.IoctlGetInt(terminal, unix.TIOCGPGRP) })
}

// leader reports whether keywright leads its session, as the first program of a
// terminal window or of a container does.
func leader() bool {
	session, err := unix.Getsid(0)
	return err == nil && session == os.Getpid()
}

// ask tells a child to end; it returns false if it cannot be told.
func ask(child *os.Process) bool {
	err := child.Signal(syscall.SIGTERM)
	return err == nil || errors.Is(err, os.ErrProcessDone)
}

// resultOf says how a child ended.
func resultOf(s *os.ProcessState) Result {
	if s == nil {
		return Result{}
	}
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return Result{Code: 128 + int(w.Signal()), Signal: w.Signal()}
	}
	return Result{Code: s.ExitCode()}
}
