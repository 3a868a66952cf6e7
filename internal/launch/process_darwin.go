package launch

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Inspect names the process that has a PID now; Start is in microseconds since 1970.
// When the system does not tell, only the PID is set beside the error.
func Inspect(pid int) (Process, error) {
	p := Process{PID: pid}
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return p, fmt.Errorf("inspect process %d: %w", pid, err)
	}
	boot, err := unix.Sysctl("kern.bootsessionuuid")
	if err != nil {
		return p, fmt.Errorf("inspect process %d: read the session of the system: %w", pid, err)
	}
	start := info.Proc.P_starttime
	p.Start, p.Boot, p.Name = uint64(start.Sec)*1e6+uint64(start.Usec), boot, unix.ByteSliceToString(info.Proc.P_comm[:])
	return p, nil
}
