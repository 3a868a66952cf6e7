package config_test

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/keywright/keywright/config"
)

const projectText = `[project]
environments = ["dev", "prod"]

[[project.key]]
name = "BINANCE"
environments = ["prod"]
variables = { id = "BINANCE_KEY", secret = "BINANCE_SECRET" }
max_age = "90d"
owner = "trading"

[[project.key]]
name = "DB"
`

func TestParseProject(t *testing.T) {
	c, err := config.Parse("f", []byte(projectText))
	if err != nil {
		t.Fatal(err)
	}
	want := &config.Project{Environments: []string{"dev", "prod"}, Keys: []config.ProjectKey{
		{Name: "BINANCE", Environments: []string{"prod"}, Variables: map[string]string{"id": "BINANCE_KEY", "secret": "BINANCE_SECRET"}, MaxAge: 90, Owner: "trading"},
		{Name: "DB", Environments: []string{"dev", "prod"}},
	}}
	if !reflect.DeepEqual(c.Project, want) {
		t.Errorf("got %+v", c.Project)
	}
	if c, err := config.Parse("f", []byte("[scan]\n")); err != nil || c.Project != nil {
		t.Errorf("no project is %+v, %v", c.Project, err)
	}
}

// What is a user's to say is refused wherever it stands, and its place is named.
func TestParseProjectRefuses(t *testing.T) {
	const head = "[project]\nenvironments = [\"dev\"]\n"
	for in, want := range map[string]string{
		head + "command = \"x\"\n":                                      `f:3:1: "project.command" is not for a repository to say`,
		head + "[[project.key]]\nname=\"A\"\nconsumers = [\"x\"]\n":     `"project.key.consumers" is not for a repository to say`,
		head + "[project.admin]\nkey = \"x\"\n":                         "is not for a repository to say",
		"[provider.aws]\nendpoint = \"x\"\n":                            "is not for a repository to say",
		"[Consumers]\nx = 1\n":                                          "is not for a repository to say",
		"[[hooks]]\nx = 1\n":                                            "is not for a repository to say",
		head + "x = 1\n":                                                `unknown key "project.x"`,
		head + "[[project.key]]\n":                                      "number 1 has no name",
		head + "[[project.key]]\nname = 1\n":                            "f:4:8",
		head + "[[project.key]]\nname=\"A\"\nmax_age=\"0d\"\n":          "f:5:9: max_age is a number of days",
		head + "[[project.key]]\nname=\"A\"\nmax_age=\"9999999d\"\n":    "max_age is a number of days",
		head + "[[project.key]]\nname=\"A\"\nowner=\"" + long + "\"\n":  "owner has more than 200 bytes",
		head + "[[project.key]]\nname=\"A\"\nenvironments=[\"prod\"]\n": `"prod" is none of the project's environments`,
		"[project]\nenvironments=[\"dev\",\"dev\"]\n":                   `[project]: the environment "dev" stands there twice`,
		"[project]\nenvironments=[\"dev\"]\n[[project.key]]\nname=\"A\"\nenvironments=[\"dev\",\"dev\"]\n": `number 1: the environment "dev" stands there twice`,
		"[project]\n[[project.key]]\nname=\"A\"\n":                                                         "[project] has no environments",
	} {
		c, err := config.Parse("f", []byte(in))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v, want %s", in, c, err, want)
		}
	}
}

var long = strings.Repeat("x", 201)

func TestFind(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"a/.git", "a/b/c", "a/sub/.git", "a/d/e"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{config.FileName, "a/" + config.FileName, "a/d/" + config.FileName} {
		if err := os.WriteFile(filepath.Join(root, file), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for dir, want := range map[string]string{
		".": config.FileName, "a": "a/" + config.FileName, "a/b/c": "a/" + config.FileName,
		"a/d/e": "a/d/" + config.FileName, "a/sub": "", // the root of a repository ends the search
	} {
		if want != "" {
			want = filepath.Join(root, filepath.FromSlash(want))
		}
		if got, err := config.Find(filepath.Join(root, dir)); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", dir, got, err, want)
		}
	}
	if _, err := config.Find(filepath.Join(root, "none")); err == nil {
		t.Error("a directory that is not there has a project")
	}
}

func TestLoadWithContent(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, config.FileName)
	if err := os.WriteFile(path, []byte(projectText), 0o644); err != nil {
		t.Fatal(err)
	}
	c, data, err := config.LoadWithContent(path)
	if err != nil || string(data) != projectText || c.Project == nil {
		t.Errorf("%+v, %q, %v", c, data, err)
	}
	if _, _, err := config.LoadWithContent(dir); err == nil {
		t.Error("a directory was read")
	}
	if err := os.WriteFile(path, []byte(strings.Repeat("#", 1<<20+1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := config.LoadWithContent(path); err == nil || !strings.Contains(err.Error(), "1 MiB") {
		t.Errorf("a large file: %v", err)
	}
}

func TestTrust(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	trust := config.OpenTrust(dir)
	has := func(path, content string, want bool) {
		t.Helper()
		if got, err := config.OpenTrust(dir).Has(path, []byte(content)); err != nil || got != want {
			t.Errorf("%s, %s: %v, %v", path, content, got, err)
		}
	}
	has("/a", "1", false)
	if err := trust.Add(context.Background(), "/a", []byte("1")); err != nil {
		t.Fatal(err)
	}
	has("/a", "1", true)
	has("/a", "2", false)
	has("/b", "1", false)
	if err := trust.Add(context.Background(), "/a", []byte("2")); err != nil {
		t.Fatal(err)
	}
	has("/a", "1", false) // the yes was to one content, and is to another now
	has("/a", "2", true)

	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if err := trust.Add(context.Background(), "/p"+string(rune('0'+i)), []byte("x")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for i := range 8 {
		has("/p"+string(rune('0'+i)), "x", true)
	}
	has("/a", "2", true)
}

// What is damaged, or others could have written, is not believed: an error, never a yes.
func TestTrustDamaged(t *testing.T) {
	dir := t.TempDir()
	trust := config.OpenTrust(dir)
	if err := trust.Add(context.Background(), "/a", []byte("1")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "trusted.json")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) - 1 { // without the last line break it is whole
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := trust.Has("/a", []byte("1")); got || err == nil {
			t.Fatalf("cut off at %d: %v, %v", n, got, err)
		}
		if err := trust.Add(context.Background(), "/b", []byte("1")); err == nil {
			t.Fatalf("cut off at %d: added to", n)
		}
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := os.Chmod(path, 0o620); err != nil {
		t.Fatal(err)
	}
	if got, err := trust.Has("/a", []byte("1")); got || err == nil {
		t.Errorf("what others may write: %v, %v", got, err)
	}
}
