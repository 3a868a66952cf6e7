package launch

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// Inspect names the process that has a PID now. When the system does not tell, only
// the PID is set beside the error.
func Inspect(pid int) (Process, error) {
	p := Process{PID: pid}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return p, fmt.Errorf("inspect process %d: %w", pid, err)
	}
	start, err := startTime(stat)
	if err != nil {
		return p, fmt.Errorf("inspect process %d: %w", pid, err)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return p, fmt.Errorf("inspect process %d: %w", pid, err)
	}
	p.Start, p.Boot, p.Name = start, string(bytes.TrimSpace(boot)), programOf(stat)
	return p, nil
}

// programOf is the program's name in a process's stat.
func programOf(stat []byte) string {
	_, rest, _ := bytes.Cut(stat, []byte("("))
	return string(rest[:max(0, bytes.LastIndexByte(rest, ')'))])
}

// startTime reads field 22 of a process's stat, in clock ticks since the system
// started. The second field, the program's name in parentheses, may hold anything.
func startTime(stat []byte) (uint64, error) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return 0, fmt.Errorf("read its start time: %d fields", len(fields))
	}
	return strconv.ParseUint(string(fields[19]), 10, 64)
}
