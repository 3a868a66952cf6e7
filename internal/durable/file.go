// Package durable writes files that survive: a crash, a full disk or a second
// keywright at any instant leaves the old file or the new one, never a part, and
// what someone else wrote into a sealed file is noticed.
package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A File is a new version of the file at a path. Nothing is on the disk until the
// first Write, and nothing at the path changes before Commit. A File is not safe
// for concurrent use. Defer Discard, so that no temporary file is left over.
type File struct {
	disk   Disk
	path   string
	perm   fs.FileMode
	temp   Handle
	err    error // the first error, which every later call repeats
	synced bool  // what was written lasts, under the temporary name
	done   bool
}

// Create begins a new version of the file at path with the permissions perm,
// which the umask does not change. The directory must exist. A path that is a
// symbolic link to a file means that file. A path that is something else than a
// regular file is refused by the first Write.
func Create(path string, perm fs.FileMode) *File { return Disk{}.Create(path, perm) }

// Create is the function Create, on a disk.
func (d Disk) Create(path string, perm fs.FileMode) *File {
	return &File{disk: d, path: path, perm: perm}
}

// Write adds to the new version.
func (f *File) Write(p []byte) (int, error) {
	if err := f.open(); err != nil {
		return 0, err
	}
	f.synced = false
	n, err := f.temp.Write(p)
	return n, f.fail("write", err)
}

// Sync makes what was written last, so that Commit has no more to do than to give it its
// name.
func (f *File) Sync() error {
	if err := f.open(); err != nil || f.synced {
		return err
	}
	f.synced = true
	return f.fail("synchronise", f.temp.Sync())
}

// open makes the temporary file beside the path, so that renaming it never
// crosses file systems.
func (f *File) open() error {
	if f.err != nil || f.temp != nil {
		return f.err
	}
	if f.done {
		return f.fail("write", fs.ErrClosed)
	}
	if isDescriptor(f.path) {
		return f.fail("replace", errNotRegular)
	}
	if target, err := filepath.EvalSymlinks(f.path); err == nil {
		f.path = target
	}
	if info, err := os.Lstat(f.path); err == nil && !info.Mode().IsRegular() {
		return f.fail("replace", errNotRegular)
	}
	temp, err := f.disk.sys().CreateTemp(filepath.Dir(f.path), "."+filepath.Base(f.path)+".*.tmp")
	if err != nil {
		return f.fail("create a temporary file for", err)
	}
	f.temp = temp
	return f.fail("set the permissions of", temp.Chmod(f.perm))
}

var errNotRegular = errors.New("it is not a regular file")

// isDescriptor reports whether a path leads to what is open already, as Linux' /dev/stdout
// does, and not to a file by its name.
func isDescriptor(path string) bool {
	for range 2 { // the path, and what it leads to
		if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil && strings.HasPrefix(dir, "/proc/") {
			return true
		}
		target, err := os.Readlink(path)
		if err != nil || !filepath.IsAbs(target) {
			return false
		}
		path = target
	}
	return false
}

// Leftovers lists the temporary files for a path that are there: of who is writing now,
// and of who was killed meanwhile. Others may have made files with such names, too.
func Leftovers(path string) (list []string) {
	before, after := "."+filepath.Base(path)+".", ".tmp"
	entries, _ := os.ReadDir(filepath.Dir(path))
	for _, e := range entries {
		middle, ok := strings.CutPrefix(e.Name(), before)
		number, ends := strings.CutSuffix(middle, after)
		if ok && ends && number != "" && strings.Trim(number, "0123456789") == "" {
			list = append(list, filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
	return list
}

// Own gives the new version the owner and the group of the file at its path, as they were
// read, where files have them, and the list of others who may use that; a user can do so with
// files of their own only.
func (f *File) Own(like fs.FileInfo) error {
	if err := f.open(); err != nil {
		return err
	}
	if err := f.fail("set the owner of", giveTo(f.temp.Name(), like)); err != nil {
		return err
	}
	return f.fail("set the attributes of", giveAttributes(f.temp.Name(), f.path))
}

// Commit puts the new version in place of the old one, on the disk: when it
// returns nil a power cut does not take it back. Without any Write the new version
// is an empty file. When it returns an error the old version is still there,
// unless only the directory could not be synchronised.
func (f *File) Commit() error {
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.temp.Close(); err != nil {
		return f.fail("close", err)
	}
	if err := f.disk.sys().Rename(f.temp.Name(), f.path); err != nil {
		return f.fail("replace", err)
	}
	f.done, f.temp = true, nil
	return f.fail("synchronise the directory of", f.disk.sys().SyncDir(filepath.Dir(f.path)))
}

// Discard forgets the new version unless it was committed. It may be called at
// any time, more than once.
func (f *File) Discard() {
	if f.temp != nil {
		f.temp.Close()
		_ = f.disk.sys().Remove(f.temp.Name()) // left over, it is not taken for anything
		f.temp = nil
	}
	f.done = true
}

// Sweep removes what writers of the file at path left beside it who died before their
// commit. The caller sees to it that nobody writes it now. It is no error if that fails:
// what is left is not taken for anything.
func (d Disk) Sweep(path string) {
	entries, _ := os.ReadDir(filepath.Dir(path))
	for _, e := range entries {
		middle, temp := strings.CutPrefix(e.Name(), "."+filepath.Base(path)+".")
		if number, ok := strings.CutSuffix(middle, ".tmp"); temp && ok && number != "" && strings.Trim(number, "0123456789") == "" {
			_ = d.Remove(filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
}

func (f *File) fail(what string, err error) error {
	if err == nil {
		return nil
	}
	f.err = &fs.PathError{Op: what, Path: f.path, Err: bare(err)}
	return f.err
}

// bare takes the operation and the paths off an error that is told with the path that
// was asked for.
func bare(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}

// WriteFile replaces the file at path by what write writes, whole or not at all.
func WriteFile(path string, write func(io.Writer) error, perm fs.FileMode) error {
	return Disk{}.WriteFile(path, write, perm)
}

// WriteFile is the function WriteFile, on a disk.
func (d Disk) WriteFile(path string, write func(io.Writer) error, perm fs.FileMode) error {
	f := d.Create(path, perm)
	defer f.Discard()
	if err := write(f); f.err != nil {
		return f.err
	} else if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return f.Commit()
}
