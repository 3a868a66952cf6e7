package launch

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/secret"
)

// roleVariable makes the test program play a part instead of running tests.
const roleVariable = "LAUNCH_TEST_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role, os.Args[1:]))
	}
	restartWithDefaults()
	os.Exit(m.Run())
}

// play is the child of the tests. It returns its exit code.
func play(role string, args []string) int {
	switch role {
	case "exit":
		code, _ := strconv.Atoi(args[0])
		return code
	case "env":
		wd, _ := os.Getwd()
		fmt.Printf("%q %q %q\n", slices.Sorted(slices.Values(os.Environ())), os.Args, wd)
		return 0
	case "say": // each variable is written by itself
		for _, name := range args {
			io.WriteString(os.Stdout, os.Getenv(name))
		}
		fmt.Fprint(os.Stderr, os.Getenv("SECRET"))
		return 0
	case "copy":
		io.Copy(os.Stdout, os.Stdin)
		return 0
	case "flood":
		_, err := os.Stdout.Write(bytes.Repeat([]byte("line\n"), 1<<20/5))
		if err != nil {
			return 9
		}
		return 0
	case "leave": // a grandchild that keeps the output open
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), roleVariable+"=wait")
		c.Stdout = os.Stdout
		if err := c.Start(); err != nil {
			return 9
		}
		fmt.Println(c.Process.Pid)
		return 0
	case "wait":
		time.Sleep(20 * time.Second)
		return 0
	}
	return playUnix(role, args)
}

// child is a command that plays a role, and where its output goes.
func child(t *testing.T, role string, args ...string) (Command, *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	env := []string{roleVariable + "=" + role, "PLAIN=1", "SECRET=not this"}
	for _, name := range []string{"SYSTEMROOT", "GOCOVERDIR", "TMPDIR"} {
		if v := os.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return Command{Argv: append([]string{self}, args...), Env: entries(env...), Stdout: &out, Stderr: &out}, &out
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestExitCodes(t *testing.T) {
	for _, code := range []int{0, 3, 125, 255} {
		c, out := child(t, "exit", strconv.Itoa(code))
		got, err := Run(context.Background(), c)
		if err != nil || got != (Result{Code: code}) {
			t.Errorf("got %+v, %v, want code %d; output %q", got, err, code, out)
		}
	}
}

func TestChildSeesEnvironment(t *testing.T) {
	c, out := child(t, "env", "argument")
	c.Dir = t.TempDir()
	c.Secrets = values("SECRET", "the value\nof it", "OTHER", "=")
	got, err := Run(context.Background(), c)
	if err != nil || got.Code != 0 {
		t.Fatalf("got %+v, %v", got, err)
	}
	dir, err := filepath.EvalSymlinks(c.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"SECRET=the value\nof it"`, `"OTHER=="`, `"PLAIN=1"`, strconv.Quote(dir)} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is missing in %s", want, out)
		}
	}
	if strings.Contains(out.String(), "not this") {
		t.Errorf("the plain variable stayed: %s", out)
	}
	_, args, _ := strings.Cut(out.String(), "] [")
	if strings.Contains(args, "the value") || !strings.Contains(args, "argument") {
		t.Errorf("arguments: %s", args)
	}
}

func TestStdinReachesChild(t *testing.T) {
	for _, mask := range []bool{false, true} {
		c, out := child(t, "copy")
		c.Stdin, c.Mask = strings.NewReader("typed"), mask
		if got, err := Run(context.Background(), c); err != nil || got.Code != 0 || out.String() != "typed" {
			t.Errorf("got %+v, %v, %q", got, err, out)
		}
	}
}

func TestNotStarted(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("PATH", dir)
	type failure struct {
		argv []string
		dir  string
		code int
	}
	cases := []failure{
		{nil, "", 125},
		{[]string{""}, "", 125},
		{[]string{"no-such-program"}, "", 127},
		{[]string{filepath.Join(dir, "none")}, "", 127},
		{[]string{"./none"}, dir, 127},
		{[]string{os.Args[0]}, filepath.Join(dir, "none"), 125},
		{[]string{os.Args[0]}, write("plain", "x", 0o600), 125},
	}
	if runtime.GOOS != "windows" {
		cases = append(cases,
			failure{[]string{dir}, "", 126},
			failure{[]string{write("data", "x", 0o600)}, "", 126},
			failure{[]string{"data"}, "", 126},
			failure{[]string{"./data"}, dir, 126},
			failure{[]string{write("format", "no program", 0o700)}, "", 126},
			failure{[]string{write("interpreter", "#!/no/such/interpreter\n", 0o700)}, "", 126},
			failure{[]string{os.Args[0], strings.Repeat("x", 4<<20)}, "", 126},
		)
	}
	for _, c := range cases {
		for _, mask := range []bool{false, true} {
			cmd := Command{Argv: c.argv, Dir: c.dir, Mask: mask, Stdout: io.Discard, Secrets: values("SECRET", "hidden value"),
				Started: func(Process) error { t.Errorf("%.60q: started", c.argv); return nil }}
			_, err := Run(context.Background(), cmd)
			var e *Error
			if !errors.As(err, &e) || e.Code != c.code || strings.Contains(err.Error(), "hidden") || len(err.Error()) > 300 {
				t.Errorf("%.60q in %q: error %v, want code %d", c.argv, c.dir, err, c.code)
			} else if !mask {
				t.Log(err)
			}
		}
	}
}

func TestRefusedBeforeStart(t *testing.T) {
	done, cancel := context.WithCancel(context.Background())
	cancel()
	for what, set := range map[string]func(*Command){
		"NUL in a value":       func(c *Command) { c.Secrets = values("NAME", "hidden\x00") },
		"name with =":          func(c *Command) { c.Secrets = values("A=B", "hidden") },
		"file with a slash":    func(c *Command) { c.Files = values("../NAME", "hidden") },
		"file without a name":  func(c *Command) { c.Files = values("", "hidden") },
		"file's name is taken": func(c *Command) { c.Files, c.Secrets = values("NAME", "hidden"), values("NAME_FILE", "hidden") },
		"too long to mask": func(c *Command) {
			c.Secrets, c.Mask = map[string]secret.Value{"NAME": secret.New(make([]byte, MaxMask+1))}, true
		},
	} {
		c, _ := child(t, "exit", "0")
		set(&c)
		_, err := Run(context.Background(), c)
		var e *Error
		if !errors.As(err, &e) || e.Code != CodeOwn || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v", what, err)
		}
	}
	c, _ := child(t, "exit", "0")
	if _, err := Run(done, c); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that is done: %v", err)
	}
}

func TestStarted(t *testing.T) {
	c, out := child(t, "exit", "0")
	var p Process
	c.Started = func(started Process) error { p = started; return nil }
	before := time.Now()
	if _, err := Run(context.Background(), c); err != nil || p.PID <= 0 || out.Len() > 0 {
		t.Fatalf("got %+v, %v", p, err)
	}
	if runtime.GOOS != "linux" {
		return
	}
	self, err := Inspect(os.Getpid())
	if err != nil || p.Boot != self.Boot || len(p.Boot) != 36 || p.Start < self.Start || !strings.HasPrefix(filepath.Base(os.Args[0]), self.Name) || self.Name == "" {
		t.Errorf("child %+v, test %+v, %v", p, self, err)
	}
	uptime, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Fatal(err)
	}
	up, _ := strconv.ParseFloat(strings.Fields(string(uptime))[0], 64)
	if age := up - float64(p.Start)/100; age < 0 || age > time.Since(before).Seconds()+0.1 {
		t.Errorf("the child started %v s ago", age)
	}
}

func TestStartedFails(t *testing.T) {
	c, _ := child(t, "wait")
	fails := errors.New("the log is full")
	c.Started, c.Grace = func(Process) error { return fails }, 100*time.Millisecond
	start := time.Now()
	got, err := Run(context.Background(), c)
	var e *Error
	if !errors.As(err, &e) || e.Code != CodeOwn || !errors.Is(err, fails) || got.Code == 0 || time.Since(start) > 10*time.Second {
		t.Errorf("got %+v, %v", got, err)
	}
}

// Many secrets, so that some stand where one read ends and the next begins.
func TestMaskedOutput(t *testing.T) {
	const value, many = "s3cr3t/val:ue+x?", 3000
	c, out := child(t, "say", "SECRET", "PLAIN", "ENCODED", "SHORT")
	var errs bytes.Buffer
	c.Stderr = &errs
	c.Mask, c.Secrets = true, values("SECRET", value, "SHORT", "1")
	c.Env = append(c.Env, entries("PLAIN="+strings.Repeat("<"+value+">", many), "ENCODED="+base64.StdEncoding.EncodeToString([]byte(value)))...)
	if got, err := Run(context.Background(), c); err != nil || got.Code != 0 {
		t.Fatalf("got %+v, %v", got, err)
	}
	if want := "***" + strings.Repeat("<***>", many) + "***1"; out.String() != want || errs.String() != "***" {
		t.Errorf("got %d bytes, want %d; %q on standard error", out.Len(), len(want), &errs)
	}
}

// slow is a writer that takes its time, as a pager does.
type slow struct{ n int }

func (s *slow) Write(p []byte) (int, error) {
	if s.n == 0 {
		time.Sleep(linger + 500*time.Millisecond)
	}
	s.n += len(p)
	return len(p), nil
}

// However long our reader takes, nothing of what the child wrote is lost.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	c, _ := child(t, "say", "PLAIN")
	var w slow
	c.Stdout = &w
	c.Env = append(c.Env, entries("PLAIN="+strings.Repeat("x", 50<<10))...)
	if got, err := Run(context.Background(), c); err != nil || got.Code != 0 || w.n != 50<<10 {
		t.Errorf("got %+v, %v; %d bytes", got, err, w.n)
	}
}

// A reader that goes away stops the child, as it would without keywright.
func TestBrokenReader(t *testing.T) {
	for _, mask := range []bool{false, true} {
		c, _ := child(t, "flood")
		c.Stdout, c.Mask = broken{}, mask
		got, err := Run(context.Background(), c)
		if got.Code == 0 || !errors.Is(err, errBroken) {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}

// A grandchild that keeps the output open does not keep Run waiting.
func TestGrandchildKeepsOutput(t *testing.T) {
	t.Parallel()
	c, out := child(t, "leave")
	c.Mask = true
	start := time.Now()
	got, err := Run(context.Background(), c)
	if took := time.Since(start); err != nil || got.Code != 0 || took > 10*time.Second {
		t.Errorf("got %+v, %v after %v", got, err, took)
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(out.String())); err != nil {
		t.Errorf("output %q", out)
	} else if p, err := os.FindProcess(pid); err == nil {
		p.Kill()
	}
}

func TestNothingIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 5 {
		c, _ := child(t, "exit", "0")
		c.Mask = true
		if _, err := Run(context.Background(), c); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; runtime.NumGoroutine() > before+1 && i < 100; i++ { // os/signal keeps one
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before+1 {
		t.Errorf("%d goroutines before, %d after", before, n)
	}
}

func BenchmarkRun(b *testing.B) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	for name, c := range map[string]Command{
		"plain": {}, "mask": {Mask: true, Stdout: io.Discard}, "files": {Files: values("A", "value", "B", "value")},
	} {
		c.Argv, c.Env = []string{"/bin/true"}, nil
		if runtime.GOOS == "windows" {
			c.Argv, c.Env = []string{self, "0"}, entries(roleVariable+"=exit")
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Run(context.Background(), c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// entries are variables as a Command has them.
func entries(plain ...string) (values []secret.Value) {
	for _, entry := range plain {
		values = append(values, secret.New([]byte(entry)))
	}
	return values
}
