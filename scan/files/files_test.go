package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/keywright/keywright/scan"
)

// collector keeps what was visited, by path.
type collector struct {
	mu   sync.Mutex
	docs map[string][]Document
}

func (c *collector) visit(d Document) error {
	d.Data = bytes.Clone(d.Data)
	d.Head = bytes.Clone(d.Head)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.docs == nil {
		c.docs = map[string][]Document{}
	}
	c.docs[d.Path] = append(c.docs[d.Path], d)
	return nil
}

func (c *collector) paths() []string {
	var paths []string
	for p := range c.docs {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	return paths
}

// plant makes files below a new directory: content by path, directories end in "/".
func plant(t *testing.T, tree map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for path, content := range tree {
		name := filepath.Join(root, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(path, "/") {
			if err := os.MkdirAll(name, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestWalkReadsEveryFileOnce(t *testing.T) {
	tree := map[string]string{"empty": "", "a": "1", "d/e/f/g": "22", "d/.hidden": "333", "node_modules/x": "4", "none/": ""}
	for i := range 3000 {
		tree[fmt.Sprintf("many/%d", i)] = fmt.Sprint(i)
	}
	root := plant(t, tree)
	delete(tree, "none/")
	for _, workers := range []int{1, 2, 9} {
		var c collector
		r, err := Walk(context.Background(), root, Options{Workers: workers}, c.visit)
		if err != nil {
			t.Fatal(err)
		}
		size := 0
		for path, content := range tree {
			size += len(content)
			docs := c.docs[path]
			if len(docs) != 1 {
				t.Fatalf("%d workers: %s was visited %d times", workers, path, len(docs))
			}
			d := docs[0]
			if string(d.Data) != content || !d.Whole() || d.Offset != 0 || d.Line != 1 || d.Column != 1 || d.KeepFrom != 0 || d.KeepTo != len(content) || string(d.Head) != content {
				t.Errorf("%s: got %+v", path, d)
			}
			if d.Worker < 0 || d.Worker >= workers {
				t.Errorf("%s: worker %d of %d", path, d.Worker, workers)
			}
		}
		want := Result{Files: len(tree), Bytes: int64(size)}
		if len(c.docs) != len(tree) || !reflect.DeepEqual(r, want) {
			t.Errorf("%d workers: got %+v of %d files, want %+v", workers, r, len(c.docs), want)
		}
	}
}

func TestWalkLeavesOut(t *testing.T) {
	root := plant(t, map[string]string{
		".git/HEAD": "x", ".git/objects/": "", ".git/config": "x",
		"sub/.git/HEAD": "x", "sub/.git/objects/": "", "sub/f": "x",
		"worktree/.git": "gitdir: elsewhere", // a file: read
		"fake/.git/f":   "x",                 // no repository: read
		"vendor/a/b":    "x", "vendor/c": "x", "d/skipped": "x",
	})
	skip := func(path string, dir bool) bool { return path == "vendor" && dir || path == "d/skipped" && !dir }
	var c collector
	r, err := Walk(context.Background(), root, Options{Skip: skip}, c.visit)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.paths(), []string{"fake/.git/f", "sub/f", "worktree/.git"}; !slices.Equal(got, want) {
		t.Errorf("read %q, want %q", got, want)
	}
	want := []scan.Excluded{{What: ExcludedGitDir, Count: 2}, {What: ExcludedPath, Count: 2}}
	if !slices.Equal(r.Excluded, want) {
		t.Errorf("excluded %+v, want %+v", r.Excluded, want)
	}
}

func TestWalkOfOneFile(t *testing.T) {
	root := plant(t, map[string]string{"d/f": "x"})
	var c collector
	r, err := Walk(context.Background(), filepath.Join(root, "d", "f"), Options{}, c.visit)
	if err != nil || r.Files != 1 || !slices.Equal(c.paths(), []string{"f"}) {
		t.Errorf("got %+v, %v, paths %q", r, err, c.paths())
	}
}

func TestWalkOfNothing(t *testing.T) {
	_, err := Walk(context.Background(), filepath.Join(t.TempDir(), "none"), Options{}, (&collector{}).visit)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want that nothing is there", err)
	}
}

func TestVisitErrorEndsTheWalk(t *testing.T) {
	tree := map[string]string{}
	for i := range 500 {
		tree[fmt.Sprintf("%d/%d", i%20, i)] = "x"
	}
	root := plant(t, tree)
	enough := errors.New("enough")
	if _, err := Walk(context.Background(), root, Options{}, func(Document) error { return enough }); err != enough {
		t.Errorf("got %v, want %v", err, enough)
	}
	if _, err := ReadFiles(context.Background(), root, []string{"0/0"}, Options{}, func(Document) error { return enough }); err != enough {
		t.Errorf("got %v, want %v", err, enough)
	}
	if _, err := Read(context.Background(), strings.NewReader("x"), "-", Options{}, func(Document) error { return enough }); err != enough {
		t.Errorf("got %v, want %v", err, enough)
	}
}

func TestCancel(t *testing.T) {
	root := plant(t, map[string]string{"a": "x", "b": "x", "c/d": "x"})
	ctx, cancel := context.WithCancel(context.Background())
	visit := func(Document) error { cancel(); return nil }
	if _, err := Walk(ctx, root, Options{Workers: 1}, visit); !errors.Is(err, context.Canceled) {
		t.Errorf("walk: got %v", err)
	}
	if _, err := ReadFiles(ctx, root, []string{"a", "b"}, Options{Workers: 1}, visit); !errors.Is(err, context.Canceled) {
		t.Errorf("list: got %v", err)
	}
	never, w := io.Pipe() // a read that blocks for ever
	defer w.Close()
	if _, err := Read(ctx, never, "-", Options{}, visit); !errors.Is(err, context.Canceled) {
		t.Errorf("stream: got %v", err)
	}
}

func TestReadFiles(t *testing.T) {
	root := plant(t, map[string]string{"a": "1", "d/b": "2", "d/c": "3", "sub/f": "4", "skipped": "5"})
	var c collector
	o := Options{Skip: func(path string, _ bool) bool { return path == "skipped" }}
	r, err := ReadFiles(context.Background(), root, []string{"a", "d/b", "gone", "gone/too", "a/below-a-file", "sub", "skipped", "../a", "d/../../a"}, o, c.visit)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.paths(), []string{"a", "d/b"}; !slices.Equal(got, want) {
		t.Errorf("read %q, want %q", got, want)
	}
	if want := []scan.Excluded{{What: ExcludedDir, Count: 1}, {What: ExcludedPath, Count: 1}}; !slices.Equal(r.Excluded, want) {
		t.Errorf("excluded %+v, want %+v", r.Excluded, want)
	}
	if len(r.Gaps) != 2 || r.Gaps[0].What != "../a" || r.Gaps[1].What != "d/../../a" {
		t.Errorf("gaps %+v, want the two paths that lead outside", r.Gaps)
	}
}

// checkChunks verifies what chunks promise against the whole content.
func checkChunks(t *testing.T, content []byte, docs []Document) {
	t.Helper()
	var kept int64
	for i, d := range docs {
		end := d.Offset + int64(len(d.Data))
		if end > int64(len(content)) || !bytes.Equal(d.Data, content[d.Offset:end]) {
			t.Fatalf("chunk %d: not the file's bytes at %d", i, d.Offset)
		}
		if d.First != (i == 0) || d.Last != (i == len(docs)-1) || d.First != (d.Offset == 0) || d.Last && end != int64(len(content)) {
			t.Errorf("chunk %d of %d at %d: first %v, last %v", i, len(docs), d.Offset, d.First, d.Last)
		}
		if d.Offset+int64(d.KeepFrom) != kept {
			t.Errorf("chunk %d: keeps anchors from %d, want %d", i, d.Offset+int64(d.KeepFrom), kept)
		}
		kept = d.Offset + int64(d.KeepTo)
		if !d.First && d.KeepFrom < Overlap || !d.Last && len(d.Data)-d.KeepTo < Overlap {
			t.Errorf("chunk %d: [%d, %d) of %d leaves less than the overlap", i, d.KeepFrom, d.KeepTo, len(d.Data))
		}
		if !bytes.Equal(d.Head, content[:min(HeadSize, len(content))]) {
			t.Errorf("chunk %d: wrong head", i)
		}
		before := content[:d.Offset]
		line, column := 1+bytes.Count(before, []byte{'\n'}), int(d.Offset)-bytes.LastIndexByte(before, '\n')
		if d.Line != line || d.Column != column {
			t.Errorf("chunk %d: position %d:%d, want %d:%d", i, d.Line, d.Column, line, column)
		}
	}
	if kept != int64(len(content)) {
		t.Errorf("anchors up to %d are kept, want %d", kept, len(content))
	}
}

func TestChunks(t *testing.T) {
	text := bytes.Repeat([]byte("a line\nand a longer one of some thirty bytes\n\n"), 60_000)
	long := bytes.Repeat([]byte("no line feed at all "), 130_000)
	o := Options{Whole: 1 << 20, Chunk: 3 * Overlap}
	unit := o.Chunk + 2*Overlap
	for _, content := range [][]byte{
		nil, []byte("x"), text, long,
		long[:1<<20], long[:1<<20+1], long[:1<<20-1],
		text[:unit], text[:unit+1], text[:unit+o.Chunk], text[:unit+o.Chunk-1], text[:unit+o.Chunk+1],
	} {
		t.Run(fmt.Sprint(len(content)), func(t *testing.T) {
			root := plant(t, map[string]string{"f": string(content)})
			var walked, streamed collector
			r, err := Walk(context.Background(), root, o, walked.visit)
			if err != nil || r.Files != 1 || r.Bytes != int64(len(content)) {
				t.Errorf("got %+v, %v", r, err)
			}
			checkChunks(t, content, walked.docs["f"])
			if whole := len(content) <= o.Whole; whole != (len(walked.docs["f"]) == 1) {
				t.Errorf("%d chunks", len(walked.docs["f"]))
			}
			in := iotest.HalfReader(bytes.NewReader(content))
			if r, err = Read(context.Background(), in, "-", o, streamed.visit); err != nil || r.Files != 1 || r.Bytes != int64(len(content)) {
				t.Errorf("got %+v, %v", r, err)
			}
			checkChunks(t, content, streamed.docs["-"])
		})
	}
}

func TestReadErrorIsAGap(t *testing.T) {
	broken := errors.New("broken")
	var c collector
	in := io.MultiReader(strings.NewReader("so far"), iotest.ErrReader(broken))
	r, err := Read(context.Background(), in, "-", Options{}, c.visit)
	if err != nil {
		t.Fatal(err)
	}
	if want := []scan.Gap{{What: "-", Why: "broken"}}; !slices.Equal(r.Gaps, want) {
		t.Errorf("gaps %+v, want %+v", r.Gaps, want)
	}
	if docs := c.docs["-"]; len(docs) != 1 || string(docs[0].Data) != "so far" {
		t.Errorf("got %+v, want what was read", docs)
	}
	w := worker{tally: &tally{}, o: new(Options{}.withDefaults()), visit: c.visit}
	if err := w.content(context.Background(), in, Document{Path: "f", Size: 10, Stamp: Stamp{Inode: 1}}); !errors.Is(err, broken) {
		t.Errorf("error %v, want the reader's", err)
	}
	if docs := c.docs["f"]; len(docs) != 1 || docs[0].Stamp != (Stamp{}) {
		t.Errorf("got %+v: a stamp stands for what was not read", docs)
	}
}

// A file that was changed a moment ago may change again and keep its stamp.
func TestSettled(t *testing.T) {
	now := time.Unix(1_000, 0)
	for age, want := range map[time.Duration]bool{-time.Hour: false, 0: false, time.Second: false, settling: false, settling + 1: true, time.Hour: true} {
		if s := (Stamp{Inode: 1, Changed: now.Add(-age).UnixNano()}); s.settled(now) != want {
			t.Errorf("changed %v ago: settled is %v", age, !want)
		}
	}
	if (Stamp{}).settled(now) {
		t.Error("no stamp is settled")
	}
}

// A file that was fresh when it was opened has no stamp, however long it took to read.
func TestFreshHasNoStamp(t *testing.T) {
	for try := 0; ; try++ {
		root := plant(t, map[string]string{"fresh": "x"})
		written := time.Now()
		var opened time.Duration
		visit := func(d Document) error {
			opened = time.Since(written)
			time.Sleep(settling + 100*time.Millisecond)
			if d.Stamp != (Stamp{}) && opened < settling {
				t.Errorf("opened %v after it was written: %+v", opened, d.Stamp)
			}
			return nil
		}
		if _, err := ReadFiles(context.Background(), root, []string{"fresh"}, Options{}, visit); err != nil {
			t.Fatal(err)
		}
		if opened < settling {
			return
		}
		if try == 5 {
			t.Fatal("the machine is too slow to open a file that it has just written")
		}
	}
}

// What is known is not read, and counts as if it were.
func TestKnown(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files have no stamps")
	}
	root := plant(t, map[string]string{"known": "12345", "new": "x"})
	time.Sleep(settling + 100*time.Millisecond)
	first := collector{}
	if _, err := ReadFiles(context.Background(), root, []string{"known", "new"}, Options{}, first.visit); err != nil {
		t.Fatal(err)
	}
	var second collector
	var asked []string
	o := Options{Workers: 1, Known: func(path string, s Stamp, _ int) bool {
		asked = append(asked, path)
		return path == "known" && s != Stamp{} && s == first.docs[path][0].Stamp
	}}
	r, err := ReadFiles(context.Background(), root, []string{"known", "new", "missing"}, o, second.visit)
	if err != nil || !slices.Equal(second.paths(), []string{"new"}) || r.Files != 2 || r.Bytes != 6 || !slices.Equal(asked, []string{"known", "new"}) {
		t.Errorf("read %q, asked %q, got %+v, %v", second.paths(), asked, r, err)
	}
}

// A file that is shorter than it was when it was opened is read as far as it goes.
func TestShrunk(t *testing.T) {
	for _, size := range []int64{100, 40 << 20} {
		var c collector
		w := worker{tally: &tally{}, o: new(Options{}.withDefaults()), visit: c.visit}
		if err := w.content(context.Background(), strings.NewReader("left"), Document{Path: "f", Size: size}); err != nil {
			t.Fatal(err)
		}
		if docs := c.docs["f"]; len(docs) != 1 || string(docs[0].Data) != "left" || !docs[0].Whole() || docs[0].KeepTo != 4 {
			t.Errorf("size %d: got %+v", size, docs)
		}
	}
}

func TestPositionInUTF16(t *testing.T) {
	for _, high := range []int{0, 1} {
		mark := []byte{0xff, 0xfe}
		if high == 0 {
			mark = []byte{0xfe, 0xff}
		}
		wide := func(s string) []byte {
			var b []byte
			for _, r := range s {
				pair := []byte{byte(r), byte(r >> 8)}
				if high == 0 {
					slices.Reverse(pair)
				}
				b = append(b, pair...)
			}
			return b
		}
		// U+010A and U+0A00 hold the byte of a line feed and are none.
		skipped := append(mark, wide("one\ntwo \u010a\u0a00\nab")...)
		if line, column := after(1, 1, skipped, mark); line != 3 || column != 5 {
			t.Errorf("high byte at %d: got %d:%d, want 3:5", high, line, column)
		}
		if line, column := after(7, 3, wide("ab"), mark); line != 7 || column != 7 {
			t.Errorf("high byte at %d: got %d:%d, want 7:7", high, line, column)
		}
	}
}
