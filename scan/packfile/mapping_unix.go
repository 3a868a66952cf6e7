//go:build linux || darwin

package packfile

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapFile maps a file of a size, or returns nil.
func mapFile(f *os.File, size int64) mapping {
	if size <= 0 || int64(int(size)) != size {
		return nil
	}
	m, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil
	}
	return m
}

// release gives back the memory of what was looked at. It may be called while others
// read.
func (m mapping) release() {
	_ = unix.Madvise(m, unix.MADV_DONTNEED) // at worst it is kept
}

func (m mapping) close() error {
	if m == nil {
		return nil
	}
	return unix.Munmap(m)
}
