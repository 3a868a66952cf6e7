package consumer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/rotate"
	"github.com/keywright/keywright/rotate/consumer/consumertest"
	"github.com/keywright/keywright/secret"
)

// asProgram makes the test binary one of the programs that tests start.
const asProgram = "as-program"

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == asProgram {
		os.Exit(programs(os.Args[2], os.Args[3:]))
	}
	os.Exit(m.Run())
}

func programs(name string, args []string) int {
	switch name {
	case "store": // keeps its input in a file
		data, err := io.ReadAll(os.Stdin)
		fmt.Println(string(data))
		fmt.Fprintln(os.Stderr, string(data))
		if err != nil || os.WriteFile(args[0], data, 0o600) != nil {
			return 1
		}
	case "spill": // says where and as what it runs
		dir, _ := os.Getwd()
		text := strings.Join(os.Environ(), "\n") + "\n" + strings.Join(os.Args, "\n") + "\nDIR=" + dir
		if os.WriteFile(args[0], []byte(text), 0o600) != nil {
			return 1
		}
	case "fail": // after it has read its input
		data, _ := io.ReadAll(os.Stdin)
		fmt.Fprintln(os.Stderr, string(data))
		return 3
	case "deaf": // reads nothing
	case "sleep":
		time.Sleep(time.Minute)
	case "count": // succeeds at a number
		want, _ := strconv.Atoi(args[1])
		f, err := os.OpenFile(args[0], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return 1
		}
		fmt.Fprint(f, "x")
		f.Close()
		data, _ := os.ReadFile(args[0])
		if len(data) < want {
			return 1
		}
	}
	return 0
}

// commandLine is one that starts a program of the tests.
func commandLine(t *testing.T, args ...string) string {
	t.Helper()
	me, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	line := `"` + me + `" ` + asProgram
	for _, a := range args {
		line += ` "` + a + `"`
	}
	return strings.ReplaceAll(line, ",", ",,")
}

var patient = limits{command: time.Minute, attempt: time.Minute, ready: time.Minute, pause: 10 * time.Millisecond}

func opensWith(t *testing.T, l limits, spec string) rotate.Consumer {
	t.Helper()
	c, err := World{}.open(spec, l)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// storing is a command that keeps its input in a file.
func storing(t *testing.T, path string) string {
	t.Helper()
	if tee, err := exec.LookPath("tee"); err == nil { // it starts faster than a test binary
		return tee + " " + path
	}
	return commandLine(t, "store", path)
}

func TestCommands(t *testing.T) {
	for name, option := range map[string]string{"all parts": "", "one part": ",part=secret"} {
		t.Run(name, func(t *testing.T) {
			consumertest.Run(t, []string{"id", "secret"}, func(t *testing.T, held map[string]string) consumertest.Place {
				path := filepath.Join(t.TempDir(), "stored")
				return consumertest.Place{
					Consumer: opensWith(t, patient, "command:"+storing(t, path)+option),
					Got: func(t *testing.T) map[string]string {
						data := []byte(read(t, path))
						if option != "" {
							return map[string]string{"secret": string(data)}
						}
						got := map[string]string{}
						if err := json.Unmarshal(data, &got); err != nil {
							t.Fatal(err)
						}
						return got
					},
					Stamp: func(t *testing.T) string {
						data, _ := os.ReadFile(path)
						return string(data)
					},
				}
			})
		})
	}
}

// One part is handed over as its bytes, whatever it is called.
func TestCommandOnePart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stored")
	c := opensWith(t, patient, "command:"+commandLine(t, "store", path))
	want := "a\x00\xff\r\n"
	if err := c.Deliver(t.Context(), nil, map[string]secret.Value{"value": secret.New([]byte(want))}); err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); got != want {
		t.Errorf("got %q", got)
	}
}

// The secret is in no argument and no variable, and keywright's own variables are not
// there.
func TestCommandSurroundings(t *testing.T) {
	t.Setenv("KEYWRIGHT_PASSPHRASE_FILE", "/none")
	t.Setenv("CONSUMER_TEST", "there")
	dir := t.TempDir()
	path := filepath.Join(dir, "spilled")
	if err := opensWith(t, patient, "command:"+commandLine(t, "spill", path, "a b")).Deliver(t.Context(), nil, pair("marked-id", "marked-secret")); err != nil {
		t.Fatal(err)
	}
	got := read(t, path)
	me, _ := os.Executable()
	for text, want := range map[string]bool{"marked": false, "KEYWRIGHT_": false, "CONSUMER_TEST=there\n": true, "\na b\n": true, "\nDIR=" + filepath.Dir(me): true} {
		if strings.Contains(got, text) != want {
			t.Errorf("%q there: %v", text, !want)
		}
	}
	// What a file's consumer starts runs beside the file.
	file := filepath.Join(dir, "file")
	write(t, file, "A=1\n")
	c := opensWith(t, patient, "env:"+file+",value=A,reload="+commandLine(t, "spill", path))
	if err := c.(rotate.Reloader).Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if real, err := filepath.EvalSymlinks(dir); err != nil || !strings.Contains(read(t, path), "\nDIR="+dir) && !strings.Contains(read(t, path), "\nDIR="+real) {
		t.Errorf("it ran elsewhere: %v", err)
	}
}

func TestCommandTroubles(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	quick := patient
	quick.command = 50 * time.Millisecond
	for _, c := range []struct {
		name, line string
		limits     limits
		want       string
		is         error
		untouched  bool
	}{
		{"fails", commandLine(t, "fail"), patient, "exit status 3", nil, false},
		{"does not end", commandLine(t, "sleep"), quick, "did not end in time", ErrStopped, false},
		{"is not there", none, patient, "deliver to " + none, os.ErrNotExist, true},
	} {
		err := opensWith(t, c.limits, "command:"+c.line).Deliver(t.Context(), nil, pair("marked-id", "marked-secret"))
		var ours *Error
		if !errors.As(err, &ours) || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "marked") {
			t.Errorf("%s: %v", c.name, err)
		}
		if said := errors.As(err, new(*rotate.Untouched)); said != c.untouched {
			t.Errorf("%s: it says that nothing has changed: %v", c.name, said)
		}
	}
	// What is large and is not read is an affair of the program's.
	large := pair("marked-id", strings.Repeat("marked", 1<<20))
	if err := opensWith(t, patient, "command:"+commandLine(t, "deaf")).Deliver(t.Context(), nil, large); err != nil {
		t.Errorf("deaf: %v", err)
	}
}

// A program that is being waited for is stopped with the context.
func TestCommandInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if err := opensWith(t, patient, "command:"+commandLine(t, "sleep")).Deliver(ctx, nil, pair("a", "b")); !errors.Is(err, context.Canceled) || errors.As(err, new(*rotate.Untouched)) {
		t.Error(err)
	}
}

func TestReload(t *testing.T) {
	dir := t.TempDir()
	reloaded, asked := filepath.Join(dir, "reloaded"), filepath.Join(dir, "asked")
	spec := func(options ...string) string {
		return "env:" + filepath.Join(dir, "file") + ",value=A" + strings.Join(append([]string{""}, options...), ",")
	}
	if _, ok := opensWith(t, patient, spec()).(rotate.Reloader); ok {
		t.Error("it has nothing to do")
	}
	reload, ready := "reload="+commandLine(t, "count", reloaded, "1"), "ready="+commandLine(t, "count", asked, "3")
	if err := opensWith(t, patient, spec(reload, ready)).(rotate.Reloader).Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a, b := read(t, reloaded), read(t, asked); a != "x" || b != "xxx" {
		t.Errorf("reloaded %d times, asked %d times", len(a), len(b))
	}
	// The file is what the consumer delivers to all the same.
	write(t, filepath.Join(dir, "file"), "A=1\n")
	if held, err := opensWith(t, patient, spec(ready)).Holds(t.Context()); err != nil || !bytes.Equal(held["value"].Reveal(), []byte("1")) {
		t.Errorf("it holds %v, %v", held, err)
	}

	never := patient
	never.ready = 50 * time.Millisecond
	slow := never
	slow.attempt = 20 * time.Millisecond
	for _, c := range []struct {
		name   string
		limits limits
		spec   string
		is     error
		want   string
	}{
		{"fails", patient, spec("reload="+commandLine(t, "fail"), ready), nil, "exit status 3"},
		{"is not there", patient, spec("reload=" + filepath.Join(dir, "none")), os.ErrNotExist, "reload with"},
		{"never", never, spec("ready=" + commandLine(t, "fail")), ErrNotReady, "exit status 3"},
		{"hangs", slow, spec("ready=" + commandLine(t, "sleep")), ErrNotReady, "wait for"},
		{"cannot be asked", patient, spec("ready=" + filepath.Join(dir, "none")), os.ErrNotExist, "wait for"},
	} {
		before := len(read(t, asked))
		err := opensWith(t, c.limits, c.spec).(rotate.Reloader).Reload(t.Context())
		var ours *Error
		if !errors.As(err, &ours) || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if after := len(read(t, asked)); after != before {
			t.Errorf("%s: it was asked whether it is ready", c.name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if err := opensWith(t, patient, spec("ready="+commandLine(t, "fail"))).(rotate.Reloader).Reload(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestWords(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
		rest string
	}{
		{"a", []string{"a"}, ""},
		{"  a  b ", []string{"a", "b"}, "  b "},
		{`"a b" c`, []string{"a b", "c"}, " c"},
		{`a --x="b c"'d e' ''`, []string{"a", "--x=b cd e", ""}, ` --x="b c"'d e' ''`},
		{`C:\a\b.exe "it's"`, []string{`C:\a\b.exe`, "it's"}, ` "it's"`},
		{"", nil, ""}, {"  ", nil, ""}, {`"" a`, nil, ""}, {`a "b`, nil, ""}, {"a '", nil, ""},
	} {
		got, rest, err := words(c.in)
		if !slices.Equal(got, c.want) || rest != c.rest || (err == nil) != (c.want != nil) {
			t.Errorf("%q: %q, %q, %v", c.in, got, rest, err)
		}
	}
}
