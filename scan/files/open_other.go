//go:build !unix

package files

import (
	"os"
)

// openRegular opens a regular file and returns its size. The system has no stamps.
func openRegular(name string) (*os.File, int64, Stamp, error) {
	before, err := os.Lstat(name)
	if err != nil {
		return nil, 0, Stamp{}, err
	}
	if err := kind(before.Mode()); err != nil {
		return nil, 0, Stamp{}, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, Stamp{}, err
	}
	// A path may have changed since it was listed: look at what was opened.
	info, err := f.Stat()
	if err == nil {
		err = kind(info.Mode())
	}
	if err != nil {
		f.Close()
		return nil, 0, Stamp{}, err
	}
	return f, info.Size(), Stamp{}, nil
}

func lookAt(string) (Stamp, bool) { return Stamp{}, false }
