package harden

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The test's own program plays other programs when this variable names one.
const roleVariable = "HARDEN_TEST_ROLE"

func TestMain(m *testing.M) {
	switch role := os.Getenv(roleVariable); role {
	case "":
		os.Exit(m.Run())
	case "state":
		fmt.Println(state())
	case "child", "replaced": // what keywright would do
		os.Exit(playKeywright(role == "replaced"))
	case "open", "closed": // waits for its standard input to end
		if role == "closed" {
			if _, err := Process(false); err != nil {
				fmt.Println(err)
			}
		}
		fmt.Println("ready")
		io.Copy(io.Discard, os.Stdin)
	case "peep":
		os.Exit(peep())
	}
}

// state is what a process has of its own.
func state() string {
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		return err.Error()
	}
	var core unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &core); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("dumpable %d, core %d of %d", dumpable, core.Cur, core.Max)
}

// playKeywright starts a program that says its state, from a hardened process.
func playKeywright(replaced bool) int {
	limits, err := Process(true)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(state())
	self, env := os.Args[0], []string{roleVariable + "=state"}
	c := &exec.Cmd{Path: self, Env: env, Stdout: os.Stdout}
	start := c.Start
	if replaced {
		start = func() error { return unix.Exec(self, []string{self}, env) }
	}
	if err := errors.Join(limits.Inherit(start), c.Wait()); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(state())
	return 0
}

// play runs a role in a copy of the test's program, as a user that is not root.
func play(t *testing.T, role string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "harden") // not t.TempDir, which is for its owner
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "program")
	if err := os.WriteFile(path, self, 0o755); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c := &exec.Cmd{Path: path, Args: []string{path}, Dir: "/", Env: []string{roleVariable + "=" + role}, Stdout: &out, Stderr: &out}
	if os.Geteuid() == 0 {
		const nobody = 65534
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	if err := c.Run(); err != nil {
		if errors.Is(err, os.ErrPermission) {
			t.Skipf("no other user can execute what lies in %s", dir)
		}
		t.Fatalf("%v: %s", err, out.String())
	}
	return out.String()
}

// A hardened process has no core and is not dumpable; what it starts, or what takes its
// place, has what it was given itself.
func TestChildHasItsLimits(t *testing.T) {
	var was, some unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &was); err != nil {
		t.Fatal(err)
	}
	some = was
	some.Cur = min(was.Max, 4096)
	if some.Cur == 0 {
		t.Skip("core dumps are forbidden here")
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &some); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_CORE, &was)
	hard, given := fmt.Sprintf("dumpable 0, core 0 of %d\n", was.Max), fmt.Sprintf("dumpable 1, core %d of %d\n", some.Cur, was.Max)
	if got, want := play(t, "state"), given; got != want {
		t.Fatalf("a process that is as it was given is %q, want %q", got, want)
	}
	if got, want := play(t, "child"), hard+given+hard; got != want {
		t.Errorf("keywright, child, keywright: %q, want %q", got, want)
	}
	if got, want := play(t, "replaced"), hard+given; got != want {
		t.Errorf("keywright, what takes its place: %q, want %q", got, want)
	}
}

// peep starts a process that is hardened and one that is not, and tries to look into
// both, as the same user.
func peep() int {
	runtime.LockOSThread() // who traces is a thread
	for _, role := range []string{"open", "closed"} {
		c := &exec.Cmd{Path: os.Args[0], Env: []string{roleVariable + "=" + role}}
		in, err := c.StdinPipe()
		if err != nil {
			fmt.Println(err)
			return 1
		}
		out, err := c.StdoutPipe()
		if err == nil {
			err = c.Start()
		}
		if err != nil {
			fmt.Println(err)
			return 1
		}
		ready := make([]byte, len("ready\n"))
		if _, err := io.ReadFull(out, ready); err != nil {
			fmt.Println(err)
			return 1
		}
		for _, file := range []string{"mem", "environ", "maps"} {
			_, err := os.Open("/proc/" + strconv.Itoa(c.Process.Pid) + "/" + file)
			fmt.Println(role, file, err == nil)
		}
		err = unix.PtraceAttach(c.Process.Pid)
		fmt.Println(role, "attach", err == nil)
		if err == nil {
			var status unix.WaitStatus
			unix.Wait4(c.Process.Pid, &status, 0, nil)
			unix.PtraceDetach(c.Process.Pid)
		}
		in.Close()
		c.Wait()
	}
	return 0
}

func TestSameUserCannotLook(t *testing.T) {
	out := play(t, "peep")
	if !strings.Contains(out, "open mem true") || !strings.Contains(out, "open attach true") {
		t.Skipf("here nobody looks into another process anyway:\n%s", out)
	}
	for _, what := range []string{"mem", "environ", "maps", "attach"} {
		if !strings.Contains(out, "closed "+what+" false\n") {
			t.Errorf("%s of a hardened process:\n%s", what, out)
		}
	}
}
