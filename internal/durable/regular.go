package durable

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// ErrSpecial says that what stands in a file's place is none: a directory, a pipe, a device.
var ErrSpecial = errors.New("it is not a regular file")

// OpenFile opens a regular file for reading. The error is that of os.Open, or one of the
// same kind that matches ErrSpecial: whoever opens a pipe waits for its other end, for ever.
func OpenFile(path string) (*os.File, error) {
	if err := regular("open", path); err != nil {
		return nil, err
	}
	return os.Open(path)
}

// ReadFile is os.ReadFile for a regular file; see OpenFile.
func ReadFile(path string) ([]byte, error) {
	f, err := OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// regular returns an error if there is something else than a regular file, or nothing.
func regular(doing, path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: doing, Path: path, Err: ErrSpecial}
	}
	return err
}
