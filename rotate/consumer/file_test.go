package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/keywright/keywright/internal/durable"
	"github.com/keywright/keywright/internal/edit"
	"github.com/keywright/keywright/rotate"
	"github.com/keywright/keywright/rotate/consumer/consumertest"
	"github.com/keywright/keywright/secret"
)

const freqtrade = `{
    // the bot
    "stake_currency": "USDT", "dry_run": false,
    "exchange": {"name": "binance", "key": %s, "secret": %s, "pair_whitelist": ["A/B"],},
    "telegram": {"token": "t", "chat_id": "1"}
}
`

// form is a file of a kind, for a key with the parts id and secret.
type form struct {
	name, kind string
	fields     string // options of the spec
	text       func(id, secret string) string
	read       func(t *testing.T, data []byte) map[string]string // another reader than ours, if there is one
}

func quoteJSON(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func forms() []form {
	ours := func(format, id, secret string) func(t *testing.T, data []byte) map[string]string {
		return func(t *testing.T, data []byte) map[string]string {
			f, err := edit.Read(format, data)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for part, name := range map[string]string{"id": id, "secret": secret} {
				if name == "" {
					continue
				}
				v, err := f.Find(name)
				if err != nil {
					t.Fatal(err)
				}
				got[part] = string(v.Value.Reveal())
			}
			return got
		}
	}
	return []form{
		{"env", "env", "id=BINANCE_KEY,secret=BINANCE_SECRET", func(id, secret string) string {
			return "# the bot\nexport BINANCE_KEY=" + id + " # why\r\n\nBINANCE_SECRET='" + secret + "'\nPORT=1"
		}, ours(edit.FormatDotenv, "BINANCE_KEY", "BINANCE_SECRET")},
		{"one part", "env", "secret=BINANCE_SECRET", func(_, secret string) string {
			return "BINANCE_SECRET=\"" + secret + "\"\n"
		}, ours(edit.FormatDotenv, "", "BINANCE_SECRET")},
		{"json", "json", "id=exchange.key,secret=exchange.secret", func(id, secret string) string {
			return fmt.Sprintf("{\"exchange\":\n\t{\"key\": %s, \"secret\": %s}}", quoteJSON(id), quoteJSON(secret))
		}, func(t *testing.T, data []byte) map[string]string {
			var v struct{ Exchange struct{ Key, Secret string } }
			if err := json.Unmarshal(data, &v); err != nil {
				t.Fatal(err)
			}
			return map[string]string{"id": v.Exchange.Key, "secret": v.Exchange.Secret}
		}},
		{"freqtrade", "json", "id=exchange.key,secret=exchange.secret", func(id, secret string) string {
			return fmt.Sprintf(freqtrade, quoteJSON(id), quoteJSON(secret))
		}, ours(edit.FormatJSON, "exchange.key", "exchange.secret")},
		{"yaml", "yaml", "id=exchange.key,secret=exchange.list.1", func(id, secret string) string {
			return "# the bot\nexchange:\n  key: '" + id + "'  # why\n  list: [a, " + secret + "]\nother: 1\n"
		}, func(t *testing.T, data []byte) map[string]string {
			var v struct {
				Exchange struct {
					Key  string
					List []string
				}
			}
			if err := yaml.Unmarshal(data, &v); err != nil {
				t.Fatal(err)
			}
			return map[string]string{"id": v.Exchange.Key, "secret": v.Exchange.List[1]}
		}},
	}
}

func (f form) spec(path string) string {
	return f.kind + ":" + strings.ReplaceAll(path, ",", ",,") + "," + f.fields
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func opens(t *testing.T, disk durable.Disk, spec string) rotate.Consumer {
	t.Helper()
	c, err := World{Disk: disk}.Open(spec)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func pair(id, value string) map[string]secret.Value {
	return map[string]secret.Value{"id": secret.New([]byte(id)), "secret": secret.New([]byte(value))}
}

func TestFiles(t *testing.T) {
	for _, f := range forms() {
		t.Run(f.name, func(t *testing.T) {
			consumertest.Run(t, []string{"id", "secret"}, func(t *testing.T, held map[string]string) consumertest.Place {
				path := filepath.Join(t.TempDir(), "a, b")
				write(t, path, f.text(held["id"], held["secret"]))
				c, err := World{}.Open(f.spec(path))
				if err != nil {
					t.Fatal(err)
				}
				return consumertest.Place{
					Consumer: c,
					Got:      func(t *testing.T) map[string]string { return f.read(t, []byte(read(t, path))) },
					Put: func(t *testing.T, part, value string) {
						now := f.read(t, []byte(read(t, path)))
						now[part] = value
						write(t, path, f.text(now["id"], now["secret"]))
					},
					Stamp: func(t *testing.T) string {
						info, err := os.Stat(path)
						if err != nil {
							t.Fatal(err)
						}
						entries, err := os.ReadDir(filepath.Dir(path))
						if err != nil {
							t.Fatal(err)
						}
						return fmt.Sprint(info.ModTime().UnixNano(), info.Size(), entries)
					},
				}
			})
		})
	}
}

// All but the values stays as it is, to the byte, and so do mode and owner.
func TestFileKeepsTheRest(t *testing.T) {
	for _, f := range forms() {
		path := filepath.Join(t.TempDir(), "file")
		write(t, path, f.text("old-id", "old-secret"))
		if err := os.Chmod(path, 0o640); err != nil {
			t.Fatal(err)
		}
		if os.Geteuid() == 0 && runtime.GOOS != "windows" {
			if err := os.Chown(path, 1234, 2345); err != nil {
				t.Fatal(err)
			}
		}
		before, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := opens(t, durable.Disk{}, f.spec(path)).Deliver(t.Context(), pair("old-id", "old-secret"), pair("new-id", "n3w/secret+")); err != nil {
			t.Fatal(err)
		}
		if got, want := read(t, path), f.text("new-id", "n3w/secret+"); got != want {
			t.Errorf("%s: got %q, want %q", f.name, got, want)
		}
		after, err := os.Stat(path)
		if err != nil || after.Mode() != before.Mode() || !sameOwner(before, after) {
			t.Errorf("%s: %v became %v, %v", f.name, before, after, err)
		}
	}
}

// Each trouble with a file is an error that says what it is, and shows no value.
func TestFileTroubles(t *testing.T) {
	const old, next, readOnly = "marked-old", "marked-new", "a directory that may not be changed"
	var syntax *edit.SyntaxError
	matches := func(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
	for _, c := range []struct {
		name, kind, text string
		trouble          func(t *testing.T, path string)
		is               func(error) bool
		text2            string // that the error has
	}{
		{"gone", "env", "", func(t *testing.T, path string) { os.Remove(path) }, matches(fs.ErrNotExist), ""},
		{"a directory", "env", "", func(t *testing.T, path string) { os.Remove(path); os.Mkdir(path, 0o700) }, matches(edit.ErrSpecial), ""},
		{"lost", "env", "ID=marked-old\n", nil, matches(edit.ErrAbsent), "SECRET: it is not there"},
		{"commented out", "env", "#ID=marked-old\nSECRET=marked-old\n", nil, matches(edit.ErrAbsent), "ID: "},
		{"twice", "env", "ID=marked-old\nSECRET=marked-old\nSECRET=marked-old\n", nil, matches(edit.ErrNotTaken), "SECRET: line 3"},
		{"expanded", "env", "ID=marked-old\nSECRET=${marked-old}\n", nil, matches(edit.ErrNotTaken), "SECRET: line 2"},
		{"empty", "env", "ID=marked-old\nSECRET=\n", nil, matches(rotate.ErrDrift), "SECRET: "},
		{"other", "env", "ID=marked-old\nSECRET=marked-other\n", nil, matches(rotate.ErrDrift), "SECRET: "},
		{"a reference", "env", "ID=marked-old\nSECRET=\"keywright://prod/X#secret\"\n", nil, matches(rotate.ErrDrift), ""},
		{"lost", "json", `{"ID": "marked-old", "SECRET2": "marked-old"}`, nil, matches(edit.ErrAbsent), "SECRET: "},
		{"moved", "json", `{"ID": "marked-old", "SECRET": {"a": "marked-old"}}`, nil, matches(edit.ErrAbsent), "SECRET: "},
		{"no text", "json", `{"ID": "marked-old", "SECRET": true}`, nil, matches(edit.ErrNotTaken), "SECRET: "},
		{"twice", "json", `{"ID": "marked-old", "SECRET": "marked-old", "SECRET": "marked-old"}`, nil, matches(edit.ErrNotTaken), "SECRET: "},
		{"not JSON", "json", `{"ID": "marked-old", "SECRET": marked-old}`, nil, func(err error) bool { return errors.As(err, &syntax) }, "it is not JSON"},
		{"not YAML", "yaml", "ID: *marked-old\nSECRET: marked-old\n", nil, func(err error) bool { return errors.As(err, &syntax) }, "it is not YAML"},
		{"an anchor", "yaml", "ID: &a marked-old\nSECRET: *a\n", nil, matches(edit.ErrNotTaken), "ID: "},
		{"elsewhere", "yaml", "ID: marked-old\n---\nSECRET: marked-old\n", nil, matches(edit.ErrAbsent), "SECRET: "},
		{"a link", "env", "ID=marked-old\nSECRET=marked-old\n", func(t *testing.T, path string) { os.Rename(path, path+".2"); os.Symlink(path+".2", path) }, matches(edit.ErrLink), ""},
		{"a second name", "env", "ID=marked-old\nSECRET=marked-old\n", func(t *testing.T, path string) { os.Link(path, path+".2") }, matches(edit.ErrNames), ""},
		{"unreadable", "env", "ID=marked-old\nSECRET=marked-old\n", func(t *testing.T, path string) { os.Chmod(path, 0) }, matches(fs.ErrPermission), ""},
		{readOnly, "env", "ID=marked-old\nSECRET=marked-old\n", func(t *testing.T, path string) { os.Chmod(filepath.Dir(path), 0o500) }, matches(fs.ErrPermission), ""},
	} {
		t.Run(c.kind+" "+c.name, func(t *testing.T) {
			permissions := c.name == "unreadable" || c.name == readOnly
			switch {
			case runtime.GOOS == "windows" && (permissions || c.name == "a link" || c.name == "a second name"):
				t.Skip("not there")
			case os.Geteuid() == 0 && permissions:
				t.Skip("root may do everything")
			}
			dir := t.TempDir()
			t.Cleanup(func() { os.Chmod(dir, 0o700) })
			path := filepath.Join(dir, "file")
			write(t, path, c.text)
			if c.trouble != nil {
				c.trouble(t, path)
			}
			before, _ := os.ReadFile(path)
			consumer := opens(t, durable.Disk{}, c.kind+":"+path+",id=ID,secret=SECRET")
			err := consumer.Deliver(t.Context(), pair(old, old), pair(next, next))
			var ours *Error
			if !errors.As(err, new(*rotate.Untouched)) || !errors.As(err, &ours) || !c.is(err) || !strings.Contains(err.Error(), c.text2) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v", err)
			}
			_, held := consumer.Holds(t.Context())
			for _, err := range []error{err, held} {
				if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "marked") {
					t.Errorf("it shows a value: %v", err)
				}
			}
			if errors.Is(err, rotate.ErrDrift) == (held != nil) && c.name != readOnly {
				t.Errorf("it holds: %v", held)
			}
			if after, _ := os.ReadFile(path); string(after) != string(before) {
				t.Errorf("%q became %q", before, after)
			}
		})
	}
}

// meanwhile does something when a new version of the file is begun.
type meanwhile struct {
	durable.Machine
	do func()
}

func (m meanwhile) CreateTemp(dir, pattern string) (durable.Handle, error) {
	m.do()
	return m.Machine.CreateTemp(dir, pattern)
}

// What somebody else writes meanwhile is not lost.
func TestFileChangedMeanwhile(t *testing.T) {
	for _, others := range []string{"ID=a\nSECRET=b\nMORE=c\n", "ID=a\nSECRET=x\n", "ID=a\n"} {
		path := filepath.Join(t.TempDir(), "file")
		write(t, path, "ID=a\nSECRET=b\n")
		c := opens(t, durable.On(meanwhile{do: func() { write(t, path, others) }}), "env:"+path+",id=ID,secret=SECRET")
		if err := c.Deliver(t.Context(), pair("a", "b"), pair("c", "d")); !errors.Is(err, edit.ErrChanged) || !errors.As(err, new(*rotate.Untouched)) {
			t.Error(err)
		}
		if got := read(t, path); got != others {
			t.Errorf("got %q, want %q", got, others)
		}
	}
}

// renames does something before a new version takes its place.
type renames struct {
	durable.Machine
	do func()
}

func (r renames) Rename(from, to string) error {
	r.do()
	return r.Machine.Rename(from, to)
}

// TestFileTwoAtOnce: of two deliveries to one file, of different keys, each is there in the
// end, and neither takes what the other has begun for left over.
func TestFileTwoAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "A=a\nB=b\n")
	one := func(v string) map[string]secret.Value { return map[string]secret.Value{"value": secret.New([]byte(v))} }
	lock := func(ctx context.Context) (func() error, error) {
		return durable.Lock(ctx, filepath.Join(filepath.Dir(path), "lock"))
	}
	open := func(disk durable.Disk, name string) rotate.Consumer {
		c, err := World{Disk: disk, Lock: lock}.Open("env:" + path + ",value=" + name)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	second := make(chan error, 1)
	first := open(durable.On(renames{do: func() {
		go func() { second <- open(durable.Disk{}, "B").Deliver(t.Context(), one("b"), one("bb")) }()
		select {
		case err := <-second: // it was not kept out
			second <- err
		case <-time.After(300 * time.Millisecond):
		}
	}}), "A")
	if err := errors.Join(first.Deliver(t.Context(), one("a"), one("aa")), <-second); err != nil {
		t.Error(err)
	}
	if got := read(t, path); got != "A=aa\nB=bb\n" {
		t.Errorf("got %q", got)
	}
}

// TestFileLocked: what cannot be locked is not changed.
func TestFileLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "A=a\nB=b\n")
	busy := errors.New("somebody has it")
	c, err := World{Lock: func(context.Context) (func() error, error) { return nil, busy }}.Open("env:" + path + ",id=A,secret=B")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Deliver(t.Context(), pair("a", "b"), pair("c", "d")); !errors.Is(err, busy) || !errors.As(err, new(*rotate.Untouched)) {
		t.Error(err)
	}
	if got := read(t, path); got != "A=a\nB=b\n" {
		t.Errorf("got %q", got)
	}
}

// closed is a directory in which nothing can be made.
type closed struct{ durable.Machine }

func (closed) CreateTemp(dir, pattern string) (durable.Handle, error) {
	return nil, &fs.PathError{Op: "open", Path: filepath.Join(dir, pattern), Err: fs.ErrPermission}
}

// TestCheck: what a delivery would fail for is known beforehand, and looking leaves nothing.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	write(t, path, "A=a\n")
	here, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	gone := filepath.Join(dir, "gone")
	for _, c := range []struct {
		disk durable.System
		spec string
		want error
	}{
		{durable.Machine{}, "env:" + path + ",value=A", nil},
		{durable.Machine{}, "env:" + path + ",value=A,reload=" + here + ",ready=" + here, nil},
		{durable.Machine{}, "command:" + here, nil},
		{closed{}, "env:" + path + ",value=A", fs.ErrPermission},
		{closed{}, "env:" + path + ",value=A,reload=" + here, fs.ErrPermission},
		{durable.Machine{}, "env:" + path + ",value=B", edit.ErrAbsent},
		{durable.Machine{}, "env:" + path + ",value=A,reload=" + gone, ErrNotStarted},
		{durable.Machine{}, "env:" + path + ",value=A,ready=" + gone, ErrNotStarted},
		{durable.Machine{}, "command:" + gone, ErrNotStarted},
		{durable.Machine{}, "command:" + path, ErrNotStarted},
	} {
		err := opens(t, durable.On(c.disk), c.spec).(rotate.Checker).Check(t.Context())
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) || err != nil && !errors.As(err, new(*Error)) {
			t.Errorf("%s: %v", c.spec, err)
		}
	}
	only(t, path)
}
