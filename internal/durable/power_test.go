package durable_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keywright/keywright/internal/durable"
	"github.com/keywright/keywright/internal/durable/durabletest"
)

// powered writes one version of a file after another, in a directory that it makes, and
// says at which moment each was there to stay.
func powered(t *testing.T, versions ...string) (r *durabletest.Recorder, kept []int) {
	t.Helper()
	root := t.TempDir()
	r, err := durabletest.NewRecorder(root)
	if err != nil {
		t.Fatal(err)
	}
	d, dir := durable.On(r), filepath.Join(root, "a", "b")
	for _, v := range versions {
		if err := errors.Join(d.MkdirAll(dir, 0o700), d.WriteFile(filepath.Join(dir, "file"), text(v), 0o600)); err != nil {
			t.Fatal(err)
		}
		kept = append(kept, r.Len())
	}
	return r, kept
}

// losses looks at what a power cut may leave, at every moment, without what is made to
// last at a site, and returns the contents that should not be.
func losses(r *durabletest.Recorder, kept []int, versions []string, deaf durabletest.Site) (wrong []string) {
	for n := range r.Len() + 1 {
		first := 0 // the oldest version that may be there; 0 for none
		for first < len(kept) && kept[first] <= n {
			first++
		}
		for way := range uint64(60) {
			node, there := r.Lose(n, way, deaf)[filepath.Join("a", "b", "file")]
			ok := !there && first == 0
			for i := max(first-1, 0); i < len(versions) && i <= first; i++ {
				ok = ok || there && string(node.Data) == versions[i]
			}
			if !ok {
				wrong = append(wrong, string(node.Data))
			}
		}
	}
	return wrong
}

// After a power cut at any moment there is a whole version, and none before the last
// that was committed. Without any one synchronisation there is not.
func TestPowerLoss(t *testing.T) {
	versions := []string{strings.Repeat("one", 100), strings.Repeat("two", 200), "three"}
	r, kept := powered(t, versions...)
	if wrong := losses(r, kept, versions, ""); len(wrong) > 0 {
		t.Errorf("%d times, first %.40q", len(wrong), wrong[0])
	}
	sites := r.Sites()
	if len(sites) != 4 { // two directories, a file, its name
		t.Errorf("synchronised at %q", sites)
	}
	for _, site := range sites {
		if len(losses(r, kept, versions, site)) == 0 {
			t.Errorf("without %s nothing is missed", site)
		}
	}
}

// What does not last is dropped, or torn: a beginning, zeros, or sectors here and there.
func TestRecorderTears(t *testing.T) {
	const size = 1000
	version := strings.Repeat("x", size)
	r, kept := powered(t, version)
	var file durabletest.Site
	for _, s := range r.Sites() {
		if strings.HasSuffix(string(s), " file") {
			file = s
		}
	}
	kinds := map[string]int{}
	for _, data := range losses(r, kept, []string{version}, file) {
		zeros := strings.Count(data, "\x00")
		switch {
		case data == "":
			kinds["dropped"]++
		case zeros == size:
			kinds["zeros"]++
		case zeros == 0:
			kinds["a beginning"]++
		default:
			kinds["sectors"]++
		}
	}
	if len(kinds) != 4 {
		t.Errorf("only %v", kinds)
	}
}

// Who is killed before a directory lasts leaves that to the next who wants it.
func TestMkdirAllAfterKill(t *testing.T) {
	whole, _ := powered(t, "x")
	for n := range whole.Len() {
		root := t.TempDir()
		again, err := whole.Fork(n, root)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(root, "a", "b")
		d := durable.On(again)
		if err := errors.Join(d.MkdirAll(dir, 0o700), d.WriteFile(filepath.Join(dir, "file"), text("y"), 0o600)); err != nil {
			t.Fatal(err)
		}
		if got := again.Lose(again.Len(), durabletest.Nothing, "")[filepath.Join("a", "b", "file")]; string(got.Data) != "y" {
			t.Errorf("killed at %d: %q is left", n, got.Data)
		}
	}
}

func TestMkdirAll(t *testing.T) {
	dir := t.TempDir()
	var d durable.Disk
	for _, path := range []string{dir, filepath.Join(dir, "a", "b", "c"), filepath.Join(dir, "a", "b", "c"), filepath.Join(dir, "a")} {
		if err := d.MkdirAll(path, 0o700); err != nil {
			t.Error(err)
		}
		if info, err := os.Stat(path); err != nil || !info.IsDir() {
			t.Errorf("%s: %v", path, err)
		}
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "below")} {
		var pathErr *fs.PathError
		if err := d.MkdirAll(path, 0o700); !errors.As(err, &pathErr) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
