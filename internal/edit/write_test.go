package edit

import (
	"encoding/base64"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/keywright/keywright/secret"
)

// awkward are values that a format may get wrong.
var awkward = map[string]string{
	"PLAIN": "simple", "SPACES": "  a b ", "QUOTES": `it's "so"`, "DOLLAR": "a$B ${C} $(id) `id`", "BACK": `\n\\ \" \`,
	"LINES": "one\ntwo\n\nfour", "HASH": "a #b", "EQUALS": "=a=b=", "UTF8": "schlüssel 鍵", "BANG": "a!b%c", "TAB": "a\tb",
}

func values(m map[string]string) map[string]secret.Value {
	out := map[string]secret.Value{}
	for n, v := range m {
		out[n] = secret.New([]byte(v))
	}
	return out
}

func TestWriteDotenv(t *testing.T) {
	out, err := Write("dotenv", values(awkward))
	if err != nil {
		t.Fatal(err)
	}
	vars, problems := Dotenv(out)
	if len(problems) > 0 || len(vars) != len(awkward) {
		t.Fatalf("%d variables, %v", len(vars), problems)
	}
	for _, v := range vars {
		if got := string(v.Value.Reveal()); got != awkward[v.Name] {
			t.Errorf("%s: got %q, want %q", v.Name, got, awkward[v.Name])
		}
	}
}

// Loaders differ in what they make of a backslash in double quotes, and a shell that reads
// the file runs what stands in backquotes there: single quotes where they can hold a value.
func TestWriteDotenvForShells(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh")
	}
	for name, want := range awkward {
		if strings.ContainsAny(want, "'\n") {
			continue
		}
		script, err := Write("dotenv", values(map[string]string{name: want}))
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(sh, "-c", string(script)+"printf %s \"$"+name+"\"").Output()
		if err != nil || string(out) != want {
			t.Errorf("%s: %q: got %q, %v, want %q", name, script, out, err, want)
		}
	}
}

func TestWriteShell(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh")
	}
	for name, want := range awkward {
		script, err := Write("shell", values(map[string]string{name: want}))
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(sh, "-c", string(script)+"printf %s \"$"+name+"\"").Output()
		if err != nil || string(out) != want {
			t.Errorf("%s: got %q, %v, want %q", name, out, err, want)
		}
	}
}

func TestWriteOthers(t *testing.T) {
	out, err := Write("json", values(awkward))
	if err != nil {
		t.Fatal(err)
	}
	var back map[string]string
	if err := json.Unmarshal(out, &back); err != nil || len(back) != len(awkward) || back["LINES"] != awkward["LINES"] {
		t.Errorf("JSON: %v, %v", back, err)
	}
	out, err = Write("github", values(map[string]string{"A": "one\ntwo"}))
	lines := strings.Split(string(out), "\n")
	if err != nil || len(lines) != 5 || lines[0] != "A<<"+lines[3] || lines[1] != "one" || lines[2] != "two" {
		t.Errorf("GitHub: %q, %v", out, err)
	}
	out, err = Write("kubernetes", values(map[string]string{"A": "\x00\xff"}))
	if want := "\ndata:\n  \"A\": \"" + base64.StdEncoding.EncodeToString([]byte("\x00\xff")) + "\"\n"; err != nil || !strings.HasSuffix(string(out), want) {
		t.Errorf("Kubernetes: %q, %v", out, err)
	}
	number, err := base64.StdEncoding.DecodeString("1234")
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]string{"NULL": string(number), "Y": "yes", "ON": "on"} // that mean something else in YAML
	if out, err = Write("kubernetes", values(words)); err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Data map[any]any `yaml:"data"`
	}
	if err := yaml.Unmarshal(out, &manifest); err != nil {
		t.Fatal(err)
	}
	for name, value := range words {
		if manifest.Data[name] != base64.StdEncoding.EncodeToString([]byte(value)) {
			t.Errorf("Kubernetes: %s in %v", name, manifest.Data)
		}
	}
	if out, err = Write("docker", values(map[string]string{"A": `x "y"`, "B": "z"})); err != nil || string(out) != "A=x \"y\"\nB=z\n" {
		t.Errorf("docker: %q, %v", out, err)
	}
	for format, value := range map[string]string{"docker": "a\nb", "json": "\xff", "dotenv": "a\x00", "shell": "\x00", "github": "\x00", "yaml": "a"} {
		if out, err := Write(format, values(map[string]string{"NAME": value})); err == nil || out != nil || strings.Contains(err.Error(), value) && format != "yaml" {
			t.Errorf("%s took %q: %q, %v", format, value, out, err)
		}
	}
}
