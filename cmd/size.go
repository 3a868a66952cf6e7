package cmd

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// parseSize reads a number of bytes: "1048576", "512MiB", "2g". Units are powers
// of 1024, whichever way they are written.
func parseSize(s string) (int64, error) {
	digits := strings.TrimRight(s, "kmgtibKMGTIB ")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("%s is not a size", quote(s))
	}
	var shift uint
	switch strings.ToLower(strings.TrimSpace(s[len(digits):])) {
	case "", "b":
	case "k", "kb", "kib":
		shift = 10
	case "m", "mb", "mib":
		shift = 20
	case "g", "gb", "gib":
		shift = 30
	case "t", "tb", "tib":
		shift = 40
	default:
		return 0, fmt.Errorf("%s is not a size", quote(s))
	}
	if n > math.MaxInt64>>shift {
		return 0, fmt.Errorf("%s is too large", quote(s))
	}
	return n << shift, nil
}
