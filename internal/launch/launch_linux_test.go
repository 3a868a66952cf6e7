package launch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keywright/keywright/secret"
)

// openTerminal makes a terminal, and returns the end of the program that shows it and
// that of the programs inside.
func openTerminal(t *testing.T) (outside, inside *os.File) {
	t.Helper()
	outside, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { outside.Close() })
	if err := unix.IoctlSetPointerInt(int(outside.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(outside.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	inside, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { inside.Close() })
	return outside, inside
}

// terminalSession runs a shell that runs keywright that runs a child, on a terminal.
func terminalSession(t *testing.T, env ...string) (s *session, outside *os.File, job, child int) {
	t.Helper()
	outside, inside := openTerminal(t)
	s = newSession(t, &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}, inside, append(env, roleVariable+"=shell"), "signals")
	inside.Close()
	// The shell and the child are two processes: either may speak first.
	said := s.expectAll([]string{"job", "ready"}, "started")
	job, _ = strconv.Atoi(said["job"])
	child, _ = strconv.Atoi(said["ready"])
	if job == 0 || child == 0 {
		t.Fatal("no PIDs")
	}
	return s, outside, job, child
}

func press(t *testing.T, terminal *os.File, key byte) {
	t.Helper()
	if _, err := terminal.Write([]byte{key}); err != nil {
		t.Fatal(err)
	}
}

// settle leaves time for a second delivery, which a test expects not to come.
const settle = 100 * time.Millisecond

// What the terminal sends comes once, what others send to keywright too.
func TestTerminalSignalsComeOnce(t *testing.T) {
	s, terminal, job, _ := terminalSession(t)
	press(t, terminal, 'C'-'@')
	s.expect("interrupt")
	time.Sleep(settle)
	s.kill(job, syscall.SIGTERM)
	s.expect("terminated")
	press(t, terminal, '\\'-'@')
	s.expect("quit")
	time.Sleep(settle)
	if err := unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 10, Col: 20}); err != nil {
		t.Fatal(err)
	}
	s.expect("window changed")
	time.Sleep(settle)
	// A reload: the terminal is there, so it did not hang up.
	s.kill(job, syscall.SIGHUP)
	s.expect("hangup")
	// Taken for a ^C, as documented.
	s.kill(job, syscall.SIGINT)
	time.Sleep(settle)
	s.kill(job, syscall.SIGUSR2)
	s.expect("user defined signal 2")
	s.expect("ended 7")
}

// The shell sees keywright stop, the child stops too, and both go on.
func TestTerminalStops(t *testing.T) {
	s, terminal, job, child := terminalSession(t, "STOPPABLE=1")
	for range 2 {
		press(t, terminal, 'Z'-'@')
		s.expect("job stopped")
		for end := time.Now().Add(5 * time.Second); state(t, child) != "T"; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("the child is in state %s", state(t, child))
			}
		}
		s.expect("continued")
		time.Sleep(settle)
	}
	s.kill(job, syscall.SIGUSR2)
	s.expect("user defined signal 2")
	s.expect("ended 7")
}

// state is that of a process: T is stopped.
func state(t *testing.T, pid int) string {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])[0])
}

// When the line is lost the shell tells the whole group.
func TestTerminalIsLost(t *testing.T) {
	s, terminal, job, _ := terminalSession(t)
	terminal.Close()
	s.expect("hangup", "continued")
	time.Sleep(settle)
	s.kill(job, syscall.SIGTERM)
	s.expect("terminated", "continued")
	s.kill(job, syscall.SIGUSR2)
	s.expect("user defined signal 2")
}

// Without a shell keywright is told alone, and has to pass it on.
func TestTerminalIsLostWithoutShell(t *testing.T) {
	terminal, inside := openTerminal(t)
	s := newSession(t, &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}, inside, []string{roleVariable + "=keywright"}, "signals")
	inside.Close()
	s.expect("ready", "started")
	press(t, terminal, 'C'-'@')
	s.expect("interrupt")
	time.Sleep(settle)
	terminal.Close()
	s.expect("hangup", "continued")
	s.kill(s.Process.Pid, syscall.SIGUSR2)
	s.expect("user defined signal 2")
}

// Nobody who gets the file can change it, and it is no program.
func TestMemoryIsSealed(t *testing.T) {
	d, err := deliver(map[string]secret.Value{"A": secret.New([]byte("content"))})
	if err != nil {
		t.Fatal(err)
	}
	defer d.end()
	path := d.paths["A"]
	fd, err := strconv.Atoi(filepath.Base(path))
	if err != nil || fd < lowestFD || !strings.HasPrefix(path, "/proc/self/fd/") {
		t.Fatalf("path %s", path)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "content" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := unix.Write(fd, []byte("x")); !errors.Is(err, unix.EPERM) {
		t.Errorf("write: %v", err)
	}
	if err := unix.Ftruncate(fd, 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("truncate: %v", err)
	}
	d.end()
	if _, err := os.ReadFile(path); err == nil {
		t.Error("the descriptor is still open")
	}
}

// Descriptors that keywright was given keep their numbers: make and systemd rely on it.
func TestInheritedDescriptorsStay(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s, err := unix.FcntlInt(w.Fd(), unix.F_DUPFD, 50) // as if inherited
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	c, out := child(t, "exit", "0")
	c.Argv = []string{"/bin/sh", "-c", fmt.Sprintf(`cat "$A_FILE" >&2; echo here >/proc/self/fd/%d`, s)}
	c.Env = nil
	c.Files = values("A", "content")
	got, err := Run(context.Background(), c)
	unix.Close(s)
	if err != nil || got.Code != 0 || out.String() != "content" {
		t.Errorf("got %+v, %v, %q", got, err, out)
	}
	buf := make([]byte, 10)
	if n, _ := r.Read(buf); string(buf[:n]) != "here\n" {
		t.Errorf("got %q", buf[:n])
	}
}

// The command line of a process can be read by every user of the machine.
func TestSecretsAreNotArguments(t *testing.T) {
	const value = "a-rare-value-of-the-test"
	for way, deliver := range ways() {
		c, _ := child(t, "wait")
		c.Secrets, c.Files = values("SECRET", value), values("NAME", value+"-file")
		c.Mask, c.Grace = true, time.Second
		ctx, cancel := context.WithCancel(context.Background())
		c.Started = func(p Process) error {
			defer cancel()
			for _, pid := range []int{p.PID, os.Getpid()} {
				line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
				if err != nil || len(line) == 0 || bytes.Contains(line, []byte(value)) {
					t.Errorf("%s: command line %q, %v", way, line, err)
				}
			}
			env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.PID))
			if err != nil || bytes.Contains(env, []byte(value+"-file")) || !bytes.Contains(env, []byte("NAME_FILE=/")) {
				t.Errorf("%s: environment %q, %v", way, env, err)
			}
			return nil
		}
		if _, err := run(ctx, c, deliver); err != nil {
			t.Errorf("%s: %v", way, err)
		}
	}
}

// Where a read cannot be ended, a stream that waits in vain is left alone, but not
// one whose reader is slow.
func TestStreamWithoutDeadline(t *testing.T) {
	t.Parallel()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	if err := ours.SetReadDeadline(time.Now()); err == nil {
		t.Fatal("it has deadlines")
	}
	var w slow
	s := &stream{from: ours, to: &w, done: make(chan struct{})}
	go s.copy()
	theirs.Write([]byte("text"))
	o := &output{streams: []*stream{s}}
	start := time.Now()
	if err := o.end(); err != nil || w.n != 4 || time.Since(start) > 10*time.Second {
		t.Errorf("%v, %d bytes after %v", err, w.n, time.Since(start))
	}
	theirs.Close()
	<-s.done
	ours.Close()
}

func TestStartTime(t *testing.T) {
	tail := strings.Repeat(" 1", 18) + " 4711 5 6"
	for stat, want := range map[string]uint64{
		"12 (sh) S" + tail:             4711,
		"12 (a b) c (1) 2) S" + tail:   4711,
		"12 (sh) S 1 2 3":              0,
		"":                             0,
		"12 (sh) S" + tail[:36] + " -": 0,
	} {
		if got, err := startTime([]byte(stat)); got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: got %d, %v", stat, got, err)
		}
	}
}
