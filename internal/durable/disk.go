package durable

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/natefinch/atomic"
)

// Disk is where files are changed. The zero Disk is the machine's own. Reading needs
// none.
type Disk struct{ system System }

// On returns the disk that a System changes: in tests, one that loses power.
func On(s System) Disk { return Disk{s} }

// System is each change of a file or a directory whose lasting matters, and what makes
// it last. Paths and errors are those of package os.
type System interface {
	// CreateTemp is os.CreateTemp.
	CreateTemp(dir, pattern string) (Handle, error)
	// Edit opens a file that is there for writing.
	Edit(path string) (Handle, error)
	// Mkdir is os.Mkdir.
	Mkdir(path string, perm fs.FileMode) error
	// Rename gives a file another name in its directory, in place of what has that.
	Rename(from, to string) error
	// Remove is os.Remove.
	Remove(path string) error
	// SyncDir makes what was made, renamed and removed in a directory last. What is in
	// the files lasts by their own Sync.
	SyncDir(path string) error
}

// Handle is what is asked of an *os.File.
type Handle interface {
	io.Writer
	io.WriterAt
	io.Seeker
	io.Closer
	Name() string
	Chmod(perm fs.FileMode) error
	Truncate(size int64) error
	Sync() error
}

func (d Disk) sys() System {
	if d.system == nil {
		return Machine{}
	}
	return d.system
}

// Edit opens a regular file that is there for changing it in place; see OpenFile.
func (d Disk) Edit(path string) (Handle, error) {
	if err := regular("open", path); err != nil {
		return nil, err
	}
	return d.sys().Edit(path)
}

// Rename gives a file another name in the same directory. That lasts once SyncDir was
// called, or a file in the directory was committed.
func (d Disk) Rename(from, to string) error { return d.sys().Rename(from, to) }

// SyncDir makes what happened to the names in a directory last.
func (d Disk) SyncDir(path string) error { return d.sys().SyncDir(path) }

// Remove removes a file. It may be back after a power cut.
func (d Disk) Remove(path string) error { return d.sys().Remove(path) }

// MkdirAll makes a directory, and those above it that are not there, so that they
// last. An empty one may have been made by somebody who died before it did.
func (d Disk) MkdirAll(path string, perm fs.FileMode) error {
	path = filepath.Clean(path)
	parent := filepath.Dir(path)
	if inUse(path) || parent == path {
		return nil
	}
	if err := d.MkdirAll(parent, perm); err != nil {
		return err
	}
	made := d.sys().Mkdir(path, perm)
	if info, err := os.Stat(path); made != nil && (err != nil || !info.IsDir()) {
		return made
	}
	// Who may not read the parent has no way to make this last. One that was there may be
	// where a disk is mounted, and the parent on another that cannot be synchronised.
	if err := d.sys().SyncDir(parent); err != nil && made == nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}

// inUse reports whether a directory is there and holds something.
func inUse(path string) bool {
	d, err := os.Open(path)
	if err != nil {
		return false
	}
	defer d.Close()
	names, _ := d.Readdirnames(1)
	return len(names) > 0
}

// Machine is the System of the machine's own disks.
type Machine struct{}

// CreateTemp implements System.
func (Machine) CreateTemp(dir, pattern string) (Handle, error) { return os.CreateTemp(dir, pattern) }

// Edit implements System.
func (Machine) Edit(path string) (Handle, error) { return os.OpenFile(path, os.O_WRONLY, 0) }

// Mkdir implements System.
func (Machine) Mkdir(path string, perm fs.FileMode) error { return os.Mkdir(path, perm) }

// Rename implements System. On Windows, where directories cannot be synchronised, it
// is written through.
func (Machine) Rename(from, to string) error { return atomic.ReplaceFile(from, to) }

// Remove implements System.
func (Machine) Remove(path string) error { return os.Remove(path) }

// SyncDir implements System.
func (Machine) SyncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
