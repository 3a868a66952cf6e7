//go:build !unix

package files

import (
	"os"
)

// openRegular opens a regular file and returns its size.
func openRegular(name string) (*os.File, int64, error) {
	before, err := os.Lstat(name)
	if err != nil {
		return nil, 0, err
	}
	if err := kind(before.Mode()); err != nil {
		return nil, 0, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	// A path may have changed since it was listed: look at what was opened.
	info, err := f.Stat()
	if err == nil {
		err = kind(info.Mode())
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}
