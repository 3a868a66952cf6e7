package audit

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/keywright/keywright/internal/durable"
)

// disk is the files of a log. Tests put one in its place that crashes.
type disk interface {
	fmt.Stringer
	// open opens a file for reading. One that is not there is empty.
	open(name string) (file, error)
	// create makes an empty file, which lasts, unless it is there.
	create(name string) error
	// edit opens a file, which is there, for extend.
	edit(name string) (editable, error)
	// replace puts a new version in place of a file, whole or not at all.
	replace(name string, write func(io.Writer) error) error
	// rename gives a file, if it is there, another name. That lasts after the next
	// create or replace.
	rename(name, to string) error
}

type file interface {
	io.ReaderAt
	io.Closer
	Size() int64 // when it was opened
}

// editable is what extend needs of an *os.File.
type editable interface {
	io.WriterAt
	io.Seeker
	io.Closer
	Truncate(size int64) error
	Sync() error
}

// extend cuts a file at a length, adds data there, and synchronises it. If apart is
// set, the cut lasts before anything is added: what is found there after a crash is a
// part of data, never a mixture with what was there before.
func extend(d disk, name string, at int64, data []byte, apart bool) error {
	f, err := d.edit(name)
	if err != nil {
		return err
	}
	return errors.Join(extendFile(f, name, at, data, apart), f.Close())
}

func extendFile(f editable, name string, at int64, data []byte, apart bool) error {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if size < at {
		return fmt.Errorf("%s became shorter", name)
	}
	if size > at {
		if err := f.Truncate(at); err != nil {
			return err
		}
		if apart {
			if err := f.Sync(); err != nil {
				return err
			}
		}
	}
	if _, err := f.WriteAt(data, at); err != nil {
		return err
	}
	return f.Sync()
}

// directory is the disk in a directory of that name.
type directory struct {
	on   durable.Disk
	name string
}

func (d directory) String() string          { return d.name }
func (d directory) path(name string) string { return filepath.Join(d.name, name) }
func (d directory) create(name string) error {
	switch _, err := os.Stat(d.path(name)); {
	case err == nil: // whoever made it may have died before it lasted
		return d.on.SyncDir(d.name)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return d.on.WriteFile(d.path(name), func(io.Writer) error { return nil }, filePerm)
}

func (d directory) replace(name string, write func(io.Writer) error) error {
	return d.on.WriteFile(d.path(name), write, filePerm)
}

func (d directory) rename(name, to string) error {
	err := d.on.Rename(d.path(name), d.path(to))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (d directory) edit(name string) (editable, error) {
	return d.on.Edit(d.path(name))
}

func (d directory) open(name string) (file, error) {
	f, err := durable.OpenFile(d.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return noFile{}, nil
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return osFile{f, info.Size()}, nil
}

type osFile struct {
	*os.File
	size int64
}

func (f osFile) Size() int64 { return f.size }

// noFile is a file that is not there.
type noFile struct{}

func (noFile) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }
func (noFile) Close() error                      { return nil }
func (noFile) Size() int64                       { return 0 }

// hashes reads tlog's stored hashes: those on the disk and those about to be added.
type hashes struct {
	file
	stored int64 // how many of those on the disk count
	added  []tlog.Hash
}

// hashes opens the stored hashes. The caller closes them.
func (l *Log) hashes(stored int64) (*hashes, error) {
	f, err := l.disk.open(hashesFile)
	if err != nil {
		return nil, err
	}
	return &hashes{file: f, stored: stored}, nil
}

// ReadHashes implements tlog.HashReader. The error is a Fault if the file is too
// short.
func (h *hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if n := index - h.stored; n >= 0 && n < int64(len(h.added)) {
			found[i] = h.added[n]
			continue
		}
		if index >= h.stored {
			return nil, badHash(index)
		}
		n, err := h.ReadAt(found[i][:], index*tlog.HashSize)
		if n < tlog.HashSize && errors.Is(err, io.EOF) {
			return nil, badHash(index)
		}
		if n < tlog.HashSize {
			return nil, err
		}
	}
	return found, nil
}

// bytes gives the hashes that are to be added.
func (h *hashes) bytes() []byte {
	var all []byte
	for _, hash := range h.added {
		all = append(all, hash[:]...)
	}
	return all
}

// badHash is the fault of a stored hash, which belongs to the entry that completed
// its subtree.
func badHash(index int64) *Fault {
	level, n := tlog.SplitStoredHashIndex(index)
	return &Fault{Kind: BadHashes, Seq: (n+1)<<level - 1}
}
