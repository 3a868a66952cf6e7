package launch

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/keywright/keywright/secret"
)

// filesInPlace says that nothing has to be done for files while a child runs.
const filesInPlace = true

// lowestFD is where descriptors for a child begin. They keep their numbers in the
// child, so they must be out of the way of what keywright was itself given (the
// low numbers are make's job server's, and systemd's sockets), and of the few numbers
// that package os moves descriptors to between fork and exec.
const lowestFD = 100

// deliver makes files in memory. The child inherits them, and opening the path gives
// it a description of its own, which begins at the start of the file. Nothing has a
// name that another user could open, and nothing is left when all have closed it.
func deliver(files map[string]secret.Value) (delivery, error) {
	d := delivery{paths: map[string]string{}}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fd, err := inMemory(files[name])
		if err != nil {
			d.end()
			return delivery{}, fmt.Errorf("deliver %s as a file: %w", name, err)
		}
		d.paths[name] = "/proc/self/fd/" + strconv.Itoa(fd)
		d.onStart = append(d.onStart, func() { unix.Close(fd) })
	}
	return d, nil
}

// inMemory makes a sealed file and returns a descriptor that children inherit.
func inMemory(v secret.Value) (int, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate("keywright", flags|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3
		fd, err = unix.MemfdCreate("keywright", flags)
	}
	if err != nil {
		return 0, fmt.Errorf("make a file in memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), "keywright")
	defer f.Close()
	if _, err := f.Write(v.Reveal()); err != nil {
		return 0, fmt.Errorf("write to memory: %w", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, fmt.Errorf("go back in memory: %w", err)
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return 0, fmt.Errorf("seal the memory: %w", err)
	}
	inherited, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD, lowestFD)
	if err != nil {
		return 0, fmt.Errorf("make the memory inheritable: %w", err)
	}
	return inherited, nil
}
