package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// The file that an enrolled authenticator keeps its secret in.
const authenticatorFile = ".home/authenticator"

// enrol enrols an authenticator, as a person at a terminal would.
func enrol(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: enrol")
	}
	outside, inside := terminal(ts)
	defer outside.Close()
	c := exec.Command("keywright", "totp", "enrol")
	path, err := lookIn(ts.Getenv("PATH"), "keywright")
	ts.Check(err)
	c.Path, c.Err, c.Dir = path, nil, ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "KEYWRIGHT_HOME", "KEYWRIGHT_KEYSTORE", "KEYWRIGHT_IDENTITY_FILE"} {
		c.Env = append(c.Env, name+"="+ts.Getenv(name))
	}
	c.Stdin, c.Stdout, c.Stderr = inside, inside, inside
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	ts.Check(c.Start())
	inside.Close()

	var screen bytes.Buffer
	expect := func(pattern string) []string {
		want := regexp.MustCompile(pattern)
		for piece := make([]byte, 4096); ; {
			if found := want.FindStringSubmatch(screen.String()); found != nil {
				return found
			}
			n, err := outside.Read(piece)
			screen.Write(piece[:n])
			if err != nil {
				ts.Fatalf("the terminal shows no %s: %v\n%s", pattern, err, screen.String())
			}
		}
	}
	found := expect(`type into it: ([A-Z2-7]+)\r`)
	expect("The code that it shows: ")
	code, err := totp.GenerateCode(found[1], time.Now())
	ts.Check(err)
	fmt.Fprintln(outside, code)
	codes := expect(`not shown again:((?:\s+[A-Z2-7]{4}(?:-[A-Z2-7]{4}){3}){10})\r`)
	ts.Check(c.Wait())
	ts.Check(os.WriteFile(ts.MkAbs(authenticatorFile), []byte(found[1]), 0o600))
	for i, recovery := range strings.Fields(codes[1]) {
		ts.Setenv("RECOVERY"+strconv.Itoa(i), recovery)
	}
}

// code writes what is typed at a terminal where the authenticator's code is asked for:
// lines, and the code, of so many periods from now.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code PERIODS FILE [LINE...]")
	}
	periods, err := strconv.Atoi(args[0])
	ts.Check(err)
	text, err := totp.GenerateCode(ts.ReadFile(authenticatorFile), time.Now().Add(time.Duration(periods)*30*time.Second))
	ts.Check(err)
	typed := strings.Join(append(args[2:], text), "\n") + "\n"
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(typed), 0o600))
}

// lookIn finds a program in a list of directories.
func lookIn(list, program string) (string, error) {
	for _, dir := range filepath.SplitList(list) {
		path := filepath.Join(dir, program)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", exec.ErrNotFound
}

// terminal makes a terminal: the end that shows it, and the one for programs.
func terminal(ts *testscript.TestScript) (outside, inside *os.File) {
	outside, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	ts.Check(err)
	ts.Check(unix.IoctlSetPointerInt(int(outside.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(outside.Fd()), unix.TIOCGPTN)
	ts.Check(err)
	inside, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	ts.Check(err)
	return outside, inside
}
