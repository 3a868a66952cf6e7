package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// batch is how many directory entries or files make one task.
const batch = 128

// task is a directory to list (names is nil), or files of one to read. Dir is
// slash-separated and relative to the root, "" for the root itself.
type task struct {
	dir   string
	names []string
}

// walker shares tasks among workers. The newest come first, which keeps the
// number of waiting ones small.
type walker struct {
	root string
	o    *Options

	mu    sync.Mutex
	ready sync.Cond
	tasks []task
	busy  int  // workers that may still add tasks
	ended bool // nothing more is to be done
}

func walk(ctx context.Context, root string, o Options, visit Visit) (Result, error) {
	root, info, err := resolve(root)
	if err != nil {
		return Result{}, err
	}
	if !info.IsDir() {
		return readOne(ctx, root, info, o, visit)
	}
	w := &walker{root: root, o: &o, tasks: []task{{}}, busy: o.Workers}
	w.ready.L = &w.mu
	first, err := os.Open(root) // an unreadable root is an error, not a gap
	if err != nil {
		return Result{}, err
	}
	first.Close()
	return spread(ctx, &o, visit, func(ctx context.Context, me *worker) error {
		defer w.stop()
		for {
			t, ok := w.next(ctx)
			if !ok {
				return ctx.Err()
			}
			if err := w.do(ctx, me, t); err != nil {
				return err
			}
		}
	})
}

// resolve follows a symbolic link that the user named.
func resolve(root string) (string, fs.FileInfo, error) {
	info, err := os.Lstat(root)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if root, err = filepath.EvalSymlinks(root); err == nil {
			info, err = os.Lstat(root)
		}
	}
	return root, info, err
}

// NotRegularError says that the path to scan is a device, socket or pipe.
type NotRegularError struct{ Path string }

func (e *NotRegularError) Error() string {
	return fmt.Sprintf("read %q: it is neither a file nor a directory", e.Path)
}

func readOne(ctx context.Context, name string, info fs.FileInfo, o Options, visit Visit) (Result, error) {
	if !info.Mode().IsRegular() {
		return Result{}, &NotRegularError{name}
	}
	f, size, stamp, err := openRegular(name)
	if err != nil {
		return Result{}, err
	}
	defer f.Close()
	var t tally
	w := &worker{tally: &t, o: &o, visit: visit}
	path := filepath.Base(name)
	err = w.content(ctx, f, Document{Path: path, Size: size, Stamp: stamp})
	var visited visitError
	switch {
	case errors.As(err, &visited):
		err = visited.error
	case err != nil && ctx.Err() == nil:
		w.gap(path, err)
		err = nil
	}
	return merge([]tally{t}), err
}

// spread runs do in each worker and merges what they counted.
func spread(ctx context.Context, o *Options, visit Visit, do func(context.Context, *worker) error) (Result, error) {
	tallies := make([]tally, o.Workers)
	group, ctx := errgroup.WithContext(ctx)
	for i := range tallies {
		group.Go(func() error {
			return do(ctx, &worker{tally: &tallies[i], number: i, o: o, visit: visit})
		})
	}
	err := group.Wait()
	return merge(tallies), err
}

// next waits for a task. It returns false when none is left and none can come.
func (w *walker) next(ctx context.Context) (task, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy--
	for len(w.tasks) == 0 && w.busy > 0 && !w.ended {
		w.ready.Wait()
	}
	if len(w.tasks) == 0 || w.ended || ctx.Err() != nil {
		w.ended = true
		w.ready.Broadcast()
		return task{}, false
	}
	w.busy++
	last := len(w.tasks) - 1
	t := w.tasks[last]
	w.tasks[last] = task{}
	w.tasks = w.tasks[:last]
	return t, true
}

// stop wakes the others when a worker ends.
func (w *walker) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.ready.Broadcast()
}

// add queues a task.
func (w *walker) add(t task) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tasks = append(w.tasks, t)
	w.ready.Signal()
}

// waiting is how many tasks are queued.
func (w *walker) waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.tasks)
}

func (w *walker) do(ctx context.Context, me *worker, t task) error {
	if t.names == nil {
		return w.list(ctx, me, t.dir)
	}
	return w.read(ctx, me, t)
}

// read reads the files of a task.
func (w *walker) read(ctx context.Context, me *worker, t task) error {
	for _, name := range t.names {
		path := join(t.dir, name)
		if err := me.file(ctx, w.native(path), path); err != nil {
			return err
		}
	}
	return nil
}

// list reads a directory, queues what lies below it, and reads its files itself
// unless there are many.
func (w *walker) list(ctx context.Context, me *worker, dir string) error {
	f, err := os.Open(w.native(dir))
	if err != nil {
		me.refused(dirName(dir), err)
		return nil
	}
	defer f.Close()
	for {
		entries, err := f.ReadDir(batch)
		files := w.sort(me, dir, entries)
		// One task a batch, so that a directory of a million files keeps every
		// worker busy; but no more of them than can be wanted soon.
		t := task{dir, files}
		switch {
		case len(files) == 0:
		case len(entries) == batch && w.waiting() < 4*w.o.Workers:
			w.add(t)
		default:
			if err := w.read(ctx, me, t); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			me.refused(dirName(dir), err)
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		}
	}
}

// sort queues the directories among entries, counts what is left out, and returns
// the names of the files.
func (w *walker) sort(me *worker, dir string, entries []fs.DirEntry) []string {
	files := make([]string, 0, len(entries))
	for _, e := range entries {
		switch why := kind(e.Type()); {
		case why == errLink:
			me.exclude(ExcludedLink)
		case why == errSpecial:
			me.exclude(ExcludedSpecial)
		case w.o.Skip != nil && w.o.Skip(join(dir, e.Name()), e.IsDir()):
			me.exclude(ExcludedPath)
		case !e.IsDir():
			files = append(files, e.Name())
		case w.isGitDir(dir, e.Name()):
			me.exclude(ExcludedGitDir)
		case w.isSystemDir(dir, e.Name()):
			me.exclude(ExcludedSystem)
		default:
			w.add(task{dir: join(dir, e.Name())})
		}
	}
	return files
}

// isGitDir reports whether a directory is a repository's own. Its name alone is
// not enough: whatever else is called so is content.
func (w *walker) isGitDir(dir, name string) bool {
	if !strings.EqualFold(name, ".git") {
		return false
	}
	_, head := os.Lstat(w.native(join(dir, name) + "/HEAD"))
	_, objects := os.Lstat(w.native(join(dir, name) + "/objects"))
	return head == nil && objects == nil
}

// isSystemDir reports whether a directory shows the kernel, not a disk: its files
// have no size and some have no end.
func (w *walker) isSystemDir(dir, name string) bool {
	return runtime.GOOS == "linux" && w.root == "/" && dir == "" && (name == "proc" || name == "sys")
}

// native is the path for the operating system.
func (w *walker) native(path string) string { return native(w.root, path) }

func native(root, path string) string {
	switch {
	case path == "":
		return root
	case os.IsPathSeparator(root[len(root)-1]):
		return root + filepath.FromSlash(path)
	}
	return root + string(filepath.Separator) + filepath.FromSlash(path)
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// dirName is how a directory is called in a gap.
func dirName(dir string) string {
	if dir == "" {
		return "."
	}
	return dir + "/"
}
