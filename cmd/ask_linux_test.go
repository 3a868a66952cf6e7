package cmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"
	"golang.org/x/sys/unix"
)

// typist is who sits at a terminal.
type typist struct {
	t    *testing.T
	ours *os.File // what is typed and shown
	tty  *os.File
	seen chan string // all that is shown, chunk by chunk
	text string      // of it, what was not looked for yet
	all  string      // since the last verb began
}

// newTypist opens a pseudo-terminal (pts(4)).
func newTypist(t *testing.T) *typist {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	y := &typist{t: t, ours: ours, tty: tty, seen: make(chan string, 100)}
	go func() {
		defer close(y.seen)
		b := make([]byte, 1<<12)
		for {
			n, err := ours.Read(b)
			if err != nil {
				return
			}
			y.seen <- string(b[:n])
		}
	}()
	t.Cleanup(func() { tty.Close(); ours.Close() })
	return y
}

// start runs a verb at the terminal.
func (y *typist) start(args ...string) *exec.Cmd {
	y.t.Helper()
	return y.startKilled(0, args...)
}

// startKilled is start; the verb is killed at a write.
func (y *typist) startKilled(at int, args ...string) *exec.Cmd {
	y.t.Helper()
	y.text, y.all = "", ""
	cmd := process(y.t.Name(), at, change{verb: verb{args: args}})
	cmd.Stdin, cmd.Stdout, cmd.Stderr = y.tty, y.tty, y.tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		y.t.Fatal(err)
	}
	return cmd
}

// until waits until something is shown, and returns what was shown since it waited last.
func (y *typist) until(text string) (shown string) {
	y.t.Helper()
	limit := time.After(time.Minute)
	for !strings.Contains(y.text, text) {
		select {
		case more := <-y.seen:
			y.text += more
			y.all += more
		case <-limit:
			y.t.Fatalf("%q was not shown: %q", text, y.text)
		}
	}
	shown, y.text = y.text, ""
	return shown
}

func (y *typist) types(text string) {
	y.t.Helper()
	if _, err := y.ours.WriteString(text); err != nil {
		y.t.Fatal(err)
	}
}

// ended waits for the end of a verb, and returns its exit code.
func (y *typist) ended(cmd *exec.Cmd) int {
	y.t.Helper()
	killer := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer killer.Stop()
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		y.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode()
}

// left reports whether the terminal echoes, as it did before, and holds lines that the
// shell would read next.
func (y *typist) left() (echoes, lines bool) {
	y.t.Helper()
	state, err := unix.IoctlGetTermios(int(y.tty.Fd()), unix.TCGETS)
	if err != nil {
		y.t.Fatal(err)
	}
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(y.tty.Fd()), Events: unix.POLLIN}}, 0)
	if err != nil {
		y.t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0, n > 0
}

// TestPrompts sits at a terminal: an interrupt ends every question, and what is pasted
// behind a value's first line comes neither into the keys nor to the shell.
func TestPrompts(t *testing.T) {
	if text := os.Getenv(verbVariable); text != "" {
		var args []string
		if err := json.Unmarshal([]byte(text), &args); err != nil {
			t.Fatal(err)
		}
		os.Args = append(os.Args[:1], args...)
		os.Exit(Main())
	}
	dir := t.TempDir()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "identity"), []byte(id.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(envHome, filepath.Join(dir, "keys"))
	t.Setenv(envKeystore, "agefile")
	t.Setenv(envIdentity, filepath.Join(dir, "identity"))
	y := newTypist(t)

	for _, name := range []string{"dev/A", "prod/A", "live/A"} {
		set := y.start("set", name)
		y.until(name + ": ")
		y.types("one line\n")
		if code := y.ended(set); code != 0 {
			t.Fatalf("set: exit %d", code)
		}
	}
	for _, env := range []string{"prod", "live"} {
		if code := y.ended(y.start("edit", env, "--protected")); code != 0 {
			t.Fatalf("protect %s: exit %d", env, code)
		}
	}
	pypi := y.start("set", "dev/PYPI", "--provider", "pypi")
	y.until("dev/PYPI: ")
	y.types("one line\n")
	if code := y.ended(pypi); code != 0 {
		t.Fatalf("set: exit %d", code)
	}
	for _, c := range []struct {
		args           []string
		prompt, typed  string
		code           int
		shown, missing string
	}{
		{[]string{"set", "dev/B"}, "dev/B: ", "half a val\x03", 130, "interrupted", "half"},
		{[]string{"rm", "dev/A"}, "[y/N] ", "y\x03", 130, "interrupted", "removed"},
		{[]string{"rotate", "prod/A"}, "Reason (empty: no): ", "friday\x03", 130, "interrupted", "no such key"},
		{[]string{"rotate", "prod/A"}, "Reason (empty: no): ", strings.Repeat("because ", 400) + "\n", 2, "hint: make it shorter", "no such key"},
		{[]string{"rotate", "dev/PYPI"}, "New value: ", "half a val\x03", 130, "hint: keywright rotate resume ", "half"},
		{[]string{"set", "dev/B"}, "dev/B: ", "first line\nsecond line\nthird line\n", 2, "<FILE", "second"},
	} {
		cmd := y.start(c.args...)
		y.until(c.prompt)
		y.types(c.typed)
		code := y.ended(cmd)
		y.until(c.shown)
		if echoes, lines := y.left(); code != c.code || !echoes || lines || strings.Contains(y.all, c.missing) {
			t.Errorf("%q, %q: exit %d, the terminal echoes: %v, holds lines: %v, shows %q", c.args, c.typed, code, echoes, lines, y.all)
		}
	}
	// What is pasted is longer than the lines that a terminal edits, and what is typed is
	// corrected as there.
	long := strings.Repeat("long ", 2000)
	for typed, want := range map[string]string{
		long + "\n":                             long,
		"wrong\x15right\n":                      "right",
		"rightä\x7f\x7f\x08ht\n":                "right",
		"right\x04":                             "right",
		"right wrong  \x17\x7f\x7f\x7f\x17\x04": "",
		"\x04":                                  "",
	} {
		set := y.start("set", "dev/A")
		y.until("dev/A: ")
		y.types(typed)
		y.until(map[bool]string{false: "stored", true: "is empty"}[want == ""])
		if code := y.ended(set); (code == 0) != (want != "") {
			t.Errorf("%.20q: exit %d", typed, code)
		}
		if echoes, _ := y.left(); !echoes {
			t.Errorf("%.20q: the terminal does not echo", typed)
		}
		if want == "" {
			continue
		}
		get := process(t.Name(), 0, change{verb: verb{args: []string{"get", "dev/A"}}})
		if got, err := get.Output(); err != nil || string(got) != want {
			t.Errorf("%.20q: got %.20q of %d bytes, %v", typed, got, len(got), err)
		}
	}
	// Of two environments the second is not asked about, then.
	edit := y.start("edit", "live/A", "--admin", "prod/A")
	y.until("Reason (empty: no): ")
	y.types("friday\x03")
	if shown := y.until("interrupted"); y.ended(edit) != 130 || strings.Contains(shown, "prod is protected") {
		t.Errorf("edit shows %q", shown)
	}
	ls := y.start("ls")
	if code := y.ended(ls); code != 0 {
		t.Errorf("ls: exit %d", code)
	}
	y.until("dev/A")
	if strings.Contains(y.all, "dev/B") {
		t.Errorf("stored all the same: %q", y.all)
	}
}
