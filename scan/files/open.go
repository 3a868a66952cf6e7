package files

import (
	"errors"
	"io/fs"
	"syscall"
)

// Why a path is not opened.
var (
	errLink    = errors.New("a symbolic link")
	errSpecial = errors.New("a device, socket or pipe")
	errDir     = errors.New("a directory")
)

// kind says why a file with this mode is not to be opened, nil if it is a regular
// file.
func kind(mode fs.FileMode) error {
	switch {
	case mode.IsRegular():
		return nil
	case mode&fs.ModeSymlink != 0:
		return errLink
	case mode.IsDir():
		return errDir
	}
	return errSpecial
}

// reason is the innermost message of an error: the path is said elsewhere.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// remedy is what to do about an error, if that is known.
func remedy(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "run keywright as a user who may read it, or exclude it"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "raise the limit of open files"
	}
	return ""
}
