package cmd

import (
	"os/exec"
	"regexp"
	"syscall"
	"testing"
	"time"
)

// TestUnanswered: what a rotation asks stands in the error where nobody can answer, with
// the program that still has the old key; at a terminal it is asked, and a no leaves the
// rotation where it is.
func TestUnanswered(t *testing.T) {
	inVerb(t)
	useAgefile(t)
	alone := func(stdin string, args ...string) *exec.Cmd {
		cmd := process(t.Name(), 0, change{verb: verb{args: args, stdin: stdin}})
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // without a terminal
		return cmd
	}
	fails := func(want string) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) { // what was killed takes its time
			out, err := alone("", "rotate", "resume").CombinedOutput()
			if err != nil && regexp.MustCompile(want).Match(out) {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%v, and no %s:\n%s", err, want, out)
			}
		}
	}
	if out, err := alone("Vq8tLx2-mZr4", "set", "dev/PYPI", "--provider", "pypi").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	y := newTypist(t)
	program := y.start("run", "--env", "dev", "--", "sh", "-c", "echo it runs; exec sleep 60")
	y.until("it runs")
	defer program.Process.Kill()

	rotation := y.start("rotate", "dev/PYPI")
	y.until("New value: ")
	y.types("Xu4nPd7-kWb9\n")
	y.until("Revoke it all the same? [y/N] ")
	y.types("n\n")
	if code := y.ended(rotation); code != exitFailed {
		t.Errorf("exit %d", code)
	}
	y.until("it waits for a yes")
	fails(`error: rotation \S+: revoke: there is no terminal to ask at: Still running with the old key: sleep, PID \d+, since .*\. Revoke it all the same\?\n.*hint: at a terminal: keywright rotate resume \S+\n`)
	syscall.Kill(-program.Process.Pid, syscall.SIGKILL) // its session, and what it started
	program.Wait()
	fails(`revoke: there is no terminal to ask at: Is the old key deleted\?\n`)
}
