package edit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/keywright/keywright/internal/durable"
	"github.com/keywright/keywright/secret"
)

// Original is a file as it was read, which is replaced only as long as it is that.
type Original struct {
	disk durable.Disk
	path string
	info fs.FileInfo
	data secret.Value
}

// The reasons not to replace a file.
var (
	ErrLink    = errors.New("it is a symbolic link")
	ErrNames   = errors.New("it has a second name (a hard link), under which it would stay as it is")
	ErrSpecial = errors.New("it is not a regular file")
	ErrChanged = errors.New("it was changed meanwhile")
	ErrLarge   = errors.New("it is too large")
)

// Open reads a file that is to be replaced, of at most so many bytes. The error matches
// ErrLink, ErrNames, ErrSpecial or ErrLarge if it is none that can be, or is one of the
// system's.
func Open(path string, most int64) (*Original, error) { return OpenOn(durable.Disk{}, path, most) }

// OpenOn is Open for a file on a disk.
func OpenOn(disk durable.Disk, path string, most int64) (*Original, error) {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return nil, err
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, ErrLink
	case !info.Mode().IsRegular():
		return nil, ErrSpecial
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	opened, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !os.SameFile(info, opened):
		return nil, ErrChanged
	case namesOf(opened) > 1:
		return nil, ErrNames
	}
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	defer clear(data)
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > most {
		return nil, ErrLarge
	}
	return &Original{disk, path, opened, secret.New(data)}, nil
}

// Data is the content of the file, not a copy; see secret.Value.Reveal.
func (o *Original) Data() []byte { return o.data.Reveal() }

// Wipe overwrites the content that was read.
func (o *Original) Wipe() { o.data.Wipe() }

// Replace puts new content into the file, whole or not at all, with the permissions and
// the owner that it had. The error matches ErrChanged if the file is not as it was read
// any more, right before it is replaced.
func (o *Original) Replace(data []byte) error {
	f := o.disk.Create(o.path, o.info.Mode().Perm())
	defer f.Discard()
	if err := f.Own(o.info); err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil { // which may take long, and what is written meanwhile is seen
		return err
	}
	if err := o.Unchanged(); err != nil {
		return err
	}
	return f.Commit()
}

// Replaceable is nil if Replace could make a new version beside the file, with its owner.
// It makes one and removes it.
func (o *Original) Replaceable() error {
	f := o.disk.Create(o.path, o.info.Mode().Perm())
	defer f.Discard()
	return f.Own(o.info)
}

// Unchanged is nil if the file is still as it was read. The error matches ErrChanged if it
// is not, or is one of the system's if that could not be found out.
func (o *Original) Unchanged() error {
	now, err := Open(o.path, int64(len(o.Data())))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrLink) || errors.Is(err, ErrNames) || errors.Is(err, ErrSpecial) || errors.Is(err, ErrLarge) {
		return fmt.Errorf("%w: %w", ErrChanged, err)
	}
	if err != nil {
		return err
	}
	defer now.Wipe()
	if !os.SameFile(o.info, now.info) || o.info.Mode() != now.info.Mode() || !bytes.Equal(o.Data(), now.Data()) {
		return ErrChanged
	}
	return nil
}

// Sweep removes what a process left beside the file that was killed while it replaced it:
// files as Replace makes them, that hold one of some contents, or the beginning of one.
func (o *Original) Sweep(contents ...[]byte) error {
	for _, path := range durable.Leftovers(o.path) {
		most := 0
		for _, c := range contents {
			most = max(most, len(c))
		}
		left, err := Open(path, int64(most))
		if err != nil {
			continue // it is another's
		}
		ours := slices.ContainsFunc(contents, func(c []byte) bool { return bytes.HasPrefix(c, left.Data()) })
		left.Wipe()
		if !ours {
			continue
		}
		if err := o.disk.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what is left of an earlier attempt: %w", err)
		}
	}
	return nil
}
