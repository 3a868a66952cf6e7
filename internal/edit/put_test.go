package edit

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/keywright/keywright/secret"
)

func value(s string) map[string]secret.Value {
	return map[string]secret.Value{"A": secret.New([]byte(s))}
}

// What is written is as it was before, where the value lets it be.
func TestPutStyle(t *testing.T) {
	for _, c := range []struct{ format, in, value, want string }{
		{FormatDotenv, "# x\nA=old # why\nB=1\n", "n3w/+=-", "# x\nA=n3w/+=- # why\nB=1\n"},
		{FormatDotenv, "export A='old' # why\r\n", "new", "export A='new' # why\r\n"},
		{FormatDotenv, "A=\"old\"", "new", "A=\"new\""},
		{FormatDotenv, "A=old\n", "p&ss word", "A='p&ss word'\n"},
		{FormatDotenv, "A=\"old\"\n", "p&ss word", "A=\"p&ss word\"\n"},
		{FormatDotenv, "A=\"old\"\n", "a$b", "A='a$b'\n"},
		{FormatDotenv, "A='old'\n", "it's", "A=\"it's\"\n"},
		{FormatDotenv, "A='one\ntwo'\nB=1", "x\ny\\", "A=\"x\\ny\\\\\"\nB=1"},
		{FormatDotenv, "A=\nB=1", "x", "A=x\nB=1"},
		{FormatDotenv, "A=old\n", "a\r\nb", "A=\"a\\r\\nb\"\n"},
		{FormatDotenv, "A=old\n", "\xff", "A='\xff'\n"},
		{FormatJSON, "{ // x\n\t\"A\" : \"old\" ,\n}", "a\"<\\é", "{ // x\n\t\"A\" : \"a\\\"<\\\\é\" ,\n}"},
		{FormatJSON, `{"A":12}`, "34", `{"A":34}`},
		{FormatJSON, `{"A":12}`, "034", `{"A":"034"}`},
		{FormatJSON, `{"A":12}`, "3e4", `{"A":"3e4"}`},
		{FormatJSON, `{"A":"12"}`, "34", `{"A":"34"}`},
		{FormatYAML, "A: old # why\nb: 1\n", "new", "A: new # why\nb: 1\n"},
		{FormatYAML, "A: old # why\n", "12", "A: \"12\" # why\n"},
		{FormatYAML, "A: 12\n", "34", "A: 34\n"},
		{FormatYAML, "A: old\n", "Yes", "A: \"Yes\"\n"},
		{FormatYAML, "A: old\n", "a: b #", "A: \"a: b #\"\n"},
		{FormatYAML, "A: 'old'\n", "it's", "A: 'it''s'\n"},
		{FormatYAML, "A: 'old'\n", "a\tb\u0085\U0001F511\U000E0001", "A: \"a\\u0009b\\u0085\U0001F511\\U000e0001\"\n"},
		{FormatYAML, "A: \"old\"\n", "a\\\"\nb", "A: \"a\\\\\\\"\\nb\"\n"},
		{FormatYAML, "A: |  # why\n  one\n\n  two\nb: c\n", "1\n2\n", "A: \"1\\n2\\n\"  # why\nb: c\n"},
	} {
		f, err := Read(c.format, []byte(c.in))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := f.Put(value(c.value)); err != nil || string(got) != c.want {
			t.Errorf("%s: %.100q into %.100q: got %.100q, %v, want %.100q", c.format, c.value, c.in, got, err, c.want)
		}
	}
}

func TestPutRefuses(t *testing.T) {
	for _, c := range []struct{ format, in, value string }{
		{FormatDotenv, "A=1", "hunter\x00"}, {FormatJSON, `{"A":"1"}`, "hunter\x00"}, {FormatJSON, `{"A":"1"}`, "hunter\xff"}, {FormatYAML, "A: 1", "hunter\xff"},
	} {
		f, err := Read(c.format, []byte(c.in))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := f.Put(value(c.value)); got != nil || !errors.Is(err, ErrNoRoom) || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: %.100q: %.100q, %v", c.format, c.value, got, err)
		}
	}
}

func TestFind(t *testing.T) {
	f, err := Read(FormatDotenv, []byte("A=1\nB=2\nB=3\nC=$A\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]error{"A": nil, "B": ErrNotTaken, "C": ErrNotTaken, "D": ErrAbsent, "": ErrAbsent} {
		if v, err := f.Find(name); !errors.Is(err, want) || err == nil && v.Name != name {
			t.Errorf("%s: %.100q, %v", name, v.Name, err)
		}
	}
}

// odd are values that quoting gets wrong easily.
var odd = []string{"x", " x ", "#", "a #b", "'", `"`, `'"`, `\`, `\\`, `a\`, `\n`, "$HOME", "${x}", "`id`", "$(id)", "a=b", "é鍵🔑", "a\nb", "a\n", "\r\n", "\t",
	"true", "NULL", "~", "1e5", "0x1f", "007", "123456789012345678901", ".5", "2020-01-01", "1:30", "- a", "? a", "{a", "&a", "*a", "!a", "%a", "@a", "|", ">", "a: b", "[", "-", "=", "<<", "%41", "&amp;<>", "\u2028", "\ufeff", "\x7f", "\u0085", "\xff",
	"-----BEGIN X-----\nabc+/=\n-----END X-----\n", strings.Repeat("a\\\"'$", 1000)}

// Whatever a value is, others than our own readers read it as it is.
func TestPutAwkward(t *testing.T) {
	sh, _ := exec.LookPath("sh")
	for _, c := range []struct {
		format string
		in     []string
		read   func(t *testing.T, data []byte) string
	}{
		{FormatDotenv, []string{"A=old\nB=1\n", "A='old'\nB=1\n", "A=\"old\"\nB=1\n"}, func(t *testing.T, data []byte) string {
			path := filepath.Join(t.TempDir(), "env")
			write(t, path, string(data), 0o600)
			out, err := exec.Command(sh, "-c", `. "$1"; printf %s "$A"`, "sh", path).Output()
			if err != nil {
				t.Fatal(err)
			}
			return string(out)
		}},
		{FormatJSON, []string{`{"A":"old","B":1}`, `{"A":12}`}, func(t *testing.T, data []byte) string {
			var v struct{ A json.RawMessage }
			var s string
			if err := json.Unmarshal(data, &v); err != nil {
				t.Fatalf("%.100q: %v", data, err)
			}
			if json.Unmarshal(v.A, &s) != nil {
				s = string(v.A)
			}
			return s
		}},
		{FormatYAML, []string{"A: old\nB: 1\n", "A: 12\n", "A: 'old'\nB: 1\n", "A: \"old\"\nB: 1\n", "A: |\n  old\nB: 1\n", "{A: old, B: 1}\n"}, func(t *testing.T, data []byte) string {
			var v struct {
				A any `yaml:"A"`
			}
			if err := yaml.Unmarshal(data, &v); err != nil {
				t.Fatalf("%.100q: %v", data, err)
			}
			s, ok := v.A.(string)
			if !ok {
				t.Errorf("%.100q holds a %T", data, v.A)
			}
			return s
		}},
	} {
		for _, in := range c.in {
			f, err := Read(c.format, []byte(in))
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range odd {
				out, err := f.Put(value(want))
				if errors.Is(err, ErrNoRoom) && want == "\xff" && c.format != FormatDotenv {
					continue
				}
				if err != nil {
					t.Errorf("%s: %.100q into %.100q: %v", c.format, want, in, err)
					continue
				}
				if c.format == FormatDotenv && (sh == "" || strings.ContainsAny(want, "\r\n")) {
					continue // a shell knows no escapes for line breaks
				}
				if got := c.read(t, out); got != want {
					t.Errorf("%s: %.100q became %.100q, which is read as %.100q", c.format, want, out, got)
				}
			}
		}
	}
}

// fuzzPut checks that what is written is read as it is meant to be, and that nothing
// beside the value changed.
func fuzzPut(f *testing.F, format string, seeds ...string) {
	for i, s := range seeds {
		for j := range 3 {
			f.Add([]byte(s), []byte(odd[(7*i+13*j)%len(odd)]))
		}
	}
	f.Fuzz(func(t *testing.T, data, value []byte) {
		file, err := Read(format, data)
		if err != nil {
			return
		}
		for _, v := range file.Variables {
			out, err := file.Put(map[string]secret.Value{v.Name: secret.New(value)})
			if err != nil {
				if out != nil || !errors.Is(err, ErrNoRoom) && !errors.Is(err, ErrMeaning) {
					t.Errorf("%v, %.100q", err, out)
				}
				continue
			}
			again, err := Read(format, out)
			if err != nil {
				t.Fatalf("%.100q became %.100q: %v", data, out, err)
			}
			got, err := again.Find(v.Name)
			if _, before := file.Find(v.Name); before == nil && (err != nil || string(got.Value.Reveal()) != string(value)) {
				t.Fatalf("%.100q became %.100q: %v, not %.100q", data, out, err, value)
			}
			start, end := v.place.whole()
			if !bytes.HasPrefix(out, data[:start]) || !bytes.HasSuffix(out, data[end:]) {
				t.Fatalf("%.100q became %.100q", data, out)
			}
		}
	})
}

func FuzzPutDotenv(f *testing.F) {
	fuzzPut(f, FormatDotenv, "A=1\nB='2\n3' # x\n", "export C=\"x\\n$Y\"", "\xEF\xBB\xBFA= b\r\n", "A=#\nA=x#y\n")
}

func FuzzPutJSON(f *testing.F) {
	fuzzPut(f, FormatJSON, `{"a": {"b": "c\n"}, "l": [1, "2", true, null]}`, "// x\n[\"a\",]", "{\"a\":\"1\",\"a\":\"\\ud800\"}", "\xEF\xBB\xBF1")
}

func FuzzPutYAML(f *testing.F) {
	fuzzPut(f, FormatYAML, "a: b # c\nd:\n- 'e'\n- {f: g}\n", "k: |\n  a\n\n  b\nl: >-\n  c\n", "a: &x y\nb: *x\n<<: {c: !!str d}\n", "a: \"\\\"\"\r\nb: 1\n---\nc: d\n", "- - a\n  - |+ # x\n   b\n\n")
}
