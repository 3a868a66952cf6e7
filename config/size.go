package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ParseSize reads a positive number of bytes: "1048576", "512MiB", "2g". Units are
// powers of 1024, whichever way they are written.
func ParseSize(s string) (int64, error) {
	digits := strings.TrimRight(s, "kmgtibKMGTIB ")
	n, err := strconv.ParseInt(digits, 10, 64)
	shift, known := unitShift(strings.TrimSpace(s[len(digits):]))
	if err != nil || n <= 0 || !known {
		return 0, fmt.Errorf("%q is not a size: want a number and a unit, as in 512MiB", s)
	}
	if n > math.MaxInt64>>shift {
		return 0, fmt.Errorf("%q is too large a size", s)
	}
	return n << shift, nil
}

// unitShift returns the binary logarithm of a unit.
func unitShift(unit string) (shift uint, known bool) {
	switch strings.ToLower(unit) {
	case "", "b":
		return 0, true
	case "k", "kb", "kib":
		return 10, true
	case "m", "mb", "mib":
		return 20, true
	case "g", "gb", "gib":
		return 30, true
	case "t", "tb", "tib":
		return 40, true
	}
	return 0, false
}
