package pipeline

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/rules"
)

// testRepo is a repository that real git makes.
type testRepo struct {
	t   testing.TB
	dir string
}

// newTestRepo makes an empty repository, out of reach of the machine's
// configuration.
func newTestRepo(t *testing.T, args ...string) *testRepo {
	t.Helper()
	isolate(t)
	g := &testRepo{t, filepath.Join(t.TempDir(), "repo")}
	if err := os.MkdirAll(g.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	g.git(append([]string{"init", "-q", "-b", "main"}, args...)...)
	return g
}

func isolate(t *testing.T) {
	t.Helper()
	home := t.TempDir()
	for name, value := range map[string]string{
		"HOME": home, "XDG_CONFIG_HOME": home, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.DevNull,
		"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org", "GIT_AUTHOR_DATE": "1700000000 +0100",
		"GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org", "GIT_COMMITTER_DATE": "1700000000 +0100",
	} {
		t.Setenv(name, value)
	}
}

// git runs git in the repository and returns what it printed.
func (g *testRepo) git(args ...string) string {
	g.t.Helper()
	return g.gitInput(nil, args...)
}

// gitInput is git with a standard input.
func (g *testRepo) gitInput(input []byte, args ...string) string {
	g.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "gc.auto=0", "-c", "core.autocrlf=false", "-c", "fastimport.unpackLimit=1"}, args...)...)
	cmd.Dir, cmd.Stdin = g.dir, bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return strings.TrimSuffix(string(out), "\n")
}

// in is the same repository seen from another directory.
func (g *testRepo) in(dir string) *testRepo { return &testRepo{g.t, dir} }

// file is a path, slash-separated, and its content.
type file struct {
	path string
	data []byte
}

// write puts files into the work tree.
func (g *testRepo) write(files ...file) {
	g.t.Helper()
	for _, f := range files {
		name := filepath.Join(g.dir, filepath.FromSlash(f.path))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			g.t.Fatal(err)
		}
		if err := os.WriteFile(name, f.data, 0o644); err != nil {
			g.t.Fatal(err)
		}
	}
}

// stream is the input of git fast-import.
type stream struct {
	bytes.Buffer
	marks, seconds int
}

func (s *stream) data(b []byte) {
	fmt.Fprintf(s, "data %d\n", len(b))
	s.Write(b)
	s.WriteByte('\n')
}

func (s *stream) signature(role string) {
	s.seconds++
	fmt.Fprintf(s, "%s Ada <ada@example.org> %d +0100\n", role, 1700000000+s.seconds)
}

// change is a commit for fast-import: the files that it writes, notes that it
// attaches to marks, paths that it deletes, and what it merges.
type change struct {
	branch  string
	message []byte
	from    string // a mark, or empty for the branch's tip
	merge   string
	files   []file
	notes   []file // paths are marks
	deletes []string
}

// commit appends a commit and returns its mark.
func (s *stream) commit(c change) string {
	s.marks++
	fmt.Fprintf(s, "commit %s\nmark :%d\n", c.branch, s.marks)
	s.signature("committer")
	if c.message == nil {
		c.message = fmt.Appendf(nil, "change %d", s.marks)
	}
	s.data(c.message)
	if c.from != "" {
		fmt.Fprintf(s, "from %s\n", c.from)
	}
	if c.merge != "" {
		fmt.Fprintf(s, "merge %s\n", c.merge)
	}
	for _, path := range c.deletes {
		fmt.Fprintf(s, "D %s\n", path)
	}
	for _, f := range c.files {
		fmt.Fprintf(s, "M 100644 inline %s\n", f.path)
		s.data(f.data)
	}
	for _, f := range c.notes {
		fmt.Fprintf(s, "N inline %s\n", f.path)
		s.data(f.data)
	}
	s.WriteByte('\n')
	return fmt.Sprintf(":%d", s.marks)
}

// tag appends an annotated tag.
func (s *stream) tag(name, mark string, message []byte) {
	fmt.Fprintf(s, "tag %s\nfrom %s\n", name, mark)
	s.signature("tagger")
	s.data(message)
}

// builtin are options for a scan with the built-in rules.
func builtin(path string, mode Mode) Options {
	return Options{Path: path, Mode: mode, Builtin: rules.All(), Table: rules.Table(), Level: scan.Medium}
}

func mustRun(t testing.TB, o Options) *scan.Report {
	t.Helper()
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
