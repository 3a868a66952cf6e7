// Package durabletest has disks that lose power, for tests of what is kept on one: a
// Recorder makes, from what a program did to a directory, what may be found there
// after a power cut at any moment, and a Killer ends the program at any one of its
// writes.
package durabletest

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/keywright/keywright/internal/durable"
)

// Recorder is a durable.System that writes to a directory of the real disk, where its
// files can be read at any time, and notes what was done, and what for it to last. It
// never synchronises anything really. All below the directory must be changed through
// it, but for locks. It may be used by several goroutines.
type Recorder struct {
	root string

	mu    sync.Mutex
	ops   []op
	nodes map[string]int // by path, as the program sees them now
	count int
}

type opKind uint8

const (
	opFile   opKind = iota // a file's first name: dir, name, node
	opMkdir                // dir, name, node
	opRename               // in dir, from name to to: node
	opRemove               // dir, name
	opWrite                // node, at, data
	opCut                  // node, at
	opMode                 // node, mode
	opSync                 // node, site
	opDir                  // a directory is synchronised: node, site
	opNote
)

// op is one change.
type op struct {
	kind     opKind
	dir      int
	name, to string
	node     int
	at       int64
	data     []byte
	mode     fs.FileMode
	site     Site
	note     any
}

// Site is a place in the program that makes something last, and for which file or
// directory: "durable.(*File).Commit:96 metadata".
type Site string

// NewRecorder returns a Recorder of a directory. What is there already lasts.
func NewRecorder(root string) (*Recorder, error) {
	r := &Recorder{root: root, nodes: map[string]int{}}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == root {
			r.nodes[path] = r.newNode()
			return nil
		}
		dir, name := r.nodes[filepath.Dir(path)], filepath.Base(path)
		info, err := d.Info()
		if err != nil {
			return err
		}
		n := r.newNode()
		r.nodes[path] = n
		if d.IsDir() {
			r.ops = append(r.ops, op{kind: opMkdir, dir: dir, name: name, node: n}, op{kind: opDir, node: dir})
			return nil
		}
		data, err := os.ReadFile(path)
		r.ops = append(r.ops, op{kind: opFile, dir: dir, name: name, node: n}, op{kind: opMode, node: n, mode: info.Mode().Perm()},
			op{kind: opWrite, node: n, data: data}, op{kind: opSync, node: n}, op{kind: opDir, node: dir})
		return err
	})
	return r, err
}

// Fork returns a Recorder of another directory, which must be empty, where everything is
// as it was after the first n operations, and nothing lasts that did not then: the
// program was killed, and is about to be started again.
func (r *Recorder) Fork(n int, root string) (*Recorder, error) {
	r.mu.Lock()
	ops := slices.Clone(r.ops[:n])
	count := r.count
	r.mu.Unlock()
	f := &Recorder{root: root, nodes: map[string]int{root: 0}, ops: ops, count: count}
	paths := map[int]string{0: root}
	for _, o := range ops {
		path := filepath.Join(paths[o.dir], o.name)
		switch o.kind {
		case opFile, opMkdir:
			f.nodes[path], paths[o.node] = o.node, path
		case opRename:
			delete(f.nodes, path)
			path = filepath.Join(paths[o.dir], o.to)
			f.nodes[path], paths[o.node] = o.node, path
		case opRemove:
			delete(f.nodes, path)
		}
	}
	return f, r.Lose(n, All, "").Write(root)
}

func (r *Recorder) newNode() int {
	r.count++
	return r.count - 1
}

// Len is the number of operations so far, which names this moment.
func (r *Recorder) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.ops)
}

// Note records something that happens elsewhere, and lasts there at once.
func (r *Recorder) Note(what any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ops = append(r.ops, op{kind: opNote, note: what})
}

// Notes are those of the first n operations.
func (r *Recorder) Notes(n int) (notes []any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range r.ops[:n] {
		if o.kind == opNote {
			notes = append(notes, o.note)
		}
	}
	return notes
}

// Sites lists where something was made to last, each once, in order.
func (r *Recorder) Sites() (sites []Site) {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := map[Site]bool{"": true}
	for _, o := range r.ops {
		if !seen[o.site] {
			seen[o.site] = true
			sites = append(sites, o.site)
		}
	}
	return sites
}

// At lists the moments just after something was made to last at a site.
func (r *Recorder) At(s Site) (moments []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, o := range r.ops {
		if o.site == s {
			moments = append(moments, i+1)
		}
	}
	return moments
}

// do makes and records an operation. The caller does not hold the lock.
func (r *Recorder) do(o op, act func() error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := act(); err != nil {
		return err
	}
	r.ops = append(r.ops, o)
	return nil
}

// node is that of a path. What is not recorded is not there.
func (r *Recorder) node(path string) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, ok := r.nodes[filepath.Clean(path)]
	if !ok {
		return 0, &fs.PathError{Op: "find", Path: path, Err: fs.ErrNotExist}
	}
	return n, nil
}

// CreateTemp implements durable.System.
func (r *Recorder) CreateTemp(dir, pattern string) (durable.Handle, error) {
	parent, err := r.node(dir)
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, pattern)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.newNode()
	r.nodes[f.Name()] = n
	r.ops = append(r.ops, op{kind: opFile, dir: parent, name: filepath.Base(f.Name()), node: n})
	return &handle{f, r, n}, nil
}

// Edit implements durable.System.
func (r *Recorder) Edit(path string) (durable.Handle, error) {
	n, err := r.node(path)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	return &handle{f, r, n}, nil
}

// Mkdir implements durable.System.
func (r *Recorder) Mkdir(path string, perm fs.FileMode) error {
	if _, err := os.Lstat(path); err == nil {
		return &fs.PathError{Op: "mkdir", Path: path, Err: fs.ErrExist}
	}
	if _, err := os.Lstat(filepath.Dir(path)); err != nil {
		return err
	}
	dir, err := r.node(filepath.Dir(path))
	if err != nil {
		return err
	}
	r.mu.Lock()
	n := r.newNode()
	r.mu.Unlock()
	return r.do(op{kind: opMkdir, dir: dir, name: filepath.Base(path), node: n}, func() error {
		r.nodes[path] = n
		return os.Mkdir(path, perm)
	})
}

// Rename implements durable.System.
func (r *Recorder) Rename(from, to string) error {
	n, err := r.node(from)
	if err != nil {
		return err
	}
	dir, err := r.node(filepath.Dir(from))
	if err != nil {
		return err
	}
	if filepath.Dir(from) != filepath.Dir(to) {
		return fmt.Errorf("rename %s to %s: not in one directory", from, to)
	}
	return r.do(op{kind: opRename, dir: dir, name: filepath.Base(from), to: filepath.Base(to), node: n}, func() error {
		delete(r.nodes, from)
		r.nodes[to] = n
		return os.Rename(from, to)
	})
}

// Remove implements durable.System.
func (r *Recorder) Remove(path string) error {
	if _, err := r.node(path); err != nil {
		return err
	}
	dir, err := r.node(filepath.Dir(path))
	if err != nil {
		return err
	}
	return r.do(op{kind: opRemove, dir: dir, name: filepath.Base(path)}, func() error {
		delete(r.nodes, path)
		return os.Remove(path)
	})
}

// SyncDir implements durable.System.
func (r *Recorder) SyncDir(path string) error {
	if path == filepath.Dir(r.root) {
		return nil // the directory itself lasts
	}
	n, err := r.node(path)
	if err != nil {
		return err
	}
	return r.do(op{kind: opDir, node: n, site: r.site(path)}, func() error { return nil })
}

// handle is an open file of a Recorder.
type handle struct {
	*os.File
	disk *Recorder
	node int
}

func (h *handle) Write(p []byte) (int, error) {
	at, err := h.File.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	n, err := h.WriteAt(p, at)
	if err == nil {
		_, err = h.File.Seek(at+int64(n), io.SeekStart)
	}
	return n, err
}

func (h *handle) WriteAt(p []byte, at int64) (n int, err error) {
	err = h.disk.do(op{kind: opWrite, node: h.node, at: at, data: append([]byte{}, p...)}, func() error {
		n, err = h.File.WriteAt(p, at)
		return err
	})
	return n, err
}

func (h *handle) Truncate(size int64) error {
	return h.disk.do(op{kind: opCut, node: h.node, at: size}, func() error { return h.File.Truncate(size) })
}

func (h *handle) Chmod(mode fs.FileMode) error {
	return h.disk.do(op{kind: opMode, node: h.node, mode: mode}, func() error { return h.File.Chmod(mode) })
}

func (h *handle) Sync() error {
	return h.disk.do(op{kind: opSync, node: h.node, site: h.disk.site(h.Name())}, func() error { return nil })
}

var temporary = regexp.MustCompile(`^\.(.+)\.[0-9]+\.tmp$`)

// site is where the program, beyond this package, asked for something to last.
func (r *Recorder) site(path string) Site {
	name := filepath.Base(path)
	if path == r.root {
		name = "."
	}
	if m := temporary.FindStringSubmatch(name); m != nil {
		name = m[1]
	}
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		function := f.Function[strings.LastIndex(f.Function, "/")+1:]
		if !strings.HasPrefix(function, "durabletest.") && !strings.HasPrefix(function, "durable.Disk.SyncDir") {
			return Site(fmt.Sprintf("%s:%d %s", function, f.Line, name))
		}
		if !more {
			return Site(name)
		}
	}
}
