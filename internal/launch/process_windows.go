package launch

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// Inspect names the process that has a PID now; Start is in units of 100 ns since
// 1601, and the system does not name its runs. When it does not tell, only the PID is
// set beside the error.
func Inspect(pid int) (Process, error) {
	p := Process{PID: pid}
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return p, fmt.Errorf("inspect process %d: %w", pid, err)
	}
	defer windows.CloseHandle(h)
	var created, exited, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(h, &created, &exited, &kernel, &user); err != nil {
		return p, fmt.Errorf("inspect process %d: %w", pid, err)
	}
	p.Start = uint64(created.HighDateTime)<<32 | uint64(created.LowDateTime)
	path := make([]uint16, windows.MAX_LONG_PATH)
	size := uint32(len(path))
	if windows.QueryFullProcessImageName(h, 0, &path[0], &size) == nil {
		p.Name = filepath.Base(windows.UTF16ToString(path[:size]))
	}
	return p, nil
}
