package gitrepo

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var configTexts = []string{
	"",
	"[core]\n\tbare = false\n",
	"[core] bare = true\n[core]x\n",
	"\ufeff[a]\r\n\tb = c\r\n",
	"[a \"b\\\"c\\\\d e\"]x\n\ty=1 ; c\n z = \"a # b\" c\\\n  d # e\n",
	"[a.B]\n\tk-1=\xff\xfe\n[A \"B\"]\nK = v\n",
	"[url \"git@x:\"]\n\tinsteadOf = https://x/\n\tq = a\\\\b\\tc\\nd\n p =\n q2 = \"\"\n",
	"[alias]\n\tx = \"!f() { echo \\\"$1\\\"; }; f\"\n; comment\n# another\n",
	"[a]\n\tb = 1\n\tb = 2\n\tB = 3\n",
	"[a]\n\tb = 1   \t \n c = two   words  \n",
	"[a]b=1\n[a \"x\"]\n[b]\nc",
}

func TestConfigAgainstGit(t *testing.T) {
	g := newTestRepo(t)
	file := filepath.Join(g.dir, "test.config")
	for _, text := range configTexts {
		writeFile(t, file, text)
		want := lines(strings.TrimSuffix(g.git("config", "-z", "-f", file, "--list"), "\x00"))
		want = strings.Split(strings.Join(want, "\n"), "\x00")
		c := gitConfig{}
		if err := c.parse([]byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		var got []string
		for key, values := range c {
			for _, v := range values {
				got = append(got, key+"\n"+v)
			}
		}
		if text == "" {
			want = nil
		}
		for i, w := range want {
			if !strings.Contains(w, "\n") {
				want[i] = w + "\ntrue"
			}
		}
		sameSet(t, fmt.Sprintf("%q", text), got, want)
	}
}

func TestConfigErrors(t *testing.T) {
	for _, text := range []string{"[a", "[]", "[a \"b]\n", "[a \"b\" ]\n", "x = 1\n", "[a]\nb = \"c\n", "[a]\nb = \\x\n", "[a]\n1=2\n", "[a]\nb c\n", "[a b]\n"} {
		if err := (gitConfig{}).parse([]byte(text)); err == nil {
			t.Errorf("no error for %q", text)
		}
	}
}

func TestConfigBoolean(t *testing.T) {
	c := gitConfig{}
	if err := c.parse([]byte("[b]\nt1=yes\nt2=On\nt3=1\nt4\nt5=TRUE\nf1=no\nf2=off\nf3=0\nf4=\nbad=maybe\n")); err != nil {
		t.Fatal(err)
	}
	for key := range c {
		want := strings.HasPrefix(key, "b.t")
		if got := c.boolean(key, false); got != want {
			t.Errorf("%s: %v", key, got)
		}
	}
	if !c.boolean("b.bad", true) || !c.boolean("b.absent", true) {
		t.Error("the default is not used")
	}
}

func TestConfigIncludes(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "main"), "[include]\npath = more\n[includeIf \"gitdir:**/work/**\"]\npath = work\n[includeIf \"gitdir:/nowhere/\"]\npath = nowhere\n[a]\nb = 1\n")
	writeFile(t, filepath.Join(dir, "more"), "[include]\npath = main\n[a]\nc = 2\n")
	writeFile(t, filepath.Join(dir, "work"), "[a]\nd = 3\n")
	writeFile(t, filepath.Join(dir, "nowhere"), "[a]\ne = 4\n")
	c := gitConfig{}
	if err := c.readWithIncludes(filepath.Join(dir, "main"), "/home/x/work/y/.git", 0); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(c["a.c"], "2") || !slices.Contains(c["a.d"], "3") || c["a.e"] != nil {
		t.Errorf("got %v", c)
	}
}

func TestUserConfigFiles(t *testing.T) {
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	t.Setenv("GIT_CONFIG_GLOBAL", "/x/config")
	if got := userConfigFiles(); !slices.Equal(got, []string{"/x/config"}) {
		t.Errorf("got %v", got)
	}
	os.Unsetenv("GIT_CONFIG_GLOBAL")
	t.Setenv("XDG_CONFIG_HOME", "/x")
	if got := userConfigFiles(); len(got) == 0 || got[0] != filepath.Join("/x", "git", "config") {
		t.Errorf("got %v", got)
	}
}

func FuzzConfig(f *testing.F) {
	for _, text := range configTexts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_ = gitConfig{}.parse(data)
	})
}
