//go:build unix

package launch

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keywright/keywright/secret"
)

// playUnix is play for roles that need a Unix.
func playUnix(role string, args []string) int {
	switch role {
	case "die":
		n, _ := strconv.Atoi(args[0])
		signal.Reset()
		syscall.Kill(os.Getpid(), syscall.Signal(n))
		time.Sleep(10 * time.Second)
		return 9
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("ready")
		time.Sleep(20 * time.Second)
		return 9
	case "read": // TIMES NAME...
		times, _ := strconv.Atoi(args[0])
		for _, name := range args[1:] {
			for range times {
				content, err := os.ReadFile(os.Getenv(name + fileSuffix))
				fmt.Printf("%s %d %x %v\n", name, len(content), sum(content), err)
			}
		}
		return 0
	case "sh-read": // by a grandchild
		c := exec.Command("/bin/sh", "-c", `cat "$NAME_FILE" && cat "$NAME_FILE"`)
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		if c.Run() != nil {
			return 9
		}
		return 0
	case "signals":
		return playSignals()
	case "keywright": // ROLE ARGS...: what keywright would do, by Run
		return playKeywright(Run, args)
	case "keywright-exec":
		return playKeywright(Exec, args)
	case "shell":
		return playShell(args)
	}
	return 99
}

func sum(b []byte) byte {
	var s byte
	for _, c := range b {
		s = s*31 + c
	}
	return s
}

// playSignals says which signals come. SIGUSR2 ends it.
func playSignals() int {
	ch := make(chan os.Signal, 100)
	list := []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH, syscall.SIGCONT}
	if os.Getenv("STOPPABLE") == "" {
		list = append(list, syscall.SIGTSTP)
	}
	for _, s := range list {
		if signal.Ignored(s) {
			fmt.Println("ignored", s)
			continue
		}
		signal.Notify(ch, s)
	}
	fmt.Println("ready", os.Getpid())
	for {
		select {
		case s := <-ch:
			fmt.Println(s)
			if s == syscall.SIGUSR2 {
				return 7
			}
		case <-time.After(30 * time.Second):
			return 9
		}
	}
}

// playKeywright starts a child as the verb run would, and ends as it does.
func playKeywright(start func(context.Context, Command) (Result, error), args []string) int {
	self, err := os.Executable()
	if err != nil {
		return 98
	}
	c := Command{
		Argv: append([]string{self}, args[1:]...), Env: entries(append(os.Environ(), roleVariable+"="+args[0])...),
		Secrets: map[string]secret.Value{"SECRET": secret.New([]byte(strings.Repeat("sec", 5)))},
		Stdin:   os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Dir: os.Getenv("DIR"),
		Started: func(p Process) error { fmt.Println("started", p.PID, p.Start); return nil },
	}
	if runtime.GOOS == "linux" {
		c.Files = map[string]secret.Value{"NAME": secret.New([]byte("file content"))}
	}
	got, err := start(context.Background(), c)
	if err != nil {
		fmt.Println(err)
		return 97
	}
	return got.Code
}

// playShell starts keywright in the foreground of the terminal on standard input as a
// shell with job control does.
func playShell(args []string) int {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	self, err := os.Executable()
	if err != nil {
		return 96
	}
	c := exec.Command(self, args...)
	c.Env = append(os.Environ(), roleVariable+"=keywright")
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Foreground: true, Ctty: 0}
	if err := c.Start(); err != nil {
		fmt.Println(err)
		return 95
	}
	group := c.Process.Pid
	fmt.Println("job", group)
	go func() {
		for range hangups {
			syscall.Kill(-group, syscall.SIGHUP)
		}
	}()
	for {
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(group, &status, syscall.WUNTRACED, nil); err != nil {
			if err == syscall.EINTR {
				continue
			}
			return 94
		}
		if !status.Stopped() {
			fmt.Println("ended", status.ExitStatus())
			return 0
		}
		fmt.Println("job stopped")
		time.Sleep(100 * time.Millisecond)
		syscall.Kill(-group, syscall.SIGCONT)
	}
}

// session is a process of ours that runs in a session of its own.
type session struct {
	*exec.Cmd
	t     *testing.T
	lines chan string
}

func newSession(t *testing.T, attr *syscall.SysProcAttr, stdin *os.File, env []string, args ...string) *session {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &session{exec.Command(self, args...), t, make(chan string, 100)}
	s.Env = append(os.Environ(), env...)
	s.SysProcAttr = attr
	if stdin != nil {
		s.Stdin = stdin
	}
	out, err := s.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.Stderr = os.Stderr
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.lines)
		for in := bufio.NewScanner(out); in.Scan(); {
			s.lines <- in.Text()
		}
	}()
	t.Cleanup(func() { s.Process.Kill(); s.Wait() })
	return s
}

// expect waits for a line that begins with want, and returns the rest of it. Any
// other line is an error, apart from those that begin with one of pass.
func (s *session) expect(want string, pass ...string) string {
	s.t.Helper()
	for {
		select {
		case line, ok := <-s.lines:
			if rest, is := strings.CutPrefix(line, want); is && ok {
				return strings.TrimSpace(rest)
			}
			passed := false
			for _, p := range pass {
				passed = passed || ok && strings.HasPrefix(line, p)
			}
			if !passed {
				s.t.Fatalf("got %q (%v), want %q", line, ok, want)
			}
		case <-time.After(10 * time.Second):
			s.t.Fatalf("no %q", want)
		}
	}
}

// expectAll is expect for several lines, in any order.
func (s *session) expectAll(want []string, pass ...string) map[string]string {
	s.t.Helper()
	said := map[string]string{}
	for len(said) < len(want) {
		select {
		case line, ok := <-s.lines:
			word, rest, _ := strings.Cut(line, " ")
			switch {
			case ok && slices.Contains(want, word):
				said[word] = strings.TrimSpace(rest)
			case !ok || !slices.Contains(pass, word):
				s.t.Fatalf("got %q (%v), want one of %q", line, ok, want)
			}
		case <-time.After(10 * time.Second):
			s.t.Fatalf("no more of %q than %v", want, said)
		}
	}
	return said
}

func (s *session) kill(pid int, sig syscall.Signal) {
	s.t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		s.t.Fatalf("kill -%v %d: %v", sig, pid, err)
	}
}

func TestKilledBySignal(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL, syscall.SIGINT, syscall.SIGHUP} {
		c, _ := child(t, "die", strconv.Itoa(int(s)))
		got, err := Run(context.Background(), c)
		if want := (Result{128 + int(s), s}); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
}

// Without a terminal every signal is passed on, once.
func TestSignalsArePassedOn(t *testing.T) {
	s := newSession(t, &syscall.SysProcAttr{Setsid: true}, nil, []string{roleVariable + "=keywright"}, "signals")
	s.expect("ready", "started")
	for _, sig := range []syscall.Signal{
		syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGWINCH,
		syscall.SIGTSTP, syscall.SIGCONT, syscall.SIGTSTP, syscall.SIGCONT, syscall.SIGINT, syscall.SIGUSR2,
	} {
		s.kill(s.Process.Pid, sig)
		s.expect(sig.String())
	}
	for line := range s.lines {
		t.Errorf("one more: %q", line)
	}
	var e *exec.ExitError
	if err := s.Wait(); !errors.As(err, &e) || e.ExitCode() != 7 {
		t.Errorf("ended with %v", err)
	}
}

// What nohup ignores stays ignored, in the child too.
func TestIgnoredStaysIgnored(t *testing.T) {
	if _, err := exec.LookPath("nohup"); err != nil {
		t.Skip("no nohup")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("nohup", self, "signals")
	c.Env = append(os.Environ(), roleVariable+"=keywright")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Wait()
	var seen []string
	in := bufio.NewScanner(out)
	for in.Scan() && !strings.HasPrefix(in.Text(), "ready") {
		seen = append(seen, in.Text())
	}
	syscall.Kill(c.Process.Pid, syscall.SIGUSR2)
	io.Copy(io.Discard, out)
	if got := strings.Join(seen, "\n"); !strings.Contains(got, "ignored hangup") {
		t.Errorf("got %q", got)
	}
}

func TestContextEndsChild(t *testing.T) {
	ctx := within(t, 300*time.Millisecond)
	c, _ := child(t, "wait")
	got, err := Run(ctx, c)
	if want := (Result{143, syscall.SIGTERM}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

// ready is a writer that says when the first bytes came.
type ready struct {
	bytes.Buffer
	first func()
}

func (r *ready) Write(p []byte) (int, error) {
	if r.Len() == 0 {
		r.first()
	}
	return r.Buffer.Write(p)
}

func TestContextKillsStubbornChild(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	c, _ := child(t, "stubborn")
	c.Stdout, c.Grace = &ready{first: cancel}, 300*time.Millisecond
	start := time.Now()
	got, err := Run(ctx, c)
	if want := (Result{137, syscall.SIGKILL}); err != nil || got != want || time.Since(start) < c.Grace {
		t.Errorf("got %+v, %v after %v, want %+v", got, err, time.Since(start), want)
	}
}

// ways are those of delivering files that this system has.
func ways() map[string]deliverer {
	return map[string]deliverer{"own": deliver, "FIFO": deliverFIFOs}
}

func TestFiles(t *testing.T) {
	large := bytes.Repeat([]byte("0123456789\x00\xff"), 300<<10/12) // more than a pipe holds
	files := map[string]secret.Value{"SMALL": secret.New([]byte("a\x00b\n")), "EMPTY": {}, "LARGE": secret.New(large)}
	for way, deliver := range ways() {
		t.Run(way, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			c, out := child(t, "read", "20", "SMALL", "EMPTY", "LARGE")
			c.Files = files
			got, err := run(context.Background(), c, deliver)
			if err != nil || got.Code != 0 {
				t.Fatalf("got %+v, %v: %s", got, err, out)
			}
			var want strings.Builder
			for _, name := range []string{"SMALL", "EMPTY", "LARGE"} {
				content := files[name].Reveal()
				want.WriteString(strings.Repeat(fmt.Sprintf("%s %d %x <nil>\n", name, len(content), sum(content)), 20))
			}
			if out.String() != want.String() {
				t.Errorf("got %s", out)
			}
			nothingIn(t, os.TempDir())
		})
	}
}

func nothingIn(t *testing.T, dir string) {
	t.Helper()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

func TestFilesForGrandchildren(t *testing.T) {
	for way, deliver := range ways() {
		c, out := child(t, "sh-read")
		c.Files = values("NAME", "file content")
		c.Env = append(c.Env, entries("NAME=taken away")...)
		if got, err := run(context.Background(), c, deliver); err != nil || got.Code != 0 || out.String() != "file contentfile content" {
			t.Errorf("%s: got %+v, %v, %q", way, got, err, out)
		}
	}
}

// Files are gone after every end, whether somebody read them or not.
func TestFilesAreRemoved(t *testing.T) {
	before := runtime.NumGoroutine()
	for what, change := range map[string]func(*Command){
		"never opened":   func(c *Command) {},
		"child died":     func(c *Command) { c.Argv, c.Env = []string{c.Argv[0], "9"}, entries(roleVariable+"=die") },
		"not found":      func(c *Command) { c.Argv = []string{"no-such-program"} },
		"not executable": func(c *Command) { c.Argv = append(c.Argv, strings.Repeat("x", 4<<20)) },
		"bad secret":     func(c *Command) { c.Secrets = values("", "x") },
		"hook failed":    func(c *Command) { c.Started = func(Process) error { return errors.New("no") } },
		"bad name":       func(c *Command) { c.Files["a/b"] = secret.Value{} },
	} {
		for way, deliver := range ways() {
			t.Setenv("TMPDIR", t.TempDir())
			c, _ := child(t, "exit", "0")
			c.Files = map[string]secret.Value{"A": secret.New(make([]byte, 1<<20)), "B": {}}
			change(&c)
			start := time.Now()
			run(context.Background(), c, deliver)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("%s, %s: took %v", what, way, took)
			}
			nothingIn(t, os.TempDir())
		}
	}
	for i := 0; runtime.NumGoroutine() > before+1 && i < 100; i++ {
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before+1 {
		t.Errorf("%d goroutines before, %d after", before, n)
	}
}

// Somebody who opened a FIFO and does not read does not block the end either.
func TestFIFOReaderThatSleeps(t *testing.T) {
	d, err := deliverFIFOs(map[string]secret.Value{"A": secret.New(make([]byte, 1<<20))})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(d.paths["A"])
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory: %v, %v", info, err)
	}
	if info, err := os.Stat(d.paths["A"]); err != nil || info.Mode() != os.ModeNamedPipe|0o600 {
		t.Errorf("FIFO: %v, %v", info, err)
	}
	f, err := os.Open(d.paths["A"])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	start := time.Now()
	if err := d.end(); err != nil || time.Since(start) > 5*time.Second {
		t.Errorf("end: %v after %v", err, time.Since(start))
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("directory is still there: %v", err)
	}
}

// Many ends at many moments: none is missed by a writer that is between two readers.
func TestFIFOEnds(t *testing.T) {
	for i := range 200 {
		d, err := deliverFIFOs(values("A", "value"))
		if err != nil {
			t.Fatal(err)
		}
		for range i % 3 {
			if got, err := os.ReadFile(d.paths["A"]); err != nil || string(got) != "value" {
				t.Fatalf("got %q, %v", got, err)
			}
		}
		ended := make(chan error)
		go func() { ended <- d.end() }()
		select {
		case err := <-ended:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("it does not end")
		}
	}
}

// Exec replaces the process: same PID, exit code and streams; afterwards there is no
// keywright to pass anything on.
func TestExecReplaces(t *testing.T) {
	s := newSession(t, &syscall.SysProcAttr{Setsid: true}, nil, []string{roleVariable + "=keywright-exec"}, "signals")
	if got := strings.Fields(s.expect("started")); len(got) != 2 || got[0] != strconv.Itoa(s.Process.Pid) {
		t.Errorf("Started got %q, PID is %d", got, s.Process.Pid)
	}
	if got := s.expect("ready"); got != strconv.Itoa(s.Process.Pid) {
		t.Errorf("the child is %s, keywright was %d", got, s.Process.Pid)
	}
	s.kill(s.Process.Pid, syscall.SIGINT)
	s.expect("interrupt")
	s.kill(s.Process.Pid, syscall.SIGUSR2)
	s.expect("user defined signal 2")
	var e *exec.ExitError
	if err := s.Wait(); !errors.As(err, &e) || e.ExitCode() != 7 {
		t.Errorf("ended with %v", err)
	}
}

func TestExecGivesEnvironment(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := newSession(t, &syscall.SysProcAttr{Setsid: true}, nil, []string{roleVariable + "=keywright-exec", "DIR=" + dir}, "env", "argument")
	s.expect("started")
	got := s.expect("[")
	env, args, _ := strings.Cut(got, "] [")
	if !strings.Contains(env, `"SECRET=secsecsecsecsec"`) || strings.Contains(args, "secsec") || !strings.Contains(args, strconv.Quote(dir)) {
		t.Errorf("got %s", got)
	}
}

func TestExecFails(t *testing.T) {
	for code, argv := range map[int][]string{127: {"no-such-program"}, 126: {t.TempDir()}, 125: nil} {
		_, err := Exec(context.Background(), Command{Argv: argv, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr})
		var e *Error
		if !errors.As(err, &e) || e.Code != code {
			t.Errorf("%q: got %v, want code %d", argv, err, code)
		}
	}
	// What needs keywright afterwards is run.
	c, out := child(t, "say", "SECRET")
	c.Mask, c.Secrets = true, values("SECRET", "long enough")
	c.Stderr = nil
	if got, err := Exec(context.Background(), c); err != nil || got.Code != 0 || out.String() != "***" {
		t.Errorf("got %+v, %v, %q", got, err, out)
	}
}

// restartedVariable says that the tests were started anew.
const restartedVariable = "LAUNCH_TEST_RESTARTED"

// restartWithDefaults starts the tests anew if they were started with signals ignored,
// as nohup does: children would ignore them, too. A program cannot undo that itself.
func restartWithDefaults() {
	ignored := signal.Ignored(syscall.SIGHUP) || signal.Ignored(syscall.SIGINT) || signal.Ignored(syscall.SIGQUIT)
	env, err := exec.LookPath("env")
	if !ignored || err != nil || os.Getenv(restartedVariable) != "" {
		return
	}
	argv := append([]string{"env", "--default-signal=HUP,INT,QUIT", os.Args[0]}, os.Args[1:]...)
	_ = syscall.Exec(env, argv, append(os.Environ(), restartedVariable+"=1")) // where env can't, tests say what fails
}
