package gitrepo

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

func TestWildmatch(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		pathname      bool
		want          bool
	}{
		{"foo", "foo", true, true},
		{"f?o", "foo", true, true},
		{"f?o", "f/o", true, false},
		{"f?o", "f/o", false, true},
		{"*", "a/b", true, false},
		{"*", "a/b", false, true},
		{"**", "a/b", true, true},
		{"**/b", "b", true, true},
		{"**/b", "x/y/b", true, true},
		{"**/b", "xb", true, false},
		{"a/**", "a/b/c", true, true},
		{"a/**", "a", true, false},
		{"a/**/b", "a/b", true, true},
		{"a/**/b", "a/x/y/b", true, true},
		{"a**b", "a/b", true, false},
		{"a**b", "axxb", true, true},
		{"[a-c]x", "bx", true, true},
		{"[!a-c]x", "bx", true, false},
		{"[^a-c]x", "dx", true, true},
		{"[]]", "]", true, true},
		{"[a-]", "-", true, true},
		{`[\]]`, "]", true, true},
		{"[[:digit:]]", "7", true, true},
		{"[[:nope:]]", "n", true, false},
		{"[a", "a", true, false},
		{"[!a]", "/", true, false},
		{`\*`, "*", true, true},
		{`\*`, "x", true, false},
		{`x\`, `x\`, true, false},
		{"*.c", "foo.c", true, true},
		{"*/*.c", "a/foo.c", true, true},
		{"", "", true, true},
		{"*a*a*a*a*a*a*a*a*a*a*a*b", strings.Repeat("a", 200), true, false},
	} {
		if got := wildmatch(c.pattern, c.text, c.pathname, false); got != c.want {
			t.Errorf("wildmatch(%q, %q, %v) = %v", c.pattern, c.text, c.pathname, got)
		}
	}
	if !wildmatch("F[A-Z]o", "fOO", true, true) || wildmatch("F", "f", true, false) {
		t.Error("case is not folded as asked")
	}
}

func FuzzWildmatch(f *testing.F) {
	f.Add("a/**/b[!x-z]*\\?", "a/c/b/d")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		wildmatch(pattern, text, true, false)
		wildmatch(pattern, text, false, true)
	})
}

// listed is what git lists and what exists.
func (g *testRepo) listed(dir string) []string {
	g.t.Helper()
	var want []string
	out := strings.Split(strings.TrimSuffix(g.gitIn(dir, "ls-files", "-z", "-co", "--exclude-standard"), "\x00"), "\x00")
	for _, name := range out {
		info, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(name)))
		if name == "" || err != nil || info.IsDir() || throughLink(dir, name) {
			continue
		}
		want = append(want, name)
	}
	return want
}

// throughLink reports whether a parent of a name is a symbolic link.
func throughLink(dir, name string) bool {
	for p := path.Dir(name); p != "."; p = path.Dir(p) {
		if info, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(p))); err == nil && info.Mode()&os.ModeSymlink != 0 {
			return true
		}
	}
	return false
}

func workPaths(t testing.TB, dir string) ([]string, *WorkFiles) {
	t.Helper()
	w, err := mustOpen(t, dir).WorkFiles(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range w.Files {
		got = append(got, f.Path)
	}
	return got, w
}

var ignoreLines = []string{
	"a", "/a", "a/", "/a/", "b/", "!b", "!a/b", "*.x", "!*.x", "a/*", "!a/p.x", "a/**", "**/c", "**/c/p", "c/**/q",
	"/*", "!/b", "?", "[ab]", "[!ab]", "p*", "*", "!*/", "# comment", "", "\\#p", "\\!p", "p ", "q\\ ", "a/b/", "!a/b/", "a//", "/", "!", "d.x/", "a**", "**", "**/", "x\r",
	"/a/b/p", "b/p.x", "c/d", "*/p", "[a-c]/q", "A", "P.X",
}

var ignoreNames = []string{"a", "b", "c", "d", "p", "q", "p.x", "q.x", "d.x", "#p", "!p", "q ", "x"}

func TestWorkFilesAgainstGit(t *testing.T) {
	for seed := range uint64(25) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			g := newTestRepo(t)
			r := testRand(seed)
			ignore := func(file string) {
				var text strings.Builder
				for range 1 + r.IntN(5) {
					text.WriteString(ignoreLines[r.IntN(len(ignoreLines))] + "\n")
				}
				g.write(file, text.String())
			}
			randomPath := func() string {
				var parts []string
				for range 1 + r.IntN(4) {
					parts = append(parts, ignoreNames[r.IntN(len(ignoreNames))])
				}
				return strings.Join(parts, "/")
			}
			for range 60 {
				p := filepath.Join(g.dir, filepath.FromSlash(randomPath()))
				if os.MkdirAll(filepath.Dir(p), 0o755) == nil {
					_ = os.WriteFile(p, nil, 0o644) // a directory may be there already
				}
			}
			for range 8 { // some are tracked, ignored or not
				_ = g.command(g.dir, nil, "add", "-f", "--", randomPath()).Run()
			}
			ignore(".gitignore")
			for _, dir := range []string{"a", "b", "a/b", "c"} {
				if info, err := os.Lstat(filepath.Join(g.dir, dir)); err == nil && info.IsDir() && r.IntN(2) == 0 {
					ignore(dir + "/.gitignore")
				}
			}
			if r.IntN(2) == 0 {
				ignore(".git/info/exclude")
			}
			if r.IntN(2) == 0 {
				ignore(".git/global")
				g.git("config", "core.excludesFile", filepath.Join(g.dir, ".git/global"))
			}
			if r.IntN(4) == 0 {
				g.git("config", "core.ignoreCase", "true")
			}
			got, _ := workPaths(t, g.dir)
			sameSet(t, "listing", got, g.listed(g.dir))
			if t.Failed() {
				t.Log(g.git("-c", "core.quotePath=false", "status", "--short", "--ignored"))
				for _, f := range lines(g.git("ls-files", "-co")) {
					if strings.HasSuffix(f, ".gitignore") {
						data, _ := os.ReadFile(filepath.Join(g.dir, f))
						t.Logf("%s: %q", f, data)
					}
				}
			}
		})
	}
}

func TestWorkFilesSpecial(t *testing.T) {
	g := newTestRepo(t)
	g.commit("kept", "1", "gone", "2", "dir/file", "3", "link/inside", "4", "now-a-dir", "5", "with\nnewline \xff", "6")
	sub := newTestRepo(t)
	sub.commit("s", "1")
	g.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", sub.dir, "sub")
	g.git("init", "-q", filepath.Join(g.dir, "nested"))
	g.write("nested/x", "1")
	g.write("empty/.git/HEAD", "nothing", "empty/x", "1")
	for _, p := range []string{"gone", "link", "now-a-dir"} {
		if err := os.RemoveAll(filepath.Join(g.dir, p)); err != nil {
			t.Fatal(err)
		}
	}
	g.write("now-a-dir/new", "7")
	if err := os.Symlink("dir", filepath.Join(g.dir, "link")); err != nil {
		t.Skip(err)
	}
	got, w := workPaths(t, g.dir)
	sameSet(t, "listing", got, []string{"kept", "dir/file", "link", "now-a-dir/new", "with\nnewline \xff", ".gitmodules", "empty/x"})
	sameSet(t, "git", g.listed(g.dir), got)
	if w.Submodules != 1 || w.Nested != 1 {
		t.Errorf("%d submodules, %d nested repositories", w.Submodules, w.Nested)
	}
	for _, f := range w.Files {
		if (f.Type&os.ModeSymlink != 0) != (f.Path == "link") {
			t.Errorf("%s has type %v", f.Path, f.Type)
		}
		if tracked := f.Tracked != nil; tracked == (f.Path == "link" || f.Path == "now-a-dir/new" || f.Path == "empty/x") {
			t.Errorf("%s: tracked %v", f.Path, tracked)
		}
	}
}

func TestUnchanged(t *testing.T) {
	g := newTestRepo(t)
	g.commit("a", "one", "b", "two")
	old := filepath.Join(g.dir, "a")
	info, err := os.Stat(old)
	if err != nil {
		t.Fatal(err)
	}
	// Older than the index beyond doubt.
	past := info.ModTime().Add(-1e9 * 60)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	g.git("update-index", "--refresh")
	unchanged := func(name string) bool {
		_, w := workPaths(t, g.dir)
		for _, f := range w.Files {
			if f.Path == name {
				info, err := os.Lstat(filepath.Join(g.dir, name))
				if err != nil {
					t.Fatal(err)
				}
				return f.Tracked.Unchanged(w.Index, info)
			}
		}
		t.Fatalf("%s is not listed", name)
		return false
	}
	if !unchanged("a") {
		t.Error("an old file counts as changed")
	}
	g.write("a", "ONE")
	if unchanged("a") {
		t.Error("a new content of the same size counts as unchanged")
	}
}

func TestConfigFiles(t *testing.T) {
	g := newTestRepo(t)
	g.commit("a", "1")
	sub := newTestRepo(t)
	sub.commit("s", "1")
	g.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "--name", "deep/name", sub.dir, "sub")
	g.git("config", "extensions.worktreeConfig", "true")
	g.git("worktree", "add", "-q", "-b", "w", filepath.Join(filepath.Dir(g.dir), "w"))
	g.gitIn(filepath.Join(filepath.Dir(g.dir), "w"), "config", "--worktree", "x.y", "z")
	files, gaps, err := g.open().ConfigFiles(context.Background())
	if err != nil || len(gaps) != 0 {
		t.Fatal(gaps, err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
		if len(f.Data) == 0 {
			t.Errorf("%s is empty", f.Name)
		}
	}
	sameSet(t, "configuration files", names, []string{"config", "worktrees/w/config.worktree", "modules/deep/name/config"})
}
