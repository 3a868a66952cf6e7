//go:build unix

package files

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"github.com/keywright/keywright/scan"
)

// What is no regular file is counted and never opened: opening the pipe would
// wait for a writer for ever.
func TestSpecialFiles(t *testing.T) {
	root := plant(t, map[string]string{"f": "x", "d/g": "y"})
	links := map[string]string{"to-file": "f", "d/up": "..", "loop": "loop", "dangling": "none", "to-dir": "d"}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(root, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Chdir(root) // a socket's path must be short
	l, err := net.Listen("unix", "socket")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()

	var walked collector
	r, err := Walk(context.Background(), root, Options{}, walked.visit)
	if err != nil {
		t.Fatal(err)
	}
	want := []scan.Excluded{{What: ExcludedSpecial, Count: 2}, {What: ExcludedLink, Count: 5}}
	if !slices.Equal(walked.paths(), []string{"d/g", "f"}) || !slices.Equal(r.Excluded, want) || len(r.Gaps) > 0 {
		t.Errorf("walk: read %q, result %+v", walked.paths(), r)
	}

	want[1].Count = 2
	for _, o := range []Options{{}, {Regular: true}} { // true no more, of most
		var listed collector
		r, err = ReadFiles(context.Background(), root, []string{"f", "to-file", "loop", "pipe", "socket", "to-dir/g", "d/up/f"}, o, listed.visit)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(listed.paths(), []string{"f"}) || !slices.Equal(r.Excluded, want) || len(r.Gaps) > 0 {
			t.Errorf("list with %+v: read %q, result %+v", o, listed.paths(), r)
		}
	}
}

func TestOpenRegularRefuses(t *testing.T) {
	root := plant(t, map[string]string{"d/": ""})
	t.Chdir(root)
	if err := syscall.Mkfifo("pipe", 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("d", "link"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]error{"pipe": errSpecial, "d": errDir, "link": errLink, "none": os.ErrNotExist, "/dev/null": errSpecial} {
		if _, _, _, err := openRegular(name); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
	}
}

func TestRootMayBeALink(t *testing.T) {
	root := plant(t, map[string]string{"d/f": "x"})
	link := filepath.Join(root, "link")
	if err := os.Symlink("d", link); err != nil {
		t.Fatal(err)
	}
	var c collector
	if _, err := Walk(context.Background(), link, Options{}, c.visit); err != nil || !slices.Equal(c.paths(), []string{"f"}) {
		t.Errorf("read %q, %v", c.paths(), err)
	}
}

func TestRootMayNotBeAPipe(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o644); err != nil {
		t.Fatal(err)
	}
	var special *NotRegularError
	if _, err := Walk(context.Background(), name, Options{}, (&collector{}).visit); !errors.As(err, &special) {
		t.Errorf("got %v", err)
	}
}

func TestUnreadableIsAGap(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	root := plant(t, map[string]string{"f": "x", "secret": "y", "d/g": "z"})
	os.Chmod(filepath.Join(root, "secret"), 0)
	os.Chmod(filepath.Join(root, "d"), 0)
	defer os.Chmod(filepath.Join(root, "d"), 0o755)
	var c collector
	r, err := Walk(context.Background(), root, Options{}, c.visit)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.paths(), []string{"f"}) || len(r.Gaps) != 2 || r.Gaps[0].What != "d/" || r.Gaps[1].What != "secret" || r.Gaps[1].Why != "permission denied" {
		t.Errorf("read %q, gaps %+v", c.paths(), r.Gaps)
	}
}

// A name that is longer than the system allows cannot be opened by anyone, not
// even by root.
func TestTooLongIsAGap(t *testing.T) {
	root := plant(t, map[string]string{"f": "x"})
	long := string(slices.Repeat([]byte("n"), 300))
	r, err := ReadFiles(context.Background(), root, []string{"f", long}, Options{}, (&collector{}).visit)
	if err != nil || r.Files != 1 || len(r.Gaps) != 1 || r.Gaps[0].What != long || r.Gaps[0].Why != syscall.ENAMETOOLONG.Error() {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestNamesAreBytes(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("file names are Unicode here")
	}
	names := []string{"\x1b[31mred", "a\nb", "bad\xff\xfeutf8", "d\xff/x"}
	tree := map[string]string{}
	for _, n := range names {
		tree[n] = "x"
	}
	var c collector
	if _, err := Walk(context.Background(), plant(t, tree), Options{}, c.visit); err != nil || !slices.Equal(c.paths(), names) {
		t.Errorf("read %q, %v, want %q", c.paths(), err, names)
	}
}
