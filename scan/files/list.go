package files

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync/atomic"
)

var errOutside = errors.New("the path leads out of the scanned directory")

// listBatch is how many paths of a list a worker takes at once: few, so that no
// worker has the large files at the end to itself.
const listBatch = 16

func readList(ctx context.Context, root string, paths []string, o Options, visit Visit) (Result, error) {
	if root == "" {
		root = "."
	}
	var next atomic.Int64
	return spread(ctx, &o, visit, func(ctx context.Context, me *worker) error {
		me.real = map[string]bool{".": true}
		for {
			end := int(next.Add(listBatch))
			if end-listBatch >= len(paths) {
				return nil
			}
			for _, p := range paths[end-listBatch : min(end, len(paths))] {
				if err := me.listed(ctx, root, p); err != nil {
					return err
				}
			}
		}
	})
}

// listed reads one path of a list.
func (w *worker) listed(ctx context.Context, root, p string) error {
	if !filepath.IsLocal(filepath.FromSlash(p)) {
		w.gap(p, errOutside)
		return nil
	}
	if w.o.Skip != nil && w.o.Skip(p, false) {
		w.exclude(ExcludedPath)
		return nil
	}
	if !w.reachable(root, path.Dir(p)) {
		return nil
	}
	name := native(root, p)
	if !w.o.Regular {
		// Nothing but a regular file is to be opened: opening a device or a pipe can
		// have effects.
		info, err := os.Lstat(name)
		if err == nil {
			err = kind(info.Mode())
		}
		if err != nil {
			w.refused(p, err)
			return nil
		}
	}
	return w.file(ctx, name, p)
}

// reachable reports whether a directory below the root is reached without a
// symbolic link. What it cannot tell is left to opening the file.
func (w *worker) reachable(root, dir string) bool {
	real, known := w.real[dir]
	if known {
		return real
	}
	real = w.reachable(root, path.Dir(dir))
	if real {
		info, err := os.Lstat(native(root, dir))
		real = err != nil || info.Mode()&fs.ModeSymlink == 0
	}
	w.real[dir] = real
	return real
}
